"""Table 2 and the moderations: values exchanged between participants until every coefficient prints.

All moves exchange values within a utilization group (and, where needed, within the screened), so that
nothing of Table 1, of the rank statistics by group and screen, or of Aim 2 changes:

* the pair (baseline, follow-up) of two screened participants,
* the alliance bundle (rated sessions, items, sum) of two screened participants,
* the care bundle (total sessions, time in care, follow-up days) of two participants,
* the age, or the reported sex, of two participants.

The loss is a sum of distances to the printed rounding intervals.  Candidates are evaluated in batches:
cross-products are updated by the changed rows and swept (Gauss-Jordan), elementwise and without BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from . import targets as T
from .targets import Coefficient, NotConverged, Window

Array = np.ndarray

N = T.REGRESSION_N
BATCH, LATE_BATCH = 96, 400  # candidates per step: few while progress is easy
# Columns of the design matrix.
ONE, AGE, MALE, TIME, BASE, ALL, COACH, BOTH, ALL_COACH, ALL_BOTH, ALL_BASE, SESS, ALL_SESS, Y = range(14)
# Attribute rows exchanged by each kind of move.
A_AGE, A_MALE, A_TIME, A_BASE, A_ALL, A_SESS, A_FOLLOW, A_RATED, A_COACH, A_BOTH = range(10)
SCORES, ALLIANCE, CARE, AGES, SEX = range(5)
MOVES = {
    SCORES: (A_BASE, A_FOLLOW),
    ALLIANCE: (A_ALL, A_RATED),
    CARE: (A_TIME, A_SESS),
    AGES: (A_AGE,),
    SEX: (A_MALE,),
}
SOFTNESS = (*(0.3 * 0.6**k for k in range(14)), 0.0)
IDLE_BATCHES, STAGE_BATCHES = 150, 600
ALL_CENTRE, BASE_CENTRE, SESS_CENTRE = 4.5, 20.0, 5.0


@dataclass
class People:
    """The cohort's columns that the calibration may exchange (one entry per participant)."""

    group: Array
    sex: Array
    screened: Array
    age: Array
    sessions: Array
    time: Array
    follow_days: Array
    rated: Array
    items: Array
    item_sum: Array
    baseline: Array
    followup: Array


def _t_window(p: Window, df: int, sign: float, keep: float) -> tuple[float, float]:
    """The interval of t values whose two-sided P lies in ``p``."""
    margin = 0.0 if keep < 0.95 else 0.02 * (p.high - p.low)
    high = float(student.isf(max(p.low - margin, 1e-12) / 2, df))
    low = float(student.isf((p.high + margin) / 2, df))
    return (low, high) if sign > 0 else (-high, -low)


@dataclass
class _Row:
    """Windows of one coefficient."""

    name: str
    b: tuple[float, float] | None
    se: tuple[float, float]
    low: tuple[float, float] | None
    high: tuple[float, float] | None
    t: tuple[float, float]
    beta: tuple[float, float] | None
    quantile: float


def _row(name: str, c: Coefficient, df: int, keep: float) -> _Row:
    anchor = c.b if c.b is not None else c.beta
    assert anchor is not None
    return _Row(
        name=name,
        b=c.b.window(keep) if c.b else None,
        se=c.se.window(keep),
        low=c.low.window(keep) if c.low else None,
        high=c.high.window(keep) if c.high else None,
        t=_t_window(c.p, df, 1.0 if anchor.value > 0 else -1.0, keep),
        beta=c.beta.window(keep) if c.beta else None,
        quantile=float(student.ppf(0.975, df)),
    )


class Goal:
    """All windows: ``keep`` is the share of each printed rounding interval that counts."""

    def __init__(self, keep: float, corner: bool) -> None:
        """``corner`` adds what is chosen (not printed) to steer the search into the feasible corner."""
        self.table = {
            column: _row(name, T.TABLE_2[name], N - 6, keep)
            for column, name in (
                (ONE, "intercept"),
                (AGE, "age"),
                (MALE, "male"),
                (TIME, "time"),
                (BASE, "baseline"),
                (ALL, "alliance"),
            )
        }
        if corner:
            for name, window in T.BASELINE_CORNER.items():
                setattr(self.table[BASE], name, tuple(window))
            self.table[AGE].se = (0.0805, 0.0830)  # what CI and P of age leave
        self.moderation = {
            name: _row(f"alliance:{name}", T.MODERATIONS[name], df, keep)
            for name, df in (("telecoaching", N - 10), ("both", N - 10), ("baseline", N - 7), ("sessions", N - 8))
        }
        self.r2_2 = T.R2_STEP_2.window(keep)
        self.r2_3 = T.R2_STEP_3.window(keep)
        self.delta_r2 = T.DELTA_R2.window(keep)
        self.r2_moderation = T.MODERATION_R2.window(keep)
        self.plane = {ONE: 12.6025, AGE: 0.0315, MALE: 0.04, TIME: -0.0088, BASE: 0.6562, ALL: 2.04}
        self.level = (-0.015, 0.015) if corner else (-9.0, 9.0)
        self.rx2 = (0.0, 0.0035) if corner else (0.0, 1.0)
        self.no_delta_r2 = (0.0, 0.005 * keep)


