"""Tests of means on counts, means, variances and covariances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rapport.statistics import distributions, effect_intervals, studentized_range
from rapport.statistics.frequencies import empty_groups_note
from rapport.statistics.result import CONFIDENCE_LEVEL, TestResult

_EPSILON = float(np.finfo(np.float64).eps)
_UPPER_PROBABILITY = (1.0 + CONFIDENCE_LEVEL) / 2.0
_PERFECT_CORRELATION = 1e-12

PAIRED_T = TestResult("Paired t test", estimate_name="mean_difference", statistic_name="t", effect_size_name="d_rm")
STANDARDIZED_CHANGES = {
    name: TestResult("Standardized mean change", estimate_name=name, effect_size_name=name)
    for name in ("d_z", "d_rm", "d_av")
}
PERCENT_CHANGE = TestResult("Percent change of the mean", estimate_name="percent_change")
GROUP_MEAN = TestResult("Mean with Student's t interval", estimate_name="mean")
ONE_WAY_ANOVA = TestResult("One-way analysis of variance", statistic_name="F", effect_size_name="eta_squared")
TUKEY_KRAMER = TestResult("Tukey-Kramer test", estimate_name="mean_difference", statistic_name="t")


def _check_moment(name: str, value: float | None, *, needed: bool) -> None:
    if value is None or math.isnan(value):
        if needed:
            raise ValueError(f"{name} is missing")
    elif math.isinf(value):
        raise ValueError(f"{name} must be finite, got {value}")


def _check_variance(name: str, value: float | None, *, needed: bool) -> None:
    _check_moment(name, value, needed=needed)
    if value is not None and value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def _check_n(n: int) -> None:
    if n < 0 or n != int(n):
        raise ValueError(f"n must be a whole number, zero or more, got {n}")


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """Count, mean and sample variance of one group.

    Args:
        n: members.
        mean: their mean; may be missing (``None`` or NaN) for n = 0.
        variance: their sample variance (n − 1); may be missing for n < 2.

    Raises:
        ValueError: n or the variance is negative, or a figure that n calls for is missing or
            infinite.
    """

    n: int
    mean: float | None = None
    variance: float | None = None

    def __post_init__(self) -> None:
        """Validate the moments."""
        _check_n(self.n)
        _check_moment("mean", self.mean, needed=self.n >= 1)
        _check_variance("variance", self.variance, needed=self.n >= 2)


@dataclass(frozen=True, slots=True)
class PairedMoments:
    """Moments of two measurements of the same rows and of their change (second − first).

    The change has its own mean and variance because computing its variance from the other
    moments would lose digits when the measurements are highly correlated.

    Args:
        n: rows with both measurements.
        first_mean: mean of the first measurement.
        second_mean: mean of the second measurement.
        change_mean: mean of second − first.
        first_variance: sample variance (n − 1) of the first measurement.
        second_variance: sample variance of the second measurement.
        change_variance: sample variance of second − first.
        covariance: sample covariance of the two measurements.

    Raises:
        ValueError: n or a variance is negative, or a figure is missing (means for n ≥ 1,
            variances and covariance for n ≥ 2) or infinite.
    """

    n: int
    first_mean: float | None = None
    second_mean: float | None = None
    change_mean: float | None = None
    first_variance: float | None = None
    second_variance: float | None = None
    change_variance: float | None = None
    covariance: float | None = None

    def __post_init__(self) -> None:
        """Validate the moments."""
        _check_n(self.n)
        for name in ("first_mean", "second_mean", "change_mean"):
            _check_moment(name, getattr(self, name), needed=self.n >= 1)
        for name in ("first_variance", "second_variance", "change_variance"):
            _check_variance(name, getattr(self, name), needed=self.n >= 2)
        _check_moment("covariance", self.covariance, needed=self.n >= 2)


@dataclass(frozen=True, slots=True)
class _Change:
    mean: float
    variance: float
    first_variance: float
    second_variance: float
    covariance: float

    @property
    def sd(self) -> float:
        return math.sqrt(self.variance)

    @property
    def non_correlation(self) -> float | None:
        """1 − r, or None where a measurement has no variance."""
        scale = math.sqrt(self.first_variance) * math.sqrt(self.second_variance)
        return max(0.0, 1.0 - self.covariance / scale) if scale > 0 else None


def _change(moments: PairedMoments) -> _Change | None:
    """Return the moments that need two rows, or None for fewer rows."""
    if moments.n < 2:
        return None
    assert moments.change_mean is not None
    assert moments.change_variance is not None
    assert moments.first_variance is not None
    assert moments.second_variance is not None
    assert moments.covariance is not None
    return _Change(
        moments.change_mean,
        moments.change_variance,
        moments.first_variance,
        moments.second_variance,
        moments.covariance,
    )


def _too_few(n: int, needed: int) -> str:
    return "no participants" if n == 0 else f"too few rows: {n}, at least {needed} are needed"


def _rm_standardizer(change: _Change) -> tuple[float | None, str | None]:
    """Return what d_rm divides the mean change by, or why there is no d_rm."""
    if change.sd == 0:
        return None, "no variance of the change"
    non_correlation = change.non_correlation
    if non_correlation is None:
        return None, "no variance of one of the measurements: their correlation is undefined"
    if non_correlation < _PERFECT_CORRELATION:
        return None, "the measurements are perfectly correlated"
    return change.sd / math.sqrt(2.0 * non_correlation), None


def _limits(change: _Change, n: int, standardizer: float | None) -> tuple[float | None, float | None]:
    if standardizer is None or change.sd == 0:
        return None, None
    t = change.mean / change.sd * math.sqrt(n)
    return effect_intervals.of_mean_change(t, n, change.sd / standardizer) or (None, None)


def paired_t(moments: PairedMoments) -> TestResult:
    """Test a change by the t test for paired samples.

    R: ``t.test(second, first, paired = TRUE)``, with its 95% confidence interval and its rule
    that a standard error below 10 machine epsilons of the mean is no variance. The effect size
    is d_rm, see ``paired_effect_sizes``.

    Args:
        moments: moments of the two measurements and of their change.

    Returns:
        Mean change, standard error, t, df = n − 1, P, limits and d_rm. A note without figures
        for n < 2 or for a change without variance; a note and no effect size where d_rm is
        undefined.
    """
    n = moments.n
    report = partial(replace, PAIRED_T)
    change = _change(moments)
    if change is None:
        return report(n=n, note=_too_few(n, 2))
    std_error = change.sd / math.sqrt(n)
    if std_error == 0 or std_error < 10.0 * _EPSILON * abs(change.mean):
        return report(n=n, note="no variance of the change")
    df = n - 1.0
    t = change.mean / std_error
    margin = distributions.t_quantile(_UPPER_PROBABILITY, df) * std_error
    standardizer, note = _rm_standardizer(change)
    low, high = _limits(change, n, standardizer)
    return report(
        n=n,
        estimate=change.mean,
        std_error=std_error,
        statistic=t,
        df=df,
        p_value=distributions.t_two_sided_p(t, df),
        ci_low=change.mean - margin,
        ci_high=change.mean + margin,
        effect_size=None if standardizer is None else change.mean / standardizer,
        effect_size_low=low,
        effect_size_high=high,
        note=None if note is None else f"effect size: {note}",
    )


def paired_effect_sizes(moments: PairedMoments) -> dict[str, TestResult]:
    """Return the standardized mean changes d_z, d_rm and d_av.

    - d_z = mean change / SD of the change
    - d_rm = mean change / (SD of the change / √(2 (1 − r)))
    - d_av = mean change / mean of the two SDs

    Lakens (2013), Frontiers in Psychology 4, 863, equations 6, 9 and 10; d_rm follows Morris &
    DeShon (2002), Psychological Methods 7, 105–125.

    Args:
        moments: moments of the two measurements and of their change.

    Returns:
        A result each for ``d_z``, ``d_rm`` and ``d_av``, whose estimate and effect size are the
        value; a note without figures where it is undefined.
    """
    n = moments.n
    change = _change(moments)
    standardizers: dict[str, tuple[float | None, str | None]]
    if change is None:
        note = _too_few(n, 2)
        standardizers = {"d_z": (None, note), "d_rm": (None, note), "d_av": (None, note)}
    else:
        mean_sd = (math.sqrt(change.first_variance) + math.sqrt(change.second_variance)) / 2.0
        standardizers = {
            "d_z": (change.sd, None) if change.sd > 0 else (None, "no variance of the change"),
            "d_rm": _rm_standardizer(change),
            "d_av": (mean_sd, None) if mean_sd > 0 else (None, "no variance of the measurements"),
        }
    results = {}
    for name, (standardizer, why) in standardizers.items():
        low = high = value = None
        if change is not None and standardizer is not None:
            value = change.mean / standardizer
            low, high = _limits(change, n, standardizer)
        results[name] = replace(
            STANDARDIZED_CHANGES[name],
            n=n,
            estimate=value,
            effect_size=value,
            effect_size_low=low,
            effect_size_high=high,
            note=why,
        )
    return results


def percent_change(moments: PairedMoments) -> TestResult:
    """Return the mean change in percent of the first measurement's mean.

    Args:
        moments: moments of the two measurements and of their change.

    Returns:
        100 × mean change / first mean; a note without figures for n = 0 or a first mean of 0.
    """
    n = moments.n
    report = partial(replace, PERCENT_CHANGE)
    if n == 0:
        return report(n=n, note=_too_few(n, 1))
    assert moments.change_mean is not None
    if not moments.first_mean:
        return report(n=n, note="the mean of the first measurement is 0")
    return report(n=n, estimate=100.0 * moments.change_mean / moments.first_mean)


def group_means(groups: Mapping[str, GroupMoments]) -> dict[str, TestResult]:
    """Return the mean of each group with its 95% confidence interval.

    Args:
        groups: moments by group name.

    Returns:
        A result by group name, with a note for an empty group; a group of one has a mean but no interval.

    Reference: Student's t interval, as R's ``t.test(x)$conf.int``.
    """
    results = {}
    for name, group in groups.items():
        if group.n == 0:
            results[name] = replace(GROUP_MEAN, n=0, note=empty_groups_note([name]))
            continue
        mean = _mean(group)
        std_error = half_width = None
        if group.n > 1 and group.variance is not None:
            std_error = math.sqrt(group.variance / group.n)
            half_width = distributions.t_quantile(_UPPER_PROBABILITY, group.n - 1) * std_error
        results[name] = replace(
            GROUP_MEAN,
            n=group.n,
            estimate=mean,
            std_error=std_error,
            ci_low=None if half_width is None else mean - half_width,
            ci_high=None if half_width is None else mean + half_width,
        )
    return results


@dataclass(frozen=True, slots=True)
class _Decomposition:
    """Sums of squares between and within the groups that have members."""

    n: int
    groups: int
    between: float
    within: float
    has_within_variance: bool

    @property
    def df_residual(self) -> float:
        return float(self.n - self.groups)

    @property
    def mean_square_error(self) -> float:
        return self.within / self.df_residual

    @property
    def fault(self) -> str | None:
        """Why no test is possible, if so."""
        if self.groups < 2:
            return "fewer than two groups have participants"
        if self.df_residual < 1:
            return f"too few rows: {self.n} in {self.groups} groups"
        if not self.has_within_variance:
            return "no variance within the groups"
        return None


def _mean(group: GroupMoments) -> float:
    assert group.mean is not None
    return group.mean


def _decompose(groups: Sequence[GroupMoments]) -> _Decomposition:
    present = [group for group in groups if group.n > 0]
    n = sum(group.n for group in present)
    if not present:
        return _Decomposition(0, 0, 0.0, 0.0, has_within_variance=False)
    # Deviations from one of the means keep the digits that large means would swallow.
    origin = _mean(present[0])
    deviations = [_mean(group) - origin for group in present]
    centre = math.fsum(group.n * d for group, d in zip(present, deviations, strict=True)) / n
    between = math.fsum(group.n * (d - centre) ** 2 for group, d in zip(present, deviations, strict=True))
    within = math.fsum(
        (group.n - 1) * group.variance for group in present if group.n > 1 and group.variance is not None
    )
    rounding = 10.0 * _EPSILON * max(abs(_mean(group)) for group in present)
    return _Decomposition(n, len(present), between, within, within > n * rounding**2)


def one_way_anova(groups: Mapping[str, GroupMoments]) -> TestResult:
    """Compare the means of k groups by a one-way analysis of variance.

    R: ``aov(value ~ group)``; a group with one member takes part. The effect size is
    η² = between-groups / total sum of squares.

    Args:
        groups: moments by group name, at least two.

    Returns:
        F, df = k − 1, df_residual = n − k, P and η² with 90% limits. A note without figures for an empty
        group, too few rows or no variance within the groups; a note and no limits for an η² that none are in
        keeping with.

    Raises:
        ValueError: fewer than two groups are named.
    """
    if len(groups) < 2:
        raise ValueError(f"at least 2 groups are needed, got {len(groups)}")
    parts = _decompose(list(groups.values()))
    report = partial(replace, ONE_WAY_ANOVA)
    empty = [name for name, group in groups.items() if group.n == 0]
    note = empty_groups_note(empty) if empty else parts.fault
    if note is not None:
        return report(n=parts.n, note=note)
    df = parts.groups - 1.0
    f = parts.between / df / parts.mean_square_error
    limits = effect_intervals.of_eta_squared(f, df, parts.df_residual)
    low, high = limits or (None, None)
    return report(
        n=parts.n,
        statistic=f,
        df=df,
        df_residual=parts.df_residual,
        p_value=distributions.f_p(f, df, parts.df_residual),
        effect_size=parts.between / (parts.between + parts.within),
        effect_size_low=low,
        effect_size_high=high,
        note=None if limits else effect_intervals.NO_ETA_SQUARED,
    )


def tukey_kramer(
    groups: Mapping[str, GroupMoments], contrasts: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], TestResult]:
    """Compare pairs of means after a one-way analysis of variance.

    Tukey–Kramer as R's ``TukeyHSD(aov(value ~ group))``, over the groups that have members:
    P and the 95% limits come from the studentized range and hold for all contrasts together
    (Kramer 1956, Biometrics 12, 307–310). t is the estimate over its standard error
    √(MSE (1/nᵢ + 1/nⱼ)), the studentized range statistic over √2.

    Args:
        groups: moments by group name.
        contrasts: pairs of group names; the estimate is the first minus the second.

    Returns:
        A result per contrast, n being the members of its two groups. A note without figures
        for a contrast with an empty group, fewer than 2 residual degrees of freedom or no
        variance within the groups.

    Raises:
        ValueError: a contrast names an unknown group.
    """
    for contrast in contrasts:
        for name in contrast:
            if name not in groups:
                raise ValueError(f"contrast of an unknown group: {name}")
    report = partial(replace, TUKEY_KRAMER)
    parts = _decompose(list(groups.values()))
    fault = parts.fault
    if fault is None and parts.df_residual < studentized_range.MINIMUM_DF:
        fault = "too few rows: the studentized range needs 2 residual degrees of freedom"
    critical = (
        studentized_range.quantile(CONFIDENCE_LEVEL, parts.groups, parts.df_residual) if fault is None else math.nan
    )
    results = {}
    for contrast in contrasts:
        first, second = (groups[name] for name in contrast)
        n = first.n + second.n
        empty = [name for name in contrast if groups[name].n == 0]
        note = empty_groups_note(empty) if empty else fault
        if note is not None:
            results[contrast] = report(n=n, note=note)
            continue
        estimate = _mean(first) - _mean(second)
        std_error = math.sqrt(parts.mean_square_error * (1.0 / first.n + 1.0 / second.n))
        t = estimate / std_error
        margin = critical * std_error / math.sqrt(2.0)
        results[contrast] = report(
            n=n,
            estimate=estimate,
            std_error=std_error,
            statistic=t,
            df_residual=parts.df_residual,
            p_adjusted=studentized_range.sf(abs(t) * math.sqrt(2.0), parts.groups, parts.df_residual),
            ci_low=estimate - margin,
            ci_high=estimate + margin,
        )
    return results
