"""Reads the part files into schema raw, and judges what kept a file from being read as the export's contract says."""


def model(dbt, session):
    from dbt_common.invocation import get_invocation_id

    from rapport_stub import read_into

    config = dbt.config
    return read_into(session, get_invocation_id(), config.get("raw_folder"), config.get("raw_format"))
