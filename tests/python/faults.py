"""Faults that a nightly build has to survive, seeded: kills, locks, full disks, files that change, fuzzed exports.

A build runs in a process of its own, forked from a server in which the imports are already paid (dbt takes seconds to
import), with dbt's own command line: exit code, output and the effect of a signal are those of `dbt run`. A check returns
what is wrong as a list of sentences, so that a long run can go on and count.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "participants": "participant_id",
    "who5_assessments": "assessment_id",
    "sessions": "session_id",
    "alliance_ratings": "rating_id",
}
MARK = "3917391"
"""Digits in every health answer that a mutation makes up: they must not be in any message."""

Hook = Callable[[], object]
"""What a build's process does before it starts dbt."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "dbt.cli.main",
        "dbt.adapters.duckdb",
        "great_expectations",
        "rapport.audit",
        "rapport.reading.warehouse",
        "rapport.study",
        "pandas",
        "pyarrow",
    ]
)


@dataclass(frozen=True)
class Outcome:
    """How a build ended: exit code (negative: the signal), what it printed, and its wall time in seconds."""

    code: int
    output: str
    seconds: float


@dataclass(frozen=True)
class State:
    """Schema marts as a whole: a digest of every table, and the builds that published them."""

    tables: dict[str, str]
    builds: frozenset[str]


@dataclass
class Build:
    """A build that runs."""

    process: BaseProcess
    log: Path
    started: float

    def wait(self) -> Outcome:
        """How it ended."""
        self.process.join()
        seconds = time.monotonic() - self.started
        code = self.process.exitcode
        assert code is not None
        # Killed in its first milliseconds a build has not written a line.
        output = self.log.read_text(errors="replace") if self.log.exists() else ""
        return Outcome(code, output, seconds)

    def wait_for(self, text: str, timeout: float = 120) -> bool:
        """Return when it has printed a text (true) or ended (false)."""
        deadline = time.monotonic() + timeout
        while self.process.is_alive() and time.monotonic() < deadline:
            if self.log.exists() and text in self.log.read_text(errors="replace"):
                return True
            time.sleep(0.02)
        return False

    def kill(self) -> Outcome:
        """SIGKILL, then how it ended (0 if it had ended before)."""
        self.process.kill()
        return self.wait()


@dataclass
class Site:
    """A raw export, the database that is built from it, and a folder for what dbt writes."""

    raw: Path
    db: Path
    target: Path
    raw_format: str = "parquet"
    builds: int = 0

    def start(self, *arguments: str, hook: Hook | None = None, lock_wait: float = 60) -> Build:
        """Start `dbt` with arguments; ``lock_wait``: seconds."""
        self.builds += 1
        self.target.mkdir(parents=True, exist_ok=True)
        log = self.target / f"output-{self.builds}.txt"
        environment = {
            "RAPPORT_RAW": str(self.raw),
            "RAPPORT_DB": str(self.db),
            "RAPPORT_RAW_FORMAT": self.raw_format,
            "RAPPORT_LOCK_WAIT": str(lock_wait),
        }
        command = [
            *("--no-use-colors", "--no-write-json", *arguments),
            *("--project-dir", str(ROOT), "--profiles-dir", str(ROOT)),
            *("--target-path", str(self.target), "--log-path", str(self.target / "logs")),
        ]
        log.unlink(missing_ok=True)
        process = SERVER.Process(target=run_dbt, args=(command, environment, log, hook))
        started = time.monotonic()
        process.start()
        return Build(process, log, started)

    def run(self, *arguments: str, hook: Hook | None = None, lock_wait: float = 60) -> Outcome:
        """`dbt run`, to its end."""
        return self.start("run", *arguments, hook=hook, lock_wait=lock_wait).wait()

    def state(self) -> State:
        """What is published. Opening the file replays what a killed build left in its log."""
        with duckdb.connect(str(self.db), read_only=True) as connection:
            return read_state(connection)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query on the database."""
        with duckdb.connect(str(self.db), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def run_dbt(command: list[str], environment: dict[str, str], log: Path, hook: Hook | None) -> None:
    """In a process of its own: dbt's command line, its output in a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.update(environment)
    os.chdir(ROOT)
    if hook is not None:
        hook()
    from dbt.cli.main import cli

    sys.argv = ["dbt", *command]
    cli(command)


