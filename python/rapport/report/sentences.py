"""Findings in plain sentences, from the numbers alone.

A P of .05 or less is a direction with a size; a larger one is no finding of equality: the sentence says what the
interval still allows. Words for sizes follow Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd
ed.: r .1, .3, .5; d .2, .5, .8; η² .01, .06, .14.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from rapport.report.labels import capital, lines_of, more_groups, phrase_of, two_groups
from rapport.report.published import Number, Published, Record
from rapport.report.rich import (
    NOTHING,
    Rich,
    bounded,
    count,
    fixed,
    indexed,
    interval,
    joined,
    p_phrase,
    percent,
    plain,
    rich,
)
from rapport.studies import ALLIANCE, BASELINE, CARE, Correlation, Grouping, Level, Study

SIGNIFICANCE_LEVEL = 0.05
_SIZES = {"r": (0.1, 0.3, 0.5), "d": (0.2, 0.5, 0.8), "eta_squared": (0.01, 0.06, 0.14)}
_WORDS = ("negligible", "small", "medium", "large")


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim of the study: its question, its answer in a sentence, and what the answer rests on."""

    number: int
    question: str
    answer: Rich
    details: tuple[Rich, ...]


def size_word(kind: str, value: float) -> str:
    """Return Cohen's word for an effect size of kind ``r``, ``d`` or ``eta_squared``."""
    return _WORDS[sum(abs(value) >= limit for limit in _SIZES[kind])]


def is_significant(p: Number) -> bool:
    """Whether there is a P and it is at most .05."""
    return p.value is not None and p.value <= SIGNIFICANCE_LEVEL


def why_missing(record: Record) -> str:
    """Return why a row has no figures."""
    if record.is_withheld:
        return "hidden, because it would tell of a small number of people"
    return record.text("note") or "the data do not support it"


def aims(data: Published) -> list[Aim]:
    """Return the three aims of the study with their answers."""
    return [_aim_1(data), _aim_2(data), _aim_3(data)]


# --- Aim 1: alliance


def _aim_1(data: Published) -> Aim:
    clauses = [_alliance_level(data)]
    study = data.study
    records = [
        *((data.finding(one.analysis, f"{a.id} - {b.id}"), one.label) for one, a, b in two_groups(study)),
        *((data.finding(one.analysis, one.id), one.label) for one in study.correlations),
        *((data.finding(one.analysis, one.id), one.label) for one in more_groups(study)),
    ]
    differs = [
        (record, what)
        for record, what in records
        if is_significant(record.number("p_value")) and not _is_perfect(record)
    ]
    open_questions = [what for record, what in records if _is_open(record)]
    undefined = [what for record, what in records if record.number("p_value").value is None or _is_perfect(record)]
    if differs:
        clauses.append(
            rich(
                "it varied with {what}",
                what=joined(
                    [
                        rich(
                            "{what} ({direction}{p}{size})",
                            what=what,
                            direction=_direction(data, record),
                            p=p_phrase(record.number("p_value")),
                            size=_size(record),
                        )
                        for record, what in differs
                    ],
                    last=" and ",
                ),
            )
        )
    if open_questions:
        clauses.append(
            rich(
                "whether it varies with {what} these data do not settle",
                what=joined(open_questions, last=" or "),
            )
        )
    if undefined:
        clauses.append(rich("for {what} there is no test result to show", what=joined(undefined, last=" or ")))
    answer = joined(clauses, "; ") + plain(".")
    details = [
        *(_two_groups(data, *one) for one in two_groups(study)),
        *(_correlation(data, one) for one in study.correlations),
        *itertools.chain.from_iterable((_groups(data, one), *_dunn(data, one)) for one in more_groups(study)),
        _reliability(data),
    ]
    return Aim(
        1,
        "How do participants rate the alliance with their provider, and who rates it differently?",
        answer,
        tuple(details),
    )


def _is_open(record: Record) -> bool:
    p = record.number("p_value").value
    return p is not None and p > SIGNIFICANCE_LEVEL


