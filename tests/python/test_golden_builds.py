"""Whole builds of every golden cohort, from raw export to marts, against base R."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import raw_export
from conftest import Warehouse, but_one_in_builds
from sufficient_statistics import GOLDEN, cohorts
from test_providers import ASKED, assert_agrees_with_r
from test_statistics_golden import ABSOLUTE, FIGURES, FIT_FIGURES, RELATIVE

NAMES = list(cohorts.COHORTS)
CSV = {"small", "unbalanced"}
# The chance to rate comes from an iteration that R stops at a relative 1e-8 of the deviance.
RELATIVE_OF_RATERS = 1e-6
WITH_ERRORS = (
    *("alliance_hc3", "alliance_clustered", "alliance_within_between", "alliance_superiority_by_sex"),
    *("alliance_superiority_by_country", "alliance_superiority_by_depression_screen"),
)
SENSITIVITY = [
    *("n", "estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"),
]


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


def assert_sensitivity_agrees(db: Path, path: Path) -> None:
    keys = ["analysis", "term"]
    ours = published(db, "sensitivity_results", keys)
    r = pd.read_csv(path)
    # The grid's terms have commas, which separate columns there.
    r = r.assign(term=r["term"].str.replace(";", ",")).set_index(keys).sort_index()
    assert list(ours.index) == list(r.index)
    for of_raters, relative in ((True, RELATIVE_OF_RATERS), (False, RELATIVE)):
        rows = (r.index.get_level_values("analysis") == "alliance_rater_weighted") == of_raters
        pd.testing.assert_frame_equal(
            ours.loc[rows, SENSITIVITY].astype(float),
            r.loc[rows, SENSITIVITY].astype(float),
            check_dtype=False,
            check_index_type=False,
            rtol=relative,
            atol=ABSOLUTE,
        )
    lacking = r[SENSITIVITY[1:]].isna().all(axis=1)
    assert ours.loc[lacking, "note"].notna().all()
    only_estimate = r["estimate"].notna() & r["std_error"].isna() & r.index.get_level_values(0).isin(WITH_ERRORS)
    assert ours.loc[only_estimate, "note"].notna().all()
    assert ours.loc[~lacking & ~only_estimate, "note"].isna().all()


@pytest.mark.parametrize("name", but_one_in_builds(NAMES, "small"))
def test_a_whole_build_agrees_with_r(warehouse: Warehouse, name: str) -> None:
    """With the alliance by provider, which a build has if it is asked."""
    shutil.rmtree(warehouse.raw)
    warehouse.raw_format = "csv" if name in CSV else "parquet"
    raw_export.write_raw_export(GOLDEN / name, warehouse.raw, warehouse.raw_format)  # type: ignore[arg-type]
    outcome = warehouse.run("--vars", ASKED)
    assert outcome.success, outcome.output

    results = published(warehouse.db, "inference_results", ["analysis", "term"])
    assert_agrees(results, GOLDEN / name / "inference_results.csv", ["analysis", "term"], ["n", *FIGURES])
    assert results.loc[results[FIGURES].isna().all(axis=1), "note"].notna().all()

    fit = published(warehouse.db, "model_fit", ["analysis", "step"])
    assert_agrees(fit, GOLDEN / name / "model_fit.csv", ["analysis", "step"], ["n", *FIT_FIGURES])

    assert_sensitivity_agrees(warehouse.db, GOLDEN / name / "sensitivity_results.csv")

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

    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        by_provider = connection.execute("from marts.provider_alliance").df()
    assert_agrees_with_r(by_provider, name)
    [(rated,)] = warehouse.query("select coalesce(sum(rated_sessions), 0) from marts.analysis_cohort")
    assert by_provider["rated_sessions"].sum() == rated
