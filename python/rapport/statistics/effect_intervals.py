"""95% confidence intervals of effect sizes, by inverting the distribution of the test statistic.

Each function returns the lower and the upper limit, or ``None`` where there are too few rows for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special
from scipy.optimize import brentq

from rapport.statistics.result import CONFIDENCE_LEVEL

Limits = tuple[float, float] | None

_UPPER, _LOWER = (1.0 + CONFIDENCE_LEVEL) / 2.0, (1.0 - CONFIDENCE_LEVEL) / 2.0


def _noncentrality(cdf: Callable[[float], float], probability: float, start: float, *, signed: bool = False) -> float:
    """Return where a distribution function, which falls with its noncentrality, has the probability.

    ``start`` is a guess. At 0 it ends, unless the parameter may be negative (``signed``).
    """
    if not signed and cdf(0.0) <= probability:
        return 0.0
    step = 1.0 + abs(start)
    low, high = (start - step, start + step) if signed else (0.0, start + step)
    while signed and cdf(low) < probability:
        low -= step
    while cdf(high) > probability:
        high += step
        step *= 2.0
    return float(brentq(lambda x: cdf(x) - probability, low, high, xtol=1e-12, rtol=1e-13))


def of_correlation(r: float, n: int, *, of_ranks: bool = False) -> Limits:
    """Return the limits of a correlation by Fisher's z.

    The standard error of z is 1 / √(n − 3), for Spearman's ρ √((1 + ρ²/2) / (n − 3)) (Bonett &
    Wright 2000, Psychometrika 65, 23–28).
    """
    if n <= 3 or abs(r) >= 1.0:
        return None
    margin = float(special.ndtri(_UPPER)) * math.sqrt((1.0 + (r * r / 2.0 if of_ranks else 0.0)) / (n - 3))
    centre = math.atanh(r)
    return math.tanh(centre - margin), math.tanh(centre + margin)


def of_rank_eta_squared(h: float, df: float, n: int) -> Limits:
    """Return the limits of η² = (H − df) / (n − df − 1) of Kruskal–Wallis.

    H is taken as noncentral χ² with mean df + λ, so that η² = λ / (n − df − 1): its limits are
    those of λ (Smithson 2003, Confidence Intervals, chapter 4).
    """
    if n <= df + 1:
        return None
    low, high = (
        _noncentrality(lambda x: float(special.chndtr(h, df, x)), probability, max(h - df, 0.0))
        for probability in (_UPPER, _LOWER)
    )
    return min(low / (n - df - 1.0), 1.0), min(high / (n - df - 1.0), 1.0)


def of_eta_squared(f: float, df: float, df_residual: float) -> Limits:
    """Return the limits of η² of an analysis of variance.

    F is noncentral with λ = n η² / (1 − η²), so that η² = λ / (λ + n) (Smithson 2003, chapter 4;
    Steiger 2004, Psychological Methods 9, 164–182).
    """
    n = df + df_residual + 1.0
    low, high = (
        _noncentrality(lambda x: float(special.ncfdtr(df, df_residual, x, f)), probability, max((f - 1.0) * df, 0.0))
        for probability in (_UPPER, _LOWER)
    )
    return low / (low + n), high / (high + n)


def of_mean_change(t: float, n: int, per_d_z: float = 1.0) -> Limits:
    """Return the limits of a standardized mean change.

    t of paired samples is noncentral with δ = √n d_z (Cumming & Finch 2001, Educational and
    Psychological Measurement 61, 532–574). The other standardizers take the limits of d_z times
    ``per_d_z``, the ratio of their estimate to d_z, as if the ratio were known.
    """
    if n < 2:
        return None
    limits = [
        per_d_z
        / math.sqrt(n)
        * _noncentrality(lambda x: float(special.nctdtr(n - 1.0, x, t)), probability, t, signed=True)
        for probability in (_UPPER, _LOWER)
    ]
    return min(limits), max(limits)