def _is_perfect(record: Record) -> bool:
    """Whether a correlation is ±1, so that t is infinite and its P of 0 no finding."""
    rho, t = record.number("estimate"), record.number("statistic")
    return rho.value is not None and abs(rho.value) == 1.0 and t.value is None and not t.is_hidden


def _direction(data: Published, record: Record) -> Rich:
    """Say which way a correlation goes, with its size; of a difference between groups the details tell."""
    rho = record.number("estimate")
    higher = {one.analysis: one.higher for one in data.study.correlations}.get(record.text("analysis"))
    if higher is None or rho.value is None:
        return plain("")
    return rich(
        "{who} rated {direction}, ρ = {rho}, a {word} association, ",
        who=higher[:1].lower() + higher[1:],
        direction="higher" if rho.value > 0 else "lower",
        rho=bounded(rho, 3),
        word=size_word("r", rho.value),
    )


def _size(record: Record) -> Rich:
    kind, value = record.text("effect_size_name"), record.number("effect_size")
    if kind not in _SIZES or value.value is None:
        return plain("")
    return rich(", {word} effect", word=size_word(kind, value.value))


def _alliance_level(data: Published) -> Rich:
    median = data.cell("alliance_score", "median")
    n = data.cell("alliance_score", "n")
    if median.value is None:
        return plain(
            "The alliance score of the cohort is " + ("hidden: too few people" if median.is_hidden else "not known")
        )
    word = "high" if median.value >= 4 else "moderate" if median.value >= 3 else "low"
    return rich(
        "Participants rated the alliance {word}: the median score is {median} on the scale from 1 to 5 (n = {n})",
        word=word,
        median=fixed(median),
        n=count(n),
    )


def _effect(record: Record, symbol: str) -> Rich:
    """Return the effect size with its interval, after a comma; nothing where there is none."""
    value = record.number("effect_size")
    if value.value is None:
        return plain("")
    limits = _limits(record)
    if limits.text == NOTHING:
        return rich(", {symbol} = {value}", symbol=symbol, value=bounded(value, 3))
    return rich(", {symbol} = {value}, 95% CI {limits}", symbol=symbol, value=bounded(value, 3), limits=limits)


def _limits(record: Record) -> Rich:
    return interval(bounded(record.number("effect_size_low"), 3), bounded(record.number("effect_size_high"), 3))


def _two_groups(data: Published, grouping: Grouping, first: Level, second: Level) -> Rich:
    what = grouping.label
    record = data.finding(grouping.analysis, f"{first.id} - {second.id}")
    p, w = record.number("p_value"), record.number("statistic")
    if p.value is None:
        return rich("By {what}: no comparison ({why}).", what=what, why=why_missing(record))
    groups = [data.finding("alliance_group_medians", level.term) for level in (first, second)]
    medians = rich("medians {a} and {b}", a=fixed(groups[0].number("estimate")), b=fixed(groups[1].number("estimate")))
    sizes = [group.number("n").value for group in groups]
    test = rich("{p}{effect}", p=p_phrase(p), effect=_effect(record, "r"))
    if w.value is not None:
        test = rich("W = {w}, {test}", w=count(w), test=test)
    if is_significant(p):
        # W against its mean under equality; where it is hidden the medians have to tell.
        excess = record.number("estimate").value
        if w.value is not None and sizes[0] is not None and sizes[1] is not None:
            excess = w.value - sizes[0] * sizes[1] / 2.0
        r = record.number("effect_size").value
        return rich(
            "{a} rated the alliance {direction} than {b} ({medians}; {test}){size}.",
            a=capital(phrase_of(first, data.home)),
            b=phrase_of(second, data.home),
            direction="higher" if excess and excess > 0 else "lower" if excess else "differently",
            medians=medians,
            test=test,
            size="" if r is None else f"; the effect is {size_word('r', r)}",
        )
    return rich(
        "By {what} the data do not show which group rated higher ({medians}; {test}){allows}.",
        what=what,
        medians=medians,
        test=test,
        allows=_allows_r(record),
    )


