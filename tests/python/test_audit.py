"""Suites are taken at their word or refused, and judged inside DuckDB."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT
from great_expectations.execution_engine import SqlAlchemyExecutionEngine

from rapport.audit import SuiteError, find_faults, judge_accepted, judge_raw, load_suites, run_suites
from rapport.audit.suites import judge, load_suite, tables_of, without_values
from rapport.audit.verdict import join_keys
from rapport.studies import load_study
from rapport.studies.parameters import parameters, resolved

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
        of_study = parameters(load_study(ROOT, "sagui_henson_2022"))
        for suite in load_suites(ROOT / "expectations" / layer, of_study):
            written = resolved(json.loads(suite.path.read_text(encoding="utf-8")), of_study)["expectations"]
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
    verdicts = {
        row["rule"]: row for row in run_suites(connection, build, tmp_path, [connection.table("people")]).to_pylist()
    }
    assert list(verdicts) == ["is not empty", "age is adult", "nobody is 100", "nobody is 17"]
    assert verdicts["is not empty"]["passed"]
    adult = verdicts["age is adult"]
    assert (adult["passed"], adult["severity"], adult["evaluated"], adult["unexpected"]) == (False, "warning", 101, 18)
    # In an order of their own: the same on every engine.
    assert adult["sample_keys"] == "P0, P1, P10, P11, P12"
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


# The raw suites ------------------------------------------------------------------------------------------------------

KEYS = {
    "participants": "participant_id",
    "who5_assessments": "assessment_id",
    "sessions": "session_id",
    "alliance_ratings": "rating_id",
}
RAW = ROOT / "expectations" / "raw"
PEOPLE = 40
STOP = pd.DataFrame([{"build_id": "b1", "on_bad_rows": "stop"}])
QUARANTINE = pd.DataFrame([{"build_id": "b1", "on_bad_rows": "quarantine"}])


@pytest.fixture
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    """Current rows that keep every rule, two in each of two files, and the tables of those that share a key."""
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false; create schema staging")
        place = (
            f"'part-' || i // {PEOPLE // 2} || '.csv' as part_file, (i % {PEOPLE // 2})::bigint as row_number,"
            " (i + 2)::bigint as line_number, null::varchar as unreadable, timestamp '2021-02-01' as loaded_at"
        )
        columns = {
            "participants": "'P' || i as participant_id, timestamp '2020-10-01' as registered_at, 40 as age_years,"
            " case when i % 3 = 0 then null when i % 3 = 1 then 'female' else 'male' end as sex,"
            " 'US' as country_code, true as employer_sponsored",
            "who5_assessments": "'A' || i as assessment_id, 'P' || i as participant_id,"
            " timestamp '2020-11-01' as completed_at, 1 as item_1, 2 as item_2, 3 as item_3, 4 as item_4, 5 as item_5",
            "sessions": "'S' || i as session_id, 'P' || i as participant_id, 'X' as provider_id,"
            " 'coach' as provider_type, timestamp '2020-12-01' as started_at, 'completed' as status,"
            " 30 as duration_minutes",
            "alliance_ratings": "'R' || i as rating_id, 'S' || i as session_id, timestamp '2020-12-02' as submitted_at,"
            " 4 as bond_item, 5 as goals_item",
        }
        for table in KEYS:
            connection.execute(
                f"create table staging.current_{table} as select {columns[table]}, {place} from range({PEOPLE}) as t(i)"
            )
            connection.execute(f"create view staging.stg_{table} as from staging.current_{table}")
        contested = " union all ".join(
            f"(select '{table}' as table_name, part_file, row_number, 'contested' as standing"
            f" from staging.current_{table} where {key} is not null qualify count(*) over (partition by {key}) > 1)"
            for table, key in KEYS.items()
        )
        connection.execute(f"create view staging.repeated_rows as {contested}")
        yield connection


def raw_tables(connection: duckdb.DuckDBPyConnection) -> list[duckdb.DuckDBPyRelation]:
    return [
        connection.query(f"select * from memory.staging.{name}")
        for name in ("repeated_rows", *(f"{prefix}_{table}" for table in KEYS for prefix in ("current", "stg")))
    ]


def broken(verdicts: pa.Table) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["table_name"], row["rule"]): row for row in verdicts.to_pylist() if not row["passed"]}


class Statements:
    """The statements that Great Expectations' engine runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from rapport import audit_process
        from rapport.audit import engine

        audit_process.end()  # a build of an earlier test may have left one, which would judge out of sight
        self.run: list[str] = []
        execute = engine.DuckDBExecutionEngine.execute_query

        def counted(this: Any, query: Any) -> Any:
            self.run.append(" ".join(str(query).split()))
            return execute(this, query)

        monkeypatch.setattr(engine.DuckDBExecutionEngine, "execute_query", counted)


