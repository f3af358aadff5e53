"""Judges again what is left when rows went to quarantine."""


def model(dbt, session):
    from rapport.audit import judge_accepted

    build = dbt.ref("build")
    waiting = dbt.ref("quarantined_rows")
    participants = dbt.ref("stg_participants")
    assessments = dbt.ref("stg_who5_assessments")
    sessions = dbt.ref("stg_sessions")
    repeated = dbt.ref("repeated_rows")
    ratings = dbt.ref("stg_alliance_ratings")
    tables = [repeated, participants, assessments, sessions, ratings]
    return judge_accepted(session, build.df(), waiting.shape[0], "expectations/raw", tables)
