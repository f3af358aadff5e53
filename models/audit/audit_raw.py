"""Judges the current rows of the raw export by the suites in expectations/raw."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("stg_participants")
    dbt.ref("stg_who5_assessments")
    dbt.ref("stg_sessions")
    dbt.ref("stg_alliance_ratings")
    return run_suites(session, build.df(), "expectations/raw")
