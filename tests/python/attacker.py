"""An attacker on one release: what everything that it holds, and its page, tell together of small numbers of people.

The programme shares no code with the package. It knows what a reader of ``docs/disclosure.md`` knows: how the study's
tables add up, that a count is shown as the middle of its five, that a zero is shown, how each statistic is computed and
to how many digits it is given, and from which n. From each statistic it solves for the numbers of people that agree with
it: those within the five of a rounded count that are left say whether it tells more than was released. All of that
are the rows of one integer programme over the joint table of the people's attributes, which bounds every small count.

``python tests/python/attacker.py --seeds 40`` draws exports of 20 to 2,000 invented people, releases each as if it were
real, and writes what was found.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from html import unescape
from itertools import pairwise, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl

import attacker_of_providers
import numpy as np
import pandas as pd
from attacker_of_months import Months, charts_what_is_shown, counts_of
from attacker_of_providers import KINDS, Provider
from attacker_programme import Programme, agrees_mean, class_of, decimals_of, ends_of, half_unit
from scipy import stats
from scipy.optimize import linprog

CRITERIA = ("adult", "sponsored", "registered", "session", "baseline", "followup", "rating")
TYPES = ("teletherapy", "telecoaching", "both")
MIN_CELL = 10
MOST = 20_000
SEXES = ("female", "male")
SCREENS = ("positive", "negative")
_TYPE_AND_SEX = {"utilization_type": TYPES, "reported": ("yes", "no")}
_CHANGES = (
    {"improved": "yes", "reliable": "improved", "deteriorated": "no"},
    {"improved": "yes", "reliable": "no", "deteriorated": "no"},
    {"improved": "no", "reliable": "improved", "deteriorated": "no"},
    {"improved": "no", "reliable": "no", "deteriorated": "no"},
    {"improved": "no", "reliable": "no", "deteriorated": "yes"},
    {"improved": "no", "reliable": "deteriorated", "deteriorated": "no"},
    {"improved": "no", "reliable": "deteriorated", "deteriorated": "yes"},
)
"""What a change can be, by the two thresholds; of those who screened negative no table says it."""

Cell = dict[str, str]


def _crossed(**attributes: tuple[str, ...]) -> list[Cell]:
    return [dict(zip(attributes, levels, strict=True)) for levels in product(*attributes.values())]


def _of_groups() -> list[Cell]:
    cells = _crossed(
        utilization_type=TYPES,
        sex=(*SEXES, "missing"),
        country=("within_usa", "outside_usa", "missing"),
        baseline=("positive", "negative"),
    )
    return [cell | {"reported": "yes" if cell["sex"] in SEXES else "no"} for cell in cells]


def _of_changes() -> list[Cell]:
    cells = _crossed(
        **_TYPE_AND_SEX,
        grid_baseline=("to_28", "to_50", "above"),
        grid_days=("from_7", "from_14", "from_28"),
        followup=("positive", "negative"),
    )
    found = []
    for cell in cells:
        is_positive = cell["grid_baseline"] == "to_28"
        cell["baseline"] = "positive" if is_positive else "negative"
        found += [cell | change for change in (_CHANGES if is_positive else [dict.fromkeys(_CHANGES[0], "")])]
    return found


def _of_instrument(name: str) -> list[Cell]:
    found = []
    for cell in _crossed(**_TYPE_AND_SEX):
        for screen in ("negative", "missing"):
            found.append(cell | {f"{name}_baseline": screen, f"{name}_followup": "", f"{name}_improved": ""})
        for followup, improved in product(("positive", "negative"), ("yes", "no")):
            found.append(
                cell | {f"{name}_baseline": "positive", f"{name}_followup": followup, f"{name}_improved": improved}
            )
    return found


BLOCKS: tuple[tuple[list[Cell], tuple[str, ...]], ...] = (
    (_of_groups(), ()),
    (_of_changes(), ("utilization_type", "reported", "baseline")),
    (_crossed(both_items=("yes", "no")), ()),
    (_of_instrument("phq9"), ("utilization_type", "reported")),
)
"""The cohort by attributes that some table crosses, and by which of them each block adds up to the first one."""

WAITING = tuple(("waiting", criterion) for criterion in CRITERIA)
"""Those whom a criterion excluded while a row of theirs is in quarantine."""
KEPT_OUT = "kept out"
"""Rows of participants in quarantine: they are in no other count."""
LAST = "13+"
SESSION_NUMBERS = (*map(str, range(1, 13)), LAST)
PARTS = tuple(product(KINDS, ("four", "others")))
"""Whose sessions of a number were rated: by provider type, and whether the person rated four sessions."""
OF_TYPE = {"therapist": ("teletherapy", "both"), "coach": ("telecoaching", "both"), "all": TYPES}
"""Who may have rated a provider type."""
PROVIDERS = ("cohort", "sample")
IMPROVEMENT = 10
"""Var improvement_points."""
WHO5_STEP = 4
"""Points of a WHO-5 score for a point of an item: scores and their changes are multiples of it."""
INSTRUMENTS = {"who5": WHO5_STEP, "phq9": 1}
PARAMETERS = {
    "alliance_predicts_wellbeing": 6,
    "moderation_by_baseline": 7,
    "moderation_by_sessions": 8,
    "moderation_by_utilization": 10,
}
Where = Mapping[str, str | Iterable[str]]
Tables = Mapping[str, pd.DataFrame]
Test = Callable[[int], bool]


# --- What a reader gets: the files, and the page


def read_files(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a release, from their CSV files."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {name: pd.read_csv(folder / f"{name}.csv") for name in manifest["tables"]}


def read_page(page: str) -> list[tuple[str, dict[str, str], str, float]]:
    """The numbers of a page: table, keys of the row, column, value; those of its files for copying among them."""
    found = []
    pattern = r'<span class="n" data-source="([^"]+)" data-format="([^"]+)"(?: data-scale="([^"]+)")?>([^<]*)</span>'
    for source, form, scale, text in re.findall(pattern, page):
        if form.split(":")[0] not in ("fixed", "bounded", "p") or "/" in scale:
            continue
        place, column = unescape(source).rsplit("#", 1)
        table, query = place.split("?", 1)
        plain = unescape(text).replace("\N{MINUS SIGN}", "-").replace(",", "")
        if plain.startswith(("<", ">")):
            continue
        keys = dict(parse_qsl(query, keep_blank_values=True))
        found.append((table, keys, column, float(plain) / (float(scale) if scale else 1.0)))
    return found


def beyond_the_files(tables: Tables, page: str) -> list[tuple[str, dict[str, str], str, float]]:
    """Numbers of a page that the files do not hold, or hold otherwise."""
    found = []
    for table, keys, column, value in read_page(page):
        if table not in tables:
            found.append((table, keys, column, value))
            continue
        rows = tables[table]
        for name, key in keys.items():
            rows = rows[[str(one) == key or (key == "" and pd.isna(one)) for one in rows[name]]]
        # The page may round once more.
        held = [float(one) for one in rows[column] if not pd.isna(one)]
        if len(rows) != 1 or not held or abs(held[0] - value) > half_unit(value) + 1e-9 * abs(value) + 1e-12:
            found.append((table, keys, column, value))
    return found


# --- Which columns of a release are read

_RESULTS = (
    *("n", "estimate", "std_error", "y_standardized_estimate", "statistic", "df", "df_residual", "p_value"),
    *("p_adjusted", "ci_low", "ci_high", "effect_size", "effect_size_low", "effect_size_high"),
)
_FIT = ("n", "r_squared", "delta_r_squared", "f_change", "df", "df_residual", "p_value", "model_p_value")
READ: Mapping[str, tuple[str, ...]] = {
    "eligibility_flow": ("participants", "excluded", "quarantined"),
    "exclusion_reasons": ("participants",),
    "source_summary": ("delivered", "erased", "superseded", "quarantined", "used"),
    "table_1": ("value",),
    "inference_results": _RESULTS,
    "model_fit": _FIT,
    "outcome_results": tuple(column for column in _RESULTS if column != "y_standardized_estimate"),
    "outcome_fit": _FIT,
    "alliance_slopes": ("n", "ci_low", "ci_high"),
    "alliance_distribution": ("participants",),
    "wellbeing_transitions": ("participants",),
    "sensitivity_results": (
        *("n", "estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"),
        "note",
    ),
    "alliance_trajectory": ("participants", "alliance_mean", "top_share"),
    "service_monthly": ("numerator", "denominator", "value", "people_at_least"),
    "service_signals": ("value", "mean"),
    "provider_alliance": (
        *("rated_sessions", "participants", "alliance_mean", "shrunken_mean", "type_mean", "icc", "sd_within"),
        *("lower_95", "upper_95", "lower_998", "upper_998"),
    ),
}
"""Table and columns from which the attacker reasons."""

_WORDS = "words without a number; a row of few people has none"
_QUOTIENT = "a quotient of counts that are in the release"
_COEFFICIENT = "a coefficient again, with a deviation that no number of people is in"
_NEVER = "never in a release of real data"
_CHART = "computed from the values of the months as they are shown"
NOT_READ: Mapping[str, Mapping[str, str]] = {
    "inference_results": {"standardized_estimate": _COEFFICIENT, "note": _WORDS},
    "outcome_results": {
        "standardized_estimate": _COEFFICIENT,
        "y_standardized_estimate": "no line is drawn of a further instrument, whose errors it would scale",
        "note": _WORDS,
    },
    "model_fit": {"note": _WORDS},
    "outcome_fit": {"note": _WORDS},
    "sensitivity_results": {
        **dict.fromkeys(("standardized_estimate", "y_standardized_estimate"), _NEVER),
        **dict.fromkeys(("effect_size", "effect_size_low", "effect_size_high"), _NEVER),
    },
    "alliance_slopes": {
        "alliance_score": "where a line is drawn: the mean of the score, and two deviations",
        "predicted": _COEFFICIENT,
        **dict.fromkeys(("slope", "slope_ci_low", "slope_ci_high"), _COEFFICIENT),
        "note": _WORDS,
    },
    "alliance_distribution": {"percent": _QUOTIENT},
    "wellbeing_transitions": {"percent": _QUOTIENT},
    "alliance_trajectory": dict.fromkeys(
        ("ratings", "item_sum", "item_responses", "paired_ratings", "top_ratings"), _NEVER
    ),
    "service_signals": dict.fromkeys(
        ("lower_limit", "upper_limit", "outside_limits", "shift", "trend", "near_limit"), _CHART
    ),
    "provider_alliance": {"note": _WORDS},
    "source_summary": dict.fromkeys(
        ("first_event_on", "last_event_on", "last_loaded_at"), "a month, or when rows came"
    ),
    "verdicts": {
        "evaluated": _NEVER,
        "unexpected": "rows that break a rule: nothing adds up to them, and few are not shown",
        "passed": _WORDS,
    },
    "verdict_counts": dict.fromkeys(("rules", "passed", "warnings", "broken"), "numbers of rules"),
    "builds": dict.fromkeys(
        ("build_number", "build_id", "started_at", "published_at", "status", "files", "seconds", "is_shown"),
        "about builds, not people",
    ),
    "build_parameters": {"value": "a setting"},
    "history": {
        "participants": "rounded counts of an earlier release, which was attacked as this one",
        **dict.fromkeys(
            ("build_number", "build_id", "published_at", "is_compared", "note"), "about builds, not people"
        ),
    },
}
"""Table and columns from which it does not, and why they hold no number of people."""
MARKS = ("suppressed", "suppressed_columns")
LABELS: Mapping[str, tuple[str, ...]] = {
    "eligibility_flow": ("step", "criterion"),
    "exclusion_reasons": ("criterion", "reason"),
    "source_summary": ("table_name",),
    "table_1": ("variable", "level", "utilization_type", "statistic"),
    **dict.fromkeys(
        ("inference_results", "sensitivity_results"),
        ("analysis", "term", "method", "estimate_name", "statistic_name", "effect_size_name"),
    ),
    "outcome_results": (
        *("instrument", "analysis", "term", "method", "estimate_name", "statistic_name", "effect_size_name"),
    ),
    "model_fit": ("analysis", "step", "terms"),
    "outcome_fit": ("instrument", "analysis", "step", "terms"),
    "alliance_slopes": ("analysis", "level", "position"),
    "alliance_distribution": ("utilization_type", "score_from", "score_to"),
    "wellbeing_transitions": ("baseline_from", "baseline_to", "followup_from", "followup_to"),
    "alliance_trajectory": ("population", "provider_type", "session_number"),
    **dict.fromkeys(("service_monthly", "service_signals"), ("month", "provider_type", "measure")),
    "provider_alliance": ("provider_type", "provider_id"),
    "verdicts": ("layer", "table_name", "rule", "severity"),
    "verdict_counts": ("layer",),
    "build_parameters": ("parameter", "meaning"),
    "history": ("quantity",),
}
"""Table and columns that say what a row is about."""


def unread_columns(tables: Tables) -> list[str]:
    """Columns of a release that are neither read, nor declared to hold no number of people, nor labels."""
    return [
        f"{name}.{column}"
        for name, frame in tables.items()
        for column in frame.columns
        if column not in (*READ.get(name, ()), *NOT_READ.get(name, {}), *LABELS.get(name, ()), *MARKS)
    ]


# --- Numbers that agree with a statistic


def span(function: Callable[[int], bool], low: int, high: int) -> tuple[int, int] | None:
    """The smallest and the largest number from low to high that agrees."""
    agreeing = [n for n in range(low, high + 1) if function(n)]
    return (agreeing[0], agreeing[-1]) if agreeing else None


def agrees_t(t: float, p: float, parameters: int) -> Callable[[int], bool]:
    """Whether t with n − parameters degrees of freedom has this P."""
    dt, dp = half_unit(t), 0.0005

    def agrees(n: int) -> bool:
        if n <= parameters:
            return False
        ends = [2 * stats.t.sf(max(abs(t) + sign * dt, 0.0), n - parameters) for sign in (1, -1)]
        if p == 0.0:
            return min(ends) < 0.001
        return min(ends) <= p + dp and max(ends) >= p - dp

    return agrees


def agrees_f(f: float, p: float, df: int, parameters: int) -> Callable[[int], bool]:
    """Whether F on df and n − parameters has this P."""
    unit, dp = half_unit(f), 0.0005

    def agrees(n: int) -> bool:
        if n <= parameters:
            return False
        ends = [stats.f.sf(max(f + sign * unit, 0.0), df, n - parameters) for sign in (1, -1)]
        if p == 0.0:
            return min(ends) < 0.001
        return min(ends) <= p + dp and max(ends) >= p - dp

    return agrees


def agrees_interval(estimate: float, error: float, low: float, high: float, parameters: int) -> Callable[[int], bool]:
    """Whether the half width is t's quantile times the standard error."""
    de, dw = half_unit(error), half_unit(low) / 2 + half_unit(high) / 2

    def agrees(n: int) -> bool:
        if n <= parameters or error <= 0:
            return False
        quantile = stats.t.ppf(0.975, n - parameters)
        half = (high - low) / 2
        return (error - de) * quantile <= half + dw and (error + de) * quantile >= half - dw

    return agrees


