"""Command line of the demo export: ``python -m rapport.demo --out FOLDER``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from rapport.demo.export import (
    DEFAULT_PART_FILES,
    DEFAULT_PARTICIPANTS,
    DEFAULT_SEED,
    FORMATS,
    write_demo_export,
)
from rapport.demo.queries import FURTHER


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the export that the arguments describe and report the rows of each table."""
    parser = argparse.ArgumentParser(
        prog="python -m rapport.demo",
        description="Write a synthetic raw export (no real people) for trying Rapport out.",
    )
    parser.add_argument("--participants", type=int, default=DEFAULT_PARTICIPANTS, metavar="N")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="S")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty")
    parser.add_argument("--format", choices=FORMATS, default="parquet")
    parser.add_argument("--part-files", type=int, default=DEFAULT_PART_FILES, metavar="K")
    parser.add_argument("--threads", type=int, metavar="T", help="default: every core")
    parser.add_argument(
        "--with", dest="further", action="append", default=[], metavar="TABLE", help=f"also: {', '.join(FURTHER)}"
    )
    options = parser.parse_args(arguments)

    started = time.monotonic()
    try:
        rows = write_demo_export(
            options.out,
            participants=options.participants,
            seed=options.seed,
            format=options.format,
            part_files=options.part_files,
            threads=options.threads,
            further=options.further,
        )
    except (ValueError, OSError, duckdb.Error) as error:
        print(f"rapport.demo: error: {error}", file=sys.stderr)
        return 2
    for table, count in rows.items():
        print(f"{table:<18}{count:>14,} rows")
    print(f"Synthetic export in {options.out} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
