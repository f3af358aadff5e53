"""An erasure says what it did, judges nobody whom it lists, and leaves no trace of them after the next good build."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, Warehouse, first

from rapport.erasure import ErasureError, forget_earlier_lines, rewrite_database

MARK = "erased-person-391739"
"""An id that no compression makes shorter than it is, so that bytes of a file can be searched for it."""


def listed(warehouse: Warehouse, content: str | bytes, name: str = "list.csv") -> Path:
    path = warehouse.raw / "erasures" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rename_somebody(warehouse: Warehouse) -> str:
    """Give a member of the cohort an id that can be found in any file, and their rows keys like it; their old id."""
    old = str(warehouse.query("select min(participant_id) from marts.analysis_cohort")[0][0])
    sessions = (
        f"select session_id from read_parquet('{warehouse.raw}/sessions/*.parquet') where participant_id = '{old}'"
    )
    with duckdb.connect() as connection:
        theirs = [row[0] for row in connection.execute(sessions).fetchall()]
    among = ", ".join(f"'{key}'" for key in theirs)
    is_theirs = f"participant_id = '{old}'"
    for table, key in (("participants", "participant_id"), ("who5_assessments", "assessment_id")):
        name = f"'{MARK}'" if table == "participants" else f"'{MARK}-' || {key}"
        replaced = f"case when {is_theirs} then {name} else {key} end as {key}"
        owner = (
            ""
            if table == "participants"
            else f", case when {is_theirs} then '{MARK}' else participant_id end as participant_id"
        )
        warehouse.rewrite(table, f"select * replace ({replaced}{owner}) from rows")
    warehouse.rewrite(
        "sessions",
        f"select * replace (case when {is_theirs} then '{MARK}-' || session_id else session_id end as session_id,"
        f" case when {is_theirs} then '{MARK}' else participant_id end as participant_id) from rows",
    )
    warehouse.rewrite(
        "alliance_ratings",
        f"select * replace (case when session_id in ({among}) then '{MARK}-' || rating_id else rating_id end as rating_id,"
        f" case when session_id in ({among}) then '{MARK}-' || session_id else session_id end as session_id) from rows",
    )
    return old


def files_that_hold(text: str, *places: Path) -> set[str]:
    """Names of the files under some folders whose bytes hold a text."""
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    return {file.name for file in files if text.encode() in file.read_bytes()}


def beside(warehouse: Warehouse) -> list[Path]:
    """All that builds have written: the database with what lies beside it, logs and target."""
    return [*warehouse.db.parent.glob(f"*{warehouse.db.name}*"), warehouse.target]


def stored_texts(warehouse: Warehouse) -> str:
    """Every row of every table, and of the marts; other views read the files themselves."""
    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        relations = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            " or table_schema = 'marts'"
        ).fetchall()
        return "\n".join(
            str(
                connection.execute(
                    f'select string_agg(row::varchar, chr(10)) from "{schema}"."{name}" as row'
                ).fetchall()
            )
            for schema, name in relations
        )


@pytest.fixture
def target(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with logs, and without those of other tests."""
    warehouse.is_logged = True
    logs = warehouse.target / "logs"
    for file in logs.glob("*"):
        file.unlink()
    yield warehouse
    for file in logs.glob("*"):
        file.unlink()


def test_no_trace_is_left_after_the_next_good_build(target: Warehouse, built: Warehouse) -> None:
    """Database with its freed blocks, log, run_results.json: looked for as bytes, after good and failed builds."""
    rename_somebody(built)
    assert built.run().success
    built.spoil("participants", "age_years", "130", f"participant_id = '{MARK}'")
    failed = built.run()
    assert not failed.success
    assert MARK in failed.output
    for number in (1, 3):
        (built.target / "logs" / f"dbt.log.{number}").write_text(f"an older log, with {MARK}\n", encoding="utf-8")
    before = files_that_hold(MARK, *beside(built))
    assert {built.db.name, "dbt.log", "dbt.log.1", "dbt.log.3", "run_results.json"} <= before

    listed(built, f"participant_id\n{MARK}\n")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert MARK not in outcome.output
    assert files_that_hold(MARK, *beside(built)) == set()
    assert MARK not in stored_texts(built)
    log = (built.target / "logs" / "dbt.log").read_text(encoding="utf-8")
    [(build_id,)] = built.query("select build_id from ops.builds order by build_number desc limit 1")
    assert str(build_id) in log
    assert "CommandCompleted" in log or "Command `" in log, "this command's own lines stay"
    assert log.count("Running with dbt=") == 1
    # The file is as good as the old one.
    assert len(built.marts()["eligibility"]) == 399
    comments = built.query("select count(*) from duckdb_columns() where schema_name = 'marts' and comment is null")
    assert comments == [(0,)]
    assert built.run().success


