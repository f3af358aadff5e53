"""The fits whose residuals the sandwich estimators ask for, and the weights of the raters."""


def model(dbt, session):
    from rapport.sensitivity import fits
    from rapport.studies import Study

    variants = dbt.ref("variant_sums")
    classes = dbt.ref("rater_classes")
    providers = dbt.ref("provider_totals")
    return fits(variants.df(), classes.df(), providers.df(), Study.of(dbt.config.get("study")))
