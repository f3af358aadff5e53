"""Every fault at full size, and a table of figures for docs/reliability.md (`make faults`).

    python tests/python/run_faults.py --seed 20201 --out docs/reliability-figures.md

Two workers, each with an export (one Parquet, one CSV) and a database of its own, meet the faults in a seeded random order:
what one fault leaves behind is what the next one finds.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import faults
from faults import CHANGES, Site, State, Tally
from fuzzed_exports import MUTATIONS, Mutation, build_good_export, fuzz_once

from rapport.demo import write_demo_export

PARTICIPANTS = 400
GOOD_EVERY = 20
"""After so many fuzzed exports the good one is built."""

TWO = "two builds at once, a third waits"
READER = "a reader holds the file"
LIMIT = "no file may grow (RLIMIT_FSIZE)"
DISK = "disk full (tmpfs)"
READ_ONLY = "read-only folder"
CHANGE = "a part file changes while it is read"
CLOCK = "the clock goes back ten years"
KILL = "kill -9"
KILL_PUBLICATION = "kill -9 in the publication"
FUZZ = "fuzzed export"
FAULTS = (KILL, KILL_PUBLICATION, TWO, READER, LIMIT, DISK, READ_ONLY, CHANGE, CLOCK, FUZZ)


class Worker:
    """One site, and what has happened to it."""

    def __init__(self, folder: Path, raw_format: str, seed: str, deadline: float) -> None:
        self.good = folder / "good"
        self.site = Site(folder / "raw", folder / "warehouse" / "rapport.duckdb", folder / "target", raw_format)
        self.site.db.parent.mkdir(parents=True)
        self.chance = random.Random(seed)
        self.seed = seed
        self.deadline = deadline
        self.tallies = {fault: Tally(fault) for fault in FAULTS}
        self.lasts = 10.0
        self.is_spoilt = False
        self.fuzzed = 0
        write_demo_export(self.good, participants=PARTICIPANTS, seed=7, part_files=3)
        if raw_format == "csv":
            faults.to_csv(self.good)
        faults.restore(self.site, self.good)
        first = self.site.run()
        if first.code != 0:
            raise SystemExit(f"the good export is not built: {first.output}")
        self.lasts = self.site.run().seconds
        self.base: State = self.site.state()

    def jobs(self, kills: int, fuzzed: int, singles: int) -> list[tuple[str, Callable[[Tally], object]]]:
        """Every fault as often as it is to happen, in a random order; ``singles``: times of each that is no kill and no fuzzed export."""
        jobs: list[tuple[str, Callable[[Tally], object]]] = []
        for number in range(kills):
            share = (number + self.chance.random()) / kills
            if number % 4 == 3:
                jobs.append((KILL_PUBLICATION, partial(self.kill, None)))
            else:
                jobs.append((KILL, partial(self.kill, share)))
        changes = [(change, function) for change in CHANGES for function in (faults.HASHED, faults.LOOKED_INTO)]
        for _ in range(singles):
            size = int(10 ** self.chance.uniform(4.7, 6.7))
            jobs += [
                (TWO, partial(faults.build_at_once, self.site, self.chance)),
                (READER, partial(faults.build_while_read, self.site)),
                (LIMIT, partial(faults.build_on_full_disk, self.site, self.chance, size=size)),
                (DISK, self.fill_disk),
                (READ_ONLY, partial(faults.build_in_read_only_folder, self.site)),
                (CLOCK, partial(faults.build_when_the_clock_went_back, self.site, self.chance)),
            ]
        for change, function in changes:
            jobs.append(
                (
                    CHANGE,
                    partial(
                        faults.build_while_a_file_changes,
                        self.site,
                        self.chance,
                        change=change,
                        function=function,
                    ),
                )
            )
        possible = [mutation for mutation in MUTATIONS if self.site.raw_format in mutation.formats]
        self.chance.shuffle(possible)
        for number in range(fuzzed):
            mutations = [possible[number % len(possible)]]
            if number >= len(possible) and self.chance.random() < 0.4:
                mutations.append(self.chance.choice(possible))
            jobs.append((FUZZ, partial(self.fuzz, f"{self.seed} {number}", mutations)))
        self.chance.shuffle(jobs)
        return jobs

    def kill(self, share: float | None, tally: Tally) -> None:
        """``share``: of the duration of a build; None: in the publication."""
        moment = -self.chance.uniform(0.001, 0.5) if share is None else share * self.lasts
        seconds = faults.kill_once(self.site, self.chance, moment, tally)
        self.lasts = 0.6 * self.lasts + 0.4 * seconds

    def fuzz(self, seed: str, mutations: list[Mutation], tally: Tally) -> None:
        """A fuzzed export; from time to time the good one after it."""
        fuzz_once(self.site, self.good, self.base, seed, mutations, tally)
        self.fuzzed += 1
        self.is_spoilt = True
        if self.fuzzed % GOOD_EVERY == 0:
            build_good_export(self.site, self.good, self.base, tally)
            self.is_spoilt = False

    def fill_disk(self, tally: Tally) -> None:
        """The database on a small disk of its own that is nearly full."""
        folder = self.site.target.parent / "disk"
        home = self.site.db
        size = home.stat().st_size + self.chance.choice((200_000, 1_000_000, 3_000_000))
        with faults.mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "none") as reason:
            if reason is not None:
                tally.skipped = reason
                return
            self.site.db = folder / home.name
            self.site.db.write_bytes(home.read_bytes())
            faults.deliver(self.site, self.chance)
            old = self.site.state()
            outcome = self.site.run()
            (home.parent / "full.duckdb").write_bytes(self.site.db.read_bytes())
            wal = self.site.db.with_name(home.name + ".wal")
            if wal.exists():
                (home.parent / "full.duckdb.wal").write_bytes(wal.read_bytes())
        # Room again: what the full disk held, elsewhere.
        (home.parent / "full.duckdb").replace(home)
        if (home.parent / "full.duckdb.wal").exists():
            (home.parent / "full.duckdb.wal").replace(home.with_name(home.name + ".wal"))
        self.site.db = home
        faults.judge_full_disk(self.site, tally, old, outcome, f"disk of {size} bytes")

    def work(self, kills: int, fuzzed: int, singles: int) -> dict[str, Tally]:
        """All faults, or as many as there is time for."""
        jobs = self.jobs(kills, fuzzed, singles)
        for number, (fault, job) in enumerate(jobs, 1):
            if time.monotonic() > self.deadline:
                break
            tally = self.tallies[fault]
            known = len(tally.problems)
            started = time.monotonic()
            if fault != FUZZ and (self.is_spoilt or len(list(self.site.raw.glob("participants/*"))) > 30):
                faults.restore(self.site, self.good)
                self.is_spoilt = False
            try:
                job(tally)
            except Exception as error:
                # A harness that breaks counts as a failure; the other faults are still to be seen.
                tally.times += 1
                tally.failures += 1
                tally.problems.append(f"{type(error).__name__}: {error}")
            tally.seconds += time.monotonic() - started
            show(f"{self.site.raw_format:7} {number:4} of {len(jobs)}  {fault}")
            for problem in tally.problems[known:]:
                show(f"  FAILURE {problem}")
        return self.tallies


def show(line: str) -> None:
    """Progress."""
    print(f"{datetime.datetime.now():%H:%M:%S} {line}", file=sys.stderr, flush=True)


def figures(tallies: dict[str, Tally], seed: int, seconds: float) -> str:
    """The Markdown table, and what failed."""
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [
        f"Measured on {today} with seed {seed}, {os.cpu_count()} processors, in {seconds / 60:.0f} minutes;"
        f" exports of {PARTICIPANTS} participants, half of the times as CSV.",
        "",
        "| fault | times | old marts | new marts | failures | minutes |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for tally in tallies.values():
        skipped = f" (skipped: {tally.skipped})" if tally.skipped else ""
        lines.append(
            f"| {tally.fault}{skipped} | {tally.times} | {tally.old} | {tally.new} | {tally.failures} | {tally.seconds / 60:.1f} |"
        )
    problems = [f"- {tally.fault}: {problem}" for tally in tallies.values() for problem in tally.problems]
    if problems:
        lines += ["", "Failures:", "", *(problem.replace("\n", " ") for problem in problems)]
    return "\n".join(lines) + "\n"


def work(options: argparse.Namespace, folder: Path, deadline: float, raw_format: str) -> dict[str, Tally]:
    """One worker, in a process of its own."""
    worker = Worker(folder / raw_format, raw_format, f"{options.seed} {raw_format}", deadline)
    return worker.work(options.kills // 2, options.fuzzed // 2, options.singles)


def main() -> int:
    """Exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20201)
    parser.add_argument("--kills", type=int, default=104)
    parser.add_argument("--fuzzed", type=int, default=500)
    parser.add_argument("--singles", type=int, default=5, help="times of every other fault, in each of the two workers")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so many minutes, with what was done")
    parser.add_argument("--out", type=Path, help="write the table here instead of to stdout")
    options = parser.parse_args()
    started = time.monotonic()
    deadline = started + 60 * options.minutes
    # Two processes, not threads: multiprocessing's server of forks loses sight of children when two threads ask it.
    with (
        tempfile.TemporaryDirectory(prefix="rapport-faults-") as folder,
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        first, second = pool.map(partial(work, options, Path(folder), deadline), ("parquet", "csv"))
    tallies = {fault: first[fault] + second[fault] for fault in FAULTS}
    text = figures(tallies, options.seed, time.monotonic() - started)
    if options.out:
        options.out.write_text(text)
    else:
        print(text)
    return int(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