def _allows_r(record: Record) -> Rich:
    """Say what an interval of r that is compatible with both directions still allows."""
    low, high = record.number("effect_size_low").value, record.number("effect_size_high").value
    if low is None or high is None:
        return plain("")
    largest = size_word("r", max(abs(low), abs(high)))
    if largest == "negligible":
        return plain("; the interval allows differences in either direction, all of them negligible")
    return plain(f"; the interval allows anything up to a {largest} difference")


def _correlation(data: Published, correlation: Correlation) -> Rich:
    record = data.finding(correlation.analysis, correlation.id)
    what = correlation.label
    p, rho = record.number("p_value"), record.number("estimate")
    if p.value is None or rho.value is None:
        return rich("With {what}: no correlation can be computed ({why}).", what=what, why=why_missing(record))
    if _is_perfect(record):
        return rich(
            "With {what}: Spearman's ρ = {rho} ({why}).", what=what, rho=bounded(rho, 3), why=why_missing(record)
        )
    test = rich(
        "Spearman's ρ = {rho}, 95% CI {limits}, {p}", rho=bounded(rho, 3), limits=_limits(record), p=p_phrase(p)
    )
    if is_significant(p):
        return rich(
            "{who} rated the alliance {direction} ({test}); the association is {size}.",
            who=correlation.higher,
            direction="higher" if rho.value > 0 else "lower",
            test=test,
            size=size_word("r", rho.value),
        )
    return rich(
        "With {what} the data do not show in which direction ratings move ({test}){allows}.",
        what=what,
        test=test,
        allows=_allows_r(record),
    )


def _groups(data: Published, grouping: Grouping) -> Rich:
    record = data.finding(grouping.analysis, grouping.id)
    p = record.number("p_value")
    if p.value is None:
        return rich("By {what}: no comparison ({why}).", what=grouping.label, why=why_missing(record))
    test = rich(
        "Kruskal–Wallis H({df}) = {h}, {p}, {effect}",
        df=count(record.number("df")),
        h=fixed(record.number("statistic")),
        p=p_phrase(p),
        effect=_eta_squared(record),
    )
    among = "the utilization types" if grouping.id == CARE else f"groups by {grouping.label}"
    return _between_types(record, test, "Ratings differed", "ratings differ", among)


def _eta_squared(record: Record) -> Rich:
    eta, limits = bounded(record.number("effect_size"), 3), _limits(record)
    if limits.text == NOTHING:
        return rich("η² = {eta}", eta=eta)
    return rich("η² = {eta}, 90% CI {limits}", eta=eta, limits=limits)


def _between_types(record: Record, test: Rich, differed: str, differ: str, among: str) -> Rich:
    """Say whether groups differ, or what the interval of η² allows."""
    if is_significant(record.number("p_value")):
        return rich(
            f"{differed} between {among} ({{test}}); the effect is {{size}}.",
            test=test,
            size=size_word("eta_squared", record.number("effect_size").value or 0.0),
        )
    high = record.number("effect_size_high").value
    allows = f"; {record.text('note')}" if record.text("note") else ""
    if high is not None:
        allows = f"; the interval allows up to a {size_word('eta_squared', high)} effect"
    return rich(
        f"The data do not show that {differ} between {among} ({{test}}){{allows}}.",
        test=test,
        allows=allows,
    )


