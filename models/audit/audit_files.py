"""Reads the part files into schema raw, and judges what kept a file from being read as the export's contract says."""


def model(dbt, session):
    from dbt_common.invocation import get_invocation_id

    from rapport_stub import read_into

    folder = dbt.config.get("raw_folder")
    file_format = dbt.config.get("raw_format")
    return read_into(session, get_invocation_id(), folder, file_format)
