"""Reads the raw tables where they are: in a schema that var ``raw_schema`` names, instead of a folder of files.

The tables, or views, have the columns of the export's contract. The same is asked of their columns, types and values as
of files, in the same words; what differs is that there is no file to hash. So a table's identity is its number of rows
and its latest ``loaded_at``, and a change that leaves both as they were is not noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from rapport.audit.verdict import MAX_SAMPLE_KEYS, join_keys
from rapport.engines import is_spark
from rapport.reading.export import SCHEMA, Erased, Group, Reading, TableReader, offer
from rapport.reading.files import PartFile
from rapport.reading.mapping import TableMapping
from rapport.reading.parquet import ParquetFile
from rapport.reading.tables import ERASURE_LIST, DeclaredTable
from rapport.reading.values import literal, quoted

FORMAT = "table"
"""What stands for the format of files in ``raw.export``."""
CHANGED_ROWS = "its number of rows or its latest loaded_at is another than when it was read"
BITS = 2**38
"""Different rows get different numbers: so many, times the 2²⁵ rows of which each may have."""


def read_schema(
    connection: duckdb.DuckDBPyConnection, schema: str, tables: Sequence[DeclaredTable], *, build_id: str = ""
) -> Reading:
    """Read the tables of a schema into views as :func:`rapport.reading.read_export` does those of a folder.

    ``schema``: its name, with that of the attached database before it if it is not in the build's own. In the views
    ``part_file`` is the table's name, and ``row_number`` tells a row from every other as long as the table stays as it
    is.
    """
    readers: list[TableReader] = [_of_schema(connection, schema, table) for table in tables]
    return offer(connection, readers, _of_schema(connection, schema, ERASURE_LIST), [], build_id=build_id)


def changed_tables(connection: duckdb.DuckDBPyConnection, part_files: pa.Table) -> Iterator[tuple[str, str]]:
    """Table and name of every table that is no longer as ``part_files`` (of a reading) describes it."""
    for row in part_files.to_pylist():
        if row["sha256"] is None and row["rows"] is not None:
            try:
                # A list of erasures has no such column.
                has_moment = row["latest_loaded_at"] is not None
                now = identity(connection, qualified(str(row["path"])), has_moment)
            except duckdb.Error:
                now = None
            if now != (row["rows"], row["latest_loaded_at"]):
                yield str(row["table_name"]), str(row["file_name"])


def identity(connection: duckdb.DuckDBPyConnection, table: str, has_moment: bool = True) -> tuple[int, datetime | None]:
    """Number of rows and latest ``loaded_at`` of a table that is written as SQL."""
    moment = "max(loaded_at)" if has_moment else "null"
    [(rows, latest)] = connection.execute(f"select count(*), cast({moment} as timestamp) from {table}").fetchall()
    return int(rows), latest


def qualified(name: str) -> str:
    """``database.schema.table`` as SQL."""
    return ".".join(map(quoted, name.split(".")))


def _of_schema(connection: duckdb.DuckDBPyConnection, schema: str, table: DeclaredTable) -> SchemaReader:
    return SchemaReader(connection, Path(), FORMAT, table, TableMapping(), Path(), 0, schema=schema)


@dataclass
class SchemaReader(TableReader):
    """Reads one table of a schema."""

    schema: str = ""
    exists: bool = False

    @property
    def name(self) -> str:
        """Name of the table with those of schema and database."""
        return f"{self.schema}.{self.table.name}"

    @property
    def is_given(self) -> bool:
        """Whether there is such a table."""
        return self.exists

    def read(self) -> None:
        """Look at the table's columns and types, and count its rows."""
        table = qualified(self.name)
        try:
            described = [(str(row[0]), str(row[1])) for row in self.connection.execute(f"describe {table}").fetchall()]
        except duckdb.CatalogException:
            if not self.is_erasures:
                self.add("table exists", False, detail=self._no_table())
            return
        except duckdb.Error as error:
            self.add("table can be read", False, detail=_why(error))
            return
        self.exists = True
        types = {name.casefold(): type_ for name, type_ in described}
        missing = [column for column in self.table.columns if column not in types]
        has_moment = types.get("loaded_at", "").startswith("TIMESTAMP")
        try:
            rows, latest = identity(self.connection, table, has_moment)
        except duckdb.Error as error:
            self.add("table can be read", False, detail=_why(error))
            return
        part = PartFile(self.table.name, self.name, self.name, rows=rows, latest_loaded_at=latest)
        self.parts = [part]
        if self.is_erasures:
            self.add(
                "table holds participant_id",
                not missing,
                evaluated=1,
                detail=f"{self.name} holds {self.known_columns([name for name, _ in described])}",
            )
        else:
            self.add("table exists", True, evaluated=1)
            known = self.known_columns([name for name, _ in described])
            for column in self.table.columns:
                self.add(
                    f"column {column} is in the table",
                    column not in missing,
                    evaluated=1,
                    detail=f"{self.name} holds {known}" if column == next(iter(missing), None) else None,
                )
        self.is_whole = not missing
        if self.is_whole:
            self._select_rows(part, types)

    def _no_table(self) -> str:
        return (
            f"no table or view {self.name}: var raw_schema is {self.schema}, and has to name a schema (or"
            f" database.schema) with {self.table.name}"
        )

    def _select_rows(self, part: PartFile, types: dict[str, str]) -> None:
        moments = {column for column, declared in self.table.columns.items() if declared == "timestamp"}
        look = ParquetFile(part.rows or 0, columns=list(types.items()), out_of_range=moments)
        columns = {column: self.column(column, part, types, look) for column in self.table.columns}
        for column, read in columns.items():
            if read.value == "null":
                count = f"select count({quoted(column)}) from {qualified(self.name)}"
                if self.connection.execute(count).fetchall()[0][0]:
                    self.foreign[column][part.path] = re.sub(r"\(.*", "", types[column]) or types[column]
        if self.is_erasures and any(self.foreign.values()):
            self.is_whole = False
            detail = "ids are texts or whole numbers"
            self.add("participant_id is varchar", False, evaluated=part.rows, unexpected=1, detail=detail)
            return
        place = (literal(self.name), self._row_number(), "cast(null as bigint)")
        self.selects = [self.select(Group(columns), qualified(self.name), place)]
        self.is_checked = any(column.text or column.present or column.checks_range for column in columns.values())

    def _row_number(self) -> str:
        """SQL of a number that tells a row from every other: DuckDB's own of its tables, else made of its content."""
        if not is_spark(self.connection) and self._is_duckdbs():
            return "rowid"
        names = ", ".join(map(quoted, self.table.columns))
        group = f"cast(hash({names}) % {BITS} as bigint)"
        return f"{group} * {2**25} + row_number() over (partition by {group} order by {names}) - 1"

    def _is_duckdbs(self) -> bool:
        [(database,)] = self.connection.execute("select current_database()").fetchall()
        parts = [str(database), *self.name.split(".")][-3:]
        found = self.connection.execute(
            "select count(*) from duckdb_tables() join duckdb_databases() using (database_name)"
            " where database_name = ? and schema_name = ? and table_name = ? and type = 'duckdb'",
            parts,
        ).fetchall()
        return bool(found[0][0])

    def unreadable(self, erased: Erased) -> dict[str, tuple[int, str | None]]:
        """Number of unreadable values and keys of some of their rows, by column."""
        found = {}
        can_tell = erased.can_tell(self.table)
        for column in self.table.columns:
            source = (
                f"from {SCHEMA}.{quoted(self.table.name)} where"
                f" concat(',', unreadable, ',') like '%,{column},%' and {erased.not_erased(self.table)}"
            )
            [(count,)] = self.connection.execute(f"select count(*) {source}").fetchall()
            if count:
                key = quoted(self.table.key)
                rows = self.connection.execute(
                    f"select {key} as row_key {source} order by row_key limit {MAX_SAMPLE_KEYS}"
                ).fetchall()
                found[column] = (int(count), join_keys(row[0] for row in rows) if can_tell else self.name)
        return found

    def foreign_rows(self, column: str, erased: Erased) -> tuple[int, str | None]:
        """Number of values of another type, and keys of some of their rows."""
        physical = {name: quoted(name) for name in self.table.columns}
        source = (
            f"from (select {quoted(column)} as value, cast({quoted(self.table.key)} as varchar) as row_key"
            f"{self.owner(physical)} from {qualified(self.name)}) as delivered"
            f" where value is not null and {erased.not_erased(self.table)}"
        )
        [(count,)] = self.connection.execute(f"select count(*) {source}").fetchall()
        rows = self.connection.execute(f"select row_key {source} order by row_key limit {MAX_SAMPLE_KEYS}").fetchall()
        return int(count), join_keys(row[0] for row in rows) if erased.can_tell(self.table) else None

    def find_damage(self, parts: Sequence[Any]) -> None:
        """After a failure inside the rows."""
        self.is_whole, self.is_damaged = False, True
        self.add("table can be read", False, sample_keys=self.name, detail="its rows cannot be read to their end")


def _why(error: duckdb.Error) -> str:
    """What kind of error keeps a table from being read, without what may come from a row."""
    from rapport.audit.suites import without_values
    from rapport.spark.errors import ExplainedError

    if isinstance(error, ExplainedError):
        return str(error).removeprefix("IO Error: ")
    return without_values(str(error).split("\n", maxsplit=1)[0])
