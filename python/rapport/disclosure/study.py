"""The rules of the study's tables: whom they count, and what their figures give away.

To publish a further table of counts, add a :class:`CountTable` to :func:`rules`, and the attributes that it uses to
:func:`populations`; see the package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import Count, DisclosureError, Population, Where, count
from rapport.disclosure.providers import ProviderAlliance
from rapport.disclosure.rules import CountTable, Figure, Reading, Rule, Share, number_of, text_of
from rapport.disclosure.sensitivity import GRID_ATTRIBUTES, SensitivityResults, Trajectory
from rapport.disclosure.service import ServiceMonthly, ServiceSignals
from rapport.providers import TABLE as PROVIDER_ALLIANCE
from rapport.studies import CARE, CARE_TYPES, Grouping, Predictor, Study
from rapport.study import HOLDS, MISSING, PARTICIPANTS, TUKEY_CONTRASTS, UTILIZATION_TYPES, table_1_levels

NONE_FAILED: Final = "none"
NUMERIC_STATISTICS: Final = ("n", "mean", "sd", "median", "min", "max", "p5", "p95")

EVERYONE: Final = Count("everyone")
"""The participants of ``marts.eligibility``."""
COHORT: Final = Count("cohort")
"""The participants of ``marts.analysis_cohort``."""
POSITIVE: Final = count("cohort", baseline="positive")
_EFFECT: Final = ("effect_size", "effect_size_low", "effect_size_high")
_SCREEN: Final = "baseline"
_OF_EVERY_STUDY: Final[Mapping[str, tuple[str, ...] | None]] = {
    _SCREEN: ("positive", "negative"),
    "followup": ("positive", "negative"),
    "improved": ("yes", "no"),
    "both_items": ("yes", "no"),
    "baseline_band": None,
    "followup_band": None,
}


def attribute(grouping: Grouping) -> str:
    """Return the attribute of the cohort that a grouping divides it by."""
    return _SCREEN if grouping.is_screen else grouping.id


def _known(name: str) -> str:
    """The attribute that says whether a number is known."""
    return f"{name}_known"


def _holds(name: str) -> str:
    """The attribute that says whether a condition of Table 1 holds."""
    return f"{name}_holds"


def _levels(grouping: Grouping) -> tuple[str, ...]:
    """The levels of a grouping's attribute: beside its own, that of those whose level is unknown."""
    return grouping.level_ids if grouping.is_screen or grouping.id == CARE else (*grouping.level_ids, MISSING)


@dataclass(frozen=True, slots=True)
class Screen:
    """The attributes of the cohort that an instrument divides it by; those of the outcome's are the cohort's own."""

    baseline: str = _SCREEN
    followup: str = "followup"
    improved: str = "improved"

    @classmethod
    def of(cls, study: Study, instrument: str) -> Screen:
        """The attributes of an instrument."""
        if instrument == study.outcome.id:
            return cls()
        return cls(f"{instrument}_baseline", f"{instrument}_followup", f"{instrument}_improved")

    @property
    def positive(self) -> Count:
        """Who screened positive at baseline."""
        return COHORT.narrow({self.baseline: "positive"})

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Its attributes: not everybody of the cohort has a baseline and a follow-up of a further instrument."""
        return {
            self.baseline: ("positive", "negative", MISSING),
            self.followup: ("positive", "negative", MISSING),
            self.improved: ("yes", "no", MISSING),
        }


def populations(study: Study) -> Mapping[str, Population]:
    """Return the people that the rules of a study's tables count, and their attributes."""
    groups = {attribute(one): _levels(one) for one in study.groupings if not one.is_screen and one.id != CARE}
    numbers = [one.id for one in study.table_1 if one.number is not None] + [one.id for one in study.correlations]
    conditions = [one.id for one in study.table_1 if one.condition is not None]
    further = {
        name: levels for one in study.further_instruments for name, levels in Screen.of(study, one.id).levels.items()
    }
    return {
        "everyone": Population(
            {
                "first_failed": (*(one.id for one in study.criteria), NONE_FAILED),
                "quarantined": ("yes", "no"),
                "reason": None,
            }
        ),
        # Participants in quarantine themselves are in no other table.
        "kept_out": Population(),
        "cohort": Population(
            {
                "utilization_type": CARE_TYPES,
                **groups,
                **_OF_EVERY_STUDY,
                **further,
                **GRID_ATTRIBUTES,
                **{_known(name): ("yes", "no") for name in (*numbers, "predictors")},
                **{_holds(name): ("yes", "no") for name in conditions},
            },
            is_part=count("everyone", first_failed=NONE_FAILED),
        ),
        # Ratings, not people; protected all the same.
        "ratings": Population(),
    }


