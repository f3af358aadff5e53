"""Run the contenders side by side and write down what they cost.

Every repeat runs each contender once, in an order that turns, on the same Parquet files, each in a process of its own.
Before the first, one build that is not measured fills the page cache, lets dbt parse the project, and makes the
database that the refreshes replace. Builds and the floor run under one and the same memory limit of DuckDB.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.checks import different_rows, disagreements
from benchmarks.delivery import deliver, withdraw, write_delivery
from benchmarks.measure import Run, measure
from benchmarks.project import project_size
from benchmarks.report import OTHERS
from benchmarks.start_up import import_seconds, start_up_profile
from benchmarks.trivial import write_trivial_project

ROOT: Final = Path(__file__).resolve().parents[1]
CONTENDERS: Final = ("build", "refresh", "floor", "pandas", "polars", "streaming")
TWIN: Final = ROOT / "demo"
START_UP_PARTICIPANTS: Final = 50
"""A build of so few people is what a build of any size takes before it looks at rows."""
BUILD: Final = ("build", "--exclude-resource-type", "unit_test")
"""The build that `make publish` runs."""
PROFILED: Final = 10
"""Packages that a profile names, those with the most own time; the others are one entry."""
PACKAGES: Final = ("rapport", "dbt-core", "dbt-duckdb", "duckdb", "pandas", "polars", "scipy", "statsmodels")

Record = dict[str, Any]


class WrongError(Exception):
    """A contender did not do what the build did."""


@dataclass(frozen=True)
class Limits:
    """What a single run may take.

    Attributes:
        memory: resident bytes; a process that takes more is killed.
        seconds: a process that takes longer is killed.
        duckdb: DuckDB's ``memory_limit`` in builds and in the floor, such as ``3GB``; null for what each sets itself.
    """

    memory: int
    seconds: float
    duckdb: str | None = None


@dataclass
class Site:
    """An export and a database of its own, always at the same paths, so that dbt parses the project once.

    Attributes:
        folder: where everything is written.
        limits: what a run may take.
        export: an export that lies elsewhere and is only read; null for the one in ``folder``.
    """

    folder: Path
    limits: Limits
    export: Path | None = None

    @property
    def raw(self) -> Path:
        """The export."""
        return self.folder / "raw" if self.export is None else self.export

    @property
    def late(self) -> Path:
        """The part files of the night."""
        return self.folder / "late"

    @property
    def database(self) -> Path:
        """What dbt builds."""
        return self.folder / "rapport.duckdb"

    @property
    def good(self) -> Path:
        """A copy of the first good build."""
        return self.folder / "good.duckdb"

    def result(self, name: str) -> Path:
        """Where a contender writes."""
        return self.folder / name

    def dbt(self, command: str, *arguments: str) -> Run:
        """Run dbt on the export as a user does, target and logs apart."""
        return self._dbt([Path(sys.executable).with_name("dbt")], command, *arguments)

    def _dbt(self, program: Sequence[str | Path], command: str, *arguments: str) -> Run:
        memory = {} if self.limits.duckdb is None else {"RAPPORT_MEMORY": self.limits.duckdb}
        return measure(
            [
                *(*program, command, *arguments),
                *("--project-dir", ROOT, "--profiles-dir", ROOT),
                *("--target-path", self.folder / "target", "--log-path", self.folder / "logs"),
            ],
            self.output(command),
            environment={
                "RAPPORT_RAW": str(self.raw),
                "RAPPORT_RAW_FORMAT": "parquet",
                "RAPPORT_DB": str(self.database),
                **memory,
            },
            folder=ROOT,
            memory_limit=self.limits.memory,
            timeout=self.limits.seconds,
        )

    def output(self, command: str) -> Path:
        """What a command of dbt printed last."""
        return self.folder / f"{command}.txt"

    def memory_limit(self) -> str:
        """Return DuckDB's memory limit in a build, as DuckDB writes it.

        Raises:
            WrongError: dbt cannot say.
        """
        query = "select current_setting('memory_limit') as memory_limit"
        run = self.dbt("show", "--quiet", "--inline", query, "--output", "json")
        text = self.output("show").read_text(errors="replace")
        if run.failure is not None:
            raise WrongError(f"the memory limit of a build is not known: {run.failure}")
        return str(json.loads(text[text.index("{") :])["show"][0]["memory_limit"])

    def start_up_profile(self) -> Record:
        """Build once more and return what importing and collecting garbage took; nothing if the build failed."""
        out = self.result("start_up.json")
        out.unlink(missing_ok=True)
        self.database.unlink(missing_ok=True)
        run = self._dbt([sys.executable, "-X", "importtime", "-m", "benchmarks.start_up", out], *BUILD)
        if run.failure is not None:
            return {}
        printed = self.output("build").read_text(errors="replace")
        return start_up_profile(import_seconds(printed), json.loads(out.read_text()), self.artifact("run_results"))

    def profile(self) -> tuple[Run, dict[str, float]]:
        """Build as ``dbt`` does, but under a profiler, and return the own seconds of each package."""
        out = self.result("profile.json")
        out.unlink(missing_ok=True)
        run = self._dbt([sys.executable, "-m", "benchmarks.profile_build", out], *BUILD)
        return run, {} if run.failure else json.loads(out.read_text())

    def program(self, module: str, out: Path, *arguments: str) -> Run:
        """Run a module of this package that reads the export and writes a file."""
        out.unlink(missing_ok=True)
        return measure(
            [sys.executable, "-m", f"benchmarks.{module}", "--raw", self.raw, "--out", out, *arguments],
            self.folder / f"{module}.txt",
            folder=ROOT,
            memory_limit=self.limits.memory,
            timeout=self.limits.seconds,
        )

    def artifact(self, name: str) -> Record:
        """Return what dbt wrote beside the last build: ``manifest`` or ``run_results``."""
        found: Record = json.loads((self.folder / "target" / f"{name}.json").read_text(encoding="utf-8"))
        return found

    def nodes(self) -> list[Record]:
        """Return the seconds of every model of the last build; tests and hooks of a kind are one entry."""
        results = self.artifact("run_results")["results"]
        known = self.artifact("manifest")["nodes"]
        nodes: dict[str, Record] = {}
        for result in results:
            kind, _, name = result["unique_id"].split(".")[:3]
            folder = known[result["unique_id"]]["fqn"][1] if kind == "model" else f"{kind}s"
            name = name if kind == "model" else f"{kind}s"
            node = nodes.setdefault(name, {"node": name, "folder": folder, "count": 0, "seconds": 0.0})
            node["count"] += 1
            node["seconds"] += result["execution_time"]
        return list(nodes.values())


def prepare(site: Site, participants: int, *, late: bool = True) -> Record:
    """Write the export of a size and the part files of its night, unless they are there, and describe them."""
    if not (site.raw / "README.md").exists():
        shutil.rmtree(site.folder, ignore_errors=True)
        site.folder.mkdir(parents=True)
        subprocess.run(
            [sys.executable, "-m", "rapport.demo", "--participants", str(participants), "--out", str(site.raw)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    withdraw(site.raw)
    described: Record = {"participants": participants}
    files = list(site.raw.glob("*/*.parquet"))
    described["raw_rows"] = _rows(files)
    described["raw_bytes"] = sum(file.stat().st_size for file in files)
    if late:
        shutil.rmtree(site.late, ignore_errors=True)
        described["late_rows"] = sum(write_delivery(site.raw, site.late).values())
    return described


def _rows(files: Sequence[Path]) -> int:
    with duckdb.connect() as connection:
        [(rows,)] = connection.execute(
            "select sum(num_rows) from parquet_file_metadata($1)", [[str(file) for file in files]]
        ).fetchall()
    return int(rows)


def _build(site: Site) -> Run:
    site.database.unlink(missing_ok=True)
    return site.dbt(*BUILD)


def _profile(site: Site) -> tuple[Run, dict[str, float]]:
    site.database.unlink(missing_ok=True)
    return site.profile()


def _refresh(site: Site) -> Run:
    """Build again, whole, on the database of the last good build after one more delivery."""
    shutil.copy(site.good, site.database)
    deliver(site.late, site.raw)
    try:
        run = site.dbt(*BUILD)
        if run.failure is None:
            check_cohort(site, site.database)
    finally:
        withdraw(site.raw)
    return run


def _make_floor(site: Site, out: Path) -> Run:
    limit = site.limits.duckdb
    return site.program("floor", out, *(() if limit is None else ("--memory", limit)))


def _floor(site: Site) -> Run:
    run = _make_floor(site, site.result("floor.duckdb"))
    if run.failure is None:
        _no_difference(site.result("floor.duckdb"), site.good)
    return run


def _program(module: str, *arguments: str) -> Callable[[Site], Run]:
    def contend(site: Site) -> Run:
        out = site.result(f"{module}.json")
        run = site.program(module, out, *arguments)
        if run.failure is None:
            problems = disagreements(json.loads(out.read_text()), site.good)
            if problems:
                raise WrongError(f"{module} found something else: {'; '.join(problems)}")
        return run

    return contend


def check_cohort(site: Site, warehouse: Path) -> None:
    """Compare the floor on the export as it is now with a database.

    Raises:
        WrongError: the cohorts differ.
    """
    out = site.result("check.duckdb")
    run = _make_floor(site, out)
    if run.failure is not None:
        raise WrongError(f"the floor cannot be made: {run.failure}")
    _no_difference(out, warehouse)
    out.unlink()


def _no_difference(floor: Path, warehouse: Path) -> None:
    rows = different_rows(floor, warehouse)
    if rows:
        raise WrongError(f"the floor's cohort and marts.analysis_cohort differ in {rows} rows")


COMMANDS: Final[Mapping[str, Callable[[Site], Run]]] = {
    "build": _build,
    "refresh": _refresh,
    "floor": _floor,
    "pandas": _program("in_pandas"),
    "polars": _program("in_polars"),
    "streaming": _program("in_polars", "--engine", "streaming"),
}


class Runner:
    """One run of the benchmark; ``results`` can be written at any time."""

    def __init__(self, work: Path, limits: Limits, repeats: int, contenders: Sequence[str], report: Path) -> None:
        """Describe the machine; nothing is measured yet."""
        self.work = work
        self.limits = limits
        self.repeats = repeats
        self.contenders = list(contenders)
        self.report = report
        self.lost: dict[str, str] = {}
        self.wrong = False
        self.results: Record = {
            "started": _now(),
            "machine": machine(),
            "versions": {name: version(name) for name in PACKAGES},
            "revision": _revision(),
            "repeats": repeats,
            "memory_limit": limits.duckdb,
            "start_up": {},
            "sizes": [],
        }

    def start_up(self) -> None:
        """Measure what is paid at any size: an empty dbt project, a build of hardly anybody; and the twin's build.

        Raises:
            WrongError: builds do not run under the memory limit that the floor runs under.
        """
        small = Site(self.work / "start-up", self.limits)
        twin = Site(self.work / "twin", self.limits, TWIN)
        prepare(small, START_UP_PARTICIPANTS, late=False)
        twin.folder.mkdir(parents=True, exist_ok=True)
        empty = self.work / "empty"
        shutil.rmtree(empty, ignore_errors=True)
        write_trivial_project(empty, 1)
        show("start-up and the twin: a build of each that is not measured")
        for site in (small, twin):
            _must(_build(site), site.output("build"))
        _must(self._empty(empty), empty / "output.txt")
        self.results["project"] = project_size(twin.artifact("manifest"), ROOT)
        if self.limits.duckdb is not None:
            with duckdb.connect(config={"memory_limit": self.limits.duckdb}) as connection:
                [(asked,)] = connection.execute("select current_setting('memory_limit')").fetchall()
            given = small.memory_limit()
            if given != asked:
                raise WrongError(f"RAPPORT_MEMORY asks for {asked}, and a build has {given}: see profiles.yml")
        contenders: list[tuple[str, Callable[[], Run]]] = [
            ("start-up", lambda: _build(small)),
            ("twin", lambda: _build(twin)),
            ("empty", lambda: self._empty(empty)),
            ("imports", lambda: self._imports(empty)),
        ]
        runs: list[Record] = []
        for repeat in range(self.repeats):
            shift = repeat % len(contenders)
            for name, contend in contenders[shift:] + contenders[:shift]:
                runs.append(self._record(name, repeat, contend))
        self.wrong |= any(run["failure"] is not None for run in runs)
        self.results["start_up"] = {
            "participants": START_UP_PARTICIPANTS,
            "runs": runs,
            "profile": twin.start_up_profile(),
        }
        self.save()

    def _empty(self, folder: Path) -> Run:
        return measure([Path(sys.executable).with_name("dbt"), "build"], folder / "output.txt", folder=folder)

    def _imports(self, folder: Path) -> Run:
        return measure([sys.executable, "-c", "import dbt.cli.main"], folder / "imports.txt", folder=folder)

    def size(self, participants: int) -> None:
        """Measure every contender at one size."""
        site = Site(self.work / str(participants), self.limits)
        show(f"{participants:,} participants: the export")
        described = prepare(site, participants)
        runs: list[Record] = []
        record: Record = {**described, "runs": runs, "nodes": {}}
        self.results["sizes"].append(record)
        show(f"{participants:,} participants: a build that is not measured")
        first = _build(site)
        if first.failure is not None:
            record["omitted"] = f"the build failed: {first.failure}"
            self.wrong = True
            self.save()
            return
        site.database.replace(site.good)
        record["database_bytes"] = site.good.stat().st_size
        nodes: dict[str, list[list[Record]]] = {}
        for repeat in range(self.repeats):
            shift = repeat % len(self.contenders)
            for name in self.contenders[shift:] + self.contenders[:shift]:
                if name in self.lost:
                    continue
                run = self._record(name, repeat, partial(COMMANDS[name], site))
                run["participants"] = participants
                if run["failure"] is not None:
                    # At a larger size it would fail again, and take the machine's time for it.
                    self.lost[name] = f"at {participants:,} participants: {run['failure']}"
                elif name in ("build", "refresh"):
                    nodes.setdefault(name, []).append(site.nodes())
                runs.append(run)
                self.save()
        record["lost"] = dict(self.lost)
        record["nodes"] = {name: _medians(several) for name, several in nodes.items()}
        self.save()
        profiled, own = _profile(site)
        if profiled.failure is None:
            largest = list(own.items())[:PROFILED]
            rest = {OTHERS: sum(own.values()) - sum(seconds for _, seconds in largest)}
            record["profile"] = {
                "wall": profiled.wall,
                "own_seconds": [{"where": where, "seconds": round(s, 3)} for where, s in (*largest, *rest.items())],
            }
        self.save()
        for path in (*site.folder.glob("*.duckdb*"), site.folder / "target", site.folder / "logs"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _record(self, name: str, repeat: int, contend: Callable[[], Run]) -> Record:
        try:
            run = contend()
        except WrongError as error:
            self.wrong = True
            run = Run(0.0, 0.0, 0, 0, failure=f"wrong: {error}")
        show(f"  {name:12} {run.wall:8.2f} s  {run.peak_bytes / 2**20:8.0f} MiB  {run.failure or ''}")
        return {"contender": name, "repeat": repeat, **asdict(run)}

    def save(self) -> None:
        """Write what is known so far."""
        self.results["finished"] = _now()
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")


def _medians(several: Sequence[Sequence[Record]]) -> list[Record]:
    """Return the median seconds of each node, slowest first."""
    nodes: dict[str, Record] = {}
    for run in several:
        for node in run:
            nodes.setdefault(node["node"], {**node, "seconds": []})["seconds"].append(node["seconds"])
    medians = [{**node, "seconds": round(statistics.median(node["seconds"]), 4)} for node in nodes.values()]
    return sorted(medians, key=lambda node: -node["seconds"])


def _must(run: Run, output: Path) -> None:
    if run.failure is not None:
        raise SystemExit(f"{run.failure}\n{output.read_text(errors='replace')[-2000:]}")


def machine() -> Record:
    """Return the machine's processor, number of cores, and memory in bytes."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",  # the rest names a host's own kernel
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _revision() -> str:
    described = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def show(line: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
