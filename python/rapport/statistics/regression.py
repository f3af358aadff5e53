"""Ordinary least squares from centred cross-products."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from rapport.statistics import distributions
from rapport.statistics.result import CONFIDENCE_LEVEL, RegressionStep, TestResult

FloatArray = NDArray[np.float64]

INTERCEPT = "(Intercept)"

COEFFICIENT = TestResult("Ordinary least squares", estimate_name="b", statistic_name="t")

_UPPER_PROBABILITY = (1.0 + CONFIDENCE_LEVEL) / 2.0
# lm drops a column whose residual norm is below 1e-7 of its norm, 1e-14 of the square. Against
# the intercept a centred sum of squares shows that; among the predictors cross-products carry
# rounding errors of about 1e-15 divided by the smallest tolerance (1 - R²) so far, so the
# threshold there is higher.
_CONSTANT_TOLERANCE = 1e-14
_ALIAS_TOLERANCE = 1e-10
_CONSTANT_OUTCOME_TOLERANCE = 1e-20
_PERFECT_FIT_TOLERANCE = 1e-13
_COMBINATION_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, init=False)
class CrossProducts:
    """Means and centred cross-products of the predictors and the outcome.

    Args:
        terms: names of the p predictors, in the order in which they enter.
        outcome: name of the outcome.
        n: rows.
        means: shape (p + 1,), means of the predictors and, last, of the outcome.
        cross_products: shape (p + 1, p + 1), sums of (x − mean x)(y − mean y), symmetric.

    Raises:
        ValueError: a shape does not match, a figure is not finite, n or a sum of squares is
            negative, the matrix is not symmetric, or a name occurs twice.
    """

    terms: tuple[str, ...]
    outcome: str
    n: int
    means: FloatArray
    cross_products: FloatArray

    def __init__(
        self,
        terms: Sequence[str],
        outcome: str,
        n: int,
        means: ArrayLike,
        cross_products: ArrayLike,
    ) -> None:
        """Validate the cross-products."""
        mean_vector = np.asarray(means, dtype=np.float64)
        matrix = np.asarray(cross_products, dtype=np.float64)
        size = len(terms) + 1
        if len({*terms, outcome, INTERCEPT}) != size + 1:
            raise ValueError(f"terms and outcome must have distinct names: {[*terms, outcome]}")
        if n < 0 or n != int(n):
            raise ValueError(f"n must be a whole number, zero or more, got {n}")
        if mean_vector.shape != (size,):
            raise ValueError(f"means must have shape ({size},), got {mean_vector.shape}")
        if matrix.shape != (size, size):
            raise ValueError(f"cross_products must have shape ({size}, {size}), got {matrix.shape}")
        if not (np.isfinite(mean_vector).all() and np.isfinite(matrix).all()):
            raise ValueError("means and cross_products must be finite numbers")
        squares = matrix.diagonal()
        if (squares < 0).any():
            raise ValueError("cross_products has a negative sum of squares")
        scale = np.sqrt(np.outer(squares, squares))
        if (np.abs(matrix - matrix.T) > 1e-9 * scale + 1e-12 * float(squares.max())).any():
            raise ValueError("cross_products is not symmetric")
        object.__setattr__(self, "terms", tuple(terms))
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "n", int(n))
        object.__setattr__(self, "means", mean_vector)
        object.__setattr__(self, "cross_products", matrix)

    def moments(self, name: str) -> tuple[float, float]:
        """Return mean and standard deviation (n − 1) of a term or the outcome."""
        i = (*self.terms, self.outcome).index(name)
        return float(self.means[i]), math.sqrt(float(self.cross_products[i, i]) / (self.n - 1))


@dataclass(frozen=True, eq=False)
class _Decomposition:
    """Cholesky factor of the correlations of the terms that are not aliased.

    Attributes:
        kept: positions of the terms that are estimated.
        aliased: note by term that is not.
        factor: lower triangular, shape (len(kept), len(kept)).
        loadings: the factor's solution for the outcome; its square is the share of the
            outcome's variance that each kept term adds to the terms before it.
    """

    kept: list[int]
    aliased: dict[str, str]
    factor: FloatArray
    loadings: FloatArray


def _decompose(data: CrossProducts) -> _Decomposition:
    """Let the terms enter one by one, as lm does, and leave out those already determined."""
    matrix = data.cross_products
    norms = np.sqrt(matrix.diagonal())
    p = len(data.terms)
    kept: list[int] = []
    aliased: dict[str, str] = {}
    factor = np.zeros((p, p))
    for j, term in enumerate(data.terms):
        square = float(matrix[j, j])
        if square <= _CONSTANT_TOLERANCE * (square + data.n * float(data.means[j]) ** 2):
            aliased[term] = f"aliased: no variance in {term}"
            continue
        m = len(kept)
        lower = factor[:m, :m]
        row = solve_triangular(lower, matrix[kept, j] / norms[kept] / norms[j], lower=True)
        tolerance = 1.0 - float(row @ row)
        if tolerance < _ALIAS_TOLERANCE:
            weights = solve_triangular(lower, row, lower=True, trans="T")
            sources = [
                data.terms[i] for i, weight in zip(kept, weights, strict=True) if abs(weight) > _COMBINATION_TOLERANCE
            ]
            aliased[term] = f"aliased: a linear combination of {', '.join(sources)}"
            continue
        factor[m, :m] = row
        factor[m, m] = math.sqrt(tolerance)
        kept.append(j)
    m = len(kept)
    factor = factor[:m, :m]
    correlations = matrix[kept, p] / norms[kept] / norms[p] if norms[p] > 0 else np.zeros(m)
    loadings = solve_triangular(factor, correlations, lower=True)
    return _Decomposition(kept, aliased, factor, loadings)


def _fault(data: CrossProducts) -> str | None:
    """Return why no model of these rows can be estimated, if so."""
    if data.n == 0:
        return "no participants"
    if data.n < 3:
        return f"too few rows: {data.n}"
    square = float(data.cross_products[-1, -1])
    if square <= _CONSTANT_OUTCOME_TOLERANCE * data.n * float(data.means[-1]) ** 2:
        return f"no variance in {data.outcome}"
    return None


def _fit_fault(data: CrossProducts, coefficients: int, residual_share: float) -> str | None:
    """Return why a model with this many coefficients has no inference, if so."""
    if data.n <= coefficients:
        return f"too few rows: {data.n} for {coefficients} coefficients"
    if residual_share < _PERFECT_FIT_TOLERANCE:
        return "perfect fit: no residual variance"
    return None


def least_squares(data: CrossProducts) -> dict[str, TestResult]:
    """Estimate a linear model with an intercept (R: ``summary(lm(…))`` and ``confint``).

    The normal equations are solved on the scale of correlations. As in lm, terms are taken in
    order and one that has no variance or is a linear combination of the terms before it is
    aliased: it keeps its row with a note, and the others are estimated.

    Args:
        data: means and centred cross-products of predictors and outcome.

    Returns:
        For the intercept and each term, in order: b, its standard error, t, df_residual, P, 95%
        limits, β = b · SD(x) / SD(y), and b / SD(y), the y-standardized coefficient that leaves a
        dummy as 0 and 1 (Long 1997, Regression Models for Categorical and Limited Dependent
        Variables, section 2.2.1); neither for the intercept. Notes without figures where there
        are too few rows, the outcome has no variance or the fit is perfect.
    """
    names = [INTERCEPT, *data.terms]
    note = _fault(data)
    if note is None:
        parts = _decompose(data)
        residual_share = 1.0 - float(parts.loadings @ parts.loadings)
        note = _fit_fault(data, len(parts.kept) + 1, residual_share)
    if note is not None:
        return {name: _coefficient(data.n, note=note) for name in names}

    m = len(parts.kept)
    norms = np.sqrt(data.cross_products.diagonal())
    term_norms, outcome_norm = norms[parts.kept], float(norms[-1])
    df_residual = float(data.n - m - 1)
    residual_sd = outcome_norm * math.sqrt(residual_share / df_residual)
    outcome_sd = outcome_norm / math.sqrt(data.n - 1)
    standardized = solve_triangular(parts.factor, parts.loadings, lower=True, trans="T")
    inverse_factor = solve_triangular(parts.factor, np.eye(m), lower=True)
    estimates = standardized * outcome_norm / term_norms
    std_errors = residual_sd * np.sqrt((inverse_factor**2).sum(axis=0)) / term_norms
    term_means = data.means[parts.kept]
    leverage = inverse_factor @ (term_means / term_norms)
    intercept = float(data.means[-1]) - math.fsum(estimates * term_means)
    intercept_error = residual_sd * math.sqrt(1.0 / data.n + float(leverage @ leverage))

    results = {INTERCEPT: _coefficient(data.n, intercept, intercept_error, df_residual)}
    position = {term: parts.kept.index(j) for j, term in enumerate(data.terms) if j in parts.kept}
    for term in data.terms:
        if term in parts.aliased:
            results[term] = _coefficient(data.n, note=parts.aliased[term])
        else:
            i = position[term]
            results[term] = _coefficient(
                data.n,
                float(estimates[i]),
                float(std_errors[i]),
                df_residual,
                float(standardized[i]),
                float(estimates[i]) / outcome_sd,
            )
    return results


def direction(data: CrossProducts, weights: Mapping[str, float]) -> TestResult:
    """Estimate a weighted sum of coefficients: how the outcome moves when the terms move together.

    One term is exchanged for what remains of it beside the others: with x₂' = x₂ − w x₁ the
    coefficient of x₁ is b₁ + w b₂ (the re-centring of Aiken & West 1991, Multiple Regression:
    Testing and Interpreting Interactions, chapter 2).

    Args:
        data: means and centred cross-products of predictors and outcome.
        weights: weight by term; that of the first is 1.

    Returns:
        The sum as ``estimate``, with standard error, t, P and 95% limits, as ``least_squares``
        gives them; no β. A note without figures where a term with a weight is aliased.

    Raises:
        ValueError: an unknown term, or a first weight that is not 1.
    """
    first, *others = weights
    if weights[first] != 1.0:
        raise ValueError(f"the weight of the first term, {first}, must be 1, got {weights[first]}")
    unknown = sorted(set(weights) - set(data.terms))
    if unknown:
        raise ValueError(f"unknown term {', '.join(unknown)}")
    coefficients = least_squares(data)
    aliased = [name for name in weights if weights[name] and coefficients[name].estimate is None]
    if aliased:
        return _coefficient(data.n, note=coefficients[aliased[0]].note)
    names = [name for name in data.terms if name == first or coefficients[name].estimate is not None]
    transform = np.eye(len(names) + 1)
    for name in others:
        if name in names:
            transform[names.index(name), names.index(first)] = -weights[name]
    kept = [data.terms.index(name) for name in names] + [len(data.terms)]
    turned = transform @ data.cross_products[np.ix_(kept, kept)] @ transform.T
    moved = CrossProducts(names, data.outcome, data.n, transform @ data.means[kept], (turned + turned.T) / 2.0)
    return replace(least_squares(moved)[first], standardized_estimate=None, y_standardized_estimate=None)


def prediction(data: CrossProducts, point: Mapping[str, float]) -> TestResult:
    """Estimate the mean outcome at a point (R: ``predict(interval = "confidence")``).

    It is the intercept of the model whose predictors are measured from that point.

    Args:
        data: means and centred cross-products of predictors and outcome.
        point: value by term; the other terms are at their means.

    Returns:
        The mean as ``estimate``, with standard error and 95% limits. A note without figures
        where there is no model, or where an aliased term is away from its mean.

    Raises:
        ValueError: an unknown term.
    """
    unknown = sorted(set(point) - set(data.terms))
    if unknown:
        raise ValueError(f"unknown term {', '.join(unknown)}")
    coefficients = least_squares(data)
    means = [float(data.means[i]) - point.get(name, float(data.means[i])) for i, name in enumerate(data.terms)]
    for name, mean in zip(data.terms, means, strict=True):
        if mean and coefficients[name].estimate is None:
            return _coefficient(data.n, note=coefficients[name].note)
    names = [name for name in data.terms if coefficients[name].estimate is not None]
    kept = [data.terms.index(name) for name in names]
    matrix = data.cross_products[np.ix_([*kept, len(data.terms)], [*kept, len(data.terms)])]
    moved = CrossProducts(names, data.outcome, data.n, [*(means[i] for i in kept), float(data.means[-1])], matrix)
    return least_squares(moved)[INTERCEPT]


def _coefficient(
    n: int,
    estimate: float | None = None,
    std_error: float | None = None,
    df_residual: float | None = None,
    standardized: float | None = None,
    y_standardized: float | None = None,
    note: str | None = None,
) -> TestResult:
    report = partial(replace, COEFFICIENT)
    if estimate is None or std_error is None or df_residual is None:
        return report(n=n, note=note)
    t = estimate / std_error
    margin = distributions.t_quantile(_UPPER_PROBABILITY, df_residual) * std_error
    return report(
        n=n,
        estimate=estimate,
        std_error=std_error,
        standardized_estimate=standardized,
        y_standardized_estimate=y_standardized,
        statistic=t,
        df_residual=df_residual,
        p_value=distributions.t_two_sided_p(t, df_residual),
        ci_low=estimate - margin,
        ci_high=estimate + margin,
    )


def hierarchical_regression(data: CrossProducts, added_terms: Sequence[Sequence[str]]) -> list[RegressionStep]:
    """Return the gain of each step of a regression whose terms enter in blocks.

    ΔR² and its F are R's ``anova(previous model, this model)``, the residual variance being
    this model's; step 1 is compared with the model without predictors. A step all of whose
    terms are aliased has df = 0, ΔR² = 0 and no F (Cohen, Cohen, West & Aiken 2003, Applied
    Multiple Regression, 3rd ed., section 5.3).

    Args:
        data: means and centred cross-products; its terms in the order of the steps.
        added_terms: the terms that each step adds; together they are ``data.terms``.

    Returns:
        One fit per step. Notes without figures where there are too few rows, the outcome has
        no variance or the fit is perfect.

    Raises:
        ValueError: the steps do not add up to the terms of the data.
    """
    flat = tuple(term for step in added_terms for term in step)
    if flat != data.terms:
        raise ValueError(f"steps add {list(flat)}, but the data have {list(data.terms)}")
    note = _fault(data)
    parts = _decompose(data) if note is None else None
    fits = []
    end = 0
    for number, added in enumerate(added_terms, start=1):
        start, end = end, end + len(added)
        terms = " + ".join(data.terms[:end])
        if parts is None:
            fits.append(RegressionStep(number, terms, data.n, note=note))
            continue
        before = sum(j < start for j in parts.kept)
        rank = sum(j < end for j in parts.kept)
        squares = parts.loadings[:rank] ** 2
        r_squared = math.fsum(squares)
        step_fault = _fit_fault(data, rank + 1, 1.0 - r_squared)
        if step_fault is not None:
            fits.append(RegressionStep(number, terms, data.n, note=step_fault))
            continue
        gain = math.fsum(squares[before:])
        df, df_residual = float(rank - before), float(data.n - rank - 1)
        residual_mean_square = (1.0 - r_squared) / df_residual
        f_change = gain / df / residual_mean_square if df else None
        fits.append(
            RegressionStep(
                step=number,
                terms=terms,
                n=data.n,
                r_squared=r_squared,
                delta_r_squared=gain,
                f_change=f_change,
                df=df,
                df_residual=df_residual,
                p_value=None if f_change is None else distributions.f_p(f_change, df, df_residual),
                model_p_value=(
                    distributions.f_p(r_squared / rank / residual_mean_square, rank, df_residual) if rank else None
                ),
                note=None if df else "the terms added are aliased",
            )
        )
    return fits
