"""The study's analyses: which statistic of which groups answers which question.

The analyses are declared as data at the head of the module and computed by the functions of
``rapport.statistics``. The input is five tables of sufficient statistics, the output tidy data
frames with one row per test, contrast, coefficient or regression step. Every declared row is
always there, whatever the data.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import pandas as pd

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
    direction,
    hierarchical_regression,
    least_squares,
    prediction,
)
from rapport.statistics.reliability import CRONBACH_ALPHA, cronbach_alpha
from rapport.statistics.result import RegressionStep, TestResult

# --- Declaration of the study -------------------------------------------------------------

UTILIZATION_TYPES = ("teletherapy", "telecoaching", "both")

GROUPING_LEVELS: Mapping[str, tuple[str, ...]] = {
    "sex": ("female", "male"),
    "country": ("within_usa", "outside_usa"),
    "depression_screen": ("positive", "negative"),
    "utilization_type": UTILIZATION_TYPES,
}

ITEM_POPULATIONS = ("participant_means", "session_ratings")

# analysis: grouping, first level, second level
TWO_GROUP_COMPARISONS: Mapping[str, tuple[str, str, str]] = {
    "alliance_by_sex": ("sex", "female", "male"),
    "alliance_by_country": ("country", "outside_usa", "within_usa"),
    "alliance_by_depression_screen": ("depression_screen", "positive", "negative"),
}

DUNN_CONTRASTS = (
    ("telecoaching", "teletherapy"),
    ("telecoaching", "both"),
    ("teletherapy", "both"),
)

TUKEY_CONTRASTS = (
    ("telecoaching", "teletherapy"),
    ("both", "teletherapy"),
    ("both", "telecoaching"),
)

# term: grouping, level; None is everyone
MEDIAN_GROUPS: Mapping[str, tuple[str, str | None]] = {
    "female": ("sex", "female"),
    "male": ("sex", "male"),
    "within_usa": ("country", "within_usa"),
    "outside_usa": ("country", "outside_usa"),
    "screened_positive": ("depression_screen", "positive"),
    "screened_negative": ("depression_screen", "negative"),
    "teletherapy": ("utilization_type", "teletherapy"),
    "telecoaching": ("utilization_type", "telecoaching"),
    "both": ("utilization_type", "both"),
    "total": ("utilization_type", None),
}

# analysis: column of wellbeing_change_moments
CLINICAL_RATES: Mapping[str, str] = {
    "clinical_recovery": "recovered",
    "clinical_improvement": "improved",
}

OUTCOME = "followup_score"


@dataclass(frozen=True, slots=True)
class Moderator:
    """The moderator of a regression, and the values at which the slope of alliance is shown.

    Attributes:
        terms: the moderator's own terms.
        levels: by name, the value of each of these terms; z-scores for a continuous moderator.
    """

    terms: tuple[str, ...]
    levels: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Regression:
    """A hierarchical regression on follow-up well-being.

    Attributes:
        steps: the terms that each step adds.
        standardized: variables that are z-scored in the estimation sample before the
            interactions are formed. Without variance there is no z-score: a covariate is then aliased, and
            without the outcome or a factor of an interaction there is no model.
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
        return {OUTCOME, *(factor for term in self.terms if ":" in term for factor in term.split(":"))}


_COVARIATES = ("age_years", "male", "time_in_care")
_MAIN_EFFECTS = (*_COVARIATES, "baseline_score", "alliance")
_CONTINUOUS = (OUTCOME, "age_years", "time_in_care", "baseline_score", "alliance")

REGRESSIONS: Mapping[str, Regression] = {
    "alliance_predicts_wellbeing": Regression(
        steps=(_COVARIATES, ("baseline_score",), ("alliance",)),
    ),
    "moderation_by_utilization": Regression(
        steps=(
            (*_MAIN_EFFECTS, "telecoaching", "both"),
            ("alliance:telecoaching", "alliance:both"),
        ),
        standardized=_CONTINUOUS,
    ),
    "moderation_by_baseline": Regression(
        steps=(_MAIN_EFFECTS, ("alliance:baseline_score",)),
        standardized=_CONTINUOUS,
    ),
    "moderation_by_sessions": Regression(
        steps=((*_MAIN_EFFECTS, "total_sessions"), ("alliance:total_sessions",)),
        standardized=(*_CONTINUOUS, "total_sessions"),
    ),
}

