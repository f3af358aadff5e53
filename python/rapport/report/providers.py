"""The alliance by provider: a funnel plot for each type, drawn as SVG by hand, with its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from rapport.providers import LIMITS, PROVIDER_TYPES, TABLE
from rapport.release.rounding import of_mean
from rapport.report.labels import capital
from rapport.report.marks import DIAMOND, RING, VALUE, mark
from rapport.report.published import Published, Record
from rapport.report.rich import Part, Rich, count, fixed, interval, joined, marked, plain, rich

WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 28, 10, 10, 32
LOWEST, HIGHEST = 1.0, 5.0
"""The ends of the scale: limits may be beyond them, means are not."""
TITLES = {"therapist": "Therapists", "coach": "Coaches"}
COLUMNS = (*("Provider", "Participants", "Rated sessions", "Mean", "Shrunken", "95% limits", "99.8% limits", "Beyond"),)
BEYOND_998, BEYOND_95 = "99.8%", "95%"
STEPS = 96
"""Pieces of a limit's curve."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """The providers of one type: their picture, what to see in it, and the numbers that it draws."""

    name: str
    title: str
    svg: Markup
    words: Rich
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True, slots=True)
class Providers:
    """The section of the page."""

    funnels: tuple[Funnel, ...]


def providers(data: Published) -> Providers | None:
    """Return the section; ``None`` where the release has no alliance by provider, or was read without."""
    if TABLE not in data.tables:
        return None
    base = int(data.manifest["round_counts"])
    return Providers(
        tuple(_funnel(kind, list(data.records(TABLE, provider_type=kind)), base) for kind in PROVIDER_TYPES)
    )


def place(record: Record, base: int) -> tuple[str, bool] | None:
    """Return the outermost limit that a mean is beyond, and whether it is above; ``None`` = within, or no limits.

    Nobody is called beyond a limit because of rounding: a rounded mean is taken at the nearest value that is rounded to
    it, and the limits are those of the smallest number of the class.

    Args:
        record: a row of the release.
        base: numbers in a class of participants; 1 = nothing is rounded.
    """
    mean, centre, size = (record.number(name).value for name in ("alliance_mean", "type_mean", "participants"))
    highs = (record.number("upper_998").value, record.number("upper_95").value)
    if mean is None or centre is None or size is None:
        return None
    least = size - (base - 1) // 2
    unit = 0.0 if base == 1 else 10.0 ** -of_mean(size)
    for name, high in zip((BEYOND_998, BEYOND_95), highs, strict=True):
        if high is not None and abs(mean - centre) - unit / 2 > (high - centre) * math.sqrt(size / least):
            return name, mean > centre
    return None


def _funnel(kind: str, records: Sequence[Record], base: int) -> Funnel:
    ordered = sorted(records, key=lambda record: (-(record.number("participants").value or 0.0), _id(record)))
    named = [record for record in ordered if _id(record)]
    notes = dict.fromkeys(record.text("note") for record in ordered if record.text("note"))
    return Funnel(
        name=f"providers-{kind}",
        title=TITLES[kind],
        svg=_svg(named, base),
        words=_words(named, base),
        notes=tuple(f"{capital(note)}." for note in notes if _id_of_note(ordered, note)),
        columns=COLUMNS,
        rows=tuple(_row(record, base) for record in [*named, *(record for record in ordered if not _id(record))]),
    )


def _id(record: Record) -> str:
    return record.text("provider_id")


def _id_of_note(records: Sequence[Record], note: str) -> bool:
    """Whether a note is about named providers: that of the others stands in their row."""
    return any(_id(record) and record.text("note") == note for record in records)


def _name(record: Record) -> Rich:
    if not _id(record):
        return plain("Sessions that name no provider")
    return marked(_id(record), record.source("provider_id"), "text")


def _row(record: Record, base: int) -> tuple[Part, ...]:
    has_limits = record.number(LIMITS[0]).value is not None
    return (
        _name(record),
        count(record.number("participants")),
        count(record.number("rated_sessions")),
        fixed(record.number("alliance_mean")),
        fixed(record.number("shrunken_mean")),
        *(
            interval(fixed(record.number(low)), fixed(record.number(high))) if has_limits else plain("—")
            for low, high in (LIMITS[:2], LIMITS[2:])
        ),
        _beyond(place(record, base)),
    )


def _beyond(where: tuple[str, bool] | None) -> Rich:
    if where is None:
        return plain("—")
    limit = Rich(f"<span data-literal>{where[0]}</span>", where[0])
    return rich("{side} {limit}", side="above" if where[1] else "below", limit=limit)


