"""How firm each finding is: the same question with one choice made differently, in a sentence and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapport.report.figures import (
    INK,
    SERIES,
    NumbersBehind,
    Picture,
    draw_svg,
    grid_lines,
    nothing,
)
from rapport.report.labels import phrase_of, two_groups
from rapport.report.published import Published, Record
from rapport.report.rich import Part, Rich, bounded, count, fixed, interval, joined, p_phrase, percent, plain, rich
from rapport.report.sentences import improvement, is_significant, parameter, why_missing
from rapport.sensitivity import CUTOFFS, GRID_ALLIANCES, MIN_DAYS, Design
from rapport.signals import number_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TABLE = "sensitivity_results"


@dataclass(frozen=True, slots=True)
class Firmness:
    """What the answer to one aim owes to the study's choices."""

    sentences: tuple[Rich, ...]
    pictures: tuple[Picture, ...]


def firmness(data: Published) -> Mapping[int, Firmness]:
    """Return, by number of the aim, what changes its answer and what does not."""
    return {1: _aim_1(data), 2: _aim_2(data), 3: _aim_3(data)}


def _main(data: Published) -> str:
    """What the analysis is called whose choices are varied: the paper's, where the page compares with it."""
    return "published" if data.is_calibrated else "main analysis"


def _of_main(data: Published, what: str) -> str:
    """Name a figure of that analysis within a sentence."""
    return f"published {what}" if data.is_calibrated else f"{what} of the main analysis"


def _row(data: Published, analysis: str, term: str) -> Record:
    return data.record(TABLE, analysis=analysis, term=term)


def _literal(text: str) -> Rich:
    return Rich(f"<span data-literal>{plain(text).html}</span>", text)


def _limits(record: Record, decimals: int = 2) -> Rich:
    return interval(fixed(record.number("ci_low"), decimals), fixed(record.number("ci_high"), decimals))


# --- Pictures of estimates with intervals


@dataclass(frozen=True, slots=True)
class _Variant:
    """One row of a picture: its name, figures, whether it is of the main analysis, and its name on a phone."""

    label: str
    record: Record
    is_main: bool = False
    short: str = ""


def _specifications(
    name: str, title: str, unit: str, variants: Sequence[_Variant], lines: Sequence[float], alternative: Rich
) -> Picture:
    """Draw estimates with intervals one below the other; dashed lines at the values that they are held against."""
    if all(variant.record.number("estimate").value is None for variant in variants):
        return nothing(name, title, why_missing(variants[0].record))

    def draw(figure: Canvas, narrow: bool) -> None:
        axes = figure.subplots()
        _draw_variants(axes, variants, narrow=narrow)
        for value in lines:
            axes.axvline(value, color=INK, linewidth=1, linestyle="--")
        figure.supxlabel(unit, fontsize=9.5)

    height = 0.9 + 0.23 * len(variants)
    wide, narrow = draw_svg(name, draw, height, height + 0.2)
    rows: list[list[Part]] = [
        [
            _literal(variant.label),
            count(variant.record.number("n")),
            fixed(variant.record.number("estimate")),
            _limits(variant.record),
        ]
        for variant in variants
    ]
    numbers = NumbersBehind(("Variant", "n", unit, "Interval"), rows, _why(variants))
    return Picture(name, title, alternative, wide, narrow, numbers)


def _why(variants: Sequence[_Variant]) -> list[Rich]:
    """Return why figures of the variants are missing: a note for each reason, with all variants that it is true of."""
    found: dict[str, list[Part]] = {}
    for variant in variants:
        record = variant.record
        is_missing = [record.number(column).value is None for column in ("n", "estimate", "ci_low", "ci_high")]
        # Some figures have no interval in any data; where one is missing, the row says why.
        if any(is_missing[:2]) or (any(is_missing[2:]) and (record.is_withheld or record.text("note"))):
            found.setdefault(why_missing(record), []).append(_literal(variant.label))
    # A reason may name the rows and coefficients that it counts.
    return [rich("{which}: {why}.", which=joined(which, "; "), why=_literal(why)) for why, which in found.items()]


