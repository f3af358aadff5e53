"""What a build on Spark costs: ``python -m benchmarks.spark --sizes 3k 100k 1M``, into docs/engines.md.

One build of DuckDB and one of Spark on the same export, each from nothing and in a process of its own, with two cores
and the same bound of memory; with ``--second`` also Spark's next build, which finds its tables and its history. The
page is written after each size: a run that is ended early keeps what it has measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.__main__ import size
from benchmarks.measure import resident_bytes
from benchmarks.measured import RESULTS
from benchmarks.run import ROOT, machine

PAGE: Final = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- costs: python -m benchmarks.spark -->\n", "<!-- end of costs -->\n"
MEMORY: Final = "3g"


def processes_of(root: int) -> list[int]:
    """A process and all that it has started, Java among them."""
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        try:
            pending += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split())
        except OSError:
            continue
    return found


def build(target: str, environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Seconds and peak bytes (resident, all processes together) of one build; raises if it fails."""
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--target", target]
    command += ["--exclude-resource-type", "unit_test", "--target-path", str(folder / "target")]
    output = folder / "output"
    started = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=file, stderr=subprocess.STDOUT
        )
        peak, over = [0], threading.Event()

        def watch() -> None:
            while not over.wait(0.2):
                peak[0] = max(peak[0], sum(map(resident_bytes, processes_of(process.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        over.set()
        watcher.join()
    if code:
        raise RuntimeError(f"{target}: {output.read_text(errors='replace')[-2000:]}")
    return {"wall": time.perf_counter() - started, "peak_bytes": peak[0]}


def measured(participants: int, work: Path, has_second: bool) -> dict[str, Any]:
    """The builds of an export of so many people."""
    raw = work / f"{participants}" / "raw"
    if not raw.exists():
        subprocess.run(
            [sys.executable, "-m", "rapport.demo", "--participants", str(participants), "--out", str(raw)],
            check=True,
            cwd=ROOT,
        )
    folder = work / "engines"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {
        "DBT_PROFILES_DIR": ".",
        "RAPPORT_RAW": str(raw),
        "RAPPORT_DB": str(folder / "rapport.duckdb"),
        "RAPPORT_MARTS": "",
        "RAPPORT_MEMORY": "3GB",
        "RAPPORT_THREADS": "2",
        "RAPPORT_SPARK_WAREHOUSE": str(folder / "spark"),
        "RAPPORT_SPARK_MASTER": "local[2]",
        "RAPPORT_SPARK_MEMORY": MEMORY,
    }
    found = {
        "participants": participants,
        "duckdb": build("duckdb", environment, folder),
        "spark": build("spark", environment, folder),
    }
    if has_second:
        found["spark_again"] = build("spark", environment, folder)
    shutil.rmtree(folder)
    return found


def table(results: Mapping[str, Any]) -> str:
    """The page's table of a measurement."""
    has_second = any("spark_again" in run for run in results["sizes"])
    head = ["participants", "DuckDB", "peak", "Spark", "peak", *(["Spark's second build"] if has_second else [])]
    lines = [
        f"Measured on {results['date']}, {results['machine']['cores']} cores, `local[2]`, {MEMORY} for the session and"
        " 3GB for DuckDB, from nothing to published marts:",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---:|' * len(head)}",
    ]
    for run in results["sizes"]:
        cells = [f"{run['participants']:,}"]
        for name in ("duckdb", "spark"):
            cells += [f"{run[name]['wall']:.0f} s", f"{run[name]['peak_bytes'] / 2**30:.1f} GiB"]
        if has_second:
            cells.append(f"{run['spark_again']['wall']:.0f} s" if "spark_again" in run else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


CLUSTERS: Final = (16, 64, 256)
"""Cores of the clusters that the page computes for."""


def growth(runs: Sequence[Mapping[str, Any]], engine: str) -> tuple[float, float]:
    """Seconds that a build of any size takes, and those of a million participants more, by the two largest runs."""
    (small, large) = sorted(runs, key=lambda run: int(run["participants"]))[-2:]
    people = (large["participants"] - small["participants"]) / 1e6
    per_million = (large[engine]["wall"] - small[engine]["wall"]) / people
    return large[engine]["wall"] - per_million * large["participants"] / 1e6, per_million


def when_it_pays(results: Mapping[str, Any]) -> str:
    """From which size on Spark takes less time: growth as measured, divided by the cores of a cluster."""
    runs, cores = results["sizes"], results["machine"]["cores"]
    if len(runs) < 2:
        return "Of one size no growth can be told.\n"
    fixed_duckdb, of_duckdb = growth(runs, "duckdb")
    fixed_spark, of_spark = growth(runs, "spark")
    lines = [
        f"Growth between the two largest sizes: DuckDB takes {fixed_duckdb:.0f} s, and {of_duckdb:.0f} s for each"
        f" million participants; Spark {fixed_spark:.0f} s, and {of_spark:.0f} s for each million,"
        f" {of_spark / of_duckdb:.1f} times as long. On the same {cores} cores Spark "
        + ("pays at no size." if of_spark >= of_duckdb else "pays from some size on.")
        + " If the growth divides by the cores of a cluster, and what is fixed stays, then arithmetic, which nobody has"
        " measured, says:",
        "",
        f"| cores of the cluster | a million more | faster than DuckDB on {cores} cores from |",
        "|---:|---:|---:|",
    ]
    for number in CLUSTERS:
        each = of_spark * cores / number
        gain = of_duckdb - each
        size = f"{(fixed_spark - fixed_duckdb) / gain:,.0f} million participants" if gain > 0 else "never"
        lines.append(f"| {number} | {each:.1f} s | {size} |")
    return "\n".join(lines) + "\n"


def write(results: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put the table into the page, between its two marks."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{table(results)}\n{when_it_pays(results)}\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, keep the figures in benchmarks/results, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spark", description=__doc__)
    parser.add_argument("--sizes", type=size, nargs="+", default=[3_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "benchmarks")
    parser.add_argument("--second", action="store_true", help="measure Spark's second build, too")
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "sizes": []}
    out = RESULTS / "spark" / f"{datetime.now(UTC):%Y-%m-%dT%H%M}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    for participants in sorted(options.sizes):
        results["sizes"].append(measured(participants, options.work.resolve(), options.second))
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        write(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
