"""A study as typed objects: what SQL, Python models, suites, report, disclosure and contracts read of it."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

COVARIATES, ALLIANCE = "covariates", "alliance"
BASELINE, FOLLOWUP = "baseline_score", "followup_score"
CARE = "utilization_type"
"""Who gave the care, a fact that every study has."""
CARE_TYPES = ("teletherapy", "telecoaching", "both")
SEX = "sex"
"""The reported sex, a fact that every study has: two sensitivity analyses are about those who reported none."""
INTERACTION = ":"
LINE_POINTS = 9
"""Points of a line of ``alliance_slopes``."""
SPREAD: Mapping[str, tuple[float, ...]] = {"low": (-1.0,), "mean": (0.0,), "high": (1.0,)}
"""z-scores at which the slope is shown along a number."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_FORM = re.compile(r"\{(\w+):((?:[^{}|]|\{\w+\})*)\|((?:[^{}|]|\{\w+\})*)\}")


@dataclass(frozen=True, slots=True)
class StudyVar:
    """A value that a command may override.

    Attributes:
        name: name of the var.
        sets: the place of the value, keys and ids joined by dots.
        meaning: what it means.
        value: as it is in this build.
        minimum: the smallest whole number that it may be.
        maximum: the largest.
    """

    name: str
    sets: str
    meaning: str
    value: Any
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire; scores are ``points_per_item`` times the sum of its items."""

    id: str
    name: str
    table: str
    items: int
    item_minimum: int
    item_maximum: int
    points_per_item: int
    is_higher_better: bool
    cutoff: int
    improvement: int
    followup_days: int
    band_points: int

    @property
    def lowest(self) -> int:
        """The lowest score."""
        return self.points_per_item * self.items * self.item_minimum

    @property
    def highest(self) -> int:
        """The highest score."""
        return self.points_per_item * self.items * self.item_maximum

    @property
    def scores(self) -> list[int]:
        """Every score that there is, ascending."""
        return list(range(self.lowest, self.highest + 1, self.points_per_item))


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion of eligibility; texts and SQL may name its values in braces.

    Label, phrase and description are worded for its values.

    Attributes:
        id: its name.
        flag: column that answers it.
        label: who is left after it.
        phrase: within the sentence that says who is eligible.
        description: as a sentence.
        condition: SQL over the facts.
        values: numbers by name.
        waits_for: whose rows in quarantine could answer it.
        reasons: SQL conditions with the reasons of a failure; that of the last is none.
        rule: the name under which the audit asks it of the cohort again.
        model: the model whose column ``holds`` answers it, where it has one.
    """

    id: str
    flag: str
    label: str
    phrase: str
    description: str
    condition: str
    values: Mapping[str, int]
    waits_for: str | None
    reasons: tuple[tuple[str | None, str], ...]
    model: str | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a grouping.

    Attributes:
        id: as the grouping's SQL gives it.
        name: in a table; may hold ``{home}``.
        phrase: in a sentence; may hold ``{home}``.
        term: its median in ``inference_results``.
    """

    id: str
    name: str
    phrase: str
    term: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of the cohort whose alliance is compared."""

    id: str
    analysis: str
    label: str
    sql: str
    is_screen: bool
    levels: tuple[Level, ...]
    contrasts: tuple[tuple[str, str], ...]

    @property
    def level_ids(self) -> tuple[str, ...]:
        """The levels as the SQL gives them."""
        return tuple(level.id for level in self.levels)

    def level(self, identity: str) -> Level:
        """Return a level by its id."""
        return next(level for level in self.levels if level.id == identity)


@dataclass(frozen=True, slots=True)
class Correlation:
    """A whole number whose rank correlation with alliance is tested."""

    id: str
    analysis: str
    label: str
    sql: str
    higher: str


