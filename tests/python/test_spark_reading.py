"""An export is read on Spark as on DuckDB: the same rows, the same verdicts."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT
from spark_worker import on_hive

from rapport.demo import write_demo_export
from rapport.reading.warehouse import files_stood_still, read_into_warehouse, remove_workspaces
from rapport.spark import SparkConnection

SOURCES = ROOT / "models" / "raw" / "_raw__sources.yml"
TABLES = ("participants", "who5_assessments", "sessions", "alliance_ratings")
ORDER = "order by part_file, row_number"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_demo_export(folder, participants=60, seed=3, part_files=2)
    return folder


@pytest.fixture(autouse=True)
def workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAPPORT_SPARK_WAREHOUSE", str(tmp_path / "spark"))
    yield
    remove_workspaces()


def rewritten(folder: Path, table: str, select: str, name: str = "part-0.parquet") -> None:
    """Replace a table's part files by one: `select` reads the old rows as `rows`."""
    with duckdb.connect() as connection:
        connection.execute(f"create table rows as from read_parquet('{folder}/{table}/*.parquet')")
        for path in (folder / table).glob("*.parquet"):
            path.unlink()
        (folder / table / name).parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"copy ({select}) to '{folder}/{table}/{name}' (format parquet)")


def other_types(raw: Path) -> None:
    """Numbers, moments and texts as other tools write them, with values that cannot be read."""
    rewritten(
        raw,
        "participants",
        "select * replace (age_years::double + case when row_number() over () = 2 then 0.5 else 0 end as age_years,"
        " loaded_at::timestamptz as loaded_at, epoch_ns(registered_at)::bigint as registered_at,"
        " case row_number() over () when 5 then '' else participant_id end as participant_id) from rows".replace(
            "epoch_ns(registered_at)::bigint", "registered_at::timestamp_ns"
        ),
    )
    rewritten(
        raw,
        "sessions",
        "select * replace (duration_minutes::utinyint as duration_minutes, started_at::timestamp_s as started_at) from rows",
    )
    rewritten(
        raw,
        "who5_assessments",
        "select * replace (case when row_number() over () = 3 then timestamp '1812-01-01' else completed_at end as completed_at,"
        " item_1::bigint + case when row_number() over () = 4 then 3000000000 else 0 end as item_1) from rows",
    )


def more_files(raw: Path) -> None:
    """Files in folders, with other columns, another order of columns, and a name that no glob says."""
    with duckdb.connect() as connection:
        path = raw / "sessions"
        first = sorted(path.glob("*.parquet"))[0]
        (path / "provider_type=coach").mkdir()
        connection.execute(
            f"copy (select 7 as extra, 'x' as provider_kind, * from '{first}') to '{path}/provider_type=coach/late.parquet'"
        )
        connection.execute(
            f"copy (select * from '{first}' limit 3) to '{path}/it''s {{a,b}} *ü.parquet' (format parquet)"
        )
        connection.execute(
            f"copy (select *, 1 as filename from '{first}' limit 4) to '{path}/own-names.parquet' (format parquet)"
        )
        connection.execute(f"copy (select * from '{first}' limit 0) to '{path}/empty.parquet' (format parquet)")


def no_values(raw: Path) -> None:
    """A column without a single value, and all of a column beyond the years that are read."""
    rewritten(raw, "participants", "select * replace (null as registered_at) from rows")
    rewritten(raw, "alliance_ratings", "select * replace (timestamp '2150-01-01' as submitted_at) from rows")


def mapped(raw: Path) -> None:
    """Other names and words, by a mapping."""
    rewritten(
        raw,
        "participants",
        "select * exclude (sex), case sex when 'male' then 'M' when 'female' then 'F' else '' end as gender from rows",
    )
    (raw / "mapping.yml").write_text(
        "tables:\n  participants:\n    columns: {sex: gender}\n    values:\n      sex: {M: male, F: female}\n"
    )


def erasures(raw: Path) -> None:
    """A list of people, as CSV, with somebody who is not there."""
    with duckdb.connect() as connection:
        ids = [
            row[0]
            for row in connection.execute(
                f"select participant_id from '{raw}/participants/*.parquet' order by 1 limit 3"
            ).fetchall()
        ]
    (raw / "erasures").mkdir()
    (raw / "erasures" / "list.csv").write_text("participant_id\n" + "\n".join([*ids, f" {ids[0]} ", "nobody"]) + "\n")


