"""The folder of a release, and beside it the folder of earlier ones, each as it was.

::

    release/manifest.json        what it is, hashes of its files, and a hash of itself
    release/table_1.parquet, release/table_1.csv, …
    release-earlier/0007-5f197dfb/manifest.json, …

Whoever hands out the first hands out one release.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from rapport.file_modes import folder_mode

MANIFEST: Final = "manifest.json"
EARLIER: Final = "-earlier"
"""What the folder of earlier releases is called more than that of the release."""
FORMAT: Final = 2
OWN_HASH: Final = "manifest_sha256"


class NoRelease(Exception):
    """A folder is no whole release; says why."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release as it stands in its folder."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def build_id(self) -> str:
        """The build that it is of."""
        return str(self.manifest["build"]["build_id"])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Read all tables."""
        with duckdb.connect() as connection:
            return {name: connection.from_parquet(str(self.folder / f"{name}.parquet")).df() for name in self._names}

    def records(self) -> dict[str, list[dict[str, object]]]:
        """Read all tables as rows, with null as ``None``."""
        found = {}
        with duckdb.connect() as connection:
            for name in self._names:
                rows = connection.from_parquet(str(self.folder / f"{name}.parquet"))
                found[name] = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
        return found

    @property
    def _names(self) -> list[str]:
        return list(self.manifest["tables"])


def own_hash(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own."""
    rest = {name: value for name, value in manifest.items() if name != OWN_HASH}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def open_release(folder: Path) -> Release:
    """Return the release in a folder, after its hashes were checked. Raises :class:`NoRelease`."""
    if folder.is_symlink() or not folder.is_dir():
        raise NoRelease(f"{folder} is no folder")
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise NoRelease(f"{folder} has no {MANIFEST}: it is no release")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        is_own = manifest.get("format") == FORMAT and manifest.get(OWN_HASH) == own_hash(manifest)
    except (ValueError, AttributeError):
        is_own = False
    if not is_own:
        raise NoRelease(f"{path} was not written by this version, or was changed since")
    files = {file: digest for table in manifest["tables"].values() for file, digest in table["sha256"].items()}
    strange = sorted({found.name for found in folder.iterdir()} - files.keys() - {MANIFEST})
    if strange:
        raise NoRelease(f"{folder} holds {strange[0]!r}, which is no part of a release")
    for file, digest in files.items():
        if not (folder / file).is_file() or hashlib.sha256((folder / file).read_bytes()).hexdigest() != digest:
            raise NoRelease(f"{folder / file} is not as the release wrote it")
    return Release(folder, manifest)


def earlier_folder(folder: Path) -> Path:
    """Return where the earlier releases of a folder lie: beside it."""
    return folder.with_name(folder.resolve().name + EARLIER)


def place_among_earlier(out: Path, manifest: Mapping[str, Any]) -> Path:
    """Return where a release of a folder lies once another took its place."""
    build = manifest["build"]
    return earlier_folder(out) / f"{build['build_number']:04d}-{str(build['build_id'])[:8]}"


def earlier_releases(folder: Path) -> list[Release]:
    """Return the frozen releases beside a folder. Raises :class:`NoRelease` if one was changed."""
    beside = earlier_folder(folder)
    if beside.is_symlink() or (beside.exists() and not beside.is_dir()):
        raise NoRelease(f"{beside} is no folder")
    return [open_release(path) for path in sorted(beside.iterdir())] if beside.exists() else []


def write_release(
    out: Path,
    manifest: dict[str, Any],
    tables: Mapping[str, pd.DataFrame],
    types: Mapping[str, Mapping[str, str]],
    replaced: Release | None,
) -> dict[str, Any]:
    """Write a release beside its place and rename it there; returns its manifest.

    Args:
        out: the folder; what is there is replaced, and the caller has made sure that it may be.
        manifest: all but ``tables`` and the hashes.
        tables: the protected tables.
        types: DuckDB types of their columns.
        replaced: the release that stands there and is kept among the earlier ones.

    Raises ``OSError`` if it cannot be written; then the folder is as it was.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder that it becomes: a rename does not cross file systems.
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
    umask = os.umask(0o777 & ~folder_mode())
    new.chmod(folder_mode())
    try:
        manifest = manifest | {"tables": {}}
        for name, frame in tables.items():
            _write_table(frame, types[name], new / name, manifest)
            by_column = frame["suppressed_columns"].dropna().str.split(",").explode().value_counts(sort=False)
            manifest["tables"][name] = {
                "rows": len(frame),
                "rows_with_suppressed_figures": int(frame["suppressed"].sum()),
                "suppressed_figures": int(by_column.sum()),
                "suppressed_by_column": {str(column): int(times) for column, times in by_column.items()},
                "sha256": {
                    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                    for path in (new / f"{name}.csv", new / f"{name}.parquet")
                },
            }
        manifest[OWN_HASH] = own_hash(manifest)
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (new / MANIFEST).write_text(text, encoding="utf-8")
        if replaced is not None:
            _freeze(replaced, place_among_earlier(out, replaced.manifest))
        _replace(out, new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    finally:
        os.umask(umask)
    return manifest


def _freeze(release: Release, place: Path) -> None:
    """Keep a release as it is: the same files under a second name where the file system has that, else copies."""
    if place.exists():
        return
    earlier = place.parent
    earlier.mkdir(exist_ok=True)
    earlier.chmod(folder_mode())
    # Whole or not at all: a kill leaves a folder that is no earlier release.
    copy = Path(tempfile.mkdtemp(prefix=f".{release.folder.name}.frozen-", dir=earlier.parent))
    copy.chmod(folder_mode())
    try:
        for name in [MANIFEST, *(file for table in release.manifest["tables"].values() for file in table["sha256"])]:
            try:
                os.link(release.folder / name, copy / name)
            except OSError:
                shutil.copy2(release.folder / name, copy / name)
        copy.rename(place)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise


def _write_table(frame: pd.DataFrame, types: Mapping[str, str], stem: Path, manifest: Mapping[str, Any]) -> None:
    """Both files with the types of the mart; a null is an empty field in CSV."""
    typed = [f'cast("{column}" as {kind}) as "{column}"' for column, kind in types.items()]
    typed += ["cast(suppressed as boolean) as suppressed", "cast(suppressed_columns as varchar) as suppressed_columns"]
    about = ", ".join(
        f"{name}: '{_escaped(str(value))}'"
        for name, value in {
            "build_id": manifest["build"]["build_id"],
            "published_at": manifest["build"]["published_at"],
            "min_cell": manifest["min_cell"],
            "data": manifest["data"],
        }.items()
    )
    with duckdb.connect() as connection:
        connection.register("figures", frame)
        for options in (
            f"'{_escaped(str(stem))}.parquet' (format parquet, kv_metadata {{{about}}})",
            f"'{_escaped(str(stem))}.csv' (header)",
        ):
            connection.execute(f"copy (select {', '.join(typed)} from figures) to {options}")


def _replace(out: Path, new: Path) -> None:
    if not out.exists():
        new.rename(out)
        return
    old = new.with_name(new.name.replace(".new-", ".old-"))
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _escaped(text: str) -> str:
    return text.replace("'", "''")
