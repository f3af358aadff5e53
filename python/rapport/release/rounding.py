"""How exactly a release says things: counts in the middle of fives, statistics to a few digits.

The manner is that of OpenSAFELY's midpoint rounding and of the ONS's rounding to base 5. OpenSAFELY's classes end at a
multiple (1–6, 7–12); these begin at one (10–14, 15–19). With ``min_cell`` 10 a class 6–10 would print 8 for exactly 10
people: whoever knows the rule would know the number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

MANY: Final = 100
"""From so many people on statistics have three significant digits, below it two."""

MOST_DECIMALS: Final = 3

_OF_RESULTS: Final[Mapping[str, int | None]] = {
    **dict.fromkeys(("estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic"), 3),
    **dict.fromkeys(("ci_low", "ci_high", "effect_size", "effect_size_low", "effect_size_high"), 3),
    **dict.fromkeys(("p_value", "p_adjusted"), None),
}
_OF_FIT: Final[Mapping[str, int | None]] = {
    **dict.fromkeys(("r_squared", "delta_r_squared", "f_change"), 3),
    **dict.fromkeys(("p_value", "model_p_value"), None),
}
DECIMALS: Final[Mapping[str, Mapping[str, int | None]]] = {
    "inference_results": _OF_RESULTS,
    "model_fit": _OF_FIT,
    "outcome_results": _OF_RESULTS,
    "outcome_fit": _OF_FIT,
    "sensitivity_results": {
        **dict.fromkeys(("estimate", "std_error", "statistic", "ci_low", "ci_high"), 3),
        **dict.fromkeys(("p_value", "p_adjusted"), None),
    },
    "alliance_trajectory": {"alliance_mean": 2, "top_share": 2},
    "alliance_slopes": dict.fromkeys(
        ("alliance_score", "predicted", "ci_low", "ci_high", "slope", "slope_ci_low", "slope_ci_high"), 3
    ),
}
"""Table and column: the most decimals of a statistic; ``None`` is a P. Of Table 1 see the functions below."""

SCORE: Final = "alliance_score"
"""The one variable of Table 1 that is no whole number: a sum of answers over their number."""

SCORE_STEP: Final = 0.5
"""Percentiles of the alliance score are given to half points: what a single rating of two items can have."""


def threshold(min_cell: int, base: int) -> int:
    """Return the smallest count that is shown: ``min_cell`` or the next multiple of ``base``; so classes are whole."""
    return -(-min_cell // base) * base


def middle(count: float, base: int) -> int:
    """Return the middle of the class of ``base`` numbers that a count is in; 0 is itself.

    >>> [middle(n, 5) for n in (0, 10, 14, 15, 189)]
    [0, 12, 12, 17, 187]
    """
    whole = round(count)
    return whole if whole == 0 else whole // base * base + (base - 1) // 2


def significant(value: float, n: float | None, most: int = MOST_DECIMALS) -> int:
    """Return to how many decimals a statistic of ``n`` people is given: three significant digits, two below 100."""
    digits = 3 if n is None or n >= MANY else 2
    if value == 0 or not math.isfinite(value):
        return most
    return min(most, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def of_mean(n: float | None, sd: float | None = None, step: int = 1) -> int:
    """Return to how many decimals a mean over ``n`` can be given while every ``n`` stays possible.

    Means of n whole numbers lie 1/n apart: to one decimal each n of 10 or more reaches every value, to two each n of
    100 or more. Those of multiples of a step, as scores are, lie step/n apart and need so many times more people.
    Beside the means of its parts a mean tells how large they are, unless a unit of its last digit is more than the
    people move it by whom rounding hides: two either way, each about ``sd`` / n.

    >>> [of_mean(n, 8.6) for n in (12, 170, 180, 1800)]
    [0, 0, 1, 2]
    >>> [of_mean(n, step=4) for n in (12, 37, 42, 397, 402)]
    [0, 0, 1, 1, 2]
    """
    if n is None or n < 10 * step:
        return 0
    most = 2 if n >= MANY * step else 1
    return most if not sd else min(most, max(0, math.floor(math.log10(n / sd / 2))))


def of_percentile(variable: str, value: float) -> float:
    """Return a percentile as it is given: to whole units, of the alliance score to half points.

    Between two observations a percentile lies (n − 1) · p of the way, and the fraction tells n up to multiples of 20
    (R: type 7). What a single observation can be every n can have.

    >>> of_percentile("age_years", 55.85), of_percentile("alliance_score", 2.81)
    (56.0, 3.0)
    """
    return float(round(value / SCORE_STEP) * SCORE_STEP if variable == SCORE else round(value))


def of_median(variable: str, value: float, n: float | None) -> float:
    """Return a median as it is given: to whole units, as half a unit tells that n is even; of the score as its mean."""
    return float(round(value, of_mean(n)) if variable == SCORE else round(value))


def of_p(value: float) -> float:
    """Return a P to three decimals; 0 stands for less than .001, 1 for more than .999."""
    if value < 0.001:
        return 0.0
    return 1.0 if value > 0.999 else round(value, 3)


def of_rank_sum(value: float) -> float:
    """Return a sum of ranks to three significant digits: W is near half the product of the groups' numbers."""
    if value == 0:
        return 0.0
    return float(round(value, 2 - math.floor(math.log10(abs(value)))))
