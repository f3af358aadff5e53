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
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from html import unescape
from itertools import product
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

CRITERIA = ("adult", "sponsored", "registered", "session", "baseline", "followup", "rating")
TYPES = ("teletherapy", "telecoaching", "both")
MIN_CELL = 10
MOST = 20_000
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "utilization_type": TYPES,
    "sex": ("female", "male", "missing"),
    "country": ("within_usa", "outside_usa", "missing"),
    "baseline": ("positive", "negative"),
    "followup": ("positive", "negative"),
    "improved": ("yes", "no"),
}
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


# --- Numbers that agree with a statistic


def decimals_of(value: float) -> int:
    """To how many decimals a figure is written."""
    text = repr(float(value))
    return 0 if text.endswith(".0") else len(text.partition(".")[2])


def half_unit(value: float) -> float:
    """By how much a figure may have been rounded, were it given to no more decimals than are written."""
    return 0.5 * 10.0 ** -decimals_of(value) + 1e-12


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


def agrees_moments(mean: float, sd: float) -> Callable[[int], bool]:
    """Whether n whole numbers can have this mean and deviation: sum and sum of squares are both even or both odd."""

    def agrees(n: int) -> bool:
        sums = range(math.ceil(n * (mean - half_unit(mean))), math.floor(n * (mean + half_unit(mean))) + 1)
        for total in sums:
            ends = [(n - 1) * max(sd + sign * half_unit(sd), 0.0) ** 2 + total**2 / n for sign in (-1, 1)]
            first, last = math.ceil(ends[0] - 1e-6), math.floor(ends[1] + 1e-6)
            first += (first - total) % 2
            if first <= last:
                return True
        return False

    return agrees


def agrees_mean(mean: float) -> Callable[[int], bool]:
    """Whether n whole numbers can have this mean."""

    def agrees(n: int) -> bool:
        return n > 0 and abs(round(mean * n) / n - mean) <= half_unit(mean) + 1e-9

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


@dataclass
class Attacker:
    """All that one release tells, as rows of an integer programme.

    The unknowns are the cells of the six attributes crossed (216), and by criterion the excluded.
    """

    base: int
    least: int
    of_rounded: bool = True
    """Whether the release says that its statistics are those of rounded numbers; else of exact ones."""
    rows: list[np.ndarray] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    tests: dict[bytes, tuple[np.ndarray, list[Test]]] = field(default_factory=dict)
    """By count: what a number of people has to agree with."""
    left: dict[bytes, list[int]] = field(default_factory=dict)
    """By count that is shown: the numbers that agree with every statistic."""
    by_counts: dict[bytes, list[int]] = field(default_factory=dict)
    """By count that is shown: the numbers that the rounded counts leave, of the whole and of its parts among them."""
    statistics: int = 0
    unread: int = 0
    """Statistics that agree with no number: they were not made as the attacker thinks."""

    def __post_init__(self) -> None:
        """Lay out the unknowns."""
        cells = list(product(*ATTRIBUTES.values()))
        self.columns = {name: np.array([cell[i] for cell in cells]) for i, name in enumerate(ATTRIBUTES)}
        self.cells, self.size = len(cells), len(cells) + len(CRITERIA)

    def cohort(self, **where: str | Iterable[str]) -> np.ndarray:
        """The row of the count of the cohort under conditions."""
        inside = np.ones(self.cells, dtype=bool)
        for name, levels in where.items():
            inside &= np.isin(self.columns[name], [levels] if isinstance(levels, str) else list(levels))
        return np.concatenate([inside.astype(float), np.zeros(len(CRITERIA))])

    def excluded(self, criterion: str) -> np.ndarray:
        """The row of those whom a criterion excluded."""
        row = np.zeros(self.size)
        row[self.cells + CRITERIA.index(criterion)] = 1.0
        return row

    def add(self, row: np.ndarray, low: float, high: float) -> None:
        """Enter that a count lies between two numbers."""
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

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
                n = n if n == 0 else n // self.base * self.base + (self.base - 1) // 2
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
        return [
            (len(left), len(self.by_counts[key])) for key, left in self.left.items() if len(self.by_counts[key]) > 1
        ]

    def relaxed(self, row: np.ndarray) -> tuple[int, int]:
        """Bounds of a count by the rows on the same cells alone: quick, and never too narrow."""
        low, high = 0.0, float(MOST)
        for other, least, most in zip(self.rows, self.low, self.high, strict=True):
            if np.array_equal(other, row):
                low, high = max(low, least), min(high, most)
        return int(low), int(high)

    def narrow(self, row: np.ndarray) -> tuple[int, int]:
        """The smallest and the largest that a count can be."""
        told, inverse = np.unique(np.vstack([*self.rows, row]), axis=1, return_inverse=True)
        del inverse
        ends = []
        for sign in (1, -1):
            result = milp(
                sign * told[-1],
                constraints=LinearConstraint(told[:-1], np.array(self.low), np.array(self.high)),
                integrality=np.ones(told.shape[1]),
                bounds=Bounds(0, MOST),
                options={"time_limit": 20},
            )
            if result.status != 0:
                raise RuntimeError(f"the attacker's programme has no answer: {result.message}")
            ends.append(round(sign * result.fun))
        return ends[0], ends[1]


