"""What a build on Spark does when something is missing, in the way, withdrawn or killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from conftest import ROOT, Warehouse, first
from spark_house import SparkHouse, children, differences, marts_on_duckdb
from sparks import why_no_spark

MISSING = why_no_spark()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"Spark is not tested: {MISSING}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkHouse]:
    house = SparkHouse(tmp_path_factory.mktemp("spark"))
    yield house
    house.end()


def command(
    folder: Path, *arguments: str, before: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """dbt on Spark in a process of its own; `before`: what stands before the command."""
    with begun(folder, *arguments, before=before, **environment) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def begun(folder: Path, *arguments: str, before: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *before,
            *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "run", "--target", "spark", *arguments),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        cwd=ROOT,
        env={**SparkHouse(folder).environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- What is missing or in the way: said before Java is started


def test_without_java_it_says_how_to_get_it(tmp_path: Path) -> None:
    outcome = command(tmp_path, JAVA_HOME="/nowhere")
    assert outcome.returncode == 2
    assert (
        "Spark needs Java, and JAVA_HOME is /nowhere, where there is none: install a JRE 17 or later" in outcome.stdout
    )
    assert "apt-get install openjdk-17-jre-headless" in outcome.stdout
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert not (tmp_path / "warehouse").exists(), "nothing was begun"


def test_an_old_java_is_named(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    outcome = command(tmp_path, JAVA_HOME=str(tmp_path))
    assert outcome.returncode == 2
    assert "Spark needs Java 17 or later" in outcome.stdout
    assert "is 11" in outcome.stdout


def test_a_second_build_waits_and_then_names_the_first(tmp_path: Path) -> None:
    house = SparkHouse(tmp_path)
    house.warehouse.mkdir()
    with (house.warehouse / "lock").open("w", encoding="utf-8") as lock:
        lock.write("process 4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = command(tmp_path, RAPPORT_LOCK_WAIT="0.5")
    assert outcome.returncode == 2
    assert "is in use by process 4711. Waited 0.5 s (RAPPORT_LOCK_WAIT); nothing was changed" in outcome.stdout
    assert "derby" not in (outcome.stdout + outcome.stderr).lower()


@pytest.mark.parametrize("memory", ["much", "0g", "3 g"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, memory: str) -> None:
    outcome = command(tmp_path, RAPPORT_SPARK_MEMORY=memory)
    assert outcome.returncode == 2
    assert f"RAPPORT_SPARK_MEMORY is {memory!r}, and has to be a size such as 3g or 900m" in outcome.stdout


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    outcome = command(tmp_path, RAPPORT_SPARK_WAREHOUSE=str(tmp_path / "file" / "spark"))
    assert outcome.returncode == 2
    assert "file/spark: the folder of the tables cannot be made: Not a directory; nothing was read" in outcome.stdout


def test_a_session_that_cannot_be_started_says_why_in_a_line(tmp_path: Path) -> None:
    outcome = command(tmp_path, RAPPORT_SPARK_MASTER="nowhere")
    assert outcome.returncode == 2
    assert "the Spark session cannot be started: Master must either be yarn or start with spark" in outcome.stdout
    assert "; nothing was read" in outcome.stdout
    assert "at org.apache" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("has_moved", [False, True])
def test_an_error_behind_the_switch_does_not_say_that_nothing_was_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_moved: bool
) -> None:
    import dbt_rapport
    import dbt_rapport.spark

    said: list[str] = []
    monkeypatch.setattr(dbt_rapport, "_say", lambda message, level: said.append(message))
    monkeypatch.setattr(dbt_rapport.spark, "has_published", has_moved)
    word = dbt_rapport.LastWord(tmp_path / "dbt.log", is_on_spark=True)
    monkeypatch.setattr(word, "show_snapshot", lambda: said.append("the snapshot is put in its place"))
    publication = SimpleNamespace(node_name="publish")
    word(
        SimpleNamespace(
            info=SimpleNamespace(name="LogModelResult"), data=SimpleNamespace(node_info=publication, status="error")
        )
    )
    word.conclude(is_success=False)
    assert said == (
        ["the snapshot is put in its place", "marts were published; what failed did so beside them, see above."]
        if has_moved
        else ["marts were not published and are as they were. See the error above."]
    )


# --- One build after another, in one house


def correct_an_age(warehouse: Warehouse) -> None:
    warehouse.add_part(
        "participants", "select * replace (16 as age_years, timestamp '2030-01-01' as loaded_at) from rows limit 40"
    )


@pytest.mark.long
def test_the_pointer_is_the_way_back(house: SparkHouse, warehouse: Warehouse) -> None:
    assert house.dbt(warehouse.raw, "run").success
    old, [(old_build,)] = house.marts(), house.query("select build_id from ops.current_build")
    correct_an_age(warehouse)
    outcome = house.dbt(warehouse.raw, "run")
    assert outcome.success, outcome.output
    new, [(new_build, before)] = house.marts(), house.query("select build_id, build_before from ops.current_build")
    assert before == old_build
    assert new["eligibility"] != old["eligibility"]
    house.query(
        f"create or replace view ops.current_build as select '{old_build}' as build_id, cast(1 as bigint) as build_number,"
        f" '{new_build}' as build_before"
    )
    assert house.marts() == old


@pytest.mark.long
def test_a_build_killed_before_the_switch_leaves_the_old_marts(house: SparkHouse, warehouse: Warehouse) -> None:
    outcome = house.dbt(warehouse.raw, "run")
    assert outcome.success, outcome.output
    old, [(build,)] = house.marts(), house.query("select build_id from ops.current_build")
    correct_an_age(warehouse)
    tables = house.warehouse / "tables" / "audit.db"
    known = set(tables.glob("publish__*"))

    has_ended = threading.Event()

    def kill_when_all_is_written() -> None:
        while not set(tables.glob("publish__*")) - known:
            if has_ended.wait(0.01):
                return
        house.kill()

    killer = threading.Thread(target=kill_when_all_is_written)
    killer.start()
    try:
        with pytest.raises((AssertionError, BrokenPipeError)):
            house.dbt(warehouse.raw, "run")
    finally:
        has_ended.set()
        killer.join()
    assert house.query("select build_id from ops.current_build") == [(build,)]
    assert house.marts() == old
    again = house.dbt(warehouse.raw, "run")
    assert again.success, again.output
    assert house.marts()["eligibility"] != old["eligibility"]
    states = house.query("select status from ops.builds order by build_number desc limit 3")
    assert states == [("published",), ("interrupted",), ("published",)]


@pytest.mark.long
def test_rows_wait_in_quarantine_as_on_duckdb(house: SparkHouse, warehouse: Warehouse) -> None:
    warehouse.spoil("participants", "age_years", "200", first("participant_id", 2))
    warehouse.spoil("sessions", "status", "'lost'", first("session_id", 2))
    settings = ("--vars", "{on_bad_rows: quarantine, accept_volume_change: true}")
    on_duckdb, on_spark = warehouse.run(*settings), house.dbt(warehouse.raw, "run", *settings)
    assert on_duckdb.success, on_duckdb.output
    assert on_spark.success, on_spark.output
    query = "select table_name, part_file, row_number, row_key, rules from quarantine.quarantined_rows"
    assert sorted(house.query(query)) == sorted(warehouse.query(query))
    assert len(house.query(query)) > 4


@pytest.mark.long
def test_an_erasure_leaves_nothing_in_the_tables(house: SparkHouse, warehouse: Warehouse) -> None:
    person = warehouse_person(warehouse)
    settings = ("--vars", "{accept_volume_change: true}")
    for dbt in (warehouse.run, partial(house.dbt, warehouse.raw, "run")):
        outcome = dbt(*settings)
        assert outcome.success, outcome.output
    assert files_with(house, person), "they are in the tables as long as nobody lists them"
    (warehouse.raw / "erasures").mkdir()
    (warehouse.raw / "erasures" / "list.csv").write_text(f"participant_id\n{person}\n", encoding="utf-8")
    for dbt in (warehouse.run, partial(house.dbt, warehouse.raw, "run")):
        outcome = dbt(*settings)
        assert outcome.success, outcome.output
    assert differences(house.marts(), marts_on_duckdb(warehouse)) == []
    assert files_with(house, person) == []
    current = "(select build_id from ops.current_build)"
    assert house.query(f"select count(*) from ops.volumes where build_id <> {current}") == [(0,)]
    assert house.query(f"select count(published_rows) from ops.builds where build_id <> {current}") == [(0,)]
    [(kept,)] = house.query(
        "select count(sample_keys) + count(detail) + count(evaluated) + count(unexpected) from audit.validation_results"
        f" where build_id <> {current}"
    )
    assert kept == 0
    assert house.query(f"select count(*) > 400 from audit.validation_results where build_id = {current}") == [(True,)]
    # Of the findings that the erasure sets apart by few people the same rows stay as on DuckDB.
    staying = (
        "select analysis, term, n, back from (select analysis, term, n, (select max(build_number) from ops.builds)"
        " - build_number as back from ops.findings_history) as findings where back < 2"
    )
    ours, theirs = house.query(staying), warehouse.query(staying)
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    assert {row[3] for row in theirs} == {0, 1}, "some earlier findings stay, and are compared"
    assert house.query("select count(build_before) from ops.current_build") == [(1,)]


@pytest.mark.long
def test_raw_tables_of_the_metastore_give_the_marts_of_the_files(house: SparkHouse, warehouse: Warehouse) -> None:
    assert warehouse.run().success
    settings = in_a_clinic(house, warehouse)
    outcome = house.dbt(Path(), "run", *settings, RAPPORT_RAW="")
    assert outcome.success, outcome.output
    ours, theirs = house.marts(), marts_on_duckdb(warehouse)
    for marts in (ours, theirs):
        # Files can say that their people are invented, tables cannot.
        columns, rows = marts["build_parameters"]
        marts["build_parameters"] = columns, Counter({row: n for row, n in rows.items() if "is_synthetic" not in row})
    assert differences(ours, theirs) == []
    kept = house.query(
        "select table_name, file_name, bytes, sha256, latest_loaded_at is not null from ops.part_files"
        " where build_id = (select build_id from ops.current_build) order by table_name"
    )
    assert kept == [
        (table, f"clinic.{table}", None, None, True)
        for table in ("alliance_ratings", "participants", "sessions", "who5_assessments")
    ]
    house.query("drop table clinic.sessions")
    before = house.marts()
    outcome = house.dbt(Path(), "run", *settings, RAPPORT_RAW="")
    assert not outcome.success
    assert "gate files is closed" in outcome.output
    assert "sessions: table exists" in outcome.output
    assert house.marts() == before


def in_a_clinic(house: SparkHouse, warehouse: Warehouse) -> tuple[str, str]:
    """The tables of an export in a schema of the metastore, and what lets a build read them there."""
    house.query("create schema if not exists clinic")
    for table in ("participants", "who5_assessments", "sessions", "alliance_ratings"):
        house.query(f"drop table if exists clinic.{table}")
        house.query(f"create table clinic.{table} as select * from parquet.`{warehouse.raw}/{table}`")
    return ("--vars", "{raw_schema: clinic, accept_volume_change: true}")


def as_anybody() -> tuple[str, ...]:
    """What stands before a command that may read and write only what the modes of files allow, which root is above."""
    if os.getuid():
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and there is no setpriv that takes this right from a process")
    dropped = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")


@contextmanager
def published_as_before(house: SparkHouse) -> Iterator[None]:
    """What is published, and which build it is of, has not changed when the block ends. The block's builds are commands."""
    before, pointer = house.marts(), house.query("select * from ops.current_build")
    house.end()
    yield
    assert house.query("select * from ops.current_build") == pointer
    assert house.marts() == before