_SPREAD = {"low": (-1.0,), "mean": (0.0,), "high": (1.0,)}

MODERATORS: Mapping[str, Moderator] = {
    "moderation_by_utilization": Moderator(
        ("telecoaching", "both"),
        {"teletherapy": (0.0, 0.0), "telecoaching": (1.0, 0.0), "both": (0.0, 1.0)},
    ),
    "moderation_by_baseline": Moderator(("baseline_score",), _SPREAD),
    "moderation_by_sessions": Moderator(("total_sessions",), _SPREAD),
}

ALLIANCE, ALLIANCE_RANGE = "alliance", (1.0, 5.0)
LINE_POINTS, LINE_REACH = 9, 2.0

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
    for field in fields(result):
        value = getattr(result, field.name)
        is_figure = field.type == "float | None" and value is not None
        if is_figure and not (isinstance(value, Real) and math.isfinite(value)):
            strays[field.name] = None
    if not strays:
        return result
    why = f"cannot be computed: {', '.join(strays)}"
    return replace(result, **strays, note=f"{result.note}; {why}" if result.note else why)


def _rows(
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
    alliance_score_frequencies: pd.DataFrame,
    alliance_age_frequencies: pd.DataFrame,
    alliance_item_moments: pd.DataFrame,
) -> pd.DataFrame:
    """Return the findings on therapeutic alliance: reliability, associations, differences.

    Args:
        alliance_score_frequencies: grouping, level, alliance_score, participants.
        alliance_age_frequencies: age_years, alliance_score, participants.
        alliance_item_moments: population, n, bond_mean, goals_mean, bond_variance,
            goals_variance, covariance.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: a table lacks a column, names an unknown group or holds impossible values.
    """
    groups = _score_groups(alliance_score_frequencies)
    by_utilization = {name: groups["utilization_type", name] for name in UTILIZATION_TYPES}
    items = _items(alliance_item_moments)
    ages = _ages(alliance_age_frequencies)
    rows = [
        *_rows(
            "alliance_reliability",
            {name: replace(CRONBACH_ALPHA, n=n) for name, (n, _) in items.items()},
            lambda: {name: cronbach_alpha(n, matrix) for name, (n, matrix) in items.items()},
        ),
        *_rows(
            "alliance_group_medians",
            {term: replace(MEDIAN, n=groups[group].n) for term, group in MEDIAN_GROUPS.items()},
            medians,
            {term: groups[group] for term, group in MEDIAN_GROUPS.items()},
        ),
        *_rows(
            "alliance_vs_age",
            {"age_years": replace(SPEARMAN, n=ages.n)},
            spearman,
            ages,
        ),
    ]
    for analysis, (grouping, first, second) in TWO_GROUP_COMPARISONS.items():
        pair = groups[grouping, first], groups[grouping, second]
        rows += _rows(
            analysis,
            {_contrast_term(first, second): replace(MANN_WHITNEY, n=pair[0].n + pair[1].n)},
            mann_whitney,
            *pair,
            (first, second),
        )
    rows += _rows(
        "alliance_by_utilization",
        {"utilization_type": replace(KRUSKAL_WALLIS, n=sum(table.n for table in by_utilization.values()))},
        kruskal_wallis,
        by_utilization,
    )
    rows += _rows(
        "alliance_by_utilization_dunn",
        {
            _contrast_term(*pair): replace(DUNN, n=sum(by_utilization[name].n for name in pair))
            for pair in DUNN_CONTRASTS
        },
        dunn,
        by_utilization,
        DUNN_CONTRASTS,
    )
    return _findings_frame(rows)