def read_state(connection: duckdb.DuckDBPyConnection) -> State:
    """Schema marts on an open connection."""
    names = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    ).fetchall()
    tables = {}
    for (name,) in names:
        digest = connection.execute(
            f"select count(*) || ' ' || coalesce(md5(string_agg(row, chr(10) order by row)), '')"
            f" from (select to_json(t)::varchar as row from marts.{name} as t)"
        ).fetchall()[0][0]
        tables[str(name)] = str(digest)
    builds = connection.execute("select distinct build_id from audit.publish").fetchall() if names else []
    return State(tables, frozenset(str(row[0]) for row in builds))


# --- What has to hold ------------------------------------------------------------------------------------------------


def judge_failure(outcome: Outcome, names: Sequence[str]) -> list[str]:
    """What is wrong with how a build failed; its message has to hold at least one of ``names``."""
    problems = judge_output(outcome)
    if outcome.code == 0:
        problems.append("it exits 0")
    if outcome.code < 0:
        problems.append(f"it dies of signal {-outcome.code}")
    if not any(name in outcome.output for name in names):
        problems.append(f"its message names none of {', '.join(names[:4])}: {last_lines(outcome)}")
    return problems


def without_adapter_traceback(outcome: Outcome) -> Outcome:
    """dbt-duckdb prints the traceback of its own code when the table of a Python model cannot be written."""
    adapter = r"Python model failed:\s+Traceback \(most recent call last\):\s+File \"[^\"]*dbt/adapters/duckdb/"
    return replace(outcome, output=re.sub(adapter, "Python model failed: ", outcome.output))


def judge_output(outcome: Outcome) -> list[str]:
    """What no output may hold."""
    problems = []
    if "Traceback (most recent call last)" in outcome.output:
        problems.append(f"a traceback: {last_lines(outcome)}")
    if MARK in outcome.output:
        line = next(line for line in outcome.output.splitlines() if MARK in line)
        problems.append(f"a health answer in its output: {line.strip()[:200]}")
    return problems


def judge_success(outcome: Outcome) -> list[str]:
    """What is wrong with a build that has to be good."""
    if outcome.code != 0:
        return [f"a good build exits {outcome.code}: {last_lines(outcome)}"]
    return judge_output(outcome)


def judge_state(found: State, old: State, new: State | None = None) -> list[str]:
    """Either the old marts or the complete new ones, of one build.

    ``new``: what the next build makes of the same export; None if only the old ones will do.
    """
    problems = []
    if len(found.builds) != 1:
        problems.append(f"marts are of {len(found.builds)} builds")
    if found == old:
        return problems
    if new is None:
        changed = [name for name, digest in old.tables.items() if found.tables.get(name) != digest]
        problems.append(f"marts changed ({', '.join(changed) or 'their build'})")
    elif found.tables != new.tables:
        mixed = [name for name, digest in new.tables.items() if found.tables.get(name) != digest]
        problems.append(f"marts are neither old nor new ({', '.join(mixed)})")
    elif found.builds == old.builds:
        problems.append("new marts under the old build's id")
    return problems


def last_lines(outcome: Outcome, count: int = 6) -> str:
    """The end of an output in a line."""
    return " | ".join(line.strip() for line in outcome.output.strip().splitlines()[-count:])[-900:]


@dataclass
class Tally:
    """The figures of one fault."""

    fault: str
    times: int = 0
    old: int = 0
    new: int = 0
    problems: list[str] = field(default_factory=list)
    failures: int = 0
    seconds: float = 0.0
    skipped: str | None = None

    def add(self, found: State, old: State, problems: Sequence[str], what: str = "") -> None:
        """Count one time; a time with any problem is one failure."""
        self.times += 1
        if found.tables == old.tables and found.builds == old.builds:
            self.old += 1
        else:
            self.new += 1
        self.failures += bool(problems)
        self.problems.extend(f"{what}: {problem}" if what else problem for problem in problems)

    def __add__(self, other: Tally) -> Tally:
        """The figures of two workers."""
        return Tally(
            self.fault,
            self.times + other.times,
            self.old + other.old,
            self.new + other.new,
            self.problems + other.problems,
            self.failures + other.failures,
            self.seconds + other.seconds,
            self.skipped or other.skipped,
        )