def _dunn(data: Published, grouping: Grouping) -> list[Rich]:
    sentences = []
    phrases = _phrases(data, grouping)
    for record in data.records("inference_results", analysis=f"{grouping.analysis}_dunn"):
        first, second = record.text("term").split(" - ")
        p, z = record.number("p_adjusted"), record.number("statistic")
        if p.value is None or z.value is None:
            continue
        test = rich("Dunn's Z = {z}, Holm-adjusted {p}", z=fixed(z), p=p_phrase(p))
        if is_significant(p):
            sentences.append(
                rich(
                    "Participants of {a} rated {direction} than those of {b} ({test}).",
                    a=phrases[first],
                    b=phrases[second],
                    direction="higher" if z.value > 0 else "lower",
                    test=test,
                )
            )
        else:
            sentences.append(
                rich(
                    "Between {a} and {b} no order of the ratings is shown ({test}).",
                    a=phrases[first],
                    b=phrases[second],
                    test=test,
                )
            )
    return sentences


def _phrases(data: Published, grouping: Grouping) -> dict[str, str]:
    return {level.id: phrase_of(level, data.home) for level in grouping.levels}


def _reliability(data: Published) -> Rich:
    record = data.finding("alliance_reliability", "participant_means")
    alpha = record.number("estimate")
    if alpha.value is None:
        return rich("The reliability of the two items cannot be given ({why}).", why=why_missing(record))
    return rich("The two items of the score agree with Cronbach's α = {alpha}.", alpha=bounded(alpha))


# --- Aim 2: well-being


def _moved(value: float, positive: str, negative: str) -> str:
    return positive if value > 0 else negative


def _aim_2(data: Published) -> Aim:
    record = data.finding("wellbeing_change", "followup - baseline")
    change, p = record.number("estimate"), record.number("p_value")
    cutoff, outcome = parameter(data, cutoff_var(data.study)), data.study.outcome
    if change.value is None or p.value is None:
        answer = rich(
            "No statement on the change of well-being among those who screened positive"
            " (baseline {at} {cutoff}): {why}.",
            cutoff=cutoff,
            at=AT_CUTOFF[outcome.is_higher_better],
            why=why_missing(record),
        )
    else:
        limits = _signed_interval(record) if is_significant(p) else _interval(record)
        who = rich(
            "Among the {n} participants who screened positive (baseline {at} {cutoff})",
            n=count(record.number("n")),
            cutoff=cutoff,
            at=AT_CUTOFF[outcome.is_higher_better],
        )
        d = record.number("effect_size")
        if is_significant(p):
            answer = rich(
                "{who}, well-being {moved} by {points} {scale} points on average (95% CI {limits}, {p}){size}{rates}."
                " The study observes, without a comparison group; it does not show a cause.",
                who=who,
                scale=outcome.name,
                moved=_moved(change.value, "rose", "fell"),
                points=_absolute(change),
                limits=limits,
                p=p_phrase(p),
                size=_size_of_change(data, change, d),
                rates=_rates(data),
            )
        else:
            answer = rich(
                "{who}, the data do not show in which direction well-being moved: a mean change of"
                " {points} {scale} points"
                " ({p}), and the 95% interval allows anything from {limits} points{rates}.",
                who=who,
                scale=outcome.name,
                points=fixed(change),
                limits=limits,
                p=p_phrase(p),
                rates=_rates(data),
            )
    return Aim(
        2,
        "Does well-being change among those who began care with elevated depressive symptoms?",
        answer,
        (*_effect_sizes(data), _change_by_utilization(data), *_tukey(data)),
    )


def _size_of_change(data: Published, change: Number, d: Number) -> Rich:
    """Judge a mean change by the points that count as an improvement of one person, and by d."""
    least = data.study.outcome.improvement
    enough = abs(change.value or 0.0) >= least
    word = (
        plain("") if d.value is None else rich(", a {word} change (d = {d})", word=size_word("d", d.value), d=fixed(d))
    )
    return rich(
        "{word}, {side} the {points} points from which a change of one person counts",
        word=word,
        side="not less than" if enough else "less than",
        points=improvement(data),
    )


def improvement(data: Published) -> Rich:
    """Return the points from which a change of one person counts."""
    study = data.study
    return parameter(data, study.var_of(f"instruments.{study.outcome.id}.improvement") or "")


def _interval(record: Record) -> Rich:
    return interval(fixed(record.number("ci_low")), fixed(record.number("ci_high")))


