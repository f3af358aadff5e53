"""What bad input gets: a non-zero exit, one clear message, verdicts that are kept, and marts as they were.

A build costs seconds and a fault a row, so one build holds many faults, each in rows or part files of its own. What such
a build breaks has to be what its faults break, rule by rule, with their numbers and their keys, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import pytest
from conftest import ROOT, Outcome, Warehouse, but_one_in_builds, first

Keys = tuple[str, ...]
KEYS = {
    "participants": "participant_id",
    "who5_assessments": "assessment_id",
    "sessions": "session_id",
    "alliance_ratings": "rating_id",
}
NO_KEY = ("(no key)",)


@dataclass(frozen=True)
class RowFault:
    """Rows that break one critical rule and no other."""

    table: str
    rule: str
    spoil: Callable[[Warehouse, Keys], object]
    """Spoils the rows of the keys that it is given; no other fault of the build is given them."""
    keys: int = 3
    failing: int = 3
    named: Keys | None = None
    """The keys that the message names; None: those that were given."""
    among: str = "true"
    """A condition on the rows that can be spoilt."""


def listed(keys: Keys) -> str:
    """Keys as a list in SQL."""
    return "(" + ", ".join(f"'{key}'" for key in keys) + ")"


def value(
    table: str,
    column: str,
    value: str,
    rule: str,
    keys: int = 3,
    named: Keys | None = None,
    among: str = "true",
) -> RowFault:
    """Put a value into a column of some rows."""

    def spoil(warehouse: Warehouse, given: Keys) -> None:
        where = f"{KEYS[table]} in {listed(given)}"
        warehouse.rewrite(
            table, f"select * replace (case when {where} then {value} else {column} end as {column}) from rows"
        )

    return RowFault(table, rule, spoil, keys=keys, failing=keys, named=named, among=among)


def copies(table: str, replaced: str, numbers: str, rule: str, keys: int, failing: int) -> RowFault:
    """Add a part file with copies of some rows, one for each number i."""

    def spoil(warehouse: Warehouse, given: Keys) -> None:
        warehouse.add_part(
            table,
            f"select * replace ({replaced}) from (from rows where {KEYS[table]} in {listed(given)}), {numbers} as t(i)",
            name=f"part-{rule.replace(' ', '-')}.parquet",
        )

    return RowFault(
        table, rule, spoil, keys=keys, failing=failing, named=NO_KEY if rule.endswith("is not null") else None
    )


# Every critical rule on the raw rows, by what is done to the export.
ROW_FAULTS = {
    "participants without key": copies(
        "participants",
        "null as participant_id, age_years + i as age_years",
        "range(3)",
        "participant_id is not null",
        keys=1,
        failing=3,
    ),
    "participants in conflict": copies(
        "participants",
        "timestamp '2030-01-01' as loaded_at, age_years + i as age_years",
        "range(2)",
        "participant_id is unique",
        keys=1,
        failing=2,
    ),
    "participants without loaded_at": value("participants", "loaded_at", "null", "loaded_at is not null"),
    "age missing": value("participants", "age_years", "null", "age_years is not null"),
    "age 121": value("participants", "age_years", "121", "age_years is 0 to 120"),
    "age -1": value("participants", "age_years", "-1", "age_years is 0 to 120"),
    "unknown sex": value("participants", "sex", "'F'", "sex is female or male"),
    "empty sex": value("participants", "sex", "''", "sex is female or male"),
    "unknown country": value("participants", "country_code", "'USA'", "country_code is an ISO 3166-1 alpha-2 code"),
    "benefit missing": value("participants", "employer_sponsored", "null", "employer_sponsored is not null"),
    "assessment without key": value(
        "who5_assessments", "assessment_id", "''", "assessment_id is not null", named=NO_KEY
    ),
    "assessments in conflict": copies(
        "who5_assessments",
        "timestamp '2030-01-01' as loaded_at, i::integer as item_1",
        "range(2)",
        "assessment_id is unique",
        keys=2,
        failing=4,
    ),
    "assessment of nobody": value(
        "who5_assessments", "participant_id", "'nobody'", "participant_id is one of participants"
    ),
    "assessment without participant": value("who5_assessments", "participant_id", "null", "participant_id is not null"),
    "assessment undated": value("who5_assessments", "completed_at", "null", "completed_at is not null"),
    "assessment without loaded_at": value("who5_assessments", "loaded_at", "null", "loaded_at is not null"),
    "item -1": value("who5_assessments", "item_1", "-1", "item_1 is 0 to 5"),
    **{
        f"item {number} out of its scale": value("who5_assessments", f"item_{number}", "9", f"item_{number} is 0 to 5")
        for number in (2, 3, 4)
    },
    "item 6": value("who5_assessments", "item_5", "6", "item_5 is 0 to 5"),
    "session without key": value(
        "sessions", "session_id", "null", "session_id is not null", keys=1, named=NO_KEY, among="status = 'cancelled'"
    ),
    "sessions in conflict": copies(
        "sessions",
        "timestamp '2030-01-01' as loaded_at, i::integer as duration_minutes",
        "range(1, 3)",
        "session_id is unique",
        keys=1,
        failing=2,
    ),
    "session of nobody": value("sessions", "participant_id", "'nobody'", "participant_id is one of participants"),
    "session without participant": value("sessions", "participant_id", "null", "participant_id is not null"),
    "session of an unknown provider type": value(
        "sessions", "provider_type", "'psychic'", "provider_type is therapist or coach"
    ),
    "session without provider type": value("sessions", "provider_type", "null", "provider_type is not null"),
    "session undated": value("sessions", "started_at", "null", "started_at is not null"),
    "session of unknown status": value("sessions", "status", "'done'", "status is completed or cancelled or no_show"),
    "session without status": value("sessions", "status", "null", "status is not null"),
    "session without loaded_at": value("sessions", "loaded_at", "null", "loaded_at is not null"),
    "rating without key": value("alliance_ratings", "rating_id", "null", "rating_id is not null", named=NO_KEY),
    "ratings in conflict": copies(
        "alliance_ratings",
        "timestamp '2030-01-01' as loaded_at, i::integer as bond_item",
        "range(1, 3)",
        "rating_id is unique",
        keys=1,
        failing=2,
    ),
    "rating of no session": value("alliance_ratings", "session_id", "'no session'", "session_id is one of sessions"),
    "rating without session": value("alliance_ratings", "session_id", "null", "session_id is not null"),
    "rating undated": value("alliance_ratings", "submitted_at", "null", "submitted_at is not null"),
    "rating without loaded_at": value("alliance_ratings", "loaded_at", "null", "loaded_at is not null"),
    "bond 0": value("alliance_ratings", "bond_item", "0", "bond_item is 1 to 5"),
    "goals 6": value("alliance_ratings", "goals_item", "6", "goals_item is 1 to 5"),
}
# A second fault of a rule has a build of its own, so that the counts of the two do not mix.
SECOND_FAULTS = {"age 121", "empty sex"}
ROW_BUILDS = {
    "every rule": set(ROW_FAULTS) - SECOND_FAULTS,
    "second faults": SECOND_FAULTS,
}


def assert_stopped(warehouse: Warehouse, spoil: Callable[[], object]) -> tuple[Outcome, dict[tuple[str, str], tuple]]:
    """Build what is spoilt; the outcome, and (failing, sample keys) of the critical rules broken, by table and rule."""
    before = warehouse.marts()
    builds = {row[0] for row in warehouse.query("select distinct build_id from audit.validation_results")}
    spoil()
    outcome = warehouse.run()
    assert not outcome.success
    assert outcome.output.count("Failure in model") == 1, "one clear message"
    assert "Traceback" not in outcome.output
    assert warehouse.marts() == before
    rows = warehouse.query(
        "select build_id, table_name, rule, unexpected, sample_keys from audit.validation_results"
        " where not passed and severity = 'critical'"
    )
    added = {row[0] for row in warehouse.query("select distinct build_id from audit.validation_results")} - builds
    assert len(added) == 1, "the verdicts of a failed build are kept"
    broken = {(table, rule): tuple(verdict) for build, table, rule, *verdict in rows if build in added}
    assert f"Critical rules broken: {len(broken)}" in outcome.output
    return outcome, broken


def given_keys(warehouse: Warehouse, faults: list[RowFault]) -> list[Keys]:
    """For each fault the keys of its rows: delivered once, and no other fault's."""
    taken: set[str] = set()
    given = []
    with duckdb.connect() as connection:
        for fault in faults:
            key = KEYS[fault.table]
            rows = connection.execute(
                f"select {key} from read_parquet('{warehouse.raw / fault.table}/*.parquet')"
                f" group by {key} having count(*) = 1 and bool_and({fault.among}) order by {key}"
            ).fetchall()
            keys = tuple(row[0] for row in rows if row[0] not in taken)[: fault.keys]
            assert len(keys) == fault.keys
            taken.update(keys)
            given.append(keys)
    return given


