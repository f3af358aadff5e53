"""Judges a raw export by the project's own audit, in a database that is thrown away.

The part files, the current rows and the freshness of an export are judged by the models and suites that judge them in a
build (`dbt run --select +audit_raw`, `dbt source freshness`), so the check cannot drift from the build. Nothing is
written outside a temporary folder.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

FORMATS = ("parquet", "csv")
LAYERS = ("files", "raw")


class CheckError(RuntimeError):
    """The export, or the project, cannot be checked; the message says why."""


@dataclass(frozen=True)
class Finding:
    """One rule and what became of it. Keys are pseudonyms; values are never shown."""

    table: str
    rule: str
    severity: str
    passed: bool
    failing: int | None = None
    """Rows (or files) that break the rule."""
    keys: str | None = None
    detail: str | None = None
    layer: str = ""
    """The layer that judged it; empty for freshness."""


def check_export(
    raw: Path, raw_format: str = "parquet", *, project: Path | None = None, strict_freshness: bool = False
) -> list[Finding]:
    """Every rule of the layers ``files`` and ``raw``, and the freshness of every table, judged on one export.

    ``raw``: its folder. ``project``: the folder of dbt_project.yml (default: the current one). A stale table is a
    warning, or with ``strict_freshness`` critical. As in a build, rows are judged only if every critical rule of the
    files holds, and freshness only if every critical rule of the rows does.

    Raises :class:`CheckError` if there is no such folder, or if the audit ended without a verdict.
    """
    if raw_format not in FORMATS:
        raise CheckError(f"format {raw_format!r} is none of {', '.join(FORMATS)}")
    if not raw.is_dir():
        raise CheckError(f"no folder {raw}")
    root = Path.cwd() if project is None else project
    if not (root / "dbt_project.yml").is_file():
        raise CheckError(f"no dbt_project.yml in {root}; run this in the project's folder")
    with tempfile.TemporaryDirectory(prefix="rapport-check-") as scratch:
        dbt = _Dbt(root, raw.resolve(), raw_format, Path(scratch))
        audit = dbt.invoke("run", "--select", "+audit_raw")
        findings = _verdicts(dbt.database)
        if any(not finding.passed and finding.severity == "critical" for _, finding in findings):
            # A closed gate is why dbt stopped: its verdicts say all.
            return [finding for _, finding in findings]
        if not audit.success:
            raise CheckError(f"the audit stopped without a verdict: {_failure(audit)}")
        unjudged = [layer for layer in LAYERS if layer not in {layer for layer, _ in findings}]
        if unjudged:
            raise CheckError(f"the audit left no verdict on layer {' and '.join(unjudged)}")
        freshness = _freshness(dbt.invoke("source", "freshness"), strict_freshness)
    return [*(finding for _, finding in findings), *freshness]


class _Dbt:
    """dbt in this process, on a database and a target folder of its own, saying nothing."""

    def __init__(self, project: Path, raw: Path, raw_format: str, scratch: Path) -> None:
        self.project, self.scratch = project, scratch
        self.database = scratch / "check.duckdb"
        self.environment = {
            "RAPPORT_RAW": str(raw),
            "RAPPORT_RAW_FORMAT": raw_format,
            "RAPPORT_DB": str(self.database),
        }

    def invoke(self, *command: str) -> Any:
        """dbt's result (``dbtRunnerResult``)."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        target = str(self.scratch / "target")
        arguments = [
            *("--log-level", "none", "--log-level-file", "none", "--quiet", "--no-version-check"),
            *command,
            *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
            *("--target-path", target, "--log-path", target),
        ]
        silence = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with _environment(self.environment), contextlib.chdir(self.project), silence[0], silence[1]:
            try:
                return dbtRunner().invoke(arguments)
            finally:
                close: Callable[[], None] = DuckDBConnectionManager.close_all_connections
                close()
                gc.collect()  # an error of dbt's holds on to the connection of the model that failed


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _verdicts(database: Path) -> list[tuple[str, Finding]]:
    """The layer and finding of each verdict, files first; none if the audit did not get as far as a database."""
    if not database.is_file():
        return []
    with duckdb.connect(str(database), read_only=True) as connection:
        try:
            rows = connection.execute(
                "select layer, table_name, rule, severity, passed, unexpected, sample_keys, detail"
                " from audit.validation_results order by layer, validated_at, rowid"
            ).fetchall()
        except duckdb.CatalogException:
            return []
    return [
        (str(layer), Finding(table, rule, severity, bool(passed), None if passed else unexpected, keys, detail, layer))
        for layer, table, rule, severity, passed, unexpected, keys, detail in rows
        if layer in LAYERS
    ]


def _freshness(result: Any, strict: bool) -> list[Finding]:
    """A finding for each source table with a limit.

    Raises :class:`CheckError` if dbt did not look at any.
    """
    ended: Sequence[Any] = getattr(result.result, "results", None) or ()
    nodes = [node for node in ended if str(node.node.resource_type) == "source"]  # the others are hooks
    if not nodes:
        raise CheckError(f"freshness could not be judged: {_failure(result)}")
    severity = "critical" if strict else "warning"
    findings = []
    for node in nodes:
        limit = node.node.freshness.warn_after if node.node.freshness else None
        # A limit set by a var arrives as its text.
        span = f"{limit.count} {limit.period}{'s' if int(limit.count) != 1 else ''}" if limit and limit.count else "?"
        newest = getattr(node, "max_loaded_at", None)
        passed = str(node.status) == "pass"
        detail = None if passed else f"newest {newest:%Y-%m-%d %H:%M} UTC" if newest else "could not be judged"
        findings.append(Finding(node.node.name, f"newest row is at most {span} old", severity, passed, detail=detail))
    return findings


def _failure(result: Any) -> str:
    """Which node stopped dbt and with what kind of error: the text of the error may quote values."""
    failed = [
        f"{node.node.name} ended in {_kind(node.message)}"
        for node in getattr(result.result, "results", None) or ()
        if str(node.status) in ("error", "runtime error")
    ]
    if failed:
        return "; ".join(failed) + " (`dbt build` shows it in full)"
    return type(result.exception).__name__ if result.exception else "dbt gave no reason"


def _kind(message: str | None) -> str:
    for line in (message or "").splitlines():
        kind = line.strip().split(":", maxsplit=1)[0]
        if kind.endswith("Error") and not kind.startswith("Runtime"):
            return kind
    return "an error"
