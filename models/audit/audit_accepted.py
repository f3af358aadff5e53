"""Judges again what is left when rows went to quarantine."""


def model(dbt, session):
    from rapport.audit import judge_accepted

    build = dbt.ref("build")
    row_faults = dbt.ref("row_faults")
    dbt.ref("accepted_participants")
    dbt.ref("accepted_who5_assessments")
    dbt.ref("accepted_sessions")
    dbt.ref("accepted_alliance_ratings")
    return judge_accepted(session, build.df(), row_faults.shape[0], "expectations/raw")
