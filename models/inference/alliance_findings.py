"""Aim 1: how participants rate their alliance, and in which groups it differs."""


def model(dbt, session):
    from rapport.study import alliance_findings

    scores = dbt.ref("alliance_score_frequencies")
    ages = dbt.ref("alliance_age_frequencies")
    items = dbt.ref("alliance_item_moments")
    return alliance_findings(scores.df(), ages.df(), items.df())