def _signed_interval(record: Record) -> Rich:
    """Return the limits in the direction that the words give: of a fall, how far it goes."""
    if (record.number("estimate").value or 0.0) < 0:
        return interval(fixed(record.number("ci_high"), factor=-1.0), fixed(record.number("ci_low"), factor=-1.0))
    return _interval(record)


def _absolute(number: Number) -> Rich:
    """Return the size of a number whose direction the words give."""
    if number.value is not None and number.value < 0:
        return fixed(number, factor=-1.0)
    return fixed(number)


def parameter(data: Published, name: str) -> Rich:
    """Return the value of a whole-number parameter of the build."""
    record = data.parameter(name)
    return count(Number(float(record.text("value")), record.source("value")))


AT_CUTOFF = {True: "≤", False: "≥"}
"""Which side of the cut-off screens positive, by whether higher scores are better."""


def cutoff_var(study: Study) -> str:
    """Return the parameter that is the cut-off of the study's outcome."""
    return study.var_of(f"instruments.{study.outcome.id}.cutoff") or ""


def _rates(data: Published) -> Rich:
    parts = []
    for analysis, verb in (("clinical_recovery", "recovered"), ("clinical_improvement", "improved clinically")):
        record = data.finding(analysis, "screened_positive")
        if record.number("estimate").value is not None:
            parts.append(
                rich(
                    "{share} {verb} (95% CI {limits})",
                    share=percent(record.number("estimate"), 1, 100.0),
                    verb=verb,
                    limits=interval(
                        percent(record.number("ci_low"), 1, 100.0), percent(record.number("ci_high"), 1, 100.0)
                    ),
                )
            )
    return rich("; {parts}", parts=joined(parts, last=" and ")) if parts else plain("")


def _effect_sizes(data: Published) -> list[Rich]:
    parts = []
    for term, symbol in (("d_rm", "d_rm"), ("d_z", "d_z"), ("d_av", "d_av")):
        record = data.finding("wellbeing_change", term)
        if record.number("effect_size").value is None:
            continue
        limits = interval(fixed(record.number("effect_size_low")), fixed(record.number("effect_size_high")))
        parts.append(
            rich(
                "{symbol} = {d} (95% CI {limits})",
                symbol=indexed(symbol),
                d=fixed(record.number("effect_size")),
                limits=limits,
            )
        )
    relative = data.finding("wellbeing_change", "percent_change").number("estimate")
    if relative.value is not None:
        parts.append(rich("{percent} of the mean baseline", percent=percent(relative)))
    return [rich("In other units the change is {parts}.", parts=joined(parts, "; "))] if parts else []


def _change_by_utilization(data: Published) -> Rich:
    record = data.finding("wellbeing_change_by_utilization", "utilization_type")
    p = record.number("p_value")
    if p.value is None:
        return rich("By utilization type: no comparison of the changes ({why}).", why=why_missing(record))
    test = rich(
        "F({df}, {residual}) = {f}, {p}, {effect}",
        df=count(record.number("df")),
        residual=count(record.number("df_residual")),
        f=fixed(record.number("statistic")),
        p=p_phrase(p),
        effect=_eta_squared(record),
    )
    return _between_types(record, test, "The change differed", "the change differs", "the utilization types")


def _tukey(data: Published) -> list[Rich]:
    sentences = []
    phrases = _phrases(data, data.study.grouping(CARE))
    for record in data.records("inference_results", analysis="wellbeing_change_by_utilization_tukey"):
        first, second = record.text("term").split(" - ")
        p, estimate = record.number("p_adjusted"), record.number("estimate")
        if p.value is None or estimate.value is None:
            continue
        limits = _signed_interval(record) if is_significant(p) else _interval(record)
        if is_significant(p):
            sentences.append(
                rich(
                    "The change with {a} was {points} points {direction} than with {b}"
                    " (Tukey 95% CI of the difference {limits}, adjusted {p}).",
                    a=phrases[first],
                    b=phrases[second],
                    points=_absolute(estimate),
                    direction=_moved(estimate.value, "higher", "lower"),
                    limits=limits,
                    p=p_phrase(p),
                )
            )
        else:
            sentences.append(
                rich(
                    "Between {a} and {b} the change may differ by anything from {limits} points"
                    " (estimate {points}, adjusted {p}).",
                    a=phrases[first],
                    b=phrases[second],
                    points=fixed(estimate),
                    limits=limits,
                    p=p_phrase(p),
                )
            )
    return sentences