@pytest.mark.builds
def test_a_list_that_is_on_file_from_the_start_leaves_no_trace(target: Warehouse, built: Warehouse) -> None:
    rename_somebody(built)
    listed(built, f"participant_id\n{MARK}\n")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert files_that_hold(MARK, *beside(built)) == set()


@pytest.mark.builds
def test_without_a_list_the_file_and_the_log_stay(target: Warehouse, built: Warehouse) -> None:
    assert built.run().success
    inode = built.db.stat().st_ino
    begun = (built.target / "logs" / "dbt.log").read_text(encoding="utf-8").count("Running with dbt=")
    assert built.run().success
    assert built.db.stat().st_ino == inode
    log = (built.target / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert log.count("Running with dbt=") == begun + 1


@pytest.mark.builds
def test_a_build_says_what_it_erased(built: Warehouse) -> None:
    """Ids listed, ids found per table, and where those stand that match nobody: padded, wrongly cased, unknown."""
    cohort = [str(row[0]) for row in built.query("select participant_id from marts.analysis_cohort order by 1 limit 2")]
    [(alone,)] = built.query(
        "select min(participant_id) from marts.eligibility where not has_session and not has_baseline"
    )
    with duckdb.connect() as connection:
        [(answered,)] = connection.execute(
            f"select count(*) from '{built.raw}/who5_assessments/*.parquet' where participant_id = '{alone}'"
        ).fetchall()
    content = (
        f"\ufeffparticipant_id\r\n  {cohort[0]}\t\r\n{cohort[0]}\r\n\u00a0\ufeff{cohort[1]}\u200b\r\n{alone}\r\n"
        f"{cohort[1].lower()}\r\nNOBODY-391739\r\n"
    )
    listed(built, content)
    outcome = built.run()
    assert outcome.success, outcome.output
    people = 3 if answered else 2
    assert (
        "Erasure: 5 ids are listed; with rows in the export:"
        f" participants 3, who5_assessments {people}, sessions 2, alliance_ratings 2" in outcome.output
    )
    assert (
        "Audit warning: erasures: every id is one of the export (2 of 5): ids that match nobody: nothing is erased for"
        " them (list.csv line 6, list.csv line 7)" in outcome.output
    )
    for id_ in (*cohort, cohort[1].lower(), alone, "NOBODY-391739"):
        assert id_ not in outcome.output
        assert id_ not in stored_texts(built)
    assert len(built.marts()["eligibility"]) == 397


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("erasures/_list.csv", b"participant_id\nP1\n"),
        ("erasures/.list.csv", b"participant_id\nP1\n"),
        ("erasures/_list", b"participant_id\nP1\n"),
        ("erasures/.ids.txt", b"participant_id\nP1\n"),
        ("erasures/_new/list", b"participant_id\nP1\n"),
        ("_erasures/list.csv", b"participant_id\nP1\n"),
        (".erasures.csv", b"participant_id\nP1\n"),
        ("erasures/list.csv", b"participant_id\n\xff\n"),
    ],
)
def test_a_list_that_is_hidden_or_cannot_be_read_stops_the_check(
    place: str, content: bytes, small_export: Path, tmp_path: Path
) -> None:
    from rapport.reading import check_export
    from rapport.reading.warehouse import tables_of_sources

    raw = tmp_path / "raw"
    raw.mkdir()
    for table in small_export.iterdir():
        (raw / table.name).symlink_to(table)
    path = raw / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    tables = tables_of_sources(ROOT / "models/raw/_raw__sources.yml")
    broken = {
        (verdict.table_name, verdict.rule)
        for verdict in check_export(raw, "parquet", tables)
        if verdict.severity == "critical" and not verdict.passed and verdict.rule != "folder exists"
    }
    expected = {
        "erasures/list.csv": ("erasures", "part files are readable and hold participant_id"),
        "_erasures/list.csv": ("raw export", "no name beside the tables is misspelt"),
        ".erasures.csv": ("raw export", "no name beside the tables is misspelt"),
    }.get(place, ("erasures", "holds nothing but part files"))
    assert broken == {expected}


@pytest.mark.builds
def test_what_tools_leave_in_the_list_is_no_list(built: Warehouse) -> None:
    listed(built, "participant_id\n")
    for name in (".DS_Store", "_SUCCESS", ".gitkeep", "README.md", ".list.csv.crc"):
        listed(built, b"x", name)
    outcome = built.run()
    assert outcome.success, outcome.output
    assert "Erasure: 0 ids are listed" in outcome.output


