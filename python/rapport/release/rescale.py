"""Statistics as a sample of the rounded size would have them.

Two figures of one test often give its n: t is d times √n, F and R² differ by the residual degrees of freedom, P is t at
n − k. In a release whatever depends on n is therefore computed with the rounded n, from what does not: means,
differences, coefficients, correlations, shares of variance and of pairs stay as they are. Then any set of figures
agrees with the n that is printed beside it, and so with every n that is rounded to it.

Standard errors go with 1/√n (of a contrast with √(1/n₁ + 1/n₂), of a coefficient with 1/√df), t and Z with their
inverse, F with df and H with n − 1; the analysis of variance is computed anew from the means and deviations of its
groups. Means of scores are given to as many decimals as every n of the class can have, and t, differences and effect
sizes are those of the means as they are given. P and limits follow from these. With few people that moves P: a class
of five is wide beside 10. The formulas are those of :mod:`rapport.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from rapport.disclosure.rules import number_of
from rapport.release.rounding import middle, of_mean
from rapport.statistics import distributions, effect_intervals, studentized_range
from rapport.statistics.multiplicity import holm
from rapport.statistics.result import CONFIDENCE_LEVEL
from rapport.studies import Correlation, Grouping, Study
from rapport.study import TUKEY_CONTRASTS, UTILIZATION_TYPES

Record = dict[str, Any]
Records = list[Record]

_UPPER: Final = (1.0 + CONFIDENCE_LEVEL) / 2.0


def as_of_rounded_n(records: Mapping[str, Records], base: int, study: Study, step: int | None = None) -> None:
    """Give ``inference_results``, ``model_fit`` and ``alliance_slopes`` the figures of rounded numbers, in place.

    Args:
        records: rows of the three tables with exact n, at full precision; n is left to be rounded.
        base: counts are rounded to the middle of so many; 1 leaves everything as it is.
        study: whose analyses they are.
        step: scores are multiples of so many points; those of the study's outcome if it is not said.
    """
    if base == 1 or not records["inference_results"]:
        return
    findings = _Findings(records["inference_results"], base, study, step or study.outcome.points_per_item)
    findings.rescale()
    for record in records["model_fit"]:
        _fit(record, base)
    for record in records["alliance_slopes"]:
        if (df := findings.residuals.get(str(record["analysis"]))) is not None:
            _line(record, *df)


def mean_as_given(mean: float, n: float, sd: float, step: int) -> float:
    """Return a mean of scores of a rounded number of people to the decimals that it is given to."""
    return round(mean, of_mean(n, sd, step)) + 0.0


def _rounded_df(df: float, n: float, base: int) -> float:
    """Residual degrees of freedom of the rounded n; at least 1, whatever the n of the class."""
    return max(df - n + middle(n, base), 1.0)


class _Findings:
    """The rows of ``inference_results`` by analysis and term, with the sizes of the groups."""

    def __init__(self, records: Records, base: int, study: Study, step: int = 1) -> None:
        self.base, self.study, self.step = base, study, step
        self.rows = {(str(record["analysis"]), str(record["term"])): record for record in records}
        self.residuals: dict[str, tuple[float, float]] = {}
        """Exact and rounded residual degrees of freedom of each regression."""

    def rescale(self) -> None:
        """All analyses; a row that has no figures stays as it is."""
        if ("alliance_group_medians", "total") in self.rows:
            self._alliance()
        self._paired()
        self._anova()
        self._tukey()
        for (analysis, _), record in self.rows.items():
            if analysis in self.study.regressions:
                self._coefficient(analysis, record)

    def _alliance(self) -> None:
        """Aim 1, which a table of several instruments does not have."""
        for correlation in self.study.correlations:
            self._correlation(correlation)
        for grouping in self.study.groupings:
            if len(grouping.levels) == 2:
                [levels] = grouping.contrasts
                terms = [grouping.level(level).term for level in levels]
                self._mann_whitney(self.rows[grouping.analysis, " - ".join(levels)], terms)
            else:
                self._kruskal_wallis(grouping)
                self._dunn(grouping)

    def _n(self, *key: str) -> float:
        return number_of(self.rows[key[0], key[1]]["n"]) or 0.0

    def _sizes(self, record: Record) -> tuple[float, float]:
        """N of a row, exact and rounded."""
        n = number_of(record["n"]) or 0.0
        return n, float(middle(n, self.base))

    def _correlation(self, correlation: Correlation) -> None:
        record = self.rows[correlation.analysis, correlation.id]
        n, shown = self._sizes(record)
        t, rho = number_of(record["statistic"]), number_of(record["estimate"])
        if t is None or rho is None:
            return
        df = _rounded_df(n - 2, n, self.base)
        record["statistic"] = t * math.sqrt(df / (n - 2))
        record["df"] = df
        record["p_value"] = distributions.t_two_sided_p(record["statistic"], df)
        _limits(record, effect_intervals.of_correlation(rho, round(shown), of_ranks=True))

    def _mann_whitney(self, record: Record, terms: list[str]) -> None:
        """W is the share of pairs that the first group wins, times their number; Z is r √n."""
        n, shown = self._sizes(record)
        w, p = number_of(record["statistic"]), number_of(record["p_value"])
        if w is None or p is None:
            return
        for term in terms:
            own = self._n("alliance_group_medians", term)
            w *= middle(own, self.base) / own
        record["statistic"] = w
        if 0.0 < p < 1.0:
            z = distributions.normal_quantile(p / 2.0) * math.sqrt(shown / n)
            record["p_value"] = distributions.normal_two_sided_p(z)

    def _kruskal_wallis(self, grouping: Grouping) -> None:
        """H is n − 1 times the share of the ranks' squares that lies between the groups."""
        record = self.rows[grouping.analysis, grouping.id]
        n, shown = self._sizes(record)
        h, df = number_of(record["statistic"]), number_of(record["df"])
        if h is None or df is None:
            return
        h *= (shown - 1) / (n - 1)
        record["statistic"], record["p_value"] = h, distributions.chi_squared_p(h, df)
        if number_of(record["effect_size"]) is not None:
            record["effect_size"] = (h - df) / (shown - df - 1)
            limits = effect_intervals.of_rank_eta_squared(h, df, round(shown))
            _limits(record, limits, effect_intervals.NO_ETA_SQUARED)

    def _dunn(self, grouping: Grouping) -> None:
        """Mean ranks grow with everybody's number, their standard error also with the groups'."""
        n = self._n(grouping.analysis, grouping.id)
        shown = float(middle(n, self.base))
        changed = []
        for contrast in grouping.contrasts:
            record = self.rows[f"{grouping.analysis}_dunn", " - ".join(contrast)]
            estimate, error = number_of(record["estimate"]), number_of(record["std_error"])
            if estimate is None or error is None:
                continue
            sizes = [self._n("alliance_group_medians", grouping.level(name).term) for name in contrast]
            record["estimate"] = estimate * (shown + 1) / (n + 1)
            error *= math.sqrt(shown * (shown + 1) / (n * (n + 1))) * self._of_pair(sizes)
            record["std_error"], record["statistic"] = error, record["estimate"] / error
            record["p_value"] = distributions.normal_two_sided_p(record["statistic"])
            changed.append(record)
        for record, p in zip(changed, holm([record["p_value"] for record in changed]), strict=True):
            record["p_adjusted"] = p

    def _of_pair(self, sizes: list[float]) -> float:
        """By how much √(1/n₁ + 1/n₂) grows when both are rounded."""
        exact, rounded = (sum(1 / size for size in each) for each in (sizes, [middle(s, self.base) for s in sizes]))
        return math.sqrt(rounded / exact)

    def _paired(self) -> None:
        """Changes of scores: d is mean ÷ deviation, and the percent of two means, each as it is given."""
        change = self.rows["wellbeing_change", "followup - baseline"]
        n, shown = self._sizes(change)
        exact, d_z = (number_of(change["estimate"]), number_of(self.rows["wellbeing_change", "d_z"]["effect_size"]))
        self._mean(change)
        for name in UTILIZATION_TYPES:
            self._mean(self.rows["wellbeing_change_group_means", name])
        given, t = number_of(change["estimate"]), number_of(change["statistic"])
        if n < 2 or exact is None or given is None:
            return
        self._percent(self.rows["wellbeing_change", "percent_change"], exact, given, shown)
        if t is None or not d_z:
            return
        for term in ("followup - baseline", "d_z", "d_rm", "d_av"):
            record = self.rows["wellbeing_change", term]
            effect = number_of(record["effect_size"])
            if effect is not None:
                record["effect_size"] = effect / d_z * t / math.sqrt(shown)
                if record is not change:
                    record["estimate"] = record["effect_size"]
                _limits(record, effect_intervals.of_mean_change(t, round(shown), effect / d_z))

    def _percent(self, record: Record, exact: float, given: float, shown: float) -> None:
        """The change in percent of the mean at baseline, which it tells beside the change."""
        percent = number_of(record["estimate"])
        if percent:
            baseline = mean_as_given(100.0 * exact / percent, shown, 0.0, self.step)
            record["estimate"] = 100.0 * given / (baseline or 100.0 * exact / percent)

    def _mean(self, record: Record) -> None:
        """A mean with Student's t."""
        n, shown = self._sizes(record)
        mean, error = number_of(record["estimate"]), number_of(record["std_error"])
        if mean is None or error is None or n < 2:
            return
        record["estimate"] = mean_as_given(mean, shown, error * math.sqrt(n), self.step)
        record["std_error"] = error * math.sqrt(n / shown)
        _student(record, record["estimate"], shown - 1)
        if number_of(record["df"]) is not None:
            record["df"] = shown - 1

    def _variance_of_change(self) -> tuple[float, float] | None:
        """F and the mean square within the types, each with its own mean and deviation and the rounded number.

        Kept as it was, F would tell how the people are shared out among the types, whose means are printed.
        """
        groups = []
        for name in UTILIZATION_TYPES:
            record = self.rows["wellbeing_change_group_means", name]
            n, shown = self._sizes(record)
            mean, error = number_of(record["estimate"]), number_of(record["std_error"])
            if n and (mean is None or (n > 1 and error is None)):
                return None
            if n:
                # The standard error is that of the rounded n by now.
                groups.append((shown, mean or 0.0, (error or 0.0) ** 2 * shown))
        total = sum(n for n, _, _ in groups)
        if len(groups) < 2 or total <= len(groups):
            return None
        centre = sum(n * mean for n, mean, _ in groups) / total
        between = sum(n * (mean - centre) ** 2 for n, mean, _ in groups) / (len(groups) - 1)
        within = sum((n - 1) * variance for n, _, variance in groups) / (total - len(groups))
        return (between / within, within) if within > 0 else None

    def _anova(self) -> None:
        record = self.rows["wellbeing_change_by_utilization", "utilization_type"]
        n, _ = self._sizes(record)
        f, df, residual = (number_of(record[name]) for name in ("statistic", "df", "df_residual"))
        parts = self._variance_of_change()
        if f is None or df is None or residual is None or parts is None:
            return
        f, rounded = parts[0], _rounded_df(residual, n, self.base)
        record |= {"statistic": f, "df_residual": rounded, "p_value": distributions.f_p(f, df, rounded)}
        record["effect_size"] = f * df / (f * df + rounded)
        _limits(record, effect_intervals.of_eta_squared(f, df, rounded), effect_intervals.NO_ETA_SQUARED)

    def _tukey(self) -> None:
        """Contrasts of two types, over the residuals of all who screened positive."""
        n = self._n("wellbeing_change", "followup - baseline")
        groups = sum(self._n("wellbeing_change_group_means", name) > 0 for name in UTILIZATION_TYPES)
        parts = self._variance_of_change()
        for contrast in TUKEY_CONTRASTS:
            record = self.rows["wellbeing_change_by_utilization_tukey", " - ".join(contrast)]
            means = [number_of(self.rows["wellbeing_change_group_means", name]["estimate"]) for name in contrast]
            residual = number_of(record["df_residual"])
            if number_of(record["estimate"]) is None or residual is None or parts is None or None in means:
                continue
            estimate = (means[0] or 0.0) - (means[1] or 0.0)
            sizes = [middle(self._n("wellbeing_change_group_means", name), self.base) for name in contrast]
            df = max(_rounded_df(residual, n, self.base), float(studentized_range.MINIMUM_DF))
            error = math.sqrt(parts[1] * sum(1 / size for size in sizes))
            t = estimate / error
            margin = studentized_range.quantile(CONFIDENCE_LEVEL, groups, df) * error / math.sqrt(2.0)
            record |= {"estimate": estimate, "std_error": error, "statistic": t, "df_residual": df}
            record["p_adjusted"] = studentized_range.sf(abs(t) * math.sqrt(2.0), groups, df)
            record["ci_low"], record["ci_high"] = estimate - margin, estimate + margin

    def _coefficient(self, analysis: str, record: Record) -> None:
        n, _ = self._sizes(record)
        estimate, error, df = (number_of(record[name]) for name in ("estimate", "std_error", "df_residual"))
        if estimate is None or error is None or df is None:
            return
        rounded = _rounded_df(df, n, self.base)
        self.residuals[analysis] = df, rounded
        record["std_error"] = error * math.sqrt(df / rounded)
        record["df_residual"] = rounded
        _student(record, estimate, rounded)


