"""The service, month by month: a small chart for each series, drawn as SVG by hand, with its signals in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from rapport.report.marks import CIRCLE, DIAMOND, RING, SQUARE, VALUE, mark
from rapport.report.published import Number, Published, Record
from rapport.report.rich import Part, Rich, count, fixed, joined, marked, percent, plain, rich
from rapport.service import COUNTS, MEASURES, OUTCOMES
from rapport.signals import KINDS, TITLES, Event, events, in_words, last_complete_month, month_of

WIDTH, HEIGHT = 280, 120
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 8, 18
INSET = 8
"""Between the labels and the first value, which may have a shape."""
MARKS: Mapping[str, str] = {"outside_limits": DIAMOND, "shift": CIRCLE, "trend": SQUARE, "near_limit": RING}
"""The shape of a value that is a signal; of several the first counts."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One series: what it is of, its picture, its signals in words."""

    name: str
    title: str
    svg: Markup
    words: Rich


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its charts, and the numbers that they draw."""

    name: str
    title: str
    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True, slots=True)
class Service:
    """The section of the page."""

    about: Rich
    measures: tuple[Measure, ...]


def service(data: Published) -> Service | None:
    """Return the section; ``None`` where the service has no month."""
    by_series: dict[tuple[str, str], list[Record]] = {}
    for record in data.records("service_signals"):
        by_series.setdefault((record.text("provider_type"), record.text("measure")), []).append(record)
    if not by_series:
        return None
    for records in by_series.values():
        records.sort(key=lambda record: month_of(record.row))
    every = next(iter(by_series.values()))
    loaded = data.record("source_summary", table_name="sessions").moment("last_loaded_at")
    complete = None if loaded is None else last_complete_month((record.row for record in every), loaded)
    about = rich(
        "From {first} to {last}. The last month that is complete is {complete}.",
        first=_month(every[0]),
        last=_month(every[-1]),
        complete=_month(next(r for r in every if month_of(r.row) == complete)) if complete else "not there yet",
    )
    return Service(about, tuple(_measure(measure, by_series) for measure in MEASURES))


def _measure(measure: str, by_series: Mapping[tuple[str, str], Sequence[Record]]) -> Measure:
    kinds = ("all",) if measure in OUTCOMES else tuple(KINDS)
    charts = tuple(_chart(measure, kind, by_series[kind, measure]) for kind in kinds)
    names = tuple(KINDS[kind].capitalize() for kind in kinds)
    rows: list[tuple[Part, ...]] = []
    for of_month in zip(*(by_series[kind, measure] for kind in kinds), strict=True):
        rows.append((_month(of_month[0]), *(_value(measure, record.number("value")) for record in of_month)))
    for label, column in (("Mean", "mean"), ("Lower limit", "lower_limit"), ("Upper limit", "upper_limit")):
        figures = (by_series[kind, measure][0].number(column) for kind in kinds)
        rows.append((label, *(_value(measure, number) for number in figures)))
    return Measure(f"months-{measure.replace('_', '-')}", TITLES[measure], charts, ("Month", *names), tuple(rows))


def _value(measure: str, number: Number) -> Rich:
    if measure in COUNTS:
        return count(number) if number.source.endswith("#value") else fixed(number, 1)
    if measure in ("alliance_mean", "mean_change"):
        return fixed(number, 2 if measure == "alliance_mean" else 1)
    return percent(number, 1, 100)


def _month(record: Record) -> Rich:
    return marked(f"{month_of(record.row):%Y-%m}", record.source("month"), "month")


def _chart(measure: str, kind: str, records: Sequence[Record]) -> Chart:
    found = events([record.row for record in records])
    name = f"months-{measure.replace('_', '-')}-{kind}"
    return Chart(name, KINDS[kind].capitalize(), _svg(measure, records), _words(records, found))


def _words(records: Sequence[Record], found: Sequence[Event]) -> Rich:
    by_month = {month_of(record.row): record for record in records}
    said: list[Part] = []
    for event in found:
        what, when = in_words(event)
        first, last = (_month(by_month[month_of(row)]) for row in (event.rows[0], event.rows[-1]))
        if when.startswith("in "):
            said.append(rich("{what} in {first}", what=what, first=first))
        elif when.startswith("since "):
            said.append(rich("{what} since {first}", what=what, first=first))
        else:
            said.append(rich("{what} from {first} to {last}", what=what, first=first, last=last))
    if not said:
        if records[0].row["mean"] is not None:
            return plain("No signal.")
        is_hidden = any(record.number("value").is_hidden for record in records)
        return plain("No limits, because months are hidden." if is_hidden else "Too few months for limits.")
    whole = joined(said, "; ")
    return rich("{first}{rest}.", first=whole.text[0].upper(), rest=Rich(whole.html[1:], whole.text[1:]))


# --- Drawing


def _svg(measure: str, records: Sequence[Record]) -> Markup:
    """Draw a series: its values, mean and limits; signals have shapes, months without a value are gaps."""
    numbers = [record.number("value").value for record in records]
    mean, lower, upper = (records[0].number(name).value for name in ("mean", "lower_limit", "upper_limit"))
    heights = [number for number in (*numbers, mean, lower, upper) if number is not None]
    if not heights:
        return Markup("")
    low, high = min(heights), max(heights)
    if low == high:
        low, high = low - 1, high + 1
    step = (WIDTH - LEFT - RIGHT - INSET) / max(len(records) - 1, 1)

    def x(i: int) -> str:
        return f"{LEFT + INSET + i * step:.1f}"

    def y(value: float) -> str:
        return f"{HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts: list[str] = []
    for value, style in ((mean, "mean"), (lower, "limit"), (upper, "limit")):
        if value is not None:
            parts.append(f'<line class="{style}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}"/>')
    begun = False
    path = ""
    for i, value in enumerate(numbers):
        if value is not None:
            path += f"{'L' if begun else 'M'}{x(i)} {y(value)}"
        begun = value is not None
    parts.append(f'<path class="values" d="{path}"/>')
    for i, (record, value) in enumerate(zip(records, numbers, strict=True)):
        if value is not None:
            shape = next((MARKS[signal] for signal in MARKS if record.row[signal]), VALUE)
            parts.append(mark(shape, float(x(i)), float(y(value))))
    for value in (low, high):
        parts.append(
            f'<text x="{LEFT - 5}" y="{float(y(value)) + 3:.1f}" text-anchor="end">{_tick(measure, value)}</text>'
        )
    for i, anchor in ((0, "start"), (len(records) - 1, "end")):
        label = f"{month_of(records[i].row):%Y-%m}"
        parts.append(f'<text x="{x(i)}" y="{HEIGHT - 4}" text-anchor="{anchor}">{label}</text>')
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>')


def _tick(measure: str, value: float) -> str:
    if measure in COUNTS:
        text = f"{value:,.0f}"
    elif measure in ("alliance_mean", "mean_change"):
        text = f"{value:.1f}"
    else:
        text = f"{100 * value:.0f}%"
    return str(escape(text.replace("-", "−")))
