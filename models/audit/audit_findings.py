"""Judges the findings by the suites in expectations/findings."""


def model(dbt, session):
    from rapport.audit import run_suites

    build = dbt.ref("build")
    cohort = dbt.ref("analysis_cohort")
    table_1 = dbt.ref("table_1")
    results = dbt.ref("inference_results")
    fit = dbt.ref("model_fit")
    slopes = dbt.ref("alliance_slopes")
    reproduction = dbt.ref("reproduction")
    consistency = dbt.ref("consistency")
    printed = dbt.ref("printed_figures")
    distribution = dbt.ref("alliance_distribution")
    transitions = dbt.ref("wellbeing_transitions")
    monthly = dbt.ref("service_monthly")
    signals = dbt.ref("service_signals")
    parameters = dbt.ref("build_parameters")
    sensitivity = dbt.ref("sensitivity_results")
    trajectory = dbt.ref("alliance_trajectory")
    findings = [table_1, results, fit, slopes, sensitivity, trajectory, monthly, signals, parameters]
    tables = [printed, distribution, transitions, cohort, *findings, reproduction, consistency]
    return run_suites(session, build.df(), "expectations/findings", tables)