def _draw_variants(axes: Axes, variants: Sequence[_Variant], *, narrow: bool, scale: float = 1.0) -> None:
    for position, variant in enumerate(variants):
        value, low, high = (
            None if (number := variant.record.number(column).value) is None else scale * number
            for column in ("estimate", "ci_low", "ci_high")
        )
        if value is None:
            why = "withheld" if variant.record.is_withheld else "not estimated"
            across = axes.get_yaxis_transform()
            axes.text(0.02, position, why, transform=across, va="center", fontsize=8.5, style="italic")
            continue
        colour, width = (SERIES[0], 2.6) if variant.is_main else (INK, 1.4)
        if low is not None and high is not None:
            axes.plot([low, high], [position, position], color=colour, linewidth=width, solid_capstyle="butt")
        marker, size = ("D", 8) if variant.is_main else ("o", 5)
        axes.plot([value], [position], marker=marker, markersize=size, color=colour)
    labels = [(narrow and variant.short) or variant.label for variant in variants]
    axes.set_yticks(range(len(variants)), labels, fontsize=8.5)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    grid_lines(axes, "x")


# --- Aim 1


def _tests(data: Published) -> Mapping[str, str]:
    """By analysis of the first aim what it compares."""
    study = data.study
    names = {one.analysis: one.label for one in study.groupings}
    return names | {one.analysis: one.label for one in study.correlations}


def _aim_1(data: Published) -> Firmness:
    names = _tests(data)
    tests = {analysis: _row(data, "aim_1_multiplicity", analysis) for analysis in Design(data.study).first_aim}
    shown = {a: r for a, r in tests.items() if None not in (r.number("p_value").value, r.number("p_adjusted").value)}
    alone = {a: r for a, r in shown.items() if is_significant(r.number("p_value"))}
    kept = [(a, r) for a, r in alone.items() if is_significant(r.number("p_adjusted"))]
    lost = [(a, r) for a, r in alone.items() if not is_significant(r.number("p_adjusted"))]

    def named(chosen: Sequence[tuple[str, Record]]) -> Rich:
        return joined(
            [
                rich("{what} (adjusted {p})", what=names[analysis], p=p_phrase(record.number("p_adjusted")))
                for analysis, record in chosen
            ],
            last=" and ",
        )

    number = number_in_words(len(tests))
    of_shown = "" if len(shown) == len(tests) else f"of the {number_in_words(len(shown))} that can be shown "
    if not shown:
        verdict = plain("none of them can be shown")
    elif not alone:
        verdict = plain(f"{of_shown}none is significant, so an adjustment would change nothing")
    elif not lost:
        verdict = rich(
            f"{of_shown}all that are significant remain so after Holm's adjustment: {{kept}}", kept=named(kept)
        )
    elif not kept:
        verdict = rich(f"{of_shown}none remains significant after Holm's adjustment: {{lost}}", lost=named(lost))
    else:
        verdict = rich(
            f"{of_shown}significant after Holm's adjustment: {{kept}}; no longer significant: {{lost}}",
            kept=named(kept),
            lost=named(lost),
        )
    sentences = [rich(f"The {number} tests above are not adjusted for each other; {{verdict}}.", verdict=verdict)]
    variants = []
    for grouping, first, second in two_groups(data.study):
        analysis = grouping.analysis.replace("alliance_by", "alliance_superiority_by")
        record = _row(data, analysis, f"{first.id} - {second.id}")
        variants.append(_Variant(f"By {grouping.label}", record))
        if record.number("estimate").value is None or record.number("ci_low").value is None:
            continue
        sentences.append(
            rich(
                "A score drawn at random from the {a} is above one from the {b} with probability {p}, ties counted"
                " half (95% CI {limits}, without the assumption of equal spread).",
                a=phrase_of(first, data.home),
                b=phrase_of(second, data.home),
                p=bounded(record.number("estimate"), 3),
                limits=interval(bounded(record.number("ci_low"), 3), bounded(record.number("ci_high"), 3)),
            )
        )
    picture = _specifications(
        "firm-1",
        "Who rates higher: probability that one of the first group is above one of the second",
        "Probability of superiority",
        variants,
        (0.5,),
        plain("Points with 95% intervals (Brunner–Munzel); one half, the dashed line, means no difference."),
    )
    return Firmness(tuple(sentences), (picture, trajectory(data)))


# --- Aim 2