@pytest.mark.parametrize("case", but_one_in_builds(ROW_BUILDS, "every rule"))
def test_broken_rows_stop_the_build(built: Warehouse, case: str) -> None:
    faults = [fault for name, fault in ROW_FAULTS.items() if name in ROW_BUILDS[case]]
    given = given_keys(built, faults)
    expected = {
        (fault.table, fault.rule): (fault.failing, set(keys if fault.named is None else fault.named))
        for fault, keys in zip(faults, given, strict=True)
    }
    assert len(expected) == len(faults), "one fault a rule"
    outcome, broken = assert_stopped(
        built, lambda: [fault.spoil(built, keys) for fault, keys in zip(faults, given, strict=True)]
    )
    found = {rule: (failing, set((keys or "").split(", "))) for rule, (failing, keys) in broken.items()}
    assert found == expected
    for (table, rule), (failing, keys) in broken.items():
        assert f"{table}: {rule} ({failing} failing), for example {keys}" in outcome.output


# Without its parents a row is an orphan, so parents and leaves are emptied in turn.
EMPTY_TABLES = {
    "participants and ratings": (
        ("participants", "alliance_ratings"),
        {
            ("sessions", "participant_id is one of participants"),
            ("who5_assessments", "participant_id is one of participants"),
        },
    ),
    "sessions and assessments": (
        ("sessions", "who5_assessments"),
        {("alliance_ratings", "session_id is one of sessions")},
    ),
}


