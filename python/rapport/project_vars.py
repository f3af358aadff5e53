"""The vars of the project: what each may be, and the check of those that a command would use."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rapport.studies import Study, StudyError, StudyVar, load_study
from rapport.studies.definition import with_values

PROJECT = "rapport"
STUDY = "RAPPORT_STUDY"
"""The environment variable that names the study, if the command line does not."""
COUNTRY, NAME = "[A-Z]{2}", "[a-z][a-z0-9_]*"
SCHEMA = r"\w+(\.\w+)?"
RAW = "RAPPORT_RAW"
"""The environment variable that names the folder of the export."""
_PATTERNS = {
    COUNTRY: "two capital letters (ISO 3166-1 alpha-2)",
    NAME: "the name of a file in studies/, without .yml",
    SCHEMA: "the name of a schema, or database.schema",
}
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
            words = _PATTERNS[self.pattern]
        elif self.kind is str:
            words = "text"
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
    Var("study", str, "study that is built: a file of studies/", pattern=NAME),
    Var("raw_schema", str, "schema with the raw tables, instead of a folder", pattern=SCHEMA, is_optional=True),
    Var("equivalence_margin", int, "difference of changes that counts as equivalent, in points", low=1, high=100),
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
    Var("accept_volume_change", bool, "accepts, for one build, what the guards on volumes and cohort refuse"),
    Var("served_marts", list, "marts that the snapshot holds (null: all that may be served)", is_optional=True),
    Var("serve_participants", bool, "whether the snapshot may hold marts with a row per participant"),
    Var("provider_marts", bool, "whether the alliance is published by provider, too"),
    Var("serve_providers", bool, "whether the snapshot may hold marts with a row per provider"),
    Var("spc_min_points", int, "months with a value from which a series of the service has limits", low=2),
)


@dataclass(frozen=True)
class Settings:
    """What a command would build by.

    Attributes:
        study: the study, with the values that the command line overrides.
        values: every var by name.
    """

    study: Study
    values: Mapping[str, Any]


def check_vars(project_dir: Path, command_line: Mapping[str, Any]) -> Settings:
    """Check study and vars, with those of the command line over them, before anything is read.

    Raises :class:`VarError`, and :class:`~rapport.studies.StudyError` for a study that is wrong.
    """
    document = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    declared: dict[str, Any] = dict(document.get("vars") or {})
    declared |= declared.pop(PROJECT, None) or {}
    name, place = study_name(declared, command_line)
    if name is None:
        raise VarError(_refusal(faults({**declared, "study": name}, "dbt_project.yml", {})))
    try:
        study = load_study(project_dir, name)
    except StudyError as error:
        lines = "".join(f"\n  {line}" for line in str(error).splitlines())
        raise StudyError(f"the study is wrong ({place}), and nothing was read:{lines}") from error
    wrong = faults(declared, "dbt_project.yml", command_line, study)
    asked = {**declared, **command_line}
    folders = ["marts"]
    if study.further_instruments:
        folders.append("instruments/marts")
    if asked.get("provider_marts") is True:
        folders.append("providers/marts")
    marts = sorted(path.stem for folder in folders for path in (project_dir / "models" / folder).glob("*.sql"))
    served = asked.get("served_marts")
    wrong += [
        f"var served_marts names {written(name)}, which is no mart; the marts are {', '.join(marts)}"
        for name in (served if isinstance(served, list) else ())
        if name not in marts
    ]
    if wrong:
        raise VarError(_refusal(wrong))
    given = {var.name: command_line[var.name] for var in study.vars if var.name in command_line}
    study = with_values(study, given) if given else study
    values = {**declared, **{var.name: var.value for var in study.vars}, **command_line, "study": name}
    return Settings(study, values)


def study_name(declared: Mapping[str, Any], command_line: Mapping[str, Any]) -> tuple[str | None, str]:
    """The study that a command would build, and where that is said; none if it is no name."""
    for place, value in (
        ("--vars", command_line.get("study")),
        (STUDY, os.environ.get(STUDY)),
        ("dbt_project.yml", declared.get("study")),
    ):
        if value:
            return (value if VARS[0].accepts(value) else None), place
    return None, "dbt_project.yml"


def _refusal(wrong: list[str]) -> str:
    return "\n".join(("the vars are wrong, and nothing was read:", *(f"  {line}" for line in wrong)))


def vars_of(study: Study) -> tuple[Var, ...]:
    """The values of a study that a command may override, as vars."""
    found = []
    for var in study.vars:
        if isinstance(var.value, int):
            low = -math.inf if var.minimum is None else var.minimum
            high = math.inf if var.maximum is None else var.maximum
            found.append(Var(var.name, int, var.meaning, low, high))
        elif day(var.value) is not None:
            found.append(Var(var.name, dt.date, var.meaning))
        else:
            is_country = re.fullmatch(COUNTRY, str(var.value)) is not None
            found.append(Var(var.name, str, var.meaning, pattern=COUNTRY if is_country else ""))
    return tuple(found)


def faults(
    declared: Mapping[str, Any], declared_in: str, command_line: Mapping[str, Any], study: Study | None = None
) -> list[str]:
    """What is wrong with vars, one line each; those of the command line replace the declared ones, and the study's."""
    of_study = () if study is None else vars_of(study)
    study_values = {} if study is None else {var.name: var.value for var in study.vars}
    study_file = "" if study is None else f"studies/{study.name}.yml"
    known = {var.name: var for var in (*of_study, *VARS)}
    lines = []
    for place, names in ((declared_in, declared), ("--vars", command_line)):
        for name in names:
            if name in study_values and place == declared_in:
                lines.append(f"var {name} is a value of the study; set it in {study_file} ({place})")
            if name not in known:
                # Whoever has set the nearest name meant another one.
                open_names = [other for other in known if other not in command_line]
                close = difflib.get_close_matches(str(name), open_names, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"the vars are {', '.join(known)}"
                lines.append(f"{name} is no var; {hint} ({place})")
    values = {**study_values, **declared, **command_line}
    for var in known.values():
        place = "--vars" if var.name in command_line else study_file if var.name in study_values else declared_in
        if var.name not in values:
            lines.append(f"var {var.name} is missing; it must be {var.allowed} ({declared_in})")
        elif not var.accepts(values[var.name]):
            lines.append(f"var {var.name} is {written(values[var.name])}; it must be {var.allowed} ({place})")
    days = [next((var.name for var in _sets(study) if var.sets == f"window.{end}"), "") for end in ("start", "end")]
    start, end = (day(values.get(name)) for name in days)
    if start and end and start > end:
        lines.append(f"var {days[0]} is {start}, after {days[1]}, {end}: no day is in the study window")
    if values.get("raw_schema") and os.environ.get(RAW):
        lines.append(
            f"var raw_schema is {written(values['raw_schema'])}, and {RAW} names a folder: the raw tables are in one"
            f" place; unset {RAW}, or leave raw_schema null"
        )
    warn, error = (values.get(name) for name in ("freshness_warn_hours", "freshness_error_hours"))
    if isinstance(warn, int) and isinstance(error, int) and warn > error:
        lines.append(f"var freshness_warn_hours is {warn}, more than freshness_error_hours, {error}")
    return lines


def _sets(study: Study | None) -> tuple[StudyVar, ...]:
    return () if study is None else study.vars


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
