"""Whole builds of every golden cohort, from raw export to marts, against base R."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import raw_export
from conftest import Warehouse
from sufficient_statistics import GOLDEN, cohorts
from test_statistics_golden import ABSOLUTE, FIGURES, FIT_FIGURES, RELATIVE

NAMES = list(cohorts.COHORTS)
CSV = {"small", "unbalanced"}


def published(db: Path, table: str, keys: list[str]) -> pd.DataFrame:
    with duckdb.connect(str(db), read_only=True) as connection:
        return connection.execute(f"select * from marts.{table}").df().set_index(keys).sort_index()


def assert_agrees(ours: pd.DataFrame, path: Path, keys: list[str], figures: list[str]) -> None:
    r = pd.read_csv(path, keep_default_na=True).set_index(keys).sort_index()
    assert set(ours.index) == set(r.index)
    pd.testing.assert_frame_equal(
        ours[figures].astype(float),
        r[figures].astype(float),
        check_dtype=False,
        check_index_type=False,
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_build_agrees_with_r(warehouse: Warehouse, name: str) -> None:
    shutil.rmtree(warehouse.raw)
    warehouse.raw_format = "csv" if name in CSV else "parquet"
    raw_export.write_raw_export(GOLDEN / name, warehouse.raw, warehouse.raw_format)  # type: ignore[arg-type]
    outcome = warehouse.run()
    assert outcome.success, outcome.output

    results = published(warehouse.db, "inference_results", ["analysis", "term"])
    assert_agrees(results, GOLDEN / name / "inference_results.csv", ["analysis", "term"], ["n", *FIGURES])
    assert results.loc[results[FIGURES].isna().all(axis=1), "note"].notna().all()

    fit = published(warehouse.db, "model_fit", ["analysis", "step"])
    assert_agrees(fit, GOLDEN / name / "model_fit.csv", ["analysis", "step"], ["n", *FIT_FIGURES])

    keys = ["variable", "level", "utilization_type", "statistic"]
    table = published(warehouse.db, "table_1", keys).reset_index()
    r = pd.read_csv(GOLDEN / name / "table_1.csv")
    merged = table.fillna({"level": ""}).merge(
        r.fillna({"level": ""}), on=keys, how="outer", suffixes=("", "_r"), indicator=True
    )
    assert (merged["_merge"] == "both").all()
    pd.testing.assert_series_equal(
        merged["value"].astype(float), merged["value_r"].astype(float), check_names=False, rtol=RELATIVE, atol=ABSOLUTE
    )