def group_of(finding: Mapping[str, object]) -> Where | None:
    """Whom the n of a finding counts; None where no other figure counts them."""
    analysis, term = str(finding["analysis"]), str(finding["term"])
    positive = {"baseline": "positive"}
    if analysis == "alliance_reliability":
        return None
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


def read_release(tables: Tables, base: int, least: int, page: str = "", *, of_rounded: bool = True) -> Attacker:
    """Enter everything that a release and its page tell."""
    attacker = Attacker(base, least, of_rounded)
    _flow(attacker, tables)
    _table_1(attacker, tables["table_1"])
    _findings(attacker, tables["inference_results"])
    _fit(attacker, tables["model_fit"])
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
        if step:
            attacker.count(attacker.excluded(row["criterion"]), row["excluded"])
    for criterion, rows in tables["exclusion_reasons"].groupby("criterion"):
        first = [_class(value, attacker.base) for value in rows["participants"]]
        attacker.add(attacker.excluded(str(criterion)), sum(low for low, _ in first), sum(high for _, high in first))
    summary = tables["source_summary"].set_index("table_name")
    attacker.count(everyone, summary["used"]["participants"])
    known = summary.loc["participants", ["delivered", "erased", "superseded", "quarantined"]]
    if known.notna().all():
        ends = [_class(value, attacker.base) for value in known]
        attacker.add(everyone, ends[0][0] - sum(e[1] for e in ends[1:]), ends[0][1] - sum(e[0] for e in ends[1:]))
    for row in tables["verdicts"].to_dict("records"):
        if row["table_name"] in ("participants", "eligibility") and not pd.isna(row["evaluated"]):
            attacker.add(everyone, *_class(row["evaluated"], attacker.base))


def _class(value: object, base: int) -> tuple[float, float]:
    if value is None or pd.isna(value):
        return 1.0, np.inf
    if float(value) == 0:  # type: ignore[arg-type]
        return 0.0, 0.0
    first = round(float(value)) - (base - 1) // 2  # type: ignore[arg-type]
    return first, first + base - 1


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


def _findings(attacker: Attacker, table: pd.DataFrame) -> None:
    records = table.to_dict("records")
    for record in records:
        where = group_of(record)
        if where is None:
            continue
        row = attacker.cohort(**where)
        if not pd.isna(record["n"]):  # a row goes as a whole, so an n that is not shown may be 0
            attacker.count(row, record["n"])
        known = {name for name in table.columns if not pd.isna(record[name])}
        analysis = str(record["analysis"])
        parameters = PARAMETERS.get(analysis, 1 if analysis.startswith("wellbeing_change") else 2)
        of_all = row
        if analysis.endswith("_tukey") or analysis == "wellbeing_change_by_utilization":
            of_all, parameters = attacker.cohort(baseline="positive"), 3
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
        if {"std_error", "ci_low", "ci_high"} <= known and not analysis.endswith("_tukey"):
            limits = (figure["ci_low"], figure["ci_high"])
            attacker.learn(row, agrees_interval(figure["estimate"], figure["std_error"], *limits, parameters))
        if analysis in ("clinical_recovery", "clinical_improvement") and {"estimate", "ci_low"} <= known:
            attacker.learn(
                row,
                agrees_wilson(figure["estimate"], figure["ci_low"], figure["ci_high"], attacker.base),
                is_exact=True,
            )
            level = {"followup": "negative"} if analysis == "clinical_recovery" else {"improved": "yes"}
            hits = attacker.cohort(baseline="positive", **level)
            low, high = _class(record["n"], attacker.base)
            wide = attacker.base + 0.001 * high
            attacker.add(hits, max(0.0, record["estimate"] * low - wide), record["estimate"] * high + wide)
    t = {r["term"]: r for r in records if r["analysis"] == "wellbeing_change"}
    if not pd.isna(t["followup - baseline"]["statistic"]) and not pd.isna(t["d_z"]["effect_size"]):
        attacker.learn(
            attacker.cohort(baseline="positive"),
            agrees_effect(t["followup - baseline"]["statistic"], t["d_z"]["effect_size"]),
        )


