"""The pictures, as SVG whose colours are variables of the page, each in a wide and a narrow form.

Nothing rests on colour alone: groups have panels, labels, line styles or markers of their own. Colours are those of
Okabe & Ito (2008), Color Universal Design, darkened or lightened by the page's theme.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapport.report.labels import lines_of, utilization
from rapport.report.published import Number, Published, Record
from rapport.report.rich import HIDDEN, Part, Rich, count, fixed, interval, joined, percent, plain, rich
from rapport.report.sentences import cutoff_var, parameter, why_missing
from rapport.studies import ALLIANCE, CARE_TYPES, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK, FAINT, PAPER = "#010203", "#040506", "#070809"
SERIES = ("#0a0b0c", "#0d0e0f", "#101112")
_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--rule)",
    PAPER: "var(--paper)",
    SERIES[0]: "var(--series-1)",
    SERIES[1]: "var(--series-2)",
    SERIES[2]: "var(--series-3)",
}
_LINES, _MARKERS = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 3))), ("o", "s", "D")
_PANELS = {1: "A panel", 2: "Two panels", 3: "Three panels", 4: "Four panels"}
WIDE, NARROW = 7.6, 3.5  # inches, at 100 to the inch
TYPES = CARE_TYPES


@dataclass(frozen=True, slots=True)
class NumbersBehind:
    """The figures that a picture draws, and why some of them are missing."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Part]]
    notes: Sequence[Rich] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page.

    Attributes:
        name: identifier on the page.
        title: what it shows.
        alternative: the same in words.
        wide: SVG for a screen or paper; empty where there is nothing to draw.
        narrow: SVG for a phone.
        numbers: what is drawn.
        why_not: why nothing is drawn.
    """

    name: str
    title: str
    alternative: Rich
    wide: str
    narrow: str
    numbers: NumbersBehind
    why_not: str = ""


def pictures(data: Published) -> list[Picture]:
    """Return all pictures, in the order of the page."""
    return [distribution(data), transitions(data), changes(data), forest(data), slope_lines(data)]


# --- Drawing


def draw_svg(name: str, draw: Callable[[Canvas, bool], None], height: float, narrow_height: float) -> tuple[str, str]:
    """Return the wide and the narrow form."""
    return tuple(  # type: ignore[return-value]
        _one_svg(f"{name}-{'narrow' if narrow else 'wide'}", draw, narrow, narrow_height if narrow else height)
        for narrow in (False, True)
    )


def _one_svg(name: str, draw: Callable[[Canvas, bool], None], narrow: bool, height: float) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.5,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "text.color": INK,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "hatch.linewidth": 0.8,
    }
    with mpl.rc_context(style):
        figure = Canvas(figsize=(NARROW if narrow else WIDE, height), dpi=100, layout="constrained")
        figure.patch.set_visible(False)
        FigureCanvasSVG(figure)
        draw(figure, narrow)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(stream.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """Make one of several SVGs of a page: ids of its own, colours by name, no size of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    return re.sub(r"\s*\n\s*", " ", svg)


def grid_lines(axes: Axes, axis: Any) -> None:
    """Draw faint lines behind the figures."""
    axes.grid(visible=True, axis=axis, color=FAINT, linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)


def _leave_empty(panels: Sequence[Axes], numbers: Sequence[Sequence[Number]], why: str, *, narrow: bool) -> None:
    """Take the axes from panels in which nothing is drawn, and label those beside them in their stead.

    ``numbers`` are those that each panel would draw: a hidden one leaves the mark, otherwise ``why`` stands there.
    """
    empty = [axes for axes in panels if not axes.has_data()]
    for axes, of_panel in zip(panels, numbers, strict=True):
        if axes not in empty:
            continue
        axes.set_axis_off()
        if not axes.texts:
            is_hidden = any(number.is_hidden for number in of_panel)
            text, size = (HIDDEN, 12) if is_hidden else (why, 9.5)
            axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=size)
    drawn = [axes for axes in panels if axes not in empty]
    if empty and drawn:
        drawn[-1 if narrow else 0].tick_params(labelbottom=True, labelleft=True)


