"""Integer margins of Table 1: total sessions, time in care, follow-up days and age.

Each variable is drawn from a plausible shape and then moved, one small step of one participant at a
time, until mean, SD, median, minimum and maximum print as in Table 1 for every group and in total.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import targets as T
from .targets import Distribution

Array = np.ndarray


@dataclass
class _Side:
    """Running sums of one group (or of the total) with its targets."""

    target: Distribution
    n: int
    total: int = 0
    squares: int = 0
    below: int = 0
    up_to: int = 0

    def __post_init__(self) -> None:
        self.mean_low, self.mean_high = self.target.mean.window()
        self.sd_low, self.sd_high = self.target.sd.window()
        self.unit = 0.01

    def loss(self, total: int, squares: int, below: int, up_to: int) -> float:
        """Distance from the targets in units of the printed precision."""
        mean = total / self.n
        sd = ((squares - total * mean) / (self.n - 1)) ** 0.5
        loss = 0.0
        if mean < self.mean_low:
            loss += self.mean_low - mean
        elif mean > self.mean_high:
            loss += mean - self.mean_high
        if sd < self.sd_low:
            loss += self.sd_low - sd
        elif sd > self.sd_high:
            loss += sd - self.sd_high
        loss /= self.unit
        if self.target.median is not None:
            half = self.n // 2  # n is odd: element half+1 is the median
            loss += 3.0 * max(0, below - half) + 3.0 * max(0, half + 1 - up_to)
        return loss


def tune(
    values: Array,
    group: Array,
    low: Array,
    high: Array,
    rows: tuple[Distribution, ...],
    step: int,
    rng: np.random.Generator,
    max_moves: int = 4_000_000,
) -> Array:
    """Move ``values`` inside ``low``..``high`` until every target of ``rows`` holds."""
    x = [int(v) for v in np.clip(values, low, high)]
    g = [int(v) for v in group]
    lo = [int(v) for v in low]
    hi = [int(v) for v in high]
    pinned = [False] * len(x)
    # Pin one participant at each group's minimum and maximum (and the total's, where only that is given).
    for index, row in enumerate(rows):
        members = [i for i in range(len(x)) if index == 3 or g[i] == index]
        for value, sign in ((row.minimum, 1), (row.maximum, -1)):
            if value is None or any(pinned[i] and x[i] == value for i in members):
                continue
            feasible = [i for i in members if not pinned[i] and lo[i] <= value <= hi[i]]
            chosen = min(feasible, key=lambda i: sign * x[i])
            x[chosen] = value
            pinned[chosen] = True

    sides = [_Side(row, 0) for row in rows]
    for i, value in enumerate(x):
        for side in (sides[g[i]], sides[3]):
            median = side.target.median
            side.n += 1
            side.total += value
            side.squares += value * value
            if median is not None:
                side.below += value < median
                side.up_to += value <= median
    losses = [s.loss(s.total, s.squares, s.below, s.up_to) for s in sides]

    free = np.array([i for i in range(len(x)) if not pinned[i] and lo[i] < hi[i]])
    done = 0
    block = 20_000
    while sum(losses) > 0:
        if done > max_moves:
            raise T.NotConverged(f"margin did not converge: {losses}")
        picks = free[rng.integers(0, len(free), block)].tolist()
        size = step if sum(losses) > 20 else max(1, step // 4)
        deltas = rng.integers(1, size + 1, block) * rng.choice((-1, 1), block)
        slack = (0.3 * rng.exponential(1.0, block) * (rng.random(block) < 0.2)).tolist()
        # A little uphill freedom, so that mean, SD and median do not block each other.
        for i, delta, allowed in zip(picks, deltas.tolist(), slack, strict=True):
            old = x[i]
            new = old + delta
            if new < lo[i] or new > hi[i]:
                continue
            proposal = []
            for index in (g[i], 3):
                s = sides[index]
                median = s.target.median
                below, up_to = s.below, s.up_to
                if median is not None:
                    below += (new < median) - (old < median)
                    up_to += (new <= median) - (old <= median)
                total = s.total + delta
                squares = s.squares + new * new - old * old
                proposal.append((index, total, squares, below, up_to, s.loss(total, squares, below, up_to)))
            if proposal[0][5] + proposal[1][5] < losses[g[i]] + losses[3] + allowed:
                x[i] = new
                for index, total, squares, below, up_to, loss in proposal:
                    s = sides[index]
                    s.total, s.squares, s.below, s.up_to = total, squares, below, up_to
                    losses[index] = loss
        done += block
    return np.array(x, dtype=np.int64)


def _shifted_gamma(mean: float, sd: float, size: int, rng: np.random.Generator) -> Array:
    shape = (mean / sd) ** 2
    draws: Array = rng.gamma(shape, mean / shape, size)
    return draws


def _reshape(values: Array, row: Distribution, high: int) -> Array:
    """Scale draws so that the median is right, then stretch what lies above it so that the mean is."""
    assert row.median is not None
    x = values.astype(float)
    zeros = int((x <= 0).sum())
    rank_of_median = len(x) // 2
    ordered = np.sort(x)
    current = ordered[rank_of_median]
    if zeros > rank_of_median or current <= 0:
        return values
    scaled = x * (row.median / current)
    upper = scaled > row.median
    # Above the median: median + (x - median) * a, so that the mean is right; the tail is clipped.
    need = row.mean.value * len(x) - scaled[~upper].sum() - row.median * upper.sum()
    stretch = need / (scaled[upper] - row.median).sum()
    scaled[upper] = row.median + (scaled[upper] - row.median) * stretch
    reshaped: Array = np.clip(np.rint(scaled), 0, high).astype(np.int64)
    return reshaped


def draw_sessions(group: Array, rng: np.random.Generator) -> Array:
    """Total sessions: a geometric-like count, longer for those who saw both kinds of provider."""
    values = np.zeros(len(group), dtype=np.int64)
    low = np.ones(len(group), dtype=np.int64)
    high = np.zeros(len(group), dtype=np.int64)
    for g in range(3):
        members = group == g
        row = T.TOTAL_SESSIONS[g]
        assert row.minimum is not None
        assert row.maximum is not None
        excess = _shifted_gamma(row.mean.value - row.minimum + 0.5, row.sd.value, members.sum(), rng)
        values[members] = row.minimum + np.floor(excess).astype(np.int64)
        low[members] = row.minimum
        high[members] = row.maximum
    return tune(values, group, low, high, T.TOTAL_SESSIONS, 1, rng)


def draw_time_in_care(group: Array, sessions: Array, rng: np.random.Generator) -> Array:
    """Days from first to last session: zero for one session, longer with more sessions."""
    n = len(group)
    values = np.zeros(n, dtype=np.int64)
    low = np.zeros(n, dtype=np.int64)
    high = np.zeros(n, dtype=np.int64)
    pace = (9.5, 12.5, 11.8)  # mean days between sessions
    for g in range(3):
        row = T.TIME_IN_CARE[g]
        assert row.maximum is not None
        for i in np.flatnonzero((group == g) & (sessions > 1)):
            gaps = int(sessions[i]) - 1
            # An own pace per participant, slower for the few-session ones with long breaks.
            own = pace[g] * rng.gamma(1.1, 1 / 1.1) * (1.0 + 1.1 / gaps)
            low[i] = 1 if gaps == 1 else 2 * gaps
            high[i] = row.maximum
            values[i] = round(own * gaps * rng.gamma(4.0, 0.25))
        members = np.flatnonzero(group == g)
        values[members] = _reshape(values[members], row, row.maximum)
        too_long = members[values[members] > row.maximum - 10]
        values[too_long] = row.maximum - rng.integers(1, 130, len(too_long))
    return tune(values, group, low, high, T.TIME_IN_CARE, 4, rng)


def draw_follow_up(group: Array, time_in_care: Array, rng: np.random.Generator) -> Array:
    """Days from baseline to follow-up: more than the time in care, long-tailed."""
    n = len(group)
    values = np.zeros(n, dtype=np.int64)
    low = np.zeros(n, dtype=np.int64)
    high = np.zeros(n, dtype=np.int64)
    spread = ((98, 115), (93, 105), (96, 96))
    for g in range(3):
        members = np.flatnonzero(group == g)
        row = T.FOLLOW_UP_DAYS[g]
        assert row.minimum is not None
        assert row.maximum is not None
        gap = 4 + np.floor(_shifted_gamma(spread[g][0] - 4, spread[g][1], len(members), rng)).astype(np.int64)
        values[members] = _reshape(time_in_care[members] + gap, row, row.maximum)
        low[members] = np.maximum(row.minimum, time_in_care[members] + 1)
        high[members] = row.maximum
    return tune(values, group, low, high, T.FOLLOW_UP_DAYS, 8, rng)


def draw_age(group: Array, rng: np.random.Generator) -> Array:
    """Age in years at registration, 18-73, right-skewed."""
    n = len(group)
    values = np.zeros(n, dtype=np.int64)
    for g in range(3):
        members = group == g
        row = T.AGE[g]
        excess = _shifted_gamma(row.mean.value - 18 + 0.5, row.sd.value, members.sum(), rng)
        values[members] = 18 + np.floor(excess).astype(np.int64)
    return tune(values, group, np.full(n, 18), np.full(n, 73), T.AGE, 2, rng)
