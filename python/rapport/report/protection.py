"""Disclosure control of the page: the rules of the export, and those of the further tables that the page reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from rapport.disclosure import (
    POPULATIONS,
    RULES,
    Count,
    CountTable,
    DisclosureError,
    Figure,
    Reading,
    Share,
    judge,
    quiet_solver,
)
from rapport.disclosure.rules import number_of
from rapport.disclosure.study import CRITERIA, POSITIVE, SAMPLE, model_groups
from rapport.report.published import Published, ReportError, Row, Tables
from rapport.study import REGRESSIONS, UTILIZATION_TYPES

Hidden = dict[tuple[str, int], frozenset[str]]


# --- Rules of the page's own tables


@dataclass(frozen=True, slots=True)
class Transitions:
    """``marts.wellbeing_transitions``: the lowest band is that of the positive screen."""

    labels: tuple[str, ...] = ("baseline_from", "baseline_to", "followup_from", "followup_to")
    figures: tuple[str, ...] = ("participants", "percent")

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Read a table of counts whose bands refine the screen at both measurements."""
        bands = sorted({0, *(int(value) for when in _WHEN for value in frame[f"{when}_from"])})
        rule = CountTable(
            population="cohort",
            dimensions={f"{when}_from": {str(band): _band(when, band) for band in bands} for when in _WHEN},
            counts={"participants": {}},
            shares={"percent": Share("participants", per=("baseline_from",))},
            other_labels=("baseline_to", "followup_to"),
        )
        reading = rule.read(table, frame, min_cell)
        for when in _WHEN:
            reading.levels[("cohort", f"{when}_band")] = {str(band) for band in bands}
            for band in bands:
                other = "negative" if band == 0 else "positive"
                reading.give(Count("cohort").narrow({when: other, f"{when}_band": str(band)}), 0)
        return reading


_WHEN: Final = ("baseline", "followup")


def _band(when: str, band: int) -> Mapping[str, str]:
    return {when: "positive" if band == 0 else "negative", f"{when}_band": str(band)}


