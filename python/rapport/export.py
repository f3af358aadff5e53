"""Command line of the export: ``python -m rapport.export [--out FOLDER] [--min-cell N]``.

Writes the published aggregates through disclosure control, each as Parquet and as CSV, with ``manifest.json``. The
database is the one that ``RAPPORT_DB`` names. It is only read; a lock is waited for (``RAPPORT_LOCK_WAIT`` seconds).

Exit codes: 0 the folder is new and whole; 1 there is nothing that may be exported (no published build, a figure without
a rule, a small count that cannot be protected); 2 it cannot be tried (arguments, no database, database in use, folder).
After 1 and 2 the folder is as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from rapport.disclosure import RULES, SUPPRESSED, SUPPRESSED_COLUMNS, DisclosureError, disclose, quiet_solver
from rapport.messages import escape_lines
from rapport.warehouse import WarehouseError, open_to_read

TABLES = tuple(RULES)
MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
GOOD, REFUSED, IMPOSSIBLE = 0, 1, 2
OWNER_ONLY = 0o077


class Refused(Exception):
    """There is nothing that may be exported; says why."""


class Impossible(Exception):
    """The export cannot be tried; says why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What the warehouse says of its published build, and the aggregates as they are in schema ``marts``.

    Attributes:
        build: for the manifest: id, number, moment of publication (UTC), versions, revision.
        is_synthetic: the export said that its people are invented.
        min_cell: var ``min_cell`` of the build.
        types: DuckDB types of the columns of each table.
        tables: the tables.
    """

    build: dict[str, Any]
    is_synthetic: bool
    min_cell: int
    types: dict[str, dict[str, str]]
    tables: dict[str, pd.DataFrame]


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rapport.export", description=__doc__.split("\n\n", maxsplit=1)[1])
    parser.add_argument("--out", type=Path, default=Path("export"), metavar="FOLDER", help="default: export")
    parser.add_argument("--min-cell", type=int, metavar="N", help="stricter than the var min_cell of the build")
    options = parser.parse_args(arguments)
    database = Path(os.environ.get("RAPPORT_DB", "warehouse/rapport.duckdb"))
    try:
        manifest = export(database, options.out, options.min_cell)
    except (Refused, Impossible, DisclosureError) as error:
        print(escape_lines(f"rapport.export: {error}; nothing was exported"), file=sys.stderr)
        return IMPOSSIBLE if isinstance(error, Impossible) else REFUSED
    figures = sum(table["suppressed_figures"] for table in manifest["tables"].values())
    print(
        f"{options.out}: {len(manifest['tables'])} tables of build {manifest['build']['build_id']}"
        f" ({manifest['data']}), {figures} figures suppressed (min_cell {manifest['min_cell']})"
    )
    return GOOD


def export(database: Path, out: Path, min_cell: int | None = None) -> dict[str, Any]:
    """Write the published aggregates of ``database`` to the folder ``out``; returns the manifest.

    ``out`` is replaced as a whole, if it is an earlier export. Raises :class:`Refused`, :class:`Impossible` and
    :class:`~rapport.disclosure.DisclosureError`.
    """
    _require_replaceable(out)
    publication = read_publication(database)
    asked = publication.min_cell if min_cell is None else min_cell
    if asked < publication.min_cell:
        raise Refused(
            f"--min-cell {asked} is looser than the build's {publication.min_cell}; set the var min_cell and build"
        )
    with quiet_solver():
        disclosed = disclose(publication.tables, asked)
    try:
        return _write(publication, disclosed, asked, out)
    except OSError as error:
        raise Impossible(f"{error.filename or out}: cannot be written: {error.strerror or error}") from error


def read_publication(database: Path) -> Publication:
    """Read the aggregates and what is known of their build.

    Raises :class:`Refused` if no build was published there, :class:`Impossible` if the database cannot be opened.
    """
    if not database.is_file():
        raise Impossible(f"no database {database}; build first")
    with contextlib.closing(_open(database)) as connection:
        try:
            published = connection.execute(
                "select build_id, build_number, status, published_at, versions, git_revision,"
                " publish.table_name, publish.published_rows, publish.is_synthetic, publish.min_cell"
                " from audit.publish left join ops.builds using (build_id)"
            ).fetchall()
            types = {
                table: {str(row[0]): str(row[1]) for row in connection.execute(f"describe marts.{table}").fetchall()}
                for table in TABLES
            }
            tables = {table: connection.execute(f"from marts.{table}").df() for table in TABLES}
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise Refused(
                f"{database} has no published build of this version ({_first_line(error)}); build first"
            ) from error
        except duckdb.Error as error:
            raise Impossible(f"{database}: the database cannot be read: {_first_line(error)}") from error
    rows = {str(row[6]): row for row in published}
    if len({row[:6] for row in published}) != 1 or not set(TABLES) <= rows.keys():
        raise Refused(f"{database}: audit.publish does not speak of one build with {', '.join(TABLES)}; build first")
    build_id, number, status, published_at, versions, revision, _, _, is_synthetic, min_cell = published[0]
    if status != "published" or not isinstance(published_at, datetime):
        raise Refused(f"{database}: ops.builds does not say that the build of schema marts was published; build again")
    for table in TABLES:
        if len(tables[table]) != rows[table][7]:
            raise Refused(f"{database}: marts.{table} has {len(tables[table])} rows, published were {rows[table][7]}")
    build = {
        "build_id": build_id,
        "build_number": number,
        "published_at": published_at.isoformat(timespec="seconds") + "Z",
        "versions": versions,
        "git_revision": revision,
    }
    return Publication(build, bool(is_synthetic), int(min_cell), types, tables)


def _open(database: Path) -> duckdb.DuckDBPyConnection:
    try:
        return open_to_read(database)
    except WarehouseError as error:
        raise Impossible(str(error)) from error


def _write(publication: Publication, disclosed: dict[str, pd.DataFrame], min_cell: int, out: Path) -> dict[str, Any]:
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder that it becomes: a rename does not cross file systems.
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
    umask = os.umask(OWNER_ONLY)
    try:
        manifest: dict[str, Any] = {
            "format": MANIFEST_FORMAT,
            "data": "synthetic" if publication.is_synthetic else "not marked as synthetic",
            "build": publication.build,
            "min_cell": min_cell,
            "tables": {},
        }
        for table, frame in disclosed.items():
            _write_table(frame, publication.types[table], new / table, manifest)
            by_column = frame[SUPPRESSED_COLUMNS].dropna().str.split(",").explode().value_counts(sort=False)
            manifest["tables"][table] = {
                "rows": len(frame),
                "rows_with_suppressed_figures": int(frame[SUPPRESSED].sum()),
                "suppressed_figures": int(by_column.sum()),
                "suppressed_by_column": {str(column): int(times) for column, times in by_column.items()},
                "sha256": {
                    path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(new.glob(f"{table}.*"))
                },
            }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (new / MANIFEST).write_text(text, encoding="utf-8")
        _replace(out, new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    finally:
        os.umask(umask)
    return manifest


def _write_table(frame: pd.DataFrame, types: dict[str, str], stem: Path, manifest: dict[str, Any]) -> None:
    """Both files with the types of the mart; a null is an empty field in CSV."""
    typed = [f'cast("{column}" as {kind}) as "{column}"' for column, kind in types.items()]
    typed += [
        f"cast({SUPPRESSED} as boolean) as {SUPPRESSED}",
        f"cast({SUPPRESSED_COLUMNS} as varchar) as {SUPPRESSED_COLUMNS}",
    ]
    about = ", ".join(
        f"{name}: '{value}'"
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
            f"'{_escaped(stem)}.parquet' (format parquet, kv_metadata {{{about}}})",
            f"'{_escaped(stem)}.csv' (header)",
        ):
            connection.execute(f"copy (select {', '.join(typed)} from figures) to {options}")


def _require_replaceable(out: Path) -> None:
    """Refuse to replace what is no earlier export."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise Impossible(f"{out} is no folder")
    if out.is_dir():
        known = {MANIFEST, *(f"{table}.{ending}" for table in TABLES for ending in ("parquet", "csv"))}
        strange = sorted(path.name for path in out.iterdir() if path.name not in known)
        if strange:
            raise Impossible(f"{out} holds {strange[0]}, which is no part of an export; choose another folder")


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


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]


if __name__ == "__main__":
    sys.exit(main())
