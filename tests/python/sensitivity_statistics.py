"""Sufficient statistics of the sensitivity analyses in pandas and numpy: what the warehouse computes in SQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from sufficient_statistics import PUBLISHED, cohorts, reduce

from rapport import sensitivity

UNIT = 720_720_000_000
DESIGN = sensitivity.Design(PUBLISHED)
VARIABLES = list(DESIGN.variables)
VARIANTS = ["alliance_mean", "alliance_first", "alliance_last", "alliance_first_sessions"]
CHOICES = sensitivity.Choices(improvement_points=10, equivalence_margin=5)
PLACES = range(7)


def _units(ratings: pd.DataFrame) -> pd.Series:
    """The score of each participant, in units."""
    items = ratings.assign(
        answers=ratings[["bond_item", "goals_item"]].sum(axis=1),
        answered=ratings[["bond_item", "goals_item"]].notna().sum(axis=1),
    )
    sums = items.groupby("participant_id")[["answers", "answered"]].sum().astype("int64")
    return ((sums["answers"] * UNIT) / sums["answered"]).round().astype("int64")


def main_providers(participants: pd.DataFrame, sessions: pd.DataFrame) -> pd.Series:
    """The provider of most sessions, of several the one seen first; one of their own for those without."""
    named = sessions.dropna(subset="provider_id")
    counted = (
        named.groupby(["participant_id", "provider_id"], sort=False)["session"].agg(["count", "min"]).reset_index()
    )
    counted = counted.sort_values(["participant_id", "count", "min"], ascending=[True, False, True])
    first = counted.drop_duplicates("participant_id").set_index("participant_id")["provider_id"]
    ids = participants["participant_id"]
    return ids.map("provider " + first).fillna("participant " + ids)


def facts(participants: pd.DataFrame, ratings: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """All who reach the rating, with the variables of the analyses; without a rating there are no scores."""
    if "session" not in ratings:
        ratings = ratings.assign(session=ratings.groupby("participant_id").cumcount() + 1)
    place = ratings.groupby("participant_id")["session"].rank("dense")
    last = place == place.groupby(ratings["participant_id"]).transform("max")
    scores = {
        "alliance_mean": ratings,
        "alliance_first": ratings[place == 1],
        "alliance_last": ratings[last],
        "alliance_first_sessions": ratings[place <= 3],
    }
    people = participants.assign(
        main_provider=main_providers(participants, sessions),
        male=(participants["sex"] == "male").astype(int),
        time_in_care=participants["time_in_care_days"],
        positive=participants["baseline_score"] <= cohorts.CUTOFF,
        **{name: participants["participant_id"].map(_units(rows)).astype("Int64") for name, rows in scores.items()},
    )
    classes = {
        "sessions": pd.cut(people["total_sessions"], [0, 1, 2, 4, 8, np.inf], labels=["1", "2", "3-4", "5-8", "9+"]),
        "age": pd.cut(
            people["age_years"], [-1, 24, 34, 44, 54, np.inf], labels=["-24", "25-34", "35-44", "45-54", "55+"]
        ),
        "baseline": pd.cut(people["baseline_score"], [-1, 11, 23, 100], labels=["0-8", "12-20", "24-28"]),
    }
    people["rater_class"] = (
        people["utilization_type"]
        + "/"
        + people["sex"].astype("string").fillna("")
        + "/"
        + classes["sessions"].astype(str)
        + "/"
        + classes["age"].astype(str)
        + "/"
        + classes["baseline"].astype(str)
    )
    return people


def _sums(rows: pd.DataFrame, variants: Sequence[str]) -> dict[str, str]:
    """Sums of products as text, as the warehouse hands them over."""
    columns = {name: rows[name].astype(object) for name in (*VARIABLES, *variants)}
    found = {name: column.sum() for name, column in columns.items()}
    for a, b in itertools.combinations_with_replacement(VARIABLES, 2):
        found[f"{a}_x_{b}"] = (columns[a] * columns[b]).sum()
    for name in variants:
        for other in (*VARIABLES, name):
            found[f"{name}_x_{other}"] = (columns[name] * columns[other]).sum()
    return {name: str(int(value)) for name, value in found.items()}


def variant_sums(cohort: pd.DataFrame) -> pd.DataFrame:
    """The sums by the choices that the analyses vary."""
    labelled = cohort.assign(
        cutoff=np.select([cohort["baseline_score"] <= 28, cohort["baseline_score"] <= 50], [28, 50], 0),
        min_days=np.select([cohort["follow_up_days"] >= d for d in (28, 14, 7)], [28, 14, 7], 0),
        sex_or_none=cohort["sex"].fillna("none"),
    )
    rows = []
    for (positive, cutoff, days, sex), group in labelled.groupby(["positive", "cutoff", "min_days", "sex_or_none"]):
        if positive or cutoff:
            keys = {"screened_positive": positive, "cutoff": cutoff or None, "min_days": days}
            keys |= {"sex": None if sex == "none" else sex, "unit": UNIT, "n": len(group)}
            rows.append({**keys, **_sums(group, VARIANTS)})
    columns = ["screened_positive", "cutoff", "min_days", "sex", "unit", "n", *_sums(cohort[:0], VARIANTS)]
    return pd.DataFrame(rows, columns=columns)


def rater_classes(people: pd.DataFrame) -> pd.DataFrame:
    """Members and raters of each class."""
    reached = people[people["positive"] & people["sex"].notna()]
    rows = []
    for name, group in reached.groupby("rater_class"):
        raters = group[group["alliance_mean"].notna()]
        keys = {"rater_class": name, "unit": UNIT, "members": len(group), "n": len(raters)}
        rows.append({**keys, **_sums(raters, VARIANTS[:1])})
    return pd.DataFrame(rows, columns=["rater_class", "unit", "members", "n", *_sums(people[:0], VARIANTS[:1])])


def _provider_mean(rows: pd.DataFrame) -> pd.Series:
    by_provider = rows.groupby("main_provider")["alliance_mean"]
    return (by_provider.transform("sum").astype(float) / by_provider.transform("size")).round().astype("int64")


def provider_totals(cohort: pd.DataFrame) -> pd.DataFrame:
    """The sums over main providers."""
    sample = cohort[cohort["positive"] & cohort["sex"].notna()]
    mean, of_cohort = _provider_mean(sample).astype(object), _provider_mean(cohort).astype(object)
    sizes = cohort.groupby("main_provider").size().astype(object)
    alliance = cohort["alliance_mean"].astype(object)
    row: dict[str, object] = {
        "unit": UNIT,
        "cohort_providers": cohort["main_provider"].nunique(),
        "cohort_n": len(cohort),
        "cohort_squared_sizes": str((sizes**2).sum()),
        "cohort_alliance": str(alliance.sum()),
        "cohort_alliance_squares": str((alliance**2).sum()),
        "cohort_provider_mean": str(of_cohort.sum()),
        "cohort_provider_mean_squares": str((of_cohort**2).sum()),
        "providers": sample["main_provider"].nunique(),
        "n": len(sample),
        **_sums(sample, VARIANTS[:1]),
        "alliance_mean_x_provider_mean": str((mean * sample["alliance_mean"].astype(object)).sum()),
        "provider_mean": str(mean.sum()),
        "provider_mean_x_provider_mean": str((mean**2).sum()),
    }
    row |= {f"provider_mean_x_{name}": str((mean * sample[name].astype(object)).sum()) for name in VARIABLES}
    return pd.DataFrame([row])


def sandwich_sums(cohort: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """The squared scores of each fit."""
    sample = cohort[cohort["positive"] & cohort["sex"].notna()]
    covariates = sample[list(DESIGN.covariates)].to_numpy(dtype=float)
    alliance = sample["alliance_mean"].to_numpy(dtype=float)[:, None] / UNIT
    between = _provider_mean(sample).to_numpy(dtype=float)[:, None] / UNIT
    outcome = sample["followup_score"].to_numpy(dtype=float)
    terms = {
        "alliance_within_between": np.hstack([covariates, alliance - between, between]),
        "other": np.hstack([covariates, alliance, np.zeros_like(alliance)]),
    }
    rows = []
    for analysis, of_analysis in fits.groupby("analysis"):
        fit = of_analysis.iloc[0]
        x = terms.get(str(analysis), terms["other"])
        centred = x - [fit[f"mean_{i}"] for i in PLACES[1:]]
        triangle = np.array([[fit[f"w_{i}_{j}"] if j <= i else 0.0 for j in PLACES[1:]] for i in PLACES[1:]])
        z = np.hstack([np.full((len(x), 1), fit["inverse_root_n"]), centred @ triangle.T])
        residual = outcome - fit["outcome_mean"] - centred @ [fit[f"b_{i}"] for i in PLACES[1:]]
        score, saturated = residual / fit["residual_sd"], 0
        if analysis == "alliance_hc3":
            margin = 1 - (z**2).sum(axis=1)
            saturated = int((margin <= 1e-9).sum())
            score = score / margin
        elif analysis == "alliance_rater_weighted":
            weight = of_analysis.set_index("rater_class")["weight"]
            score = score * sample["rater_class"].map(weight).to_numpy(dtype=float)
        scores = z * score[:, None]
        if analysis in ("alliance_clustered", "alliance_within_between"):
            scores = pd.DataFrame(scores).groupby(sample["main_provider"].to_numpy()).sum().to_numpy()
        meat = scores.T @ scores
        rows.append(
            {"analysis": analysis, "scores": len(scores), "saturated": saturated}
            | {f"m_{i}_{j}": meat[i, j] for i in PLACES for j in range(i + 1)}
        )
    columns = ["analysis", "scores", "saturated", *(f"m_{i}_{j}" for i in PLACES for j in range(i + 1))]
    return pd.DataFrame(rows, columns=columns)


def score_pairs(cohort: pd.DataFrame) -> pd.DataFrame:
    """How often each pair of scores occurs."""
    keys = ["utilization_type", "screened_positive", "clinical_recovery", "baseline_score", "followup_score"]
    labelled = cohort.assign(
        screened_positive=cohort["positive"],
        clinical_recovery=cohort["positive"] & (cohort["followup_score"] > cohorts.CUTOFF),
    )
    return labelled.groupby(keys).size().rename("participants").reset_index()


def baseline_item_sums(cohort: pd.DataFrame) -> pd.DataFrame:
    """Sums of the items into which the export spreads a score."""
    each, more = np.divmod(cohort["baseline_score"].to_numpy() // 4, 5)
    items = {f"item_{i}": each + (i <= more) for i in range(1, 6)}
    row = {"n": len(cohort)} | {name: int(values.sum()) for name, values in items.items()}
    for a, b in itertools.combinations_with_replacement(items, 2):
        row[f"{a}_x_{b}"] = int((items[a] * items[b]).sum())
    return pd.DataFrame([row])


def sensitivity_results(
    participants: pd.DataFrame, ratings: pd.DataFrame, sessions: pd.DataFrame | None = None
) -> pd.DataFrame:
    """All sensitivity analyses of a cohort; without sessions everybody saw one of seven providers."""
    if sessions is None:
        sessions = cohorts.sessions("any", participants)
    people = facts(participants, ratings, sessions)
    cohort = people[people["alliance_mean"].notna()]
    published = reduce(participants, ratings)
    tables = variant_sums(cohort), rater_classes(people), provider_totals(cohort)
    return sensitivity.sensitivity_findings(
        sensitivity.Statistics(
            *tables,
            sandwich_sums(cohort, sensitivity.fits(*tables, PUBLISHED)),
            score_pairs(cohort),
            baseline_item_sums(cohort),
            published.score_frequencies,
            published.inference_results().reset_index(),
        ),
        CHOICES,
        PUBLISHED,
    )


def trajectory(participants: pd.DataFrame, ratings: pd.DataFrame, sessions: pd.DataFrame | None = None) -> pd.DataFrame:
    """How the sessions of each number were rated."""
    if sessions is None:
        sessions = cohorts.sessions("any", participants)
    if "session" not in ratings:
        ratings = ratings.assign(session=ratings.groupby("participant_id").cumcount() + 1)
    rated = ratings.merge(sessions, on=["participant_id", "session"], validate="many_to_one")
    items = rated[["bond_item", "goals_item"]]
    rated = rated.assign(
        place=rated["session"].clip(upper=13),
        four=rated.groupby("participant_id")["session"].transform("nunique") >= 4,
        ratings=1,
        item_sum=items.sum(axis=1).astype(int),
        item_responses=items.notna().sum(axis=1),
        paired_ratings=items.notna().all(axis=1).astype(int),
        top_ratings=(items == 5).all(axis=1).astype(int),
    )
    populations: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "everyone": lambda rows: rows,
        "four_rated_sessions": lambda rows: rows[rows["four"]],
    }
    sums = ["ratings", "item_sum", "item_responses", "paired_ratings", "top_ratings"]
    rows = []
    for population, choose in populations.items():
        for kind in ("therapist", "coach", "all"):
            chosen = choose(rated)
            chosen = chosen if kind == "all" else chosen[chosen["provider_type"] == kind]
            for place, group in chosen.groupby("place"):
                totals = group[sums].sum()
                rows.append(
                    {
                        "population": population,
                        "provider_type": kind,
                        "session_number": "13+" if place == 13 else str(place),
                        "participants": group["participant_id"].nunique(),
                        **totals.to_dict(),
                        "alliance_mean": totals["item_sum"] / totals["item_responses"],
                        "top_share": totals["top_ratings"] / totals["paired_ratings"]
                        if totals["paired_ratings"]
                        else None,
                    }
                )
    return pd.DataFrame(rows)
