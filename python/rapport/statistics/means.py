"""Tests of means on counts, means, variances and covariances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from rapport.statistics import distributions, effect_intervals, studentized_range
from rapport.statistics.exact import Number, as_fraction, root, signed_root
from rapport.statistics.frequencies import empty_groups_note
from rapport.statistics.result import CONFIDENCE_LEVEL, EQUIVALENCE_LEVEL, TestResult

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
WELCH_ANOVA = TestResult("Welch's one-way analysis of means", statistic_name="F")
EQUIVALENCE = TestResult("Welch's two one-sided tests", estimate_name="mean_difference", statistic_name="t")
INTRACLASS = TestResult("Intraclass correlation ICC(1)", estimate_name="icc", statistic_name="F")
TUKEY_KRAMER = TestResult("Tukey-Kramer test", estimate_name="mean_difference", statistic_name="t")


def _check_moment(name: str, value: Number | None, *, needed: bool) -> None:
    if value is None or math.isnan(value):
        if needed:
            raise ValueError(f"{name} is missing")
    elif math.isinf(value):
        raise ValueError(f"{name} must be finite, got {value}")


def _check_variance(name: str, value: Number | None, *, needed: bool) -> None:
    _check_moment(name, value, needed=needed)
    if value is not None and value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def _check_n(n: int) -> None:
    if n < 0 or n != int(n):
        raise ValueError(f"n must be a whole number, zero or more, got {n}")


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """Count, mean and sample variance of one group; fractions stay exact up to the figures.

    Args:
        n: members.
        mean: their mean; may be missing (``None`` or NaN) for n = 0.
        variance: their sample variance (n − 1); may be missing for n < 2.

    Raises:
        ValueError: n or the variance is negative, or a figure that n calls for is missing or
            infinite.
    """

    n: int
    mean: Number | None = None
    variance: Number | None = None

    def __post_init__(self) -> None:
        """Validate the moments."""
        _check_n(self.n)
        _check_moment("mean", self.mean, needed=self.n >= 1)
        _check_variance("variance", self.variance, needed=self.n >= 2)


@dataclass(frozen=True, slots=True)
class PairedMoments:
    """Moments of two measurements of the same rows and of their change (second − first).

    Fractions stay exact up to the figures. The change has its own mean and variance: in floating point
    its variance would lose digits if computed from the other moments of highly correlated measurements.

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
    first_mean: Number | None = None
    second_mean: Number | None = None
    change_mean: Number | None = None
    first_variance: Number | None = None
    second_variance: Number | None = None
    change_variance: Number | None = None
    covariance: Number | None = None

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
    mean: Fraction
    variance: Fraction
    first_variance: Fraction
    second_variance: Fraction
    covariance: Fraction

    @property
    def non_correlation(self) -> Fraction | None:
        """1 − r, or None where a measurement has no variance."""
        scale = self.first_variance * self.second_variance
        if scale == 0:
            return None
        r = signed_root(self.covariance, self.covariance**2 / scale)
        if r <= 0:
            return 1 - Fraction(r)
        # (1 − r²) / (1 + r) keeps the digits that 1 − r loses near 1.
        return max(Fraction(0), (scale - self.covariance**2) / scale / (1 + Fraction(r)))


def _change(moments: PairedMoments) -> _Change | None:
    """Return the moments that need two rows, or None for fewer rows."""
    if moments.n < 2:
        return None
    return _Change(
        *(
            _fraction(getattr(moments, name))
            for name in ("change_mean", "change_variance", "first_variance", "second_variance", "covariance")
        )
    )


def _fraction(value: Number | None) -> Fraction:
    assert value is not None
    return as_fraction(value)


def _too_few(n: int, needed: int) -> str:
    return "no participants" if n == 0 else f"too few rows: {n}, at least {needed} are needed"


def _rm_standardizer(change: _Change) -> tuple[Fraction | None, str | None]:
    """Return the square of what d_rm divides the mean change by, or why there is no d_rm."""
    if change.variance == 0:
        return None, "no variance of the change"
    non_correlation = change.non_correlation
    if non_correlation is None:
        return None, "no variance of one of the measurements: their correlation is undefined"
    if non_correlation < _PERFECT_CORRELATION:
        return None, "the measurements are perfectly correlated"
    return change.variance / (2 * non_correlation), None


