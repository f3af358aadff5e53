"""Exports as other tools and hands write them: the control's rows, or a verdict that names table, file and column."""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import hashlib
import os
import resource
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from rapport.audit import load_suites
from rapport.audit.suites import judge
from rapport.audit.verdict import Verdict, join_keys
from rapport.reading import (
    DeclaredTable,
    Reading,
    changed_files,
    check_export,
    csv_text,
    damaged_files,
    read_export,
    warehouse,
)
from rapport.reading.mapping import MappingError, read_mapping
from rapport.reading.tables import ERASURE_LIST

VARCHAR, INTEGER, BOOLEAN, TIMESTAMP = "varchar", "integer", "boolean", "timestamp"
PEOPLE = DeclaredTable(
    "participants",
    "participant_id",
    {
        "participant_id": VARCHAR,
        "registered_at": TIMESTAMP,
        "age_years": INTEGER,
        "sex": VARCHAR,
        "employer_sponsored": BOOLEAN,
        "loaded_at": TIMESTAMP,
    },
)
SESSIONS = DeclaredTable(
    "sessions",
    "session_id",
    {"session_id": VARCHAR, "participant_id": VARCHAR, "started_at": TIMESTAMP, "loaded_at": TIMESTAMP},
)
RATINGS = DeclaredTable(
    "alliance_ratings",
    "rating_id",
    {"rating_id": VARCHAR, "session_id": VARCHAR, "bond_item": INTEGER, "loaded_at": TIMESTAMP},
)
TABLES = (PEOPLE, SESSIONS, RATINGS)
ARROW = {VARCHAR: pa.string(), INTEGER: pa.int32(), BOOLEAN: pa.bool_(), TIMESTAMP: pa.timestamp("us")}
MARK = "74741"
"""Stands for an answer to a questionnaire: no message may hold it."""

Row = dict[str, Any]


def rows_of(table: DeclaredTable, count: int = 40) -> list[Row]:
    loaded = dt.datetime(2021, 11, 1, 3)
    at = [dt.datetime(2021, 1, 1, 9, 30) + dt.timedelta(hours=31 * number) for number in range(count)]
    rows: dict[str, list[Row]] = {
        "participants": [
            {
                "participant_id": f"P{n:03}",
                "registered_at": at[n] if n % 7 else None,
                "age_years": 20 + n,
                "sex": ("female", "male", None)[n % 3],
                "employer_sponsored": n % 5 != 0,
                "loaded_at": loaded,
            }
            for n in range(count)
        ],
        "sessions": [
            {"session_id": f"S{n:03}", "participant_id": f"P{n:03}", "started_at": at[n], "loaded_at": loaded}
            for n in range(count)
        ],
        "alliance_ratings": [
            {
                "rating_id": f"R{n:03}",
                "session_id": f"S{n:03}",
                "bond_item": n % 5 + 1 if n % 11 else None,
                "loaded_at": loaded,
            }
            for n in range(count)
        ],
    }
    return rows[table.name]


def text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def lines_of(table: DeclaredTable, rows: Sequence[Row] | None = None) -> list[str]:
    rows = rows_of(table) if rows is None else rows
    return [",".join(table.columns), *(",".join(text(row[column]) for column in table.columns) for row in rows)]


def arrow(table: DeclaredTable, rows: Sequence[Row] | None = None, **types: pa.DataType) -> pa.Table:
    rows = rows_of(table) if rows is None else rows
    return pa.table(
        {
            column: pa.array([row[column] for row in rows], types.get(column, ARROW[declared]))
            for column, declared in table.columns.items()
        }
    )


@dataclass
class Export:
    """An export in a folder, and how it reads."""

    root: Path
    format: str = "parquet"
    workspace: Path = field(default_factory=Path)
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def folder(self, table: DeclaredTable = PEOPLE) -> Path:
        return self.root / table.name

    def fill(self, *but: DeclaredTable) -> None:
        """Write every table but some as one part file."""
        for table in TABLES:
            self.folder(table).mkdir(parents=True, exist_ok=True)
            if table in but:
                continue
            if self.format == "csv":
                (self.folder(table) / "part-0.csv").write_text("\n".join(lines_of(table)) + "\n", encoding="utf-8")
            else:
                pq.write_table(arrow(table), self.folder(table) / "part-0.parquet")

    def read(self, **options: Any) -> Reading:
        return read_export(
            self.connection, self.root, self.format, TABLES, self.workspace, build_id="this build", **options
        )

    def rows(self, table: DeclaredTable = PEOPLE) -> list[tuple[Any, ...]]:
        columns = ", ".join(table.columns)
        return self.connection.execute(f"select {columns} from raw.{table.name} order by all").fetchall()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def control(table: DeclaredTable = PEOPLE) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in table.columns) for row in rows_of(table)]


def broken(reading: Reading, severity: str = "critical") -> dict[tuple[str, str], Verdict]:
    return {
        (verdict.table_name, verdict.rule): verdict
        for verdict in reading.verdicts
        if not verdict.passed and verdict.severity == severity
    }


def messages(reading: Reading) -> str:
    return "\n".join(f"{v.table_name}: {v.rule} {v.sample_keys} {v.detail}" for v in reading.verdicts)


@pytest.fixture
def export(tmp_path: Path) -> Iterator[Export]:
    made = Export(tmp_path / "raw", workspace=tmp_path / "private")
    # What a session may be set to must not matter.
    made.connection.execute("set timezone = 'Asia/Dhaka'")
    made.connection.execute("set preserve_insertion_order = false")
    yield made
    made.connection.close()


@pytest.fixture
def csv_export(export: Export) -> Export:
    export.format = "csv"
    return export


def assert_control(export: Export, reading: Reading) -> None:
    assert not broken(reading), messages(reading)
    for table in TABLES:
        assert export.rows(table) == control(table), table.name


# --- What a reading gives ---


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_both_formats_give_the_same_typed_rows(export: Export, file_format: str) -> None:
    export.format = file_format
    export.fill()
    reading = export.read()
    assert_control(export, reading)
    assert not broken(reading, "warning")
    described = {name: type_ for name, type_, *_ in export.query("describe raw.participants")}
    assert described == {
        "participant_id": "VARCHAR",
        "registered_at": "TIMESTAMP",
        "age_years": "INTEGER",
        "sex": "VARCHAR",
        "employer_sponsored": "BOOLEAN",
        "loaded_at": "TIMESTAMP",
        "part_file": "VARCHAR",
        "row_number": "BIGINT",
        "line_number": "BIGINT",
        "unreadable": "VARCHAR",
    }
    places = export.query(
        "select part_file, row_number, line_number, unreadable from raw.participants order by participant_id limit 2"
    )
    name = f"part-0.{file_format}"
    line = (2, 3) if file_format == "csv" else (None, None)
    assert places == [(name, 0, line[0], None), (name, 1, line[1], None)]
    part = reading.part_files.to_pylist()[0]
    assert (part["build_id"], part["table_name"], part["file_name"]) == ("this build", "participants", name)
    assert part["path"] == str(export.root / "participants" / name)
    assert (part["rows"], part["fault"], len(part["sha256"])) == (40, None, 64)
    assert part["bytes"] == (export.root / "participants" / name).stat().st_size


