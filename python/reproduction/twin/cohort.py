"""The 3,087 eligible participants, column by column, as the tables will show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from . import alliance, calibrate, items, labels, marginals, wellbeing
from . import targets as T
from .calibrate import People
from .items import Answers

Array = np.ndarray

# Chosen, not printed: SD of alliance among the screened, by group.  The printed standard errors of the
# alliance coefficient and of its interactions leave about these.
SCREENED_ALLIANCE_SD = (0.763, 0.672, 0.615)
# Chosen: mean follow-up of the screened with reported sex, by group; R2 of the utilization model is .06.
SAMPLE_FOLLOWUP_MEAN = (36.3, 35.8, 34.0)

ATTEMPTS = 30


@dataclass
class Cohort:
    """Everything that the analysis cohort's rows must come out as."""

    people: People
    country: Array
    answers: Answers

    @property
    def score(self) -> Array:
        """Alliance scores."""
        value: Array = self.people.item_sum / self.people.items
        return value


def _draw_screened(group: Array, score: Array, rng: np.random.Generator) -> Array:
    """Who screens positive: W, both medians and the spread of alliance by group."""
    screened = np.zeros(len(group), dtype=bool)
    for g in range(3):
        screened[rng.choice(np.flatnonzero(group == g), T.SCREENED_COUNTS[g], replace=False)] = True
    d = score - 4.5

    def spread(mask: Array, i: Array, j: Array) -> Array:
        here = int(group[i[0]])
        loss = np.zeros(len(i))
        for g in range(3):
            members = mask & (group == g)
            n = int(members.sum())
            total, squares = np.add.reduce(d[members]), np.add.reduce(d[members] ** 2)
            if g == here:
                total = total - d[i] + d[j]
                squares = squares - d[i] ** 2 + d[j] ** 2
            sd = np.sqrt((squares - total * total / n) / (n - 1))
            loss = loss + 100 * np.maximum(0, np.abs(sd - SCREENED_ALLIANCE_SD[g]) - 0.006)
        return np.round(loss, 9)

    target = labels.LabelTarget(T.W_SCREEN, T.MEDIAN_POSITIVE, T.MEDIAN_NEGATIVE)
    everybody = np.ones(len(group), dtype=bool)
    return labels.exchange(score, screened, group, everybody, target, rng, spread)


def _draw_sex(group: Array, screened: Array, followup: Array, rng: np.random.Generator) -> Array:
    """Sex by group, and by screen within group."""
    sex = np.full(len(group), T.SEX_MISSING)
    for g in range(3):
        female, male, missing = T.SEX_COUNTS[g]
        n_missing, n_male, n = T.SCREENED_SEX_MISSING[g], T.SCREENED_MALE[g], T.SCREENED_COUNTS[g]
        n_female = n - n_missing - n_male
        inside = np.flatnonzero(screened & (group == g))
        codes = np.repeat((T.SEX_MISSING, T.MALE, T.FEMALE), (n_missing, n_male, n_female))
        best = np.inf
        for _ in range(3000):
            shuffled = rng.permutation(codes)
            gap = abs(float(followup[inside][shuffled != T.SEX_MISSING].mean()) - SAMPLE_FOLLOWUP_MEAN[g])
            if gap < best:
                best, sex[inside] = gap, shuffled
        rest = np.repeat((T.SEX_MISSING, T.MALE, T.FEMALE), (missing - n_missing, male - n_male, female - n_female))
        sex[~screened & (group == g)] = rng.permutation(rest)
    return sex


def _fit_sex(people: People, rng: np.random.Generator) -> None:
    """Exact W of sex and its medians, by exchanges among the participants outside Aim 2."""
    known = np.flatnonzero(people.sex != T.SEX_MISSING)
    score = (people.item_sum / people.items)[known]
    target = labels.LabelTarget(T.W_SEX, T.MEDIAN_FEMALE, T.MEDIAN_MALE)
    female = labels.exchange(
        score, people.sex[known] == T.FEMALE, people.group[known], ~people.screened[known], target, rng
    )
    people.sex[known] = np.where(female, T.FEMALE, T.MALE)


