"""Whole builds of exports as other tools and hands write them: the control's marts, or a stop that names table and file.

`test_reading_files.py` has each peculiarity by itself; here several of one export go from its files to the marts.
"""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import MARTS, ROOT, Warehouse
from test_bad_exports import KEYS, csv_copy

from rapport.contracts.check import check_export
from rapport.demo import write_demo_export

ABOUT_THE_FILES = {"source_summary", "build_parameters"}
"""What tells of files and settings, and not of people."""

UTC = pa.timestamp("ns", "UTC")
ORDER = ("participants", "who5_assessments", "sessions", "alliance_ratings")


def findings(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """Every published table about people, to the last bit."""
    return {name: rows for name, rows in warehouse.marts().items() if name not in ABOUT_THE_FILES}


def taken(warehouse: Warehouse, table: str) -> list[pa.Table]:
    """The part files of a table as Arrow, which are removed."""
    found = []
    for path in sorted((warehouse.raw / table).glob("*.parquet")):
        found.append(pq.read_table(path))
        path.unlink()
    return found


def put(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def cast(rows: pa.Table, **types: pa.DataType) -> pa.Table:
    """The same values in columns of other types."""
    for name, type_ in types.items():
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(type_))
    return rows


def broken_rules(warehouse: Warehouse) -> set[tuple[object, ...]]:
    """Critical rules that the last build found broken."""
    return set(
        warehouse.query(
            "select table_name, rule, unexpected, sample_keys, detail from audit.validation_results"
            " where not passed and severity = 'critical'"
            " and build_id = (select arg_max(build_id, build_number) from ops.builds)"
        )
    )


# --- Exports that are read ---


@pytest.mark.builds
def test_parquet_as_other_tools_write_it_gives_the_same_marts(built: Warehouse) -> None:
    control, raw = findings(built), built.raw
    # pandas: zoned nanoseconds, an index, floats beside missing values; 999 nanoseconds are cut off, not rounded up.
    for number, rows in enumerate(taken(built, "sessions")):
        later = pc.add(rows["started_at"].cast(pa.timestamp("ns")).cast(pa.int64()), 999).cast(pa.timestamp("ns"))
        rows = rows.set_column(rows.column_names.index("started_at"), "started_at", later.cast(UTC))
        rows = cast(rows, loaded_at=UTC, duration_minutes=pa.float64())
        rows = rows.append_column("__index_level_0__", pa.array(range(len(rows))))
        put(rows, raw / "sessions" / f"month=2021-0{number + 1}" / "provider_type=nobody" / "part-0.PARQUET")
    # An empty part whose columns are text beside whole numbers as floats, and each part of another width.
    items = [f"item_{number}" for number in range(1, 6)]
    parts = taken(built, "who5_assessments")
    for number, (rows, width) in enumerate(zip(parts, (pa.float64(), pa.int64(), pa.int8()), strict=True)):
        put(cast(rows, **dict.fromkeys(items, width)), raw / "who5_assessments" / f"part-{number}.parquet")
    put(
        cast(parts[0].slice(0, 0), **dict.fromkeys(items, pa.string())),
        raw / "who5_assessments" / "part-9.parquet",
    )
    for number, rows in enumerate(taken(built, "participants")):
        rows = cast(rows, registered_at=pa.timestamp("ms") if number else pa.timestamp("us", "UTC"))
        rows = rows.append_column("filename", pa.array(["x"] * len(rows)))
        put(rows, raw / "participants" / "2021" / f"q{number}" / "people\\n 'of' 患者.pq")
    for number, rows in enumerate(taken(built, "alliance_ratings")):
        put(rows.select(rows.column_names[::-1]), raw / "alliance_ratings" / f"PART {number}\n[a-z]*.Parq")
    for name in ("_SUCCESS", ".part-0.parquet.crc", "README.md"):
        (raw / "sessions" / name).write_bytes(b"")
    (raw / "sessions" / "._part-0.parquet").write_bytes(b"\x00\x05\x16\x07 a note of macOS")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert findings(built) == control


MAPPING = """\
delimiter: ";"
decimal: ","
tables:
  participants:
    columns: {Kennung: participant_id, Geschlecht: sex, Land: country_code}
    values:
      sex: {W: female, M: male, divers: null}
      employer_sponsored: {ja: "true", nein: "false"}
  alliance_ratings:
    delimiter: tab
"""


def write(path: Path, lines: Sequence[str], ends: Sequence[str] = ("\n",)) -> None:
    """Lines whose ends take turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + ends[number % len(ends)] for number, line in enumerate(lines)).encode())


def test_csv_with_a_mapping_gives_the_same_marts(built: Warehouse) -> None:
    control, raw = findings(built), built.raw
    csv_copy(built)
    (raw / "mapping.yml").write_text(MAPPING, encoding="utf-8")
    texts = {
        table: [path.read_text(encoding="utf-8").splitlines() for path in sorted((raw / table).glob("*.csv"))]
        for table in ORDER
    }
    for table in ORDER:
        for path in (raw / table).glob("*.csv"):
            path.unlink()
    # Renamed columns, other words, whole numbers with a decimal comma, gzip.
    for number, (_, *lines) in enumerate(texts["participants"]):
        rewritten = ["Kennung;registered_at;age_years;Geschlecht;Land;employer_sponsored;loaded_at"]
        for line in lines:
            key, registered, age, sex, country, sponsored, loaded = line.split(",")
            sex = {"female": "W", "male": "M", "": "divers"}[sex]
            rewritten.append(
                f"{key};{registered};{age},0;{sex};{country};{'ja' if sponsored == 'true' else 'nein'};{loaded}"
            )
        (raw / "participants" / f"part-{number}.CSV.GZ").write_bytes(
            gzip.compress(("\r\n".join(rewritten) + "\r\n").encode())
        )
    # zstd, a byte order mark, and times of another zone.
    for number, (header, *lines) in enumerate(texts["who5_assessments"]):
        rewritten = [header.replace(",", ";")]
        with duckdb.connect() as connection:
            for line in lines:
                fields = line.split(",")
                [(local,)] = connection.execute(
                    "select strftime(?::timestamp + interval 330 minute, '%Y-%m-%dT%H:%M:%S.%f')", [fields[2]]
                ).fetchall()
                fields[2] = f"{local}+05:30"
                fields[-1] = fields[-1].replace(" ", "T") + "Z"
                rewritten.append(";".join(fields))
        folder = raw / "who5_assessments" / "2021"
        folder.mkdir(exist_ok=True)
        packed = pa.compress("\ufeff".encode() + "\n".join(rewritten).encode(), codec="zstd", asbytes=True)
        (folder / f"part-{number}.csv.zst").write_bytes(packed)
    # An unnamed index, a separator line of a spreadsheet, line ends of three systems in one file.
    for number, (header, *lines) in enumerate(texts["sessions"]):
        rewritten = ['"sep=;"', ";" + header.replace(",", ";")]
        rewritten += [f"{place};" + line.replace(",", ";") for place, line in enumerate(lines)]
        write(raw / "sessions" / f"part-{number}.csv", rewritten, ("\n", "\r\n", "\r"))
    # Very many small parts, with surplus delimiters in blocks.
    rows = [line for _, *lines in texts["alliance_ratings"] for line in lines]
    header = texts["alliance_ratings"][0][0].replace(",", "\t")
    for number in range(1200):
        share = [line.replace(",", "\t") + "\t" * (place // 2 % 3) for place, line in enumerate(rows[number::1200])]
        write(raw / "alliance_ratings" / f"part-{number:04}.csv", [header, *share])
    outcome = built.run()
    assert outcome.success, outcome.output
    assert findings(built) == control
    assert built.query("select length(mapping_sha256) from ops.builds order by build_number desc limit 1") == [(64,)]


@pytest.mark.builds
def test_a_correction_that_cannot_be_dated_waits_and_the_row_before_it_stands(built: Warehouse, tmp_path: Path) -> None:
    control = findings(built)
    csv_copy(built)
    built.target = tmp_path / "target"  # other vars: a parse of its own, the shared one stays
    path = sorted((built.raw / "sessions").glob("*.csv"))[0]
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    late = [line.rsplit(",", 1)[0].replace(",completed,", ",no_show,") for line in lines[:3]]
    dates = ("22/01/21 10:00", "2022-01-21 24:00:00", "2022-01-21 11:30 BST")
    write(
        path.with_name("corrections.csv"), [header, *(f"{line},{date}" for line, date in zip(late, dates, strict=True))]
    )
    outcome = built.run("--vars", "{on_bad_rows: quarantine}")
    assert outcome.success, outcome.output
    assert built.query(
        "select part_file, line_number, rules like '%values are of the declared types%' from quarantine.quarantined_rows order by all"
    ) == [("corrections.csv", line, True) for line in (2, 3, 4)]
    assert findings(built).keys() == control.keys()
    flow = "select step, criterion, participants, excluded from marts.eligibility_flow order by step"
    found = findings(built)
    assert built.query(flow) == [tuple(row[:4]) for row in sorted(control["eligibility_flow"])]
    for name in ("analysis_cohort", "table_1", "inference_results", "model_fit"):
        assert found[name] == control[name], name


# --- Exports that are not ---


def test_parquet_that_would_be_read_as_something_else_stops(built: Warehouse) -> None:
    raw = built.raw
    [*_, rows] = taken(built, "alliance_ratings")
    values = [3.5] + [float(item) if item is not None else None for item in rows["bond_item"].to_pylist()[1:]]
    fraction = rows.set_column(rows.column_names.index("bond_item"), "bond_item", pa.array(values, pa.float64()))
    put(fraction, raw / "alliance_ratings" / "part-1.parquet")
    put(cast(rows.slice(0, 0), bond_item=pa.string()), raw / "alliance_ratings" / "part-0.parquet")
    path = sorted((raw / "sessions").glob("*.parquet"))[0]
    rows = pq.read_table(path)
    put(rows.append_column("STATUS", rows["status"]), path)
    (raw / "who5_assessments" / "_delta_log").mkdir()
    (raw / "who5_assessments" / "_delta_log" / "00000000000000000000.json").write_text("{}")
    (raw / "participants" / "more.csv").write_text("participant_id\nP1\n")
    (raw / "erasure").mkdir()
    outcome = built.run()
    assert not outcome.success
    for message in (
        "alliance_ratings: bond_item is integer (1 failing), for example R",
        f"sessions: no declared column stands twice in a part file (1 failing), for example {path.name} - status",
        "who5_assessments: holds nothing but part files (1 failing), for example _delta_log - a Delta Lake table",
        "participants: holds nothing but part files (1 failing), for example more.csv - csv, and RAPPORT_RAW_FORMAT is parquet",
        "raw export: no name beside the tables is misspelt (1 failing), for example erasure - erasure is not read: is it erasures?",
    ):
        assert message in outcome.output, outcome.output[-3000:]
    assert len(broken_rules(built)) == 5


@pytest.mark.builds
def test_csv_that_only_looks_valid_stops_and_the_check_says_the_same(built: Warehouse) -> None:
    csv_copy(built)

    def edit(table: str, column: str, texts: Sequence[str]) -> None:
        path = sorted((built.raw / table).glob("*.csv"))[0]
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        place = header.split(",").index(column)
        for number, text in enumerate(texts):
            fields = lines[number].split(",")
            lines[number] = ",".join([*fields[:place], text, *fields[place + 1 :]])
        write(path, [header, *lines])

    edit(
        "sessions",
        "started_at",
        ("22/01/21 10:00", "2021-01-21 11:30 BST", "2021-01-21 24:00:00", "2021-01-21 10:00+99"),
    )
    edit("sessions", "loaded_at", ("9/5/21", "1 2 3", "epoch", "infinity", "2021-01-01 (BC)", "0022-01-21"))
    edit("participants", "employer_sponsored", ("y", "t", "1"))
    edit("participants", "age_years", ("0x1F", "1_0", "3e1", "33.5"))
    for path in (built.raw / "who5_assessments").glob("*.csv"):
        path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    outcome = built.run()
    assert not outcome.success
    first = sorted((built.raw / "sessions").glob("*.csv"))[0].name
    for message in (
        "sessions: started_at is timestamp (4 failing), for example S",
        "sessions: loaded_at is timestamp (6 failing), for example S",
        f"({first} line 2)",
        "participants: employer_sponsored is boolean (3 failing), for example P",
        "neither true nor false; other words are translated in mapping.yml (docs/mapping.md)",
        "participants: age_years is integer (4 failing), for example P",
        "who5_assessments: column assessment_id is in every part file (3 failing)",
        "separated by semicolon, not by comma: say so as delimiter in mapping.yml (docs/mapping.md)",
    ):
        assert message in outcome.output, message
    checked = {
        (finding.table, finding.rule, finding.failing, finding.keys, finding.detail)
        for finding in check_export(built.raw, "csv", project=ROOT)
        if not finding.passed and finding.severity == "critical"
    }
    assert checked == broken_rules(built)


@pytest.mark.parametrize("column", [pytest.param("item_3", marks=pytest.mark.builds), "loaded_at"])
def test_a_damaged_page_is_named_by_table_and_file(built: Warehouse, column: str) -> None:
    """Of columns of the declared types nothing is read before the models read them."""
    before = built.marts()
    path = sorted((built.raw / "who5_assessments").glob("*.parquet"))[1]
    content = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    [chunk] = [
        group.column(number) for number in range(group.num_columns) if group.column(number).path_in_schema == column
    ]
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    with duckdb.connect() as connection:
        for place in range(start, start + chunk.total_compressed_size):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
            try:
                connection.execute(f"select sum(hash({column})) from read_parquet('{path}')").fetchall()
            except duckdb.Error:
                break
        else:
            pytest.fail("every damage can be read")
    outcome = built.run()
    assert not outcome.success
    assert built.marts() == before
    assert "Traceback" not in outcome.output
    last_word = outcome.output[outcome.output.index("marts were not published") :]
    assert (
        f"who5_assessments: part files are readable (1 failing), for example {path.name} - its rows are damaged"
        in last_word
    )
    assert "Error" not in last_word, "ours instead of the engine's"


# --- Numbers ---


@pytest.fixture(scope="module")
def twenty_thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m rapport.demo --participants 20000` writes; read only."""
    folder = tmp_path_factory.mktemp("twenty") / "raw"
    write_demo_export(folder, participants=20_000)
    return folder


def shuffled(source: Path, folder: Path, parts: int) -> None:
    """The same rows in another order, over other part files of small row groups."""
    chance = random.Random(7)
    for table in KEYS:
        files = [pq.read_table(path) for path in sorted((source / table).glob("*.parquet"))]
        rows = pa.concat_tables(pa.table(dict(zip(file.column_names, file.columns, strict=True))) for file in files)
        order = list(range(len(rows)))
        chance.shuffle(order)
        (folder / table).mkdir(parents=True)
        for number in range(parts):
            pq.write_table(
                rows.take(order[number::parts]), folder / table / f"other-{number}.parquet", row_group_size=2048
            )
    for path in source.glob("_*.json"):
        shutil.copy(path, folder / path.name)


@pytest.mark.builds
def test_threads_and_the_order_of_rows_move_no_bit_of_a_large_export(
    warehouse: Warehouse, twenty_thousand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty thousand people, every figure there; built anew with other threads from shuffled rows, the same to the bit."""
    shutil.rmtree(warehouse.raw)
    shutil.copytree(twenty_thousand, warehouse.raw)
    monkeypatch.setenv("RAPPORT_THREADS", "1")
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    for table in ("inference_results", "model_fit", "alliance_slopes"):
        assert warehouse.query(f"select * from marts.{table} where note is not null") == []
    assert warehouse.query("""
        select analysis, term from marts.inference_results
        where (estimate is null and effect_size is null) or (statistic is not null and p_value is null and p_adjusted is null)
    """) == []  # fmt: skip
    first = findings(warehouse)

    shutil.rmtree(warehouse.raw)
    shuffled(twenty_thousand, warehouse.raw, parts=7)
    warehouse.db.unlink()
    monkeypatch.setenv("RAPPORT_THREADS", "8")
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    second = findings(warehouse)
    for name in MARTS:
        if name not in ABOUT_THE_FILES:
            assert second[name] == first[name], name


def test_a_wrong_number_of_threads_is_refused(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPPORT_THREADS", "0")
    outcome = warehouse.run("--select", "volumes")
    assert not outcome.success
    assert "RAPPORT_THREADS is '0', and has to be a whole number from 1 on" in outcome.output
