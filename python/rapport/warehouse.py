"""The database file, opened when no other process holds it."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from rapport.messages import escape_controls


class WarehouseError(Exception):
    """The database cannot be opened; says why."""


class WarehouseInUse(WarehouseError):
    """Another process held the database for as long as it was waited for."""


def lock_wait() -> float:
    """How many seconds another process is waited for: ``RAPPORT_LOCK_WAIT``, or 60."""
    return float(os.environ.get("RAPPORT_LOCK_WAIT", "60"))


def open_when_free(database: Path, **options: Any) -> duckdb.DuckDBPyConnection:
    """A connection, as soon as no other process holds the database. ``options``: those of ``duckdb.connect``.

    Raises :class:`WarehouseInUse` if it is still held after :func:`lock_wait`, and :class:`WarehouseError` if it
    cannot be opened for another reason. As soon as it waits it says so, and for whom, on stderr.
    """
    seconds = lock_wait()
    deadline = time.monotonic() + seconds
    said = ""
    while True:
        try:
            return duckdb.connect(str(database), **options)
        except duckdb.Error as error:
            message = str(error).split("\n", maxsplit=1)[0]
            holder = re.search(r"Conflicting lock is held in (.*?)\. See also", message)
            shown = escape_controls(str(database))
            if holder is None:
                why = escape_controls(message)
                raise WarehouseError(f"{shown}: the database cannot be opened: {why}") from error
            if time.monotonic() >= deadline:
                raise WarehouseInUse(
                    f"{shown} is in use by {holder.group(1)}. Waited {seconds:g} s (RAPPORT_LOCK_WAIT)"
                ) from error
            if holder.group(1) != said:
                said = holder.group(1)
                print(
                    f"{shown} is in use by {said}: waiting for it, up to {seconds:g} s (RAPPORT_LOCK_WAIT)",
                    file=sys.stderr,
                    flush=True,
                )
        time.sleep(0.5)


def open_to_read(database: Path) -> duckdb.DuckDBPyConnection:
    """Open a database to read it; errors as those of :func:`open_when_free`."""
    return open_when_free(database, read_only=True)
