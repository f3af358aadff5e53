"""The audit in a process of its own, on the rows of this one.

To import Great Expectations takes longer than most models take to build. A command of dbt that will need it starts a
process for it at once, which imports it and loads the suites while dbt reads its project. That process has no access to
the warehouse: what it wants to know it asks in SQL, and this process answers with the few rows of the result. Without
such a process, in a notebook say, :func:`ask` calls the function where it is.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

T = TypeVar("T")

WORKER: Final = "rapport.audit.worker"
"""The module of that process."""


class AuditError(RuntimeError):
    """The process of the audit ended before it had judged."""


class _Audit:
    """The process, as this one sees it."""

    def __init__(self) -> None:
        self._channel, its_end = Pipe()
        command = [sys.executable, "-m", WORKER, str(its_end.fileno())]
        # Ctrl-C reaches a whole group of processes: this one decides, and its end is the other's.
        self._process = subprocess.Popen(command, pass_fds=[its_end.fileno()], process_group=0)
        its_end.close()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def load_ahead(self, folders: Iterable[Path], study: Mapping[str, Any]) -> None:
        with suppress(OSError):
            self._channel.send(("load ahead", [str(folder) for folder in folders], study))

    def ask(self, name: str, connection: duckdb.DuckDBPyConnection, arguments: tuple[Any, ...]) -> Any:
        # On a cursor of its own: a query that fails must not end a transaction of the connection.
        cursor = connection.cursor()
        try:
            self._channel.send(("call", name, str(Path.cwd()), getattr(connection, "engine", ""), arguments))
            while True:
                kind, *content = self._channel.recv()
                if kind == "returned":
                    return content[0]
                if kind == "raised":
                    raise content[0]
                self._channel.send(_answer(cursor, *content))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise AuditError(f"the process of the audit ended with code {self._process.wait()}") from None
        finally:
            cursor.close()

    def end(self) -> None:
        # It holds nothing that it would have to put away, and may still be importing.
        self._channel.close()
        self._process.terminate()
        self._process.wait()


_audit: _Audit | None = None


def start(folders: Iterable[Path], study: Mapping[str, Any] | None = None) -> None:
    """Start the process, or go on with the one that runs; let it load the suites of some folders.

    ``study``: what the suites may name of the study (:mod:`rapport.studies.parameters`).
    """
    global _audit
    if _audit is None or not _audit.runs:
        _audit = _Audit()
    _audit.load_ahead(folders, study or {})


@atexit.register
def end() -> None:
    """End the process; without one nothing happens."""
    global _audit
    if _audit is not None:
        _audit.end()
        _audit = None


def ask(function: Callable[..., T], connection: duckdb.DuckDBPyConnection, *arguments: Any) -> T:
    """What a function of :mod:`rapport.audit.suites` returns or raises, in the process of the audit if there is one.

    Raises :class:`AuditError` if that process ended meanwhile.
    """
    if _audit is None or not _audit.runs:
        return function(connection, *arguments)
    returned: T = _audit.ask(function.__name__, connection, arguments)
    return returned


def _answer(connection: duckdb.DuckDBPyConnection, what: str, query: str, parameters: Any) -> tuple[str, Any, Any]:
    """The answer to a query: its columns, and its rows unless only the columns are wanted; or the error."""
    try:
        if what == "columns":
            return "answered", [(name,) for name in connection.sql(query).columns], []
        cursor = connection.execute(query, parameters) if parameters else connection.execute(query)
        described = [(name, str(kind)) for name, kind, *_ in cursor.description or ()]
        return "answered", described, cursor.fetchall() if described else []
    except duckdb.Error as error:
        return "failed", type(error).__name__, str(error)
