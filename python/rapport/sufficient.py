"""Reading sufficient statistics: tables of counts and of sums of whole numbers, as the warehouse returns them.

Every sum is exact, so what is computed from them here does not depend on the order in which rows were summed. An
alliance score is a quotient of two whole numbers, ``item_sum / item_responses``; over the common denominator L of all
scores it is a whole number too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Above this a float no longer tells neighbouring whole numbers apart.
_LARGEST_EXACT_FLOAT = 2.0**53


def require_columns(table: str, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise ValueError if a table lacks a column."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{table} lacks the column {', '.join(missing)}")


def require_known(table: str, column: str, values: Iterable[object], known: Iterable[str]) -> None:
    """Raise ValueError if a column holds something that the study does not know."""
    unknown = sorted({str(value) for value in values} - set(known))
    if unknown:
        raise ValueError(f"{table}: unknown {column} {', '.join(unknown)}; known are {', '.join(known)}")


def whole_numbers(table: str, frame: pd.DataFrame, column: str, least: int | None = 0) -> list[int]:
    """Return a column as whole numbers of any length.

    Args:
        table: name of the table, for the message.
        frame: the table.
        column: whole numbers as integers of any kind, or as floats that hold them exactly.
        least: the smallest number allowed.

    Raises:
        ValueError: a value is missing, no whole number, too large for the float that holds it, or too small.
    """
    values = frame[column]
    if pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any():
        numbers = [int(value) for value in values.tolist()]
    else:
        numbers = []
        for value in values.tolist():
            if pd.isna(value) or value != math.floor(value):
                raise ValueError(f"{table}: {column} must hold whole numbers, got {value}")
            if isinstance(value, float) and abs(value) > _LARGEST_EXACT_FLOAT:
                raise ValueError(f"{table}: {column} holds {value:g}, more than a float keeps exactly")
            numbers.append(int(value))
    if least is not None and numbers and min(numbers) < least:
        raise ValueError(f"{table}: {column} must be at least {least}, got {min(numbers)}")
    return numbers


def long_numbers(table: str, frame: pd.DataFrame, column: str) -> list[int]:
    """Return a column of whole numbers written as text: sums of more digits than a float or 64 bits keep.

    Raises:
        ValueError: a value is no whole number.
    """
    try:
        return [int(value) for value in frame[column].astype(object)]
    except (TypeError, ValueError):
        raise ValueError(f"{table}: {column} must hold whole numbers") from None


def quotients(table: str, frame: pd.DataFrame, numerator: str, denominator: str) -> NDArray[np.float64]:
    """Return the quotient of two columns of whole numbers, correctly rounded: equal quotients are equal floats."""
    pairs = zip(whole_numbers(table, frame, numerator, None), whole_numbers(table, frame, denominator, 1), strict=True)
    return np.array([above / below for above, below in pairs], dtype=np.float64)


# --- Distributions of quotients -----------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """How often each quotient of whole numbers occurs.

    Args:
        counts: how often each pair of numerator and denominator occurs.
    """

    counts: Mapping[tuple[int, int], int]

    @cached_property
    def _scaled(self) -> tuple[int, list[tuple[int, int]]]:
        """The common denominator, and the ascending values over it with their counts."""
        common = math.lcm(*(below for _, below in self.counts))
        pairs = sorted((above * (common // below), count) for (above, below), count in self.counts.items() if count)
        return common, pairs

    @property
    def n(self) -> int:
        """Number of observations."""
        return sum(self.counts.values())

    @property
    def mean(self) -> Fraction | None:
        """Mean; none of nothing."""
        common, pairs = self._scaled
        return Fraction(sum(value * count for value, count in pairs), common * self.n) if pairs else None

    @property
    def variance(self) -> Fraction | None:
        """Sample variance (n − 1); none of fewer than two."""
        common, pairs = self._scaled
        n, total = self.n, sum(value * count for value, count in pairs)
        squares = sum(value * value * count for value, count in pairs)
        return Fraction(n * squares - total * total, common**2 * n * (n - 1)) if n > 1 else None

    def quantile_pair(self) -> tuple[Fraction, Fraction] | None:
        """Return the two middle values, the same one twice for an odd number."""
        common, pairs = self._scaled
        if not pairs:
            return None
        reached = list(itertools.accumulate(count for _, count in pairs))
        lower, upper = (
            next(value for (value, _), end in zip(pairs, reached, strict=True) if rank < end)
            for rank in ((self.n - 1) // 2, self.n // 2)
        )
        return Fraction(lower, common), Fraction(upper, common)

    @property
    def median(self) -> Fraction | None:
        """Median, the mean of the two middle values."""
        middle = self.quantile_pair()
        return None if middle is None else (middle[0] + middle[1]) / 2

    def percentile(self, percent: int) -> Fraction | None:
        """The value below which ``percent`` of the observations lie, between two values in proportion (R: type 7)."""
        common, pairs = self._scaled
        if not pairs:
            return None
        position = Fraction(percent * (self.n - 1), 100)
        below = math.floor(position)
        reached = list(itertools.accumulate(count for _, count in pairs))
        lower, upper = (
            next(value for (value, _), end in zip(pairs, reached, strict=True) if rank < end)
            for rank in (below, min(below + 1, self.n - 1))
        )
        return (lower + (position - below) * (upper - lower)) / common

    @property
    def extremes(self) -> tuple[Fraction, Fraction] | None:
        """The smallest and the largest value."""
        common, pairs = self._scaled
        return (Fraction(pairs[0][0], common), Fraction(pairs[-1][0], common)) if pairs else None


# --- Sums of products ---------------------------------------------------------------------


@dataclass(frozen=True)
class Monomial:
    """A product of powers of the alliance score, whole-number variables and 0/1 variables.

    Attributes:
        power: power of the alliance score (over the common denominator), up to 2 in a sum.
        variables: names of whole-number variables, sorted, up to 2 in a sum.
        dummies: names of 0/1 variables.
    """

    power: int = 0
    variables: tuple[str, ...] = ()
    dummies: frozenset[str] = frozenset()

    def __mul__(self, other: Monomial) -> Monomial:
        """Return the product; a 0/1 variable is its own square."""
        return Monomial(
            self.power + other.power,
            tuple(sorted(self.variables + other.variables)),
            self.dummies | other.dummies,
        )


@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials with whole coefficients, over ``unit``: the variable that a term stands for."""

    coefficients: Mapping[Monomial, int]
    unit: int = 1

    def __mul__(self, other: Polynomial) -> Polynomial:
        """Return the product."""
        product: dict[Monomial, int] = {}
        for (first, a), (second, b) in itertools.product(self.coefficients.items(), other.coefficients.items()):
            monomial = first * second
            product[monomial] = product.get(monomial, 0) + a * b
        return Polynomial(product, self.unit * other.unit)


