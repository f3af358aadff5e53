"""The process of the audit: it judges for another, which has the warehouse and answers what it asks in SQL.

:mod:`rapport.audit_process` starts it.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Self

import duckdb

from rapport.audit import suites
from rapport.audit_process import AuditError
from rapport.cursor import Cursor


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
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        _serve(Connection(int(descriptor)))


if __name__ == "__main__":
    main(sys.argv[1])
