"""The vars of the project: what each may be, and the check of those that a command would use."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = "rapport"
DATE = "a date written YYYY-MM-DD"


class VarError(ValueError):
    """A var is unknown, missing, of another type, or out of range; says all that is wrong, one line each."""


@dataclass(frozen=True)
class Var:
    """What one var may be, in the words of its error messages."""

    name: str
    kind: type
    """``dt.date``, ``int``, ``float`` (any number), ``str``, ``bool`` or ``list`` (of names)."""
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    pattern: str = ""
    is_optional: bool = False
    """Whether it may be null."""

    @property
    def allowed(self) -> str:
        """The values that it may have, in words."""
        if self.kind is dt.date:
            words = DATE
        elif self.kind is bool:
            words = "true or false"
        elif self.kind is list:
            words = "a list of names"
        elif self.choices:
            words = " or ".join(self.choices)
        elif self.pattern:
            words = "two capital letters (ISO 3166-1 alpha-2)"
        else:
            words = "a whole number" if self.kind is int else "a number"
            if self.high < math.inf:
                words += f" from {self.low:g} to {self.high:g}"
            else:
                words += f", {self.low:g} or more"
        return f"{words}, or null" if self.is_optional else words

    def accepts(self, value: Any) -> bool:
        """Whether a value, as YAML gives it, is one that the var may have."""
        if value is None:
            return self.is_optional
        if self.kind is dt.date:
            return day(value) is not None
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if self.kind is list:
            return isinstance(value, list) and all(isinstance(name, str) and name for name in value)
        if self.kind is str:
            fits = not self.choices or value in self.choices
            return isinstance(value, str) and fits and re.fullmatch(self.pattern or ".+", value) is not None
        if not isinstance(value, int if self.kind is int else (int, float)):
            return False
        return math.isfinite(value) and self.low <= value <= self.high


VARS = (
    Var("study_start", dt.date, "first day of the study window"),
    Var("study_end", dt.date, "last day of the study window"),
    Var("min_sessions", int, "completed sessions in the window that make a participant a user of care", low=1),
    Var("min_followup_days", int, "days from baseline to follow-up, at least", low=0),
    Var("who5_points_per_item", int, "points of the WHO-5 score for one point of an item", low=1, high=4),
    Var("who5_cutoff", int, "baseline score up to which a participant screened positive", low=0, high=100),
    Var("improvement_points", int, "gain in points from which it is a clinical improvement", low=1, high=100),
    Var("adult_age", int, "age in years from which a participant is an adult", low=0, high=120),
    Var("home_country", str, "country whose residents are compared with all others", pattern="[A-Z]{2}"),
    Var("freshness_warn_hours", int, "age of an export in hours that is a warning", low=0),
    Var(
        "freshness_error_hours",
        int,
        "age of an export in hours that ends a refresh (null: never)",
        low=1,
        is_optional=True,
    ),
    Var(
        "on_bad_rows",
        str,
        "whether rows that break a critical rule stop the build or wait in quarantine",
        choices=("stop", "quarantine"),
    ),
    Var("max_quarantined_share", float, "share of a table's rows that may wait in quarantine", low=0, high=1),
    Var("max_unpacked_bytes", int, "bytes that one packed file of the export may unpack to", low=1),
    Var("min_cell", int, "smallest count of people, other than 0, that an export lets out", low=2),
    Var("round_counts", int, "numbers whose middle stands for a count in a release of real data", low=1),
    Var("max_shrinkage", float, "share by which a table or the cohort may shrink between builds", low=0, high=1),
    Var("max_share_jump", float, "how far a share may move between builds", low=0, high=1),
    Var("min_rows_for_shares", int, "rows from which a table's shares are compared", low=0),
    Var("served_marts", list, "marts that the snapshot holds (null: all that may be served)", is_optional=True),
    Var("serve_participants", bool, "whether the snapshot may hold marts with a row per participant"),
    Var("spc_min_points", int, "months with a value from which a series of the service has limits", low=2),
    Var("accept_volume_change", bool, "accepts, for one build, what the guards on volumes and cohort refuse"),
)


def check_vars(project_dir: Path, command_line: Mapping[str, Any]) -> None:
    """Check the vars of ``dbt_project.yml`` with those of the command line over them, before anything is read.

    Raises :class:`VarError`.
    """
    document = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    declared: dict[str, Any] = dict(document.get("vars") or {})
    declared |= declared.pop(PROJECT, None) or {}
    wrong = faults(declared, "dbt_project.yml", command_line)
    marts = sorted(path.stem for path in (project_dir / "models" / "marts").glob("*.sql"))
    served = {**declared, **command_line}.get("served_marts")
    wrong += [
        f"var served_marts names {written(name)}, which is no mart; the marts are {', '.join(marts)}"
        for name in (served if isinstance(served, list) else ())
        if name not in marts
    ]
    if wrong:
        raise VarError("\n".join(("the vars are wrong, and nothing was read:", *(f"  {line}" for line in wrong))))


def faults(declared: Mapping[str, Any], declared_in: str, command_line: Mapping[str, Any]) -> list[str]:
    """What is wrong with vars, one line each; those of the command line replace the declared ones."""
    known = {var.name: var for var in VARS}
    lines = []
    for place, names in ((declared_in, declared), ("--vars", command_line)):
        for name in names:
            if name not in known:
                # Whoever has set the nearest name meant another one.
                open_names = [other for other in known if other not in command_line]
                close = difflib.get_close_matches(str(name), open_names, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"the vars are {', '.join(known)}"
                lines.append(f"{name} is no var; {hint} ({place})")
    values = {**declared, **command_line}
    for var in VARS:
        place = "--vars" if var.name in command_line else declared_in
        if var.name not in values:
            lines.append(f"var {var.name} is missing; it must be {var.allowed} ({declared_in})")
        elif not var.accepts(values[var.name]):
            lines.append(f"var {var.name} is {written(values[var.name])}; it must be {var.allowed} ({place})")
    start, end = (day(values.get(name)) for name in ("study_start", "study_end"))
    if start and end and start > end:
        lines.append(f"var study_start is {start}, after study_end, {end}: no day is in the study window")
    warn, error = (values.get(name) for name in ("freshness_warn_hours", "freshness_error_hours"))
    if isinstance(warn, int) and isinstance(error, int) and warn > error:
        lines.append(f"var freshness_warn_hours is {warn}, more than freshness_error_hours, {error}")
    return lines


def day(value: Any) -> dt.date | None:
    """The date that a var says, or None: YAML reads an unquoted date as a date, a quoted one as text."""
    if isinstance(value, dt.date):
        return None if isinstance(value, dt.datetime) else value
    if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def written(value: Any) -> str:
    """A value as one writes it in YAML, on one line."""
    return " ".join(yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("...\n").split())