@dataclass(frozen=True)
class ProductSums:
    """Sums of monomials over people.

    Attributes:
        common: the common denominator of the alliance scores.
        cells: by the 0/1 variables that are 1, the power of the alliance score (times ``common``) and the
            whole-number variables multiplied, the sum.
        dummies: names of the 0/1 variables.
    """

    common: int
    cells: Mapping[frozenset[str], Mapping[tuple[int, tuple[str, ...]], int]]
    dummies: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Number of people."""
        return self.sum(Polynomial({Monomial(): 1}))

    def sum(self, polynomial: Polynomial) -> int:
        """Return the sum of a polynomial, times its unit."""
        return sum(
            coefficient * sums[monomial.power, monomial.variables]
            for monomial, coefficient in polynomial.coefficients.items()
            for dummies, sums in self.cells.items()
            if monomial.dummies <= dummies
        )


def product_sums(
    table: str, frame: pd.DataFrame, variables: Sequence[str], dummies: Mapping[str, tuple[str, str]]
) -> ProductSums:
    """Read sums of whole-number variables and of their products, by alliance score and group.

    Args:
        table: name of the table, for messages.
        frame: item_sum, item_responses, n, the sum of each variable, and for each pair of them in order, and each
            with itself, the sum ``<a>_x_<b>`` of its products; and the columns of the dummies.
        variables: names of the variables.
        dummies: by name of a 0/1 variable the column and its value for which it is 1.

    Raises:
        ValueError: a column is missing or holds something other than whole numbers.
    """
    pairs = list(itertools.combinations_with_replacement(variables, 2))
    columns: dict[tuple[str, ...], str] = {(): "n"}
    columns |= {(name,): name for name in variables}
    columns |= {tuple(sorted(pair)): f"{pair[0]}_x_{pair[1]}" for pair in pairs}
    require_columns(table, frame, ("item_sum", "item_responses", *columns.values()))
    items = np.array(whole_numbers(table, frame, "item_sum"), dtype=object)
    responses = np.array(whole_numbers(table, frame, "item_responses", 1), dtype=object)
    sums = {key: np.array(whole_numbers(table, frame, name), dtype=object) for key, name in columns.items()}
    common = math.lcm(*set(responses.tolist()))

    held = {name: frame[column].astype(object).to_numpy() == value for name, (column, value) in dummies.items()}
    kinds = [frozenset(name for name in held if held[name][i]) for i in range(len(frame))]
    labels = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    label = np.array([labels[kind] for kind in kinds], dtype=np.int64)
    # Within one number of responses the powers of the score are those of item_sum over one denominator.
    order = np.lexsort((responses.astype(np.int64), label))
    keys = np.column_stack([label, responses.astype(np.int64)])[order]
    starts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=-1), axis=1))
    names = list(labels)
    cells: dict[frozenset[str], dict[tuple[int, tuple[str, ...]], int]] = {
        kind: dict.fromkeys(itertools.product(range(3), columns), 0) for kind in labels
    }
    if len(frame):
        for power in range(3):
            powers = items**power
            for key, values in sums.items():
                totals = np.add.reduceat((values * powers)[order], starts)
                for start, total in zip(starts, totals, strict=True):
                    kind, below = names[keys[start, 0]], int(keys[start, 1])
                    cells[kind][power, key] += int(total) * (common // below) ** power
    return ProductSums(common, cells, frozenset(dummies))
