"""Disclosure control against an attacker who knows everything that is published, and how it all adds up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from sufficient_statistics import analysis_cohort, cohorts, reduce

from rapport.disclosure import (
    POPULATIONS,
    RULES,
    Count,
    CountSystem,
    CountTable,
    DisclosureError,
    Population,
    Share,
    count,
    disclose,
    judge,
)

TYPES = ("teletherapy", "telecoaching", "both")
CRITERIA = ("adult", "sponsored", "registered", "session", "baseline", "followup", "rating")
EXCLUDED = (61, 418, 903, 2764, 397, 1880, 2898)
NUMERIC = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")
MIN_CELL = 10

Tables = dict[str, pd.DataFrame]
People = pd.DataFrame


# --- The published tables of some people ---------------------------------------------------


def people_of(cohort: pd.DataFrame) -> People:
    """The attributes that the tables count, and the numbers that they describe."""
    improved = cohort["followup_score"] - cohort["baseline_score"] >= 10
    return cohort.assign(
        sex=cohort["sex"].fillna("missing"),
        country=cohort["country_code"]
        .map(lambda code: "within_usa" if code == "US" else "outside_usa", na_action="ignore")
        .fillna("missing"),
        baseline=np.where(cohort["baseline_score"] <= 28, "positive", "negative"),
        followup=np.where(cohort["followup_score"] <= 28, "positive", "negative"),
        improved=np.where(improved, "yes", "no"),
    )


def table_1(people: People) -> pd.DataFrame:
    rows: list[tuple[str, str | None, str, str, float]] = []

    def counted(variable: str, level: str | None, column: str, n: int, base: int) -> None:
        rows.append((variable, level, column, "n", n))
        rows.append((variable, level, column, "percent", 100.0 * n / base if base else np.nan))

    for column in (*TYPES, "total"):
        group = people if column == "total" else people[people["utilization_type"] == column]
        counted("participants", None, column, len(group), len(people))
        for level in ("female", "male", "missing"):
            counted("sex", level, column, int((group["sex"] == level).sum()), len(group))
        known = group[group["country"] != "missing"]
        for level in ("within_usa", "outside_usa"):
            counted("country", level, column, int((known["country"] == level).sum()), len(known))
        counted("screened_positive", None, column, int((group["baseline"] == "positive").sum()), len(group))
        for variable in NUMERIC:
            values = group[variable].astype(float)
            figures = (values.count(), values.mean(), values.std(), values.median(), values.min(), values.max())
            rows += [
                (variable, None, column, name, float(figure))
                for name, figure in zip(("n", "mean", "sd", "median", "min", "max"), figures, strict=True)
            ]
    frame = pd.DataFrame(rows, columns=["variable", "level", "utilization_type", "statistic", "value"])
    return frame.astype({"level": "object"})


def flow(eligible: int, excluded: Iterable[int], quarantined: Iterable[int] = (0,) * 8) -> pd.DataFrame:
    gone = [0, *excluded]
    left = [eligible + sum(gone[step + 1 :]) for step in range(8)]
    return pd.DataFrame(
        {
            "step": range(8),
            "criterion": ["all", *CRITERIA],
            "participants": left,
            "excluded": gone,
            "quarantined": list(quarantined),
        }
    )


def tables_of(
    participants: pd.DataFrame, ratings: pd.DataFrame, excluded: Iterable[int] = EXCLUDED
) -> tuple[People, Tables]:
    statistics = reduce(participants, ratings)
    people = people_of(analysis_cohort(participants, ratings))
    return people, {
        "eligibility_flow": flow(len(people), excluded),
        "table_1": table_1(people),
        "inference_results": statistics.inference_results().reset_index(),
        "model_fit": statistics.model_fit().reset_index(),
    }


@lru_cache
def published(name: str) -> tuple[People, Tables]:
    return tables_of(*cohorts.read(name))


# --- The attacker: an integer programme over the joint table of all attributes --------------

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "utilization_type": TYPES,
    "sex": ("female", "male", "missing"),
    "country": ("within_usa", "outside_usa", "missing"),
    "baseline": ("positive", "negative"),
    "followup": ("positive", "negative"),
    "improved": ("yes", "no"),
}
Condition = Mapping[str, Iterable[str]]


class Attacker:
    """Reads disclosed tables only; shares no code with the package.

    The unknowns are the cells of the six attributes crossed (216), the seven excluded groups, and what of each was in
    quarantine. Every figure that is not null becomes an equation, a share too: 100·n = percent·base.
    """

    def __init__(self, tables: Tables) -> None:
        cells = list(product(*ATTRIBUTES.values()))
        self.columns = {name: np.array([cell[i] for cell in cells]) for i, name in enumerate(ATTRIBUTES)}
        self.cohort_size, self.size = len(cells), len(cells) + 2 * len(CRITERIA)
        self.rows: list[np.ndarray] = []
        self.low: list[float] = []
        self.high: list[float] = []
        for i, criterion in enumerate(CRITERIA):
            self.add(self.excluded(criterion) - self.unit(self.cohort_size + len(CRITERIA) + i), 0, np.inf)
        readers: Mapping[str, Callable[[pd.DataFrame], None]] = {
            "eligibility_flow": self.read_flow,
            "table_1": self.read_table_1,
            "inference_results": self.read_findings,
            "model_fit": self.read_fit,
        }
        for name, table in tables.items():
            readers[name](table)

    def unit(self, position: int) -> np.ndarray:
        row = np.zeros(self.size)
        row[position] = 1
        return row

    def cohort(self, **where: str | Iterable[str]) -> np.ndarray:
        inside = np.ones(self.cohort_size, dtype=bool)
        for name, levels in where.items():
            inside &= np.isin(self.columns[name], [levels] if isinstance(levels, str) else list(levels))
        return np.concatenate([inside.astype(float), np.zeros(2 * len(CRITERIA))])

    def excluded(self, criterion: str) -> np.ndarray:
        return self.unit(self.cohort_size + CRITERIA.index(criterion))

    def quarantined(self, criterion: str) -> np.ndarray:
        return self.unit(self.cohort_size + len(CRITERIA) + CRITERIA.index(criterion))

    def add(self, row: np.ndarray, low: float, high: float) -> None:
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def learn(self, row: np.ndarray, value: object, offset: float = 0.0) -> None:
        if value is not None and not pd.isna(value):
            self.add(row, round(float(value)) + offset, round(float(value)) + offset)  # type: ignore[arg-type]
        elif offset == 0.0:
            # A zero is never suppressed: a count that is not shown is at least 1.
            self.add(row, 1, np.inf)

    def learn_share(self, part: np.ndarray, whole: np.ndarray, share: object) -> None:
        if share is not None and not pd.isna(share):
            self.add(part - float(share) * whole, -1e-7, 1e-7)  # type: ignore[arg-type]

    def read_flow(self, table: pd.DataFrame) -> None:
        for row in table.to_dict("records"):
            step = int(row["step"])
            self.learn(
                self.cohort() + sum((self.excluded(name) for name in CRITERIA[step:]), np.zeros(self.size)),
                row["participants"],
            )
            if step:
                self.learn(self.excluded(row["criterion"]), row["excluded"])
                self.learn(self.quarantined(row["criterion"]), row["quarantined"])

    def read_table_1(self, table: pd.DataFrame) -> None:
        for row in table.to_dict("records"):
            column = {} if row["utilization_type"] == "total" else {"utilization_type": row["utilization_type"]}
            variable, value = row["variable"], row["value"]
            own, base = self.cohort(**column), self.cohort(**column)
            if variable == "participants":
                base = self.cohort()
            elif variable == "sex":
                own = self.cohort(sex=row["level"], **column)
            elif variable == "country":
                own = self.cohort(country=row["level"], **column)
                base = self.cohort(country=("within_usa", "outside_usa"), **column)
            elif variable == "screened_positive":
                own = self.cohort(baseline="positive", **column)
            if row["statistic"] == "n":
                self.learn(own, value)
            elif row["statistic"] == "percent":
                self.learn_share(own, base, None if pd.isna(value) else value / 100)

    def read_findings(self, table: pd.DataFrame) -> None:
        positive = {"baseline": "positive"}
        sample = self.cohort(sex=("female", "male"), **positive)
        aliased = table["note"].notna().groupby(table["analysis"]).any()
        for row in table.to_dict("records"):
            analysis, term = row["analysis"], row["term"]
            if analysis == "alliance_reliability":
                continue  # of those with both items, and of ratings: no other figure counts either
            if analysis == "alliance_group_medians":
                groups = {
                    **{name: {"sex": name} for name in ("female", "male")},
                    **{name: {"country": name} for name in ("within_usa", "outside_usa")},
                    **{f"screened_{name}": {"baseline": name} for name in ("positive", "negative")},
                    **{name: {"utilization_type": name} for name in TYPES},
                    "total": {},
                }
                n = self.cohort(**groups[term])
            elif analysis == "alliance_by_sex":
                n = self.cohort(sex=("female", "male"))
            elif analysis == "alliance_by_country":
                n = self.cohort(country=("within_usa", "outside_usa"))
            elif analysis.startswith("alliance_by_utilization_dunn"):
                n = self.cohort(utilization_type=term.split(" - "))
            elif analysis in ("alliance_by_utilization", "alliance_by_depression_screen", "alliance_vs_age"):
                n = self.cohort()
            elif analysis.endswith("tukey"):
                n = self.cohort(utilization_type=term.split(" - "), **positive)
            elif analysis == "wellbeing_change_group_means":
                n = self.cohort(utilization_type=term, **positive)
            elif analysis.startswith(("wellbeing_change", "clinical")):
                n = self.cohort(**positive)
            else:
                n = sample
                parameters = {
                    "alliance_predicts_wellbeing": 6,
                    "moderation_by_baseline": 7,
                    "moderation_by_sessions": 8,
                    "moderation_by_utilization": 10,
                }
                if not aliased[analysis]:
                    self.learn(n, row["df_residual"], parameters[analysis])
            self.learn(n, row["n"])
            if analysis == "clinical_recovery":
                self.learn_share(self.cohort(followup="negative", **positive), n, row["estimate"])
            elif analysis == "clinical_improvement":
                self.learn_share(self.cohort(improved="yes", **positive), n, row["estimate"])
            elif analysis == "wellbeing_change" and term == "followup - baseline":
                self.learn(n, row["df"], 1)
            elif analysis == "alliance_vs_age":
                self.learn(n, row["df"], 2)
            elif analysis == "wellbeing_change_by_utilization" and not pd.isna(row["df_residual"]):
                self.learn(n, row["df_residual"], row["df"] + 1)

    def read_fit(self, table: pd.DataFrame) -> None:
        for row in table.to_dict("records"):
            self.learn(self.cohort(baseline="positive", sex=("female", "male")), row["n"])

    def narrow(self, row: np.ndarray) -> tuple[int, int]:
        """The smallest and the largest that a count can be."""
        ends = []
        for sign in (1, -1):
            result = milp(
                sign * row,
                constraints=LinearConstraint(np.array(self.rows), self.low, self.high),
                integrality=np.ones(self.size),
                bounds=Bounds(0, 50_000),
            )
            assert result.status == 0, result.message
            ends.append(round(sign * result.fun))
        return ends[0], ends[1]


def small_counts(people: People, excluded: Iterable[int], attacker: Attacker) -> dict[str, tuple[int, np.ndarray]]:
    """Every small count that the tables print, or that follows from what they print: its truth and its row."""
    by_type: list[dict[str, str]] = [{}, *({"utilization_type": name} for name in TYPES)]
    conditions: list[dict[str, str | tuple[str, ...]]] = [
        *(
            {**column, attribute: level}
            for column in by_type
            for attribute in ("sex", "country", "baseline")
            for level in ATTRIBUTES[attribute]
        ),
        *({**column} for column in by_type),
        {"baseline": "positive", "sex": "missing"},
        {"baseline": "positive", "sex": ("female", "male")},
        {"country": ("within_usa", "outside_usa")},
        *({"baseline": "positive", "followup": level} for level in ("positive", "negative")),
        *({"baseline": "positive", "improved": level} for level in ("yes", "no")),
    ]
    found = {}
    for where in conditions:
        inside = np.ones(len(people), dtype=bool)
        for attribute, levels in where.items():
            inside &= people[attribute].isin([levels] if isinstance(levels, str) else levels).to_numpy()
        if 0 < inside.sum() < MIN_CELL:
            found[str(where)] = (int(inside.sum()), attacker.cohort(**where))
    for criterion, number in zip(CRITERIA, excluded, strict=True):
        if 0 < number < MIN_CELL:
            found[criterion] = (number, attacker.excluded(criterion))
    return found


def assert_protected(people: People, excluded: Iterable[int], tables: Tables) -> int:
    attacker = Attacker(disclose(tables, MIN_CELL))
    small = small_counts(people, excluded, attacker)
    for name, (truth, row) in small.items():
        low, high = attacker.narrow(row)
        assert low <= truth <= high, f"the attacker reasons falsely about {name}"
        assert high >= MIN_CELL, f"{name} is known to be below {MIN_CELL}: {low} to {high}"
        assert high - low >= MIN_CELL - 1, f"{name} is narrowed to {low} to {high}"
    return len(small)


COHORTS = ("empty_group", "single_member", "sex_missing", "tiny", "one_positive", "only_males", "unbalanced")


@pytest.mark.parametrize("name", COHORTS)
def test_no_small_count_can_be_narrowed(name: str) -> None:
    people, tables = published(name)
    assert assert_protected(people, EXCLUDED, tables) > 0


def test_small_steps_of_the_flow_cannot_be_narrowed() -> None:
    participants, ratings = cohorts.read("unbalanced")
    for excluded in ((3, 418, 903, 2764, 397, 1880, 2898), (61, 0, 4, 0, 0, 7, 2898), (0, 418, 903, 2764, 397, 12, 2)):
        people, tables = tables_of(participants, ratings, excluded)
        assert_protected(people, excluded, tables)


@pytest.mark.parametrize("name", ["single_member", "unbalanced"])
def test_the_attacker_succeeds_when_only_small_counts_are_withheld(name: str) -> None:
    people, tables = published(name)
    attacker = Attacker(disclose(tables, MIN_CELL, secondary=False))
    small = small_counts(people, (), attacker) if False else small_counts(people, EXCLUDED, attacker)
    known = [key for key, (truth, row) in small.items() if attacker.narrow(row) == (truth, truth)]
    assert known, "subtraction gives nothing back, so the test above proves nothing"


def test_everything_is_known_before_disclosure_control() -> None:
    people, tables = published("unbalanced")
    attacker = Attacker(tables)
    small = small_counts(people, EXCLUDED, attacker)
    assert small
    assert all(attacker.narrow(row) == (truth, truth) for truth, row in small.values())
