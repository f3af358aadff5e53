"""The marts in a database file that older DuckDBs read."""

from __future__ import annotations

from pathlib import Path

import duckdb

from rapport.contracts.project import ContractError
from rapport.engine_errors import clean_text
from rapport.file_modes import set_umask

STORAGE_VERSION = "v1.0.0"
"""Storage format of DuckDB 1.0, which every later one reads; a tool may bring an older DuckDB than this project."""


def copy_marts(database: Path, out: Path) -> list[str]:
    """Copy schema ``marts`` of ``database`` to the new file ``out``; returns the names of the tables.

    Raises :class:`ContractError` if there are no marts, if ``out`` exists or is called marts, or if the database
    cannot be opened.
    """
    if not database.is_file():
        raise ContractError(f"no database {database}; build first")
    if out.stem == "marts":
        # DuckDB names a database after its file, and could not tell marts.table_1 of the one from that of the other.
        raise ContractError(f"{out} would have the name of the schema; choose another")
    if out.exists():
        raise ContractError(f"{out} exists")
    set_umask()
    with duckdb.connect() as connection:
        try:
            connection.execute(f"attach {_quoted(database)} as warehouse (read_only)")
            tables = [
                str(row[0])
                for row in connection.execute(
                    "select table_name from information_schema.tables where table_catalog = 'warehouse'"
                    " and table_schema = 'marts' order by table_name"
                ).fetchall()
            ]
            if not tables:
                raise ContractError(f"{database} has no table in schema marts; build first")
            connection.execute(f"attach {_quoted(out)} as copy (storage_version '{STORAGE_VERSION}')")
            connection.execute("create schema copy.marts")
            for table in tables:
                connection.execute(f'create table copy.marts."{table}" as from warehouse.marts."{table}"')
        except (duckdb.IOException, duckdb.CatalogException) as error:
            raise ContractError(clean_text(error).split("\n", maxsplit=1)[0]) from error
    return tables


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
