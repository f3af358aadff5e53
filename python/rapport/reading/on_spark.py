"""An export that DuckDB has looked into, as schema ``raw`` on Spark.

Files are found, checked, mapped and judged by the code of every build, with a DuckDB in this process. Parquet files
whose columns hold the declared types are then read by Spark where they lie: a table of Spark's names the files, and a
view gives the declared columns, the place of each row and what of it is unreadable. Files that need more than a cast
(texts that a mapping names, numbers of other types) are converted by DuckDB, as CSV is, so that each value is what
DuckDB makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rapport.reading.export import PLACES, SCHEMA, Column, Group, Reading, TableReader
from rapport.reading.parquet import listed
from rapport.reading.values import (
    EXACT_INTEGERS,
    PLAIN_TIMESTAMPS,
    SQL_TYPES,
    WITHOUT_VALUES,
    ZONED,
    literal,
    quoted,
)
from rapport.spark import SparkConnection
from rapport.spark.values import quoted as spark_quoted
from rapport.spark.values import quoted_name, text_literal

PLAIN_PATH = re.compile(r"[A-Za-z0-9_./=-]+")
"""Paths that Spark's globs and its names of files say as they are."""
SPARK_INTEGERS = {
    "TINYINT": "tinyint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "int",
    "INTEGER": "int",
}
SOURCE = "files_of_"
"""What the names of the tables on files begin with."""


def offer_on_spark(
    spark: SparkConnection, connection: duckdb.DuckDBPyConnection, reading: Reading, workspace: Path
) -> None:
    """Create the views of schema ``raw`` on Spark from what has been read.

    ``connection``: the DuckDB that has read the export. ``workspace``: where converted files lie; Spark reads them
    there as long as the build runs. A file that turns out to be damaged when it is converted changes the verdicts.
    """
    spark.run(f"create schema if not exists {SCHEMA}")
    for reader in reading.readers:
        if reader.is_erasures:
            _create_view(spark, reader.table.name, _erasures(spark, connection, reader, workspace))
            continue
        selects: list[str] = []
        if reader.is_whole:
            try:
                selects = list(_selects(spark, connection, reader, workspace))
            except duckdb.IOException:
                _note_damage(reader, reading)
        _create_view(spark, reader.table.name, " union all ".join(selects) or _nothing(reader))


def _note_damage(reader: TableReader, reading: Reading) -> None:
    """Look for the file that could not be converted, and say so in the verdicts."""
    earlier = [id(verdict) for verdict in reader.verdicts]
    reader.find_damage(reader.parts)
    kept = {id(verdict) for verdict in reader.verdicts}
    gone = set(earlier) - kept
    reading.verdicts = [verdict for verdict in reading.verdicts if id(verdict) not in gone]
    reading.verdicts += [verdict for verdict in reader.verdicts if id(verdict) not in earlier]


def _nothing(reader: TableReader) -> str:
    types = {name: SQL_TYPES[declared] for name, declared in reader.table.columns.items()} | PLACES
    columns = ", ".join(f"cast(null as {type_}) as {quoted(name)}" for name, type_ in types.items())
    return f"select {columns} where false"


def _erasures(
    spark: SparkConnection, connection: duckdb.DuckDBPyConnection, reader: TableReader, workspace: Path
) -> str:
    """The ids, in a file that goes when the build ends."""
    path = workspace / f"{reader.table.name}-listed.parquet"
    query = f"select participant_id, part_file, row_number, line_number from {SCHEMA}.{reader.table.name}"
    connection.execute(f"copy ({query}) to {literal(str(path))} (format parquet)")
    columns = {"participant_id": "string", "part_file": "string", "row_number": "bigint", "line_number": "bigint"}
    source = _source(spark, f"{SOURCE}{reader.table.name}", str(path), columns)
    return f"select {', '.join(columns)} from {source}"


def _selects(
    spark: SparkConnection, connection: duckdb.DuckDBPyConnection, reader: TableReader, workspace: Path
) -> Iterator[str]:
    """SQL of DuckDB for the rows of each group of files, from tables of Spark's."""
    name = f"{SOURCE}{reader.table.name}"
    typed = {column: _typed(declared) for column, declared in reader.table.columns.items()}
    typed |= {"part_file": "string", "row_number": "bigint", "line_number": "bigint", "unreadable": "string"}
    columns = ", ".join(map(quoted, typed))
    if reader.converted is not None:
        yield f"select {columns} from {_source(spark, f'{name}_text', reader.converted, typed)}"
    seen = {str(path) for path in reader.folder.rglob("*") if path.is_file()}
    number = 0
    for group in reader.groups:
        kinds = _kinds(connection, group)
        for signature in dict.fromkeys(kinds.values()):
            files = [file for file in group.files if kinds[file] == signature]
            as_it_lies = _as_it_lies(reader, group, dict(signature), files)
            source = f"{name}_{number}"
            number += 1
            if as_it_lies is not None:
                table = _source(spark, source, str(reader.folder), as_it_lies.types, is_tree=True)
                yield as_it_lies.select(reader, f"{table}{as_it_lies.only(files, seen)}")
                continue
            path = workspace / f"{source}.parquet"
            rows = reader.parquet_select(Group(group.columns, files))
            connection.execute(f"copy ({rows}) to {literal(str(path))} (format parquet)")
            yield f"select {columns} from {_source(spark, source, str(path), typed)}"


