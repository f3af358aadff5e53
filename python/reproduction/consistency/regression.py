"""Checks on the regressions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import stats

from reproduction.consistency import rules
from reproduction.consistency.check import (
    COEFFICIENTS,
    COLUMNS,
    INTERACTIONS,
    PREDICTORS,
    Check,
    columns_of,
    compare,
    confidence_level,
    labels,
    outcome,
    show,
    span,
    state,
)
from reproduction.consistency.figures import Figure, Figures, Interval


def coefficients(f: Figures) -> Iterator[Check]:
    """Confidence limits and P of every printed coefficient from b and SE.

    The sample of the moderation models is not printed; it is taken to be that of Table 2.
    """
    level = confidence_level(f)
    n = f["t2_n"]
    rows = [(f"t2_{name}", "b", len(COEFFICIENTS)) for name in COEFFICIENTS]
    rows += [(f"res_moderation_{name}", "beta", size) for name, (_, size, _) in INTERACTIONS.items()]
    for stem, name, size in rows:
        b, se, p = f[f"{stem}_{name}"], f[f"{stem}_se"], f[f"{stem}_p"]
        low, high = f[f"{stem}_ci_low"], f[f"{stem}_ci_high"]
        df = n.count - size
        for limit, upper in ((low, False), (high, True)):
            yield compare(
                "coefficient_limit",
                (b, se, n),
                rules.coefficient_limit(b.exact, se.exact, df, level, upper).mid,
                rules.coefficient_limit(b.interval, se.interval, df, level, upper),
                limit,
                f"{'Upper' if upper else 'Lower'} limit from b and SE with df = {df}",
            )
        yield compare(
            "coefficient_p",
            (b, se, n),
            rules.p_from_coefficient(b.exact, se.exact, df).mid,
            rules.p_from_coefficient(b.interval, se.interval, df),
            p,
            f"P of b/SE with df = {df}",
        )
        row = rules.Coefficient(b.interval, se.interval, low.interval, high.interval, p.interval)
        possible = rules.coefficient_is_possible(row, df, level)
        yield state(
            "coefficient_row",
            (b, se, low, high, p, n),
            "some b and SE round to all" if possible else "none",
            labels((b, se, low, high, p)),
            possible,
            "One b and one SE round to estimate, SE, limits and P at once",
            "No b and SE round to estimate, SE, limits and P at once",
        )


def model_fit(f: Figures) -> Iterator[Check]:
    """R², its changes and the P values printed beside them.

    A P printed after R² and ΔR² may be that of the change or of the whole model: both are checked.
    """
    n = f["t2_n"]
    terms = len(PREDICTORS)
    df = n.count - terms - 1
    before, after = f["res_model_step_2_r_squared"], f["res_model_step_3_r_squared"]
    delta, p = f["res_model_step_3_delta_r_squared"], f["res_model_step_3_p"]
    b, se, own = f["t2_alliance_b"], f["t2_alliance_se"], f["t2_alliance_p"]
    yield compare(
        "delta_r_squared",
        (before, after),
        after.value - before.value,
        after.interval - before.interval,
        delta,
        "The difference of the two R²",
    )
    t, t_c = b.interval / se.interval, b.exact / se.exact
    yield compare(
        "delta_r_squared",
        (b, se, after, n),
        rules.delta_r_squared_from_t(t_c, after.exact, df).mid,
        rules.delta_r_squared_from_t(t, after.interval, df),
        delta,
        "The share of variance that the coefficient's t brings",
    )
    change = rules.p_from_f(rules.f_of_change(delta.interval, after.interval, 1, df), 1, df)
    change_c = rules.p_from_f(rules.f_of_change(delta.exact, after.exact, 1, df), 1, df).mid
    yield compare(
        "change_p",
        (delta, after, n),
        change_c,
        change,
        own,
        "P of the change in R², which with one predictor added is that of its coefficient,",
    )
    whole = "the P of the whole model may be meant (rule model_p)"
    yield compare(
        "change_p",
        (delta, after, n),
        change_c,
        change,
        p,
        "P of the printed change in R²",
        fault=whole,
    )
    yield compare(
        "change_p",
        (own,),
        own.value,
        own.interval,
        p,
        "P of the one predictor added, which is that of the change,",
        fault=whole,
    )
    for target, r_squared, size in (
        (f["res_model_step_2_p"], before, terms - 1),
        (p, after, terms),
        (f["abs_model_p"], f["abs_model_r_squared"], terms),
    ):
        yield _model_p(r_squared, size, n, target)
    for model, size, added in dict.fromkeys(INTERACTIONS.values()):
        r_squared = f[f"res_moderation_{model}_r_squared"]
        delta = f[f"res_moderation_{model}_delta_r_squared"]
        p = f[f"res_moderation_{model}_model_p"]
        df = n.count - size
        around = rules.f_of_change(delta.interval, r_squared.interval, added, df)
        middle = rules.f_of_change(delta.exact, r_squared.exact, added, df)
        yield compare(
            "change_p",
            (delta, r_squared, n),
            rules.p_from_f(middle, added, df).mid,
            rules.p_from_f(around, added, df),
            p,
            "P of the printed change in R²",
            fault=whole,
        )
        yield _model_p(r_squared, size - 1, n, p)
        if added == 1:
            b, se = f[f"res_moderation_{model}_beta"], f[f"res_moderation_{model}_se"]
            yield compare(
                "delta_r_squared",
                (b, se, r_squared, n),
                rules.delta_r_squared_from_t(b.exact / se.exact, r_squared.exact, df).mid,
                rules.delta_r_squared_from_t(b.interval / se.interval, r_squared.interval, df),
                delta,
                "The share of variance that the interaction's t brings",
            )
    yield from _shared_spread(f)
    r_squared = f["res_moderation_baseline_r_squared"]
    delta = f["res_moderation_baseline_delta_r_squared"]
    yield compare(
        "nested_r_squared",
        (r_squared, delta),
        r_squared.value - delta.value,
        r_squared.interval - delta.interval,
        after,
        "R² of the moderation by baseline without its interaction (the predictors of Table 2)",
    )


def _shared_spread(f: Figures) -> Iterator[Check]:
    """The upper limit of the first interaction with utilization type, given the limits of the second.

    Both share the reference group and the sample's sum of squares of the z-scored alliance score, n - 1.
    """
    n, r_squared = f["t2_n"], f["res_moderation_utilization_r_squared"]
    b, target = f["res_moderation_telecoaching_beta"], f["res_moderation_telecoaching_ci_high"]
    other, low, high = (f[f"res_moderation_both_{name}"] for name in ("beta", "ci_low", "ci_high"))
    _, size, _ = INTERACTIONS["telecoaching"]
    df = n.count - size
    quantile = float(stats.t.ppf(0.5 + confidence_level(f) / 2.0, df))

    def limit(b_: float, other_half_width: float, r_squared_: float) -> float:
        mean_square = (1.0 - r_squared_) * (n.count - 1) / df
        return b_ + quantile * rules.least_interaction_se(other_half_width / quantile, mean_square, n.count)

    widest = min(other.interval.high - low.interval.low, high.interval.high - other.interval.low)
    least = limit(b.interval.low, widest, r_squared.interval.high)
    central = limit(b.value, (high.value - low.value) / 2.0, r_squared.value)
    yield compare(
        "interaction_limit_at_least",
        (b, other, low, high, r_squared, n),
        central,
        Interval(least, math.inf),
        target,
        "The least upper limit that the other interaction's limits leave",
        note="this takes the sample of Table 2",
    )


def _model_p(r_squared: Figure, terms: int, n: Figure, target: Figure) -> Check:
    """P of a whole regression against the P printed beside its R²."""
    df = n.count - terms - 1
    return compare(
        "model_p",
        (r_squared, n),
        rules.p_from_f(rules.f_of_model(r_squared.exact, terms, df), terms, df).mid,
        rules.p_from_f(rules.f_of_model(r_squared.interval, terms, df), terms, df),
        target,
        f"P of the whole model, F({terms}, {df}),",
    )


def standardized(f: Figures) -> Iterator[Check]:
    """Standardized coefficients, as far as other figures determine them.

    The SD of the outcome follows from the SD of the change, the ratio of the two SDs (β/b of the
    baseline) and their correlation (from d_rm); this takes the regression's sample to spread like
    all who screened positive, so that those rows can support the printed β but not refute them.
    """
    n = f["t2_n"]
    df = n.count - len(COEFFICIENTS)
    r_squared = f["t2_model_step_3_r_squared"]
    intercept = f["t2_intercept_beta"]
    yield compare(
        "standardized_intercept",
        (n,),
        0.0,
        Interval.point(0.0),
        intercept,
        "The intercept of a regression on variables all standardized in its own sample",
        fault="the sex dummy stayed 0/1, or the standardization was done in another sample",
    )
    for name in PREDICTORS:
        b, se, p = f[f"t2_{name}_b"], f[f"t2_{name}_se"], f[f"t2_{name}_p"]
        beta = f[f"t2_{name}_beta"]
        t = b.interval.magnitude() / se.interval
        by_p = rules.t_from_p(p.interval, df)
        if t.overlaps(by_p):
            t = Interval(max(t.low, by_p.low), min(t.high, by_p.high))
        vif = rules.variance_inflation(beta.interval, t, r_squared.interval, df)
        t_c = (b.exact.magnitude() / se.exact).mid
        t_c = min(max(t_c, t.low), t.high)
        vif_c = rules.variance_inflation(beta.exact, Interval.point(t_c), r_squared.exact, df).mid
        large = "; so much overlap with the other predictors is unlikely" if vif.low > 1.5 else ""
        yield state(
            "standardized_by_t",
            (b, se, p, r_squared, n),
            f"variance inflation {span(vif_c, vif)}",
            beta.label,
            outcome(vif_c >= 1.0, vif.high >= 1.0),
            f"β, t and R² go together with a variance inflation of {max(vif.low, 1.0):.2f} or more{large}",
            "β = b·sd(x)/sd(y) cannot be so small with this t and R²",
        )
    spread, spread_c = _outcome_sd(f, exact=False), _outcome_sd(f, exact=True)
    sources = (
        f["res_followup_change_ci_low"],
        f["res_followup_change_ci_high"],
        f["res_followup_change"],
        f["res_followup_change_d"],
        f["t2_baseline_b"],
        f["t2_baseline_beta"],
    )
    like = "if the regression's sample spreads like all who screened positive"
    for name in ("age", "time_in_care", "alliance"):
        b, beta = f[f"t2_{name}_b"], f[f"t2_{name}_beta"]
        sds = columns_of(f, f"t1_{name}_sd", COLUMNS)
        implied = beta.interval * spread / b.interval
        implied_c = (beta.exact * spread_c / b.exact).mid
        band = Interval(min(sd.interval.low for sd in sds), max(sd.interval.high for sd in sds))
        inside = band.holds(implied_c)
        yield state(
            "standardized_by_sd",
            (b, beta, *sds, *sources),
            f"sd(x) = {span(implied_c, implied)}",
            f"{show(band.low)} to {show(band.high)} in Table 1",
            outcome(inside, True),
            f"β·sd(y)/b gives a spread of the predictor {'within' if inside else 'near'} those of Table 1, {like}",
            "",
        )
    b, beta = f["t2_male_b"], f["t2_male_beta"]
    female, male = f["t1_female_n_total"], f["t1_male_n_total"]
    share = male.count / (male.count + female.count)
    full = b.value * math.sqrt(share * (1.0 - share)) / spread_c.mid
    yield compare(
        "standardized_dummy",
        (b, female, male, *sources),
        (b.exact / spread_c).mid,
        b.interval / spread,
        beta,
        "b/sd(y) of sex, the dummy left as 0/1,",
        note=f"b·sd(x)/sd(y) would be near {full:.4f}, {like}",
    )


def _outcome_sd(f: Figures, exact: bool) -> Interval:
    """SD of the follow-up score from SD of change, β/b of the baseline and the r that d_rm implies.

    With q = sd(baseline)/sd(follow-up): SD_change² = sd(y)² (1 + q² − 2 r q).
    """

    def pick(figure: Figure) -> Interval:
        return figure.exact if exact else figure.interval

    low, high = f["res_followup_change_ci_low"], f["res_followup_change_ci_high"]
    n = f["res_screened_positive_n"].count
    sd = rules.sd_from_interval(pick(low), pick(high), n, confidence_level(f))
    d_z = pick(f["res_followup_change"]) / sd
    r = rules.correlation_from_d(pick(f["res_followup_change_d"]), d_z)
    q = pick(f["t2_baseline_beta"]) / pick(f["t2_baseline_b"])
    factor = Interval.point(1.0) + q.squared() - (r * q).scaled(2.0)
    return sd / factor.root()


def through_means(f: Figures) -> Iterator[Check]:
    """The regression at the means against the mean follow-up that change and percentage imply.

    A least-squares plane passes through the means. Those of the regression's sample are not
    printed: the means of Table 1 stand in, so this row can support the table but not refute it.
    """
    change, gain = f["res_followup_change"], f["res_followup_change_percent"]
    female, male = f["t1_female_n_total"], f["t1_male_n_total"]
    share = male.count / (male.count + female.count)
    used = [f["t2_intercept_b"]]
    baseline = (change.interval / gain.interval).scaled(100.0)
    baseline_c = 100.0 * change.value / gain.value
    values: list[tuple[Figure, float, Interval]] = [
        (f["t2_male_b"], share, Interval.point(share)),
        (f["t2_baseline_b"], baseline_c, baseline),
    ]
    for name in ("age", "time_in_care", "alliance"):
        means = columns_of(f, f"t1_{name}_mean", COLUMNS)
        used += means
        band = Interval(min(m.interval.low for m in means), max(m.interval.high for m in means))
        values.append((f[f"t2_{name}_b"], means[-1].value, band))
    total, total_c = f["t2_intercept_b"].interval, f["t2_intercept_b"].value
    for b, centre, band in values:
        used.append(b)
        total = total + b.interval * band
        total_c += b.value * centre
    expected = baseline + change.interval
    met = total.overlaps(expected)
    yield state(
        "regression_at_means",
        (*used, female, male),
        span(total_c, total),
        f"{span(baseline_c + change.value, expected)} from {change.label} and {gain.label}",
        outcome(met, True),
        "The regression at the means of Table 1 gives the mean follow-up that the change and its "
        "percentage imply, though the means of its own sample are not printed",
        "",
        "The regression at the means of Table 1 does not give the mean follow-up that the change "
        "and its percentage imply; the means of its own sample are not printed",
    )
