"""Judges the candidates by the suites in expectations/candidates."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("eligibility")
    dbt.ref("eligibility_flow")
    dbt.ref("participant_alliance")
    dbt.ref("who5_change")
    dbt.ref("analysis_cohort")
    return run_suites(session, build.df(), "expectations/candidates")
