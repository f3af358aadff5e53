"""Aim 3: the slope of well-being on alliance at low, mean and high values of each moderator."""


def model(dbt, session):
    from rapport.study import slope_findings

    cross_products = dbt.ref("regression_cross_products")
    return slope_findings(cross_products.df())
