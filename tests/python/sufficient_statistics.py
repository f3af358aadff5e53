"""Sufficient statistics of a cohort in pandas: what the warehouse computes in SQL."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from rapport import study

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.append(str(GOLDEN))

import cohorts  # noqa: E402
import raw_export  # noqa: E402

__all__ = [
    "GOLDEN",
    "SufficientStatistics",
    "analysis_cohort",
    "cohorts",
    "findings",
    "raw_export",
    "reduce",
    "reduced",
]

TYPES = ("teletherapy", "telecoaching", "both")


@dataclass(frozen=True)
class SufficientStatistics:
    """The five tables from which every finding follows."""

    alliance_score_frequencies: pd.DataFrame
    alliance_age_frequencies: pd.DataFrame
    alliance_item_moments: pd.DataFrame
    wellbeing_change_moments: pd.DataFrame
    regression_cross_products: pd.DataFrame

    def inference_results(self) -> pd.DataFrame:
        """Return all findings, indexed by analysis and term."""
        parts = [
            study.alliance_findings(
                self.alliance_score_frequencies,
                self.alliance_age_frequencies,
                self.alliance_item_moments,
            ),
            study.wellbeing_findings(self.wellbeing_change_moments),
            study.regression_findings(self.regression_cross_products),
        ]
        return pd.concat(parts, ignore_index=True).set_index(["analysis", "term"])

    def model_fit(self) -> pd.DataFrame:
        """Return all regression steps, indexed by analysis and step."""
        fit = study.regression_fit(self.regression_cross_products).astype({"step": int})
        return fit.set_index(["analysis", "step"])


@lru_cache
def reduced(name: str) -> SufficientStatistics:
    """Return the sufficient statistics of a committed cohort."""
    return reduce(*cohorts.read(name))


@lru_cache
def findings(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return inference results and model fit of a committed cohort."""
    return reduced(name).inference_results(), reduced(name).model_fit()


