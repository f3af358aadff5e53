"""A connection to Spark that is used as one to DuckDB is.

It takes SQL of DuckDB (:mod:`rapport.spark.translation`), gives values, types and errors as DuckDB gives them, and so
serves the audits, the reading of an export and the snapshot without a second text of any query. Only what these use is
here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.cursor import Cursor
from rapport.spark.errors import as_duckdb
from rapport.spark.values import (
    arrow_table,
    duckdb_type,
    python_value,
    quoted,
    quoted_name,
    spark_literal,
    spark_name,
    spark_type,
)

Run = Callable[[str], tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]]
"""Runs one statement of Spark's SQL: names and Spark's types of the columns, and the rows; else two empty lists."""

BATCH_ROWS = 1000
"""How many rows one statement writes."""
PARSED_BY_DUCKDB = "select json_serialize_sql("
"""What is asked of DuckDB's parser, and of no table."""
DESCRIBE = "describe "
NESTED = ("map", "array")
ASKED_BY_SQLALCHEMY = "select current_schema()"
"""What it asks of every new connection; nothing here goes by the answer."""


class SparkConnection(Cursor):
    """What the code asks of a ``duckdb.DuckDBPyConnection``, answered by Spark.

    ``run``: runs one statement, see :data:`Run`; what it raises is raised as ``duckdb.Error``. ``file_format``: of the
    tables that are made. ``is_session``: ``run`` returns what pyspark's ``collect`` does, moments with a time zone in
    that of this machine.
    """

    engine = "spark"

    def __init__(self, run: Run, *, file_format: str = "parquet", is_session: bool = False) -> None:
        """See the class."""
        super().__init__()
        self._run, self.file_format, self._is_session = run, file_format, is_session
        self._columns: list[tuple[str, str]] = []

    def run(self, statement: str) -> Self:
        """Run SQL of Spark as it is. Raises ``duckdb.Error``."""
        try:
            columns, rows = self._run(statement)
        except Exception as error:
            raise as_duckdb(error) from None
        self._columns = [(name, spark_name(type_)) for name, type_ in columns]
        if any(kind in NESTED for _, kind in self._columns):
            # The client of a server does not say of what a map or a list is.
            described = {str(row[0]): spark_name(row[1]) for row in self._run(f"describe query {statement}")[1]}
            self._columns = [(name, described.get(name, kind)) for name, kind in self._columns]
        kinds = [type_ for _, type_ in self._columns]
        self._rows = [
            tuple(python_value(value, kind, is_local=self._is_session) for value, kind in zip(row, kinds, strict=True))
            for row in rows
        ]
        return self

    def execute(self, query: str, parameters: Sequence[Any] | None = None) -> Self:
        """Run SQL of DuckDB. Raises ``duckdb.Error``."""
        if query.startswith(PARSED_BY_DUCKDB):
            with duckdb.connect() as parser:
                self._rows = parser.execute(query, parameters).fetchall()
            self._columns = [(f"parsed_{number}", "string") for number, _ in enumerate(self._rows[0])]
            return self
        if query == ASKED_BY_SQLALCHEMY:
            self._columns, self._rows = [("current_schema", "string")], [("main",)]
            return self
        if query.lower().startswith(DESCRIBE):
            columns = self._described(query[len(DESCRIBE) :])
            self._columns = [("column_name", "string"), ("column_type", "string")]
            self._rows = [(name, duckdb_type(type_)) for name, type_ in columns]
            return self
        for statement in self._translated(query, parameters):
            self.run(statement)
        return self

    def _translated(self, query: str, parameters: Sequence[Any] | None = None) -> list[str]:
        from sqlglot.errors import SqlglotError

        from rapport.spark.translation import to_spark

        try:
            return to_spark(query, parameters, self.file_format)
        except SqlglotError as error:
            raise duckdb.ParserException(f"Parser Error: {str(error).splitlines()[0]}") from error

    def _described(self, table: str) -> list[tuple[str, str]]:
        [query] = self._translated(f"select * from {table} limit 0")
        return self.run(query)._columns

    def sql(self, query: str) -> SparkRelation:
        """A query of DuckDB's, which runs when its rows are asked for."""
        return SparkRelation(self, query)

    def table(self, name: str) -> SparkRelation:
        """A table or view, ``schema.name``."""
        parts = ".".join(f'"{part}"' for part in name.split("."))
        return SparkRelation(self, f"select * from {parts}")

    def write_table(self, name: str, rows: pa.Table | pd.DataFrame) -> None:
        """Make a table, ``schema.name``, anew from some rows, in the types that DuckDB would give its columns."""
        table, types = in_duckdb_types(rows)
        names = [quoted_name(column) for column in table.column_names]
        values = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        self.run(f"drop table if exists {quoted(name)}")
        if not values:
            columns = ", ".join(f"{column} {type_}" for column, type_ in zip(names, types, strict=True))
            self.run(f"create table {quoted(name)} ({columns}) using {self.file_format}")
            return
        for first in range(0, len(values), BATCH_ROWS):
            written = ", ".join(
                "(" + ", ".join(spark_literal(value, type_) for value, type_ in zip(row, types, strict=True)) + ")"
                for row in values[first : first + BATCH_ROWS]
            )
            begin = (
                f"insert into {quoted(name)}" if first else f"create table {quoted(name)} using {self.file_format} as"
            )
            # One file, so that the rows stay in their order.
            self.run(f"{begin} select /*+ coalesce(1) */ * from values {written} as written({', '.join(names)})")

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Name and type of each column of the last result, as the DB-API has it."""
        return [(name, duckdb_type(type_), None, None, None, None, None) for name, type_ in self._columns]

    def to_arrow_table(self) -> pa.Table:
        """The last result as a table."""
        return arrow_table(self._columns, self.fetchall())

    def cursor(self) -> SparkConnection:
        """A connection with a result of its own."""
        return SparkConnection(self._run, file_format=self.file_format, is_session=self._is_session)


class SparkRelation:
    """A query, as far as the code uses relations of DuckDB's."""

    def __init__(self, connection: SparkConnection, query: str) -> None:
        """``query``: SQL of DuckDB."""
        self._connection, self._query = connection, query

    def sql_query(self) -> str:
        """The query."""
        return self._query

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        query = self._query.strip()
        return [name for name, _ in self._connection.cursor()._described(f"({query}) as described")]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        [(rows,)] = self._connection.cursor().execute(f"select count(*) from ({self._query}) as counted").fetchall()
        return int(rows), len(self.columns)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return self._connection.cursor().execute(self._query).fetchall()

    def to_arrow_table(self) -> pa.Table:
        """All rows as a table."""
        return self._connection.cursor().execute(self._query).to_arrow_table()

    def df(self) -> pd.DataFrame:
        """All rows as a frame, whose columns are of the types that DuckDB's have."""
        cursor = self._connection.cursor().execute(self._query)
        types = [duckdb_type(type_) for _, type_ in cursor._columns]
        table = cursor.to_arrow_table()
        casts = ", ".join(
            f'cast("{name}" as {type_}) as "{name}"' if type_ == "HUGEINT" else f'"{name}"'
            for name, type_ in zip(table.column_names, types, strict=True)
        )
        with duckdb.connect() as converter:
            frame: pd.DataFrame = converter.from_arrow(table).project(casts).df()
        return frame


def in_duckdb_types(rows: pa.Table | pd.DataFrame) -> tuple[pa.Table, list[str]]:
    """Rows as Arrow's table, and the type of Spark's for the one that DuckDB would give each column."""
    with duckdb.connect() as converter:
        relation = converter.from_arrow(rows) if isinstance(rows, pa.Table) else converter.from_df(rows)
        types = [spark_type(str(type_)) for type_ in relation.types]
        return relation.to_arrow_table(), types
