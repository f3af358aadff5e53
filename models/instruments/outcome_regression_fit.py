"""Aim 3 for every instrument: the variance that each step of each regression explains."""


def model(dbt, session):
    from rapport.studies import Study
    from rapport.study import outcome_fit

    study = Study.of(dbt.config.get("study"))
    regressions = dbt.ref("outcome_regression_sums")
    return outcome_fit(regressions.df(), study)
