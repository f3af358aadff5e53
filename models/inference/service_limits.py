"""Control charts of the service's months: limits of each series, and the signals of each value."""


def model(dbt, session):
    from rapport.service import service_signals

    monthly = dbt.ref("service_monthly")
    return service_signals(monthly.df(), int(dbt.config.get("spc_min_points")))
