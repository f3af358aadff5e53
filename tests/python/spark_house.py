"""Builds on Spark for tests: a folder of tables, and a process that builds into it."""

from __future__ import annotations

import base64
import json
import os
import pickle
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conftest import MARTS, ROOT, SILENT, Outcome, Warehouse

WORKER = ROOT / "tests" / "python" / "spark_worker.py"
SOON = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
"""Options of Java for a few builds: they wait for its compilers, which a build of an hour gains from."""
LATER = "-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m"
"""For many builds one after another in one process."""
EXTRA = ("outcome_change", "outcome_results", "outcome_fit")
Rows = list[tuple[object, ...]]


class SparkHouse:
    """A folder of tables, and the process that holds it."""

    def __init__(self, folder: Path, java: str = SOON) -> None:
        self.folder = folder
        self.holds = ""
        """What the tests say of the export that was built last."""
        self.marts_file = folder / "marts.duckdb"
        self.warehouse = folder / "warehouse"
        self.target = folder / "target"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]),
            "RAPPORT_SPARK_WAREHOUSE": str(self.warehouse),
            "RAPPORT_SPARK_MASTER": "local[2]",
            "RAPPORT_SPARK_MEMORY": "2g",
            "RAPPORT_MARTS": str(self.marts_file),
            "RAPPORT_LOCK_WAIT": "1",
            "JDK_JAVA_OPTIONS": java,
            "DBT_PROFILES_DIR": str(ROOT),
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin the process; where one runs, nothing happens."""
        if self._process is not None and self._process.poll() is None:
            return
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), str(writing)],
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            text=True,
            cwd=ROOT,
            env=self.environment,
        )
        os.close(writing)
        self._answers = os.fdopen(reading)

    def end(self) -> None:
        """Let the process end, and with it Java; the tables stay."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._answers.close()
        self._process = None

    def kill(self) -> None:
        """Let nothing of the process have an end: neither Python's nor Java's."""
        assert self._process is not None
        for pid in [*children(self._process.pid), self._process.pid]:
            os.kill(pid, 9)
        self._process.wait()
        self._process = None

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._answers.readline()
        assert line, "the process of the builds has ended"
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def dbt(self, raw: Path, *arguments: str, raw_format: str = "parquet", **environment: str) -> Outcome:
        """Run a command of dbt on an export."""
        answer = self._ask(
            {
                "dbt": [
                    *("--no-use-colors", *SILENT, *arguments, "--target", "spark", "--project-dir", str(ROOT)),
                    *("--target-path", str(self.target), "--log-path", str(self.target / "logs")),
                ],
                "env": {"RAPPORT_RAW": str(raw), "RAPPORT_RAW_FORMAT": raw_format, **environment},
            }
        )
        return Outcome(answer["success"], answer["output"])

    def query(self, sql: str) -> Rows:
        """The rows of a query."""
        return self.described(sql)[1]

    def described(self, sql: str) -> tuple[list[str], Rows]:
        """Names of the columns, and the rows of a query."""
        answer = self._ask({"sql": sql})
        return [name for name, _ in answer["columns"]], pickle.loads(base64.b64decode(answer["rows"]))

    def hive(self, statement: str) -> None:
        """Run a statement of Hive's own on the metastore."""
        self._ask({"hive": statement})

    def marts(self, names: Iterable[str] = MARTS) -> dict[str, tuple[list[str], Counter[str]]]:
        """Every published table to the last bit."""
        return {name: to_the_last_bit(*self.described(f"select * from marts.{name}")) for name in names}


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def to_the_last_bit(columns: Sequence[str], rows: Rows) -> tuple[list[str], Counter[str]]:
    """The columns and the rows of a table, in no order; of a number with all its bits."""
    return list(columns), Counter("|".join(exact(value) for value in row) for row in rows)


def exact(value: object) -> str:
    """A value with its type, of a floating-point number every bit."""
    if isinstance(value, float):
        return f"float {struct.pack('>d', value).hex()} ({value!r})"
    return f"{type(value).__name__} {value!r}"


def marts_on_duckdb(warehouse: Warehouse, names: Iterable[str] = MARTS) -> dict[str, tuple[list[str], Counter[str]]]:
    """Every published table of a build on DuckDB to the last bit."""
    found = {}
    for name in names:
        columns = [str(row[0]) for row in warehouse.query(f"describe marts.{name}")]
        found[name] = to_the_last_bit(columns, warehouse.query(f"select * from marts.{name}"))
    return found


def differences(
    spark: dict[str, tuple[list[str], Counter[str]]], duckdb: dict[str, tuple[list[str], Counter[str]]]
) -> list[str]:
    """What one engine's marts have and the other's have not, the first rows of each table."""
    said = []
    for name, (columns, rows) in duckdb.items():
        if spark[name][0] != columns:
            said.append(f"{name}: columns {spark[name][0]}, on DuckDB {columns}")
        for engine, more in (("spark", spark[name][1] - rows), ("duckdb", rows - spark[name][1])):
            said += [f"{name}: only on {engine}: {row}" for row in sorted(more)[:3]]
            if len(more) > 3:
                said.append(f"{name}: and {len(more) - 3} rows more only on {engine}")
    return said
