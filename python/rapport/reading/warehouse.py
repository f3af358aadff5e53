"""The export that a build reads, as schema ``raw`` of the warehouse."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import yaml

from rapport.audit.verdict import Verdict, broken_rule, join_keys, verdict_table
from rapport.engines import is_spark
from rapport.messages import escape_controls
from rapport.reading.export import (
    DAMAGED,
    EXPORT,
    FILES,
    MAX_UNPACKED_BYTES,
    VALUES,
    Reading,
    damaged_files,
    read_export,
)
from rapport.reading.files import changed_files
from rapport.reading.tables import DeclaredTable

if TYPE_CHECKING:
    from rapport.spark import SparkConnection

CALIBRATED, SYNTHETIC = "_calibration.json", "_synthetic.json"
"""Files beside the tables by which an export says that its people are invented."""

CHANGED = "it changed while it was read"


def tables_of_sources(path: Path, further: Sequence[str] = ()) -> list[DeclaredTable]:
    """The tables of the raw export, as the sources' YAML declares them; only those that have a primary key.

    ``further``: the optional ones that are read.
    """
    declared = []
    for table in yaml.safe_load(path.read_text(encoding="utf-8"))["sources"][0]["tables"]:
        if table.get("config", {}).get("meta", {}).get("optional") and table["name"] not in further:
            continue
        columns = {column["name"]: column["data_type"] for column in table["columns"]}
        keys = [
            column["name"]
            for column in table["columns"]
            if column.get("config", {}).get("meta", {}).get("primary_key", False)
        ]
        if keys:
            declared.append(DeclaredTable(name=table["name"], key=keys[0], columns=columns))
    return declared


_workspaces: set[Path] = set()
"""Folders of converted files that this process has made."""

_read: dict[str, pa.Table] = {}
"""The part files that this process has read, by build: with the erasures' list, which the database does not know."""


def new_workspace(workspace: Path) -> Path:
    """Where a build keeps what it converts: beside the database, so that the next build clears what a kill left."""
    shutil.rmtree(workspace, ignore_errors=True)
    _workspaces.add(workspace)
    return workspace


@atexit.register
def remove_workspaces() -> None:
    """Remove what was converted; the views of schema ``raw`` on it cannot be read any more."""
    _read.clear()
    while _workspaces:
        shutil.rmtree(_workspaces.pop(), ignore_errors=True)


def read_into_warehouse(
    connection: duckdb.DuckDBPyConnection,
    build_id: str,
    folder: Path,
    file_format: str,
    sources: Path,
    on_bad_rows: str,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    further: Sequence[str] = (),
    raw_schema: str = "",
) -> pa.Table:
    """Read an export into schema ``raw`` and return the verdicts on its files.

    ``further``: the optional tables that are read. ``raw_schema``: a schema with the tables, instead of the folder
    (:mod:`rapport.reading.schema`).

    Beside the views of :func:`rapport.reading.read_export` it writes ``raw.part_files`` (a row a file) and
    ``raw.export`` (one row: what the export says of itself). With ``on_bad_rows`` ``quarantine`` a value that cannot be
    read closes no gate: its row waits, because the suites judge column ``unreadable`` too.
    """
    tables = tables_of_sources(sources, further)
    how: dict[str, Any] = {"max_unpacked_bytes": max_unpacked_bytes, "build_id": build_id}
    if raw_schema:
        from rapport.reading.schema import FORMAT, read_schema

        reading = read_schema(connection, raw_schema, tables, build_id=build_id)
        folder, file_format = Path(f"schema {raw_schema}"), FORMAT
    elif is_spark(connection):
        reading = _read_for_spark(connection, folder, file_format, tables, how)
    else:
        [(database,)] = connection.execute(
            "select path from duckdb_databases() where database_name = current_database()"
        ).fetchall()
        reading = read_export(
            connection, folder, file_format, tables, new_workspace(Path(f"{database}.reading")), **how
        )
    if is_spark(connection):
        connection.write_table("raw.part_files", reading.part_files)
    else:
        connection.register("part_files_read", reading.part_files)
        connection.execute("create or replace table raw.part_files as from part_files_read")
        connection.unregister("part_files_read")
    _read[build_id] = pa.concat_tables([reading.part_files, reading.erasure_files])
    is_calibrated = (folder / CALIBRATED).exists()
    connection.execute(
        "create or replace table raw.export as select ?::varchar as raw_folder, ?::varchar as raw_format,"
        " ?::boolean as is_calibrated, ?::boolean as is_synthetic, ?::varchar as mapping_sha256,"
        " ?::bigint as listed_erasures",
        [
            escape_controls(str(folder)),
            file_format,
            is_calibrated,
            is_calibrated or (folder / SYNTHETIC).exists(),
            reading.mapping_sha256,
            reading.listed_erasures,
        ],
    )
    verdicts = [
        replace(verdict, severity="quarantined")
        if on_bad_rows == "quarantine" and verdict.expectation == VALUES and verdict.severity == "critical"
        else verdict
        for verdict in reading.verdicts
    ]
    return verdict_table(verdicts, build_id, "files")


