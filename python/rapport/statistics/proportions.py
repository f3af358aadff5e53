"""Proportions."""

from __future__ import annotations

from dataclasses import replace

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
    from statsmodels.stats.proportion import proportion_confint  # takes a second to load

    low, high = proportion_confint(successes, n, alpha=1.0 - CONFIDENCE_LEVEL, method="wilson")
    return replace(
        PROPORTION,
        n=n,
        estimate=successes / n,
        ci_low=max(0.0, float(low)) if successes else 0.0,
        ci_high=min(1.0, float(high)) if successes < n else 1.0,
    )