def _effect(change: _Change, n: int, square: Fraction | None) -> tuple[float | None, float | None, float | None]:
    """Return the mean change over the root of ``square``, with its limits."""
    if square is None:
        return None, None, None
    value = signed_root(change.mean, change.mean**2 / square)
    if change.variance == 0:
        return value, None, None
    t = signed_root(change.mean, n * change.mean**2 / change.variance)
    low, high = effect_intervals.of_mean_change(t, n, root(change.variance / square)) or (None, None)
    return value, low, high


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
    square = change.variance / n
    if square == 0 or square < (10.0 * _EPSILON * change.mean) ** 2:
        return report(n=n, note="no variance of the change")
    df = n - 1.0
    estimate, std_error = float(change.mean), root(square)
    t = signed_root(change.mean, change.mean**2 / square)
    margin = distributions.t_quantile(_UPPER_PROBABILITY, df) * std_error
    standardizer, note = _rm_standardizer(change)
    d_rm, low, high = _effect(change, n, standardizer)
    return report(
        n=n,
        estimate=estimate,
        std_error=std_error,
        statistic=t,
        df=df,
        p_value=distributions.t_two_sided_p(t, df),
        ci_low=estimate - margin,
        ci_high=estimate + margin,
        effect_size=d_rm,
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
    squares: dict[str, tuple[Fraction | None, str | None]]
    if change is None:
        note = _too_few(n, 2)
        squares = {"d_z": (None, note), "d_rm": (None, note), "d_av": (None, note)}
    else:
        mean_sd = (Fraction(root(change.first_variance)) + Fraction(root(change.second_variance))) / 2
        squares = {
            "d_z": (change.variance, None) if change.variance > 0 else (None, "no variance of the change"),
            "d_rm": _rm_standardizer(change),
            "d_av": (mean_sd**2, None if change.variance > 0 else "no variance of the change: no interval")
            if mean_sd > 0
            else (None, "no variance of the measurements"),
        }
    results = {}
    for name, (square, why) in squares.items():
        value, low, high = (None, None, None) if change is None else _effect(change, n, square)
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
    if not moments.first_mean:
        return report(n=n, note="the mean of the first measurement is 0")
    return report(n=n, estimate=float(100 * _fraction(moments.change_mean) / as_fraction(moments.first_mean)))


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
        mean = float(_fraction(group.mean))
        std_error = half_width = None
        if group.n > 1:
            std_error = root(_fraction(group.variance) / group.n)
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
    between: Fraction
    within: Fraction
    has_within_variance: bool

    @property
    def df_residual(self) -> float:
        return float(self.n - self.groups)

    @property
    def mean_square_error(self) -> Fraction:
        return self.within / (self.n - self.groups)

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


def _decompose(groups: Sequence[GroupMoments]) -> _Decomposition:
    present = [group for group in groups if group.n > 0]
    n = sum(group.n for group in present)
    if not present:
        return _Decomposition(0, 0, Fraction(0), Fraction(0), has_within_variance=False)
    means = [_fraction(group.mean) for group in present]
    centre = sum((group.n * mean for group, mean in zip(present, means, strict=True)), Fraction(0)) / n
    between = sum((group.n * (mean - centre) ** 2 for group, mean in zip(present, means, strict=True)), Fraction(0))
    within = sum(((group.n - 1) * _fraction(group.variance) for group in present if group.n > 1), Fraction(0))
    # Variances that were given as floats may hold nothing but rounding errors of the means.
    rounding = 10.0 * _EPSILON * max(abs(float(mean)) for mean in means)
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
    f = float(parts.between / (parts.groups - 1) / parts.mean_square_error)
    limits = effect_intervals.of_eta_squared(f, df, parts.df_residual)
    low, high = limits or (None, None)
    return report(
        n=parts.n,
        statistic=f,
        df=df,
        df_residual=parts.df_residual,
        p_value=distributions.f_p(f, df, parts.df_residual),
        effect_size=float(parts.between / (parts.between + parts.within)),
        effect_size_low=low,
        effect_size_high=high,
        note=None if limits else effect_intervals.NO_ETA_SQUARED,
    )


def welch_anova(groups: Mapping[str, GroupMoments]) -> TestResult:
    """Compare the means of k groups without supposing equal variances.

    R: ``oneway.test(value ~ group, var.equal = FALSE)`` (Welch 1951, Biometrika 38, 330–336).

    Args:
        groups: moments by group name, at least two.

    Returns:
        F, df = k − 1, df_residual and P. A note without figures for an empty group, a group of one or a group without
        variance.

    Raises:
        ValueError: fewer than two groups are named.
    """
    if len(groups) < 2:
        raise ValueError(f"at least 2 groups are needed, got {len(groups)}")
    n, k = sum(group.n for group in groups.values()), len(groups)
    report = partial(replace, WELCH_ANOVA, n=n)
    note = _size_fault(groups)
    same = [name for name, group in groups.items() if group.n > 1 and _fraction(group.variance) == 0]
    if note is not None or same:
        return report(note=note or f"no variance in {' and '.join(same)}")
    means = [_fraction(group.mean) for group in groups.values()]
    weights = [group.n / _fraction(group.variance) for group in groups.values()]
    whole = sum(weights, Fraction(0))
    centre = sum((weight * mean for weight, mean in zip(weights, means, strict=True)), Fraction(0)) / whole
    between = sum((weight * (mean - centre) ** 2 for weight, mean in zip(weights, means, strict=True)), Fraction(0))
    spread = sum(
        ((1 - weight / whole) ** 2 / (group.n - 1) for weight, group in zip(weights, groups.values(), strict=True)),
        Fraction(0),
    ) / (k * k - 1)
    f = float(between / ((k - 1) * (1 + 2 * (k - 2) * spread)))
    df, df_residual = k - 1.0, float(1 / (3 * spread))
    return report(statistic=f, df=df, df_residual=df_residual, p_value=distributions.f_p(f, df, df_residual))


def _size_fault(groups: Mapping[str, GroupMoments]) -> str | None:
    """Return why groups have no variances of their own, if so."""
    empty = [name for name, group in groups.items() if group.n == 0]
    if empty:
        return empty_groups_note(empty)
    single = [name for name, group in groups.items() if group.n < 2]
    if single:
        return f"too few rows: one participant in {' and '.join(single)}"
    return None


def welch_equivalence(
    first: GroupMoments,
    second: GroupMoments,
    margin: Number,
    names: tuple[str, str] = ("first", "second"),
) -> TestResult:
    """Test whether two means differ by less than a margin: two one-sided t tests with Welch's degrees of freedom.

    Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657–680; each test is R's
    ``t.test(mu = ∓margin, alternative = "greater" / "less")``. P is the larger of the two, and below .05 exactly when
    the 90% interval lies within the margins.

    Args:
        first: moments of the first group.
        second: moments of the second group.
        margin: the largest difference that does not matter, in the unit of the means.
        names: what the groups are called in a note.

    Returns:
        The difference of the means (first − second), its standard error, the t whose P is larger, df_residual, P and
        the 90% limits. A note without figures for an empty group or a group of one, or where neither has variance.

    Raises:
        ValueError: the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"margin must be positive, got {margin}")
    report = partial(replace, EQUIVALENCE, n=first.n + second.n)
    groups = dict(zip(names, (first, second), strict=True))
    note = _size_fault(groups)
    if note is not None:
        return report(note=note)
    shares = [_fraction(group.variance) / group.n for group in (first, second)]
    square = shares[0] + shares[1]
    if square == 0:
        return report(note="no variance within the groups")
    df = float(square**2 / (shares[0] ** 2 / (first.n - 1) + shares[1] ** 2 / (second.n - 1)))
    difference = _fraction(first.mean) - _fraction(second.mean)
    estimate, std_error = float(difference), root(square)
    above, below = (
        signed_root(distance, distance**2 / square)
        for distance in (difference + as_fraction(margin), difference - as_fraction(margin))
    )
    p_above, p_below = distributions.t_upper_p(above, df), distributions.t_upper_p(-below, df)
    half_width = distributions.t_quantile(1.0 - EQUIVALENCE_LEVEL, df) * std_error
    return report(
        estimate=estimate,
        std_error=std_error,
        statistic=above if p_above >= p_below else below,
        df_residual=df,
        p_value=max(p_above, p_below),
        ci_low=estimate - half_width,
        ci_high=estimate + half_width,
    )


def intraclass_correlation(
    n: int, groups: int, squared_sizes: int, between: Number, within: Number, total_square: Number
) -> TestResult:
    """Estimate how alike the members of a group are: ICC(1) of a one-way analysis of variance.

    (MSB − MSW) / (MSB + (n₀ − 1) MSW) with n₀ = (N − Σ n_g² / N) / (G − 1) for groups of unequal size (Shrout & Fleiss
    1979, Psychological Bulletin 86, 420–428; Snedecor & Cochran 1989, Statistical Methods, section 13.6). F is that of
    R's ``aov``.

    Args:
        n: members of all groups.
        groups: number of groups with members.
        squared_sizes: sum of the squared sizes of the groups.
        between: sum of squares between the groups.
        within: sum of squares within the groups.
        total_square: sum of the squared values, by which the others are known to be rounding errors.

    Returns:
        ICC(1), F, df = G − 1, df_residual = N − G and P. A note without figures for fewer than two groups, groups of
        one member each, or no variance within the groups.
    """
    report = partial(replace, INTRACLASS, n=n)
    if groups < 2:
        return report(note="no participants" if n == 0 else "only one group")
    if n <= groups:
        return report(note="every group has one member")
    least = Fraction(1, 10**20) * as_fraction(total_square)
    if as_fraction(within) <= least:
        return report(note="no variance within the groups")
    df, df_residual = groups - 1, n - groups
    mean_between, mean_within = as_fraction(between) / df, as_fraction(within) / df_residual
    size = (n - Fraction(squared_sizes, n)) / df
    f = float(mean_between / mean_within)
    return report(
        estimate=float((mean_between - mean_within) / (mean_between + (size - 1) * mean_within)),
        statistic=f,
        df=float(df),
        df_residual=float(df_residual),
        p_value=distributions.f_p(f, df, df_residual),
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
        difference = _fraction(first.mean) - _fraction(second.mean)
        square = parts.mean_square_error * (Fraction(1, first.n) + Fraction(1, second.n))
        estimate, std_error = float(difference), root(square)
        t = signed_root(difference, difference**2 / square)
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
