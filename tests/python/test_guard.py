"""No numerical function ends a build: what it raises, and what is not finite, is a row with a note."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sufficient_statistics import PUBLISHED, SufficientStatistics, reduced

import rapport.statistics as package
from rapport import study
from rapport.statistics import distributions, effect_intervals, means, ranks, regression, studentized_range
from rapport.statistics.result import RegressionStep, TestResult

# function of the study: what its failure leaves without figures
FINDINGS = {
    "cronbach_alpha": {"alliance_reliability"},
    "medians": {"alliance_group_medians"},
    "spearman": {"alliance_vs_age"},
    "mann_whitney": {"alliance_by_sex", "alliance_by_country", "alliance_by_depression_screen"},
    "kruskal_wallis": {"alliance_by_utilization"},
    "dunn": {"alliance_by_utilization_dunn"},
    "paired_t": {"wellbeing_change"},
    "paired_effect_sizes": {"wellbeing_change"},
    "percent_change": {"wellbeing_change"},
    "group_means": {"wellbeing_change_group_means"},
    "one_way_anova": {"wellbeing_change_by_utilization"},
    "tukey_kramer": {"wellbeing_change_by_utilization_tukey"},
    "wilson": {"clinical_recovery", "clinical_improvement"},
    "least_squares": set(PUBLISHED.regressions),
}
DEEPER = [
    *(
        (distributions, name)
        for name in ("normal_quantile", "normal_two_sided_p", "t_two_sided_p", "t_quantile", "chi_squared_p", "f_p")
    ),
    *((effect_intervals, name) for name in ("of_correlation", "of_rank_eta_squared", "of_eta_squared")),
    *((effect_intervals, name) for name in ("of_mean_change", "noncentral_t_cdf", "noncentral_f_cdf")),
    (effect_intervals, "noncentral_chi_squared_cdf"),
    *((studentized_range, name) for name in ("quantile", "sf")),
    *((regression, name) for name in ("_decompose", "root", "signed_root")),
    *((ranks, name) for name in ("root", "signed_root")),
    *((means, name) for name in ("root", "signed_root")),
]
FIGURES = [
    field.name
    for field in dataclasses.fields(TestResult)
    if field.type == "float | None" and field.name not in ("df", "df_residual")
]
FAULTS = [ZeroDivisionError, OverflowError, ValueError, RuntimeError, np.linalg.LinAlgError, FloatingPointError]


def failing(error: type[Exception]) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error("f(a) and f(b) must have different signs: 4, 3, 5")

    return fail


@cache
def unharmed() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return tables(reduced("small"))


def tables(statistics: SufficientStatistics) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return (
        statistics.inference_results(),
        statistics.model_fit(),
        statistics.slopes(),
    )


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("name", FINDINGS)
def test_a_function_that_raises_leaves_a_row_with_a_note(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, error: type[Exception]
) -> None:
    before = reduced("small").inference_results()
    monkeypatch.setattr(study, name, failing(error))
    after = reduced("small").inference_results()
    pd.testing.assert_index_equal(after.index, before.index)
    lost = after["note"].str.startswith("cannot be computed", na=False)
    assert set(after.index[lost].get_level_values("analysis")) == FINDINGS[name]
    assert after.loc[lost, "note"].eq(f"cannot be computed ({error.__name__})").all()
    assert after.loc[lost, FIGURES].isna().all(axis=None)
    # What the row is about and how many it rests on stay; everything else is untouched.
    labels = ["method", "n", "estimate_name", "statistic_name", "effect_size_name"]
    pd.testing.assert_frame_equal(after.loc[lost, labels], before.loc[lost, labels])
    pd.testing.assert_frame_equal(after[~lost], before[~lost])
    assert "different signs" in caplog.text


@pytest.mark.parametrize("error", FAULTS)
def test_a_fit_that_raises_leaves_its_steps(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    before = reduced("small").model_fit()
    monkeypatch.setattr(study, "hierarchical_regression", failing(error))
    after = reduced("small").model_fit()
    assert after["note"].eq(f"cannot be computed ({error.__name__})").all()
    pd.testing.assert_frame_equal(after[["terms", "n"]], before[["terms", "n"]])
    assert after.drop(columns=["terms", "n", "note"]).isna().all(axis=None)


@pytest.mark.parametrize("name", ["direction", "prediction", "__post_init__"])
def test_a_line_that_raises_leaves_its_points(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = reduced("small").slopes()
    monkeypatch.setattr(regression.LinearModel, name, failing(ArithmeticError))
    after = reduced("small").slopes()
    keys = ["analysis", "level", "position", "n"]
    pd.testing.assert_frame_equal(after[keys], before[keys])
    assert after["note"].eq("cannot be computed (ArithmeticError)").all()
    assert after.drop(columns=[*keys, "note"]).isna().all(axis=None)


@pytest.mark.parametrize("result", [failing(RuntimeError), lambda *_, **__: math.nan, lambda *_, **__: (math.inf, 0.0)])
@pytest.mark.parametrize(("module", "name"), DEEPER, ids=lambda value: getattr(value, "__name__", value))
def test_no_function_below_ends_a_build(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, result: Callable[..., object]
) -> None:
    """It raises, is not a number, or is something else than it promises."""
    before = unharmed()
    monkeypatch.setattr(module, name, result)
    after = tables(reduced("small"))
    lost = 0
    for ours, theirs in zip(after, before, strict=True):
        assert len(ours) == len(theirs)
        figures = ours.select_dtypes("float").columns
        assert not np.isinf(ours[figures].to_numpy(dtype=float)).any()
        without = ours[figures].isna() & theirs[figures].notna()
        assert ours.loc[without.any(axis=1), "note"].str.contains("cannot be computed").all()
        lost += int(without.to_numpy().sum())
    assert lost > 0


@pytest.mark.parametrize("stray", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_becomes_a_note(monkeypatch: pytest.MonkeyPatch, stray: float) -> None:
    monkeypatch.setattr(effect_intervals, "of_correlation", lambda *_, **__: (stray, 0.5))
    row = reduced("small").inference_results().loc[("alliance_vs_age", "age_years")]
    assert row["note"] == "cannot be computed: effect_size_low"
    assert math.isnan(row["effect_size_low"])
    assert row["effect_size_high"] == 0.5
    assert row["p_value"] > 0.0


def test_a_function_with_a_row_too_few_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "medians", lambda groups: {})
    rows = reduced("small").inference_results().loc["alliance_group_medians"]
    assert len(rows) == 10
    assert rows["note"].eq("cannot be computed (ValueError)").all()


def test_every_function_of_the_package_that_makes_results_is_guarded() -> None:
    """A new statistic without a line above is found here."""
    makers = {
        name
        for name in package.__all__
        if callable(getattr(package, name)) and name[0].islower() and name not in ("holm",)
    }
    assert makers == {*FINDINGS, "hierarchical_regression"}
    assert dataclasses.is_dataclass(RegressionStep)


# --- A covariate without variance


def test_a_constant_covariate_is_aliased_and_the_moderation_goes_on() -> None:
    results, fit = reduced("one_session").inference_results(), reduced("one_session").model_fit()
    for analysis in ("moderation_by_utilization", "moderation_by_baseline"):
        rows = results.loc[analysis]
        assert rows.loc["time_in_care", "note"] == "aliased: no variance in time_in_care"
        assert rows.loc["alliance", "p_value"] > 0.0
        assert fit.loc[(analysis, 2), "note"] is None or pd.isna(fit.loc[(analysis, 2), "note"])
        assert fit.loc[(analysis, 2), "r_squared"] > 0.0
    lines = reduced("one_session").slopes().set_index(["analysis", "level"])
    assert lines.loc["moderation_by_baseline", "slope"].notna().all()
    # Without the moderator there is no moderation.
    rows = results.loc["moderation_by_sessions"]
    assert rows["note"].eq("no variance in time_in_care, total_sessions: its z-scores are undefined").all()
