"""The tables as a paper prints them: for the page and, to be copied, as CSV, LaTeX and HTML for a word processor."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapport.report.labels import TOTAL, lines_of, more_groups, name_of, two_groups, utilization
from rapport.report.published import Number, Published, Record
from rapport.report.rich import (
    MINUS,
    NOTHING,
    Part,
    Rich,
    as_rich,
    bounded,
    count,
    fixed,
    indexed,
    interval,
    joined,
    p_value,
    percent,
    plain,
    rich,
    trimmed,
)
from rapport.report.sentences import why_missing
from rapport.studies import ALLIANCE, BASELINE, CARE_TYPES, Characteristic
from rapport.study import MISSING


@dataclass(frozen=True, slots=True)
class TableRow:
    """A line of a table.

    Attributes:
        label: what the line is about.
        cells: one per column.
        group: heading under which it stands.
    """

    label: Part
    cells: Sequence[Part]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table before it is drawn.

    Attributes:
        name: identifier on the page.
        title: what it shows.
        stub: heading of the labels.
        columns: headings.
        rows: lines.
        notes: what a reader has to know.
    """

    name: str
    title: str
    stub: str
    columns: Sequence[Part]
    rows: Sequence[TableRow]
    notes: Sequence[Part] = field(default=())


@dataclass(frozen=True, slots=True)
class DrawnTable:
    """A table in every form."""

    name: str
    title: str
    html: str
    csv: str
    latex: str
    word: str


# --- Drawing

NONE = ""  # where a column does not apply

_LATEX = {
    MINUS: "$-$",
    "η²": r"$\eta^2$",
    "R²": "$R^2$",
    "²": r"$^2$",
    "β": r"$\beta$",
    "Δ": r"$\Delta$",
    "ρ": r"$\rho$",
    "α": r"$\alpha$",
    "≤": r"$\le$",
    "×": r"$\times$",
    NOTHING: "---",
    "–": "--",
    "‡": r"$^\ddagger$",
    r"d\_rm": r"$d_{rm}$",
    r"d\_z": r"$d_z$",
    r"d\_av": r"$d_{av}$",
}


def draw(table: Table) -> DrawnTable:
    """Return the table in every form."""
    page = _great_table(table, in_html=True).as_raw_html()
    words = _great_table(table, in_html=False)
    latex = words.as_latex().replace("\N{NO-BREAK SPACE}", "~")
    for symbol, command in _LATEX.items():
        latex = latex.replace(symbol, command)
    return DrawnTable(
        name=table.name,
        title=table.title,
        html=_accessible(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), table),
        csv=_csv(table),
        latex=latex,
        word='<!DOCTYPE html><meta charset="utf-8">' + words.as_raw_html(inline_css=True),
    )


def _great_table(table: Table, *, in_html: bool):  # type: ignore[no-untyped-def]  # the type is the lazily loaded GT
    import pandas as pd
    from great_tables import GT, html

    def show(part: Part) -> str:
        piece = as_rich(part)
        return piece.html if in_html else piece.text

    names = [f"column_{i}" for i in range(len(table.columns))]
    frame = pd.DataFrame(
        [[row.group, show(row.label), *(show(cell) for cell in row.cells)] for row in table.rows],
        columns=["group", "label", *names],
        dtype=object,
    )
    has_groups = any(row.group for row in table.rows)
    if not has_groups:
        frame = frame.drop(columns="group")
    drawn = GT(frame, rowname_col="label", groupname_col="group" if has_groups else None, id=f"gt-{table.name}")
    drawn = drawn.tab_stubhead(table.stub).cols_align("right", names)
    headings: dict[str, Any] = {name: show(column) for name, column in zip(names, table.columns, strict=True)}
    if in_html:
        # Cells are HTML already: a formatter's result is not escaped.
        drawn = drawn.cols_label({name: html(heading) for name, heading in headings.items()}).fmt(str, columns=names)
    else:
        drawn = drawn.cols_label(headings).tab_header(table.title)
        for note in table.notes:
            drawn = drawn.tab_source_note(as_rich(note).text)
    return drawn


