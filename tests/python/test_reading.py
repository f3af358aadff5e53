"""What a build reads, counted from DuckDB's own profiles: how often each part file, and how many rows reach Python."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT, Warehouse
from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper, LocalEnvironment

from rapport.demo import write_demo_export
from rapport.engine_errors import keep_errors_clean

PARTICIPANTS = 100_000


class Reader:
    """Profiles every statement of a build; the statements of a Python model go under its name."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.number = 0
        self.model: str | None = None
        self.cursors: list[duckdb.DuckDBPyConnection] = []
        self.models: dict[int, str | None] = {}
        self.handed_over: dict[str, dict[str, int]] = defaultdict(dict)
        reader = self
        keep_errors_clean()  # what it puts in place once is there before it is watched
        run_python_job = LocalEnvironment.run_python_job

        def execute(cursor: Any, sql: str, bindings: Any = None) -> Any:
            if bindings is not None:
                return reader.profiled(cursor._cursor, sql, bindings)
            result = cursor._cursor
            for statement in cursor._cursor.extract_statements(sql):
                result = reader.profiled(cursor._cursor, statement)
            return result

        def query(cursor: Any, sql: str) -> Any:
            return Relation(cursor._cursor.query(sql), sql, reader)

        def python_job(con: Any, load: Any, identifier: str, *rest: Any) -> Any:
            reader.model = identifier
            try:
                return run_python_job(con, load, identifier, *rest)
            finally:
                reader.model = None
                reader.cursors.clear()  # an open one would keep the database locked

        monkeypatch.setattr(DuckDBCursorWrapper, "execute", execute)
        monkeypatch.setattr(DuckDBCursorWrapper, "query", query, raising=False)
        monkeypatch.setattr(
            DuckDBCursorWrapper, "cursor", lambda cursor: DuckDBCursorWrapper(cursor._cursor.cursor()), raising=False
        )
        monkeypatch.setattr(LocalEnvironment, "run_python_job", staticmethod(python_job))

    def profiled(self, cursor: duckdb.DuckDBPyConnection, statement: Any, *bindings: Any) -> Any:
        """Execute one statement; its profile is one file."""
        self.number += 1
        self.models[self.number] = self.model
        if not any(cursor is known for known in self.cursors):
            self.cursors.append(cursor)
            cursor.execute("set profiling_coverage = 'ALL'")
            cursor.execute("set enable_profiling = 'json'")
        # This is profiled too, into the very file that it names, before the statement's own profile replaces it.
        cursor.execute(f"set profiling_output = '{self.folder}/{self.number}.json'")
        return cursor.execute(statement, *bindings)

    def profiles(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Every profile with the Python model that asked, if one did."""
        for number, model in self.models.items():
            path = self.folder / f"{number}.json"
            if path.exists():
                yield model, json.loads(path.read_text(encoding="utf-8"))

    def scans(self, folder: Path) -> Counter[Path]:
        """How many scans read rows of each file of a folder."""
        scans: Counter[Path] = Counter()
        for _, profile in self.profiles():
            for operator in operators(profile):
                if operator["type"] == "TABLE_SCAN" and operator.get("rows_scanned", 0) > 0:
                    names = operator["extra_info"].get("Filename(s)", "")
                    scans.update(path for path in map(Path, names.split(", ")) if folder in path.parents)
        return scans

    def fetched(self) -> dict[str, int]:
        """The most rows that a statement of each Python model returned to it."""
        fetched: dict[str, int] = defaultdict(int)
        for model, profile in self.profiles():
            if model is not None and profile["query"]["sql"].lower().lstrip("( \n").startswith(
                ("select", "from", "with")
            ):
                for top in profile["operator"][0]["children"]:
                    fetched[model] = max(fetched[model], top["intermediate_rows"])
        return fetched


class Relation:
    """A relation that a Python model refers to, which notes how many rows it hands over."""

    def __init__(self, relation: duckdb.DuckDBPyRelation, sql: str, reader: Reader) -> None:
        self.relation = relation
        self.name = sql.rpartition(".")[2].strip('"')
        self.reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.relation, name)

    def df(self) -> Any:
        """As DuckDB's own."""
        return self.noted(self.relation.df())

    def to_arrow_table(self) -> Any:
        """As DuckDB's own."""
        return self.noted(self.relation.to_arrow_table())

    def noted(self, rows: Any) -> Any:
        """What is handed over, its rows counted."""
        self.reader.handed_over[str(self.reader.model)][self.name] = len(rows)
        return rows


def operators(profile: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operator of a plan."""
    waiting = list(profile["operator"])
    while waiting:
        operator = waiting.pop()
        yield operator
        waiting.extend(operator.get("children", []))


def documented_bounds() -> dict[str, dict[str, int]]:
    """What each Python model may read at any number of participants, from its YAML: rows by relation."""
    return {
        model["name"]: model["config"]["meta"]["max_rows_read"]
        for path in (ROOT / "models").glob("*/_*.yml")
        if path.parent.name not in ("instruments", "providers")  # models that this build does not have
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
        if "max_rows_read" in model.get("config", {}).get("meta", {})
    }


@pytest.fixture(scope="module")
def large_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic export of 100 thousand participants; read only."""
    folder = tmp_path_factory.mktemp("large") / "raw"
    write_demo_export(folder, participants=PARTICIPANTS, seed=11, part_files=3)
    return folder


def watched_run(warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """`dbt run` with every statement profiled into a folder."""
    folder.mkdir()
    with monkeypatch.context() as patch:
        reader = Reader(folder, patch)
        outcome = warehouse.run()
    assert outcome.success, outcome.output
    return reader


# Rows are not stored, so each table's files are read by whatever asks for its columns, and never more often whatever the
# number of rows and files. `repeated_rows` three times: hashes of the keys, keys and moments of those that repeat, whole
# rows where two moments are one. The suites: all rules on rows, repeated keys, what one table says of another, examples.
# Then the volumes, the rules (twice where quarantine and study ask apart), the counts of the candidates' audit, the sessions
# of the cohort for the sensitivity analyses, and the months of the service.
SCANS = {"participants": 11, "who5_assessments": 8, "sessions": 12, "alliance_ratings": 9}


@pytest.mark.builds
def test_a_build_reads_each_file_a_fixed_number_of_times_and_hands_python_no_table(
    warehouse: Warehouse, large_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.raw = large_export
    reader = watched_run(warehouse, tmp_path / "first", monkeypatch)
    scans = reader.scans(large_export)
    assert set(scans) == set(large_export.glob("*/*.parquet"))
    most = {table: max(n for path, n in scans.items() if path.parent.name == table) for table in SCANS}
    assert most == SCANS

    bounds = documented_bounds()
    handed_over = reader.handed_over
    assert {model: set(rows) for model, rows in handed_over.items()} == {
        model: set(rows) for model, rows in bounds.items()
    }
    too_many = [
        (model, relation, rows)
        for model, relations in handed_over.items()
        for relation, rows in relations.items()
        if rows > bounds[model][relation]
    ]
    assert not too_many
    # What a model asks for by itself are aggregates and example keys.
    fetched = reader.fetched()
    assert {"audit_raw", "audit_candidates", "audit_findings"} <= set(fetched)
    assert max(fetched.values()) <= 100, fetched
