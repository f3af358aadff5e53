"""Judges the current rows of the raw export by the suites in expectations/raw; settled rules by what changed."""


def model(dbt, session):
    from rapport.audit import judge_raw

    build = dbt.ref("build")
    reading_plan = dbt.ref("reading_plan")
    settled_rules = dbt.ref("settled_rules")
    dbt.ref("changed_participants")
    dbt.ref("changed_who5_assessments")
    dbt.ref("changed_sessions")
    dbt.ref("changed_alliance_ratings")
    return judge_raw(session, build.df(), reading_plan.df(), settled_rules.df(), "expectations/raw")
