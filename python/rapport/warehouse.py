"""The database file, opened by whoever only reads it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import duckdb


class WarehouseError(Exception):
    """The database cannot be opened; says why."""


def open_to_read(database: Path) -> duckdb.DuckDBPyConnection:
    """Open a database to read it; a build that holds it is waited for (``RAPPORT_LOCK_WAIT`` seconds, 60).

    Raises ``WarehouseError`` if it is still held afterwards, or cannot be opened for another reason.
    """
    seconds = float(os.environ.get("RAPPORT_LOCK_WAIT", "60"))
    deadline = time.monotonic() + seconds
    while True:
        try:
            return duckdb.connect(str(database), read_only=True)
        except duckdb.Error as error:
            message = str(error).split("\n", maxsplit=1)[0]
            holder = re.search(r"Conflicting lock is held in (.*?)\. See also", message)
            if holder is None:
                raise WarehouseError(f"{database}: the database cannot be opened: {message}") from error
            if time.monotonic() >= deadline:
                raise WarehouseError(
                    f"{database} is in use by {holder.group(1)}. Waited {seconds:g} s (RAPPORT_LOCK_WAIT)"
                ) from error
        time.sleep(0.5)