@dataclass(frozen=True, slots=True)
class Slopes:
    """``marts.alliance_slopes``: figures are about the sample of the regressions and the groups that are compared."""

    labels: tuple[str, ...] = ("analysis", "level", "position")
    figures: tuple[str, ...] = (
        *("n", "alliance_score", "predicted", "ci_low", "ci_high", "slope", "slope_ci_low", "slope_ci_high", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """A line belongs to n; a model without some of its lines is about every group that it tells apart."""
        reading = Reading(table)
        partial = {row["analysis"] for row in frame.to_dict("records") if number_of(row["slope"]) is None}
        for i, row in enumerate(frame.to_dict("records")):
            if row["analysis"] not in REGRESSIONS:
                raise DisclosureError(f"{table}: no rule for analysis {row['analysis']}")
            reading.give(SAMPLE, row["n"])
            terms = REGRESSIONS[row["analysis"]].terms
            compared = UTILIZATION_TYPES if set(UTILIZATION_TYPES) & set(terms) else ()
            groups = (
                model_groups(terms)
                if row["analysis"] in partial
                else tuple(POSITIVE.narrow({"utilization_type": name}) for name in compared)
            )
            about = (SAMPLE, *groups)
            reading.figures += [Figure(i, column, (SAMPLE,), () if column == "n" else about) for column in self.figures]
        return reading


_RULES: Final = {
    **RULES,
    "exclusion_reasons": CountTable(
        population="everyone",
        dimensions={"criterion": {name: {"first_failed": name} for name in CRITERIA}, "reason": "reason"},
        counts={"participants": {}},
    ),
    "alliance_distribution": CountTable(
        population="cohort",
        dimensions={
            "utilization_type": {name: {"utilization_type": name} for name in UTILIZATION_TYPES},
            "score_from": "alliance_class",
        },
        counts={"participants": {}},
        shares={"percent": Share("participants", per=("utilization_type",))},
        other_labels=("score_to",),
    ),
    "wellbeing_transitions": Transitions(),
    "alliance_slopes": Slopes(),
}

_POPULATIONS: Final = {
    **POPULATIONS,
    "everyone": replace(POPULATIONS["everyone"], attributes={**POPULATIONS["everyone"].attributes, "reason": None}),
    "cohort": replace(
        POPULATIONS["cohort"],
        attributes={
            **POPULATIONS["cohort"].attributes,
            **dict.fromkeys(("alliance_class", "baseline_band", "followup_band")),
        },
    ),
}


# --- All tables of the page


def protect(tables: Tables, min_cell: int) -> tuple[Tables, Hidden]:
    """Take away the figures that tell of fewer than ``min_cell`` people, and what would give them back.

    Returns:
        The tables, and by table and position of a row the columns whose figures are gone.

    Raises:
        ReportError: disclosure control refuses a table, or a small count cannot be protected.
    """
    shown = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    frames = {name: pd.DataFrame(tables[f"marts.{name}"], columns=_columns(tables, name)) for name in _RULES}
    try:
        with quiet_solver():
            verdict = judge(frames, min_cell, rules=_RULES, populations=_POPULATIONS)
    except DisclosureError as error:
        raise ReportError(f"disclosure control refuses the page: {error}") from error
    hidden: Hidden = {}
    for name, cells in verdict.hidden.items():
        for position, column in cells:
            _hide(shown, hidden, f"marts.{name}", position, (column,))
    _hide_slopes(shown, hidden)
    _hide_reproduction(shown, hidden)
    _hide_history(shown, hidden, min_cell)
    _hide_rows(shown, hidden, min_cell)
    return shown, hidden


def _columns(tables: Tables, name: str) -> list[str]:
    rows = tables[f"marts.{name}"]
    return list(rows[0]) if rows else [*_RULES[name].labels, *_RULES[name].figures]


def _hide(shown: Tables, hidden: Hidden, table: str, position: int, columns: Collection[str]) -> None:
    row = shown[table][position]
    row.update(dict.fromkeys(columns))
    hidden[table, position] = hidden.get((table, position), frozenset()) | frozenset(columns)


def _hide_slopes(shown: Tables, hidden: Hidden) -> None:
    """A line is made of its model's coefficients: all lines go with any of them."""
    rows = shown["marts.inference_results"]
    gone = {
        rows[i]["analysis"]
        for (table, i), columns in hidden.items()
        if table == "marts.inference_results" and "estimate" in columns
    }
    for position, row in enumerate(shown["marts.alliance_slopes"]):
        if row["analysis"] in gone:
            _hide(shown, hidden, "marts.alliance_slopes", position, Slopes().figures)


def _hide_reproduction(shown: Tables, hidden: Hidden) -> None:
    """A figure that is compared with a printed one goes where it goes in its own table."""
    gone: set[tuple[object, ...]] = set()
    for (table, position), columns in hidden.items():
        row, name = shown[table][position], table.removeprefix("marts.")
        for column in columns:
            gone.add((name, *_place(name, row, column)))
    for position, row in enumerate(shown["marts.reproduction"]):
        name = str(row["target_table"])
        place = (row["analysis"], row["term"], row["utilization_type"], row["step"], row["column_name"])
        if (name, *place) in gone:
            _hide(shown, hidden, "marts.reproduction", position, ("our_value", "difference", "agrees"))


def _place(table: str, row: Row, column: str) -> tuple[object, ...]:
    """How the printed figures name a cell: analysis, term, utilization type, step, column."""
    if table == "table_1":
        return row["variable"], row["level"], row["utilization_type"], None, row["statistic"]
    if table == "eligibility_flow":
        return row["criterion"], None, None, None, column
    if table == "model_fit":
        return row["analysis"], None, None, row["step"], column
    return row.get("analysis"), row.get("term"), None, None, column


def _hide_history(shown: Tables, hidden: Hidden, min_cell: int) -> None:
    """Findings of builds: what is hidden of the build that is shown, and all of a few people in any other."""
    current = {row["build_number"] for row in shown["ops.builds"] if row["is_shown"]}
    results = {
        (row["analysis"], row["term"]): hidden.get(("marts.inference_results", i), frozenset())
        for i, row in enumerate(shown["marts.inference_results"])
    }
    figures = frozenset({"n", "estimate", "ci_low", "ci_high", "p_value"})
    for position, row in enumerate(shown["ops.findings_history"]):
        columns = figures & results.get((row["analysis"], row["term"]), frozenset())
        if row["build_number"] not in current and (columns or _is_small(row["n"], min_cell)):
            columns = figures
        if columns:
            _hide(shown, hidden, "ops.findings_history", position, columns)


def _hide_rows(shown: Tables, hidden: Hidden, min_cell: int) -> None:
    """Few rows may be few people: those in quarantine, erased, or failing a rule."""
    protected: set[object] = set()
    for position, row in enumerate(shown["marts.source_summary"]):
        parts = ("erased", "superseded", "quarantined")
        if any(_is_small(row[column], min_cell) for column in parts):
            _hide(shown, hidden, "marts.source_summary", position, ("delivered", *parts))
            protected.add(row["table_name"])
    for position, row in enumerate(shown["audit.verdicts"]):
        # Rows judged, before or after some were left out, less the rows in use would be those hidden.
        if row["table_name"] in protected and row["layer"] != "files":
            _hide(shown, hidden, "audit.verdicts", position, ("evaluated",))
        if _is_small(row["unexpected"], min_cell):
            _hide(shown, hidden, "audit.verdicts", position, ("unexpected",))


def _is_small(value: object, min_cell: int) -> bool:
    return isinstance(value, int | float) and 0 < value < min_cell


def published(tables: Tables, min_cell: int | None = None) -> Published:
    """Return the tables as the page may show them: without counts of people below ``min_cell``, or that of the build.

    Raises ``ReportError`` if it is looser than that of the build, or if disclosure control refuses.
    """
    of_build = next(int(str(row["min_cell"])) for row in tables["ops.builds"])
    if min_cell is not None and min_cell < of_build:
        raise ReportError(
            f"--min-cell {min_cell} is looser than the build's {of_build}: set the var min_cell and build"
        )
    shown, hidden = protect(tables, min_cell or of_build)
    return Published(shown, hidden, min_cell or of_build)
