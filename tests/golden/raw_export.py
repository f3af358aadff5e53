"""Turn a cohort into a raw export from which the definitions give back that cohort.

``python tests/golden/raw_export.py COHORT FOLDER [parquet|csv]``
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

import pandas as pd

STUDY_START = date(2020, 9, 29)
STUDY_END = date(2021, 10, 12)
WINDOW_DAYS = (STUDY_END - STUDY_START).days

REGISTERED_AT = time(5, 0)
BASELINE_AT = time(6, 0)
FIRST_SESSION_AT = time(8, 0)
BETWEEN_SESSIONS = timedelta(minutes=15)
RATING_DELAY = timedelta(minutes=5)
FOLLOW_UP_AT = time(22, 0)
LOADED_AT = datetime(2021, 11, 1, 3, 0)

Format = Literal["parquet", "csv"]
Row = dict[str, object]
Rating = tuple[int, float, float]

TIMESTAMPS = ("registered_at", "completed_at", "started_at", "submitted_at", "loaded_at")
INTEGERS = (
    "age_years",
    "duration_minutes",
    "bond_item",
    "goals_item",
    *(f"item_{i}" for i in range(1, 6)),
)


def write_raw_export(cohort_dir: Path, folder: Path, format: Format = "parquet") -> None:
    """Write the four raw tables of a cohort, one part file each.

    Args:
        cohort_dir: folder with ``participant.csv``, ``ratings.csv`` and ``sessions.csv``.
        folder: where the sub-folders of the tables are made.
        format: ``parquet`` or ``csv``.

    Raises:
        ValueError: the format is unknown, or a participant cannot be realized.
    """
    if format not in ("parquet", "csv"):
        raise ValueError(f"format must be parquet or csv, got {format}")
    for table, frame in raw_tables(cohort_dir).items():
        target = folder / table
        target.mkdir(parents=True, exist_ok=True)
        if format == "parquet":
            frame.to_parquet(target / "part-0.parquet", index=False)
        else:
            frame.to_csv(
                target / "part-0.csv",
                index=False,
                date_format="%Y-%m-%d %H:%M:%S",
                lineterminator="\n",
            )


def raw_tables(cohort_dir: Path) -> dict[str, pd.DataFrame]:
    """Return the four raw tables of a cohort, by name."""
    text = {"participant_id": str, "sex": object, "country_code": object}
    participants = pd.read_csv(cohort_dir / "participant.csv", dtype=text)
    ratings = pd.read_csv(cohort_dir / "ratings.csv", dtype={"participant_id": str})
    sessions = pd.read_csv(cohort_dir / "sessions.csv", dtype=object).fillna({"provider_id": ""})
    ratings_of: dict[str, list[Rating]] = {
        str(participant): list(zip(group["session"], group["bond_item"], group["goals_item"], strict=True))
        for participant, group in ratings.groupby("participant_id")
    }
    providers_of = {
        str(participant): list(zip(group["provider_id"], group["provider_type"], strict=True))
        for participant, group in sessions.groupby("participant_id")
    }
    tables: dict[str, list[Row]] = {
        "participants": [],
        "who5_assessments": [],
        "sessions": [],
        "alliance_ratings": [],
    }
    for index, row in enumerate(participants.itertuples(index=False)):
        key = str(row.participant_id)
        _add_participant(tables, index, row, ratings_of.get(key, []), providers_of[key])
    return {name: _frame(rows) for name, rows in tables.items()}


def _add_participant(
    tables: dict[str, list[Row]],
    index: int,
    row: object,
    ratings: list[Rating],
    providers: list[tuple[str, str]],
) -> None:
    participant_id: str = row.participant_id
    total: int = row.total_sessions
    span: int = row.time_in_care_days
    follow_up: int = row.follow_up_days
    if (
        any(not 1 <= session <= total for session, _, _ in ratings)
        or len(providers) != total
        or (total == 1 and span)
        or (row.utilization_type == "both" and total < 2)
    ):
        raise ValueError(f"{participant_id}: impossible number of sessions {total}")
    if not max(7, span) <= follow_up or span > WINDOW_DAYS:
        raise ValueError(f"{participant_id}: impossible follow-up period {follow_up}")

    first_day = STUDY_START + timedelta(days=(index * 37) % (WINDOW_DAYS - span + 1))
    last_day = first_day + timedelta(days=span)
    # Follow-up late enough for a baseline no later than the first session, within the study.
    after = min(follow_up - span, (STUDY_END - last_day).days) // 2
    follow_up_day = last_day + timedelta(days=after)
    baseline_day = follow_up_day - timedelta(days=follow_up)

    tables["participants"].append(
        {
            "participant_id": participant_id,
            "registered_at": datetime.combine(baseline_day, REGISTERED_AT),
            "age_years": row.age_years,
            "sex": row.sex,
            "country_code": row.country_code,
            "employer_sponsored": True,
        }
    )
    for moment, day, at, score in (
        ("baseline", baseline_day, BASELINE_AT, row.baseline_score),
        ("followup", follow_up_day, FOLLOW_UP_AT, row.followup_score),
    ):
        tables["who5_assessments"].append(
            {
                "assessment_id": f"{participant_id}-{moment}",
                "participant_id": participant_id,
                "completed_at": datetime.combine(day, at),
                **_items(participant_id, score),
            }
        )
    for i, (started_at, (provider_id, provider_type)) in enumerate(
        zip(_session_times(first_day, span, total), providers, strict=True)
    ):
        session_id = f"{participant_id}-S{i + 1:02d}"
        tables["sessions"].append(
            {
                "session_id": session_id,
                "participant_id": participant_id,
                "provider_id": provider_id or None,
                "provider_type": provider_type,
                "started_at": started_at,
                "status": "completed",
                "duration_minutes": 50 if provider_type == "therapist" else 30,
            }
        )
        for number, (bond, goals) in enumerate((b, g) for session, b, g in ratings if session == i + 1):
            tables["alliance_ratings"].append(
                {
                    "rating_id": f"{session_id}-R{number}" if number else f"{session_id}-R",
                    "session_id": session_id,
                    "submitted_at": started_at + RATING_DELAY,
                    "bond_item": bond,
                    "goals_item": goals,
                }
            )


def _items(participant_id: str, score: int) -> dict[str, int]:
    """Spread a WHO-5 score over its five items."""
    total, rest = divmod(score, 4)
    if rest or not 0 <= total <= 25:
        raise ValueError(f"{participant_id}: {score} is not a WHO-5 score")
    each, more = divmod(total, 5)
    return {f"item_{i}": each + (i <= more) for i in range(1, 6)}


def _session_times(first_day: date, span: int, total: int) -> Iterable[datetime]:
    """Spread sessions evenly from the first to the last day, in ascending order."""
    for i in range(total):
        day = first_day + timedelta(days=span * i // (total - 1) if total > 1 else 0)
        yield datetime.combine(day, FIRST_SESSION_AT) + i * BETWEEN_SESSIONS


def _frame(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).assign(loaded_at=LOADED_AT)
    for column in frame.columns:
        if column in TIMESTAMPS:
            frame[column] = frame[column].astype("datetime64[us]")
        elif column in INTEGERS:
            frame[column] = frame[column].astype("Int32")
        elif column != "employer_sponsored":
            frame[column] = frame[column].astype(pd.StringDtype())
    return frame


if __name__ == "__main__":
    write_raw_export(
        Path(__file__).parent / sys.argv[1],
        Path(sys.argv[2]),
        *sys.argv[3:4],  # type: ignore[arg-type]
    )
