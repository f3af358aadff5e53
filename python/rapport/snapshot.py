"""The snapshot of the marts: a file that readers open while builds run.

A publication writes it aside (``macros/engine/publication_*.sql``), commits, and puts it in place by one rename.
Whoever has the old file open reads on in it; whoever opens the place finds the old marts or the new ones, whole. What a
build that was killed wrote aside is put in place by the next command that writes if its marts were published, and else
removed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import duckdb

from rapport.file_modes import set_modes
from rapport.messages import escape_controls

VARIABLE = "RAPPORT_MARTS"
NAME = "marts.duckdb"


class SnapshotError(Exception):
    """The snapshot cannot be put in place, or its place cannot be used; says why."""


def snapshot_of(database: Path) -> Path | None:
    """Where the snapshot of a database's marts is: ``RAPPORT_MARTS``, or beside the database; ``None``: nowhere.

    An empty ``RAPPORT_MARTS`` asks for none. Raises :class:`SnapshotError` if it is the database itself.
    """
    given = os.environ.get(VARIABLE)
    if given == "":
        return None
    path = Path(given).absolute() if given is not None else database.absolute().with_name(NAME)
    if Path(os.path.realpath(path)) == Path(os.path.realpath(database)):
        raise SnapshotError(f"{VARIABLE}: {escape_controls(str(path))} is the database itself; name another file")
    return path


def aside(place: Path, database: Path, build_id: str) -> Path:
    """The file that a build writes, in the folder of its place; builds of other databases write others."""
    owner = hashlib.sha256(os.path.realpath(database).encode()).hexdigest()[:12]
    return place.with_name(f".{place.name}.{owner}.{build_id}")


def put_in_place(place: Path, database: Path, build_id: str) -> None:
    """Rename what a build wrote aside, once its marts are published.

    Raises :class:`SnapshotError` if that cannot be; the file stays aside, for the next command that writes.
    """
    new = aside(place, database, build_id)
    try:
        set_modes([new])
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(place)
        _sync_folder(place.parent)
    except OSError as error:
        raise SnapshotError(
            f"{escape_controls(str(place))}: the snapshot of the marts cannot be put in place:"
            f" {error.strerror or error}"
        ) from error


def discard(place: Path, database: Path, build_id: str) -> None:
    """Remove what a build wrote aside. Raises :class:`OSError`."""
    new = aside(place, database, build_id)
    for path in (new, new.with_name(f"{new.name}.wal")):
        path.unlink(missing_ok=True)


def settle(place: Path, database: Path, published: str | None) -> None:
    """Finish what a killed build left: its snapshot is put in place if ``published`` is its id, and else removed.

    Raises :class:`SnapshotError` if the folder cannot be written to.
    """
    begun = aside(place, database, "").name
    try:
        left = [path for path in place.parent.iterdir() if path.name.startswith(begun)] if place.parent.is_dir() else []
        # A log beside a file says that it was not written to its end.
        whole = {path for path in left if path.with_name(f"{path.name}.wal") not in left}
        for path in left:
            if published is not None and path == aside(place, database, published) and path in whole:
                put_in_place(place, database, published)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise SnapshotError(
            f"{escape_controls(str(place.parent))}: what a build left of a snapshot cannot be removed:"
            f" {error.strerror or error}"
        ) from error


def published_build(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The id of the build that is published, if any."""
    try:
        found = connection.execute("select any_value(build_id) from audit.publish").fetchall()
    except duckdb.CatalogException:
        return None
    return None if found[0][0] is None else str(found[0][0])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