def _words(named: Sequence[Record], base: int) -> Rich:
    """What the picture shows: mean and ICC of the type, and who is beyond the outer limits."""
    if not named:
        return plain("No provider is shown.")
    first = named[0]
    said: list[Part] = [rich("mean of all {mean}", mean=fixed(first.number("type_mean")))]
    if first.number("icc").value is not None:
        said.append(rich("ICC {icc}", icc=fixed(first.number("icc"), 3)))
    outside = [record for record in named if (where := place(record, base)) is not None and where[0] == BEYOND_998]
    if outside:
        outer = Rich(f"<span data-literal>{BEYOND_998}</span>", BEYOND_998)
        said.append(rich("beyond the {outer} limits: {who}", outer=outer, who=joined([_name(one) for one in outside])))
    elif first.number(LIMITS[0]).value is not None:
        said.append("nobody is beyond the outer limits")
    whole = joined(said, "; ")
    return rich("{whole}.", whole=Rich(capital(whole.html), capital(whole.text)))


# --- Drawing


def _svg(named: Sequence[Record], base: int) -> Markup:
    """Draw the means by number of participants, with mean and limits of the type."""
    points = [(record.number("participants").value or 0.0, record.number("alliance_mean").value) for record in named]
    shown = [(size, mean) for size, mean in points if mean is not None]
    if not shown:
        return Markup("")
    first = named[0]
    size_of_first = first.number("participants").value or 1.0
    centre = first.number("type_mean").value
    widths = [
        (limit - centre) * math.sqrt(size_of_first)
        for name in (LIMITS[1], LIMITS[3])
        if centre is not None and (limit := first.number(name).value) is not None
    ]
    least, most = min(size for size, _ in shown), max(size for size, _ in shown)
    start, end = least * 0.85, most * 1.05 + 1
    heights = [mean for _, mean in shown]
    if centre is not None:
        heights += [centre, *(centre + side * width / math.sqrt(least) for width in widths for side in (-1, 1))]
    low, high = max(min(heights), LOWEST), min(max(heights), HIGHEST)
    margin = (high - low) * 0.06 or 0.5
    low, high = low - margin, high + margin

    def x(size: float) -> float:
        # Limits change with the root of the number: on a scale of logarithms the crowd of small numbers has room.
        part = (math.log(size) - math.log(start)) / (math.log(end) - math.log(start))
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts: list[str] = []
    for tick in _ticks(low, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y(tick) + 3:.1f}" text-anchor="end">{tick:.1f}</text>')
    for size in _sizes(start, end):
        parts.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{size:,}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">Participants who rated</text>')
    if centre is not None:
        parts.append(f'<line class="mean" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(centre):.1f}" y2="{y(centre):.1f}"/>')
        sizes = [start * (end / start) ** (i / STEPS) for i in range(STEPS + 1)]
        for width, style in zip(widths, ("inner", "outer"), strict=bool(widths)):
            for side in (-1, 1):
                curve = ((size, centre + side * width / math.sqrt(size)) for size in sizes)
                inside = [f"{x(size):.1f} {y(value):.1f}" for size, value in curve if low <= value <= high]
                parts.append(f'<path class="{style}" d="M{"L".join(inside)}"/>')
    for record in named:
        parts.append(_point(record, x(record.number("participants").value or 1.0), y, base))
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>')


def _point(record: Record, x: float, y: Callable[[float], float], base: int) -> str:
    mean = record.number("alliance_mean").value
    if mean is None:
        return ""
    height = y(mean)
    title = f"<title>{escape(_id(record))}</title>"
    where = place(record, base)
    shape = VALUE if where is None else RING if where[0] == BEYOND_95 else DIAMOND
    return mark(shape, x, height, inside=title, small=2.6)


def _ticks(low: float, high: float) -> list[float]:
    """Return tenths, fifths or halves of a point between two heights."""
    for step in (0.1, 0.2, 0.5, 1.0, 2.0):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first <= 6:
            break
    return [round(i * step, 1) for i in range(first, last + 1)]


def _sizes(start: float, end: float) -> list[int]:
    """Return round numbers of participants between two: 1, 2, 5, 10, 20, 50, …, or more where these are few."""
    found: list[int] = []
    for digits in ((1, 2, 5), (1, 2, 3, 4, 6), (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)):
        found = [number for power in range(7) for digit in digits if start <= (number := digit * 10**power) <= end]
        if len(found) > 2:
            break
    return found
