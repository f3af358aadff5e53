"""What each figure of a published table gives away: the form of a rule, and the rule of any table of counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol, runtime_checkable

import pandas as pd

from rapport.disclosure.counts import Count, DisclosureError, Where


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in a table, and what it gives away.

    Attributes:
        row: position of the row, from 0.
        column: name of the column.
        reveals: counts that can be told from it (and from what is published beside it); the figure goes when one of
            them is withheld.
        about: groups that it describes without giving their number; the figure goes when one of them is too small.
        hidden: it goes in any case.
    """

    row: int
    column: str
    reveals: tuple[Count, ...] = ()
    about: tuple[Count, ...] = ()
    hidden: bool = False


@dataclass(slots=True)
class Reading:
    """What a rule reads from a table: its figures, the counts that they give, levels that only the data name."""

    table: str
    figures: list[Figure] = field(default_factory=list)
    counts: dict[Count, int] = field(default_factory=dict)
    levels: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def give(self, count: Count, value: object) -> None:
        """Enter the number that a figure gives; null gives none. Raises :class:`DisclosureError` for what is none."""
        number = number_of(value)
        if number is None:
            return
        whole = round(number)
        if whole < 0 or abs(number - whole) > 1e-6 * max(1.0, abs(number)):
            raise DisclosureError(f"{self.table}: {count} is {number}, which is no number of people")
        if self.counts.setdefault(count, whole) != whole:
            raise DisclosureError(f"{self.table}: {count} is {self.counts[count]} and {whole}")


class Rule(Protocol):
    """The rule of one published table."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns that say what a row is about; they give nothing away and stay."""

    @property
    def figures(self) -> tuple[str, ...]:
        """Columns that are judged figure by figure."""

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Judge every figure; raises :class:`DisclosureError` for a row that no rule covers."""


@runtime_checkable
class DependentRule(Protocol):
    """A rule of a table whose figures tell something beside those of other tables that no system of counts says."""

    def beside(self, tables: Mapping[str, pd.DataFrame], min_cell: int) -> Rule:
        """Return the rule where these tables are published as well."""


def number_of(value: object) -> float | None:
    """Return a cell as a number, null as ``None``."""
    if value is None or value is pd.NA:
        return None
    number = float(value)  # type: ignore[arg-type]
    return None if math.isnan(number) else number


def text_of(value: object) -> str | None:
    """Return a cell as text, null as ``None``."""
    return None if value is None or value is pd.NA or value != value else str(value)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of people: ``of`` is a column of counts, ``per`` the dimensions within which it adds up to ``scale``."""

    of: str
    per: tuple[str, ...] = ()
    scale: float = 100.0


@dataclass(frozen=True, slots=True)
class CountTable:
    """The rule of a table of counts with one row per group; docs in the package.

    Attributes:
        population: whom it counts.
        dimensions: for each column that names a group, the conditions that each of its values stands for (``{}`` =
            everyone). A name of an attribute instead of a mapping: every value is a level of that attribute, and the
            levels are those of the table.
        counts: columns of counts, each with the further conditions that it adds to those of the row.
        shares: columns of shares of such counts.
        about: columns that describe the people of the row (a mean, a median) and belong to its count.
        labels: further columns of text that give nothing away.
        where: conditions that all rows share.
        absent_is_zero: a combination of values without a row is known to have nobody.
    """

    population: str
    dimensions: Mapping[str, str | Mapping[str, Where]]
    counts: Mapping[str, Where]
    shares: Mapping[str, Share] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()
    where: Where = field(default_factory=dict)
    absent_is_zero: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """The dimensions and the further labels."""
        return (*self.dimensions, *self.other_labels)

    @property
    def figures(self) -> tuple[str, ...]:
        """Counts, shares, and what describes the people of a row."""
        return (*self.counts, *self.shares, *self.about)

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Judge every figure; raises :class:`DisclosureError` for a value of a dimension that is not declared."""
        reading = Reading(table)
        values: dict[str, dict[str, Where]] = {}
        for column, dimension in self.dimensions.items():
            present = sorted({text_of(value) or "" for value in frame[column]})
            if isinstance(dimension, str):
                values[column] = {value: {dimension: value} for value in present}
                reading.levels.setdefault((self.population, dimension), set()).update(present)
            else:
                if unknown := [value for value in present if value not in dimension]:
                    raise DisclosureError(f"{table}: no rule for {column} {', '.join(map(repr, unknown))}")
                values[column] = dict(dimension)
        everyone = Count(self.population).narrow(self.where)
        seen: set[tuple[str, ...]] = set()
        for i, row in enumerate(frame.to_dict("records")):
            key = tuple(text_of(row[column]) or "" for column in self.dimensions)
            if key in seen:
                raise DisclosureError(f"{table}: two rows for {', '.join(key)}")
            seen.add(key)
            group = self._group(everyone, values, key, self.dimensions)
            of_column = {column: group.narrow(where) for column, where in self.counts.items()}
            for column, one in of_column.items():
                reading.give(one, row[column])
                reading.figures.append(Figure(i, column, (one,)))
            for column, share in self.shares.items():
                base = self._group(everyone, values, key, share.per)
                number, portion = number_of(row[share.of]), number_of(row[column])
                if number and portion:
                    reading.give(base, share.scale * number / portion)
                reading.figures.append(Figure(i, column, (of_column[share.of], base)))
            reading.figures += [Figure(i, column, tuple(of_column.values())) for column in self.about]
        if self.absent_is_zero:
            # A margin that the table does not print is no zero: only what is as finely divided as some row.
            shapes = {self._shape(values, key) for key in seen}
            for key in product(*values.values()):
                if key not in seen and self._shape(values, key) in shapes:
                    group = self._group(everyone, values, key, self.dimensions)
                    for where in self.counts.values():
                        reading.give(group.narrow(where), 0)
        return reading

    def _shape(self, values: Mapping[str, Mapping[str, Where]], key: tuple[str, ...]) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(values[column][value]) for column, value in zip(self.dimensions, key, strict=True))

    def _group(
        self, everyone: Count, values: Mapping[str, Mapping[str, Where]], key: tuple[str, ...], columns: Iterable[str]
    ) -> Count:
        by_column = dict(zip(self.dimensions, key, strict=True))
        group = everyone
        for column in columns:
            group = group.narrow(values[column][by_column[column]])
        return group
