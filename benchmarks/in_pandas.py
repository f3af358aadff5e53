"""The study in pandas: ``python -m benchmarks.in_pandas --raw FOLDER --out FILE.json``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from benchmarks.analyses import Findings, findings, plain

START, END = pd.Timestamp("2020-09-29"), pd.Timestamp("2021-10-13")


def read_latest(raw: Path, table: str, key: str, columns: list[str]) -> pd.DataFrame:
    """Return of every key the row with the latest ``loaded_at``."""
    rows = pd.read_parquet(raw / table, columns=[key, *columns, "loaded_at"])
    return rows.sort_values("loaded_at").drop_duplicates(key, keep="last").drop(columns="loaded_at")


def study(raw: Path) -> Findings:
    """Return the study's findings on an export of Parquet files."""
    participants = read_latest(
        raw,
        "participants",
        "participant_id",
        ["registered_at", "age_years", "sex", "country_code", "employer_sponsored"],
    )
    participants = participants[
        (participants["age_years"] >= 18) & participants["employer_sponsored"] & participants["registered_at"].notna()
    ]

    sessions = read_latest(raw, "sessions", "session_id", ["participant_id", "provider_type", "started_at", "status"])
    sessions = sessions[
        (sessions["status"] == "completed") & (sessions["started_at"] >= START) & (sessions["started_at"] < END)
    ]
    sessions = sessions.assign(by_therapist=sessions["provider_type"] == "therapist")
    care = sessions.groupby("participant_id").agg(
        first_session_at=("started_at", "min"),
        last_session_at=("started_at", "max"),
        total_sessions=("session_id", "size"),
        therapist_share=("by_therapist", "mean"),
    )
    care["utilization_type"] = "both"
    care.loc[care["therapist_share"] == 1, "utilization_type"] = "teletherapy"
    care.loc[care["therapist_share"] == 0, "utilization_type"] = "telecoaching"
    care["time_in_care_days"] = (
        care["last_session_at"].dt.normalize() - care["first_session_at"].dt.normalize()
    ).dt.days
    cohort = participants.merge(care, left_on="participant_id", right_index=True)

    items = [f"item_{number}" for number in range(1, 6)]
    scores = read_latest(raw, "who5_assessments", "assessment_id", ["participant_id", "completed_at", *items])
    scores["who5_score"] = 4 * scores[items].sum(axis=1, skipna=False)
    scores = scores.dropna(subset="who5_score").drop(columns=items)
    scores = scores.merge(cohort[["participant_id", "first_session_at", "last_session_at"]], on="participant_id")
    scores = scores.sort_values(["completed_at", "assessment_id"], ascending=[False, True])

    before = scores[scores["completed_at"] < scores["first_session_at"]].drop_duplicates("participant_id")
    baselines = before[["participant_id", "completed_at", "who5_score"]].rename(
        columns={"completed_at": "baseline_at", "who5_score": "baseline_score"}
    )
    after = scores[(scores["completed_at"] > scores["last_session_at"]) & (scores["completed_at"] < END)]
    after = after.merge(baselines, on="participant_id")
    days = (after["completed_at"].dt.normalize() - after["baseline_at"].dt.normalize()).dt.days
    followups = after[days >= 7].drop_duplicates("participant_id").rename(columns={"who5_score": "followup_score"})
    cohort = cohort.merge(followups[["participant_id", "baseline_score", "followup_score"]], on="participant_id")

    ratings = read_latest(raw, "alliance_ratings", "rating_id", ["session_id", "bond_item", "goals_item"])
    ratings = ratings.dropna(subset=["bond_item", "goals_item"], how="all")
    ratings = ratings.merge(sessions[["session_id", "participant_id"]], on="session_id")
    alliance = ratings.groupby("participant_id").agg(
        bond_sum=("bond_item", "sum"),
        goals_sum=("goals_item", "sum"),
        bond_count=("bond_item", "count"),
        goals_count=("goals_item", "count"),
    )
    alliance["alliance_score"] = (alliance["bond_sum"] + alliance["goals_sum"]) / (
        alliance["bond_count"] + alliance["goals_count"]
    )
    alliance["bond_mean"] = alliance["bond_sum"] / alliance["bond_count"]
    alliance["goals_mean"] = alliance["goals_sum"] / alliance["goals_count"]
    cohort = cohort.merge(alliance, left_on="participant_id", right_index=True)
    ratings = ratings[ratings["participant_id"].isin(cohort["participant_id"])]

    cohort["within_usa"] = (cohort["country_code"] == "US").astype(float).where(cohort["country_code"].notna())
    cohort["who5_change"] = cohort["followup_score"] - cohort["baseline_score"]
    cohort["screened_positive"] = cohort["baseline_score"] <= 28
    cohort["clinical_recovery"] = cohort["screened_positive"] & (cohort["followup_score"] > 28)
    cohort["clinical_improvement"] = cohort["who5_change"] >= 10
    return findings(cohort, ratings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(json.dumps(plain(study(options.raw)), indent=1), encoding="utf-8")