# --- Deliveries ------------------------------------------------------------------------------------------------------


def deliver(site: Site, chance: random.Random) -> Path:
    """A good part file that changes the marts: some participants turn out to be minors, or no longer to be."""
    folder = site.raw / "participants"
    path = folder / f"part-late-{chance.randrange(10**9):09}.{site.raw_format}"
    age = chance.choice((15, 16, 17, 18, 30))
    with duckdb.connect() as connection:
        source = reader(sorted(folder.glob(f"*.{site.raw_format}")), site.raw_format)
        number = connection.execute(f"select count(*) from {source}").fetchall()[0][0]
        connection.execute(
            f"copy (select * replace ({age} as age_years, timestamp '2030-01-01' + interval {int(number)} second as loaded_at)"
            f" from {source} where hash(participant_id || {chance.randrange(10**6)}) % 25 = 0"
            f" qualify row_number() over (partition by participant_id order by loaded_at desc) = 1)"
            f" to '{literal(path)}' ({copy_options(site.raw_format)})"
        )
    return path


def reader(paths: Sequence[Path], raw_format: str) -> str:
    """The expression that reads part files with their own types (CSV: text)."""
    listed = ", ".join(f"'{pattern(path)}'" for path in paths)
    if raw_format == "csv":
        return f"read_csv([{listed}], header = true, all_varchar = true, union_by_name = true)"
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def pattern(path: Path) -> str:
    """A path inside a SQL string that DuckDB would read as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", literal(path))


def literal(path: Path) -> str:
    """A path inside a SQL string."""
    return str(path).replace("'", "''")


def copy_options(raw_format: str) -> str:
    """How part files are written."""
    return "format csv, header" if raw_format == "csv" else "format parquet"


def to_csv(folder: Path) -> None:
    """An export in the other format."""
    with duckdb.connect() as connection:
        for path in folder.glob("*/*.parquet"):
            connection.execute(
                f"copy (from '{pattern(path)}') to '{literal(path.with_suffix('.csv'))}' (format csv, header)"
            )
            path.unlink()


def restore(site: Site, good: Path) -> None:
    """The export as it was."""
    shutil.rmtree(site.raw, ignore_errors=True)
    shutil.copytree(good, site.raw)


# --- Kills -----------------------------------------------------------------------------------------------------------


def kill_once(site: Site, chance: random.Random, moment: float, tally: Tally) -> float:
    """Deliver, build, SIGKILL, look, build again. Returns the seconds of the good build.

    ``moment``: seconds after the start; below zero: so long after the publication began.
    """
    deliver(site, chance)
    old = site.state()
    build = site.start("run")
    if moment < 0:
        build.wait_for("audit.publish")
        time.sleep(-moment)
    else:
        time.sleep(moment)
    killed = build.kill()
    found = site.state()
    good = site.run()
    new = site.state() if good.code == 0 else None
    problems = [*judge_success(good), *judge_output(killed), *judge_state(found, old, new)]
    if killed.code not in (-9, 0):
        problems.append(f"a build that was to be killed exits {killed.code}: {last_lines(killed)}")
    tally.add(found, old, problems, f"build killed at {moment:.2f} s")
    return good.seconds


# --- Locks -----------------------------------------------------------------------------------------------------------


@contextmanager
def reading(db: Path, seconds: float = 600) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the database open for reading."""
    program = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1], read_only=True);"
        " print('open', flush=True); time.sleep(float(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(db), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def names_holder(outcome: Outcome, pid: int, seconds: float) -> list[str]:
    """What is wrong with how a build was turned away."""
    problems = judge_failure(outcome, [f"PID {pid}"])
    if f"Waited {seconds:g} s (RAPPORT_LOCK_WAIT); nothing was changed" not in outcome.output:
        problems.append(f"it does not say how long it waited: {last_lines(outcome)}")
    return problems


