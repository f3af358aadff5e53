"""The page: everything put together."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from rapport.release.history import QUANTITIES
from rapport.report import flow, methods, sentences, tables
from rapport.report.figures import pictures
from rapport.report.firmness import firmness
from rapport.report.labels import LAYERS
from rapport.report.months import service
from rapport.report.providers import providers
from rapport.report.published import KEYS, Published, Record
from rapport.report.rich import Rich, as_rich, count, fixed, joined, marked, plain, rich

SHOWN_RELEASES = 12


@dataclass(frozen=True, slots=True)
class Download:
    """A table as a file inside the page."""

    label: str
    file_name: str
    link: str


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A drawn table with its notes and files."""

    name: str
    title: str
    html: str
    notes: tuple[Rich, ...]
    downloads: tuple[Download, ...]


def build_page(data: Published) -> str:
    """Return the whole page as HTML that needs nothing else."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rapport.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["rich"] = as_rich
    return environment.get_template("index.html.j2").render(
        style=Markup(_template("style.css")),
        script=Markup(_template("page.js")),
        data=data,
        origin=_origin(data),
        gates=_gates(data),
        protection=_protection(data),
        later=_later_build(data),
        overridden=_overridden(data),
        aims=sentences.aims(data),
        firm=firmness(data),
        steps=flow.steps(data),
        analysed=flow.analysed(data),
        tables=[_shown(table) for table in _tables(data)],
        pictures=pictures(data),
        service=service(data),
        providers=providers(data),
        reproduction=_reproduction(data) if data.is_calibrated else None,
        consistency=_consistency(data) if data.is_calibrated else None,
        quality=_quality(data),
        terms=methods.terms(data),
        parameters=methods.parameters(data),
        procedures=methods.procedures(),
        software=methods.software(str(data.manifest["build"]["versions"])),
        build=data.manifest["build"],
        checklist=methods.checklist(is_calibrated=data.is_calibrated),
        count=count,
        fixed=fixed,
        moment=_moment,
        event=_month if data.is_protected else _day,
        row=_row,
    )


def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


# --- The head of the page


def _origin(data: Published) -> Rich:
    """Say what data the page shows, and of which time."""
    sessions = data.record("source_summary", table_name="sessions")
    # The day of the first session is the day of one person.
    when = _month if data.is_protected else _day
    dates = rich(
        "sessions from {first} to {last}, newest row of {loaded}",
        first=when(sessions, "first_event_on"),
        last=when(sessions, "last_event_on"),
        loaded=_moment(sessions, "last_loaded_at"),
    )
    start, end = (data.parameter(data.study.var_of(f"window.{name}") or "") for name in ("start", "end"))
    name = data.parameter("study")
    window = rich(
        "Study {study}, window {start} to {end}",
        study=marked(name.text("value"), name.source("value"), "text"),
        start=marked(start.text("value"), start.source("value"), "text"),
        end=marked(end.text("value"), end.source("value"), "text"),
    )
    folder = str(data.manifest["source"]["folder"])
    if data.is_synthetic and not data.is_calibrated:
        what = rich("Synthetic data: export {folder}. No participant exists.", folder=folder)
    elif data.is_synthetic:
        what = rich(
            "Synthetic data: the study's twin (export {folder}), calibrated to the printed figures. No participant"
            " exists.",
            folder=folder,
        )
    else:
        what = rich("Data: export “{folder}” ({form}).", folder=folder, form=str(data.manifest["source"]["format"]))
    return rich("{what} {window}; {dates}.", what=what, window=window, dates=dates)


def _gates(data: Published) -> Rich:
    source = data.manifest["source"]
    built = _moment(data.build, "published_at")
    if not source["gates"] or source["gates_open"] != source["gates"]:
        return rich("Built {built}; the outcome of its gates is not on record.", built=built)
    return rich("Built {built}; all {n} gates passed.", built=built, n=_literal(str(source["gates"])))


def _protection(data: Published) -> Rich:
    """Say what is hidden and how figures are rounded, or what the mark means."""
    least = _literal(str(data.least_count))
    if not data.is_protected:
        return rich(
            "Nothing is hidden here; ‡ marks figures that real data would hide, because they tell of fewer than {least}"
            " people or would give such a number away.",
            least=least,
        )
    if not data.has_rounded_counts:
        return rich(
            "Counts of fewer than {least} people, and what would give them away, are hidden (‡); other counts are"
            " exact, statistics have two or three significant digits.",
            least=least,
        )
    return rich(
        "Counts of fewer than {least} people, and what would give them away, are hidden (‡); other counts are the"
        " middle of {base} numbers, percentages and whatever else depends on a number of people are those of the"
        " rounded number, statistics have two or three significant digits, means of scores at times fewer; their tests"
        " and intervals are those of the means as given.",
        least=least,
        base=_literal(str(data.manifest["round_counts"])),
    )


def _later_build(data: Published) -> str:
    """Say that a later build did not publish, if so."""
    latest = data.latest_build
    if latest.flag("is_shown"):
        return ""
    return f"A later build ({latest.text('status')}) published nothing: this page shows the last good one."


def _overridden(data: Published) -> Rich | None:
    """Say which values of the study the command line has set, if any."""
    parts = []
    for name in data.study.overridden:
        given, of_study = data.parameter(name), data.parameter(f"{name}_of_the_study")
        parts.append(
            rich(
                f"{name} is {{given}}, the study says {{of_study}}",
                given=marked(given.text("value"), given.source("value"), "text"),
                of_study=marked(of_study.text("value"), of_study.source("value"), "text"),
            )
        )
    return rich("Set for this build: {parts}.", parts=joined(parts, "; ")) if parts else None


def _literal(text: str) -> Rich:
    """Return a number that is no figure of the warehouse."""
    return Rich(f"<span data-literal>{text}</span>", text)


def _moment(record: Record, column: str) -> Rich:
    value = record.moment(column)
    return plain("—") if value is None else marked(f"{value:%Y-%m-%d %H:%M} UTC", record.source(column), "moment")


def _day(record: Record, column: str) -> Rich:
    text = record.text(column)
    return marked(text, record.source(column), "text") if text else plain("—")


def _month(record: Record, column: str) -> Rich:
    text = record.text(column)[:7]
    return marked(text, record.source(column), "month") if text else plain("—")


def _row(record: Record) -> str:
    """Return the source of a row whose cells name their columns."""
    keys = {key: record.text(key) for key in KEYS[record.table]}
    return f"{record.table}?{urlencode(keys)}"


# --- Tables


def _tables(data: Published) -> Iterator[tables.Table]:
    yield tables.table_1(data)
    yield tables.alliance_tests(data)
    yield tables.wellbeing_tests(data)
    yield tables.table_2(data)
    yield tables.model_steps(data)
    yield tables.moderations(data)
    yield tables.slopes(data)
    for instrument in data.study.further_instruments:
        of_instrument = data.of_instrument(instrument)
        yield tables.wellbeing_tests(of_instrument)
        yield tables.table_2(of_instrument)


def _shown(table: tables.Table) -> ShownTable:
    drawn = tables.draw(table)
    files = (
        ("CSV", "csv", "text/csv", drawn.csv),
        ("LaTeX", "tex", "application/x-tex", drawn.latex),
        ("Word", "html", "text/html", drawn.word),
    )
    return ShownTable(
        table.name,
        table.title,
        drawn.html,
        tuple(as_rich(note) for note in table.notes),
        tuple(
            Download(label, f"{table.name}.{ending}", _data_link(kind, content))
            for label, ending, kind, content in files
        ),
    )


def _data_link(kind: str, content: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(content.encode()).decode()}"


# --- Reproduction and consistency


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed figure beside ours."""

    record: Record
    ours: Rich
    verdict: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The comparison with the printed figures: disagreements and agreements, with their numbers."""

    differing: tuple[Printed, ...]
    agreeing: tuple[Printed, ...]


def _reproduction(data: Published) -> Reproduction:
    differing: list[Printed] = []
    agreeing: list[Printed] = []
    for record in data.records("reproduction"):
        ours = record.number("our_value")
        decimals = _decimals(record.text("printed"), ours.value)
        agrees = record.row["agrees"]
        verdict = "agrees" if agrees else "differs" if agrees is False else "not compared"
        shown = Printed(record, fixed(ours, decimals), verdict)
        (agreeing if agrees else differing).append(shown)
    return Reproduction(tuple(differing), tuple(agreeing))


def _decimals(printed: str, ours: float | None) -> int:
    """One decimal more than is printed, so that a near miss is seen; none for whole numbers."""
    fraction = re.search(r"\.(\d+)", printed)
    if fraction is None and (ours is None or ours == round(ours)):
        return 0
    return min(len(fraction.group(1)) + 1 if fraction else 1, 6)


def _consistency(data: Published) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {"inconsistent": [], "rounding": [], "consistent": []}
    for record in data.records("consistency"):
        found[record.text("verdict")].append(record)
    return found


# --- Quality


@dataclass(frozen=True, slots=True)
class Freshness:
    """Rows of a raw table, and whether its newest was stale when the build was published."""

    record: Record
    verdict: str


@dataclass(frozen=True, slots=True)
class EarlierRelease:
    """An earlier release: what it is, and its counts."""

    record: Record
    counts: tuple[Rich, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What the build says of itself."""

    layers: tuple[tuple[str, Record], ...]
    verdicts: tuple[Record, ...]
    sources: tuple[Freshness, ...]
    builds: tuple[Record, ...]
    quantities: tuple[str, ...]
    history: tuple[EarlierRelease, ...]


def _quality(data: Published) -> Quality:
    published_at = data.build.moment("published_at")
    limit = timedelta(hours=float(data.parameter("freshness_warn_hours").text("value")))
    sources = []
    for record in data.records("source_summary"):
        loaded = record.moment("last_loaded_at")
        stale = loaded is None or published_at is None or published_at - loaded > limit
        sources.append(Freshness(record, "stale" if stale else "fresh"))
    releases: dict[str, list[Record]] = {}
    for record in data.records("history"):
        releases.setdefault(record.text("build_id"), []).append(record)
    return Quality(
        layers=tuple(
            (LAYERS.get(record.text("layer"), record.text("layer")), record)
            for record in data.records("verdict_counts")
        ),
        verdicts=tuple(data.records("verdicts")),
        sources=tuple(sources),
        builds=tuple(data.records("builds")),
        quantities=tuple(QUANTITIES.values()),
        history=tuple(
            EarlierRelease(
                lines[0],
                tuple(
                    count(record.number("participants"))
                    for quantity in QUANTITIES
                    for record in lines
                    if record.text("quantity") == quantity
                ),
            )
            for lines in list(releases.values())[:SHOWN_RELEASES]
        ),
    )