def test_the_check_without_a_warehouse_says_the_same(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    lines = lines_of(PEOPLE)
    lines[3] = lines[3].replace(",22,", ",twenty,")
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    verdicts = check_export(csv_export.root, "csv", TABLES)
    assert verdicts == csv_export.read().verdicts
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == ["age_years is integer"]


def test_the_workspace_is_the_owners_alone(csv_export: Export) -> None:
    csv_export.fill()
    csv_export.read()
    assert stat.S_IMODE(csv_export.workspace.stat().st_mode) == 0o700


def test_a_file_that_changes_is_noticed(export: Export) -> None:
    export.fill()
    reading = export.read()
    assert list(changed_files(reading.part_files)) == []
    path = export.folder(SESSIONS) / "part-0.parquet"
    path.write_bytes(path.read_bytes())
    (export.folder(RATINGS) / "part-0.parquet").unlink()
    assert list(changed_files(reading.part_files)) == [
        ("sessions", "part-0.parquet"),
        ("alliance_ratings", "part-0.parquet"),
    ]


def test_an_unknown_format_is_a_verdict(export: Export) -> None:
    export.format = "xlsx"
    assert list(broken(export.read())) == [("raw export", "format is parquet or csv")]
    assert export.rows() == []


def test_no_export_is_a_verdict_a_table(export: Export) -> None:
    assert list(broken(export.read())) == [(table.name, "folder exists") for table in TABLES]
    assert export.rows() == []
    assert export.query("from raw.erasures") == []


# --- What a value may be ---

MOMENTS = {
    "2021-10-12": dt.datetime(2021, 10, 12),
    "2021-10-12 23:30": dt.datetime(2021, 10, 12, 23, 30),
    "2021-10-12T23:30:05": dt.datetime(2021, 10, 12, 23, 30, 5),
    "2021-10-12 23:59:59.9999999": dt.datetime(2021, 10, 12, 23, 59, 59, 999999),
    "1969-12-31 23:59:59.999999999": dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    "2021-10-12T23:30:05Z": dt.datetime(2021, 10, 12, 23, 30, 5),
    "2021-10-13 00:30:00+01:00": dt.datetime(2021, 10, 12, 23, 30),
    "2021-10-13 00:30+01": dt.datetime(2021, 10, 12, 23, 30),
    "2021-10-12 18:00:00.25-0530": dt.datetime(2021, 10, 12, 23, 30, 0, 250000),
    "2021-10-13T13:30:00+14:00": dt.datetime(2021, 10, 12, 23, 30),
    "  2021-10-12 23:30 ": dt.datetime(2021, 10, 12, 23, 30),
    "1900-01-01": dt.datetime(1900, 1, 1),
    "2100-12-31 23:59:59": dt.datetime(2100, 12, 31, 23, 59, 59),
    "": None,
    " ": None,
}
NO_MOMENTS = (
    "22/01/21", "9/5/21", "2021-10-12 11:30 BST", "2021-10-12 11:30:00 +99", "2021-10-12 11:30:00+99",
    "2021-10-12 11:30:00+14:30", "2021-10-12 11:30:00-13:00", "2021-10-12 11:30:00+05:60", "1 2 3", "epoch", "infinity",
    "-infinity", "now", "0022-01-21", "1899-12-31 23:59:59.999999", "2101-01-01", "2021-10-12 (BC)", "2021-02-30",
    "2021-10-12 24:00", "2021-10-12 23:60", "2021-10-12 23:59:60", "20211012", "2021-10-12T", "2021-10-12 1:30",
    "2021-10-12+01:00", "12.10.2021", "1634081400", "2021-W41-2", "2021-10-12 11:30:00 UTC", "٢٠٢١-10-12", "NA",
    "2021-10-12 11:30 Asia/Dhaka", "12021-10-12",
)  # fmt: skip
INTEGERS = {"3": 3, "+3": 3, "-3": -3, "007": 7, "3.0": 3, "3.000": 3, " 4 ": 4, "2147483647": 2147483647, "": None}
NO_INTEGERS = (
    "3.5", "0x1", "0b1", "1_0", "1e0", "٣", "2147483648", "3,0", "three", "NA", "NaN", "--3", "3.", ".0", "+", "1 0",
    "3.0000000000000000000000001", "99999999999999999999999999999999999999999999",
)  # fmt: skip
BOOLEANS = {"true": True, "false": False, "TRUE": True, "False": False, " true": True, "": None}
NO_BOOLEANS = ("y", "t", "1", "0", "yes", "f", "T", "on", "truee")


def with_values(export: Export, column: str, values: Sequence[str], decimal: str = ".") -> Reading:
    """A CSV export of participants with one row a value."""
    export.fill(PEOPLE)
    rows = [dict(rows_of(PEOPLE)[0], participant_id=f"P{n:03}") for n in range(len(values))]
    body = [
        ",".join(f'"{value}"' if name == column else text(row[name]) for name in PEOPLE.columns)
        for row, value in zip(rows, values, strict=True)
    ]
    (export.folder() / "part-0.csv").write_text("\n".join([",".join(PEOPLE.columns), *body]) + "\n", encoding="utf-8")
    return export.read()


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("registered_at", MOMENTS, NO_MOMENTS),
        ("loaded_at", MOMENTS, NO_MOMENTS),
        ("age_years", INTEGERS, NO_INTEGERS),
        ("employer_sponsored", BOOLEANS, NO_BOOLEANS),
    ],
)
def test_text_is_a_value_only_as_the_grammar_has_it(
    csv_export: Export, column: str, good: dict[str, Any], bad: Sequence[str]
) -> None:
    reading = with_values(csv_export, column, [*good, *bad])
    read = csv_export.query(f"select {column}, unreadable, line_number from raw.participants order by row_number")
    assert read[: len(good)] == [(value, None, line) for line, value in enumerate(good.values(), start=2)]
    assert read[len(good) :] == [(None, column, line) for line in range(len(good) + 2, len(good) + len(bad) + 2)]
    [verdict] = broken(reading).values()
    assert verdict.rule == f"{column} is {PEOPLE.columns[column]}"
    assert verdict.expectation == "value_grammar"
    assert (verdict.evaluated, verdict.unexpected) == (len(good) + len(bad), len(bad))
    first = len(good)
    assert (verdict.sample_keys or "").startswith(f"P{first:03} (part-0.csv line {first + 2}), P{first + 1:03} (")
    assert len((verdict.sample_keys or "").split(", ")) == 5


def test_a_row_names_all_its_unreadable_columns(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    lines = [*lines_of(PEOPLE)[:3], f"P9,yesterday,{MARK}.5,female,yes,2021-11-01"]
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    reading = csv_export.read()
    assert csv_export.query("select participant_id, unreadable from raw.participants where unreadable is not null") == [
        ("P9", "registered_at,age_years,employer_sponsored")
    ]
    assert {verdict.unexpected for verdict in broken(reading).values()} == {1}
    assert len(broken(reading)) == 3
    assert MARK not in messages(reading)


def test_an_empty_key_is_an_absent_key(export: Export) -> None:
    export.fill(SESSIONS)
    rows = rows_of(SESSIONS)
    rows[0]["session_id"] = rows[1]["participant_id"] = ""
    pq.write_table(arrow(SESSIONS, rows), export.folder(SESSIONS) / "part-0.parquet")
    assert not broken(export.read())
    assert export.query("select count(*) from raw.sessions where session_id is null") == [(1,)]
    assert export.query("select count(*) from raw.sessions where participant_id is null") == [(1,)]


# --- Types of Parquet, file by file ---


def ages(values: Sequence[Any], type_: pa.DataType) -> pa.Table:
    rows = [dict(row, age_years=value) for row, value in zip(rows_of(PEOPLE), values, strict=False)]
    return arrow(PEOPLE, rows, age_years=type_)


@pytest.mark.parametrize("beside", [pa.string(), pa.bool_(), pa.date32(), pa.float64(), None])
@pytest.mark.parametrize(
    ("type_", "bad"),
    [(pa.float64(), 3.5), (pa.float32(), 3.5), (pa.decimal128(9, 2), Decimal("3.5")), (pa.float64(), float("nan"))],
)
def test_a_fraction_is_no_integer_whatever_lies_beside_it(
    export: Export, type_: pa.DataType, bad: Any, beside: pa.DataType | None
) -> None:
    export.fill(PEOPLE)
    good: list[Any] = [Decimal(n) if pa.types.is_decimal(type_) else n for n in (20, 21, 22)]
    pq.write_table(ages([*good, bad, None], type_), export.folder() / "part-0.parquet")
    if beside is not None:
        pq.write_table(ages([], beside), export.folder() / "part-1.parquet")
    reading = export.read()
    assert export.query("select age_years, unreadable from raw.participants order by participant_id") == [
        (20, None),
        (21, None),
        (22, None),
        (None, "age_years"),
        (None, None),
    ]
    [verdict] = broken(reading).values()
    assert (verdict.rule, verdict.unexpected) == ("age_years is integer", 1)
    assert verdict.sample_keys == "P003 (part-0.parquet row 4)"


@pytest.mark.parametrize(
    "type_", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(38, 30)]
)
def test_whole_numbers_of_any_width_are_integers(export: Export, type_: pa.DataType) -> None:
    export.fill(PEOPLE)
    values = [Decimal(20 + n) if pa.types.is_decimal(type_) else 20 + n for n in range(40)]
    pq.write_table(ages(values, type_), export.folder() / "part-0.parquet")
    assert_control(export, export.read())


@pytest.mark.parametrize(
    ("type_", "bad"), [(pa.int64(), 3_000_000_000), (pa.float64(), 1e300), (pa.float64(), 2.0**31)]
)
def test_a_number_beyond_integers_is_unreadable(export: Export, type_: pa.DataType, bad: Any) -> None:
    export.fill(PEOPLE)
    pq.write_table(ages([20, bad], type_), export.folder() / "part-0.parquet")
    [verdict] = broken(export.read()).values()
    assert (verdict.rule, verdict.unexpected) == ("age_years is integer", 1)


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        ("age_years", pa.string()),
        ("employer_sponsored", pa.int32()),
        ("registered_at", pa.date32()),
        ("registered_at", pa.string()),
        ("sex", pa.int32()),
        ("age_years", pa.list_(pa.int32())),
    ],
)
def test_another_type_is_refused_with_the_file_and_its_rows(export: Export, column: str, type_: pa.DataType) -> None:
    export.fill()
    rows = [dict(rows_of(PEOPLE)[n], participant_id=f"late-{n}", **{column: None}) for n in range(3)]
    table = arrow(PEOPLE, rows)
    values = {"date32[day]": dt.date(2021, 1, 1), "string": MARK, "int32": 1}.get(str(type_), [1])
    filled = pa.array([values, values, None], type_)
    table = table.set_column(table.column_names.index(column), column, filled)
    pq.write_table(table, export.folder() / "part-late.parquet")
    reading = export.read()
    [verdict] = broken(reading).values()
    assert (verdict.rule, verdict.expectation) == (f"{column} is {PEOPLE.columns[column]}", "file_schema")
    assert (verdict.unexpected, verdict.sample_keys) == (2, "late-0, late-1")
    assert (verdict.detail or "").startswith("part-late.parquet holds ")
    assert MARK not in messages(reading)


