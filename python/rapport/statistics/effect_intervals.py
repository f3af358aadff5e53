"""95% confidence intervals of effect sizes, by inverting the distribution of the test statistic.

Each function returns the lower and the upper limit, or ``None`` where there are too few rows for one.
"""

from __future__ import annotations

import math

from scipy import special

from rapport.statistics.result import CONFIDENCE_LEVEL

Limits = tuple[float, float] | None

_UPPER, _LOWER = (1.0 + CONFIDENCE_LEVEL) / 2.0, (1.0 - CONFIDENCE_LEVEL) / 2.0


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
        0.0 if special.chdtr(df, h) <= probability else float(special.chndtrinc(h, df, probability))
        for probability in (_UPPER, _LOWER)
    )
    return low / (n - df - 1.0), high / (n - df - 1.0)


def of_eta_squared(f: float, df: float, df_residual: float) -> Limits:
    """Return the limits of η² of an analysis of variance.

    F is noncentral with λ = n η² / (1 − η²), so that η² = λ / (λ + n) (Smithson 2003, chapter 4;
    Steiger 2004, Psychological Methods 9, 164–182).
    """
    n = df + df_residual + 1.0
    low, high = (
        0.0
        if special.fdtr(df, df_residual, f) <= probability
        else float(special.ncfdtrinc(df, df_residual, probability, f))
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
        per_d_z * float(special.nctdtrinc(n - 1.0, probability, t)) / math.sqrt(n) for probability in (_UPPER, _LOWER)
    ]
    return min(limits), max(limits)