def build_while_read(site: Site, tally: Tally, lock_wait: float = 1) -> None:
    """A reader that stays: the build gives up, says who holds the lock, and has changed nothing."""
    old = site.state()
    with reading(site.db) as holder:
        outcome = site.run(lock_wait=lock_wait)
        problems = names_holder(outcome, holder.pid, lock_wait)
    found = site.state()
    tally.add(found, old, [*problems, *judge_state(found, old)])


def build_at_once(site: Site, chance: random.Random, tally: Tally, second: Sequence[str] = ()) -> None:
    """Two builds at once, and a third that waits: the first ends well, the second gives up, the third comes after.

    ``second``: the arguments of the third; a selection makes it short.
    """
    deliver(site, chance)
    old = site.state()
    # The first one lasts until the second has come and gone.
    first = site.start("run", hook=partial(after, LOOKED_INTO, partial(time.sleep, 8)))
    first.wait_for("START")
    waiting = site.start("run", *second, lock_wait=300)
    refused = site.run(lock_wait=0.5)
    problems = []
    if not first.process.is_alive():
        problems.append("the first build ended too early for the test to say anything")
    assert first.process.pid is not None
    problems += names_holder(refused, first.process.pid, 0.5)
    problems += judge_success(first.wait())
    problems += judge_success(waiting.wait())
    found = site.state()
    if found.builds == old.builds:
        problems.append("neither build published")
    tally.add(found, old, [*problems, *judge_state(found, old, found)])


# --- Disks -----------------------------------------------------------------------------------------------------------


def limit_file_size(size: int) -> None:
    """In the build's process: no file may grow beyond so many bytes (as on a full disk, a write fails)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def build_on_full_disk(site: Site, chance: random.Random, tally: Tally, size: int, recover: bool = True) -> None:
    """A delivery for which there is no room: old marts or new ones; with room again the next build is good."""
    deliver(site, chance)
    old = site.state()
    # dbt's own log is a file, too, and not the one that is meant.
    outcome = site.run("--log-level-file", "none", hook=partial(limit_file_size, size))
    judge_full_disk(site, tally, old, outcome, f"files limited to {size} bytes", recover)


def judge_full_disk(site: Site, tally: Tally, old: State, outcome: Outcome, what: str, recover: bool = True) -> None:
    """Old marts or the complete new ones, and the next build is good."""
    found = site.state()
    outcome = without_adapter_traceback(outcome)
    problems = []
    if outcome.code == 0:
        problems += judge_output(outcome)
    else:
        problems += judge_failure(outcome, [site.db.name, site.db.parent.name, "No space", "File too large"])
    new = None
    if recover:
        good = site.run()
        problems += judge_success(good)
        new = site.state()
    tally.add(found, old, [*problems, *judge_state(found, old, new)], what)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[str | None]:
    """Something mounted on a folder; yields why not where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield done.stderr.strip() or "mounting is not permitted"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only_folder(folder: Path) -> Iterator[str | None]:
    """A folder that cannot be written to; yields why not where that cannot be had."""
    if os.geteuid() != 0:
        mode = folder.stat().st_mode
        folder.chmod(0o500)
        files = [path for path in folder.iterdir() if path.is_file()]
        for path in files:
            path.chmod(0o400)
        try:
            yield None
        finally:
            folder.chmod(mode)
            for path in files:
                path.chmod(0o600)
        return
    # Permissions do not stop root; a read-only mount does.
    with mounted(folder, "--bind", str(folder)) as reason:
        if reason is None:
            done = subprocess.run(
                ["mount", "-o", "remount,bind,ro", str(folder)], capture_output=True, text=True, check=False
            )
            reason = None if done.returncode == 0 else done.stderr.strip()
        yield reason


