"""What a good build with a list of erasures leaves behind: a database file and a log without a trace of the erased.

DuckDB frees the blocks of a dropped table and overwrites them when it needs them. Only a file that never held a row of
theirs is certain to hold none, so what is in use is copied to a new file, which takes the old one's place.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import duckdb

from rapport.file_modes import set_modes, set_umask
from rapport.messages import escape_controls
from rapport.warehouse import lock_wait

SECONDS_TO_LET_GO = 10
"""How long this process's own connections, which dbt has closed, may still hold the file."""


class ErasureError(Exception):
    """What was freed, or an old line of a log, may still name the erased; says what to do."""


def rewrite_database(database: Path) -> bool:
    """Put a copy of what is in use in the place of a database file, if the last reading listed anybody.

    A crash leaves the old file or the new one, and both are whole. Whoever has the old file open reads on in it.
    Returns whether the file is a new one.

    Raises :class:`ErasureError` if it cannot be read, or its folder not be written to.
    """
    place = Path(os.path.realpath(database))
    new = place.with_name(f".{place.name}.new")
    shown = escape_controls(str(database))
    try:
        with _attached(place) as connection:
            if not _listed(connection):
                return False
            if place.with_name(place.name + ".wal").exists():
                raise OSError("its write-ahead log was not written into it")
            set_umask()
            for leftover in (new, new.with_name(new.name + ".wal")):
                leftover.unlink(missing_ok=True)
            # Other builds are kept out until the new file is in its place, because this one is still held.
            connection.execute(f"attach {_quoted(new)} as rapport_new")
            connection.execute("copy from database rapport_old to rapport_new")
            connection.execute("checkpoint rapport_new")
            connection.execute("detach rapport_new")
            set_modes([new])
            new.replace(place)
    except (duckdb.Error, OSError) as error:
        new.unlink(missing_ok=True)
        why = str(error).split("\n", maxsplit=1)[0]
        raise ErasureError(
            f"{shown}: freed blocks of the file may still name people who were erased, and it cannot be written anew"
            f" ({escape_controls(why)}): build again"
        ) from error
    return True


def forget_earlier_lines(log: Path, invocation_id: str) -> None:
    """Remove from dbt's log what earlier commands wrote, rotated files included: gates name keys.

    A log of this command that cannot be told from earlier ones is emptied. Raises :class:`ErasureError` if a file
    cannot be changed.
    """
    try:
        for rotated in log.parent.glob(f"{log.name}.*"):
            rotated.unlink()
        with log.open("r+b") as file:
            content = file.read()
            begin = content.find(invocation_id.encode())
            begin = content.rfind(b"\n", 0, begin) + 1 if begin >= 0 else len(content)
            if begin:
                # dbt appends, so what it writes from now on comes after what stays.
                file.seek(0)
                file.write(content[begin:])
                file.truncate()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ErasureError(
            f"{escape_controls(str(log))}: earlier lines may name people who were erased, and cannot be removed"
            f" ({error.strerror or error}): remove them"
        ) from error


def _attached(database: Path) -> duckdb.DuckDBPyConnection:
    """A connection that reads a database as ``rapport_old``, as soon as no other process holds it."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    connection.execute(f"set memory_limit = {_quoted(os.environ.get('RAPPORT_MEMORY', '50%'))}")
    connection.execute(f"set temp_directory = {_quoted(f'{database}.tmp')}")
    connection.execute("set preserve_insertion_order = false")
    deadline = time.monotonic() + max(SECONDS_TO_LET_GO, lock_wait())
    while True:
        try:
            connection.execute(f"attach {_quoted(database)} as rapport_old (read_only)")
        except duckdb.Error:
            if time.monotonic() >= deadline:
                raise
            gc.collect()
            time.sleep(0.05)
        else:
            return connection


def _listed(connection: duckdb.DuckDBPyConnection) -> int:
    """How many people the list of the last reading names."""
    try:
        [(listed,)] = connection.execute("select max(listed_erasures) from rapport_old.raw.export").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return 0
    return int(listed or 0)


def _quoted(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"
