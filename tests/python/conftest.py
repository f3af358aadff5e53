"""Whole builds in a temporary folder: a warehouse of its own, an export of its own, the project as it is."""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from sparks import spark as spark
from sparks import spark_session as spark_session

from rapport.demo import write_demo_export
from rapport.disclosure.suppress import Verdict

ROOT = Path(__file__).resolve().parents[2]
MARTS = (
    "eligibility",
    "eligibility_flow",
    "participant_alliance",
    "who5_change",
    "analysis_cohort",
    "table_1",
    "inference_results",
    "model_fit",
    "reproduction",
    "consistency",
    "alliance_distribution",
    "wellbeing_transitions",
    "exclusion_reasons",
    "source_summary",
    "build_parameters",
    "alliance_slopes",
    "sensitivity_results",
    "alliance_trajectory",
    "service_monthly",
    "service_signals",
)


SILENT = ("--no-write-json", "--log-level-file", "none")


@dataclass(frozen=True)
class Outcome:
    """How a dbt command ended, and all that it printed."""

    success: bool
    output: str


@dataclass
class Warehouse:
    """A raw export, the database that is built from it, and the way to build it."""

    raw: Path
    db: Path
    target: Path
    capfd: pytest.CaptureFixture[str]
    raw_format: str = "parquet"
    is_logged: bool = False
    """Whether dbt writes its log and its JSON files, as it does outside of tests."""

    def dbt(self, *arguments: str) -> Outcome:
        """Run dbt in this process (the imports are paid once) on this warehouse."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        settings = {
            "RAPPORT_RAW": str(self.raw),
            "RAPPORT_DB": str(self.db),
            "RAPPORT_RAW_FORMAT": self.raw_format,
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        self.capfd.readouterr()
        parsed, kept = self.target / "partial_parse.msgpack", self._kept_parse(arguments)
        if kept.exists() and self.target.exists():
            shutil.copy(kept, parsed)
        try:
            result = dbtRunner().invoke(
                [
                    *("--no-use-colors", *(() if self.is_logged else SILENT), *arguments),
                    *("--project-dir", str(ROOT), "--profiles-dir", str(ROOT)),
                    *("--target-path", str(self.target), "--log-path", str(self.target / "logs")),
                ]
            )
        finally:
            DuckDBConnectionManager.close_all_connections()
            let_go(self.db)
            if parsed.exists():
                kept.parent.mkdir(exist_ok=True)
                shutil.copy(parsed, kept)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        captured = self.capfd.readouterr()
        return Outcome(result.success, captured.out + captured.err)

    def _kept_parse(self, arguments: Sequence[str]) -> Path:
        """Where what dbt parsed is kept: it parses anew, for seconds, whenever vars or the path of the database change."""
        given = [arguments[i + 1] for i, name in enumerate(arguments[:-1]) if name == "--vars"]
        key = hashlib.sha256(repr((str(self.db), given)).encode()).hexdigest()[:16]
        return self.target.parent / "parsed" / key

    def run(self, *arguments: str) -> Outcome:
        """`dbt run`: every model, no test."""
        return self.dbt("run", *arguments)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query on the built database."""
        with duckdb.connect(str(self.db), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def marts(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every published table."""
        return {name: self.query(f"select * from marts.{name} order by all") for name in MARTS}

    def rewrite(self, table: str, select: str) -> None:
        """Replace a table's part files by one: `select` reads the old rows as `rows`."""
        folder = self.raw / table
        with duckdb.connect() as connection:
            connection.execute(f"create table rows as select * from read_parquet('{folder}/*.parquet')")
            for path in folder.glob("*.parquet"):
                path.unlink()
            connection.execute(f"copy ({select}) to '{folder}/part-0.parquet' (format parquet)")

    def spoil(self, table: str, column: str, value: str, where: str) -> None:
        """Put a value into a column of some rows, in the files that hold them."""
        self.rewrite(
            table, f"select * replace (case when {where} then {value} else {column} end as {column}) from rows"
        )

    def add_part(self, table: str, select: str, name: str = "part-late.parquet") -> None:
        """Add one part file: `select` reads the rows that are there as `rows`."""
        folder = self.raw / table
        with duckdb.connect() as connection:
            connection.execute(f"create view rows as select * from read_parquet('{folder}/*.parquet')")
            connection.execute(f"copy ({select}) to '{folder}/{name}' (format parquet)")


def let_go(db: Path, seconds: float = 10) -> None:
    """Return when this process no longer holds a database that dbt has closed: a thread may keep it a moment longer."""
    deadline = time.monotonic() + seconds
    while db.exists() and time.monotonic() < deadline:
        try:
            duckdb.connect(str(db), read_only=True).close()
        except duckdb.ConnectionException:
            gc.collect()
            time.sleep(0.05)
        except duckdb.Error:
            return  # no database, or another process holds it
        else:
            return


LINKED = (
    *("Makefile", "pyproject.toml", "dbt_project.yml", "profiles.yml", "requirements.lock", "requirements-dev.lock"),
    *("models", "macros", "seeds", "expectations", "studies", "contracts", "python", "demo"),
)


def linked_project(folder: Path) -> Path:
    """A project of links to this one, where reports and releases are its own: a refresh writes to fixed places."""
    folder.mkdir(parents=True)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return folder


def but_one_in_builds(cases: Iterable[Any], one: Any) -> list[Any]:
    """Parameters of a test: `make test` runs one of them, `make test-builds` the others."""
    cases = list(cases)
    assert one in cases, one
    return [pytest.param(case, marks=() if case == one else pytest.mark.builds) for case in cases]


def first(key: str, count: int = 3) -> str:
    """A condition that holds for the rows of the first keys."""
    return f"{key} in (select distinct {key} from rows order by {key} limit {count})"


@pytest.fixture(scope="module", autouse=True)
def frozen_imports() -> None:
    """Spare the collector what stays to the end: statsmodels asks for a full collection at each adjusted P."""
    gc.collect()
    gc.freeze()


@atexit.register
def unfreeze_imports() -> None:
    """What the collector never sees outlives the interpreter, and DuckDB's binding then prints pages of leak warnings."""
    gc.unfreeze()


_judged: dict[tuple[object, ...], Verdict] = {}


@pytest.fixture(scope="module")
def judged_once() -> Iterator[None]:
    """Disclosure control solves programmes for seconds: of equal tables under equal rules once in a session.

    For modules that ask what a release does with its verdict, as in ``pytestmark = pytest.mark.usefixtures("judged_once")``.
    """
    from rapport.release import protect

    judge = protect.judge

    def once(tables: Mapping[str, pd.DataFrame], min_cell: int, **rules: Any) -> Verdict:
        frames = [(name, str(frame.dtypes), frame.to_csv()) for name, frame in tables.items()]
        key = (repr(frames), min_cell, repr(rules))
        if key not in _judged:
            _judged[key] = judge(tables, min_cell, **rules)
        return _judged[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protect, "judge", once)
        yield


@pytest.fixture(scope="session")
def small_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic export of 400 participants; read only."""
    folder = tmp_path_factory.mktemp("export") / "raw"
    write_demo_export(folder, participants=400, seed=7, part_files=3)
    return folder


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every build of the session: dbt parses the project anew whenever a path in its profile changes."""
    return tmp_path_factory.mktemp("workbench")


@pytest.fixture
def warehouse(
    workbench: Path,
    small_export: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Warehouse:
    """An export that a test may spoil, and no database yet."""
    monkeypatch.chdir(ROOT)
    raw, db = workbench / "raw", workbench / "rapport.duckdb"
    shutil.rmtree(raw, ignore_errors=True)
    db.unlink(missing_ok=True)
    shutil.copytree(small_export, raw)
    return Warehouse(raw=raw, db=db, target=workbench / "target", capfd=capfd)


@pytest.fixture
def built(warehouse: Warehouse, workbench: Path) -> Warehouse:
    """A warehouse whose last build was good."""
    good = workbench / "good.duckdb"
    if not good.exists():
        outcome = warehouse.run()
        assert outcome.success, outcome.output
        shutil.copy(warehouse.db, good)
    else:
        shutil.copy(good, warehouse.db)
    return warehouse
