"""Run the floor: ``python -m benchmarks.floor --raw FOLDER --out FILE.duckdb [--memory 3GB]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

SCRIPT = Path(__file__).with_name("floor.sql")


def make_cohort(raw: Path, out: Path, memory_limit: str | None = None) -> None:
    """Write the cohort of an export of Parquet files to table ``analysis_cohort`` of a DuckDB file.

    Args:
        raw: the export.
        out: the DuckDB file.
        memory_limit: DuckDB's, such as ``3GB``; null for DuckDB's own choice. What does not fit goes beside the file.
    """
    with duckdb.connect(str(out), config={} if memory_limit is None else {"memory_limit": memory_limit}) as connection:
        connection.execute("set variable raw = $1", [str(raw)])
        connection.execute(SCRIPT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--memory", help="DuckDB's memory limit, such as 3GB")
    options = parser.parse_args()
    make_cohort(options.raw, options.out, options.memory)