def agrees_effect(t: float, d: float) -> Callable[[int], bool]:
    """Whether t = d · √n."""

    def agrees(n: int) -> bool:
        low, high = (max(abs(d) + sign * half_unit(d), 0.0) * math.sqrt(n) for sign in (-1, 1))
        return low <= abs(t) + half_unit(t) and high >= abs(t) - half_unit(t)

    return agrees


def agrees_rank(p: float, r: float) -> Callable[[int], bool]:
    """Whether r = Z/√N belongs to this P; the continuity correction takes a twentieth off Z of 20 people, less of more."""

    def agrees(n: int) -> bool:
        if p in (0.0, 1.0) or r <= 0:
            return True
        z_low, z_high = (stats.norm.isf(min(max(q, 1e-9), 1.0) / 2) for q in (p + 0.0005, p - 0.0005))
        low, high = (max(r + sign * half_unit(r), 0.0) * math.sqrt(n) for sign in (-1, 1))
        return low <= z_high + 3 / n and high >= z_low

    return agrees


def agrees_correlation(rho: float, t: float) -> Callable[[int], bool]:
    """Whether t = ρ √((n − 2)/(1 − ρ²))."""

    def agrees(n: int) -> bool:
        ends = [min(max(abs(rho) + sign * half_unit(rho), 0.0), 0.999999) for sign in (-1, 1)]
        low, high = (end * math.sqrt((n - 2) / (1 - end**2)) for end in ends)
        return low <= abs(t) + half_unit(t) and high >= abs(t) - half_unit(t)

    return agrees


def agrees_fisher(rho: float, low: float, high: float) -> Callable[[int], bool]:
    """Whether the limits of ρ are Fisher's, with Bonett and Wright's error."""

    def agrees(n: int) -> bool:
        if n <= 3 or abs(rho) > 0.99:
            return True
        margin = stats.norm.ppf(0.975) * math.sqrt((1 + rho * rho / 2) / (n - 3))
        return all(
            math.tanh(math.atanh(rho - half_unit(rho)) + sign * margin) - half_unit(limit) <= limit + 0.002
            and math.tanh(math.atanh(rho + half_unit(rho)) + sign * margin) + half_unit(limit) >= limit - 0.002
            for sign, limit in ((-1, low), (1, high))
        )

    return agrees


def agrees_eta(f: float, eta: float, df: int, groups: int) -> Callable[[int], bool]:
    """Whether η² = F df ÷ (F df + n − groups)."""

    def agrees(n: int) -> bool:
        if n <= groups:
            return False
        low, high = (
            max(f + sign * half_unit(f), 0.0) * df / (max(f + sign * half_unit(f), 0.0) * df + n - groups)
            for sign in (-1, 1)
        )
        return low <= eta + half_unit(eta) and high >= eta - half_unit(eta)

    return agrees


def agrees_rank_eta(h: float, eta: float, df: int) -> Callable[[int], bool]:
    """Whether η² = (H − df) ÷ (n − df − 1)."""

    def agrees(n: int) -> bool:
        if n <= df + 1:
            return False
        low, high = ((h + sign * half_unit(h) - df) / (n - df - 1) for sign in (-1, 1))
        return low <= eta + half_unit(eta) and high >= eta - half_unit(eta)

    return agrees


def agrees_percentile(
    value: float, half: float, percent: int, mean: float, sd: float, least: float, answers: Callable[[int], int] | None
) -> Callable[[int], bool]:
    """Whether n observations can have this percentile (R: type 7), given their mean and deviation.

    The two between which it lies are whole numbers, or without any more than ``answers`` answers to an item scores:
    sums over their number. How far apart they can be, mean and deviation bound: the j-th smallest of n is at most
    mean + σ √((j − 1)/(n − j + 1)), at least mean − σ √((n − j)/j).
    """

    def agrees(n: int) -> bool:
        place = percent * (n - 1) / 100
        below = math.floor(place + 1e-9)
        part = max(place - below, 0.0)
        mean_unit, sigma = half_unit(mean), (sd + half_unit(sd)) * math.sqrt((n - 1) / n)
        ends = []
        for j in (below + 1, min(below + 2, n)):
            high = mean + mean_unit + sigma * math.sqrt((j - 1) / (n - j + 1))
            low = mean - mean_unit - sigma * math.sqrt((n - j) / j)
            ends.append((max(low, least), high))
        lower, upper = (possible(*end, n) for end in ends)
        if part < 1e-9:
            return bool(len(lower)) and bool((np.abs(lower - value) <= half + 1e-9).any())
        # For each lower one the upper ones that make the percentile.
        lower = lower[lower <= value + half + 1e-9]
        first = np.searchsorted(upper, np.maximum(lower, (value - half - 1e-9 - lower) / part + lower) - 1e-9)
        last = np.searchsorted(upper, (value + half + 1e-9 - lower) / part + lower, side="right")
        return bool((last > first).any())

    def possible(low: float, high: float, n: int) -> np.ndarray:
        if answers is None:
            return np.arange(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1, dtype=float)
        scores = scores_of(answers(n))
        return scores[(scores >= low - 1e-9) & (scores <= high + 1e-9)]

    return agrees


@lru_cache
def scores_of(answers: int) -> np.ndarray:
    """All alliance scores of up to so many answers of 1 to 5."""
    return np.unique(np.concatenate([np.arange(k, 5 * k + 1) / k for k in range(1, min(answers, 60) + 1)]))


def agrees_moments(mean: float, sd: float | Sequence[float], step: int = 1) -> Callable[[int], bool]:
    """Whether n multiples of a step can have this mean and deviation, which may be given by its limits.

    Of whole numbers sum and sum of squares are both even or both odd.
    """
    limits = ends_of(sd) if isinstance(sd, float | int) else sd
    mean_low, mean_high = (end / step for end in (mean - half_unit(mean), mean + half_unit(mean)))

    def agrees(n: int) -> bool:
        for total in range(math.ceil(n * mean_low), math.floor(n * mean_high) + 1):
            ends = [(n - 1) * (end / step) ** 2 + total**2 / n for end in limits]
            first, last = math.ceil(ends[0] - 1e-6), math.floor(ends[1] + 1e-6)
            first += (first - total) % 2
            if first <= last:
                return True
        return False

    return agrees


def agrees_tukey(t: float, p: float, groups: int) -> Callable[[int], bool]:
    """Whether t of a contrast has this P of the studentized range."""

    def agrees(n: int) -> bool:
        if n <= groups:
            return False
        low, high = (
            float(stats.studentized_range.sf(max(abs(t) + sign * half_unit(t), 0.0) * math.sqrt(2), groups, n - groups))
            for sign in (1, -1)
        )
        return low < 0.0011 if p == 0 else low <= p + 0.0006 and high >= p - 0.0006

    return agrees


def agrees_noncentral_t(d: float, low: float, high: float) -> Callable[[int], bool]:
    """Whether the limits of a standardized mean change are those of noncentral t with δ = d √n."""

    def agrees(n: int) -> bool:
        root = math.sqrt(n)
        for limit, probability in ((low, 0.975), (high, 0.025)):
            ends = [
                float(stats.nct.cdf((d + a * half_unit(d)) * root, n - 1, (limit + b * half_unit(limit)) * root))
                for a, b in ((1, -1), (-1, 1))
            ]
            if np.isnan(ends).any():
                return True
            if not min(ends) - 1e-3 <= probability <= max(ends) + 1e-3:
                return False
        return True

    return agrees


