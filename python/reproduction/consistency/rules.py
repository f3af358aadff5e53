"""Formulas that tie printed figures to one another, on intervals and without any data.

Every function takes intervals (a point for a figure that is not rounded) and returns the interval
of the results that they admit. Methods: recomputed P values after statcheck (Nuijten, Hartgerink,
van Assen, Epskamp & Wicherts 2016, Behavior Research Methods 48:1205–1226); GRIM (Brown & Heathers
2017, Social Psychological and Personality Science 8:363–369); GRIMMER (Anaya 2016, PeerJ Preprints
4:e2400v1; Allard 2018, analytic test). P values are two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import optimize, stats

from reproduction.consistency.figures import TOLERANCE, Interval, corners

# ---------------------------------------------------------------- P values (statcheck)


def p_from_f(f: Interval, df: int, df_residual: int) -> Interval:
    """P of an F statistic, 1 − F(f; df, df_residual) (Nuijten et al. 2016)."""
    return corners(lambda x: float(stats.f.sf(x, df, df_residual)), f)


def p_from_t(t: Interval, df: int) -> Interval:
    """Two-sided P of a t statistic (Nuijten et al. 2016)."""
    return corners(lambda x: 2.0 * float(stats.t.sf(x, df)), t.magnitude())


def p_from_z(z: Interval) -> Interval:
    """Two-sided P of a standard normal statistic (Nuijten et al. 2016)."""
    return corners(lambda x: 2.0 * float(stats.norm.sf(x)), z.magnitude())


def p_from_chi_square(statistic: Interval, df: int) -> Interval:
    """P of a χ² statistic such as Kruskal–Wallis H (Nuijten et al. 2016)."""
    return corners(lambda x: float(stats.chi2.sf(x, df)), statistic)


def _probability(p: Interval) -> Interval:
    """The part of an interval that lies from 0 to 1."""
    return Interval(min(max(p.low, 0.0), 1.0), max(min(p.high, 1.0), 0.0))


def t_from_p(p: Interval, df: int) -> Interval:
    """Absolute t that carries a two-sided P; infinite at P = 0."""
    return corners(lambda x: float(stats.t.isf(x / 2.0, df)), _probability(p))


def z_from_p(p: Interval) -> Interval:
    """Absolute normal statistic that carries a two-sided P; infinite at P = 0."""
    return corners(lambda x: float(stats.norm.isf(x / 2.0)), _probability(p))


def p_from_correlation(r: Interval, n: int) -> Interval:
    """P of a correlation by its t approximation, t = r √((n − 2)/(1 − r²)) (R's ``cor.test``)."""
    t = corners(lambda x: x * math.sqrt((n - 2) / (1.0 - x * x)), r)
    return p_from_t(t, n - 2)


# ---------------------------------------------------------------- t interval of a mean


def standard_error_from_interval(low: Interval, high: Interval, df: int, level: float) -> Interval:
    """Standard error of a t interval: half its width over the t quantile."""
    quantile = float(stats.t.ppf(0.5 + level / 2.0, df))
    return (high - low).scaled(0.5 / quantile)


def sd_from_interval(low: Interval, high: Interval, n: int, level: float) -> Interval:
    """SD of a sample of ``n`` from the t interval of its mean: standard error × √n."""
    return standard_error_from_interval(low, high, n - 1, level).scaled(math.sqrt(n))


def correlation_from_d(d: Interval, d_z: Interval) -> Interval:
    """Correlation of two occasions for which d_rm has the printed size.

    d_rm = d_z √(2(1 − r)) (Morris & DeShon 2002; Lakens 2013, eq. 9), so r = 1 − (d_rm / d_z)²/2.
    """
    ratio = d / d_z
    return Interval.point(1.0) - ratio.squared().scaled(0.5)


# ---------------------------------------------------------------- one-way analysis of variance


def between_sum_of_squares(means: Sequence[Interval], sizes: Sequence[int]) -> Interval:
    """Sum of squares between groups, Σ_{i<j} n_i n_j (m_i − m_j)² / N.

    The sum over pairs equals Σ n_i (m_i − m)²; its interval may be wider than need be for more than
    two groups, never narrower.
    """
    total = Interval.point(0.0)
    for i, j in combinations(range(len(means)), 2):
        gap = (means[i] - means[j]).squared()
        total = total + gap.scaled(sizes[i] * sizes[j] / sum(sizes))
    return total


def within_mean_square(means: Sequence[Interval], sizes: Sequence[int], sd_total: Interval) -> Interval:
    """Mean square within groups from the SD of all values: ((N − 1) s² − SS_between)/(N − k)."""
    n = sum(sizes)
    return (sd_total.squared().scaled(n - 1) - between_sum_of_squares(means, sizes)).scaled(1.0 / (n - len(means)))


def f_from_means(means: Sequence[Interval], sizes: Sequence[int], sd_total: Interval) -> Interval:
    """F of a one-way analysis of variance from group means and the SD of all values."""
    n, k = sum(sizes), len(means)

    def ratio(between: float, sd: float) -> float:
        return (between / (k - 1)) / (((n - 1) * sd**2 - between) / (n - k))

    return corners(ratio, between_sum_of_squares(means, sizes), sd_total)


@lru_cache(maxsize=1024)
def _studentized_range_sf(q: float, groups: int, df: int) -> float:
    """Upper tail of the studentized range, an integral worth keeping."""
    return float(stats.studentized_range.sf(q, groups, df))


def tukey_p(
    first: tuple[Interval, int],
    second: tuple[Interval, int],
    mean_square: Interval,
    groups: int,
    df_residual: int,
) -> Interval:
    """Tukey–Kramer P of one difference (mean, size) against (mean, size).

    q = abs(m_1 − m_2) / √(MS_within/2 · (1/n_1 + 1/n_2)), studentized range (Kramer 1956).
    """
    weight = 1.0 / first[1] + 1.0 / second[1]

    def p(gap: float, square: float) -> float:
        q = gap / math.sqrt(square / 2.0 * weight)
        return _studentized_range_sf(q, groups, df_residual)

    return corners(p, (first[0] - second[0]).magnitude(), mean_square)


# ---------------------------------------------------------------- rank tests


def mann_whitney_z(w: float, n_1: int, n_2: int, tie_share: float = 0.0) -> float:
    """Absolute Z of R's ``W`` with continuity correction.

    ``tie_share`` is Σ(t³ − t)/(N³ − N), by which ties lessen the variance n_1 n_2 (N + 1)/12.
    """
    variance = n_1 * n_2 * (n_1 + n_2 + 1) / 12.0 * (1.0 - tie_share)
    return max(abs(w - n_1 * n_2 / 2.0) - 0.5, 0.0) / math.sqrt(variance)


def mann_whitney_p_bound(w: float, n_1: int, n_2: int) -> Interval:
    """Every P that W allows: from 0 to the P without ties, as ties only lessen the variance."""
    return Interval(0.0, 2.0 * float(stats.norm.sf(mann_whitney_z(w, n_1, n_2))))


def tie_share_from_p(w: float, n_1: int, n_2: int, p: Interval) -> Interval:
    """Share of the variance that ties must have taken for W to carry P: 1 − (Z_no ties / Z_P)²."""
    untied = mann_whitney_z(w, n_1, n_2)
    return corners(lambda z: 1.0 - (untied / z) ** 2 if z > 0.0 else -math.inf, z_from_p(p))


def effect_size_r(z: Interval, n: int) -> Interval:
    """Effect size r = abs(Z)/√N (Rosenthal 1991).

    The continuity correction that is in a P from R changes Z here by less than the rounding.
    """
    return z.magnitude().scaled(1.0 / math.sqrt(n))


def eta_squared(h: Interval, groups: int, n: int) -> Interval:
    """η² of Kruskal–Wallis, (H − k + 1)/(n − k) (Tomczak & Tomczak 2014)."""
    return (h - Interval.point(groups - 1.0)).scaled(1.0 / (n - groups))


def third_dunn_z(z_ab: Interval, z_ac: Interval, n_a: int, n_b: int, n_c: int) -> Interval:
    """Dunn's Z of b against c from those of a against b and a against c.

    Z_ij is the difference of mean ranks over σ√(1/n_i + 1/n_j) with one σ for all pairs, and
    (a − c) − (a − b) = b − c (Dunn 1964).
    """
    gap_ab = z_ab.scaled(math.sqrt(1.0 / n_a + 1.0 / n_b))
    gap_ac = z_ac.scaled(math.sqrt(1.0 / n_a + 1.0 / n_c))
    return (gap_ac - gap_ab).scaled(1.0 / math.sqrt(1.0 / n_b + 1.0 / n_c))


def h_from_dunn(z_ab: Interval, z_ac: Interval, n_a: int, n_b: int, n_c: int) -> Interval:
    """Kruskal–Wallis H of three groups from two of their Dunn Z.

    With gaps δ in units of the tie-corrected σ, H = Σ_{i<j} n_i n_j δ_ij² / N.
    """
    z_bc = third_dunn_z(z_ab, z_ac, n_a, n_b, n_c)
    n = n_a + n_b + n_c
    return (
        z_ab.squared().scaled((n_a + n_b) / n)
        + z_ac.squared().scaled((n_a + n_c) / n)
        + z_bc.squared().scaled((n_b + n_c) / n)
    )


def holm(p_values: Sequence[Interval]) -> list[Interval]:
    """Holm's step-down adjustment, in the order given (Holm 1979)."""

    def adjust(values: Sequence[float]) -> list[float]:
        order = sorted(range(len(values)), key=lambda i: values[i])
        adjusted = [0.0] * len(values)
        reached = 0.0
        for rank, i in enumerate(order):
            reached = max(reached, min(1.0, (len(values) - rank) * values[i]))
            adjusted[i] = reached
        return adjusted

    lows = adjust([p.low for p in p_values])
    highs = adjust([p.high for p in p_values])
    return [Interval(low, high) for low, high in zip(lows, highs, strict=True)]


# ---------------------------------------------------------------- regression


def coefficient_limit(b: Interval, se: Interval, df: int, level: float, upper: bool) -> Interval:
    """Lower or upper limit of a coefficient's t interval, b ∓ t·SE."""
    half = se.scaled(float(stats.t.ppf(0.5 + level / 2.0, df)))
    return b + half if upper else b - half


def p_from_coefficient(b: Interval, se: Interval, df: int) -> Interval:
    """P of a coefficient from b/SE (Nuijten et al. 2016)."""
    return p_from_t(b.magnitude() / se, df)


@dataclass(frozen=True)
class Coefficient:
    """A printed regression coefficient: what each of its figures can have been."""

    b: Interval
    se: Interval
    low: Interval
    high: Interval
    p: Interval


def coefficient_is_possible(row: Coefficient, df: int, level: float) -> bool:
    """Whether one pair (b, SE) rounds to every printed figure of its row at once.

    All conditions are linear in b and SE for a given sign of b: b and SE within their roundings,
    b ∓ t·SE within those of the limits, and t_low·SE ≤ abs(b) ≤ t_high·SE for the t that carry P.
    """
    quantile = float(stats.t.ppf(0.5 + level / 2.0, df))
    t = t_from_p(row.p, df)
    for sign in (1.0, -1.0):
        upper = [[1.0, -quantile], [-1.0, quantile], [1.0, quantile], [-1.0, -quantile]]
        upper += [[-sign, t.low], [-sign, 0.0]]
        bounds = [row.low.high, -row.low.low, row.high.high, -row.high.low, 0.0, 0.0]
        if math.isfinite(t.high):
            upper.append([sign, -t.high])
            bounds.append(0.0)
        found = optimize.linprog(
            [0.0, 0.0],
            A_ub=upper,
            b_ub=[bound + TOLERANCE for bound in bounds],
            bounds=[(row.b.low, row.b.high), (max(row.se.low, 0.0), row.se.high)],
        )
        if found.success:
            return True
    return False


def least_interaction_se(other_se: float, residual_mean_square: float, n: int) -> float:
    """The smallest standard error that the interaction of one group can have, given that of another.

    With a z-scored predictor and a common reference group, an interaction's squared standard error is at least
    MSE · (1/A + 1/B), A and B being the predictor's sums of squares within the reference group and within the group of
    the interaction (covariates only add to it). Over all groups these sums are at most n - 1, so what the other
    interaction's standard error takes is not left for this one.

    Reference: variance of a contrast of within-group slopes, e.g. Seber & Lee (2003), Linear Regression Analysis,
    section 6.4.
    """
    share = other_se**2 / residual_mean_square

    def squared(reference: float) -> float:
        other = 1.0 / (share - 1.0 / reference)
        left = n - 1 - reference - other
        return 1.0 / reference + 1.0 / left if other > 0.0 and left > 0.0 else math.inf

    grid = np.linspace(1.0 / share, n - 1.0, 20_001)[1:-1]
    least = min(squared(float(reference)) for reference in grid)
    return math.sqrt(residual_mean_square * least)


def f_of_model(r_squared: Interval, terms: int, df_residual: int) -> Interval:
    """F of a whole regression, (R²/k) / ((1 − R²)/df) (Cohen et al. 2003, ch. 3)."""
    return corners(lambda x: (x / terms) / ((1.0 - x) / df_residual), r_squared)


def f_of_change(delta: Interval, r_squared: Interval, terms: int, df_residual: int) -> Interval:
    """F of a step, (ΔR²/q) / ((1 − R²)/df) with R² after the step (Cohen et al. 2003, ch. 5).

    A change below 0 is taken as 0.
    """
    change = Interval(max(delta.low, 0.0), max(delta.high, 0.0))
    return corners(lambda d, r: (d / terms) / ((1.0 - r) / df_residual), change, r_squared)


def delta_r_squared_from_t(t: Interval, r_squared: Interval, df_residual: int) -> Interval:
    """ΔR² of a step that adds one predictor, t²(1 − R²)/df, as its F is t²."""
    return corners(lambda x, r: x * x * (1.0 - r) / df_residual, t.magnitude(), r_squared)


def variance_inflation(beta: Interval, t: Interval, r_squared: Interval, df_residual: int) -> Interval:
    """Variance inflation factor that a standardized coefficient, its t and R² imply.

    t = β √(df (1 − R²_j)/(1 − R²)) with VIF = 1/(1 − R²_j), so VIF = β² df / (t² (1 − R²));
    β = b·sd(x)/sd(y) requires VIF ≥ 1 (Cohen et al. 2003, ch. 3).
    """
    return corners(
        lambda x, s, r: x * x * df_residual / (s * s * (1.0 - r)),
        beta.magnitude(),
        t.magnitude(),
        r_squared,
    )


# ---------------------------------------------------------------- means, SDs, medians


def combined_mean(means: Sequence[Interval], sizes: Sequence[int]) -> Interval:
    """Mean of the groups together, Σ n_i m_i / N."""
    total = Interval.point(0.0)
    for mean, size in zip(means, sizes, strict=True):
        total = total + mean.scaled(size / sum(sizes))
    return total


def combined_sd(means: Sequence[Interval], sds: Sequence[Interval], sizes: Sequence[int]) -> Interval:
    """SD of the groups together, √((Σ (n_i − 1) s_i² + SS_between)/(N − 1))."""
    squares = between_sum_of_squares(means, sizes)
    for sd, size in zip(sds, sizes, strict=True):
        squares = squares + sd.squared().scaled(size - 1)
    return squares.scaled(1.0 / (sum(sizes) - 1)).root()


def largest_sd(mean: Interval, low: float, high: float, n: int) -> Interval:
    """Largest SD of ``n`` values between two bounds, √((high − m)(m − low) n/(n − 1)).

    Bhatia & Davis (2000), with the sample's n − 1; returns the bound over every admissible mean.
    """

    def bound(m: float) -> float:
        return math.sqrt(max((high - m) * (m - low), 0.0) * n / (n - 1))

    ends = [mean.low, mean.high]
    centre = (low + high) / 2.0
    if mean.low < centre < mean.high:
        ends.append(centre)
    values = [bound(m) for m in ends]
    return Interval(min(values), max(values))


def largest_skewness(mean: Interval, sd: Interval, maximum: float) -> Interval:
    """Largest skewness of values that nowhere exceed ``maximum``.

    From E[(M − X)(X − μ + σ²/(M − μ))²] ≥ 0: skewness ≤ a/σ − σ/a with a = M − μ, σ with divisor
    n. Below 0 as soon as the mean is nearer than one SD to the maximum (derived here; the two-point
    distribution on M attains it).

    Raises:
        ValueError: the mean may lie at or above the maximum.
    """
    room = Interval.point(maximum) - mean
    if room.low <= 0.0:
        raise ValueError("the mean is not below the maximum")
    return corners(lambda a, s: a / s - s / a, room, sd)


def integer_totals(mean: Interval, n: int, unit: int = 1) -> range:
    """GRIM: the totals, in steps of ``unit``, of ``n`` multiples of ``unit`` with that mean.

    Empty if no total gives the printed mean (Brown & Heathers 2017). The range counts units.
    """
    low = math.ceil(mean.low * n / unit - TOLERANCE)
    high = math.floor(mean.high * n / unit + TOLERANCE)
    return range(low, high + 1)


def grim_has_power(n: int, decimals: int, unit: int = 1) -> bool:
    """Whether GRIM can fail: only if unit/n, the step of the mean, exceeds 10^−decimals."""
    return unit / n > 10.0**-decimals


def grimmer(mean: Interval, sd: Interval, n: int) -> bool:
    """GRIMMER: whether integers with that mean and that SD can exist.

    For some admissible total S there must be a sum of squares Q, a whole number of the parity of S,
    with Q = (n − 1)s² + S²/n for an admissible s (Anaya 2016; Allard 2018, tests 1 and 2).
    """
    for total in integer_totals(mean, n):
        base = total * total / n
        low = math.ceil((n - 1) * max(sd.low, 0.0) ** 2 + base - TOLERANCE)
        high = math.floor((n - 1) * sd.high**2 + base + TOLERANCE)
        if low + (low - total) % 2 <= high:
            return True
    return False


# ---------------------------------------------------------------- counts and days


def percent(count: int, total: int) -> float:
    """100 × count / total.

    Raises:
        ValueError: the total is not positive.
    """
    if total <= 0:
        raise ValueError("a percentage of nothing")
    return 100.0 * count / total


def date_of(yyyymmdd: int) -> date:
    """The date written as the number YYYYMMDD.

    Raises:
        ValueError: there is no such day.
    """
    return date(yyyymmdd // 10000, yyyymmdd // 100 % 100, yyyymmdd % 100)


def longest_gap(start: int, end: int) -> int:
    """Most days between two events of a window whose first and last day are given as YYYYMMDD."""
    return (date_of(end) - date_of(start)).days
