"""Great Expectations' SQL engine on a connection that is already open.

Great Expectations has no engine for DuckDB. Its SQLAlchemy engine works through ``duckdb_engine`` once four things
are mended, and two of its metrics, which cost the most on large tables, are computed in a way of their own: here and
nowhere else.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import duckdb
import duckdb_engine
import sqlalchemy
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.metrics import ColumnValuesUnique
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.query_metrics import UnexpectedRowsQueryTable
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from sqlalchemy.pool import StaticPool


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
    """Fetches a result before the connection is given back.

    The base class does it the other way round, which ends a DuckDB result. What is fetched is a handful of aggregates
    and sample keys.
    """

    def execute_query(self, query: Any) -> Any:
        """The rows of a query, detached from the connection."""
        with self.get_connection() as open_connection:
            return open_connection.execute(query).freeze()()


class DescribedColumns(TableMetricProvider):  # type: ignore[misc]
    """The columns of a table by ``describe``: PostgreSQL's dialect would read DuckDB's whole catalog each time."""

    metric_name = "table.column_types"
    value_keys = ("include_nested",)
    default_kwarg_values: ClassVar = {"include_nested": True}

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, execution_engine: DuckDBExecutionEngine, **_: Any) -> list[dict[str, Any]]:
        judged = execution_engine.batch_manager.active_batch_data.selectable
        table = f'"{judged.schema}"."{judged.name}"'
        found = execution_engine.execute_query(sqlalchemy.text(f"describe {table}")).fetchall()
        return [{"name": row[0], "type": row[1]} for row in found]


class RepeatedRows(TableMetricProvider):  # type: ignore[misc]
    """How many rows share their value of a column with another, by grouping.

    The base class numbers the rows of each value in a window, which sorts the table; the count is the same.
    """

    metric_name = "column_values.unique.unexpected_count"
    domain_keys = ColumnValuesUnique.condition_domain_keys
    value_keys = ()

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, execution_engine: DuckDBExecutionEngine, metric_domain_kwargs: dict[str, Any], **_: Any) -> int:
        judged, _, column_of = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
        column: sqlalchemy.ColumnClause[Any] = sqlalchemy.column(column_of["column"])
        repeated = (
            sqlalchemy.select(sqlalchemy.func.count().label("rows"))
            .select_from(judged)
            .where(column.is_not(None))
            .group_by(column)
            .having(sqlalchemy.func.count() > 1)
            .subquery()
        )
        [(rows,)] = execution_engine.execute_query(sqlalchemy.select(sqlalchemy.func.sum(repeated.c.rows))).fetchall()
        return int(rows or 0)


class UnfetchedRows(TableMetricProvider):  # type: ignore[misc]
    """Nothing of the rows that a query finds: they are counted once, and not fetched too."""

    metric_name = "unexpected_rows_query.table"
    domain_keys = UnexpectedRowsQueryTable.domain_keys
    value_keys = ("unexpected_rows_query",)

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, **_: Any) -> list[dict[str, Any]]:
        return []


class _Cursor(duckdb_engine.CursorWrapper):
    """Describes columns by the names of their types: SQLAlchemy keeps descriptions for as long as the process lives."""

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        described = self.__getattr__("description")
        return described and [(name, str(type_), *rest) for name, type_, *rest in described]


class _Connection(duckdb_engine.ConnectionWrapper):
    def cursor(self) -> _Cursor:
        return _Cursor(self.__getattr__("cursor")(), self)


@contextmanager
def engine_on(connection: duckdb.DuckDBPyConnection) -> Iterator[DuckDBExecutionEngine]:
    """An engine on a cursor of ``connection``, which sees what that connection has committed.

    The cursor is closed at the end: an open one would keep the database file locked.
    """
    cursor = connection.cursor()
    pool = sqlalchemy.create_engine("duckdb://", creator=lambda: _Connection(cursor), poolclass=StaticPool)
    try:
        yield DuckDBExecutionEngine(engine=pool)
    finally:
        pool.dispose()
        cursor.close()


@atexit.register
def _let_duckdb_go() -> None:
    """Breaks the references that keep DuckDB's objects alive beyond the interpreter.

    ``duckdb_engine`` hooks itself into SQLAlchemy's classes, which Great Expectations keeps alive to the end; DuckDB's
    binding then prints pages of leak warnings under the output of a build.
    """
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "duckdb_engine":
            vars(module).clear()
