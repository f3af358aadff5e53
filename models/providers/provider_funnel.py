"""The alliance by provider: shrunken means, and the limits of a funnel plot."""


def model(dbt, session):
    from rapport.providers import provider_alliance

    sums = dbt.ref("provider_alliance_sums")
    return provider_alliance(sums.df())