@pytest.mark.parametrize("type_", [pa.string(), pa.bool_(), pa.null(), pa.timestamp("ns"), pa.list_(pa.int32())])
def test_a_column_without_values_may_be_of_any_type(export: Export, type_: pa.DataType) -> None:
    export.fill(PEOPLE)
    rows = rows_of(PEOPLE)
    pq.write_table(arrow(PEOPLE, rows[:39]), export.folder() / "part-0.parquet")
    alone = dict(rows[39], age_years=None)
    pq.write_table(arrow(PEOPLE, [alone], age_years=type_), export.folder() / "part-1.parquet")
    assert not broken(export.read())
    assert export.rows() == [*control()[:39], tuple(alone.values())]


@pytest.mark.parametrize(
    "type_",
    [
        pa.timestamp("ns", tz="UTC"),
        pa.timestamp("us", tz="UTC"),
        pa.timestamp("us", tz="Asia/Dhaka"),
        pa.timestamp("ms"),
        pa.timestamp("ns"),
    ],
)
def test_moments_of_any_unit_are_read_as_utc(export: Export, type_: pa.DataType) -> None:
    export.fill(PEOPLE)
    rows = rows_of(PEOPLE)
    table = arrow(PEOPLE, rows[:20]).set_column(
        1, "registered_at", arrow(PEOPLE, rows[:20])["registered_at"].cast(pa.timestamp("us", "UTC")).cast(type_)
        if type_.tz
        else arrow(PEOPLE, rows[:20])["registered_at"].cast(type_),
    )  # fmt: skip
    pq.write_table(table, export.folder() / "part-0.parquet")
    pq.write_table(arrow(PEOPLE, rows[20:]), export.folder() / "part-1.parquet")
    assert_control(export, export.read())


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_nanoseconds_are_cut_off_and_never_rounded(export: Export, zone: str | None) -> None:
    export.fill(PEOPLE)
    day = 86_400 * 10**9
    last = [18_912 * day - 1, -1, -1000, 0, 999]
    rows = rows_of(PEOPLE)[: len(last)]
    table = arrow(PEOPLE, rows).set_column(1, "registered_at", pa.array(last, pa.timestamp("ns", tz=zone)))
    pq.write_table(table, export.folder() / "part-0.parquet")
    assert not broken(export.read())
    assert [row[0] for row in export.query("select registered_at from raw.participants order by participant_id")] == [
        dt.datetime(2021, 10, 11, 23, 59, 59, 999999),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
        dt.datetime(1970, 1, 1),
        dt.datetime(1970, 1, 1),
    ]


@pytest.mark.parametrize("statistics", [True, False])
def test_moments_outside_1900_to_2100_are_unreadable(export: Export, statistics: bool) -> None:
    export.fill(PEOPLE)
    rows = rows_of(PEOPLE)
    pq.write_table(
        arrow(PEOPLE, rows[4:], registered_at=pa.timestamp("ns"), loaded_at=pa.timestamp("ns")),
        export.folder() / "part-0.parquet",
        write_statistics=statistics,
    )
    for n, moment in enumerate(("0022-01-21", "9999-12-31", "2101-01-01", "1899-12-31")):
        rows[n]["loaded_at"] = dt.datetime.fromisoformat(moment)
    pq.write_table(arrow(PEOPLE, rows[:4]), export.folder() / "part-1.parquet", write_statistics=statistics)
    [verdict] = broken(export.read()).values()
    assert (verdict.rule, verdict.unexpected, verdict.expectation) == ("loaded_at is timestamp", 4, "value_grammar")
    assert export.query("select count(*) from raw.participants where loaded_at is null") == [(4,)]


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Callable[[Export], None]:
    def spoil(export: Export) -> None:
        pq.write_table(change(arrow(PEOPLE)), export.folder() / "part-0.parquet")

    return spoil


@pytest.mark.parametrize(
    "extra",
    [
        ("note", "note"),
        ("Note", "note"),
        ("filename", "file_row_number"),
        ("FILENAME", "x"),
        ("part_file", "row_number"),
        ("part_", "t0"),
        ("unreadable", "select"),
        ('a"b', "'; drop schema raw cascade; --"),
        ("", " "),
    ],
)
@pytest.mark.parametrize("age", [pa.int32(), pa.float64()])
def test_extra_columns_are_ignored_whatever_their_names(
    export: Export, extra: tuple[str, str], age: pa.DataType
) -> None:
    export.fill(PEOPLE)
    table = ages([row["age_years"] for row in rows_of(PEOPLE)], age)
    for name in extra:
        table = table.append_column(name, pa.array([MARK] * len(table)))
    pq.write_table(table.slice(0, 10), export.folder() / "part-0.parquet")
    pq.write_table(ages([], age), export.folder() / "part-1.parquet")
    pq.write_table(table.slice(10, 10).select(table.column_names[::-1]) if len(set(extra)) == 2 else table.slice(10, 10), export.folder() / "part-2.parquet")  # fmt: skip
    pq.write_table(arrow(PEOPLE, rows_of(PEOPLE)[20:]), export.folder() / "part-3.parquet")
    assert_control(export, export.read())
    assert export.query("select count(*), count(distinct (part_file, row_number)) from raw.participants") == [(40, 40)]


@pytest.mark.parametrize("twin", ["age_years", "Age_Years"])
def test_a_declared_column_that_stands_twice_is_refused(export: Export, twin: str) -> None:
    export.fill(PEOPLE)
    table = arrow(PEOPLE)
    pq.write_table(table.append_column(twin, table["age_years"]), export.folder() / "part-0.parquet")
    [verdict] = broken(export.read()).values()
    assert verdict.rule == "no declared column stands twice in a part file"
    assert verdict.sample_keys == "part-0.parquet"
    assert (verdict.detail or "").startswith("age_years ")


def test_a_column_that_the_engine_would_rename_is_refused(tmp_path: Path) -> None:
    """Of columns item, item and item_1 DuckDB calls the second item_1."""
    items = DeclaredTable("items", "key", {"key": VARCHAR, "item_1": INTEGER})
    (tmp_path / "items").mkdir()
    table = pa.table([pa.array(["a"]), *(pa.array([n], pa.int32()) for n in (7, 8, 1))], ["key", "item", "item", "item_1"])  # fmt: skip
    pq.write_table(table, tmp_path / "items" / "part-0.parquet")
    with duckdb.connect() as connection:
        reading = read_export(connection, tmp_path, "parquet", [items], tmp_path / "private")
    assert list(broken(reading)) == [("items", "no declared column stands twice in a part file")]


def test_a_missing_column_is_named(export: Export) -> None:
    export.fill(PEOPLE)
    pq.write_table(arrow(PEOPLE).drop_columns("age_years"), export.folder() / "part-0.parquet")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "column age_years is in every part file")
    assert verdict.sample_keys == "part-0.parquet"
    assert (verdict.detail or "").startswith("part-0.parquet holds participant_id, registered_at")
    assert (verdict.detail or "").endswith(
        ", but not age_years (integer): if it has another name there, mapping.yml says which (docs/mapping.md)"
    )
    assert export.rows() == []


@pytest.mark.parametrize("theirs", ["Age", "AgeYears", "age_yrs", "years"])
def test_a_column_of_a_like_name_is_pointed_at(export: Export, theirs: str) -> None:
    """With the file that could say so; the second column that lacks does not list the file's columns again."""
    export.fill(PEOPLE)
    table = arrow(PEOPLE)
    table = table.rename_columns({"age_years": theirs, "sex": "3"})
    pq.write_table(table, export.folder() / "part-0.parquet")
    found = broken(export.read())
    assert (found["participants", "column age_years is in every part file"].detail or "").endswith(
        f", but not age_years (integer): if {theirs} is it, mapping.yml says so (docs/mapping.md)"
    )
    assert found["participants", "column sex is in every part file"].detail == "part-0.parquet lacks sex (varchar)"


def test_a_column_that_the_mapping_misses_is_told_by_its_name_there(export: Export) -> None:
    export.fill()
    (export.root / "mapping.yml").write_text("tables: {participants: {columns: {Alter: age_years}}}", encoding="utf-8")
    [verdict] = broken(export.read()).values()
    assert (verdict.detail or "").endswith(", but not age_years (integer): mapping.yml looks for Alter")