def _why_no_counts(records: Sequence[Record]) -> str:
    """Return why a picture of counts cannot be drawn; empty if it can."""
    if not records:
        return "there is no participant in the cohort"
    if all(record.number("participants").value is None for record in records):
        return "all counts are hidden, because some are small"
    return ""


def nothing(name: str, title: str, why_not: str) -> Picture:
    """Return a picture that cannot be drawn, with the reason."""
    return Picture(name, title, plain(""), "", "", NumbersBehind((), ()), why_not)


# --- Alliance scores


def distribution(data: Published) -> Picture:
    """How alliance scores are distributed within each utilization type."""
    name, title, names = "distribution", "Alliance scores by utilization type", utilization(data.study)
    records = list(data.records("alliance_distribution"))
    if why_not := _why_no_counts(records):
        return nothing(name, title, why_not)
    classes = list(_classes())
    labels = [_class_label(low, high) for low, high in classes]
    by_type = {group: [r for r in records if r.text("utilization_type") == group] for group in TYPES}

    def draw(figure: Canvas, narrow: bool) -> None:
        panels = figure.subplots(3, 1, sharex=True) if narrow else figure.subplots(1, 3, sharey=True)
        tallest = max((r.number("percent").value or 0.0) / len(_covered(r, by_type)) for r in records)
        for axes, group, colour in zip(panels, TYPES, SERIES, strict=True):
            for record in by_type[group]:
                share = record.number("percent")
                if share.value is None:
                    continue
                covered = _covered(record, by_type)
                height, middle = share.value / len(covered), sum(covered) / len(covered)
                is_top = covered == [len(classes) - 1]
                bar = axes.bar(middle, height, width=len(covered) - 0.14, color=colour, alpha=0.55, edgecolor=colour)
                bar[0].set_alpha(1.0 if is_top else 0.55)
                mark = "‡" if share.is_marked else ""
                if is_top or len(covered) > 1 or mark:
                    text = f"{share.value:.0f}%{mark}" if is_top or len(covered) > 1 else mark
                    weight = "bold" if is_top else "normal"
                    axes.text(middle, height + 1, text, ha="center", va="bottom", fontweight=weight)
            axes.set_title(names[group])
            axes.set_xlim(-0.6, len(classes) - 0.4)
            axes.set_xticks(
                range(len(classes)),
                labels,
                rotation=0 if narrow else 45,
                ha="center" if narrow else "right",
                rotation_mode="anchor",
            )
            axes.set_ylim(0, tallest * 1.18 or 1)
            grid_lines(axes, "y")
        shares = [[record.number("percent") for record in by_type[group]] for group in TYPES]
        _leave_empty(panels, shares, "no participants", narrow=narrow)
        figure.supxlabel("Alliance score", fontsize=9.5)
        per = " per class" if any(len(_covered(record, by_type)) > 1 for record in records) else ""
        figure.supylabel(f"Percent of participants{per}", fontsize=9.5)

    wide, narrow = draw_svg(name, draw, 3.1, 6.0)
    at_the_top = [
        rich("{share} ({name})", share=percent(record.number("percent")), name=names[group].lower())
        for group in TYPES
        for record in by_type[group]
        if record.row["score_from"] == 5.0 and record.number("percent").value is not None
    ]
    alternative = plain("Bars show what percent of a utilization type's participants has a score in each class.")
    if at_the_top:
        alternative += rich(
            " At the ceiling, a score of 5 of 5, are {shares}.", shares=joined(at_the_top, last=" and ")
        )
    if any(len(_covered(record, by_type)) > 1 for record in records):
        alternative += plain(
            " A wide bar holds classes that are too small apart; its area is their share, which stands above it."
        )
    rows: list[list[Part]] = [
        [
            names[record.text("utilization_type")],
            _marked_class(record, by_type),
            count(record.number("participants")),
            percent(record.number("percent")),
        ]
        for group in TYPES
        for record in records
        if record.text("utilization_type") == group
    ]
    return Picture(
        name,
        title,
        alternative,
        wide,
        narrow,
        NumbersBehind(("Utilization type", "Score", "Participants", "Percent of the type"), rows),
    )


