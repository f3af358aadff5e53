"""Aim 3: the slope of well-being on alliance at low, mean and high values of each moderator."""


def model(dbt, session):
    from rapport.studies import Study
    from rapport.study import slope_findings

    study = Study.of(dbt.config.get("study"))
    sums = dbt.ref("regression_sums")
    return slope_findings(sums.df(), study)
