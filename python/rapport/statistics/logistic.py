"""Logistic regression on counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Those of R's glm.control: the fit stops when the deviance changes by less than this share of itself.
_TOLERANCE = 1e-8
_MOST_STEPS = 25
_FARTHEST = 30.0
_EPSILON = float(np.finfo(np.float64).eps)


def _probability(eta: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(np.clip(eta, -_FARTHEST, _FARTHEST))
    odds = np.where(eta < -_FARTHEST, _EPSILON, np.where(eta > _FARTHEST, 1.0 / _EPSILON, odds))
    return odds / (1.0 + odds)


def _slope(eta: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(np.clip(eta, -_FARTHEST, _FARTHEST))
    return np.where(np.abs(eta) > _FARTHEST, _EPSILON, odds / (1.0 + odds) ** 2)


def logistic_probabilities(
    classes: Sequence[Sequence[str]], members: Sequence[int], successes: Sequence[int]
) -> list[float]:
    """Fit a logistic regression on factors, and return the fitted probability of each class.

    Iteratively reweighted least squares with the start and the stopping rule of R's ``glm(…, binomial)`` on single rows
    (McCullagh & Nelder 1989, Generalized Linear Models, 2nd ed., sections 2.5 and 4.4): where classes are separated the
    likelihood has no maximum, and how near to 0 or 1 a probability comes depends on where the fit stops.

    Args:
        classes: for each class its level of each factor. Levels that do not occur need no coefficient, nor does a
            factor with one level.
        members: how many rows each class has, 1 or more.
        successes: how many of them are successes.

    Returns:
        The probability of a success in each class.

    Raises:
        ValueError: the arguments differ in length, or a class has more successes than members or no members.
    """
    if not len(classes) == len(members) == len(successes):
        raise ValueError(f"{len(classes)} classes, {len(members)} members and {len(successes)} successes")
    if any(not 0 <= hits <= size or size < 1 for size, hits in zip(members, successes, strict=True)):
        raise ValueError("a class needs members, and no more successes than these")
    if not classes:
        return []
    columns = [[1.0] * len(classes)]
    for factor in zip(*classes, strict=True):
        columns += [[float(level == own) for own in factor] for level in sorted(set(factor))[1:]]
    design = np.array(columns).T
    hits = np.array(successes, dtype=np.float64)
    misses = np.array(members, dtype=np.float64) - hits
    # Successes and failures of a class start apart, as single rows do in R: at (y + 1/2) / 2.
    starts = np.array([0.75, 0.25])
    count = np.stack([hits, misses])
    outcome = np.array([[1.0], [0.0]])
    eta = np.repeat(np.log(starts / (1.0 - starts))[:, None], len(classes), axis=1)
    deviance = _deviance(_probability(eta), count)
    for _ in range(_MOST_STEPS):
        mu, slope = _probability(eta), _slope(eta)
        response = eta + (outcome - mu) / slope
        weight = count * slope**2 / (mu * (1.0 - mu))
        whole = weight.sum(axis=0)
        working = np.divide((weight * response).sum(axis=0), whole, out=np.zeros_like(whole), where=whole > 0)
        root = np.sqrt(whole)
        coefficients = np.linalg.lstsq(design * root[:, None], working * root, rcond=_EPSILON)[0]
        eta = np.repeat((design @ coefficients)[None, :], 2, axis=0)
        before, deviance = deviance, _deviance(_probability(eta), count)
        if abs(deviance - before) / (abs(deviance) + 0.1) < _TOLERANCE:
            break
    return [float(p) for p in _probability(eta[0])]


def _deviance(mu: NDArray[np.float64], count: NDArray[np.float64]) -> float:
    failure = 1.0 - mu[1]
    parts = [
        *(size * math.log(p) for size, p in zip(count[0].tolist(), mu[0].tolist(), strict=True) if size),
        *(size * math.log(p) for size, p in zip(count[1].tolist(), failure.tolist(), strict=True) if size),
    ]
    return -2.0 * math.fsum(parts)