def without_rights(house: SparkHouse, folder: Path, mode: int, *arguments: str, **environment: str) -> str:
    """What a build says that is refused because a folder has this mode."""
    folder.chmod(mode)
    try:
        refused = command(house.folder, *arguments, before=as_anybody(), **environment)
    finally:
        folder.chmod(0o755)
    assert refused.returncode == 1
    said = refused.stdout + refused.stderr
    assert "org.apache" not in said
    assert "Traceback" not in said
    return said


@pytest.mark.long
def test_raw_tables_that_cannot_be_read_close_the_gate(house: SparkHouse, warehouse: Warehouse) -> None:
    """Files that the build has no right to read, and a format whose jar is missing: both in one message."""
    settings = in_a_clinic(house, warehouse)
    outcome = house.dbt(Path(), "run", *settings, RAPPORT_RAW="")
    assert outcome.success, outcome.output
    house.hive("alter table clinic.sessions set tblproperties ('spark.sql.sources.provider' = 'iceberg')")
    closed = house.warehouse / "tables" / "clinic.db" / "alliance_ratings"
    with published_as_before(house):
        said = without_rights(house, closed, 0, *settings, RAPPORT_RAW="")
    assert "gate files is closed" in said
    assert "sessions: table can be read" in said
    assert "is of a format that this Spark cannot read (DATA_SOURCE_NOT_FOUND): add the jar of that format" in said
    assert "alliance_ratings: table can be read" in said
    assert f"Spark has no permission for {closed}: ask its owner for the right to read or write it" in said


