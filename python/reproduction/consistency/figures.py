"""Printed figures as intervals: what a rounded number can have been before it was rounded.

A number printed with d decimals stands for every value within half a unit of its last decimal.
Both ends are admitted, since papers do not say how they round a half. ``< .001`` stands for all
up to 0.001, ``> .07`` for all from 0.07.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

TOLERANCE = 1e-9

COLUMNS = (
    "figure_id",
    "printed",
    "comparator",
    "printed_value",
    "decimals",
    "target_table",
    "analysis",
    "term",
    "utilization_type",
    "step",
    "column_name",
    "transform",
)


class Verdict(StrEnum):
    """What a recomputation says about a printed figure."""

    CONSISTENT = "consistent"
    ROUNDING = "rounding"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True)
class Interval:
    """The closed interval from ``low`` to ``high``; a point when both are equal.

    Raises:
        ValueError: ``low`` exceeds ``high`` or either is NaN.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse an empty interval."""
        if not self.low <= self.high:
            raise ValueError(f"an interval from {self.low} to {self.high} is empty")

    @staticmethod
    def point(value: float) -> Interval:
        """The interval that holds ``value`` alone."""
        return Interval(value, value)

    @staticmethod
    def rounded(value: float, decimals: int) -> Interval:
        """Every number that is printed as ``value`` when rounded to ``decimals`` places."""
        half = 0.5 * 10.0**-decimals
        return Interval(value - half, value + half)

    def __add__(self, other: Interval) -> Interval:
        """Sums of a member of each."""
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        """Differences of a member of each."""
        return Interval(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        """Products of a member of each."""
        return corners(lambda x, y: x * y, self, other)

    def __truediv__(self, other: Interval) -> Interval:
        """Quotients of a member of each.

        Raises:
            ZeroDivisionError: ``other`` contains 0.
        """
        if other.low <= 0.0 <= other.high:
            raise ZeroDivisionError("division by an interval that contains 0")
        return corners(lambda x, y: x / y, self, other)

    def scaled(self, factor: float) -> Interval:
        """Every member times ``factor``."""
        return self * Interval.point(factor)

    def magnitude(self) -> Interval:
        """Absolute values of the members."""
        if self.low <= 0.0 <= self.high:
            return Interval(0.0, max(-self.low, self.high))
        return corners(abs, self)

    def squared(self) -> Interval:
        """Squares of the members."""
        size = self.magnitude()
        return Interval(size.low**2, size.high**2)

    def root(self) -> Interval:
        """Square roots of the members; what lies below 0 is cut off.

        Raises:
            ValueError: every member is negative.
        """
        if self.high < 0.0:
            raise ValueError("the root of an interval below 0")
        return Interval(math.sqrt(max(self.low, 0.0)), math.sqrt(self.high))

    def overlaps(self, other: Interval) -> bool:
        """Whether the two have a member in common (within floating-point error)."""
        return self.low <= other.high + TOLERANCE and other.low <= self.high + TOLERANCE

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies strictly inside, or is the point that the interval consists of."""
        if self.high - self.low <= TOLERANCE:
            return abs(value - self.low) <= TOLERANCE
        return self.low + TOLERANCE < value < self.high - TOLERANCE

    @property
    def mid(self) -> float:
        """The centre."""
        return (self.low + self.high) / 2.0


def corners(function: Callable[..., float], *arguments: Interval) -> Interval:
    """Range of a function over a box of intervals, from its values at the 2^k corners.

    Exact for a function that is monotone in each argument over the box, whatever the direction;
    callers see to that.
    """
    points: list[tuple[float, ...]] = [()]
    for argument in arguments:
        ends = {argument.low, argument.high}
        points = [(*point, end) for point in points for end in ends]
    values = [float(function(*point)) for point in points]
    return Interval(min(values), max(values))


def judge(central: float, recomputed: Interval, printed: Interval) -> Verdict:
    """Compare what follows from other printed figures with what is printed.

    Args:
        central: The figure recomputed from the printed values taken at their word.
        recomputed: Every value that the roundings of the inputs admit.
        printed: Every value that the printed figure stands for.

    Returns:
        ``inconsistent`` if the intervals have nothing in common, ``consistent`` if ``central``
        would be printed the same, else ``rounding``.
    """
    if not recomputed.overlaps(printed):
        return Verdict.INCONSISTENT
    return Verdict.CONSISTENT if printed.holds(central) else Verdict.ROUNDING


@dataclass(frozen=True)
class Figure:
    """One printed number with its key in the warehouse (parts that do not apply are empty)."""

    figure_id: str
    printed: str
    comparator: str
    value: float
    decimals: int
    target_table: str
    key: tuple[str, ...]

    @property
    def interval(self) -> Interval:
        """The values that the printed figure stands for."""
        if self.comparator == "<":
            return Interval(-math.inf, self.value)
        if self.comparator == ">":
            return Interval(self.value, math.inf)
        return Interval.rounded(self.value, self.decimals)

    @property
    def exact(self) -> Interval:
        """The printed value as a point: for counts, dates and others that are not rounded."""
        return Interval.point(self.value)

    @property
    def count(self) -> int:
        """The printed value as a whole number.

        Raises:
            ValueError: the figure is not a whole number.
        """
        if self.value != int(self.value):
            raise ValueError(f"{self.figure_id} is {self.value}, not a count")
        return int(self.value)

    @property
    def label(self) -> str:
        """The figure's id with its printed string."""
        return f"{self.figure_id} = {self.printed}"


class Figures:
    """The printed figures, by ``figure_id``.

    Args:
        table: The seed ``printed_figures``: one row per printed number, with at least ``COLUMNS``.

    Raises:
        ValueError: a column is missing, or a ``figure_id`` is empty or occurs twice.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        """Read the rows."""
        missing = [column for column in COLUMNS if column not in table.columns]
        if missing:
            raise ValueError(f"printed figures lack the column(s) {', '.join(missing)}")
        self._by_id: dict[str, Figure] = {}
        for row in table[list(COLUMNS)].to_dict("records"):
            text = {name: "" if pd.isna(value) else str(value) for name, value in row.items()}
            identity = text["figure_id"]
            if not identity or identity in self._by_id:
                raise ValueError(f"printed figures have the figure_id {identity!r} empty or twice")
            step = text["step"].removesuffix(".0")
            parts = ("analysis", "term", "utilization_type", "column_name", "transform")
            self._by_id[identity] = Figure(
                figure_id=identity,
                printed=text["printed"],
                comparator=text["comparator"],
                value=float(row["printed_value"]),
                decimals=int(row["decimals"]),
                target_table=text["target_table"],
                key=(text["target_table"], step, *(text[part] for part in parts)),
            )

    def __getitem__(self, figure_id: str) -> Figure:
        """The figure of that id.

        Raises:
            ValueError: there is none.
        """
        try:
            return self._by_id[figure_id]
        except KeyError:
            raise ValueError(f"printed figures lack {figure_id!r}") from None

    def __iter__(self) -> Iterator[Figure]:
        """The figures in the order of the table."""
        return iter(self._by_id.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_id)