def _fit(attacker: Attacker, table: pd.DataFrame) -> None:
    row = attacker.cohort(baseline="positive", sex=("female", "male"))
    for record in table.to_dict("records"):
        if pd.isna(record["n"]):
            continue
        attacker.count(row, record["n"])
        if pd.isna(record["f_change"]) or not record["f_change"]:
            continue
        parameters = len(str(record["terms"]).split(" + ")) + 1
        df = int(record["df"])
        attacker.learn(row, agrees_f(record["f_change"], record["p_value"], df, parameters))
        attacker.learn(
            row, agrees_r_squared(record["r_squared"], record["delta_r_squared"], record["f_change"], df, parameters)
        )


def _bars(attacker: Attacker, tables: Tables) -> None:
    """Bars of a type add up to it."""
    for name, rows in tables["alliance_distribution"].groupby("utilization_type"):
        if rows["participants"].notna().all():
            ends = [_class(value, attacker.base) for value in rows["participants"]]
            attacker.add(attacker.cohort(utilization_type=str(name)), sum(e[0] for e in ends), sum(e[1] for e in ends))


def _transitions(attacker: Attacker, table: pd.DataFrame) -> None:
    """Those who screened positive are the lowest band, before and after."""
    for conditions in product(("positive", "negative"), repeat=2):
        rows = table
        for when, level in zip(("baseline", "followup"), conditions, strict=True):
            rows = rows[(rows[f"{when}_from"] == 0) == (level == "positive")]
        ends = [_class(value, attacker.base) for value in rows["participants"]]
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
    elif table == "eligibility_flow" and column == "excluded":
        attacker.count(attacker.excluded(CRITERIA[int(keys["step"]) - 1]), value)
    elif table == "model_fit" and column == "n":
        attacker.count(attacker.cohort(baseline="positive", sex=("female", "male")), value)
    elif table == "verdicts" and column == "evaluated":
        everyone = attacker.cohort() + sum((attacker.excluded(name) for name in CRITERIA), np.zeros(attacker.size))
        if keys["table_name"] == "participants":
            attacker.add(everyone, value, value)


# --- Small counts


