"""Finds every row that a row-level rule objects to, when bad rows go to quarantine."""


def model(dbt, session):
    from rapport.audit import find_faults

    audit_raw = dbt.ref("audit_raw")
    return find_faults(session, audit_raw.df(), "expectations/raw")
