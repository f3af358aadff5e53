"""The rules of the study's tables: whom they count, and what their figures give away.

To publish a further table of counts, add a :class:`CountTable` to :data:`RULES`, and the attributes that it uses to
:data:`POPULATIONS`; see the package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import Count, DisclosureError, Population, count
from rapport.disclosure.rules import CountTable, Figure, Reading, Rule, Share, number_of, text_of
from rapport.disclosure.service import ServiceMonthly, ServiceSignals
from rapport.study import (
    DUNN_CONTRASTS,
    MEDIAN_GROUPS,
    REGRESSIONS,
    TUKEY_CONTRASTS,
    TWO_GROUP_COMPARISONS,
    UTILIZATION_TYPES,
)

CRITERIA: Final = ("adult", "sponsored", "registered", "session", "baseline", "followup", "rating")
NONE_FAILED: Final = "none"

NUMERIC_STATISTICS: Final = ("n", "mean", "sd", "median", "min", "max", "p5", "p95")
_NUMERIC: Final = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")

EVERYONE: Final = Count("everyone")
"""The participants of ``marts.eligibility``."""
COHORT: Final = Count("cohort")
"""The participants of ``marts.analysis_cohort``."""

POPULATIONS: Final[Mapping[str, Population]] = {
    "everyone": Population({"first_failed": (*CRITERIA, NONE_FAILED), "quarantined": ("yes", "no"), "reason": None}),
    # Participants in quarantine themselves are in no other table.
    "kept_out": Population(),
    "cohort": Population(
        {
            "utilization_type": UTILIZATION_TYPES,
            "sex": ("female", "male", "missing"),
            "country": ("within_usa", "outside_usa", "missing"),
            "baseline": ("positive", "negative"),
            "followup": ("positive", "negative"),
            "improved": ("yes", "no"),
            "both_items": ("yes", "no"),
            "baseline_band": None,
            "followup_band": None,
        },
        is_part=count("everyone", first_failed=NONE_FAILED),
    ),
    # Ratings, not people; protected all the same.
    "ratings": Population(),
}

POSITIVE: Final = count("cohort", baseline="positive")
KNOWN_SEX: Final = ("female", "male")
KNOWN_COUNTRY: Final = ("within_usa", "outside_usa")
_EFFECT: Final = ("effect_size", "effect_size_low", "effect_size_high")

SAMPLE: Final = POSITIVE.narrow({"sex": KNOWN_SEX})
"""Whom the regressions are about."""


@dataclass(frozen=True, slots=True)
class EligibilityFlow:
    """``marts.eligibility_flow``: who is still in after a criterion, and whom it excluded."""

    labels: tuple[str, ...] = ("step", "criterion")
    figures: tuple[str, ...] = ("participants", "excluded", "quarantined")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Every figure is a count."""
        reading = Reading(table)
        order = ("all", *CRITERIA)
        for i, row in enumerate(frame.to_dict("records")):
            step, criterion = number_of(row["step"]), text_of(row["criterion"])
            if criterion not in order or step != order.index(criterion):
                raise DisclosureError(f"{table}: no rule for step {row['step']}, criterion {criterion!r}")
            counts = {"participants": EVERYONE.narrow({"first_failed": (*CRITERIA[int(step) :], NONE_FAILED)})}
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
    """``marts.table_1``: one figure a row."""

    labels: tuple[str, ...] = ("variable", "level", "utilization_type", "statistic")
    figures: tuple[str, ...] = ("value",)

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Counts, percentages of a known base, and statistics that belong to the n of their variable.

        The mean of whole numbers over an unknown n gives the n (its denominator), and with the other columns the sum
        of those that are missing; so every statistic goes with its n.
        """
        reading = Reading(table)
        shares: list[tuple[Count, Count, float]] = []
        for i, row in enumerate(frame.to_dict("records")):
            variable, level = str(row["variable"]), text_of(row["level"])
            column, statistic, value = str(row["utilization_type"]), str(row["statistic"]), row["value"]
            if column != "total" and column not in UTILIZATION_TYPES:
                raise DisclosureError(f"{table}: no rule for utilization_type {column!r}")
            group = COHORT if column == "total" else COHORT.narrow({"utilization_type": column})
            counts = _TABLE_1.get((variable, level))
            known = ("n", "percent") if variable not in _NUMERIC else NUMERIC_STATISTICS
            if counts is None or statistic not in known:
                raise DisclosureError(f"{table}: no rule for {variable}, level {level}, statistic {statistic}")
            one = group.narrow(counts[0])
            base = COHORT if variable == "participants" else group.narrow(counts[1])
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


_TABLE_1: Final[Mapping[tuple[str, str | None], tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]]] = {
    ("participants", None): ({}, {}),
    **{("sex", level): ({"sex": level}, {}) for level in ("female", "male", "missing")},
    **{("country", level): ({"country": level}, {"country": KNOWN_COUNTRY}) for level in KNOWN_COUNTRY},
    ("screened_positive", None): ({"baseline": "positive"}, {}),
    # Nobody in the cohort lacks one of these: the contract and the criteria see to it, and readers know.
    **{(variable, None): ({}, {}) for variable in _NUMERIC},
}
"""Variable and level: the condition of its n, and that of the base of its percent."""


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


def _median_group(grouping: str, level: str | None) -> Count:
    if level is None:
        return COHORT
    return COHORT.narrow({"baseline" if grouping == "depression_screen" else grouping: level})


def _pair(of: Count, first: str, second: str) -> tuple[Count, tuple[Count, ...]]:
    """Those of two utilization types, together and apart."""
    together = of.narrow({"utilization_type": (first, second)})
    return together, tuple(of.narrow({"utilization_type": name}) for name in (first, second))


def _findings() -> dict[tuple[str, str], Finding]:
    by_type = tuple(COHORT.narrow({"utilization_type": name}) for name in UTILIZATION_TYPES)
    positive_by_type = tuple(POSITIVE.narrow({"utilization_type": name}) for name in UTILIZATION_TYPES)
    interval = ("estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high", *_EFFECT)
    tests = ("statistic", "df", "df_residual", "p_value", *_EFFECT)
    found = {
        ("alliance_reliability", "participant_means"): Finding(COHORT.narrow({"both_items": "yes"}), ("estimate",)),
        ("alliance_reliability", "session_ratings"): Finding(Count("ratings"), ("estimate",)),
        ("alliance_vs_age", "age_years"): Finding(COHORT, ("estimate", "statistic", "df", "p_value", *_EFFECT)),
        ("alliance_by_utilization", "utilization_type"): Finding(COHORT, tests, by_type),
        ("wellbeing_change", "followup - baseline"): Finding(POSITIVE, interval),
        ("wellbeing_change_by_utilization", "utilization_type"): Finding(POSITIVE, tests, positive_by_type),
        ("clinical_recovery", "screened_positive"): Finding(
            POSITIVE, ("estimate", "ci_low", "ci_high"), hits=POSITIVE.narrow({"followup": "negative"})
        ),
        ("clinical_improvement", "screened_positive"): Finding(
            POSITIVE, ("estimate", "ci_low", "ci_high"), hits=POSITIVE.narrow({"improved": "yes"})
        ),
    }
    for term, (grouping, level) in MEDIAN_GROUPS.items():
        found["alliance_group_medians", term] = Finding(_median_group(grouping, level), ("estimate",))
    for analysis, (grouping, first, second) in TWO_GROUP_COMPARISONS.items():
        attribute = "baseline" if grouping == "depression_screen" else grouping
        found[analysis, f"{first} - {second}"] = Finding(
            COHORT.narrow({attribute: (first, second)}),
            ("estimate", "statistic", "p_value", *_EFFECT),
            (COHORT.narrow({attribute: first}), COHORT.narrow({attribute: second})),
        )
    for first, second in DUNN_CONTRASTS:
        n, groups = _pair(COHORT, first, second)
        found["alliance_by_utilization_dunn", f"{first} - {second}"] = Finding(
            n, ("estimate", "std_error", "statistic", "p_value", "p_adjusted"), (*groups, COHORT)
        )
    for first, second in TUKEY_CONTRASTS:
        n, groups = _pair(POSITIVE, first, second)
        found["wellbeing_change_by_utilization_tukey", f"{first} - {second}"] = Finding(
            n, (*interval, "df_residual", "p_adjusted"), (*groups, POSITIVE)
        )
    for name in ("d_z", "d_rm", "d_av", "percent_change"):
        found["wellbeing_change", name] = Finding(POSITIVE, ("estimate", *_EFFECT))
    for name, group in zip(UTILIZATION_TYPES, positive_by_type, strict=True):
        found["wellbeing_change_group_means", name] = Finding(group, interval)
    for analysis, regression in REGRESSIONS.items():
        for term in ("(Intercept)", *regression.terms):
            found[analysis, term] = Finding(SAMPLE, _COEFFICIENT)
    return found


_COEFFICIENT: Final = (
    *("estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic"),
    *("df", "df_residual", "p_value", "ci_low", "ci_high", "effect_size"),
)

_DUMMIES: Final[Mapping[str, Count]] = {
    "male": COHORT.narrow({"sex": "male"}),
    "telecoaching": POSITIVE.narrow({"utilization_type": "telecoaching"}),
    "both": POSITIVE.narrow({"utilization_type": "both"}),
}
"""Terms that are 0 or 1: of which count their ones are a part."""

UNPRINTED_MARGIN: Final = 5
"""How much larger than ``min_cell`` a group has to be that no table counts."""


@dataclass(frozen=True, slots=True)
class InferenceResults:
    """``marts.inference_results``: tests, contrasts and coefficients."""

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
    findings: Mapping[tuple[str, str], Finding] = field(default_factory=_findings)

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

    @staticmethod
    def _read_dummies(reading: Reading, rows: Sequence[Mapping[Any, object]], min_cell: int) -> None:
        """Hide what tells of few people in the coefficients of 0/1 terms.

        β ÷ (b ÷ sd(y)) is the SD of the term, and with p = m/n of m ones among n: sd² (n − 1)/n = p(1 − p). So β counts
        the ones, up to m and n − m, and is never shown. Both numbers are judged. No table prints them, and so nothing
        else can be withheld in their stead: if either is below ``min_cell`` + :data:`UNPRINTED_MARGIN`, the rows of the
        term go, and whoever sees that they are gone still thinks ``min_cell`` or more possible. The utilization types
        share their model with its interactions: one that is too small takes the whole analysis with it.
        """
        small: set[tuple[str, str]] = set()
        for row in rows:
            analysis, term = str(row["analysis"]), str(row["term"])
            if analysis not in REGRESSIONS or term not in _DUMMIES:
                continue
            n = number_of(row["n"])
            beta, b = number_of(row["standardized_estimate"]), number_of(row["y_standardized_estimate"])
            if n is None or beta is None or b is None or b == 0:
                continue
            ones = _ones(n, beta / b)
            if ones is None or min(ones, n - ones) < min_cell + UNPRINTED_MARGIN:
                small.add((analysis, term))
        with_small_type = {analysis for analysis, term in small if term in UTILIZATION_TYPES}
        for k, figure in enumerate(reading.figures):
            analysis, term = str(rows[figure.row]["analysis"]), str(rows[figure.row]["term"])
            if analysis not in REGRESSIONS:
                continue
            dummies = [name for name in term.split(":") if name in _DUMMIES]
            reading.figures[k] = replace(
                figure,
                about=(*figure.about, *(_DUMMIES[name] for name in dummies)),
                hidden=analysis in with_small_type
                or any((analysis, name) in small for name in dummies)
                or (bool(dummies) and figure.column == "standardized_estimate"),
            )

    @staticmethod
    def _read_ranks(reading: Reading, rows: Sequence[Mapping[Any, object]]) -> None:
        """Let the figures of an analysis with aliased terms be about the groups of its 0/1 terms."""
        aliased = {
            str(row["analysis"])
            for row in rows
            if row["analysis"] in REGRESSIONS and _is_aliased(row, len(REGRESSIONS[str(row["analysis"])].terms))
        }
        for k, figure in enumerate(reading.figures):
            analysis = str(rows[figure.row]["analysis"])
            if analysis in aliased:
                about = (*figure.about, *model_groups(REGRESSIONS[analysis].terms))
                reading.figures[k] = replace(figure, about=about)


def _is_aliased(row: Mapping[Any, object], terms: int) -> bool:
    """Whether the residual degrees of freedom say that fewer than all terms and the intercept were estimated.

    A group of one member has no slope of its own: the loss of it would tell.
    """
    n, df_residual = number_of(row["n"]), number_of(row["df_residual"])
    return n is not None and df_residual is not None and df_residual != n - terms - 1


def model_groups(terms: Sequence[str]) -> tuple[Count, ...]:
    """Return the groups in the regressions' sample that a model of these terms tells apart."""
    sexes = tuple(POSITIVE.narrow({"sex": sex}) for sex in KNOWN_SEX) if "male" in terms else ()
    types = [term for term in terms if term in UTILIZATION_TYPES]
    return (*sexes, *(SAMPLE.narrow({"utilization_type": name}) for name in (UTILIZATION_TYPES if types else ())))


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

    labels: tuple[str, ...] = ("analysis", "step", "terms")
    figures: tuple[str, ...] = (
        *("n", "r_squared", "delta_r_squared", "f_change", "df", "df_residual", "p_value", "model_p_value", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """R², F and its degrees of freedom give n, and so does P with F."""
        reading = Reading(table)
        for i, row in enumerate(frame.to_dict("records")):
            if row["analysis"] not in REGRESSIONS:
                raise DisclosureError(f"{table}: no rule for analysis {row['analysis']}")
            terms = str(row["terms"]).split(" + ")
            if unknown := [term for term in terms if term not in REGRESSIONS[row["analysis"]].terms]:
                raise DisclosureError(f"{table}: {row['analysis']}: no rule for term {', '.join(unknown)}")
            reading.give(SAMPLE, row["n"])
            about = (SAMPLE, *(model_groups(terms) if _is_aliased(row, len(terms)) else ()))
            reading.figures += [Figure(i, column, (SAMPLE,), about) for column in self.figures]
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

    labels: tuple[str, ...] = ("analysis", "level", "position")
    figures: tuple[str, ...] = (
        *("n", "alliance_score", "predicted", "ci_low", "ci_high", "slope", "slope_ci_low", "slope_ci_high", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """A line belongs to n; a model without some of its lines is about every group that it tells apart."""
        reading = Reading(table)
        partial = {row["analysis"] for row in frame.to_dict("records") if number_of(row["slope"]) is None}
        for i, row in enumerate(frame.to_dict("records")):
            if row["analysis"] not in REGRESSIONS:
                raise DisclosureError(f"{table}: no rule for analysis {row['analysis']}")
            reading.give(SAMPLE, row["n"])
            terms = REGRESSIONS[row["analysis"]].terms
            compared = UTILIZATION_TYPES if set(UTILIZATION_TYPES) & set(terms) else ()
            groups = (
                model_groups(terms)
                if row["analysis"] in partial
                else tuple(POSITIVE.narrow({"utilization_type": name}) for name in compared)
            )
            about = (SAMPLE, *groups)
            reading.figures += [Figure(i, column, (SAMPLE,), about) for column in self.figures]
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


RULES: Final[Mapping[str, Rule]] = {
    "eligibility_flow": EligibilityFlow(),
    "table_1": Table1(),
    "inference_results": InferenceResults(),
    "model_fit": ModelFit(),
    "exclusion_reasons": CountTable(
        population="everyone",
        dimensions={"criterion": {name: {"first_failed": name} for name in CRITERIA}, "reason": "reason"},
        counts={"participants": {}},
    ),
    "alliance_distribution": Distribution(),
    "wellbeing_transitions": Transitions(),
    "alliance_slopes": Slopes(),
    "source_summary": SourceSummary(),
    "service_monthly": ServiceMonthly(),
    "service_signals": ServiceSignals(),
}
"""The tables that may be published. A table without a rule is refused."""