def _classes() -> Iterator[tuple[float, float]]:
    yield from ((1.0, 3.0), (3.0, 3.5), (3.5, 4.0), (4.0, 4.5), (4.5, 5.0), (5.0, 5.0))


def _covered(record: Record, by_type: Mapping[str, Sequence[Record]]) -> list[int]:
    """Return the positions of the classes that a bar holds."""
    classes = list(_classes())
    low, high = float(str(record.row["score_from"])), float(str(record.row["score_to"]))
    covered = [i for i, (start, end) in enumerate(classes) if low <= start and end <= high]
    if low < 5.0 and any(other.row["score_from"] == 5.0 for other in by_type[record.text("utilization_type")]):
        covered = [i for i in covered if i != len(classes) - 1]
    return covered


def _marked_class(record: Record, by_type: Mapping[str, Sequence[Record]]) -> Rich:
    low, high = fixed(record.number("score_from"), 1), fixed(record.number("score_to"), 1)
    if low.text == high.text:
        return low
    has_top = len(list(_classes())) - 1 in _covered(record, by_type)
    return rich("{low} to {high}" if has_top else "{low} to below {high}", low=low, high=high)


def _class_label(low: object, high: object) -> str:
    if low == high:
        return f"{low:g}"
    return f"< {high:g}" if low == 1.0 else f"{low:g}–"


# --- WHO-5


def transitions(data: Published) -> Picture:
    """From which band of WHO-5 participants moved to which."""
    name, title = "transitions", f"{data.study.outcome.name} from baseline to follow-up"
    records = list(data.records("wellbeing_transitions"))
    if why_not := _why_no_counts(records):
        return nothing(name, title, why_not)
    outcome = data.study.outcome
    bands = sorted({(r.row[f"{when}_from"], r.row[f"{when}_to"]) for r in records for when in ("baseline", "followup")})
    labels = [f"{low}–{high}" for low, high in bands]
    at = {(r.row["baseline_from"], r.row["followup_from"]): r for r in records}
    edge = sum(high <= outcome.cutoff for _, high in bands) - 0.5  # type: ignore[operator]

    def draw(figure: Canvas, narrow: bool) -> None:
        axes = figure.subplots()
        for y, (start, _) in enumerate(bands):
            for x, (end, _) in enumerate(bands):
                record = at.get((start, end))
                share = 0.0 if record is None else record.number("percent").value or 0.0
                axes.add_patch(_square(x, y, 0.06 + 0.54 * share / 100.0))
                if record is None:
                    text = "0"
                elif record.number("participants").is_hidden:
                    text = "‡"
                else:
                    people = record.number("participants")
                    text = f"{people.value:,.0f}" + ("‡" if people.is_marked else "")
                    if share:
                        text += f"\n{share:.0f}%"
                axes.text(x, y, text, ha="center", va="center", gid=f"cell-{start}-{end}")
        size = len(bands)
        if -0.5 < edge < size - 0.5:
            axes.plot([edge, edge], [-0.5, size - 0.5], color=INK, linewidth=2.2)
            axes.plot([-0.5, size - 0.5], [edge, edge], color=INK, linewidth=2.2)
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(-0.5, size - 0.5)
        axes.set_xticks(range(size), labels)
        axes.set_yticks(range(size), labels)
        axes.set_xlabel(f"{outcome.name} at follow-up")
        axes.set_ylabel(f"{outcome.name} at baseline")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    wide, narrow = draw_svg(name, draw, 3.9, 3.6)
    stayed = at.get((bands[0][0], bands[0][0]))
    alternative = rich(
        "Participants by band at baseline (rows) and follow-up (columns); the heavy lines are the cut-off at {cutoff}."
        " Stronger colour is a larger share of the row.",
        cutoff=parameter(data, cutoff_var(data.study)),
    )
    is_positive = bands[0][1] <= outcome.cutoff  # type: ignore[operator]
    if is_positive and stayed is not None and stayed.number("participants").value is not None:
        alternative += rich(
            " Of those who began at or below it, {share} ({n}) were still there at follow-up.",
            share=percent(stayed.number("percent")),
            n=count(stayed.number("participants")),
        )
    rows: list[list[Part]] = [
        [
            _marked_band(r, "baseline"),
            _marked_band(r, "followup"),
            count(r.number("participants")),
            percent(r.number("percent")),
        ]
        for r in records
    ]
    return Picture(
        name,
        title,
        alternative,
        wide,
        narrow,
        NumbersBehind(("Baseline", "Follow-up", "Participants", "Percent of the baseline band"), rows),
    )