def _accessible(page: str, table: Table) -> str:
    """Labels of rows are HTML too, but great-tables escapes them; ids become valid; the caption is the table's name."""
    for row in table.rows:
        label = as_rich(row.label)
        if label.html != label.text:
            page = page.replace(str(plain(label.html).html), label.html)
    # Cells name their headings by id, and ids made of text are invalid: scopes say the same.
    page = re.sub(r' headers="[^"]*"', "", page)
    page = re.sub(rf' id="gt-{re.escape(table.name)}-[^"]*"', "", page)
    page = re.sub(r' (?:style|data-quarto-[a-z-]+)="[^"]*"', "", page)
    caption = f'<caption class="sr-only">{plain(table.title).html}</caption>'
    return re.sub(r"(<table[^>]*>)", rf"\1{caption}", page, count=1)


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    has_groups = any(row.group for row in table.rows)
    writer.writerow(
        [
            *(["group"] if has_groups else []),
            table.stub,
            *(as_rich(c).text.replace("\N{NO-BREAK SPACE}", " ") for c in table.columns),
        ]
    )
    for row in table.rows:
        cells = [*([row.group] if has_groups else []), as_rich(row.label).text, *(as_rich(c).text for c in row.cells)]
        writer.writerow([cell.replace(MINUS, "-").replace("\N{NO-BREAK SPACE}", " ") for cell in cells])
    return stream.getvalue()


# --- Table 1

_COLUMNS = (*CARE_TYPES, TOTAL)


_FORMS: Mapping[str, Callable[[Number, int], Rich]] = {
    "percent": percent,
    **dict.fromkeys(("min", "max", "p5", "p95"), trimmed),
}
"""How a statistic of Table 1 is printed; the others have so many decimals."""


def table_1(data: Published) -> Table:
    """Table 1 of the study: who the participants are, by utilization type."""

    def cells(template: str, variable: str, statistics: Mapping[str, int], level: str | None = None) -> list[Part]:
        line: list[Part] = []
        for group in _COLUMNS:
            numbers = {name: data.cell(variable, name, group, level) for name in statistics}
            if all(number.value is None for number in numbers.values()):
                line.append(fixed(next(iter(numbers.values()))))
            else:
                shown = {name: _FORMS.get(name, fixed)(number, statistics[name]) for name, number in numbers.items()}
                line.append(rich(template, **shown))
        return line

    def share(variable: str, level: str | None = None) -> list[Part]:
        return cells("{n} ({percent})", variable, {"n": 0, "percent": 1}, level)

    def mean(variable: str) -> list[Part]:
        return cells("{mean} ({sd})", variable, {"mean": 2, "sd": 2})

    # Real data have percentiles in the place of single people's values.
    ends: tuple[str, ...] = ("min", "max") if data.has_extremes else ("p5", "p95") if data.has_percentiles else ()
    reach = {"min": " [min, max]", "p5": " [5th, 95th percentile]"}[ends[0]] if ends else ""

    def median(variable: str, decimals: int = 0) -> list[Part]:
        template = "{median} [{" + "}, {".join(ends) + "}]" if ends else "{median}"
        return cells(template, variable, dict.fromkeys(("median", *ends), decimals))

    types = utilization(data.study)
    heads: list[Part] = [
        rich(
            "{name} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n})",
            name=types[group],
            n=count(data.cell("participants", "n", group)),
        )
        for group in _COLUMNS
    ]
    rows: list[TableRow] = []
    for one in data.study.table_1:
        if one.grouping is not None:
            for level in one.grouping.levels:
                name = name_of(level, data.home)
                label = name[:1].upper() + name[1:] if one.percent_of_known else f"{one.label}: {name}"
                rows.append(TableRow(f"{label}, n (%)", share(one.id, level.id), one.section))
            if not one.percent_of_known:
                rows.append(TableRow(f"{one.label}: missing, n (%)", share(one.id, MISSING), one.section))
        elif one.condition is not None:
            rows.append(TableRow(f"{one.label}, n (%)", share(one.id), one.section))
        else:
            decimals = 2 if one.id == "alliance_score" else 0
            if "mean" in one.shows:
                rows.append(TableRow(f"{one.label}, M (SD)", mean(one.id), one.section))
            if "median" in one.shows:
                rows.append(TableRow(f"{one.label}, median{reach}", median(one.id, decimals), one.section))
    notes: list[Part] = [_table_1_note(data.study.table_1)]
    notes += _rounding(data)
    return Table("table-1", "Table 1. Demographic and clinical characteristics", "Characteristic", heads, rows, notes)


