"""Checks on counts, Table 1 and the days of the study."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reproduction.consistency import rules
from reproduction.consistency.check import (
    COLUMNS,
    DAY_COUNTS,
    GROUPS,
    MEASURED,
    RANGED,
    SEXES,
    Check,
    columns_of,
    compare,
    group_sizes,
    intervals,
    labels,
    outcome,
    points,
    show,
    span,
    state,
)
from reproduction.consistency.figures import Figure, Figures, Interval


def percentages(f: Figures) -> Iterator[Check]:
    """Printed percentages against their counts."""
    cases: list[tuple[str, str, str]] = []
    for column in COLUMNS:
        for stem in (*SEXES, "screened_positive"):
            cases.append(
                (
                    f"t1_{stem}_n_{column}",
                    f"t1_participants_n_{column}",
                    f"t1_{stem}_percent_{column}",
                )
            )
    for stem in SEXES:
        cases.append((f"res_{stem}_n", f"res_{stem}_denominator", f"res_{stem}_percent"))
    cases.append(("t1_female_n_total", "abs_n_participants", "abs_female_percent"))
    for section in ("abs", "res"):
        for stem in (*GROUPS, "recovery", "improvement"):
            cases.append(
                (
                    f"{section}_{stem}_n",
                    f"{section}_{stem}_denominator",
                    f"{section}_{stem}_percent",
                )
            )
    for stem in ("recovery", "improvement"):
        cases.append((f"res_{stem}_n", f"res_{stem}_denominator", f"dis_{stem}_percent"))
    for count_id, total_id, percent_id in cases:
        count, total, target = f[count_id], f[total_id], f[percent_id]
        share = rules.percent(count.count, total.count)
        cut = math.floor(share * 10**target.decimals) / 10**target.decimals
        fault = "it is the share cut off instead of rounded" if cut == target.value else ""
        yield compare(
            "percentage",
            (count, total),
            share,
            Interval.point(share),
            target,
            f"{count.count} of {total.count}",
            fault=fault,
        )
    for column in COLUMNS:
        pair = [f[f"t1_{side}_n_{column}"] for side in ("within_usa", "outside_usa")]
        known = sum(figure.count for figure in pair)
        for figure in pair:
            target = f[figure.figure_id.replace("_n_", "_percent_")]
            share = rules.percent(figure.count, known)
            yield compare(
                "percentage_of_known",
                pair,
                share,
                Interval.point(share),
                target,
                f"{figure.count} of the {known} whose country is known",
            )


def percentage_sums(f: Figures) -> Iterator[Check]:
    """Percentages of exclusive groups against 100."""
    families = [[f[f"t1_{sex}_percent_{column}"] for sex in SEXES] for column in COLUMNS]
    families += [[f[f"t1_{side}_percent_{column}"] for side in ("within_usa", "outside_usa")] for column in COLUMNS]
    families += [[f[f"res_{sex}_percent"] for sex in SEXES]]
    families += [[f[f"{section}_{group}_percent"] for group in GROUPS] for section in ("abs", "res")]
    for parts in families:
        total = Interval.point(0.0)
        for part in parts:
            total = total + part.interval
        central = sum(part.value for part in parts)
        exact = abs(central - 100.0) < 1e-6
        yield state(
            "percentage_sum",
            parts,
            span(central, total),
            "100%",
            outcome(exact, total.overlaps(Interval.point(100.0))),
            "The percentages add up to 100",
            "The percentages cannot add up to 100",
            "The percentages add up to 100 but for rounding",
        )


def totals(f: Figures) -> Iterator[Check]:
    """Counts of the groups against the printed total, and of the sexes against their column."""
    for stem in ("participants", *SEXES, "within_usa", "outside_usa", "screened_positive"):
        parts = columns_of(f, f"t1_{stem}_n")
        total = float(sum(part.count for part in parts))
        yield compare(
            "total_of_groups",
            parts,
            total,
            Interval.point(total),
            f[f"t1_{stem}_n_total"],
            "The sum of the three groups",
            exact=True,
        )
    for column in COLUMNS:
        parts = [f[f"t1_{sex}_n_{column}"] for sex in SEXES]
        total = float(sum(part.count for part in parts))
        yield compare(
            "total_of_sexes",
            parts,
            total,
            Interval.point(total),
            f[f"t1_participants_n_{column}"],
            "The sum of female, male and missing",
            exact=True,
        )


def sample_sizes(f: Figures) -> Iterator[Check]:
    """How the printed sample sizes follow from one another."""
    unknown = {
        column: f[f"t1_participants_n_{column}"].count
        - f[f"t1_within_usa_n_{column}"].count
        - f[f"t1_outside_usa_n_{column}"].count
        for column in COLUMNS
    }
    figures = [
        f[f"t1_{stem}_n_{column}"] for stem in ("participants", "within_usa", "outside_usa") for column in COLUMNS
    ]
    parts = " + ".join(str(unknown[group]) for group in GROUPS)
    yield state(
        "country_unknown",
        figures,
        f"{parts} unknown in the groups",
        f"{unknown['total']} unknown in all",
        min(unknown.values()) >= 0 and sum(unknown[g] for g in GROUPS) == unknown["total"],
        f"Country is unknown for {unknown['total']} participants, in the groups as in all",
        "The numbers of participants without a country do not add up",
    )
    assessed, rated = f["res_n_assessed"], f["res_n_rated"]
    kept = rules.percent(rated.count, assessed.count)
    yield state(
        "eligibility",
        (assessed, rated),
        f"{kept:.1f}% of those assessed were rated",
        labels((assessed, rated)),
        rated.count <= assessed.count and rated.count == f["t1_participants_n_total"].count,
        f"The rated sample is a part of those assessed ({kept:.1f}%) and the total of Table 1",
        "The rated sample is not a part of those assessed, or not the total of Table 1",
    )
    screened = f["t1_screened_positive_n_total"]
    fitted, missing = f["t2_n"], f["t1_sex_missing_n_total"]
    lost = screened.count - fitted.count
    yield state(
        "regression_sample",
        (screened, fitted, missing),
        f"{lost} of {screened.count} left out",
        fitted.label,
        0 <= lost <= min(missing.count, screened.count),
        f"The regression leaves out {lost} of the {screened.count} screened positive, no more than "
        f"have no sex recorded in the whole sample ({missing.count})",
        "The regression leaves out more participants than have no sex recorded",
    )
    for section in ("abs", "res"):
        for stem in ("recovery", "improvement"):
            figure = f[f"{section}_{stem}_denominator"]
            yield compare(
                "denominator",
                (screened,),
                screened.value,
                screened.exact,
                figure,
                "The number screened positive",
                exact=True,
            )
    df, df_residual = f["res_change_anova_df"], f["res_change_anova_df_residual"]
    groups = columns_of(f, "t1_screened_positive_n")
    n = sum(group.count for group in groups)
    for target, value, what in (
        (df, len(groups) - 1, "The number of groups less one"),
        (df_residual, n - len(groups), "The number screened positive less the number of groups"),
    ):
        yield compare("anova_df", groups, float(value), Interval.point(value), target, what, exact=True)


def scales(f: Figures) -> Iterator[Check]:
    """Scale ranges against item counts, item ranges and the multiplier."""
    items, factor = f["met_who5_item_count"], f["met_who5_multiplier"]
    for end in ("min", "max"):
        item = f[f"met_who5_item_{end}"]
        value = items.value * item.value * factor.value
        yield compare(
            "scale_range",
            (items, item, factor),
            value,
            Interval.point(value),
            f[f"met_who5_score_{end}"],
            "Items × answer × multiplier",
            exact=True,
        )
    low, high, levels = f["met_who5_item_min"], f["met_who5_item_max"], f["met_who5_item_levels"]
    value = high.value - low.value + 1.0
    yield compare(
        "scale_points",
        (low, high),
        value,
        Interval.point(value),
        levels,
        "The number of answers from lowest to highest",
        exact=True,
    )


def thresholds(f: Figures) -> Iterator[Check]:
    """Printed minima and maxima against the limits that the methods set."""
    cases: list[tuple[Figure, Figure, float, str]] = []
    cases.append((f["res_age_min"], f["met_min_age"], 1.0, "at least"))
    for column in COLUMNS:
        cases += [
            (f[f"t1_follow_up_days_min_{column}"], f["met_min_followup_days"], 1.0, "at least"),
            (
                f[f"t1_total_sessions_min_{column}"],
                f["met_min_sessions"],
                2.0 if column == "both" else 1.0,
                "at least",
            ),
            (f[f"t1_alliance_min_{column}"], f["met_alliance_item_min"], 1.0, "at least"),
            (f[f"t1_alliance_max_{column}"], f["met_alliance_item_max"], 1.0, "at most"),
        ]
    said, defined = f["dis_change_both"], f["met_improvement_points"]
    yield compare(
        "threshold",
        (defined,),
        defined.value,
        defined.exact,
        said,
        "The limit of clinical improvement",
        exact=True,
    )
    for figure, limit, times, side in cases:
        bound = limit.value * times
        kept = figure.value >= bound if side == "at least" else figure.value <= bound
        yield state(
            "threshold",
            (limit, figure),
            f"{side} {show(bound)}",
            figure.label,
            kept,
            f"The printed extreme keeps the limit of {side} {show(bound)}",
            f"The printed extreme breaks the limit of {side} {show(bound)}",
        )


def extremes_and_medians(f: Figures) -> Iterator[Check]:
    """Minimum and maximum of the total are those of the groups; its median lies between theirs."""
    for stem in RANGED:
        for end, pick in (("min", min), ("max", max)):
            parts = columns_of(f, f"t1_{stem}_{end}")
            value = pick(part.value for part in parts)
            yield compare(
                "extreme_of_groups",
                parts,
                value,
                Interval.point(value),
                f[f"t1_{stem}_{end}_total"],
                f"The {end}imum of the groups",
                exact=True,
            )
    families = [(columns_of(f, f"t1_{stem}_median"), f[f"t1_{stem}_median_total"]) for stem in RANGED]
    for pair in (("within_usa", "outside_usa"), ("screened_positive", "screened_negative")):
        families.append(([f[f"res_alliance_median_{name}"] for name in pair], f["res_alliance_median"]))
    for parts, total in families:
        band = Interval(min(part.interval.low for part in parts), max(part.interval.high for part in parts))
        centre = Interval(min(part.value for part in parts), max(part.value for part in parts))
        inside = centre.low <= total.value <= centre.high
        met = band.overlaps(total.interval)
        yield state(
            "median_between_groups",
            parts,
            f"{show(centre.low)} to {show(centre.high)}",
            total.label,
            outcome(inside, met),
            "The median of all lies between those of the groups",
            "The median of all lies outside those of the groups, which cannot be",
        )


def combined_moments(f: Figures) -> Iterator[Check]:
    """Means and SDs of the total from those of the groups."""
    sizes = group_sizes(f)
    for stem in MEASURED:
        means, sds = columns_of(f, f"t1_{stem}_mean"), columns_of(f, f"t1_{stem}_sd")
        counts = columns_of(f, "t1_participants_n")
        yield compare(
            "mean_of_groups",
            (*means, *counts),
            rules.combined_mean(points(means), sizes).mid,
            rules.combined_mean(intervals(means), sizes),
            f[f"t1_{stem}_mean_total"],
            "The mean of the groups weighted by their sizes",
        )
        yield compare(
            "sd_of_groups",
            (*means, *sds, *counts),
            rules.combined_sd(points(means), points(sds), sizes).mid,
            rules.combined_sd(intervals(means), intervals(sds), sizes),
            f[f"t1_{stem}_sd_total"],
            "The SD from the spread within and between the groups",
        )
    means, counts = columns_of(f, "res_change"), columns_of(f, "t1_screened_positive_n")
    sizes = [count.count for count in counts]
    yield compare(
        "mean_of_groups",
        (*means, *counts),
        rules.combined_mean(points(means), sizes).mid,
        rules.combined_mean(intervals(means), sizes),
        f["res_followup_change"],
        "The mean change of the groups weighted by their sizes",
    )


def distribution_bounds(f: Figures) -> Iterator[Check]:
    """Mean, median and SD against the printed range (and mean and median against the SD)."""
    cases: list[tuple[list[Figure], int]] = []
    for column, size in zip(COLUMNS, [*group_sizes(f), f["t1_participants_n_total"].count], strict=True):
        for stem in RANGED:
            names = ("mean", "sd", "min", "max", "median")
            cases.append(([f[f"t1_{stem}_{name}_{column}"] for name in names], size))
    age = [f["res_age_mean"], f["res_age_sd"], f["res_age_min"], f["res_age_max"]]
    cases.append((age, f["t1_participants_n_total"].count))
    for figures, size in cases:
        mean, sd, low, high = figures[:4]
        bound = rules.largest_sd(mean.interval, low.value, high.value, size).high
        kept = low.value <= mean.interval.high and mean.interval.low <= high.value
        kept = kept and sd.interval.low <= bound
        for median in figures[4:]:
            gap = (median.interval - mean.interval).magnitude()
            kept = kept and low.value <= median.value <= high.value and gap.low <= sd.interval.high
        yield state(
            "moments_within_range",
            figures,
            f"SD at most {show(bound)}; mean and median within the range and one SD",
            labels(figures[:2]),
            kept,
            "Mean, median and SD are possible within the printed range",
            "No values within the printed range have this mean, median and SD",
        )


def integer_means(f: Figures) -> Iterator[Check]:
    """GRIM and GRIMMER for means and SDs of whole numbers."""
    counts = columns_of(f, "t1_participants_n", COLUMNS)
    for stem in ("age", *DAY_COUNTS):
        for column, count in zip(COLUMNS, counts, strict=True):
            mean, sd = f[f"t1_{stem}_mean_{column}"], f[f"t1_{stem}_sd_{column}"]
            found = rules.integer_totals(mean.interval, count.count)
            trivial = not rules.grim_has_power(count.count, mean.decimals)
            power = ", as every mean with so few decimals is at this size" if trivial else ""
            yield state(
                "grim",
                (count,),
                f"{len(found)} totals",
                mean.label,
                len(found) > 0,
                f"The mean is one of {count.count} whole numbers{power}",
                f"No {count.count} whole numbers have this mean",
            )
            possible = rules.grimmer(mean.interval, sd.interval, count.count)
            yield state(
                "grimmer",
                (mean, count),
                "some totals and sums of squares" if possible else "none",
                sd.label,
                possible,
                f"Some {count.count} whole numbers have this mean and SD",
                f"No {count.count} whole numbers have this mean and SD",
            )


def change_totals(f: Figures) -> Iterator[Check]:
    """GRIM for the mean changes, which are means of multiples of the WHO-5 multiplier."""
    unit = f["met_who5_multiplier"]
    changes = [*columns_of(f, "res_change"), f["res_followup_change"]]
    sizes = columns_of(f, "t1_screened_positive_n", COLUMNS)
    found = [
        rules.integer_totals(mean.interval, size.count, unit.count) for mean, size in zip(changes, sizes, strict=True)
    ]
    written = ["/".join(str(total * unit.count) for total in totals) or "none" for totals in found]
    for mean, size, totals, text in zip(changes, sizes, found, written, strict=True):
        yield state(
            "grim",
            (size, unit),
            f"total {text}",
            mean.label,
            len(totals) > 0,
            f"The mean is one of {size.count} changes in steps of {unit.count} points",
            f"No {size.count} changes in steps of {unit.count} points have this mean",
        )
    met = all(found)
    if met:
        low = sum(totals[0] for totals in found[:-1])
        high = sum(totals[-1] for totals in found[:-1])
        met = low <= found[-1][-1] and found[-1][0] <= high
    yield state(
        "grim_total",
        (*changes[:-1], *sizes, unit),
        "totals " + " + ".join(written[:-1]),
        f"{changes[-1].label}, total {written[-1]}",
        met,
        "The total changes of the groups add up to one that the overall mean admits",
        "No total changes of the groups add up to one that the overall mean admits",
    )


def skew_direction(f: Figures) -> Iterator[Check]:
    """The wording "strongly positively skewed" against mean, SD and the end of the scale."""
    mean, sd = f["res_alliance_mean"], f["res_alliance_sd"]
    end, median = f["t1_alliance_max_total"], f["res_alliance_median"]
    n = f["t1_participants_n_total"]
    divisor = math.sqrt((n.count - 1) / n.count)
    central = rules.largest_skewness(mean.exact, sd.exact.scaled(divisor), end.value).mid
    bound = rules.largest_skewness(mean.interval, sd.interval.scaled(divisor), end.value)
    below = mean.interval.high < median.interval.low
    order = f" (their mean lies below their median of {median.printed})" if below else ""
    yield state(
        "skew_direction",
        (mean, sd, median, end, n),
        f"skewness at most {span(central, bound)}",
        "strongly positively skewed (methods)",
        outcome(central > 0.0, bound.high > 0.0),
        "A positive skew is possible with this mean and SD below the end of the scale",
        f"Scores with a mean of {mean.printed} and an SD of {sd.printed} that end at {end.printed} "
        f"have a negative skewness whatever they are{order}; positively may be meant as high",
    )


def days(f: Figures) -> Iterator[Check]:
    """Follow-up periods and times in care against the length of the study window."""
    start, end = f["met_study_start"], f["met_study_end"]
    longest = rules.longest_gap(start.count, end.count)
    for column in COLUMNS:
        figure = f[f"t1_time_in_care_max_{column}"]
        yield state(
            "window_time_in_care",
            (start, end),
            f"at most {longest} days",
            figure.label,
            figure.count <= longest,
            f"The longest time in care fits into the window of {longest + 1} days",
            f"The longest time in care exceeds the window of {longest + 1} days",
        )
        figure = f[f"t1_follow_up_days_max_{column}"]
        before = figure.count - longest
        yield state(
            "window_follow_up",
            (start, end),
            f"at most {longest} days",
            figure.label,
            figure.count <= longest,
            f"The longest follow-up fits into the window of {longest + 1} days",
            f"A follow-up of {figure.count} days does not fit into a window of {longest + 1} days: "
            f"{before} of its days or more lie outside, as they do if the baseline is older than "
            "the window",
        )
        pairs = [
            (f[f"t1_follow_up_days_{name}_{column}"], f[f"t1_time_in_care_{name}_{column}"])
            for name in ("mean", "median", "min", "max")
        ]
        yield state(
            "follow_up_covers_care",
            [care for _, care in pairs],
            "no statistic of follow-up below that of time in care",
            labels([follow for follow, _ in pairs]),
            all(follow.interval.high >= care.interval.low for follow, care in pairs)
            and all(follow.value >= care.value for follow, care in pairs[2:]),
            "Follow-up, from before the first to after the last session, is no shorter than care",
            "Follow-up, from before the first to after the last session, is shorter than care",
        )
