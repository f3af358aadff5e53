"""Signals of the service's months in words: for the page, and for whoever is told of a new one.

Reads rows of a release's ``service_signals``: what is said here may leave, as the release may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rapport.statistics.control_charts import RUN

Row = Mapping[str, Any]

TITLES: Final[Mapping[str, str]] = {
    "sessions": "Completed sessions",
    "new_participants": "New participants",
    "no_show_rate": "No-show rate",
    "cancellation_rate": "Cancellation rate",
    "response_rate": "Response rate",
    "alliance_mean": "Alliance, mean answer",
    "top_box_rate": "Both answers the best",
    "mean_change": "Mean change of WHO-5",
    "recovery_rate": "Clinical recovery",
    "improvement_rate": "Clinical improvement",
}
KINDS: Final[Mapping[str, str]] = {"all": "all", "therapist": "therapists", "coach": "coaches"}
SIGNALS: Final = ("outside_limits", "shift", "trend", "near_limit")
_NUMBERS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Consecutive values of a series that are the same signal.

    Attributes:
        signal: one of :data:`SIGNALS`.
        direction: ``above`` or ``below`` the mean or a limit; ``rising`` or ``falling`` for a trend.
        rows: its rows, from the first to the last.
        is_running: whether the last of them is the last value of the series.
    """

    signal: str
    direction: str
    rows: tuple[Row, ...]
    is_running: bool


def month_of(row: Row) -> date:
    """The first day of a row's month."""
    value = row["month"]
    return value.date() if isinstance(value, datetime) else value


def last_complete_month(rows: Iterable[Row], loaded_at: datetime) -> date | None:
    """The last month that ended before the newest row was loaded; ``None`` if none did."""
    return max((month for row in rows if _following(month := month_of(row)) <= loaded_at.date()), default=None)


def events(series: Sequence[Row]) -> list[Event]:
    """Return the signals of one series (a provider type and a measure), by kind and in order of time."""
    shown = [row for row in sorted(series, key=month_of) if row["value"] is not None]
    sides = [_side(row) for row in shown]
    found: list[Event] = []
    for signal in SIGNALS:
        if signal == "trend":
            runs = _trends([float(row["value"]) for row in shown])
        else:
            is_part = [bool(row[signal]) and (signal != "near_limit" or not row["outside_limits"]) for row in shown]
            runs = _runs([side if part else "" for side, part in zip(sides, is_part, strict=True)])
        found += [
            Event(signal, direction, tuple(shown[first : last + 1]), last == len(shown) - 1)
            for direction, first, last in runs
            if shown[first][signal]
        ]
    return found


def _side(row: Row) -> str:
    return "" if row["mean"] is None else "above" if float(row["value"]) > float(row["mean"]) else "below"