def conditions() -> list[Where]:
    """Every group that the tables count, or that is the rest of such groups."""
    by_type: list[dict[str, str]] = [{}, *({"utilization_type": name} for name in TYPES)]
    return [
        *(
            {**column, attribute: level}
            for column in by_type
            for attribute in ("sex", "country", "baseline")
            for level in ATTRIBUTES[attribute]
        ),
        *by_type,
        *({"baseline": "positive", "sex": level} for level in ATTRIBUTES["sex"]),
        {"baseline": "positive", "sex": ("female", "male")},
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


def attack(people: pd.DataFrame, excluded: Iterable[int], attacker: Attacker) -> list[Narrowed]:
    """What the attacker knows of every small count of people."""
    found = []
    for where in conditions():
        truth = truth_of(people, where)
        if 0 < truth < MIN_CELL:
            found.append(Narrowed(str(where), truth, *attacker.narrow(attacker.cohort(**where))))
    for criterion, truth in zip(CRITERIA, excluded, strict=True):
        if 0 < truth < MIN_CELL:
            found.append(Narrowed(criterion, truth, *attacker.narrow(attacker.excluded(criterion))))
    return found


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
        least, most = _class(bar["participants"], base)
        rows.append(inside.astype(float))
        low.append(least)
        high.append(most)
    n_low, n_high = _class(value.get("n"), base)
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


def one_release(seed: int, folder: Path, *, synthetic: bool = False) -> tuple[pd.DataFrame, tuple[int, ...], Path, str]:
    """Draw an export, release it as if it were real, and write its page."""
    from rapport.release import make_release
    from rapport.report import read_release as open_for_page
    from rapport.report.page import build_page

    people, excluded, database = one_warehouse(seed, folder, synthetic=synthetic)
    out = folder / f"release-{seed}"
    make_release(database, out)
    return people, excluded, out, build_page(open_for_page(out))


def one_warehouse(seed: int, folder: Path, *, synthetic: bool = False) -> tuple[pd.DataFrame, tuple[int, ...], Path]:
    """Draw an export, and write the warehouse that would be built of it."""
    from released import marts_of, write_warehouse

    participants, ratings, excluded = draw(seed)
    rng = np.random.default_rng(seed + 1_000_000)
    left_out = {
        table: tuple(int(n) for n in rng.choice([0, 0, 1, 4, 9, 12, 30], 3))
        for table in ("participants", "sessions", "alliance_ratings")
    }
    people, tables = marts_of(participants, ratings, excluded, left_out, percentiles=True)  # type: ignore[arg-type]
    database = folder / f"{seed}.duckdb"
    write_warehouse(database, tables, build=f"b-{seed}", synthetic=synthetic, evaluated=len(people) + sum(excluded))
    return people, excluded, database


def copies_of(page: str) -> str:
    """The CSV files for copying that the page holds."""
    found = re.findall(r'href="data:text/csv[^"]*?;base64,([^"]+)"', page)
    return "\n".join(base64.b64decode(text).decode() for text in found)


def on_seed(seed: int, folder: Path) -> tuple[int, list[Narrowed], Attacker]:
    """Attack the release of one export: people, small counts, and what the attacker knows."""
    return on_release(*one_release(seed, folder))


def on_release(
    people: pd.DataFrame, excluded: tuple[int, ...], out: Path, page: str
) -> tuple[int, list[Narrowed], Attacker]:
    """Attack a release whose people are known."""
    tables = read_files(out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    attacker = read_release(tables, manifest["round_counts"], manifest["least_count"], page)
    found = attack(people, excluded, attacker) + attack_bars(people, tables, manifest["round_counts"])
    return len(people) + sum(excluded), found, attacker


def main() -> int:
    """Attack the releases of many exports; returns 1 if a small count was narrowed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=20_201)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    from rapport.disclosure import quiet_solver

    lines = io.StringIO()
    counted = broken = false = statistics = inherent = unread = 0
    sizes: list[int] = []
    rounded: list[tuple[int, int]] = []
    started = time.monotonic()
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory() as folder, quiet_solver():
            size, found, attacker = on_seed(seed, Path(folder))
        sizes.append(size)
        rounded += attacker.told()
        bad = [one for one in found if one.is_broken]
        wrong = [one for one in found if one.is_false]
        counted, broken, false = counted + len(found), broken + len(bad), false + len(wrong)
        statistics, unread = statistics + attacker.statistics, unread + attacker.unread
        inherent += sum(one.is_narrow and not one.is_broken for one in found)
        for one in (*bad, *wrong):
            print(f"seed {seed}: {one.name} is {one.truth}, told {one.low} to {one.high}", file=sys.stderr)
        print(f"seed {seed}: {size} people, {len(found)} small counts, {len(bad)} narrowed", flush=True)
    exact = sum(left == 1 for left, _ in rounded)
    fewer = [left for left, of_counts in rounded if left < of_counts]
    print(
        f"{date.today().isoformat()}, seeds {options.first} to {options.first + options.seeds - 1}:"
        f" {options.seeds} exports of {min(sizes)} to {max(sizes)} people, {counted} small counts,"
        f" {statistics} statistics solved for the n of {len(rounded)} rounded counts."
        f" {broken} small counts were narrowed below {MIN_CELL} candidates;"
        f" about {false} the attacker was wrong; {inherent} small classes of the score have fewer candidates by mean and"
        f" deviation alone, bars or none. {exact} rounded counts were told exactly; of {len(fewer)} the statistics leave fewer"
        f" numbers than rounding does{f', {min(fewer)} or more' if fewer else ''}; {unread} statistics were not those of"
        " the rounded n.",
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
