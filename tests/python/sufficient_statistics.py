"""Sufficient statistics of a cohort in pandas: what the warehouse computes in SQL."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from rapport import study
from rapport.studies import load_study

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.append(str(GOLDEN))

import cohorts  # noqa: E402
import raw_export  # noqa: E402

PUBLISHED = load_study(Path(__file__).parents[2], "sagui_henson_2022")
TWO_INSTRUMENTS = load_study(Path(__file__).parents[2], "phq9_example")

__all__ = [
    "GOLDEN",
    "PUBLISHED",
    "TWO_INSTRUMENTS",
    "SufficientStatistics",
    "analysis_cohort",
    "change_sums",
    "cohorts",
    "findings",
    "raw_export",
    "reduce",
    "reduced",
    "regression_sums",
]

TYPES = ("teletherapy", "telecoaching", "both")


@dataclass(frozen=True)
class SufficientStatistics:
    """The tables from which every finding and Table 1 follow."""

    score_frequencies: pd.DataFrame
    correlate_frequencies: pd.DataFrame
    item_sums: pd.DataFrame
    change_sums: pd.DataFrame
    regression_sums: pd.DataFrame
    value_frequencies: pd.DataFrame
    level_frequencies: pd.DataFrame

    def inference_results(self) -> pd.DataFrame:
        """Return all findings, indexed by analysis and term."""
        parts = [
            study.alliance_findings(self.score_frequencies, self.correlate_frequencies, self.item_sums, PUBLISHED),
            study.wellbeing_findings(self.change_sums),
            study.regression_findings(self.regression_sums, PUBLISHED),
        ]
        return pd.concat(parts, ignore_index=True).set_index(["analysis", "term"])

    def model_fit(self) -> pd.DataFrame:
        """Return all regression steps, indexed by analysis and step."""
        fit = study.regression_fit(self.regression_sums, PUBLISHED).astype({"step": int})
        return fit.set_index(["analysis", "step"])

    def slopes(self) -> pd.DataFrame:
        """Return the lines of the moderation models."""
        return study.slope_findings(self.regression_sums, PUBLISHED)

    def table_1(self) -> pd.DataFrame:
        """Return Table 1."""
        return study.table_1(self.value_frequencies, self.level_frequencies, PUBLISHED)


@lru_cache
def reduced(name: str) -> SufficientStatistics:
    """Return the sufficient statistics of a committed cohort."""
    return reduce(*cohorts.read(name))


@lru_cache
def findings(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return inference results and model fit of a committed cohort."""
    return reduced(name).inference_results(), reduced(name).model_fit()


