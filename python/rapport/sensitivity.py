"""What the findings owe to the study's choices: every analysis again, with one choice made differently.

The analyses are declared as data at the head of the module. The input is tables of sufficient statistics, the output
one row per test, contrast, coefficient or rate in the columns of ``inference_results``. Every declared row is always
there, whatever the data. The model of alliance and well-being has the study's covariates, the baseline and alliance.

A sandwich estimator needs the residual of every row, and so a second pass over the rows: :func:`fits` says from which
coefficients, the warehouse adds up the squared scores, and :func:`sensitivity_findings` concludes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from rapport import study
from rapport.statistics.exact import root
from rapport.statistics.logistic import logistic_probabilities
from rapport.statistics.means import (
    EQUIVALENCE,
    INTRACLASS,
    WELCH_ANOVA,
    GroupMoments,
    intraclass_correlation,
    welch_anova,
    welch_equivalence,
)
from rapport.statistics.multiplicity import holm
from rapport.statistics.proportions import PROPORTION, wilson
from rapport.statistics.ranks import BRUNNER_MUNZEL, brunner_munzel
from rapport.statistics.regression import COEFFICIENT, INTERCEPT, CrossProducts, LinearModel
from rapport.statistics.reliability import cronbach_alpha
from rapport.statistics.result import TestResult
from rapport.studies import ALLIANCE, BASELINE, SEX, Study
from rapport.sufficient import long_numbers, require_columns, require_known, whole_numbers

# --- Declaration --------------------------------------------------------------------------

SEX_MISSING = "sex_missing"
WITHIN, BETWEEN = "alliance_within", "alliance_between"
SPLIT_CONTRAST = {f"{BETWEEN} - {WITHIN}": (BETWEEN, WITHIN)}
SANDWICHES = ("alliance_hc3", "alliance_clustered", "alliance_within_between", "alliance_rater_weighted")
"""Analyses whose errors are those of a sandwich estimator."""


@dataclass(frozen=True)
class Design:
    """What the analyses take from the definition of the study.

    Attributes:
        study: the definition, whose covariates the models have.
    """

    study: Study

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """The terms of the model: the covariates', the baseline, alliance."""
        return (*self.covariates, ALLIANCE)

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """Its terms beside alliance."""
        return (*self.study.covariate_terms, BASELINE)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The covariates and the outcome."""
        return (*self.covariates, study.OUTCOME)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All variables of the model."""
        return (*self.variables, ALLIANCE)

    @cached_property
    def without_sex(self) -> tuple[str, ...]:
        """The terms without those of sex; all of them if the study has no such covariate."""
        return tuple(term for term in self.terms if term not in self.study.sex_terms)

    @cached_property
    def with_sex_missing(self) -> tuple[str, ...]:
        """The terms with one more of sex, of those who reported none; no more if the study has no such covariate."""
        if not self.study.sex_terms:
            return self.terms
        place = max(self.terms.index(term) for term in self.study.sex_terms) + 1
        return (*self.terms[:place], SEX_MISSING, *self.terms[place:])

    @cached_property
    def split_terms(self) -> tuple[str, ...]:
        """The terms with the alliance in two parts, within and between main providers."""
        return (*self.covariates, WITHIN, BETWEEN)

    def terms_of(self, analysis: str) -> tuple[str, ...]:
        """The terms of an analysis with a sandwich estimator."""
        return self.split_terms if analysis == "alliance_within_between" else self.terms

    @cached_property
    def superiority(self) -> dict[str, tuple[str, str, str]]:
        """By analysis a grouping of two levels, and its first and second level."""
        return {
            one.analysis.replace("alliance_by", "alliance_superiority_by"): (one.id, *one.contrasts[0])
            for one in self.study.groupings
            if len(one.level_ids) == 2
        }

    @cached_property
    def first_aim(self) -> dict[str, str]:
        """Analysis and term of the tests of the first aim."""
        two = {one.analysis: one for one in self.study.groupings if len(one.level_ids) == 2}
        more = {one.analysis: one.id for one in self.study.groupings if len(one.level_ids) > 2}
        return {
            **{analysis: study.contrast_term(*one.contrasts[0]) for analysis, one in two.items()},
            **{one.analysis: one.id for one in self.study.correlations},
            **more,
        }


# The choices of the grid: highest baseline, least days to the follow-up, and the ratings that make the alliance.
CUTOFFS, MIN_DAYS, GRID_ALLIANCES = (28, 50), (7, 14, 28), ("mean", "first", "last")
FIRST_SESSIONS = "first_sessions"

RELIABLE_Z = Fraction("1.96")
RELIABLE_RATES = ("reliable_improvement", "reliable_recovery", "reliable_deterioration", "deterioration")

