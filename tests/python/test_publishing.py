"""Write, audit, publish: all old tables or all new ones, whatever happens."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from conftest import MARTS, ROOT, Warehouse

from rapport.audit import run_suites

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


@pytest.mark.builds
def test_a_whole_build_with_all_its_tests_passes_twice(warehouse: Warehouse) -> None:
    first = warehouse.dbt("build")
    assert first.success, first.output
    assert "[WARNING]" not in first.output
    before = warehouse.marts()
    second = warehouse.dbt("build")
    assert second.success, second.output
    assert_same_tables(warehouse.marts(), before)


@pytest.mark.builds
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


@pytest.mark.builds
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
        pytest.param(("--exclude", "gate_raw"), "marts are published by a whole build only", marks=pytest.mark.builds),
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
    """The history refuses its rows when all views have moved, so none may have."""
    with duckdb.connect(str(built.db)) as connection:
        connection.execute(
            "create or replace table ops.volumes (build_id varchar, table_name varchar, measure varchar, counted bigint, total bigint,"
            " check (counted < 0))"
        )
    before = built.marts()
    correct_an_age(built)
    outcome = built.run()
    assert not outcome.success
    assert "CHECK constraint failed" in outcome.output
    assert built.marts() == before


@pytest.mark.builds
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


@pytest.mark.builds
def test_a_killed_build_leaves_old_or_new_tables(built: Warehouse) -> None:
    """SIGKILL at seeded moments; after each the tables are those of one build, and the next build succeeds."""
    before = built.marts()
    correct_an_age(built)
    environment = {
        **os.environ,
        "RAPPORT_RAW": str(built.raw),
        "RAPPORT_DB": str(built.db),
        "RAPPORT_RAW_FORMAT": built.raw_format,
    }
    command = [sys.executable, "-m", "dbt.cli.main", "run", "--target-path", str(built.target)]
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


@pytest.mark.builds
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


@pytest.mark.builds
def test_warnings_are_shown_and_stop_nothing(built: Warehouse) -> None:
    built.rewrite("alliance_ratings", "select * replace (submitted_at - interval 30 day as submitted_at) from rows")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert "Audit warning: alliance_ratings: submitted_at is not before its session (" in outcome.output


@pytest.mark.builds
def test_the_folder_of_the_database_is_made(warehouse: Warehouse) -> None:
    warehouse.db = warehouse.db.with_name("new") / "folder" / "rapport.duckdb"
    assert warehouse.run("--select", "audit_files", "build").success
    assert warehouse.db.exists()
    shutil.rmtree(warehouse.db.parent)


@pytest.mark.builds
def test_a_broken_candidate_closes_its_gate(built: Warehouse) -> None:
    """Three points an item give scores that no WHO-5 has."""
    before = built.marts()
    outcome = built.run("--vars", "who5_points_per_item: 3")
    assert not outcome.success
    assert "gate candidates is closed" in outcome.output
    assert "who5_change: baseline_score is a multiple of 4 from 0 to 100 (" in outcome.output
    assert built.marts() == before


# What is done to a table behind the build's back, and the rule that has to see it.
TAMPERED = {
    "flow and cohort": (
        "candidates",
        "delete from candidates.analysis_cohort where participant_id = (select min(participant_id) from candidates.analysis_cohort)",
        {
            ("eligibility_flow", "the last step counts the rows of the cohort"),
            ("analysis_cohort", "the cohort is everyone eligible"),
        },
    ),
    "table 1 and cohort": (
        "findings",
        "delete from candidates.analysis_cohort where participant_id = (select min(participant_id) from candidates.analysis_cohort)",
        {("table_1", "the total counts the rows of the cohort")},
    ),
    "eligible without alliance": (
        "candidates",
        "delete from candidates.participant_alliance where participant_id = (select min(participant_id) from candidates.analysis_cohort)",
        {
            ("eligibility", "every eligible participant has an alliance score"),
            ("participant_alliance", "participants with a rating are those with an alliance score"),
        },
    ),
    "eligible without change": (
        "candidates",
        "delete from candidates.who5_change where participant_id = (select min(participant_id) from candidates.analysis_cohort)",
        {
            ("eligibility", "every eligible participant has a WHO-5 change"),
            ("who5_change", "participants with baseline and follow-up are those with a change"),
        },
    ),
    "a participant lost": (
        "candidates",
        "delete from candidates.eligibility where participant_id = (select min(participant_id) from candidates.eligibility where first_failed_criterion = 'adult')",
        {("eligibility", "every participant of the export is judged")},
    ),
    "a step that does not add up": (
        "candidates",
        "update candidates.eligibility_flow set excluded = excluded + 1 where step = 3",
        {("eligibility_flow", "each step leaves what the step before had, less the excluded")},
    ),
    "a test lost": (
        "findings",
        "delete from candidates.inference_results where analysis = 'alliance_by_sex'",
        {("inference_results", "every analysis and term of the contract has its row")},
    ),
    "an impossible P": (
        "findings",
        "update candidates.inference_results set p_value = 1.5 where analysis = 'alliance_by_sex'",
        {("inference_results", "p_value is 0 to 1")},
    ),
    "a figure missing without a word": (
        "findings",
        "update candidates.inference_results set estimate = null, statistic = null where analysis = 'alliance_vs_age'",
        {("inference_results", "a row without estimate and statistic says why")},
    ),
    "a step lost": (
        "findings",
        "delete from candidates.model_fit where step = 2",
        {("model_fit", "every step of the contract has its row")},
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_suites_see_what_does_not_reconcile(built: Warehouse, case: str) -> None:
    layer, tamper, expected = TAMPERED[case]
    with duckdb.connect(str(built.db)) as connection:
        build = connection.execute("select * from audit.build").df()
        for name in MARTS:  # the candidates are views: each becomes a table that can be spoilt
            connection.execute(f"create table candidates.own as from candidates.{name}; drop view candidates.{name}")
            connection.execute(f"alter table candidates.own rename to {name}")
        connection.execute(tamper)
        tables = [connection.table(f"candidates.{name}") for name in MARTS]
        tables += [connection.view("staging.stg_participants"), connection.table("reference.printed_figures")]
        verdicts = run_suites(connection, build, ROOT / "expectations" / layer, tables).to_pylist()
    broken = {(row["table_name"], row["rule"]) for row in verdicts if not row["passed"]}
    assert expected <= broken
    assert all(row["severity"] == "critical" for row in verdicts if (row["table_name"], row["rule"]) in expected)


@pytest.mark.builds
def test_paths_may_be_relative(warehouse: Warehouse) -> None:
    warehouse.raw = Path(os.path.relpath(warehouse.raw, ROOT))
    warehouse.db = Path(os.path.relpath(warehouse.db, ROOT))
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    assert len(warehouse.marts()) == len(MARTS)


def test_a_table_of_an_older_version_gives_way_to_the_view_of_its_name(built: Warehouse) -> None:
    """Version 0.1.1 kept the facts as a table of this name."""
    good = built.marts()
    with duckdb.connect(str(built.db)) as connection:
        connection.execute("drop view rules.participant_facts; create table rules.participant_facts as select 1 as x")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert built.marts() == good