@pytest.mark.parametrize("case", but_one_in_builds(EMPTY_TABLES, "participants and ratings"))
def test_empty_tables_stop_the_build(built: Warehouse, case: str) -> None:
    tables, orphaned = EMPTY_TABLES[case]
    outcome, broken = assert_stopped(
        built, lambda: [built.rewrite(table, "select * from rows limit 0") for table in tables]
    )
    # Rows are compared with those of the last build when they have been accepted.
    assert set(broken) == {(table, "is not empty") for table in tables} | orphaned
    for table in tables:
        assert f"{table}: is not empty" in outcome.output


def replace_first(table: str, content: bytes) -> Callable[[Warehouse], object]:
    """Replace the first part file by something else."""
    return lambda warehouse: sorted((warehouse.raw / table).glob("*.parquet"))[0].write_bytes(content)


def truncate(warehouse: Warehouse) -> None:
    """Cut the end off a part file."""
    path = sorted((warehouse.raw / "sessions").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-100])


def remove(path: str) -> Callable[[Warehouse], object]:
    """Remove a sub-folder of the export, or all of it."""

    def spoil(warehouse: Warehouse) -> None:
        folder = warehouse.raw / path
        folder.rename(folder.with_name("moved-away"))

    return spoil


def empty(warehouse: Warehouse) -> None:
    """Leave a sub-folder without part files."""
    for path in (warehouse.raw / "sessions").glob("*.parquet"):
        path.unlink()


