"""The part files of an export, known by name, size and content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

ERASURES = "erasures"
"""The folder of the export that lists the participants to be erased."""

SCHEMA = pa.schema(
    [
        ("build_id", pa.string()),
        ("table_name", pa.string()),
        ("file_name", pa.string()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("sha256", pa.string()),
        ("fault", pa.string()),
    ]
)


@dataclass(frozen=True)
class PartFile:
    """One part file as it is now; ``sha256`` is null and ``fault`` says why if it cannot be read."""

    table_name: str
    file_name: str
    path: str
    bytes: int | None
    modified_ns: int | None
    sha256: str | None
    fault: str | None


def list_part_files(build: pd.DataFrame, tables: Iterable[str]) -> pa.Table:
    """Every part file of the export, one row a file, hashed.

    ``build``: one row with ``build_id``, ``raw_folder`` and ``raw_format``. ``tables``: the sub-folders to look into.
    Files are hashed in two threads: SHA-256 releases the interpreter's lock. A folder that is not there has no rows, a
    file that cannot be read has a ``fault``; :func:`rapport.audit.check_files` judges both.
    """
    current = build.iloc[0]
    folder, file_format = Path(str(current["raw_folder"])), str(current["raw_format"])
    paths = [(table, path) for table in tables for path in part_paths(folder / table, file_format)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        files = list(pool.map(lambda item: describe(*item), paths))
    rows = [{**asdict(file), "build_id": str(current["build_id"])} for file in files]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def part_paths(folder: Path, file_format: str) -> list[Path]:
    """The part files of one folder, in the order of their names; none if there is no such folder."""
    return sorted(path for path in folder.glob(f"*.{file_format}") if not path.is_dir())


def describe(table_name: str, path: Path) -> PartFile:
    """One part file, hashed; what goes wrong is a ``fault``, never an exception."""
    shown = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    try:
        if shown != path.name:
            raise ValueError("its name is not UTF-8")
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return PartFile(table_name, shown, shown, None, None, None, reason)
    return PartFile(table_name, shown, str(path), state.st_size, state.st_mtime_ns, digest, None)


def changed_files(files: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Table and name of every file that is no longer as ``files`` (rows of :func:`list_part_files`) describes it.

    The moment of change counts too: a file that was rewritten and put back while it was read has the old content, but
    may have been read in between.
    """
    for row in files.itertuples(index=False):
        now = describe(str(row.table_name), Path(str(row.path)))
        if (now.sha256, now.bytes, now.modified_ns) != (row.sha256, row.bytes, row.modified_ns):
            yield str(row.table_name), str(row.file_name)