def _student(record: Record, estimate: float, df: float) -> None:
    """T, P and limits of an estimate with its standard error, where the row has them."""
    error = record["std_error"]
    margin = distributions.t_quantile(_UPPER, df) * error
    record["ci_low"], record["ci_high"] = estimate - margin, estimate + margin
    if number_of(record["statistic"]) is not None and error > 0:
        record["statistic"] = estimate / error
        record["p_value"] = distributions.t_two_sided_p(record["statistic"], df)


def _limits(record: Record, limits: effect_intervals.Limits, note: str | None = None) -> None:
    """Set the limits of an effect size; without any the note says why."""
    had = number_of(record["effect_size_low"]) is not None
    record["effect_size_low"], record["effect_size_high"] = limits or (None, None)
    if note is not None and had != (limits is not None):
        record["note"] = None if limits else note


def _fit(record: Record, base: int) -> None:
    """F of a step and of its model, with the residual degrees of freedom of the rounded n."""
    n, df, residual = (number_of(record[name]) for name in ("n", "df", "df_residual"))
    r_squared, f = number_of(record["r_squared"]), number_of(record["f_change"])
    if n is None or residual is None or r_squared is None:
        return
    rounded = _rounded_df(residual, n, base)
    record["df_residual"] = rounded
    if f is not None and df:
        record["f_change"] = f * rounded / residual
        record["p_value"] = distributions.f_p(record["f_change"], df, rounded)
    rank = n - 1 - residual
    if number_of(record["model_p_value"]) is not None and rank > 0 and r_squared < 1:
        of_model = r_squared / rank / ((1 - r_squared) / rounded)
        record["model_p_value"] = distributions.f_p(of_model, rank, rounded)


def _line(record: Record, df: float, rounded: float) -> None:
    """Limits of a line and of its slope, whose half widths are t's quantile times a standard error."""
    quantiles = [distributions.t_quantile(_UPPER, each) for each in (df, rounded)]
    wider = quantiles[1] / quantiles[0] * math.sqrt(df / rounded)
    for centre, low, high in (("predicted", "ci_low", "ci_high"), ("slope", "slope_ci_low", "slope_ci_high")):
        value, end = number_of(record[centre]), number_of(record[high])
        if value is not None and end is not None:
            margin = (end - value) * wider
            record[low], record[high] = value - margin, value + margin
