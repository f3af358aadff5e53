"""The raw tables are read where they are: in a schema of an attached database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, Warehouse

from rapport.project_vars import VarError, check_vars
from rapport.reading.warehouse import files_stood_still, read_into_warehouse

SOURCES = ROOT / "models" / "raw" / "_raw__sources.yml"
TABLES = ("participants", "who5_assessments", "sessions", "alliance_ratings")


def load(raw: Path, place: Path, kind: str = "table") -> None:
    """A database with the tables of an export in its schema clinic, as tables or as views."""
    with duckdb.connect(str(place)) as connection:
        connection.execute("create schema if not exists clinic; create schema if not exists kept")
        for table in TABLES:
            stored = "clinic" if kind == "table" else "kept"
            connection.execute(
                f"create or replace table {stored}.{table} as from read_parquet('{raw}/{table}/*.parquet')"
            )
            if kind == "view":
                connection.execute(f"drop table if exists clinic.{table}")
                connection.execute(f"create or replace view clinic.{table} as from kept.{table}")


@pytest.fixture
def place(small_export: Path, tmp_path: Path) -> Path:
    path = tmp_path / "theirs.duckdb"
    load(small_export, path)
    return path


@pytest.fixture
def connection(place: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{place}' as source")
        yield connection


def read(connection: duckdb.DuckDBPyConnection, schema: str = "source.clinic") -> list[dict[str, object]]:
    return read_into_warehouse(
        connection, "b1", Path("demo"), "parquet", SOURCES, "stop", raw_schema=schema
    ).to_pylist()


def broken(verdicts: list[dict[str, object]]) -> dict[tuple[str, str], tuple[object, object, str]]:
    return {
        (str(row["table_name"]), str(row["rule"])): (row["unexpected"], row["sample_keys"], str(row["detail"]))
        for row in verdicts
        if not row["passed"]
    }


@pytest.mark.parametrize("kind", ["table", "view"])
def test_rows_are_those_of_the_files(
    connection: duckdb.DuckDBPyConnection, small_export: Path, place: Path, tmp_path: Path, kind: str
) -> None:
    connection.execute("detach source")
    load(small_export, place, kind)
    connection.execute(f"attach '{place}' as source (read_only)")
    assert broken(read(connection)) == {}
    for table in TABLES:
        rows = connection.execute(f"select * exclude (part_file, row_number) from raw.{table} order by all").fetchall()
        expected = connection.execute(
            f"select *, null, null from read_parquet('{small_export}/{table}/*.parquet') order by all"
        ).fetchall()
        assert len(rows) == len(expected)
        assert [row[: len(row) - 2] for row in rows] == [row[: len(row) - 2] for row in expected]
        [(distinct, first)] = connection.execute(
            f"select count(distinct (part_file, row_number)), min(part_file) from raw.{table}"
        ).fetchall()
        assert (distinct, first) == (len(rows), f"source.clinic.{table}")
        again = connection.execute(f"select count(*) from (from raw.{table} except from raw.{table})").fetchall()
        assert again == [(0,)]
    [export] = connection.execute("select * from raw.export").fetchall()
    assert export == ("schema source.clinic", "table", False, False, None, 0)
    parts = connection.execute(
        "select table_name, file_name, rows, sha256, latest_loaded_at from raw.part_files"
    ).fetchall()
    assert [part[1] for part in parts] == [f"source.clinic.{table}" for table in TABLES]
    for table, _, rows, sha256, latest in parts:
        [expected] = connection.execute(f"select count(*), max(loaded_at) from source.clinic.{table}").fetchall()
        assert ((rows, latest), sha256) == (expected, None)


def test_rows_that_are_equal_get_numbers_of_their_own(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create or replace table source.kept.sessions as from source.clinic.sessions")
    connection.execute(
        "insert into source.kept.sessions from source.kept.sessions limit 5; drop table source.clinic.sessions"
    )
    connection.execute("create view source.clinic.sessions as from source.kept.sessions")
    read(connection)
    [(rows, numbers)] = connection.execute("select count(*), count(distinct row_number) from raw.sessions").fetchall()
    assert rows == numbers


def test_what_is_wrong_names_table_column_and_what_is_allowed(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("drop table source.clinic.alliance_ratings")
    connection.execute("alter table source.clinic.participants drop column sex")
    connection.execute("alter table source.clinic.who5_assessments alter column item_1 type varchar")
    connection.execute("alter table source.clinic.sessions alter column duration_minutes type double")
    connection.execute(
        "update source.clinic.sessions set duration_minutes = 30.5, started_at = timestamp '1812-01-01'"
        " where session_id in (select min(session_id) from source.clinic.sessions)"
    )
    [(key,)] = connection.execute("select min(session_id) from source.clinic.sessions").fetchall()
    found = broken(read(connection))
    assert found.keys() == {
        ("alliance_ratings", "table exists"),
        ("participants", "column sex is in the table"),
        ("who5_assessments", "item_1 is integer"),
        ("sessions", "duration_minutes is integer"),
        ("sessions", "started_at is timestamp"),
    }
    assert "var raw_schema is source.clinic" in found["alliance_ratings", "table exists"][2]
    assert found["participants", "column sex is in the table"][2].startswith(
        "source.clinic.participants holds participant_id"
    )
    assert "holds VARCHAR" in found["who5_assessments", "item_1 is integer"][2]
    assert found["sessions", "duration_minutes is integer"] == (
        1,
        key,
        "no whole number in decimal digits, or beyond 32 bits",
    )
    assert found["sessions", "started_at is timestamp"][:2] == (1, key)
    assert connection.execute("select count(*) from raw.participants").fetchall() == [(0,)]


def test_a_list_of_erasures_may_lie_in_the_schema(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create table source.clinic.erasures as (select participant_id from source.clinic.participants order by 1 limit 2)"
        " union all select ' nobody '"
    )
    verdicts = read(connection)
    assert connection.execute("select count(*) from raw.erasures").fetchall() == [(3,)]
    assert connection.execute("select listed_erasures from raw.export").fetchall() == [(3,)]
    assert broken(verdicts)["erasures", "every id is one of the export"][0] == 1
    parts = connection.sql("from raw.part_files").to_arrow_table()
    [verdict] = files_stood_still(parts, "candidates", connection).to_pylist()
    assert verdict["passed"], verdict["sample_keys"]
    connection.execute("insert into source.clinic.erasures values ('later')")
    [verdict] = files_stood_still(parts, "candidates", connection).to_pylist()
    assert (verdict["passed"], verdict["sample_keys"]) == (False, "source.clinic.erasures")
    connection.execute("create or replace table source.clinic.erasures as select 1.5 as participant_id")
    assert ("erasures", "participant_id is varchar") in broken(read(connection))
    connection.execute("create or replace table source.clinic.erasures as select 'x' as id")
    assert ("erasures", "table holds participant_id") in broken(read(connection))


def test_a_table_that_changes_meanwhile_is_noticed(connection: duckdb.DuckDBPyConnection) -> None:
    read(connection)
    parts = connection.sql("from raw.part_files").to_arrow_table()
    [verdict] = files_stood_still(parts, "candidates", connection).to_pylist()
    assert verdict["passed"]
    connection.execute(
        "update source.clinic.sessions set loaded_at = timestamp '2031-01-01' where session_id in (select min(session_id) from source.clinic.sessions)"
    )
    connection.execute(
        "delete from source.clinic.participants where participant_id in (select min(participant_id) from source.clinic.participants)"
    )
    [verdict] = files_stood_still(parts, "candidates", connection).to_pylist()
    assert (verdict["passed"], verdict["sample_keys"]) == (False, "source.clinic.participants, source.clinic.sessions")


def test_a_folder_and_a_schema_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAPPORT_RAW", raising=False)
    assert check_vars(ROOT, {"raw_schema": "source.clinic"}).values["raw_schema"] == "source.clinic"
    for wrong in ("a.b.c", "a b", "x;y", 3):
        with pytest.raises(VarError, match="the name of a schema, or database"):
            check_vars(ROOT, {"raw_schema": wrong})
    monkeypatch.setenv("RAPPORT_RAW", "demo")
    with pytest.raises(VarError, match="unset RAPPORT_RAW, or leave raw_schema null"):
        check_vars(ROOT, {"raw_schema": "clinic"})


def build(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, place: Path) -> object:
    monkeypatch.setenv("RAPPORT_RAW_DATABASE", str(place))
    monkeypatch.setattr(warehouse, "raw", "")  # RAPPORT_RAW is empty
    return warehouse.run("--vars", "{raw_schema: source.clinic}")


@pytest.mark.builds
def test_marts_are_those_of_the_files(built: Warehouse, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = built.marts()
    raw = built.raw
    outcome = build(built, monkeypatch, place)
    assert outcome.success, outcome.output
    found = built.marts()
    for mart, rows in expected.items():
        if mart == "build_parameters":
            rows = [row for row in rows if row[0] != "is_synthetic"]
            found[mart] = [row for row in found[mart] if row[0] != "is_synthetic"]
        assert found[mart] == rows, mart
    kept = built.query(
        "select table_name, file_name, bytes, sha256, rows, latest_loaded_at is not null from ops.part_files join ops.builds using (build_id) where build_number = 2 order by 1"
    )
    assert [row[:4] for row in kept] == [(table, f"source.clinic.{table}", None, None) for table in sorted(TABLES)]
    assert all(row[5] for row in kept)
    assert built.query("select count(*) from ops.builds where input_fingerprint is not null and build_number = 2") == [
        (1,)
    ]
    assert raw.exists()


def test_the_age_of_a_schema_is_told(built: Warehouse, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect(str(place)) as connection:
        connection.execute("update clinic.sessions set loaded_at = timestamp '1999-01-01'")
    monkeypatch.setenv("RAPPORT_RAW_DATABASE", str(place))
    monkeypatch.setattr(built, "raw", "")
    values = "{raw_schema: source.clinic, freshness_warn_hours: 1, freshness_error_hours: 2}"
    outcome = built.dbt("source", "freshness", "--vars", values)
    assert not outcome.success
    assert "ERROR STALE freshness of raw.sessions" in outcome.output


def test_a_broken_rule_closes_the_gate(built: Warehouse, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built.marts()
    with duckdb.connect(str(place)) as connection:
        connection.execute(
            "update clinic.participants set age_years = 300 where participant_id in (select min(participant_id) from clinic.participants)"
        )
        [(key,)] = connection.execute("select min(participant_id) from clinic.participants").fetchall()
    outcome = build(built, monkeypatch, place)
    assert not outcome.success
    assert f"participants: age_years is 0 to 120 (1 failing), for example {key}" in outcome.output
    assert built.marts() == before


@pytest.mark.builds
def test_a_database_that_cannot_be_attached_is_named(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = build(built, monkeypatch, tmp_path / "nowhere.duckdb")
    assert not outcome.success
    assert "there is no such file; nothing was read" in outcome.output
    monkeypatch.setenv("RAPPORT_RAW_DATABASE", "postgres:password=secret host=nowhere")
    outcome = built.run("--vars", "{raw_schema: source.clinic}")
    assert not outcome.success
    assert 'install_extension("postgres")' in outcome.output
    assert "secret" not in outcome.output
    assert os.environ["RAPPORT_RAW_DATABASE"]