def wellbeing_findings(wellbeing_change_moments: pd.DataFrame) -> pd.DataFrame:
    """Return the findings on change of well-being among those screened positive.

    Args:
        wellbeing_change_moments: utilization_type, n, baseline_mean, followup_mean,
            change_mean, baseline_variance, followup_variance, change_variance, covariance,
            recovered, improved; a row per utilization type and ``total``.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: the table lacks a column, names an unknown group or holds impossible values.
    """
    rows_by_type = _keyed_rows(
        "wellbeing_change_moments",
        wellbeing_change_moments,
        "utilization_type",
        (*UTILIZATION_TYPES, "total"),
        (
            "n",
            "baseline_mean",
            "followup_mean",
            "change_mean",
            "baseline_variance",
            "followup_variance",
            "change_variance",
            "covariance",
            *CLINICAL_RATES.values(),
        ),
    )
    total = rows_by_type.get("total", {})
    change = PairedMoments(
        n=_count(total.get("n")),
        first_mean=total.get("baseline_mean"),
        second_mean=total.get("followup_mean"),
        change_mean=total.get("change_mean"),
        first_variance=total.get("baseline_variance"),
        second_variance=total.get("followup_variance"),
        change_variance=total.get("change_variance"),
        covariance=total.get("covariance"),
    )
    by_utilization = {}
    for name in UTILIZATION_TYPES:
        row = rows_by_type.get(name, {})
        by_utilization[name] = GroupMoments(_count(row.get("n")), row.get("change_mean"), row.get("change_variance"))

    hits = {analysis: _count(total.get(column)) for analysis, column in CLINICAL_RATES.items()}
    n = change.n
    rows = [
        *_rows(
            "wellbeing_change",
            {"followup - baseline": replace(PAIRED_T, n=n)},
            paired_t,
            change,
        ),
        *_rows(
            "wellbeing_change",
            {name: replace(blank, n=n) for name, blank in STANDARDIZED_CHANGES.items()},
            paired_effect_sizes,
            change,
        ),
        *_rows(
            "wellbeing_change",
            {"percent_change": replace(PERCENT_CHANGE, n=n)},
            percent_change,
            change,
        ),
        *_rows(
            "wellbeing_change_group_means",
            {name: replace(GROUP_MEAN, n=group.n) for name, group in by_utilization.items()},
            group_means,
            by_utilization,
        ),
        *_rows(
            "wellbeing_change_by_utilization",
            {"utilization_type": replace(ONE_WAY_ANOVA, n=sum(group.n for group in by_utilization.values()))},
            one_way_anova,
            by_utilization,
        ),
        *_rows(
            "wellbeing_change_by_utilization_tukey",
            {
                _contrast_term(*pair): replace(TUKEY_KRAMER, n=sum(by_utilization[name].n for name in pair))
                for pair in TUKEY_CONTRASTS
            },
            tukey_kramer,
            by_utilization,
            TUKEY_CONTRASTS,
        ),
    ]
    for analysis, count in hits.items():
        rows += _rows(
            analysis,
            {"screened_positive": replace(PROPORTION, n=n)},
            wilson,
            count,
            n,
        )
    return _findings_frame(rows)


def regression_findings(regression_cross_products: pd.DataFrame) -> pd.DataFrame:
    """Return the coefficients of the last step of each regression.

    Args:
        regression_cross_products: analysis, row_term, column_term, n, row_mean, column_mean,
            cross_product; the full symmetric matrix of an analysis or one triangle of it.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: the table lacks a column or a pair of terms, names an unknown analysis or
            contradicts itself.
    """
    rows: list[Row] = []
    for analysis, data in _regression_data(regression_cross_products).items():
        blanks = {term: replace(COEFFICIENT, n=data.n) for term in (INTERCEPT, *REGRESSIONS[analysis].terms)}
        if isinstance(data, CrossProducts):
            rows += _rows(analysis, blanks, least_squares, data)
        else:
            rows += [(analysis, term, replace(blank, note=data.note)) for term, blank in blanks.items()]
    return _findings_frame(rows)


