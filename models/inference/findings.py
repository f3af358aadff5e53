"""Every test, contrast and coefficient of the three aims: alliance, change of well-being, and their association."""


def model(dbt, session):
    import pandas as pd

    from rapport.study import alliance_findings, regression_findings, wellbeing_findings

    scores = dbt.ref("score_frequencies")
    ages = dbt.ref("age_frequencies")
    items = dbt.ref("item_sums")
    changes = dbt.ref("change_sums")
    regressions = dbt.ref("regression_sums")
    aims = [
        alliance_findings(scores.df(), ages.df(), items.df()),
        wellbeing_findings(changes.df()),
        regression_findings(regressions.df()),
    ]
    return pd.concat(aims, ignore_index=True)
