"""Internal consistency."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from rapport.statistics.result import TestResult

CRONBACH_ALPHA = TestResult("Cronbach alpha", estimate_name="cronbach_alpha")


def cronbach_alpha(n: int, covariance: ArrayLike) -> TestResult:
    """Estimate the internal consistency of k items by Cronbach's α.

    α = k / (k − 1) · (1 − sum of the item variances / variance of the sum of the items)
    (Cronbach 1951, Psychometrika 16, 297–334).

    Args:
        n: observations with every item.
        covariance: shape (k, k), sample covariance matrix of the items; not used for n < 2.

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
    total = float(matrix.sum())
    if total <= 1e-14 * float(variances.sum()):
        note = "no variance: the sum of the items is the same in all rows"
        return report(n=n, note=note)
    alpha = k / (k - 1.0) * (1.0 - float(variances.sum()) / total)
    return report(n=n, estimate=alpha)
