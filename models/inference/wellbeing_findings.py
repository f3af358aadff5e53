"""Aim 2: how well-being changes among those who screened positive for depressive symptoms."""


def model(dbt, session):
    from rapport.study import wellbeing_findings

    moments = dbt.ref("wellbeing_change_moments")
    return wellbeing_findings(moments.df())