def agrees_df(df: float, parameters: int) -> Callable[[int], bool]:
    """Whether n less the parameters are the degrees of freedom; at least 1 are given."""
    return lambda n: df == max(n - parameters, 1)


def agrees_model_p(r_squared: float, p: float, parameters: int) -> Callable[[int], bool]:
    """Whether the F of R² has this P."""
    rank = parameters - 1

    def agrees(n: int) -> bool:
        if n <= parameters:
            return False
        low, high = (min(max(end, 0.0), 1 - 1e-9) for end in ends_of(r_squared))
        least, most = (
            float(stats.f.sf(end / rank / ((1 - end) / (n - parameters)), rank, n - parameters)) for end in (high, low)
        )
        return least <= p + 0.0005 + (0.0005 if p == 0 else 0) and most >= p - 0.0005

    return agrees


def agrees_wilson(share: float, low: float, high: float, base: int) -> Callable[[int], bool]:
    """Whether Wilson's interval of a share of rounded counts has these limits."""
    from statsmodels.stats.proportion import proportion_confint

    def agrees(n: int) -> bool:
        whole = n if base == 1 or n == 0 else n // base * base + (base - 1) // 2
        if whole <= 0:
            return False
        for hits in {math.floor(share * whole), math.ceil(share * whole)}:
            ends = proportion_confint(min(hits, whole), whole, method="wilson")
            if max(abs(ends[0] - low), abs(ends[1] - high)) < 0.02:
                return True
        return False

    return agrees


def agrees_r_squared(r_squared: float, gain: float, f: float, df: int, parameters: int) -> Callable[[int], bool]:
    """Whether F = (ΔR²/df) ÷ ((1 − R²)/(n − parameters))."""

    def agrees(n: int) -> bool:
        if n <= parameters:
            return False
        ends = [
            (max(gain + a * half_unit(gain), 0.0) / df)
            / max((1 - r_squared + a * half_unit(r_squared)) / (n - parameters), 1e-9)
            for a in (-1, 1)
        ]
        ends += [
            (max(gain + a * half_unit(gain), 0.0) / df)
            / max((1 - r_squared - a * half_unit(r_squared)) / (n - parameters), 1e-9)
            for a in (-1, 1)
        ]
        return min(ends) <= f + half_unit(f) and max(ends) >= f - half_unit(f)

    return agrees


# --- The programme


@cache
def cells_of(k: int, where: frozenset[tuple[str, tuple[str, ...]]]) -> list[int]:
    """The cells of a block that fulfil conditions."""
    return [i for i, cell in enumerate(BLOCKS[k][0]) if all(cell[name] in levels for name, levels in where)]


@dataclass
class Attacker(Programme):
    """All that one release tells, as rows of an integer programme.

    The unknowns are the cells of the cohort's attributes as far as some table crosses them, the excluded by criterion,
    who rated the sessions of each number, and the main providers; ``further`` ones are those of other tables.
    """

    least: int
    of_rounded: bool = True
    """Whether the release says that its statistics are those of rounded numbers; else of exact ones."""
    further: tuple[object, ...] = ()
    tests: dict[bytes, tuple[np.ndarray, list[Test]]] = field(default_factory=dict)
    """By count: what a number of people has to agree with."""
    left: dict[bytes, list[int]] = field(default_factory=dict)
    """By count that is shown: the numbers that agree with every statistic."""
    by_counts: dict[bytes, list[int]] = field(default_factory=dict)
    """By count that is shown: the numbers that the rounded counts leave, of the whole and of its parts among them."""
    joint: list[tuple[list[np.ndarray], Callable[..., bool]]] = field(default_factory=list)
    """Several counts, and what their numbers together have to agree with."""
    of_months: list[tuple[int, int]] = field(default_factory=list)
    most: ClassVar[int] = MOST

    def __post_init__(self) -> None:
        """Lay out the unknowns, and let the blocks be about the same people."""
        self.starts = np.cumsum([0, *(len(cells) for cells, _ in BLOCKS)])
        self.cells = int(self.starts[-1])
        self.others = [*CRITERIA, *WAITING, KEPT_OUT, *product(SESSION_NUMBERS, PARTS), *PROVIDERS]
        self.others += [*(("later", kind) for kind in KINDS), "single answers", *self.further]
        self.size = self.cells + len(self.others)
        for k, (cells, shared) in enumerate(BLOCKS[1:], start=1):
            levels = {name: sorted({cell[name] for cell in cells}) for name in shared}
            for combination in product(*levels.values()):
                where = dict(zip(levels, combination, strict=True))
                self.add(self._in_block(0, where) - self._in_block(k, where), 0, 0)

    def _in_block(self, k: int, where: Where) -> np.ndarray:
        among = frozenset(
            (name, (levels,) if isinstance(levels, str) else tuple(levels)) for name, levels in where.items()
        )
        row = np.zeros(self.size)
        row[[self.starts[k] + i for i in cells_of(k, among)]] = 1.0
        return row

    def cohort(self, **where: str | Iterable[str]) -> np.ndarray:
        """The row of the count of the cohort under conditions."""
        for k, (cells, _) in enumerate(BLOCKS):
            known = dict(where)
            if "sex" in known and "sex" not in cells[0]:
                levels = {known["sex"]} if isinstance(known["sex"], str) else set(known["sex"])
                if levels not in ({"missing"}, set(SEXES)):
                    continue
                del known["sex"]
                known["reported"] = "no" if levels == {"missing"} else "yes"
            if known.keys() <= cells[0].keys():
                return self._in_block(k, known)
        raise KeyError(f"no block of the attacker crosses {', '.join(where)}")

    def other(self, *names: object) -> np.ndarray:
        """The row of the sum of unknowns that are not of the cohort's attributes."""
        row = np.zeros(self.size)
        for name in names:
            row[self.cells + self.others.index(name)] = 1.0
        return row

    def ratings(self, *kinds: str) -> np.ndarray:
        """The row of the cohort's rated sessions with kinds of providers: one a person of each number, then more."""
        numbers = (number for number in SESSION_NUMBERS if number != LAST)
        of_number = product(numbers, (part for part in PARTS if part[0] in kinds))
        return self.other(*of_number, *(("later", kind) for kind in kinds))

    def excluded(self, criterion: str) -> np.ndarray:
        """The row of those whom a criterion excluded."""
        return self.other(criterion)

    def count(self, row: np.ndarray, value: object) -> None:
        """Enter a released count: the middle of a class, or one that is not shown and so is no zero."""
        if value is None or pd.isna(value):
            self.add(row, 1, np.inf)
        elif float(value) == 0:  # type: ignore[arg-type]
            self.add(row, 0, 0)
        else:
            first = round(float(value)) - (self.base - 1) // 2  # type: ignore[arg-type]
            self.add(row, first, first + self.base - 1)

    def learn(self, row: np.ndarray, agrees: Callable[[int], bool], *, is_exact: bool = False) -> None:
        """Keep a statistic of the people of a row; ``is_exact``: it is that of the people as they are."""
        if is_exact or not self.of_rounded or self.base == 1:
            test = agrees
        else:
            known: dict[int, bool] = {}

            def test(n: int) -> bool:
                n = self._as_shown(n)
                return known[n] if n in known else known.setdefault(n, agrees(n))

        self.tests.setdefault(row.tobytes(), (row, []))[1].append(test)

    def solve(self) -> None:
        """Find the numbers that agree with all statistics of their people."""
        for key, (row, tests) in self.tests.items():
            low, high = self.relaxed(row)
            if high - low > 3000:
                continue
            candidates = self.by_counts[key] = list(range(low, high + 1))
            self.statistics += len(tests)
            for test in tests:
                agreeing = [n for n in range(low, high + 1) if test(n)]
                # A statistic that agrees with nothing was read wrongly: the attacker takes nothing from it.
                if not agreeing:
                    self.unread += 1
                    continue
                candidates = [n for n in candidates if n in agreeing]
            if not candidates:
                self.unread += 1
                candidates = self.by_counts[key]
            self.left[key] = candidates
            self.add(row, candidates[0], candidates[-1])
        self._solve_together()

    def learn_together(self, rows: list[np.ndarray], agrees: Callable[..., bool]) -> None:
        """Keep a statistic that depends on the numbers of several groups."""
        self.joint.append((rows, agrees))

    def _solve_together(self) -> None:
        for rows, agrees in self.joint:
            keys = [row.tobytes() for row in rows]
            for key, row in zip(keys, rows, strict=True):
                if key not in self.left:
                    low, high = self.relaxed(row)
                    if high - low > 3000:
                        break
                    self.left[key] = self.by_counts[key] = list(range(low, high + 1))
            else:
                self.statistics += 1
                known: dict[tuple[int, ...], bool] = {}
                choices = []
                for numbers in product(*(self.left[key] for key in keys)):
                    shown = tuple(self._as_shown(n) for n in numbers) if self.of_rounded else numbers
                    if known[shown] if shown in known else known.setdefault(shown, agrees(*shown)):
                        choices.append(numbers)
                if not choices:
                    self.unread += 1
                    continue
                for i, (key, row) in enumerate(zip(keys, rows, strict=True)):
                    self.left[key] = sorted({numbers[i] for numbers in choices})
                    self.add(row, self.left[key][0], self.left[key][-1])

    def _as_shown(self, n: int) -> int:
        return n if n == 0 else n // self.base * self.base + (self.base - 1) // 2

    def compare_with_parts(self, whole: np.ndarray, parts: list[np.ndarray], means: list[list[float]]) -> None:
        """Weigh the means of parts until they give that of the whole: with enough digits only their numbers do.

        ``means`` are of several variables: of each part, and of the whole at the end.
        """
        rows = [*parts, whole]
        keys = [row.tobytes() for row in rows]
        if any(key not in self.left for key in keys):
            return
        for left, weighed in ((self.by_counts, []), (self.left, means)):
            choices = product(*(left[key] for key in keys[:-1]))
            sizes = np.array([(*n, sum(n)) for n in choices if sum(n) in left[keys[-1]]])
            for of_each in weighed:
                if len(sizes) and not np.isnan(of_each).any():
                    signs = np.array([*(1.0 for _ in parts), -1.0])
                    slack = sizes @ np.array([half_unit(mean) for mean in of_each])
                    sizes = sizes[np.abs(sizes @ (signs * of_each)) <= slack + 1e-9]
            if len(sizes) == 0:
                self.unread += 1
                return
            for i, key in enumerate(keys):
                left[key] = sorted({int(n) for n in sizes[:, i]})
        for key, row in zip(keys, rows, strict=True):
            self.add(row, self.left[key][0], self.left[key][-1])

    def told(self) -> list[tuple[int, int]]:
        """Of each rounded count with statistics: how many numbers they leave, and how many rounded counts do."""
        found = [(len(left), len(self.by_counts[key])) for key, left in self.left.items()]
        return [one for one in (*found, *self.of_months) if one[1] > 1]

    def relaxed(self, row: np.ndarray) -> tuple[int, int]:
        """Bounds of a count by the rows on the same cells alone: quick, and never too narrow."""
        low, high = 0.0, float(MOST)
        for other, least, most in zip(self.rows, self.low, self.high, strict=True):
            if np.array_equal(other, row):
                low, high = max(low, least), min(high, most)
        return int(low), int(high)