def test_one_scan_a_table_answers_all_rules_on_rows(
    raw: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(monkeypatch)
    verdicts = judge_raw(raw, STOP, RAW, raw_tables(raw))
    assert not broken(verdicts)
    assert {row["evaluated"] for row in verdicts.to_pylist()} == {PEOPLE}
    for table, queries in (("participants", 1), ("sessions", 2), ("who5_assessments", 2), ("alliance_ratings", 2)):
        scans = [text for text in statements.run if f'staging"."current_{table}" as child' in text.lower()]
        scans += [
            text
            for text in statements.run
            if text.lower().endswith(f"from staging.current_{table}") and "repeated" not in text
        ]
        # One for the rules on rows and the number of rows; one for the rows that they refer to.
        assert len(scans) == queries, scans
        assert len([text for text in statements.run if f"table_name = '{table}'" in text]) == 1
    assert len(statements.run) == 4 * 3 + 3  # with `describe`, once a table


SPOILT: dict[str, tuple[str, str, str, str, int, str]] = {
    # case: table, what is set, where, rule, rows, keys
    "null key": ("sessions", "session_id = null", "session_id = 'S3'", "session_id is not null", 1, "(no key)"),
    "null": ("sessions", "started_at = null", "session_id <= 'S10'", "started_at is not null", 3, "S0, S1, S10"),
    "range": ("participants", "age_years = 121", "participant_id = 'P7'", "age_years is 0 to 120", 1, "P7"),
    "set": ("sessions", "status = 'done'", "session_id = 'S9'", "status is completed or cancelled or no_show", 1, "S9"),
    "long set": (
        "participants",
        "country_code = 'XX'",
        "participant_id = 'P5'",
        "country_code is an ISO 3166-1 alpha-2 code",
        1,
        "P5",
    ),
    "orphan": (
        "alliance_ratings",
        "session_id = 'of no session'",
        "rating_id in ('R1', 'R2')",
        "session_id is one of sessions",
        2,
        "R1, R2",
    ),
    "orphan without a key": (
        "alliance_ratings",
        "session_id = 'of no session', rating_id = null",
        "rating_id in ('R1')",
        "session_id is one of sessions",
        1,
        "(no key)",
    ),
    "contradiction": (
        "sessions",
        "session_id = 'S1'",
        "session_id in ('S2', 'S39')",
        "session_id is unique",
        3,
        "S1",
    ),
    **{
        f"{column} {moment}": (
            table,
            f"{column} = timestamp '{moment}'",
            f"{KEYS[table]} = '{key}'",
            f"{column} is in 1900 to 2100",
            1,
            key,
        )
        for table, column, key in (
            ("participants", "registered_at", "P4"),
            ("who5_assessments", "completed_at", "A4"),
            ("sessions", "started_at", "S4"),
            ("alliance_ratings", "submitted_at", "R4"),
            ("sessions", "loaded_at", "S4"),
        )
        for moment in ("1899-12-31 23:59:59.999999", "2101-01-01 00:00:00", "infinity", "-infinity")
    },
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_row_that_breaks_a_rule_is_named_and_goes_to_quarantine(raw: duckdb.DuckDBPyConnection, case: str) -> None:
    table, change, where, rule, rows, keys = SPOILT[case]
    spoilt = raw.execute(
        f"select part_file, row_number, {KEYS[table]} from staging.current_{table} where {where} order by all"
    ).fetchall()
    raw.execute(f"update staging.current_{table} set {change} where {where}")
    verdict = broken(judge_raw(raw, STOP, RAW, raw_tables(raw)))[table, rule]
    assert (verdict["severity"], verdict["unexpected"], verdict["sample_keys"]) == ("critical", rows, keys)

    quarantined = judge_raw(raw, QUARANTINE, RAW, raw_tables(raw))
    assert broken(quarantined)[table, rule]["severity"] == "quarantined"
    faults = find_faults(raw, QUARANTINE, quarantined.to_pandas(), RAW)
    assert faults.columns == ["table_name", "part_file", "row_number", "row_key", "rule"]
    found = faults.filter(f"table_name = '{table}' and rule = '{rule}'").fetchall()
    places = {(file, number) for _, file, number, _, _ in found}
    assert len(found) == rows
    assert {(file, number) for file, number, _ in spoilt} <= places
    if case == "contradiction":
        # Rows of one key from different moments are no contradiction: the later one stands.
        raw.execute("update staging.current_sessions set loaded_at = null where session_id = 'S1' and row_number = 19")
        again = find_faults(raw, QUARANTINE, quarantined.to_pandas(), RAW)
        assert len(again.filter(f"rule = '{rule}'").fetchall()) == 2


WORDS = "other words for these are translated in mapping.yml (docs/mapping.md)"


def test_a_broken_rule_says_what_lies_behind_it_or_helps(raw: duckdb.DuckDBPyConnection) -> None:
    """Beside the keys; where the rows are tables of a schema there is no mapping.yml."""
    raw.execute("update staging.current_sessions set status = 'done' where session_id = 'S3'")
    raw.execute("update staging.current_sessions set session_id = 'S4' where session_id = 'S5'")
    raw.execute("update staging.current_sessions set started_at = null where session_id = 'S7'")
    for build in (STOP, QUARANTINE):
        found = broken(judge_raw(raw, build.assign(raw_format="csv"), RAW, raw_tables(raw)))
        assert found["sessions", "status is completed or cancelled or no_show"]["detail"] == WORDS
        assert found["sessions", "session_id is unique"]["detail"] == (
            "two different rows have this key and the same loaded_at"
        )
        assert found["sessions", "started_at is not null"]["detail"] is None
    found = broken(judge_raw(raw, STOP.assign(raw_format="table"), RAW, raw_tables(raw)))
    assert found["sessions", "status is completed or cancelled or no_show"]["detail"] is None
    held = judge_raw(raw, STOP, RAW, raw_tables(raw)).to_pylist()
    assert not [row for row in held if row["passed"] and row["detail"]]


def test_moments_within_the_bounds_stand(raw: duckdb.DuckDBPyConnection) -> None:
    raw.execute("update staging.current_sessions set started_at = timestamp '1900-01-01' where session_id = 'S1'")
    raw.execute(
        "update staging.current_alliance_ratings set submitted_at = timestamp '2100-12-31 23:59:59.999999'"
        " where rating_id = 'R2'"
    )
    assert not broken(judge_raw(raw, STOP, RAW, raw_tables(raw)))


def test_a_value_that_could_not_be_read_is_named_by_its_place_alone(raw: duckdb.DuckDBPyConnection) -> None:
    raw.execute(
        "update staging.current_sessions set started_at = null, unreadable = 'started_at' where session_id = 'S15'"
    )
    raw.execute(
        "update staging.current_participants set unreadable = 'age_years, sex', line_number = null, part_file = 'p.parquet'"
        " where participant_id = 'P16'"
    )
    rule = "values are of the declared types"
    verdicts = judge_raw(raw, QUARANTINE, RAW, raw_tables(raw))
    assert broken(verdicts)["sessions", rule]["sample_keys"] == "part-0.csv line 17: started_at"
    assert broken(verdicts)["participants", rule]["sample_keys"] == "p.parquet row 16: age_years, sex"
    faults = find_faults(raw, QUARANTINE, verdicts.to_pandas(), RAW).filter(f"rule = '{rule}'").order("all").fetchall()
    assert faults == [
        ("participants", "p.parquet", 16, "P16", rule),
        ("sessions", "part-0.csv", 15, "S15", rule),
    ]


def test_rows_without_those_in_quarantine_are_judged_again(raw: duckdb.DuckDBPyConnection) -> None:
    raw.execute("update staging.current_sessions set status = 'done' where session_id = 'S3'")
    verdicts = judge_raw(raw, QUARANTINE, RAW, raw_tables(raw))
    faults = len(find_faults(raw, QUARANTINE, verdicts.to_pandas(), RAW).fetchall())
    assert faults == 1
    rule = ("sessions", "status is completed or cancelled or no_show")
    overlooked = broken(judge_accepted(raw, QUARANTINE, faults, RAW, raw_tables(raw)))
    assert overlooked[rule]["severity"] == "critical"
    raw.execute("create or replace view staging.stg_sessions as from staging.current_sessions where session_id <> 'S3'")
    orphans = broken(judge_accepted(raw, QUARANTINE, faults, RAW, raw_tables(raw)))
    assert list(orphans) == [("alliance_ratings", "session_id is one of sessions")]
    raw.execute(
        "create or replace view staging.stg_alliance_ratings as from staging.current_alliance_ratings where rating_id <> 'R3'"
    )
    accepted = judge_accepted(raw, QUARANTINE, faults, RAW, raw_tables(raw))
    assert not broken(accepted)
    assert {row["evaluated"] for row in accepted.to_pylist()} == {PEOPLE, PEOPLE - 1}
    [nothing] = judge_accepted(raw, QUARANTINE, 0, RAW, []).to_pylist()
    assert (nothing["rule"], nothing["passed"]) == ("nothing is in quarantine", True)


def test_a_million_faults_stay_in_the_database(raw: duckdb.DuckDBPyConnection) -> None:
    raw.execute(
        "insert into staging.current_sessions by name select 'M' || i as session_id, 'P1' as participant_id,"
        " 'X' as provider_id, 'coach' as provider_type, timestamp '2020-12-01' as started_at, 'done' as status,"
        " 30 as duration_minutes, 'many.csv' as part_file, i::bigint as row_number, i::bigint as line_number,"
        " timestamp '2021-02-01' as loaded_at from range(1000000) as t(i)"
    )
    verdicts = judge_raw(raw, QUARANTINE, RAW, raw_tables(raw))
    status = broken(verdicts)["sessions", "status is completed or cancelled or no_show"]
    assert (status["unexpected"], status["sample_keys"]) == (1_000_000, "M0, M1, M2, M3, M4")
    faults = find_faults(raw, QUARANTINE, verdicts.to_pandas(), RAW)
    faults.create("row_faults")
    assert raw.execute("select count(*), count(distinct row_number) from row_faults").fetchall() == [
        (1_000_000, 1_000_000)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_uniqueness_from_the_rows_that_share_a_key_is_that_of_all_rows(
    raw: duckdb.DuckDBPyConnection, tmp_path: Path, seed: int
) -> None:
    """The same count, whether the build leaves the repeated keys or the table is searched for them."""
    raw.execute(f"select setseed({seed / 10})")
    raw.execute(
        "update staging.current_sessions set session_id ="
        " case when random() < 0.1 then null else 'S' || (random() * 60)::integer end"
    )
    raw.execute("create or replace table staging.left_rows as from staging.repeated_rows")
    [(rows,)] = raw.execute(
        "select coalesce(sum(rows), 0) from (select count(*) as rows from staging.current_sessions"
        " where session_id is not null group by session_id having count(*) > 1)"
    ).fetchall()
    assert rows > 0

    for repeated in ({"repeated": "left_rows"}, {}):
        suite = json.loads((RAW / "sessions.json").read_text(encoding="utf-8"))
        del suite["meta"]["repeated"]
        suite["meta"] |= repeated
        verdicts = {verdict.rule: verdict for verdict in judge(raw, [load_suite(write(tmp_path, suite))])}
        assert verdicts["session_id is unique"].unexpected == rows


def test_a_table_of_repeated_keys_that_is_missing_is_not_a_pass(raw: duckdb.DuckDBPyConnection) -> None:
    tables = raw_tables(raw)
    raw.execute("drop view staging.repeated_rows")
    verdict = broken(judge_raw(raw, STOP, RAW, tables))["sessions", "session_id is unique"]
    assert str(verdict["detail"]).startswith("could not be evaluated: Catalog Error: Table with name repeated_rows")


# What a suite looks at is what its model depends on -----------------------------------------------------------------


def test_a_suite_that_looks_at_a_table_its_model_does_not_depend_on_is_refused(raw: duckdb.DuckDBPyConnection) -> None:
    tables = [table for table in raw_tables(raw) if "current_participants" not in table.sql_query()]
    with pytest.raises(SuiteError, match=r"judges staging\.current_participants, which this model does not depend on"):
        judge_raw(raw, STOP, RAW, tables)
    tables = [table for table in raw_tables(raw) if "repeated_rows" not in table.sql_query()]
    with pytest.raises(SuiteError, match=r"judges staging\.repeated_rows, which"):
        judge_raw(raw, STOP, RAW, tables)
    tables = [table for table in raw_tables(raw) if "stg_sessions" not in table.sql_query()]
    with pytest.raises(SuiteError, match=r"judges staging\.stg_sessions, which"):
        judge_accepted(raw, QUARANTINE, 1, RAW, tables)


def test_the_tables_of_a_query_are_those_it_names(connection: duckdb.DuckDBPyConnection) -> None:
    query = (
        "with a as (select 1 as x) select x from a left join staging.b as b on true where x not in"
        " (select y from candidates.c) and exists (from (select 'from marts.z' from \"reference\".d union all from e))"
    )
    assert tables_of(connection, [query]) == [{"staging.b", "candidates.c", "reference.d", "main.e"}]
    with pytest.raises(SuiteError, match="not a query"):
        tables_of(connection, ["select from where"])


# Messages ------------------------------------------------------------------------------------------------------------


def test_what_stopped_an_evaluation_is_told_without_the_value_of_a_cell(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("update people set id = 'a secret answer' where age = 7")
    suite = copy.deepcopy(SUITE)
    suite["expectations"][2]["kwargs"] = {
        "unexpected_rows_query": "select id from {batch} where id::integer > 0 and age <> 1234567"
    }
    suite["expectations"][3]["kwargs"] = {
        "unexpected_rows_query": "select id from {batch} group by id having max(years) = 17"
    }
    suite["expectations"][1]["kwargs"] = {"column": "years", "min_value": 1}
    verdicts = judge(connection, [load_suite(write(tmp_path, suite))])
    assert [verdict.detail for verdict in verdicts[1:3]] == [
        'could not be evaluated: The column "years" in BatchData does not exist',
        "could not be evaluated: Conversion Error: Could not convert string …",
    ]
    assert "secret" not in str(verdicts)
    assert str(verdicts[3].detail).startswith(
        'could not be evaluated: Binder Error: Referenced column "years" not found'
    )
    assert all(verdict.severity == "critical" for verdict in verdicts[1:])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Conversion Error: Could not convert string 'I'm ill' to INT32", "Conversion Error: Could not convert string …"),
        ('(duckdb.InvalidInputException) Invalid Input Error: bad "4"\n[SQL: x]', "Invalid Input Error: bad …"),
        ("Out of Range Error: Overflow in multiplication of INT32 (4 * 5)!", "Out of Range Error: Overflow in multiplication of INT …"),
        ("Conversion Error: invalid timestamp field format: I am ill, expected", "Conversion Error: invalid timestamp field format …"),
        ("Catalog Error: Table with name x does not exist!\nLINE 1: answer", "Catalog Error: Table with name x does not exist!"),
        ("min_value 5 is odd", "min_value …"),
    ],
)  # fmt: skip
def test_messages_end_before_the_first_value(message: str, told: str) -> None:
    assert without_values(message) == told


def test_great_expectations_says_nothing_by_itself(
    raw: duckdb.DuckDBPyConnection, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    raw.execute("alter table staging.current_sessions alter duration_minutes type varchar")
    raw.execute("update staging.current_sessions set duration_minutes = 'a secret answer'")
    verdicts = judge_raw(raw, STOP, RAW, raw_tables(raw))
    assert ("sessions", "duration_minutes is 1 to 480") in broken(verdicts)
    assert "secret" not in "".join([*capfd.readouterr(), caplog.text, str(verdicts.to_pylist())])


# Start-up ------------------------------------------------------------------------------------------------------------


def test_great_expectations_is_imported_once_without_what_no_suite_uses() -> None:
    program = """
import sys
from rapport.audit import load_suites
load_suites("expectations/raw")
assert "great_expectations" in sys.modules
print(sorted(name for name in ("altair", "altair.vegalite", "scipy.stats") if name in sys.modules))
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as distributions
print(distributions.stats.norm.cdf(0.0), "scipy.stats" in sys.modules)
from scipy import stats
print(stats.norm is distributions.stats.norm)
import gc
print(gc.isenabled())
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n") == ["[]", "0.5 True", "True", "True", ""]


def test_a_build_without_faults_does_not_load_great_expectations_for_quarantine() -> None:
    program = """
import sys
import duckdb, pandas as pd
from rapport.audit import find_faults, judge_accepted
connection = duckdb.connect()
build = pd.DataFrame([{"build_id": "b1", "on_bad_rows": "stop"}])
verdicts = pd.DataFrame([{"table_name": "sessions", "rule": "is not empty", "severity": "critical", "passed": True}])
assert find_faults(connection, build, verdicts, "expectations/raw").fetchall() == []
assert judge_accepted(connection, build, 0, "expectations/raw", []).num_rows == 1
print("great_expectations" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
