"""The suites judge alike on Spark and on DuckDB, and the raw ones as Great Expectations' own engine for Spark does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, Warehouse

from rapport.audit import load_suites
from rapport.audit.suites import UNEXPECTED_ROWS, UNJUDGED, Suite, judge, suite_parameters
from rapport.audit.verdict import Verdict
from rapport.spark import SparkConnection
from rapport.studies import load_study
from rapport.studies.parameters import parameters

STUDY = parameters(load_study(ROOT, "sagui_henson_2022"))
LAYERS = ("raw", "candidates", "findings")
PLACES = ("part_file", "row_number", "line_number")
WRONG = {
    "VARCHAR": "'it''s wrong'",
    "BOOLEAN": "not {column}",
    "DATE": "{column} + interval 100 year",
    "TIMESTAMP": "{column} + interval 100 year",
    "DOUBLE": "[-1000, 'nan'::double, 1e6, 'inf'::double][1 + {row} % 4]",
}


def suites(layers: tuple[str, ...] = LAYERS) -> list[Suite]:
    return [suite for layer in layers for suite in load_suites(ROOT / "expectations" / layer, STUDY)]


@pytest.fixture
def tables(built: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """All that the suites look at, of a good build, as tables that a test may spoil."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{built.db}' as built (read_only)")
        for name in sorted(set().union(*(suite.tables(connection) for suite in suites()))):
            connection.execute("use built")
            rows = connection.sql(f"from {name}").to_arrow_table()
            connection.execute("use memory")
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.execute(f"create table {name} as from rows")
            assert rows.num_rows or name.endswith(("repeated_rows", "exclusion_reasons")), name
        yield connection


@pytest.fixture
def given(built: Warehouse) -> dict[str, Any]:
    """The parameters of the suites."""
    with duckdb.connect(str(built.db), read_only=True) as connection:
        return suite_parameters(connection.sql("from audit.build").df())


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'memory' order by all"
        ).fetchall()
    ]


