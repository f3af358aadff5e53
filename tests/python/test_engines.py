"""The same project on Spark: the same marts to the last bit, behind the same gates."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import raw_export
from conftest import MARTS, ROOT, Warehouse, first
from spark_house import EXTRA, LATER, SOON, SparkHouse, differences, marts_on_duckdb
from sparks import why_no_spark
from sufficient_statistics import GOLDEN, cohorts

from rapport.contracts.project import read_project
from rapport.contracts.storage import copy_marts
from rapport.demo import write_demo_export

MISSING = why_no_spark()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"Spark is not tested: {MISSING}")
CSV = {"small", "unbalanced"}
ACCEPTED = "accept_volume_change: true"
ROWS_OF_PEOPLE = {"eligibility", "participant_alliance", "who5_change", "analysis_cohort"}


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkHouse]:
    """Tables on Spark that all tests of the file build into, one after another."""
    builds_often = any(item.get_closest_marker("long") for item in request.session.items)
    house = SparkHouse(tmp_path_factory.mktemp("spark"), LATER if builds_often else SOON)
    yield house
    house.end()


@pytest.fixture
def both(house: SparkHouse, built: Warehouse) -> Warehouse:
    """The small export, of which the last good build of either engine is."""
    if house.holds != "the small export":
        outcome = house.dbt(built.raw, "build")  # with seeds and data tests
        assert outcome.success, outcome.output
        house.holds = "the small export"
    return built


def same_on_both(
    house: SparkHouse, warehouse: Warehouse, settings: str = "", more: tuple[str, ...] = (), **environment: str
) -> None:
    """Build an export on both engines, and compare every row of every mart."""
    settings = f"{{{ACCEPTED}{settings and ', '}{settings}}}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        on_duckdb = warehouse.run("--vars", settings)
    assert on_duckdb.success, on_duckdb.output
    on_spark = house.dbt(warehouse.raw, "run", "--vars", settings, raw_format=warehouse.raw_format, **environment)
    assert on_spark.success, on_spark.output
    marts = (*MARTS, *more)
    assert differences(house.marts(marts), marts_on_duckdb(warehouse, marts)) == []


def test_a_small_export_gives_the_same_marts_to_the_last_bit(house: SparkHouse, both: Warehouse) -> None:
    assert differences(house.marts(), marts_on_duckdb(both)) == []


def test_the_snapshot_is_that_of_duckdb(house: SparkHouse, both: Warehouse) -> None:
    """Types, comments, `not null` and rows; which build it is of says the pointer."""
    described = (
        "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where schema_name = 'marts' order by table_name, column_index"
    )
    theirs = both.db.with_name("served.duckdb")
    theirs.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAPPORT_MARTS", str(theirs))
        assert both.run().success
    with duckdb.connect() as ours, duckdb.connect() as other:
        for connection, path in ((ours, house.marts_file), (other, theirs)):
            # A database that is called marts, and its schema of that name, could not be told apart.
            connection.execute(f"attach '{path}' as served (read_only); use served")
        assert ours.execute(described).fetchall() == other.execute(described).fetchall()
        names = [name for (name,) in ours.execute("select table_name from duckdb_tables()").fetchall()]
        assert {*names} == {*MARTS, "snapshot"} - ROWS_OF_PEOPLE
        for name in {*names} - {"snapshot"}:
            query = f"from marts.{name} order by all"
            assert ours.execute(query).fetchall() == other.execute(query).fetchall(), name
        head = ours.execute("select build_id, build_number, contract_version from marts.snapshot").fetchall()
    [(build, number)] = house.query("select build_id, build_number from ops.current_build")
    assert head == [(build, number, read_project(ROOT).version)]
    assert house.marts_file.stat().st_mode & 0o077 == 0


def released(db: Path, folder: Path) -> tuple[Path, str]:
    """A release of a database in a folder of its own, and the page of it."""
    out, page = folder / "release", folder / "page.html"
    environment = {**os.environ, "RAPPORT_DB": str(db), "PYTHONPATH": str(ROOT / "python")}
    for command in (
        ["rapport.release", "--out", str(out)],
        ["rapport.report", "--release", str(out), "--out", str(page)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return out, page.read_text(encoding="utf-8")


def differ_by_engine_and_times_only(spark: tuple[Path, str], duck: tuple[Path, str]) -> None:
    """Two releases and their pages: what differs is the build's number and id, its times, and names of software."""
    (ours, our_page), (theirs, their_page) = spark, duck
    manifests = [json.loads((folder / "manifest.json").read_text(encoding="utf-8")) for folder in (ours, theirs)]
    of_the_build = {"build_id", "build_number", "published_at", "versions", "git_revision"}
    for manifest in manifests:
        assert of_the_build < manifest["build"].keys()
        for name in of_the_build:
            manifest["build"].pop(name)
        manifest.pop("manifest_sha256")
        for table in manifest["tables"].values():
            table.pop("sha256")  # the files are compared below
    assert manifests[0] == manifests[1]
    with duckdb.connect() as connection:
        for path in sorted(theirs.glob("*.csv")):
            if path.stem != "builds":
                ours_, theirs_ = (sorted((folder / path.name).read_text().splitlines()) for folder in (ours, theirs))
                assert ours_ == theirs_, path.name
                rows, other = (
                    connection.sql(f"from '{folder}/{path.stem}.parquet' order by all").fetchall()
                    for folder in (ours, theirs)
                )
                assert rows == other, path.stem
    pages = [as_of_any_engine(page, folder) for page, folder in ((our_page, ours), (their_page, theirs))]
    changed = list(difflib.unified_diff(pages[1], pages[0], "DuckDB", "Spark", lineterm="", n=0))
    assert changed == []