@pytest.mark.builds
def test_no_row_of_the_erased_is_judged(built: Warehouse) -> None:
    """Their rows break every kind of rule, in quarantine and without: no key of theirs is anywhere."""
    rename_somebody(built)
    late = "timestamp '2030-01-01' as loaded_at"
    built.add_part(  # contested
        "participants",
        f"select * replace ({late}, age_years + i as age_years) from rows, range(2) as t(i) where participant_id = '{MARK}'",
    )
    built.add_part(  # out of its scale, and of unknown status
        "who5_assessments",
        f"select * replace ({late}, 9 as item_1, assessment_id || '-x' as assessment_id) from rows where participant_id = '{MARK}'",
    )
    built.add_part(
        "sessions",
        f"select * replace ({late}, 'done' as status, session_id || '-x' as session_id) from rows where participant_id = '{MARK}'",
    )
    built.add_part(  # of another type, and of sessions that are erased
        "alliance_ratings",
        f"select * replace ({late}, bond_item + 0.5 as bond_item, rating_id || '-x' as rating_id) from rows"
        f" where starts_with(session_id, '{MARK}')",
    )
    listed(built, f"participant_id\n{MARK}\n")
    for options in ((), ("--vars", "{on_bad_rows: quarantine}")):
        outcome = built.run(*options)
        assert outcome.success, outcome.output
        assert MARK not in outcome.output + stored_texts(built)
        assert built.query("select count(*) from quarantine.quarantined_rows") == [(0,)]
        assert files_that_hold(MARK, *beside(built)) == set()


def test_where_it_is_unknown_whose_rows_are_no_key_is_named(built: Warehouse) -> None:
    """A list that cannot be read, or sessions that cannot: a rating is named by its file alone."""
    rename_somebody(built)
    built.spoil("alliance_ratings", "bond_item", "3.5", f"starts_with(session_id, '{MARK}')")
    built.rewrite("alliance_ratings", "select * replace (bond_item::double as bond_item) from rows")
    built.spoil("participants", "age_years", "40.5", f"participant_id = '{MARK}'")
    built.rewrite("participants", "select * replace (age_years::double as age_years) from rows")
    path = listed(built, f"participant_id;note\n{MARK};x\n")
    outcome = built.run()
    assert not outcome.success
    assert "participants: age_years is integer (1 failing), for example part-0.parquet" in outcome.output
    assert "alliance_ratings: bond_item is integer (" in outcome.output
    assert MARK not in outcome.output + stored_texts(built)

    path.write_text(f"participant_id\n{MARK}\n", encoding="utf-8")
    (built.raw / "sessions" / "part-late.parquet").write_bytes(b"no parquet")
    outcome = built.run()
    assert not outcome.success
    assert "sessions: part files are readable (1 failing), for example part-late.parquet" in outcome.output
    assert "participants: age_years" not in outcome.output
    assert MARK not in outcome.output + stored_texts(built)


def test_a_failed_build_forgets_the_keys_of_earlier_ones(built: Warehouse) -> None:
    rename_somebody(built)
    built.spoil("participants", "age_years", "130", f"participant_id = '{MARK}'")
    assert not built.run().success
    assert MARK in stored_texts(built)
    listed(built, f"participant_id\n{MARK}\n")
    built.spoil("participants", "sex", "'x'", first("participant_id", 1))
    assert not built.run().success
    told = built.query(
        "select count(*) from audit.validation_results where build_id <> (select arg_max(build_id, build_number) from"
        " ops.builds) and coalesce(sample_keys, detail, evaluated::varchar, unexpected::varchar) is not null"
    )
    assert told == [(0,)]
    texts = built.query("select string_agg(v::varchar, chr(10)) from audit.validation_results as v")
    assert MARK not in str(texts)


