"""The raw exports of the golden cohorts give back those cohorts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sufficient_statistics import GOLDEN, cohorts, raw_export

NAMES = list(cohorts.COHORTS)


@pytest.fixture(scope="module", params=NAMES)
def case(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    participants, ratings = cohorts.read(request.param)
    return participants, ratings, raw_export.raw_tables(GOLDEN / request.param)


def test_sessions_give_back_the_cohort(case: tuple) -> None:
    participants, _, tables = case
    sessions = tables["sessions"].assign(day=lambda frame: frame["started_at"].dt.normalize())
    by_participant = sessions.groupby("participant_id")
    expected = participants.set_index("participant_id").sort_index()
    total = by_participant.size()
    span = (by_participant["day"].max() - by_participant["day"].min()).dt.days
    kinds = by_participant["provider_type"].agg(lambda kinds: "+".join(sorted(set(kinds))))
    types = kinds.map({"therapist": "teletherapy", "coach": "telecoaching", "coach+therapist": "both"})
    assert total.to_list() == expected["total_sessions"].to_list()
    assert span.to_list() == expected["time_in_care_days"].to_list()
    assert types.to_list() == expected["utilization_type"].to_list()
    assert sessions["day"].min() >= pd.Timestamp(raw_export.STUDY_START)
    assert sessions["day"].max() <= pd.Timestamp(raw_export.STUDY_END)
    assert sessions["session_id"].is_unique
    assert (by_participant["started_at"].nunique() == total).all()


def test_assessments_give_back_the_cohort(case: tuple) -> None:
    participants, _, tables = case
    assessments = tables["who5_assessments"]
    items = assessments[[f"item_{i}" for i in range(1, 6)]]
    assert items.isin(range(6)).all(axis=None)
    assessments = assessments.assign(score=4 * items.sum(axis=1))
    started = tables["sessions"].groupby("participant_id")["started_at"].agg(["min", "max"])
    expected = participants.set_index("participant_id")
    dated = assessments.join(started, on="participant_id")
    before = dated[dated["completed_at"] < dated["min"]].set_index("participant_id")
    after = dated[dated["completed_at"] > dated["max"]].set_index("participant_id")
    assert len(before) == len(after) == len(participants)
    before, after = before.loc[expected.index], after.loc[expected.index]
    period = (after["completed_at"].dt.normalize() - before["completed_at"].dt.normalize()).dt.days
    assert before["score"].to_list() == expected["baseline_score"].to_list()
    assert after["score"].to_list() == expected["followup_score"].to_list()
    assert period.to_list() == expected["follow_up_days"].to_list()
    assert period.min() >= 7
    assert after["completed_at"].max() < pd.Timestamp(raw_export.STUDY_END) + pd.Timedelta(days=1)


def test_ratings_give_back_the_cohort(case: tuple) -> None:
    _, ratings, tables = case
    sessions = tables["sessions"].set_index("session_id")
    rated = tables["alliance_ratings"].join(sessions[["participant_id", "started_at"]], on="session_id")
    assert rated["participant_id"].notna().all()
    assert (rated["submitted_at"] > rated["started_at"]).all()
    columns = ["participant_id", "bond_item", "goals_item"]
    types = {"participant_id": object, "bond_item": "Int64", "goals_item": "Int64"}
    ours, expected = (frame[columns].astype(types).reset_index(drop=True) for frame in (rated, ratings))
    pd.testing.assert_frame_equal(ours, expected)
    assert expected[["bond_item", "goals_item"]].notna().any(axis=1).all()


def test_everyone_who_rated_is_eligible(case: tuple) -> None:
    participants, ratings, tables = case
    raw = tables["participants"]
    assert raw["registered_at"].notna().all()
    assert raw["employer_sponsored"].all()
    assert raw["age_years"].min() >= 18
    assert set(ratings["participant_id"]) <= set(participants["participant_id"])


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_both_formats_hold_the_same(format: raw_export.Format, tmp_path: Path) -> None:
    raw_export.write_raw_export(GOLDEN / "small", tmp_path, format)
    read = pd.read_parquet if format == "parquet" else pd.read_csv
    for table, frame in raw_export.raw_tables(GOLDEN / "small").items():
        (part,) = (tmp_path / table).iterdir()
        written = read(part)
        assert list(written.columns) == list(frame.columns)
        assert len(written) == len(frame)
        assert written["loaded_at"].astype(str).iloc[0].startswith("2021-11-01 03:00:00")


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="parquet or csv"):
        raw_export.write_raw_export(GOLDEN / "small", tmp_path, "xml")
