"""What readers have of a publication on Spark without Spark: files of DuckDB's.

The snapshot holds the marts as they are served (:mod:`rapport.snapshot`), in the types and with the comments of their
contract. The publication holds what release and report ask of a warehouse: the marts without a row per participant, the
build's verdicts without keys, and the history. Whoever reads either needs no Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from rapport.file_modes import set_modes, set_umask
from rapport.spark.connection import SparkConnection

STORAGE_VERSION = "v1.0.0"
"""Storage format of DuckDB 1.0, which every later one reads."""
PUBLICATION = "publication.duckdb"
OF_THE_BUILD = "(select any_value(build_id) from audit.publish)"
KEPT = {
    "audit.publish": "from audit.publish",
    # Keys and free text are about single rows: they stay where they are.
    "audit.validation_results": (
        "select build_id, layer, table_name, rule, severity, passed, evaluated, unexpected, validated_at"
        f" from audit.validation_results where build_id = {OF_THE_BUILD}"
    ),
    "ops.builds": "from ops.builds",
    "ops.findings_history": "from ops.findings_history",
}
"""What a release asks beside the marts (:mod:`rapport.release.publication`), as SQL of DuckDB."""


def write_snapshot(
    connection: SparkConnection, path: Path, marts: Sequence[Mapping[str, Any]], head: Mapping[str, Any]
) -> None:
    """Write the marts of a build to a new file.

    ``marts``: of each its ``name``, the ``relation`` that it is read from, its ``description``, and its ``columns``
    with ``name``, ``data_type``, ``description`` and ``not_null``. ``head``: the row of ``marts.snapshot``.

    Raises ``duckdb.Error`` if a table cannot be read or a value breaks the contract.
    """
    set_umask()
    with duckdb.connect() as file:
        file.execute(f"attach {_literal(str(path))} as snapshot (storage_version '{STORAGE_VERSION}')")
        file.execute("create schema snapshot.marts")
        for mart in marts:
            columns = ", ".join(
                f"{column['name']} {column['data_type']}{' not null' if column['not_null'] else ''}"
                for column in mart["columns"]
            )
            name = f"snapshot.marts.{mart['name']}"
            file.execute(f"create table {name} ({columns})")
            _insert(file, name, connection.table(str(mart["relation"])).to_arrow_table())
            file.execute(f"comment on table {name} is {_literal(str(mart['description']))}")
            for column in mart["columns"]:
                file.execute(f"comment on column {name}.{column['name']} is {_literal(str(column['description']))}")
        file.execute(
            "create table snapshot.marts.snapshot as select ?::varchar as contract_version, ?::varchar as build_id,"
            " ?::bigint as build_number, ?::varchar as raw_folder, ?::boolean as is_synthetic,"
            " ?::timestamp as started_at",
            [
                head[name]
                for name in ("contract_version", "build_id", "build_number", "raw_folder", "is_synthetic", "started_at")
            ],
        )
        file.execute(
            "comment on table snapshot.marts.snapshot is"
            " 'The build that these tables are of, and the version of their contract.'"
        )
        file.execute("detach snapshot")


def write_publication(connection: SparkConnection, path: Path) -> None:
    """Write what a release needs of the published build, and put it in the place of what an earlier build wrote.

    Asked when a build that has published is over: its gates are in the history by then.

    Raises ``duckdb.Error`` if a table cannot be read, ``OSError`` if the file cannot be put in place.
    """
    set_umask()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    for left in (new, new.with_name(f"{new.name}.wal")):
        left.unlink(missing_ok=True)
    tables = dict(KEPT)
    for (name,) in connection.execute("select distinct table_name from audit.publish order by table_name").fetchall():
        if "participant_id" not in connection.table(f"marts.{name}").columns:
            tables[f"marts.{name}"] = f"from marts.{name}"
    with duckdb.connect() as file:
        file.execute(f"attach {_literal(str(new))} as publication (storage_version '{STORAGE_VERSION}')")
        for schema in ("audit", "ops", "marts"):
            file.execute(f"create schema publication.{schema}")
        for name, query in tables.items():
            relation = connection.cursor().execute(query)
            types = [(column[0], column[1]) for column in relation.description]
            columns = ", ".join(f'"{column}" {type_}' for column, type_ in types)
            file.execute(f"create table publication.{name} ({columns})")
            _insert(file, f"publication.{name}", relation.to_arrow_table())
        file.execute("detach publication")
    set_modes([new])
    new.replace(path)


def _insert(file: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    file.register("rows_of_spark", rows)
    file.execute(f"insert into {name} by name select * from rows_of_spark")
    file.unregister("rows_of_spark")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
