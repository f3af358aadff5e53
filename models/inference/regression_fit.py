"""Aim 3: the variance that each step of each regression explains."""


def model(dbt, session):
    from rapport.study import regression_fit

    cross_products = dbt.ref("regression_cross_products")
    return regression_fit(cross_products.df())
