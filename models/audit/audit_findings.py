"""Judges the findings by the suites in expectations/findings."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("candidate_inference_results")
    dbt.ref("candidate_model_fit")
    dbt.ref("slope_findings")
    dbt.ref("candidate_reproduction")
    dbt.ref("candidate_consistency")
    return run_suites(session, build.df(), "expectations/findings")
