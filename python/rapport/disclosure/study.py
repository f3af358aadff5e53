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
from rapport.disclosure.rules import Figure, Reading, Rule, number_of, text_of
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

_NUMERIC: Final = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")

EVERYONE: Final = Count("everyone")
"""The participants of ``marts.eligibility``."""
COHORT: Final = Count("cohort")
"""The participants of ``marts.analysis_cohort``."""

POPULATIONS: Final[Mapping[str, Population]] = {
    "everyone": Population({"first_failed": (*CRITERIA, NONE_FAILED), "quarantined": ("yes", "no")}),
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
            known = ("n", "percent") if variable not in _NUMERIC else ("n", "mean", "sd", "median", "min", "max")
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
        keeps: figures from which neither ``n`` nor a group can be told; they stay if all groups are large enough.
        hits: the count of which ``estimate`` is the share in ``n``.
    """

    n: Count
    fills: tuple[str, ...]
    groups: tuple[Count, ...] = ()
    keeps: tuple[str, ...] = ()
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
        found["alliance_group_medians", term] = Finding(
            _median_group(grouping, level), ("estimate",), keeps=("estimate",)
        )
    for analysis, (grouping, first, second) in TWO_GROUP_COMPARISONS.items():
        attribute = "baseline" if grouping == "depression_screen" else grouping
        found[analysis, f"{first} - {second}"] = Finding(
            COHORT.narrow({attribute: (first, second)}),
            ("estimate", "statistic", "p_value", *_EFFECT),
            (COHORT.narrow({attribute: first}), COHORT.narrow({attribute: second})),
            # W, and r with P, give the numbers; a difference of medians does not, nor does P without W and r.
            keeps=("estimate", "p_value"),
        )
    for first, second in DUNN_CONTRASTS:
        n, groups = _pair(COHORT, first, second)
        found["alliance_by_utilization_dunn", f"{first} - {second}"] = Finding(
            n, ("estimate", "std_error", "statistic", "p_value", "p_adjusted"), groups
        )
    for first, second in TUKEY_CONTRASTS:
        n, groups = _pair(POSITIVE, first, second)
        found["wellbeing_change_by_utilization_tukey", f"{first} - {second}"] = Finding(
            n, (*interval, "df_residual", "p_adjusted"), groups
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

_DUMMIES: Final[Mapping[str, tuple[Count, Count | None]]] = {
    "male": (COHORT.narrow({"sex": "male"}), COHORT.narrow({"sex": "female"})),
    "telecoaching": (POSITIVE.narrow({"utilization_type": "telecoaching"}), None),
    "both": (POSITIVE.narrow({"utilization_type": "both"}), None),
}
"""Terms that are 0 or 1: of which count their ones are a part, and of which their zeros."""


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
        """Figures of tests belong to their n and to the sizes of the groups that they compare."""
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
            reading.figures.append(Figure(i, "n", (finding.n,)))
            # What a note says of too few rows names their number.
            reading.figures.append(Figure(i, "note", given, about))
            reading.figures += [
                Figure(i, name, () if name in finding.keeps else given, about) for name in finding.fills
            ]
        self._read_dummies(reading, rows, min_cell)
        self._read_ranks(reading, rows)
        return reading

    @staticmethod
    def _read_dummies(reading: Reading, rows: Sequence[Mapping[Any, object]], min_cell: int) -> None:
        """Hide what tells of few people in the coefficients of 0/1 terms.

        β ÷ (b ÷ sd(y)) is the SD of the term, and with p = m/n of m ones among n: sd² (n − 1)/n = p(1 − p). So β counts
        the ones, up to m and n − m. Both numbers are judged; if either leaves a small count, of the ones, of the
        zeros, or of those of the group who are not in the sample, everything about the term goes. β is shown only
        while nothing is withheld that is about sex, screening and utilization type alone.
        """
        small: set[tuple[str, str]] = set()
        possible: list[tuple[float, ...]]
        for row in rows:
            analysis, term = str(row["analysis"]), str(row["term"])
            if analysis not in REGRESSIONS or term not in _DUMMIES:
                continue
            n = number_of(row["n"])
            beta, b = number_of(row["standardized_estimate"]), number_of(row["y_standardized_estimate"])
            if n is None or beta is None or b is None or b == 0:
                continue
            ones = _ones(n, beta / b)
            possible = [] if ones is None else [(ones, n - ones), (n - ones, ones)]
            for k, whole in enumerate(_DUMMIES[term]):
                size = None if whole is None else reading.counts.get(whole)
                if size is not None:
                    possible = [(*parts, size - parts[k]) for parts in possible if parts[k] <= size]
            if not possible or any(0 < part < min_cell for parts in possible for part in parts):
                small.add((analysis, term))
        crossed = (SAMPLE.narrow({"utilization_type": UTILIZATION_TYPES}),)
        for k, figure in enumerate(reading.figures):
            analysis, term = str(rows[figure.row]["analysis"]), str(rows[figure.row]["term"])
            if analysis not in REGRESSIONS or figure.column == "n":
                continue
            dummies = [name for name in term.split(":") if name in _DUMMIES]
            if not dummies:
                continue
            about = tuple(_DUMMIES[name][0] for name in dummies)
            reading.figures[k] = replace(
                figure,
                about=(*figure.about, *about),
                crossed=crossed if figure.column == "standardized_estimate" else (),
                hidden=any((analysis, name) in small for name in dummies),
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
            if analysis in aliased and figure.column != "n":
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
            reading.figures += [Figure(i, column, (SAMPLE,), () if column == "n" else about) for column in self.figures]
        return reading


RULES: Final[Mapping[str, Rule]] = {
    "eligibility_flow": EligibilityFlow(),
    "table_1": Table1(),
    "inference_results": InferenceResults(),
    "model_fit": ModelFit(),
}
"""The tables that may be published. A table without a rule is refused."""
