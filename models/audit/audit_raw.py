"""Judges the current rows of the raw export by the suites in expectations/raw."""


def model(dbt, session):
    from rapport.audit import judge_raw

    build = dbt.ref("build")
    reading_plan = dbt.ref("reading_plan")
    dbt.ref("stg_participants")
    dbt.ref("stg_who5_assessments")
    dbt.ref("stg_sessions")
    dbt.ref("stg_alliance_ratings")
    return judge_raw(session, build.df(), reading_plan.df(), "expectations/raw")
