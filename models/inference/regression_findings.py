"""Aim 3: the coefficients of alliance as a predictor of well-being, and of its moderation."""


def model(dbt, session):
    from rapport.study import regression_findings

    cross_products = dbt.ref("regression_cross_products")
    return regression_findings(cross_products.df())
