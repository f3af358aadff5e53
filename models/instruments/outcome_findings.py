"""Aims 2 and 3 for every instrument of the study."""


def model(dbt, session):
    from rapport.studies import Study
    from rapport.study import outcome_findings

    study = Study.of(dbt.config.get("study"))
    changes = dbt.ref("outcome_change_sums")
    regressions = dbt.ref("outcome_regression_sums")
    return outcome_findings(changes.df(), regressions.df(), study)