def group_of(finding: Mapping[str, object], screen: str = "") -> Where | None:
    """Whom the n of a finding counts; None where no other figure counts them. ``screen``: prefix of an instrument."""
    analysis, term = str(finding["analysis"]), str(finding["term"])
    positive = {f"{screen}baseline": "positive"}
    if analysis == "alliance_reliability":
        return {"both_items": "yes"} if term == "participant_means" else None
    if analysis == "alliance_group_medians":
        if term in TYPES:
            return {"utilization_type": term}
        if term in ("female", "male"):
            return {"sex": term}
        if term.endswith("_usa"):
            return {"country": term}
        return {} if term == "total" else {"baseline": term.removeprefix("screened_")}
    if analysis == "alliance_by_sex":
        return {"sex": ("female", "male")}
    if analysis == "alliance_by_country":
        return {"country": ("within_usa", "outside_usa")}
    if analysis.endswith("_dunn"):
        return {"utilization_type": term.split(" - ")}
    if analysis.startswith("alliance_by") or analysis == "alliance_vs_age":
        return {}
    if analysis.endswith("_tukey"):
        return {"utilization_type": term.split(" - "), **positive}
    if analysis == "wellbeing_change_group_means":
        return {"utilization_type": term, **positive}
    if analysis in PARAMETERS:
        return {"sex": ("female", "male"), **positive}
    return positive


def read_release(
    tables: Tables,
    base: int,
    least: int,
    page: str = "",
    *,
    of_rounded: bool = True,
    missing: Sequence[Provider] = (),
) -> Attacker:
    """Enter everything that a release and its page tell; ``missing``: providers of whom it has no row."""
    by_provider = tables.get("provider_alliance")
    everyone = [] if by_provider is None else attacker_of_providers.providers_of(by_provider, missing)
    attacker = Attacker(base, least, of_rounded, attacker_of_providers.unknowns_of(everyone))
    _flow(attacker, tables)
    _table_1(attacker, tables["table_1"])
    _findings(attacker, tables["inference_results"])
    _fit(attacker, tables["model_fit"])
    _errors_of_groups(attacker, tables)
    _sensitivity(attacker, tables)
    _trajectory(attacker, tables["alliance_trajectory"])
    if by_provider is not None:
        attacker_of_providers.enter(attacker, by_provider, missing)
    if "outcome_results" in tables:
        for name, step in INSTRUMENTS.items():
            of = {
                table: tables[table][tables[table]["instrument"] == name]
                for table in ("outcome_results", "outcome_fit")
            }
            screen = "" if name == "who5" else f"{name}_"
            _findings(attacker, of["outcome_results"], screen, step)
            _fit(attacker, of["outcome_fit"], screen)
    _bars(attacker, tables)
    _transitions(attacker, tables["wellbeing_transitions"])
    for table, keys, column, value in read_page(page):
        _page_number(attacker, tables, table, keys, column, value)
    attacker.solve()
    _parts(attacker, tables)
    return attacker


def _flow(attacker: Attacker, tables: Tables) -> None:
    everyone = attacker.cohort() + sum((attacker.excluded(name) for name in CRITERIA), np.zeros(attacker.size))
    for row in tables["eligibility_flow"].to_dict("records"):
        step = int(row["step"])
        left = attacker.cohort() + sum((attacker.excluded(name) for name in CRITERIA[step:]), np.zeros(attacker.size))
        attacker.count(left, row["participants"])
        waiting = attacker.other(("waiting", row["criterion"]) if step else KEPT_OUT)
        if not pd.isna(row["quarantined"]):
            attacker.count(waiting, row["quarantined"])
        if step:
            attacker.count(attacker.excluded(row["criterion"]), row["excluded"])
            attacker.add(attacker.excluded(row["criterion"]) - waiting, 0, np.inf)
    for criterion, rows in tables["exclusion_reasons"].groupby("criterion"):
        first = [class_of(value, attacker.base, 1) for value in rows["participants"]]
        attacker.add(attacker.excluded(str(criterion)), sum(low for low, _ in first), sum(high for _, high in first))
    summary = tables["source_summary"].set_index("table_name")
    attacker.count(everyone, summary["used"]["participants"])
    if not pd.isna(summary["quarantined"]["participants"]):
        attacker.count(attacker.other(KEPT_OUT), summary["quarantined"]["participants"])
    known = summary.loc["participants", ["delivered", "erased", "superseded", "quarantined"]]
    if known.notna().all():
        ends = [class_of(value, attacker.base, 1) for value in known]
        attacker.add(everyone, ends[0][0] - sum(e[1] for e in ends[1:]), ends[0][1] - sum(e[0] for e in ends[1:]))
    for row in tables["verdicts"].to_dict("records"):
        if row["table_name"] in ("participants", "eligibility") and not pd.isna(row["evaluated"]):
            attacker.add(everyone, *class_of(row["evaluated"], attacker.base, 1))


def _table_1_row(attacker: Attacker, row: Mapping[str, object]) -> np.ndarray:
    column = {} if row["utilization_type"] == "total" else {"utilization_type": str(row["utilization_type"])}
    variable = row["variable"]
    if variable in ("sex", "country"):
        return attacker.cohort(**{str(variable): str(row["level"]), **column})
    if variable == "screened_positive":
        return attacker.cohort(baseline="positive", **column)
    return attacker.cohort(**column)


def _table_1(attacker: Attacker, table: pd.DataFrame) -> None:
    for row in table[table["statistic"] == "n"].to_dict("records"):
        attacker.count(_table_1_row(attacker, row), row["value"])
    value = table.assign(level=table["level"].fillna("")).set_index(["variable", "utilization_type", "statistic"])
    figures = value.loc[value["level"] == "", "value"].dropna().to_dict()
    for name in (*TYPES, "total"):
        row = _table_1_row(attacker, {"utilization_type": name, "variable": "participants"})
        sessions = [figures.get(("total_sessions", name, statistic)) for statistic in ("mean", "sd")]
        for variable, least in SMALLEST.items():
            of = {s: figures[variable, name, s] for s in STATISTICS if (variable, name, s) in figures}
            if "mean" not in of or "sd" not in of:
                continue
            if variable != "alliance_score":
                attacker.learn(row, agrees_mean(of["mean"]), is_exact=True)
                attacker.learn(row, agrees_moments(of["mean"], of["sd"]), is_exact=True)
            for statistic, percent in {"p5": 5, "median": 50, "p95": 95}.items():
                if statistic in of:
                    test = agrees_percentile(
                        of[statistic],
                        half_of(variable, statistic, of[statistic]),
                        percent,
                        of["mean"],
                        of["sd"],
                        least,
                        _answers(*sessions) if variable == "alliance_score" else None,
                    )
                    attacker.learn(row, test, is_exact=True)


SMALLEST: Mapping[str, float] = {
    **{"age_years": 18, "alliance_score": 1, "follow_up_days": 7, "total_sessions": 1, "time_in_care_days": 0}
}
"""Variables of Table 1 that have a mean, and what none of the cohort is below."""
STATISTICS = ("mean", "sd", "median", "p5", "p95")


def half_of(variable: str, statistic: str, value: float) -> float:
    """By how much a percentile may have been rounded: a reader knows the steps, and sees whether they are kept."""
    if decimals_of(value) == 0 or (variable == "alliance_score" and value * 2 % 1 == 0):
        coarse = {"alliance_score": 0.25}.get(variable, 0.5)
        return coarse if statistic != "median" or variable != "alliance_score" else half_unit(value)
    return half_unit(value)


def _answers(mean: float | None, sd: float | None) -> Callable[[int], int]:
    """Answers that one of n people can have given: two a session, and nobody has more sessions than n allow."""

    def most(n: int) -> int:
        if mean is None or sd is None:
            return MOST
        return 2 * math.floor(mean + half_unit(mean) + (sd + half_unit(sd)) * (n - 1) / math.sqrt(n))

    return most


def _parts(attacker: Attacker, tables: Tables) -> None:
    """The whole is its utilization types: their means, weighted by their numbers."""
    table_1 = tables["table_1"]
    means = table_1[table_1["statistic"] == "mean"].set_index(["variable", "utilization_type"])["value"]
    columns = (*TYPES, "total")
    attacker.compare_with_parts(
        attacker.cohort(),
        [attacker.cohort(utilization_type=name) for name in TYPES],
        [[means.get((variable, name), np.nan) for name in columns] for variable in SMALLEST],
    )
    findings = tables["inference_results"].set_index(["analysis", "term"])["estimate"]
    attacker.compare_with_parts(
        attacker.cohort(baseline="positive"),
        [attacker.cohort(baseline="positive", utilization_type=name) for name in TYPES],
        [
            [
                *(findings.get(("wellbeing_change_group_means", name), np.nan) for name in TYPES),
                findings["wellbeing_change", "followup - baseline"],
            ]
        ],
    )


def _hits(attacker: Attacker, hits: np.ndarray, record: Mapping[str, Any]) -> None:
    """Enter that a share of people is a quotient of rounded counts."""
    of_shown = record["estimate"] * record["n"]
    wide = (attacker.base - 1) / 2 + half_unit(record["estimate"]) * record["n"] + 1e-6
    attacker.add(hits, max(0.0, of_shown - wide), of_shown + wide)


