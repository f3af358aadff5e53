"""Checks on the tests of alliance and of the change in well-being."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reproduction.consistency import rules
from reproduction.consistency.check import (
    GROUPS,
    Check,
    columns_of,
    compare,
    confidence_level,
    intervals,
    labels,
    outcome,
    points,
    show,
    span,
    state,
)
from reproduction.consistency.figures import Figure, Figures, Interval, corners


def rank_tests(f: Figures) -> Iterator[Check]:
    """Mann–Whitney P and r from W and the group sizes."""
    screened, everyone = f["t1_screened_positive_n_total"], f["t1_participants_n_total"]
    tests: dict[str, tuple[tuple[Figure, ...], int, int]] = {
        "sex": (
            (f["t1_female_n_total"], f["t1_male_n_total"]),
            f["t1_female_n_total"].count,
            f["t1_male_n_total"].count,
        ),
        "country": (
            (f["t1_outside_usa_n_total"], f["t1_within_usa_n_total"]),
            f["t1_outside_usa_n_total"].count,
            f["t1_within_usa_n_total"].count,
        ),
        "screen": (
            (screened, everyone),
            screened.count,
            everyone.count - screened.count,
        ),
    }
    shares: dict[str, Interval] = {}
    middle: dict[str, float] = {}
    for name, (sizes, n_1, n_2) in tests.items():
        w = f[f"res_alliance_{name}_w"]
        bound = rules.mann_whitney_p_bound(w.value, n_1, n_2)
        targets = [f[f"res_alliance_{name}_p"]]
        if name == "sex":
            targets.append(f["abs_alliance_sex_p"])
        for p in targets:
            yield state(
                "mann_whitney_p",
                (w, *sizes),
                f"at most {show(bound.high)} (no ties)",
                p.label,
                outcome(p.interval.high <= bound.high, p.interval.overlaps(bound)),
                f"P without ties is {show(bound.high)}, and ties can lessen it to {p.printed}",
                f"P without ties is {show(bound.high)}, and ties cannot raise it to {p.printed}",
                f"Of the values that {p.printed} stands for, W allows those up to "
                f"{show(bound.high)}, which is P without ties",
            )
        p = f[f"res_alliance_{name}_p"]
        shares[name] = rules.tie_share_from_p(w.value, n_1, n_2, p.interval)
        middle[name] = rules.tie_share_from_p(w.value, n_1, n_2, p.exact).mid
    figures = [f[f"res_alliance_{name}_{kind}"] for name in tests for kind in ("w", "p")]
    low = max(share.low for share in shares.values())
    high = min(share.high for share in shares.values())
    central = all(share.holds(value) for share in shares.values() for value in middle.values())
    yield state(
        "tie_share",
        figures,
        "; ".join(f"{name} {span(middle[name], shares[name])}" for name in tests),
        labels(figures[1::2]),
        outcome(central, True),
        "The three tests imply the same loss of variance to ties, as nearly the same scores must",
        "",
        "The three tests imply "
        + ("the same loss" if low <= high else "different losses")
        + " of variance to ties for some of the values that round to the printed ones; their "
        "samples differ by those of unknown sex or country",
    )
    sizes, n_1, n_2 = tests["sex"]
    p, r = f["res_alliance_sex_p"], f["res_alliance_sex_r"]
    yield compare(
        "effect_size_r",
        (p, *sizes),
        rules.effect_size_r(rules.z_from_p(p.exact), n_1 + n_2).mid,
        rules.effect_size_r(rules.z_from_p(p.interval), n_1 + n_2),
        r,
        f"Z/√N with Z of the printed P and N = {n_1 + n_2}",
    )
    w = f["res_alliance_sex_w"]
    least = rules.mann_whitney_z(w.value, n_1, n_2) / math.sqrt(n_1 + n_2)
    inside = r.interval.low >= least
    yield state(
        "effect_size_r",
        (w, *sizes),
        f"at least {show(least)} (no ties)",
        r.label,
        outcome(inside, r.interval.high >= least),
        "The printed r is reached from W with ties",
        "Even without ties r from W is larger than printed",
    )


def group_tests(f: Figures) -> Iterator[Check]:
    """Kruskal–Wallis, Dunn and Spearman figures from one another."""
    h = f["res_alliance_utilization_h"]
    for p in (f["res_alliance_utilization_p"], f["abs_alliance_utilization_p"]):
        df = len(GROUPS) - 1
        yield compare(
            "kruskal_p",
            (h,),
            rules.p_from_chi_square(h.exact, df).mid,
            rules.p_from_chi_square(h.interval, df),
            p,
            f"P of χ²({df}) = {h.printed}",
        )
    counts = columns_of(f, "t1_participants_n")
    n_t, n_c, n_b = (count.count for count in counts)
    n = n_t + n_c + n_b
    yield compare(
        "eta_squared",
        (h, *counts),
        rules.eta_squared(h.exact, len(GROUPS), n).mid,
        rules.eta_squared(h.interval, len(GROUPS), n),
        f["res_alliance_utilization_eta2"],
        "(H − k + 1)/(n − k)",
    )
    z_t, z_b = f["res_dunn_telecoaching_teletherapy_z"], f["res_dunn_telecoaching_both_z"]
    yield compare(
        "kruskal_from_dunn",
        (z_t, z_b, *counts),
        rules.h_from_dunn(z_t.exact, z_b.exact, n_c, n_t, n_b).mid,
        rules.h_from_dunn(z_t.interval, z_b.interval, n_c, n_t, n_b),
        h,
        "H from the two Dunn Z",
    )

    def adjusted(first: Interval, second: Interval) -> list[Interval]:
        third = rules.third_dunn_z(first, second, n_c, n_t, n_b)
        return rules.holm([rules.p_from_z(z) for z in (first, second, third)])

    central = adjusted(z_t.exact, z_b.exact)
    around = adjusted(z_t.interval, z_b.interval)
    targets = (f["res_dunn_telecoaching_teletherapy_p"], f["res_dunn_telecoaching_both_p"])
    for position, target in enumerate(targets):
        yield compare(
            "holm_p",
            (z_t, z_b, *counts),
            central[position].mid,
            around[position],
            target,
            "P of the Dunn Z after Holm (three pairs, the third Z following from the two)",
        )
    abstract = f["abs_alliance_utilization_p"]
    pair = [rules.p_from_z(z.interval) for z in (z_t, z_b)]
    reached = [p for p in (*pair, *around[:2]) if p.overlaps(abstract.interval)]
    yield state(
        "pairwise_p_in_abstract",
        (z_t, z_b, *targets),
        "; ".join(span(p.mid, p) for p in (*pair, *around[:2])),
        abstract.label,
        bool(reached),
        "The P beside the pairwise medians in the abstract is that of a pair",
        f"The abstract prints P = {abstract.printed} beside the medians of telecoaching and the "
        "other types, but neither pair has it, adjusted or not; the test over all three types may "
        "be meant",
    )
    rho, p = f["res_alliance_age_rho"], f["res_alliance_age_p"]
    n = f["t1_participants_n_total"].count
    yield compare(
        "spearman_p",
        (rho, f["t1_participants_n_total"]),
        rules.p_from_correlation(rho.exact, n).mid,
        corners(
            lambda size: rules.p_from_correlation(Interval.point(size), n).mid,
            rho.interval.magnitude(),
        ),
        p,
        f"P of ρ = {rho.printed} with n = {n}",
    )


def change_tests(f: Figures) -> Iterator[Check]:
    """Paired t, effect size, analysis of variance and Tukey's test of the change."""
    level = confidence_level(f)
    count = f["res_screened_positive_n"]
    n = count.count
    change = f["res_followup_change"]
    low, high = f["res_followup_change_ci_low"], f["res_followup_change_ci_high"]
    yield compare(
        "interval_centre",
        (low, high),
        (low.value + high.value) / 2.0,
        (low.interval + high.interval).scaled(0.5),
        change,
        "The centre of the interval",
    )
    se = rules.standard_error_from_interval(low.interval, high.interval, n - 1, level)
    se_c = rules.standard_error_from_interval(low.exact, high.exact, n - 1, level)
    for target in (f["res_followup_change_p"], f["abs_followup_change_p"]):
        yield compare(
            "paired_t_p",
            (change, low, high, count, f["met_significance_level"]),
            rules.p_from_coefficient(change.exact, se_c, n - 1).mid,
            rules.p_from_coefficient(change.interval, se, n - 1),
            target,
            f"P of t({n - 1}) = {change.value / se_c.mid:.1f} from the interval",
        )
    sd = rules.sd_from_interval(low.interval, high.interval, n, level)
    sd_c = rules.sd_from_interval(low.exact, high.exact, n, level)
    d = f["res_followup_change_d"]
    d_z, d_z_c = change.interval / sd, change.exact / sd_c
    r = rules.correlation_from_d(d.interval, d_z)
    r_c = rules.correlation_from_d(d.exact, d_z_c)
    r_squared = f["res_model_step_2_r_squared"]
    limit = r_squared.interval.root()
    possible = r.overlaps(Interval(-1.0, 1.0))
    central = abs(r_c.mid) <= math.sqrt(r_squared.value)
    as_d_z = d_z.overlaps(d.interval)
    reading = "is" if as_d_z else f"is {d_z_c.mid:.2f}, not"
    yield state(
        "cohens_d",
        (change, low, high, count, r_squared),
        f"d_z = {span(d_z_c.mid, d_z)}; d_rm = {d.printed} if r = {span(r_c.mid, r)}",
        d.label,
        outcome(as_d_z or central, possible),
        f"The mean change over its SD (d_z) {reading} the printed {d.printed}; d_rm is that if "
        f"baseline and follow-up correlate at {r_c.mid:.2f}, and the R² of step 2 allows at most "
        f"{limit.high:.2f} in its sample",
        f"Neither d_z nor, with any correlation, d_rm is {d.printed}",
    )
    gain = f["res_followup_change_percent"]
    cutoff = f["met_cutoff_measures"]
    base = (change.interval / gain.interval).scaled(100.0)
    base_c = 100.0 * change.value / gain.value
    yield state(
        "percent_change",
        (change, cutoff),
        f"mean baseline {span(base_c, base)}",
        gain.label,
        base.low > 0.0 and base.low <= cutoff.value,
        f"The printed percentage puts the mean baseline at {base_c:.1f}, within the screen's limit",
        f"The printed percentage puts the mean baseline at {base_c:.1f}, above the screen's limit",
    )
    means, counts = columns_of(f, "res_change"), columns_of(f, "t1_screened_positive_n")
    sizes = [figure.count for figure in counts]
    statistic = f["res_change_anova_f"]
    df, df_residual = f["res_change_anova_df"].count, f["res_change_anova_df_residual"].count
    target = f["res_change_anova_p"]
    p = rules.p_from_f(statistic.exact, df, df_residual).mid
    alpha = f["met_significance_level"]
    yield compare(
        "f_test_p",
        (f["res_change_anova_df"], f["res_change_anova_df_residual"], statistic),
        p,
        rules.p_from_f(statistic.interval, df, df_residual),
        target,
        f"P of F({df}, {df_residual}) = {statistic.printed}",
        fault=f"it is below {alpha.printed} all the same" if p < alpha.value else "",
    )
    yield compare(
        "f_from_means",
        (*means, *counts, low, high),
        rules.f_from_means(points(means), sizes, sd_c).mid,
        rules.f_from_means(intervals(means), sizes, sd),
        statistic,
        "F from the group means and the SD that the t interval implies",
    )
    square = rules.within_mean_square(intervals(means), sizes, sd)
    square_c = rules.within_mean_square(points(means), sizes, sd_c)
    place = {group: position for position, group in enumerate(GROUPS)}
    for first, second in (
        ("both", "teletherapy"),
        ("both", "telecoaching"),
        ("telecoaching", "teletherapy"),
    ):
        i, j = place[first], place[second]
        yield compare(
            "tukey_p",
            (means[i], means[j], *counts, low, high),
            rules.tukey_p(
                (means[i].exact, sizes[i]),
                (means[j].exact, sizes[j]),
                square_c,
                len(sizes),
                df_residual,
            ).mid,
            rules.tukey_p(
                (means[i].interval, sizes[i]),
                (means[j].interval, sizes[j]),
                square,
                len(sizes),
                df_residual,
            ),
            f[f"res_tukey_{first}_{second}_p"],
            "Tukey's P from the group means and the SD that the t interval implies",
        )