def test_no_answer_in_place_of_a_name_is_taken_for_one(export: Export) -> None:
    """A tool took the first row for the header: only words of the contract's own names are shown."""
    export.fill(PEOPLE)
    table = arrow(PEOPLE)
    answers = ["1", "5", MARK, "no", "id", "at"]
    pq.write_table(table.rename_columns(answers[: table.num_columns]), export.folder() / "part-0.parquet")
    said = [verdict.detail for verdict in broken(export.read()).values()]
    assert said[0] == (
        "part-0.parquet holds 6 columns of other names, but not participant_id (varchar): if it has another name there,"
        " mapping.yml says which (docs/mapping.md)"
    )
    assert said[1] == "part-0.parquet lacks registered_at (timestamp)"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "it is empty"),
        (b"not a parquet file, though it is long enough", "it does not begin as Parquet does"),
        (b"PAR1 and then no more", "it does not end as Parquet does: is it cut off?"),
        (b"PAR1" + bytes(40) + b"PAR1", "its Parquet footer is damaged, or of a kind that cannot be read"),
        (b"PARE" + bytes(40) + b"PARE", "it is encrypted Parquet"),
    ],
)
def test_a_file_that_is_no_parquet_is_named(export: Export, content: bytes, fault: str) -> None:
    export.fill()
    for name in ("part-1.parquet", "part-2.parquet"):
        pq.write_table(arrow(PEOPLE), export.folder() / name)
    (export.folder() / "part-1.parquet").write_bytes(content)
    reading = export.read()
    [(rule, verdict)] = broken(reading).items()
    assert rule == ("participants", "part files are readable")
    assert (verdict.unexpected, verdict.sample_keys) == (1, "part-1.parquet")
    assert verdict.detail == f"part-1.parquet: {fault}"
    faults = {row["file_name"]: row["fault"] for row in reading.part_files.to_pylist() if row["fault"]}
    assert faults == {"part-1.parquet": fault}
    assert export.rows() == []


def test_a_damaged_page_is_named(export: Export) -> None:
    export.fill(PEOPLE)
    pq.write_table(
        ages([20 + n for n in range(40)], pa.float64()),
        export.folder() / "part-0.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    path = export.folder() / "part-0.parquet"
    chunk = pq.read_metadata(path).row_group(0).column(2)
    content = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    content[middle : middle + 12] = bytes(range(12))
    path.write_bytes(content)
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "part files are readable")
    assert verdict.sample_keys == "part-0.parquet"
    assert export.rows() == []


def test_damage_that_only_a_reader_meets_can_be_traced(export: Export) -> None:
    """A column of the declared type is not read before the views are."""
    export.fill(SESSIONS)
    rows = arrow(SESSIONS)
    ids = pa.array([b"\xff\xfe%d" % n for n in range(len(rows))])
    not_utf8 = pa.Array.from_buffers(pa.string(), len(rows), ids.buffers())
    pq.write_table(rows.set_column(0, "session_id", not_utf8), export.folder(SESSIONS) / "part-1.parquet")
    pq.write_table(rows, export.folder(SESSIONS) / "part-0.parquet")
    reading = export.read()
    with pytest.raises(duckdb.Error):
        export.rows(SESSIONS)
    assert list(damaged_files(export.connection, reading.part_files)) == [("sessions", "part-1.parquet")]


# --- Where files lie and what they are called ---

NAMES = {
    "upper case": "PART-1.PARQUET",
    "parq": "part-1.parq",
    "pq": "part-1.Pq",
    "nested": "2021/q3/part-0.parquet",
    "hive": "month=2021-01/sex=male/part-0.parquet",
    "a folder like a file": "part-1.parquet/part-00000-abc.snappy.parquet",
    "spaces": "part 1 (copy).parquet",
    "a glob": "part-[a-z]*?.parquet",
    "a backslash": "part\\n1.parquet",
    "a line end": "part\n1.parquet",
    "quotes": "part '; drop schema raw cascade; -- \".parquet",
    "braces": "{{ 1 / 0 }} {a,b} %s.parquet",
    "other scripts": "患者 é.parquet",
    "a dash": "-rf.parquet",
    "a metadata folder": "metadata/part-1.parquet",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("root", ["raw", "r[a]w", "r\\a 'w"])
def test_every_part_file_is_read_wherever_it_lies(export: Export, name: str, root: str) -> None:
    export.root = export.root.with_name(root)
    export.fill(PEOPLE)
    pq.write_table(arrow(PEOPLE, rows_of(PEOPLE)[:25]), export.folder() / "part-0.parquet")
    path = export.folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(arrow(PEOPLE, rows_of(PEOPLE)[25:]), path)
    reading = export.read()
    assert_control(export, reading)
    shown = name.replace("\n", "\\n")
    assert export.query("select part_file, count(*) from raw.participants group by all order by all") == sorted(
        [("part-0.parquet", 25), (shown, 15)]
    )
    assert {row["file_name"] for row in reading.part_files.to_pylist() if row["table_name"] == "participants"} == {
        "part-0.parquet",
        shown,
    }


@pytest.mark.parametrize("name", ["part-1.csv.gz", "part-1.CSV.GZ", "2021/part-1.csv.zst", "part-1.Csv"])
def test_packed_csv_is_read(csv_export: Export, name: str) -> None:
    csv_export.fill(PEOPLE)
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines_of(PEOPLE, rows_of(PEOPLE)[:25])), encoding="utf-8")
    path = csv_export.folder() / name
    path.parent.mkdir(exist_ok=True)
    content = "\n".join(lines_of(PEOPLE, rows_of(PEOPLE)[25:])).encode()
    if name.lower().endswith("gz"):
        content = gzip.compress(content)
    elif name.endswith("zst"):
        content = pa.compress(content, "zstd", asbytes=True)
    path.write_bytes(content)
    assert_control(csv_export, csv_export.read())


@pytest.mark.parametrize(
    "name",
    [
        "_SUCCESS", ".part-0.parquet.crc", "part-0.parquet.crc", "._part-0.parquet", ".DS_Store", "README.md", "readme",
        "_committed_17", "_metadata", "_common_metadata", ".hidden", "Thumbs.db", ".ipynb_checkpoints/notes.txt",
        "_temporary/0/task.json", ".~lock.part-0.csv#",
    ],
)  # fmt: skip
def test_what_tools_leave_is_ignored(export: Export, name: str) -> None:
    export.fill()
    path = export.folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x00\x05\x16\x07Mac OS X" + bytes(200))
    reading = export.read()
    assert_control(export, reading)
    assert not broken(reading, "warning")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("_part-1.pq", "hidden by a name"),
        (".part-1.parquet", "hidden by a name"),
        ("._part-1.parquet", "hidden by a name"),
        ("_temporary/0/part-1.parquet", "hidden by a name"),
        (".ipynb_checkpoints/part-1-checkpoint.csv", "hidden by a name"),
        ("part-1.csv", "csv, and RAPPORT_RAW_FORMAT is parquet"),
        ("part-1.parquet.tmp", "*.tmp is not read"),
        ("part-1.csv.bz2", "*.bz2 is not read"),
        ("part-1.xlsx", "*.xlsx is not read"),
        ("part-1", "without an ending"),
        ("2021/notes.txt", "*.txt is not read"),
        ("_delta_log/00000000000000000000.json", "a Delta Lake table"),
        ("metadata/v1.metadata.json", "an Iceberg table"),
        (".hoodie/hoodie.properties", "a Hudi table"),
        ("_spark_metadata/0", "structured streaming"),
    ],
)
def test_nothing_is_left_out_in_silence(export: Export, name: str, reason: str) -> None:
    export.fill()
    path = export.folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "holds nothing but part files")
    assert verdict.unexpected == 1
    assert (verdict.sample_keys or "").split("/")[0] == name.split("/")[0]
    assert reason in (verdict.detail or "")
    if reason.startswith("a "):
        assert "export a snapshot" in (verdict.detail or "")


def test_a_folder_without_part_files_says_what_it_holds(export: Export) -> None:
    export.fill(PEOPLE)
    (export.folder() / "part-0.csv").write_text("\n".join(lines_of(PEOPLE)), encoding="utf-8")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "holds part files")
    assert "part-0.csv: csv, and RAPPORT_RAW_FORMAT is parquet" in (verdict.detail or "")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("erasure/", "erasures"), ("Erasures/", "erasures"), ("erased/", "erasures"), ("session/", "sessions"),
        ("Participants/", "participants"), ("ratings/", "alliance_ratings"), ("participants.parquet", "participants"),
        ("erasures.csv", "erasures"), ("mapping.yaml", "mapping.yml"), ("Mapping.yml", "mapping.yml"),
        ("sessions_old/", "sessions"),
    ],
)  # fmt: skip
def test_a_misspelt_name_beside_the_tables_is_named(export: Export, name: str, meant: str) -> None:
    export.fill()
    if name.endswith("/"):
        (export.root / name).mkdir()
    else:
        (export.root / name).write_bytes(b"")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("raw export", "no name beside the tables is misspelt")
    assert verdict.detail == f"{name.rstrip('/')} is not read: is it {meant}?"