@dataclass(frozen=True, slots=True)
class Predictor:
    """A covariate or moderator: a number (``sql``), or a grouping with a 0/1 term for each level but the reference.

    Attributes:
        id: its name in a step.
        label: in tables.
        phrase: in sentences.
        sql: gives whole numbers, or a level of the grouping.
        grouping: the grouping, none of a number.
        reference: the level without a term.
        terms: its terms in ``inference_results``.
    """

    id: str
    label: str
    phrase: str
    sql: str
    grouping: Grouping | None
    reference: str | None
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moderator:
    """The moderator of a regression, and the values at which the slope of alliance is shown.

    Attributes:
        label: in the report: "By …".
        terms: the moderator's own terms.
        levels: by name, the value of each of these terms; z-scores for a number.
    """

    label: str
    terms: tuple[str, ...]
    levels: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Regression:
    """A hierarchical regression on the follow-up score.

    Attributes:
        steps: the terms that each step adds.
        standardized: variables that are z-scored in the estimation sample before the interactions are formed. Without
            variance there is no z-score: a covariate is then aliased, and without the outcome or a factor of an
            interaction there is no model.
    """

    steps: tuple[tuple[str, ...], ...]
    standardized: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """All terms of the last step, in order."""
        return tuple(term for step in self.steps for term in step)

    @property
    def indispensable(self) -> set[str]:
        """The outcome and the factors of the interactions."""
        return {FOLLOWUP, *(factor for term in self.terms if ":" in term for factor in term.split(":"))}


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A row of Table 1: a number, a grouping whose levels are counted, or a condition."""

    id: str
    section: str
    label: str
    number: str | None
    grouping: Grouping | None
    condition: str | None
    percent_of_known: bool
    shows: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Study:
    """A study, as it is built: values that the command line overrides are in it.

    Attributes:
        name: the name of its file, without ending.
        document: the file's content, with overridden values; JSON can hold it.
        overridden: the vars that the command line set, with the values of the file.
        never_null: columns of ``analysis_cohort`` that are never null.
    """

    name: str
    document: Mapping[str, Any] = field(repr=False)
    overridden: Mapping[str, Any] = field(default_factory=dict)
    never_null: tuple[str, ...] = ()

    @classmethod
    def of(cls, definition: str | Mapping[str, Any]) -> Study:
        """The study that dbt hands over: :attr:`definition` or its JSON."""
        found = json.loads(definition) if isinstance(definition, str) else definition
        return cls(str(found["name"]), found["document"], found["overridden"], tuple(found["never_null"]))

    @property
    def definition(self) -> dict[str, Any]:
        """What :meth:`of` reads."""
        return {
            "name": self.name,
            "document": self.document,
            "overridden": dict(self.overridden),
            "never_null": list(self.never_null),
        }

    @cached_property
    def as_written(self) -> Study:
        """The study as its file has it, without what the command line overrides."""
        return with_values(self, self.overridden) if self.overridden else self

    @property
    def title(self) -> str:
        """What the report is called."""
        return str(self.document["title"])

    @property
    def has_printed_figures(self) -> bool:
        """Whether its printed figures are on record."""
        return bool(self.document.get("has_printed_figures"))

    @property
    def start(self) -> dt.date:
        """First day of the window."""
        return dt.date.fromisoformat(str(self.document["window"]["start"]))

    @property
    def end(self) -> dt.date:
        """Last day of the window."""
        return dt.date.fromisoformat(str(self.document["window"]["end"]))

    @property
    def home_country(self) -> str:
        """Whose residents are compared with all others."""
        return str(self.document["home_country"])

    @cached_property
    def vars(self) -> tuple[StudyVar, ...]:
        """The values that a command may override."""
        return tuple(
            StudyVar(
                name, one["sets"], one["meaning"], value_at(self.document, one["sets"]), one.get("minimum"),
                one.get("maximum"),
            )
            for name, one in (self.document.get("vars") or {}).items()
        )  # fmt: skip

    def var_of(self, place: str) -> str | None:
        """Return the var that sets a place, if there is one."""
        return next((var.name for var in self.vars if var.sets == place), None)

    @cached_property
    def instruments(self) -> tuple[Instrument, ...]:
        """All instruments; the first is that of the study's outcome."""
        return tuple(
            Instrument(
                is_higher_better=one["better"] == "higher",
                band_points=one.get("band_points", 1),
                **{key: one[key] for key in _INSTRUMENT_KEYS},
            )
            for one in self.document["instruments"]
        )

    @property
    def outcome(self) -> Instrument:
        """The instrument of the study's outcome."""
        return self.instruments[0]

    @property
    def further_instruments(self) -> tuple[Instrument, ...]:
        """The instruments beside the outcome's."""
        return self.instruments[1:]

    @cached_property
    def criteria(self) -> tuple[Criterion, ...]:
        """The criteria of eligibility in their order."""
        return tuple(
            Criterion(
                one["id"],
                one["flag"],
                worded(one["label"], one.get("values") or {}),
                worded(one.get("phrase", one["label"]), one.get("values") or {}),
                worded(one["description"], one.get("values") or {}),
                f"criterion_{one['id']}" if "model" in one else one["condition"],
                one.get("values") or {},
                one.get("waits_for"),
                tuple((reason.get("if"), reason["reason"]) for reason in one["reasons"]),
                one.get("model"),
                one.get("rule"),
            )
            for one in self.document["eligibility"]
        )

    @property
    def facts(self) -> tuple[Mapping[str, str], ...]:
        """Further facts of a participant: id, sql, type and description."""
        return tuple(self.document.get("facts") or ())

    @cached_property
    def groupings(self) -> tuple[Grouping, ...]:
        """The groups that are compared."""
        return tuple(
            Grouping(
                one["id"],
                one["analysis"],
                one["label"],
                one["sql"],
                bool(one.get("is_screen")),
                tuple(_level(level) for level in one["levels"]),
                tuple((first, second) for first, second in one["contrasts"]),
            )
            for one in self.document["groupings"]
        )

    def grouping(self, identity: str) -> Grouping:
        """Return a grouping by its id."""
        return next(one for one in self.groupings if one.id == identity)

    @cached_property
    def correlations(self) -> tuple[Correlation, ...]:
        """The numbers that are correlated with alliance."""
        return tuple(
            Correlation(one["id"], one["analysis"], one["label"], one["sql"], one.get("higher", f"With {one['label']}"))
            for one in self.document.get("correlations") or ()
        )

    def _predictors(self, key: str) -> tuple[Predictor, ...]:
        found = []
        for one in self.document.get(key) or ():
            grouping = self.grouping(one["grouping"]) if "grouping" in one else None
            terms: tuple[str, ...] = (one["id"],)
            if grouping is not None:
                terms = tuple(level for level in grouping.level_ids if level != one["reference"])
            found.append(
                Predictor(
                    one["id"],
                    one["label"],
                    one.get("phrase", one["label"]),
                    one["sql"] if grouping is None else grouping.sql,
                    grouping,
                    one.get("reference"),
                    terms,
                )
            )
        return tuple(found)

    @cached_property
    def covariates(self) -> tuple[Predictor, ...]:
        """The predictors of every model."""
        return self._predictors("covariates")

    @cached_property
    def moderators(self) -> tuple[Predictor, ...]:
        """What the association may depend on, beside the baseline."""
        return self._predictors("moderators")

    @cached_property
    def predictors(self) -> Mapping[str, Predictor]:
        """Covariates and moderators by id."""
        return {one.id: one for one in (*self.covariates, *self.moderators)}

    @cached_property
    def covariate_terms(self) -> tuple[str, ...]:
        """The terms of all covariates."""
        return tuple(itertools.chain.from_iterable(one.terms for one in self.covariates))

    @cached_property
    def sex_terms(self) -> tuple[str, ...]:
        """The terms of the covariate that is the reported sex; none if the study has no such covariate."""
        return tuple(itertools.chain.from_iterable(one.terms for one in self.covariates if one.sql == SEX))

    @cached_property
    def predictors_but_sex(self) -> Mapping[str, str]:
        """The SQL of everything that a participant of the models may not miss, apart from the reported sex."""
        every = {**{name: one.sql for name, one in self.factors.items()}, **self.numbers}
        return {name: sql for name, sql in every.items() if sql != SEX}

    @cached_property
    def asks_sex(self) -> bool:
        """Whether who reported no sex is left out of the models."""
        return any(one.sql == SEX for one in self.predictors.values())

    @cached_property
    def numbers(self) -> Mapping[str, str]:
        """Whole-number variables of the models and their SQL: covariates, baseline, follow-up, moderators."""
        return {
            **{one.id: one.sql for one in self.covariates if one.grouping is None},
            BASELINE: BASELINE,
            FOLLOWUP: FOLLOWUP,
            **{one.id: one.sql for one in self.moderators if one.grouping is None},
        }

    @cached_property
    def factors(self) -> Mapping[str, Grouping]:
        """Groupings whose levels are terms of the models, by id: covariates first."""
        return {one.grouping.id: one.grouping for one in self.predictors.values() if one.grouping is not None}

    @cached_property
    def dummies(self) -> Mapping[str, tuple[str, str]]:
        """0/1 terms: the grouping, and its level for which the term is 1."""
        return {
            term: (one.grouping.id, term)
            for one in self.predictors.values()
            if one.grouping is not None
            for term in one.terms
        }

    def expand(self, word: str) -> tuple[str, ...]:
        """Return the terms that a word of a step stands for."""
        if word == COVARIATES:
            return self.covariate_terms
        alliance, _, name = word.rpartition(INTERACTION)
        terms = self.predictors[name].terms if name in self.predictors else (name,)
        return tuple(f"{alliance}{INTERACTION}{term}" for term in terms) if alliance else terms

    @cached_property
    def regressions(self) -> Mapping[str, Regression]:
        """The models by their analysis."""
        found = {}
        for model in self.document["models"]:
            steps = tuple(tuple(term for word in step for term in self.expand(word)) for step in model["steps"])
            standardized: tuple[str, ...] = ()
            if "moderator" in model:
                in_model = {factor for step in steps for term in step for factor in term.split(INTERACTION)}
                first = (*(name for name in self.numbers if name in self.covariate_terms), BASELINE, ALLIANCE)
                others = tuple(name for name in self.numbers if name not in first and name != FOLLOWUP)
                standardized = (FOLLOWUP, *(name for name in (*first, *others) if name in in_model))
            found[model["analysis"]] = Regression(steps, standardized)
        return found

    @property
    def main_model(self) -> str:
        """The analysis of the first model, that of Aim 3."""
        return next(iter(self.regressions))

    @cached_property
    def moderations(self) -> Mapping[str, Moderator]:
        """The moderators by the analysis of their model."""
        found = {}
        for model in self.document["models"]:
            name = model.get("moderator")
            if name is None:
                continue
            predictor = self.predictors.get(name)
            if predictor is None or predictor.grouping is None:
                label = "baseline well-being" if predictor is None else predictor.phrase
                found[model["analysis"]] = Moderator(label, (name,), SPREAD)
            else:
                at = {
                    level: tuple(float(term == level) for term in predictor.terms)
                    for level in predictor.grouping.level_ids
                }
                found[model["analysis"]] = Moderator(predictor.phrase, predictor.terms, at)
        return found

    @cached_property
    def table_1(self) -> tuple[Characteristic, ...]:
        """The rows of Table 1, in the report's order."""
        return tuple(
            Characteristic(
                one["id"],
                one["section"],
                one["label"],
                one.get("number"),
                self.grouping(one["grouping"]) if "grouping" in one else None,
                one.get("condition"),
                one.get("percent_of") == "known",
                tuple(one.get("shows") or ()),
                one.get("note", ""),
            )
            for one in self.document["table_1"]
        )

    @cached_property
    def term_labels(self) -> Mapping[str, str]:
        """Every term of the models as the report names it."""
        found = {"(Intercept)": "(Intercept)", BASELINE: "Baseline well-being", ALLIANCE: "Alliance score"}
        for one in self.predictors.values():
            if one.grouping is None:
                found[one.id] = one.label
            else:
                for term in one.terms:
                    name = one.grouping.level(term).name
                    is_covariate = one in self.covariates
                    found[term] = f"{one.label} ({name})" if is_covariate else name[:1].upper() + name[1:]
        for term in [term for one in self.regressions.values() for term in one.terms if INTERACTION in term]:
            of = found[term.partition(INTERACTION)[2]]
            found[term] = f"Alliance × {of[:1].lower() + of[1:]}"
        return found

    def analyses(self) -> list[str]:
        """Every analysis of ``inference_results``, in its order."""
        two = [one for one in self.groupings if len(one.levels) == 2]
        more = [one for one in self.groupings if len(one.levels) > 2]
        return [
            "alliance_reliability",
            "alliance_group_medians",
            *(one.analysis for one in self.correlations),
            *(one.analysis for one in two),
            *itertools.chain.from_iterable((one.analysis, f"{one.analysis}_dunn") for one in more),
            "wellbeing_change",
            "wellbeing_change_group_means",
            "wellbeing_change_by_utilization",
            "wellbeing_change_by_utilization_tukey",
            "clinical_recovery",
            "clinical_improvement",
            *self.regressions,
        ]


