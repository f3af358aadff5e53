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
from released import (
    CRITERIA,
    EXCLUDED,
    NUMERIC,
    POPULATIONS,
    RULES,
    TYPES,
    People,
    Tables,
    disclose,
    flow,
    judge,
    marts_of,
)
from scipy import optimize, stats
from scipy.optimize import Bounds, LinearConstraint, milp
from sufficient_statistics import cohorts

from rapport.disclosure import (
    Count,
    CountSystem,
    CountTable,
    DisclosureError,
    Population,
    Share,
    count,
)

MIN_CELL = 10
OF_COUNTS = ("eligibility_flow", "table_1", "inference_results", "model_fit")


# --- The published tables of some people ---------------------------------------------------


@lru_cache
def published(name: str) -> tuple[People, Tables]:
    return four_tables(*cohorts.read(name))


def four_tables(participants: pd.DataFrame, ratings: pd.DataFrame) -> tuple[People, Tables]:
    """The tables that the attacker of this module reads; ``attacker.py`` reads a whole release."""
    people, tables = marts_of(participants, ratings)
    return people, {name: tables[name] for name in OF_COUNTS}


@lru_cache
def disclosed_of(name: str) -> Tables:
    return disclose(published(name)[1], MIN_CELL)


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
        # Cells that nothing tells apart are one unknown.
        told = np.unique(np.vstack([*self.rows, row]), axis=1)
        return integer_bounds(told[-1], told[:-1], self.low, self.high)


