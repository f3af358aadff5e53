"""Reads the part files into schema raw, and judges what kept a file from being read as the export's contract says."""


def model(dbt, session):
    from pathlib import Path

    from dbt_common.invocation import get_invocation_id

    from rapport.reading.warehouse import read_into_warehouse

    folder = dbt.config.get("raw_folder")
    raw_format = dbt.config.get("raw_format")
    raw_schema = dbt.config.get("raw_schema")
    sources = dbt.config.get("sources")
    on_bad_rows = dbt.config.get("on_bad_rows")
    max_unpacked_bytes = dbt.config.get("max_unpacked_bytes")
    further = dbt.config.get("further_tables")
    return read_into_warehouse(
        session,
        get_invocation_id(),
        Path(folder),
        raw_format,
        Path(sources),
        on_bad_rows,
        int(max_unpacked_bytes),
        further.split(),
        raw_schema,
    )