def _table_1_note(rows: Sequence[Characteristic]) -> str:
    """Say of whom percentages are, and what the rows are."""
    counted = [one for one in rows if one.grouping is not None]
    of_all = [one.label.lower() for one in counted if not one.percent_of_known]
    of_known = [one.label.lower() for one in counted if one.percent_of_known]
    sentences = ["M mean, SD standard deviation."]
    if of_all:
        sentences.append(f"Percentages of {' and '.join(of_all)} are of all participants.")
    sentences += [f"Percentages of {name} are of participants whose {name} is known." for name in of_known]
    sentences += [f"{one.label.partition(' (')[0]}: {one.note}." for one in rows if one.note]
    return " ".join(sentences)


def _rounding(data: Published) -> list[Part]:
    """Say how figures were protected, or what the mark means."""
    if not data.is_protected:
        return ["‡ Real data would hide this figure, and give percentiles in the place of minimum and maximum."]
    of_counts = "Counts are rounded, each by itself, so columns need not add up; percentages are of rounded counts. "
    return [
        f"{of_counts if data.has_rounded_counts else ''}"
        "Medians and percentiles are rounded to whole units, those of the alliance score to finer steps."
        " ‡ hidden: few people, or what would give their number away."
    ]


# --- Regressions

_FIT_COLUMNS: tuple[Part, ...] = ("b", "β", "SE", "95% CI", "P", "R²", "ΔR²")


def table_2(data: Published) -> Table:
    """Table 2 of the study: alliance as a predictor of well-being, with the gain of each step at its last term."""
    study, analysis = data.study, data.study.main_model
    labels = study.term_labels
    steps = {record.text("terms").split(" + ")[-1]: record for record in data.records("model_fit", analysis=analysis)}
    rows = []
    for term in ("(Intercept)", *study.regressions[analysis].terms):
        record = data.finding(analysis, term)
        step = steps.get(term)
        rows.append(
            TableRow(
                labels[term],
                [
                    fixed(record.number("estimate")),
                    NONE if term == "(Intercept)" else fixed(record.number("standardized_estimate")),
                    fixed(record.number("std_error")),
                    interval(fixed(record.number("ci_low")), fixed(record.number("ci_high"))),
                    p_value(record.number("p_value")),
                    "" if step is None else bounded(step.number("r_squared")),
                    "" if step is None else bounded(step.number("delta_r_squared")),
                ],
            )
        )
    n = data.finding(analysis, ALLIANCE).number("n")
    factors = [one for one in study.covariates if one.grouping is not None]
    known = f" and whose {' and '.join(one.phrase for one in factors)} is reported" if factors else ""
    notes: list[Part] = [
        rich(
            f"n = {{n}}. Outcome: {data.scale} at follow-up of participants who screened positive{known}. b"
            " unstandardized and β standardized coefficient of the last step, SE standard error, R²"
            " explained variance and"
            f" ΔR² its gain, at the last term of each step: {_steps(data)}.",
            n=count(n),
        ),
        *_why(data.records("inference_results", analysis=analysis)),
    ]
    if data.is_protected:
        notes += [f"The β of {one.phrase} is not released: it would count the group." for one in factors]
    title = "Alliance as a predictor of well-being at follow-up"
    if data.instrument is not None:
        name, title = (
            f"table-2-{data.instrument.id}",
            f"{data.scale}: alliance as a predictor of the score at follow-up",
        )
    else:
        name, title = "table-2", f"Table 2. {title}"
    return Table(name, title, "Predictor", _FIT_COLUMNS, rows, notes)


