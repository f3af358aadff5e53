"""Slopes and lines of the moderation models against least squares on rows; intervals of effect sizes against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sufficient_statistics import reduced

from rapport import study
from rapport.statistics import CrossProducts, direction, effect_intervals, prediction

CHANCE = np.random.default_rng(5)
N = 60
X = CHANCE.normal(size=(N, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]]) + 3.0
DESIGN = np.column_stack([X, X[:, 0] * X[:, 1]])
Y = DESIGN @ np.array([0.5, -0.2, 0.3]) + CHANCE.normal(size=N)
TERMS = ("alliance", "moderator", "alliance:moderator")


def products(design: np.ndarray, y: np.ndarray, terms: tuple[str, ...]) -> CrossProducts:
    rows = np.column_stack([design, y])
    centred = rows - rows.mean(axis=0)
    return CrossProducts(terms, "y", len(y), rows.mean(axis=0), centred.T @ centred)


def by_rows(weights: np.ndarray) -> tuple[float, float]:
    """A weighted sum of intercept and coefficients, and its standard error, by the textbook."""
    design = np.column_stack([np.ones(N), DESIGN])
    inverse = np.linalg.inv(design.T @ design)
    b = inverse @ design.T @ Y
    residual = Y - design @ b
    variance = residual @ residual / (N - design.shape[1])
    return float(weights @ b), math.sqrt(float(variance * weights @ inverse @ weights))


@pytest.mark.parametrize("at", [-1.0, 0.0, 2.5])
def test_a_slope_is_the_sum_of_its_coefficients(at: float) -> None:
    slope = direction(products(DESIGN, Y, TERMS), {"alliance": 1.0, "alliance:moderator": at})
    estimate, error = by_rows(np.array([0.0, 1.0, 0.0, at]))
    assert (slope.estimate, slope.std_error) == pytest.approx((estimate, error), rel=1e-9)
    margin = stats.t.ppf(0.975, N - 4) * error
    assert (slope.ci_low, slope.ci_high) == pytest.approx((estimate - margin, estimate + margin), rel=1e-9)
    assert slope.p_value == pytest.approx(2 * stats.t.sf(abs(estimate / error), N - 4), rel=1e-8)


def test_a_prediction_is_the_mean_at_its_point() -> None:
    point = {"alliance": 4.0, "moderator": 1.0, "alliance:moderator": 4.0}
    expected = prediction(products(DESIGN, Y, TERMS), point)
    assert (expected.estimate, expected.std_error) == pytest.approx(by_rows(np.array([1.0, 4.0, 1.0, 4.0])), rel=1e-9)
    centre = prediction(products(DESIGN, Y, TERMS), {})
    assert centre.estimate == pytest.approx(Y.mean(), rel=1e-12)


def test_an_aliased_term_has_no_slope_and_no_prediction() -> None:
    data = products(np.column_stack([X, np.zeros(N)]), Y, TERMS)
    assert (
        direction(data, {"alliance": 1.0, "alliance:moderator": 1.0}).note
        == "aliased: no variance in alliance:moderator"
    )
    assert direction(data, {"alliance": 1.0, "alliance:moderator": 0.0}).estimate is not None
    assert prediction(data, {"alliance:moderator": 1.0}).note == "aliased: no variance in alliance:moderator"
    assert prediction(data, {"alliance:moderator": 0.0}).estimate == pytest.approx(Y.mean())


def test_what_cannot_be_asked() -> None:
    data = products(DESIGN, Y, TERMS)
    with pytest.raises(ValueError, match="unknown term age"):
        prediction(data, {"age": 1.0})
    with pytest.raises(ValueError, match="unknown term age"):
        direction(data, {"alliance": 1.0, "age": 1.0})
    with pytest.raises(ValueError, match="must be 1, got 2"):
        direction(data, {"alliance": 2.0})


def test_lines_follow_from_the_published_coefficients() -> None:
    statistics = reduced("large")
    lines = study.slope_findings(statistics.regression_cross_products)
    results = statistics.inference_results()
    assert len(lines) == 9 * study.LINE_POINTS
    for analysis, term in (("moderation_by_baseline", "baseline_score"), ("moderation_by_sessions", "total_sessions")):
        b = results.loc[analysis, "estimate"]
        unit = float(results.loc[("alliance_predicts_wellbeing", "alliance"), "estimate"]) / float(
            results.loc[("alliance_predicts_wellbeing", "alliance"), "standardized_estimate"]
        )
        for level, at in (("low", -1.0), ("mean", 0.0), ("high", 1.0)):
            line = lines[(lines["analysis"] == analysis) & (lines["level"] == level)]
            slope = (float(b["alliance"]) + at * float(b[f"alliance:{term}"])) * unit
            assert line["slope"].tolist() == pytest.approx([slope] * study.LINE_POINTS, rel=1e-9)
            rise = np.diff(line["predicted"]) / np.diff(line["alliance_score"])
            assert rise.tolist() == pytest.approx([slope] * (study.LINE_POINTS - 1), rel=1e-6)
            assert line["alliance_score"].between(1.0, 5.0).all()
    assert (lines["ci_low"] < lines["predicted"]).all()


@pytest.mark.parametrize("name", ["none_positive", "one_positive", "two_positive", "equal_alliance", "equal_baseline"])
def test_lines_that_cannot_be_drawn_say_why(name: str) -> None:
    lines = study.slope_findings(reduced(name).regression_cross_products)
    assert len(lines) == 9 * study.LINE_POINTS
    assert (lines["slope"].isna() == lines["note"].notna()).all()
    assert lines["note"].notna().any()


# --- Intervals of effect sizes


def test_mean_change_inverts_noncentral_t() -> None:
    low, high = effect_intervals.of_mean_change(2.4, 30) or (0.0, 0.0)
    assert stats.nct.sf(2.4, 29, low * math.sqrt(30)) == pytest.approx(0.025, rel=1e-6)
    assert stats.nct.cdf(2.4, 29, high * math.sqrt(30)) == pytest.approx(0.025, rel=1e-6)
    assert effect_intervals.of_mean_change(2.4, 30, 1.5) == pytest.approx((1.5 * low, 1.5 * high))
    assert effect_intervals.of_mean_change(2.4, 30, -1.0) == pytest.approx((-high, -low))
    assert effect_intervals.of_mean_change(1.0, 1) is None


def test_eta_squared_inverts_noncentral_f() -> None:
    low, high = effect_intervals.of_eta_squared(6.0, 2.0, 97.0) or (0.0, 0.0)
    assert stats.ncf.sf(6.0, 2, 97, 100 * low / (1 - low)) == pytest.approx(0.05, rel=1e-6)
    assert stats.ncf.cdf(6.0, 2, 97, 100 * high / (1 - high)) == pytest.approx(0.05, rel=1e-6)
    assert (effect_intervals.of_eta_squared(0.5, 2.0, 97.0) or (1.0,))[0] == 0.0


@pytest.mark.parametrize("n", [12, 3_000, 1_000_000, 100_000_000])
def test_intervals_hold_at_any_size(n: int) -> None:
    """A middling effect, seen in few and in very many."""
    low, high = effect_intervals.of_mean_change(0.8 * math.sqrt(n), n) or (0.0, 0.0)
    assert low < 0.8 < high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt((1 + 0.32) / n), rel=0.2)
    f = 0.1 / 0.9 * (n - 3) / 2
    low, high = effect_intervals.of_eta_squared(f, 2.0, n - 3.0) or (0.0, 0.0)
    assert low <= 0.1 < high
    h = 0.1 * (n - 3) + 2
    ranks = effect_intervals.of_rank_eta_squared(h, 2.0, n) or (0.0, 0.0)
    assert ranks[0] <= 0.1 < ranks[1]
    if n >= 3000:
        assert high - low == pytest.approx(
            2 * 1.645 * 2 * math.sqrt(0.1 * 0.9**2 / n) * math.sqrt(1 + 0.1 / 2 / 0.9), rel=0.2
        )


def test_rank_eta_squared_inverts_noncentral_chi_squared() -> None:
    low, high = effect_intervals.of_rank_eta_squared(10.83, 2.0, 3087) or (0.0, 0.0)
    assert stats.ncx2.sf(10.83, 2, low * 3084) == pytest.approx(0.05, rel=1e-6)
    assert stats.ncx2.cdf(10.83, 2, high * 3084) == pytest.approx(0.05, rel=1e-6)
    assert low < (10.83 - 2) / 3084 < high
    assert effect_intervals.of_rank_eta_squared(1.0, 2.0, 3) is None


def test_a_correlation_has_fisher_s_interval() -> None:
    assert effect_intervals.of_correlation(0.5, 28) == pytest.approx(
        stats.pearsonr(*correlated(0.5, 28)).confidence_interval(0.95), rel=1e-9
    )
    wider = effect_intervals.of_correlation(0.5, 28, of_ranks=True) or (1.0, 0.0)
    plain = effect_intervals.of_correlation(0.5, 28) or (0.0, 0.0)
    assert wider[0] < plain[0] < plain[1] < wider[1]
    assert effect_intervals.of_correlation(0.5, 3) is None
    assert effect_intervals.of_correlation(1.0, 30) is None


def correlated(r: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two variables whose correlation is exactly r."""
    x, z = CHANCE.normal(size=(2, n))
    x = x - x.mean()
    z = z - z.mean() - x * float(x @ (z - z.mean())) / float(x @ x)
    return x / np.linalg.norm(x), r * x / np.linalg.norm(x) + math.sqrt(1 - r * r) * z / np.linalg.norm(z)


def test_published_effect_sizes_lie_in_their_intervals() -> None:
    results = reduced("large").inference_results()
    known = results.dropna(subset=["effect_size_low"])
    assert set(known.index.get_level_values("analysis")) == {
        *("alliance_vs_age", "alliance_by_utilization", "wellbeing_change", "wellbeing_change_by_utilization")
    }
    assert len(known) == 7
    sizes = known["effect_size"].fillna(known["estimate"])
    assert (known["effect_size_low"] <= sizes).all()
    assert (sizes <= known["effect_size_high"]).all()
