"""Judges the changes of every instrument by the suite in expectations/outcomes."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    eligibility = dbt.ref("eligibility")
    who5 = dbt.ref("who5_change")
    change = dbt.ref("outcome_change")
    return run_suites(session, build.df(), "expectations/outcomes", [eligibility, who5, change])