def test_an_unknown_folder_beside_the_tables_is_a_warning(export: Export) -> None:
    export.fill()
    for name in ("archive", "_tmp", ".git"):
        (export.root / name).mkdir()
    (export.root / "README.md").write_text("a note", encoding="utf-8")
    (export.root / "LICENSE").write_text("a note", encoding="utf-8")
    reading = export.read()
    assert_control(export, reading)
    [verdict] = broken(reading, "warning").values()
    assert (verdict.rule, verdict.sample_keys) == ("holds only the tables' folders", "archive")


@pytest.mark.parametrize("of_folder", [False, True])
def test_a_link_is_followed_inside_the_export_only(export: Export, tmp_path: Path, of_folder: bool) -> None:
    export.fill(PEOPLE)
    rows = rows_of(PEOPLE)
    pq.write_table(arrow(PEOPLE, rows[:25]), export.folder() / "part-0.parquet")
    for store in (export.root / "_store", tmp_path / "elsewhere"):
        store.mkdir()
        pq.write_table(arrow(PEOPLE, rows[25:]), store / "part-1.parquet")
    link = export.folder() / ("late" if of_folder else "part-1.parquet")
    link.symlink_to("../_store" if of_folder else "../_store/part-1.parquet")
    assert_control(export, export.read())

    link.unlink()
    link.symlink_to(tmp_path / "elsewhere" if of_folder else tmp_path / "elsewhere" / "part-1.parquet")
    [verdict] = broken(export.read()).values()
    assert verdict.rule == ("holds nothing but part files" if of_folder else "part files are readable")
    assert verdict.sample_keys == link.name
    assert "a symbolic link that leaves the export" in (verdict.detail or "")


def test_a_table_folder_that_leaves_the_export_is_refused(export: Export, tmp_path: Path) -> None:
    export.fill()
    export.folder().rename(tmp_path / "elsewhere")
    export.folder().symlink_to(tmp_path / "elsewhere")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "folder exists")
    assert "leaves the export" in (verdict.detail or "")


def test_an_export_may_itself_be_a_link(export: Export, tmp_path: Path) -> None:
    export.fill()
    (tmp_path / "current").symlink_to(export.root)
    export.root = tmp_path / "current"
    assert_control(export, export.read())


def test_links_in_a_circle_end(export: Export) -> None:
    export.fill()
    (export.folder() / "again").symlink_to(".")
    [verdict] = broken(export.read()).values()
    assert verdict.detail == "a symbolic link that leads back to its own folder"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        server.bind(path.name)


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def make_name_not_utf8(path: Path) -> None:
    path.with_name(b"part-\xff.parquet".decode("utf-8", "surrogateescape")).write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (make_fifo, "it is no regular file but a FIFO"),
        (make_socket, "it is no regular file but a socket"),
        (make_dangling_link, "No such file or directory"),
        (make_name_not_utf8, "its name is not UTF-8"),
    ],
)
def test_what_is_no_file_is_refused_and_not_opened(export: Export, make: Callable[[Path], None], fault: str) -> None:
    export.fill()
    make(export.folder() / "part-1.parquet")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("participants", "part files are readable")
    assert fault in (verdict.detail or "")
    assert verdict.unexpected == 1


def test_a_device_is_refused(export: Export) -> None:
    export.fill()
    (export.folder() / "part-1.parquet").symlink_to("/dev/zero")
    [verdict] = broken(export.read()).values()
    assert "part-1.parquet: a symbolic link that leaves the export" in (verdict.detail or "")


def test_what_unpacks_to_too_much_is_refused(csv_export: Export) -> None:
    csv_export.fill()
    bomb = ",".join(PEOPLE.columns) + "\n" + "P1,,20,female,true,2021-11-01\n" * 200_000
    (csv_export.folder() / "part-1.csv.gz").write_bytes(gzip.compress(bomb.encode()))
    reading = csv_export.read(max_unpacked_bytes=1_000_000)
    [verdict] = broken(reading).values()
    assert verdict.detail == "part-1.csv.gz: it unpacks to more than max_unpacked_bytes (1000000)"
    assert not broken(csv_export.read())


