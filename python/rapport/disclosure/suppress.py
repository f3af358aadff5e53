"""Which figures go, so that no small count can be told from those that stay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from rapport.disclosure.counts import Count, CountSystem, DisclosureError, Population, is_protected
from rapport.disclosure.rules import DependentRule, Figure, Reading, Rule

SUPPRESSED = "suppressed"
SUPPRESSED_COLUMNS = "suppressed_columns"
LEAST_MIN_CELL = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suppression of one set of tables decided.

    Attributes:
        withheld: the counts that no figure may give.
        small: the counts of 1 … ``min_cell`` − 1 that figures give or would give together; whatever else is withheld
            protects them.
        hidden: position of the row and column of every figure that goes, by table.
    """

    withheld: frozenset[Count]
    small: frozenset[Count]
    hidden: Mapping[str, frozenset[tuple[int, str]]]


def disclose(
    tables: Mapping[str, pd.DataFrame],
    min_cell: int = 10,
    *,
    rules: Mapping[str, Rule],
    populations: Mapping[str, Population],
    secondary: bool = True,
) -> dict[str, pd.DataFrame]:
    """Return the tables without the figures from which a small count could be told.

    Args:
        tables: published tables by name, as they are in schema ``marts``; any of those that have a rule.
        min_cell: the smallest count of people that may be known, other than 0.
        rules: how each table is read.
        populations: the people that the rules count, and their attributes.
        secondary: withhold further counts, so that the small ones do not follow from what stays. Off only to show
            what would then be known.

    Returns:
        The same tables and rows, in order. A figure that was suppressed is null; column ``suppressed`` says whether
        any of its row was, and ``suppressed_columns`` which, comma-separated (null = none).

    Raises:
        DisclosureError: ``min_cell`` is less than 2, a table, column or row has no rule, the tables contradict each
            other, or a small count cannot be protected.
    """
    verdict = judge(tables, min_cell, rules=rules, populations=populations, secondary=secondary)
    return {name: _without(frame, verdict.hidden[name], rules[name]) for name, frame in tables.items()}


def judge(
    tables: Mapping[str, pd.DataFrame],
    min_cell: int = 10,
    *,
    rules: Mapping[str, Rule],
    populations: Mapping[str, Population],
    secondary: bool = True,
) -> Verdict:
    """Decide what :func:`disclose` hides; arguments and errors as there."""
    if isinstance(min_cell, bool) or not isinstance(min_cell, int) or min_cell < LEAST_MIN_CELL:
        raise DisclosureError(f"min_cell is {min_cell!r}; it must be a whole number, {LEAST_MIN_CELL} or more")
    rules = {
        name: rule.beside(tables, min_cell) if isinstance(rule, DependentRule) else rule for name, rule in rules.items()
    }
    readings = [_read(name, frame, min_cell, rules) for name, frame in tables.items()]
    counts = _merge(readings)
    mentioned = dict.fromkeys(counts) | dict.fromkeys(
        one for reading in readings for figure in reading.figures for one in (*figure.reveals, *figure.about)
    )
    system = CountSystem(_with_levels(populations, readings), mentioned)
    if not system.is_consistent(counts):
        raise DisclosureError(f"no numbers of people fit all counts of {', '.join(tables)}: they contradict each other")
    cells = dict.fromkeys([*mentioned, *system.cells(mentioned)])
    sizes = {one: (counts[one],) * 2 if one in counts else system.bounds(one, counts) for one in cells}
    small = {one for one, (low, high) in sizes.items() if low == high and 0 < low < min_cell}
    # A count that the tables leave open, too, must not be narrowed down to few.
    at_risk = [one for one, (low, high) in sizes.items() if low < min_cell and high > 0]
    withheld = {one for one in counts if one in small}
    if secondary:
        figures = [figure for reading in readings for figure in reading.figures]
        for one in sorted(at_risk, key=str):
            withheld |= _protect(system, one, counts, withheld, figures, min_cell)
    too_small = small | {one for one, (low, high) in sizes.items() if low != high and low < min_cell}
    hidden = {
        reading.table: frozenset(
            (figure.row, figure.column) for figure in reading.figures if _goes(figure, withheld, too_small)
        )
        for reading in readings
    }
    return Verdict(frozenset(withheld), frozenset(small), hidden)


