"""Aim 3: the variance that each step of each regression explains."""


def model(dbt, session):
    from rapport.studies import Study
    from rapport.study import regression_fit

    study = Study.of(dbt.config.get("study"))
    sums = dbt.ref("regression_sums")
    return regression_fit(sums.df(), study)