def regression_fit(regression_cross_products: pd.DataFrame) -> pd.DataFrame:
    """Return the variance explained by each step of each regression.

    Args:
        regression_cross_products: as for ``regression_findings``.

    Returns:
        The columns of ``model_fit`` and ``note``, one row per analysis and step.

    Raises:
        ValueError: as for ``regression_findings``.
    """
    records: list[dict[str, object]] = []
    for analysis, data in _regression_data(regression_cross_products).items():
        steps = REGRESSIONS[analysis].steps
        fits = [
            RegressionStep(number, " + ".join(itertools.chain(*steps[:number])), data.n)
            for number in range(1, len(steps) + 1)
        ]
        if isinstance(data, CrossProducts):
            fits = _guarded(analysis, fits, partial(hierarchical_regression, data, steps))
        else:
            fits = [replace(fit, note=data.note) for fit in fits]
        records += [{"analysis": analysis, **asdict(fit)} for fit in fits]
    return _frame(records, _FIT_COLUMNS)


def slope_findings(regression_cross_products: pd.DataFrame) -> pd.DataFrame:
    """Return the line of well-being along alliance at each shown value of each moderator.

    The moderation models are in z-scores; the means and deviations of the raw sample, which the
    regression ``alliance_predicts_wellbeing`` shares, turn their lines into points of both
    scales. Slopes at chosen values of a moderator: Aiken & West (1991), Multiple Regression:
    Testing and Interpreting Interactions, chapter 2.

    Args:
        regression_cross_products: as for ``regression_findings``.

    Returns:
        The columns of ``alliance_slopes``: per analysis, level and position the alliance score
        (points), the expected WHO-5 (points) with its 95% limits, and the slope (WHO-5 points per
        point of alliance) with its limits. Notes without figures where there is no model.

    Raises:
        ValueError: as for ``regression_findings``.
    """
    regressions = _regression_data(regression_cross_products)
    raw = regressions["alliance_predicts_wellbeing"]
    records: list[dict[str, object]] = []
    for analysis, moderator in MODERATORS.items():
        for level, values in moderator.levels.items():
            model, at = regressions[analysis], dict(zip(moderator.terms, values, strict=True))
            line = _guarded(
                analysis,
                [_Point(model.n)] * LINE_POINTS,
                partial(_line, raw, model, at),
            )
            records += [
                {**asdict(point), "analysis": analysis, "level": level, "position": position}
                for position, point in enumerate(line, start=1)
            ]
    return _frame(records, _SLOPE_COLUMNS)


def _line(
    raw: CrossProducts | _Impossible, model: CrossProducts | _Impossible, moderator: Mapping[str, float]
) -> list[_Point]:
    """Return the points of one line; notes instead of figures where it cannot be drawn."""
    if isinstance(raw, _Impossible) or isinstance(model, _Impossible):
        fault = next(data for data in (raw, model) if isinstance(data, _Impossible))
        return [_Point(fault.n, note=fault.note)] * LINE_POINTS
    # What alliance is multiplied by in the interactions: alliance:x moves by x when alliance moves by 1.
    interactions = {f"{ALLIANCE}:{term}": value for term, value in moderator.items()}
    slope = direction(model, {ALLIANCE: 1.0, **interactions})
    if slope.estimate is None or slope.ci_low is None or slope.ci_high is None:
        return [_Point(model.n, note=slope.note)] * LINE_POINTS
    (alliance_mean, alliance_sd), (outcome_mean, outcome_sd) = raw.moments(ALLIANCE), raw.moments(OUTCOME)
    low, high = (
        min(max(alliance_mean + reach * alliance_sd, ALLIANCE_RANGE[0]), ALLIANCE_RANGE[1])
        for reach in (-LINE_REACH, LINE_REACH)
    )
    unit = outcome_sd / alliance_sd
    points = []
    for score in np.linspace(low, high, LINE_POINTS):
        z = (float(score) - alliance_mean) / alliance_sd
        expected = prediction(
            model, {**moderator, ALLIANCE: z, **{name: z * value for name, value in interactions.items()}}
        )
        if expected.estimate is None or expected.ci_low is None or expected.ci_high is None:
            return [_Point(model.n, note=expected.note)] * LINE_POINTS
        points.append(
            _Point(
                n=model.n,
                alliance_score=float(score),
                predicted=outcome_mean + outcome_sd * expected.estimate,
                ci_low=outcome_mean + outcome_sd * expected.ci_low,
                ci_high=outcome_mean + outcome_sd * expected.ci_high,
                slope=unit * slope.estimate,
                slope_ci_low=unit * slope.ci_low,
                slope_ci_high=unit * slope.ci_high,
            )
        )
    return points


