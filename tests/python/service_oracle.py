"""Another way to the service's months and signals: rows in Python, and the rules as they are said, by brute force.

Shares no code with the project but the layout of the export.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import duckdb
import pandas as pd

KEYS = ["month", "provider_type", "measure"]
RATES = ("no_show_rate", "cancellation_rate", "response_rate", "alliance_mean", "top_box_rate")
OUTCOMES = ("mean_change", "recovery_rate", "improvement_rate")
Key = tuple[dt.date, str, str]


def current(raw: Path, table: str, key: str) -> list[dict[str, object]]:
    """The rows of a table, of each key the one that was loaded last."""
    with duckdb.connect() as connection:
        rows = connection.execute(f"from read_parquet('{raw}/{table}/*.parquet')").df()
    latest: dict[object, dict[str, object]] = {}
    for row in rows.astype(object).where(rows.notna(), None).to_dict("records"):
        if row[key] not in latest or row["loaded_at"] >= latest[row[key]]["loaded_at"]:  # type: ignore[operator]
            latest[row[key]] = row  # type: ignore[assignment]
    return list(latest.values())


def first_day(moment: object) -> dt.date:
    return pd.Timestamp(moment).to_pydatetime().date().replace(day=1)  # type: ignore[arg-type]


def months_between(first: dt.date, last: dt.date) -> list[dt.date]:
    found = [first]
    while found[-1] < last:
        found.append((found[-1] + dt.timedelta(days=31)).replace(day=1))
    return found


def monthly(
    raw: Path, cohort: pd.DataFrame, window: tuple[str, str] = ("2020-09-29", "2021-10-12")
) -> dict[Key, tuple[int, int | None]]:
    """Numerator and denominator of every row. ``cohort``: the rows of ``analysis_cohort``."""
    sessions = current(raw, "sessions", "session_id")
    numerators: dict[Key, int] = defaultdict(int)
    denominators: dict[Key, int] = defaultdict(int)

    def add(month: dt.date, kind: object, measure: str, above: int, below: int) -> None:
        for one in (str(kind), "all"):
            numerators[month, one, measure] += above
            denominators[month, one, measure] += below

    answered: dict[object, list[tuple[object, object]]] = defaultdict(list)
    for rating in current(raw, "alliance_ratings", "rating_id"):
        if rating["bond_item"] is not None or rating["goals_item"] is not None:
            answered[rating["session_id"]].append((rating["bond_item"], rating["goals_item"]))
    firsts: dict[tuple[object, str], object] = {}
    for row in sessions:
        month, kind, status = first_day(row["started_at"]), row["provider_type"], row["status"]
        add(month, kind, "cancellation_rate", status == "cancelled", 1)
        if status == "cancelled":
            continue
        add(month, kind, "no_show_rate", status == "no_show", 1)
        if status == "no_show":
            continue
        add(month, kind, "sessions", 1, 0)
        add(month, kind, "response_rate", row["session_id"] in answered, 1)
        for pair in answered[row["session_id"]]:
            for item in pair:
                if item is not None:
                    add(month, kind, "alliance_mean", int(item), 1)  # type: ignore[call-overload]
            if None not in pair:
                add(month, kind, "top_box_rate", pair == (5, 5), 1)
        for one in (str(kind), "all"):
            key = (row["participant_id"], one)
            if key not in firsts or row["started_at"] < firsts[key]:  # type: ignore[operator]
                firsts[key] = row["started_at"]
    for (_, kind), moment in firsts.items():
        numerators[first_day(moment), kind, "new_participants"] += 1

    by_person: dict[object, list[dict[str, object]]] = defaultdict(list)
    for assessment in current(raw, "who5_assessments", "assessment_id"):
        by_person[assessment["participant_id"]].append(assessment)
    begin, end = (dt.date.fromisoformat(one) for one in window)
    last: dict[object, pd.Timestamp] = {}
    for row in sessions:
        at = pd.Timestamp(row["started_at"])  # type: ignore[arg-type]
        if row["status"] == "completed" and begin <= at.date() <= end:
            last[row["participant_id"]] = max(at, last.get(row["participant_id"], at))
    for person in cohort.to_dict("records"):
        if person["screened_positive"]:
            after = [
                moment
                for one in by_person[person["participant_id"]]
                if all(one[f"item_{i}"] is not None for i in range(1, 6))
                and (moment := pd.Timestamp(one["completed_at"])) > last[person["participant_id"]]  # type: ignore[arg-type]
                and moment.date() <= end
            ]
            month = first_day(max(after))
            for measure, amount in zip(
                OUTCOMES,
                (person["who5_change"], person["clinical_recovery"], person["clinical_improvement"]),
                strict=True,
            ):
                numerators[month, "all", measure] += int(amount)
                denominators[month, "all", measure] += 1

    every = [first_day(row["started_at"]) for row in sessions]
    expected: dict[Key, tuple[int, int | None]] = {}
    for month in months_between(min(every), max(every)):
        for kind in ("therapist", "coach", "all"):
            for measure in ("sessions", "new_participants", *RATES, *(OUTCOMES if kind == "all" else ())):
                below = None if measure in ("sessions", "new_participants") else denominators[month, kind, measure]
                expected[month, kind, measure] = numerators[month, kind, measure], below
    return expected


def people(raw: Path) -> dict[Key, int]:
    """How many people each row about sessions and ratings is about."""
    found: dict[Key, set[object]] = defaultdict(set)
    by_session: dict[object, list[dict[str, object]]] = defaultdict(list)
    for rating in current(raw, "alliance_ratings", "rating_id"):
        by_session[rating["session_id"]].append(rating)
    for row in current(raw, "sessions", "session_id"):
        measures = {"cancellation_rate"}
        if row["status"] != "cancelled":
            measures.add("no_show_rate")
        if row["status"] == "completed":
            measures |= {"sessions", "response_rate"}
            for rating in by_session[row["session_id"]]:
                answered = sum(rating[item] is not None for item in ("bond_item", "goals_item"))
                measures |= {"alliance_mean"} if answered else set()
                measures |= {"top_box_rate"} if answered == 2 else set()
        for kind in (str(row["provider_type"]), "all"):
            for measure in measures:
                found[first_day(row["started_at"]), kind, measure].add(row["participant_id"])
    return {key: len(members) for key, members in found.items()}


def value(above: int, below: int | None) -> Fraction | None:
    if below is None:
        return Fraction(above)
    return Fraction(above, below) if below else None


def chart(values: list[Fraction | None], min_points: int = 12) -> list[dict[str, object]]:
    """Limits and flags of a series, one item per month: every run and window that a rule speaks of is looked at."""
    shown = [one for one in values if one is not None]
    n = len(shown)
    mean = lower = upper = None
    if n >= min_points:
        mean = sum(shown) / Fraction(n)
        ranges = [abs(shown[i] - shown[i - 1]) for i in range(1, n)]
        reach = Fraction("2.66") * sum(ranges) / len(ranges)
        lower, upper = mean - reach, mean + reach

    def runs(length: int) -> list[range]:
        return [range(start, start + length) for start in range(n - length + 1)]

    def one_sided(run: range) -> bool:
        return mean is not None and (all(shown[i] > mean for i in run) or all(shown[i] < mean for i in run))

    def monotone(run: range) -> bool:
        steps = [shown[i + 1] - shown[i] for i in run[:-1]]
        return all(step > 0 for step in steps) or all(step < 0 for step in steps)

    def near(i: int, side: int) -> bool:
        return mean is not None and upper is not None and side * (shown[i] - mean) > Fraction(2, 3) * (upper - mean)

    flags = [
        {
            "outside_limits": mean is not None and not lower <= shown[i] <= upper,  # type: ignore[operator]
            "shift": any(i in run and one_sided(run) for run in runs(7)),
            "trend": any(i in run and monotone(run) for run in runs(7)),
            "near_limit": any(
                i in window and near(i, side) and sum(near(j, side) for j in window) >= 2
                for window in runs(3)
                for side in (1, -1)
            ),
        }
        for i in range(n)
    ]
    rows: list[dict[str, object]] = []
    at = 0
    for one in values:
        row: dict[str, object] = {"value": one, "mean": mean, "lower_limit": lower, "upper_limit": upper}
        row |= dict.fromkeys(("outside_limits", "shift", "trend", "near_limit"), False) if one is None else flags[at]
        at += one is not None
        rows.append(row)
    return rows


def signals(rows: dict[Key, tuple[int, int | None]], min_points: int = 12) -> dict[Key, dict[str, object]]:
    """Every row of ``service_signals``."""
    found: dict[Key, dict[str, object]] = {}
    for kind, measure in sorted({key[1:] for key in rows}):
        keys = sorted(key for key in rows if key[1:] == (kind, measure))
        found |= zip(keys, chart([value(*rows[key]) for key in keys], min_points), strict=True)
    return found
