"""Command line of a refresh: ``python -m rapport.refresh [--study NAME] [--vars YAML]``, what a scheduler runs.

Four steps in turn: freshness, publish, export, report; the first that fails ends it. At the end stands one summary:
published or not, the cohort before and after, warnings of the audit, rows in quarantine, seconds, and the new signals
of the service's last complete month. The same is written to ``reports/refresh.json``, without keys of rows, and the
signals to ``reports/signals.json``. A study that is named has a database, a release, a page and two such files of its
own.

Exit codes: 0 all four steps were done; 2 wrong vars or arguments, nothing was run; otherwise that of the step that
failed (docs/scheduling.md).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from rapport.file_modes import set_umask
from rapport.messages import escape_lines
from rapport.project_vars import VarError, check_vars
from rapport.signals import MonthlySignals, signals_of_release

NOT_PUBLISHED = "marts were not published"
"""What the last message of a build begins with that did not publish (python/dbt_rapport)."""


@dataclass(frozen=True)
class Step:
    """One step: its command, what a failure leaves, and what to do then."""

    name: str
    command: tuple[str, ...]
    """Program (``dbt`` or ``python``) and arguments."""
    left: str
    if_refused: str
    """Advice after exit code 1: the step ran and said no."""
    if_impossible: str
    """Advice after any other code: the step could not begin, or was ended."""
    takes_vars: bool = False


@dataclass(frozen=True)
class Places:
    """Where a refresh writes.

    Attributes:
        study: the study that was named; empty for the one of the project.
        release: folder of the release; None for the one that the study's name gives.
    """

    study: str = ""
    release: Path | None = None

    @property
    def usual_release(self) -> Path:
        """The folder of the release that the study's name gives."""
        return Path(f"release{self._suffix}")

    @property
    def release_folder(self) -> Path:
        """The folder of the release."""
        return self.release or self.usual_release

    @property
    def page(self) -> Path:
        """The report."""
        return Path("reports", f"{self.study or 'index'}.html")

    @property
    def summary(self) -> Path:
        """How the refresh ended."""
        return Path("reports", f"refresh{self._suffix}.json")

    @property
    def signals(self) -> Path:
        """The signals of the last complete month."""
        return Path("reports", f"signals{self._suffix}.json")

    def make(self, target: str) -> str:
        """The command that runs one step with these places."""
        named = f" STUDY={self.study}" if self.study else ""
        folder = f" RELEASE={self.release}" if self.release_folder != self.usual_release else ""
        return f"`make {target}{named}{folder}`"

    @property
    def _suffix(self) -> str:
        return f"-{self.study}" if self.study else ""


def steps_of(places: Places) -> tuple[Step, ...]:
    """The four steps of a refresh that writes to these places."""
    release = str(places.release_folder)
    export_and_report = f"then {places.make('export')} and {places.make('report')}."
    return (
        Step(
            "freshness",
            ("dbt", "--no-use-colors", "--log-level", "warn", "source", "freshness"),
            left="Nothing was built.",
            if_refused="Get a newer export or raise var freshness_error_hours; of files that cannot be read "
            "`make contract-check` says more.",
            if_impossible="It could not begin: mend what is named above, or try again when the database is free.",
            takes_vars=True,
        ),
        Step(
            "publish",
            ("dbt", "--no-use-colors", "--quiet", "build", "--exclude-resource-type", "unit_test"),
            left="Marts, export and report are as they were.",
            if_refused="Mend what the reason names, then run the refresh again; by itself a retry changes nothing.",
            if_impossible="It could not begin: mend what is named above, or try again when the database is free.",
            takes_vars=True,
        ),
        Step(
            "export",
            ("python", "-m", "rapport.release", "--out", release),
            left="Marts are new, export and report are not.",
            if_refused=f"The message above says why; {export_and_report}",
            if_impossible=f"It could not be tried: mend what is named above, {export_and_report}",
        ),
        Step(
            "report",
            ("python", "-m", "rapport.report", "--release", release, "--out", str(places.page)),
            left="Marts and export are new, the report is not.",
            if_refused=f"Mend what is named above, then {places.make('report')}.",
            if_impossible=f"Mend what is named above, then {places.make('report')}.",
        ),
    )


OF_THE_PROJECT = Places()


@dataclass(frozen=True)
class Rule:
    """A rule of the audit that did not hold, without the keys of rows."""

    table: str
    rule: str
    severity: str
    unexpected: int | None
    evaluated: int | None

    def __str__(self) -> str:
        """As the last lines of a build say it."""
        return f"{self.table}: {self.rule} ({self.unexpected or 0:,} of {self.evaluated or 0:,})"


