"""The analyses of a study: which statistic of which groups answers which question.

Groups, covariates and models are those of the study's definition (:class:`rapport.studies.Study`); they are computed
by the functions of ``rapport.statistics``. The input is tables of sufficient statistics, counts and sums of whole
numbers, the output tidy data frames with one row per test, contrast, coefficient or regression step. Every declared
row is always there, whatever the data, and equal data give equal figures to the last bit.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from functools import partial
from numbers import Real
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from rapport.statistics.exact import root
from rapport.statistics.frequencies import MEDIAN, FrequencyTable, JointFrequencyTable, medians
from rapport.statistics.means import (
    GROUP_MEAN,
    ONE_WAY_ANOVA,
    PAIRED_T,
    PERCENT_CHANGE,
    STANDARDIZED_CHANGES,
    TUKEY_KRAMER,
    GroupMoments,
    PairedMoments,
    group_means,
    one_way_anova,
    paired_effect_sizes,
    paired_t,
    percent_change,
    tukey_kramer,
)
from rapport.statistics.proportions import PROPORTION, wilson
from rapport.statistics.ranks import (
    DUNN,
    KRUSKAL_WALLIS,
    MANN_WHITNEY,
    SPEARMAN,
    dunn,
    kruskal_wallis,
    mann_whitney,
    spearman,
)
from rapport.statistics.regression import (
    COEFFICIENT,
    INTERCEPT,
    CrossProducts,
    LinearModel,
    hierarchical_regression,
    least_squares,
)
from rapport.statistics.reliability import CRONBACH_ALPHA, cronbach_alpha
from rapport.statistics.result import RegressionStep, TestResult
from rapport.studies import ALLIANCE, CARE, CARE_TYPES, FOLLOWUP, LINE_POINTS, Grouping, Moderator, Regression, Study
from rapport.sufficient import (
    Distribution,
    Monomial,
    Polynomial,
    ProductSums,
    product_sums,
    quotients,
    require_columns,
    require_known,
    whole_numbers,
)

# --- What every study has -----------------------------------------------------------------

UTILIZATION_TYPES = CARE_TYPES
ITEM_POPULATIONS = ("participant_means", "session_ratings")

# Pairs of types whose change is compared, first minus second
TUKEY_CONTRASTS = (
    ("telecoaching", "teletherapy"),
    ("both", "teletherapy"),
    ("both", "telecoaching"),
)

# analysis: column of change_sums
CLINICAL_RATES: Mapping[str, str] = {
    "clinical_recovery": "recovered",
    "clinical_improvement": "improved",
}

OUTCOME = FOLLOWUP

# Table 1's columns are the utilization types and everyone.
TOTAL = "total"
PARTICIPANTS, MISSING = "participants", "missing"
HOLDS = "true"
"""The level of a condition that holds."""

ALLIANCE_RANGE = (1.0, 5.0)
LINE_REACH = 2.0

# --- The guard ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Point:
    """A point of a line of a moderation model: the columns of ``alliance_slopes`` after ``position``."""

    n: int
    alliance_score: float | None = None
    predicted: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    slope: float | None = None
    slope_ci_low: float | None = None
    slope_ci_high: float | None = None
    note: str | None = None


Row = tuple[str, str, TestResult]
Guarded = TypeVar("Guarded", TestResult, RegressionStep, _Point)

_log = logging.getLogger(__name__)


def _guarded(analysis: str, blanks: Sequence[Guarded], compute: Callable[[], Sequence[Guarded]]) -> list[Guarded]:
    """Return what is computed, or the blanks with a note: no numerical function ends a build.

    Args:
        analysis: what is computed, for the log.
        blanks: the results as they are without figures.
        compute: returns as many results. What it raises, and figures that are not finite, become notes.
    """
    try:
        results = list(compute())
        if len(results) != len(blanks):
            raise ValueError(f"{len(results)} results instead of {len(blanks)}")
    except Exception as error:
        _log.warning("%s cannot be computed: %s: %s", analysis, type(error).__name__, error)
        return [replace(blank, note=f"cannot be computed ({type(error).__name__})") for blank in blanks]
    return [_finite(result) for result in results]


def _finite(result: Guarded) -> Guarded:
    """Replace figures that are not finite numbers by a note."""
    strays: dict[str, Any] = {}
    for one in fields(result):
        value = getattr(result, one.name)
        is_figure = one.type == "float | None" and value is not None
        if is_figure and not (isinstance(value, Real) and math.isfinite(value)):
            strays[one.name] = None
    if not strays:
        return result
    why = f"cannot be computed: {', '.join(strays)}"
    return replace(result, **strays, note=f"{result.note}; {why}" if result.note else why)


def rows_of(
    analysis: str,
    blanks: Mapping[str, TestResult],
    test: Callable[..., TestResult | Mapping[Any, TestResult]],
    *given: object,
) -> list[Row]:
    """Return the rows of an analysis, guarded: what ``test`` returns for the terms of ``blanks``, in their order."""

    def compute() -> list[TestResult]:
        results = test(*given)
        return [results] if isinstance(results, TestResult) else list(results.values())

    return [
        (analysis, term, result)
        for term, result in zip(blanks, _guarded(analysis, list(blanks.values()), compute), strict=True)
    ]


# --- Findings -----------------------------------------------------------------------------


def alliance_findings(
    score_frequencies: pd.DataFrame, correlate_frequencies: pd.DataFrame, item_sums: pd.DataFrame, study: Study
) -> pd.DataFrame:
    """Return the findings on therapeutic alliance: reliability, associations, differences.

    Args:
        score_frequencies: grouping, level, item_sum, item_responses, participants; the alliance score is
            item_sum / item_responses.
        correlate_frequencies: correlate, value, item_sum, item_responses, participants.
        item_sums: population, bond_responses, goals_responses, n, bond, goals, bond_squares, goals_squares,
            products; in ``participant_means`` a row per pair of numbers of responses, of people's item sums, in
            ``session_ratings`` one of ratings with both items.
        study: its groupings and correlations.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: a table lacks a column, names an unknown group or holds impossible values.
    """
    groups = score_groups(score_frequencies, study)
    items = _items(item_sums)
    medians_of = {level.term: groups[one.id, level.id] for one in study.groupings for level in one.levels}
    medians_of[TOTAL] = groups[CARE, None]
    rows = [
        *rows_of(
            "alliance_reliability",
            {name: replace(CRONBACH_ALPHA, n=n) for name, (n, _) in items.items()},
            lambda: {name: cronbach_alpha(n, matrix) for name, (n, matrix) in items.items()},
        ),
        *rows_of(
            "alliance_group_medians",
            {term: replace(MEDIAN, n=group.n) for term, group in medians_of.items()},
            medians,
            medians_of,
        ),
    ]
    pairs = _pairs(correlate_frequencies, study)
    for correlation in study.correlations:
        table = pairs[correlation.id]
        rows += rows_of(correlation.analysis, {correlation.id: replace(SPEARMAN, n=table.n)}, spearman, table)
    for grouping in study.groupings:
        if len(grouping.levels) == 2:
            rows += _two_groups(grouping, groups)
    for grouping in study.groupings:
        if len(grouping.levels) > 2:
            rows += _more_groups(grouping, groups)
    return findings_frame(rows)


def _two_groups(grouping: Grouping, groups: Mapping[tuple[str, str | None], FrequencyTable]) -> list[Row]:
    [(first, second)] = grouping.contrasts
    pair = groups[grouping.id, first], groups[grouping.id, second]
    blanks = {contrast_term(first, second): replace(MANN_WHITNEY, n=pair[0].n + pair[1].n)}
    return rows_of(grouping.analysis, blanks, mann_whitney, *pair, (first, second))


def _more_groups(grouping: Grouping, groups: Mapping[tuple[str, str | None], FrequencyTable]) -> list[Row]:
    by_level = {name: groups[grouping.id, name] for name in grouping.level_ids}
    return [
        *rows_of(
            grouping.analysis,
            {grouping.id: replace(KRUSKAL_WALLIS, n=sum(table.n for table in by_level.values()))},
            kruskal_wallis,
            by_level,
        ),
        *rows_of(
            f"{grouping.analysis}_dunn",
            {
                contrast_term(*pair): replace(DUNN, n=sum(by_level[name].n for name in pair))
                for pair in grouping.contrasts
            },
            dunn,
            by_level,
            grouping.contrasts,
        ),
    ]


def wellbeing_findings(change_sums: pd.DataFrame) -> pd.DataFrame:
    """Return the findings on change of well-being among those screened positive.

    Args:
        change_sums: utilization_type, n, the sums baseline, followup, baseline_squares, followup_squares and
            products over its people, and recovered, improved; no row for a type without people.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: the table lacks a column, names an unknown group or holds impossible values.
    """
    sums = _change_sums(change_sums)
    total = {column: sum(row[column] for row in sums.values()) for column in _CHANGE_COLUMNS}
    change = _paired_moments(total)
    by_utilization = {}
    for name in UTILIZATION_TYPES:
        moments = _paired_moments(sums[name])
        by_utilization[name] = GroupMoments(moments.n, moments.change_mean, moments.change_variance)
    n = change.n
    rows = [
        *rows_of(
            "wellbeing_change",
            {"followup - baseline": replace(PAIRED_T, n=n)},
            paired_t,
            change,
        ),
        *rows_of(
            "wellbeing_change",
            {name: replace(blank, n=n) for name, blank in STANDARDIZED_CHANGES.items()},
            paired_effect_sizes,
            change,
        ),
        *rows_of(
            "wellbeing_change",
            {"percent_change": replace(PERCENT_CHANGE, n=n)},
            percent_change,
            change,
        ),
        *rows_of(
            "wellbeing_change_group_means",
            {name: replace(GROUP_MEAN, n=group.n) for name, group in by_utilization.items()},
            group_means,
            by_utilization,
        ),
        *rows_of(
            "wellbeing_change_by_utilization",
            {"utilization_type": replace(ONE_WAY_ANOVA, n=sum(group.n for group in by_utilization.values()))},
            one_way_anova,
            by_utilization,
        ),
        *rows_of(
            "wellbeing_change_by_utilization_tukey",
            {
                contrast_term(*pair): replace(TUKEY_KRAMER, n=sum(by_utilization[name].n for name in pair))
                for pair in TUKEY_CONTRASTS
            },
            tukey_kramer,
            by_utilization,
            TUKEY_CONTRASTS,
        ),
    ]
    for analysis, column in CLINICAL_RATES.items():
        rows += rows_of(
            analysis,
            {"screened_positive": replace(PROPORTION, n=n)},
            wilson,
            total[column],
            n,
        )
    return findings_frame(rows)


def regression_findings(regression_sums: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the coefficients of the last step of each regression.

    Args:
        regression_sums: item_sum, item_responses, n, the study's factors, and over these people the sums of its
            numbers, and ``<a>_x_<b>`` of the products of each two of them in this order, squares included.
        study: its factors, numbers and models.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: the table lacks a column, names an unknown group or holds no whole numbers.
    """
    rows: list[Row] = []
    for analysis, data in _regression_data(regression_sums, study).items():
        blanks = {term: replace(COEFFICIENT, n=data.n) for term in (INTERCEPT, *study.regressions[analysis].terms)}
        if isinstance(data, _Sample):
            rows += rows_of(analysis, blanks, least_squares, data.products, data.variances)
        else:
            rows += [(analysis, term, replace(blank, note=data.note)) for term, blank in blanks.items()]
    return findings_frame(rows)


