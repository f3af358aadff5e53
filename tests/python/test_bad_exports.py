"""What bad input gets: a non-zero exit, one clear message, verdicts that are kept, and marts as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse

Spoil = Callable[[Warehouse], object]


def replace(table: str, column: str, value: str, where: str) -> Spoil:
    """Put a value into a column of some rows."""
    return lambda warehouse: warehouse.rewrite(
        table,
        f"select * replace (case when {where} then {value} else {column} end as {column}) from rows",
    )


def first(key: str, count: int = 3) -> str:
    """A condition that holds for the first keys."""
    return f"{key} in (select distinct {key} from rows order by {key} limit {count})"


# Every critical rule on the raw rows: what is done to the export, and what the message has to say of it.
BROKEN_ROWS: dict[str, tuple[Spoil, str]] = {
    "participants without key": (
        lambda w: w.add_part(
            "participants",
            "select * replace (null as participant_id, age_years + i as age_years) from (from rows limit 1), range(3) as t(i)",
        ),
        r"participants: participant_id is not null (3 failing)",
    ),
    "participants in conflict": (
        lambda w: w.add_part(
            "participants",
            "select * replace (timestamp '2030-01-01' as loaded_at, age_years + i as age_years) from (from rows order by participant_id limit 1), range(2) as t(i)",
        ),
        r"participants: participant_id is unique (2 failing), for example P000000",
    ),
    "participants without loaded_at": (
        replace("participants", "loaded_at", "null", first("participant_id")),
        "participants: loaded_at is not null (3 failing)",
    ),
    "age missing": (
        replace("participants", "age_years", "null", first("participant_id")),
        "participants: age_years is not null (3 failing)",
    ),
    "age 121": (
        replace("participants", "age_years", "121", first("participant_id")),
        "participants: age_years is 0 to 120 (3 failing)",
    ),
    "age -1": (
        replace("participants", "age_years", "-1", first("participant_id")),
        "participants: age_years is 0 to 120 (3 failing)",
    ),
    "unknown sex": (
        replace("participants", "sex", "'F'", first("participant_id")),
        "participants: sex is female or male (3 failing)",
    ),
    "empty sex": (
        replace("participants", "sex", "''", first("participant_id")),
        "participants: sex is female or male (3 failing)",
    ),
    "unknown country": (
        replace("participants", "country_code", "'USA'", first("participant_id")),
        "participants: country_code is an ISO 3166-1 alpha-2 code (3 failing)",
    ),
    "benefit missing": (
        replace("participants", "employer_sponsored", "null", first("participant_id")),
        "participants: employer_sponsored is not null (3 failing)",
    ),
    "assessment without key": (
        replace("who5_assessments", "assessment_id", "''", first("assessment_id")),
        "who5_assessments: assessment_id is not null (3 failing)",
    ),
    "assessments in conflict": (
        lambda w: w.add_part(
            "who5_assessments",
            "select * replace (timestamp '2030-01-01' as loaded_at, i::integer as item_1) from (from rows order by assessment_id limit 2), range(2) as t(i)",
        ),
        "who5_assessments: assessment_id is unique (4 failing)",
    ),
    "assessment of nobody": (
        replace("who5_assessments", "participant_id", "'nobody'", first("assessment_id")),
        "who5_assessments: participant_id is one of participants (3 failing)",
    ),
    "assessment without participant": (
        replace("who5_assessments", "participant_id", "null", first("assessment_id")),
        "who5_assessments: participant_id is not null (3 failing)",
    ),
    "assessment undated": (
        replace("who5_assessments", "completed_at", "null", first("assessment_id")),
        "who5_assessments: completed_at is not null (3 failing)",
    ),
    "assessment without loaded_at": (
        replace("who5_assessments", "loaded_at", "null", first("assessment_id")),
        "who5_assessments: loaded_at is not null (3 failing)",
    ),
    "item 6": (
        replace("who5_assessments", "item_5", "6", first("assessment_id")),
        "who5_assessments: item_5 is 0 to 5 (3 failing)",
    ),
    "item -1": (
        replace("who5_assessments", "item_1", "-1", first("assessment_id")),
        "who5_assessments: item_1 is 0 to 5 (3 failing)",
    ),
    "session without key": (
        replace(
            "sessions",
            "session_id",
            "null",
            "session_id = (select min(session_id) from rows where status = 'cancelled')",
        ),
        "sessions: session_id is not null (1 failing)",
    ),
    "sessions in conflict": (
        lambda w: w.add_part(
            "sessions",
            "select * replace (timestamp '2030-01-01' as loaded_at, i::integer as duration_minutes) from (from rows order by session_id limit 1), range(1, 3) as t(i)",
        ),
        "sessions: session_id is unique (2 failing)",
    ),
    "session of nobody": (
        replace("sessions", "participant_id", "'nobody'", first("session_id")),
        "sessions: participant_id is one of participants (3 failing)",
    ),
    "session of an unknown provider type": (
        replace("sessions", "provider_type", "'psychic'", first("session_id")),
        "sessions: provider_type is therapist or coach (3 failing)",
    ),
    "session without provider type": (
        replace("sessions", "provider_type", "null", first("session_id")),
        "sessions: provider_type is not null (3 failing)",
    ),
    "session undated": (
        replace("sessions", "started_at", "null", first("session_id")),
        "sessions: started_at is not null (3 failing)",
    ),
    "session of unknown status": (
        replace("sessions", "status", "'done'", first("session_id")),
        "sessions: status is completed or cancelled or no_show (3 failing)",
    ),
    "session without status": (
        replace("sessions", "status", "null", first("session_id")),
        "sessions: status is not null (3 failing)",
    ),
    "session without loaded_at": (
        replace("sessions", "loaded_at", "null", first("session_id")),
        "sessions: loaded_at is not null (3 failing)",
    ),
    "rating without key": (
        replace("alliance_ratings", "rating_id", "null", first("rating_id")),
        "alliance_ratings: rating_id is not null (3 failing)",
    ),
    "ratings in conflict": (
        lambda w: w.add_part(
            "alliance_ratings",
            "select * replace (timestamp '2030-01-01' as loaded_at, i::integer as bond_item) from (from rows order by rating_id limit 1), range(1, 3) as t(i)",
        ),
        "alliance_ratings: rating_id is unique (2 failing)",
    ),
    "rating of no session": (
        replace("alliance_ratings", "session_id", "'no session'", first("rating_id")),
        "alliance_ratings: session_id is one of sessions (3 failing)",
    ),
    "session without participant": (
        replace("sessions", "participant_id", "null", first("session_id")),
        "sessions: participant_id is not null (3 failing)",
    ),
    "rating without session": (
        replace("alliance_ratings", "session_id", "null", first("rating_id")),
        "alliance_ratings: session_id is not null (3 failing)",
    ),
    **{
        f"item {number} out of its scale": (
            replace("who5_assessments", f"item_{number}", "9", first("assessment_id")),
            f"who5_assessments: item_{number} is 0 to 5 (3 failing)",
        )
        for number in (2, 3, 4)
    },
    "rating undated": (
        replace("alliance_ratings", "submitted_at", "null", first("rating_id")),
        "alliance_ratings: submitted_at is not null (3 failing)",
    ),
    "rating without loaded_at": (
        replace("alliance_ratings", "loaded_at", "null", first("rating_id")),
        "alliance_ratings: loaded_at is not null (3 failing)",
    ),
    "bond 0": (
        replace("alliance_ratings", "bond_item", "0", first("rating_id")),
        "alliance_ratings: bond_item is 1 to 5 (3 failing)",
    ),
    "goals 6": (
        replace("alliance_ratings", "goals_item", "6", first("rating_id")),
        "alliance_ratings: goals_item is 1 to 5 (3 failing)",
    ),
    **{
        f"{table} empty": (
            lambda w, table=table: w.rewrite(table, "select * from rows limit 0"),
            f"{table}: is not empty",
        )
        for table in ("participants", "who5_assessments", "sessions", "alliance_ratings")
    },
}


def overwrite(table: str, content: bytes) -> Spoil:
    """Replace the first part file by something else."""
    return lambda warehouse: sorted((warehouse.raw / table).glob("*.parquet"))[0].write_bytes(content)


def truncate(warehouse: Warehouse) -> None:
    """Cut the end off a part file."""
    path = sorted((warehouse.raw / "sessions").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-100])


def remove(path: str) -> Spoil:
    """Remove a sub-folder of the export, or all of it."""

    def spoil(warehouse: Warehouse) -> None:
        folder = warehouse.raw / path
        folder.rename(folder.with_name("moved-away"))

    return spoil


def empty(warehouse: Warehouse) -> None:
    """Leave a sub-folder without part files."""
    for path in (warehouse.raw / "sessions").glob("*.parquet"):
        path.unlink()


BROKEN_FILES: dict[str, tuple[Spoil, str]] = {
    "no export": (remove(""), "participants: folder exists"),
    "no folder of a table": (remove("sessions"), "sessions: folder exists"),
    "no part file": (empty, "sessions: holds part files"),
    "a missing column": (
        lambda w: w.rewrite("participants", "select * exclude (age_years) from rows"),
        "participants: column age_years is in every part file (1 failing), for example part-0.parquet",
    ),
    "a column renamed in one of several files": (
        lambda w: w.add_part("who5_assessments", "select * rename (item_3 as item3) from rows limit 5"),
        "who5_assessments: column item_3 is in every part file (1 failing), for example part-late.parquet",
    ),
    "text in an integer column": (
        lambda w: w.rewrite("participants", "select * replace (age_years::varchar as age_years) from rows"),
        "participants: age_years is integer (",
    ),
    "text in an integer column of one file": (
        lambda w: w.add_part(
            "alliance_ratings",
            "select * replace ('five' as bond_item, 'R-late-' || rating_id as rating_id) from rows limit 2",
        ),
        "alliance_ratings: bond_item is integer (2 failing), for example R-late-",
    ),
    "fractions in an integer column": (
        lambda w: w.rewrite(
            "alliance_ratings",
            f"select * replace (case when {first('rating_id', 2)} then 3.5 else bond_item end::double as bond_item) from rows",
        ),
        "alliance_ratings: bond_item is integer (2 failing), for example R0000",
    ),
    "a number too large for an integer": (
        lambda w: w.rewrite(
            "participants",
            f"select * replace (case when {first('participant_id', 2)} then 3000000000 else age_years end::bigint as age_years) from rows",
        ),
        "participants: age_years is integer (2 failing), for example P0000",
    ),
    "a date where a timestamp belongs": (
        lambda w: w.rewrite("sessions", "select * replace (started_at::date as started_at) from rows"),
        "sessions: started_at is timestamp (",
    ),
    "a number where a truth belongs": (
        lambda w: w.rewrite(
            "participants",
            "select * replace (employer_sponsored::integer as employer_sponsored) from rows",
        ),
        "participants: employer_sponsored is boolean (",
    ),
    "a truncated file": (
        truncate,
        "sessions: part files are readable (1 failing), for example part-",
    ),
    "a file that is not Parquet": (
        overwrite("sessions", b"not a parquet file, though it is long enough"),
        "sessions: part files are readable (1 failing), for example part-",
    ),
    "an empty file": (
        overwrite("sessions", b""),
        "sessions: part files are readable (1 failing), for example part-",
    ),
}


def assert_stopped(warehouse: Warehouse, spoil: Spoil, message: str) -> None:
    before = warehouse.marts()
    builds = warehouse.query("select count(distinct build_id) from audit.validation_results")
    spoil(warehouse)
    outcome = warehouse.run()
    assert not outcome.success
    assert message in outcome.output
    assert outcome.output.count("Failure in model") == 1, "one clear message"
    assert "Traceback" not in outcome.output
    assert warehouse.marts() == before
    after = warehouse.query("select count(distinct build_id) from audit.validation_results")
    assert after[0][0] == builds[0][0] + 1, "the verdicts of a failed build are kept"


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_broken_rows_stop_the_build(built: Warehouse, case: str) -> None:
    assert_stopped(built, *BROKEN_ROWS[case])


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_files_stop_the_build(built: Warehouse, case: str) -> None:
    assert_stopped(built, *BROKEN_FILES[case])


def test_superseded_faults_do_not_stop_the_build(built: Warehouse) -> None:
    """A corrected row is judged, the row that it corrects is not."""
    built.add_part(
        "participants",
        "select * replace (timestamp '1999-01-01' as loaded_at, 999 as age_years) from rows limit 5",
    )
    outcome = built.run("--select", "+gate_raw")
    assert outcome.success, outcome.output


def test_verdicts_name_rule_table_and_keys(built: Warehouse) -> None:
    replace("sessions", "status", "'done'", first("session_id"))(built)
    assert not built.run().success
    rows = built.query(
        "select table_name, severity, evaluated > 1000, unexpected, len(string_split(sample_keys, ', ')), layer"
        " from audit.validation_results where not passed and rule like 'status is completed%'"
    )
    assert rows == [("sessions", "critical", True, 3, 3, "raw")]


def csv_copy(warehouse: Warehouse) -> None:
    """Turn the export into CSV part files."""
    with duckdb.connect() as connection:
        for folder in (path for path in warehouse.raw.iterdir() if path.is_dir()):
            for path in folder.glob("*.parquet"):
                connection.execute(f"copy (from '{path}') to '{path.with_suffix('.csv')}' (format csv, header)")
                path.unlink()
    warehouse.raw_format = "csv"


def edit_csv(table: str, old: str, new: str, count: int = 1) -> Spoil:
    """Replace text in the first CSV part file of a table."""

    def spoil(warehouse: Warehouse) -> None:
        path = sorted((warehouse.raw / table).glob("*.csv"))[0]
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, count), encoding="utf-8")

    return spoil


BROKEN_CSV: dict[str, tuple[Spoil, str]] = {
    "a column renamed": (
        edit_csv("sessions", "started_at", "start"),
        "sessions: column started_at is in every part file (1 failing)",
    ),
    "a missing header": (
        edit_csv("sessions", "session_id,", "S1,"),
        "sessions: column session_id is in every part file",
    ),
    "text in an integer column": (
        edit_csv("participants", ",true,", ",true,").__class__
        and (lambda w: _csv_column(w, "participants", "age_years", "forty")),
        "participants: age_years is integer (1 failing), for example P0000",
    ),
    "a fraction in an integer column": (
        lambda w: _csv_column(w, "participants", "age_years", "40.5"),
        "participants: age_years is integer (1 failing), for example P0000",
    ),
    "no date in a timestamp column": (
        lambda w: _csv_column(w, "sessions", "started_at", "yesterday"),
        "sessions: started_at is timestamp (1 failing), for example S0000",
    ),
    "another separator": (
        lambda w: [p.write_text(p.read_text().replace(",", ";")) for p in (w.raw / "sessions").glob("*.csv")],
        "sessions: column session_id is in every part file",
    ),
    "a row with a field too many": (
        lambda w: _append(w, "sessions", "S1,P1,V1,coach,2021-01-01,completed,30,2021-01-02,more,and more\n"),
        "sessions: part files are readable (1 failing)",
    ),
    "no CSV at all": (
        lambda w: [p.rename(p.with_suffix(".txt")) for p in (w.raw / "sessions").glob("*.csv")],
        "sessions: holds part files",
    ),
}


def _csv_column(warehouse: Warehouse, table: str, column: str, text: str) -> None:
    path = sorted((warehouse.raw / table).glob("*.csv"))[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = lines[1].split(",")
    fields[lines[0].split(",").index(column)] = text
    path.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]) + "\n", encoding="utf-8")


def _append(warehouse: Warehouse, table: str, line: str) -> None:
    path: Path = sorted((warehouse.raw / table).glob("*.csv"))[0]
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")


@pytest.mark.parametrize("case", BROKEN_CSV)
def test_broken_csv_stops_the_build(built: Warehouse, case: str) -> None:
    csv_copy(built)
    assert_stopped(built, *BROKEN_CSV[case])
