"""The sensitivity analyses from sufficient statistics, against R (tests/golden/make_sensitivity.R) and by hand."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from sensitivity_statistics import sensitivity_results
from sufficient_statistics import GOLDEN, PUBLISHED, cohorts
from test_statistics_golden import ABSOLUTE, RELATIVE

from rapport import sensitivity

FIGURES = [
    *("n", "estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"),
]
# The chance to rate comes from an iteration that R stops at a relative 1e-8 of the deviance.
RELATIVE_OF_RATERS = 1e-6


@lru_cache
def ours(name: str) -> pd.DataFrame:
    sessions = pd.read_csv(GOLDEN / name / "sessions.csv", dtype={"participant_id": str, "provider_id": object})
    results = sensitivity_results(*cohorts.read(name), sessions)
    return results.set_index(["analysis", "term"])


def golden(name: str) -> pd.DataFrame:
    """R's figures; the grid's terms have semicolons there, as commas separate columns."""
    r = pd.read_csv(GOLDEN / name / "sensitivity_results.csv")
    return r.assign(term=r["term"].str.replace(";", ",")).set_index(["analysis", "term"])


def assert_agrees(results: pd.DataFrame, name: str) -> None:
    """Every figure is R's; what R leaves undefined has a note, and nothing else has."""
    r = golden(name)
    assert sorted(results.index) == sorted(r.index)
    results = results.loc[r.index]
    of_raters = r.index.get_level_values("analysis") == "alliance_rater_weighted"
    for rows, relative in ((of_raters, RELATIVE_OF_RATERS), (~of_raters, RELATIVE)):
        pd.testing.assert_frame_equal(
            results.loc[rows, FIGURES].astype(float),
            r.loc[rows, FIGURES].astype(float),
            check_dtype=False,
            check_index_type=False,
            rtol=relative,
            atol=ABSOLUTE,
        )
    with_error = results["statistic_name"] == "t"
    lacks = r[FIGURES[1:]].isna().all(axis=1) | (with_error & r["std_error"].isna())
    assert results.loc[lacks, "note"].notna().all()
    assert results.loc[~lacks, "note"].isna().all()


@pytest.mark.parametrize("name", list(cohorts.COHORTS))
def test_every_figure_agrees_with_r(name: str) -> None:
    assert_agrees(ours(name), name)


@pytest.mark.parametrize(
    ("name", "analysis", "term", "note"),
    [
        ("one_provider", "alliance_clustered", "alliance", "one main provider"),
        ("one_provider", "alliance_within_between", "alliance_between", "aliased: no variance"),
        ("one_provider", "alliance_within_between", "alliance_between - alliance_within", "aliased: no variance"),
        ("one_provider", "alliance_provider_icc", "main_provider", "only one group"),
        ("own_provider", "alliance_within_between", "alliance_within", "aliased: no variance"),
        ("own_provider", "alliance_provider_icc", "main_provider", "every group has one member"),
        ("large", "alliance_rater_weighted", "alliance", "separation"),
        ("separated_raters", "alliance_rater_weighted", "alliance", "separation"),
        ("equal_alliance", "alliance_hc3", "alliance", "aliased: no variance in alliance"),
        ("equal_alliance", "alliance_provider_icc", "main_provider", "no variance within"),
        ("equal_alliance", "alliance_superiority_by_sex", "female - male", "no variance of the placements"),
        ("equal_alliance", "aim_1_multiplicity", "alliance_by_sex", "no variance"),
        ("only_males", "alliance_superiority_by_sex", "female - male", "no participants in group female"),
        ("none_positive", "reliable_change", "deterioration", "no participants"),
        ("none_positive", "wellbeing_regression_to_mean", "observed", "no participants"),
        ("empty_group", "wellbeing_change_welch", "utilization_type", "no participants in group both"),
        ("one_positive", "wellbeing_equivalence", "telecoaching - teletherapy", "no participants"),
    ],
)
def test_note_says_why(name: str, analysis: str, term: str, note: str) -> None:
    row = ours(name).loc[(analysis, term)]
    assert note in str(row["note"])
    assert np.isnan(row["std_error"])


def test_one_provider_leaves_the_estimates_of_r_without_errors() -> None:
    row = ours("one_provider").loc[("alliance_clustered", "alliance")]
    assert row["estimate"] == pytest.approx(
        ours("one_provider").loc[("alliance_hc3", "alliance"), "estimate"], rel=1e-12
    )
    assert row[["statistic", "p_value", "ci_low", "ci_high"]].isna().all()


def test_the_early_alliance_is_the_mean_where_nobody_changes_the_answer() -> None:
    results = ours("steady_alliance")
    grid = results.loc["definition_grid"]
    for cutoff in sensitivity.CUTOFFS:
        rows = [grid.loc[f"cutoff={cutoff},min_days=7,alliance={name}"] for name in ("mean", "first", "last")]
        assert rows[0]["estimate"] == rows[1]["estimate"] == rows[2]["estimate"]
    for term in sensitivity.Design(PUBLISHED).terms:
        early, whole = (results.loc[(analysis, term)] for analysis in ("alliance_first_sessions", "alliance_hc3"))
        assert early["estimate"] == pytest.approx(whole["estimate"], rel=1e-12)


def test_raters_of_some_classes_only_are_weighted_as_r_does() -> None:
    row = ours("class_without_raters").loc[("alliance_rater_weighted", "alliance")]
    assert row["note"] is None or pd.isna(row["note"])
    assert row["estimate"] == pytest.approx(3.9877740091165959, rel=1e-6)