def sample(study: Study, screen: Screen | None = None) -> Count:
    """Return whom the regressions are about: who screened positive and misses no predictor."""
    found = (screen or Screen()).positive
    for one in study.factors.values():
        if not one.is_screen and one.id != CARE:
            found = found.narrow({attribute(one): one.level_ids})
    numbers = [sql for sql in study.numbers.values() if sql not in study.never_null]
    return found.narrow({_known("predictors"): "yes"}) if numbers else found


@dataclass(frozen=True, slots=True)
class EligibilityFlow:
    """``marts.eligibility_flow``: who is still in after a criterion, and whom it excluded."""

    criteria: tuple[str, ...]
    labels: tuple[str, ...] = ("step", "criterion")
    figures: tuple[str, ...] = ("participants", "excluded", "quarantined")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Every figure is a count."""
        reading = Reading(table)
        order = ("all", *self.criteria)
        for i, row in enumerate(frame.to_dict("records")):
            step, criterion = number_of(row["step"]), text_of(row["criterion"])
            if criterion not in order or step != order.index(criterion):
                raise DisclosureError(f"{table}: no rule for step {row['step']}, criterion {criterion!r}")
            counts = {"participants": EVERYONE.narrow({"first_failed": (*self.criteria[int(step) :], NONE_FAILED)})}
            if criterion == "all":
                counts["participants"], counts["quarantined"] = EVERYONE, Count("kept_out")
                if number_of(row["excluded"]):
                    raise DisclosureError(f"{table}: step 0 excludes nobody, and excluded is {row['excluded']}")
            else:
                counts["excluded"] = EVERYONE.narrow({"first_failed": criterion})
                counts["quarantined"] = counts["excluded"].narrow({"quarantined": "yes"})
            for column, one in counts.items():
                reading.give(one, row[column])
                reading.figures.append(Figure(i, column, (one,)))
        return reading


@dataclass(frozen=True, slots=True)
class Table1:
    """``marts.table_1``: one figure a row.

    Attributes:
        counted: variable and level: the condition of its n, and that of the base of its percent.
        numbers: variables that are numbers.
    """

    counted: Mapping[tuple[str, str | None], tuple[Where, Where]]
    numbers: tuple[str, ...]
    labels: tuple[str, ...] = ("variable", "level", "utilization_type", "statistic")
    figures: tuple[str, ...] = ("value",)

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Counts, percentages of a known base, and statistics that belong to the n of their variable.

        The mean of whole numbers over an unknown n gives the n (its denominator), and with the other columns the sum
        of those that are missing; so every statistic goes with its n.
        """
        reading = Reading(table)
        rows = frame.to_dict("records")
        n = {
            (str(row["variable"]), str(row["utilization_type"])): number_of(row["value"])
            for row in rows
            if row["statistic"] == "n" and text_of(row["level"]) is None
        }
        shares: list[tuple[Count, Count, float]] = []
        for i, row in enumerate(rows):
            variable, level = str(row["variable"]), text_of(row["level"])
            column, statistic, value = str(row["utilization_type"]), str(row["statistic"]), row["value"]
            if column != "total" and column not in UTILIZATION_TYPES:
                raise DisclosureError(f"{table}: no rule for utilization_type {column!r}")
            group = COHORT if column == "total" else COHORT.narrow({"utilization_type": column})
            is_number = variable in self.numbers and level is None
            counts = ({}, {}) if is_number else self.counted.get((variable, level))
            if counts is None or statistic not in (NUMERIC_STATISTICS if is_number else ("n", "percent")):
                raise DisclosureError(f"{table}: no rule for {variable}, level {level}, statistic {statistic}")
            if is_number and n.get((variable, column)) != n.get((PARTICIPANTS, column)):
                counts = ({_known(variable): "yes"}, {})
            one = group.narrow(counts[0])
            base = COHORT if variable == PARTICIPANTS else group.narrow(counts[1])
            if statistic == "n":
                reading.give(one, value)
            elif statistic == "percent" and (percent := number_of(value)):
                shares.append((one, base, percent))
            reading.figures.append(Figure(i, "value", (one, base) if statistic == "percent" else (one,)))
        # The percent of a number that is known tells its base.
        for one, base, percent in shares:
            if number := reading.counts.get(one):
                reading.give(base, 100.0 * number / percent)
        return reading