def _findings(attacker: Attacker, table: pd.DataFrame, screen: str = "", step: int = WHO5_STEP) -> None:
    """Tests, contrasts and coefficients; ``screen`` and ``step``: prefix of an instrument, and what its scores are of."""
    of_positive = attacker.cohort(**{f"{screen}baseline": "positive"})
    aliased = set(table.loc[table["estimate"].isna(), "analysis"]) & PARAMETERS.keys()
    records = table.to_dict("records")
    for record in records:
        where = group_of(record, screen)
        if where is None:
            attacker.add(
                attacker.ratings(*KINDS) - attacker.other("single answers"), *class_of(record["n"], attacker.base, 1)
            )
            continue
        row = attacker.cohort(**where)
        if not pd.isna(record["n"]):  # a row goes as a whole, so an n that is not shown may be 0
            attacker.count(row, record["n"])
        known = {name for name in table.columns if not pd.isna(record[name])}
        analysis = str(record["analysis"])
        parameters = PARAMETERS.get(analysis, 1 if analysis.startswith("wellbeing_change") else 2)
        of_all = row
        if analysis.endswith("_tukey") or analysis == "wellbeing_change_by_utilization":
            of_all, parameters = of_positive, 3
        p = "p_value" if "p_value" in known else "p_adjusted"
        figure = dict(record)
        if record["statistic_name"] == "t" and {"statistic", "p_value"} <= known:
            attacker.learn(of_all, agrees_t(figure["statistic"], figure["p_value"], parameters))
        if record["statistic_name"] == "F" and {"statistic", "df", p} <= known:
            attacker.learn(of_all, agrees_f(figure["statistic"], figure[p], int(figure["df"]), parameters))
            if "effect_size" in known:
                test = agrees_eta(figure["statistic"], figure["effect_size"], int(figure["df"]), parameters)
                attacker.learn(of_all, test)
        if analysis == "alliance_by_utilization" and {"statistic", "effect_size"} <= known:
            attacker.learn(row, agrees_rank_eta(figure["statistic"], figure["effect_size"], int(figure["df"])))
        if analysis == "alliance_vs_age" and {"statistic", "estimate"} <= known:
            attacker.learn(row, agrees_correlation(figure["estimate"], figure["statistic"]))
            if "effect_size_low" in known:
                test = agrees_fisher(figure["estimate"], figure["effect_size_low"], figure["effect_size_high"])
                attacker.learn(row, test)
        if record["statistic_name"] == "W" and {"p_value", "effect_size"} <= known:
            attacker.learn(row, agrees_rank(figure["p_value"], figure["effect_size"]))
        if record["statistic_name"] == "t" and "df" in known:
            attacker.learn(of_all, agrees_df(figure["df"], parameters))
        if analysis.endswith("_tukey") and {"statistic", "p_adjusted", "df_residual"} <= known:
            attacker.learn(of_all, agrees_tukey(figure["statistic"], figure["p_adjusted"], parameters))
        if record["term"] == "d_z" and {"effect_size", "effect_size_low"} <= known:
            limits = (figure["effect_size_low"], figure["effect_size_high"])
            attacker.learn(row, agrees_noncentral_t(figure["effect_size"], *limits))
        if "df_residual" in known and analysis not in aliased:
            attacker.learn(of_all, agrees_df(figure["df_residual"], parameters))
        is_mean = analysis == "wellbeing_change_group_means" or record["term"] == "followup - baseline"
        if is_mean and "estimate" in known:
            attacker.learn(row, agrees_mean(figure["estimate"], step), is_exact=True)
            if {"std_error", "n"} <= known:
                # The deviation is that of the people as they are, the error that of their rounded number.
                ends = [end * math.sqrt(figure["n"]) for end in ends_of(figure["std_error"])]
                attacker.learn(row, agrees_moments(figure["estimate"], ends, step), is_exact=True)
        if {"std_error", "ci_low", "ci_high"} <= known and not analysis.endswith("_tukey"):
            limits = (figure["ci_low"], figure["ci_high"])
            attacker.learn(row, agrees_interval(figure["estimate"], figure["std_error"], *limits, parameters))
        if analysis in ("clinical_recovery", "clinical_improvement") and {"estimate", "ci_low"} <= known:
            attacker.learn(
                row,
                agrees_wilson(figure["estimate"], figure["ci_low"], figure["ci_high"], attacker.base),
                is_exact=True,
            )
            level = ("followup", "negative") if analysis == "clinical_recovery" else ("improved", "yes")
            where = {f"{screen}baseline": "positive", f"{screen}{level[0]}": level[1]}
            _hits(attacker, attacker.cohort(**where), record)
    t = {r["term"]: r for r in records if r["analysis"] == "wellbeing_change"}
    if not pd.isna(t["followup - baseline"]["statistic"]) and not pd.isna(t["d_z"]["effect_size"]):
        attacker.learn(
            of_positive,
            agrees_effect(t["followup - baseline"]["statistic"], t["d_z"]["effect_size"]),
        )


def _fit(attacker: Attacker, table: pd.DataFrame, screen: str = "") -> None:
    row = attacker.cohort(**{f"{screen}baseline": "positive"}, sex=SEXES)
    for record in table.to_dict("records"):
        if pd.isna(record["n"]):
            continue
        attacker.count(row, record["n"])
        if pd.isna(record["f_change"]) or not record["f_change"]:
            continue
        parameters = len(str(record["terms"]).split(" + ")) + 1
        attacker.learn(row, agrees_df(record["df_residual"], parameters))
        if not pd.isna(record["model_p_value"]):
            test = agrees_model_p(record["r_squared"], record["model_p_value"], parameters)
            attacker.learn(row, test)
        df = int(record["df"])
        attacker.learn(row, agrees_f(record["f_change"], record["p_value"], df, parameters))
        attacker.learn(
            row, agrees_r_squared(record["r_squared"], record["delta_r_squared"], record["f_change"], df, parameters)
        )