@pytest.mark.long
def test_tables_that_must_not_be_written_are_one_message(house: SparkHouse, warehouse: Warehouse) -> None:
    outcome = house.dbt(warehouse.raw, "run", "--vars", "{accept_volume_change: true}")
    assert outcome.success, outcome.output
    closed = house.warehouse / "tables" / "staging.db"
    with published_as_before(house):
        said = without_rights(house, closed, 0o555, RAPPORT_RAW=str(warehouse.raw))
    assert f"Spark has no permission for {closed}/" in said
    assert "ask its owner for the right to read or write it" in said
    assert "marts were not published and are as they were" in said


@pytest.mark.long
def test_java_that_is_killed_is_one_message(house: SparkHouse, warehouse: Warehouse) -> None:
    """As by a machine that runs short of memory."""
    outcome = house.dbt(warehouse.raw, "run", "--vars", "{accept_volume_change: true}")
    assert outcome.success, outcome.output
    tables = house.warehouse / "tables" / "candidates.db"
    known = {*tables.iterdir()}
    with published_as_before(house), begun(house.folder, RAPPORT_RAW=str(warehouse.raw)) as process:
        while not {*tables.iterdir()} - known:
            assert process.poll() is None
            time.sleep(0.05)
        [java] = [pid for pid in children(process.pid) if Path(f"/proc/{pid}/comm").read_text() == "java\n"]
        os.kill(java, 9)
        said = "".join(process.communicate())
    assert process.returncode == 2  # the end of the build asks Spark, too, which dbt takes for an error of its own
    assert "Java, in which Spark's session runs, has ended" in said
    assert "(RAPPORT_SPARK_MEMORY)" in said
    assert "marts were not published and are as they were" in said
    assert "Traceback" not in said


def warehouse_person(warehouse: Warehouse) -> str:
    """The id of somebody with a session."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select min(participant_id) from read_parquet('{warehouse.raw}/sessions/*.parquet') where status = 'completed'"
        ).fetchall()
    return str(found[0][0])


def files_with(house: SparkHouse, text: str) -> list[str]:
    """The files of tables that hold a text anywhere."""
    found = []
    with duckdb.connect() as connection:
        for path in (house.warehouse / "tables").rglob("*.parquet"):
            rows = connection.execute(
                f"select count(*) from read_parquet('{path}') as rows where contains(rows::varchar, '{text}')"
            ).fetchall()
            if rows[0][0]:
                found.append(str(path))
    return found
