"""Internal consistency."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rapport.statistics.exact import Number, as_fraction
from rapport.statistics.result import TestResult

CRONBACH_ALPHA = TestResult("Cronbach alpha", estimate_name="cronbach_alpha")


def cronbach_alpha(n: int, covariance: Sequence[Sequence[Number]] | NDArray[np.float64]) -> TestResult:
    """Estimate the internal consistency of k items by Cronbach's α.

    α = k / (k − 1) · (1 − sum of the item variances / variance of the sum of the items)
    (Cronbach 1951, Psychometrika 16, 297–334).

    Args:
        n: observations with every item.
        covariance: shape (k, k), sample covariance matrix of the items, floats or fractions; not used for n < 2.

    Returns:
        α; a note without figures for n < 2 or for items whose sum has no variance.

    Raises:
        ValueError: n is negative, or the matrix is not square with k ≥ 2, not finite, not
            symmetric, or has a negative variance.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise ValueError(f"covariance must be square with at least 2 items, got {matrix.shape}")
    report = partial(replace, CRONBACH_ALPHA)
    if n < 2:
        return report(n=n, note=f"too few rows: {n}, at least 2 are needed")
    if not np.isfinite(matrix).all():
        raise ValueError("covariance must be finite numbers")
    variances = matrix.diagonal()
    if (variances < 0).any():
        raise ValueError("covariance has a negative variance")
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-12 * float(variances.max())):
        raise ValueError("covariance is not symmetric")
    k = matrix.shape[0]
    exact = [[as_fraction(value) for value in row] for row in covariance]
    of_items, total = sum(exact[i][i] for i in range(k)), sum(itertools.chain.from_iterable(exact))
    if total <= 1e-14 * float(of_items):
        note = "no variance: the sum of the items is the same in all rows"
        return report(n=n, note=note)
    return report(n=n, estimate=float(Fraction(k, k - 1) * (1 - of_items / total)))
