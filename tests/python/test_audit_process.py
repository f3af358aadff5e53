"""The audit in a process of its own judges as it does in this one, and its end is no pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rapport import audit_process
from rapport.audit import SuiteError, load_suites
from rapport.audit.suites import judge_folder


def expectation(kind: str, severity: str, rule: str, **arguments: object) -> dict[str, object]:
    return {"type": kind, "kwargs": arguments, "severity": severity, "meta": {"rule": rule}}


EXPECTATIONS = {
    "name": "people",
    "meta": {"schema": "main", "table": "people", "label": "people", "key": "id"},
    "expectations": [
        expectation("expect_table_row_count_to_be_between", "critical", "is not empty", min_value=1),
        expectation("expect_column_values_to_not_be_null", "critical", "age is not null", column="age"),
        expectation(
            "unexpected_rows_expectation",
            "warning",
            "age is at most 100",
            unexpected_rows_query="select id from {batch} where age > 100",
        ),
        expectation("expect_column_values_to_be_unique", "critical", "id is unique", column="id"),
    ],
}


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    (tmp_path / "people.json").write_text(json.dumps(EXPECTATIONS))
    return tmp_path


@pytest.fixture
def people() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "create table people as from (values ('a', 30), ('b', null), ('c', 101), ('c', 20)) as people(id, age)"
        )
        yield connection


@pytest.fixture
def process(suites: Path) -> Iterator[subprocess.Popen[bytes]]:
    audit_process.end()
    audit_process.start([suites])
    assert audit_process._audit is not None
    yield audit_process._audit._process
    audit_process.end()


def test_it_judges_as_this_process_does(
    people: duckdb.DuckDBPyConnection, suites: Path, process: subprocess.Popen[bytes]
) -> None:
    asked = (people, str(suites), ["select * from main.people"], {})
    here = judge_folder(*asked)
    assert [(verdict.rule, verdict.passed, verdict.unexpected, verdict.sample_keys) for verdict, _ in here] == [
        ("is not empty", True, 0, None),
        ("age is not null", False, 1, "b"),
        ("age is at most 100", False, 1, "c"),
        ("id is unique", False, 2, "c"),
    ]
    for _ in range(2):
        assert audit_process.ask(judge_folder, *asked) == here
    assert process.poll() is None


def test_a_suite_that_changed_is_read_anew(
    people: duckdb.DuckDBPyConnection, suites: Path, process: subprocess.Popen[bytes]
) -> None:
    asked = (people, str(suites), ["select * from main.people"], {})
    assert len(audit_process.ask(judge_folder, *asked)) == 4
    shorter = {**EXPECTATIONS, "expectations": EXPECTATIONS["expectations"][:2]}  # type: ignore[index]
    (suites / "people.json").write_text(json.dumps(shorter))
    assert len(audit_process.ask(judge_folder, *asked)) == 2


def test_errors_come_back(people: duckdb.DuckDBPyConnection, suites: Path, process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(SuiteError, match=r"judges main\.people, which this model does not depend on"):
        audit_process.ask(judge_folder, people, str(suites), [], {})
    (suites / "people.json").write_text("{")
    with pytest.raises(SuiteError, match="not JSON"):
        audit_process.ask(judge_folder, people, str(suites), [], {})
    with pytest.raises(SuiteError, match="not JSON"):
        load_suites(suites)


def test_a_query_that_fails_ends_no_transaction(
    people: duckdb.DuckDBPyConnection, suites: Path, process: subprocess.Popen[bytes]
) -> None:
    broken = json.loads(json.dumps(EXPECTATIONS).replace("age > 100", "no_such_column > 100"))
    (suites / "people.json").write_text(json.dumps(broken))
    people.execute("begin; insert into people values ('d', 1)")
    judged = audit_process.ask(judge_folder, people, str(suites), ["select * from main.people"], {})
    [unjudged] = [verdict for verdict, _ in judged if verdict.detail]
    assert (unjudged.rule, unjudged.severity, unjudged.passed) == ("age is at most 100", "critical", False)
    people.execute("commit")
    assert people.execute("select count(*) from people").fetchall() == [(5,)]


def test_the_end_of_the_process_is_an_error(
    people: duckdb.DuckDBPyConnection, suites: Path, process: subprocess.Popen[bytes]
) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGKILL)
    audit = audit_process._audit
    assert audit is not None
    with pytest.raises(audit_process.AuditError, match="ended with code -9"):
        audit.ask("judge_folder", people, (str(suites), [], {}))
    # The next command starts another one.
    audit_process.start([suites])
    assert len(audit_process.ask(judge_folder, people, str(suites), ["select * from main.people"], {})) == 4


def test_it_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from rapport import audit_process; audit_process.start([]);"
        " print(audit_process._audit._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert command.returncode == -signal.SIGKILL
    orphan = Path(f"/proc/{int(command.stdout)}")
    for _ in range(600):
        if not orphan.exists() or "(zombie)" in (orphan / "status").read_text():
            break
        signal.sigtimedwait([], 0.05)
    else:
        pytest.fail("the process of the audit outlives its command")


def test_ctrl_c_is_left_to_the_build() -> None:
    """A terminal sends it to the whole group of processes; the audit goes on until the build ends it."""
    code = (
        "import os, signal; from rapport import audit_process; audit_process.start([]);"
        " signal.signal(signal.SIGINT, signal.SIG_IGN); os.killpg(0, signal.SIGINT);"
        " audit_process._audit._process.wait(0.5)"
    )
    ended = subprocess.run([sys.executable, "-c", code], start_new_session=True, capture_output=True, text=True)
    assert "TimeoutExpired" in ended.stderr
    assert "KeyboardInterrupt" not in ended.stderr