def analysis_cohort(participants: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """Add item sums and numbers of responses, alliance score and item means to the participants."""
    by_participant = ratings.groupby("participant_id")
    sums = by_participant[["bond_item", "goals_item"]].sum().astype(int)
    counts = by_participant[["bond_item", "goals_item"]].count().astype(int)
    derived = pd.DataFrame(
        {
            "item_sum": sums.sum(axis=1),
            "item_responses": counts.sum(axis=1),
            "bond_sum": sums["bond_item"],
            "goals_sum": sums["goals_item"],
            "bond_responses": counts["bond_item"],
            "goals_responses": counts["goals_item"],
        }
    )
    derived["alliance_score"] = derived["item_sum"] / derived["item_responses"]
    for item in ("bond", "goals"):
        derived[f"{item}_mean"] = derived[f"{item}_sum"] / derived[f"{item}_responses"].where(
            derived[f"{item}_responses"] > 0
        )
    return participants.join(derived, on="participant_id", how="inner", validate="one_to_one").reset_index(drop=True)


SCORE = ["item_sum", "item_responses"]


def _frequencies(cohort: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return cohort.groupby(keys, dropna=False).size().rename("participants").reset_index()


def _country(cohort: pd.DataFrame) -> pd.Series:
    country = cohort["country_code"]
    return (country == "US").map({True: "within_usa", False: "outside_usa"}).where(country.notna()).astype(object)


def _score_frequencies(cohort: pd.DataFrame) -> pd.DataFrame:
    groupings = {
        "sex": cohort["sex"],
        "country": _country(cohort),
        "depression_screen": (cohort["baseline_score"] <= cohorts.CUTOFF).map({True: "positive", False: "negative"}),
        "utilization_type": cohort["utilization_type"],
    }
    frames = [
        _frequencies(cohort.assign(grouping=name, level=level)[level.notna()], ["grouping", "level", *SCORE])
        for name, level in groupings.items()
        if level.notna().any()
    ]
    return pd.concat(frames, ignore_index=True)


ITEM_COLUMNS = ["n", "bond", "goals", "bond_squares", "goals_squares", "products"]


def _item_sums(cohort: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    means = cohort[(cohort["bond_responses"] > 0) & (cohort["goals_responses"] > 0)]
    pairs = ratings.dropna(subset=["bond_item", "goals_item"]).astype({"bond_item": int, "goals_item": int})
    populations = {
        "participant_means": means.rename(columns={"bond_sum": "bond", "goals_sum": "goals"}),
        "session_ratings": pairs.rename(columns={"bond_item": "bond", "goals_item": "goals"}).assign(
            bond_responses=1, goals_responses=1
        ),
    }
    frames = []
    for population, rows in populations.items():
        products = rows.assign(
            n=1,
            bond_squares=rows["bond"] ** 2,
            goals_squares=rows["goals"] ** 2,
            products=rows["bond"] * rows["goals"],
        )
        sums = products.groupby(["bond_responses", "goals_responses"])[ITEM_COLUMNS].sum().reset_index()
        frames.append(sums.assign(population=population))
    return pd.concat(frames, ignore_index=True)


CHANGE_COLUMNS = [
    *("n", "baseline", "followup", "baseline_squares", "followup_squares", "products", "recovered", "improved")
]


def _change_sums(cohort: pd.DataFrame) -> pd.DataFrame:
    positive = cohort[cohort["baseline_score"] <= cohorts.CUTOFF]
    baseline, followup = positive["baseline_score"], positive["followup_score"]
    return change_sums(positive, followup > cohorts.CUTOFF, followup - baseline >= 10)


def change_sums(positive: pd.DataFrame, recovered: pd.Series, improved: pd.Series) -> pd.DataFrame:
    """Return the sums of those who screened positive by an instrument, and of whom of them recovered and improved."""
    baseline, followup = positive["baseline_score"], positive["followup_score"]
    rows = positive.assign(
        n=1,
        baseline=baseline,
        followup=followup,
        baseline_squares=baseline**2,
        followup_squares=followup**2,
        products=baseline * followup,
        recovered=recovered.astype(int),
        improved=improved.astype(int),
    )
    return rows.groupby("utilization_type")[CHANGE_COLUMNS].sum().reset_index()


VARIABLES = ["age_years", "time_in_care", "baseline_score", "followup_score", "total_sessions"]
PAIRS = list(itertools.combinations_with_replacement(VARIABLES, 2))


def regression_rows(cohort: pd.DataFrame) -> pd.DataFrame:
    """Return those who screened positive and whose sex is reported."""
    sample = cohort[(cohort["baseline_score"] <= cohorts.CUTOFF) & cohort["sex"].notna()]
    return sample.rename(columns={"time_in_care_days": "time_in_care"})


def regression_sums(sample: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of the variables and of their products by alliance score, type and sex."""
    products = {f"{a}_x_{b}": sample[a].astype("int64") * sample[b].astype("int64") for a, b in PAIRS}
    columns = ["n", *VARIABLES, *products]
    rows = sample.assign(n=1, **products)
    return rows.groupby([*SCORE, "utilization_type", "sex"])[columns].sum().astype("int64").reset_index()


NUMERIC = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")


def _value_frequencies(cohort: pd.DataFrame) -> pd.DataFrame:
    frames = []
    for variable in NUMERIC:
        above, below = ("item_sum", "item_responses") if variable == "alliance_score" else (variable, None)
        rows = cohort.assign(variable=variable, numerator=cohort[above], denominator=cohort[below] if below else 1)
        frames.append(_frequencies(rows, ["variable", "utilization_type", "numerator", "denominator"]))
    return pd.concat(frames, ignore_index=True)


def _level_frequencies(cohort: pd.DataFrame) -> pd.DataFrame:
    levels = {
        "participants": pd.Series(None, index=cohort.index, dtype=object),
        "sex": cohort["sex"].astype(object).where(cohort["sex"].notna(), "missing"),
        "country": _country(cohort),
        "screened_positive": (cohort["baseline_score"] <= cohorts.CUTOFF).map({True: "true", False: "false"}),
    }
    frames = [
        _frequencies(cohort.assign(variable=variable, level=level), ["variable", "level", "utilization_type"])
        for variable, level in levels.items()
    ]
    return pd.concat(frames, ignore_index=True)


def reduce(participants: pd.DataFrame, ratings: pd.DataFrame) -> SufficientStatistics:
    """Reduce a cohort to its sufficient statistics."""
    cohort = analysis_cohort(participants, ratings)
    return SufficientStatistics(
        _score_frequencies(cohort),
        _frequencies(cohort.assign(correlate="age_years", value=cohort["age_years"]), ["correlate", "value", *SCORE]),
        _item_sums(cohort, ratings),
        _change_sums(cohort),
        regression_sums(regression_rows(cohort)),
        _value_frequencies(cohort),
        _level_frequencies(cohort),
    )
