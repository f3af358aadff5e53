"""Known answers, limits and refusals of the statistics package."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from sufficient_statistics import GOLDEN

from rapport.statistics import (
    CrossProducts,
    FrequencyTable,
    GroupMoments,
    JointFrequencyTable,
    PairedMoments,
    TestResult,
    cronbach_alpha,
    distributions,
    dunn,
    hierarchical_regression,
    holm,
    kruskal_wallis,
    least_squares,
    mann_whitney,
    medians,
    one_way_anova,
    paired_effect_sizes,
    paired_t,
    percent_change,
    spearman,
    studentized_range,
    tukey_kramer,
    wilson,
)
from rapport.statistics.exact import root, signed_root

EMPTY = FrequencyTable([], [])
SOME = FrequencyTable([4.0, 4.5, 5.0], [2, 3, 5])
EQUAL = FrequencyTable([4.0], [7])


def figures(result: TestResult) -> dict[str, float]:
    names = (
        *(
            "estimate",
            "std_error",
            "standardized_estimate",
            "y_standardized_estimate",
            "statistic",
            "df",
            "df_residual",
        ),
        *("p_value", "p_adjusted", "ci_low", "ci_high", "effect_size"),
    )
    values = {name: getattr(result, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


# --- Studentized range --------------------------------------------------------------------


def test_studentized_range_agrees_with_r() -> None:
    grid = pd.read_csv(GOLDEN / "studentized_range.csv")
    ours = [
        studentized_range.sf(q, int(groups), df)
        for q, groups, df in zip(grid["q"], grid["groups"], grid["df"], strict=True)
    ]
    np.testing.assert_allclose(ours, grid["p"], rtol=1e-8, atol=1e-12)


def test_studentized_range_quantile_agrees_with_r() -> None:
    grid = pd.read_csv(GOLDEN / "studentized_range.csv").drop_duplicates(["groups", "df"])
    ours = [
        studentized_range.quantile(0.95, int(groups), df) for groups, df in zip(grid["groups"], grid["df"], strict=True)
    ]
    np.testing.assert_allclose(ours, grid["quantile"], rtol=1e-11)


def test_studentized_range_limits() -> None:
    assert studentized_range.cdf(0.0, 3, 10) == 0.0
    assert studentized_range.cdf(-1.0, 3, 10) == 0.0
    assert studentized_range.cdf(math.inf, 3, 10) == 1.0
    assert studentized_range.sf(100.0, 3, 1e7) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: studentized_range.cdf(1.0, 1, 10),
        lambda: studentized_range.cdf(1.0, 3, 1.5),
        lambda: studentized_range.cdf(math.nan, 3, 10),
        lambda: studentized_range.quantile(1.0, 3, 10),
        lambda: studentized_range.quantile(0.95, 3, math.nan),
    ],
)
def test_studentized_range_refuses(call: Callable[[], float]) -> None:
    with pytest.raises(ValueError, match=r"groups|degrees|number|between"):
        call()


# --- The published study's own figures ----------------------------------------------------


def test_the_papers_paired_t_follows_from_its_moments() -> None:
    """n = 835, change 15.42 (14.19–16.65), 75.5% improvement."""
    sd = (16.65 - 14.19) / 2 / 1.9628 * math.sqrt(835)
    result = paired_t(PairedMoments(835, 20.42, 35.84, 15.42, 50.0, 350.0, sd**2, 40.0))
    assert result.ci_low == pytest.approx(14.19, abs=0.005)
    assert result.ci_high == pytest.approx(16.65, abs=0.005)
    change = percent_change(PairedMoments(835, 20.42, 35.84, 15.42, 50.0, 350.0, sd**2, 40.0))
    assert change.estimate == pytest.approx(75.5, abs=0.05)


def test_the_papers_rates() -> None:
    recovery = wilson(485, 835)
    assert recovery.estimate == pytest.approx(0.5808, abs=5e-5)
    assert recovery.ci_low is not None
    assert recovery.ci_high is not None
    assert recovery.ci_low < 0.5808 < recovery.ci_high


# --- What the data cannot support ---------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "note"),
    [
        (mann_whitney(EMPTY, SOME, ("female", "male")), "no participants in group female"),
        (mann_whitney(EMPTY, EMPTY), "no participants in groups first and second"),
        (mann_whitney(EQUAL, EQUAL), "no variance"),
        (kruskal_wallis({"a": SOME, "b": EMPTY}), "no participants in group b"),
        (kruskal_wallis({"a": EQUAL, "b": EQUAL}), "no variance"),
        (dunn({"a": EQUAL, "b": EQUAL}, [("a", "b")])["a", "b"], "no variance"),
        (medians({"a": EMPTY})["a"], "no participants in group a"),
        (spearman(JointFrequencyTable([1, 2], [1, 2], [1, 1])), "too few rows"),
        (spearman(JointFrequencyTable([1, 2], [1, 1], [4, 4])), "no variance"),
        (paired_t(PairedMoments(0)), "no participants"),
        (paired_t(PairedMoments(1, 20, 40, 20)), "too few rows"),
        (paired_t(PairedMoments(5, 20, 40, 20, 9, 9, 0, 9)), "no variance"),
        (percent_change(PairedMoments(1, 0.0, 8.0, 8.0)), "is 0"),
        (one_way_anova({"a": GroupMoments(3, 1, 1), "b": GroupMoments(0)}), "no participants"),
        (one_way_anova({"a": GroupMoments(1, 1), "b": GroupMoments(1, 2)}), "too few rows"),
        (one_way_anova({"a": GroupMoments(3, 1, 0), "b": GroupMoments(3, 2, 0)}), "no variance"),
        (
            tukey_kramer({"a": GroupMoments(2, 1, 1), "b": GroupMoments(1, 2)}, [("a", "b")])["a", "b"],
            "too few rows",
        ),
        (cronbach_alpha(1, np.full((2, 2), np.nan)), "too few rows"),
        (cronbach_alpha(9, [[0.0, 0.0], [0.0, 0.0]]), "no variance"),
        (cronbach_alpha(9, [[1.0, -1.0], [-1.0, 1.0]]), "no variance"),
        (wilson(0, 0), "no participants"),
    ],
)
def test_unsupported_tests_say_why(result: TestResult, note: str) -> None:
    assert result.note is not None
    assert note in result.note
    assert figures(result) == {}


def test_contrasts_between_present_groups_stand() -> None:
    groups = {"a": GroupMoments(5, 10, 4), "b": GroupMoments(6, 14, 5), "c": GroupMoments(0)}
    results = tukey_kramer(groups, [("b", "a"), ("c", "a")])
    assert results["b", "a"].p_adjusted is not None
    assert results["b", "a"].note is None
    assert results["c", "a"].note == "no participants in group c"
    pairwise = dunn({"a": SOME, "b": EQUAL, "c": EMPTY}, [("a", "b"), ("a", "c")])
    assert pairwise["a", "b"].p_adjusted == pairwise["a", "b"].p_value


def test_perfect_rank_correlation_has_no_finite_t() -> None:
    result = spearman(JointFrequencyTable([1, 2, 3], [9, 8, 7], [10, 20, 30]))
    assert result.estimate == -1.0
    assert result.p_value == 0.0
    assert result.statistic is None
    assert result.note is not None


def test_d_rm_needs_a_correlation() -> None:
    constant_baseline = PairedMoments(9, 20, 32, 12, 0.0, 16.0, 16.0, 0.0)
    assert paired_effect_sizes(constant_baseline)["d_rm"].note
    assert paired_effect_sizes(constant_baseline)["d_z"].effect_size == pytest.approx(3.0)
    assert paired_effect_sizes(constant_baseline)["d_av"].effect_size == pytest.approx(6.0)
    assert paired_t(constant_baseline).statistic == pytest.approx(9.0)


def test_d_av_of_a_constant_change_has_no_interval_and_says_so() -> None:
    d_av = paired_effect_sizes(PairedMoments(9, 20, 32, 12, 16.0, 16.0, 0.0, 16.0))["d_av"]
    assert d_av.effect_size == pytest.approx(3.0)
    assert (d_av.effect_size_low, d_av.note) == (None, "no variance of the change: no interval")


def test_wilson_limits_stay_within_bounds() -> None:
    assert wilson(0, 10).ci_low == 0.0
    assert wilson(10, 10).ci_high == 1.0


# --- Regression ---------------------------------------------------------------------------


def regression(rows: list[list[float]]) -> CrossProducts:
    matrix = np.array(rows, dtype=float)
    centred = matrix - matrix.mean(axis=0)
    terms = [f"x{i}" for i in range(matrix.shape[1] - 1)]
    return CrossProducts(terms, "y", len(matrix), matrix.mean(axis=0), centred.T @ centred)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (CrossProducts(["x0"], "y", 0, np.zeros(2), np.zeros((2, 2))), "no participants"),
        (regression([[1, 5], [2, 6]]), "too few rows"),
        (regression([[1, 0, 5], [2, 1, 6], [4, 1, 3]]), "too few rows: 3 for 3 coefficients"),
        (regression([[1, 5], [2, 5], [3, 5], [5, 5]]), "no variance in y"),
        (regression([[1, 3], [2, 5], [3, 7], [5, 11]]), "perfect fit"),
    ],
)
def test_models_that_cannot_be_estimated_say_why(data: CrossProducts, note: str) -> None:
    for result in least_squares(data).values():
        assert result.note is not None
        assert note in result.note
        assert figures(result) == {}
    (fit,) = hierarchical_regression(data, [data.terms])
    assert fit.note is not None
    assert note in fit.note
    assert fit.r_squared is None


def test_a_step_of_aliased_terms_gains_nothing() -> None:
    data = regression([[1, 2, 3], [2, 4, 1], [4, 8, 2], [5, 10, 7], [7, 14, 5]])
    first, second = hierarchical_regression(data, [["x0"], ["x1"]])
    assert second.df == 0.0
    assert second.delta_r_squared == 0.0
    assert second.f_change is None
    assert second.p_value is None
    assert second.r_squared == first.r_squared
    assert second.note


# --- Malformed input ----------------------------------------------------------------------

IDENTITY = np.eye(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FrequencyTable([1.0, 2.0], [1]), "shape"),
        (lambda: FrequencyTable([1.0], [-1]), "whole numbers"),
        (lambda: FrequencyTable([1.0], [0.5]), "whole numbers"),
        (lambda: FrequencyTable([1.0], [math.nan]), "whole numbers"),
        (lambda: FrequencyTable([math.nan], [1]), "finite"),
        (lambda: FrequencyTable([[1.0]], [[1]]), "one-dimensional"),
        (lambda: JointFrequencyTable([1.0, 2.0], [1.0], [1, 1]), "one shape"),
        (lambda: GroupMoments(-1), "whole number"),
        (lambda: GroupMoments(3, math.nan, 1.0), "mean is missing"),
        (lambda: GroupMoments(3, 1.0), "variance is missing"),
        (lambda: GroupMoments(3, 1.0, -1.0), "negative"),
        (lambda: GroupMoments(3, math.inf, 1.0), "finite"),
        (lambda: PairedMoments(3, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0), "covariance is missing"),
        (lambda: kruskal_wallis({"a": SOME}), "at least 2 groups"),
        (lambda: one_way_anova({"a": GroupMoments(3, 1.0, 1.0)}), "at least 2 groups"),
        (lambda: dunn({"a": SOME}, [("a", "b")]), "unknown group: b"),
        (lambda: tukey_kramer({}, [("a", "b")]), "unknown group: a"),
        (lambda: wilson(3, 2), "between 0 and n"),
        (lambda: wilson(-1, 2), "between 0 and n"),
        (lambda: holm([0.5, math.nan]), "between 0 and 1"),
        (lambda: cronbach_alpha(-1, IDENTITY), "negative"),
        (lambda: cronbach_alpha(9, [1.0, 2.0]), "square"),
        (lambda: cronbach_alpha(9, np.full((2, 2), np.nan)), "finite"),
        (lambda: cronbach_alpha(9, [[1.0, 0.5], [0.4, 1.0]]), "symmetric"),
        (lambda: cronbach_alpha(9, -IDENTITY), "negative variance"),
        (lambda: CrossProducts(["x"], "y", 9, [1.0], IDENTITY), "means must have shape"),
        (lambda: CrossProducts(["x"], "y", 9, [1.0, 1.0], [[1.0]]), "cross_products must have"),
        (lambda: CrossProducts(["x"], "y", 9, [1.0, math.nan], IDENTITY), "finite"),
        (lambda: CrossProducts(["x"], "y", -9, [1.0, 1.0], IDENTITY), "whole number"),
        (lambda: CrossProducts(["x"], "y", 9, [1.0, 1.0], -IDENTITY), "negative sum"),
        (lambda: CrossProducts(["x"], "y", 9, [1, 1], [[1.0, 0.5], [0.4, 1.0]]), "symmetric"),
        (lambda: CrossProducts(["y"], "y", 9, [1.0, 1.0], IDENTITY), "distinct"),
        (
            lambda: hierarchical_regression(CrossProducts(["x"], "y", 9, [1.0, 1.0], IDENTITY), [["z"]]),
            "steps add",
        ),
    ],
)
def test_malformed_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- Rounding -----------------------------------------------------------------------------


def is_nearest(value: float, square: Fraction) -> bool:
    """Whether no other float is nearer to the root: the midpoints to its neighbours lie on the two sides of it."""
    below, above = (Fraction(math.nextafter(value, towards)) for towards in (-math.inf, math.inf))
    low, high = (below + Fraction(value)) / 2, (Fraction(value) + above) / 2
    return (low <= 0 or low**2 <= square) and square <= high**2


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.fractions(min_value=0))
def test_roots_are_correctly_rounded(square: Fraction) -> None:
    assert is_nearest(root(square), square)
    assert root(square**2) == float(square)
    assert signed_root(-1, square) == -root(square)


@pytest.mark.parametrize("exponent", [-600, -301, 0, 101, 600])
def test_roots_of_long_fractions_are_correctly_rounded(exponent: int) -> None:
    square = Fraction(3**400 + 1, 7**300) * Fraction(2) ** exponent
    assert is_nearest(root(square), square)
    # Halfway between two floats, and a hair beside it.
    halfway = Fraction(2**53 + 1, 2**53)
    for hair, expected in ((0, 1.0), (Fraction(1, 2**400), math.nextafter(1.0, 2.0)), (-Fraction(1, 2**400), 1.0)):
        assert root((halfway + hair) ** 2) == expected


def test_root_of_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        root(Fraction(-1, 3))


def test_a_failure_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """max(0, nan) is 0 in Python: a limit that is not a number must not become a bound."""
    monkeypatch.setattr(distributions, "normal_quantile", lambda _: math.nan)
    result = wilson(3, 10)
    assert math.isnan(result.ci_low or 0.0)
    assert math.isnan(result.ci_high or 0.0)
    assert math.isnan(distributions.normal_two_sided_p(math.nan))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 10**8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_statsmodels(counts: tuple[int, int]) -> None:
    result = wilson(*counts)
    low, high = proportion_confint(*counts, alpha=0.05, method="wilson")
    assert (result.ci_low, result.ci_high) == pytest.approx((max(low, 0.0), min(high, 1.0)), rel=1e-8, abs=1e-12)


@given(st.lists(st.floats(0.0, 1.0), max_size=8))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm(p_values) == pytest.approx(list(expected), rel=1e-14)


# --- Size ---------------------------------------------------------------------------------


def test_ten_million_participants_take_no_time_and_lose_no_digits() -> None:
    values = np.linspace(1.0, 5.0, 400)
    counts = np.arange(1, 401) * 60
    start = time.perf_counter()
    first, second = FrequencyTable(values, counts), FrequencyTable(values, counts[::-1])
    result = mann_whitney(first, second)
    assert result.n == 2 * 60 * 400 * 401 // 2
    # U is half a count of pairs, a whole number far below 2**53.
    mirrored = mann_whitney(second, first)
    assert result.statistic is not None
    assert mirrored.statistic is not None
    assert result.statistic + mirrored.statistic == first.n * second.n
    means = {"a": 1.0, "b": 1.0, "c": 2.0}
    groups = {name: GroupMoments(3_333_333, mean, 300.0) for name, mean in means.items()}
    contrasts = tukey_kramer(groups, [("b", "a"), ("c", "a")])
    assert contrasts["b", "a"].p_adjusted == pytest.approx(1.0)
    assert contrasts["c", "a"].p_adjusted == pytest.approx(0.0)
    assert time.perf_counter() - start < 1.0
