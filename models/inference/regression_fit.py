"""Aim 3: the variance that each step of each regression explains."""


def model(dbt, session):
    from rapport.study import regression_fit

    sums = dbt.ref("regression_sums")
    return regression_fit(sums.df())
