"""The rules of the service's months: which months of a measure go.

A month of a group of measures goes as a whole, for therapists, coaches and all, as soon as one number of people,
sessions or ratings in it is small, be it printed or told by a difference. So within a month nothing that stays adds up
with what goes. Other tables print the sessions in use, and how many people screened positive, recovered and improved:
against such a total of all months none goes alone. Further ones go, those of the fewest sessions first, until what the
hidden months have together leaves each of them enough possible values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import Count, DisclosureError
from rapport.disclosure.rules import Figure, Reading, number_of
from rapport.service import COUNTS, FLAGS, KEYS, MEASURES, OUTCOMES, PROVIDER_TYPES

Months = set[object]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "held": ("sessions",),
    "missed": ("no_show_rate",),
    "cancelled": ("cancellation_rate",),
    "rated": ("response_rate",),
    "alliance": ("alliance_mean",),
    "top": ("top_box_rate",),
    "new": ("new_participants",),
    "outcomes": OUTCOMES,
}
"""Measures that go together."""

TAKES_ALONG: Final[Mapping[str, tuple[str, ...]]] = {
    "held": ("missed", "cancelled", "rated", "alliance", "top"),
    "missed": ("cancelled",),
}
"""Sessions held are in the figures of missed, cancelled and rated ones, and missed ones in those of cancelled ones."""


VALUE_ONLY: Final = ("alliance_mean", "top_box_rate")
"""Their numbers of answers, and of ratings with both, would tell beside the rated sessions how many ratings have a
single answer, and those are few; and their people how many held sessions were not rated. The values alone tell no
number."""

WITH_TOTALS: Final = ("cancelled", "outcomes")
"""Groups whose months add up to what another table prints."""


@dataclass(frozen=True, slots=True)
class _Month:
    """The figures of a month: (numerator, denominator, people) by provider type and measure."""

    cells: Mapping[tuple[str, str], tuple[int, int, int]]

    def counts(self, group: str, types: Iterable[str] = PROVIDER_TYPES) -> dict[str, int]:
        """Every number of people, sessions or ratings that the figures of a group tell."""
        found: dict[str, int] = {}
        for kind in ("all",) if group == "outcomes" else types:
            for measure in GROUPS[group]:
                above, below, people = self.cells[kind, measure]
                name = f"{kind} {measure}"
                found[f"{name} people"] = people
                if measure in COUNTS:
                    found[name] = above
                elif measure in ("alliance_mean", "mean_change"):
                    found[f"{name} of"] = below
                else:
                    found |= {name: above, f"{name} of": below, f"{name} not": below - above}
        if group == "new" and set(types) == set(PROVIDER_TYPES):
            # Who is new to a second provider type, or to both in one month.
            of = {kind: self.cells[kind, "new_participants"][0] for kind in PROVIDER_TYPES}
            found["twice new"] = of["therapist"] + of["coach"] - of["all"]
        return found

    @property
    def sessions(self) -> int:
        """All sessions of the month."""
        return self.cells["all", "cancellation_rate"][1]

    def unknown(self, group: str, gone: Mapping[str, Months], month: object) -> dict[str, int]:
        """What the known totals tell of the month when its figures of a group are gone."""
        if group == "cancelled":
            cancelled = self.cells["all", "cancellation_rate"][0]
            missed = self.cells["all", "no_show_rate"][0] if month in gone["missed"] else 0
            held = self.cells["all", "sessions"][0] if month in gone["held"] else 0
            return {"sessions": cancelled + missed + held}
        return {name: count for name, count in self.counts(group, ("all",)).items() if not name.endswith("people")}


@dataclass(frozen=True, slots=True)
class ServiceMonthly:
    """``marts.service_monthly``."""

    labels: tuple[str, ...] = KEYS
    figures: tuple[str, ...] = ("numerator", "denominator", "value", "people_at_least")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Figures of small months are hidden; those of outcomes also tell, together, the numbers of the cohort."""
        reading = Reading(table)
        rows = frame.to_dict("records")
        gone = hidden_months(_months(table, rows), min_cell)
        group_of = {measure: group for group, measures in GROUPS.items() for measure in measures}
        for i, row in enumerate(rows):
            measure = str(row["measure"])
            reveals = _OUTCOMES.get(measure, ())
            is_hidden = row["month"] in gone[group_of[measure]]
            for column in self.figures:
                is_told = measure in VALUE_ONLY and column != "value"
                reading.figures.append(Figure(i, column, reveals, hidden=is_hidden or is_told))
        return reading


