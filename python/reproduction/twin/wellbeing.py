"""WHO-5 scores (multiples of 4): the screened cohort's change by group, and everybody else's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import targets as T
from .targets import Window

Array = np.ndarray

# Chosen, not printed: SD of baseline / SD of follow-up; Table 2's SE and beta of baseline leave
# 0.357-0.359 for the 675, and the 835 lie close to it.
SD_RATIO = Window(0.3576, 0.3588)
GROUP_BASELINE_MEAN = (20.3, 20.4, 20.8)


@dataclass
class _Sums:
    """Sums that determine every printed figure of Aim 2 (scores in units of 4)."""

    b: list[int]
    f: list[int]
    bb: int
    ff: int
    bf: int
    recovered: int
    improved: int
    dd: int


def _sums(group: Array, b: Array, f: Array) -> _Sums:
    d = f - b
    return _Sums(
        b=[int(b[group == g].sum()) for g in range(3)],
        f=[int(f[group == g].sum()) for g in range(3)],
        bb=int((b * b).sum()),
        ff=int((f * f).sum()),
        bf=int((b * f).sum()),
        recovered=int((f > T.WHO5_CUTOFF // 4).sum()),
        improved=int((4 * d >= T.IMPROVEMENT_POINTS).sum()),
        dd=int((d * d).sum()),
    )


def _distance(value: float, window: tuple[float, float]) -> float:
    low, high = window
    return max(0.0, low - value, value - high) / ((high - low) / 2)


def screened_parts(s: _Sums) -> list[float]:
    """Distances from the printed figures of Aim 2, one per figure."""
    n = T.SCREENED
    sizes = T.SCREENED_COUNTS
    change = [4 * (f - b) for f, b in zip(s.f, s.b, strict=True)]
    total = sum(change)
    explained = sum(c * c / m for c, m in zip(change, sizes, strict=True))
    between = explained - total * total / n
    within = 16 * s.dd - explained
    base_sum, follow_sum = 4 * sum(s.b), 4 * sum(s.f)
    sb = ((16 * s.bb - base_sum**2 / n) / (n - 1)) ** 0.5
    sf = ((16 * s.ff - follow_sum**2 / n) / (n - 1)) ** 0.5
    r = (16 * s.bf - base_sum * follow_sum / n) / (n - 1) / (sb * sf)
    sd = ((16 * s.dd - total**2 / n) / (n - 1)) ** 0.5
    parts = [abs(c - t) / 4 for c, t in zip(change, T.CHANGE_SUMS, strict=True)]
    parts.append(_distance((between / 2) / (within / (n - 3)), T.ANOVA_F.window()))
    parts.append(_distance(100.0 * total / base_sum, T.PERCENT_CHANGE.window(0.6)))
    parts.append(_distance(total / n / (sd / (2 * (1 - r)) ** 0.5), T.COHEN_D_RM.window(0.6)))
    parts.append(_distance(sb / sf, SD_RATIO))
    parts.append(float(abs(s.recovered - T.RECOVERED)))
    parts.append(float(abs(s.improved - T.IMPROVED)))
    for g in range(3):
        middle = GROUP_BASELINE_MEAN[g]
        parts.append(_distance(4 * s.b[g] / sizes[g], (middle - 0.3, middle + 0.3)))
    return parts


def screened_loss(s: _Sums, sums_only: bool) -> float:
    """Sum of the distances: counts and sums linear, ratios damped when far."""
    parts = screened_parts(s)
    if sums_only:
        return sum(parts[:3])
    linear = 0.5 * (sum(parts[:3]) + sum(parts[7:9]))
    return linear + sum(p if p < 2 else 2 * (p / 2) ** 0.5 for p in parts[3:7] + parts[9:])


def draw_screened(group: Array, rng: np.random.Generator, max_moves: int = 3_000_000) -> tuple[Array, Array]:
    """Baseline and follow-up scores of the 835 screened participants."""
    n = len(group)
    mean = np.array(GROUP_BASELINE_MEAN)[group]
    short = rng.gamma(1.35, (28 - mean) / 1.35, n) - 1.0
    b = np.clip(np.rint((28 - short) / 4), 0, 7).astype(np.int64)
    change = np.array(T.CHANGE_SUMS)[group] / np.array(T.SCREENED_COUNTS)[group]
    noise = 18.8 * (rng.gamma(4.5, 1.0, n) - 4.5) / 4.5**0.5
    f = np.clip(np.rint((20.4 + change + 0.62 * (4 * b - 20.4) + noise) / 4), 0, 25).astype(np.int64)
    s = _sums(group, b, f)
    # First the exact sums of change, then only moves that keep them.
    sums_only = True
    current = screened_loss(s, sums_only)
    moves = 0
    block = 20_000
    cutoff = T.WHO5_CUTOFF // 4
    while current > 0:
        if moves > max_moves:
            raise T.NotConverged(f"WHO-5 change did not converge: {screened_parts(s)}")
        picks = rng.integers(0, n, block).tolist()
        mates = rng.integers(0, n, block).tolist()
        kinds = rng.integers(0, 2, block) if sums_only else rng.integers(2, 5, block)
        kinds = kinds.tolist()
        steps = rng.choice((-2, -1, 1, 2), block, p=(0.1, 0.4, 0.4, 0.1)).tolist()
        slack = (0.6 * rng.exponential(1.0, block) * (rng.random(block) < 0.15)).tolist()
        for i, j, kind, step, allowed in zip(picks, mates, kinds, steps, slack, strict=True):
            moves += 1
            g = int(group[i])
            # follow-up alone; baseline alone; both; follow-up against a mate's; baseline against a mate's
            db, df = ((0, step), (step, 0), (step, step), (0, step), (step, 0))[kind]
            changes = [(i, int(b[i]), int(f[i]), db, df)]
            if kind >= 3:
                if i == j or group[j] != g:
                    continue
                changes.append((j, int(b[j]), int(f[j]), -db, -df))
            if any(not (0 <= ob + eb <= cutoff and 0 <= of + ef <= 25) for _, ob, of, eb, ef in changes):
                continue
            new = _Sums(s.b.copy(), s.f.copy(), s.bb, s.ff, s.bf, s.recovered, s.improved, s.dd)
            for _, ob, of, eb, ef in changes:
                nb, nf = ob + eb, of + ef
                new.b[g] += eb
                new.f[g] += ef
                new.bb += nb * nb - ob * ob
                new.ff += nf * nf - of * of
                new.bf += nb * nf - ob * of
                new.recovered += (nf > cutoff) - (of > cutoff)
                new.improved += (4 * (nf - nb) >= T.IMPROVEMENT_POINTS) - (4 * (of - ob) >= T.IMPROVEMENT_POINTS)
                new.dd += (nf - nb) ** 2 - (of - ob) ** 2
            proposal = screened_loss(new, sums_only)
            if proposal < current + allowed * min(1.0, current / 5.0):
                for k, ob, of, eb, ef in changes:
                    b[k], f[k] = ob + eb, of + ef
                s, current = new, proposal
                if current == 0:
                    break
        if current == 0 and sums_only:
            sums_only = False
            current = screened_loss(s, sums_only)
    return 4 * b, 4 * f


def draw_unscreened(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Baseline above the cutoff and a follow-up that regresses to the mean."""
    b = np.clip(np.rint((32 + rng.gamma(2.1, 11.0, n)) / 4), 8, 25).astype(np.int64)
    f = np.clip(np.rint((62 + 0.45 * (4 * b - 56) + rng.normal(0, 16.5, n)) / 4), 0, 25).astype(np.int64)
    return 4 * b, 4 * f


def split_items(score: int, rng: np.random.Generator) -> list[int]:
    """Five items 0-5 that sum to ``score / 4``, close to each other."""
    total = score // 4
    base, rest = divmod(total, 5)
    items = [base] * 5
    for k in rng.permutation(5)[:rest]:
        items[k] += 1
    for _ in range(int(rng.integers(0, 5))):
        up, down = rng.integers(0, 5, 2)
        if up != down and items[up] < 5 and items[down] > 0:
            items[up] += 1
            items[down] -= 1
    return items
