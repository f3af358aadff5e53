"""Finds the part files of an export, once: what is not found here is not read, and what is not read is named.

Nothing is opened here but to tell a note of macOS (``._name``) from data.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rapport.audit.verdict import escape_controls
from rapport.reading.mapping import FILE_NAME as MAPPING
from rapport.reading.tables import ERASURES

ENDINGS = {
    ".parquet": ("parquet", None),
    ".parq": ("parquet", None),
    ".pq": ("parquet", None),
    ".csv": ("csv", None),
    ".csv.gz": ("csv", "gzip"),
    ".csv.zst": ("csv", "zstd"),
}
"""Format and packing by the end of a file's name, in any case."""

TABLE_FORMATS = {
    "_delta_log": "a Delta Lake table",
    ".hoodie": "a Hudi table",
    "_spark_metadata": "a table of Spark's structured streaming",
}
HIDDEN_BY_TOOLS = re.compile(
    r"\A(\.DS_Store|\.gitkeep|\.gitignore|\.nfs\w+|\._.*|_SUCCESS|_(committed|started)_\w+|_metadata|_common_metadata)\Z"
)
"""Hidden files that tools leave and that list nobody."""
APPLE_DOUBLE = b"\x00\x05\x16\x07"
ALIKE = 0.7
"""Names whose similarity (difflib's ratio) is at least this may be one name misspelt."""


@dataclass(frozen=True)
class FoundFile:
    """A part file: what its name says of it, and why it must not be opened, if so."""

    path: Path
    name: str
    """Its name relative to the table's folder, readable: control characters are escaped."""
    format: str
    packing: str | None
    fault: str | None = None


@dataclass
class FoundFolder:
    """What lies under a table's folder."""

    files: list[FoundFile] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Name, and why it is not read, of everything else that is not known to be left by a tool."""


def find_files(root: Path, folder: Path, formats: Sequence[str], *, is_list: bool = False) -> FoundFolder:
    """The part files under one folder of the export at ``root``, in the order of their names.

    ``formats``: those that are read there; a data file of another one is among ``others``. ``is_list``: who is to be
    erased is listed there, so that any hidden file which no tool is known to leave is among ``others``.
    """
    found = FoundFolder()
    _walk(Path(os.path.realpath(root)), folder, folder, formats, found, [], is_list)
    names: dict[str, int] = {}
    for file in found.files:
        names[file.name] = names.get(file.name, 0) + 1
    found.files = sorted(
        (
            file
            if names[file.name] == 1
            else FoundFile(file.path, file.name, file.format, file.packing, "another file's name reads the same")
            for file in found.files
        ),
        key=lambda file: (file.name, str(file.path)),
    )
    found.others.sort()
    return found


def stray_names(root: Path, tables: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """What lies beside the tables' folders: (name, the name it may mean) of what looks misspelt, and other names.

    Of the other files only data files are listed: a licence or a note beside the tables says nothing of them.
    """
    known = [*tables, ERASURES]
    misspelt: list[tuple[str, str]] = []
    others: list[str] = []
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return [], []
    for entry in entries:
        name = entry.name
        if name in (*known, MAPPING) or name.upper().startswith("README"):
            continue
        if name.startswith((".", "_")):
            # A hidden list would be overlooked, and nobody erased.
            if not name.startswith("._") and re.fullmatch(r"[._]+erasures?(\..+)?", name, flags=re.I):
                misspelt.append((shown(name), ERASURES))
            continue
        ending = data_ending(name)
        if entry.is_dir():
            meant = resembles(name, known)
        elif ending is not None:
            meant = resembles(name[: -len(ending)], known)
        else:
            meant = MAPPING if resembles(re.sub(r"\.(ya?ml|txt|json)$", "", name, flags=re.I), ["mapping"]) else None
        if meant is not None:
            misspelt.append((shown(name), meant))
        elif entry.is_dir() or ending is not None:
            others.append(shown(name))
    return misspelt, others


def resembles(name: str, known: Sequence[str]) -> str | None:
    """The known name that a name may be a misspelling or a part of."""
    plain = {re.sub(r"[^a-z0-9]", "", text.casefold()): text for text in known}
    given = re.sub(r"[^a-z0-9]", "", name.casefold())
    near = difflib.get_close_matches(given, list(plain), n=1, cutoff=ALIKE)
    if near:
        return plain[near[0]]
    return next((text for key, text in plain.items() if len(given) >= 4 and (given in key or key in given)), None)


def data_ending(name: str) -> str | None:
    """The end of a name that makes it a data file's, as :data:`ENDINGS` spells it."""
    lower = name.lower()
    return next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if lower.endswith(ending)), None)


