"""Every test, contrast and coefficient of the three aims: alliance, change of well-being, and their association."""


def model(dbt, session):
    import pandas as pd

    from rapport.studies import Study
    from rapport.study import alliance_findings, regression_findings, wellbeing_findings

    study = Study.of(dbt.config.get("study"))
    scores = dbt.ref("score_frequencies")
    correlates = dbt.ref("correlate_frequencies")
    items = dbt.ref("item_sums")
    changes = dbt.ref("change_sums")
    regressions = dbt.ref("regression_sums")
    aims = [
        alliance_findings(scores.df(), correlates.df(), items.df(), study),
        wellbeing_findings(changes.df()),
        regression_findings(regressions.df(), study),
    ]
    return pd.concat(aims, ignore_index=True)
