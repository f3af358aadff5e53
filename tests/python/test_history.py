"""What a scheduler relies on: the history of builds, volume guards, locks and permissions."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse, first
from test_publishing import correct_an_age


def test_every_build_is_in_the_history(built: Warehouse) -> None:
    correct_an_age(built)
    assert built.run().success
    built.spoil("sessions", "status", "'done'", first("session_id"))
    assert not built.run().success
    builds = built.query(
        "select build_number, status, published_at is not null, ended_at >= started_at, gates['raw'],"
        " node_seconds['model.rapport.audit_raw'] > 0, length(input_fingerprint), input_files['sessions'],"
        " published_rows['table_1'] = (select count(*) from marts.table_1), versions like '%duckdb 2.0.0%'"
        " from ops.builds order by build_number"
    )
    assert [row[1:5] for row in builds] == [
        ("published", True, True, "open"),
        ("published", True, True, "open"),
        ("failed", False, True, "closed"),
    ]
    assert [row[0] for row in builds] == [1, 2, 3]
    assert all(row[5] and row[6] == 64 and row[9] for row in builds)
    assert [row[7:9] for row in builds] == [(3, True), (3, True), (1, None)]
    history = built.query(
        "select build_number, p_value from ops.findings_history"
        " where analysis = 'alliance_vs_age' and term = 'age_years' order by build_number"
    )
    assert [row[0] for row in history] == [1, 2]
    assert (
        history[1][1]
        == built.query("select p_value from marts.inference_results where analysis = 'alliance_vs_age'")[0][0]
    )
    assert history[0][1] != history[1][1], "a correction of ages moves it"
    # Which delivery moved it: the files that the second build had and the first had not.
    assert built.query(
        "select table_name, file_name from ops.part_files join ops.builds using (build_id) where build_number = 2"
        " and sha256 not in (select sha256 from ops.part_files join ops.builds using (build_id) where build_number = 1)"
    ) == [("participants", "part-late.parquet")]


@pytest.mark.builds
def test_nothing_delivered_changes_nothing(built: Warehouse) -> None:
    before = built.marts()
    assert built.run().success
    assert built.marts() == before


@pytest.mark.builds
def test_a_clock_that_goes_back_confuses_nothing(built: Warehouse) -> None:
    with duckdb.connect(str(built.db)) as connection:
        connection.execute("update ops.builds set started_at = '2999-01-01', published_at = '2999-01-01'")
    correct_an_age(built)
    outcome = built.run()
    assert outcome.success, outcome.output
    assert built.query("select max_by(status, build_number), max(build_number) from ops.builds") == [("published", 2)]


@pytest.mark.builds
def test_an_export_that_shrinks_stops_the_build(built: Warehouse) -> None:
    before = built.marts()
    first_build = built.query("select distinct detail from audit.validation_results where layer = 'volumes'")
    assert first_build == [("no published build to compare with",)]
    built.rewrite("alliance_ratings", "select * from rows where hash(rating_id) % 3 > 0")
    outcome = built.run()
    assert not outcome.success
    assert "alliance_ratings: does not shrink by more than 10.0% (" in outcome.output
    assert built.marts() == before
    assert built.run("--vars", "accept_volume_change: true").success
    assert built.run().success, "accepted once, it is what the next build is compared with"


def test_a_share_that_jumps_stops_the_build(built: Warehouse) -> None:
    before = built.marts()
    built.rewrite(
        "sessions",
        "select * replace (case when hash(session_id) % 2 = 0 then 'cancelled' else status end as status) from rows",
    )
    outcome = built.run()
    assert not outcome.success
    assert "sessions: share completed does not move by more than 10.0 points" in outcome.output
    assert built.marts() == before


@pytest.mark.builds
def test_a_second_build_says_who_holds_the_lock(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader in another process holds the file; after the time to wait the build gives up, and when it lets go goes on."""
    before = built.marts()
    correct_an_age(built)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(built.db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    monkeypatch.setenv("RAPPORT_LOCK_WAIT", "1")
    outcome = built.run()
    assert not outcome.success
    assert f"(PID {holder.pid})" in outcome.output
    assert "Waited 1 s (RAPPORT_LOCK_WAIT); nothing was changed" in outcome.output
    assert "Traceback" not in outcome.output
    holder.communicate("")
    assert built.marts() == before
    outcome = built.run()
    assert outcome.success, outcome.output


def test_nobody_comes_in_between_the_wait_and_the_build(tmp_path: Path) -> None:
    """From the moment that the file is free it is held until dbt has opened it."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    from rapport.duckdb_plugin import Plugin

    path = tmp_path / "new" / "rapport.duckdb"
    credentials = DuckDBCredentials(database="rapport", schema="main", path=str(path))
    plugin = Plugin("rapport.duckdb_plugin", {}, credentials)
    config = {"custom_user_agent": "dbt"}
    plugin.update_connection_config(credentials, config)
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    intruder = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert f"(PID {os.getpid()})" in intruder.stderr
    with duckdb.connect(str(path), config=config) as connection:
        plugin.configure_connection(connection)
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_files_are_for_the_owner_only(built: Warehouse) -> None:
    built.db.chmod(0o644)
    mask = os.umask(0o022)
    try:
        assert built.run("--select", "build").success
    finally:
        os.umask(mask)
    assert stat.S_IMODE(built.db.stat().st_mode) == 0o600