def as_of_any_engine(page: str, release: Path) -> list[str]:
    """A report, tag by tag, without what its build alone says: id, number, times, and the versions of software."""
    build = json.loads((release / "manifest.json").read_text(encoding="utf-8"))["build"]
    versions = ", ".join(str(build["versions"]).split("; "))
    assert versions in page
    for name, value in (("versions", versions), ("id", build["build_id"]), ("revision", build["git_revision"])):
        page = page.replace(str(value), f"the build's {name}")
    # Every figure on the page says where it comes from: those of the build are its times.
    page = re.sub(r'(data-(?:source|row)="builds\?build_number=)\d+("|[^"]*"[^>]*>[^<]*)', r"\1", page)
    return page.replace("><", ">\n<").splitlines()


@pytest.mark.long
def test_the_report_differs_in_engine_and_times_only(house: SparkHouse, both: Warehouse, tmp_path: Path) -> None:
    spark, duck = tmp_path / "spark", tmp_path / "duckdb"
    differ_by_engine_and_times_only(released(house.warehouse / "publication.duckdb", spark), released(both.db, duck))


def test_the_contract_is_checked_on_a_copy_of_either_engine(house: SparkHouse, both: Warehouse, tmp_path: Path) -> None:
    """`make contract-cli` checks a copy: of Spark's marts it has the same tables, columns, types and rows."""
    found = {}
    for engine, db in (("spark", house.warehouse / "publication.duckdb"), ("duckdb", both.db)):
        out = tmp_path / f"{engine}.duckdb"
        copy_marts(db, out)
        with duckdb.connect(str(out), read_only=True) as connection:
            described = connection.execute(
                "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts'"
                " order by table_name, column_index"
            ).fetchall()
            found[engine] = [row for row in described if row[0] not in ROWS_OF_PEOPLE]
            for name in {row[0] for row in found[engine]}:
                found[engine] += connection.execute(f"select '{name}', * from marts.{name} order by all").fetchall()
    assert len({row[0] for row in found["spark"]}) == len(MARTS) - len(ROWS_OF_PEOPLE)
    assert sorted(map(repr, found["spark"])) == sorted(map(repr, found["duckdb"]))


@pytest.mark.long
def test_the_age_of_the_export_is_told(house: SparkHouse, both: Warehouse) -> None:
    limits = "{freshness_warn_hours: 1, freshness_error_hours: 2}"
    on_duckdb, on_spark = (
        dbt("source", "freshness", "--vars", limits) for dbt in (both.dbt, lambda *given: house.dbt(both.raw, *given))
    )

    def told(output: str) -> list[str]:
        return sorted(re.findall(r"(?:ERROR STALE|WARN|PASS) freshness of raw\.\w+", output))

    assert not on_spark.success
    assert told(on_spark.output) == told(on_duckdb.output)
    assert "ERROR STALE freshness of raw.sessions" in told(on_spark.output)


