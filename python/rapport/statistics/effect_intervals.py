"""Confidence intervals of effect sizes, by inverting the distribution of the test statistic.

Each function returns the lower and the upper limit, or ``None`` where there is none. Intervals are of 95%,
those of η² of 90%: F and H are tested on one side, so that only a 90% interval leaves out 0 exactly
when P < .05 (Steiger 2004, Psychological Methods 9, 164–182).

The noncentral distributions are mixtures: noncentral t of normals over χ, noncentral χ² and F of central
ones over a Poisson variable. They are summed here by the trapezoidal rule on the mixing variable, which
converges exponentially for such bell-shaped integrands, because scipy's ``nctdtr`` and ``ncfdtr`` are NaN
in places from a few thousand degrees of freedom on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rapport.statistics.result import CONFIDENCE_LEVEL, ETA_SQUARED_CONFIDENCE_LEVEL

Limits = tuple[float, float] | None

NO_ETA_SQUARED = "effect size: no interval, groups without any difference are seldom as much alike as these"

FloatArray = NDArray[np.float64]

# Mixing densities are followed down to e^-45 of their peak, below the precision of a float.
_NEGLIGIBLE = 45.0
_POINTS_PER_SD = 4.0
_STEEP = 50.0
_NORMAL_REACH = 9.5
_NORMAL_STEP = 0.05


def _tails(level: float) -> tuple[float, float]:
    """Return the probabilities that the lower and the upper limit leave below the statistic."""
    return (1.0 + level) / 2.0, (1.0 - level) / 2.0


def noncentral_t_cdf(t: float, df: float, noncentrality: float) -> float:
    """Return P(T ≤ t) of noncentral t, T = (Z + δ) / S with S² = χ²(df) / df.

    P is the mean of Φ(t s − δ) over log s. Where t is so large against its degrees of freedom that
    this is a step, it is the mean of P(S ≥ (z + δ) / t) over z.
    """
    if abs(t) > _STEEP * math.sqrt(df):
        z = np.arange(-_NORMAL_REACH, _NORMAL_REACH + _NORMAL_STEP, _NORMAL_STEP)
        ratio = (z + noncentrality) / t
        tail = special.gammaincc(df / 2.0, df / 2.0 * np.maximum(ratio, 0.0) ** 2)
        inside = np.where(ratio > 0.0, tail, 1.0)
        return _mean(inside if t > 0 else 1.0 - inside, -z * z / 2.0)
    # The density of u = log s is proportional to exp(df (u − e^2u / 2)).
    reach = _NEGLIGIBLE / df
    step = min(1.0 / math.sqrt(2.0 * df), 1.0 / max(abs(t), 1e-300)) / _POINTS_PER_SD
    u = np.arange(-(reach + math.sqrt(2.0 * reach)), math.sqrt(reach) + step, step)
    return _mean(special.ndtr(t * np.exp(u) - noncentrality), df * (u - np.expm1(2.0 * u) / 2.0))


def _mean(values: NDArray[Any], log_weights: FloatArray) -> float:
    weights = np.exp(log_weights - log_weights.max())
    return float(weights @ values / weights.sum())


def _poisson_mixture(noncentrality: float, cdf: Callable[[FloatArray], NDArray[Any]]) -> float:
    """Return the mean of cdf(j) over a Poisson variable j with mean λ / 2."""
    mean = noncentrality / 2.0
    if mean == 0.0:
        return float(cdf(np.zeros(1))[0])
    spread = math.sqrt(mean)
    reach = math.sqrt(2.0 * _NEGLIGIBLE) * spread + _NEGLIGIBLE
    # A Poisson variable so spread out is as good as continuous: every k-th count says as much.
    step = max(1.0, math.floor(spread / _POINTS_PER_SD))
    j = np.arange(max(0.0, math.floor(mean - reach)), mean + reach, step)
    # Loader (2000), Fast and accurate computation of binomial probabilities: deviance and Stirling's error
    # apart, so that no digits are lost to j log λ.
    positive = np.maximum(j, 1.0)
    deviation = (positive - mean) / mean
    deviance = mean * ((1.0 + deviation) * np.log1p(deviation) - deviation)
    log_weights = -deviance - _stirling_error(positive) - np.log(2.0 * math.pi * positive) / 2.0
    return _mean(cdf(j), np.where(j > 0.0, log_weights, -mean))


def _stirling_error(x: FloatArray) -> FloatArray:
    """Return log Γ(x + 1) less Stirling's formula, for x ≥ 1."""
    direct = special.gammaln(x + 1.0) - (x + 0.5) * np.log(x) + x - math.log(2.0 * math.pi) / 2.0
    series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / x**2) / x**2) / x
    return np.where(x < 16.0, direct, series)


def noncentral_chi_squared_cdf(x: float, df: float, noncentrality: float) -> float:
    """Return P(X ≤ x) of noncentral χ²."""
    return _poisson_mixture(noncentrality, lambda j: special.gammainc(df / 2.0 + j, x / 2.0))


