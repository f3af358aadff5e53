"""Synthetic cohorts for the comparison with R: ``python tests/golden/cohorts.py`` writes them.

Each cohort is a table of participants and a table of their alliance ratings, small enough to
read, and realizable as a raw export (see ``raw_export.py``). Every generator is seeded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

GOLDEN = Path(__file__).parent

LONGEST_TIME_IN_CARE = 340
LONGEST_FOLLOW_UP = 741
MOST_SESSIONS = 41
CUTOFF = 28

Cohort = tuple[pd.DataFrame, pd.DataFrame]
Generator = np.random.Generator


def _participants(
    rng: Generator,
    n: int,
    utilization: dict[str, float] | dict[str, int],
    *,
    positive: float = 0.27,
    sex_missing: float = 0.18,
) -> pd.DataFrame:
    """Draw participants; ``utilization`` holds probabilities or exact numbers."""
    names = list(utilization)
    shares = np.array(list(utilization.values()), dtype=float)
    if shares.sum() == n:
        types = rng.permutation(np.repeat(names, shares.astype(int)))
    else:
        types = rng.choice(names, size=n, p=shares / shares.sum())
    mean_sessions = pd.Series(types).map({"teletherapy": 4, "telecoaching": 2.2, "both": 7})
    sessions = 1 + rng.poisson(mean_sessions - 1)
    sessions = np.where(types == "both", np.maximum(sessions, 2), sessions)
    sessions = np.minimum(sessions, MOST_SESSIONS)
    time_in_care = np.minimum(np.rint(rng.gamma(1.2, 14.0, n) * (sessions - 1)), LONGEST_TIME_IN_CARE).astype(int)
    follow_up = np.minimum(np.maximum(7, time_in_care) + np.rint(rng.exponential(80.0, n)), LONGEST_FOLLOW_UP).astype(
        int
    )
    is_positive = rng.random(n) < positive
    baseline = np.where(is_positive, 4 * rng.integers(1, 8, n), 4 * rng.integers(8, 22, n))
    change = np.rint(rng.normal(np.where(is_positive, 15, 2), 17) / 4) * 4
    followup = np.clip(baseline + change, 0, 100).astype(int)
    return pd.DataFrame(
        {
            "participant_id": [f"P{i:05d}" for i in range(1, n + 1)],
            "age_years": np.clip(np.rint(rng.normal(35.5, 8.7, n)), 18, 73).astype(int),
            "sex": np.where(
                rng.random(n) < sex_missing,
                None,
                np.where(rng.random(n) < 0.66, "female", "male"),
            ),
            "country_code": rng.choice(["US", "GB", "DE", "IN", None], size=n, p=[0.76, 0.1, 0.07, 0.06, 0.01]),
            "utilization_type": types,
            "total_sessions": sessions,
            "time_in_care_days": time_in_care,
            "baseline_score": baseline,
            "followup_score": followup,
            "follow_up_days": follow_up,
        }
    )


def _rating_rows(participant_id: str, items: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant_id": participant_id,
            "bond_item": items[:, 0],
            "goals_item": items[:, 1],
        }
    )


def _ratings(
    rng: Generator,
    participants: pd.DataFrame,
    *,
    skipped: float = 0.06,
    response: float = 0.6,
) -> pd.DataFrame:
    """Draw ratings of some sessions, at least one each, with at least one answered item."""
    improvement = (participants["followup_score"] - participants["baseline_score"]) / 100
    frames = []
    for participant_id, sessions, gain in zip(
        participants["participant_id"], participants["total_sessions"], improvement, strict=True
    ):
        rated = max(1, int(rng.binomial(sessions, response)))
        level = rng.normal(4.6 + 0.4 * gain, 0.6)
        items = np.clip(np.rint(level + rng.normal(0, 0.6, (rated, 2))), 1, 5)
        skip = rng.random((rated, 2)) < skipped
        skip[skip.all(axis=1), 0] = False
        items[skip] = np.nan
        frames.append(_rating_rows(participant_id, items))
    return pd.concat(frames, ignore_index=True)


def large(rng: Generator) -> Cohort:
    shares = {"teletherapy": 0.18, "telecoaching": 0.65, "both": 0.17}
    participants = _participants(rng, 2500, shares)
    return participants, _ratings(rng, participants)


def small(rng: Generator) -> Cohort:
    participants = _participants(
        rng, 24, {"teletherapy": 8, "telecoaching": 10, "both": 6}, positive=0.8, sex_missing=0.05
    )
    return participants, _ratings(rng, participants)


def tied(rng: Generator) -> Cohort:
    """Three scores, four ages: nearly everything is tied."""
    participants = _participants(rng, 300, {"teletherapy": 100, "telecoaching": 150, "both": 50})
    participants["age_years"] = rng.choice([25, 30, 35, 40], 300)
    items = rng.choice([4.0, 5.0], size=(300, 2))
    ratings = pd.DataFrame(
        {
            "participant_id": participants["participant_id"],
            "bond_item": items[:, 0],
            "goals_item": items[:, 1],
        }
    )
    return participants, ratings


def untied(rng: Generator) -> Cohort:
    """No two participants share an alliance score."""
    participants = _participants(rng, 60, {"teletherapy": 20, "telecoaching": 25, "both": 15}, positive=0.6)
    participants["total_sessions"] = MOST_SESSIONS
    participants["time_in_care_days"] = rng.integers(60, LONGEST_TIME_IN_CARE, 60)
    participants["follow_up_days"] = participants["time_in_care_days"] + rng.integers(0, 90, 60)
    frames, seen = [], set()
    for participant_id in participants["participant_id"]:
        while True:
            rated = int(rng.integers(15, MOST_SESSIONS + 1))
            items = np.clip(np.rint(rng.normal(rng.uniform(3, 5), 0.7, (rated, 2))), 1, 5)
            score = items.sum() / items.size
            if score not in seen:
                break
        seen.add(score)
        frames.append(_rating_rows(participant_id, items))
    return participants, pd.concat(frames, ignore_index=True)


def unbalanced(rng: Generator) -> Cohort:
    participants = _participants(rng, 400, {"teletherapy": 15, "telecoaching": 379, "both": 6}, positive=0.5)
    return participants, _ratings(rng, participants)


def single_member(rng: Generator) -> Cohort:
    """One participant saw both kinds of provider, and takes part in every analysis."""
    participants = _participants(rng, 80, {"teletherapy": 30, "telecoaching": 49, "both": 1}, positive=0.6)
    both = participants["utilization_type"] == "both"
    participants.loc[both, ["baseline_score", "followup_score", "sex"]] = [20, 44, "female"]
    return participants, _ratings(rng, participants)


def empty_group(rng: Generator) -> Cohort:
    participants = _participants(rng, 90, {"teletherapy": 40, "telecoaching": 50}, positive=0.6)
    return participants, _ratings(rng, participants)


def equal_alliance(rng: Generator) -> Cohort:
    """Every answer is 4."""
    participants = _participants(rng, 50, {"teletherapy": 18, "telecoaching": 20, "both": 12}, positive=0.7)
    ratings = _ratings(rng, participants)
    for item in ("bond_item", "goals_item"):
        ratings[item] = ratings[item].where(ratings[item].isna(), 4.0)
    return participants, ratings


def none_positive(rng: Generator) -> Cohort:
    participants = _participants(rng, 40, {"teletherapy": 12, "telecoaching": 18, "both": 10}, positive=0.0)
    return participants, _ratings(rng, participants)


def sex_missing(rng: Generator) -> Cohort:
    participants = _participants(
        rng, 70, {"teletherapy": 20, "telecoaching": 35, "both": 15}, positive=0.5, sex_missing=1.0
    )
    return participants, _ratings(rng, participants)


def tiny(rng: Generator) -> Cohort:
    """Enough rows for the main regression, too few for a moderation."""
    participants = _participants(
        rng, 12, {"teletherapy": 4, "telecoaching": 5, "both": 3}, positive=1.0, sex_missing=0.0
    )
    participants.loc[8:, "baseline_score"] = [36, 48, 56, 60]
    return participants, _ratings(rng, participants)


def one_session(rng: Generator) -> Cohort:
    """Everyone had one session: no time in care, no variance in sessions, nobody in `both`."""
    participants = _participants(rng, 60, {"teletherapy": 25, "telecoaching": 35}, positive=0.6)
    participants["total_sessions"] = 1
    participants["time_in_care_days"] = 0
    return participants, _ratings(rng, participants)


def one_positive(rng: Generator) -> Cohort:
    participants = _participants(rng, 30, {"teletherapy": 10, "telecoaching": 12, "both": 8}, positive=0.0)
    participants.loc[0, ["baseline_score", "followup_score", "sex"]] = [24, 40, "female"]
    return participants, _ratings(rng, participants)


def two_positive(rng: Generator) -> Cohort:
    """Two rows correlate perfectly, so d_rm does not exist."""
    participants = _participants(rng, 30, {"teletherapy": 10, "telecoaching": 12, "both": 8}, positive=0.0)
    participants.loc[0, ["baseline_score", "followup_score", "sex"]] = [24, 40, "female"]
    participants.loc[1, ["baseline_score", "followup_score", "sex"]] = [16, 28, "male"]
    return participants, _ratings(rng, participants)


def equal_baseline(rng: Generator) -> Cohort:
    """Everyone who screened positive had the same baseline."""
    participants = _participants(rng, 45, {"teletherapy": 15, "telecoaching": 20, "both": 10}, positive=0.8)
    positive = participants["baseline_score"] <= CUTOFF
    participants.loc[positive, "baseline_score"] = 20
    return participants, _ratings(rng, participants)


def only_males(rng: Generator) -> Cohort:
    participants = _participants(rng, 50, {"teletherapy": 15, "telecoaching": 20, "both": 15}, positive=0.7)
    participants["sex"] = participants["sex"].where(participants["sex"].isna(), "male")
    return participants, _ratings(rng, participants)


def _leave_unrated(participants: pd.DataFrame, ratings: pd.DataFrame, is_rated: pd.Series[bool]) -> pd.DataFrame:
    """Return the ratings of those who are to have any."""
    return ratings[ratings["participant_id"].isin(participants.loc[is_rated, "participant_id"])].reset_index(drop=True)


def _place(rng: Generator, participants: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """Put ratings on any of the sessions; now and then two on one."""
    total = participants.set_index("participant_id")["total_sessions"]
    sessions = []
    for participant_id, rows in ratings.groupby("participant_id", sort=False):
        most = int(total[participant_id])
        drawn = rng.choice(most, size=len(rows), replace=False) + 1
        if len(rows) > 2 and rng.random() < 0.3:
            drawn[0] = drawn[1]
        sessions += sorted(drawn.tolist())
    return ratings.assign(session=sessions)


def unrated(rng: Generator) -> Cohort:
    """Many did not rate, and who rates depends on care: early, late and all alliance differ; several saw many providers."""
    participants = _participants(
        rng, 900, {"teletherapy": 250, "telecoaching": 450, "both": 200}, positive=0.6, sex_missing=0.15
    )
    ratings = _place(rng, participants, _ratings(rng, participants))
    chance = 0.35 + 0.25 * (participants["utilization_type"] == "both") + 0.03 * participants["total_sessions"]
    return participants, _leave_unrated(participants, ratings, pd.Series(rng.random(900) < chance))


def one_provider(rng: Generator) -> Cohort:
    """One provider gave every session."""
    participants = _participants(rng, 70, {"teletherapy": 70}, positive=0.7)
    return participants, _ratings(rng, participants)


def own_provider(rng: Generator) -> Cohort:
    """Everybody has a provider whom nobody else sees, or none who is named."""
    participants = _participants(rng, 80, {"teletherapy": 30, "telecoaching": 30, "both": 20}, positive=0.7)
    return participants, _ratings(rng, participants)


def steady_alliance(rng: Generator) -> Cohort:
    """Everybody answers the same all the time: the early alliance is the mean."""
    participants = _participants(rng, 80, {"teletherapy": 30, "telecoaching": 30, "both": 20}, positive=0.7)
    ratings = _ratings(rng, participants, skipped=0.0, response=0.9)
    first = ratings.groupby("participant_id")["bond_item"].transform("first")
    return participants, ratings.assign(bond_item=first, goals_item=first)


def class_without_raters(rng: Generator) -> Cohort:
    """Nobody of 55 or more rated."""
    participants = _participants(rng, 500, {"teletherapy": 150, "telecoaching": 250, "both": 100}, positive=0.7)
    ratings = _ratings(rng, participants)
    is_rated = pd.Series(rng.random(500) < 0.6) & (participants["age_years"] < 55)
    return participants, _leave_unrated(participants, ratings, is_rated)


def separated_raters(rng: Generator) -> Cohort:
    """Who had three sessions or more rated, and nobody else."""
    participants = _participants(rng, 200, {"teletherapy": 60, "telecoaching": 100, "both": 40}, positive=0.7)
    ratings = _ratings(rng, participants)
    return participants, _leave_unrated(participants, ratings, participants["total_sessions"] >= 3)


COHORTS: dict[str, Callable[[Generator], Cohort]] = {
    function.__name__: function
    for function in (
        large,
        small,
        tied,
        untied,
        unbalanced,
        single_member,
        empty_group,
        equal_alliance,
        none_positive,
        sex_missing,
        tiny,
        one_session,
        one_positive,
        two_positive,
        equal_baseline,
        only_males,
        unrated,
        one_provider,
        own_provider,
        steady_alliance,
        class_without_raters,
        separated_raters,
    )
}

KINDS = {"teletherapy": ("therapist",), "telecoaching": ("coach",), "both": ("therapist", "coach")}


def sessions(name: str, participants: pd.DataFrame) -> pd.DataFrame:
    """Return who gave each session: one row per participant and session, in the order of time."""
    rng = np.random.default_rng(zlib.crc32(f"{name} sessions".encode()))
    rows = []
    for index, (participant_id, kind, total) in enumerate(
        zip(
            participants["participant_id"],
            participants["utilization_type"],
            participants["total_sessions"],
            strict=True,
        )
    ):
        for i in range(total):
            provider_type = KINDS[kind][i % len(KINDS[kind])]
            provider: str | None = f"{provider_type}-{index % 7}"
            if name == "unrated":
                # Most sessions with one of eleven, some with another; now and then the provider is not named.
                number = index % 11 if rng.random() < 0.6 else int(rng.integers(11))
                provider = None if rng.random() < 0.1 else f"{provider_type}-{number}"
            elif name == "one_provider":
                provider = "therapist-0"
            elif name == "own_provider":
                provider = f"{provider_type}-{index}" if index % 9 else None
            rows.append((participant_id, i + 1, provider, provider_type))
    return pd.DataFrame(rows, columns=["participant_id", "session", "provider_id", "provider_type"])


def build(name: str) -> Cohort:
    """Return participants and ratings of a cohort, the same ones every time."""
    participants, ratings = COHORTS[name](np.random.default_rng(zlib.crc32(name.encode())))
    items = ["bond_item", "goals_item"]
    ratings[items] = ratings[items].astype("Int64")
    # Where nothing else is said, the first sessions are those that were rated.
    if "session" not in ratings:
        ratings["session"] = ratings.groupby("participant_id").cumcount() + 1
    return participants, ratings


def read(name: str) -> Cohort:
    """Return the committed participants and ratings of a cohort."""
    folder = GOLDEN / name
    text = {"participant_id": str, "sex": object, "country_code": object, "utilization_type": str}
    participants = pd.read_csv(folder / "participant.csv", dtype=text)
    ratings = pd.read_csv(folder / "ratings.csv", dtype={"participant_id": str})
    return participants, ratings


def main() -> None:
    """Write the cohorts."""
    for name in COHORTS:
        participants, ratings = build(name)
        folder = GOLDEN / name
        folder.mkdir(exist_ok=True)
        participants.to_csv(folder / "participant.csv", index=False, lineterminator="\n")
        ratings.to_csv(folder / "ratings.csv", index=False, lineterminator="\n")
        sessions(name, participants).to_csv(folder / "sessions.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
