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

DECIMALS: Final[Mapping[str, Mapping[str, int | None]]] = {
    "table_1": {"mean": 2, "sd": 2, "median": 2, "p5": 2, "p95": 2},
    "inference_results": {
        **dict.fromkeys(("estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic"), 3),
        **dict.fromkeys(("ci_low", "ci_high", "effect_size", "effect_size_low", "effect_size_high"), 3),
        **dict.fromkeys(("p_value", "p_adjusted"), None),
    },
    "model_fit": {
        **dict.fromkeys(("r_squared", "delta_r_squared", "f_change"), 3),
        **dict.fromkeys(("p_value", "model_p_value"), None),
    },
    "alliance_slopes": dict.fromkeys(
        ("alliance_score", "predicted", "ci_low", "ci_high", "slope", "slope_ci_low", "slope_ci_high"), 3
    ),
}
"""Table, and column or statistic: the most decimals of a statistic; ``None`` is a P."""


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


def of_mean(n: float | None) -> int:
    """Return to how many decimals a mean of whole numbers over ``n`` can be given while every ``n`` stays possible.

    Means of n whole numbers lie 1/n apart: to one decimal each n of 10 or more reaches every value, to two each n of
    100 or more.
    """
    if n is None or n < 10:
        return 0
    return 2 if n >= MANY else 1


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
