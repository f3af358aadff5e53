"""The sensitivity analyses as a sample of the rounded size would have them; see :mod:`rapport.release.rescale`.

Welch's tests are computed anew from the groups' means and deviations, and Brunner and Munzel's from the two variances
that its error and its degrees of freedom are made of: kept as they were, or scaled by the number of both, they would
tell how large each group is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rapport.disclosure.rules import number_of
from rapport.release.rounding import middle, significant
from rapport.sensitivity import EQUIVALENCE_CONTRAST, Design
from rapport.statistics import distributions
from rapport.statistics.means import GroupMoments, welch_anova, welch_equivalence
from rapport.statistics.multiplicity import holm
from rapport.statistics.result import CONFIDENCE_LEVEL, EQUIVALENCE_LEVEL
from rapport.studies import Study
from rapport.study import UTILIZATION_TYPES

Record = dict[str, Any]

CLUSTERED: Final = ("alliance_clustered", "alliance_within_between")
_UPPER: Final = (1.0 + CONFIDENCE_LEVEL) / 2.0


def sensitivity_of_rounded_n(records: Mapping[str, list[Record]], base: int, study: Study, margin: float) -> None:
    """Give ``sensitivity_results`` the figures of rounded numbers of people and providers, in place.

    Args:
        records: rows of ``sensitivity_results`` with exact n, and those of ``inference_results`` with exact n and all
            other figures those of the rounded one.
        base: counts are rounded to the middle of so many; 1 leaves everything as it is.
        study: whose analyses they are.
        margin: var ``equivalence_margin``.
    """
    if base == 1:
        return
    findings = {(str(record["analysis"]), str(record["term"])): record for record in records["inference_results"]}
    published = {
        analysis: record for (analysis, _), record in findings.items() if number_of(record["p_value"]) is not None
    }
    groups = _changes(findings, base)
    pairs = Design(study).superiority
    tests = []
    for record in records["sensitivity_results"]:
        analysis, n = str(record["analysis"]), number_of(record["n"])
        if not n:
            continue
        shown = float(middle(n, base))
        if analysis == "aim_1_multiplicity":
            if number_of(record["p_value"]) is not None:
                record["p_value"] = published[str(record["term"])]["p_value"]
                tests.append(record)
        elif analysis == "alliance_provider_icc":
            _providers(record, n, shown, base)
        elif analysis == "wellbeing_change_welch":
            _welch(record, groups)
        elif analysis == "wellbeing_equivalence":
            _equivalence(record, groups, margin)
        elif analysis in pairs:
            name, *levels = pairs[analysis]
            terms = [study.grouping(name).level(level).term for level in levels]
            sizes = [number_of(findings["alliance_group_medians", term]["n"]) or 0.0 for term in terms]
            _brunner_munzel(record, sizes, base)
        elif number_of(record["std_error"]) is not None:
            _with_t(record, n, shown, base)
    _from_given_change(records["sensitivity_results"], findings)
    for record, p in zip(tests, holm([record["p_value"] for record in tests]), strict=True):
        record["p_adjusted"] = p


def _changes(findings: Mapping[tuple[str, str], Record], base: int) -> dict[str, GroupMoments]:
    """The mean change of each utilization type and its variance, with the rounded number; of none without an error."""
    found = {}
    for name in UTILIZATION_TYPES:
        record = findings["wellbeing_change_group_means", name]
        n, mean, error = (number_of(record[column]) for column in ("n", "estimate", "std_error"))
        if n and mean is not None and error is not None:
            shown = middle(n, base)
            found[name] = GroupMoments(shown, mean, error**2 * shown)
    return found


def _from_given_change(records: Sequence[Record], findings: Mapping[tuple[str, str], Record]) -> None:
    """What changed beyond what regression to the mean explains, from the change as it is given."""
    rows = {str(r["term"]): r for r in records if r["analysis"] == "wellbeing_regression_to_mean"}
    given = number_of(findings["wellbeing_change", "followup - baseline"]["estimate"])
    if given is None or number_of(rows["observed"]["estimate"]) is None:
        return
    rows["observed"]["estimate"] = given
    expected = number_of(rows["expected"]["estimate"])
    if expected is not None:
        rows["beyond"]["estimate"] = given - expected


def _providers(record: Record, n: float, shown: float, base: int) -> None:
    """The number of providers is G = df + 1; F stays, as the variances do.

    ICC is (F - 1)/(F - 1 + n₀), and n₀ = (N - Σn²/N)/(G - 1): with F it would bound G, as Σn² is N²/G or more. How
    unequal the providers' numbers are, G Σn²/N², stays.
    """
    f, df, icc = (number_of(record[name]) for name in ("statistic", "df", "estimate"))
    if f is None or df is None:
        return
    providers = float(middle(df + 1, base))
    record["df"], record["df_residual"] = max(providers - 1, 1.0), max(shown - providers, 1.0)
    record["p_value"] = distributions.f_p(f, record["df"], record["df_residual"])
    if icc and f != 1 and providers > 1:
        size = (f - 1) * (1 - icc) / icc
        unequal = (1 - size * df / n) * (df + 1)
        size = shown * (1 - min(unequal / providers, 1.0)) / (providers - 1)
        record["estimate"] = (f - 1) / (f - 1 + size)


def _few_digits(df: float) -> float:
    return max(round(df, significant(df, None, 1)), 1.0)


def _welch(record: Record, groups: Mapping[str, GroupMoments]) -> None:
    f, df = number_of(record["statistic"]), number_of(record["df"])
    if f is None or df is None or len(groups) < len(UTILIZATION_TYPES):
        return
    result = welch_anova(groups)
    if result.statistic is None or result.df_residual is None:
        return
    record["statistic"], record["df_residual"] = result.statistic, _few_digits(result.df_residual)
    record["p_value"] = distributions.f_p(record["statistic"], df, record["df_residual"])


def _equivalence(record: Record, groups: Mapping[str, GroupMoments], margin: float) -> None:
    """Two one-sided tests, with the degrees of freedom as they are given."""
    if number_of(record["std_error"]) is None or not groups.keys() >= set(EQUIVALENCE_CONTRAST):
        return
    first, second = (groups[name] for name in EQUIVALENCE_CONTRAST)
    result = welch_equivalence(first, second, margin, EQUIVALENCE_CONTRAST)
    estimate, error = result.estimate, result.std_error
    if estimate is None or error is None or result.df_residual is None:
        return
    df = _few_digits(result.df_residual)
    above, below = (estimate + margin) / error, (estimate - margin) / error
    p_above, p_below = distributions.t_upper_p(above, df), distributions.t_upper_p(-below, df)
    half_width = distributions.t_quantile(1.0 - EQUIVALENCE_LEVEL, df) * error
    record |= {
        "estimate": estimate,
        "std_error": error,
        "df_residual": df,
        "statistic": above if p_above >= p_below else below,
        "p_value": max(p_above, p_below),
        "ci_low": estimate - half_width,
        "ci_high": estimate + half_width,
    }


def _brunner_munzel(record: Record, sizes: Sequence[float], base: int) -> None:
    """Share of pairs, with the error and the degrees of freedom of two groups of the rounded sizes."""
    error, df, share = (number_of(record[name]) for name in ("std_error", "df_residual", "estimate"))
    if error is None or df is None or share is None or min(sizes) < 2:
        return
    shown = [float(middle(size, base)) for size in sizes]
    parts = _variances(error**2, df, sizes)
    variances = [part * n / rounded for part, n, rounded in zip(parts, sizes, shown, strict=True)]
    square = sum(variances)
    within = sum(v**2 / max(n - 1, 1.0) for v, n in zip(variances, shown, strict=True))
    error, df = math.sqrt(square), _few_digits(square**2 / within)
    t = (share - 0.5) / error
    half_width = distributions.t_quantile(_UPPER, df) * error
    record |= {
        "std_error": error,
        "df_residual": df,
        "statistic": t,
        "p_value": distributions.t_two_sided_p(t, df),
        "ci_low": max(share - half_width, 0.0),
        "ci_high": min(share + half_width, 1.0),
    }


def _variances(square: float, df: float, sizes: Sequence[float]) -> tuple[float, float]:
    """Return the squared errors of two groups, of which the sum and Satterthwaite's degrees of freedom are known.

    a + b = s and a²/(n - 1) + b²/(m - 1) = s²/df have two solutions; the one nearer to equal variances is taken.
    """
    n, m = (1.0 / (size - 1) for size in sizes)
    root = math.sqrt(max(m**2 - (n + m) * (m - 1 / df), 0.0))
    equal = sizes[1] / sum(sizes)
    share = min(((m + sign * root) / (n + m) for sign in (-1, 1)), key=lambda one: abs(one - equal))
    share = min(max(share, 0.0), 1.0)
    return square * share, square * (1 - share)


def _with_t(record: Record, n: float, shown: float, base: int) -> None:
    """A coefficient with its error, whose t, P and limits follow."""
    df, estimate = number_of(record["df_residual"]), number_of(record["estimate"])
    if df is None or estimate is None:
        return
    is_clustered = record["analysis"] in CLUSTERED
    rounded = max(middle(df + 1, base) - 1.0 if is_clustered else df - n + shown, 1.0)
    error = record["std_error"] * math.sqrt(n / shown)
    half_width = distributions.t_quantile(_UPPER, rounded) * error
    t = estimate / error
    record |= {
        "std_error": error,
        "df_residual": rounded,
        "statistic": t,
        "p_value": distributions.t_two_sided_p(t, rounded),
        "ci_low": estimate - half_width,
        "ci_high": estimate + half_width,
    }
