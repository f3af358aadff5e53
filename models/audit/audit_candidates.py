"""Judges the candidates by the suites in expectations/candidates, and whether the files stood still meanwhile."""


def model(dbt, session):
    import pyarrow as pa

    from rapport.audit import run_suites
    from rapport.reading.warehouse import files_stood_still

    build = dbt.ref("build")
    part_files = dbt.source("raw", "part_files")
    participants = dbt.ref("stg_participants")
    eligibility = dbt.ref("eligibility")
    flow = dbt.ref("eligibility_flow")
    alliance = dbt.ref("participant_alliance")
    change = dbt.ref("who5_change")
    cohort = dbt.ref("analysis_cohort")
    reasons = dbt.ref("exclusion_reasons")
    summary = dbt.ref("source_summary")
    parameters = dbt.ref("build_parameters")
    monthly = dbt.ref("service_monthly")
    tables = [participants, eligibility, flow, alliance, change, cohort, reasons, summary, parameters]
    tables.append(monthly)
    verdicts = run_suites(session, build.df(), "expectations/candidates", tables)
    return pa.concat_tables([verdicts, files_stood_still(part_files.to_arrow_table(), "candidates", session)])