def _marked_band(record: Record, when: str) -> Rich:
    return rich("{low}–{high}", low=count(record.number(f"{when}_from")), high=count(record.number(f"{when}_to")))


def _square(x: int, y: int, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=SERIES[0], alpha=alpha, edgecolor="none")


def changes(data: Published) -> Picture:
    """Mean change by utilization type, and the differences with Tukey's intervals."""
    outcome, types = data.study.outcome.name, utilization(data.study)
    name, title = "changes", f"Change of {outcome} by utilization type, among those who screened positive"
    means = [data.finding("wellbeing_change_group_means", group) for group in TYPES]
    tukey = list(data.records("inference_results", analysis="wellbeing_change_by_utilization_tukey"))
    if all(r.number("estimate").value is None for r in (*means, *tukey)):
        return nothing(name, title, why_missing(means[0]))
    names = [_contrast(record, data.study) for record in tukey]

    def draw(figure: Canvas, narrow: bool) -> None:
        panels = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
        _whiskers(panels[0], [types[group] for group in TYPES], means, SERIES)
        panels[0].set_title("Mean change, 95% CI")
        _whiskers(panels[1], names, tukey, (INK, INK, INK))
        if panels[1].has_data():
            panels[1].axvline(0, color=INK, linewidth=1, linestyle="--")
        panels[1].set_title("Difference, Tukey 95% CI")
        for axes in panels:
            axes.set_xlabel(f"{outcome} points")
        numbers = [[record.number("estimate") for record in drawn] for drawn in (means, tukey)]
        _leave_empty(panels, numbers, "cannot be estimated", narrow=narrow)

    wide, narrow = draw_svg(name, draw, 2.5, 4.4)
    parts = [
        rich("{group} {mean}", group=types[record.text("term")].lower(), mean=fixed(record.number("estimate")))
        for record in means
        if record.number("estimate").value is not None
    ]
    alternative = rich(
        f"Points with intervals. Mean changes in {outcome} points: {{means}}. Beside them the three"
        " pairwise differences; an interval"
        " that crosses the dashed line at zero leaves the direction open.",
        means=joined(parts, last=" and ") if parts else "none can be given",
    )
    rows: list[list[Part]] = [
        [
            label,
            count(r.number("n")),
            fixed(r.number("estimate")),
            interval(fixed(r.number("ci_low")), fixed(r.number("ci_high"))),
        ]
        for label, r in [*((types[r.text("term")], r) for r in means), *zip(names, tukey, strict=True)]
    ]
    return Picture(
        name,
        title,
        alternative,
        wide,
        narrow,
        NumbersBehind(("Group or difference", "n", f"{outcome} points", "95% CI"), rows),
    )


def _contrast(record: Record, study: Study) -> str:
    (first, second), names = record.text("term").split(" - "), utilization(study)
    return f"{names[first]} − {names[second].lower()}"