def integer_bounds(row: np.ndarray, rows: np.ndarray, low: Iterable[float], high: Iterable[float]) -> tuple[int, int]:
    ends = []
    for sign in (1, -1):
        result = milp(
            sign * row,
            constraints=LinearConstraint(rows, np.array(low), np.array(high)),
            integrality=np.ones(len(row)),
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


def assert_protected(people: People, excluded: Iterable[int], disclosed: Tables) -> int:
    attacker = Attacker(disclosed)
    small = small_counts(people, excluded, attacker)
    for name, (truth, row) in small.items():
        low, high = attacker.narrow(row)
        assert low <= truth <= high, f"the attacker reasons falsely about {name}"
        assert high >= MIN_CELL, f"{name} is known to be below {MIN_CELL}: {low} to {high}"
        assert high - low >= MIN_CELL - 1, f"{name} is narrowed to {low} to {high}"
    return len(small)


COHORTS = ("empty_group", "single_member", "sex_missing", "tiny", "only_males", "unbalanced")


@pytest.mark.parametrize("name", COHORTS)
def test_no_small_count_can_be_narrowed(name: str) -> None:
    assert assert_protected(published(name)[0], EXCLUDED, disclosed_of(name)) > 0


def test_small_steps_of_the_flow_cannot_be_narrowed() -> None:
    people, tables = published("large")
    for excluded in ((3, 418, 903, 2764, 397, 1880, 2898), (61, 0, 4, 0, 0, 7, 2898), (0, 418, 903, 2764, 397, 12, 2)):
        stepwise = {**tables, "eligibility_flow": flow(len(people), excluded)}
        assert assert_protected(people, excluded, disclose(stepwise, MIN_CELL)) > 2


@pytest.mark.parametrize("name", ["single_member", "unbalanced"])
def test_the_attacker_succeeds_when_only_small_counts_are_withheld(name: str) -> None:
    people, tables = published(name)
    attacker = Attacker(disclose(tables, MIN_CELL, secondary=False))
    small = small_counts(people, EXCLUDED, attacker)
    known = [key for key, (truth, row) in small.items() if attacker.narrow(row) == (truth, truth)]
    assert known, "subtraction gives nothing back, so the test above proves nothing"


def test_everything_is_known_before_disclosure_control() -> None:
    people, tables = published("unbalanced")
    attacker = Attacker(tables)
    small = small_counts(people, EXCLUDED, attacker)
    assert small
    assert all(attacker.narrow(row) == (truth, truth) for truth, row in small.values())


# --- What describes few people goes with their number ---------------------------------------


@pytest.mark.parametrize("name", COHORTS)
def test_sums_over_few_people_do_not_follow_from_other_columns(name: str) -> None:
    """n · mean adds up over the columns; so do the squares. One column hidden alone would be known."""
    _, tables = published(name)
    figures = disclosed_of(name)["table_1"]
    numeric = figures[figures["variable"].isin(NUMERIC)]
    for (variable, statistic), rows in numeric.groupby(["variable", "statistic"]):
        by_column = rows.set_index("utilization_type")
        assert by_column["suppressed"].sum() != 1, f"{variable} {statistic} follows by subtraction"
        sizes = (
            tables["table_1"]
            .query("variable == 'participants' and statistic == 'n'")
            .set_index("utilization_type")["value"]
        )
        for column, suppressed in by_column["suppressed"].items():
            if 0 < sizes[column] < MIN_CELL:
                assert suppressed, f"{variable} {statistic} describes {sizes[column]} people"


@pytest.mark.parametrize("name", COHORTS)
def test_what_was_suppressed_is_null_and_marked_and_the_rest_is_as_it_was(name: str) -> None:
    _, tables = published(name)
    for table, frame in disclosed_of(name).items():
        before = tables[table]
        assert list(frame.columns) == [*before.columns, "suppressed", "suppressed_columns"]
        assert len(frame) == len(before)
        assert list(frame["suppressed"]) == list(frame["suppressed_columns"].notna())
        gone = [set() if pd.isna(names) else set(names.split(",")) for names in frame["suppressed_columns"]]
        for column in before.columns:
            hidden = np.array([column in names for names in gone])
            assert frame.loc[hidden, column].isna().all()
            shown, original = frame.loc[~hidden, column], before.loc[~hidden, column]
            assert (shown.isna().to_numpy() == original.isna().to_numpy()).all()
            assert (shown.dropna() == original.dropna()).all()


@pytest.mark.parametrize("name", COHORTS)
def test_no_test_of_few_people_and_no_note_of_their_number_is_shown(name: str) -> None:
    _, tables = published(name)
    disclosed = disclosed_of(name)
    for table in ("inference_results", "model_fit"):
        few = tables[table]["n"].between(1, MIN_CELL - 1).to_numpy()
        figures = [column for column in RULES[table].figures if column in disclosed[table]]
        assert disclosed[table].loc[few, figures].isna().all(axis=None)
        for note in disclosed[table]["note"].dropna():
            assert not [n for n in re.findall(r"\d+", note.split("at least")[0]) if 0 < int(n) < MIN_CELL], note


def test_why_a_figure_was_null_is_not_told() -> None:
    """One member has no standard deviation: a null that is not marked would say so."""
    _, tables = published("single_member")
    alone = tables["table_1"].query("utilization_type == 'both' and statistic == 'sd'")
    assert alone["value"].isna().all(), "the case that this test is about"
    shown = disclosed_of("single_member")["table_1"].loc[alone.index]
    assert shown["suppressed"].all()


def sizes_from_tests(findings: pd.DataFrame) -> dict[tuple[str, str], float]:
    """N without column n: from r with P (r = abs(Z)/√N), from t with P (the degrees of freedom), from b, SE and limits."""
    found = {}
    for row in findings.to_dict("records"):
        key = (row["analysis"], row["term"])
        given_ = {name for name in findings.columns if not pd.isna(row[name])}
        if row["effect_size_name"] == "r" and {"effect_size", "p_value"} <= given_ and 0 < row["p_value"] < 0.99:
            found[key] = (stats.norm.isf(row["p_value"] / 2) / row["effect_size"]) ** 2
        elif row["statistic_name"] == "t" and {"statistic", "p_value"} <= given_ and 1e-12 < row["p_value"] < 0.99:
            t, p = abs(row["statistic"]), row["p_value"]
            if stats.t.sf(t, 1) * 2 > p > stats.norm.sf(t) * 2:
                found[key] = optimize.brentq(lambda df, t=t, p=p: stats.t.sf(t, df) * 2 - p, 1, 1e5)
        elif {"std_error", "ci_low", "ci_high"} <= given_:
            quantile = (row["ci_high"] - row["ci_low"]) / 2 / row["std_error"]
            if stats.t.ppf(0.975, 1) > quantile > stats.norm.ppf(0.975) + 1e-9:
                found[key] = optimize.brentq(lambda df, q=quantile: stats.t.ppf(0.975, df) - q, 1, 1e5)
    return found


@pytest.mark.parametrize("name", ["unbalanced", "sex_missing", "only_males"])
def test_no_size_follows_from_a_test(name: str) -> None:
    _, tables = published(name)
    before, after = tables["inference_results"], disclosed_of(name)["inference_results"]
    sizes = before.set_index(["analysis", "term"])["n"]
    known = sizes_from_tests(before)
    told = [key for key, size in known.items() if abs(size - sizes[key]) < 0.02 * sizes[key] + 11]
    assert len(told) > 5, "the inversion tells sizes where nothing is suppressed"
    hidden = {(row["analysis"], row["term"]) for row in after[after["n"].isna()].to_dict("records")}
    assert hidden
    assert not hidden & sizes_from_tests(after).keys()
    rest = after[after["n"].isna()]
    assert rest[list(RULES["inference_results"].figures)].isna().all(axis=None), "every statistic goes with its n"


DUMMIES = ("male", "telecoaching", "both")


def test_beta_of_a_group_is_never_shown() -> None:
    """β ÷ (b ÷ sd(y)) is the SD of a 0/1 term, which counts its ones; two of them leave those whose sex is missing."""
    for name in (*COHORTS, "large"):
        findings = disclosed_of(name)["inference_results"]
        of_groups = findings["term"].str.split(":").map(lambda parts: bool(set(parts) & set(DUMMIES)))
        is_model = findings["analysis"].str.startswith(("moderation", "alliance_predicts"))
        assert findings.loc[is_model & of_groups, "standardized_estimate"].isna().all()
        assert (is_model & of_groups).sum() == 8
    others = findings[is_model & ~of_groups & (findings["term"] != "(Intercept)")]
    assert others["standardized_estimate"].notna().all(), "of the large cohort"


def changed_row(analysis: str, term: str, **values: float) -> tuple[Tables, int]:
    findings = published("large")[1]["inference_results"]
    row = int(findings.index[(findings["analysis"] == analysis) & (findings["term"] == term)][0])
    return {"inference_results": with_row(findings, row, **values)}, row


def shown(tables: Tables, row: int) -> set[str]:
    findings = disclose(tables, MIN_CELL)["inference_results"]
    return set(findings.loc[row, list(RULES["inference_results"].figures)].dropna().index)


def test_a_share_does_not_tell_who_is_missing_from_it() -> None:
    people, _ = published("large")
    n = int((people["baseline"] == "positive").sum())
    for few in (3, n - 3):
        tables, row = changed_row("clinical_recovery", "screened_positive", estimate=few / n)
        assert shown(tables, row) == set(), "a row goes as a whole"
    tables, row = changed_row("clinical_recovery", "screened_positive", estimate=0.0)
    assert shown(tables, row) == {"n", "estimate", "ci_low", "ci_high"}, "a zero is shown"


def test_a_coefficient_of_few_ones_is_not_shown() -> None:
    """No table counts them, so whoever misses the row must think ``min_cell`` or more possible: it goes from 15 down."""
    findings = published("large")[1]["inference_results"]
    n = int(findings.query("analysis == 'moderation_by_baseline'")["n"].iloc[0])
    for ones, small in ((3, True), (14, True), (n - 3, True), (15, False), (40, False)):
        sd = (ones / n * (1 - ones / n) * n / (n - 1)) ** 0.5
        tables, row = changed_row(
            "moderation_by_baseline", "male", standardized_estimate=0.2 * sd, y_standardized_estimate=0.2
        )
        figures = shown(tables, row)
        assert "standardized_estimate" not in figures
        assert ("estimate" in figures) is not small
        assert ("n" in figures) is not small


def test_a_small_type_takes_the_model_with_it() -> None:
    """Its interactions, and the degrees of freedom of the others, tell of it."""
    findings = published("large")[1]["inference_results"]
    n = int(findings.query("analysis == 'moderation_by_utilization'")["n"].iloc[0])
    sd = (12 / n * (1 - 12 / n) * n / (n - 1)) ** 0.5
    tables, _ = changed_row(
        "moderation_by_utilization", "both", standardized_estimate=0.2 * sd, y_standardized_estimate=0.2
    )
    disclosed = disclose(tables, MIN_CELL)["inference_results"].set_index("analysis")
    figures = list(RULES["inference_results"].figures)
    assert disclosed.loc["moderation_by_utilization", figures].isna().all(axis=None)
    assert disclosed.loc["moderation_by_baseline", "estimate"].notna().all()


def test_a_slope_lost_for_want_of_members_is_not_told() -> None:
    """One member of a group in the regression has no slope, and the degrees of freedom would say so."""
    people, _ = published("single_member")
    sample = people[(people["baseline"] == "positive") & (people["sex"] != "missing")]
    assert (sample["utilization_type"] == "both").sum() == 1, "the case that this test is about"
    disclosed = disclosed_of("single_member")
    for table in ("inference_results", "model_fit"):
        rows = disclosed[table][disclosed[table]["analysis"] == "moderation_by_utilization"]
        if table == "model_fit":
            rows = rows[rows["step"] == 2]
        assert rows[["df", "df_residual", "p_value", "note"]].isna().all(axis=None)


def test_a_large_table_passes_nearly_whole() -> None:
    """Of 2,500 people 5 and 9 in two columns have no country: what tells it there goes, and nothing else."""
    people, _ = published("large")
    unknown = people[people["country"] == "missing"].groupby("utilization_type").size()
    assert dict(unknown[unknown < MIN_CELL]) == {"teletherapy": 5, "both": 9}
    gone = {name: frame[frame["suppressed"]] for name, frame in disclosed_of("large").items()}
    assert {name: len(rows) for name, rows in gone.items() if len(rows)} == {"table_1": 6, "inference_results": 8}
    assert set(gone["inference_results"]["suppressed_columns"]) == {"standardized_estimate"}, "β of the 0/1 terms"
    assert set(gone["table_1"]["variable"]) == {"country"}
    assert set(gone["table_1"]["utilization_type"]) == {"teletherapy", "both"}


def test_tables_without_small_counts_pass_whole() -> None:
    participants, ratings = cohorts.read("large")
    _, tables = four_tables(participants.assign(country_code="US"), ratings)
    disclosed = disclose(tables, MIN_CELL)
    betas = disclosed.pop("inference_results")["suppressed_columns"].dropna()
    assert set(betas) == {"standardized_estimate"}
    assert not any(frame["suppressed"].any() for frame in disclosed.values())


def test_zero_is_shown() -> None:
    _, tables = published("empty_group")
    disclosed = disclosed_of("empty_group")["table_1"]
    zeros = (tables["table_1"]["statistic"] == "n") & (tables["table_1"]["value"] == 0)
    assert zeros.any()
    assert not disclosed.loc[zeros, "suppressed"].any()


# --- What has no rule is refused ------------------------------------------------------------


def with_row(frame: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    changed = frame.copy()
    for column, value in values.items():
        changed[column] = changed[column].astype(object)
        changed.loc[row, column] = value
    return changed


SPOILED: Mapping[str, tuple[Callable[[Tables], Tables], str]] = {
    "a table": (lambda t: {**t, "eligibility": t["table_1"]}, "eligibility: no rule for this table"),
    "a column": (lambda t: {"table_1": t["table_1"].assign(total=1)}, "table_1: no rule for column total"),
    "no column": (lambda t: {"model_fit": t["model_fit"].drop(columns="n")}, "model_fit: lacks column n"),
    "a variable": (lambda t: {"table_1": with_row(t["table_1"], 9, variable="income")}, "table_1: no rule for income"),
    "a statistic": (lambda t: {"table_1": with_row(t["table_1"], 9, statistic="mode")}, "statistic mode"),
    "a group": (
        lambda t: {"table_1": with_row(t["table_1"], 9, utilization_type="none")},
        "no rule for utilization_type",
    ),
    "a test": (lambda t: {"inference_results": with_row(t["inference_results"], 0, analysis="chi")}, "no rule for chi"),
    "a figure": (
        lambda t: {"inference_results": with_row(t["inference_results"], 0, std_error=1.0)},
        "alliance_reliability, participant_means: no rule for std_error",
    ),
    "a regression": (lambda t: {"model_fit": with_row(t["model_fit"], 0, analysis="new")}, "no rule for analysis new"),
    "a term": (lambda t: {"model_fit": with_row(t["model_fit"], 0, terms="age_years + bmi")}, "no rule for term bmi"),
    "a step": (
        lambda t: {"eligibility_flow": with_row(t["eligibility_flow"], 3, criterion="consent")},
        "no rule for step 3",
    ),
    "half a person": (
        lambda t: {"eligibility_flow": with_row(t["eligibility_flow"], 3, excluded=2.5)},
        "is 2.5, which is no number",
    ),
    "two sizes": (
        lambda t: {**t, "model_fit": t["model_fit"].assign(n=t["model_fit"]["n"] + 1)},
        "in another table",
    ),
    "a sum that is none": (
        lambda t: {"eligibility_flow": with_row(t["eligibility_flow"], 3, excluded=1)},
        "contradict each other",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_no_rule_covers_is_refused(what: str) -> None:
    spoil, message = SPOILED[what]
    with pytest.raises(DisclosureError, match=re.escape(message)):
        disclose(spoil(published("tiny")[1]), MIN_CELL)


@pytest.mark.parametrize("min_cell", [1, 0, -3, True, 9.5])
def test_a_senseless_threshold_is_refused(min_cell: int) -> None:
    with pytest.raises(DisclosureError, match="min_cell is"):
        disclose(published("tiny")[1], min_cell)


# --- Any table of counts --------------------------------------------------------------------

BINS = ("low", "middle", "high", "top")
SCORES = CountTable(
    population="cohort",
    dimensions={
        "utilization_type": {"all": {}, **{kind: {"utilization_type": kind} for kind in TYPES}},
        "score_bin": "score_bin",
    },
    counts={"participants": {}},
    shares={"percent": Share("participants", per=("utilization_type",))},
)
TRANSITIONS = CountTable(
    population="cohort",
    dimensions={"utilization_type": {"all": {}, **{kind: {"utilization_type": kind} for kind in TYPES}}},
    counts={
        "participants": {},
        "stayed_low": {"baseline": "positive", "followup": "positive"},
        "rose": {"baseline": "positive", "followup": "negative"},
        "fell": {"baseline": "negative", "followup": "positive"},
        "stayed_high": {"baseline": "negative", "followup": "negative"},
    },
)
WITH_BINS = {
    **POPULATIONS,
    "cohort": Population({**POPULATIONS["cohort"].attributes, "score_bin": None}, POPULATIONS["cohort"].is_part),
}


def score_table(counts: np.ndarray) -> pd.DataFrame:
    """Counts of shape (types, bins) with the margin over the types; who has nobody has no row."""
    rows = []
    for kind, row in zip((*TYPES, "all"), np.vstack([counts, counts.sum(axis=0)]), strict=True):
        rows += [(kind, name, int(n), 100 * n / row.sum()) for name, n in zip(BINS, row, strict=True) if n]
    return pd.DataFrame(rows, columns=["utilization_type", "score_bin", "participants", "percent"])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 2, 5, 9, 10, 11, 14, 40, 700]), min_size=12, max_size=12).filter(any),
    st.integers(2, 15),
)
def test_any_table_of_counts_is_protected(numbers: list[int], min_cell: int) -> None:
    counts = np.array(numbers).reshape(3, 4)
    table = disclose({"scores": score_table(counts)}, min_cell, rules={"scores": SCORES}, populations=WITH_BINS)[
        "scores"
    ]
    rows, low, high = [], [], []
    seen = {(row["utilization_type"], row["score_bin"]): row for row in table.to_dict("records")}
    for kind, name in product((*TYPES, "all"), BINS):
        cells = np.zeros((3, 4))
        cells[TYPES.index(kind) if kind != "all" else slice(None), BINS.index(name)] = 1
        row = seen.get((kind, name))
        rows.append(cells.ravel())
        n = 0 if row is None else row["participants"]
        low.append(1 if pd.isna(n) else n)
        high.append(np.inf if pd.isna(n) else n)
        if row is not None and not pd.isna(row["percent"]):
            base = np.zeros((3, 4))
            base[TYPES.index(kind) if kind != "all" else slice(None)] = 1
            rows.append((cells - row["percent"] / 100 * base).ravel())
            low.append(-1e-7)
            high.append(1e-7)
    for target, truth in zip(rows[:], [row @ counts.ravel() for row in rows], strict=True):
        if set(np.unique(target)) <= {0.0, 1.0} and 0 < truth < min_cell:
            least, most = integer_bounds(target, np.array(rows), low, high)
            assert least <= truth <= most
            assert most >= min_cell
            assert most - least >= min_cell - 1


