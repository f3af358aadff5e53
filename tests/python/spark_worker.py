"""A process in which dbt builds on Spark, command after command: one Java machine for many builds.

Reads a command a line from stdin, JSON, and writes an answer a line to the descriptor of its first argument:

- ``{"dbt": ["run", …], "env": {…}}`` → ``{"success": …, "output": …}``
- ``{"sql": "select …"}`` → ``{"columns": …, "rows": …}``, pickled values as base64
- ``{"hive": "alter table …"}`` → ``{}``: a statement of Hive's, for what Spark's SQL does not let anybody write
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(answers: int) -> None:
    with os.fdopen(answers, "w") as channel:
        for line in sys.stdin:
            command = json.loads(line)
            try:
                [kind] = command.keys() & RUN.keys()
                answer = RUN[kind](command)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            channel.write(json.dumps(answer) + "\n")
            channel.flush()


def run_dbt(command: dict[str, Any]) -> dict[str, Any]:
    from dbt.cli.main import dbtRunner

    with changed_environment(command["env"]), tempfile.TemporaryFile() as said, captured(said.fileno()):
        success = dbtRunner().invoke(command["dbt"]).success
        sys.stdout.flush()
        sys.stderr.flush()
        said.seek(0)
        output = said.read().decode()
    return {"success": success, "output": output}


@contextlib.contextmanager
def changed_environment(changes: dict[str, str]) -> Any:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def captured(descriptor: int) -> Any:
    kept = os.dup(1), os.dup(2)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)


def run_sql(command: dict[str, Any]) -> dict[str, Any]:
    from rapport.spark.session import session

    frame = session({}).sql(command["sql"])
    rows = [tuple(row) for row in frame.collect()]
    types = [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]
    return {"columns": types, "rows": base64.b64encode(pickle.dumps(rows)).decode()}


def run_hive(command: dict[str, Any]) -> dict[str, Any]:
    from rapport.spark.session import session

    on_hive(session({}), command["hive"])
    return {}


def on_hive(session: Any, statement: str) -> None:
    """Run a statement of Hive's own, which Spark lets its tests do."""
    system = session._jvm.java.lang.System
    system.setProperty("spark.testing", "true")
    session._jsparkSession.sharedState().externalCatalog().unwrapped().client().runSqlHive(statement)
    system.clearProperty("spark.testing")


RUN = {"dbt": run_dbt, "sql": run_sql, "hive": run_hive}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
    main(int(sys.argv[1]))
