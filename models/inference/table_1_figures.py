"""Table 1: counts, means, deviations, medians and extremes of the cohort, by utilization type and in total."""


def model(dbt, session):
    from rapport.studies import Study
    from rapport.study import table_1

    study = Study.of(dbt.config.get("study"))
    values = dbt.ref("value_frequencies")
    levels = dbt.ref("level_frequencies")
    return table_1(values.df(), levels.df(), study)
