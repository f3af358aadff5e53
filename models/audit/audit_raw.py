"""Judges the current rows of the raw export by the suites in expectations/raw."""


def model(dbt, session):
    from rapport_stub import judge_raw

    build = dbt.ref("build")
    dbt.ref("current_participants")
    dbt.ref("current_who5_assessments")
    dbt.ref("current_sessions")
    dbt.ref("current_alliance_ratings")
    return judge_raw(session, build.df(), "expectations/raw")
