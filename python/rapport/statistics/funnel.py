"""Funnel plots and shrunken means: how far the mean of a group may be from that of all by chance alone."""

from __future__ import annotations

import math

from rapport.statistics import distributions

FUNNEL_LEVELS = (0.95, 0.998)
"""The usual limits of a funnel plot: about two and three standard errors."""


def reliability(n: int, icc: float) -> float:
    """Return the reliability of a group's mean of ``n`` members: the share of its variance that is the group's own.

    n · ICC ÷ (1 + (n − 1) · ICC): the formula of Spearman and Brown, and the weight λ of the group's own mean in the
    empirical Bayes estimate (Raudenbush & Bryk 2002, Hierarchical Linear Models, 2nd ed., chapter 3; Snijders & Bosker
    2012, Multilevel Analysis, 2nd ed., chapter 3).

    Args:
        n: members of the group, at least 1.
        icc: intraclass correlation, from 0 to 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0.0 <= icc <= 1.0:
        raise ValueError(f"the ICC must be from 0 to 1, got {icc}")
    return n * icc / (1.0 + (n - 1) * icc)


def shrunken_mean(mean: float, n: int, centre: float, icc: float) -> float:
    """Return the empirical Bayes estimate of a group's mean: the more it is drawn to ``centre``, the fewer its members.

    centre + λ · (mean − centre) with λ of :func:`reliability` (Efron & Morris 1975, Journal of the American Statistical
    Association 70, 311–319; Raudenbush & Bryk 2002, chapter 3). Unit as that of the means.

    Raises:
        ValueError: as :func:`reliability`.
    """
    return centre + reliability(n, icc) * (mean - centre)


def funnel_limits(centre: float, sd_within: float, n: int, level: float) -> tuple[float, float]:
    """Return between which limits the mean of ``n`` members lies with a chance of ``level`` if the group is as all are.

    centre ± z · sd ÷ √n (Spiegelhalter 2005, Statistics in Medicine 24, 1185–1202). The limits of a mean on a bounded
    scale may lie beyond the scale.

    Args:
        centre: mean of all.
        sd_within: standard deviation of the members of a group around its mean.
        n: members of the group, at least 1.
        level: chance to lie between the limits, more than 0 and less than 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if sd_within < 0.0:
        raise ValueError(f"the standard deviation must not be negative, got {sd_within}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level must be between 0 and 1, got {level}")
    half_width = distributions.normal_quantile((1.0 + level) / 2.0) * sd_within / math.sqrt(n)
    return centre - half_width, centre + half_width
