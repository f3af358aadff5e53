"""The same project on Spark: the same marts to the last bit, behind the same gates."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import raw_export
from conftest import ROOT, Warehouse
from spark_house import SparkHouse, differences, marts_on_duckdb, why_no_spark
from sufficient_statistics import GOLDEN, cohorts

MISSING = why_no_spark()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"Spark is not tested: {MISSING}")
CSV = {"small", "unbalanced"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkHouse]:
    """Tables on Spark that all tests of the file build into, one after another."""
    house = SparkHouse(tmp_path_factory.mktemp("spark"))
    yield house
    house.end()


def same_on_both(house: SparkHouse, warehouse: Warehouse, *arguments: str) -> None:
    """Build an export on both engines, and compare every row of every mart."""
    on_duckdb = warehouse.run(*arguments)
    assert on_duckdb.success, on_duckdb.output
    accepted = "{accept_volume_change: true}"
    on_spark = house.dbt(warehouse.raw, "run", "--vars", accepted, raw_format=warehouse.raw_format)
    assert on_spark.success, on_spark.output
    assert differences(house.marts(), marts_on_duckdb(warehouse)) == []


@pytest.mark.long
def test_a_small_export_gives_the_same_marts_to_the_last_bit(house: SparkHouse, warehouse: Warehouse) -> None:
    same_on_both(house, warehouse)


@pytest.mark.long
def test_a_closed_gate_names_the_same_rows_and_leaves_the_marts(house: SparkHouse, built: Warehouse) -> None:
    before = house.marts()
    built.spoil(
        "participants", "age_years", "200", "participant_id in (select participant_id from rows order by 1 limit 2)"
    )
    on_duckdb, on_spark = built.run(), house.dbt(built.raw, "run")
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


@pytest.mark.long
@pytest.mark.parametrize("name", list(cohorts.COHORTS))
def test_a_golden_cohort_is_the_same_to_the_last_bit(house: SparkHouse, warehouse: Warehouse, name: str) -> None:
    shutil.rmtree(warehouse.raw)
    warehouse.raw_format = "csv" if name in CSV else "parquet"
    raw_export.write_raw_export(GOLDEN / name, warehouse.raw, warehouse.raw_format)  # type: ignore[arg-type]
    same_on_both(house, warehouse)


@pytest.mark.long
def test_the_twin_is_the_same_to_the_last_bit(house: SparkHouse, warehouse: Warehouse) -> None:
    warehouse.raw = Path(ROOT / "demo")
    same_on_both(house, warehouse)
