"""Bond and goals answers of every rating: participants' sums are given, Cronbach's alpha is tuned."""

from __future__ import annotations

import numpy as np

from . import targets as T

Array = np.ndarray
Answers = list[list[list[int]]]  # participant -> rating -> [bond, goals]; 0 = skipped


def _draw_one(rated: int, items: int, item_sum: int, rng: np.random.Generator) -> list[list[int]]:
    """Answers of one participant: lost points fall more on early sessions and on a preferred item."""
    ratings = [[5, 5] for _ in range(rated)]
    for k in rng.permutation(rated)[: 2 * rated - items]:
        ratings[k][int(rng.integers(0, 2))] = 0
    prefers_goals = float(rng.beta(4.0, 3.2))
    lost = 5 * items - item_sum
    while lost > 0:
        k = min(int(rated * rng.random() ** 1.2), rated - 1)
        item = int(rng.random() < prefers_goals)
        if ratings[k][item] > 1:
            ratings[k][item] -= 1
            lost -= 1
        elif rng.random() < 0.3:
            prefers_goals = float(rng.random())
    return ratings


class _Moments:
    """Sums for Cronbach's alpha of two items."""

    def __init__(self) -> None:
        self.n = 0
        self.s = [0.0] * 5

    def add(self, x: float, y: float, sign: int) -> None:
        self.n += sign
        for k, v in enumerate((x, y, x * x, y * y, x * y)):
            self.s[k] += sign * v

    def alpha(self) -> float:
        n, (sx, sy, sxx, syy, sxy) = self.n, self.s
        vx, vy = (sxx - sx * sx / n), (syy - sy * sy / n)
        return 2.0 * (1.0 - (vx + vy) / (vx + vy + 2.0 * (sxy - sx * sy / n)))


def _means(ratings: list[list[int]]) -> tuple[float, float] | None:
    bonds = [b for b, _ in ratings if b]
    goals = [g for _, g in ratings if g]
    if not bonds or not goals:
        return None
    return sum(bonds) / len(bonds), sum(goals) / len(goals)


def draw_answers(rated: Array, items: Array, item_sum: Array, rng: np.random.Generator) -> Answers:
    """All answers; both alphas (participant means, single ratings) print 0.72."""
    answers = [_draw_one(int(k), int(m), int(s), rng) for k, m, s in zip(rated, items, item_sum, strict=True)]
    people, ratings = _Moments(), _Moments()

    def account(i: int, sign: int) -> None:
        means = _means(answers[i])
        if means is not None:
            people.add(*means, sign)
        for b, g in answers[i]:
            if b and g:
                ratings.add(b, g, sign)

    def loss() -> float:
        low, high = T.CRONBACH_ALPHA
        values = (people.alpha(), ratings.alpha())
        return sum(max(0.0, low - v, v - high) for v in values)

    for i in range(len(answers)):
        account(i, 1)
    lossy = [i for i in range(len(answers)) if item_sum[i] < 5 * items[i] and items[i] > 1]
    current = loss()
    for _ in range(2_000_000):
        if current <= 0:
            return answers
        i = lossy[int(rng.integers(0, len(lossy)))]
        k1, k2 = (int(v) for v in rng.integers(0, len(answers[i]), 2))
        c1, c2 = (int(v) for v in rng.integers(0, 2, 2))
        if (k1, c1) == (k2, c2) or not (0 < answers[i][k1][c1] < 5) or answers[i][k2][c2] <= 1:
            continue
        account(i, -1)
        answers[i][k1][c1] += 1
        answers[i][k2][c2] -= 1
        account(i, 1)
        proposal = loss()
        if proposal < current:
            current = proposal
        else:
            account(i, -1)
            answers[i][k1][c1] -= 1
            answers[i][k2][c2] += 1
            account(i, 1)
    raise T.NotConverged(f"alpha did not converge: {people.alpha()}, {ratings.alpha()}")
