"""Labels (screen, sex, country) exchanged between participants until rank sums are exact.

Exchanging the labels of two participants changes a Mann-Whitney U by the difference of their mid-ranks, so
an exact integer W is a matter of exchanges; medians are counts below and up to a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .alliance import midranks2
from .targets import NotConverged

Array = np.ndarray

BATCH = 512


@dataclass
class LabelTarget:
    """What two labels, `first` and `second`, must give."""

    u_first: int
    median_first: float
    median_second: float


def u_statistic2(values: Array, first: Array) -> int:
    """Twice the Mann-Whitney U of the rows marked in ``first`` against the others."""
    n1 = int(first.sum())
    return int(midranks2(values)[first].sum()) - n1 * (n1 + 1)


def _median_gap(below: Array, up_to: Array, n: int) -> Array:
    """How many participants the median misses its value by (with a margin of two)."""
    lower, upper = (n + 1) // 2, n // 2 + 1  # 1-based positions of the middle elements
    gap: Array = np.maximum(0, below - (lower - 1) + 2) + np.maximum(0, upper - up_to + 2)
    return gap


def exchange(
    values: Array,
    first: Array,
    strata: Array,
    movable: Array,
    target: LabelTarget,
    rng: np.random.Generator,
    extra: Callable[[Array, Array, Array], Array] | None = None,
    max_batches: int = 30_000,
) -> Array:
    """Return a new ``first`` mask: labels exchanged within ``strata`` among ``movable`` rows.

    ``extra(mask, i, j)`` is an additional loss of exchanging row ``i`` (first) with ``j`` (second).
    """
    first = first.copy()
    rank2 = midranks2(values)
    n1, n2 = int(first.sum()), int((~first).sum())
    goal = 2 * target.u_first + n1 * (n1 + 1)
    marks = (target.median_first, target.median_second)
    below = [(values < m).astype(np.int64) for m in marks]
    up_to = [(values <= m).astype(np.int64) for m in marks]
    sizes = (n1, n2)
    nothing = np.zeros(1, dtype=np.int64)

    def loss(i: Array, j: Array) -> tuple[Array, Array]:
        total = int(rank2[first].sum()) + rank2[j] - rank2[i]
        miss = np.abs(total - goal)
        value = np.where(miss > 0, 0.05 + miss / 4000.0, 0.0)
        for side, (mask, gain, lose) in enumerate(((first, j, i), (~first, i, j))):
            b = int(below[side][mask].sum()) + below[side][gain] - below[side][lose]
            u = int(up_to[side][mask].sum()) + up_to[side][gain] - up_to[side][lose]
            value = value + 0.3 * _median_gap(b, u, sizes[side])
        if extra is not None:
            value = value + extra(first, i, j)
        return value, miss

    def current_loss() -> float:
        return float(loss(nothing, nothing)[0][0])

    current = current_loss()
    stuck = 0
    for _ in range(max_batches):
        if current <= 0:
            return first
        i = rng.choice(np.flatnonzero(first & movable), BATCH)
        stratum = strata[i[0]]
        i = i[strata[i] == stratum]
        pool = np.flatnonzero(~first & movable & (strata == stratum))
        if len(pool) == 0:
            continue
        j = rng.choice(pool, len(i))
        values_of, _ = loss(i, j)
        best = int(np.argmin(values_of))
        if values_of[best] >= current - 1e-12 and stuck > 60:
            # No single exchange closes the remainder: a slightly uphill one opens other remainders.
            near = np.flatnonzero((np.abs(values_of - current) < 0.03) & (rank2[i] != rank2[j]))
            if len(near) > 0:
                best = int(near[rng.integers(0, len(near))])
                values_of[best] = -1.0
        stuck += 1
        if values_of[best] < current - 1e-12:
            stuck = 0
            first[i[best]], first[j[best]] = False, True
            current = current_loss()
    raise NotConverged(f"labels did not converge: loss {current}")
