"""Judges the findings of every instrument by the suites in expectations/outcome_findings."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    results = dbt.ref("outcome_results")
    fit = dbt.ref("outcome_fit")
    of_study = dbt.ref("inference_results")
    return run_suites(session, build.df(), "expectations/outcome_findings", [results, fit, of_study])
