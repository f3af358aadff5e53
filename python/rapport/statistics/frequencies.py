"""Frequency tables: the sufficient statistic of every rank test, and their medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapport.statistics.result import TestResult

FloatArray = NDArray[np.float64]

MEDIAN = TestResult("Median", estimate_name="median")


def _as_values(values: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers")
    return array


def _as_counts(counts: ArrayLike, size: int) -> FloatArray:
    array = np.asarray(counts, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"counts must have shape ({size},), got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or (array != np.floor(array)).any():
        raise ValueError("counts must be whole numbers, zero or more")
    return array


@dataclass(frozen=True, eq=False, init=False)
class FrequencyTable:
    """How often each value of a variable occurs in one group.

    Values may repeat or have a count of zero; the table is normalized to distinct values in
    ascending order with positive counts. Values tie when they are equal as floats.

    Args:
        values: shape (v,), the unit of the variable.
        counts: shape (v,), whole numbers ≥ 0; exact up to 2**53.

    Raises:
        ValueError: shapes differ, a value is not finite, or a count is not a whole number ≥ 0.
    """

    values: FloatArray
    counts: FloatArray

    def __init__(self, values: ArrayLike, counts: ArrayLike) -> None:
        """Validate and normalize the table."""
        given = _as_values(values, "values")
        weights = _as_counts(counts, given.size)
        present = weights > 0
        distinct, position = np.unique(given[present], return_inverse=True)
        totals = np.bincount(position, weights=weights[present], minlength=distinct.size)
        object.__setattr__(self, "values", distinct)
        object.__setattr__(self, "counts", totals)

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    @property
    def median(self) -> float | None:
        """Median, the mean of the two middle values of an even number (R: ``median``)."""
        if self.n == 0:
            return None
        reached = np.cumsum(self.counts)
        lower, upper = (
            self.values[np.searchsorted(reached, rank, side="right")] for rank in ((self.n - 1) // 2, self.n // 2)
        )
        return float((lower + upper) / 2.0)


@dataclass(frozen=True, eq=False, init=False)
class JointFrequencyTable:
    """How often each pair of values of two variables occurs.

    Args:
        x: shape (v,), first variable.
        y: shape (v,), second variable.
        counts: shape (v,), whole numbers ≥ 0.

    Raises:
        ValueError: shapes differ, a value is not finite, or a count is not a whole number ≥ 0.
    """

    x: FloatArray
    y: FloatArray
    counts: FloatArray

    def __init__(self, x: ArrayLike, y: ArrayLike, counts: ArrayLike) -> None:
        """Validate the table and drop pairs that do not occur."""
        first, second = _as_values(x, "x"), _as_values(y, "y")
        if first.shape != second.shape:
            raise ValueError(f"x and y must have one shape, got {first.shape} and {second.shape}")
        weights = _as_counts(counts, first.size)
        present = weights > 0
        object.__setattr__(self, "x", first[present])
        object.__setattr__(self, "y", second[present])
        object.__setattr__(self, "counts", weights[present])

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())


def midranks(values: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each value's midrank and the sizes of the ties (R: ``rank``).

    Args:
        values: shape (v,); repeated values are one tie.
        counts: shape (v,), their frequencies.

    Returns:
        Midranks, shape (v,), and tie sizes, shape (number of distinct values,).
    """
    distinct, position = np.unique(values, return_inverse=True)
    sizes = np.bincount(position, weights=counts, minlength=distinct.size)
    ties: FloatArray = np.asarray(sizes, dtype=np.float64)
    ranks = np.cumsum(ties) - ties + (ties + 1.0) / 2.0
    return np.asarray(ranks[position], dtype=np.float64), ties


def medians(groups: Mapping[str, FrequencyTable]) -> dict[str, TestResult]:
    """Return the median of each group.

    Args:
        groups: frequency table by group name.

    Returns:
        A result by group name, with a note for an empty group.
    """
    results = {}
    for name, table in groups.items():
        results[name] = replace(
            MEDIAN,
            n=table.n,
            estimate=table.median,
            note=None if table.n else empty_groups_note([name]),
        )
    return results


def empty_groups_note(names: list[str]) -> str:
    """Return the note of a test one or more of whose groups have no members."""
    listed = " and ".join(names)
    return f"no participants in {'group' if len(names) == 1 else 'groups'} {listed}"
