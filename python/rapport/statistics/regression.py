"""Ordinary least squares from centred cross-products, in rational arithmetic.

Cross-products given as whole numbers or fractions are exact up to the figures, which are rounded once. A float is
taken for the fraction that it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from numbers import Rational

import numpy as np
from numpy.typing import NDArray

from rapport.statistics import distributions
from rapport.statistics.exact import Number, as_fraction, root, signed_root
from rapport.statistics.result import CONFIDENCE_LEVEL, RegressionStep, TestResult

INTERCEPT = "(Intercept)"

COEFFICIENT = TestResult("Ordinary least squares", estimate_name="b", statistic_name="t")

_UPPER_PROBABILITY = (1.0 + CONFIDENCE_LEVEL) / 2.0
# lm drops a column whose residual norm is below 1e-7 of its norm, 1e-14 of the square. Against
# the intercept a centred sum of squares shows that; among the predictors cross-products in floating
# point carry rounding errors of about 1e-15 divided by the smallest tolerance (1 - R²) so far, so the
# threshold is higher for them.
_CONSTANT_TOLERANCE = Fraction(1, 10**14)
_ALIAS_TOLERANCE = Fraction(1, 10**14)
_ALIAS_TOLERANCE_OF_FLOATS = Fraction(1, 10**10)
_CONSTANT_OUTCOME_TOLERANCE = Fraction(1, 10**20)
_PERFECT_FIT_TOLERANCE = Fraction(1, 10**13)
_COMBINATION_TOLERANCE = Fraction(1, 10**6)

Matrix = Sequence[Sequence[Number]] | NDArray[np.float64]
Vector = Sequence[Number] | NDArray[np.float64]


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
    means: tuple[Fraction, ...]
    cross_products: tuple[tuple[Fraction, ...], ...]
    is_exact: bool

    def __init__(self, terms: Sequence[str], outcome: str, n: int, means: Vector, cross_products: Matrix) -> None:
        """Validate the cross-products."""
        size = len(terms) + 1
        if len({*terms, outcome, INTERCEPT}) != size + 1:
            raise ValueError(f"terms and outcome must have distinct names: {[*terms, outcome]}")
        if n < 0 or n != int(n):
            raise ValueError(f"n must be a whole number, zero or more, got {n}")
        shapes = [np.asarray(given, dtype=object).shape for given in (means, cross_products)]
        if shapes[0] != (size,):
            raise ValueError(f"means must have shape ({size},), got {shapes[0]}")
        if shapes[1] != (size, size):
            raise ValueError(f"cross_products must have shape ({size}, {size}), got {shapes[1]}")
        given = [*means, *(value for row in cross_products for value in row)]
        if not all(isinstance(value, Rational) or math.isfinite(value) for value in given):
            raise ValueError("means and cross_products must be finite numbers")
        matrix = tuple(tuple(map(as_fraction, row)) for row in cross_products)
        squares = [float(matrix[i][i]) for i in range(size)]
        if min(squares) < 0:
            raise ValueError("cross_products has a negative sum of squares")
        for i in range(size):
            for j in range(i):
                tolerance = 1e-9 * math.sqrt(squares[i]) * math.sqrt(squares[j]) + 1e-12 * max(squares)
                if matrix[i][j] != matrix[j][i] and abs(matrix[i][j] - matrix[j][i]) > tolerance:
                    raise ValueError("cross_products is not symmetric")
        object.__setattr__(self, "terms", tuple(terms))
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "n", int(n))
        object.__setattr__(self, "means", tuple(map(as_fraction, means)))
        object.__setattr__(self, "cross_products", matrix)
        object.__setattr__(self, "is_exact", all(isinstance(value, Rational) for value in given))

    def variance(self, name: str) -> Fraction:
        """Return the sample variance (n − 1) of a term or the outcome."""
        i = (*self.terms, self.outcome).index(name)
        return self.cross_products[i][i] / (self.n - 1)

    def mean(self, name: str) -> Fraction:
        """Return the mean of a term or the outcome."""
        return self.means[(*self.terms, self.outcome).index(name)]


@dataclass(frozen=True, eq=False)
class _Decomposition:
    """L D L' of the cross-products of the terms that are not aliased, L unit lower triangular.

    Attributes:
        kept: positions of the terms that are estimated.
        aliased: note by term that is not.
        inverse: L⁻¹, row by row.
        own: D, the sum of squares that each kept term has beside the terms before it.
        loadings: L⁻¹ times the cross-products with the outcome.
    """

    kept: list[int] = field(default_factory=list)
    aliased: dict[str, str] = field(default_factory=dict)
    inverse: list[list[Fraction]] = field(default_factory=list)
    own: list[Fraction] = field(default_factory=list)
    loadings: list[Fraction] = field(default_factory=list)

    @cached_property
    def gains(self) -> list[Fraction]:
        """The sum of squares of the outcome that each kept term adds to the terms before it."""
        return [loading**2 / own for loading, own in zip(self.loadings, self.own, strict=True)]

    @cached_property
    def estimates(self) -> list[Fraction]:
        """The coefficients of the kept terms: L'⁻¹ D⁻¹ times the loadings."""
        shares = [loading / own for loading, own in zip(self.loadings, self.own, strict=True)]
        return [_dot((row[i] for row in self.inverse[i:]), shares[i:]) for i in range(len(self.kept))]

    def variance(self, weights: Sequence[Fraction]) -> Fraction:
        """Return w' (L D L')⁻¹ w: the variance of a weighted sum of the coefficients over that of the residuals."""
        return sum(
            (_dot(row, weights[: len(row)]) ** 2 / own for row, own in zip(self.inverse, self.own, strict=True)),
            Fraction(0),
        )


