"""Proportions."""

from __future__ import annotations

import math
from dataclasses import replace

from rapport.statistics import distributions
from rapport.statistics.result import CONFIDENCE_LEVEL, TestResult

PROPORTION = TestResult("Proportion with Wilson interval", estimate_name="proportion")


def wilson(successes: int, n: int) -> TestResult:
    """Estimate a proportion with Wilson's 95% confidence interval.

    Wilson (1927), JASA 22, 209–212; the interval of R's ``prop.test(correct = FALSE)``.

    Args:
        successes: how many of the n have the property.
        n: how many were observed.

    Returns:
        Proportion and limits; a note without figures for n = 0.

    Raises:
        ValueError: a count is negative, or there are more successes than observations.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n, got {successes} of {n}")
    if n == 0:
        return replace(PROPORTION, n=0, note="no participants")
    z = distributions.normal_quantile((1.0 + CONFIDENCE_LEVEL) / 2.0)
    share = successes / n
    shrinkage = 1.0 + z * z / n
    centre = (share + z * z / (2.0 * n)) / shrinkage
    margin = z * math.sqrt((share * (1.0 - share) + z * z / (4.0 * n)) / n) / shrinkage
    return replace(
        PROPORTION,
        n=n,
        estimate=share,
        ci_low=centre - margin if successes else 0.0,
        ci_high=centre + margin if successes < n else 1.0,
    )