EQUIVALENCE_CONTRAST = ("telecoaching", "teletherapy")

# A fitted chance to rate so near to 0 or 1 is separation: the weights would be those of where the fit stopped.
SEPARATION = 1e-8

ESTIMATED = TestResult("Regression to the mean", estimate_name="points")
THRESHOLD = TestResult("Reliable change (Jacobson & Truax)", estimate_name="points")
HOLM = TestResult("Holm over the tests of the first aim")

_HC3 = "Least squares with HC3 errors"
_CR1 = "Least squares with errors clustered by main provider (CR1)"
_HC0 = "Least squares weighted by 1 / chance to rate, with HC0 errors"


@dataclass(frozen=True, slots=True)
class Choices:
    """The vars of the build that the analyses depend on.

    Attributes:
        improvement_points: change of WHO-5 from which it is a clinical improvement, and with a minus a deterioration.
        equivalence_margin: difference of changes in WHO-5 points up to which two groups count as equivalent.
    """

    improvement_points: int
    equivalence_margin: int


@dataclass(frozen=True)
class Statistics:
    """The tables of sufficient statistics; the models of the warehouse of (nearly) the same names describe them.

    Attributes:
        variants: sums and products by cut-off, days to the follow-up and sex (``variant_sums``).
        raters: the same by class of raters (``rater_classes``).
        providers: sums over main providers, one row (``provider_totals``).
        sandwiches: sums of squared scores by analysis (``sandwich_sums``).
        score_pairs: utilization_type, screened_positive, clinical_recovery, baseline_score, followup_score,
            participants.
        baseline_items: n, sums and products of the items of the baseline, one row (``baseline_item_sums``).
        scores: as for ``study.alliance_findings``.
        findings: analysis, term, n, p_value of the published findings.
    """

    variants: pd.DataFrame
    raters: pd.DataFrame
    providers: pd.DataFrame
    sandwiches: pd.DataFrame
    score_pairs: pd.DataFrame
    baseline_items: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame


# --- Sums of products ---------------------------------------------------------------------

Key = tuple[str, str]


def _key(first: str, second: str) -> Key:
    return (first, second) if first <= second else (second, first)


class Moments(NamedTuple):
    """The number of people, and sums of variables and of the products of each two of them; exact."""

    n: Fraction
    sums: Mapping[str, Fraction]
    products: Mapping[Key, Fraction]

    def cross_products(self, terms: Sequence[str], n: int | None = None) -> CrossProducts:
        """Return means and centred cross-products of terms and outcome; ``n`` people if weights add up to them."""
        names = (*terms, study.OUTCOME)
        size = len(names)
        if self.n == 0:
            return CrossProducts(terms, study.OUTCOME, 0, [0] * size, [[0] * size] * size)
        totals = [self.sums[name] for name in names]
        matrix = [
            [self.products[_key(a, b)] - totals[i] * totals[j] / self.n for j, b in enumerate(names)]
            for i, a in enumerate(names)
        ]
        return CrossProducts(terms, study.OUTCOME, n or int(self.n), [total / self.n for total in totals], matrix)


def _total(parts: Iterable[Moments], names: Sequence[str], weights: Sequence[Fraction] | None = None) -> Moments:
    """Add moments up, each as often as its weight says (once without weights); of nobody all sums are 0."""
    added = list(parts)
    per_part, over = _over_one_denominator([Fraction(1)] * len(added) if weights is None else weights)

    def total(values: Iterable[Fraction]) -> Fraction:
        # Whole numbers over one denominator: a fraction is reduced once, and not at every step.
        numerators, below = _over_one_denominator(list(values))
        return Fraction(sum(a * b for a, b in zip(numerators, per_part, strict=True)), below * over)

    keys = [_key(a, b) for a, b in itertools.combinations_with_replacement(names, 2)]
    return Moments(
        total(part.n for part in added),
        {name: total(part.sums[name] for part in added) for name in names},
        {key: total(part.products[key] for part in added) for key in keys},
    )


