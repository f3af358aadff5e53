"""The study in polars: ``python -m benchmarks.in_polars --raw FOLDER --out FILE.json [--engine streaming]``."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, get_args

import polars as pl

from benchmarks.analyses import Findings, findings, plain

Engine = Literal["in-memory", "streaming"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
START, END = datetime(2020, 9, 29), datetime(2021, 10, 13)


def scan_latest(raw: Path, table: str, key: str, columns: list[str]) -> pl.LazyFrame:
    """Return of every key the row with the latest ``loaded_at``."""
    rows = pl.scan_parquet(raw / table / "*.parquet").select(key, *columns, "loaded_at")
    return rows.sort("loaded_at").unique(key, keep="last", maintain_order=False).drop("loaded_at")


def study(raw: Path, engine: Engine = "in-memory") -> Findings:
    """Return the study's findings on an export of Parquet files."""
    participants = scan_latest(
        raw,
        "participants",
        "participant_id",
        ["registered_at", "age_years", "sex", "country_code", "employer_sponsored"],
    ).filter(pl.col("age_years") >= 18, pl.col("employer_sponsored"), pl.col("registered_at").is_not_null())

    sessions = scan_latest(
        raw, "sessions", "session_id", ["participant_id", "provider_type", "started_at", "status"]
    ).filter(pl.col("status") == "completed", pl.col("started_at") >= START, pl.col("started_at") < END)
    by_therapist = pl.col("provider_type") == "therapist"
    care = (
        sessions.group_by("participant_id")
        .agg(
            first_session_at=pl.col("started_at").min(),
            last_session_at=pl.col("started_at").max(),
            total_sessions=pl.len(),
            utilization_type=pl.when(by_therapist.all())
            .then(pl.lit("teletherapy"))
            .when(~by_therapist.any())
            .then(pl.lit("telecoaching"))
            .otherwise(pl.lit("both")),
        )
        .with_columns(
            time_in_care_days=(
                pl.col("last_session_at").dt.date() - pl.col("first_session_at").dt.date()
            ).dt.total_days()
        )
    )
    in_care = participants.join(care, on="participant_id")

    scores = (
        scan_latest(
            raw,
            "who5_assessments",
            "assessment_id",
            ["participant_id", "completed_at", *(f"item_{number}" for number in range(1, 6))],
        )
        .select(
            "assessment_id",
            "participant_id",
            "completed_at",
            who5_score=4 * pl.sum_horizontal(pl.col("^item_.*$"), ignore_nulls=False),
        )
        .drop_nulls("who5_score")
        .join(in_care.select("participant_id", "first_session_at", "last_session_at"), on="participant_id")
        .sort(["completed_at", "assessment_id"], descending=[True, False])
    )
    baselines = (
        scores.filter(pl.col("completed_at") < pl.col("first_session_at"))
        .unique("participant_id", keep="first")
        .select("participant_id", baseline_at="completed_at", baseline_score="who5_score")
    )
    days = (pl.col("completed_at").dt.date() - pl.col("baseline_at").dt.date()).dt.total_days()
    followups = (
        scores.filter(pl.col("completed_at") > pl.col("last_session_at"), pl.col("completed_at") < END)
        .join(baselines, on="participant_id", maintain_order="left")
        .filter(days >= 7)
        .unique("participant_id", keep="first")
        .select("participant_id", "baseline_score", followup_score="who5_score")
    )

    ratings = (
        scan_latest(raw, "alliance_ratings", "rating_id", ["session_id", "bond_item", "goals_item"])
        .filter(pl.col("bond_item").is_not_null() | pl.col("goals_item").is_not_null())
        .join(sessions.select("session_id", "participant_id"), on="session_id")
    )
    bond, goals = pl.col("bond_item"), pl.col("goals_item")
    alliance = ratings.group_by("participant_id").agg(
        alliance_score=(bond.sum() + goals.sum()) / (bond.count() + goals.count()),
        bond_mean=bond.sum() / pl.when(bond.count() > 0).then(bond.count()),
        goals_mean=goals.sum() / pl.when(goals.count() > 0).then(goals.count()),
    )
    change = pl.col("followup_score") - pl.col("baseline_score")
    cohort = (
        in_care.join(followups, on="participant_id")
        .join(alliance, on="participant_id")
        .select(
            "participant_id",
            "age_years",
            "sex",
            "utilization_type",
            "total_sessions",
            "time_in_care_days",
            "baseline_score",
            "followup_score",
            "alliance_score",
            "bond_mean",
            "goals_mean",
            within_usa=(pl.col("country_code") == "US").cast(pl.Float64),
            who5_change=change,
            screened_positive=pl.col("baseline_score") <= 28,
            clinical_recovery=(pl.col("baseline_score") <= 28) & (pl.col("followup_score") > 28),
            clinical_improvement=change >= 10,
        )
    )
    of_cohort = ratings.join(cohort, on="participant_id", how="semi").select(
        bond.cast(pl.Float64), goals.cast(pl.Float64)
    )
    cohort_frame, rating_frame = pl.collect_all([cohort, of_cohort], engine=engine)
    return findings(cohort_frame.drop("participant_id").to_pandas(), rating_frame.to_pandas())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    options = parser.parse_args()
    options.out.write_text(json.dumps(plain(study(options.raw, options.engine)), indent=1), encoding="utf-8")
