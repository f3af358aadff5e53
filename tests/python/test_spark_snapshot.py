"""A publication on Spark is readable without Spark: the snapshot, and what a release asks."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from conftest import MARTS, Warehouse

from rapport.release.publication import read_publication
from rapport.spark import SparkConnection
from rapport.spark.snapshot import KEPT, write_publication, write_snapshot


def copy_to_spark(db: Path, spark: SparkConnection, folder: Path, names: list[str]) -> None:
    with duckdb.connect(str(db), read_only=True) as connection:
        for name in names:
            path = folder / f"{name}.parquet"
            connection.execute(f"copy (from {name}) to '{path}' (format parquet)")
            spark.run(f"create schema if not exists {name.split('.')[0]}")
            spark.run(f"drop table if exists {name}")
            spark.run(f"create table {name} using parquet location '{path}'")


def test_a_release_reads_the_publication_as_it_reads_a_warehouse(
    built: Warehouse, spark: SparkConnection, tmp_path: Path
) -> None:
    copy_to_spark(built.db, spark, tmp_path, [*(f"marts.{mart}" for mart in MARTS), *KEPT])
    path = tmp_path / "own" / "publication.duckdb"
    write_publication(spark, path)
    write_publication(spark, path)  # in the place of the earlier one
    ours, theirs = read_publication(path), read_publication(built.db)
    assert (ours.build, ours.source, ours.study) == (theirs.build, theirs.source, theirs.study)
    assert ours.types == theirs.types
    assert ours.tables.keys() == theirs.tables.keys()
    for name, frame in theirs.tables.items():
        found = ours.tables[name]
        assert list(found.columns) == list(frame.columns)
        assert [str(kind) for kind in found.dtypes] == [str(kind) for kind in frame.dtypes], name
        assert sorted(map(repr, found.itertuples(index=False))) == sorted(map(repr, frame.itertuples(index=False))), (
            name
        )
    assert sorted(map(repr, ours.findings.itertuples(index=False))) == sorted(
        map(repr, theirs.findings.itertuples(index=False))
    )
    with duckdb.connect(str(path), read_only=True) as connection:
        names = {row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()}
        columns = {row[0] for row in connection.execute("select column_name from duckdb_columns()").fetchall()}
    # No row of a participant, and no key.
    assert not names & {"eligibility", "participant_alliance", "who5_change", "analysis_cohort"}
    assert not columns & {"participant_id", "sample_keys"}
    assert path.stat().st_mode & 0o077 == 0


def test_a_snapshot_has_the_types_of_the_contract(spark: SparkConnection, tmp_path: Path) -> None:
    spark.run("create schema if not exists candidates")
    spark.execute(
        "create or replace table candidates.one as select 'it''s' as k, 1::bigint as n, 0.1::double as x, null::date as d"
    )
    columns = [
        {"name": name, "data_type": kind, "description": f"what's {name}", "not_null": name == "n"}
        for name, kind in (("n", "integer"), ("k", "varchar"), ("x", "double"), ("d", "date"))
    ]
    mart = {"name": "one", "relation": "candidates.one", "description": "One row per k.", "columns": columns}
    head = {
        "contract_version": "0.2.0",
        "build_id": "b1",
        "build_number": 7,
        "raw_folder": "demo",
        "is_synthetic": True,
        "started_at": "2026-01-02 03:04:05.000006",
    }
    write_snapshot(spark, tmp_path / "one.duckdb", [mart], head)
    with duckdb.connect(str(tmp_path / "one.duckdb"), read_only=True) as connection:
        assert connection.execute("select * from marts.one").fetchall() == [(1, "it's", 0.1, None)]
        assert [row[:3] for row in connection.execute("describe marts.one").fetchall()] == [
            ("n", "INTEGER", "NO"),
            ("k", "VARCHAR", "YES"),
            ("x", "DOUBLE", "YES"),
            ("d", "DATE", "YES"),
        ]
        comments = connection.execute("select comment from duckdb_columns() where table_name = 'one'").fetchall()
        assert comments == [("what's n",), ("what's k",), ("what's x",), ("what's d",)]
        [row] = connection.execute("select * exclude (started_at), started_at::varchar from marts.snapshot").fetchall()
        assert row == ("0.2.0", "b1", 7, "demo", True, "2026-01-02 03:04:05.000006")
    spark.execute(
        "create or replace table candidates.one as select 'a' as k, null::bigint as n, 0.1::double as x, null::date as d"
    )
    with pytest.raises(duckdb.ConstraintException):
        write_snapshot(spark, tmp_path / "two.duckdb", [mart], head)