def noncentral_f_cdf(f: float, df: float, df_residual: float, noncentrality: float) -> float:
    """Return P(F ≤ f) of noncentral F."""
    y, rest = df * f / (df * f + df_residual), df_residual / (df * f + df_residual)
    if y < 0.5:
        return _poisson_mixture(noncentrality, lambda j: special.betainc(df / 2.0 + j, df_residual / 2.0, y))
    return _poisson_mixture(noncentrality, lambda j: special.betaincc(df_residual / 2.0, df / 2.0 + j, rest))


def _noncentrality(
    cdf: Callable[[float], float], probability: float, estimate: float, spread: float, *, signed: bool = False
) -> float:
    """Return where a distribution function, which falls with its noncentrality, has the probability.

    The search starts within six spreads of the estimate. It ends at 0, unless the parameter may be
    negative (``signed``).
    """
    from scipy.optimize import brentq

    if not signed and cdf(0.0) <= probability:
        return 0.0
    low, high, reach = estimate - 6.0 * spread, estimate + 6.0 * spread, 6.0 * spread
    if not signed:
        low = max(low, 0.0)
    while cdf(low) < probability:
        low, reach = low - reach if signed else max(low - reach, 0.0), 2.0 * reach
    while cdf(high) > probability:
        high, reach = high + reach, 2.0 * reach
    return float(brentq(lambda x: cdf(x) - probability, low, high, xtol=1e-13 * spread, rtol=1e-14))


def of_correlation(r: float, n: int, *, of_ranks: bool = False) -> Limits:
    """Return the 95% limits of a correlation by Fisher's z.

    The standard error of z is 1 / √(n − 3), for Spearman's ρ √((1 + ρ²/2) / (n − 3)) (Bonett &
    Wright 2000, Psychometrika 65, 23–28).
    """
    if n <= 3 or abs(r) >= 1.0:
        return None
    upper, _ = _tails(CONFIDENCE_LEVEL)
    margin = float(special.ndtri(upper)) * math.sqrt((1.0 + (r * r / 2.0 if of_ranks else 0.0)) / (n - 3))
    centre = math.atanh(r)
    return math.tanh(centre - margin), math.tanh(centre + margin)


def of_rank_eta_squared(h: float, df: float, n: int) -> Limits:
    """Return the 90% limits of η² = (H − df) / (n − df − 1) of Kruskal–Wallis.

    H is taken as noncentral χ² with mean df + λ, so that η² = λ / (n − df − 1): its limits are
    those of λ (Smithson 2003, Confidence Intervals, chapter 4). The interval is of 90%, so that it leaves
    out 0 exactly when P < .05 (Steiger 2004, Psychological Methods 9, 164–182). There is none where H is
    smaller than in 95 of 100 samples without any difference: no λ is that small.
    """
    if n <= df + 1:
        return None
    estimate = max(h - df, 0.0)
    spread = math.sqrt(2.0 * df + 4.0 * estimate)
    low, high = (
        _noncentrality(lambda x: noncentral_chi_squared_cdf(h, df, x), probability, estimate, spread)
        for probability in _tails(ETA_SQUARED_CONFIDENCE_LEVEL)
    )
    if high == 0.0:
        return None
    return min(low / (n - df - 1.0), 1.0), min(high / (n - df - 1.0), 1.0)


def of_eta_squared(f: float, df: float, df_residual: float) -> Limits:
    """Return the 90% limits of η² of an analysis of variance.

    F is noncentral with λ = n η² / (1 − η²), so that η² = λ / (λ + n) (Smithson 2003, Confidence Intervals,
    chapter 4). The interval is of 90%, so that it leaves out 0 exactly when P < .05 (Steiger 2004,
    Psychological Methods 9, 164–182). There is none where F is smaller than in 95 of 100 samples without any
    difference: no λ is that small.
    """
    n = df + df_residual + 1.0
    estimate = max((f - 1.0) * df, 0.0)
    spread = math.sqrt(2.0 * df + 4.0 * estimate + 2.0 * (df + estimate) ** 2 / df_residual)
    low, high = (
        _noncentrality(lambda x: noncentral_f_cdf(f, df, df_residual, x), probability, estimate, spread)
        for probability in _tails(ETA_SQUARED_CONFIDENCE_LEVEL)
    )
    return None if high == 0.0 else (low / (low + n), high / (high + n))


def of_mean_change(t: float, n: int, per_d_z: float = 1.0) -> Limits:
    """Return the 95% limits of a standardized mean change.

    t of paired samples is noncentral with δ = √n d_z (Cumming & Finch 2001, Educational and
    Psychological Measurement 61, 532–574). The other standardizers take the limits of d_z times
    ``per_d_z``, the ratio of their estimate to d_z, as if the ratio were known.
    """
    if n < 2:
        return None
    df = n - 1.0
    spread = math.sqrt(1.0 + t * t / (2.0 * df))
    limits = [
        per_d_z
        / math.sqrt(n)
        * _noncentrality(lambda x: noncentral_t_cdf(t, df, x), probability, t, spread, signed=True)
        for probability in _tails(CONFIDENCE_LEVEL)
    ]
    return min(limits), max(limits)