def _read_for_spark(
    connection: SparkConnection, folder: Path, file_format: str, tables: Sequence[DeclaredTable], how: dict[str, Any]
) -> Reading:
    """The same by a DuckDB in this process, and the views of schema ``raw`` on Spark."""
    from rapport.reading.on_spark import offer_on_spark
    from rapport.spark.settings import reading_folder

    workspace = new_workspace(reading_folder())
    with _duckdb_of_its_own(workspace) as reader:
        reading = read_export(reader, folder, file_format, tables, workspace, **how)
        offer_on_spark(connection, reader, reading, workspace)
    return reading


def _duckdb_of_its_own(workspace: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, set as the profile sets that of a build."""
    connection = duckdb.connect(
        config={
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": os.environ.get("RAPPORT_MEMORY", "50%"),
            "temp_directory": str(workspace / "spill"),
        }
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection


def files_stood_still(
    part_files: pa.Table, layer: str, connection: duckdb.DuckDBPyConnection | None = None
) -> pa.Table:
    """The verdict on whether every part file, and the erasures' list, is still what it was when it was read.

    Of tables in a schema their rows and latest ``loaded_at`` are asked through ``connection``. ``part_files``:
    ``raw.part_files``. The list's hashes are known to the process that has read it and are stored nowhere: the hash of
    a short list can be guessed. Asked when nothing reads the files any more.
    """
    build_id = str(part_files["build_id"][0].as_py())
    read = _read.get(build_id, part_files)
    changed = [f"{table}/{file}" for table, file in changed_files(read)]
    if connection is not None and None in read["sha256"].to_pylist():
        from rapport.reading.schema import changed_tables

        changed += [table for _, table in changed_tables(connection, read)]
    verdict = Verdict(
        table_name=EXPORT,
        rule="no part file changed while it was read",
        severity="critical",
        passed=not changed,
        expectation="file_identity",
        evaluated=read.num_rows,
        unexpected=len(changed),
        sample_keys=join_keys(changed),
    )
    return verdict_table([verdict], build_id, layer)


def unreadable_rows(connection: duckdb.DuckDBPyConnection, part_files: pa.Table) -> list[Verdict]:
    """A broken rule for each table with a file whose rows cannot be read, though its footer could.

    Reads all files whole: asked when something that reads the views has failed. ``part_files``: ``raw.part_files``.
    """
    if is_spark(connection):
        with duckdb.connect() as reader:
            return unreadable_rows(reader, part_files)
    changed = set(changed_files(part_files))
    files: dict[str, list[str]] = {}
    for table, file in damaged_files(connection, part_files):
        files.setdefault(table, []).append(file)
    return [
        Verdict(
            table_name=table,
            rule="part files are readable",
            severity="critical",
            passed=False,
            expectation=FILES,
            evaluated=sum(name == table for name in part_files["table_name"].to_pylist()),
            unexpected=len(names),
            sample_keys=join_keys(names),
            detail=CHANGED if any((table, name) in changed for name in names) else DAMAGED,
        )
        for table, names in files.items()
    ]


def why_reading_failed() -> list[str]:
    """What :func:`unreadable_rows` says of the export that this process has read last, one line a table."""
    if not _read:
        return []
    with duckdb.connect() as connection:
        return [
            broken_rule(verdict.table_name, verdict.rule, verdict.unexpected, verdict.sample_keys, verdict.detail)
            for verdict in unreadable_rows(connection, list(_read.values())[-1])
        ]
