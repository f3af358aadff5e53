"""Judges the findings by the suites in expectations/findings."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("inference_results")
    dbt.ref("model_fit")
    dbt.ref("alliance_slopes")
    dbt.ref("reproduction")
    dbt.ref("consistency")
    return run_suites(session, build.df(), "expectations/findings")
