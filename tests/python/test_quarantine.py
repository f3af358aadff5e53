"""Bad rows in quarantine, and people who are to be erased: nothing is dropped without a trace, or kept without a right."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse, first

QUARANTINE = ("--vars", "{on_bad_rows: quarantine, max_quarantined_share: 0.05}")
TABLES = ("participants", "who5_assessments", "sessions", "alliance_ratings")


def accounts(warehouse: Warehouse) -> dict[str, dict[str, int]]:
    """Rows delivered, erased, superseded, in quarantine and used, counted from the files and the views on them."""
    found = {}
    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        for table in TABLES:
            counts = connection.execute(
                f"select (select count(*) from '{warehouse.raw}/{table}/*.parquet'),"
                f" (select erased from marts.source_summary where table_name = '{table}'),"
                " (select count(*) from staging.repeated_rows"
                f" where table_name = '{table}' and standing in ('superseded', 'copy')),"
                f" (select count(*) from quarantine.quarantined_rows where table_name = '{table}'),"
                f" (select count(*) from staging.stg_{table})"
            ).fetchall()[0]
            names = ("delivered", "erased", "superseded", "quarantined", "used")
            found[table] = dict(zip(names, counts, strict=True))
    return found


def spoil_everything(warehouse: Warehouse) -> None:
    """One kind of fault in each table, and an orphan."""
    warehouse.spoil("participants", "age_years", "130", first("participant_id", 2))
    [(only_baseline,)] = warehouse.query(
        "select min(assessment_id) from staging.stg_who5_assessments inner join rules.care using (participant_id)"
        " inner join marts.analysis_cohort using (participant_id)"
        " where completed_at < first_session_at group by participant_id having count(*) = 1 order by 1 desc limit 1"
    )
    warehouse.spoil(
        "who5_assessments", "item_1", "9", f"{first('assessment_id', 2)} or assessment_id = '{only_baseline}'"
    )
    warehouse.spoil("sessions", "status", "'done'", first("session_id"))
    warehouse.spoil("alliance_ratings", "session_id", "'of no session'", first("rating_id"))
    warehouse.add_part(
        "sessions",
        "select * replace (timestamp '2030-01-01' as loaded_at, i::integer as duration_minutes)"
        " from (from rows order by session_id desc limit 1), range(1, 3) as t(i)",
    )


def test_files_that_are_refused_leave_no_word_of_quarantine(built: Warehouse, tmp_path: Path) -> None:
    """The table is that of an earlier build, or not there at all: in a new database the last words were an error of it."""
    shutil.rmtree(built.raw / "sessions")
    built.db = tmp_path / "new.duckdb"
    outcome = built.run(*QUARANTINE)
    assert not outcome.success
    assert "sessions: folder exists (1 failing)" in outcome.output
    assert "Catalog Error" not in outcome.output
    assert "Quarantine: rows wait" not in outcome.output


def test_bad_rows_wait_in_quarantine_and_leave_it_corrected(built: Warehouse) -> None:
    good = built.marts()
    count = {table: built.query(f"select count(*) from staging.stg_{table}")[0][0] for table in TABLES}
    spoil_everything(built)
    stopped = built.run()
    assert not stopped.success
    assert "sessions: status is completed or cancelled or no_show (3 failing)" in stopped.output
    assert built.marts() == good

    outcome = built.run(*QUARANTINE)
    assert outcome.success, outcome.output
    for table, rule, rows in (
        ("participants", "age_years is 0 to 120", 2),
        ("who5_assessments", "item_1 is 0 to 5", 3),
        ("sessions", "status is completed or cancelled or no_show", 3),
        ("sessions", "session_id is unique", 2),
        ("alliance_ratings", "session_id is one of sessions", 3),
    ):
        found = built.query(
            f"select count(*) from quarantine.quarantined_rows where table_name = '{table}'"
            f" and list_contains(string_split(rules, '; '), '{rule}')"
        )
        assert found == [(rows,)], (table, rule)
    # What depends on a row in quarantine is there too, and nothing else.
    assert built.query(
        "select count(*) from quarantine.quarantined_rows where table_name = 'sessions'"
        " and rules = 'its participant is in quarantine' and participant_id not in"
        " (select row_key from quarantine.quarantined_rows where table_name = 'participants')"
    ) == [(0,)]
    for child, parent, key in (
        ("sessions", "participants", "participant_id"),
        ("who5_assessments", "participants", "participant_id"),
        ("alliance_ratings", "sessions", "session_id"),
    ):
        assert built.query(
            f"select count(*) from staging.stg_{child} where {key} not in (select {key} from staging.stg_{parent})"
        ) == [(0,)]
    for table, rows in accounts(built).items():
        assert rows["delivered"] == rows["used"] + rows["superseded"] + rows["quarantined"], table
        assert rows["quarantined"] > 0
    flow = dict(built.query("select step, (participants, excluded, quarantined) from marts.eligibility_flow"))
    assert flow[0] == (count["participants"] - 2, 0, 2)
    # Whom quarantine keeps out passed the criterion with the rows as they were before, and fails it now.
    passed = {row[0]: row[1:8] for row in good["eligibility"]}
    failed = built.query(
        "select participant_id, step from marts.eligibility"
        " inner join marts.eligibility_flow on first_failed_criterion = criterion"
    )
    kept_out = Counter(step for participant, step in failed if passed[participant][int(str(step)) - 1])
    assert {step: quarantined for step, (_, _, quarantined) in flow.items() if step > 0} == {
        step: kept_out[step] for step in range(1, 8)
    }
    assert kept_out.total() > 0

    # Corrected rows: the good ones again, delivered later.
    for table in TABLES:
        folder = built.raw / table
        for path in folder.glob("*.parquet"):
            with duckdb.connect() as connection:
                connection.execute(f"create table rows as select * from '{path}'")
                column, wrong, right = {
                    "participants": ("age_years", "age_years = 130", "40"),
                    "who5_assessments": ("item_1", "item_1 = 9", "3"),
                    "sessions": ("status", "status = 'done'", "'completed'"),
                    "alliance_ratings": (
                        "session_id",
                        "session_id = 'of no session'",
                        "(select min(session_id) from rows where session_id <> 'of no session')",
                    ),
                }[table]
                connection.execute(
                    f"copy (select * replace ({right} as {column}, loaded_at + interval 20 year as loaded_at) from rows where {wrong})"
                    f" to '{folder}/corrected-{path.stem}.parquet' (format parquet)"
                )
    built.add_part(
        "sessions",
        "select * replace (loaded_at + interval 20 year as loaded_at) from rows"
        " where session_id = (select max(session_id) from rows where loaded_at = timestamp '2030-01-01') order by loaded_at limit 1",
        name="part-settled.parquet",
    )
    outcome = built.run(*QUARANTINE)
    assert outcome.success, outcome.output
    assert built.query("from quarantine.quarantined_rows") == []
    assert built.query("select sum(quarantined) from marts.eligibility_flow") == [(0,)]


@pytest.mark.builds
def test_too_many_bad_rows_stop_the_build(built: Warehouse) -> None:
    good = built.marts()
    built.spoil("sessions", "status", "'done'", first("session_id", 40))
    outcome = built.run("--vars", "{on_bad_rows: quarantine}")
    assert not outcome.success
    assert "sessions: at most 1.0% of the rows are in quarantine (40 failing)" in outcome.output
    assert built.marts() == good


@pytest.mark.builds
def test_whoever_is_erased_is_nowhere(built: Warehouse) -> None:
    """The id, and every key of their rows, is looked for in every column of every table of the database."""
    erased = str(built.query("select min(participant_id) from marts.analysis_cohort")[0][0])
    # A broken rule leaves their keys in the history of verdicts, and another in quarantine.
    built.spoil("participants", "age_years", "130", f"participant_id = '{erased}'")
    assert not built.run().success
    assert built.run(*QUARANTINE).success
    # No raw row is stored: what names them are the rows in quarantine, the verdicts and the tables of participants.
    keys = {erased} | {
        str(row[0]) for row in built.query("select row_key from quarantine.quarantined_rows where row_key is not null")
    }
    assert len(keys) > 3
    assert keys <= found_in(built, keys), "they are there before"
    with duckdb.connect() as connection:
        keys |= {
            str(row[0])
            for table, key in (("who5_assessments", "assessment_id"), ("sessions", "session_id"))
            for row in connection.execute(
                f"select {key} from '{built.raw}/{table}/*.parquet' where participant_id = '{erased}'"
            ).fetchall()
        }

    folder = built.raw / "erasures"
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"copy (select '{erased}' as participant_id) to '{folder}/2022-01.parquet' (format parquet)")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert found_in(built, keys) == set()
    for rows in accounts(built).values():
        assert rows["erased"] > 0
        assert rows["delivered"] - rows["erased"] == rows["used"] + rows["superseded"]

    # A rating delivered later still belongs to nobody known.
    built.add_part(
        "alliance_ratings",
        f"select * replace ('R-later' as rating_id) from rows where session_id in (select session_id from read_parquet('{built.raw}/sessions/*.parquet') where participant_id = '{erased}') limit 1",
    )
    outcome = built.run()
    assert outcome.success, outcome.output
    assert found_in(built, {*keys, "R-later"}) == set()


def found_in(warehouse: Warehouse, keys: set[str]) -> set[str]:
    """Those of the keys that occur anywhere in the text of any column of any table or view."""
    found: set[str] = set()
    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        relations = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
        ).fetchall()
        assert len(relations) > 30
        for schema, name in relations:
            text = connection.execute(
                f'select string_agg(row::varchar, chr(10)) from "{schema}"."{name}" as row'
            ).fetchall()[0][0]
            found |= {key for key in keys if text and key in text}
    return found


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.txt", b"P1", "erasures: holds nothing but part files (1 failing), for example list.txt"),
        (
            "list.parquet",
            b"P1",
            "erasures: part files are readable and hold participant_id (1 failing), for example list.parquet",
        ),
    ],
)
def test_an_erasure_that_would_be_overlooked_stops_the_build(
    built: Warehouse, name: str, content: bytes, message: str
) -> None:
    path: Path = built.raw / "erasures" / name
    path.parent.mkdir()
    path.write_bytes(content)
    outcome = built.run()
    assert not outcome.success
    assert message in outcome.output