def test_parquet_that_unpacks_to_too_much_is_refused(export: Export) -> None:
    export.fill(PEOPLE)
    rows = [dict(rows_of(PEOPLE)[1], participant_id=f"P{n}") for n in range(20_000)]
    pq.write_table(arrow(PEOPLE, rows), export.folder() / "part-0.parquet", compression="zstd")
    reading = export.read(max_unpacked_bytes=100_000)
    [verdict] = broken(reading).values()
    assert verdict.detail == "part-0.parquet: it unpacks to more than max_unpacked_bytes (100000)"


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_many_small_parts_need_few_open_files(export: Export, file_format: str) -> None:
    export.format = file_format
    export.fill(RATINGS)
    rows = [dict(rows_of(RATINGS)[1], rating_id=f"R{n}") for n in range(600)]
    for n, row in enumerate(rows):
        path = export.folder(RATINGS) / f"part-{n:04}.{file_format}"
        if file_format == "csv":
            path.write_text("\n".join(lines_of(RATINGS, [row])) + "\n", encoding="utf-8")
        else:
            pq.write_table(arrow(RATINGS, [row]), path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 200, hard))
    try:
        reading = export.read()
        assert not broken(reading)
        assert export.query("select count(*), count(distinct part_file) from raw.alliance_ratings") == [(600, 600)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- How CSV is written ---


def quoted(line: str) -> str:
    return ",".join(f'"{cell}"' for cell in line.split(","))


def indexed(lines: list[str], name: str) -> list[str]:
    return [name + "," + lines[0], *(f"{n},{line}" for n, line in enumerate(lines[1:]))]


DIALECTS: dict[str, Callable[[list[str]], str | bytes]] = {
    "line feeds": lambda lines: "\n".join(lines) + "\n",
    "no line end at the end": lambda lines: "\n".join(lines),
    "returns and line feeds": lambda lines: "\r\n".join(lines) + "\r\n",
    "returns": lambda lines: "\r".join(lines) + "\r",
    "two returns and a line feed": lambda lines: "\r\r\n".join(lines) + "\r\r\n",
    "two systems": lambda lines: "\r\n".join(lines[:20]) + "\r\n" + "\n".join(lines[20:]) + "\n",
    "three systems": lambda lines: "\r".join(lines[:9]) + "\r" + "\r\n".join(lines[9:20]) + "\n" + "\n".join(lines[20:]),
    "empty lines": lambda lines: "\n\n" + "\n\r\n".join(lines) + "\r\n\r\n",
    "byte order mark": lambda lines: b"\xef\xbb\xbf" + "\n".join(lines).encode(),
    "all quoted": lambda lines: "\n".join(map(quoted, lines)),
    "byte order mark and quotes": lambda lines: b"\xef\xbb\xbf" + "\r\n".join(map(quoted, lines)).encode(),
    "row numbers without a name": lambda lines: "\n".join(indexed(lines, "")),
    "row numbers under empty quotes": lambda lines: "\n".join(indexed(lines, '""')),
    "a comma at the end of every line": lambda lines: "".join(line + ",\n" for line in lines),
    "a comma at the end of the header": lambda lines: "\n".join([lines[0] + ",", *lines[1:]]),
    "commas at the end of some": lambda lines: "".join(
        line + ("," * (n % 3) if n else "") + "\n" for n, line in enumerate(lines)
    ),
    "commas at the end of late ones": lambda lines: "".join(line + ("," if n > 30 else "") + "\n" for n, line in enumerate(lines)),
    "twin extra columns": lambda lines: "".join(line + (",note,note" if not n else ",a,b") + "\n" for n, line in enumerate(lines)),
    "case twins": lambda lines: "".join(line + (",Note,note" if not n else ",a,b") + "\n" for n, line in enumerate(lines)),
    "a line that names the separator": lambda lines: "\n".join(["sep=,", *lines]),
    "a line that names another": lambda lines: "\r\n".join(["sep=;", *(line.replace(",", ";") for line in lines)]),
    "the same in quotes": lambda lines: "\n".join(['"sep=;"', *(line.replace(",", ";") for line in lines)]),
    "spaces after commas": lambda lines: "\n".join(line.replace(",", ", ") for line in lines),
    "spaces and quotes": lambda lines: "\n".join(quoted(line).replace(",", ",  ") for line in lines),
    "line ends in a field": lambda lines: "\n".join([lines[0] + ",note", *(line + ',"one\r\ntwo, ""three"""' for line in lines[1:])]),
    "other order": lambda lines: "\n".join(",".join(reversed(line.split(","))) for line in lines),
    "moments with T and Z": lambda lines: "\n".join([lines[0], *(line.replace(":00,", ":00Z,").replace(" ", "T") for line in lines[1:])]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("chunk", [None, 5])
def test_a_dialect_that_is_clear_is_read(
    csv_export: Export, monkeypatch: pytest.MonkeyPatch, name: str, chunk: int | None
) -> None:
    if chunk:
        monkeypatch.setattr(csv_text, "CHUNK_BYTES", chunk)
    csv_export.fill(PEOPLE)
    content = DIALECTS[name](lines_of(PEOPLE))
    content = content if isinstance(content, bytes) else content.encode()
    (csv_export.folder() / "part-0.csv").write_bytes(content)
    assert_control(csv_export, csv_export.read())


def test_line_numbers_are_those_of_an_editor(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    row = "P{},,20,female,true,2021-11-01,{}"
    content = "\n".join(
        ["\n" + lines_of(PEOPLE)[0] + ",note", row.format(1, '"two\nlines"'), "", row.format(2, "x"), row.format(3, "")]
    )
    (csv_export.folder() / "part-0.csv").write_text(content, encoding="utf-8")
    csv_export.read()
    assert csv_export.query("select line_number, row_number from raw.participants order by all") == [
        (3, 0),
        (6, 1),
        (7, 2),
    ]


def edited(number: int, change: Callable[[str], str]) -> Callable[[list[str]], str]:
    """The file with one line (from 1) changed."""

    def spoil(lines: list[str]) -> str:
        return "\n".join([*lines[: number - 1], change(lines[number - 1]), *lines[number:]])

    return spoil


CSV_FAULTS: dict[str, tuple[Callable[[list[str]], str | bytes], str]] = {
    "a field too many": (edited(9, lambda line: f"{line},{MARK}"), "line 9: 7 fields, where the header has 6"),
    "a field too few": (edited(9, lambda line: line.rsplit(",", 1)[0]), "line 9: 5 fields, where the header has 6"),
    "one field": (edited(9, lambda line: MARK), "line 9: 1 field, where the header has 6"),
    "a surplus field that is filled": (edited(9, lambda line: f"{line},,{MARK}"), "line 9: 8 fields"),
    "an open quote": (edited(9, lambda line: f'{line[:-1]},"{MARK}'), "line 9: a quote is never closed"),
    "a quote inside a field": (edited(9, lambda line: line.replace("P", f'P"{MARK}')), "line 9: a quote inside a field"),
    "text after a quote": (edited(9, lambda line: f'"{MARK}" {line}'), "line 9: a quote inside a field"),
    "Latin-1": (lambda lines: "\n".join([*lines[:8], "é" + lines[8], *lines[9:]]).encode("latin-1"), "line 9: it is not UTF-8"),
    "NUL": (edited(9, lambda line: line + "\0"), "line 9: a NUL byte"),
    "UTF-16": (lambda lines: "\n".join(lines).encode("utf-16"), "it is UTF-16, not UTF-8"),
    "nothing": (lambda lines: b"", "no header row"),
    "empty lines": (lambda lines: b"\n\r\n", "no header row"),
    "two files in one": (
        edited(9, lambda line: "\ufeff" + line), "line 9: a byte order mark inside the file",
    ),
    "Parquet": (lambda lines: b"PAR1" + bytes(40), "it is a Parquet file by its content"),
    "a spreadsheet": (lambda lines: b"PK\x03\x04" + bytes(40), "it is a ZIP archive"),
    "gzip": (lambda lines: gzip.compress(b"xyz" * 9), "it is packed by gzip: name it .csv.gz"),
    "an odd separator line": (lambda lines: "\n".join(["sep=#", *lines]), "line 1: its sep= line"),
}  # fmt: skip


@pytest.mark.parametrize("name", CSV_FAULTS)
def test_a_broken_csv_file_is_named_with_its_line(csv_export: Export, name: str) -> None:
    spoil, fault = CSV_FAULTS[name]
    csv_export.fill()
    content = spoil(lines_of(PEOPLE))
    content = content if isinstance(content, bytes) else content.encode()
    (csv_export.folder() / "part-1.csv").write_bytes(content)
    reading = csv_export.read()
    [(rule, verdict)] = broken(reading).items()
    assert rule == ("participants", "part files are readable")
    assert (verdict.unexpected, verdict.sample_keys) == (1, "part-1.csv")
    assert f"part-1.csv: {fault}" in (verdict.detail or "")
    assert MARK not in messages(reading)
    assert csv_export.rows() == []


@pytest.mark.parametrize("packing", ["gz", "zst"])
@pytest.mark.parametrize("how", ["cut off", "not packed"])
def test_damaged_packing_is_named(csv_export: Export, packing: str, how: str) -> None:
    csv_export.fill()
    content = "\n".join(lines_of(PEOPLE)).encode()
    packed = gzip.compress(content) if packing == "gz" else pa.compress(content, "zstd", asbytes=True)
    (csv_export.folder() / f"part-1.csv.{packing}").write_bytes(packed[:-12] if how == "cut off" else content)
    [verdict] = broken(csv_export.read()).values()
    fault = "its packed content is damaged or cut off"
    if (packing, how) == ("gz", "not packed"):
        fault = "it is not packed with gzip, as its name says; unpacked text ends in .csv"
    assert verdict.detail == f"part-1.csv.{packing}: {fault}"


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "pipe")])
def test_another_separator_is_named_with_the_way_out(csv_export: Export, mark: str, name: str) -> None:
    csv_export.fill(PEOPLE)
    content = "\n".join(line.replace(",", mark) for line in lines_of(PEOPLE))
    (csv_export.folder() / "part-0.csv").write_text(content, encoding="utf-8")
    reading = csv_export.read()
    assert set(broken(reading)) == {
        ("participants", f"column {column} is in every part file") for column in PEOPLE.columns
    }
    said = [verdict.detail for verdict in broken(reading).values() if verdict.detail]
    assert said == [
        f"part-0.csv: its columns are separated by {name}, not by comma: say so as delimiter in mapping.yml (docs/mapping.md)"
    ]


@pytest.mark.parametrize(
    "header", ["PARTICIPANT_ID,registered_at ,age_years", "participant_id ,Registered_at,age_years"]
)
def test_names_written_otherwise_are_counted_and_not_taken(csv_export: Export, header: str) -> None:
    csv_export.fill(PEOPLE)
    lines = lines_of(PEOPLE)
    lines[0] = lines[0].replace("participant_id,registered_at,age_years", header)
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    verdicts = broken(csv_export.read())
    assert set(verdicts) == {
        ("participants", f"column {column} is in every part file") for column in ("participant_id", "registered_at")
    }
    assert "6 fields, 4 of 6 declared names and 2 with spaces or in another case" in messages(csv_export.read())


def test_a_file_without_a_header_keeps_its_first_row_to_itself(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    lines = [f"P1,,{MARK},female,true,2021-11-01", *lines_of(PEOPLE)[1:]]
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    reading = csv_export.read()
    assert len(broken(reading)) == len(PEOPLE.columns)
    assert MARK not in messages(reading)
    assert "its first row has 6 fields and none of the declared names" in messages(reading)


@pytest.mark.parametrize("twin", ["age_years", "AGE_YEARS"])
def test_a_declared_csv_column_that_stands_twice_is_refused(csv_export: Export, twin: str) -> None:
    csv_export.fill(PEOPLE)
    lines = [line + ("," + (twin if not n else MARK)) for n, line in enumerate(lines_of(PEOPLE))]
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    [(rule, verdict)] = broken(csv_export.read()).items()
    assert rule == ("participants", "no declared column stands twice in a part file")
    assert verdict.sample_keys == "part-0.csv"


def test_a_header_in_the_middle_is_unreadable_values(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    lines = lines_of(PEOPLE)
    (csv_export.folder() / "part-0.csv").write_text("\n".join([*lines[:5], lines[0], *lines[5:]]), encoding="utf-8")
    verdicts = broken(csv_export.read())
    assert {rule for _, rule in verdicts} == {
        f"{column} is {type_}" for column, type_ in PEOPLE.columns.items() if type_ != VARCHAR
    }
    assert {verdict.sample_keys for verdict in verdicts.values()} == {"participant_id (part-0.csv line 6)"}


def test_parts_of_many_chunks_are_read_whole(csv_export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "CHUNK_BYTES", 1 << 16)
    csv_export.fill(PEOPLE)
    count = 120_000
    body = "".join(f"P{n},2021-01-01 10:00:00,{n % 90},female,true,2021-11-01 03:00:00\n" for n in range(count))
    (csv_export.folder() / "part-0.csv").write_text(lines_of(PEOPLE)[0] + "\n" + body, encoding="utf-8")
    assert not broken(csv_export.read())
    assert csv_export.query(
        "select count(*), count(distinct participant_id), max(row_number), max(line_number), sum(age_years),"
        " bool_and(line_number = row_number + 2) from raw.participants"
    ) == [(count, count, count - 1, count + 1, sum(n % 90 for n in range(count)), True)]


# --- mapping.yml ---

MAPPING = """\
delimiter: ";"
decimal: ","
tables:
  participants:
    columns:
      Kennung: participant_id
      Geschlecht: sex
    values:
      sex: {W: female, M: male, nonbinary: null, NO: female, "1": male}
      employer_sponsored: {ja: "true", nein: "false"}
      age_years: {"-9": null}
  sessions:
    delimiter: tab
"""


def test_a_mapping_says_how_an_export_differs(csv_export: Export) -> None:
    csv_export.fill(PEOPLE, SESSIONS, RATINGS)
    (csv_export.root / "mapping.yml").write_text(MAPPING, encoding="utf-8")
    lines = [
        "Kennung;registered_at;age_years;Geschlecht;employer_sponsored;loaded_at",
        "P1;;33,0;W;ja;2021-11-01",
        "P2;;34;M;nein;2021-11-01",
        "P3;;-9;nonbinary;true;2021-11-01",
        "P4;;36;NO;ja;2021-11-01",
        "P5;;37;1;ja;2021-11-01",
        "P6;;38;;ja;2021-11-01",
    ]
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    for table, mark in ((SESSIONS, "\t"), (RATINGS, ";")):
        content = "\n".join(line.replace(",", mark) for line in lines_of(table))
        (csv_export.folder(table) / "part-0.csv").write_text(content, encoding="utf-8")
    reading = csv_export.read()
    assert not broken(reading), messages(reading)
    assert csv_export.query("select participant_id, age_years, sex, employer_sponsored from raw.participants order by 1") == [
        ("P1", 33, "female", True),
        ("P2", 34, "male", False),
        ("P3", None, None, True),
        ("P4", 36, "female", True),
        ("P5", 37, "male", True),
        ("P6", 38, None, True),
    ]  # fmt: skip
    assert csv_export.rows(SESSIONS) == control(SESSIONS)
    assert csv_export.rows(RATINGS) == control(RATINGS)
    assert len(reading.mapping_sha256 or "") == 64


def test_the_documented_mapping_reads_the_documented_file(tmp_path: Path) -> None:
    page = (ROOT / "docs/mapping.md").read_text(encoding="utf-8")
    lines, mapping = (
        block.split("```")[0]
        for block in page.split("## mapping.yml")[1].replace("```yaml", "```").split("```\n")[1:4:2]
    )
    columns = {**PEOPLE.columns, "country_code": VARCHAR}
    people = DeclaredTable("participants", "participant_id", columns)
    (tmp_path / "raw" / "participants").mkdir(parents=True)
    (tmp_path / "raw" / "participants" / "part-0.csv").write_text(lines, encoding="utf-8")
    (tmp_path / "raw" / "mapping.yml").write_text(mapping, encoding="utf-8")
    with duckdb.connect() as connection:
        reading = read_export(connection, tmp_path / "raw", "csv", [people, SESSIONS], tmp_path / "private")
        assert set(broken(reading)) == {("sessions", "folder exists")}
        rows = connection.execute(
            "select participant_id, registered_at, age_years, sex, country_code, employer_sponsored from raw.participants order by 1"
        ).fetchall()
    assert rows == [
        ("P0001", dt.datetime(2021, 3, 1, 9, 30), 34, "female", "DE", True),
        ("P0002", dt.datetime(2021, 3, 2, 17, 5), None, None, None, False),
    ]


def test_a_mapping_holds_for_parquet_too(export: Export) -> None:
    export.fill(PEOPLE)
    (export.root / "mapping.yml").write_text(
        "tables:\n  participants:\n    columns: {Geschlecht: sex}\n    values:\n"
        "      sex: {'1': female, '2': male}\n      employer_sponsored: {J: 'true', N: 'false'}\n"
        "      age_years: {'-9': null}\n      registered_at: {'1900-01-01 00:00:00': null}\n",
        encoding="utf-8",
    )
    rows = rows_of(PEOPLE)
    table = pa.table(
        {
            "participant_id": pa.array([row["participant_id"] for row in rows]),
            "registered_at": pa.array([row["registered_at"] or dt.datetime(1900, 1, 1) for row in rows], pa.timestamp("us")),
            "age_years": pa.array([float(row["age_years"]) for row in rows[:-1]] + [-9.0]),
            "Geschlecht": pa.array([{"female": 1.0, "male": 2.0, None: None}[row["sex"]] for row in rows]),
            "employer_sponsored": pa.array(["J" if row["employer_sponsored"] else "N" for row in rows]),
            "loaded_at": pa.array([row["loaded_at"] for row in rows], pa.timestamp("us")),
        }
    )  # fmt: skip
    pq.write_table(table, export.folder() / "part-0.parquet")
    assert not broken(export.read())
    expected = control()
    assert export.rows() == [*expected[:-1], (*expected[-1][:2], None, *expected[-1][3:])]


def test_a_word_that_is_not_mapped_stays_as_it_is(csv_export: Export) -> None:
    csv_export.fill(PEOPLE)
    (csv_export.root / "mapping.yml").write_text("tables: {participants: {values: {sex: {M: male}}}}", encoding="utf-8")
    lines = [lines_of(PEOPLE)[0], "P1,,20,M,true,2021-11-01", "P2,,20,m,true,2021-11-01", "P3,,20,female,ja,2021-11-01"]
    (csv_export.folder() / "part-0.csv").write_text("\n".join(lines), encoding="utf-8")
    assert list(broken(csv_export.read())) == [("participants", "employer_sponsored is boolean")]
    assert csv_export.query("select sex from raw.participants order by participant_id") == [
        ("male",),
        ("m",),
        ("female",),
    ]


MAPPING_FAULTS = {
    "an unknown setting": ("delimeter: ';'", "line 1: the file: 'delimeter' is unknown (did you mean delimiter?)"),
    "an unknown delimiter": ("\ndelimiter: '#'", "line 2: delimiter: allowed are"),
    "an unknown decimal sign": ("decimal: x", 'line 1: decimal: allowed are "." and ","'),
    "one mark for two": (
        "delimiter: ','\ndecimal: ','\ntables: {sessions: {}}",
        "delimiter and decimal are both a comma",
    ),
    "an unknown table": ("tables:\n  session: {}", "line 2: tables: 'session' is unknown (did you mean sessions?)"),
    "an unknown section": ("tables:\n  sessions:\n    column: {}", "line 3: "),
    "an unknown column": (
        "tables:\n  sessions:\n    columns:\n      start: start_at",
        "line 4: tables.sessions.columns.start: 'start_at' is unknown (did you mean started_at?)",
    ),
    "two columns of one name": (
        "tables:\n  sessions:\n    columns: {a: started_at, b: started_at}",
        "two columns are named started_at",
    ),
    "a name given away": (
        "tables:\n  sessions:\n    columns: {started_at: loaded_at}",
        "started_at is renamed, and no column is named started_at",
    ),
    "values of an unknown column": ("tables: {participants: {values: {gender: {}}}}", "'gender' is unknown"),
    "values of a key": (
        "tables: {participants: {values: {participant_id: {a: b}}}}",
        "a key cannot be mapped to another",
    ),
    "a list": ("- a", "the file: a list of `name: value` is expected"),
    "a list of values": ("tables: {participants: {values: {sex: [M, male]}}}", "is expected"),
    "a nested value": ("tables: {participants: {values: {sex: {M: [male]}}}}", "a value must be a text or null"),
    "one name twice": ("tables: {participants: {values: {sex: {M: male, M: female}}}}", "'M' stands twice"),
    "null as a name": ("tables: {participants: {values: {sex: {null: male}}}}", "put it in quotation marks"),
    "no YAML": ("tables: {", "line 1: no valid YAML"),
    "control characters": ("tables: \x07", "no valid YAML"),
    "Latin-1": ("# caf\udce9", "line 1: it is not UTF-8"),
}


@pytest.mark.parametrize("name", MAPPING_FAULTS)
def test_a_mapping_that_says_nothing_clear_is_refused(export: Export, name: str) -> None:
    content, fault = MAPPING_FAULTS[name]
    export.fill()
    (export.root / "mapping.yml").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(MappingError) as caught:
        read_mapping(export.root / "mapping.yml", [*TABLES, ERASURE_LIST])
    assert fault in str(caught.value)
    reading = export.read()
    [(rule, verdict)] = broken(reading).items()
    assert rule == ("raw export", "mapping.yml can be used")
    assert verdict.detail == str(caught.value)
    assert export.rows() == []


def test_an_empty_mapping_changes_nothing(export: Export) -> None:
    export.fill()
    (export.root / "mapping.yml").write_text("# nothing yet\n", encoding="utf-8")
    assert_control(export, export.read())


# --- Erasures ---


def erase(export: Export, content: str | bytes, name: str = "list.csv") -> None:
    (export.root / "erasures").mkdir(exist_ok=True)
    path = export.root / "erasures" / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_ids_of_the_list_are_trimmed(export: Export) -> None:
    export.fill()
    erase(export, '\ufeffparticipant_id\r\n P001 \r\n"P002\t"\r\n\ufeffP003\u00a0\r\n\r\n \r\n', "List.CSV")
    pq.write_table(pa.table({"participant_id": ["P004 ", None]}), export.root / "erasures" / "list.parquet")
    reading = export.read()
    assert_control(export, reading)
    assert export.query("select participant_id, part_file, line_number from raw.erasures order by 1") == [
        ("P001", "List.CSV", 2),
        ("P002", "List.CSV", 3),
        ("P003", "List.CSV", 4),
        ("P004", "list.parquet", None),
    ]
    assert not broken(reading, "warning")


def test_the_hash_of_the_list_is_kept_apart(export: Export) -> None:
    """The hash of a list of one id is found by trying ids."""
    export.fill()
    erase(export, "participant_id\nP001\n")
    reading = export.read()
    assert set(reading.part_files["table_name"].to_pylist()) == {table.name for table in TABLES}
    assert reading.erasure_files is not None
    assert list(changed_files(reading.erasure_files)) == []
    erase(export, "participant_id\nP002\n")
    assert list(changed_files(reading.erasure_files)) == [("erasures", "list.csv")]


def test_a_list_that_changes_while_it_is_read_closes_the_gate_and_its_hash_is_nowhere(
    small_export: Path, tmp_path: Path
) -> None:
    folder, sources = tmp_path / "raw", ROOT / "models/raw/_raw__sources.yml"
    shutil.copytree(small_export, folder)
    (folder / "erasures").mkdir()
    path = folder / "erasures" / "list.csv"
    path.write_text("participant_id\nP000000001\n", encoding="utf-8")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        warehouse.read_into_warehouse(connection, "build", folder, "parquet", sources, on_bad_rows="stop")
        stored = connection.sql("from raw.part_files").to_arrow_table()
        assert "erasures" not in stored["table_name"].to_pylist()
        [still] = warehouse.files_stood_still(stored, "candidates").to_pylist()
        assert (still["passed"], still["evaluated"]) == (True, len(stored) + 1)
        path.write_text("participant_id\nP000000002\n", encoding="utf-8")
        [still] = warehouse.files_stood_still(stored, "candidates").to_pylist()
        assert (still["passed"], still["severity"], still["sample_keys"]) == (False, "critical", "erasures/list.csv")
    warehouse.remove_workspaces()
    digest = hashlib.sha256(b"participant_id\nP000000001\n").hexdigest().encode()
    assert digest not in (tmp_path / "x.duckdb").read_bytes()


def test_ids_that_match_nobody_are_a_warning_without_the_id(export: Export) -> None:
    export.fill()
    erase(export, "note,participant_id\nx,P001\nx,p002\nx,SECRET9\n")
    reading = export.read()
    [(rule, verdict)] = broken(reading, "warning").items()
    assert rule == ("erasures", "every id is one of the export")
    assert (verdict.evaluated, verdict.unexpected) == (3, 2)
    assert verdict.sample_keys == "list.csv line 3, list.csv line 4"
    assert "SECRET9" not in messages(reading)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("list.txt", b"P1", "holds nothing but part files"),
        ("_list.csv", b"participant_id\nP1", "holds nothing but part files"),
        (".list.csv", b"participant_id\nP1", "holds nothing but part files"),
        ("list.parquet", b"P1", "part files are readable and hold participant_id"),
        ("list.csv", b"P001\nP002", "part files are readable and hold participant_id"),
        ("list.csv", b"participant_id\nP001,P002", "part files are readable and hold participant_id"),
        ("list.csv", b"participant_id;note\nP001;x", "part files are readable and hold participant_id"),
    ],
)
def test_a_list_that_would_be_overlooked_stops(export: Export, name: str, content: bytes, rule: str) -> None:
    export.fill()
    erase(export, content, name)
    reading = export.read()
    [(broken_rule, verdict)] = broken(reading).items()
    assert broken_rule == ("erasures", rule)
    assert verdict.sample_keys == name
    assert "P001" not in messages(reading)


def test_a_list_of_fractions_stops(export: Export) -> None:
    export.fill()
    erase(export, "participant_id\nP001\n")
    pq.write_table(pa.table({"participant_id": [1.0]}), export.root / "erasures" / "list.parquet")
    [(rule, verdict)] = broken(export.read()).items()
    assert rule == ("erasures", "participant_id is varchar")
    assert verdict.sample_keys == "list.parquet"


@pytest.mark.parametrize("make", [make_fifo, make_dangling_link])
def test_a_list_that_is_no_file_stops(export: Export, make: Callable[[Path], None]) -> None:
    export.fill()
    erase(export, "participant_id\nP001\n")
    make(export.root / "erasures" / "more.csv")
    assert list(broken(export.read())) == [("erasures", "part files are readable and hold participant_id")]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_no_verdict_names_a_row_of_an_erased_person(export: Export, file_format: str) -> None:
    export.format = file_format
    export.fill(PEOPLE, RATINGS)
    people, ratings = rows_of(PEOPLE), rows_of(RATINGS)
    for n in (5, 6):
        people[n]["age_years"] = ratings[n]["bond_item"] = 3.5
    for table, rows, column in ((PEOPLE, people, "age_years"), (RATINGS, ratings, "bond_item")):
        if file_format == "csv":
            content = "\n".join(lines_of(table, rows))
            (export.folder(table) / "part-0.csv").write_text(content, encoding="utf-8")
        else:
            pq.write_table(arrow(table, rows, **{column: pa.float64()}), export.folder(table) / "part-0.parquet")
    erase(export, "participant_id\nP005\n")
    reading = export.read()
    verdicts = list(broken(reading).values())
    assert [verdict.unexpected for verdict in verdicts] == [1, 1]
    assert [(verdict.sample_keys or "")[:4] for verdict in verdicts] == ["P006", "R006"]
    assert "005" not in messages(reading)


# --- Messages ---


def test_keys_stay_readable_and_controls_are_escaped() -> None:
    assert join_keys(["José", "患者-✓", "a b"]) == "José, 患者-✓, a b"
    assert join_keys(["a\nb", "\x1b[31m", "\x9b", "\u202eabc", "\u2066x", "\u200f", "\u2028", "\x7f"][:5]) == (
        "a\\nb, \\x1b[31m, \\x9b, \\u202eabc, \\u2066x"
    )
    assert join_keys(["\u200f", "\u2028", "\x7f", "\udcff", None]) == "\\u200f, \\u2028, \\x7f, \\udcff, (no key)"


# --- Codings that pass every rule and are likely to be another's ---


def warning_of(table: str, rule: str, rows: str) -> tuple[bool, int | None]:
    """The verdict of one rule of the project's suites on rows given as SQL, and how many rows it objects to."""
    [suite] = [suite for suite in load_suites(ROOT / "expectations/raw") if suite.label == table]
    with duckdb.connect() as connection:
        connection.execute("create schema judged")
        connection.execute(f"create table judged.rows as {rows}")
        chosen = copy.deepcopy(suite.expectations)
        chosen.expectations = [item for item in chosen.expectations if item.meta["rule"] == rule]
        alone = replace(suite, schema="judged", table="rows", repeated=None, expectations=chosen)
        [verdict] = judge(connection, [alone])
    assert verdict.severity == "warning"
    return verdict.passed, verdict.unexpected


@pytest.mark.parametrize(
    ("count", "low", "high", "objects"),
    [
        (200, 1, 5, 1),  # a thousand answers and no 0
        (199, 1, 5, 0),
        (200, 0, 5, 0),
        (6, 1, 6, 1),  # the sixth row answers 6
    ],
)
def test_items_that_look_coded_1_to_6_are_a_warning(count: int, low: int, high: int, objects: int) -> None:
    items = ", ".join(f"({low} + n % {high - low + 1})::integer as item_{i}" for i in range(1, 6))
    rows = f"select 'A' || n as assessment_id, 'p' as part_file, n as row_number, {items} from range({count}) as t(n)"
    found = warning_of("who5_assessments", "items look coded 0 to 5, not 1 to 6", rows)
    assert found == (objects == 0, objects)


def test_a_country_that_may_be_a_missing_value_is_a_warning() -> None:
    rows = "select *, 'p' as part_file, 0 as row_number from (values ('P1', 'NA'), ('P2', 'DE'), ('P3', null)) as t(participant_id, country_code)"
    rule = "country_code NA means Namibia, not a missing value written by R"
    assert warning_of("participants", rule, rows) == (False, 1)