def _errors_of_groups(attacker: Attacker, tables: Tables) -> None:
    """Solve errors for the groups that a model tells apart.

    The variance of a coefficient of 0 and 1 is σ²/(m(1 − m/n)) or more for m ones; that of a line of a group of m is
    σ²/m or more, wherever it is drawn. σ² is (n − 1) · sd² · (1 − R²) ÷ df, and sd the quotient of two b.
    """
    findings, fit = tables["inference_results"], tables["model_fit"]
    own = findings[findings["analysis"].isin(PARAMETERS) & (findings["term"] != "(Intercept)")]
    ends = [
        (abs(b) - half_unit(b)) / (abs(y) + half_unit(y))
        for b, y in zip(own["estimate"], own["y_standardized_estimate"], strict=True)
        if not pd.isna(b) and not pd.isna(y) and y != 0
    ]
    if not ends or fit["n"].isna().all():
        return
    sd, n = max(ends), float(fit["n"].max())
    r_squared = fit.groupby("analysis")["r_squared"].max()

    def least(analysis: str, error: float, df: float) -> float:
        """One over the diagonal of (X'X)⁻¹, at least, times the exact σ² of the least n of the class."""
        top = r_squared.get(analysis, np.nan)
        squares = (n - attacker.base // 2 - 1) * sd**2 * max(1 - top - half_unit(top), 0.0)
        return squares / df / (error + half_unit(error)) ** 2

    sample: Where = {"baseline": "positive", "reported": "yes"}
    for record in own[own["term"] == "male"].to_dict("records"):
        if not pd.isna(record["std_error"]) and not pd.isna(record["df_residual"]):
            ones = fewest(least(record["analysis"], record["std_error"], record["df_residual"]), n + attacker.base)
            for sex in SEXES:
                attacker.add(attacker.cohort(baseline="positive", sex=sex), ones, np.inf)
    lines = tables["alliance_slopes"]
    for shown in lines["n"].dropna().unique():
        attacker.count(attacker.cohort(**sample), shown)
    for kind, rows in lines[lines["level"].isin(TYPES) & lines["ci_low"].notna()].groupby("level"):
        [analysis] = rows["analysis"].unique()
        df = n - PARAMETERS[str(analysis)]
        if df < 1:
            continue
        widths = [
            (high - low, half_unit(low) + half_unit(high))
            for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
        ]
        width = min(wide + 2 * unit for wide, unit in widths)
        people = least(str(analysis), width / 2 / float(stats.t.ppf(0.975, df)), df)
        attacker.add(attacker.cohort(**sample, utilization_type=str(kind)), math.ceil(people - 1e-6), np.inf)


def fewest(harmonic: float, n: float) -> int:
    """The fewest ones among n zeros and ones with m(1 − m/n) of so much."""
    inside = 1 - 4 * harmonic / n
    return math.ceil(n * (1 - math.sqrt(inside)) / 2 - 1e-6) if 0 <= inside <= 1 else 0


# --- Ratings by the number of the session


def _trajectory(attacker: Attacker, table: pd.DataFrame) -> None:
    """Who rated the sessions of a number, of both types together and apart, with four rated sessions and without.

    Whoever rates a therapist has seen one. A number has one session of a person, from 13 on several; so the answers of
    p people are one or two each, and the pairs of answers p at most.
    """
    rows = {(r["population"], r["provider_type"], str(r["session_number"])): r for r in table.to_dict("records")}
    for population, kind, number in product(("everyone", "four_rated_sessions"), OF_TYPE, SESSION_NUMBERS):
        kinds = [name for name in OF_TYPE if kind in (name, "all") and name != "all"]
        groups = ("four", "others") if population == "everyone" else ("four",)
        people = attacker.other(*((number, part) for part in product(kinds, groups)))
        record = rows.get((population, kind, number))
        if record is None:
            attacker.add(people, 0, 0)
            if number == LAST and population == "everyone":
                attacker.add(attacker.other(*(("later", one) for one in kinds)), 0, 0)
            continue
        shown = record["participants"]
        if number == LAST and population == "everyone" and kind != "all":
            attacker.add(attacker.other(("later", kind)) - people, 0, np.inf)
        if kind == "all" and number == LAST:  # who rated both types is once in it
            if not pd.isna(shown):
                attacker.add(people, class_of(shown, attacker.base, 1)[0], np.inf)
            continue
        attacker.count(people, shown)
        attacker.add(attacker.cohort(utilization_type=OF_TYPE[kind]) - people, 0, np.inf)
        mean, top = record["alliance_mean"], record["top_share"]
        if number != LAST and not pd.isna(mean) and not pd.isna(shown):
            attacker.learn(people, agrees_answers(mean, None if pd.isna(top) else top), is_exact=True)


def agrees_answers(mean: float, top: float | None) -> Callable[[int], bool]:
    """Whether n ratings, some with a single answer, can have this mean and this share of pairs that are both 5."""

    def agrees(n: int) -> bool:
        return any(
            agrees_mean(mean)(n + pairs) and (top is None or (pairs > 0 and agrees_mean(top)(pairs)))
            for pairs in range(n, -1, -1)
        )

    return agrees


# --- What the findings owe to choices


SANDWICHES = {"alliance_hc3": 6, "alliance_rater_weighted": 6, "alliance_clustered": 0, "alliance_within_between": 0}
"""Parameters of the analyses with a sandwich estimator; 0: t has the degrees of freedom of the main providers."""
OTHER_MODELS = {"alliance_first_sessions": 6, "alliance_sex_missing_level": 7, "alliance_without_sex": 5}


def whom_it_counts(finding: Mapping[str, object]) -> Where:
    """Whom the n of a sensitivity analysis counts."""
    analysis, term = str(finding["analysis"]), str(finding["term"])
    positive: Where = {"baseline": "positive"}
    if analysis in SANDWICHES or analysis == "alliance_first_sessions":
        return {**positive, "sex": SEXES}
    if analysis == "definition_grid":
        chosen = dict(part.split("=") for part in term.split(","))
        baselines = ("to_28", "to_50")[: 1 + (chosen["cutoff"] == "50")]
        days = {"7": ("from_7", "from_14", "from_28"), "14": ("from_14", "from_28"), "28": ("from_28",)}
        return {"reported": "yes", "grid_baseline": baselines, "grid_days": days[chosen["min_days"]]}
    if analysis == "wellbeing_equivalence":
        return {**positive, "utilization_type": term.split(" - ")}
    if analysis == "alliance_provider_icc" or (analysis, term) == ("reliable_change", "threshold"):
        return {}
    if analysis.startswith("alliance_superiority_by_"):
        return group_of({"analysis": analysis.replace("superiority_by", "by"), "term": term}) or {}
    if analysis == "aim_1_multiplicity":
        return group_of({"analysis": term, "term": ""}) or {}
    return positive


RELIABLE: Mapping[str, Where] = {
    "reliable_improvement": {"reliable": "improved"},
    "reliable_recovery": {"reliable": "improved", "followup": "negative"},
    "reliable_deterioration": {"reliable": "deteriorated"},
    "deterioration": {"deteriorated": "yes"},
}


def _sensitivity(attacker: Attacker, tables: Tables) -> None:
    records = tables["sensitivity_results"].to_dict("records")
    findings = tables["inference_results"].set_index(["analysis", "term"])
    by_estimate = tables["sensitivity_results"].groupby("analysis")["estimate"]
    aliased = {str(name) for name, estimates in by_estimate if estimates.isna().any()}
    for record in records:
        analysis, term = str(record["analysis"]), str(record["term"])
        known = {str(name) for name, value in record.items() if not pd.isna(value)}
        row = attacker.cohort(**whom_it_counts(record))
        if "n" in known:
            attacker.count(row, record["n"])
        if str(record["note"]).startswith("a row has a leverage of"):
            # Without that person the model has a term less: of the two sexes one has a single member.
            attacker.add(attacker.cohort(baseline="positive", sex=_rarer_sex(tables)), 1, 1)
        if {"estimate", "std_error", "statistic"} <= known:
            _with_error(attacker, record, row, findings, is_aliased=analysis in aliased)
        if analysis == "alliance_provider_icc" and "statistic" in known:
            providers = attacker.other("cohort")
            attacker.learn(providers, agrees_df(record["df"], 1))
            attacker.learn_together([row, providers], agrees_icc(record))
        if analysis == "reliable_change" and term in RELIABLE and {"estimate", "ci_low"} <= known:
            test = agrees_wilson(record["estimate"], record["ci_low"], record["ci_high"], attacker.base)
            attacker.learn(row, test, is_exact=True)
            _hits(attacker, attacker.cohort(baseline="positive", **RELIABLE[term]), record)
        if analysis == "wellbeing_regression_to_mean" and term == "observed" and "estimate" in known:
            attacker.learn(row, agrees_mean(record["estimate"], WHO5_STEP), is_exact=True)
        if analysis == "wellbeing_change_welch" and "statistic" in known:
            parts = [attacker.cohort(baseline="positive", utilization_type=name) for name in TYPES]
            of_groups = [findings.loc[("wellbeing_change_group_means", name)] for name in TYPES]
            attacker.learn_together(parts, agrees_welch(record, of_groups))
    _thresholds(attacker, records)
    _adjusted(attacker, [r for r in records if r["analysis"] == "aim_1_multiplicity"])


def _with_error(
    attacker: Attacker, record: Mapping[str, Any], row: np.ndarray, findings: pd.DataFrame, *, is_aliased: bool
) -> None:
    """An estimate with its error: t of n, of the main providers, or of what Satterthwaite's formula says."""
    analysis = str(record["analysis"])
    t, p, df = record["statistic"], record["p_value"], record["df_residual"]
    limits = (record["estimate"], record["std_error"], record["ci_low"], record["ci_high"])
    if analysis in SANDWICHES and not SANDWICHES[analysis]:
        providers = attacker.other("sample")
        attacker.learn(providers, agrees_df(df, 1))
        attacker.learn(providers, agrees_t(t, p, 1))
        attacker.learn(providers, agrees_interval(*limits, 1))
    elif analysis in SANDWICHES or analysis in OTHER_MODELS or analysis == "definition_grid":
        parameters = SANDWICHES.get(analysis) or OTHER_MODELS.get(analysis, 6)
        attacker.learn(row, agrees_t(t, p, parameters))
        attacker.learn(row, agrees_interval(*limits, parameters))
        if not is_aliased or analysis == "definition_grid":
            attacker.learn(row, agrees_df(df, parameters))
    elif analysis.startswith("alliance_superiority_by_"):
        parts = _two_groups(attacker, analysis, str(record["term"]))
        attacker.learn_together(parts, agrees_satterthwaite(df))
        w = findings.loc[(analysis.replace("superiority_by", "by"), record["term"]), "statistic"]
        if not pd.isna(w):
            attacker.learn_together(parts, agrees_rank_sum(record["estimate"], w))
    else:
        parts = _two_groups(attacker, analysis, str(record["term"]))
        errors = [
            findings.loc[("wellbeing_change_group_means", name), "std_error"]
            for name in str(record["term"]).split(" - ")
        ]
        if not pd.isna(errors).any():
            attacker.learn_together(parts, agrees_difference(record["std_error"], df, errors))


def _two_groups(attacker: Attacker, analysis: str, term: str) -> list[np.ndarray]:
    levels = term.split(" - ")
    if analysis == "wellbeing_equivalence":
        return [attacker.cohort(baseline="positive", utilization_type=level) for level in levels]
    name = TESTED[analysis.replace("superiority_by", "by")]
    return [attacker.cohort(**{name: level}) for level in levels]


def agrees_icc(record: Mapping[str, Any]) -> Callable[[int, int], bool]:
    """Whether so many people can have so many providers.

    F and ICC give n₀ = (N − Σn²/N)/(G − 1), and Σn² is N²/G at least; G is at most N.
    """
    f, icc = record["statistic"], record["estimate"]

    def agrees(n: int, providers: int) -> bool:
        if record["df_residual"] != max(n - providers, 1):
            return False
        if abs(icc) <= half_unit(icc) or providers < 2:
            return True
        least = min(
            (f - 1 + a * half_unit(f)) * (1 - end) / end
            for a in (-1, 1)
            for end in (icc - half_unit(icc), icc + half_unit(icc))
        )
        return least <= n / providers + 1e-9

    return agrees


def agrees_satterthwaite(df: float) -> Callable[[int, int], bool]:
    """Whether two groups can have these degrees of freedom: those of the smaller one at least, of both at most."""
    return lambda n, m: min(n, m) - 1 <= df + half_unit(df) and df - half_unit(df) <= n + m - 2


def agrees_rank_sum(share: float, w: float) -> Callable[[int, int], bool]:
    """Whether the first group's W is the share of the pairs that it wins; W is given to three digits."""
    unit = 0.5 * 10.0 ** (math.floor(math.log10(w)) - 2) if w > 0 else 0.0

    def agrees(n: int, m: int) -> bool:
        return abs(share * n * m - w) <= unit + half_unit(share) * n * m + 1e-6

    return agrees


def agrees_difference(error: float, df: float, errors: Sequence[float]) -> Callable[[int, int], bool]:
    """Whether the error of a difference is made of those of two means, and its degrees of freedom are Welch's."""
    ends = [ends_of(one) for one in errors]

    def agrees(n: int, m: int) -> bool:
        low, high = (math.hypot(ends[0][k], ends[1][k]) for k in (0, 1))
        if not (low <= error + half_unit(error) and high >= error - half_unit(error)):
            return False
        found = [
            (a**2 + b**2) ** 2 / (a**4 / (n - 1) + b**4 / (m - 1)) for a, b in product(*ends) if a + b > 0 and n * m > 1
        ]
        return not found or min(found) - half_unit(df) <= df <= max(found) + half_unit(df)

    return agrees


def agrees_welch(record: Mapping[str, Any], groups: Sequence[Any]) -> Callable[..., bool]:
    """Whether Welch's F and degrees of freedom are those of the groups' means and errors."""
    f, df = record["statistic"], record["df_residual"]

    def agrees(*sizes: int) -> bool:
        found = []
        for signs in product((-1, 0, 1), repeat=2 * len(groups)):
            means = [g["estimate"] + s * half_unit(g["estimate"]) for g, s in zip(groups, signs, strict=False)]
            errors = [
                g["std_error"] + s * half_unit(g["std_error"])
                for g, s in zip(groups, signs[len(groups) :], strict=True)
            ]
            if min(errors) <= 0:
                return True
            found.append(welch(sizes, means, errors))
        return all(
            min(each) - half_unit(value) <= value <= max(each) + half_unit(value)
            for each, value in zip(zip(*found, strict=True), (f, df), strict=True)
        )

    return agrees


def welch(sizes: Sequence[int], means: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Welch's F and its residual degrees of freedom (Biometrika 38, 1951, 330)."""
    weights = [1 / error**2 for error in errors]
    k, whole = len(sizes), sum(weights)
    centre = sum(w * m for w, m in zip(weights, means, strict=True)) / whole
    spread = sum((1 - w / whole) ** 2 / (n - 1) for w, n in zip(weights, sizes, strict=True))
    between = sum(w * (m - centre) ** 2 for w, m in zip(weights, means, strict=True)) / (k - 1)
    return between / (1 + 2 * (k - 2) / (k * k - 1) * spread), (k * k - 1) / (3 * spread)


def _rarer_sex(tables: Tables) -> str:
    table = tables["table_1"].query("variable == 'sex' and utilization_type == 'total' and statistic == 'n'")
    known = table.set_index("level")["value"].reindex(SEXES).fillna(0)
    return str(known.idxmin())


def _thresholds(attacker: Attacker, records: Sequence[Mapping[Any, Any]]) -> None:
    """Of two thresholds the higher one is reached by fewer: nobody is above it alone."""
    [threshold] = [r["estimate"] for r in records if (r["analysis"], r["term"]) == ("reliable_change", "threshold")]
    if pd.isna(threshold) or abs(threshold - IMPROVEMENT) <= half_unit(threshold):
        return
    if threshold > IMPROVEMENT:
        nobody: list[Where] = [
            {"reliable": "improved", "improved": "no"},
            {"reliable": "deteriorated", "deteriorated": "no"},
        ]
    else:
        nobody = [{"reliable": "no", "improved": "yes"}, {"reliable": "no", "deteriorated": "yes"}]
    for where in nobody:
        attacker.add(attacker.cohort(baseline="positive", **where), 0, 0)


def _adjusted(attacker: Attacker, records: Sequence[Mapping[Any, Any]]) -> None:
    """Holm's factors tell where a P that is not shown lies, and so how large at least the smaller group is."""
    shown = [r for r in records if not pd.isna(r["p_value"])]
    hidden = [r for r in records if pd.isna(r["p_value"])]
    if not hidden:
        expected = holm_of([r["p_value"] for r in shown])
        fits = all(abs(e - r["p_adjusted"]) <= 0.0006 * len(shown) for e, r in zip(expected, shown, strict=True))
        attacker.unread += not fits
        return
    if len(hidden) != 1 or not shown or hidden[0]["term"] not in TESTED:
        return
    values = sorted({0.0, 1.0, *(r["p_value"] for r in shown)})
    highest = []
    for low, high in pairwise(values):
        expected = holm_of([*(r["p_value"] for r in shown), (low + high) / 2])
        slack = 0.0006 * len(records)
        if all(abs(e - r["p_adjusted"]) <= slack for e, r in zip(expected, shown, strict=False)):
            highest.append(high)
    attribute = TESTED[str(hidden[0]["term"])]
    for level in LEVELS[attribute][:2]:
        if highest:
            attacker.add(attacker.cohort(**{attribute: level}), least_group(max(highest) + 0.0005), np.inf)


TESTED = {"alliance_by_sex": "sex", "alliance_by_country": "country", "alliance_by_depression_screen": "baseline"}


def holm_of(p: Sequence[float]) -> list[float]:
    """Holm's adjusted P."""
    order = np.argsort(p, kind="stable")
    found, highest = [0.0] * len(p), 0.0
    for i, k in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - i) * p[k]))
        found[k] = highest
    return found


def least_group(p: float) -> int:
    """The fewest members of a group whose ranks can have so small a P.

    Z² is 3m at most, when all others are below them and many; a tenth in n beside the rounded one adds a fifth.
    """
    return next(n for n in range(1, 100) if 2 * stats.norm.sf(math.sqrt(3.6 * n)) <= p)


def _bars(attacker: Attacker, tables: Tables) -> None:
    """Bars of a type add up to it."""
    for name, rows in tables["alliance_distribution"].groupby("utilization_type"):
        if rows["participants"].notna().all():
            ends = [class_of(value, attacker.base, 1) for value in rows["participants"]]
            attacker.add(attacker.cohort(utilization_type=str(name)), sum(e[0] for e in ends), sum(e[1] for e in ends))