def _steps(data: Published) -> str:
    """The steps of the main model: "age, sex and time in care; baseline; alliance"."""
    study = data.study
    phrases = {BASELINE: "baseline", ALLIANCE: "alliance"}
    phrases |= {term: one.phrase for one in study.predictors.values() for term in one.terms}
    steps = []
    for terms in study.regressions[study.main_model].steps:
        words = list(dict.fromkeys(phrases[term] for term in terms))
        steps.append(" and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words))
    return "; ".join(steps)


def model_steps(data: Published) -> Table:
    """Every step of every regression, with the test of its gain."""
    labels = data.study.term_labels
    names = {
        analysis: f"Moderation by {data.study.moderations[analysis].label}"
        if analysis in data.study.moderations
        else "Alliance predicts well-being"
        for analysis in data.study.regressions
    }
    rows = []
    for analysis, title in names.items():
        before: set[str] = set()
        for record in data.records("model_fit", analysis=analysis):
            terms = record.text("terms").split(" + ")
            added = ", ".join(labels[term] for term in terms if term not in before)
            before |= set(terms)
            rows.append(
                TableRow(
                    f"Step {record.text('step')}: {added}",
                    [
                        count(record.number("n")),
                        bounded(record.number("r_squared"), 3),
                        bounded(record.number("delta_r_squared"), 3),
                        fixed(record.number("f_change")),
                        _degrees(record),
                        p_value(record.number("p_value")),
                        p_value(record.number("model_p_value")),
                    ],
                    title,
                )
            )
    notes: list[Part] = [
        "ΔR² is the gain of the step, F and P test it (of step 1 against no predictors); P (model) is that of all terms"
        " together. Step 1 of the moderations holds all terms but the interaction.",
        *_why(data.records("model_fit")),
    ]
    columns: tuple[Part, ...] = ("n", "R²", "ΔR²", "F", "df", "P", "P (model)")
    return Table("steps", "Steps of the regressions", "Step", columns, rows, notes)


def _degrees(record: Record) -> Rich:
    """Return ``df, residual df``, or one mark where there are none."""
    both = [count(record.number("df")), count(record.number("df_residual"))]
    return both[0] if record.number("df").value is None else joined(both)


def moderations(data: Published) -> Table:
    """All coefficients of the moderation models."""
    rows = []
    study, labels = data.study, data.study.term_labels
    for analysis, moderator in study.moderations.items():
        for term in ("(Intercept)", *study.regressions[analysis].terms):
            record = data.finding(analysis, term)
            rows.append(
                TableRow(
                    labels[term],
                    [
                        fixed(record.number("estimate"), 3),
                        fixed(record.number("std_error")),
                        interval(fixed(record.number("ci_low")), fixed(record.number("ci_high"))),
                        fixed(record.number("statistic")),
                        p_value(record.number("p_value")),
                    ],
                    f"By {moderator.label}",
                )
            )
    references = [one.reference for one in reversed(list(study.predictors.values())) if one.reference is not None]
    told = f"; {' and '.join(references)} {'is the reference' if len(references) == 1 else 'are the references'}"
    numbers = [data.finding(analysis, ALLIANCE).number("n") for analysis in study.moderations]
    known = [number for number in numbers if number.value is not None] or numbers
    notes: list[Part] = [
        rich(
            "n = {n}. Coefficients of step 2. All continuous variables, the outcome too, are z-scores"
            f"{told if references else ''}.",
            n=count(number),
        )
        for number in known[:1]
    ]
    for analysis in study.moderations:
        notes += _why(data.records("inference_results", analysis=analysis))
    columns: tuple[Part, ...] = ("β", "SE", "95% CI", "t", "P")
    return Table(
        "moderations",
        f"Does the association depend on {_one_of([one.label for one in study.moderations.values()])}?",
        "Predictor",
        columns,
        rows,
        list(dict.fromkeys(notes)),
    )


def _one_of(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def slopes(data: Published) -> Table:
    """The slope of alliance at the shown levels of each moderator."""
    rows = []
    for analysis, moderator in data.study.moderations.items():
        rows += [
            TableRow(
                name,
                [
                    fixed(record.number("slope")),
                    interval(fixed(record.number("slope_ci_low")), fixed(record.number("slope_ci_high"))),
                ],
                f"By {moderator.label}",
            )
            for level, name in lines_of(data.study, analysis).items()
            for record in data.records("alliance_slopes", analysis=analysis, level=level, position=1)
        ]
    notes: list[Part] = [
        f"{data.study.outcome.name} points at follow-up per point of alliance, from step 2 of the moderation models.",
        *_why(data.records("alliance_slopes", position=1)),
    ]
    columns: tuple[Part, ...] = ("Slope", "95% CI")
    return Table("slopes", "Slope of alliance at levels of the moderators", "Level", columns, rows, notes)


def _why(records) -> list[Part]:  # type: ignore[no-untyped-def]
    """Return the notes of rows, each once."""
    found: dict[str, None] = {}
    for record in records:
        if record.is_withheld:
            found["hidden, because it would tell of a small number of people"] = None
        elif record.text("note"):
            found[record.text("note")] = None
    return [f"Where figures are missing: {note}." for note in found]


# --- Aims 1 and 2


def alliance_tests(data: Published) -> Table:
    """The tests of Aim 1."""
    rows = []
    notes: list[str] = []

    def line(
        label: Part, record: Record, medians: Part, statistic: Rich, p: Number | None, effect: Part, group: str
    ) -> None:
        rows.append(
            TableRow(
                label, [count(record.number("n")), medians, statistic, NONE if p is None else p_value(p), effect], group
            )
        )
        if record.is_withheld or record.text("note"):
            notes.append(f"{as_rich(label).text}: {why_missing(record)}.")

    study = data.study
    for grouping, first, second in two_groups(study):
        record = data.finding(grouping.analysis, f"{first.id} - {second.id}")
        medians = joined([_median(data, level.term) for level in (first, second)], " vs ")
        label = f"By {grouping.label}: {name_of(first, data.home)} vs {name_of(second, data.home)}"
        line(
            label,
            record,
            medians,
            _statistic("W", count(record.number("statistic"))),
            record.number("p_value"),
            _effect(record, "r", 3),
            "Two groups (Mann–Whitney)",
        )
    for correlation in study.correlations:
        record = data.finding(correlation.analysis, correlation.id)
        line(
            f"With {correlation.label}",
            record,
            NONE,
            _statistic("t", fixed(record.number("statistic"))),
            record.number("p_value"),
            _effect(record, "ρ", 3, "estimate"),
            "Correlation (Spearman)",
        )
    for grouping in more_groups(study):
        names = {level.id: name_of(level, data.home) for level in grouping.levels}
        names = {level: name[:1].upper() + name[1:] for level, name in names.items()}
        record = data.finding(grouping.analysis, grouping.id)
        group = f"{grouping.label[:1].upper()}{grouping.label[1:]} (Kruskal–Wallis, then Dunn with Holm's adjustment)"
        first_name, *others = names.values()
        line(
            " / ".join([first_name, *(name.lower() for name in others)]),
            record,
            joined([_median(data, level.term) for level in grouping.levels], " / "),
            _with_df("H", record),
            record.number("p_value"),
            _effect(record, "η²", 3),
            group,
        )
        for one, other in grouping.contrasts:
            dunn = data.finding(f"{grouping.analysis}_dunn", f"{one} - {other}")
            line(
                f"{names[one]} vs {names[other].lower()}",
                dunn,
                joined([_median(data, grouping.level(level).term) for level in (one, other)], " vs "),
                _statistic("Z", fixed(dunn.number("statistic"))),
                dunn.number("p_adjusted"),
                NONE,
                group,
            )
    for term, label in (
        ("participant_means", "Cronbach's α, participants' means"),
        ("session_ratings", "Cronbach's α, single ratings"),
    ):
        record = data.finding("alliance_reliability", term)
        alpha = record.number("estimate")
        shown = bounded(alpha) if alpha.value is None else rich("α = {alpha}", alpha=bounded(alpha))
        line(label, record, NONE, plain(NONE), None, shown, "Reliability of the two items")
    fixed_notes: list[Part] = [
        "Medians in the order of the groups. Confidence intervals are of 95% for ρ and of 90% for η², which"
        " is tested on one side. n of the single ratings counts ratings."
    ]
    columns: tuple[Part, ...] = ("n", "Medians", "Test", "P", "Effect size [CI]")
    return Table("alliance-tests", "Aim 1. Alliance by group", "Comparison", columns, rows, [*fixed_notes, *notes])


def _median(data: Published, term: str) -> Rich:
    return fixed(data.finding("alliance_group_medians", term).number("estimate"))


def _statistic(name: str, value: Rich) -> Rich:
    return value if value.text in (NOTHING, "‡") else rich("{name} = {value}", name=name, value=value)


def _with_df(name: str, record: Record) -> Rich:
    value = fixed(record.number("statistic"))
    if record.number("statistic").value is None:
        return value
    df = [count(record.number("df"))]
    if record.number("df_residual").value is not None:
        df.append(count(record.number("df_residual")))
    return rich("{name}({df}) = {value}", name=name, df=joined(df), value=value)


def _effect(
    record: Record, symbol: str, decimals: int, column: str = "effect_size", *, can_exceed_1: bool = False
) -> Rich:
    show = fixed if can_exceed_1 else bounded
    value = show(record.number(column), decimals)
    if record.number(column).value is None:
        return value
    limits = interval(
        show(record.number("effect_size_low"), decimals), show(record.number("effect_size_high"), decimals)
    )
    if limits.text == NOTHING:
        return rich("{symbol} = {value}", symbol=indexed(symbol), value=value)
    return rich("{symbol} = {value} [{limits}]", symbol=indexed(symbol), value=value, limits=limits)


def wellbeing_tests(data: Published) -> Table:
    """The tests of Aim 2."""
    rows = []
    notes: list[str] = []
    types = utilization(data.study)

    def line(
        label: Part,
        record: Record,
        estimate: Part,
        statistic: Part,
        p: Number | None,
        effect: Part,
        group: str,
        has_interval: bool = True,
    ) -> None:
        limits = interval(fixed(record.number("ci_low")), fixed(record.number("ci_high")))
        if record.text("estimate_name") == "proportion":
            limits = interval(percent(record.number("ci_low"), 1, 100.0), percent(record.number("ci_high"), 1, 100.0))
        if not has_interval:
            limits = plain(NONE)
        rows.append(
            TableRow(
                label,
                [count(record.number("n")), estimate, limits, statistic, NONE if p is None else p_value(p), effect],
                group,
            )
        )
        if record.is_withheld or record.text("note"):
            notes.append(f"{as_rich(label).text}: {why_missing(record)}.")

    record = data.finding("wellbeing_change", "followup - baseline")
    change = "Change from baseline to follow-up (paired t test)"
    line(
        f"{data.scale} points",
        record,
        fixed(record.number("estimate")),
        _with_df("t", record),
        record.number("p_value"),
        _effect(record, "d_rm", 2, can_exceed_1=True),
        change,
    )
    for term, symbol in (("d_z", "d_z"), ("d_av", "d_av")):
        record = data.finding("wellbeing_change", term)
        line(
            plain("Standardized, ") + indexed(symbol),
            record,
            NONE,
            NONE,
            None,
            _effect(record, symbol, 2, can_exceed_1=True),
            change,
            False,
        )
    record = data.finding("wellbeing_change", "percent_change")
    line("In percent of the mean baseline", record, percent(record.number("estimate")), NONE, None, NONE, change, False)
    for analysis, label in (
        ("clinical_recovery", "Clinical recovery"),
        ("clinical_improvement", "Clinical improvement"),
    ):
        record = data.finding(analysis, "screened_positive")
        line(label, record, percent(record.number("estimate"), 1, 100.0), NONE, None, NONE, "Rates (Wilson's interval)")
    for term in CARE_TYPES:
        record = data.finding("wellbeing_change_group_means", term)
        line(
            types[term],
            record,
            fixed(record.number("estimate")),
            NONE,
            None,
            NONE,
            "Mean change by utilization type",
        )
    group = "Differences between utilization types (ANOVA, then Tukey–Kramer)"
    record = data.finding("wellbeing_change_by_utilization", "utilization_type")
    line(
        " / ".join([types[CARE_TYPES[0]], *(types[name].lower() for name in CARE_TYPES[1:])]),
        record,
        NONE,
        _with_df("F", record),
        record.number("p_value"),
        _effect(record, "η²", 3),
        group,
        False,
    )
    for tukey in data.records("inference_results", analysis="wellbeing_change_by_utilization_tukey"):
        first, second = tukey.text("term").split(" - ")
        line(
            f"{types[first]} − {types[second].lower()}",
            tukey,
            fixed(tukey.number("estimate")),
            _statistic("t", fixed(tukey.number("statistic"))),
            tukey.number("p_adjusted"),
            NONE,
            group,
        )
    fixed_notes: list[Part] = [
        "Participants who screened positive. P and intervals of Tukey–Kramer hold for all contrasts together."
        " Intervals of effect sizes are of 95%, that of η² of 90%."
    ]
    columns: tuple[Part, ...] = ("n", "Estimate", "95% CI", "Test", "P", "Effect size [CI]")
    name, title = "wellbeing-tests", "Aim 2. Change of well-being"
    if data.instrument is not None:
        name, title = f"wellbeing-tests-{data.instrument.id}", f"{data.scale}: change from baseline to follow-up"
    return Table(name, title, "Quantity", columns, rows, [*fixed_notes, *notes])
