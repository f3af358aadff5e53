"""Charts of individual values and moving ranges (XmR), and the signals that are read from them.

Limits: Shewhart's chart of individuals, mean ± 2.66 × mean moving range (Wheeler, *Understanding Variation*, 2nd ed.
2000; 2.66 = 3 ÷ d₂ of two values, 1.128). Signals: the four rules of the NHS programme *Making data count*
("plot the dots"): a value outside the limits, seven in a row on one side of the mean, seven in a row that rise or fall,
two of three close to a limit.

Values are fractions, so a value that equals the mean or a limit is found to equal it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

SCALE = Fraction(266, 100)
RUN = 7
"""How many values in a row make a shift or a trend."""
WINDOW = 3
NEAR = Fraction(2, 3)
"""How far from the mean to a limit a value is near it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Mean and limits of a series."""

    mean: Fraction
    lower: Fraction
    upper: Fraction


@dataclass(frozen=True, slots=True)
class Signals:
    """The rules that a value of a series fulfils."""

    outside_limits: bool = False
    shift: bool = False
    trend: bool = False
    near_limit: bool = False


def limits(values: Sequence[Fraction]) -> Limits | None:
    """Return mean and limits of a series; ``None`` if it has no moving range, being shorter than two values."""
    if len(values) < 2:
        return None
    mean = sum(values, Fraction(0)) / len(values)
    moving_range = sum((abs(after - before) for before, after in pairwise(values)), Fraction(0)) / (len(values) - 1)
    return Limits(mean, mean - SCALE * moving_range, mean + SCALE * moving_range)


def signals(values: Sequence[Fraction], around: Limits | None) -> list[Signals]:
    """Return the signals of each value of a series.

    Args:
        values: the series in order of time, without gaps.
        around: its limits; ``None`` leaves the only rule that needs none, the trend.

    Returns:
        One item per value. A trend flags every value of the run of rises or falls, the value that it starts from too.
    """
    trend = _in_runs(values, [_sign(after - before) for before, after in pairwise(values)], of_steps=True)
    if around is None:
        return [Signals(trend=one) for one in trend]
    centred = [value - around.mean for value in values]
    width = around.upper - around.mean
    shift = _in_runs(values, [_sign(value) for value in centred])
    near = [_sign(value) if abs(value) > NEAR * width else 0 for value in centred]
    return [
        Signals(
            outside_limits=abs(value) > width,
            shift=shift[i],
            trend=trend[i],
            near_limit=near[i] != 0 and _has_companion(near, i),
        )
        for i, value in enumerate(centred)
    ]


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _in_runs(values: Sequence[Fraction], directions: Sequence[int], *, of_steps: bool = False) -> list[bool]:
    """Return which values lie in a run of :data:`RUN` or more with one direction, up or down.

    ``directions`` are those of the values themselves or, ``of_steps``, of the steps from each to the next.
    """
    flagged = [False] * len(values)
    extra = 1 if of_steps else 0
    start = 0
    for end in range(1, len(directions) + 1):
        if end < len(directions) and directions[end] == directions[start]:
            continue
        if directions[start] and end - start + extra >= RUN:
            flagged[start : end + extra] = [True] * (end - start + extra)
        start = end
    return flagged


def _has_companion(near: Sequence[int], position: int) -> bool:
    """Whether of three consecutive values, this one among them, another is near a limit on the same side."""
    first = max(position - WINDOW + 1, 0)
    return any(
        near[other] == near[position]
        for start in range(first, min(position, len(near) - WINDOW) + 1)
        for other in range(start, start + WINDOW)
        if other != position
    )


__all__ = ["Limits", "Signals", "limits", "signals"]
