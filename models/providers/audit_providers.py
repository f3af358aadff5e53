"""Judges the alliance by provider by the suite in expectations/providers."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    providers = dbt.ref("provider_alliance")
    cohort = dbt.ref("analysis_cohort")
    return run_suites(session, build.df(), "expectations/providers", [providers, cohort])
