"""Tail areas and quantiles of the normal, t, χ² and F distributions.

Thin wrappers of ``scipy.special``, which loads in a quarter of the time of ``scipy.stats`` and only when the first
of them is asked.
Each P is computed as an upper tail, so that small values keep their relative accuracy.
"""

from __future__ import annotations


def normal_two_sided_p(z: float) -> float:
    """Return P(abs(Z) ≥ abs(z)) of the standard normal."""
    from scipy import special

    return 2.0 * float(special.ndtr(-abs(z)))


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal (R: ``qnorm``)."""
    from scipy import special

    return float(special.ndtri(probability))


def t_two_sided_p(t: float, df: float) -> float:
    """Return P(abs(T) ≥ abs(t)) of Student's t: the upper tail of F(1, df) at t²."""
    from scipy import special

    return float(special.fdtrc(1.0, df, t * t))


def t_upper_p(t: float, df: float) -> float:
    """Return P(T > t) of Student's t (R: ``pt(lower.tail = FALSE)``)."""
    half = t_two_sided_p(t, df) / 2.0
    return half if t > 0 else 1.0 - half


def t_quantile(probability: float, df: float) -> float:
    """Return the quantile of Student's t (R: ``qt``)."""
    from scipy import special

    return float(special.stdtrit(df, probability))


def chi_squared_p(statistic: float, df: float) -> float:
    """Return the upper tail of χ² (R: ``pchisq(lower.tail = FALSE)``)."""
    from scipy import special

    return float(special.chdtrc(df, statistic))


def f_p(statistic: float, df: float, df_residual: float) -> float:
    """Return the upper tail of F (R: ``pf(lower.tail = FALSE)``)."""
    from scipy import special

    return float(special.fdtrc(df, df_residual, statistic))