def analysis_cohort(participants: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """Add alliance score and item means to the participants."""
    answers = ratings[["bond_item", "goals_item"]]
    by_participant = ratings.assign(answer_sum=answers.sum(axis=1), answer_count=answers.notna().sum(axis=1)).groupby(
        "participant_id"
    )
    sums = by_participant[["answer_sum", "answer_count"]].sum()
    items = by_participant[["bond_item", "goals_item"]].mean()
    derived = pd.DataFrame(
        {
            "alliance_score": sums["answer_sum"] / sums["answer_count"],
            "bond_mean": items["bond_item"],
            "goals_mean": items["goals_item"],
        }
    )
    return participants.join(derived, on="participant_id", validate="one_to_one")


def _frequencies(cohort: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return cohort.groupby(keys).size().rename("participants").reset_index()


def _score_frequencies(cohort: pd.DataFrame) -> pd.DataFrame:
    country = cohort["country_code"]
    groupings = {
        "sex": cohort["sex"],
        "country": (country == "US").map({True: "within_usa", False: "outside_usa"}).where(country.notna()),
        "depression_screen": (cohort["baseline_score"] <= cohorts.CUTOFF).map({True: "positive", False: "negative"}),
        "utilization_type": cohort["utilization_type"],
    }
    frames = [
        _frequencies(cohort.assign(grouping=name, level=level), list(_SCORE_KEYS))
        for name, level in groupings.items()
        if level.notna().any()
    ]
    return pd.concat(frames, ignore_index=True)


_SCORE_KEYS = ("grouping", "level", "alliance_score")


def _item_moments(cohort: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    populations = {
        "participant_means": cohort[["bond_mean", "goals_mean"]],
        "session_ratings": ratings[["bond_item", "goals_item"]],
    }
    rows = []
    for population, both in populations.items():
        items = both.dropna().to_numpy(dtype=float)
        n = len(items)
        covariance = np.cov(items.T) if n > 1 else np.full((2, 2), np.nan)
        rows.append(
            {
                "population": population,
                "n": n,
                "bond_mean": items[:, 0].mean() if n else np.nan,
                "goals_mean": items[:, 1].mean() if n else np.nan,
                "bond_variance": covariance[0, 0],
                "goals_variance": covariance[1, 1],
                "covariance": covariance[0, 1],
            }
        )
    return pd.DataFrame(rows)


def _change_moments(cohort: pd.DataFrame) -> pd.DataFrame:
    positive = cohort[cohort["baseline_score"] <= cohorts.CUTOFF]
    rows = []
    for name in (*TYPES, "total"):
        group = positive if name == "total" else positive[positive["utilization_type"] == name]
        if group.empty:
            continue
        baseline, followup = group["baseline_score"], group["followup_score"]
        change = followup - baseline
        rows.append(
            {
                "utilization_type": name,
                "n": len(group),
                "baseline_mean": baseline.mean(),
                "followup_mean": followup.mean(),
                "change_mean": change.mean(),
                "baseline_variance": baseline.var(),
                "followup_variance": followup.var(),
                "change_variance": change.var(),
                "covariance": baseline.cov(followup) if len(group) > 1 else np.nan,
                "recovered": int((followup > cohorts.CUTOFF).sum()),
                "improved": int((change >= 10).sum()),
            }
        )
    columns = [
        "utilization_type",
        *("n", "baseline_mean", "followup_mean", "change_mean", "baseline_variance"),
        *("followup_variance", "change_variance", "covariance", "recovered", "improved"),
    ]
    return pd.DataFrame(rows, columns=columns)


def cross_products(analysis: str, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return means and centred cross-products of named columns, one triangle."""
    rows = []
    for row_term, column_term in itertools.combinations_with_replacement(columns, 2):
        x, y = columns[row_term], columns[column_term]
        n = len(x)
        rows.append(
            {
                "analysis": analysis,
                "row_term": row_term,
                "column_term": column_term,
                "n": n,
                "row_mean": x.mean() if n else np.nan,
                "column_mean": y.mean() if n else np.nan,
                "cross_product": ((x - x.mean()) * (y - y.mean())).sum() if n else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _z_scores(x: np.ndarray) -> np.ndarray:
    if len(x) < 2 or np.ptp(x) == 0:
        return np.full(len(x), np.nan)
    return (x - x.mean()) / x.std(ddof=1)


def _regression_cross_products(cohort: pd.DataFrame) -> pd.DataFrame:
    sample = cohort[(cohort["baseline_score"] <= cohorts.CUTOFF) & cohort["sex"].notna()]
    variables = {
        "followup_score": sample["followup_score"],
        "age_years": sample["age_years"],
        "male": sample["sex"] == "male",
        "time_in_care": sample["time_in_care_days"],
        "baseline_score": sample["baseline_score"],
        "alliance": sample["alliance_score"],
        "telecoaching": sample["utilization_type"] == "telecoaching",
        "both": sample["utilization_type"] == "both",
        "total_sessions": sample["total_sessions"],
    }
    raw = {name: column.to_numpy(dtype=float) for name, column in variables.items()}
    frames = []
    for analysis, regression in study.REGRESSIONS.items():
        columns = dict(raw)
        for name in regression.standardized:
            columns[name] = _z_scores(raw[name])
        chosen = {}
        for term in (*regression.terms, study.OUTCOME):
            factors = [columns[name] for name in term.split(":")]
            chosen[term] = np.prod(factors, axis=0)
        frames.append(cross_products(analysis, chosen))
    return pd.concat(frames, ignore_index=True)


def reduce(participants: pd.DataFrame, ratings: pd.DataFrame) -> SufficientStatistics:
    """Reduce a cohort to its sufficient statistics."""
    cohort = analysis_cohort(participants, ratings)
    return SufficientStatistics(
        _score_frequencies(cohort),
        _frequencies(cohort, ["age_years", "alliance_score"]),
        _item_moments(cohort, ratings),
        _change_moments(cohort),
        _regression_cross_products(cohort),
    )