# --- Reading the sufficient statistics ----------------------------------------------------

Figures = dict[str, float | None]


def _require_columns(table: str, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{table} lacks the column {', '.join(missing)}")


def _require_known(table: str, column: str, values: Iterable[object], known: Iterable[str]) -> None:
    unknown = sorted({str(value) for value in values} - set(known))
    if unknown:
        raise ValueError(f"{table}: unknown {column} {', '.join(unknown)}")


def _floats(frame: pd.DataFrame, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _count(value: float | None) -> int:
    if value is None:
        return 0
    if value < 0 or value != math.floor(value):
        raise ValueError(f"a count must be a whole number, zero or more, got {value}")
    return int(value)


def _keyed_rows(
    table: str,
    frame: pd.DataFrame,
    key: str,
    known: Sequence[str],
    columns: Sequence[str],
) -> dict[str, Figures]:
    """Return the figures of each row by its key, null as None."""
    _require_columns(table, frame, (key, *columns))
    keys = [str(value) for value in frame[key]]
    _require_known(table, key, keys, known)
    if len(set(keys)) < len(keys):
        raise ValueError(f"{table}: {key} is not unique")
    figures = {column: _floats(frame, column) for column in columns}
    return {
        name: {column: None if math.isnan(values[i]) else float(values[i]) for column, values in figures.items()}
        for i, name in enumerate(keys)
    }


def _score_groups(frame: pd.DataFrame) -> dict[tuple[str, str | None], FrequencyTable]:
    """Return a table of scores per grouping and level, and one of everyone per grouping."""
    table = "alliance_score_frequencies"
    _require_columns(table, frame, ("grouping", "level", "alliance_score", "participants"))
    _require_known(table, "grouping", frame["grouping"], GROUPING_LEVELS)
    groupings = frame["grouping"].astype(object).to_numpy()
    levels = frame["level"].astype(object).to_numpy()
    scores, participants = _floats(frame, "alliance_score"), _floats(frame, "participants")
    groups: dict[tuple[str, str | None], FrequencyTable] = {}
    for grouping, known in GROUPING_LEVELS.items():
        of_grouping = groupings == grouping
        _require_known(table, f"level of {grouping}", levels[of_grouping], known)
        for level in known:
            chosen = of_grouping & (levels == level)
            groups[grouping, level] = FrequencyTable(scores[chosen], participants[chosen])
        groups[grouping, None] = FrequencyTable(scores[of_grouping], participants[of_grouping])
    return groups


def _ages(frame: pd.DataFrame) -> JointFrequencyTable:
    _require_columns("alliance_age_frequencies", frame, ("age_years", "alliance_score", "participants"))
    return JointFrequencyTable(
        _floats(frame, "age_years"),
        _floats(frame, "alliance_score"),
        _floats(frame, "participants"),
    )


def _items(frame: pd.DataFrame) -> dict[str, tuple[int, list[list[float]]]]:
    """Return the number of observations and the covariance matrix of the two items, by population."""
    rows = _keyed_rows(
        "alliance_item_moments",
        frame,
        "population",
        ITEM_POPULATIONS,
        ("n", "bond_variance", "goals_variance", "covariance"),
    )
    items = {}
    for population in ITEM_POPULATIONS:
        row = rows.get(population, {})
        bond, goals, covariance = (
            math.nan if value is None else value
            for value in (row.get(c) for c in ("bond_variance", "goals_variance", "covariance"))
        )
        items[population] = _count(row.get("n")), [[bond, covariance], [covariance, goals]]
    return items


@dataclass(frozen=True, slots=True)
class _Impossible:
    """A regression whose variables cannot be formed from the rows there are."""

    n: int
    note: str


def _no_rows(regression: Regression) -> CrossProducts:
    size = len(regression.terms) + 1
    return CrossProducts(regression.terms, OUTCOME, 0, np.zeros(size), np.zeros((size, size)))


def _regression_data(frame: pd.DataFrame) -> dict[str, CrossProducts | _Impossible]:
    """Return each regression's cross-products, or why it has none."""
    table = "regression_cross_products"
    columns = ("row_mean", "column_mean", "cross_product")
    _require_columns(table, frame, ("analysis", "row_term", "column_term", "n", *columns))
    _require_known(table, "analysis", frame["analysis"], REGRESSIONS)
    analyses = frame["analysis"].astype(object).to_numpy()
    return {
        analysis: _cross_products(analysis, regression, frame.loc[analyses == analysis])
        for analysis, regression in REGRESSIONS.items()
    }


def _cross_products(analysis: str, regression: Regression, frame: pd.DataFrame) -> CrossProducts | _Impossible:
    names = (*regression.terms, OUTCOME)
    rows_n = _floats(frame, "n")
    sizes = {_count(float(n)) for n in rows_n[~np.isnan(rows_n)]}
    if len(sizes) > 1:
        raise ValueError(f"{analysis}: the pairs of terms differ in n: {sorted(sizes)}")
    n = sizes.pop() if sizes else 0
    if n == 0:
        return _no_rows(regression)

    position = {name: i for i, name in enumerate(names)}
    pairs = list(zip(map(str, frame["row_term"]), map(str, frame["column_term"]), strict=True))
    for pair in pairs:
        _require_known(analysis, "term", pair, names)
    means = np.full(len(names), np.nan)
    matrix = np.full((len(names), len(names)), np.nan)
    given: set[tuple[str, str]] = set()
    figures = zip(
        *(_floats(frame, column) for column in ("row_mean", "column_mean", "cross_product")),
        strict=True,
    )
    for (row_term, column_term), (row_mean, column_mean, product) in zip(pairs, figures, strict=True):
        row, column = position[row_term], position[column_term]
        means[row], means[column] = row_mean, column_mean
        if (column_term, row_term) not in given:
            matrix[column, row] = product
        matrix[row, column] = product
        given.add((row_term, column_term))
    absent = [
        f"{first} and {second}"
        for i, first in enumerate(names)
        for second in names[i:]
        if (first, second) not in given and (second, first) not in given
    ]
    if absent:
        raise ValueError(f"{analysis}: no cross-product of {'; '.join(absent)}")

    undefined = [name for name in regression.standardized if math.isnan(means[position[name]])]
    if undefined and n < 2:
        return _Impossible(n, f"too few rows: {n}")
    if regression.indispensable.intersection(undefined):
        listed = ", ".join(undefined)
        return _Impossible(n, f"no variance in {listed}: its z-scores are undefined")
    for name in undefined:
        means[position[name]] = 0.0
        matrix[position[name], :] = matrix[:, position[name]] = 0.0
    return CrossProducts(regression.terms, OUTCOME, n, means, matrix)


# --- Writing the findings -----------------------------------------------------------------


def _contrast_term(first: str, second: str) -> str:
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
    return {field.name: _DTYPES[str(field.type)] for field in fields(result)}


_FINDING_COLUMNS = {"analysis": _TEXT, "term": _TEXT, **_columns(TestResult)}
_FIT_COLUMNS = {"analysis": _TEXT, **_columns(RegressionStep)}
_SLOPE_COLUMNS: dict[str, object] = {
    "analysis": _TEXT,
    "level": _TEXT,
    "position": pd.Int64Dtype(),
    **_columns(_Point),
}


def _findings_frame(rows: Sequence[Row]) -> pd.DataFrame:
    return _frame(
        [{"analysis": analysis, "term": term, **asdict(result)} for analysis, term, result in rows],
        _FINDING_COLUMNS,
    )


def _frame(records: Sequence[Mapping[str, object]], columns: Mapping[str, object]) -> pd.DataFrame:
    """Build a frame whose dtypes do not depend on which figures happen to be missing."""
    return pd.DataFrame(
        {
            name: pd.Series([record[name] for record in records], dtype=dtype)  # type: ignore[call-overload]
            for name, dtype in columns.items()
        }
    )
