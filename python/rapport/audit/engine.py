"""Great Expectations' SQL engine on a connection that is already open.

Great Expectations has no engine for DuckDB. Its SQLAlchemy engine works through ``duckdb_engine`` once four things
are mended, and some of its metrics, which cost the most on large tables, are computed in a way of their own: here and
nowhere else.
"""

from __future__ import annotations

import atexit
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import unwrap
from typing import Any, ClassVar

import duckdb
import duckdb_engine
import sqlalchemy
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics import (
    ColumnValuesBetween,
    ColumnValuesInSet,
    ColumnValuesNonNull,
    ColumnValuesNull,
    ColumnValuesUnique,
)
from great_expectations.expectations.metrics import util as metrics_util
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.query_metrics import UnexpectedRowsQueryTable
from great_expectations.expectations.metrics.query_metrics.query_row_count.unexpected_rows_query_row_count import (
    UnexpectedRowsQueryRowCount,
)
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration
from sqlalchemy.pool import StaticPool

from rapport.audit.verdict import MAX_SAMPLE_KEYS, NO_KEY

CONDITION_ON_ROWS = re.compile(
    r"select (?P<key>[\w.]+)(?:, [\w.]+)* from (?P<source>\{batch\}(?: as \w+)?(?: left join .+?)?)"
    r" where (?P<condition>.+)",
    re.DOTALL,
)
"""A query for the rows of the judged table, maybe with what belongs to them in another, that meet a condition."""
MORE_THAN_A_CONDITION = re.compile(
    r"\b(select|where|group|having|qualify|window|over|order|limit|offset|sample|union|intersect|except)\b|--|/\*|;"
)
CONDITION_ON_TABLE = re.compile(
    r"select min\([\w.]+\)(?:, min\([\w.]+\))* from \{batch\} having (?P<condition>.+)", re.DOTALL
)
"""A query for one row if aggregates of the judged table meet a condition."""
TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
"""A text or a quoted name, which may hold any word."""
LONG_LIST = 16
"""From how many values on a set is looked up instead of compared value by value."""


@dataclass(frozen=True)
class RowCondition:
    """A query taken apart: of the rows of ``source`` (SQL after ``from``) those that meet ``condition``."""

    key: str
    source: str
    condition: str

    @classmethod
    def of(cls, query: str) -> RowCondition | None:
        """The parts of a query, or ``None`` for one that is more than a condition on rows."""
        parts = CONDITION_ON_ROWS.fullmatch(query.strip())
        if not parts:
            return None
        bare = TEXT.sub("''", f"{parts['source']} {parts['condition']}").lower()
        return None if MORE_THAN_A_CONDITION.search(bare) else cls(**parts.groupdict())


def counted_in_a_scan(query: str) -> str | None:
    """How many rows a query finds, as an aggregate of the judged table; ``None`` if it takes more than a scan of it."""
    union = " union all "
    if query.count(union) != TEXT.sub("''", query).count(union):
        return None
    counts = []
    for part in query.split(union):
        on_rows, on_table = RowCondition.of(part), CONDITION_ON_TABLE.fullmatch(part.strip())
        if on_rows and on_rows.source == "{batch}":
            counts.append(f"count(*) filter (where {on_rows.condition})")
        elif on_table and not MORE_THAN_A_CONDITION.search(TEXT.sub("''", on_table["condition"]).lower()):
            counts.append(f"case when {on_table['condition']} then 1 else 0 end")
        else:
            return None
    return " + ".join(counts)