@dataclass(frozen=True)
class FileFault:
    """Part files of one table that break critical rules of that table."""

    spoil: Callable[[Warehouse], object]
    message: str
    """What the build says of it; it begins with the table and the rule."""
    also: tuple[str, ...] = ()
    """What else it breaks, as table and rule."""

    def broken(self) -> set[str]:
        """Table and rule of all that it breaks."""
        return {self.message.split(" (")[0], *self.also}


# Moments that are none: the gate of the files closes on them before any suite is asked about rows.
MOMENTS = {
    "participants": ("registered_at", "loaded_at"),
    "who5_assessments": ("completed_at", "loaded_at"),
    "sessions": ("started_at", "loaded_at"),
    "alliance_ratings": ("submitted_at", "loaded_at"),
}


def another_century(table: str) -> FileFault:
    """One row whose moments lie before 1900 and after 2100."""
    early, late = MOMENTS[table]

    def spoil(warehouse: Warehouse) -> None:
        where = first(KEYS[table], 1)
        warehouse.rewrite(
            table,
            f"select * replace (case when {where} then timestamp '0022-01-21' else {early} end as {early},"
            f" case when {where} then timestamp '2101-01-01' else {late} end as {late}) from rows"
            f" qualify row_number() over (partition by {KEYS[table]} order by loaded_at desc) = 1",
        )

    return FileFault(
        spoil,
        f"{table}: {early} is timestamp (1 failing), for example {KEYS[table][0].upper()}0",
        also=(f"{table}: {late} is timestamp",),
    )


# Every table's files are judged by themselves, so a build has one fault a table, or one a column of a table.
FILE_BUILDS: dict[str, dict[str, FileFault]] = {
    "no export": {
        "no export": FileFault(
            remove(""),
            "participants: folder exists",
            also=tuple(f"{table}: folder exists" for table in KEYS),
        ),
    },
    "files that cannot be read": {
        "a truncated file": FileFault(truncate, "sessions: part files are readable (1 failing), for example part-"),
        "a file that is not Parquet": FileFault(
            replace_first("who5_assessments", b"not a parquet file, though it is long enough"),
            "who5_assessments: part files are readable (1 failing), for example part-",
        ),
        "an empty file": FileFault(
            replace_first("alliance_ratings", b""),
            "alliance_ratings: part files are readable (1 failing), for example part-",
        ),
        "a missing column": FileFault(
            lambda w: w.rewrite("participants", "select * exclude (age_years) from rows"),
            "participants: column age_years is in every part file (1 failing), for example part-0.parquet",
        ),
    },
    "a folder, a column and types": {
        "no folder of a table": FileFault(remove("sessions"), "sessions: folder exists"),
        "a column renamed in one of several files": FileFault(
            lambda w: w.add_part("who5_assessments", "select * rename (item_3 as item3) from rows limit 5"),
            "who5_assessments: column item_3 is in every part file (1 failing), for example part-late.parquet",
        ),
        "text in an integer column": FileFault(
            lambda w: w.rewrite("participants", "select * replace (age_years::varchar as age_years) from rows"),
            "participants: age_years is integer (",
        ),
        "text in an integer column of one file": FileFault(
            lambda w: w.add_part(
                "alliance_ratings",
                "select * replace ('five' as bond_item, 'R-late-' || rating_id as rating_id) from rows limit 2",
            ),
            "alliance_ratings: bond_item is integer (2 failing), for example R-late-",
        ),
    },
    "no part file, and numbers": {
        "no part file": FileFault(empty, "sessions: holds part files"),
        "fractions in an integer column": FileFault(
            lambda w: w.rewrite(
                "alliance_ratings",
                f"select * replace (case when {first('rating_id', 2)} then 3.5 else bond_item end::double as bond_item) from rows",
            ),
            "alliance_ratings: bond_item is integer (2 failing), for example R0000",
        ),
        "a number too large for an integer": FileFault(
            lambda w: w.rewrite(
                "participants",
                f"select * replace (case when {first('participant_id', 2)} then 3000000000 else age_years end::bigint as age_years) from rows",
            ),
            "participants: age_years is integer (2 failing), for example P0000",
        ),
        "a number where a truth belongs": FileFault(
            lambda w: w.rewrite(
                "participants",
                "select * replace (employer_sponsored::integer as employer_sponsored) from rows",
            ),
            "participants: employer_sponsored is boolean (",
        ),
    },
    "moments of other centuries": {table: another_century(table) for table in MOMENTS},
    "one fault": {
        "a date where a timestamp belongs": FileFault(
            lambda w: w.rewrite("sessions", "select * replace (started_at::date as started_at) from rows"),
            "sessions: started_at is timestamp (",
        ),
    },
}