@pytest.mark.builds
def test_history_cannot_be_subtracted_after_an_erasure(built: Warehouse) -> None:
    """One person added, then erased: n 189, then 188, and two means give their change."""
    columns = "analysis, term, n, estimate"
    change = f"select {columns} from ops.findings_history where analysis = 'wellbeing_change' order by build_number"
    [person] = [
        str(row[0])
        for row in built.query("select min(participant_id) from marts.analysis_cohort where screened_positive")
    ]
    everybody = built.query(change)
    listed(built, f"participant_id\n{person}\n")
    outcome = built.run()
    assert outcome.success, outcome.output
    without = built.query(change)
    assert len(without) == len(everybody), "only the newest stays"
    [(before,)], [(after,)] = (
        {(row[2],) for row in rows if row[1] == "followup - baseline"} for rows in (everybody, without)
    )
    assert after == before - 1
    assert not set(everybody) & set(without)
    assert built.query("select count(distinct build_id) from ops.volumes") == [(1,)]
    assert built.query("select count(published_rows) from ops.builds") == [(1,)]
    # Without a list nothing is forgotten.
    listed(built, "participant_id\n")
    outcome = built.run("--vars", "{accept_volume_change: true}")
    assert outcome.success, outcome.output
    assert built.query("select count(*) from ops.builds where published_rows is not null") == [(2,)]


@pytest.mark.builds
def test_nothing_of_the_list_is_stored(built: Warehouse) -> None:
    """No hash: ids are few, and guessed."""
    columns = [
        str(row[0])
        for row in built.query("select lower(column_name) from information_schema.columns where table_schema = 'ops'")
    ]
    assert "erasures" not in columns
    person = str(built.query("select min(participant_id) from marts.analysis_cohort")[0][0])
    path = listed(built, f"participant_id\n{person}\n")
    assert built.run().success
    import hashlib

    texts = stored_texts(built)
    for content in (person.encode(), path.read_bytes(), f"{person}\n".encode()):
        for name in ("md5", "sha1", "sha256"):
            assert hashlib.new(name, content).hexdigest() not in texts
    assert "list.csv" not in str(built.query("select * from ops.part_files"))


@pytest.mark.builds
def test_a_file_that_cannot_be_written_anew_is_an_error(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marts are new, the exit code is not 0, and the message says what is left to do."""
    import rapport.erasure

    def fail(*_: object) -> None:
        raise ErasureError("it cannot be written anew (No space left on device): build again")

    person = str(built.query("select min(participant_id) from marts.analysis_cohort")[0][0])
    listed(built, f"participant_id\n{person}\n")
    monkeypatch.setattr(rapport.erasure, "rewrite_database", fail)
    outcome = built.run()
    assert not outcome.success
    assert "marts were published, but an erasure is not finished. it cannot be written anew" in outcome.output


def a_database(path: Path, ids: int) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create schema raw; create table raw.export as select {ids}::bigint as listed_erasures")
        connection.execute("create view raw.gone as select * from raw.export")


def test_a_new_file_is_whole_and_keeps_its_name(tmp_path: Path) -> None:
    """Also behind a symbolic link, and with what an earlier attempt left."""
    place, link = tmp_path / "a" / "x.duckdb", tmp_path / "link.duckdb"
    place.parent.mkdir()
    a_database(place, ids=1)
    link.symlink_to(place)
    (place.parent / ".x.duckdb.new").write_bytes(b"what a kill left")
    inode = place.stat().st_ino
    assert rewrite_database(link)
    assert link.is_symlink()
    assert place.stat().st_ino != inode
    assert [file.name for file in place.parent.iterdir()] == ["x.duckdb"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with duckdb.connect(str(link), read_only=True) as connection:
        assert connection.execute("from raw.gone").fetchall() == [(1,)]


def test_a_file_in_use_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "x.duckdb"
    a_database(place, ids=1)
    monkeypatch.setattr("rapport.erasure.SECONDS_TO_LET_GO", 0)
    monkeypatch.setenv("RAPPORT_LOCK_WAIT", "0.2")
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ErasureError, match=r"freed blocks of the file may still name people.*build again"):
            rewrite_database(place)
        holder.communicate("")
    assert [file.name for file in tmp_path.iterdir()] == ["x.duckdb"]
    assert rewrite_database(place)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_log_keeps_the_lines_of_this_command(tmp_path: Path, as_json: bool) -> None:
    log = tmp_path / "dbt.log"
    lines = ["==== 06:00 | first-id ====", "old", "==== 07:00 | second-id ====", "new", "new and more"]
    if as_json:
        lines = [json.dumps({"invocation_id": id_, "msg": id_}) for id_ in ("first-id", "second-id", "second-id")]
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "dbt.log.2").write_text("older", encoding="utf-8")
    forget_earlier_lines(log, "second-id")
    assert log.read_text(encoding="utf-8").splitlines() == lines[2 if not as_json else 1 :]
    assert [path.name for path in tmp_path.iterdir()] == ["dbt.log"]
    forget_earlier_lines(log, "third-id")
    assert log.read_bytes() == b""
    forget_earlier_lines(tmp_path / "nowhere" / "dbt.log", "third-id")