def _counted(study: Study) -> dict[tuple[str, str | None], tuple[Where, Where]]:
    """The counted rows of a study's Table 1; see :class:`Table1`."""
    rows = {one.id: one for one in study.table_1}
    found: dict[tuple[str, str | None], tuple[Where, Where]] = {}
    for variable, level, _ in table_1_levels(study):
        row = rows.get(variable)
        if row is None:
            found[variable, level] = ({}, {})
        elif row.grouping is not None:
            name = attribute(row.grouping)
            known = {name: row.grouping.level_ids} if row.percent_of_known else {}
            found[variable, level] = ({name: str(level)}, known)
        else:
            is_screen = row.condition == "screened_positive"
            where = {_SCREEN: "positive"} if is_screen else {_holds(variable): "yes"}
            found[variable, None if level == HOLDS else level] = (where, {})
    return found


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of ``inference_results``.

    Attributes:
        n: what column ``n`` counts.
        fills: the figures that its method may fill, beside ``n`` and ``note``.
        groups: the groups that are compared; with the figures and some of the groups the others could be told.
        hits: the count of which ``estimate`` is the share in ``n``.
    """

    n: Count
    fills: tuple[str, ...]
    groups: tuple[Count, ...] = ()
    hits: Count | None = None


def _pair(of: Count, first: str, second: str) -> tuple[Count, tuple[Count, ...]]:
    """Those of two utilization types, together and apart."""
    together = of.narrow({"utilization_type": (first, second)})
    return together, tuple(of.narrow({"utilization_type": name}) for name in (first, second))


def _findings(study: Study) -> dict[tuple[str, str], Finding]:
    """The rows of ``inference_results`` of a study."""
    tests = ("statistic", "df", "df_residual", "p_value", *_EFFECT)
    found = {
        ("alliance_reliability", "participant_means"): Finding(COHORT.narrow({"both_items": "yes"}), ("estimate",)),
        ("alliance_reliability", "session_ratings"): Finding(Count("ratings"), ("estimate",)),
        ("alliance_group_medians", "total"): Finding(COHORT, ("estimate",)),
    }
    for one in study.correlations:
        everyone = COHORT if one.sql in study.never_null else COHORT.narrow({_known(one.id): "yes"})
        found[one.analysis, one.id] = Finding(everyone, ("estimate", "statistic", "df", "p_value", *_EFFECT))
    for grouping in study.groupings:
        found |= _compared(grouping, tests)
    return found | _outcome_findings(study, Screen())


def _outcome_findings(study: Study, screen: Screen) -> dict[tuple[str, str], Finding]:
    """Aims 2 and 3 of an instrument."""
    positive = screen.positive
    positive_by_type = tuple(positive.narrow({"utilization_type": name}) for name in UTILIZATION_TYPES)
    interval = ("estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high", *_EFFECT)
    tests = ("statistic", "df", "df_residual", "p_value", *_EFFECT)
    found = {
        ("wellbeing_change", "followup - baseline"): Finding(positive, interval),
        ("wellbeing_change_by_utilization", "utilization_type"): Finding(positive, tests, positive_by_type),
        ("clinical_recovery", "screened_positive"): Finding(
            positive, ("estimate", "ci_low", "ci_high"), hits=positive.narrow({screen.followup: "negative"})
        ),
        ("clinical_improvement", "screened_positive"): Finding(
            positive, ("estimate", "ci_low", "ci_high"), hits=positive.narrow({screen.improved: "yes"})
        ),
    }
    for first, second in TUKEY_CONTRASTS:
        n, groups = _pair(positive, first, second)
        found["wellbeing_change_by_utilization_tukey", f"{first} - {second}"] = Finding(
            n, (*interval, "df_residual", "p_adjusted"), (*groups, positive)
        )
    for name in ("d_z", "d_rm", "d_av", "percent_change"):
        found["wellbeing_change", name] = Finding(positive, ("estimate", *_EFFECT))
    for name, group in zip(UTILIZATION_TYPES, positive_by_type, strict=True):
        found["wellbeing_change_group_means", name] = Finding(group, interval)
    for analysis, regression in study.regressions.items():
        for term in ("(Intercept)", *regression.terms):
            found[analysis, term] = Finding(sample(study, screen), _COEFFICIENT)
    return found


def _compared(grouping: Grouping, tests: tuple[str, ...]) -> dict[tuple[str, str], Finding]:
    """The medians of a grouping's levels and the tests between them."""
    name, ids = attribute(grouping), grouping.level_ids
    groups = {level: COHORT.narrow({name: level}) for level in ids}
    known = COHORT if grouping.id == CARE else COHORT.narrow({name: ids})
    found = {
        ("alliance_group_medians", level.term): Finding(groups[level.id], ("estimate",)) for level in grouping.levels
    }
    if len(ids) == 2:
        [(first, second)] = grouping.contrasts
        found[grouping.analysis, f"{first} - {second}"] = Finding(
            COHORT.narrow({name: (first, second)}),
            ("estimate", "statistic", "p_value", *_EFFECT),
            (groups[first], groups[second]),
        )
        return found
    found[grouping.analysis, grouping.id] = Finding(known, tests, tuple(groups.values()))
    for first, second in grouping.contrasts:
        found[f"{grouping.analysis}_dunn", f"{first} - {second}"] = Finding(
            COHORT.narrow({name: (first, second)}),
            ("estimate", "std_error", "statistic", "p_value", "p_adjusted"),
            (groups[first], groups[second], known),
        )
    return found