AIM = Goal(0.85, corner=True)  # what the search moves towards
ACCEPT = Goal(0.99, corner=False)  # what suffices


def _sweep(a: Array, k: int) -> Array:
    """Gauss-Jordan step on pivot ``k`` of a stack of matrices (row, column, candidate)."""
    pivot = a[k, k]
    row = a[k] / pivot
    column = a[:, k].copy()
    out: Array = a - column[:, None] * row[None]
    out[k] = row
    out[:, k] = -column / pivot
    out[k, k] = 1.0 / pivot
    return out


def _distance(value: Array, window: tuple[float, float], unit: float) -> Array:
    low, high = window
    distance: Array = np.maximum(0.0, np.maximum(low - value, value - high)) / max((high - low) / 2, unit)
    return distance


def _damp(distance: Array) -> Array:
    return np.where(distance < 1.0, distance * distance, 2.0 * distance - 1.0)


def evaluate(
    cross: Array,
    softness: float = 0.0,
    goal: Goal = AIM,
    report: dict[str, tuple[float, float]] | None = None,
) -> Array:
    """Loss of every candidate's cross-product matrix (14, 14, candidates).

    Distances are counted in half-widths of the window, or in ``softness`` times the figure's natural scale
    (a standard error, a t of 1, ...) if that is more.  ``report`` receives value and loss of the first candidate.
    """
    total = np.zeros(cross.shape[2])

    def add(name: str, value: Array, window: tuple[float, float], natural: float) -> None:
        nonlocal total
        loss = _damp(_distance(value, window, softness * natural))
        total = total + loss
        if report is not None:
            report[name] = (float(value[0]), float(loss[0]))

    def add_row(row: _Row, b: Array, se: Array, scale: Array | float) -> None:
        """``scale`` turns b into beta; b and its interval are in raw units unless the row prints beta only."""
        error = sum(row.se) / 2
        if row.b is not None:
            add(f"{row.name} b", b, row.b, error)
            shown, width = b, row.quantile * se
        else:
            shown, width = b * scale, row.quantile * se * scale
            se = se * scale
        add(f"{row.name} se", se, row.se, 0.02 * error)
        if row.low is not None:
            add(f"{row.name} low", shown - width, row.low, error)
        if row.high is not None:
            add(f"{row.name} high", shown + width, row.high, error)
        if row.name != "baseline":
            add(f"{row.name} t", shown / se, row.t, 1.0)
        if row.beta is not None:
            add(f"{row.name} beta", b * scale, row.beta, 0.04)

    n = float(N)
    variance = [(cross[c, c] - cross[ONE, c] ** 2 / n) / (n - 1) for c in range(14)]
    tss = variance[Y] * (n - 1)
    sd_y = np.sqrt(variance[Y])
    a = cross
    for k in (ONE, AGE, MALE, TIME, BASE):
        a = _sweep(a, k)
    rss_2 = a[Y, Y]
    a = _sweep(a, ALL)
    rss_3 = a[Y, Y]
    r2_2, r2_3 = 1 - rss_2 / tss, 1 - rss_3 / tss
    add("r2 step 2", r2_2, goal.r2_2, 0.005)
    add("r2 step 3", r2_3, goal.r2_3, 0.005)
    add("delta r2", r2_3 - r2_2, goal.delta_r2, 0.005)
    sigma2 = rss_3 / (n - 6)
    # The means must lie on the printed plane: later, fine moves cannot lift the whole sample.
    level = cross[ONE, Y] / n
    for column, slope in goal.plane.items():
        level = level - slope * cross[ONE, column] / n
    add("level", level, goal.level, 0.05)
    # Baseline nearly uncorrelated with the other covariates: its SE leaves no room for more.
    add("baseline rx2", 1 - 1 / (a[BASE, BASE] * variance[BASE] * (n - 1)), goal.rx2, 0.004)
    for column, row in goal.table.items():
        scale = 0.0 if column == ONE else np.sqrt(variance[column]) / sd_y
        add_row(row, a[column, Y], np.sqrt(sigma2 * a[column, column]), scale)

    sd_all = np.sqrt(variance[ALL])
    for columns, interactions in (
        ((COACH, BOTH, ALL_COACH, ALL_BOTH), (("telecoaching", 2, 1.0), ("both", 3, 1.0))),
        ((ALL_BASE,), (("baseline", 0, np.sqrt(variance[BASE])),)),
        ((SESS, ALL_SESS), (("sessions", 1, np.sqrt(variance[SESS])),)),
    ):
        index = np.array([*columns, Y])
        m = a[index[:, None], index[None, :]]
        main = len(columns) - len(interactions)
        step_1 = None
        for k in range(len(columns)):
            if k == main:
                step_1 = m[-1, -1]
            m = _sweep(m, k)
        df = N - 6 - len(columns)
        rss = m[-1, -1]
        name = interactions[0][0]
        add(f"{name} r2", 1 - rss / tss, goal.r2_moderation, 0.005)
        add(f"{name} delta r2", (step_1 - rss) / tss, goal.no_delta_r2, 0.005)
        for term, k, sd_moderator in interactions:
            row = goal.moderation[term]
            add_row(row, m[k, -1], np.sqrt(rss / df * m[k, k]), sd_all * sd_moderator / sd_y)
    return total