# --- Aim 3: alliance and well-being


def _aim_3(data: Published) -> Aim:
    study = data.study
    record = data.finding(study.main_model, ALLIANCE)
    b, p = record.number("estimate"), record.number("p_value")
    if b.value is None or p.value is None:
        answer = rich("No statement on alliance as a predictor of well-being: {why}.", why=why_missing(record))
    else:
        limits = _signed_interval(record) if is_significant(p) else _interval(record)
        given = f"at equal {_listed(data)}"
        if (reversal := _reversal(data)) is not None:
            answer = rich(
                "{reversal}; over all of them one point of alliance goes with {points} {scale} points ({p}; n = {n}),"
                " {given}. The study observes; it does not show a cause.",
                reversal=reversal,
                points=fixed(b),
                scale=study.outcome.name,
                p=p_phrase(p),
                n=count(record.number("n")),
                given=given,
            )
        elif is_significant(p):
            answer = rich(
                "Participants who rated the alliance one point higher had {points} {scale} points"
                " {direction} at follow-up"
                " (95% CI {limits}, {p}; n = {n}), {given}{share}. The study observes; it does not show a cause.",
                points=_absolute(b),
                scale=study.outcome.name,
                direction=_moved(b.value, "more", "fewer"),
                limits=limits,
                p=p_phrase(p),
                n=count(record.number("n")),
                given=given,
                share=_share(data),
            )
        else:
            answer = rich(
                "Whether alliance goes with well-being at follow-up these data do not settle: one"
                " point of alliance goes"
                " with {points} {scale} points ({p}; n = {n}), {given}, and the 95% interval allows"
                " anything from {limits}.",
                points=fixed(b),
                scale=study.outcome.name,
                p=p_phrase(p),
                n=count(record.number("n")),
                given=given,
                limits=limits,
            )
    details = [_moderation(data, analysis) for analysis in study.moderations]
    return Aim(3, "Do participants with a better alliance report more well-being at follow-up?", answer, tuple(details))


def _reversal(data: Published) -> Rich | None:
    """Say of which moderator the slope of alliance changes its direction, if it does for one beyond chance."""
    for analysis, moderation in data.study.moderations.items():
        if not is_significant(data.record("model_fit", analysis=analysis, step=2).number("p_value")):
            continue
        if _aliased_main_effect(data, analysis):
            continue
        levels: dict[str, Record] = {}
        for record in data.records("alliance_slopes", analysis=analysis):
            levels.setdefault(record.text("level"), record)
        known = [(level, r) for level, r in levels.items() if r.number("slope").value is not None]
        rising = [(level, r) for level, r in known if (r.number("slope_ci_low").value or 0.0) > 0]
        falling = [(level, r) for level, r in known if (r.number("slope_ci_high").value or 0.0) < 0]
        if not rising or not falling:
            continue
        return rich(
            "How alliance goes with well-being at follow-up depends on {moderator}: one point more goes with {up}, and"
            " with {down}",
            moderator=moderation.label,
            up=joined([_slope(data, analysis, r, "more") for _, r in rising], last=" and "),
            down=joined([_slope(data, analysis, r, "fewer") for _, r in falling], last=" and "),
        )
    return None


