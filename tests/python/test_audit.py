"""Suites are taken at their word or refused, and judged inside DuckDB."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from conftest import ROOT
from great_expectations.execution_engine import SqlAlchemyExecutionEngine

from rapport.audit import SuiteError, load_suites, run_suites
from rapport.audit.suites import judge, load_suite
from rapport.audit.verdict import join_keys

SUITE: dict[str, Any] = {
    "name": "people",
    "meta": {"schema": "main", "table": "people", "label": "people", "key": "id"},
    "expectations": [
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": 1},
            "severity": "critical",
            "meta": {"rule": "is not empty"},
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "age", "min_value": {"$PARAMETER": "adult_age"}},
            "severity": "warning",
            "meta": {"rule": "age is adult"},
        },
        {
            "type": "unexpected_rows_expectation",
            "kwargs": {"unexpected_rows_query": "select id from {batch} where age > 99"},
            "severity": "critical",
            "meta": {"rule": "nobody is 100"},
        },
        {
            "type": "unexpected_rows_expectation",
            "kwargs": {"unexpected_rows_query": "select id from {batch} where age = 17"},
            "severity": "info",
            "meta": {"rule": "nobody is 17"},
        },
    ],
}
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create table people as select 'P' || i as id, i::integer as age from range(101) as t(i)")
        yield connection


def write(folder: Path, suite: dict[str, Any]) -> Path:
    path = folder / "people.json"
    path.write_text(json.dumps(suite), encoding="utf-8")
    return path


def test_the_projects_suites_load_whole() -> None:
    for layer in ("raw", "candidates", "findings"):
        for suite in load_suites(ROOT / "expectations" / layer):
            written = json.loads(suite.path.read_text(encoding="utf-8"))["expectations"]
            assert len(suite.expectations.expectations) == len(written)


REFUSED: dict[str, tuple[Edit, str]] = {
    "unknown expectation": (lambda s: s["expectations"][0].update(type="expect_row_count"), "row count"),
    "misspelt expectation": (
        lambda s: s["expectations"][1].update(type="expect_column_values_to_be_betwen"),
        "would drop it",
    ),
    "unknown severity": (lambda s: s["expectations"][1].update(severity="fatal"), "severity 'fatal'"),
    "no severity": (lambda s: s["expectations"][1].pop("severity"), "severity None"),
    "unknown argument": (lambda s: s["expectations"][1]["kwargs"].update(minimum=3), "minimum"),
    "missing argument": (lambda s: s["expectations"][1]["kwargs"].pop("column"), "column"),
    "misspelt field": (lambda s: s["expectations"][1].update(severty="critical"), "severty"),
    "no rule": (lambda s: s["expectations"][1].pop("meta"), "meta.rule is missing"),
    "two rules of one name": (lambda s: s["expectations"][1]["meta"].update(rule="is not empty"), "second rule"),
    "no row count": (lambda s: s["expectations"].pop(0), "no expectation of a row count"),
    "no table": (lambda s: s["meta"].pop("table"), "meta.table is missing"),
    "unknown scope": (lambda s: s["expectations"][2]["meta"].update(scope="session"), "scope 'session'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_suite_that_would_not_be_judged_as_written_is_refused(tmp_path: Path, case: str) -> None:
    suite = copy.deepcopy(SUITE)
    edit, message = REFUSED[case]
    edit(suite)
    with pytest.raises(SuiteError, match=message):
        load_suite(write(tmp_path, suite))


def test_broken_json_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no suite"):
        load_suites(tmp_path)
    (tmp_path / "people.json").write_text("{", encoding="utf-8")
    with pytest.raises(SuiteError, match="not JSON"):
        load_suites(tmp_path)


def test_verdicts_count_and_name_what_breaks_a_rule(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    write(tmp_path, SUITE)
    build = pd.DataFrame([{"build_id": "b1", "adult_age": 18}])
    verdicts = {row["rule"]: row for row in run_suites(connection, build, tmp_path, [connection.table("people")]).to_pylist()}
    assert list(verdicts) == ["is not empty", "age is adult", "nobody is 100", "nobody is 17"]
    assert verdicts["is not empty"]["passed"]
    adult = verdicts["age is adult"]
    assert (adult["passed"], adult["severity"], adult["evaluated"], adult["unexpected"]) == (False, "warning", 101, 18)
    assert adult["sample_keys"] == "P0, P1, P2, P3, P4"
    assert (verdicts["nobody is 100"]["unexpected"], verdicts["nobody is 100"]["sample_keys"]) == (1, "P100")
    assert (verdicts["nobody is 17"]["unexpected"], verdicts["nobody is 17"]["severity"]) == (1, "info")
    assert {row["build_id"] for row in verdicts.values()} == {"b1"}


TABLES = {
    "unique": "values ('a', 1), ('b', 2), ('c', 3)",
    "a pair": "values ('a', 1), ('b', 2), ('a', 3)",
    "pairs and more": "select chr(97 + i::integer % 4), i from range(11) as t(i)",
    "no key": "values (null, 1), (null, 2), ('a', 3), ('a', 4), (null, 5)",
    "nothing but null": "select null::varchar, null::integer from range(3)",
    "empty": "select 'a', 1 where false",
}


@pytest.mark.parametrize("table", TABLES)
def test_verdicts_are_those_of_great_expectations_own_metrics(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """What this project's engine counts in its own way comes out as the base class counts it."""
    from rapport.audit import engine

    class StockEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
        execute_query = engine.DuckDBExecutionEngine.execute_query

    connection.execute(f"create or replace table people as select * from ({TABLES[table]}) as t(id, age)")
    unique = {"type": "expect_column_values_to_be_unique", "severity": "critical"}
    suite = copy.deepcopy(SUITE)
    suite["expectations"] = [
        suite["expectations"][0],
        {**unique, "kwargs": {"column": "id"}, "meta": {"rule": "id is unique"}},
        {**unique, "kwargs": {"column": "id", "mostly": 0.5}, "meta": {"rule": "half of the ids are unique"}},
        {**unique, "kwargs": {"column": "age"}, "meta": {"rule": "age is unique"}},
        *(
            {
                "type": "unexpected_rows_expectation",
                "kwargs": {"unexpected_rows_query": f"select id from {{batch}} where age > {age} order by age"},
                "severity": "warning",
                "meta": {"rule": f"nobody is older than {age}"},
            }
            for age in (2, 99)
        ),
    ]
    loaded = load_suite(write(tmp_path, suite))
    ours = judge(connection, [loaded])
    monkeypatch.setattr(engine, "DuckDBExecutionEngine", StockEngine)
    assert ours == judge(connection, [loaded])


def test_what_cannot_be_evaluated_is_a_broken_critical_rule(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    suite = copy.deepcopy(SUITE)
    suite["expectations"][1]["kwargs"] = {"column": "years", "min_value": 1}
    verdict = judge(connection, [load_suite(write(tmp_path, suite))])[1]
    assert (verdict.passed, verdict.severity) == (False, "critical")
    assert "could not be evaluated" in str(verdict.detail)


def test_a_table_that_is_missing_is_not_a_pass(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    suite = copy.deepcopy(SUITE)
    suite["meta"]["table"] = "nobody"
    assert not any(
        verdict.passed for verdict in judge(connection, [load_suite(write(tmp_path, suite))], {"adult_age": 18})
    )


def test_keys_cannot_rewrite_the_terminal() -> None:
    assert join_keys(["P1", "P1", "\x1b[31mred\n", None]) == "P1, \\x1b[31mred\\n, (no key)"
    assert join_keys([]) is None