def test_a_further_table_is_judged_together_with_the_others() -> None:
    """What Table 1 tells of the same people helps to narrow it down."""
    people, tables = published("unbalanced")
    rows = []
    for kind in ("all", *TYPES):
        group = people if kind == "all" else people[people["utilization_type"] == kind]
        counts = [
            int(((group["baseline"] == before) & (group["followup"] == after)).sum())
            for before in ("positive", "negative")
            for after in ("positive", "negative")
        ]
        rows.append((kind, len(group), *counts))
    transitions = pd.DataFrame(rows, columns=["utilization_type", *TRANSITIONS.counts])
    rules = {**RULES, "wellbeing_transitions": TRANSITIONS}
    disclosed = disclose({**tables, "wellbeing_transitions": transitions}, MIN_CELL, rules=rules)
    attacker = Attacker({name: frame for name, frame in disclosed.items() if name in tables})
    for row in disclosed["wellbeing_transitions"].to_dict("records"):
        column = {} if row["utilization_type"] == "all" else {"utilization_type": row["utilization_type"]}
        for name, where in TRANSITIONS.counts.items():
            attacker.learn(attacker.cohort(**column, **where), row[name])
    judged = 0
    for row in transitions.to_dict("records"):
        column = {} if row["utilization_type"] == "all" else {"utilization_type": row["utilization_type"]}
        for name, where in TRANSITIONS.counts.items():
            if 0 < row[name] < MIN_CELL:
                least, most = attacker.narrow(attacker.cohort(**column, **where))
                assert least <= row[name] <= most
                assert most >= MIN_CELL
                assert most - least >= MIN_CELL - 1
                judged += 1
    assert judged > 0