@dataclass(frozen=True)
class State:
    """What the database says of its last build and of what is published.

    Attributes:
        build: number of the last build; None before the first.
        status: its status in ``ops.builds``.
        cohort: rows of ``marts.analysis_cohort``; None if nothing is published.
        broken: rules of the audit that did not hold in the last build.
        quarantined: rows that the last build put into quarantine, by table.
    """

    build: int | None = None
    status: str | None = None
    cohort: int | None = None
    broken: list[Rule] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a refresh ended; the contents of ``reports/refresh.json``."""

    ended_at: str
    exit_code: int
    stopped_at: str | None
    published: bool
    build: int | None
    cohort_before: int | None
    cohort_after: int | None
    warnings: list[Rule]
    critical: list[Rule]
    rows_in_quarantine: dict[str, int]
    seconds: dict[str, float]
    advice: str | None
    signals: MonthlySignals | None = None
    """Those of the release, if the refresh came so far."""


def look(database: Path) -> State:
    """What a database says of itself; nothing if there is none, or if it cannot be read now."""
    if not database.exists():
        return State()
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            return _look(connection)
    except duckdb.Error:
        return State()


def _look(connection: duckdb.DuckDBPyConnection) -> State:
    def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
        return connection.execute(query, list(values)).fetchall()

    tables = {
        f"{schema}.{table}" for schema, table in rows("select table_schema, table_name from information_schema.tables")
    }
    last = (
        rows("select build_number, build_id, status from ops.builds order by build_number desc limit 1")
        if "ops.builds" in tables
        else []
    )
    cohort = rows("select count(*) from marts.analysis_cohort")[0][0] if "marts.analysis_cohort" in tables else None
    if not last:
        return State(cohort=cohort)
    [(number, build_id, status)] = last
    broken = rows(
        # A rule is judged again on what quarantine leaves; it is one rule.
        "select table_name, rule, severity, max(unexpected), max(evaluated) from audit.validation_results"
        " where build_id = ? and not passed and severity <> 'info' group by all order by severity, table_name, rule",
        build_id,
    )
    waiting = (
        rows("select table_name, count(*) from quarantine.quarantined_rows group by table_name order by table_name")
        if "quarantine.quarantined_rows" in tables
        else []
    )
    return State(
        build=number,
        status=status,
        cohort=cohort,
        broken=[Rule(*row) for row in broken],
        quarantined=dict(waiting),
    )


def run_step(step: Step, programs: Path, options: Sequence[str]) -> tuple[int, list[str]]:
    """Run one step; returns its exit code, and the lines from its reason on, which are held back for the end."""
    program, *arguments = step.command
    command = [str(programs / program), *arguments, *(options if step.takes_vars else ())]
    held: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if held or NOT_PUBLISHED in line:
                held.append(line.rstrip("\n"))
            else:
                print(line, end="", flush=True)
    code = process.returncode
    return (code if code >= 0 else 128 - code), held


def refresh(
    programs: Path, database: Path, options: Sequence[str], places: Places = OF_THE_PROJECT
) -> tuple[Outcome, list[str]]:
    """Run the steps; returns how it ended, and the reason that the build gave if it did not publish."""
    steps = steps_of(places)
    before = look(database)
    after = State()
    seconds: dict[str, float] = {}
    for number, step in enumerate(steps, start=1):
        begun = time.monotonic()
        code, reason = run_step(step, programs, options)
        seconds[step.name] = round(time.monotonic() - begun, 1)
        ended = f"{'FAILED' if code else 'done'} after {seconds[step.name]:.0f} s"
        print(f"refresh {number}/{len(steps)} {step.name}: {ended}", flush=True)
        if step.name == "publish":
            after = look(database)
        if code:
            break
    is_new = after.build is not None and after.build != before.build
    is_published = is_new and after.status == "published"
    advice = None
    if code and is_published and step.name == "publish":
        advice = "Marts are new, export and report are not. Mend what is named above, then run the refresh again."
    elif code:
        advice = f"{step.left} {step.if_refused if code == 1 else step.if_impossible}"
    broken = after.broken if is_new else []
    outcome = Outcome(
        ended_at=datetime.now(UTC).isoformat(timespec="seconds"),
        exit_code=code,
        stopped_at=step.name if code else None,
        published=is_published,
        build=after.build if is_new else None,
        cohort_before=before.cohort,
        cohort_after=after.cohort if "publish" in seconds else before.cohort,
        warnings=[rule for rule in broken if rule.severity == "warning"],
        critical=[rule for rule in broken if rule.severity == "critical"],
        rows_in_quarantine=after.quarantined if is_new else {},
        seconds=seconds,
        advice=advice,
        signals=None if code else _signals(places),
    )
    return outcome, reason


def _signals(places: Places) -> MonthlySignals | None:
    from rapport.release.folder import NoRelease  # slow to load: only once there is a release

    try:
        return signals_of_release(places.release_folder, places.signals)
    except NoRelease as error:
        print(escape_lines(f"rapport.refresh: no signals can be told: {error}"), file=sys.stderr)
        return None


def in_words(outcome: Outcome, reason: Sequence[str]) -> list[str]:
    """The summary, line by line; what went wrong stands last."""
    shown = {True: f"published build {outcome.build}", False: "nothing was published"}[outcome.published]
    each = ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome.seconds.items())
    lines = [f"refresh: {shown}; {sum(outcome.seconds.values()):.0f} s ({each})"]
    lines.append(f"  cohort: {_people(outcome.cohort_before)} before, {_people(outcome.cohort_after)} after")
    waiting = ", ".join(f"{table} {count:,}" for table, count in outcome.rows_in_quarantine.items())
    lines.append(f"  rows in quarantine: {sum(outcome.rows_in_quarantine.values()):,}{waiting and f' ({waiting})'}")
    lines.append(f"  warnings of the audit: {len(outcome.warnings)}")
    lines += [f"    {rule}" for rule in outcome.warnings]
    if outcome.signals is not None:
        lines += outcome.signals.in_words()
    if outcome.stopped_at:
        lines.append(f"refresh stopped at {outcome.stopped_at} (exit code {outcome.exit_code}). {outcome.advice}")
    return [*lines, *reason]


def _people(count: int | None) -> str:
    return "none published" if count is None else f"{count:,}"


def write_summary(outcome: Outcome, path: Path, signals: Path) -> None:
    """Replace the summary file as a whole, and that of the signals if there are any to tell of."""
    content = asdict(outcome)
    if content.pop("signals") is not None:
        _write(signals, asdict(outcome.signals))  # type: ignore[arg-type]
    _write(path, content)


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(path)


def _name_study(study: str) -> None:
    """Name study, database and snapshot to the steps, as the Makefile does; what is set stays."""
    os.environ["RAPPORT_STUDY"] = study
    database = os.environ.setdefault("RAPPORT_DB", f"warehouse/{study}.duckdb")
    os.environ.setdefault("RAPPORT_MARTS", f"{Path(database).with_suffix('')}-marts.duckdb")


def main(arguments: Sequence[str] | None = None) -> int:
    """Refresh; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rapport.refresh", description=__doc__.split("\n\n", maxsplit=1)[1])
    parser.add_argument("--vars", metavar="YAML", help="vars of the project for this once, as dbt takes them")
    parser.add_argument(
        "--study", default="", metavar="NAME", help="a file of studies/, as `make build STUDY=NAME` has it"
    )
    parser.add_argument("--release", type=Path, metavar="FOLDER", help="default: release, or release-NAME of a study")
    parser.add_argument(
        "--programs",
        type=Path,
        default=Path(sys.executable).parent,
        metavar="FOLDER",
        help="where dbt and python are; default: beside the Python that runs this",
    )
    options = parser.parse_args(arguments)
    if not Path("dbt_project.yml").is_file():
        print("rapport.refresh: start it in the project's folder, or `make -C FOLDER refresh`", file=sys.stderr)
        return 2
    places = Places(options.study, options.release)
    if options.study:
        _name_study(options.study)
    try:
        given = yaml.safe_load(options.vars or "{}")
        if not isinstance(given, dict):
            raise VarError(f"--vars {options.vars}: not of the form {{name: value}}")
        check_vars(Path.cwd(), given)
        set_umask()
    except (yaml.YAMLError, ValueError) as error:
        print(escape_lines(f"rapport.refresh: {error}"), file=sys.stderr)
        return 2
    database = Path(os.environ.get("RAPPORT_DB", "warehouse/rapport.duckdb"))
    with_vars = ["--vars", options.vars] if options.vars is not None else []
    outcome, reason = refresh(options.programs, database, with_vars, places)
    write_summary(outcome, places.summary, places.signals)
    print("\n".join(in_words(outcome, reason)), flush=True)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