def test_history_says_the_same_on_both_engines(house: SparkHouse, both: Warehouse) -> None:
    query = (
        "select status, input_fingerprint, study, input_files, published_rows, gates from ops.builds"
        " where published_at is not null order by build_number desc limit 1"
    )
    assert house.query(query) == both.query(query)
    verdicts = (
        "select layer, table_name, rule, severity, passed, evaluated, unexpected, sample_keys, expectation"
        " from audit.validation_results where build_id = (select max(build_id) from audit.publish)"
    )
    ours, theirs = house.query(verdicts), both.query(verdicts)
    assert len(theirs) > 400
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))


@pytest.mark.long
def test_a_closed_gate_names_the_same_rows_and_leaves_the_marts(house: SparkHouse, both: Warehouse) -> None:
    before = house.marts()
    both.spoil(
        "participants", "age_years", "200", "participant_id in (select participant_id from rows order by 1 limit 2)"
    )
    both.spoil("sessions", "status", "'lost'", first("session_id", 4))
    on_duckdb, on_spark = both.run(), house.dbt(both.raw, "run")
    assert not on_spark.success

    def last_word(output: str) -> str:
        said = output[output.rindex("marts were not published") :]
        return "\n".join(line for line in said.splitlines() if "compiled code at" not in line)

    assert "gate raw is closed" in last_word(on_spark.output)
    assert "age_years" in last_word(on_spark.output)
    assert last_word(on_spark.output) == last_word(on_duckdb.output)
    assert house.marts() == before
    [(status, gates)] = house.query("select status, gates from ops.builds order by build_number desc limit 1")
    assert (status, gates["raw"]) == ("failed", "closed")  # type: ignore[index]


def shown_of(house: SparkHouse, prefix: str) -> list[object]:
    """The marts whose names begin so, and their tables."""
    tables = [row[1] for schema in ("marts", "candidates") for row in house.query(f"show tables in {schema}")]
    return [name for name in tables if str(name).startswith(prefix)]


@pytest.mark.long
def test_the_alliance_by_provider_comes_and_goes(house: SparkHouse, warehouse: Warehouse) -> None:
    """The mart is there while the var asks for it; the next build without it withdraws it."""
    house.holds = ""
    same_on_both(house, warehouse, "provider_marts: true", ("provider_alliance",))
    assert house.query("select count(*) from marts.provider_alliance") != [(0,)]
    assert len(shown_of(house, "provider_")) > 2
    same_on_both(house, warehouse)
    assert shown_of(house, "provider_") == []


@pytest.mark.long
def test_a_second_instrument_comes_and_goes(house: SparkHouse, warehouse: Warehouse, tmp_path: Path) -> None:
    """Another study in the same tables: marts with other columns, and three more, until the first study is back."""
    house.holds = ""
    shutil.rmtree(warehouse.raw)
    write_demo_export(warehouse.raw, participants=400, seed=11, part_files=2, further=["phq9_assessments"])
    warehouse.target = tmp_path / "target"
    same_on_both(house, warehouse, "", EXTRA, RAPPORT_STUDY="phq9_example")
    assert house.query("select count(*) from marts.outcome_results") != [(0,)]
    shutil.rmtree(warehouse.raw / "phq9_assessments")
    same_on_both(house, warehouse)
    assert shown_of(house, "outcome_") == []


@pytest.mark.long
@pytest.mark.parametrize("name", list(cohorts.COHORTS))
def test_a_golden_cohort_is_the_same_to_the_last_bit(house: SparkHouse, warehouse: Warehouse, name: str) -> None:
    house.holds = ""
    shutil.rmtree(warehouse.raw)
    warehouse.raw_format = "csv" if name in CSV else "parquet"
    raw_export.write_raw_export(GOLDEN / name, warehouse.raw, warehouse.raw_format)  # type: ignore[arg-type]
    same_on_both(house, warehouse)


@pytest.mark.long
def test_the_twin_is_the_same_to_the_last_bit_and_so_is_its_report(
    house: SparkHouse, warehouse: Warehouse, tmp_path: Path
) -> None:
    # Verdicts on volumes compare with the build before: here, as on DuckDB, there is none.
    house.end()
    own = SparkHouse(tmp_path)
    warehouse.raw = Path(ROOT / "demo")
    spark, duck = tmp_path / "spark", tmp_path / "duckdb"
    try:
        same_on_both(own, warehouse)
        differ_by_engine_and_times_only(
            released(own.warehouse / "publication.duckdb", spark), released(warehouse.db, duck)
        )
    finally:
        own.end()