def test_a_value_that_no_dimension_declares_is_refused() -> None:
    frame = score_table(np.full((3, 4), 20)).replace("both", "neither")
    with pytest.raises(DisclosureError, match=re.escape("scores: no rule for utilization_type 'neither'")):
        disclose({"scores": frame}, MIN_CELL, rules={"scores": SCORES}, populations=WITH_BINS)
    with pytest.raises(DisclosureError, match="no declared attribute score_bin"):
        disclose({"scores": score_table(np.full((3, 4), 20))}, MIN_CELL, rules={"scores": SCORES})


def test_bounds_are_those_of_the_joint_table() -> None:
    """Against every 2 × 2 × 2 table: 3 attributes, of which only pairs are counted together."""
    levels = ("yes", "no")
    population = {"p": Population({"a": levels, "b": levels, "c": levels})}
    known: dict[Count, int] = {
        count("p", a="yes", b="yes"): 2,
        count("p", b="yes", c="yes"): 1,
        count("p", a="yes"): 3,
        count("p"): 5,
    }
    asked = [count("p", c="yes"), count("p", a="no", b="yes"), count("p", a="yes", c="yes")]
    system = CountSystem(population, [*known, *asked])
    tables = [cells for cells in product(range(6), repeat=8) if sum(cells) == 5]
    joint = np.array(tables).reshape(-1, 2, 2, 2)
    fits = (
        (joint[:, 0, 0].sum(axis=1) == 2) & (joint[:, :, 0, 0].sum(axis=1) == 1) & (joint[:, 0].sum(axis=(1, 2)) == 3)
    )
    truths = [
        joint[fits][:, :, :, 0].sum(axis=(1, 2)),
        joint[fits][:, 1, 0].sum(axis=1),
        joint[fits][:, 0, :, 0].sum(axis=1),
    ]
    for one, values in zip(asked, truths, strict=True):
        assert system.bounds(one, known) == (values.min(), values.max())


def test_the_verdict_names_what_is_withheld() -> None:
    _, tables = published("unbalanced")
    verdict = judge(tables, MIN_CELL)
    assert count("cohort", utilization_type="both") in verdict.small
    assert count("cohort", utilization_type="both") in verdict.withheld
    assert Count("cohort") not in verdict.withheld