class JudgedTable(SqlAlchemyBatchData):  # type: ignore[misc]
    """A table that is judged, with what its suite and the build know of it.

    ``queries`` are those of the suite; the ones that join the same rows are answered together. ``repeated`` is a query
    for ``part_file`` and ``row_number`` of every row whose ``key`` another row of the judged table shares; without one
    the table is searched for them.
    """

    key: str | None = None
    repeated: str | None = None
    queries: Sequence[str] = ()
    asks_at_once: bool = False
    """Whether queries that take more than a scan are counted by one statement: where each statement costs a start."""

    def __init__(self, **arguments: Any) -> None:
        """Great Expectations' arguments."""
        super().__init__(**arguments)
        self.examples: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._have_failed = False

    def count(self, query: str) -> int | None:
        """How many rows a query finds, counted in one pass with all that join the same rows; some of their keys.

        ``None`` for a query that is more than a condition on rows.
        """
        asked = RowCondition.of(query)
        if asked is None:
            return self._count_at_once(query) if self.asks_at_once else None
        if query not in self._counts:
            together = {
                other: parts
                for other in (query, *self.queries)
                if (parts := RowCondition.of(other)) is not None and parts.source == asked.source
            }
            aggregates = ", ".join(
                f"count(*) filter (where {parts.condition}),"
                f" min(coalesce({parts.key}::varchar, '{NO_KEY}'), {MAX_SAMPLE_KEYS}) filter (where {parts.condition})"
                for parts in together.values()
            )
            table = f'"{self.selectable.schema}"."{self.selectable.name}"'
            [found] = self.execution_engine.execute_query(
                _raw(f"select {aggregates} from {asked.source.replace('{batch}', table)}")
            ).fetchall()
            self._counts.update(zip(together, found[::2], strict=True))
            self.examples.update({other: keys or [] for other, keys in zip(together, found[1::2], strict=True)})
        return self._counts[query]

    def _count_at_once(self, query: str) -> int | None:
        """How many rows a query finds, asked with every other query that takes more than a scan.

        ``None`` if one of them fails: each is then asked by itself, to find out which.
        """
        if query not in self._counts and not self._have_failed:
            others = [
                other for other in self.queries if RowCondition.of(other) is None and counted_in_a_scan(other) is None
            ]
            together = list(dict.fromkeys([query, *others]))
            table = f'"{self.selectable.schema}"."{self.selectable.name}"'
            counts = ", ".join(
                f"(select count(*) from ({other.replace('{batch}', table)}) as found)" for other in together
            )
            try:
                [found] = self.execution_engine.execute_query(_raw(f"select {counts}")).fetchall()
            except (duckdb.Error, sqlalchemy.exc.SQLAlchemyError):
                self._have_failed = True
            else:
                self._counts.update(zip(together, found, strict=True))
        return self._counts.get(query)


# Great Expectations writes a rule's values into the query for the rows that break it. It does not know DuckDB's `$1`,
# and takes any 2 in the query (of item_2, say) for proof that the value 2 has been filled in. SQLAlchemy's literals do.
metrics_util._check_has_unsubstituted_params = lambda _, compiled: bool(compiled.params)


_configurations: dict[int, tuple[Expectation, ExpectationConfiguration]] = {}
"""The configurations of the expectations that are being judged, by identity: an expectation cannot be hashed."""
_make_configuration: Callable[[Expectation], ExpectationConfiguration] = Expectation.configuration.fget


def new_configuration(expectation: Expectation) -> ExpectationConfiguration:
    """The configuration of an expectation, to be changed at will."""
    return _make_configuration(expectation)


def _configuration_of(expectation: Expectation) -> ExpectationConfiguration:
    """The same each time: Great Expectations asks for it some sixty times a judgement and would make it anew."""
    if id(expectation) not in _configurations:
        _configurations[id(expectation)] = expectation, _make_configuration(expectation)
    return _configurations[id(expectation)][1]


Expectation.configuration = property(_configuration_of)


def _raw(sql: str) -> sqlalchemy.TextClause:
    """SQL in which no colon stands for a parameter."""
    return sqlalchemy.text(sql.replace(":", "\\:"))


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
    """Fetches a result before the connection is given back.

    The base class does it the other way round, which ends a DuckDB result. What is fetched is a handful of aggregates
    and sample keys.
    """

    def execute_query(self, query: Any) -> Any:
        """The rows of a query, detached from the connection."""
        with self.get_connection() as open_connection:
            return open_connection.execute(query).freeze()()

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """Values of metrics; aggregates wait until nothing else is left, so that one scan answers all of them."""
        asked = list(metrics_to_resolve)
        first = [metric for metric in asked if "metric_partial_fn" not in metric.metric_dependencies]
        found: dict[Any, Any] = super().resolve_metrics(first or asked, metrics, runtime_configuration)
        return found


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
    """How many rows share their value of a column with another.

    The base class numbers the rows of each value in a window, which sorts the table; the count is the same. Here only
    values whose 64-bit hash occurs more than once are grouped: equal values have equal hashes. Where the build has
    found the repeated keys already, only their rows are looked at.
    """

    metric_name = "column_values.unique.unexpected_count"
    domain_keys = ColumnValuesUnique.condition_domain_keys
    value_keys = ()

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, execution_engine: DuckDBExecutionEngine, metric_domain_kwargs: dict[str, Any], **_: Any) -> int:
        judged, _, column_of = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
        batch = execution_engine.batch_manager.active_batch_data
        column: sqlalchemy.ColumnClause[Any] = sqlalchemy.column(column_of["column"])
        value_hash = sqlalchemy.func.hash(column)
        repeated: sqlalchemy.ColumnElement[bool]
        if isinstance(batch, JudgedTable) and batch.repeated and column.name == batch.key:
            repeated = sqlalchemy.literal_column(
                f"(part_file, row_number) in (select part_file, row_number from {batch.repeated})"
            )
        else:
            repeated = value_hash.in_(
                sqlalchemy.select(value_hash)
                .select_from(judged)
                .where(column.is_not(None))
                .group_by(value_hash)
                .having(sqlalchemy.func.count() > 1)
            )
        groups = (
            sqlalchemy.select(sqlalchemy.func.count().label("rows"))
            .select_from(judged)
            .where(column.is_not(None), repeated)
            .group_by(column)
            .having(sqlalchemy.func.count() > 1)
            .subquery()
        )
        [(rows,)] = execution_engine.execute_query(sqlalchemy.select(sqlalchemy.func.sum(groups.c.rows))).fetchall()
        return int(rows or 0)