_COEFFICIENT: Final = (
    *("estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic"),
    *("df", "df_residual", "p_value", "ci_low", "ci_high", "effect_size"),
)


def _ones_of(predictor: Predictor, screen: Screen) -> dict[str, Count]:
    """Terms of a predictor that are 0 or 1: of which count their ones are a part."""
    if predictor.grouping is None:
        return {}
    of = screen.positive if predictor.grouping.id == CARE else COHORT
    return {term: of.narrow({attribute(predictor.grouping): term}) for term in predictor.terms}


UNPRINTED_MARGIN: Final = 5
"""How much larger than ``min_cell`` a group has to be that no table counts."""


@dataclass(frozen=True, slots=True)
class InferenceResults:
    """``marts.inference_results``: tests, contrasts and coefficients."""

    study: Study
    findings: Mapping[tuple[str, str], Finding]
    screen: Screen = Screen()
    labels: tuple[str, ...] = (*("analysis", "term", "method", "estimate_name", "statistic_name", "effect_size_name"),)
    figures: tuple[str, ...] = (
        *("n", "estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic", "df"),
        *(
            "df_residual",
            "p_value",
            "p_adjusted",
            "ci_low",
            "ci_high",
            "effect_size",
            "effect_size_low",
            "effect_size_high",
        ),
        "note",
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """A row stays or goes as a whole: any figure of a test may tell its n and the groups that it compares.

        A full-precision P of ranks has one solution for the size of a group; and if a median could stay where its n
        goes, the one that goes too would be known to be of few people.
        """
        reading = Reading(table)
        rows = frame.to_dict("records")
        for i, row in enumerate(rows):
            analysis, term = str(row["analysis"]), str(row["term"])
            finding = self.findings.get((analysis, term))
            if finding is None:
                raise DisclosureError(f"{table}: no rule for {analysis}, {term}")
            covered = ("n", "note", *finding.fills)
            if strays := [name for name in self.figures if name not in covered and number_of(row[name]) is not None]:
                raise DisclosureError(f"{table}: {analysis}, {term}: no rule for {', '.join(strays)}")
            reading.give(finding.n, row["n"])
            given: tuple[Count, ...] = (finding.n, *finding.groups)
            n, estimate = number_of(row["n"]), number_of(row["estimate"])
            if finding.hits is not None:
                given = (*given, finding.hits)
                if n is not None and estimate is not None:
                    reading.give(finding.hits, n * estimate)
            about = (finding.n, *finding.groups)
            reading.figures += [Figure(i, name, given, about) for name in covered]
        self._read_dummies(reading, rows, min_cell)
        self._read_ranks(reading, rows)
        return reading

    def _read_dummies(self, reading: Reading, rows: Sequence[Mapping[Any, object]], min_cell: int) -> None:
        """Hide what tells of few people in the coefficients of 0/1 terms.

        β ÷ (b ÷ sd(y)) is the SD of the term, and with p = m/n of m ones among n: sd² (n − 1)/n = p(1 − p). So β counts
        the ones, up to m and n − m, and is never shown. Both numbers are judged, and of the terms of one grouping what
        they leave for its reference. No table prints them, and so nothing else can be withheld in their stead: if one
        is below ``min_cell`` + :data:`UNPRINTED_MARGIN`, the rows of the term go, and whoever sees that they are gone
        still thinks ``min_cell`` or more possible. The terms of a moderator share their model with its interactions:
        one that is too small takes the whole analysis with it. So does a utilization type of which few who screened
        positive miss a predictor: the errors of its terms and its line bound how many do not.
        """
        least = min_cell + UNPRINTED_MARGIN
        regressions, predictors = self.study.regressions, self.study.predictors.values()
        ones_of = {term: of for one in predictors for term, of in _ones_of(one, self.screen).items()}
        of_moderators = {term for analysis, one in self.study.moderations.items() for term in one.terms}
        sizes: dict[tuple[str, str], tuple[int, float]] = {}
        small: set[tuple[str, str]] = set()
        for row in rows:
            analysis, term = str(row["analysis"]), str(row["term"])
            if analysis not in regressions or term not in ones_of:
                continue
            n = number_of(row["n"])
            beta, b = number_of(row["standardized_estimate"]), number_of(row["y_standardized_estimate"])
            if n is None or beta is None or b is None or b == 0:
                continue
            ones = _ones(n, beta / b)
            if ones is None or min(ones, n - ones) < least:
                small.add((analysis, term))
            else:
                sizes[analysis, term] = (ones, n)
        for analysis in regressions:
            for one in predictors:
                held = [sizes[analysis, term] for term in one.terms if (analysis, term) in sizes]
                is_whole = one.grouping is not None and len(held) == len(one.terms) > 1 and one.grouping.id != CARE
                if is_whole and held[0][1] - sum(ones for ones, _ in held) < least:
                    small |= {(analysis, term) for term in one.terms}
        with_small_type = {analysis for analysis, term in small if term in of_moderators}
        with_small_type |= self._with_few_missing(rows, sizes, min_cell)
        for k, figure in enumerate(reading.figures):
            analysis, term = str(rows[figure.row]["analysis"]), str(rows[figure.row]["term"])
            if analysis not in regressions:
                continue
            dummies = [name for name in term.split(":") if name in ones_of]
            reading.figures[k] = replace(
                figure,
                about=(*figure.about, *(ones_of[name] for name in dummies)),
                hidden=analysis in with_small_type
                or any((analysis, name) in small for name in dummies)
                or (bool(dummies) and figure.column == "standardized_estimate"),
            )

    def _with_few_missing(
        self,
        rows: Sequence[Mapping[Any, object]],
        sizes: Mapping[tuple[str, str], tuple[int, float]],
        min_cell: int,
    ) -> set[str]:
        """Return the analyses of whose utilization types few who screened positive are not in the regressions."""
        positive = {
            str(row["term"]): number_of(row["n"]) for row in rows if row["analysis"] == "wellbeing_change_group_means"
        }
        found = set()
        for analysis in self.study.regressions:
            for one in self.study.predictors.values():
                if one.grouping is None or one.grouping.id != CARE or (analysis, one.terms[0]) not in sizes:
                    continue
                ones = {term: sizes[analysis, term][0] for term in one.terms if (analysis, term) in sizes}
                [reference] = set(UTILIZATION_TYPES) - set(one.terms)
                ones[reference] = round(sizes[analysis, one.terms[0]][1]) - sum(ones.values())
                missing = [(positive.get(name) or 0) - number for name, number in ones.items()]
                if any(0 < number < min_cell for number in missing):
                    found.add(analysis)
        return found

    def _read_ranks(self, reading: Reading, rows: Sequence[Mapping[Any, object]]) -> None:
        """Let the figures of an analysis with aliased terms be about the groups of its 0/1 terms."""
        regressions = self.study.regressions
        aliased = {
            str(row["analysis"])
            for row in rows
            if row["analysis"] in regressions and _is_aliased(row, len(regressions[str(row["analysis"])].terms))
        }
        for k, figure in enumerate(reading.figures):
            analysis = str(rows[figure.row]["analysis"])
            if analysis in aliased:
                about = (*figure.about, *model_groups(self.study, regressions[analysis].terms, self.screen))
                reading.figures[k] = replace(figure, about=about)


def _is_aliased(row: Mapping[Any, object], terms: int) -> bool:
    """Whether the residual degrees of freedom say that fewer than all terms and the intercept were estimated.

    A group of one member has no slope of its own: the loss of it would tell.
    """
    n, df_residual = number_of(row["n"]), number_of(row["df_residual"])
    return n is not None and df_residual is not None and df_residual != n - terms - 1


def model_groups(study: Study, terms: Sequence[str], screen: Screen | None = None) -> tuple[Count, ...]:
    """Return the groups in the regressions' sample that a model of these terms tells apart."""
    groups: list[Count] = []
    for one in study.predictors.values():
        if one.grouping is not None and set(one.terms) & set(terms):
            of = sample(study, screen) if one.grouping.id == CARE else (screen or Screen()).positive
            groups += [of.narrow({attribute(one.grouping): level}) for level in one.grouping.level_ids]
    return tuple(groups)


def _ones(n: float, sd: float) -> int | None:
    """How many of n values are 1 if all others are 0 and the SD is ``sd``; the smaller solution, ``None`` if none."""
    square = 1 - 4 * sd**2 * (n - 1) / n
    if square < -1e-9:
        return None
    ones = n * (1 - math.sqrt(max(square, 0.0))) / 2
    return round(ones) if abs(ones - round(ones)) < 1e-4 else None


@dataclass(frozen=True, slots=True)
class ModelFit:
    """``marts.model_fit``: all figures belong to the n of the regressions."""

    study: Study
    screen: Screen = Screen()
    labels: tuple[str, ...] = ("analysis", "step", "terms")
    figures: tuple[str, ...] = (
        *("n", "r_squared", "delta_r_squared", "f_change", "df", "df_residual", "p_value", "model_p_value", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """R², F and its degrees of freedom give n, and so does P with F."""
        reading, everyone = Reading(table), sample(self.study, self.screen)
        for i, row in enumerate(frame.to_dict("records")):
            regression = self.study.regressions.get(row["analysis"])
            if regression is None:
                raise DisclosureError(f"{table}: no rule for analysis {row['analysis']}")
            terms = str(row["terms"]).split(" + ")
            if unknown := [term for term in terms if term not in regression.terms]:
                raise DisclosureError(f"{table}: {row['analysis']}: no rule for term {', '.join(unknown)}")
            reading.give(everyone, row["n"])
            about = (everyone, *(model_groups(self.study, terms, self.screen) if _is_aliased(row, len(terms)) else ()))
            reading.figures += [Figure(i, column, (everyone,), about) for column in self.figures]
        return reading


@dataclass(frozen=True, slots=True)
class Transitions:
    """``marts.wellbeing_transitions``: the lowest band is that of the positive screen."""

    labels: tuple[str, ...] = ("baseline_from", "baseline_to", "followup_from", "followup_to")
    figures: tuple[str, ...] = ("participants", "percent")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Read a table of counts whose bands refine the screen at both measurements."""
        bands = sorted({0, *(int(value) for when in _WHEN for value in frame[f"{when}_from"])})
        rule = CountTable(
            population="cohort",
            dimensions={f"{when}_from": {str(band): _band(when, band) for band in bands} for when in _WHEN},
            counts={"participants": {}},
            shares={"percent": Share("participants", per=("baseline_from",))},
            other_labels=("baseline_to", "followup_to"),
        )
        reading = rule.read(table, frame, min_cell)
        for when in _WHEN:
            reading.levels[("cohort", f"{when}_band")] = {str(band) for band in bands}
            for band in bands:
                other = "negative" if band == 0 else "positive"
                reading.give(Count("cohort").narrow({when: other, f"{when}_band": str(band)}), 0)
        return reading


_WHEN: Final = ("baseline", "followup")


def _band(when: str, band: int) -> Mapping[str, str]:
    return {when: "positive" if band == 0 else "negative", f"{when}_band": str(band)}


@dataclass(frozen=True, slots=True)
class Slopes:
    """``marts.alliance_slopes``: figures are about the sample of the regressions and the groups that are compared."""

    study: Study
    labels: tuple[str, ...] = ("analysis", "level", "position")
    figures: tuple[str, ...] = (
        *("n", "alliance_score", "predicted", "ci_low", "ci_high", "slope", "slope_ci_low", "slope_ci_high", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """A line belongs to n; a model without some of its lines is about every group that it tells apart."""
        reading, everyone = Reading(table), sample(self.study)
        partial = {row["analysis"] for row in frame.to_dict("records") if number_of(row["slope"]) is None}
        factors = {term: one.grouping for one in self.study.predictors.values() for term in one.terms}
        for i, row in enumerate(frame.to_dict("records")):
            moderator = self.study.moderations.get(row["analysis"])
            if moderator is None:
                raise DisclosureError(f"{table}: no rule for analysis {row['analysis']}")
            reading.give(everyone, row["n"])
            of_moderator = factors.get(moderator.terms[0])
            groups: tuple[Count, ...] = ()
            if row["analysis"] in partial:
                groups = model_groups(self.study, self.study.regressions[row["analysis"]].terms)
            elif of_moderator is not None:
                groups = tuple(POSITIVE.narrow({attribute(of_moderator): level}) for level in of_moderator.level_ids)
            about = (everyone, *groups)
            reading.figures += [Figure(i, column, (everyone,), about) for column in self.figures]
        return reading


@dataclass(frozen=True, slots=True)
class Distribution:
    """``marts.alliance_distribution``: bars of a type; one that does not stand is merged, never left as a gap."""

    labels: tuple[str, ...] = ("utilization_type", "score_from", "score_to")
    figures: tuple[str, ...] = ("participants", "percent")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Together the bars of a type are its participants."""
        reading = Reading(table)
        if unknown := set(frame["utilization_type"]) - set(UTILIZATION_TYPES):
            raise DisclosureError(f"{table}: no rule for utilization_type {', '.join(sorted(map(repr, unknown)))}")
        for name in UTILIZATION_TYPES:
            rows = [i for i, value in enumerate(frame["utilization_type"]) if value == name]
            of_type = COHORT.narrow({"utilization_type": name})
            reading.give(of_type, int(sum(frame["participants"].iloc[i] for i in rows)))
            reading.figures += [Figure(i, column, (of_type,)) for i in rows for column in self.figures]
        return reading


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """``marts.source_summary``: what became of the rows of each table; those of participants are people."""

    labels: tuple[str, ...] = ("table_name", "first_event_on", "last_event_on", "last_loaded_at")
    figures: tuple[str, ...] = ("delivered", "erased", "superseded", "quarantined", "used")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Rows delivered are those in use and the three parts that were left out: a small part goes with the sum."""
        reading = Reading(table)
        for i, row in enumerate(frame.to_dict("records")):
            of_people = row["table_name"] == "participants"
            counts = {"used": EVERYONE, "quarantined": Count("kept_out")} if of_people else {}
            for column, one in counts.items():
                reading.give(one, row[column])
            few = {
                column
                for column in ("erased", "superseded", "quarantined")
                if 0 < (number_of(row[column]) or 0) < min_cell + UNPRINTED_MARGIN
            }
            if few:
                few.add("delivered")
            if not of_people and 0 < (number_of(row["used"]) or 0) < min_cell:
                few |= {"used", "delivered"}
            for column in self.figures:
                reveals = tuple(counts.values()) if column == "delivered" else ()
                reveals = (counts[column],) if column in counts else reveals
                reading.figures.append(Figure(i, column, reveals, hidden=column in few))
        return reading


@dataclass(frozen=True, slots=True)
class ByInstrument:
    """A table of several instruments: the rows of each are read by a rule of its own.

    Attributes:
        of: the rule of each instrument; all have the same labels and figures.
    """

    of: Mapping[str, Rule]

    @property
    def labels(self) -> tuple[str, ...]:
        """The instrument, and what the rules of the instruments say."""
        return ("instrument", *next(iter(self.of.values())).labels)

    @property
    def figures(self) -> tuple[str, ...]:
        """As the rules of the instruments say."""
        return next(iter(self.of.values())).figures

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Judge the rows of each instrument; raises :class:`DisclosureError` for one that the study does not name."""
        reading = Reading(table)
        named = frame["instrument"].astype(object).tolist()
        if unknown := sorted({str(name) for name in named} - set(self.of)):
            raise DisclosureError(f"{table}: no rule for instrument {', '.join(unknown)}")
        for instrument, rule in self.of.items():
            rows = [i for i, name in enumerate(named) if name == instrument]
            part = rule.read(table, frame.iloc[rows].drop(columns="instrument").reset_index(drop=True), min_cell)
            for one, value in part.counts.items():
                reading.give(one, value)
            reading.figures += [replace(figure, row=rows[figure.row]) for figure in part.figures]
        return reading


OUTCOMES: Final = ("outcome_results", "outcome_fit")
"""Tables of a study with several instruments."""

TABLES: Final = (
    *("eligibility_flow", "table_1", "inference_results", "model_fit", "exclusion_reasons"),
    *("alliance_distribution", "wellbeing_transitions", "alliance_slopes", "source_summary"),
    *("sensitivity_results", "alliance_trajectory", "service_monthly", "service_signals"),
)
"""The tables that may be published. A table without a rule is refused."""


def rules(study: Study, *, providers: bool = False) -> Mapping[str, Rule]:
    """Return the rule of every table that may be published of a study; that of providers only if asked for."""
    criteria = tuple(one.id for one in study.criteria)
    found: dict[str, Rule] = {
        "eligibility_flow": EligibilityFlow(criteria),
        "table_1": Table1(_counted(study), tuple(one.id for one in study.table_1 if one.number is not None)),
        "inference_results": InferenceResults(study, _findings(study)),
        "model_fit": ModelFit(study),
        "exclusion_reasons": CountTable(
            population="everyone",
            dimensions={"criterion": {name: {"first_failed": name} for name in criteria}, "reason": "reason"},
            counts={"participants": {}},
        ),
        "alliance_distribution": Distribution(),
        "wellbeing_transitions": Transitions(),
        "alliance_slopes": Slopes(study),
        "source_summary": SourceSummary(),
        "sensitivity_results": SensitivityResults(study, sample(study)),
        "alliance_trajectory": Trajectory(),
        "service_monthly": ServiceMonthly(),
        "service_signals": ServiceSignals(),
    }
    if study.further_instruments:
        screens = {one.id: Screen.of(study, one.id) for one in study.instruments}
        found["outcome_results"] = ByInstrument(
            {name: InferenceResults(study, _outcome_findings(study, one), one) for name, one in screens.items()}
        )
        found["outcome_fit"] = ByInstrument({name: ModelFit(study, one) for name, one in screens.items()})
    found[PROVIDER_ALLIANCE] = ProviderAlliance()
    return {name: found[name] for name in tables_of(study, providers=providers)}


def tables_of(study: Study, *, providers: bool = False) -> tuple[str, ...]:
    """Return the tables that may be published of a study; that of providers only if asked for."""
    return (
        *TABLES,
        *(OUTCOMES if study.further_instruments else ()),
        *((PROVIDER_ALLIANCE,) if providers else ()),
    )
