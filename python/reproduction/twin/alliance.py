"""The alliance score at the level of sums: rated sessions, answered items and their sum per participant.

The score of a participant is ``item_sum / items``.  Mean, SD and median by group, the Kruskal-Wallis
and Dunn statistics and the share of ties depend only on the table group x distinct score, which
is moved one item point at a time until all of them print as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import targets as T
from .targets import NotConverged

Array = np.ndarray

BATCH = 10_000
SOFTNESS = (0.2, 0.1, 0.05, 0.02, 0.01, 0.004, 0.0015, 0.0)


@dataclass
class Scores:
    """Per participant: rated sessions, answered items, sum of the answers."""

    rated: Array
    items: Array
    item_sum: Array

    @property
    def value(self) -> Array:
        """The alliance score (one division, so that equal scores tie exactly)."""
        scores: Array = self.item_sum / self.items
        return scores


def midranks2(values: Array) -> Array:
    """Twice the mid-ranks (integers)."""
    order = np.unique(values, return_inverse=True)[1]
    counts = np.bincount(order)
    before = np.concatenate(([0], np.cumsum(counts)[:-1]))
    ranks: Array = (2 * before + counts + 1)[order].astype(np.int64)
    return ranks


def draw_scores(group: Array, sessions: Array, rng: np.random.Generator) -> Scores:
    """First guess: 40-some percent always answer 5, the rest lose points at an own rate."""
    n = len(group)
    rated = 1 + rng.binomial(sessions - 1, 0.66)
    skipped = rng.binomial(rated, 0.015)
    items = 2 * rated - skipped
    always = np.array([0.39, 0.295, 0.31])[group]
    heavy = np.array([0.145, 0.03, 0.04])[group]
    rate = rng.gamma(1.6, np.array([0.55, 0.53, 0.62])[group] / 1.6)
    rate = np.where(rng.random(n) < heavy, rng.uniform(1.2, 3.2, n), rate)
    rate = np.where(rng.random(n) < always, 0.02, np.minimum(rate, 3.9))
    deficit = rng.binomial(4 * items, rate / 4.0)
    score = 5 - deficit / items
    thin = (score > T.MEDIAN_MALE + 1e-9) & (score < T.MEDIAN_FEMALE - 1e-9) & (rng.random(n) < 0.25)
    deficit = np.where(thin, np.maximum(deficit + rng.choice((-1, 1), n), 0), deficit)
    return Scores(rated.astype(np.int64), items.astype(np.int64), (5 * items - deficit).astype(np.int64))


@dataclass
class _Fit:
    """Loss and statistics of one group x score table."""

    loss: float
    parts: dict[str, float]


def _outside(value: float, window: tuple[float, float], softness: float) -> float:
    """Distance to the window in half-widths, or in ``softness`` if that is more; squared when small."""
    low, high = window
    half = (high - low) / 2
    distance = max(0.0, low - value, value - high)
    if distance < 0.05 * half:  # windows are shrunk well inside the printed ones
        return 0.0
    distance /= max(half, softness)
    return distance * distance if distance < 1 else 2 * distance - 1


class AllianceTable:
    """The counts of every distinct score by group, and the loss they imply."""

    def __init__(self, group: Array, scores: Scores) -> None:
        """Count the scores; every score that the given numbers of items allow has a column."""
        pairs = {(int(s), int(m)) for m in np.unique(scores.items) for s in range(int(m), 5 * int(m) + 1)}
        self.values = np.array(sorted({s / m for s, m in pairs}))
        lookup = {v: i for i, v in enumerate(self.values.tolist())}
        self.index = {(s, m): lookup[s / m] for s, m in pairs}
        self.counts = np.zeros((3, len(self.values)), dtype=np.int64)
        for g, s, m in zip(group.tolist(), scores.item_sum.tolist(), scores.items.tolist(), strict=True):
            self.counts[g, self.index[s, m]] += 1
        self.n = np.array(T.GROUP_SIZES)
        self.marks = {v: lookup[v] for v in (19 / 4, 29 / 6, 24 / 5, 14 / 3, 39 / 8)}
        # Sums of scores are carried as integers in units of 1e-9: exact and order-free.
        self.scaled = np.rint(self.values * 1e9).astype(np.int64) - 4_500_000_000

    def fit(self, softness: float) -> _Fit:
        """All targets of the group x score table; ``softness`` is a share of their natural scales."""
        counts = self.counts
        total = counts.sum(axis=0)
        cumulative = np.cumsum(total)
        n_all = T.COHORT
        parts: dict[str, float] = {}
        sums = (counts * self.scaled).sum(axis=1)
        squares = (counts * (self.scaled // 1000) ** 2).sum(axis=1)  # units of 1e-12
        for g in range(4):
            n = n_all if g == 3 else int(self.n[g])
            s1 = float(sums.sum() if g == 3 else sums[g]) * 1e-9
            s2 = float(squares.sum() if g == 3 else squares[g]) * 1e-12
            mean = s1 / n
            parts[f"mean{g}"] = _outside(mean + 4.5, T.ALLIANCE_MEAN[g].window(), 0.03 * softness)
            parts[f"sd{g}"] = _outside(
                ((s2 - n * mean * mean) / (n - 1)) ** 0.5, T.ALLIANCE_SD[g].window(), 0.03 * softness
            )
            mark = self.marks[T.ALLIANCE_MEDIAN[g]]
            ladder = cumulative if g == 3 else np.cumsum(counts[g])
            below, up_to = int(ladder[mark - 1]), int(ladder[mark])
            # A margin of a few participants on either side keeps the median in the interior of its tie.
            short = max(0, below - n // 2 + 2) + max(0, n // 2 + 3 - up_to)
            parts[f"median{g}"] = short / max(1.0, 0.02 * n * softness)
        cubes = int((total * (total * total - 1)).sum())
        correction = 1.0 - cubes / (n_all**3 - n_all)
        parts["ties"] = _outside(correction, T.TIE_CORRECTION, 0.02 * softness)
        midrank2 = 2 * (cumulative - total) + total + 1
        mean_rank = (counts * midrank2).sum(axis=1) / 2.0 / self.n
        variance = n_all * (n_all + 1) / 12.0 * correction
        h = float((self.n * (mean_rank - (n_all + 1) / 2.0) ** 2).sum() / variance)
        z_ct = (mean_rank[1] - mean_rank[0]) / (variance * (1 / self.n[1] + 1 / self.n[0])) ** 0.5
        z_cb = (mean_rank[1] - mean_rank[2]) / (variance * (1 / self.n[1] + 1 / self.n[2])) ** 0.5
        parts["h"] = _outside(h, T.KRUSKAL_H.window(), 4.0 * softness)
        parts["z_ct"] = _outside(float(z_ct), T.DUNN_COACHING_THERAPY.window(), softness)
        parts["z_cb"] = _outside(float(z_cb), T.DUNN_COACHING_BOTH.window(), softness)
        # Few scores strictly between the medians of males and of females: both can then be medians.
        between = int(cumulative[self.marks[39 / 8] - 1] - cumulative[self.marks[14 / 3]])
        parts["between"] = _outside(between / n_all, (0.045, 0.065), 0.02 * softness)
        return _Fit(sum(parts.values()), parts)


def tune_scores(group: Array, scores: Scores, rng: np.random.Generator, max_moves: int = 200_000) -> Scores:
    """Move item sums by a few points until every target of the table holds."""
    item_sum = scores.item_sum.copy()
    items = scores.items
    # The minima 1, 1 and 2: one participant each, pinned; nobody of `both` lies below 2.
    pinned = np.zeros(len(group), dtype=bool)
    floor = np.where(group == T.BOTH, 2, 1) * items
    item_sum = np.maximum(item_sum, floor)
    for g in range(3):
        members = np.flatnonzero((group == g) & (items <= 4) & (items >= 2))
        lowest = members[np.argmin(item_sum[members] / items[members])]
        item_sum[lowest] = floor[lowest]
        pinned[lowest] = True
    table = AllianceTable(group, Scores(scores.rated, items, item_sum))
    stage = 0
    softness = SOFTNESS[stage]
    current = table.fit(softness)
    free = np.flatnonzero(~pinned)
    moves = 0
    while current.loss > 0 or softness > 0:
        if moves > max_moves:
            raise NotConverged(f"alliance table did not converge: {current.parts}")
        if moves > 0 and stage < len(SOFTNESS) - 1:
            stage += 1
            softness = SOFTNESS[stage]
            current = table.fit(softness)
        picks = free[rng.integers(0, len(free), BATCH)]
        mates = free[rng.integers(0, len(free), BATCH)]
        pairs = rng.random(BATCH) < 0.5
        steps = rng.choice((-3, -2, -1, 1, 2, 3), (BATCH, 2), p=(0.1, 0.15, 0.25, 0.25, 0.15, 0.1))
        slack = 0.06 * rng.exponential(1.0, BATCH) * (rng.random(BATCH) < 0.15)
        for i, j, pair, (step_i, step_j), allowed in zip(
            picks.tolist(), mates.tolist(), pairs.tolist(), steps.tolist(), slack.tolist(), strict=True
        ):
            # One participant alone, or two of a group in opposite directions.
            moves += 1
            changes = [(i, step_i)]
            if pair:
                if i == j or group[i] != group[j] or (step_i > 0) == (step_j > 0):
                    continue
                changes.append((j, step_j))
            if any(not floor[p] <= item_sum[p] + step <= 5 * items[p] for p, step in changes):
                continue
            g = int(group[i])
            cells = []
            for p, step in changes:
                m, old = int(items[p]), int(item_sum[p])
                cells.append((table.index[old, m], table.index[old + step, m]))
            for before, after in cells:
                table.counts[g, before] -= 1
                table.counts[g, after] += 1
            proposal = table.fit(softness)
            if proposal.loss <= current.loss + allowed * min(1.0, current.loss):
                for p, step in changes:
                    item_sum[p] += step
                current = proposal
                if current.loss == 0:
                    break  # to the next stage
            else:
                for before, after in cells:
                    table.counts[g, before] += 1
                    table.counts[g, after] -= 1
    return Scores(scores.rated, items, item_sum)
