"""What the findings owe to the study's choices: every row of the sensitivity analyses."""


def model(dbt, session):
    from rapport.sensitivity import Choices, Statistics, sensitivity_findings
    from rapport.studies import Study

    variants = dbt.ref("variant_sums")
    classes = dbt.ref("rater_classes")
    providers = dbt.ref("provider_totals")
    sandwiches = dbt.ref("sandwich_sums")
    pairs = dbt.ref("score_pairs")
    items = dbt.ref("baseline_item_sums")
    scores = dbt.ref("score_frequencies")
    findings = dbt.ref("findings")
    statistics = Statistics(
        variants=variants.df(),
        raters=classes.df(),
        providers=providers.df(),
        sandwiches=sandwiches.df(),
        score_pairs=pairs.df(),
        baseline_items=items.df(),
        scores=scores.df(),
        findings=findings.df(),
    )
    study = Study.of(dbt.config.get("study"))
    choices = Choices(
        improvement_points=study.outcome.improvement,
        equivalence_margin=dbt.config.get("equivalence_margin"),
    )
    return sensitivity_findings(statistics, choices, study)