class RowsOfAQuery(TableMetricProvider):  # type: ignore[misc]
    """How many rows a query finds.

    The base class runs each query by itself. A condition on a row of its own is counted in the scan that answers every
    other rule on rows, and conditions on the same joined rows are counted together.
    """

    metric_name = UnexpectedRowsQueryRowCount.metric_name
    domain_keys = UnexpectedRowsQueryTable.domain_keys
    value_keys = ("unexpected_rows_query",)

    @metric_partial(  # type: ignore[untyped-decorator]
        engine=DuckDBExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _duckdb(
        cls,
        execution_engine: DuckDBExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **others: Any,
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        domain = {"table": None, **metric_domain_kwargs}  # as rules on columns write it: what differs is asked apart
        query = metric_value_kwargs["unexpected_rows_query"]
        in_a_scan = counted_in_a_scan(query)
        if in_a_scan:
            return sqlalchemy.literal_column(f"({in_a_scan})"), domain, {}
        rows = execution_engine.batch_manager.active_batch_data.count(query)
        if rows is None:
            rows = UnexpectedRowsQueryRowCount._sqlalchemy(
                UnexpectedRowsQueryRowCount,
                execution_engine=execution_engine,
                metric_domain_kwargs=metric_domain_kwargs,
                metric_value_kwargs=metric_value_kwargs,
                **others,
            )
        counted = sqlalchemy.literal(rows)
        return sqlalchemy.func.coalesce(sqlalchemy.func.max(counted), counted), domain, {}


class RuleOnRows(ColumnMapMetricProvider):  # type: ignore[misc]
    """A condition on a column that does not wait for the number of rows: both are counted in one scan."""

    @classmethod
    def _get_evaluation_dependencies(cls, *arguments: Any, **named: Any) -> dict[str, Any]:
        dependencies: dict[str, Any] = super()._get_evaluation_dependencies(*arguments, **named)
        dependencies.pop("table.row_count", None)
        return dependencies


class NotNull(RuleOnRows):
    """Great Expectations' condition."""

    condition_metric_name = ColumnValuesNonNull.condition_metric_name
    filter_column_isnull = False
    _duckdb = column_condition_partial(engine=DuckDBExecutionEngine)(unwrap(ColumnValuesNonNull._sqlalchemy))


class Null(RuleOnRows):
    """Great Expectations' condition."""

    condition_metric_name = ColumnValuesNull.condition_metric_name
    filter_column_isnull = False
    _duckdb = column_condition_partial(engine=DuckDBExecutionEngine)(unwrap(ColumnValuesNull._sqlalchemy))


class Between(RuleOnRows):
    """Great Expectations' condition."""

    condition_metric_name = ColumnValuesBetween.condition_metric_name
    condition_value_keys = ColumnValuesBetween.condition_value_keys
    _duckdb = column_condition_partial(engine=DuckDBExecutionEngine)(unwrap(ColumnValuesBetween._sqlalchemy))


class InSet(RuleOnRows):
    """Great Expectations' condition, but for long sets.

    DuckDB compares a value with each of a list in turn; in a table of them it looks the value up.
    """

    condition_metric_name = ColumnValuesInSet.condition_metric_name
    condition_value_keys = ColumnValuesInSet.condition_value_keys

    @column_condition_partial(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, column: Any, value_set: Any, **_: Any) -> Any:
        if value_set and len(value_set) >= LONG_LIST:
            listed = sqlalchemy.values(sqlalchemy.column("listed"), name="listed").data([(v,) for v in value_set])
            return column.in_(sqlalchemy.select(listed.c.listed))
        return ColumnValuesInSet._sqlalchemy_impl(column, value_set)


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
        _configurations.clear()
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