def faults(raw: Path) -> None:
    """Files that cannot be read, a column that is missing, another type, a table that is not there."""
    path = sorted((raw / "sessions").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-20])
    rewritten(raw, "participants", "select * exclude (age_years) from rows")
    rewritten(raw, "who5_assessments", "select * replace (item_1::varchar as item_1) from rows")
    shutil.rmtree(raw / "alliance_ratings")


def packed(raw: Path) -> None:
    """CSV, packed and not, with values that cannot be read."""
    with duckdb.connect() as connection:
        for table in TABLES:
            files = sorted((raw / table).glob("*.parquet"))
            for number, path in enumerate(files):
                text = path.with_suffix(".csv")
                connection.execute(f"copy (from '{path}') to '{text}' (header)")
                if number:
                    text.with_suffix(".csv.gz").write_bytes(gzip.compress(text.read_bytes()))
                    text.unlink()
                path.unlink()
    part = sorted((raw / "who5_assessments").glob("*.csv"))[0]
    lines = part.read_text().splitlines()
    lines[2] = lines[2].rsplit(",", 2)[0] + ",x1,2021-02-30 25:00:00"
    part.write_text("\n".join(lines) + "\n")


EXPORTS: dict[str, Callable[[Path], None]] = {
    "as written": lambda raw: None,
    "other types": other_types,
    "more files": more_files,
    "no values": no_values,
    "mapped": mapped,
    "erasures": erasures,
    "faults": faults,
    "csv": packed,
}


@pytest.mark.parametrize("change", EXPORTS.values(), ids=EXPORTS.keys())
def test_rows_and_verdicts_are_those_of_duckdb(
    raw: Path, tmp_path: Path, spark: SparkConnection, change: Callable[[Path], None]
) -> None:
    change(raw)
    file_format = "csv" if change is packed else "parquet"
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        theirs = read_into_warehouse(connection, "b1", raw, file_format, SOURCES, "stop")
        ours = read_into_warehouse(spark, "b1", raw, file_format, SOURCES, "stop")
        assert without_moment(ours.to_pylist()) == without_moment(theirs.to_pylist())
        for table in (*TABLES, "erasures"):
            query = f"select * from raw.{table} {ORDER}"
            rows = connection.execute(query).fetchall()
            assert spark.execute(query).fetchall() == rows
            kinds = [(column[0], str(column[1])) for column in connection.execute(query).description]
            assert [(column[0], column[1]) for column in spark.execute(query).description] == kinds
        for query in ("from raw.export", "select * exclude (build_id, read_path) from raw.part_files order by all"):
            assert spark_rows(spark, query) == connection.execute(query).fetchall()
    part_files = spark.sql("from raw.part_files").to_arrow_table()
    if part_files.num_rows:
        [verdict] = files_stood_still(part_files, "candidates").to_pylist()
        assert verdict["passed"], verdict


def without_moment(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "validated_at"} for row in rows]


def spark_rows(spark: SparkConnection, query: str) -> list[tuple[object, ...]]:
    if "exclude" not in query:
        return spark.execute(query).fetchall()
    rows = spark.sql("from raw.part_files").to_arrow_table()
    with duckdb.connect() as connection:
        return connection.from_arrow(rows).query("rows_", query.replace("raw.part_files", "rows_")).fetchall()


def test_parquet_is_read_where_it_lies(raw: Path, tmp_path: Path, spark: SparkConnection) -> None:
    read_into_warehouse(spark, "b1", raw, "parquet", SOURCES, "stop")
    assert not list((tmp_path / "spark" / "reading").glob("*files_of_*"))
    [(path,)] = spark.execute("select distinct part_file from raw.sessions order by part_file limit 1").fetchall()
    assert (raw / "sessions" / path).exists()


def test_a_damaged_page_and_a_text_that_is_no_utf_8_are_noticed(raw: Path, spark: SparkConnection) -> None:
    from rapport.reading.warehouse import unreadable_rows

    with duckdb.connect() as connection:
        path = sorted((raw / "sessions").glob("*.parquet"))[0]
        connection.execute(
            f"copy (select * replace ('abcdefgh' as session_id) from '{path}') to '{path}.new' (format parquet, compression uncompressed, dictionary_size_limit 1)"
        )
        Path(f"{path}.new").replace(path)
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcd\xff\xfegh"))
    read_into_warehouse(spark, "b1", raw, "parquet", SOURCES, "stop")
    with pytest.raises(duckdb.Error):
        spark.execute("select count(*) from raw.sessions where session_id = 'x'")
    [verdict] = unreadable_rows(spark, spark.sql("from raw.part_files").to_arrow_table())
    assert (verdict.table_name, verdict.rule, verdict.sample_keys) == ("sessions", "part files are readable", path.name)