@dataclass(frozen=True, slots=True)
class ServiceSignals:
    """``marts.service_signals``: a release computes them anew from the months that it shows (rapport.release)."""

    labels: tuple[str, ...] = KEYS
    figures: tuple[str, ...] = ("value", "mean", "lower_limit", "upper_limit", *FLAGS)

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Nothing is judged here."""
        return Reading(table)


_POSITIVE: Final = Count("cohort").narrow({"baseline": "positive"})
_OUTCOMES: Final[Mapping[str, tuple[Count, ...]]] = {
    "mean_change": (_POSITIVE,),
    "recovery_rate": (_POSITIVE, _POSITIVE.narrow({"followup": "negative"})),
    "improvement_rate": (_POSITIVE, _POSITIVE.narrow({"improved": "yes"})),
}


def _months(table: str, rows: Sequence[Mapping[Any, Any]]) -> dict[object, _Month]:
    cells: dict[object, dict[tuple[str, str], tuple[int, int, int]]] = {}
    for row in rows:
        kind, measure = str(row["provider_type"]), str(row["measure"])
        if kind not in PROVIDER_TYPES or measure not in MEASURES or (measure in OUTCOMES and kind != "all"):
            raise DisclosureError(f"{table}: no rule for {measure} of {kind}")
        of_month = cells.setdefault(row["month"], {})
        if (kind, measure) in of_month:
            raise DisclosureError(f"{table}: two rows for {row['month']}, {kind}, {measure}")
        above, below, people = (number_of(row[name]) for name in ("numerator", "denominator", "people_at_least"))
        if above is None or people is None or (below is None) is not (measure in COUNTS):
            raise DisclosureError(f"{table}: {row['month']}, {kind}, {measure}: a number is missing, or one too many")
        of_month[kind, measure] = (round(above), round(below or 0), round(people))
    for month, of_month in cells.items():
        if len(of_month) != len(PROVIDER_TYPES) * len(MEASURES) - (len(PROVIDER_TYPES) - 1) * len(OUTCOMES):
            raise DisclosureError(f"{table}: {month} does not have every measure")
    return {month: _Month(of_month) for month, of_month in cells.items()}


def hidden_months(months: Mapping[object, _Month], min_cell: int) -> dict[str, Months]:
    """Return the months of each group of measures that go."""
    gone: dict[str, Months] = {
        group: {
            month
            for month, figures in months.items()
            if any(0 < count < min_cell for count in figures.counts(group).values())
        }
        for group in GROUPS
    }
    for group in GROUPS:  # in this order: whoever takes along comes before whom it takes
        for other in TAKES_ALONG.get(group, ()):
            gone[other] |= gone[group]
    for group in WITH_TOTALS:
        _complete(group, months, gone, min_cell)
    return gone


def _complete(group: str, months: Mapping[object, _Month], gone: dict[str, Months], min_cell: int) -> None:
    """Let further months go until no hidden number can be told from a total of all months."""
    rest = sorted(
        (month for month in months if month not in gone[group]),
        key=lambda month: (months[month].sessions, str(month)),
        reverse=True,
    )
    while gone[group] and rest and not _is_enough(group, months, gone, min_cell):
        gone[group].add(rest.pop())


def _is_enough(group: str, months: Mapping[object, _Month], gone: Mapping[str, Months], min_cell: int) -> bool:
    sums: dict[str, int] = {}
    parts: dict[str, int] = {}
    for month in gone[group]:
        for name, count in months[month].unknown(group, gone, month).items():
            sums[name] = sums.get(name, 0) + count
            parts[name] = parts.get(name, 0) + (count > 0)
    # A hidden count is 1 or more: with so many together each of them may have min_cell values, and be min_cell.
    return all(not total or (parts[name] > 1 and total >= min_cell + parts[name]) for name, total in sums.items())


__all__ = ["GROUPS", "ServiceMonthly", "ServiceSignals", "hidden_months"]