def _transitions(attacker: Attacker, table: pd.DataFrame) -> None:
    """Those who screened positive are the lowest band, before and after."""
    for conditions in product(("positive", "negative"), repeat=2):
        rows = table
        for when, level in zip(("baseline", "followup"), conditions, strict=True):
            rows = rows[(rows[f"{when}_from"] == 0) == (level == "positive")]
        ends = [class_of(value, attacker.base, 1) for value in rows["participants"]]
        row = attacker.cohort(baseline=conditions[0], followup=conditions[1])
        attacker.add(row, sum(e[0] for e in ends), sum(e[1] for e in ends))


def _page_number(
    attacker: Attacker, tables: Tables, table: str, keys: Mapping[str, str], column: str, value: float
) -> None:
    """Enter a number of the page: what the files withhold it might show."""
    if table == "table_1" and keys["statistic"] == "n":
        attacker.count(_table_1_row(attacker, keys), value)
    elif table == "inference_results" and column == "n":
        where = group_of(keys)
        if where is not None:
            attacker.count(attacker.cohort(**where), value)
    elif table == "provider_alliance" and column in ("participants", "rated_sessions"):
        what = "people" if column == "participants" else "sessions"
        attacker.count(attacker.other((what, keys["provider_type"], keys["provider_id"])), value)
    elif table == "eligibility_flow" and column == "excluded":
        attacker.count(attacker.excluded(CRITERIA[int(keys["step"]) - 1]), value)
    elif table == "model_fit" and column == "n":
        attacker.count(attacker.cohort(baseline="positive", sex=("female", "male")), value)
    elif table == "verdicts" and column == "evaluated":
        everyone = attacker.cohort() + sum((attacker.excluded(name) for name in CRITERIA), np.zeros(attacker.size))
        if keys["table_name"] == "participants":
            attacker.add(everyone, value, value)


# --- Small counts


LEVELS = {"sex": (*SEXES, "missing"), "country": ("within_usa", "outside_usa", "missing"), "baseline": SCREENS}


def _grid() -> list[Where]:
    """Whom one cell of the grid of definitions has beside another."""
    days = (("from_7",), ("from_14",), ("from_28",), ("from_14", "from_28"), ("from_7", "from_14"))
    return [
        {"reported": "yes", "grid_baseline": baseline, "grid_days": among}
        for baseline, among in product(("to_28", "to_50"), days)
    ]


def of_instrument(name: str) -> list[Where]:
    """Every group that the tables of a further instrument count."""
    positive = {f"{name}_baseline": "positive"}
    return [
        positive,
        *({**positive, "utilization_type": kind} for kind in TYPES),
        *({**positive, "reported": level} for level in ("yes", "no")),
        *({**positive, f"{name}_followup": level} for level in SCREENS),
        *({**positive, f"{name}_improved": level} for level in ("yes", "no")),
        {f"{name}_baseline": ("negative", "missing")},
    ]


def conditions() -> list[Where]:
    """Every group that the tables count, or that is the rest of such groups."""
    by_type: list[dict[str, str]] = [{}, *({"utilization_type": name} for name in TYPES)]
    return [
        *(
            {**column, attribute: level}
            for column in by_type
            for attribute in ("sex", "country", "baseline")
            for level in LEVELS[attribute]
        ),
        *by_type,
        *({"baseline": "positive", "sex": level} for level in LEVELS["sex"]),
        {"baseline": "positive", "sex": SEXES},
        *({"baseline": "positive", "sex": "missing", "utilization_type": name} for name in TYPES),
        {"both_items": "no"},
        *_grid(),
        *({"baseline": "positive", "reliable": level} for level in ("improved", "no", "deteriorated")),
        *({"baseline": "positive", "reliable": "improved", "followup": level} for level in ("positive", "negative")),
        *({"baseline": "positive", "reliable": level, "improved": "yes"} for level in ("improved", "no")),
        *({"baseline": "positive", "reliable": "improved", "improved": level} for level in ("yes", "no")),
        *({"baseline": "positive", "deteriorated": level} for level in ("yes", "no")),
        *({"baseline": "positive", "reliable": level, "deteriorated": "yes"} for level in ("no", "deteriorated")),
        {"baseline": "positive", "reliable": "deteriorated", "deteriorated": "no"},
        {"baseline": "positive", "improved": "no", "deteriorated": "no"},
        {"country": ("within_usa", "outside_usa")},
        *({"baseline": before, "followup": after} for before, after in product(("positive", "negative"), repeat=2)),
        *({"baseline": "positive", "improved": level} for level in ("yes", "no")),
    ]


def truth_of(people: pd.DataFrame, where: Where) -> int:
    """How many people fulfil conditions."""
    inside = np.ones(len(people), dtype=bool)
    for attribute, levels in where.items():
        inside &= people[attribute].isin([levels] if isinstance(levels, str) else list(levels)).to_numpy()
    return int(inside.sum())


@dataclass(frozen=True)
class Narrowed:
    """A small count, and what the attacker knows of it."""

    name: str
    truth: int
    low: int
    high: int
    without_bars: tuple[int, int] | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether fewer than ``MIN_CELL`` numbers are left."""
        return self.high - self.low + 1 < MIN_CELL

    @property
    def is_broken(self) -> bool:
        """Whether that is the release's doing: a bound that mean and deviation set for any distribution is theirs."""
        return self.is_narrow and (self.low, self.high) != self.without_bars

    @property
    def is_false(self) -> bool:
        """Whether the truth is not among them: then the attacker reasons wrongly."""
        return not self.low <= self.truth <= self.high


def attack_waiting(flow: pd.DataFrame, attacker: Attacker) -> list[Narrowed]:
    """What the attacker knows of those with a row in quarantine, and of the others whom the same criterion excluded."""
    found = []
    for record in flow.to_dict("records"):
        step, criterion, waiting = int(record["step"]), str(record["criterion"]), int(record["quarantined"])
        row = attacker.other(("waiting", criterion) if step else KEPT_OUT)
        if 0 < waiting < MIN_CELL:
            found.append(Narrowed(f"{criterion}, in quarantine", waiting, *attacker.narrow(row)))
        if step and 0 < (others := int(record["excluded"]) - waiting) < MIN_CELL:
            bounds = attacker.narrow(attacker.excluded(criterion) - row)
            found.append(Narrowed(f"{criterion}, not in quarantine", others, *bounds))
    return found


def attack(people: pd.DataFrame, excluded: Iterable[int], attacker: Attacker) -> list[Narrowed]:
    """What the attacker knows of every small count of people."""
    found = []
    for where in [*conditions(), *(of_instrument("phq9") if "phq9_baseline" in people else ())]:
        truth = truth_of(people, where)
        if 0 < truth < MIN_CELL:
            found.append(Narrowed(str(where), truth, *attacker.narrow(attacker.cohort(**where))))
    for criterion, truth in zip(CRITERIA, excluded, strict=True):
        if 0 < truth < MIN_CELL:
            found.append(Narrowed(criterion, truth, *attacker.narrow(attacker.excluded(criterion))))
    return found


def attack_trajectory(people: pd.DataFrame, trajectory: pd.DataFrame, attacker: Attacker) -> list[Narrowed]:
    """What the attacker knows of those who rated the sessions of a number."""
    counted = trajectory.set_index(["population", "provider_type", "session_number"])["participants"]
    found = []
    for number, (kind, group) in product(SESSION_NUMBERS, PARTS):
        everyone, four = (int(counted.get((name, kind, number), 0)) for name in ("everyone", "four_rated_sessions"))
        truth = four if group == "four" else everyone - four
        if 0 < truth < MIN_CELL:
            bounds = attacker.narrow(attacker.other((number, (kind, group))))
            found.append(Narrowed(f"session {number}, {kind}, {group}", truth, *bounds))
    for (kind, types), number in product(OF_TYPE.items(), SESSION_NUMBERS):
        truth = int(people["utilization_type"].isin(types).sum()) - int(counted.get(("everyone", kind, number), 0))
        if 0 < truth < MIN_CELL and (kind, number) != ("all", LAST):
            parts = attacker.other(*((number, part) for part in PARTS if kind in (part[0], "all")))
            bounds = attacker.narrow(attacker.cohort(utilization_type=types) - parts)
            found.append(Narrowed(f"session {number}, {kind}, not rated", truth, *bounds))
    everything = trajectory.query("population == 'everyone' and provider_type == 'all'")
    alone = int(everything["ratings"].sum() - everything["paired_ratings"].sum())
    if 0 < alone < MIN_CELL:
        found.append(Narrowed("ratings with one answer", alone, *attacker.narrow(attacker.other("single answers"))))
    return found


def attack_months(marts: pd.DataFrame, tables: Tables, base: int) -> tuple[list[Narrowed], Months]:
    """What the attacker knows of the small numbers of a month of the service."""
    monthly = tables["service_monthly"].assign(month=pd.to_datetime(tables["service_monthly"]["month"]))
    used = tables["source_summary"].set_index("table_name")["used"]["sessions"]
    results = tables["inference_results"].set_index(["analysis", "term"])
    totals = {"sessions": class_of(used, base)}
    positive = results.loc[("wellbeing_change", "followup - baseline"), "n"]
    totals["positive"] = class_of(positive, base)
    for name, analysis in {"recovered": "clinical_recovery", "improved": "clinical_improvement"}.items():
        share = results.loc[(analysis, "screened_positive"), "estimate"]
        if not pd.isna(share):
            low, high = totals["positive"]
            totals[name] = max(0.0, share * low - base), share * high + base
    months = Months(base, months=monthly, totals=totals)
    found = []
    for name, truth, row in counts_of(marts, months):
        if 0 < truth < MIN_CELL:
            found.append(Narrowed(name, truth, *months.narrow(row)))
    settings = tables["build_parameters"].set_index("parameter")["value"]
    signals = tables["service_signals"].assign(month=pd.to_datetime(tables["service_signals"]["month"]))
    if not charts_what_is_shown(monthly, signals, int(settings["spc_min_points"])):
        months.unread += 1
    return found, months


def attack_bars(people: pd.DataFrame, tables: Tables, base: int) -> list[Narrowed]:
    """What bars, mean and deviation tell of the classes of the score that are small.

    A linear programme over a grid of scores of each type: bars as classes of counts, and sums and sums of squares within
    what the digits of mean and deviation allow. The same without the bars says what mean and deviation tell alone: that
    few scores can be far from a mean (Chebyshev's inequality) is so for every distribution.
    """
    starts = [(1.0, 3.0), (3.0, 3.5), (3.5, 4.0), (4.0, 4.5), (4.5, 5.0), (5.0, 5.0)]
    found = []
    for name in TYPES:
        scores = people.loc[people["utilization_type"] == name, "alliance_score"].to_numpy(dtype=float)
        with_bars, without = (_moments(tables, name, base, with_bars=flag) for flag in (True, False))
        for start, end in starts:
            truth = int(((scores >= start) & (scores < end)).sum()) if start < 5 else int((scores == 5.0).sum())
            if 0 < truth < MIN_CELL:
                target = ((start - 1e-9 <= GRID) & (end - 1e-9 > GRID)) if start < 5 else GRID == 5.0
                bounds = _continuous(target, *with_bars)
                found.append(Narrowed(f"{name}, score {start} to {end}", truth, *bounds, _continuous(target, *without)))
    return found


