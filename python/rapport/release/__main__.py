"""Command line of the release: ``python -m rapport.release [--out FOLDER] [--providers]``.

Writes everything of the published build that may leave the warehouse, each table as Parquet and as CSV, with
``manifest.json``. The database is the one that ``RAPPORT_DB`` names. It is only read; a lock is waited for
(``RAPPORT_LOCK_WAIT`` seconds). How much is hidden the build decides (vars ``min_cell`` and ``round_counts``). With
``--providers`` the alliance by provider is there, too, if the build has it (var ``provider_marts``).

Exit codes: 0 the folder is new and whole; 1 there is nothing that may be released (no published build, none with the
providers that were asked for, a figure without a rule, a small count that cannot be protected, earlier releases under
other rules); 2 it cannot be tried (arguments, no database, database in use, folder). After 1 and 2 the folder is as it
was.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rapport.disclosure import DisclosureError
from rapport.file_modes import FileModeError
from rapport.messages import escape_lines
from rapport.release.folder import earlier_folder
from rapport.release.make import make_release
from rapport.release.publication import Impossible, Refused

GOOD, REFUSED, IMPOSSIBLE = 0, 1, 2
DEFAULT_DB, DEFAULT_OUT = "warehouse/rapport.duckdb", "release"


def main(arguments: Sequence[str] | None = None) -> int:
    """Release; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rapport.release", description=__doc__.split("\n\n", maxsplit=1)[1])
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), metavar="FOLDER", help=f"default: {DEFAULT_OUT}")
    parser.add_argument("--providers", action="store_true", help="name providers, who are people: their alliance, too")
    options = parser.parse_args(arguments)
    try:
        database = Path(os.environ.get("RAPPORT_DB", DEFAULT_DB))
        made = make_release(database, options.out, providers=options.providers)
    except (Refused, Impossible, DisclosureError, FileModeError) as error:
        print(escape_lines(f"rapport.release: {error}; nothing was released"), file=sys.stderr)
        return IMPOSSIBLE if isinstance(error, Impossible | FileModeError) else REFUSED
    manifest = made.manifest
    figures = sum(table["suppressed_figures"] for table in manifest["tables"].values())
    verb = "marked, none is withheld" if manifest["protection"] == "marked" else "withheld"
    print(
        f"{escape_lines(str(options.out))}: {len(manifest['tables'])} tables of build {manifest['build']['build_id']}"
        f" ({manifest['data']}), {figures} figures {verb} (min_cell {manifest['min_cell']},"
        f" counts rounded to {manifest['round_counts']})"
    )
    if made.close:
        print(
            f"rapport.release: warning: fewer than {manifest['least_count']} people are known to differ from the"
            f" release of build {', '.join(map(str, made.close))}; whoever has both can subtract them."
            " Hand out one of them only.",
            file=sys.stderr,
        )
    if made.untold:
        print(
            "rapport.release: warning: it cannot be told how many people differ from the release of build"
            f" {', '.join(map(str, made.untold))}: its figures are not in the history, as after an erasure. Hand out"
            f" one of them only, and delete in {escape_lines(str(earlier_folder(options.out)))} what may not be kept.",
            file=sys.stderr,
        )
    if made.foreign:
        which = "release of {} comes" if len(made.foreign) == 1 else "releases of {} come"
        print(
            escape_lines(
                f"rapport.release: warning: the {which.format('; '.join(made.foreign))} from another database:"
                f" {database} has no such build. They are not compared with this one. If both are of the same people,"
                " hand out one of them only; if not, give this database a folder of its own (--out), or remove the"
                " earlier release."
            ),
            file=sys.stderr,
        )
    if made.other_kind:
        people = "invented" if manifest["data"] != "synthetic" else "real"
        print(
            escape_lines(
                f"rapport.release: {options.out} held a release of {people} people. It is kept, and is not compared"
                f" with this one: {made.other_kind}."
            ),
            file=sys.stderr,
        )
    return GOOD


if __name__ == "__main__":
    sys.exit(main())