def _draw_country(people: People, rng: np.random.Generator) -> Array:
    """Country by group, exact W and medians."""
    country = np.full(len(people.group), T.COUNTRY_UNKNOWN)
    for g in range(3):
        within, outside, unknown = T.COUNTRY_COUNTS[g]
        codes = np.repeat((T.WITHIN_USA, T.OUTSIDE_USA, T.COUNTRY_UNKNOWN), (within, outside, unknown))
        country[people.group == g] = rng.permutation(codes)
    known = np.flatnonzero(country != T.COUNTRY_UNKNOWN)
    score = (people.item_sum / people.items)[known]
    target = labels.LabelTarget(T.W_COUNTRY, T.MEDIAN_OUTSIDE, T.MEDIAN_WITHIN)
    outside_mask = labels.exchange(
        score, country[known] == T.OUTSIDE_USA, people.group[known], np.ones(len(known), dtype=bool), target, rng
    )
    country[known] = np.where(outside_mask, T.OUTSIDE_USA, T.WITHIN_USA)
    return country


def _fit_age(people: People, rng: np.random.Generator) -> None:
    """Spearman's rho of alliance and age: ages exchanged among the unscreened of a group."""
    n = len(people.group)
    score_rank = alliance.midranks2(people.item_sum / people.items)
    age_rank = alliance.midranks2(people.age)
    sx = int((score_rank * score_rank).sum()) - n * (n + 1) ** 2
    sy = int((age_rank * age_rank).sum()) - n * (n + 1) ** 2
    scale = float(sx) ** 0.5 * float(sy) ** 0.5
    t_low, t_high = (float(student.isf(p / 2, n - 2)) for p in (T.SPEARMAN_P.high, T.SPEARMAN_P.low))

    def miss(product: int) -> float:
        rho = (product - n * (n + 1) ** 2) / scale
        t = -rho * ((n - 2) / (1 - rho * rho)) ** 0.5  # the printed rho is negative
        return max(0.0, float(t_low - t), float(t - t_high))

    product = int((score_rank * age_rank).sum())
    pools = [np.flatnonzero((people.group == g) & ~people.screened) for g in range(3)]
    while miss(product) > 0:
        pool = pools[int(rng.integers(0, 3))]
        i, j = (int(v) for v in rng.choice(pool, 2, replace=False))
        change = int((age_rank[j] - age_rank[i]) * (score_rank[i] - score_rank[j]))
        if miss(product + change) < miss(product):
            product += change
            age_rank[[i, j]] = age_rank[[j, i]]
            people.age[[i, j]] = people.age[[j, i]]


def build_cohort(rng: np.random.Generator, log: Callable[[str], None]) -> Cohort:
    """Construct the cohort; a stage that ends in a dead end starts the construction anew."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _build(rng, log)
        except T.NotConverged as problem:
            log(f"attempt {attempt}: {problem}")
    raise RuntimeError(f"no cohort in {ATTEMPTS} attempts")


def _build(rng: np.random.Generator, log: Callable[[str], None]) -> Cohort:
    """Stage by stage; every stage keeps what the earlier ones reached."""
    group = np.repeat(np.arange(3), T.GROUP_SIZES)
    sessions = marginals.draw_sessions(group, rng)
    time = marginals.draw_time_in_care(group, sessions, rng)
    follow_days = marginals.draw_follow_up(group, time, rng)
    age = marginals.draw_age(group, rng)
    log("Table 1: sessions, time in care, follow-up period, age")
    scores = alliance.tune_scores(group, alliance.draw_scores(group, sessions, rng), rng)
    log("alliance scores by group: mean, SD, median, H, Z")
    screened = _draw_screened(group, scores.value, rng)
    log("screened positive: W, medians")
    baseline, followup = wellbeing.draw_unscreened(len(group), rng)
    baseline[screened], followup[screened] = wellbeing.draw_screened(group[screened], rng)
    log("WHO-5 change of the screened")
    people = People(
        group=group,
        sex=_draw_sex(group, screened, followup, rng),
        screened=screened,
        age=age,
        sessions=sessions,
        time=time,
        follow_days=follow_days,
        rated=scores.rated,
        items=scores.items,
        item_sum=scores.item_sum,
        baseline=baseline,
        followup=followup,
    )
    # Sex first: its medians are the likeliest dead end, and cheap to find out.
    _fit_sex(people, rng)
    people = calibrate.calibrate(people, rng)
    log("regressions and moderations")
    _fit_sex(people, rng)
    log("sex: W, medians")
    country = _draw_country(people, rng)
    log("country: W, medians")
    _fit_age(people, rng)
    log("age: rho")
    answers = items.draw_answers(people.rated, people.items, people.item_sum, rng)
    log("bond and goals items: both alphas")
    return Cohort(people, country, answers)