_INSTRUMENT_KEYS = (
    *("id", "name", "table", "items", "item_minimum", "item_maximum", "points_per_item"),
    *("cutoff", "improvement", "followup_days"),
)


def _level(level: Mapping[str, str]) -> Level:
    name = level.get("name", level["id"])
    return Level(level["id"], name, level.get("phrase", name), level.get("term", level["id"]))


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with the names in braces replaced by their values; names that have none stay."""
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), text)


def placeholders(text: str) -> list[str]:
    """Return the names in braces of a text."""
    return _PLACEHOLDER.findall(text)


def worded(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with each ``{name:words|other words}`` replaced: by the first words if the value is 1."""
    return _FORM.sub(lambda match: match[2] if values.get(match[1]) == 1 else match[3], text)


def forms(text: str) -> list[str]:
    """Return the names whose values :func:`worded` asks for."""
    return [match[1] for match in _FORM.finditer(text)]


def has_other_braces(text: str) -> bool:
    """Whether a text has braces that are neither a name nor two wordings."""
    return bool(re.search("[{}]", _PLACEHOLDER.sub("", _FORM.sub("", text))))


def steps_to(document: Any, place: str) -> tuple[str | int, ...] | None:
    """Return the keys and positions of a place that is written with ids, ``eligibility.adult.values.age``."""
    found: list[str | int] = []
    node = document
    for word in place.split("."):
        if isinstance(node, list):
            i = next((i for i, one in enumerate(node) if isinstance(one, dict) and one.get("id") == word), None)
            if i is None:
                return None
            found.append(i)
            node = node[i]
        elif isinstance(node, dict) and word in node:
            found.append(word)
            node = node[word]
        else:
            return None
    return None if isinstance(node, (dict, list)) else tuple(found)


def value_at(document: Any, place: str) -> Any:
    """Return the value of a place that is written with ids; none if it is not there."""
    steps = steps_to(document, place)
    if steps is None:
        return None
    node = document
    for step in steps:
        node = node[step]
    return node


def with_values(study: Study, values: Mapping[str, Any]) -> Study:
    """Return a study with other values for some of its vars; ``overridden`` holds those that it had."""
    given = [var for var in study.vars if var.name in values]
    content: Any = copy.deepcopy(dict(study.document))
    for var in given:
        value, steps = values[var.name], steps_to(content, var.sets)
        if steps is None:
            continue
        node = content
        for step in steps[:-1]:
            node = node[step]
        node[steps[-1]] = value if isinstance(value, (int, str)) else str(value)
    return Study(study.name, content, {var.name: var.value for var in given}, study.never_null)