def _slope(data: Published, analysis: str, record: Record, direction: str) -> Rich:
    level = record.text("level")
    low, high = record.number("slope_ci_low"), record.number("slope_ci_high")
    limits = (
        interval(fixed(low), fixed(high))
        if direction == "more"
        else interval(fixed(high, factor=-1.0), fixed(low, factor=-1.0))
    )
    return rich(
        "{points} {scale} points {direction} at {level} (95% CI {limits})",
        scale=data.study.outcome.name,
        points=_absolute(record.number("slope")),
        direction=direction,
        level=lines_of(data.study, analysis)[level].split(" (")[0].lower()
        + (" values" if level in ("low", "mean", "high") else ""),
        limits=limits,
    )


def _aliased_main_effect(data: Published, analysis: str) -> bool:
    """Whether a factor of an interaction has no coefficient of its own: the interaction then means something else."""
    notes = {r.text("term"): r.text("note") for r in data.records("inference_results", analysis=analysis)}
    factors = {factor for term in notes if ":" in term for factor in term.split(":")}
    return any(notes.get(factor, "").startswith("aliased") for factor in factors)


def _share(data: Published) -> Rich:
    study = data.study
    steps = study.regressions[study.main_model].steps
    last = next(i for i, terms in enumerate(steps, start=1) if ALLIANCE in terms)
    step = data.record("model_fit", analysis=study.main_model, step=last)
    if step.number("delta_r_squared").value is None:
        return plain("")
    return rich(
        "; alliance adds {delta} to the explained variance of {whole}",
        delta=bounded(step.number("delta_r_squared"), 3),
        whole=bounded(step.number("r_squared"), 3),
    )


def _moderation(data: Published, analysis: str) -> Rich:
    moderator = data.study.moderations[analysis].label
    records = [r for r in data.records("inference_results", analysis=analysis) if ":" in r.text("term")]
    known = [r for r in records if r.number("p_value").value is not None]
    if not known:
        what = "the test of the moderation is not shown" if records[0].is_withheld else "no moderation can be tested"
        return rich("By {moderator}: {what} ({why}).", moderator=moderator, what=what, why=why_missing(records[0]))
    if _aliased_main_effect(data, analysis):
        return rich(
            "By {moderator}: the interaction is not interpreted, as a main effect that it is made of"
            " has no coefficient of"
            " its own.",
            moderator=moderator,
        )
    step = data.record("model_fit", analysis=analysis, step=2).number("p_value")
    estimates = joined(
        [
            rich(
                "{name}β = {beta}, 95% CI {limits}, {p}",
                name="" if len(records) == 1 else _interaction(data, record) + " ",
                beta=fixed(record.number("estimate"), 3),
                limits=interval(fixed(record.number("ci_low")), fixed(record.number("ci_high"))),
                p=p_phrase(record.number("p_value")),
            )
            for record in known
        ],
        "; ",
    )
    if is_significant(step):
        return rich(
            "The association depends on {moderator} (interaction {estimates}; step {p}).",
            moderator=moderator,
            estimates=estimates,
            p=p_phrase(step),
        )
    if any(is_significant(record.number("p_value")) for record in known):
        return rich(
            "Taken together the interactions with {moderator} show no moderation, though one alone"
            " would ({estimates}).",
            moderator=moderator,
            estimates=estimates,
        )
    return rich(
        "Whether the association depends on {moderator} is not settled: the intervals of the"
        " interaction hold both weaker"
        " and stronger associations ({estimates}).",
        moderator=moderator,
        estimates=estimates,
    )


def _interaction(data: Published, record: Record) -> str:
    term = record.text("term").split(":")[1]
    phrases = {name: text for one in data.study.factors.values() for name, text in _phrases(data, one).items()}
    return phrases.get(term, record.text("term"))


def _listed(data: Published) -> str:
    """What the main model holds equal: "age, sex and baseline"."""
    study = data.study
    held = [one.phrase for one in study.covariates]
    if BASELINE in study.regressions[study.main_model].terms:
        held.append("baseline")
    return " and ".join([", ".join(held[:-1]), held[-1]] if len(held) > 1 else held)
