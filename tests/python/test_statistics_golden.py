"""Every figure of every synthetic cohort against base R (tests/golden/make_golden.R).

The tolerance is relative 1e-8. Beside it stands an absolute 1e-12, for figures whose true value
is near zero and which either side computes as a difference of larger ones: a contrast of nearly
equal means, a ΔR² that is nearly nothing, and Tukey's P, which R computes as 1 − cdf.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sufficient_statistics import GOLDEN, cohorts, findings, reduced

RELATIVE = 1e-8
ABSOLUTE = 1e-12

FIGURES = [
    *("estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic", "df", "df_residual"),
    *("p_value", "p_adjusted", "ci_low", "ci_high", "effect_size"),
]
FIT_FIGURES = ["r_squared", "delta_r_squared", "f_change", "df", "df_residual", "p_value"]


NAMES = list(cohorts.COHORTS)


def golden(name: str, table: str, keys: list[str]) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name / f"{table}.csv").set_index(keys)


def assert_same_figures(ours: pd.DataFrame, r: pd.DataFrame, columns: list[str]) -> None:
    assert list(ours.index) == list(r.index)
    pd.testing.assert_frame_equal(
        ours[["n", *columns]].astype(float),
        r[["n", *columns]].astype(float),
        check_dtype=False,
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )


@pytest.mark.parametrize("name", NAMES)
def test_inference_results_agree_with_r(name: str) -> None:
    results, _ = findings(name)
    r = golden(name, "inference_results", ["analysis", "term"])
    assert_same_figures(results, r, FIGURES)


@pytest.mark.parametrize("name", NAMES)
def test_model_fit_agrees_with_r(name: str) -> None:
    _, fit = findings(name)
    r = golden(name, "model_fit", ["analysis", "step"])
    assert_same_figures(fit, r, FIT_FIGURES)
    assert fit["terms"].to_list() == r["terms"].to_list()


@pytest.mark.parametrize("name", NAMES)
def test_table_1_agrees_with_r(name: str) -> None:
    keys = ["variable", "level", "utilization_type", "statistic"]
    ours, r = (
        frame.fillna({"level": ""}).set_index(keys)["value"].astype(float)
        for frame in (reduced(name).table_1(), pd.read_csv(GOLDEN / name / "table_1.csv"))
    )
    assert set(ours.index) == set(r.index)
    pd.testing.assert_series_equal(ours.sort_index(), r.sort_index(), rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.parametrize("name", NAMES)
def test_what_r_leaves_undefined_has_a_note(name: str) -> None:
    results, fit = findings(name)
    r = golden(name, "inference_results", ["analysis", "term"])
    undefined = r[FIGURES].isna().all(axis=1)
    assert results.loc[undefined, "note"].notna().all()
    about_effect_size = results["note"].str.startswith("effect size: ", na=False)
    assert results.loc[~undefined & ~about_effect_size, "note"].isna().all()

    r_fit = golden(name, "model_fit", ["analysis", "step"])
    assert fit.loc[r_fit["f_change"].isna(), "note"].notna().all()
    assert fit.loc[r_fit["f_change"].notna(), "note"].isna().all()


@pytest.mark.parametrize("name", NAMES)
def test_no_figure_is_infinite(name: str) -> None:
    results, _ = findings(name)
    assert not np.isinf(results[FIGURES].to_numpy(dtype=float)).any()


@pytest.mark.parametrize("name", NAMES)
def test_committed_cohorts_are_the_generated_ones(name: str) -> None:
    for built, committed in zip(cohorts.build(name), cohorts.read(name), strict=True):
        pd.testing.assert_frame_equal(
            built.astype(object).where(built.notna(), None),
            committed.astype(object).where(committed.notna(), None),
            check_dtype=False,
        )


@pytest.mark.parametrize(
    ("name", "analysis", "term", "note"),
    [
        ("equal_alliance", "alliance_by_sex", "female - male", "no variance"),
        ("equal_alliance", "alliance_vs_age", "age_years", "no variance"),
        ("equal_alliance", "alliance_predicts_wellbeing", "alliance", "no variance in alliance"),
        ("equal_alliance", "moderation_by_baseline", "age_years", "no variance in alliance"),
        ("empty_group", "alliance_by_utilization", "utilization_type", "no participants in"),
        ("empty_group", "moderation_by_utilization", "alliance:both", "aliased"),
        ("single_member", "moderation_by_utilization", "alliance:both", "aliased"),
        ("none_positive", "wellbeing_change", "followup - baseline", "no participants"),
        ("sex_missing", "alliance_predicts_wellbeing", "alliance", "no participants"),
        ("tiny", "moderation_by_utilization", "alliance", "too few rows"),
        ("one_session", "moderation_by_sessions", "alliance", "no variance in time_in_care"),
        ("two_positive", "wellbeing_change", "d_rm", "perfectly correlated"),
        ("only_males", "alliance_by_sex", "female - male", "no participants in group female"),
    ],
)
def test_note_says_why(name: str, analysis: str, term: str, note: str) -> None:
    results, _ = findings(name)
    assert note in str(results.loc[(analysis, term), "note"])
