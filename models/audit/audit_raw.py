"""Judges the current rows of the raw export by the suites in expectations/raw, and finds the rows that may wait."""


def model(dbt, session):
    from rapport.audit import judge_rows

    build = dbt.ref("build")
    participants = dbt.ref("current_participants")
    assessments = dbt.ref("current_who5_assessments")
    sessions = dbt.ref("current_sessions")
    repeated = dbt.ref("repeated_rows")
    ratings = dbt.ref("current_alliance_ratings")
    tables = [repeated, participants, assessments, sessions, ratings]
    return judge_rows(session, build.df(), "expectations/raw", tables)