def regression_fit(regression_sums: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the variance explained by each step of each regression.

    Args:
        regression_sums: as for ``regression_findings``.
        study: as there.

    Returns:
        The columns of ``model_fit`` and ``note``, one row per analysis and step.

    Raises:
        ValueError: as for ``regression_findings``.
    """
    records: list[dict[str, object]] = []
    for analysis, data in _regression_data(regression_sums, study).items():
        steps = study.regressions[analysis].steps
        fits = [
            RegressionStep(number, " + ".join(itertools.chain(*steps[:number])), data.n)
            for number in range(1, len(steps) + 1)
        ]
        if isinstance(data, _Sample):
            fits = _guarded(analysis, fits, partial(hierarchical_regression, data.products, steps))
        else:
            fits = [replace(fit, note=data.note) for fit in fits]
        records += [{"analysis": analysis, **asdict(fit)} for fit in fits]
    return records_frame(records, _FIT_COLUMNS)


def outcome_findings(change_sums: pd.DataFrame, regression_sums: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return Aims 2 and 3 of every instrument of a study.

    Args:
        change_sums: ``instrument``, and the columns of ``wellbeing_findings``.
        regression_sums: ``instrument``, and the columns of ``regression_findings``.
        study: its instruments, factors, numbers and models.

    Returns:
        ``instrument`` and the columns of ``inference_results``, one row per instrument, analysis and term.

    Raises:
        ValueError: as for the two functions.
    """
    frames = []
    for name in (one.id for one in study.instruments):
        changes, sums = (_of_instrument(frame, name) for frame in (change_sums, regression_sums))
        found = pd.concat([wellbeing_findings(changes), regression_findings(sums, study)], ignore_index=True)
        found.insert(0, "instrument", pd.Series([name] * len(found), dtype=_TEXT))
        frames.append(found)
    return pd.concat(frames, ignore_index=True)


def outcome_fit(regression_sums: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the variance that each step explains for every instrument of a study; as ``outcome_findings``."""
    frames = []
    for name in (one.id for one in study.instruments):
        fit = regression_fit(_of_instrument(regression_sums, name), study)
        fit.insert(0, "instrument", pd.Series([name] * len(fit), dtype=_TEXT))
        frames.append(fit)
    return pd.concat(frames, ignore_index=True)


def _of_instrument(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame[(frame["instrument"] == name).to_numpy(dtype=bool)].drop(columns="instrument").reset_index(drop=True)


def slope_findings(regression_sums: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the line of well-being along alliance at each shown value of each moderator.

    The moderation models are fitted to centred variables, so that their lines are in points of both scales.
    Slopes at chosen values of a moderator: Aiken & West (1991), Multiple Regression: Testing and
    Interpreting Interactions, chapter 2.

    Args:
        regression_sums: as for ``regression_findings``.
        study: as there.

    Returns:
        The columns of ``alliance_slopes``: per analysis, level and position the alliance score
        (points), the expected WHO-5 (points) with its 95% limits, and the slope (WHO-5 points per
        point of alliance) with its limits. Notes without figures where there is no model.

    Raises:
        ValueError: as for ``regression_findings``.
    """
    samples = _regression_data(regression_sums, study)
    records: list[dict[str, object]] = []
    for analysis, moderator in study.moderations.items():
        data = samples[analysis]
        points = [_Point(data.n)] * (len(moderator.levels) * LINE_POINTS)
        if isinstance(data, _Sample):
            points = _guarded(analysis, points, partial(_lines, data, moderator))
        else:
            points = [replace(point, note=data.note) for point in points]
        places = itertools.product(moderator.levels, range(1, LINE_POINTS + 1))
        records += [
            {**asdict(point), "analysis": analysis, "level": level, "position": position}
            for point, (level, position) in zip(points, places, strict=True)
        ]
    return records_frame(records, _SLOPE_COLUMNS)


def _lines(sample: _Sample, moderator: Moderator) -> list[_Point]:
    """Return the points of all lines of a model, notes instead of figures where a line cannot be drawn."""
    model = LinearModel(sample.products)
    points = []
    for values in moderator.levels.values():
        # A value in z-scores is so many standard deviations of the centred variable.
        at = {
            term: Fraction(value) * Fraction(root(sample.variances.get(term, Fraction(1))))
            for term, value in zip(moderator.terms, values, strict=True)
        }
        points += _line(sample, model, at)
    return points


def _line(sample: _Sample, model: LinearModel, moderator: Mapping[str, Fraction]) -> list[_Point]:
    # What alliance is multiplied by in the interactions: alliance:x moves by x when alliance moves by 1.
    interactions = {f"{ALLIANCE}:{term}": value for term, value in moderator.items()}
    slope = model.direction({ALLIANCE: 1, **interactions})
    if slope.estimate is None:
        return [_Point(sample.n, note=slope.note)] * LINE_POINTS
    mean, sd = float(sample.centres[ALLIANCE]), root(sample.variances[ALLIANCE])
    low, high = (
        min(max(mean + reach * sd, ALLIANCE_RANGE[0]), ALLIANCE_RANGE[1]) for reach in (-LINE_REACH, LINE_REACH)
    )
    outcome = float(sample.centres[OUTCOME])
    points = []
    for score in np.linspace(low, high, LINE_POINTS).tolist():
        a = Fraction(score) - sample.centres[ALLIANCE]
        expected = model.prediction(
            {**moderator, ALLIANCE: a, **{name: a * value for name, value in interactions.items()}}
        )
        if expected.estimate is None or expected.ci_low is None or expected.ci_high is None:
            return [_Point(sample.n, note=expected.note)] * LINE_POINTS
        points.append(
            _Point(
                n=sample.n,
                alliance_score=score,
                predicted=outcome + expected.estimate,
                ci_low=outcome + expected.ci_low,
                ci_high=outcome + expected.ci_high,
                slope=slope.estimate,
                slope_ci_low=slope.ci_low,
                slope_ci_high=slope.ci_high,
            )
        )
    return points


def table_1(value_frequencies: pd.DataFrame, level_frequencies: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return Table 1: demographic, clinical and utilization characteristics by utilization type and in total.

    Args:
        value_frequencies: variable, utilization_type, numerator, denominator, participants: how often each
            value of the numeric variables occurs.
        level_frequencies: variable, level, utilization_type, participants: how many are of each level; of
            ``participants`` (level null) how many there are; null is unknown.
        study: its rows of Table 1.

    Returns:
        variable, level, utilization_type, statistic, value, percentile: participants, groupings and conditions, then
        numbers. A share of nobody and the distribution of nothing are null. ``percentile`` is the 5th
        beside a minimum and the 95th beside a maximum, null elsewhere.

    Raises:
        ValueError: a table lacks a column, names an unknown variable, level or type, holds no whole numbers, or
            its levels do not add up to the participants.
    """
    counted, numbers = table_1_levels(study), [one.id for one in study.table_1 if one.number is not None]
    levels = _levels(level_frequencies, counted)
    values = _distributions(value_frequencies, numbers)
    columns = (*UTILIZATION_TYPES, TOTAL)

    def number(variable: str, level: str | None, column: str) -> int:
        return sum(levels.get((variable, level, name), 0) for name in _types_of(column))

    everyone = number(PARTICIPANTS, None, TOTAL)
    records: list[dict[str, object]] = []

    def line(
        variable: str,
        level: str | None,
        statistic: str,
        figures: Mapping[str, Fraction | int | float | None],
        percentiles: Mapping[str, Fraction | None] = MappingProxyType({}),
    ) -> None:
        records.extend(
            {
                "variable": variable,
                "level": level,
                "utilization_type": column,
                "statistic": statistic,
                "value": None if figure is None else float(figure),
                "percentile": None if (percentile := percentiles.get(column)) is None else float(percentile),
            }
            for column, figure in figures.items()
        )

    for variable, level, base in counted:
        # A variable with one shown level needs no label for it.
        shown = None if level == HOLDS else level
        counts = {column: number(variable, level, column) for column in columns}
        bases = {
            column: everyone if base is None else sum(number(*part, column) for part in base) for column in columns
        }
        line(variable, shown, "n", counts)
        line(
            variable,
            shown,
            "percent",
            {column: Fraction(100 * counts[column], bases[column]) if bases[column] else None for column in columns},
        )
    for variable in numbers:
        of = {
            column: Distribution(_added(values.get((variable, name), {}) for name in _types_of(column)))
            for column in columns
        }
        line(variable, None, "n", {column: one.n for column, one in of.items()})
        line(variable, None, "mean", {column: one.mean for column, one in of.items()})
        line(
            variable,
            None,
            "sd",
            {column: None if one.variance is None else root(one.variance) for column, one in of.items()},
        )
        line(variable, None, "median", {column: one.median for column, one in of.items()})
        for i, (statistic, percent) in enumerate({"min": 5, "max": 95}.items()):
            ends = {column: one.extremes for column, one in of.items()}
            line(
                variable,
                None,
                statistic,
                {column: None if end is None else end[i] for column, end in ends.items()},
                {column: one.percentile(percent) for column, one in of.items()},
            )
    return records_frame(records, _TABLE_1_COLUMNS)


CountedLevel = tuple[str, str | None, tuple[tuple[str, str | None], ...] | None]


def table_1_levels(study: Study) -> list[CountedLevel]:
    """Return the counted rows of Table 1.

    Variable, level, and the variables and levels of the base of its percentage; none is everyone in any column.
    """
    everyone = ((PARTICIPANTS, None),)
    rows: list[CountedLevel] = [(PARTICIPANTS, None, None)]
    for one in study.table_1:
        if one.condition is not None:
            rows.append((one.id, HOLDS, everyone))
        elif one.grouping is not None:
            known = tuple((one.id, level) for level in one.grouping.level_ids)
            rows += [(one.id, level, known if one.percent_of_known else everyone) for _, level in known]
            if not one.percent_of_known:
                rows.append((one.id, MISSING, everyone))
    return rows


def _types_of(column: str) -> tuple[str, ...]:
    return UTILIZATION_TYPES if column == TOTAL else (column,)


def _added(counts: Iterable[Mapping[tuple[int, int], int]]) -> dict[tuple[int, int], int]:
    total: dict[tuple[int, int], int] = {}
    for part in counts:
        for pair, count in part.items():
            total[pair] = total.get(pair, 0) + count
    return total


# --- Reading the sufficient statistics ----------------------------------------------------

_CHANGE_COLUMNS = (
    *("n", "baseline", "followup", "baseline_squares", "followup_squares", "products"),
    *CLINICAL_RATES.values(),
)


def score_groups(frame: pd.DataFrame, study: Study) -> dict[tuple[str, str | None], FrequencyTable]:
    """Return a table of scores per grouping and level, and one of everyone per grouping."""
    table = "score_frequencies"
    require_columns(table, frame, ("grouping", "level", "item_sum", "item_responses", "participants"))
    grouping_levels = {one.id: one.level_ids for one in study.groupings}
    require_known(table, "grouping", frame["grouping"], grouping_levels)
    groupings = frame["grouping"].astype(object).to_numpy()
    levels = frame["level"].astype(object).to_numpy()
    scores = quotients(table, frame, "item_sum", "item_responses")
    participants = np.array(whole_numbers(table, frame, "participants"), dtype=np.int64)
    groups: dict[tuple[str, str | None], FrequencyTable] = {}
    for grouping, known in grouping_levels.items():
        of_grouping = groupings == grouping
        require_known(table, f"level of {grouping}", levels[of_grouping], known)
        for level in known:
            chosen = of_grouping & (levels == level)
            groups[grouping, level] = FrequencyTable(scores[chosen], participants[chosen])
        groups[grouping, None] = FrequencyTable(scores[of_grouping], participants[of_grouping])
    return groups


def _pairs(frame: pd.DataFrame, study: Study) -> dict[str, JointFrequencyTable]:
    """Return a table of values and scores per correlation."""
    table = "correlate_frequencies"
    require_columns(table, frame, ("correlate", "value", "item_sum", "item_responses", "participants"))
    known = [one.id for one in study.correlations]
    require_known(table, "correlate", frame["correlate"], known)
    found = {}
    for name in known:
        rows = frame[(frame["correlate"] == name).to_numpy(dtype=bool)]
        found[name] = JointFrequencyTable(
            whole_numbers(table, rows, "value", None),
            quotients(table, rows, "item_sum", "item_responses"),
            whole_numbers(table, rows, "participants"),
        )
    return found


def _items(frame: pd.DataFrame) -> dict[str, tuple[int, list[list[Fraction]]]]:
    """Return the number of observations and the covariance matrix of the two items, by population."""
    table = "item_sums"
    columns = (
        *("bond_responses", "goals_responses", "n", "bond", "goals"),
        *("bond_squares", "goals_squares", "products"),
    )
    require_columns(table, frame, ("population", *columns))
    require_known(table, "population", frame["population"], ITEM_POPULATIONS)
    numbers = zip(*(whole_numbers(table, frame, column, int("responses" in column)) for column in columns), strict=True)
    totals = {population: [Fraction(0)] * 6 for population in ITEM_POPULATIONS}
    for population, (of_bond, of_goals, n, bond, goals, bond_squares, goals_squares, products) in zip(
        frame["population"], numbers, strict=True
    ):
        parts = (
            *(Fraction(n), Fraction(bond, of_bond), Fraction(goals, of_goals)),
            *(Fraction(bond_squares, of_bond**2), Fraction(goals_squares, of_goals**2)),
            Fraction(products, of_bond * of_goals),
        )
        totals[population] = [total + part for total, part in zip(totals[population], parts, strict=True)]
    items = {}
    for population, (count, bond, goals, bond_squares, goals_squares, products) in totals.items():
        n = int(count)
        bond_variance, goals_variance, covariance = (
            (squares - first * second / n) / (n - 1) if n > 1 else Fraction(0)
            for squares, first, second in (
                (bond_squares, bond, bond),
                (goals_squares, goals, goals),
                (products, bond, goals),
            )
        )
        items[population] = n, [[bond_variance, covariance], [covariance, goals_variance]]
    return items


def _change_sums(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the sums of each utilization type, zeros for one without a row."""
    table = "change_sums"
    require_columns(table, frame, ("utilization_type", *_CHANGE_COLUMNS))
    types = [str(value) for value in frame["utilization_type"]]
    require_known(table, "utilization_type", types, UTILIZATION_TYPES)
    if len(set(types)) < len(types):
        raise ValueError(f"{table}: utilization_type is not unique")
    sums = {name: dict.fromkeys(_CHANGE_COLUMNS, 0) for name in UTILIZATION_TYPES}
    for column in _CHANGE_COLUMNS:
        for name, number in zip(types, whole_numbers(table, frame, column), strict=True):
            sums[name][column] = number
    return sums


def _paired_moments(sums: Mapping[str, int]) -> PairedMoments:
    n, baseline, followup = sums["n"], sums["baseline"], sums["followup"]
    if n == 0:
        return PairedMoments(0)

    def moment(squares: int, first: int, second: int) -> Fraction | None:
        return Fraction(n * squares - first * second, n * (n - 1)) if n > 1 else None

    change = followup - baseline
    change_squares = sums["followup_squares"] + sums["baseline_squares"] - 2 * sums["products"]
    return PairedMoments(
        n=n,
        first_mean=Fraction(baseline, n),
        second_mean=Fraction(followup, n),
        change_mean=Fraction(change, n),
        first_variance=moment(sums["baseline_squares"], baseline, baseline),
        second_variance=moment(sums["followup_squares"], followup, followup),
        change_variance=moment(change_squares, change, change),
        covariance=moment(sums["products"], baseline, followup),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """The cross-products of a regression; those of a moderation are of centred variables.

    Attributes:
        products: means and cross-products of the terms and the outcome.
        variances: of the terms and the outcome that are z-scored, and of the products of those.
        centres: the means that were taken off.
    """

    products: CrossProducts
    variances: Mapping[str, Fraction] = field(default_factory=dict)
    centres: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of people."""
        return self.products.n


@dataclass(frozen=True, slots=True)
class _Impossible:
    """A regression whose variables cannot be formed from the rows there are."""

    n: int
    note: str


def _regression_data(frame: pd.DataFrame, study: Study) -> dict[str, _Sample | _Impossible]:
    """Return each regression's cross-products, or why it has none."""
    table = "regression_sums"
    require_columns(table, frame, study.factors)
    for name, grouping in study.factors.items():
        require_known(table, name, frame[name], grouping.level_ids)
    sums = product_sums(table, frame, tuple(study.numbers), study.dummies)
    return {analysis: _sample(sums, regression) for analysis, regression in study.regressions.items()}


def _sample(sums: ProductSums, regression: Regression) -> _Sample | _Impossible:
    n, names = sums.n, (*regression.terms, OUTCOME)
    if n == 0:
        return _Sample(CrossProducts(regression.terms, OUTCOME, 0, [0] * len(names), [[0] * len(names)] * len(names)))
    variables = {name: _variable(sums, name) for name in dict.fromkeys(":".join(names).split(":"))}
    centres, variances = {}, {}
    for name in regression.standardized:
        raw = variables[name]
        total = sums.sum(raw)
        # n times the deviation from the mean is whole.
        variables[name] = Polynomial(
            {**{k: n * v for k, v in raw.coefficients.items()}, Monomial(): -total}, n * raw.unit
        )
        centres[name] = Fraction(total, n * raw.unit)
        if n > 1:
            square = n * sums.sum(raw * raw) - total**2
            variances[name] = Fraction(square, n * (n - 1) * raw.unit**2)
    undefined = [name for name in regression.standardized if not variances.get(name, 1)]
    if regression.indispensable.intersection(undefined):
        return _Impossible(n, f"no variance in {', '.join(undefined)}: its z-scores are undefined")

    terms = [
        math.prod((variables[name] for name in term.split(":")), start=Polynomial({Monomial(): 1})) for term in names
    ]
    totals = [sums.sum(term) for term in terms]
    matrix = [[Fraction(0)] * len(names) for _ in names]
    for i, first in enumerate(terms):
        for j, second in enumerate(terms[: i + 1]):
            product = n * sums.sum(first * second) - totals[i] * totals[j]
            matrix[i][j] = matrix[j][i] = Fraction(product, n * first.unit * second.unit)
    means = [Fraction(total, n * term.unit) for total, term in zip(totals, terms, strict=True)]
    for term in regression.terms:
        scaled = [variances[name] for name in term.split(":") if name in variances]
        if scaled:
            variances[term] = math.prod(scaled, start=Fraction(1))
    return _Sample(CrossProducts(regression.terms, OUTCOME, n, means, matrix), variances, centres)


def _variable(sums: ProductSums, name: str) -> Polynomial:
    if name == ALLIANCE:
        return Polynomial({Monomial(power=1): 1}, sums.common)
    if name in sums.dummies:
        return Polynomial({Monomial(dummies=frozenset([name])): 1})
    return Polynomial({Monomial(variables=(name,)): 1})


def _levels(frame: pd.DataFrame, counted: Iterable[CountedLevel]) -> dict[tuple[str, str | None, str], int]:
    """Return the number of people by variable, level and utilization type."""
    table = "level_frequencies"
    require_columns(table, frame, ("variable", "level", "utilization_type", "participants"))
    known: dict[str, set[str | None]] = {}
    for variable, level, base in counted:
        known.setdefault(variable, set()).add(level)
        if level == HOLDS:
            known[variable].add("false")
        elif base is not None and base[0][0] == variable:
            known[variable].add(None)  # percentages are of those who are known
    require_known(table, "variable", frame["variable"], known)
    require_known(table, "utilization_type", frame["utilization_type"], UTILIZATION_TYPES)
    levels: dict[tuple[str, str | None, str], int] = {}
    for variable, given, kind, participants in zip(
        frame["variable"],
        frame["level"],
        frame["utilization_type"],
        whole_numbers(table, frame, "participants"),
        strict=True,
    ):
        level = None if pd.isna(given) else str(given).lower()
        if level not in known[variable]:
            raise ValueError(f"{table}: unknown level of {variable} {level}")
        levels[variable, level, kind] = levels.get((variable, level, kind), 0) + participants
    for kind in UTILIZATION_TYPES:
        whole = levels.get(("participants", None, kind), 0)
        for variable in known:
            part = sum(levels.get((variable, level, kind), 0) for level in known[variable])
            if part != whole:
                raise ValueError(f"{table}: {variable} adds up to {part} of {whole} participants of {kind}")
    return levels


def _distributions(frame: pd.DataFrame, variables: Sequence[str]) -> dict[tuple[str, str], dict[tuple[int, int], int]]:
    """Return how often each value of a variable occurs in a utilization type."""
    table = "value_frequencies"
    require_columns(table, frame, ("variable", "utilization_type", "numerator", "denominator", "participants"))
    require_known(table, "variable", frame["variable"], variables)
    require_known(table, "utilization_type", frame["utilization_type"], UTILIZATION_TYPES)
    values: dict[tuple[str, str], dict[tuple[int, int], int]] = {}
    for variable, kind, above, below, participants in zip(
        frame["variable"],
        frame["utilization_type"],
        whole_numbers(table, frame, "numerator", None),
        whole_numbers(table, frame, "denominator", 1),
        whole_numbers(table, frame, "participants"),
        strict=True,
    ):
        counts = values.setdefault((variable, kind), {})
        counts[above, below] = counts.get((above, below), 0) + participants
    return values


# --- Writing the findings -----------------------------------------------------------------


def contrast_term(first: str, second: str) -> str:
    """Return the term of a contrast: the first less the second."""
    return f"{first} - {second}"


_TEXT = pd.StringDtype(na_value=np.nan)
_DTYPES: Mapping[str, object] = {
    "str": _TEXT,
    "str | None": _TEXT,
    "float | None": np.dtype(np.float64),
    "int": pd.Int64Dtype(),
    "int | None": pd.Int64Dtype(),
}


def _columns(result: type[TestResult] | type[RegressionStep] | type[_Point]) -> dict[str, object]:
    return {one.name: _DTYPES[str(one.type)] for one in fields(result)}


_FINDING_COLUMNS = {"analysis": _TEXT, "term": _TEXT, **_columns(TestResult)}
_TABLE_1_COLUMNS: dict[str, object] = {
    **dict.fromkeys(("variable", "level", "utilization_type", "statistic"), _TEXT),
    **dict.fromkeys(("value", "percentile"), np.dtype(np.float64)),
}
_FIT_COLUMNS = {"analysis": _TEXT, **_columns(RegressionStep)}
_SLOPE_COLUMNS: dict[str, object] = {
    "analysis": _TEXT,
    "level": _TEXT,
    "position": pd.Int64Dtype(),
    **_columns(_Point),
}


def findings_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows in the columns of ``inference_results``."""
    return records_frame(
        [{"analysis": analysis, "term": term, **asdict(result)} for analysis, term, result in rows],
        _FINDING_COLUMNS,
    )


def records_frame(records: Sequence[Mapping[str, object]], columns: Mapping[str, object]) -> pd.DataFrame:
    """Build a frame whose dtypes do not depend on which figures happen to be missing."""
    return pd.DataFrame(
        {
            name: pd.Series([record[name] for record in records], dtype=dtype)  # type: ignore[call-overload]
            for name, dtype in columns.items()
        }
    )
