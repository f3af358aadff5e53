"""The attacker on the months of the service: what the figures that stay tell of those that go.

The unknowns are by month and provider type the sessions that were held and rated, held and not rated, missed and
cancelled, and by month the new participants and those of the outcomes. Each month is a part of the totals that other
tables print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from attacker_of_providers import KINDS
from attacker_programme import Limits, Programme, agrees_mean, class_of

HELD, MISSED, CANCELLED = ("rated", "unrated"), ("missed",), ("cancelled",)
STATUSES = (*HELD, *MISSED, *CANCELLED)
PEOPLE = ("new to therapist", "new to coach", "new to all")
OUTCOMES = tuple(product(("recovered", "not recovered"), ("improved", "not improved")))
Cell = tuple[object, ...]


@dataclass
class Months(Programme):
    """The months of a release as an integer programme.

    Attributes:
        months: ``service_monthly`` as a reader gets it: what is hidden is null.
        totals: limits of the sessions in use, of all who screened positive, and of those of them who recovered and
            improved; what is not there is not known.
        step: scores are multiples of it.
    """

    _: KW_ONLY
    months: pd.DataFrame
    totals: Mapping[str, Limits] = field(default_factory=dict)
    step: int = 4
    left: dict[object, tuple[int, int]] = field(default_factory=dict)
    """By month: how many numbers the mean change leaves of those who screened positive, and how many rounding does."""

    def __post_init__(self) -> None:
        """Enter all that is known."""
        days = sorted(self.months["month"].unique())
        self.cells: list[Cell] = [
            *((day, kind, status) for day in days for kind in KINDS for status in STATUSES),
            *((day, name) for day in days for name in PEOPLE),
            *((day, *outcome) for day in days for outcome in OUTCOMES),
        ]
        self.place = {cell: i for i, cell in enumerate(self.cells)}
        for day in days:
            therapist, coach, everyone = (self.row([(day, name)]) for name in PEOPLE)
            self.add(therapist + coach - everyone, 0, np.inf)
            for kind, new in zip(KINDS, (therapist, coach), strict=True):
                self.add(self.sessions(day, kind, HELD) - new, 0, np.inf)
            self.add(self.sessions(day, "all", HELD) - everyone, 0, np.inf)
        for record in self.months.to_dict("records"):
            self._enter(str(record["measure"]), record["month"], str(record["provider_type"]), record)
        parts: Mapping[str, Callable[[object], np.ndarray]] = {
            "sessions": lambda day: self.sessions(day, "all", STATUSES),
            "positive": self.outcome,
            "recovered": lambda day: self.outcome(day, "recovered"),
            "improved": lambda day: self.outcome(day, "improved"),
        }
        for name, limits in self.totals.items():
            self.add(sum((parts[name](day) for day in days), np.zeros(len(self.cells))), *limits)

    def row(self, cells: Sequence[Cell]) -> np.ndarray:
        """The row of a sum."""
        row = np.zeros(len(self.cells))
        row[[self.place[cell] for cell in cells]] = 1.0
        return row

    def sessions(self, day: object, kind: str, statuses: Sequence[str]) -> np.ndarray:
        """Sessions of a month by provider type."""
        return self.row([(day, one, status) for one in (KINDS if kind == "all" else (kind,)) for status in statuses])

    def outcome(self, day: object, which: str | None = None) -> np.ndarray:
        """Those of a month who screened positive, or of them who recovered, or improved, or did not."""
        return self.row([(day, *outcome) for outcome in OUTCOMES if which is None or which in outcome])

    def _enter(self, measure: str, day: object, kind: str, record: Mapping[str, object]) -> None:
        above, below = (class_of(record[name], self.base) for name in ("numerator", "denominator"))
        of_sessions = {
            "sessions": (HELD, ()),
            "no_show_rate": (MISSED, (*HELD, *MISSED)),
            "cancellation_rate": (CANCELLED, STATUSES),
            "response_rate": (("rated",), HELD),
        }
        least = class_of(record["people_at_least"], self.base)[0]
        if measure in of_sessions:
            part, whole = of_sessions[measure]
            self.add(self.sessions(day, kind, part), *above)
            if whole:
                self.add(self.sessions(day, kind, whole), *below)
            self.add(self.sessions(day, kind, whole or part), least, np.inf)
        elif measure == "new_participants":
            self.add(self.row([(day, f"new to {kind}")]), *above)
        elif measure in ("alliance_mean", "top_box_rate"):
            # A session is rated once, with one answer or two.
            self.add(self.sessions(day, kind, ("rated",)), least, np.inf)
        else:
            self.add(self.outcome(day), *below)
            which = {"recovery_rate": "recovered", "improvement_rate": "improved"}.get(measure)
            if which is not None:
                self.add(self.outcome(day, which), *above)
            elif not pd.isna(record["value"]) and np.isfinite(below[1]):
                self._mean(day, float(record["value"]), below)  # type: ignore[arg-type]

    def _mean(self, day: object, mean: float, below: Limits) -> None:
        """The mean change is a sum of multiples of the step over a number of people."""
        possible = range(int(below[0]), int(below[1]) + 1)
        agreeing = [n for n in possible if agrees_mean(mean, self.step)(n)]
        self.statistics += 1
        if not agreeing:
            self.unread += 1
            return
        self.left[day] = len(agreeing), len(possible)
        self.add(self.outcome(day), agreeing[0], agreeing[-1])


def counts_of(marts: pd.DataFrame, months: Months) -> list[tuple[str, int, np.ndarray]]:
    """Every number of sessions or people of a month, as it is: its name, the number, and its row."""
    found: list[tuple[str, int, np.ndarray]] = []
    for record in marts.to_dict("records"):
        day, kind, measure = pd.Timestamp(record["month"]), str(record["provider_type"]), str(record["measure"])
        above, below = record["numerator"], record["denominator"]
        name = f"{day.date()} {kind} {measure}"
        if measure == "sessions":
            found.append((name, above, months.sessions(day, kind, HELD)))
        elif measure == "no_show_rate":
            found.append((name, above, months.sessions(day, kind, MISSED)))
        elif measure == "cancellation_rate":
            found.append((name, above, months.sessions(day, kind, CANCELLED)))
        elif measure == "response_rate":
            found.append((name, above, months.sessions(day, kind, ("rated",))))
            found.append((f"{name}, not", int(below - above), months.sessions(day, kind, ("unrated",))))
        elif measure == "new_participants":
            found.append((name, above, months.row([(day, f"new to {kind}")])))
        elif measure in ("recovery_rate", "improvement_rate"):
            which = "recovered" if measure == "recovery_rate" else "improved"
            found.append((f"{name}, of", int(below), months.outcome(day)))
            found.append((name, above, months.outcome(day, which)))
            found.append((f"{name}, not", int(below - above), months.outcome(day, f"not {which}")))
    return [(name, math.floor(number), row) for name, number, row in found]


def charts_what_is_shown(months: pd.DataFrame, signals: pd.DataFrame, least: int) -> bool:
    """Whether the charts have the values that the months have, and their mean: then they tell nothing more.

    ``least``: from so many shown months on a series has a mean.
    """
    keys = ["month", "provider_type", "measure"]
    both = months[[*keys, "value"]].merge(signals, on=keys, suffixes=("", "_charted"), validate="one_to_one")
    if len(both) != len(months) or not both["value"].equals(both["value_charted"]):
        return False
    for _, series in both.groupby(["provider_type", "measure"]):
        shown = series["value"].dropna()
        of_mean = series["mean"].dropna()
        if (len(of_mean) > 0) is not (len(shown) >= least):
            return False
        if len(of_mean) and not np.allclose(of_mean, shown.mean(), rtol=1e-9, atol=1e-12):
            return False
    return True
