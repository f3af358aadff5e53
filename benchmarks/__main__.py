"""Command line of the benchmark: ``python -m benchmarks --sizes 3k 100k 1M 10M --repeats 3``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.aims import aims, aims_table
from benchmarks.measured import RESULTS, newest_sizes
from benchmarks.run import CONTENDERS, ROOT, Limits, Runner, WrongError, machine, show

UNITS = {"k": 1_000, "M": 1_000_000}


def size(text: str) -> int:
    """Return a number of participants: ``3000``, ``3k``, ``10M``."""
    factor = UNITS.get(text[-1:], 1)
    number = int(text.rstrip("".join(UNITS)) if factor > 1 else text) * factor
    if number < 1:
        raise ValueError(text)
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write a results file and print the aims; exit code 1 if a contender was wrong or a build failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=size, nargs="+", default=[3_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--contenders", choices=CONTENDERS, nargs="+", default=list(CONTENDERS))
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "benchmarks", help="exports stay here")
    parser.add_argument("--out", type=Path, help="results file (default: benchmarks/results/<date>.json)")
    parser.add_argument(
        "--memory-limit",
        type=float,
        default=0.9 * machine()["memory_bytes"] / 2**30,
        metavar="GiB",
        help="of a run; default: 90%% of the machine's",
    )
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="of a run")
    parser.add_argument(
        "--duckdb-memory",
        default="3GB",
        metavar="SIZE",
        help="DuckDB's memory limit in builds and in the floor, 'none' for what each sets itself (default: 3GB)",
    )
    options = parser.parse_args(arguments)

    out = options.out or RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M}.json"
    limits = Limits(
        memory=int(options.memory_limit * 2**30),
        seconds=options.timeout,
        duckdb=None if options.duckdb_memory == "none" else options.duckdb_memory,
    )
    runner = Runner(options.work.resolve(), limits, options.repeats, options.contenders, out)
    if runner.results["machine"]["load_before"] > 0.5:
        show(f"the machine is not idle (load {runner.results['machine']['load_before']:.1f})")
    try:
        runner.start_up()
    except WrongError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    for participants in sorted(options.sizes):
        runner.size(participants)
    show(f"results in {out}")
    print(aims_table(aims(newest_sizes([out]))))
    return int(runner.wrong)


if __name__ == "__main__":
    sys.exit(main())