def _regression_to_mean(data: Published) -> Rich:
    """What of the change would have come by itself: part of it, all of it, or the opposite of it."""
    rows = [_row(data, "wellbeing_regression_to_mean", term) for term in ("expected", "observed", "beyond")]
    expected, observed, beyond = (row.number("estimate") for row in rows)
    if expected.value is None or observed.value is None or beyond.value is None:
        # A number of people that is too small hides all three; a note stands where there is no correlation.
        return rich("Regression to the mean cannot be estimated ({why}).", why=why_missing(rows[0]))
    if expected.value * observed.value < 0 or (not observed.value and expected.value):
        what = (
            "regression to the mean alone would lead one to expect a change of {expected} points, and the change was"
            " {observed}"
        )
    elif abs(expected.value) > abs(observed.value):
        what = (
            "regression to the mean alone would account for all of the {observed} points; a change of {expected} would"
            " be expected from it"
        )
    else:
        what = (
            "regression to the mean alone would account for {expected} of the {observed} points, and {beyond} are"
            " beyond it; without a comparison group the study cannot say how much of them is due to the care"
        )
    return rich(
        "People who are selected for a low score tend to score higher later, with or without care: " + what + ".",
        expected=fixed(expected),
        observed=fixed(observed),
        beyond=fixed(beyond),
    )


def _aim_2(data: Published) -> Firmness:
    sentences = []
    sentences.append(_regression_to_mean(data))
    rates = {
        name: _row(data, "reliable_change", name)
        for name in ("reliable_improvement", "reliable_recovery", "reliable_deterioration", "deterioration")
    }
    recovered = data.finding("clinical_recovery", "screened_positive")
    if rates["deterioration"].number("estimate").value is not None and recovered.number("estimate").value is not None:
        sentences.append(
            rich(
                "Of those who screened positive {recovered} recovered, and {fell} fell by {points} points or more.",
                recovered=percent(recovered.number("estimate"), 1, 100.0),
                fell=percent(rates["deterioration"].number("estimate"), 1, 100.0),
                points=improvement(data),
            )
        )
    threshold = _row(data, "reliable_change", "threshold").number("estimate")
    improved = rates["reliable_improvement"].number("estimate")
    if threshold.value is not None and improved.value is not None:
        sentences.append(
            rich(
                "{share} of those who screened positive rose by more than the error of measurement"
                " ({threshold} points).",
                threshold=fixed(threshold),
                share=percent(improved, 1, 100.0),
            )
        )
    equivalence = _row(data, "wellbeing_equivalence", "telecoaching - teletherapy")
    sentences.append(_equivalence(data, equivalence))
    picture = _specifications(
        "firm-2",
        f"Change of {data.study.outcome.name}: observed, expected by regression to the mean, between utilization types",
        f"{data.study.outcome.name} points",
        [
            _Variant(f"Mean change ({_main(data)})", data.finding("wellbeing_change", "followup - baseline"), True),
            _Variant(
                "Expected from regression to the mean",
                _row(data, "wellbeing_regression_to_mean", "expected"),
                short="Regression to the mean",
            ),
            _Variant("Beyond it", _row(data, "wellbeing_regression_to_mean", "beyond")),
            _Variant("Telecoaching − teletherapy (90% CI)", equivalence, short="Coaching − therapy"),
        ],
        (0.0,),
        plain("Points with intervals, of 95% for the mean change and 90% for the difference between the types."),
    )
    improved_in_main = data.finding("clinical_improvement", "screened_positive")
    shares = _rates(
        [
            _Variant(f"Clinical recovery ({_main(data)})", recovered, True),
            _Variant(f"Clinical improvement ({_main(data)})", improved_in_main, True),
            _Variant("Reliable improvement", rates["reliable_improvement"]),
            _Variant("Reliable recovery", rates["reliable_recovery"]),
            _Variant("Deterioration", rates["deterioration"]),
            _Variant("Reliable deterioration", rates["reliable_deterioration"]),
        ]
    )
    return Firmness(tuple(sentences), (picture, shares))


def _equivalence(data: Published, record: Record) -> Rich:
    low, high = record.number("ci_low").value, record.number("ci_high").value
    margin = float(data.parameter("equivalence_margin").text("value"))
    if low is None or high is None:
        return rich(
            "Whether telecoaching and teletherapy are equivalent cannot be said ({why}).", why=why_missing(record)
        )
    parts: dict[str, Part] = {"limits": _limits(record), "margin": parameter(data, "equivalence_margin")}
    if -margin < low and high < margin:
        return rich(
            "Between telecoaching and teletherapy the change differs by less than {margin} points: the"
            " 90% interval of the"
            " difference is {limits}.",
            **parts,
        )
    return rich(
        "That the change with telecoaching and with teletherapy differs by less than {margin}"
        " points is not shown: the 90%"
        " interval of the difference is {limits}.",
        **parts,
    )