def shown(name: str) -> str:
    """A name of a file as text: bytes that are no UTF-8 and control characters are escaped."""
    return escape_controls(os.fsencode(name).decode("utf-8", "backslashreplace"))


def is_under(path: Path, root: Path) -> bool:
    """Whether a path, links followed, lies in a folder."""
    return Path(os.path.realpath(path)).is_relative_to(root)


def _walk(
    root: Path,
    top: Path,
    folder: Path,
    formats: Sequence[str],
    found: FoundFolder,
    above: list[str],
    is_list: bool,
) -> None:
    place = str(folder.relative_to(top))
    prefix = "" if place == "." else place + "/"
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.others.append((shown(prefix) or ".", error.strerror or "it cannot be listed"))
        return
    above = [*above, os.path.realpath(folder)]
    if folder.name == "metadata" and any(entry.name.endswith((".metadata.json", ".avro")) for entry in entries):
        found.others.append((shown(prefix.rstrip("/")), _way_out("an Iceberg table")))
        return
    for entry in entries:
        name, path = entry.name, folder / entry.name
        label = shown(prefix + name)
        if name in TABLE_FORMATS:
            found.others.append((label, _way_out(TABLE_FORMATS[name])))
            continue
        try:
            kind = path.stat().st_mode
        except OSError as error:
            kind, reason = 0, error.strerror or "it cannot be looked at"
        else:
            reason = "" if not entry.is_symlink() or is_under(path, root) else "a symbolic link that leaves the export"
        if stat.S_ISDIR(kind) and not reason:
            if os.path.realpath(path) in above:
                found.others.append((label, "a symbolic link that leads back to its own folder"))
            else:
                _walk(root, top, path, formats, found, above, is_list)
            continue
        ending = data_ending(name)
        hidden = name.startswith((".", "_")) or any(part.startswith((".", "_")) for part in Path(prefix).parts)
        if ending is None and is_list and hidden and not _left_by_tools(name) and not HIDDEN_BY_TOOLS.match(name):
            found.others.append((label, reason or "hidden by a name that begins with . or _: rename or remove it"))
            continue
        if ending is None:
            if not reason and (_left_by_tools(name) or hidden):
                continue
            if reason and (_left_by_tools(name) or name.startswith((".", "_"))):
                continue
            found.others.append((label, reason or _why_not(path, name, kind)))
            continue
        if name.startswith("._") and not reason and stat.S_ISREG(kind) and _begins_with(path, APPLE_DOUBLE):
            continue
        file_format, packing = ENDINGS[ending]
        if hidden:
            found.others.append((label, "a data file hidden by a name that begins with . or _: rename or remove it"))
        elif file_format not in formats:
            found.others.append((label, f"{file_format}, and RAPPORT_RAW_FORMAT is {formats[0]}"))
        else:
            fault = reason or (None if stat.S_ISREG(kind) else f"it is no regular file but {_kind(kind)}")
            if shown(prefix + name) != escape_controls(prefix + name):
                fault = "its name is not UTF-8"
            found.files.append(FoundFile(path, label, file_format, packing, fault))


def _left_by_tools(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".crc") or lower in ("thumbs.db", "desktop.ini") or lower.startswith("readme")


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def _way_out(what: str) -> str:
    return f"{what}, whose log says which files count: export a snapshot of it as plain Parquet files"


def _why_not(path: Path, name: str, kind: int) -> str:
    if not stat.S_ISREG(kind):
        return f"no regular file but {_kind(kind)}"
    suffix = re.sub(r"[^\x20-\x7e]", "?", path.suffix)
    read = ", ".join(ENDINGS)
    return f"*{suffix} is not read ({read} are)" if suffix else f"a name without an ending is not read ({read} are)"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