def _whiskers(axes: Axes, labels: Sequence[str], records: Sequence[Record], colours: Sequence[str]) -> None:
    for position, (record, colour, marker) in enumerate(zip(records, colours, _MARKERS, strict=True)):
        value, low, high = (record.number(column).value for column in ("estimate", "ci_low", "ci_high"))
        if value is None:
            if record.number("estimate").is_hidden:
                axes.text(0.5, position, HIDDEN, transform=axes.get_yaxis_transform(), ha="center", va="center")
            continue
        if low is not None and high is not None:
            axes.plot([low, high], [position, position], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([value], [position], marker=marker, markersize=7, color=colour)
    axes.set_yticks(range(len(labels)), [label.replace(" − ", " −\n") for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    grid_lines(axes, "x")


# --- Regressions


def forest(data: Published) -> Picture:
    """Standardized coefficients of Table 2 with their intervals."""
    name, title = "forest", "What goes with well-being at follow-up: standardized coefficients"
    main, labels = data.study.main_model, data.study.term_labels
    order = data.study.regressions[main].terms
    records = [data.finding(main, term) for term in order]
    drawn = [(r, _standardized(r)) for r in records]
    if all(values is None for _, values in drawn):
        return nothing(name, title, why_missing(records[0]))

    def draw(figure: Canvas, narrow: bool) -> None:
        axes = figure.subplots()
        for position, (record, values) in enumerate(drawn):
            if values is None:
                if record.number("standardized_estimate").is_hidden:
                    axes.text(0.5, position, HIDDEN, transform=axes.get_yaxis_transform(), ha="center", va="center")
                continue
            _, beta, low, high = values
            emphasis = record.text("term") == ALLIANCE
            colour = SERIES[0] if emphasis else INK
            axes.plot([low, high], [position, position], color=colour, linewidth=2.4 if emphasis else 1.6)
            axes.plot([beta], [position], marker="D" if emphasis else "o", markersize=7, color=colour)
        axes.axvline(0, color=INK, linewidth=1, linestyle="--")
        axes.set_yticks(
            range(len(order)), [labels[term].replace(" (days)", "").replace(" (years)", "") for term in order]
        )
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("β, SD of follow-up per SD")
        grid_lines(axes, "x")

    wide, narrow = draw_svg(name, draw, 1.0 + 0.3 * len(order), 1.2 + 0.3 * len(order))
    rows: list[list[Part]] = []
    for record, values in drawn:
        if values is None:
            rows.append([labels[record.text("term")], fixed(record.number("standardized_estimate"), 3), "—"])
            continue
        per = values[0]
        scale = "standardized_estimate/estimate"
        rows.append(
            [
                labels[record.text("term")],
                fixed(record.number("standardized_estimate"), 3),
                interval(
                    fixed(record.number("ci_low"), 3, per, scale),
                    fixed(record.number("ci_high"), 3, per, scale),
                ),
            ]
        )
    known = [(r, v) for r, v in drawn if v is not None]
    clear = [labels[r.text("term")].lower() for r, (_, _, low, high) in known if low > 0 or high < 0]
    if not clear:
        verdict = "No interval is away from zero."
    elif len(clear) == len(known):
        verdict = "All intervals are away from zero."
    else:
        one = len(clear) == 1
        verdict = (
            f"Away from zero {'is' if one else 'are'} the interval{'' if one else 's'} of {' and '.join(clear)};"
            " the others cross it."
        )
    alternative = plain(f"Points with 95% intervals on one scale, zero dashed. {verdict}")
    return Picture(name, title, alternative, wide, narrow, NumbersBehind(("Predictor", "β", "95% CI"), rows))


def _standardized(record: Record) -> tuple[float, float, float, float] | None:
    """Return what b is multiplied by to be β, β and its limits; None where there is no coefficient."""
    b, beta, low, high = (
        record.number(column).value for column in ("estimate", "standardized_estimate", "ci_low", "ci_high")
    )
    if b is None or beta is None or low is None or high is None or b == 0:
        return None
    per = beta / b
    return per, beta, low * per, high * per


def _without_kinks(
    x: Sequence[float], y: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return the line and the band that rounded points lie on: straight, and of a width whose square is a parabola."""
    import numpy as np

    line = np.polyval(np.polyfit(x, y, 1), x)
    half = (np.array(high) - np.array(low)) / 2
    width = np.sqrt(np.maximum(np.polyval(np.polyfit(x, half**2, 2), x), 0.0))
    return list(x), line.tolist(), (line - width).tolist(), (line + width).tolist()


def slope_lines(data: Published) -> Picture:
    """The line of well-being along alliance at the levels of each moderator."""
    name, title = "slope-lines", "Alliance and well-being at follow-up, at levels of the moderators"
    outcome = data.study.outcome.name
    moderations = data.study.moderations
    lines = {
        analysis: {
            level: points
            for level in lines_of(data.study, analysis)
            if (points := list(data.records("alliance_slopes", analysis=analysis, level=level)))
        }
        for analysis in moderations
    }
    drawable = [
        points
        for levels in lines.values()
        for points in levels.values()
        if points[0].number("predicted").value is not None
    ]
    if not drawable:
        first = next(data.records("alliance_slopes"), None)
        return nothing(name, title, "there is no model" if first is None else why_missing(first))
    lowest = min(r.number("ci_low").value or 0.0 for points in drawable for r in points)
    highest = max(r.number("ci_high").value or 0.0 for points in drawable for r in points)

    def draw(figure: Canvas, narrow: bool) -> None:
        shape = (len(lines), 1) if narrow else (1, len(lines))
        panels = list(figure.subplots(*shape, sharex=narrow, sharey=not narrow, squeeze=False).flat)
        for axes, (analysis, levels) in zip(panels, lines.items(), strict=True):
            labels = lines_of(data.study, analysis)
            for i, (level, points) in enumerate(levels.items()):
                if points[0].number("predicted").value is None:
                    continue
                x, y, low, high = (
                    [r.number(column).value or 0.0 for r in points]
                    for column in ("alliance_score", "predicted", "ci_low", "ci_high")
                )
                if data.is_protected:
                    x, y, low, high = _without_kinks(x, y, low, high)
                axes.fill_between(x, low, high, color=SERIES[i % 3], alpha=0.16, linewidth=0)
                line = _LINES[i % len(_LINES)]
                label = labels[level].split(" (")[0]
                axes.plot(x, y, color=SERIES[i % 3], linewidth=2, linestyle=line, label=label)
            axes.set_title(f"By {moderations[analysis].label}")
            axes.set_ylim(lowest - 2, highest + 0.32 * (highest - lowest))  # room for the legend
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="upper left", frameon=False, fontsize=8.5, handlelength=2.6, labelspacing=0.25)
            grid_lines(axes, "both")
        numbers = [[points[0].number("predicted") for points in levels.values()] for levels in lines.values()]
        _leave_empty(panels, numbers, "cannot be estimated", narrow=narrow)
        figure.supxlabel("Alliance score", fontsize=9.5)
        figure.supylabel(f"Expected {outcome} at follow-up", fontsize=9.5)

    wide, narrow = draw_svg(name, draw, 3.3, 0.4 + 7.0 / 3 * len(lines))
    alternative = plain(
        f"{_PANELS.get(len(lines), str(len(lines)))} of straight lines with 95% bands: low, mean and high values of a"
        " moderator, or its groups."
        " Beside each other they show the association at each level; the table of moderations tests whether it differs."
    )
    rows: list[list[Part]] = []
    for analysis, levels in lines.items():
        for level, points in levels.items():
            for record in (points[0], points[-1]):
                rows.append(
                    [
                        f"By {moderations[analysis].label}: {lines_of(data.study, analysis)[level].lower()}",
                        fixed(record.number("alliance_score")),
                        fixed(record.number("predicted")),
                        interval(fixed(record.number("ci_low")), fixed(record.number("ci_high"))),
                    ]
                )
    numbers = NumbersBehind(("Line", "Alliance", f"Expected {outcome}", "95% CI"), rows)
    return Picture(name, title, alternative, wide, narrow, numbers)