def _runs(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return label, first and last position of each stretch of one label."""
    found: list[tuple[str, int, int]] = []
    for i, label in enumerate(labels):
        if label and found and found[-1][0] == label and found[-1][2] == i - 1:
            found[-1] = (label, found[-1][1], i)
        elif label:
            found.append((label, i, i))
    return found


def _trends(values: Sequence[float]) -> list[tuple[str, int, int]]:
    steps = ["rising" if b > a else "falling" if b < a else "" for a, b in pairwise(values)]
    return [(label, first, last + 1) for label, first, last in _runs(steps) if last + 2 - first >= RUN]


def in_words(event: Event) -> tuple[str, str]:
    """Return what happened, and when: ``("seven months above the mean", "since 2021-03")``."""
    first, last = (f"{month_of(row):%Y-%m}" for row in (event.rows[0], event.rows[-1]))
    months = number_in_words(len(event.rows))
    limit = {"above": "upper", "below": "lower"}.get(event.direction, "")
    what = {
        "outside_limits": f"{event.direction} the {limit} limit",
        "shift": f"{months} months {event.direction} the mean",
        "trend": f"{months} months {event.direction}",
        "near_limit": f"near the {limit} limit",
    }[event.signal]
    if len(event.rows) == 1:
        return what, f"in {first}"
    return what, f"since {first}" if event.is_running else f"from {first} to {last}"


def number_in_words(number: int) -> str:
    """A whole number as a word, up to twenty."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


@dataclass(frozen=True, slots=True)
class Alert:
    """A signal of one month.

    Attributes:
        is_new: whether the month before was not this signal yet.
        words: all of it in a sentence.
    """

    measure: str
    provider_type: str
    signal: str
    direction: str
    since: str
    months: int
    value: float
    mean: float | None
    lower_limit: float | None
    upper_limit: float | None
    is_new: bool
    words: str


def alerts(rows: Sequence[Row], month: date) -> list[Alert]:
    """Return the signals of one month, as the months up to it make them: later months are not known yet.

    Mean and limits are those of the whole series.
    """
    found: list[Alert] = []
    for kind in KINDS:
        for measure in TITLES:
            series = [row for row in rows if (row["provider_type"], row["measure"]) == (kind, measure)]
            known = [row for row in series if month_of(row) <= month]
            shown = [row for row in sorted(known, key=month_of) if row["value"] is not None]
            for event in events(known):
                count = len(event.rows)
                if month_of(event.rows[-1]) != month or not _has_come(event, shown):
                    continue
                row = event.rows[-1]
                what, when = in_words(event)
                found.append(
                    Alert(
                        measure=measure,
                        provider_type=kind,
                        signal=event.signal,
                        direction=event.direction,
                        since=f"{month_of(event.rows[0]):%Y-%m}",
                        months=count,
                        value=float(row["value"]),
                        mean=row["mean"],
                        lower_limit=row["lower_limit"],
                        upper_limit=row["upper_limit"],
                        is_new=count == 1 or not _has_come(replace(event, rows=event.rows[:-1]), shown[:-1]),
                        words=f"{TITLES[measure]} ({KINDS[kind]}): {what} {when}",
                    )
                )
    return found


def _has_come(event: Event, shown: Sequence[Row]) -> bool:
    """Whether the last of some months could tell of an event that ends in it.

    A row is flagged by what follows it, too: the first six of a run by the seventh, the first of two near a limit by
    the second.
    """
    if event.signal in ("shift", "trend"):
        return len(event.rows) >= RUN
    if event.signal == "near_limit":
        return any(row["near_limit"] and _side(row) == event.direction for row in shown[-3:-1])
    return True


@dataclass(frozen=True, slots=True)
class MonthlySignals:
    """The signals of the last complete month of a release; the contents of ``reports/signals.json``.

    Attributes:
        month: the month, ``2021-03``; ``None`` if none is complete.
        build_id: the build that was released.
        is_changed: whether an earlier file of the same place says something else, or there was none.
        signals: its signals, the new ones first.
    """

    month: str | None
    build_id: str
    is_changed: bool
    signals: tuple[Alert, ...]

    def in_words(self) -> list[str]:
        """The last lines of a refresh: how many signals there are, and the new ones."""
        if self.month is None:
            return ["  signals: no month of the service is complete"]
        new = [alert for alert in self.signals if alert.is_new]
        return [
            f"  signals of {self.month}: {len(new)} new, {len(self.signals)} in all",
            *(f"    {alert.words}" for alert in new),
        ]


def signals_of_release(folder: Path, earlier: Path) -> MonthlySignals:
    """Return the signals of a release's last complete month, beside what an earlier file said.

    Raises :class:`~rapport.release.folder.NoRelease` if the folder holds none.
    """
    from rapport.release.folder import open_release  # slow to load: only once there is a release

    release = open_release(folder)
    tables = release.records()
    [loaded] = [row["last_loaded_at"] for row in tables["source_summary"] if row["table_name"] == "sessions"]
    rows = tables["service_signals"]
    month = last_complete_month(rows, loaded) if isinstance(loaded, datetime) else None
    found = sorted(alerts(rows, month), key=lambda alert: not alert.is_new) if month is not None else []
    name = None if month is None else f"{month:%Y-%m}"
    told = {"month": name, "signals": [asdict(alert) for alert in found]}
    try:
        before = json.loads(earlier.read_text(encoding="utf-8"))
        is_changed = {key: before[key] for key in told} != json.loads(json.dumps(told))
    except (OSError, ValueError, KeyError, TypeError):
        is_changed = True
    return MonthlySignals(name, release.build_id, is_changed, tuple(found))


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