def _dot(first: Iterable[Fraction], second: Iterable[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(first, second, strict=True) if a and b), Fraction(0))


def _decompose(data: CrossProducts) -> _Decomposition:
    """Let the terms enter one by one, as lm does, and leave out those already determined."""
    matrix, p = data.cross_products, len(data.terms)
    least = _ALIAS_TOLERANCE if data.is_exact else _ALIAS_TOLERANCE_OF_FLOATS
    parts = _Decomposition()
    for j, term in enumerate(data.terms):
        square = matrix[j][j]
        if square <= _CONSTANT_TOLERANCE * (square + data.n * data.means[j] ** 2):
            parts.aliased[term] = f"aliased: no variance in {term}"
            continue
        # The part of this term's products with the kept terms that is new at each of them, over their own squares.
        products = [matrix[i][j] for i in parts.kept]
        row = [_dot(line, products[: len(line)]) / own for line, own in zip(parts.inverse, parts.own, strict=True)]
        own = square - sum((part**2 * d for part, d in zip(row, parts.own, strict=True)), Fraction(0))
        weights = [_dot((line[i] for line in parts.inverse[i:]), row[i:]) for i in range(len(row))]
        if own < least * square:
            sources = [
                data.terms[i]
                for i, weight in zip(parts.kept, weights, strict=True)
                if weight**2 * matrix[i][i] > _COMBINATION_TOLERANCE**2 * square
            ]
            parts.aliased[term] = f"aliased: a linear combination of {', '.join(sources)}"
            continue
        parts.inverse.append([*(-weight for weight in weights), Fraction(1)])
        parts.own.append(own)
        parts.kept.append(j)
        parts.loadings.append(_dot(parts.inverse[-1], [matrix[i][p] for i in parts.kept]))
    return parts


def _fault(data: CrossProducts) -> str | None:
    """Return why no model of these rows can be estimated, if so."""
    if data.n == 0:
        return "no participants"
    if data.n < 3:
        return f"too few rows: {data.n}"
    if data.cross_products[-1][-1] <= _CONSTANT_OUTCOME_TOLERANCE * data.n * data.means[-1] ** 2:
        return f"no variance in {data.outcome}"
    return None


