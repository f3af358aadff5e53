"""Judges the findings by the suites in expectations/findings."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("candidate_inference_results")
    dbt.ref("candidate_model_fit")
    return run_suites(session, build.df(), "expectations/findings")