def build_in_read_only_folder(site: Site, tally: Tally) -> None:
    """The folder of the database cannot be written to."""
    old = site.state()
    with read_only_folder(site.db.parent) as reason:
        if reason is not None:
            tally.skipped = reason
            return
        outcome = site.run()
    found = site.state()
    problems = judge_failure(outcome, [str(site.db)])
    tally.add(found, old, [*problems, *judge_state(found, old)])


# --- Files that change while they are read ---------------------------------------------------------------------------


HASHED, LOOKED_INTO = "describe_all", "read_export"
"""Functions by which the reading of an export has hashed its first table, and has looked into every file."""


def after(function: str, action: Callable[[], object]) -> None:
    """In the build's process: do something, once, when a function of the reading has returned."""
    from rapport.reading import export, warehouse

    module = {HASHED: export, LOOKED_INTO: warehouse}[function]
    original = getattr(module, function)
    waiting = [action]

    def wrapper(*arguments: object, **named: object) -> object:
        result = original(*arguments, **named)
        while waiting:
            waiting.pop()()
        return result

    setattr(module, function, wrapper)


def put(source: Path, path: Path) -> None:
    """Other content under the same name."""
    path.write_bytes(source.read_bytes())


def put_and_put_back(source: Path, path: Path) -> None:
    """Other content for a moment."""
    content = path.read_bytes()
    path.write_bytes(source.read_bytes())
    path.write_bytes(content)


def cut(source: Path, path: Path) -> None:
    """A file that is being written anew."""
    del source
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def withdraw(source: Path, path: Path) -> None:
    """A file that is gone."""
    del source
    path.unlink()


CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "rewritten": put,
    "rewritten and put back": put_and_put_back,
    "cut": cut,
    "withdrawn": withdraw,
}


def build_while_a_file_changes(
    site: Site, chance: random.Random, tally: Tally, change: str, function: str, recover: bool = True
) -> None:
    """A part file changes after it was hashed or looked into."""
    path = deliver(site, chance)
    spare = site.target / f"spare{path.suffix}"
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * replace (19 as age_years) from {reader([path], site.raw_format)})"
            f" to '{literal(spare)}' ({copy_options(site.raw_format)})"
        )
    old = site.state()
    outcome = site.run(hook=partial(after, function, partial(CHANGES[change], spare, path)))
    found = site.state()
    problems = [*judge_failure(outcome, [path.name, "participants"]), *judge_state(found, old)]
    if recover:
        if change == "cut":
            put(spare, path)
        problems += judge_success(site.run())
    tally.add(found, old, problems, f"{change} after {function}")


# --- The clock -------------------------------------------------------------------------------------------------------


def put_history_into_the_future(site: Site) -> None:
    """What is seen after the clock went back ten years."""
    with duckdb.connect(str(site.db)) as connection:
        connection.execute(
            "update ops.builds set started_at = started_at + interval 10 year, ended_at = ended_at + interval 10 year,"
            " published_at = published_at + interval 10 year;"
            "update ops.findings_history set published_at = published_at + interval 10 year"
        )
    for path in site.raw.glob("*/*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 10 * 366 * 86400))


def judge_history(site: Site) -> list[str]:
    """Whether the latest build is the last one of the history, whatever the clock said."""
    last, latest = site.query(
        "select arg_max(build_id, build_number), (select any_value(build_id) from audit.publish) from ops.builds"
    )[0]
    duplicates = site.query("select count(*) - count(distinct build_number) from ops.builds")[0][0]
    problems = [] if last == latest else ["the last build of the history is not the one that is published"]
    if duplicates:
        problems.append(f"{duplicates} build numbers are given twice")
    running = site.query("select count(*) from ops.builds where status = 'running'")[0][0]
    return [*problems, *([f"{running} builds are still called running"] if running else [])]


def build_when_the_clock_went_back(site: Site, chance: random.Random, tally: Tally) -> None:
    """History lies in the future: the build is good and comes after it all the same."""
    put_history_into_the_future(site)
    deliver(site, chance)
    old = site.state()
    outcome = site.run()
    found = site.state()
    problems = [*judge_success(outcome), *judge_history(site)]
    if found.builds == old.builds:
        problems.append("nothing was published")
    tally.add(found, old, problems)
