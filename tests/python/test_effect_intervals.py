"""Intervals of effect sizes against direct integration of their distributions, at every size of sample and effect."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from rapport.statistics import (
    FrequencyTable,
    GroupMoments,
    JointFrequencyTable,
    PairedMoments,
    distributions,
    effect_intervals,
    kruskal_wallis,
    mann_whitney,
    one_way_anova,
    paired_effect_sizes,
    paired_t,
    spearman,
)

many = settings(max_examples=150, deadline=None, derandomize=True)

sizes = st.one_of(st.integers(4, 60), st.floats(math.log(3), math.log(1e8)).map(lambda x: round(math.exp(x))))
effects = st.one_of(st.floats(0.0, 1.0), st.floats(0.0, 10.0))

NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)


def by_integration_over_s(df: float, inside) -> float:  # type: ignore[no-untyped-def]
    """The mean of a function of s, s² a χ² over its degrees of freedom, by adaptive quadrature of log s."""
    width = 12.0 / math.sqrt(2.0 * df)
    low, high = (-width, width) if df > 500 else (-30.0 / df - 8.0 / math.sqrt(df), 7.0 / math.sqrt(df))

    def density(u: float) -> float:
        return math.exp(df * (u - math.expm1(2.0 * u) / 2.0))

    options = {"epsabs": 0.0, "epsrel": 1e-11, "limit": 400, "points": [0.0]}
    total = integrate.quad(density, low, high, **options)[0]
    return integrate.quad(lambda u: density(u) * inside(math.exp(u)), low, high, **options)[0] / total


def t_by_integration(t: float, df: float, noncentrality: float) -> float:
    return by_integration_over_s(df, lambda s: special.ndtr(t * s - noncentrality))


def chi_squared_2_by_integration(x: float, noncentrality: float) -> float:
    """P((Z₁ + δ)² + Z₂² ≤ x) over the angle that Z₁ + δ has in the circle of radius √x."""
    radius, delta = math.sqrt(x), math.sqrt(noncentrality)
    if radius == 0.0:
        return 0.0
    low, high = (math.asin(min(1.0, max(-1.0, (delta + z) / radius))) for z in (-10.0, 10.0))
    theta = low + (high - low) * (NODES + 1.0) / 2.0
    z = radius * np.sin(theta) - delta
    inside = special.erf(radius * np.cos(theta) / math.sqrt(2.0)) * np.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)
    return float(WEIGHTS @ (inside * radius * np.cos(theta)) * (high - low) / 2.0)


def f_2_by_integration(f: float, df_residual: float, noncentrality: float) -> float:
    return by_integration_over_s(df_residual, lambda s: chi_squared_2_by_integration(2.0 * f * s * s, noncentrality))


def test_the_interval_where_scipy_has_no_number() -> None:
    limits = effect_intervals.of_mean_change(37.63060941940117, 1507)
    assert limits == pytest.approx((0.908, 1.030), abs=5e-4)
    limits = effect_intervals.of_eta_squared(2320.866, 2.0, 228607.0)
    assert limits is not None
    for limit, probability in zip(limits, (0.95, 0.05), strict=True):
        noncentrality = 228610.0 * limit / (1.0 - limit)
        assert f_2_by_integration(2320.866, 228607.0, noncentrality) == pytest.approx(probability, abs=1e-8)


def test_no_draw_of_middling_effects_in_thousands_fails() -> None:
    chance = np.random.default_rng(14)
    for low, high, smallest, largest in ((1400, 2000, 0.8, 1.0), (8000, 20000, 0.2, 0.35)):
        for n, d_z in zip(chance.integers(low, high, 150), chance.uniform(smallest, largest, 150), strict=True):
            limits = effect_intervals.of_mean_change(d_z * math.sqrt(n), int(n))
            assert limits is not None
            margin = 1.96 * math.sqrt((1.0 + d_z**2 / 2.0) / n)
            assert limits == pytest.approx((d_z - margin, d_z + margin), rel=2e-3)


@many
@given(sizes, effects)
def test_the_limits_of_a_mean_change_invert_noncentral_t(n: int, d_z: float) -> None:
    t = d_z * math.sqrt(n)
    limits = effect_intervals.of_mean_change(t, n)
    assert limits is not None
    assert limits[0] < d_z < limits[1]
    for limit, probability in zip(limits, (0.975, 0.025), strict=True):
        assert t_by_integration(t, n - 1.0, limit * math.sqrt(n)) == pytest.approx(probability, abs=1e-8)
    mirrored = effect_intervals.of_mean_change(-t, n)
    assert mirrored == pytest.approx((-limits[1], -limits[0]), rel=1e-9, abs=1e-12)


@many
@given(sizes, effects)
def test_the_limits_of_eta_squared_invert_noncentral_f(n: int, cohens_f: float) -> None:
    n = max(n, 4)
    df_residual = n - 3.0
    f = cohens_f**2 * df_residual / 2.0
    limits = effect_intervals.of_eta_squared(f, 2.0, df_residual)
    p = distributions.f_p(f, 2.0, df_residual)
    if limits is None:
        assert p >= 0.95
        return
    low, high = limits
    assert 0.0 <= low < high < 1.0
    assert p < 0.95
    assert (low > 0.0) == (p < 0.05)
    for limit, probability in ((low, 0.95), (high, 0.05)):
        if limit > 0.0:
            noncentrality = n * limit / (1.0 - limit)
            assert f_2_by_integration(f, df_residual, noncentrality) == pytest.approx(probability, abs=1e-7)


@many
@given(sizes, st.floats(0.0, 0.95))
def test_the_limits_of_rank_eta_squared_invert_noncentral_chi_squared(n: int, eta_squared: float) -> None:
    n = max(n, 4)
    h = eta_squared * (n - 3.0) + 2.0 * eta_squared
    limits = effect_intervals.of_rank_eta_squared(h, 2.0, n)
    p = distributions.chi_squared_p(h, 2.0)
    if limits is None:
        assert p >= 0.95
        return
    low, high = limits
    assert (low > 0.0) == (p < 0.05)
    for limit, probability in ((low, 0.95), (high, 0.05)):
        if 0.0 < limit < 1.0:
            assert chi_squared_2_by_integration(h, limit * (n - 3.0)) == pytest.approx(probability, abs=1e-8)


@pytest.mark.parametrize("n", [3, 10, 1_000, 100_000, 100_000_000])
def test_very_large_statistics_have_an_interval(n: int) -> None:
    """t of 1e5: a large sample or an effect beyond all measure."""
    limits = effect_intervals.of_mean_change(1e5, n)
    assert limits is not None
    for limit, probability in zip(limits, (0.975, 0.025), strict=True):
        assert t_by_integration(1e5, n - 1.0, limit * math.sqrt(n)) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(("df", "x", "noncentrality"), [(2.0, 3.0, 1.5), (5.0, 80.0, 60.0), (1.0, 1200.0, 1100.0)])
def test_distributions_equal_scipy_where_it_has_them(df: float, x: float, noncentrality: float) -> None:
    ours = effect_intervals.noncentral_chi_squared_cdf(x, df, noncentrality)
    assert ours == pytest.approx(special.chndtr(x, df, noncentrality), abs=1e-11)
    ours = effect_intervals.noncentral_f_cdf(x / df, df, 37.0, noncentrality)
    assert ours == pytest.approx(special.ncfdtr(df, 37.0, noncentrality, x / df), abs=1e-11)
    ours = effect_intervals.noncentral_t_cdf(math.sqrt(x), 37.0, math.sqrt(noncentrality))
    assert ours == pytest.approx(special.nctdtr(37.0, math.sqrt(noncentrality), math.sqrt(x)), abs=1e-11)


# --- What a test says of its interval


def test_groups_more_alike_than_chance_have_no_interval() -> None:
    alike = FrequencyTable([1.0, 2.0, 3.0, 4.0], [25, 25, 25, 25])
    result = kruskal_wallis({"a": alike, "b": alike, "c": alike})
    assert result.effect_size == pytest.approx(-2.0 / 297.0)
    assert (result.effect_size_low, result.effect_size_high) == (None, None)
    assert "no interval" in str(result.note)
    anova = one_way_anova({"a": GroupMoments(50, 10.0, 4.0), "b": GroupMoments(50, 10.0, 4.0)})
    assert anova.p_value == 1.0
    assert (anova.effect_size_low, anova.effect_size_high) == (None, None)
    assert "no interval" in str(anova.note)


def test_eta_squared_near_the_level_of_significance_agrees_with_p() -> None:
    """F of P = .0499 and of P = .0501: a 95% interval would hold 0 in both."""
    f = float(special.fdtri(2.0, 97.0, 0.95))
    for factor, is_significant in ((1.001, True), (0.999, False)):
        limits = effect_intervals.of_eta_squared(f * factor, 2.0, 97.0)
        assert limits is not None
        assert (limits[0] > 0.0) is is_significant


def test_the_r_of_mann_whitney_has_no_interval() -> None:
    result = mann_whitney(FrequencyTable([4.0, 5.0], [9, 4]), FrequencyTable([3.0, 4.0], [6, 8]))
    assert result.effect_size is not None
    assert (result.effect_size_low, result.effect_size_high) == (None, None)


def test_no_change_on_average_has_an_interval_around_0() -> None:
    moments = PairedMoments(25, 40.0, 40.0, 0.0, 100.0, 100.0, 60.0, 70.0)
    result = paired_t(moments)
    assert result.effect_size == 0.0
    assert result.effect_size_low == pytest.approx(-(result.effect_size_high or 0.0), rel=1e-9)
    assert (result.effect_size_high or 0.0) > 0.2
    low = {name: one.effect_size_low for name, one in paired_effect_sizes(moments).items()}
    assert low["d_av"] == pytest.approx((low["d_z"] or 0.0) * math.sqrt(60.0) / 10.0)


@pytest.mark.parametrize(
    ("x", "y", "counts", "exact"),
    [
        ([1, 2, 3], [4, 5, 6], [1, 1, 1], "exact P = .333"),
        ([1, 2, 3, 4], [8, 7, 6, 5], [1, 1, 1, 1], "exact P = .083"),
        ([1, 2, 3], [9, 8, 7], [10, 20, 30], "exact P < .001"),
        ([1, 2], [1, 2], [1, 2], "exact P = .333"),
    ],
)
def test_a_perfect_rank_correlation_tells_its_exact_p(
    x: list[float], y: list[float], counts: list[int], exact: str
) -> None:
    result = spearman(JointFrequencyTable(x, y, counts))
    assert abs(result.estimate or 0.0) == 1.0
    assert str(result.note).endswith(exact)


def test_the_exact_p_is_that_of_all_orders() -> None:
    """Counted for five values with a tie at one end, which no other order but its own two gives back."""
    values = [1, 1, 2, 3, 4]
    x = np.array([1.5, 1.5, 3.0, 4.0, 5.0])
    rho = [abs(np.corrcoef(x, order)[0, 1]) > 1 - 1e-12 for order in itertools.permutations(x)]
    result = spearman(JointFrequencyTable(values, values, np.ones(5)))
    assert str(result.note).endswith(f"exact P = {np.mean(rho):.3f}".replace("0.", "."))