GRID = np.round(np.arange(1.0, 5.0001, 0.05), 2)
_STEP = 0.025
"""Scores lie between the points of the grid."""


def _moments(
    tables: Tables, name: str, base: int, *, with_bars: bool
) -> tuple[list[np.ndarray], list[float], list[float]]:
    """Rows over the grid of scores, with their limits."""
    bars = tables["alliance_distribution"].query("utilization_type == @name")
    known = tables["table_1"].query("variable == 'alliance_score' and utilization_type == @name")
    value = known.set_index("statistic")["value"]
    rows, low, high = [], [], []
    has_top = 5.0 in set(bars["score_from"])
    for bar in bars.to_dict("records") if with_bars else ():
        inside = (bar["score_from"] - 1e-9 <= GRID) & (bar["score_to"] - 1e-9 > GRID)
        if bar["score_from"] == 5.0 or (bar["score_to"] == 5.0 and not has_top):
            inside |= GRID == 5.0
        least, most = class_of(bar["participants"], base, 1)
        rows.append(inside.astype(float))
        low.append(least)
        high.append(most)
    n_low, n_high = class_of(value.get("n"), base, 1)
    rows.append(np.ones(len(GRID)))
    low.append(n_low)
    high.append(n_high)
    mean, sd = value.get("mean"), value.get("sd")
    if mean is not None and not pd.isna(mean):
        unit = half_unit(mean) + _STEP
        rows += [GRID - mean - unit, GRID - mean + unit]
        low += [-np.inf, 0.0]
        high += [0.0, np.inf]
        if sd is not None and not pd.isna(sd):
            squares = (GRID - mean) ** 2
            worst = 2 * _STEP * 4 + _STEP**2 + unit**2
            rows += [
                squares - (sd + half_unit(sd)) ** 2 - worst,
                squares - max(sd - half_unit(sd), 0.0) ** 2 * (1 - 1 / max(n_low, 2)) + worst,
            ]
            low += [-np.inf, 0.0]
            high += [0.0, np.inf]
    return rows, low, high


def _continuous(target: np.ndarray, rows: list[np.ndarray], low: list[float], high: list[float]) -> tuple[int, int]:
    """Bounds of a count over the grid."""
    matrix = np.vstack([*(r for r, h in zip(rows, high, strict=True) if np.isfinite(h)), np.zeros(len(GRID))])
    lower = np.vstack([*(-r for r, v in zip(rows, low, strict=True) if np.isfinite(v)), np.zeros(len(GRID))])
    limits = [*(h for h in high if np.isfinite(h)), 0.0, *(-v for v in low if np.isfinite(v)), 0.0]
    ends = []
    for sign in (1, -1):
        result = linprog(
            sign * target.astype(float), A_ub=np.vstack([matrix, lower]), b_ub=np.array(limits), bounds=(0, MOST)
        )
        if result.status != 0:
            raise RuntimeError(f"the attacker's programme on bars has no answer: {result.message}")
        ends.append(sign * result.fun)
    return math.ceil(ends[0] - 1e-6), math.floor(ends[1] + 1e-6)


# --- Invented exports


def draw(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, tuple[int, ...]]:
    """An export of 20 to 2,000 people: the cohort, its ratings, and whom each criterion excluded."""
    from sufficient_statistics import cohorts

    rng = np.random.default_rng(seed)
    people = int(np.exp(rng.uniform(np.log(20), np.log(2000))))
    size = max(5, int(people * rng.uniform(0.25, 0.9)))
    shares = dict(zip(TYPES, rng.dirichlet([1.2, 2.5, 0.8]), strict=True))
    participants = cohorts._participants(
        rng, size, shares, positive=float(rng.uniform(0.2, 0.7)), sex_missing=float(rng.uniform(0.0, 0.25))
    )
    missing = rng.random(size) < rng.uniform(0.0, 0.08)
    participants.loc[missing, "country_code"] = None
    excluded = rng.multinomial(people - size, rng.dirichlet([0.4] * len(CRITERIA)))
    return participants, cohorts._ratings(rng, participants), tuple(int(number) for number in excluded)


class Release(NamedTuple):
    """A release whose people are known: they, whom each criterion excluded, the marts, the folder and the page."""

    people: pd.DataFrame
    excluded: tuple[int, ...]
    marts: dict[str, pd.DataFrame]
    folder: Path
    page: str
    seen: pd.DataFrame
    """Who rated how many sessions of whom; see attacker_of_providers."""


def one_release(seed: int, folder: Path, *, synthetic: bool = False) -> Release:
    """Draw an export, release it as if it were real, and write its page."""
    from rapport.release import make_release
    from rapport.report import read_release as open_for_page
    from rapport.report.page import build_page

    people, excluded, marts, database, seen = one_warehouse(seed, folder, synthetic=synthetic)
    out = folder / f"release-{seed}"
    make_release(database, out, providers=True)
    return Release(people, excluded, marts, out, build_page(open_for_page(out, providers=True)), seen)


def one_warehouse(
    seed: int, folder: Path, *, synthetic: bool = False
) -> tuple[pd.DataFrame, tuple[int, ...], dict[str, pd.DataFrame], Path, pd.DataFrame]:
    """Draw an export, and write the warehouse that would be built of it; every fourth one has a second instrument."""
    from released import given_by, marts_of, scores_by_provider, with_session, write_warehouse
    from sufficient_statistics import PUBLISHED, TWO_INSTRUMENTS

    participants, ratings, excluded = draw(seed)
    rng = np.random.default_rng(seed + 1_000_000)
    left_out = {
        table: tuple(int(n) for n in rng.choice([0, 0, 1, 4, 9, 12, 30], 3))
        for table in ("participants", "sessions", "alliance_ratings")
    }
    phq9 = seed if seed % 4 == 3 else None
    waiting = [int(np.random.default_rng(seed + k).binomial(n, 0.2)) for k, n in enumerate(excluded)]
    sessions = given_by(participants, seed + 2_000_000)
    people, tables = marts_of(
        participants,
        ratings,
        excluded,
        left_out,  # type: ignore[arg-type]
        percentiles=True,
        phq9=phq9,
        waiting=waiting,
        sessions=sessions,
    )
    database = folder / f"{seed}.duckdb"
    write_warehouse(
        database,
        tables,
        build=f"b-{seed}",
        synthetic=synthetic,
        evaluated=len(people) + sum(excluded),
        study=PUBLISHED if phq9 is None else TWO_INSTRUMENTS,
    )
    seen = scores_by_provider(with_session(ratings), sessions).reset_index()
    return people, excluded, tables, database, seen.assign(provider_id=seen["provider_id"].fillna(""))


def copies_of(page: str) -> str:
    """The CSV files for copying that the page holds."""
    found = re.findall(r'href="data:text/csv[^"]*?;base64,([^"]+)"', page)
    return "\n".join(base64.b64decode(text).decode() for text in found)


def on_seed(seed: int, folder: Path) -> tuple[int, list[Narrowed], Attacker]:
    """Attack the release of one export: people, small counts, and what the attacker knows."""
    return on_release(one_release(seed, folder))


def on_release(release: Release) -> tuple[int, list[Narrowed], Attacker]:
    """Attack a release whose people are known."""
    tables = read_files(release.folder)
    manifest = json.loads((release.folder / "manifest.json").read_text(encoding="utf-8"))
    base = manifest["round_counts"]
    by_provider = tables["provider_alliance"]
    named = {attacker_of_providers.key_of(*one) for one in by_provider[["provider_type", "provider_id"]].to_numpy()}
    everyone = {(str(kind), str(name)) for kind, name in release.seen[["provider_type", "provider_id"]].to_numpy()}
    missing = sorted(everyone - named)
    attacker = read_release(tables, base, manifest["least_count"], release.page, missing=missing)
    found = [
        *attack(release.people, release.excluded, attacker),
        *attack_waiting(release.marts["eligibility_flow"], attacker),
        *attack_trajectory(release.people, release.marts["alliance_trajectory"], attacker),
        *(
            Narrowed(name, truth, *attacker.narrow(row))
            for name, truth, row in attacker_of_providers.counts_of(release.seen, release.people, attacker)
            if 0 < truth < MIN_CELL
        ),
        *attack_bars(release.people, tables, base),
    ]
    of_months, months = attack_months(release.marts["service_monthly"], tables, base)
    found += of_months
    attacker.unread += months.unread
    attacker.statistics += months.statistics
    attacker.of_months = list(months.left.values())
    return len(release.people) + sum(release.excluded), found, attacker


def told_by_seed(seed: int) -> tuple[int, list[Narrowed], list[tuple[int, int]], int, int]:
    """Of one export: people, small counts, rounded counts that statistics tell of, statistics solved and not read."""
    from rapport.disclosure import quiet_solver

    with tempfile.TemporaryDirectory() as folder, quiet_solver():
        size, found, attacker = on_seed(seed, Path(folder))
    return size, found, attacker.told(), attacker.statistics, attacker.unread


def main() -> int:
    """Attack the releases of many exports; returns 1 if a small count was narrowed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=20_201)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = io.StringIO()
    counted = broken = false = statistics = inherent = unread = 0
    sizes: list[int] = []
    rounded: list[tuple[int, int]] = []
    started = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for seed, (size, found, told, solved, not_read) in zip(seeds, pool.map(told_by_seed, seeds), strict=True):
            sizes.append(size)
            rounded += told
            bad = [one for one in found if one.is_broken]
            wrong = [one for one in found if one.is_false]
            counted, broken, false = counted + len(found), broken + len(bad), false + len(wrong)
            statistics, unread = statistics + solved, unread + not_read
            inherent += sum(one.is_narrow and not one.is_broken for one in found)
            for one in found:
                if one.is_narrow or one.is_false:
                    print(f"seed {seed}: {one.name} is {one.truth}, told {one.low} to {one.high}", file=sys.stderr)
            print(f"seed {seed}: {size} people, {len(found)} small counts, {len(bad)} narrowed", flush=True)
    exact = sum(left == 1 for left, _ in rounded)
    fewer = [left for left, of_counts in rounded if left < of_counts]
    print(
        f"{date.today().isoformat()}, seeds {options.first} to {options.first + options.seeds - 1}:"
        f" {options.seeds} exports of {min(sizes)} to {max(sizes)} people, {counted} small counts,"
        f" {statistics} statistics solved for the n of {len(rounded)} rounded counts."
        f" {broken} small counts were narrowed below {MIN_CELL} candidates;"
        f" the attacker was wrong about {false}. {inherent} small classes of the score are in a tail of which mean and"
        f" deviation say that it is small, as they do for all data; the bars narrow none."
        f" {exact} rounded counts were told exactly; of {len(fewer)} the statistics leave fewer numbers than rounding"
        f" does{f', {min(fewer)} or more' if fewer else ''}; {unread} statistics were not those of the rounded n.",
        file=lines,
    )
    print(lines.getvalue(), end="")
    print(f"{time.monotonic() - started:.0f} s")
    if options.out:
        options.out.write_text(lines.getvalue(), encoding="utf-8")
    return int(broken > 0 or false > 0 or exact > 0 or unread > 0)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "golden")]
    sys.exit(main())
