"""Judges the candidates by the suites in expectations/candidates."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    dbt.ref("candidate_eligibility")
    dbt.ref("candidate_eligibility_flow")
    dbt.ref("candidate_participant_alliance")
    dbt.ref("candidate_who5_change")
    dbt.ref("candidate_analysis_cohort")
    dbt.ref("candidate_table_1")
    return run_suites(session, build.df(), "expectations/candidates")
