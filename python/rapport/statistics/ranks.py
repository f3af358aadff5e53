"""Rank tests on frequency tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rapport.statistics import distributions, effect_intervals
from rapport.statistics.exact import root, signed_root
from rapport.statistics.frequencies import (
    CountArray,
    FrequencyTable,
    JointFrequencyTable,
    doubled_midranks,
    empty_groups_note,
)
from rapport.statistics.multiplicity import holm
from rapport.statistics.result import CONFIDENCE_LEVEL, TestResult

_UPPER_PROBABILITY = (1.0 + CONFIDENCE_LEVEL) / 2.0

SPEARMAN = TestResult("Spearman rank correlation", estimate_name="spearman_rho", statistic_name="t")
MANN_WHITNEY = TestResult(
    "Mann-Whitney U test", estimate_name="median_difference", statistic_name="W", effect_size_name="r"
)
KRUSKAL_WALLIS = TestResult("Kruskal-Wallis test", statistic_name="H", effect_size_name="eta_squared")
DUNN = TestResult("Dunn test", estimate_name="mean_rank_difference", statistic_name="Z")
BRUNNER_MUNZEL = TestResult("Brunner-Munzel test", estimate_name="superiority", statistic_name="t")

_NO_VARIANCE = "no variance: all values are equal"


def spearman(table: JointFrequencyTable) -> TestResult:
    """Test the association of two variables by Spearman's rank correlation.

    ρ is Pearson's correlation of the midranks; t = ρ √((n − 2) / (1 − ρ²)) has n − 2 degrees
    of freedom. R: ``cor.test(method = "spearman", exact = FALSE)``.

    Args:
        table: joint frequencies of x and y.

    Returns:
        ρ, t, df and P. A note without figures for fewer than 3 observations or for a variable
        without variance; a note beside ρ = ±1, whose t is infinite and whose P is 0, with the share of all
        orders of the observations that give such a ρ.
    """
    n = table.n
    report = partial(replace, SPEARMAN)
    if n < 3:
        return report(n=n, note=f"too few rows: {n}, at least 3 are needed")
    rank_x, ties_x = doubled_midranks(table.x, table.counts)
    rank_y, ties_y = doubled_midranks(table.y, table.counts)
    if ties_x.size == 1 or ties_y.size == 1:
        return report(n=n, note=_NO_VARIANCE)
    dx, dy = _long(rank_x - (n + 1)), _long(rank_y - (n + 1))
    counts = _long(table.counts)
    sum_xy, sum_xx, sum_yy = (int((counts * d * e).sum()) for d, e in ((dx, dy), (dx, dx), (dy, dy)))
    rho = signed_root(sum_xy, Fraction(sum_xy**2, sum_xx * sum_yy))
    df = n - 2.0
    unexplained = sum_xx * sum_yy - sum_xy**2
    if unexplained == 0:
        return report(
            n=n,
            estimate=rho,
            df=df,
            p_value=0.0,
            note=_perfect_association(n, ties_x),
        )
    t = signed_root(sum_xy, Fraction((n - 2) * sum_xy**2, unexplained))
    limits = effect_intervals.of_correlation(rho, n, of_ranks=True) or (None, None)
    return report(
        n=n,
        estimate=rho,
        statistic=t,
        effect_size_low=limits[0],
        effect_size_high=limits[1],
        df=df,
        p_value=distributions.t_two_sided_p(t, df),
    )


def _long(counts: CountArray) -> NDArray[np.object_]:
    """Return whole numbers of any length: products of ranks outgrow 64 bits."""
    return counts.astype(object)


def _perfect_association(n: int, ties: CountArray) -> str:
    """Return the note of ρ = ±1 with its exact P, the share of the n! orders of one variable that give 1 or −1."""
    directions = 2.0 if (ties == ties[::-1]).all() else 1.0
    p = directions * math.exp(math.fsum(math.lgamma(tie + 1.0) for tie in ties.tolist()) - math.lgamma(n + 1.0))
    exact = "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".", 1)
    return f"perfect monotone association: t is infinite, its P of 0 an approximation; exact P {exact}"


def _pool(tables: Sequence[FrequencyTable]) -> tuple[list[Fraction], CountArray]:
    """Return the rank sum of each group in the pooled sample and the sizes of the ties."""
    values = np.concatenate([table.values for table in tables])
    counts = np.concatenate([table.counts for table in tables])
    doubled, ties = doubled_midranks(values, counts)
    rank_sums = []
    start = 0
    for table in tables:
        end = start + table.values.size
        rank_sums.append(Fraction(int((_long(counts[start:end]) * _long(doubled[start:end])).sum()), 2))
        start = end
    return rank_sums, ties


def _tie_sum(ties: CountArray) -> int:
    return sum(tie**3 - tie for tie in ties.tolist())


def mann_whitney(
    first: FrequencyTable,
    second: FrequencyTable,
    names: tuple[str, str] = ("first", "second"),
) -> TestResult:
    """Compare two groups by the Mann–Whitney U (Wilcoxon rank sum) test.

    W is U of the first group; P comes from the normal approximation, corrected for ties and
    continuity: R's ``wilcox.test(exact = FALSE, correct = TRUE)``. The effect size is
    r = abs(Z) / √N, Z corrected for ties but not for continuity (Rosenthal 1991, Meta-Analytic
    Procedures for Social Research). It has no interval: that of Fisher's z holds .65 to .999 of the time
    here instead of .95.

    Args:
        first: frequencies of the first group.
        second: frequencies of the second group.
        names: what the groups are called in a note.

    Returns:
        Difference of the medians (first − second), W, P and r. A note without figures for an
        empty group or for values that are all equal.
    """
    n1, n2 = first.n, second.n
    n = n1 + n2
    report = partial(replace, MANN_WHITNEY)
    empty = [name for name, size in zip(names, (n1, n2), strict=True) if size == 0]
    if empty:
        return report(n=n, note=empty_groups_note(empty))
    rank_sums, ties = _pool([first, second])
    if ties.size == 1:
        return report(n=n, note=_NO_VARIANCE)
    u = rank_sums[0] - Fraction(n1 * (n1 + 1), 2)
    variance = Fraction(n1 * n2, 12) * (n + 1 - Fraction(_tie_sum(ties), n * (n - 1)))
    excess = abs(u - Fraction(n1 * n2, 2))
    corrected = excess - Fraction(1, 2) if excess else excess
    first_median, second_median = first.median, second.median
    assert first_median is not None
    assert second_median is not None
    return report(
        n=n,
        estimate=first_median - second_median,
        statistic=float(u),
        p_value=distributions.normal_two_sided_p(root(corrected**2 / variance)),
        effect_size=root(excess**2 / variance / n),
    )


def _placements(table: FrequencyTable, other: FrequencyTable) -> list[tuple[int, int]]:
    """Return for each value of a group twice the number of the others below it (equals count half), and its count."""
    below = np.searchsorted(other.values, table.values, side="left")
    upto = np.searchsorted(other.values, table.values, side="right")
    reached = [0, *np.cumsum(other.counts).tolist()]
    doubled = [reached[a] + reached[b] for a, b in zip(below.tolist(), upto.tolist(), strict=True)]
    return list(zip(doubled, table.counts.tolist(), strict=True))


def brunner_munzel(
    first: FrequencyTable,
    second: FrequencyTable,
    names: tuple[str, str] = ("first", "second"),
) -> TestResult:
    """Estimate how likely a member of the first group is above one of the second, and test it against one half.

    P(first > second) + P(equal) / 2, without the Mann–Whitney test's assumption that the groups differ in nothing but
    their place. The variance is that of the placements, t with Satterthwaite's degrees of freedom (Brunner & Munzel
    2000, Biometrical Journal 42, 17–25). R: ``lawstat::brunner.munzel.test``, of whose estimate this is the complement.

    Args:
        first: frequencies of the first group.
        second: frequencies of the second group.
        names: what the groups are called in a note.

    Returns:
        The probability, its standard error, t (negative below one half), df_residual, P and 95% limits within 0–1. A
        note without figures for an empty group; one beside the estimate for a group of one, or for groups without
        overlap or without any difference, whose placements have no variance.
    """
    n1, n2 = first.n, second.n
    report = partial(replace, BRUNNER_MUNZEL, n=n1 + n2)
    empty = [name for name, size in zip(names, (n1, n2), strict=True) if size == 0]
    if empty:
        return report(note=empty_groups_note(empty))
    placed = _placements(first, second), _placements(second, first)
    estimate = Fraction(sum(place * count for place, count in placed[0]), 2 * n1 * n2)
    if n1 < 2 or n2 < 2:
        return report(estimate=float(estimate), note="too few rows: each group needs 2")
    # The variance of the share of the other group that lies below a member, over the size of the group.
    parts = []
    for rows, size, other in ((placed[0], n1, n2), (placed[1], n2, n1)):
        total = sum(place * count for place, count in rows)
        squares = sum(place * place * count for place, count in rows)
        parts.append(Fraction(size * squares - total * total, size * size * (size - 1) * 4 * other * other))
    square = parts[0] + parts[1]
    if square == 0:
        return report(estimate=float(estimate), note="no variance of the placements: no error can be estimated")
    excess = estimate - Fraction(1, 2)
    df = float(square**2 / (parts[0] ** 2 / (n1 - 1) + parts[1] ** 2 / (n2 - 1)))
    t, std_error = signed_root(excess, excess**2 / square), root(square)
    margin = distributions.t_quantile(_UPPER_PROBABILITY, df) * std_error
    return report(
        estimate=float(estimate),
        std_error=std_error,
        statistic=t,
        df_residual=df,
        p_value=distributions.t_two_sided_p(t, df),
        ci_low=max(float(estimate) - margin, 0.0),
        ci_high=min(float(estimate) + margin, 1.0),
    )


def kruskal_wallis(groups: Mapping[str, FrequencyTable]) -> TestResult:
    """Compare k groups by the Kruskal–Wallis test, corrected for ties (R: ``kruskal.test``).

    The effect size is η² = (H − k + 1) / (n − k) (Tomczak & Tomczak 2014, Trends in Sport
    Sciences 1, 19–25); it can be slightly negative.

    Args:
        groups: frequency table by group name, at least two.

    Returns:
        H, df = k − 1, P and η² (none for n = k) with 90% limits. A note without figures for an empty
        group or for values that are all equal; a note and no limits for an η² that none are in keeping with.

    Raises:
        ValueError: fewer than two groups are named.
    """
    if len(groups) < 2:
        raise ValueError(f"at least 2 groups are needed, got {len(groups)}")
    k = len(groups)
    tables = list(groups.values())
    n = sum(table.n for table in tables)
    report = partial(replace, KRUSKAL_WALLIS)
    empty = [name for name, table in groups.items() if table.n == 0]
    if empty:
        return report(n=n, note=empty_groups_note(empty))
    rank_sums, ties = _pool(tables)
    if ties.size == 1:
        return report(n=n, note=_NO_VARIANCE)
    centre = Fraction(n + 1, 2)
    between = sum(
        table.n * (rank_sum / table.n - centre) ** 2 for table, rank_sum in zip(tables, rank_sums, strict=True)
    )
    exact_h = 12 * between / (n * (n + 1)) / (1 - Fraction(_tie_sum(ties), n**3 - n))
    h = float(exact_h)
    df = k - 1.0
    limits = effect_intervals.of_rank_eta_squared(h, df, n)
    low, high = limits or (None, None)
    return report(
        n=n,
        statistic=h,
        df=df,
        p_value=distributions.chi_squared_p(h, df),
        effect_size=float((exact_h - k + 1) / (n - k)) if n > k else None,
        effect_size_low=low,
        effect_size_high=high,
        note=effect_intervals.NO_ETA_SQUARED if limits is None and n > k else None,
    )


def dunn(
    groups: Mapping[str, FrequencyTable], contrasts: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], TestResult]:
    """Compare pairs of groups by Dunn's test after Kruskal–Wallis.

    Z is the difference of the mean ranks in the pooled sample over its standard error, which
    is corrected for ties (Dunn 1964, Technometrics 6, 241–252, equations 7 and 10). Empty
    groups take no part in the ranking, and P is adjusted by Holm's method over the contrasts
    that can be computed.

    Args:
        groups: frequency table by group name.
        contrasts: pairs of group names; the estimate is the first minus the second.

    Returns:
        A result per contrast, n being the members of its two groups. A note without figures
        for a contrast with an empty group or for values that are all equal.

    Raises:
        ValueError: a contrast names an unknown group.
    """
    for contrast in contrasts:
        for name in contrast:
            if name not in groups:
                raise ValueError(f"contrast of an unknown group: {name}")
    report = partial(replace, DUNN)
    present = {name: table for name, table in groups.items() if table.n > 0}
    total = sum(table.n for table in present.values())
    mean_ranks: dict[str, Fraction] = {}
    variance = Fraction(0)
    varies = False
    if present:
        rank_sums, ties = _pool(list(present.values()))
        mean_ranks = {
            name: rank_sum / table.n for (name, table), rank_sum in zip(present.items(), rank_sums, strict=True)
        }
        varies = ties.size > 1
        if varies:
            variance = Fraction(total * (total + 1), 12) - Fraction(_tie_sum(ties), 12 * (total - 1))

    computed: dict[tuple[str, str], tuple[float, float, float]] = {}
    for first, second in contrasts:
        if varies and first in present and second in present:
            difference = mean_ranks[first] - mean_ranks[second]
            square = variance * (Fraction(1, present[first].n) + Fraction(1, present[second].n))
            computed[first, second] = (
                float(difference),
                root(square),
                signed_root(difference, difference**2 / square),
            )
    p_values = [distributions.normal_two_sided_p(z) for _, _, z in computed.values()]
    adjusted = dict(zip(computed, zip(p_values, holm(p_values), strict=True), strict=True))

    results = {}
    for contrast in contrasts:
        n = sum(groups[name].n for name in contrast)
        if contrast in computed:
            estimate, std_error, z = computed[contrast]
            p_value, p_adjusted = adjusted[contrast]
            results[contrast] = report(
                n=n,
                estimate=estimate,
                std_error=std_error,
                statistic=z,
                p_value=p_value,
                p_adjusted=p_adjusted,
            )
        else:
            empty = [name for name in contrast if name not in present]
            note = empty_groups_note(empty) if empty else _NO_VARIANCE
            results[contrast] = report(n=n, note=note)
    return results
