"""The audit in a process of its own, on the rows of this one.

To import Great Expectations takes longer than most models take to build. A command of dbt that will need it starts a
process for it at once, which imports it and loads the suites while dbt reads its project. That process has no access to
the warehouse: what it wants to know it asks in SQL, and this process answers with the few rows of the result. Without
such a process, in a notebook say, :func:`ask` calls the function where it is.
"""

from __future__ import annotations

import atexit
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb

from rapport.cursor import Cursor

T = TypeVar("T")


class AuditError(RuntimeError):
    """The process of the audit ended before it had judged."""


class _Audit:
    """The process, as this one sees it."""

    def __init__(self) -> None:
        self._channel, its_end = Pipe()
        command = [sys.executable, "-m", __name__, str(its_end.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[its_end.fileno()])
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


class _Relation:
    """A query, as far as the audit looks at relations."""

    def __init__(self, asked: _Warehouse, query: str) -> None:
        self._asked, self._query = asked, query

    @property
    def columns(self) -> list[str]:
        described, _ = self._asked.answer("columns", self._query, None)
        return [name for name, *_ in described]


class _Warehouse(Cursor):
    """The other process's connection, as far as the audit and SQLAlchemy use one."""

    def __init__(self, channel: Connection[Any, Any], engine: str = "") -> None:
        super().__init__()
        self._channel, self.engine = channel, engine
        self.description: list[tuple[Any, ...]] = []

    def answer(self, what: str, query: str, parameters: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        self._channel.send(("asked", what, query, parameters))
        kind, first, second = self._channel.recv()
        if kind == "failed":
            raise getattr(duckdb, first, duckdb.Error)(second)
        return first, second

    def execute(self, query: str, parameters: Any = None) -> Self:
        described, self._rows = self.answer("rows", query, parameters)
        self.description = [(*column, None, None, None, None, None) for column in described]
        return self

    def sql(self, query: str) -> _Relation:
        return _Relation(self, query)

    def cursor(self) -> _Warehouse:
        return _Warehouse(self._channel, self.engine)


def _serve(channel: Connection[Any, Any]) -> None:
    """Answer calls until the other process is gone. After each the suites are loaded for the next."""
    import gc
    import os

    from rapport.audit import suites

    # A judgement leaves much that refers to itself: it is put away while nobody waits.
    gc.disable()

    functions: dict[str, Callable[..., Any]] = {
        function.__name__: function for function in (suites.judge_folder, suites.fault_queries)
    }
    while True:
        kind, *content = channel.recv()
        if kind == "load ahead":
            for folder in content[0]:
                suites.load_ahead(folder, content[1])
            continue
        name, folder, engine, arguments = content
        os.chdir(folder)
        try:
            reply: tuple[str, Any] = ("returned", functions[name](_Warehouse(channel, engine), *arguments))
        except Exception as error:
            reply = ("raised", _portable(error))
        channel.send(reply)
        gc.collect()
        gc.freeze()


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same, if it cannot go to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return AuditError(f"{type(error).__name__}: {error}")
    return error


def main(descriptor: str) -> None:
    """The process of the audit; ``descriptor`` is its end of the channel."""
    # Ctrl-C reaches the whole terminal: the other process decides, and its end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        _serve(Connection(int(descriptor)))


if __name__ == "__main__":
    main(sys.argv[1])