def test_a_file_that_changes_meanwhile_is_noticed(raw: Path, spark: SparkConnection) -> None:
    read_into_warehouse(spark, "b1", raw, "parquet", SOURCES, "stop")
    path = sorted((raw / "sessions").glob("*.parquet"))[0]
    os.utime(path, ns=(1, 1))
    [verdict] = files_stood_still(spark.sql("from raw.part_files").to_arrow_table(), "candidates").to_pylist()
    assert (verdict["passed"], verdict["sample_keys"]) == (False, f"sessions/{path.name}")


def test_a_schema_of_the_metastore_is_read_as_one_of_duckdb(raw: Path, tmp_path: Path, spark: SparkConnection) -> None:
    """Tables and a view, with values that cannot be read, a type that is none, and a list of erasures."""
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema clinic")
        spark.run("drop schema if exists clinic cascade")
        spark.run("create schema clinic")
        for table in TABLES:
            connection.execute(f"create table clinic.{table} as from read_parquet('{raw}/{table}/*.parquet')")
        connection.execute(
            "update clinic.sessions set started_at = timestamp '1812-01-01' where session_id = (select min(session_id) from clinic.sessions)"
        )
        connection.execute(
            "alter table clinic.who5_assessments alter item_1 type bigint; update clinic.who5_assessments set item_1 = 3000000000 where assessment_id = (select max(assessment_id) from clinic.who5_assessments)"
        )
        connection.execute("alter table clinic.alliance_ratings alter goals_item type varchar")
        connection.execute(
            "create table clinic.erasures as select min(participant_id) as participant_id from clinic.participants"
        )
        for table in (*TABLES, "erasures"):
            folder = tmp_path / "stored" / table
            folder.mkdir(parents=True)
            path = folder / "part.parquet"
            connection.execute(f"copy clinic.{table} to '{path}' (format parquet)")
            spark.run(f"create table clinic.{table}_stored using parquet location '{folder}'")
            spark.run(f"create view clinic.{table} as select * from clinic.{table}_stored")
        theirs = read_into_warehouse(connection, "b1", raw, "parquet", SOURCES, "stop", raw_schema="clinic")
        ours = read_into_warehouse(spark, "b1", raw, "parquet", SOURCES, "stop", raw_schema="clinic")
        assert without_moment(ours.to_pylist()) == without_moment(theirs.to_pylist())
        for table in TABLES:
            columns = [
                row[0] for row in connection.execute(f"describe raw.{table}").fetchall() if row[0] != "row_number"
            ]
            query = f"select {', '.join(columns)} from raw.{table} order by {', '.join(columns)}"
            assert spark.execute(query).fetchall() == connection.execute(query).fetchall()
            [(rows, numbers)] = spark.execute(
                f"select count(*), count(distinct row_number) from raw.{table}"
            ).fetchall()
            assert rows == numbers
        parts = spark.sql("from raw.part_files").to_arrow_table()
        [verdict] = files_stood_still(parts, "candidates", spark).to_pylist()
        assert verdict["passed"]
        spark.run("insert into clinic.sessions_stored select * from clinic.sessions_stored limit 1")
        [verdict] = files_stood_still(parts, "candidates", spark).to_pylist()
        assert (verdict["passed"], verdict["sample_keys"]) == (False, "clinic.sessions")
        lost = read_into_warehouse(spark, "b2", raw, "parquet", SOURCES, "stop", raw_schema="nowhere").to_pylist()
        assert {row["rule"] for row in lost if not row["passed"]} == {"table exists"}


def test_a_table_of_a_format_that_cannot_be_read_is_named(
    raw: Path, tmp_path: Path, spark: SparkConnection, spark_session: Any
) -> None:
    """As a catalog names a table of Iceberg: the jar of that format is not in the session."""
    spark.run("drop schema if exists clinic cascade")
    spark.run("create schema clinic")
    for table in TABLES:
        spark.run(f"create table clinic.{table} as select * from parquet.`{raw}/{table}`")
    on_hive(spark_session, "alter table clinic.sessions set tblproperties ('spark.sql.sources.provider' = 'iceberg')")
    found = read_into_warehouse(spark, "b1", raw, "parquet", SOURCES, "stop", raw_schema="clinic").to_pylist()
    broken = {(row["table_name"], row["rule"]): row["detail"] for row in found if not row["passed"]}
    assert broken.keys() == {("sessions", "table can be read")}
    assert (
        "is of a format that this Spark cannot read (DATA_SOURCE_NOT_FOUND)" in broken["sessions", "table can be read"]
    )
    assert "add the jar of that format" in broken["sessions", "table can be read"]
