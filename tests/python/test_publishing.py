"""Write, audit, publish: all old tables or all new ones, whatever happens."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import duckdb
import pytest
from conftest import ROOT, Warehouse

Marts = dict[str, list[tuple[object, ...]]]


def correct_an_age(warehouse: Warehouse) -> None:
    """A later delivery that changes the tables without breaking a rule."""
    warehouse.add_part(
        "participants", "select * replace (16 as age_years, timestamp '2030-01-01' as loaded_at) from rows limit 40"
    )


def assert_same_tables(found: Marts, expected: Marts) -> None:
    """Every value the same; figures to 1e-11, because the order of rows decides the last bits of a sum of fractions."""
    for name, rows in expected.items():
        assert len(found[name]) == len(rows)
        for row, expected_row in zip(found[name], rows, strict=True):
            for value, expected_value in zip(row, expected_row, strict=True):
                if isinstance(expected_value, float):
                    expected_value = pytest.approx(expected_value, rel=1e-11, abs=1e-13)
                assert value == expected_value, name


def test_a_whole_build_with_all_its_tests_passes_twice(warehouse: Warehouse) -> None:
    first = warehouse.dbt("build")
    assert first.success, first.output
    assert "[WARNING]" not in first.output
    before = warehouse.marts()
    second = warehouse.dbt("build")
    assert second.success, second.output
    assert_same_tables(warehouse.marts(), before)


def test_csv_and_parquet_give_the_same_tables(built: Warehouse) -> None:
    before = built.marts()
    with duckdb.connect() as connection:
        for folder in (path for path in built.raw.iterdir() if path.is_dir()):
            for path in folder.glob("*.parquet"):
                # Columns in another order, one more column, and timestamps with an offset in their text.
                connection.execute(
                    f"copy (select loaded_at::varchar || '+00' as loaded_at, 'x, y' as extra, * exclude (loaded_at) from '{path}')"
                    f" to '{path.with_suffix('.csv')}' (format csv, header)"
                )
                path.unlink()
    built.raw_format = "csv"
    outcome = built.run()
    assert outcome.success, outcome.output
    assert_same_tables(built.marts(), before)


def test_a_good_build_replaces_every_table(built: Warehouse) -> None:
    before = built.marts()
    correct_an_age(built)
    outcome = built.run()
    assert outcome.success, outcome.output
    after = built.marts()
    assert after["eligibility"] != before["eligibility"]
    builds = built.query("select distinct build_id from audit.publish")
    assert len(builds) == 1
    assert builds == built.query("select build_id from audit.build")


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (("--select", "publish"), "marts are published by a whole build only"),
        (("--select", "publish", "eligibility"), "marts are published by a whole build only"),
        (("--exclude", "gate_raw"), "marts are published by a whole build only"),
        (("--exclude", "audit_findings"), "gate findings is closed: 0 verdicts of this build"),
    ],
)
def test_a_selection_is_not_published(built: Warehouse, selection: tuple[str, ...], message: str) -> None:
    before = built.marts()
    correct_an_age(built)
    outcome = built.run(*selection)
    assert not outcome.success
    assert message in outcome.output
    assert built.marts() == before


def test_a_publication_that_fails_half_way_publishes_nothing(built: Warehouse) -> None:
    """The last table cannot be replaced, so the first ones must not be."""
    with duckdb.connect(str(built.db)) as connection:
        connection.execute("drop table marts.model_fit; create view marts.model_fit as select 1 as one")
    before = built.marts()
    correct_an_age(built)
    assert not built.run().success
    assert built.marts() == before


def test_a_crashed_validator_publishes_nothing(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built.marts()
    correct_an_age(built)

    def crash(*_: object) -> None:
        raise RuntimeError("the validator crashed")

    monkeypatch.setattr("rapport.audit.run_suites", crash)
    outcome = built.run()
    assert not outcome.success
    assert "the validator crashed" in outcome.output
    assert built.marts() == before


def test_a_killed_build_leaves_old_or_new_tables(built: Warehouse) -> None:
    """SIGKILL at seeded moments; after each the tables are those of one build, and the next build succeeds."""
    before = built.marts()
    correct_an_age(built)
    environment = {**os.environ, "RAPPORT_RAW": str(built.raw), "RAPPORT_DB": str(built.db)}
    command = [sys.executable, "-m", "dbt.cli.main", "run", "--target-path", str(built.target / "killed")]
    chance = random.Random(20201)
    for _ in range(3):
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if "START" in line:
                break
        time.sleep(chance.uniform(0.5, 8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = built.marts()
        if found != before:
            assert all(found[name] for name in found)
            assert built.query("select count(distinct build_id) from audit.publish") == [(1,)]
    outcome = built.run()
    assert outcome.success, outcome.output
    assert built.marts()["eligibility"] != before["eligibility"]


def test_freshness_reads_both_formats(warehouse: Warehouse) -> None:
    for raw_format in ("parquet", "csv"):
        if raw_format == "csv":
            with duckdb.connect() as connection:
                for path in warehouse.raw.glob("*/*.parquet"):
                    connection.execute(f"copy (from '{path}') to '{path.with_suffix('.csv')}' (format csv, header)")
                    path.unlink()
        warehouse.raw_format = raw_format
        outcome = warehouse.dbt("source", "freshness")
        assert outcome.success, outcome.output
        assert outcome.output.count("WARN freshness of raw.") == 4, "the demo export is years old"


def test_warnings_are_shown_and_stop_nothing(built: Warehouse) -> None:
    built.rewrite("alliance_ratings", "select * replace (submitted_at - interval 30 day as submitted_at) from rows")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert "Audit warning: alliance_ratings: submitted_at is not before its session (" in outcome.output


def test_the_folder_of_the_database_is_made(warehouse: Warehouse) -> None:
    warehouse.db = warehouse.db.with_name("new") / "folder" / "rapport.duckdb"
    assert warehouse.run("--select", "build").success
    assert warehouse.db.exists()
    shutil.rmtree(warehouse.db.parent)