Kind = tuple[str, str, str]
"""Physical type, logical type and DuckDB's type of a column."""


def _kinds(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[str, tuple[tuple[str, Kind], ...]]:
    """By file: the kinds of its top-level columns that have no columns of their own."""
    found: dict[str, list[tuple[str, Kind]]] = {file: [] for file in group.files}
    for file, name, type_, logical, of_duckdb in connection.execute(
        "select file_name, name, coalesce(type, ''), coalesce(logical_type, ''), coalesce(duckdb_type, '')"
        f" from parquet_schema({listed(group.files)}) where coalesce(num_children, 0) = 0 order by file_name, column_id"
    ).fetchall():
        found[str(file)].append((str(name), (str(type_), str(logical), str(of_duckdb))))
    return {file: tuple(columns) for file, columns in found.items()}


@dataclass
class _AsItLies:
    """How Spark reads a group of files: the columns of its table, and the values as SQL of DuckDB."""

    types: dict[str, str]
    columns: dict[str, Column]
    part_file: str
    folder: str

    def select(self, reader: TableReader, source: str) -> str:
        place = (self.part_file, "_metadata.row_index", "cast(null as bigint)")
        return reader.select(Group(self.columns), source, place)

    def only(self, files: list[str], seen: set[str]) -> str:
        """SQL after the table on the folder: of its files only some. A metastore of Hive's knows no list of paths."""
        if seen == set(files):
            return ""
        names = ", ".join(literal(file.removeprefix(self.folder)) for file in files)
        return f" where {self.part_file} in ({names})"


def _as_it_lies(reader: TableReader, group: Group, kinds: dict[str, Kind], files: list[str]) -> _AsItLies | None:
    """``None`` if a file has to be converted."""
    folder = f"{reader.folder}/"
    if not all(PLAIN_PATH.fullmatch(file) and file.startswith(folder) for file in files):
        return None
    types: dict[str, str] = {}
    columns: dict[str, Column] = {}
    for column, declared in reader.table.columns.items():
        read = group.columns[column]
        physical = reader.mapping.physical(column)
        if read.text is not None or physical not in kinds:
            return None
        found = _column(physical, kinds[physical], declared, reader.table.is_key(column))
        if found is None:
            return None
        type_, value = found
        if type_:
            types[physical] = type_
        name = quoted(physical)
        columns[column] = Column(
            value=value,
            present=None if read.present is None else f"{name} is not null",
            checks_range=read.checks_range,
        )
    path = "_metadata.file_path"
    part_file = f"substr({path}, strpos({path}, {literal(folder)}) + {len(folder)})"
    return _AsItLies(types, columns, part_file, folder) if types else None


def _column(physical: str, kind: Kind, declared: str, is_key: bool) -> tuple[str, str] | None:
    """Spark's type of a column of the files (empty for one that is not read) and its value as SQL of DuckDB."""
    _, logical, type_ = kind
    name = quoted(physical)
    if type_ == WITHOUT_VALUES:
        return "", f"cast(null as {SQL_TYPES[declared]})"
    if declared == "varchar" and type_ == "VARCHAR":
        text = f"validate_utf8({name})"  # Spark would take any bytes for text
        return "string", f"nullif({text}, '')" if is_key else text
    if declared == "boolean" and type_ == "BOOLEAN":
        return "boolean", name
    if declared == "integer" and type_ in EXACT_INTEGERS:
        return SPARK_INTEGERS[type_], f"cast({name} as integer)"
    if declared == "timestamp" and type_ in PLAIN_TIMESTAMPS | ZONED:
        is_plain = "isAdjustedToUTC=0" in logical
        return ("timestamp_ntz" if is_plain else "timestamp"), f"cast({name} as timestamp)"
    return None


def _typed(declared: str) -> str:
    return {"varchar": "string", "integer": "int", "boolean": "boolean", "timestamp": "timestamp_ntz"}[declared]


def _source(spark: SparkConnection, name: str, path: str, types: dict[str, str], *, is_tree: bool = False) -> str:
    """A table of Spark's on a file, or on a folder and all folders in it."""
    columns = ", ".join(f"{quoted_name(column)} {type_}" for column, type_ in types.items())
    table = f"{SCHEMA}.{name}"
    spark.run(f"drop table if exists {spark_quoted(table)}")
    # Names of folders (`month=3`) are no columns.
    options = f"path {text_literal(path)}" + (", recursiveFileLookup 'true'" if is_tree else "")
    spark.run(f"create table {spark_quoted(table)} ({columns}) using parquet options ({options})")
    return table


def _create_view(spark: SparkConnection, name: str, sql: str) -> None:
    spark.execute(f"create or replace view {SCHEMA}.{quoted(name)} as {sql}")