def _design(p: Array) -> Array:
    """Design columns (14, rows) of attribute columns (10, rows)."""
    a = p[A_ALL]
    return np.stack(
        (
            np.ones_like(a),
            p[A_AGE],
            p[A_MALE],
            p[A_TIME],
            p[A_BASE],
            a,
            p[A_COACH],
            p[A_BOTH],
            (a - ALL_CENTRE) * p[A_COACH],
            (a - ALL_CENTRE) * p[A_BOTH],
            (a - ALL_CENTRE) * (p[A_BASE] - BASE_CENTRE),
            p[A_SESS],
            (a - ALL_CENTRE) * (p[A_SESS] - SESS_CENTRE),
            p[A_FOLLOW],
        )
    )


def _outer(x: Array) -> Array:
    product: Array = x[:, None] * x[None]
    return product


def _cross(design: Array) -> Array:
    out = np.empty((14, 14, 1))
    for i in range(14):
        for j in range(14):
            out[i, j, 0] = np.add.reduce(design[i] * design[j])
    return out


def calibrate(people: People, rng: np.random.Generator, max_batches: int = 12_000, verbose: bool = False) -> People:
    """Exchange values until the loss is zero; returns the rearranged people."""
    group, screened = people.group, people.screened
    n = len(group)
    attributes = np.zeros((10, n))
    attributes[A_AGE] = people.age
    attributes[A_MALE] = people.sex == T.MALE
    attributes[A_TIME] = people.time
    attributes[A_BASE] = people.baseline
    attributes[A_ALL] = people.item_sum / people.items
    attributes[A_SESS] = people.sessions
    attributes[A_FOLLOW] = people.followup
    attributes[A_RATED] = people.rated
    attributes[A_COACH] = group == T.TELECOACHING
    attributes[A_BOTH] = group == T.BOTH
    known = people.sex != T.SEX_MISSING
    inside = screened & known
    assert int(inside.sum()) == N
    sample = np.flatnonzero(inside)
    # Where each participant's age, sex, scores, alliance and care bundle come from.
    source = {kind: np.arange(n) for kind in MOVES}
    pools = {
        kind: [np.flatnonzero((group == g) & allowed) for g in range(3)]
        for kind, allowed in (
            (SCORES, screened),
            (ALLIANCE, screened),
            (CARE, np.ones(n, dtype=bool)),
            (AGES, np.ones(n, dtype=bool)),
            (SEX, known),
        )
    }
    cross = _cross(_design(attributes[:, sample]))

    def swap(kind: int, a: int, b: int) -> None:
        for r in MOVES[kind]:
            attributes[r, [a, b]] = attributes[r, [b, a]]
        source[kind][[a, b]] = source[kind][[b, a]]

    def shake(times: int) -> None:
        nonlocal cross
        for _ in range(times):
            kind = (SCORES, AGES)[int(rng.integers(0, 2))]
            a = int(sample[rng.integers(0, N)])
            members = pools[kind][int(group[a])]
            swap(kind, a, int(members[rng.integers(0, len(members))]))
        cross = _cross(_design(attributes[:, sample]))

    softness = SOFTNESS[0]
    stage, idle, in_stage = 0, 0, 0
    current = float(evaluate(cross, softness)[0])
    accepted = 0
    for batch in range(max_batches):
        if float(evaluate(cross, 0.0, ACCEPT)[0]) <= 0:
            break
        if current <= 0 or idle > IDLE_BATCHES or in_stage > STAGE_BATCHES:
            if softness == 0:
                # A dead end: shake a few dozen exchanges and start over from the soft end.
                shake(40)
                stage = -1
            idle, in_stage = 0, 0
            stage += 1
            softness = SOFTNESS[stage]
            current = float(evaluate(cross, softness)[0])
            if current <= 0:
                continue
        in_stage += 1
        idle += 1
        if verbose and batch % 1000 == 0:
            report: dict[str, tuple[float, float]] = {}
            evaluate(cross, softness, AIM, report)
            bad = {k: (round(v, 5), round(d, 2)) for k, (v, d) in report.items() if d > 0}
            print(batch, accepted, softness, round(current, 4), bad, flush=True)
        kind = int(rng.choice(5, p=(0.35, 0.25, 0.2, 0.12, 0.08)))
        rows = MOVES[kind]
        g = int(group[sample[rng.integers(0, N)]])
        members = pools[kind][g]
        size = BATCH if softness > 0.02 else LATE_BATCH
        i = rng.choice(sample[group[sample] == g], size)
        if kind != SEX and softness < 0.07 and rng.random() < 0.75:
            # Neighbours in value: small changes.
            key = attributes[rows[-1] if kind == SCORES else rows[0], members]
            order = np.argsort(key, kind="stable")
            place = np.empty(n, dtype=np.int64)
            place[members[order]] = np.arange(len(members))
            reach = min(len(members) // 4, int(rng.choice((2, 6, 20, 60))))
            near = place[i] + rng.integers(-reach, reach + 1, size)
            j = members[order[np.clip(near, 0, len(members) - 1)]]
        else:
            j = members[rng.integers(0, len(members), size)]
        valid = i != j
        if kind == SEX:
            valid &= attributes[A_MALE, i] != attributes[A_MALE, j]
        elif kind in (ALLIANCE, CARE):
            valid &= (attributes[A_RATED, i] <= attributes[A_SESS, j]) & (
                attributes[A_RATED, j] <= attributes[A_SESS, i]
            )
        i, j = i[valid], j[valid]
        if len(i) == 0:
            continue
        before_i, before_j = attributes[:, i], attributes[:, j]
        after_i, after_j = before_i.copy(), before_j.copy()
        for r in rows:
            after_i[r], after_j[r] = before_j[r], before_i[r]
        delta = _outer(_design(after_i)) - _outer(_design(before_i))
        delta += inside[j] * (_outer(_design(after_j)) - _outer(_design(before_j)))
        losses = evaluate(cross + delta, softness)
        best = int(np.argmin(losses))
        # Rounded, so that the last bits of a platform's arithmetic decide nothing.
        if round(current - float(losses[best]), 9) <= 0:
            continue
        accepted += 1
        idle = 0
        swap(kind, int(i[best]), int(j[best]))
        cross = cross + delta[:, :, best : best + 1]
        if accepted % 500 == 0:
            cross = _cross(_design(attributes[:, sample]))
        current = float(evaluate(cross, softness)[0])
    cross = _cross(_design(attributes[:, sample]))
    if float(evaluate(cross, 0.0, ACCEPT)[0]) > 0:
        report = {}
        evaluate(cross, 0.0, ACCEPT, report)
        raise NotConverged(str({k: round(v, 6) for k, (v, loss) in report.items() if loss > 0}))
    care, alliance, scores = source[CARE], source[ALLIANCE], source[SCORES]
    return People(
        group=group,
        sex=people.sex[source[SEX]],
        screened=screened,
        age=people.age[source[AGES]],
        sessions=people.sessions[care],
        time=people.time[care],
        follow_days=people.follow_days[care],
        rated=people.rated[alliance],
        items=people.items[alliance],
        item_sum=people.item_sum[alliance],
        baseline=people.baseline[scores],
        followup=people.followup[scores],
    )