def _rates(variants: Sequence[_Variant]) -> Picture:
    name, title = "firm-2-rates", "How many of those who screened positive recovered, improved and got worse"
    if all(variant.record.number("estimate").value is None for variant in variants):
        return nothing(name, title, why_missing(variants[0].record))

    def draw(figure: Canvas, narrow: bool) -> None:
        axes = figure.subplots()
        _draw_variants(axes, variants, narrow=narrow, scale=100.0)
        axes.set_xlim(left=0)
        figure.supxlabel("Percent of those who screened positive", fontsize=9.5)

    wide, narrow = draw_svg(name, draw, 2.4, 2.6)
    rows: list[list[Part]] = [
        [
            variant.label,
            count((record := variant.record).number("n")),
            percent(record.number("estimate"), 1, 100.0),
            interval(percent(record.number("ci_low"), 1, 100.0), percent(record.number("ci_high"), 1, 100.0)),
        ]
        for variant in variants
    ]
    alternative = plain("Shares with Wilson's 95% intervals; reliable is a change beyond the error of measurement.")
    numbers = NumbersBehind(("Outcome", "n", "Percent", "95% CI"), rows, _why(variants))
    return Picture(name, title, alternative, wide, narrow, numbers)


# --- Aim 3

_VARIANTS: Sequence[tuple[str, str, str]] = (
    ("Robust errors (HC3)", "alliance_hc3", "alliance"),
    ("Errors by main provider (CR1)", "alliance_clustered", "alliance"),
    ("Between main providers", "alliance_within_between", "alliance_between"),
    ("Within main providers", "alliance_within_between", "alliance_within"),
    ("First three rated sessions", "alliance_first_sessions", "alliance"),
    ("Missing sex as a level", "alliance_sex_missing_level", "alliance"),
    ("Without sex", "alliance_without_sex", "alliance"),
    ("Weighted by the chance to rate", "alliance_rater_weighted", "alliance"),
)


def _aim_3(data: Published) -> Firmness:
    published = data.finding(data.study.main_model, "alliance")
    variants = [
        _Variant(_main(data).capitalize(), published, True),
        *(_Variant(label, _row(data, analysis, term)) for label, analysis, term in _VARIANTS),
    ]
    grid = [
        _Variant(
            f"Baseline ≤ {cutoff}, ≥ {days} days, {alliance} alliance",
            _row(data, "definition_grid", f"cutoff={cutoff},min_days={days},alliance={alliance}"),
            short=f"≤ {cutoff}, ≥ {days} d, {alliance}",
        )
        for cutoff in CUTOFFS
        for days in MIN_DAYS
        for alliance in GRID_ALLIANCES
    ]
    known = [variant for variant in (*variants, *grid) if variant.record.number("ci_low").value is not None]
    sentences = []
    if not known:
        sentences.append(rich("No variant can be shown ({why}).", why=why_missing(published)))
    else:
        sentences += _what_changes(variants[1:], published, _of_main(data, "interval"))
        sentences.append(_grid_sentence([variant.record for variant in grid]))
    early = _row(data, "alliance_first_sessions", "alliance")
    if early.number("ci_low").value is not None and published.number("estimate").value is not None:
        sentences.append(
            rich(
                "Taken from the first three rated sessions only, a point of alliance goes with {early} points (95% CI"
                " {limits}), beside {whole} with the average of all.",
                early=fixed(early.number("estimate")),
                limits=_limits(early),
                whole=fixed(published.number("estimate")),
            )
        )
    picture = _specifications(
        "firm-3",
        "Alliance and well-being at follow-up under other choices",
        f"{data.study.outcome.name} points per point of alliance",
        [*variants, *grid],
        (0.0,),
        plain(
            "Points with 95% intervals of the coefficient of alliance; the diamond is the"
            f" {_of_main(data, 'coefficient')}, the dashed line zero."
        ),
    )
    return Firmness(tuple(sentences), (picture,))


def _side(record: Record) -> int | None:
    """Return on which side of zero an interval lies, 0 across it."""
    low, high = record.number("ci_low").value, record.number("ci_high").value
    if low is None or high is None:
        return None
    return 1 if low > 0 else -1 if high < 0 else 0


