"""The sensitivity analyses as a sample of the rounded size would have them; see :mod:`rapport.release.rescale`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from rapport.disclosure.rules import number_of
from rapport.release.rounding import middle, significant
from rapport.statistics import distributions
from rapport.statistics.multiplicity import holm
from rapport.statistics.result import CONFIDENCE_LEVEL, EQUIVALENCE_LEVEL

Record = dict[str, Any]

CLUSTERED: Final = ("alliance_clustered", "alliance_within_between")
_ESTIMATED_DF: Final = ("wellbeing_equivalence", "wellbeing_change_welch", "alliance_superiority_by_")
_UPPER: Final = (1.0 + CONFIDENCE_LEVEL) / 2.0


def sensitivity_of_rounded_n(records: Mapping[str, list[Record]], base: int, margin: float) -> None:
    """Give ``sensitivity_results`` the figures of rounded numbers of people and providers, in place.

    Args:
        records: rows of ``sensitivity_results`` with exact n, and those of ``inference_results`` with their new P.
        base: counts are rounded to the middle of so many; 1 leaves everything as it is.
        margin: var ``equivalence_margin``.
    """
    if base == 1:
        return
    published = {
        str(record["analysis"]): record
        for record in records["inference_results"]
        if number_of(record["p_value"]) is not None
    }
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
            _providers(record, shown, base)
        elif analysis == "wellbeing_change_welch":
            _welch(record, shown / n)
        elif number_of(record["std_error"]) is not None:
            _with_t(record, n, shown, base, margin)
    for record, p in zip(tests, holm([record["p_value"] for record in tests]), strict=True):
        record["p_adjusted"] = p


def _providers(record: Record, shown: float, base: int) -> None:
    """The number of providers is G = df + 1; F stays, as the variances do."""
    f, df = number_of(record["statistic"]), number_of(record["df"])
    if f is None or df is None:
        return
    providers = float(middle(df + 1, base))
    record["df"], record["df_residual"] = max(providers - 1, 1.0), max(shown - providers, 1.0)
    record["p_value"] = distributions.f_p(f, record["df"], record["df_residual"])


def _few_digits(df: float) -> float:
    return max(round(df, significant(df, None, 1)), 1.0)


def _welch(record: Record, growth: float) -> None:
    f, df, residual = (number_of(record[name]) for name in ("statistic", "df", "df_residual"))
    if f is None or df is None or residual is None:
        return
    record["statistic"], record["df_residual"] = f * growth, _few_digits(residual * growth)
    record["p_value"] = distributions.f_p(record["statistic"], df, record["df_residual"])


def _with_t(record: Record, n: float, shown: float, base: int, margin: float) -> None:
    """An estimate with its error, whose t, P and limits follow."""
    analysis = str(record["analysis"])
    df, estimate = number_of(record["df_residual"]), number_of(record["estimate"])
    if df is None or estimate is None:
        return
    if analysis in CLUSTERED:
        rounded = max(middle(df + 1, base) - 1.0, 1.0)
    elif analysis.startswith(_ESTIMATED_DF):
        rounded = _few_digits(df * shown / n)
    else:
        rounded = max(df - n + shown, 1.0)
    error = record["std_error"] * math.sqrt(n / shown)
    half_width = distributions.t_quantile(_UPPER, rounded) * error
    low, high = estimate - half_width, estimate + half_width
    if analysis == "wellbeing_equivalence":
        above, below = (estimate + margin) / error, (estimate - margin) / error
        p_above, p_below = distributions.t_upper_p(above, rounded), distributions.t_upper_p(-below, rounded)
        t, p = (above, p_above) if p_above >= p_below else (below, p_below)
        half_width = distributions.t_quantile(1.0 - EQUIVALENCE_LEVEL, rounded) * error
        low, high = estimate - half_width, estimate + half_width
    else:
        is_probability = analysis.startswith("alliance_superiority_by_")
        t = (estimate - 0.5 if is_probability else estimate) / error
        p = distributions.t_two_sided_p(t, rounded)
        if is_probability:
            low, high = max(low, 0.0), min(high, 1.0)
    record |= {"std_error": error, "df_residual": rounded, "statistic": t, "p_value": p, "ci_low": low, "ci_high": high}