def _over_one_denominator(values: Sequence[Fraction]) -> tuple[list[int], int]:
    """Return the numerators of fractions over their least common denominator, and that."""
    denominator = math.lcm(*(value.denominator for value in values))
    return [value.numerator * (denominator // value.denominator) for value in values], denominator


def _read_moments(table: str, frame: pd.DataFrame, variants: Sequence[str], variables: Sequence[str]) -> list[Moments]:
    """Return the moments of each row: of the variables, and of each variant of the alliance with them.

    The variants stand in units, so many to a point; their moments are in points.
    """
    pairs = list(itertools.combinations_with_replacement(variables, 2))
    plain = {(name,): name for name in variables} | {pair: f"{pair[0]}_x_{pair[1]}" for pair in pairs}
    with_alliance: dict[tuple[str, ...], str] = {}
    for name in variants:
        with_alliance |= {(name,): name, (name, name): f"{name}_x_{name}"}
        with_alliance |= {(name, other): f"{name}_x_{other}" for other in variables}
    columns = plain | with_alliance
    require_columns(table, frame, ("unit", "n", *columns.values()))
    counts, units = whole_numbers(table, frame, "n"), whole_numbers(table, frame, "unit", 1)
    sums: list[dict[str, Fraction]] = [{} for _ in counts]
    products: list[dict[Key, Fraction]] = [{} for _ in counts]
    for names, column in columns.items():
        power = sum(name in variants for name in names)
        values = [
            Fraction(number, unit**power) if power else Fraction(number)
            for number, unit in zip(long_numbers(table, frame, column), units, strict=True)
        ]
        if len(names) == 1:
            for of_row, value in zip(sums, values, strict=True):
                of_row[names[0]] = value
        else:
            key = _key(*names)
            for of_pair, value in zip(products, values, strict=True):
                of_pair[key] = value
    return [Moments(Fraction(n), of_row, of_pair) for n, of_row, of_pair in zip(counts, sums, products, strict=True)]


def _alliance_of(moments: Moments, variant: str) -> Moments:
    """Return the moments with one variant as the alliance of the model."""
    names = {name: name for name in moments.sums if name not in _VARIANTS} | {variant: ALLIANCE}
    return Moments(
        moments.n,
        {new: moments.sums[old] for old, new in names.items()},
        {
            _key(names[a], names[b]): moments.products[_key(a, b)]
            for a, b in itertools.combinations_with_replacement(names, 2)
        },
    )


_VARIANTS = tuple(f"alliance_{name}" for name in (*GRID_ALLIANCES, FIRST_SESSIONS))
_MEAN = "alliance_mean"


@dataclass(frozen=True)
class _Variants:
    """Rows of ``variant_sums``: whom each is about, and their moments; whether the models leave unreported sex out."""

    rows: list[tuple[bool, int | None, int, str | None, Moments]]
    names: tuple[str, ...]
    asks_sex: bool

    def _is_in(self, sex: str | None) -> bool:
        return sex is not None or not self.asks_sex

    def sample(self, *, sex_known: bool = True, alliance: str = _MEAN) -> Moments:
        """Those who screened positive and miss no predictor, or none but sex."""
        return _total(
            (
                _alliance_of(moments, alliance)
                for positive, _, _, sex, moments in self.rows
                if positive and (self._is_in(sex) or not sex_known)
            ),
            self.names,
        )

    def with_sex_missing(self) -> Moments:
        """All who screened positive, with a term that is 1 where the sex is missing."""
        names = (*self.names, SEX_MISSING)
        parts = []
        for positive, _, _, sex, moments in self.rows:
            if positive:
                part, is_missing = _alliance_of(moments, _MEAN), Fraction(sex is None)
                parts.append(
                    Moments(
                        part.n,
                        {**part.sums, SEX_MISSING: part.n * is_missing},
                        {
                            **part.products,
                            **{_key(name, SEX_MISSING): part.sums[name] * is_missing for name in self.names},
                            (SEX_MISSING, SEX_MISSING): part.n * is_missing,
                        },
                    )
                )
        return _total(parts, names)

    def cell(self, cutoff: int, min_days: int, alliance: str) -> Moments:
        """Those up to a baseline, with so many days to the follow-up, who miss no predictor."""
        return _total(
            (
                _alliance_of(moments, f"alliance_{alliance}")
                for _, below, days, sex, moments in self.rows
                if below is not None and below <= cutoff and days >= min_days and self._is_in(sex)
            ),
            self.names,
        )


def _read_variants(frame: pd.DataFrame, design: Design) -> _Variants:
    table = "variant_sums"
    keys = ["screened_positive", "cutoff", "min_days", SEX]
    require_columns(table, frame, keys)
    moments = _read_moments(table, frame, _VARIANTS, design.variables)
    rows = []
    for i, row in enumerate(frame[keys].itertuples(index=False)):
        positive, cutoff, days, sex = row
        rows.append(
            (
                bool(positive),
                None if pd.isna(cutoff) else int(cutoff),
                int(days),
                None if pd.isna(sex) else str(sex),
                moments[i],
            )
        )
    return _Variants(rows, design.names, design.study.asks_sex)


# --- Raters -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Raters:
    """Those who could have rated, by class; the weight of a rater of each class, or why there is none."""

    classes: list[str]
    n: int
    weights: list[Fraction]
    moments: Moments
    note: str | None = None


def _read_raters(frame: pd.DataFrame, design: Design) -> _Raters:
    table = "rater_classes"
    require_columns(table, frame, ("rater_class", "members"))
    frame = frame.sort_values("rater_class")
    classes = [str(name) for name in frame["rater_class"]]
    members = whole_numbers(table, frame, "members", 1)
    moments = [_alliance_of(one, _MEAN) for one in _read_moments(table, frame, (_MEAN,), design.variables)]
    raters = [int(one.n) for one in moments]
    n = sum(raters)
    empty = _total((), design.names)
    if n == 0:
        return _Raters(classes, 0, [], empty, "no participants")
    chances = logistic_probabilities([name.split("/") for name in classes], members, raters)
    if min(chances) < SEPARATION or max(chances) > 1 - SEPARATION:
        return _Raters(classes, n, [], empty, "separation: in some classes everybody rated, or nobody did")
    # Weights are relative: they are made to add up to the number of raters.
    scale = n / math.fsum(size / chance for size, chance in zip(raters, chances, strict=True))
    weights = [Fraction(scale / chance) for chance in chances]
    return _Raters(classes, n, weights, _total(moments, design.names, weights))


# --- Providers ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Providers:
    """The sample with the alliance split by main provider, and the sums of squares of the cohort."""

    clusters: int
    split: Moments
    cohort: tuple[int, int, int, Fraction, Fraction, Fraction]
    """People, providers, squared sizes; sums of squares between and within providers; sum of squared scores."""


def _read_providers(frame: pd.DataFrame, design: Design) -> _Providers:
    table = "provider_totals"
    if len(frame) != 1:
        raise ValueError(f"{table}: one row expected, got {len(frame)}")
    (moments,) = _read_moments(table, frame, (_MEAN,), design.variables)

    def number(column: str, power: int = 0) -> Fraction:
        require_columns(table, frame, (column,))
        return Fraction(long_numbers(table, frame, column)[0], unit**power)

    unit = whole_numbers(table, frame, "unit", 1)[0]
    sums = {name: moments.sums[name] for name in design.variables}
    products = {_key(a, b): moments.products[_key(a, b)] for a, b in itertools.combinations_with_replacement(sums, 2)}
    between = number("provider_mean", 1)
    sums |= {BETWEEN: between, WITHIN: moments.sums[_MEAN] - between}
    for name in design.variables:
        product = number(f"provider_mean_x_{name}", 1)
        products[_key(BETWEEN, name)] = product
        products[_key(WITHIN, name)] = moments.products[_key(_MEAN, name)] - product
    square, mixed = number("provider_mean_x_provider_mean", 2), number("alliance_mean_x_provider_mean", 2)
    products[BETWEEN, BETWEEN] = square
    products[_key(WITHIN, BETWEEN)] = mixed - square
    products[WITHIN, WITHIN] = moments.products[_MEAN, _MEAN] - 2 * mixed + square
    people, squares = int(number("cohort_n")), number("cohort_alliance_squares", 2)
    total, of_means = number("cohort_alliance", 1), number("cohort_provider_mean_squares", 2)
    mean = total / people if people else Fraction(0)
    # The providers' means are rounded to a unit: about the mean of all, that hardly shows in their squares.
    between_square = of_means - 2 * mean * number("cohort_provider_mean", 1) + people * mean**2
    return _Providers(
        int(number("providers")),
        Moments(moments.n, sums, products),
        (
            people,
            int(number("cohort_providers")),
            int(number("cohort_squared_sizes")),
            between_square,
            squares - people * mean**2 - between_square,
            squares,
        ),
    )


# --- The first pass -----------------------------------------------------------------------


def _fit_columns(places: int) -> list[str]:
    numbered = range(1, places + 1)
    return [
        *("weight", "inverse_root_n", "outcome_mean", "residual_sd"),
        *(f"{what}_{i}" for what in ("mean", "b") for i in numbered),
        *(f"w_{i}_{j}" for i in numbered for j in range(1, i + 1)),
    ]


def _models(variants: _Variants, raters: _Raters, providers: _Providers, design: Design) -> dict[str, LinearModel]:
    sample = LinearModel(variants.sample().cross_products(design.terms))
    return {
        "alliance_hc3": sample,
        "alliance_clustered": sample,
        "alliance_within_between": LinearModel(providers.split.cross_products(design.split_terms)),
        "alliance_rater_weighted": LinearModel(raters.moments.cross_products(design.terms, raters.n)),
    }


def fits(variants: pd.DataFrame, raters: pd.DataFrame, providers: pd.DataFrame, defined: Study) -> pd.DataFrame:
    """Return the fits whose residuals the second pass over the rows needs.

    Args:
        variants: see :class:`Statistics`.
        raters: see :class:`Statistics`.
        providers: see :class:`Statistics`.
        defined: the definition of the study.

    Returns:
        Per analysis with a sandwich estimator a row, for the raters' one per class: analysis, rater_class, weight,
        inverse_root_n (1/√n), outcome_mean, residual_sd, and by place of the term its mean, coefficient and row of the
        matrix that makes the centred terms orthonormal (0 beyond the last term). No row for a model that cannot be
        fitted.

    Raises:
        ValueError: a table lacks a column or holds something else than whole numbers.
    """
    design = Design(defined)
    columns = _fit_columns(len(design.split_terms))
    of_raters = _read_raters(raters, design)
    models = _models(_read_variants(variants, design), of_raters, _read_providers(providers, design), design)
    records: list[dict[str, object]] = []
    for analysis, model in models.items():
        if model.note is not None:
            continue
        (estimates, means), matrix = model.fitted(), model.whitening()
        record: dict[str, object] = dict.fromkeys(columns, 0.0)
        record |= {
            "analysis": analysis,
            "rater_class": None,
            "weight": 1.0,
            "inverse_root_n": 1.0 / math.sqrt(model.data.n),
            "outcome_mean": means[-1],
            "residual_sd": math.sqrt(model.residual_variance),
        }
        for i, (estimate, row) in enumerate(zip(estimates, matrix, strict=True), start=1):
            record |= {f"mean_{i}": means[i - 1], f"b_{i}": estimate}
            record |= {f"w_{i}_{j}": row[j - 1] for j in range(1, i + 1)}
        if analysis == "alliance_rater_weighted":
            records += [
                record | {"rater_class": name, "weight": float(weight)}
                for name, weight in zip(of_raters.classes, of_raters.weights, strict=True)
            ]
        else:
            records.append(record)
    text = pd.StringDtype(na_value=np.nan)
    types: dict[str, object] = {"analysis": text, "rater_class": text}
    types |= dict.fromkeys(columns, np.dtype(np.float64))
    return study.records_frame(records, types)


# --- The second pass and all findings -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scores:
    """The squared scores of an analysis: how many rows or clusters, and how many of them fit themselves."""

    count: int
    saturated: int
    meat: list[list[float]]


def _read_scores(frame: pd.DataFrame, design: Design) -> dict[str, _Scores]:
    table = "sandwich_sums"
    places = range(len(design.split_terms) + 1)
    require_columns(
        table, frame, ("analysis", "scores", "saturated", *(f"m_{i}_{j}" for i in places for j in range(i + 1)))
    )
    require_known(table, "analysis", frame["analysis"], SANDWICHES)
    found = {}
    for row in frame.to_dict("records"):
        meat = [[float(row[f"m_{max(i, j)}_{min(i, j)}"]) for j in places] for i in places]
        found[str(row["analysis"])] = _Scores(int(row["scores"]), int(row["saturated"]), meat)
    return found


def _scaled(scores: _Scores | None, model: LinearModel, factor: float) -> list[list[float]]:
    """Return the meat in the unit of the outcome, of as many places as the model has terms."""
    if scores is None:
        raise ValueError("sandwich_sums lacks an analysis")
    size = len(model.data.terms) + 1
    scale = factor * model.residual_variance
    return [[value * scale for value in row[:size]] for row in scores.meat[:size]]


def sensitivity_findings(statistics: Statistics, choices: Choices, defined: Study) -> pd.DataFrame:
    """Return every row of ``marts.sensitivity_results``.

    Args:
        statistics: the tables of sufficient statistics.
        choices: the vars of the build.
        defined: the definition of the study.

    Returns:
        The columns of ``inference_results``, one row per analysis and term.

    Raises:
        ValueError: a table lacks a column, names an unknown group or holds impossible values.
    """
    design = Design(defined)
    variants, raters = _read_variants(statistics.variants, design), _read_raters(statistics.raters, design)
    providers = _read_providers(statistics.providers, design)
    models = _models(variants, raters, providers, design)
    rows = [
        *_sandwich_rows(models, raters, providers, _read_scores(statistics.sandwiches, design)),
        *study.rows_of(
            "alliance_provider_icc",
            {"main_provider": replace(INTRACLASS, n=providers.cohort[0])},
            intraclass_correlation,
            *providers.cohort,
        ),
        *_choice_rows(variants, design),
        *_wellbeing_rows(statistics, choices),
        *_superiority_rows(statistics.scores, design),
        *_multiplicity_rows(statistics.findings, design),
    ]
    return study.findings_frame(rows)


def _sandwich_rows(
    models: Mapping[str, LinearModel], raters: _Raters, providers: _Providers, scores: Mapping[str, _Scores]
) -> list[study.Row]:
    rows: list[study.Row] = []
    for analysis in SANDWICHES:
        model = models[analysis]
        contrasts = SPLIT_CONTRAST if analysis == "alliance_within_between" else {}
        method = {"alliance_hc3": _HC3, "alliance_rater_weighted": _HC0}.get(analysis, _CR1)
        n = model.data.n
        blanks = {name: replace(COEFFICIENT, method=method, n=n) for name in (INTERCEPT, *model.data.terms, *contrasts)}
        if analysis == "alliance_rater_weighted" and raters.note is not None:
            blanks = {name: replace(blank, n=raters.n, note=raters.note) for name, blank in blanks.items()}
            rows += [(analysis, name, blank) for name, blank in blanks.items()]
            continue

        def estimate(
            analysis: str = analysis,
            model: LinearModel = model,
            contrasts: Mapping[str, tuple[str, str]] = contrasts,
            method: str = method,
        ) -> dict[str, TestResult]:
            meat, df = _meat(analysis, model, scores.get(analysis), providers.clusters)
            results = model.robust(meat, df, contrasts)
            return {name: replace(result, method=method) for name, result in results.items()}

        rows += study.rows_of(analysis, blanks, estimate)
    return rows


def _meat(
    analysis: str, model: LinearModel, scores: _Scores | None, clusters: int
) -> tuple[list[list[float]] | str, float]:
    """Return the sum of squared scores with its factor, or why there is none, and the degrees of freedom of t.

    HC3 divides each residual by 1 − its leverage (MacKinnon & White 1985, Journal of Econometrics 29, 305–325); CR1
    adds the scores of a cluster up before they are squared, and is multiplied by G / (G − 1) · (n − 1) / (n − k)
    (Cameron & Miller 2015, Journal of Human Resources 50, 317–372).
    """
    n, k = model.data.n, model.rank
    if model.note is not None:
        return model.note, 1.0
    if analysis in ("alliance_clustered", "alliance_within_between"):
        if clusters < 2:
            return "all have one main provider: no error can be clustered", 1.0
        factor = clusters / (clusters - 1) * (n - 1) / (n - k)
        return _scaled(scores, model, factor), clusters - 1.0
    if scores is not None and scores.saturated:
        return "a row has a leverage of 1: its residual is always 0", 1.0
    return _scaled(scores, model, 1.0), float(n - k)


def _choice_rows(variants: _Variants, design: Design) -> list[study.Row]:
    """Return the model of other samples, covariates and ratings."""
    models = {
        "alliance_sex_missing_level": variants.with_sex_missing().cross_products(design.with_sex_missing),
        "alliance_without_sex": variants.sample(sex_known=False).cross_products(design.without_sex),
        "alliance_first_sessions": variants.sample(alliance=f"alliance_{FIRST_SESSIONS}").cross_products(design.terms),
    }
    rows: list[study.Row] = []
    for analysis, data in models.items():
        blanks = {term: replace(COEFFICIENT, n=data.n) for term in (INTERCEPT, *data.terms)}
        rows += study.rows_of(analysis, blanks, partial(_coefficients, data))
    for cutoff, min_days, alliance in itertools.product(CUTOFFS, MIN_DAYS, GRID_ALLIANCES):
        data = variants.cell(cutoff, min_days, alliance).cross_products(design.terms)
        term = f"cutoff={cutoff},min_days={min_days},alliance={alliance}"
        blanks = {term: replace(COEFFICIENT, n=data.n)}
        rows += study.rows_of("definition_grid", blanks, partial(_one_coefficient, data, ALLIANCE))
    return rows


def _coefficients(data: CrossProducts) -> dict[str, TestResult]:
    """Return the coefficients in the units of the variables only."""
    return {
        name: replace(result, standardized_estimate=None, y_standardized_estimate=None)
        for name, result in LinearModel(data).coefficients().items()
    }


def _one_coefficient(data: CrossProducts, term: str) -> TestResult:
    return _coefficients(data)[term]


# --- Well-being ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair of scores: of which utilization type, whether screened positive and recovered, and how many people."""

    kind: str
    positive: bool
    recovered: bool
    baseline: int
    followup: int
    people: int


def _read_pairs(frame: pd.DataFrame) -> list[_Pair]:
    table = "score_pairs"
    columns = (*("utilization_type", "screened_positive", "clinical_recovery"),)
    require_columns(table, frame, (*columns, "baseline_score", "followup_score", "participants"))
    require_known(table, "utilization_type", frame["utilization_type"], study.UTILIZATION_TYPES)
    numbers = [whole_numbers(table, frame, name) for name in ("baseline_score", "followup_score", "participants")]
    flags = frame[list(columns)].itertuples(index=False)
    return [
        _Pair(str(kind), bool(positive), bool(recovered), *figures)
        for (kind, positive, recovered), *figures in zip(flags, *numbers, strict=True)
    ]


def _mean_and_variance(values: Sequence[tuple[int, int]]) -> GroupMoments:
    """Return the exact moments of values with their frequencies."""
    n = sum(count for _, count in values)
    if n == 0:
        return GroupMoments(0)
    total = sum(value * count for value, count in values)
    squares = sum(value * value * count for value, count in values)
    variance = Fraction(n * squares - total * total, n * (n - 1)) if n > 1 else None
    return GroupMoments(n, Fraction(total, n), variance)


def _wellbeing_rows(statistics: Statistics, choices: Choices) -> list[study.Row]:
    pairs = _read_pairs(statistics.score_pairs)
    positive = [pair for pair in pairs if pair.positive]
    n = sum(pair.people for pair in positive)
    groups = {
        name: _mean_and_variance(
            [(pair.followup - pair.baseline, pair.people) for pair in positive if pair.kind == name]
        )
        for name in study.UTILIZATION_TYPES
    }
    first, second = (groups[name] for name in EQUIVALENCE_CONTRAST)
    threshold = _threshold(_read_items(statistics.baseline_items), pairs)
    return [
        *study.rows_of(
            "wellbeing_regression_to_mean",
            {term: replace(ESTIMATED, n=n) for term in ("expected", "observed", "beyond")},
            regression_to_mean,
            pairs,
        ),
        *study.rows_of(
            "reliable_change",
            {"threshold": replace(THRESHOLD, n=sum(pair.people for pair in pairs))},
            lambda: threshold[0],
        ),
        *study.rows_of(
            "reliable_change",
            {name: replace(PROPORTION, n=n) for name in RELIABLE_RATES},
            _reliable_rates,
            positive,
            threshold[1],
            threshold[0].note,
            choices.improvement_points,
        ),
        *study.rows_of(
            "wellbeing_equivalence",
            {study.contrast_term(*EQUIVALENCE_CONTRAST): replace(EQUIVALENCE, n=first.n + second.n)},
            welch_equivalence,
            first,
            second,
            choices.equivalence_margin,
            EQUIVALENCE_CONTRAST,
        ),
        *study.rows_of("wellbeing_change_welch", {"utilization_type": replace(WELCH_ANOVA, n=n)}, welch_anova, groups),
    ]


def regression_to_mean(pairs: Sequence[_Pair]) -> dict[str, TestResult]:
    """Return how far the positive would have risen by regression to the mean alone, and how far they did.

    The expected rise is (1 − r)(μ − x̄), with the correlation r of baseline and follow-up and the mean baseline μ of
    everybody, and the mean baseline x̄ of the selected (Davis 1976, American Journal of Epidemiology 104, 493–498, for
    measurements of one mean and variance).
    """
    selected = [pair for pair in pairs if pair.positive]
    n, whole = sum(pair.people for pair in selected), sum(pair.people for pair in pairs)
    blank = replace(ESTIMATED, n=n)
    terms = ("expected", "observed", "beyond")
    if n == 0:
        return {term: replace(blank, note="no participants") for term in terms}
    mean_of_selected = Fraction(sum(pair.baseline * pair.people for pair in selected), n)
    observed = Fraction(sum((pair.followup - pair.baseline) * pair.people for pair in selected), n)
    sizes = [(pair.baseline, pair.followup, pair.people) for pair in pairs]
    x, y = sum(a * count for a, _, count in sizes), sum(b * count for _, b, count in sizes)
    xx, yy = sum(a * a * count for a, _, count in sizes), sum(b * b * count for _, b, count in sizes)
    xy = sum(a * b * count for a, b, count in sizes)
    square_x, square_y, product = whole * xx - x * x, whole * yy - y * y, whole * xy - x * y
    if not square_x * square_y:
        note = "no variance of one of the measurements: their correlation is undefined"
        return {
            "expected": replace(blank, note=note),
            "observed": replace(blank, estimate=float(observed)),
            "beyond": replace(blank, note=note),
        }
    r = Fraction(root(Fraction(product**2, square_x * square_y))) * (1 if product >= 0 else -1)
    expected = (1 - r) * (Fraction(x, whole) - mean_of_selected)
    values = {"expected": expected, "observed": observed, "beyond": observed - expected}
    return {term: replace(blank, estimate=float(values[term])) for term in terms}


def _read_items(frame: pd.DataFrame) -> tuple[int, list[list[Fraction]]]:
    """Return the number of baselines and the covariance matrix of their items."""
    table, names = "baseline_item_sums", [f"item_{i}" for i in range(1, 6)]
    pairs = list(itertools.combinations_with_replacement(names, 2))
    require_columns(table, frame, ("n", *names, *(f"{a}_x_{b}" for a, b in pairs)))
    n = whole_numbers(table, frame, "n")[0]
    if n < 2:
        return n, [[Fraction(0)] * 5] * 5
    sums = {name: whole_numbers(table, frame, name)[0] for name in names}
    products = {frozenset(pair): whole_numbers(table, frame, f"{pair[0]}_x_{pair[1]}")[0] for pair in pairs}
    return n, [
        [Fraction(n * products[frozenset((a, b))] - sums[a] * sums[b], n * (n - 1)) for b in names] for a in names
    ]


def _threshold(items: tuple[int, list[list[Fraction]]], pairs: Sequence[_Pair]) -> tuple[TestResult, Fraction | None]:
    """Return the change that is more than the error of measurement, and its square.

    1.96 √2 s √(1 − α), s the deviation and α Cronbach's of the baseline (Jacobson & Truax 1991, Journal of Consulting
    and Clinical Psychology 59, 12–19).
    """
    baseline = _mean_and_variance([(pair.baseline, pair.people) for pair in pairs])
    blank = replace(THRESHOLD, n=baseline.n)
    if items[0] != baseline.n:
        raise ValueError(f"baseline_item_sums has {items[0]} baselines, score_pairs {baseline.n}")
    # The score is so many times the sum of the items; that they are those of the score shows in its variance.
    total = sum((sum(row, Fraction(0)) for row in items[1]), Fraction(0))
    points = root(Fraction(baseline.variance) / total) if total and baseline.variance else 0.0
    if points != round(points):
        raise ValueError(f"baseline_item_sums: the items do not make the scores of score_pairs (ratio {points:g})")
    alpha = cronbach_alpha(*items)
    if alpha.note is not None:
        return replace(blank, note=f"no reliability: {alpha.note}"), None
    assert alpha.estimate is not None
    assert baseline.variance is not None
    square = RELIABLE_Z**2 * 2 * Fraction(baseline.variance) * (1 - Fraction(alpha.estimate))
    return replace(blank, estimate=root(square)), square


def _reliable_rates(
    positive: Sequence[_Pair], square: Fraction | None, note: str | None, improvement_points: int
) -> dict[str, TestResult]:
    n = sum(pair.people for pair in positive)
    changes = [(pair.followup - pair.baseline, pair) for pair in positive]
    results = {}
    for name in RELIABLE_RATES:
        if name == "deterioration":
            hits = sum(pair.people for change, pair in changes if change <= -improvement_points)
        elif square is None:
            results[name] = replace(PROPORTION, n=n, note=note)
            continue
        else:
            sign = -1 if name == "reliable_deterioration" else 1
            reliable = [pair for change, pair in changes if sign * change > 0 and change**2 > square]
            hits = sum(pair.people for pair in reliable if pair.recovered or name != "reliable_recovery")
        results[name] = wilson(hits, n)
    return results


# --- Alliance -----------------------------------------------------------------------------


def _superiority_rows(scores: pd.DataFrame, design: Design) -> list[study.Row]:
    groups = study.score_groups(scores, design.study)
    rows: list[study.Row] = []
    for analysis, (grouping, first, second) in design.superiority.items():
        pair = groups[grouping, first], groups[grouping, second]
        blanks = {study.contrast_term(first, second): replace(BRUNNER_MUNZEL, n=pair[0].n + pair[1].n)}
        rows += study.rows_of(analysis, blanks, brunner_munzel, *pair, (first, second))
    return rows


def _multiplicity_rows(findings: pd.DataFrame, design: Design) -> list[study.Row]:
    """Return the P of the five tests of the first aim, adjusted together; of an undefined test the note.

    A correlation of ±1 has a P of 0 because its t is infinite, not because chance made it so rarely: it is left out.
    """
    columns = ["analysis", "term", "n", "estimate", "statistic", "p_value", "note"]
    require_columns("findings", findings, columns)
    published = {(str(row["analysis"]), str(row["term"])): row for row in findings[columns].to_dict("records")}
    tests = {analysis: published[analysis, term] for analysis, term in design.first_aim.items()}
    correlations = {one.analysis for one in design.study.correlations}
    known = {
        analysis: float(row["p_value"])
        for analysis, row in tests.items()
        if not pd.isna(row["p_value"])
        and not (analysis in correlations and abs(float(row["estimate"])) == 1 and pd.isna(row["statistic"]))
    }
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))
    return [
        (
            "aim_1_multiplicity",
            analysis,
            replace(
                HOLM,
                n=None if pd.isna(row["n"]) else int(row["n"]),
                p_value=known.get(analysis),
                p_adjusted=adjusted.get(analysis),
                note=None if analysis in known else str(row["note"]),
            ),
        )
        for analysis, row in tests.items()
    ]
