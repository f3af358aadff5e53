"""Methods, from the code that ran: terms with the values of the vars, docstrings of the statistics, checklists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from rapport import statistics
from rapport.report.published import Number, Published
from rapport.report.rich import Part, Rich, count, joined, marked, rich
from rapport.studies.definition import placeholders
from rapport.studies.parameters import NUMBERS

# What ran, in the order of the study: its name on the page, and the function that computed it.
_PROCEDURES: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("Cronbach's α", statistics.cronbach_alpha),
    ("Medians", statistics.medians),
    ("Spearman's rank correlation", statistics.spearman),
    ("Mann–Whitney U test", statistics.mann_whitney),
    ("Kruskal–Wallis test", statistics.kruskal_wallis),
    ("Dunn's test", statistics.dunn),
    ("Holm's adjustment", statistics.holm),
    ("Paired t test", statistics.paired_t),
    ("Standardized mean changes", statistics.paired_effect_sizes),
    ("Means of groups", statistics.group_means),
    ("Analysis of variance", statistics.one_way_anova),
    ("Tukey–Kramer contrasts", statistics.tukey_kramer),
    ("Proportions with Wilson's interval", statistics.wilson),
    ("Linear regression", statistics.least_squares),
    ("Steps of a regression", statistics.hierarchical_regression),
    ("Lines of the moderation models", statistics.LinearModel.prediction),
    ("Slopes at levels of a moderator", statistics.LinearModel.direction),
    ("Interval of ρ", statistics.effect_intervals.of_correlation),
    ("Interval of Kruskal–Wallis η²", statistics.effect_intervals.of_rank_eta_squared),
    ("Interval of ANOVA η²", statistics.effect_intervals.of_eta_squared),
    ("Interval of a standardized mean change", statistics.effect_intervals.of_mean_change),
)


@dataclass(frozen=True, slots=True)
class Procedure:
    """A statistic: its name, the function, and what its docstring says of formula and reference."""

    name: str
    function: str
    text: str


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """An item of a reporting guideline and where the page answers it; no anchor where this data cannot."""

    guideline: str
    number: str
    topic: str
    answer: str
    anchor: str


def procedures() -> list[Procedure]:
    """Return the statistics that ran, as their docstrings describe them."""
    found = []
    for name, function in _PROCEDURES:
        docstring = inspect.getdoc(function) or ""
        text = re.split(r"\n\s*(?:Args|Returns|Raises|Attributes):\n", docstring)[0]
        reference = re.search(r"^Reference: .*$", docstring, flags=re.MULTILINE)
        if reference and reference.group(0) not in text:
            text += "\n\n" + reference.group(0)
        text = re.sub(r"``([^`]*)``", r"\1", text.replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n"))
        module = function.__module__.removeprefix("rapport.")
        found.append(Procedure(name, f"{module}.{function.__name__}", text.strip()))
    return found


def terms(data: Published) -> list[tuple[str, Rich]]:
    """Return the terms of the study, with the values of this build's vars."""

    def value(name: str) -> Part:
        record = data.parameter(name)
        text = record.text("value")
        if re.fullmatch(r"-?\d+", text):
            return count(Number(float(text), record.source("value")))
        return marked(text, record.source("value"), "text")

    study = data.study
    outcome = study.outcome

    def of(place: str) -> Part:
        return value(study.var_of(place) or "")

    def of_outcome(key: str) -> Part:
        return of(f"instruments.{outcome.id}.{key}")

    return [
        (
            "Study window",
            rich("{start} to {end}, both days included.", start=of("window.start"), end=of("window.end")),
        ),
        ("Session", rich("A completed session whose UTC date lies in the window.")),
        (
            f"{outcome.name} score",
            rich(
                "{points} times the sum of the {items} items; with a skipped item there is none.",
                points=of_outcome("points_per_item"),
                items=NUMBERS[outcome.items] if outcome.items < len(NUMBERS) else str(outcome.items),
            ),
        ),
        ("Baseline", rich("The latest scored assessment strictly before the first session.")),
        (
            "Follow-up",
            rich(
                "The latest scored assessment strictly after the last session, dated no later than"
                " {end} and at least {days}"
                " days after baseline.",
                end=of("window.end"),
                days=of_outcome("followup_days"),
            ),
        ),
        ("Alliance score", rich("The sum of all answered alliance items of a participant, divided by their number.")),
        (
            "Utilization type",
            rich("Teletherapy (sessions with therapists only), telecoaching (with coaches only), or both."),
        ),
        ("Screened positive", rich("A baseline score of {cutoff} or less.", cutoff=of_outcome("cutoff"))),
        (
            "Clinical recovery",
            rich("Screened positive, and a follow-up score above {cutoff}.", cutoff=of_outcome("cutoff")),
        ),
        (
            "Clinical improvement",
            rich("A gain of {points} {scale} points or more.", points=of_outcome("improvement"), scale=outcome.name),
        ),
        (
            "Country",
            rich(
                "Within or outside {country}; an unknown country is left out of the comparison.",
                country=of("home_country"),
            ),
        ),
        (
            "Eligible",
            rich(
                "{criteria}, judged in this order; a missing answer fails.",
                criteria=_eligible(data, of),
            ),
        ),
        ("Significance", rich("P ≤ .05, two-sided; intervals are of 95%, those of η² of 90%.")),
    ]


def _eligible(data: Published, of: Callable[[str], Part]) -> Rich:
    """The criteria in a sentence, their values with the places where they stand."""
    parts = []
    for one in data.study.criteria:
        places = {name: f"eligibility.{one.id}.values.{name}" for name in one.values}
        known = {
            name: of(place) if data.study.var_of(place) else str(one.values[name]) for name, place in places.items()
        }
        parts.append(rich(one.phrase, **{name: known[name] for name in placeholders(one.phrase)}))
    whole = joined(parts, last=" and ")
    return Rich(whole.html[:1].upper() + whole.html[1:], whole.text[:1].upper() + whole.text[1:])


def parameters(data: Published) -> list[tuple[str, Rich, str]]:
    """Return every parameter of the build: name, value, meaning."""
    return [
        (record.text("parameter"), marked(record.text("value"), record.source("value"), "text"), record.text("meaning"))
        for record in data.records("build_parameters")
        if data.is_calibrated or record.text("parameter") != "is_calibrated"
    ]


def software(versions: str) -> list[tuple[str, str]]:
    """Return the versions that built the tables, by package."""
    return [
        (name, version) for name, _, version in (entry.strip().partition(" ") for entry in versions.split(";")) if name
    ]


def checklist(*, is_calibrated: bool) -> list[ChecklistItem]:
    """Return the items of STROBE (cohort studies) and RECORD, in order; other data than the twin's reproduce nothing.

    Topics are short forms of those in von Elm et al. (2007), PLoS Medicine 4, e296, and Benchimol et al. (2015), PLoS
    Medicine 12, e1001885.
    """
    text = resources.files("rapport.report").joinpath("checklists.tsv").read_text(encoding="utf-8")
    items = [ChecklistItem(*line.split("\t")) for line in text.splitlines()[1:] if line]
    if is_calibrated:
        return items
    return [
        replace(item, answer=item.answer.removeprefix("Reproduction; "), anchor="expectations-title")
        if item.anchor == "reproduction"
        else item
        for item in items
    ]