def _fit_fault(data: CrossProducts, coefficients: int, residual: Fraction) -> str | None:
    """Return why a model with this many coefficients has no inference, if so."""
    if data.n <= coefficients:
        return f"too few rows: {data.n} for {coefficients} coefficients"
    if residual < _PERFECT_FIT_TOLERANCE * data.cross_products[-1][-1]:
        return "perfect fit: no residual variance"
    return None


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear model with an intercept.

    Args:
        data: means and centred cross-products of predictors and outcome.
        note: why there are no figures, if so.
    """

    data: CrossProducts
    note: str | None = field(init=False)
    _parts: _Decomposition = field(init=False)

    def __post_init__(self) -> None:
        """Decompose the cross-products, once for whatever is asked of the model."""
        note = _fault(self.data)
        parts = _decompose(self.data) if note is None else _Decomposition()
        object.__setattr__(self, "_parts", parts)
        if note is None:
            note = _fit_fault(self.data, len(parts.kept) + 1, self._residual)
        object.__setattr__(self, "note", note)

    @property
    def _residual(self) -> Fraction:
        return self.data.cross_products[-1][-1] - sum(self._parts.gains, Fraction(0))

    @property
    def _df_residual(self) -> int:
        return self.data.n - len(self._parts.kept) - 1

    def _weights(self, values: Mapping[str, Fraction]) -> list[Fraction] | str:
        """Return the weights of the kept terms, or the note of an aliased term that has one."""
        unknown = sorted(set(values) - set(self.data.terms))
        if unknown:
            raise ValueError(f"unknown term {', '.join(unknown)}")
        for term, note in self._parts.aliased.items():
            if values.get(term):
                return note
        return [values.get(self.data.terms[i], Fraction(0)) for i in self._parts.kept]

    def _combination(
        self, weights: Sequence[Fraction], constant: Fraction = Fraction(0), leverage: Fraction = Fraction(0)
    ) -> TestResult:
        """Return constant + w'b with the variance s² (leverage + w' (X'X)⁻¹ w)."""
        mean_square = self._residual / self._df_residual
        return _coefficient(
            self.data.n,
            constant + _dot(weights, self._parts.estimates),
            mean_square * (leverage + self._parts.variance(weights)),
            self._df_residual,
        )

    def coefficients(self, variances: Mapping[str, Fraction] | None = None) -> dict[str, TestResult]:
        """Return the coefficients, as ``least_squares`` does."""
        data = self.data
        names = [INTERCEPT, *data.terms]
        if self.note is not None:
            return {name: _coefficient(data.n, note=self.note) for name in names}
        variances = variances or {}
        of_outcome = variances.get(data.outcome, Fraction(1))
        means = [-data.means[i] for i in self._parts.kept]
        mean_square = self._residual / self._df_residual
        intercept = data.means[-1] + _dot(means, self._parts.estimates)
        square = mean_square * (Fraction(1, data.n) + self._parts.variance(means))
        results = {INTERCEPT: _coefficient(data.n, intercept, square, self._df_residual, scale=1 / of_outcome)}
        positions = {j: i for i, j in enumerate(self._parts.kept)}
        for j, term in enumerate(data.terms):
            if term in self._parts.aliased:
                results[term] = _coefficient(data.n, note=self._parts.aliased[term])
                continue
            i = positions[j]
            unit = [Fraction(int(k == i)) for k in range(len(positions))]
            estimate, of_term = self._parts.estimates[i], variances.get(term, Fraction(1))
            outcome_square = data.cross_products[-1][-1]
            results[term] = replace(
                _coefficient(
                    data.n,
                    estimate,
                    mean_square * self._parts.variance(unit),
                    self._df_residual,
                    scale=of_term / of_outcome,
                ),
                standardized_estimate=signed_root(estimate, estimate**2 * data.cross_products[j][j] / outcome_square),
                y_standardized_estimate=signed_root(estimate, estimate**2 * of_term * (data.n - 1) / outcome_square),
            )
        return results

    def steps(self, added_terms: Sequence[Sequence[str]]) -> list[RegressionStep]:
        """Return the gain of each step, as ``hierarchical_regression`` does."""
        data, parts, note = self.data, self._parts, _fault(self.data)
        if [term for added in added_terms for term in added] != list(data.terms):
            raise ValueError(f"the steps add {list(added_terms)}, but the data have {list(data.terms)}")
        total = data.cross_products[-1][-1]
        fits = []
        end = 0
        for number, added in enumerate(added_terms, start=1):
            start, end = end, end + len(added)
            terms = " + ".join(data.terms[:end])
            before, rank = (sum(j < limit for j in parts.kept) for limit in (start, end))
            explained = sum(parts.gains[:rank], Fraction(0))
            step_note = note or _fit_fault(data, rank + 1, total - explained)
            if step_note is not None:
                fits.append(RegressionStep(number, terms, data.n, note=step_note))
                continue
            gain = sum(parts.gains[before:rank], Fraction(0))
            df, df_residual = rank - before, data.n - rank - 1
            mean_square = (total - explained) / df_residual
            f_change = float(gain / df / mean_square) if df else None
            f = float(explained / rank / mean_square) if rank else None
            fits.append(
                RegressionStep(
                    step=number,
                    terms=terms,
                    n=data.n,
                    r_squared=float(explained / total),
                    delta_r_squared=float(gain / total),
                    f_change=f_change,
                    df=float(df),
                    df_residual=float(df_residual),
                    p_value=None if f_change is None else distributions.f_p(f_change, df, df_residual),
                    model_p_value=None if f is None else distributions.f_p(f, rank, df_residual),
                    note=None if df else "the terms added are aliased",
                )
            )
        return fits

    @property
    def rank(self) -> int:
        """Number of coefficients that are estimated, the intercept among them."""
        return len(self._parts.kept) + 1

    @property
    def residual_variance(self) -> float:
        """Sum of squared residuals over the residual degrees of freedom; of a model with ``note`` there is none."""
        return float(self._residual / self._df_residual)

    def whitening(self) -> list[list[float]]:
        """Return the matrix that makes the centred terms orthonormal, so that z = W (x − mean) has sum z z' = 1.

        Returns:
            Shape (p, p), lower triangular; a row and a column of zeros for an aliased term.
        """
        size = len(self.data.terms)
        matrix = [[0.0] * size for _ in range(size)]
        for row, own, j in zip(self._parts.inverse, self._parts.own, self._parts.kept, strict=True):
            scale = root(1 / own)
            for k, value in zip(self._parts.kept, row, strict=False):
                matrix[j][k] = float(value) * scale
        return matrix

    def fitted(self) -> tuple[list[float], list[float]]:
        """Return the coefficients of the terms, 0 for an aliased one, and the means of the terms and the outcome."""
        estimates = [0.0] * len(self.data.terms)
        for j, estimate in zip(self._parts.kept, self._parts.estimates, strict=True):
            estimates[j] = float(estimate)
        return estimates, [float(mean) for mean in self.data.means]

    def robust(
        self, meat: Sequence[Sequence[float]] | str, df_residual: float, contrasts: Mapping[str, tuple[str, str]]
    ) -> dict[str, TestResult]:
        """Return the coefficients with the errors of a sandwich estimator.

        The covariance of b is (X'X)⁻¹ (sum of s s') (X'X)⁻¹ with the scores s = x u of rows or of clusters (White 1980,
        Econometrica 48, 817–838; Zeileis 2006, Journal of Statistical Software 16(9)). In orthonormal coordinates
        z = (1/√n, W (x − mean)) it is R⁻¹ (sum of z z' u²) R⁻¹', and keeps its digits.

        Args:
            meat: shape (p + 1, p + 1), the sum of squared scores in these coordinates with its factor for small
                samples; or why there is none.
            df_residual: degrees of freedom of t.
            contrasts: by name two terms; the estimate is the first coefficient minus the second.

        Returns:
            For the intercept, each term and each contrast b, its standard error, t, df_residual, P and 95% limits.
            Notes as those of ``coefficients``; where there is no meat, the estimate and the note.
        """
        data = self.data
        names = [INTERCEPT, *data.terms, *contrasts]
        if self.note is not None:
            return {name: _coefficient(data.n, note=self.note) for name in names}
        matrix, (estimates, means) = self.whitening(), self.fitted()
        intercept = float(data.means[-1] - _dot([data.means[i] for i in self._parts.kept], self._parts.estimates))
        values = dict(zip(data.terms, estimates, strict=True))
        weights = {INTERCEPT: (1.0, [0.0] * len(data.terms))}
        for term in data.terms:
            weights[term] = 0.0, [float(term == other) for other in data.terms]
        for name, (first, second) in contrasts.items():
            weights[name] = 0.0, [float(first == other) - float(second == other) for other in data.terms]
            values[name] = values[first] - values[second]
        values[INTERCEPT] = intercept
        aliased = {**self._parts.aliased}
        for name, pair in contrasts.items():
            if note := next((aliased[term] for term in pair if term in aliased), None):
                aliased[name] = note
        results = {}
        for name in names:
            if name in aliased:
                results[name] = _coefficient(data.n, note=aliased[name])
                continue
            if isinstance(meat, str):
                results[name] = replace(COEFFICIENT, n=data.n, estimate=values[name], note=meat)
                continue
            constant, slopes = weights[name]
            shifted = [slope - constant * mean for slope, mean in zip(slopes, means[:-1], strict=True)]
            turned = [math.fsum(a * b for a, b in zip(row, shifted, strict=True)) for row in matrix]
            direction = [constant / math.sqrt(data.n), *turned]
            square = math.fsum(
                a * b * cell
                for a, row in zip(direction, meat, strict=True)
                for b, cell in zip(direction, row, strict=True)
            )
            if not square > 0:
                results[name] = replace(COEFFICIENT, n=data.n, estimate=values[name], note="no variance of the scores")
                continue
            results[name] = _coefficient(data.n, Fraction(values[name]), Fraction(square), df_residual)
        return results

    def direction(self, weights: Mapping[str, Number]) -> TestResult:
        """Estimate a weighted sum of coefficients: how the outcome moves when the terms move together.

        The slope of one term at chosen values of another is b₁ + w b₂ (Aiken & West 1991, Multiple
        Regression: Testing and Interpreting Interactions, chapter 2).

        Args:
            weights: weight by term.

        Returns:
            The sum as ``estimate``, with standard error, t, P and 95% limits; no β. A note without figures
            where there is no model, or where a term with a weight is aliased.

        Raises:
            ValueError: an unknown term.
        """
        chosen = self._weights({name: Fraction(value) for name, value in weights.items()})
        note = self.note or (chosen if isinstance(chosen, str) else None)
        if note is not None or isinstance(chosen, str):
            return _coefficient(self.data.n, note=note)
        return self._combination(chosen)

    def prediction(self, point: Mapping[str, Number]) -> TestResult:
        """Estimate the mean outcome at a point (R: ``predict(interval = "confidence")``).

        Args:
            point: value by term; the other terms are at their means.

        Returns:
            The mean as ``estimate``, with standard error and 95% limits. A note without figures where there
            is no model, or where an aliased term is away from its mean.

        Raises:
            ValueError: an unknown term.
        """
        unknown = sorted(set(point) - set(self.data.terms))
        if unknown:
            raise ValueError(f"unknown term {', '.join(unknown)}")
        chosen = self._weights({name: Fraction(value) - self.data.mean(name) for name, value in point.items()})
        note = self.note or (chosen if isinstance(chosen, str) else None)
        if note is not None or isinstance(chosen, str):
            return _coefficient(self.data.n, note=note)
        return self._combination(chosen, self.data.means[-1], Fraction(1, self.data.n))


def least_squares(data: CrossProducts, variances: Mapping[str, Fraction] | None = None) -> dict[str, TestResult]:
    """Estimate a linear model with an intercept (R: ``summary(lm(…))`` and ``confint``).

    As in lm, terms are taken in order and one that has no variance or is a linear combination of the
    terms before it is aliased: it keeps its row with a note, and the others are estimated.

    Args:
        data: means and centred cross-products of predictors and outcome.
        variances: by name, the variance of terms and outcome whose figures are wanted in standard
            deviations. With means of 0 in the data these are z-scores.

    Returns:
        For the intercept and each term, in order: b, its standard error, t, df_residual, P, 95%
        limits, β = b · SD(x) / SD(y), and b / SD(y), the y-standardized coefficient that leaves a
        dummy as 0 and 1 (Long 1997, Regression Models for Categorical and Limited Dependent
        Variables, section 2.2.1); neither for the intercept. Notes without figures where there
        are too few rows, the outcome has no variance or the fit is perfect.
    """
    return LinearModel(data).coefficients(variances)


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
        ValueError: the steps do not add the terms of the data.
    """
    return LinearModel(data).steps(added_terms)


def _coefficient(
    n: int,
    estimate: Fraction | None = None,
    square: Fraction | None = None,
    df_residual: float | None = None,
    *,
    scale: Fraction = Fraction(1),
    note: str | None = None,
) -> TestResult:
    """Return an estimate with the square of its standard error, both in units of 1 / √scale."""
    report = partial(replace, COEFFICIENT)
    if estimate is None or square is None or df_residual is None:
        return report(n=n, note=note)
    value = signed_root(estimate, estimate**2 * scale) if scale != 1 else float(estimate)
    std_error = root(square * scale)
    t = signed_root(estimate, estimate**2 / square)
    margin = distributions.t_quantile(_UPPER_PROBABILITY, df_residual) * std_error
    return report(
        n=n,
        estimate=value,
        std_error=std_error,
        statistic=t,
        df_residual=float(df_residual),
        p_value=distributions.t_two_sided_p(t, df_residual),
        ci_low=value - margin,
        ci_high=value + margin,
    )
