"""Part files by size and content, so that one that changes while it is read does not go unnoticed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from rapport.reading.discovery import FoundFile
from rapport.reading.parquet import ENCRYPTED, MAGIC

HASHING_THREADS = 2

SCHEMA = pa.schema(
    [
        ("build_id", pa.string()),
        ("table_name", pa.string()),
        ("file_name", pa.string()),
        ("path", pa.string()),
        ("read_path", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("sha256", pa.string()),
        ("rows", pa.int64()),
        ("fault", pa.string()),
        ("latest_loaded_at", pa.timestamp("us")),
    ]
)


@dataclass
class PartFile:
    """One part file as it is now; ``fault`` says why it cannot be read, and what is not known is null."""

    table_name: str
    file_name: str
    path: str
    read_path: str | None = None
    """The Parquet file that is read for it: itself, a link to it, or what it was converted to."""
    bytes: int | None = None
    modified_ns: int | None = None
    sha256: str | None = None
    rows: int | None = None
    fault: str | None = None
    latest_loaded_at: datetime | None = None
    """Of a table in a schema, which has no file that could be hashed."""


def describe_all(table_name: str, files: Sequence[FoundFile]) -> list[PartFile]:
    """Every file of a table, hashed in two threads: SHA-256 releases the interpreter's lock."""
    with ThreadPoolExecutor(max_workers=HASHING_THREADS) as pool:
        return list(pool.map(lambda file: describe(table_name, file), files))


def describe(table_name: str, found: FoundFile) -> PartFile:
    """One part file, hashed; what goes wrong is a ``fault``, never an exception."""
    if found.fault:
        return PartFile(table_name, found.name, found.name, fault=found.fault)
    part = PartFile(table_name, found.name, str(found.path))
    try:
        with open_regular(found.path) as file:
            state = os.fstat(file.fileno())
            if found.format == "parquet":
                part.fault = _no_parquet(file, state.st_size)
            file.seek(0)
            part.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        part.fault = reason(error)
        return part
    part.bytes, part.modified_ns = state.st_size, state.st_mtime_ns
    return part


def open_regular(path: Path) -> BufferedReader:
    """A regular file, opened for reading without waiting for a writer. Raises ``OSError`` for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no regular file")
    return os.fdopen(descriptor, "rb")


def reason(error: Exception) -> str:
    """What went wrong with a file, without its path and without its content."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def as_table(parts: Sequence[PartFile], build_id: str) -> pa.Table:
    """Part files in the columns of :data:`SCHEMA`."""
    return pa.Table.from_pylist([{**asdict(part), "build_id": build_id} for part in parts], schema=SCHEMA)


def changed_files(part_files: pa.Table) -> Iterator[tuple[str, str]]:
    """Table and name of every file that is no longer as ``part_files`` (of a reading) describes it.

    The moment of change counts too: a file that was rewritten and put back while it was read has the old content, but
    may have been read in between.
    """
    rows = [row for row in part_files.to_pylist() if row["sha256"] is not None]

    def is_changed(row: dict[str, object]) -> bool:
        now = describe(str(row["table_name"]), FoundFile(Path(str(row["path"])), str(row["file_name"]), "", None))
        return (now.sha256, now.bytes, now.modified_ns) != (row["sha256"], row["bytes"], row["modified_ns"])

    with ThreadPoolExecutor(max_workers=HASHING_THREADS) as pool:
        for row, changed in zip(rows, pool.map(is_changed, rows), strict=True):
            if changed:
                yield str(row["table_name"]), str(row["file_name"])


def _no_parquet(file: BinaryIO, size: int) -> str | None:
    if size == 0:
        return "it is empty"
    head = file.read(4)
    file.seek(max(size - 4, 0))
    tail = file.read(4)
    if ENCRYPTED in (head, tail):
        return "it is encrypted Parquet"
    if head != MAGIC:
        return "it does not begin as Parquet does"
    return None if size >= 12 and tail == MAGIC else "it does not end as Parquet does: is it cut off?"