def _what_changes(variants: Sequence[_Variant], published: Record, interval_of_main: str) -> list[Rich]:
    side = _side(published)
    known = [variant for variant in variants if _side(variant.record) is not None]
    if side is None or not known:
        return []
    same = [variant for variant in known if _side(variant.record) == side]
    other = [variant for variant in known if _side(variant.record) != side]
    answer = {1: "above zero", -1: "below zero", 0: "across zero"}

    def named(chosen: Sequence[_Variant]) -> Rich:
        return joined(
            [
                rich(
                    "{label} ({b}, {limits})",
                    label=_literal(variant.label[0].lower() + variant.label[1:]),
                    b=fixed(variant.record.number("estimate")),
                    limits=_limits(variant.record),
                )
                for variant in chosen
            ],
            "; ",
        )

    sentences = []
    if other:
        sentences.append(
            rich(
                f"The {interval_of_main} lies {{where}}; that changes with: {{others}}.",
                where=answer[side],
                others=named(other),
            )
        )
    if same:
        sentences.append(
            rich(
                "It stays {where} with: {same}."
                if other
                else "The interval lies {where}, and stays there with: {same}.",
                where=answer[side],
                same=named(same),
            )
        )
    return sentences


def _grid_sentence(records: Sequence[Record]) -> Rich:
    known = [record for record in records if _side(record) is not None]
    if not known:
        return rich("With other cut-offs nothing can be shown ({why}).", why=why_missing(records[0]))
    estimates = sorted(known, key=lambda record: record.number("estimate").value or 0.0)
    clear = sum(_side(record) != 0 for record in known)
    return rich(
        "Over {all} combinations of cut-off, shortest follow-up and ratings{of_whole} the coefficient runs"
        " from {low} to {high}; the"
        " interval leaves out zero in {clear} of them.",
        all=_literal(str(len(known))),
        of_whole=""
        if len(known) == len(records)
        else rich(" that can be shown, of {n},", n=_literal(str(len(records)))),
        low=fixed(estimates[0].number("estimate")),
        high=fixed(estimates[-1].number("estimate")),
        clear=_literal(str(clear)),
    )


# --- Trajectory

_POPULATIONS = {"everyone": "Everyone", "four_rated_sessions": "The same people: four or more rated sessions"}
_PROVIDERS = {"therapist": "Therapists", "coach": "Coaches"}
_NUMBERS = (*map(str, range(1, 13)), "13+")


def trajectory(data: Published) -> Picture:
    """How the alliance is rated from session to session."""
    name, title = "trajectory", "Alliance from session to session"
    at = {
        (record.text("population"), record.text("provider_type"), record.text("session_number")): record
        for record in data.records("alliance_trajectory")
    }
    drawn = {
        (population, provider): [
            (i, record)
            for i, number in enumerate(_NUMBERS)
            if (record := at.get((population, provider, number))) is not None
            and record.number("alliance_mean").value is not None
        ]
        for population in _POPULATIONS
        for provider in _PROVIDERS
    }
    if not any(drawn.values()):
        return nothing(name, title, "all counts are hidden, because some are small" if at else "nobody rated a session")

    shown = 1 + max(place for points in drawn.values() for place, _ in points)

    def draw(figure: Canvas, narrow: bool) -> None:
        panels = figure.subplots(2, 1, sharex=True, sharey=True) if narrow else figure.subplots(1, 2, sharey=True)
        for axes, (population, label) in zip(panels, _POPULATIONS.items(), strict=True):
            for i, (provider, called) in enumerate(_PROVIDERS.items()):
                points = drawn[population, provider]
                axes.plot(
                    [place for place, _ in points],
                    [record.number("alliance_mean").value or 0.0 for _, record in points],
                    color=SERIES[i],
                    marker="os"[i],
                    markersize=4,
                    linestyle=("-", "--")[i],
                    label=called,
                )
            axes.set_title(label.replace(": ", ":\n") if narrow else label)
            axes.set_xticks(range(shown), _NUMBERS[:shown], fontsize=8)
            axes.legend(loc="lower right", frameon=False, fontsize=8.5)
            grid_lines(axes, "y")
        figure.supxlabel("Session number", fontsize=9.5)
        figure.supylabel("Mean of the answered items", fontsize=9.5)

    wide, narrow = draw_svg(name, draw, 3.1, 5.4)
    rows: list[list[Part]] = [
        [
            f"{_POPULATIONS[population]}, {_PROVIDERS[provider].lower()}",
            _literal(record.text("session_number")),
            count(record.number("participants")),
            fixed(record.number("alliance_mean")),
            percent(record.number("top_share"), 1, 100.0),
        ]
        for (population, provider), points in drawn.items()
        for _, record in points
    ]
    alternative = plain(
        "Lines of the mean rating by number of the session. In the first panel of everyone who rated that session: a"
        " rise may only mean that the satisfied stayed. In the second of the same people throughout."
    )
    numbers = NumbersBehind(("Whose ratings", "Session", "Participants", "Mean", "Both items at the top"), rows)
    return Picture(name, title, alternative, wide, narrow, numbers)