def assert_files_stop(warehouse: Warehouse, faults: dict[str, FileFault]) -> None:
    outcome, broken = assert_stopped(warehouse, lambda: [fault.spoil(warehouse) for fault in faults.values()])
    assert {f"{table}: {rule}" for table, rule in broken} == set().union(*(fault.broken() for fault in faults.values()))
    for name, fault in faults.items():
        assert fault.message in outcome.output, name
    assert "The rules on rows have not been judged" in outcome.output.splitlines()[-1]


@pytest.mark.parametrize("case", but_one_in_builds(FILE_BUILDS, "files that cannot be read"))
def test_broken_files_stop_the_build(built: Warehouse, case: str) -> None:
    assert_files_stop(built, FILE_BUILDS[case])


def test_superseded_faults_do_not_stop_the_build(built: Warehouse) -> None:
    """A corrected row is judged, the row that it corrects is not."""
    built.add_part(
        "participants",
        "select * replace (timestamp '1999-01-01' as loaded_at, 999 as age_years) from rows limit 5",
    )
    outcome = built.run("--select", "+gate_raw")
    assert outcome.success, outcome.output


def test_verdicts_name_rule_table_and_keys(built: Warehouse) -> None:
    """A fault alone in its build."""
    fault = ROW_FAULTS["session of unknown status"]
    (keys,) = given_keys(built, [fault])
    outcome, broken = assert_stopped(built, lambda: fault.spoil(built, keys))
    assert list(broken) == [("sessions", fault.rule)]
    assert "sessions: status is completed or cancelled or no_show (3 failing)" in outcome.output
    rows = built.query(
        "select table_name, severity, evaluated > 1000, unexpected, len(string_split(sample_keys, ', ')), layer"
        " from audit.validation_results where not passed and rule like 'status is completed%'"
    )
    assert rows == [("sessions", "critical", True, 3, 3, "raw")]


def test_every_critical_rule_has_a_fault() -> None:
    # A table that not every study asks for is spoiled in the tests of its study.
    suites = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "expectations/raw").glob("*.json")
    }
    written = {
        (table, expectation["meta"]["rule"])
        for table, suite in suites.items()
        if not suite["meta"].get("optional")
        for expectation in suite["expectations"]
        if expectation["severity"] == "critical"
    }
    emptied = {(table, "is not empty") for tables, _ in EMPTY_TABLES.values() for table in tables}
    # Where rows go to quarantine these are asked of rows; otherwise the gate of the files has closed before.
    unreadable = {(table, "values are of the declared types") for table in MOMENTS} | {
        (table, f"{column} is in 1900 to 2100") for table, columns in MOMENTS.items() for column in columns
    }
    assert written == {(fault.table, fault.rule) for fault in ROW_FAULTS.values()} | emptied | unreadable


