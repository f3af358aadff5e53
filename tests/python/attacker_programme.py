"""What the attackers on a release share: an integer programme of all that is known, and what digits and classes mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

Limits = tuple[float, float]
SECONDS, ATTEMPTS = 60, 3
"""Time limit of one optimisation, which takes milliseconds to seconds."""


def decimals_of(value: float) -> int:
    """To how many decimals a figure is written."""
    text = repr(float(value))
    return 0 if text.endswith(".0") else len(text.partition(".")[2])


def half_unit(value: float) -> float:
    """By how much a figure may have been rounded, were it given to no more decimals than are written."""
    return 0.5 * 10.0 ** -decimals_of(value) + 1e-12


def ends_of(value: float) -> Limits:
    """Between what a figure that is not negative lies, for how it is written."""
    return max(value - half_unit(value), 0.0), value + half_unit(value)


def class_of(value: object, base: int, hidden: float = 0.0) -> Limits:
    """Between what a released count lies: the middle of a class; one that is not shown is ``hidden`` or more."""
    if value is None or pd.isna(value):
        return hidden, np.inf
    number = round(float(value))  # type: ignore[arg-type]
    first = number if number == 0 else number - (base - 1) // 2
    return first, first if number == 0 else first + base - 1


def agrees_mean(mean: float, step: float = 1) -> Callable[[int], bool]:
    """Whether n multiples of a step can have this mean."""

    def agrees(n: int) -> bool:
        return n > 0 and abs(round(mean * n / step) * step / n - mean) <= half_unit(mean) + 1e-9

    return agrees


@dataclass
class Programme:
    """Sums of unknown whole numbers, and between what each lies.

    Attributes:
        base: counts are the middle of so many.
        statistics: how many were solved for a number of people.
        unread: statistics that agree with no number: they were not made as the attacker thinks.
    """

    base: int
    _: KW_ONLY
    rows: list[np.ndarray] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    statistics: int = 0
    unread: int = 0
    most: ClassVar[int] = 100_000
    """No unknown is larger."""

    def add(self, row: np.ndarray, low: float, high: float) -> None:
        """Enter that a sum lies between two numbers."""
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def narrow(self, row: np.ndarray) -> tuple[int, int]:
        """The smallest and the largest that a sum can be."""
        # Unknowns that occur together everywhere are one.
        told = np.unique(np.vstack([*self.rows, row]), axis=1)
        least, most = (sign * self._least(sign * told[-1], told[:-1]) for sign in (1, -1))
        return least, most

    def _least(self, target: np.ndarray, rows: np.ndarray) -> int:
        """The smallest value of a sum; out of time what is proved of it is a bound, too."""
        result = None
        for _ in range(ATTEMPTS):  # the clock of the solver runs on while a busy machine lets it wait
            result = milp(
                target,
                constraints=LinearConstraint(rows, np.array(self.low), np.array(self.high)),
                integrality=np.ones(rows.shape[1]),
                bounds=Bounds(0, self.most),
                options={"time_limit": SECONDS},
            )
            end = result.fun if result.status == 0 else result.get("mip_dual_bound")
            if end is not None and np.isfinite(end):
                return math.ceil(end - 1e-6)
        raise RuntimeError(f"the attacker's programme has no answer: {result and result.message}")