def _read(name: str, frame: pd.DataFrame, min_cell: int, rules: Mapping[str, Rule]) -> Reading:
    rule = rules.get(name)
    if rule is None:
        raise DisclosureError(f"{name}: no rule for this table; known are {', '.join(rules)}")
    declared = (*rule.labels, *rule.figures)
    if unknown := [str(column) for column in frame.columns if column not in declared]:
        raise DisclosureError(f"{name}: no rule for column {', '.join(unknown)}")
    if missing := [column for column in declared if column not in frame.columns]:
        raise DisclosureError(f"{name}: lacks column {', '.join(missing)}")
    return rule.read(name, frame, min_cell)


def _merge(readings: Iterable[Reading]) -> dict[Count, int]:
    counts: dict[Count, int] = {}
    for reading in readings:
        for one, value in reading.counts.items():
            if counts.setdefault(one, value) != value:
                raise DisclosureError(f"{reading.table}: {one} is {value}, in another table {counts[one]}")
    return counts


def _with_levels(populations: Mapping[str, Population], readings: Iterable[Reading]) -> dict[str, Population]:
    """Enter the levels that only the tables name."""
    found = dict(populations)
    for reading in readings:
        for (name, attribute), levels in reading.levels.items():
            population = found.get(name)
            if population is None or attribute not in population.attributes:
                raise DisclosureError(f"{reading.table}: population {name} has no declared attribute {attribute}")
            if populations[name].attributes[attribute] is None:
                known = found[name].attributes[attribute] or ()
                extended = {**population.attributes, attribute: tuple(sorted({*known, *levels}))}
                found[name] = replace(population, attributes=extended)
    return found


def _protect(
    system: CountSystem,
    one: Count,
    counts: Mapping[Count, int],
    withheld: set[Count],
    figures: list[Figure],
    min_cell: int,
) -> set[Count]:
    """Return what has to be withheld beside ``withheld``, so that ``one`` cannot be narrowed down."""
    known = {other: value for other, value in counts.items() if other not in withheld}
    if is_protected(system.bounds(one, known, withheld), min_cell):
        return set()
    visible: dict[Count, int] = {}
    for figure in figures:
        if not withheld.intersection(figure.reveals):
            for other in figure.reveals:
                visible[other] = visible.get(other, 0) + 1

    def cost(other: Count) -> float:
        # The figures that would go; among equals the smaller count.
        return visible.get(other, 0) + 0.01 * math.log10(1 + known[other]) + 0.01

    def is_enough(chosen: set[Count]) -> bool:
        rest = {other: value for other, value in known.items() if other not in chosen}
        return is_protected(system.bounds(one, rest, withheld | chosen), min_cell)

    for reach in (3 * min_cell, 30 * min_cell):
        chosen = system.cheapest_cover(one, known, withheld, cost, min_cell - 1, reach)
        if chosen is not None and is_enough(chosen):
            return chosen
    chosen = {other for other, value in known.items() if value > 0}
    if not is_enough(chosen):
        raise DisclosureError(f"{one} cannot be protected: too much of it is known whatever is withheld")
    return chosen


def _goes(figure: Figure, withheld: set[Count], too_small: set[Count]) -> bool:
    return figure.hidden or not withheld.isdisjoint(figure.reveals) or not too_small.isdisjoint(figure.about)


def _without(frame: pd.DataFrame, hidden: frozenset[tuple[int, str]], rule: Rule) -> pd.DataFrame:
    """Null the hidden figures and mark them, also those that were null: why they were would tell of few rows."""
    result = frame.reset_index(drop=True).copy()
    by_row: dict[int, list[str]] = {}
    for column in rule.figures:
        rows = [row for row, name in hidden if name == column]
        if rows:
            if pd.api.types.is_integer_dtype(result[column].dtype):
                result[column] = result[column].astype("Int64")
            result.loc[rows, column] = None
        for row in rows:
            by_row.setdefault(row, []).append(column)
    result[SUPPRESSED] = [row in by_row for row in range(len(result))]
    columns = [",".join(by_row[row]) if row in by_row else None for row in range(len(result))]
    result[SUPPRESSED_COLUMNS] = pd.Series(columns, dtype=pd.StringDtype(na_value=float("nan")))
    return result