def spoil(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Rows that are wrong in each column: null in one, a wrong value in another, and two rows twice."""
    columns = [(name, type_) for name, type_, *_ in connection.execute(f"describe {table}").fetchall()]
    values = []
    for number, (column, type_) in enumerate(columns):
        if column in PLACES:
            values.append(column)
            continue
        wrong = WRONG.get(type_, f"(-1000)::{type_}").format(column=column, row="at_")
        values.append(f"case at_ when {number} then null when {number + 1} then {wrong} else {column} end as {column}")
    connection.execute(
        f"create temp table numbered as select *, row_number() over () - 1 as at_ from (from {table} order by all)"
    )
    connection.execute(f"create or replace table {table} as select {', '.join(values)} from numbered")
    again = ", ".join(column if column != "row_number" else "-at_ - 1" for column, _ in columns)
    connection.execute(
        f"insert into {table} select {again} from numbered where at_ >= (select max(at_) from numbered) - 1; drop table numbered"
    )


def note_repeated_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """What the build's own table says of rows that share their key."""
    for suite in suites(("raw",)):
        connection.execute(
            f"insert into staging.repeated_rows select '{suite.label}', part_file, row_number, 'contested' from {suite.batch}"
            f" where {suite.key} is not null qualify count(*) over (partition by {suite.key}) > 1"
        )


def copy_to_spark(connection: duckdb.DuckDBPyConnection, spark: SparkConnection, folder: Path) -> None:
    for name in names(connection):
        schema, table = name.split(".")
        path = folder / schema / f"{table}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"copy {name} to '{path}' (format parquet)")
        spark.run(f"create schema if not exists {schema}")
        spark.run(f"drop table if exists {name}")
        spark.run(f"create table {name} using parquet location '{path}'")


def test_right_tables_are_judged_alike(
    tables: duckdb.DuckDBPyConnection,
    given: dict[str, Any],
    spark: SparkConnection,
    tmp_path: Path,
) -> None:
    copy_to_spark(tables, spark, tmp_path)
    theirs = judge(tables, suites(), given)
    assert not [verdict for verdict in theirs if verdict.severity == "critical" and not verdict.passed]
    assert judge(spark, suites(), given) == theirs


@pytest.mark.long
def test_wrong_tables_are_judged_alike(
    tables: duckdb.DuckDBPyConnection,
    given: dict[str, Any],
    spark: SparkConnection,
    tmp_path: Path,
) -> None:
    for name in names(tables):
        spoil(tables, name)
    note_repeated_keys(tables)
    copy_to_spark(tables, spark, tmp_path)
    theirs = judge(tables, suites(), given)
    ours = judge(spark, suites(), given)
    assert [without_detail(verdict) for verdict in ours] == [without_detail(verdict) for verdict in theirs]
    broken = [verdict for verdict in theirs if not verdict.passed]
    assert len(broken) > 0.75 * len(theirs)
    assert {verdict.expectation for verdict in broken} == {verdict.expectation for verdict in theirs}
    assert len([verdict for verdict in broken if verdict.detail]) < 3  # a subquery for one row finds two
    # A table with a key has examples of each rule on rows.
    keyed = {suite.label for suite in suites() if suite.key}
    without = [verdict for verdict in broken if verdict.table_name in keyed and not verdict.sample_keys]
    assert [v for v in without if not v.detail and not v.expectation.startswith("expect_table_row_count")] == []
    assert len(broken) - len(without) > 200


def test_empty_tables_and_lacking_columns_are_judged_alike(
    tables: duckdb.DuckDBPyConnection,
    given: dict[str, Any],
    spark: SparkConnection,
    tmp_path: Path,
) -> None:
    # The build's own table of repeated rows lacks nothing.
    lacking = {}
    for number, name in enumerate(name for name in names(tables) if name != "staging.repeated_rows"):
        column = tables.execute(f"describe {name}").fetchall()[1][0]
        if number % 2:
            lacking[name] = column
        tables.execute(f"alter table {name} drop column {column}" if number % 2 else f"delete from {name}")
    copy_to_spark(tables, spark, tmp_path)
    for connection in (tables, spark):
        connection.execute("drop table candidates.table_1")
    theirs = judge(tables, suites(), given)
    ours = judge(spark, suites(), given)
    # What each engine says of a query that names no column is its own.
    assert [without_detail(verdict) for verdict in ours] == [without_detail(verdict) for verdict in theirs]
    for verdict in ours:
        assert verdict.detail is None or re.search(
            r"BatchData does not exist|(Binder|Catalog) Error: \w", verdict.detail
        ), verdict
    # Of a table that is gone, and of a column that a table lacks, no rule can be judged.
    unjudged = {(verdict.table_name, verdict.rule) for verdict in ours if verdict.detail}
    expected = {
        (suite.label, expectation.meta["rule"])
        for suite in suites()
        for expectation in suite.expectations.expectations
        if suite.table == "table_1"
        or getattr(expectation, "column", None) == lacking.get(f"{suite.schema}.{suite.table}", "")
    }
    assert len(expected) > 15
    assert expected <= unjudged


def without_detail(verdict: Verdict) -> Verdict:
    return replace(verdict, detail=None if verdict.detail is None else UNJUDGED)


@pytest.mark.parametrize("is_wrong", [False, pytest.param(True, marks=pytest.mark.long)], ids=["right", "wrong"])
def test_great_expectations_own_engine_judges_the_raw_rows_alike(
    tables: duckdb.DuckDBPyConnection,
    given: dict[str, Any],
    spark: SparkConnection,
    spark_session: Any,
    tmp_path: Path,
    is_wrong: bool,
) -> None:
    if is_wrong:
        for name in names(tables):
            if name.startswith("staging."):
                spoil(tables, name)
        note_repeated_keys(tables)
    copy_to_spark(tables, spark, tmp_path)
    raw = suites(("raw",))
    ours = {(verdict.table_name, verdict.rule): verdict.passed for verdict in judge(spark, raw, given)}
    theirs = {}
    for suite in raw:
        theirs.update(judged_by_great_expectations(spark_session, suite, given))
    assert theirs == ours
    assert len([passed for passed in ours.values() if not passed]) > (50 if is_wrong else -1)


def judged_by_great_expectations(session: Any, suite: Suite, given: dict[str, Any]) -> dict[tuple[str, str], bool]:
    """Whether each rule of a suite holds, by ``SparkDFExecutionEngine``."""
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine import SparkDFExecutionEngine
    from great_expectations.execution_engine.sparkdf_batch_data import SparkDFBatchData
    from great_expectations.validator.validator import Validator

    from rapport.audit.suites import _context
    from rapport.spark.translation import to_spark

    engine = SparkDFExecutionEngine(spark=session)
    frame = session.table(f"{suite.schema}.{suite.table}")
    batch = SparkDFBatchData(execution_engine=engine, dataframe=frame)
    validator = Validator(execution_engine=engine, batches=[Batch(data=batch)], data_context=_context())
    configurations = []
    for expectation in suite.expectations.expectations:
        configuration = deepcopy(expectation.configuration)
        configuration.kwargs["result_format"] = "BASIC"
        if expectation.expectation_type == UNEXPECTED_ROWS:
            query = configuration.kwargs["unexpected_rows_query"].replace("{batch}", suite.batch)
            [configuration.kwargs["unexpected_rows_query"]] = to_spark(query)
        configurations.append(configuration)
    resolved = validator.process_expectations_for_validation(configurations, given)
    results = validator.graph_validate(list(resolved), runtime_configuration={"catch_exceptions": True})
    found = {}
    for result in results:
        assert not any(
            "exception_message" in str(info) and info.get("raised_exception") for info in [result.exception_info]
        ), result
        found[suite.label, result.expectation_config.meta["rule"]] = bool(result.success)
    return found