def csv_copy(warehouse: Warehouse) -> None:
    """Turn the export into CSV part files."""
    with duckdb.connect() as connection:
        for folder in (path for path in warehouse.raw.iterdir() if path.is_dir()):
            for path in folder.glob("*.parquet"):
                connection.execute(f"copy (from '{path}') to '{path.with_suffix('.csv')}' (format csv, header)")
                path.unlink()
    warehouse.raw_format = "csv"


def edit_csv(table: str, old: str, new: str, count: int = 1) -> Callable[[Warehouse], object]:
    """Replace text in the first CSV part file of a table."""

    def spoil(warehouse: Warehouse) -> None:
        path = sorted((warehouse.raw / table).glob("*.csv"))[0]
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, count), encoding="utf-8")

    return spoil


def edit_field(table: str, column: str, text: str) -> Callable[[Warehouse], object]:
    """Put a text into a column of the first row of the first CSV part file."""

    def spoil(warehouse: Warehouse) -> None:
        path = sorted((warehouse.raw / table).glob("*.csv"))[0]
        lines = path.read_text(encoding="utf-8").splitlines()
        fields = lines[1].split(",")
        fields[lines[0].split(",").index(column)] = text
        path.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]) + "\n", encoding="utf-8")

    return spoil


def append(table: str, line: str) -> Callable[[Warehouse], object]:
    """Add a line to the first CSV part file."""

    def spoil(warehouse: Warehouse) -> None:
        path = sorted((warehouse.raw / table).glob("*.csv"))[0]
        path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")

    return spoil


CSV_BUILDS: dict[str, dict[str, FileFault]] = {
    "a name, a separator, a field too many and text": {
        "a column renamed": FileFault(
            edit_csv("sessions", "started_at", "start"),
            "sessions: column started_at is in every part file (1 failing)",
        ),
        "another separator": FileFault(
            lambda w: [
                p.write_text(p.read_text().replace(",", ";")) for p in (w.raw / "who5_assessments").glob("*.csv")
            ],
            "who5_assessments: column assessment_id is in every part file (3 failing)",
            also=tuple(
                f"who5_assessments: column {column} is in every part file"
                for column in ("participant_id", "completed_at", *(f"item_{i}" for i in range(1, 6)), "loaded_at")
            ),
        ),
        "a row with a field too many": FileFault(
            append("alliance_ratings", "R1,S1,2021-01-01,3,4,2021-01-02,more,and more\n"),
            "alliance_ratings: part files are readable (1 failing)",
        ),
        "text in an integer column": FileFault(
            edit_field("participants", "age_years", "forty"),
            "participants: age_years is integer (1 failing), for example P0000",
        ),
    },
    "a header, a date, a fraction and no file": {
        "a missing header": FileFault(
            edit_csv("sessions", "session_id,", "S1,"),
            "sessions: column session_id is in every part file (1 failing)",
        ),
        "no date in a timestamp column": FileFault(
            edit_field("who5_assessments", "completed_at", "yesterday"),
            "who5_assessments: completed_at is timestamp (1 failing), for example ",
        ),
        "a fraction in an integer column": FileFault(
            edit_field("participants", "age_years", "40.5"),
            "participants: age_years is integer (1 failing), for example P0000",
        ),
        "no CSV at all": FileFault(
            lambda w: [p.rename(p.with_suffix(".txt")) for p in (w.raw / "alliance_ratings").glob("*.csv")],
            "alliance_ratings: holds part files",
        ),
    },
}


@pytest.mark.parametrize("case", but_one_in_builds(CSV_BUILDS, "a name, a separator, a field too many and text"))
def test_broken_csv_stops_the_build(built: Warehouse, case: str) -> None:
    csv_copy(built)
    assert_files_stop(built, CSV_BUILDS[case])
