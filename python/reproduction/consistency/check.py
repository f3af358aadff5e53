"""One recomputation: its outcome, and the helpers that state it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reproduction.consistency.figures import Figure, Figures, Interval, Verdict, judge

GROUPS = ("teletherapy", "telecoaching", "both")
COLUMNS = (*GROUPS, "total")
SEXES = ("female", "male", "sex_missing")
DAY_COUNTS = ("follow_up_days", "total_sessions", "time_in_care")
RANGED = ("alliance", *DAY_COUNTS)
MEASURED = ("age", *RANGED)
PREDICTORS = ("age", "male", "time_in_care", "baseline", "alliance")
COEFFICIENTS = ("intercept", *PREDICTORS)

# interaction -> (its model, coefficients in that model with the intercept, interaction terms in it)
INTERACTIONS = {
    "telecoaching": ("utilization", 10, 2),
    "both": ("utilization", 10, 2),
    "baseline": ("baseline", 7, 1),
    "sessions": ("sessions", 8, 1),
}


@dataclass(frozen=True)
class Check:
    """One recomputation: a row of the table."""

    rule: str
    inputs: tuple[Figure, ...]
    recomputed: str
    printed: str
    verdict: Verdict
    explanation: str


def show(value: float) -> str:
    """A number short enough to read: five significant digits, whole numbers in full."""
    if math.isinf(value):
        return "any" if value > 0 else "-any"
    if 0.0 < abs(value) < 1e-4:
        return f"{value:.1e}"
    if abs(value) >= 1e5 or value == int(value):
        return f"{value:.10g}"
    return f"{value:.5g}"


def span(central: float, interval: Interval) -> str:
    """The central value with the interval around it."""
    if interval.high - interval.low <= 1e-12:
        return show(central)
    return f"{show(central)} [{show(interval.low)} to {show(interval.high)}]"


def compare(
    rule: str,
    inputs: Sequence[Figure],
    central: float,
    recomputed: Interval,
    target: Figure,
    what: str,
    *,
    exact: bool = False,
    note: str = "",
    fault: str = "",
) -> Check:
    """Judge one recomputed figure against the printed one.

    Args:
        rule: Name of the rule.
        inputs: Figures that the recomputation uses.
        central: Result from the printed values.
        recomputed: Results that their roundings admit.
        target: The figure that is checked.
        what: Subject of the explanation.
        exact: The printed figure is a count.
        note: Added to the explanation in every case.
        fault: Added only if the verdict is ``inconsistent``.
    """
    verdict = judge(central, recomputed, target.exact if exact else target.interval)
    sentence = {
        Verdict.CONSISTENT: f"{what} agrees with the printed {target.printed}",
        Verdict.ROUNDING: f"{what} agrees with the printed {target.printed} only for some of the "
        "values that round to the printed inputs",
        Verdict.INCONSISTENT: f"{what} is {show(central)}, and no values that round to the printed "
        f"inputs give {target.printed}",
    }[verdict]
    if verdict is Verdict.INCONSISTENT and fault:
        sentence += f"; {fault}"
    if note:
        sentence += f"; {note}"
    return Check(rule, tuple(inputs), span(central, recomputed), target.label, verdict, sentence + ".")


def outcome(central: bool, possible: bool) -> Verdict:
    """``consistent`` if the printed values fit as they stand, ``rounding`` if others do."""
    if central:
        return Verdict.CONSISTENT
    return Verdict.ROUNDING if possible else Verdict.INCONSISTENT


def state(
    rule: str,
    inputs: Sequence[Figure],
    recomputed: str,
    printed: str,
    verdict: Verdict | bool,
    good: str,
    bad: str,
    middle: str = "",
) -> Check:
    """A check whose outcome is stated instead of compared.

    Args:
        rule: Name of the rule.
        inputs: Figures that the recomputation uses.
        recomputed: What follows from them.
        printed: What is printed.
        verdict: A verdict, or whether the figures fit.
        good: Explanation if they do.
        bad: Explanation if they do not.
        middle: Explanation of the verdict ``rounding``; ``good`` if empty.
    """
    if isinstance(verdict, bool):
        verdict = outcome(verdict, False)
    sentence = {
        Verdict.CONSISTENT: good,
        Verdict.ROUNDING: middle or good,
        Verdict.INCONSISTENT: bad,
    }[verdict]
    return Check(rule, tuple(inputs), recomputed, printed, verdict, sentence + ".")


def labels(figures: Sequence[Figure]) -> str:
    """The figures with their printed strings."""
    return "; ".join(figure.label for figure in figures)


def columns_of(f: Figures, stem: str, columns: Sequence[str] = GROUPS) -> list[Figure]:
    """Figures ``stem_<column>`` of Table 1."""
    return [f[f"{stem}_{column}"] for column in columns]


def group_sizes(f: Figures) -> list[int]:
    """Participants of the three utilization types."""
    return [figure.count for figure in columns_of(f, "t1_participants_n")]


def points(figures: Sequence[Figure]) -> list[Interval]:
    """The printed values at their word."""
    return [figure.exact for figure in figures]


def intervals(figures: Sequence[Figure]) -> list[Interval]:
    """The values that the printed ones stand for."""
    return [figure.interval for figure in figures]


def confidence_level(f: Figures) -> float:
    """Confidence level: what the significance level leaves."""
    return 1.0 - f["met_significance_level"].value
