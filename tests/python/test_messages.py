"""No answer stands in a message: marked answers in every column but keys, through every kind of fault and every command.

The mark is a part of each planted answer, whatever its type. After each command the terminal, dbt's log, everything in
``target`` and every table of the database are searched for it; what a person may see of their own row is its key.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import ROOT, Warehouse, let_go, linked_project
from test_bad_exports import CSV_BUILDS, FILE_BUILDS, KEYS, ROW_FAULTS, SECOND_FAULTS, csv_copy, given_keys

from rapport.audit.verdict import Verdict, verdict_table
from rapport.engine_errors import clean_text, describe_failure
from rapport.refresh import OF_THE_PROJECT

MARK = "391739"
TEXT, NUMBER, MOMENT = f"answer-{MARK}", f"7{MARK}", f"2021-03-04 05:06:07.{MARK}"
STEERING = "\x1b]0;owned\x07\x1b[31m\u202e"
"""What sets the title of a terminal, colours it and turns the direction of writing."""


def answers(table: str) -> dict[str, str]:
    """Declared type of every column of a table that is no key."""
    import yaml

    sources = yaml.safe_load((ROOT / "models/raw/_raw__sources.yml").read_text(encoding="utf-8"))["sources"][0]
    columns = next(found["columns"] for found in sources["tables"] if found["name"] == table)
    return {column["name"]: column["data_type"] for column in columns if not column["name"].endswith("_id")}


def plant(warehouse: Warehouse, keys: dict[str, list[str]]) -> None:
    """Put marked answers of the declared types into the rows of some keys."""
    for table, given in keys.items():
        among = f"{KEYS[table]} in ({', '.join(map(repr, given))})"
        literal = {"varchar": f"'{TEXT}'", "integer": NUMBER, "timestamp": f"timestamp '{MOMENT}'"}
        planted = [
            f"case when {among} then {literal[type_]} else {column} end as {column}"
            for column, type_ in answers(table).items()
            if type_ in literal
        ]
        warehouse.rewrite(table, f"select * replace ({', '.join(planted)}) from rows")


def plant_moments(warehouse: Warehouse) -> None:
    """Put marked moments that keep every rule into some rows."""
    keys = some_keys(warehouse)
    for table, column in {"participants": "registered_at", "sessions": "started_at"}.items():
        among = f"{KEYS[table]} in ({', '.join(map(repr, keys[table]))})"
        warehouse.spoil(table, column, f"{column}::date + time '05:06:07.{MARK}'", among)


def plant_in_text(warehouse: Warehouse, rows: int = 3) -> None:
    """Put marked text into every column but keys of some rows of each CSV file."""
    for table in KEYS:
        for path in (warehouse.raw / table).glob("*.csv"):
            lines = path.read_text(encoding="utf-8").splitlines()
            names = lines[0].split(",")
            for number in range(1, 1 + rows):
                fields = lines[number].split(",")
                lines[number] = ",".join(
                    TEXT if name in answers(table) else field for name, field in zip(names, fields, strict=True)
                )
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def some_keys(warehouse: Warehouse) -> dict[str, list[str]]:
    """The last keys of each table: the faults of the suite take the first."""
    keys = {}
    with duckdb.connect() as connection:
        for table, key in KEYS.items():
            rows = connection.execute(
                f"select distinct {key} from '{warehouse.raw}/{table}/*.parquet' order by {key} desc limit 3"
            ).fetchall()
            keys[table] = [str(row[0]) for row in rows]
    return keys


OF_THE_STUDY = ("rules", "candidates", "statistics", "inference")
"""Schemas whose tables are there to hold what was answered."""


def leaks(warehouse: Warehouse, output: str, besides: tuple[str, ...] = ()) -> list[str]:
    """Where the mark is found. ``besides``: schemas that are not searched."""
    let_go(warehouse.db)
    found = [f"terminal: {line}" for line in output.splitlines() if MARK in line]
    for path in warehouse.target.rglob("*"):
        # What dbt compiles is the project's own SQL.
        if path.is_file() and MARK.encode() in path.read_bytes():
            found.append(str(path.relative_to(warehouse.target)))
    with duckdb.connect(str(warehouse.db), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, name in tables:
            if schema in besides:
                continue
            found += [
                f"{schema}.{name}: {row[0][:200]}"
                for row in connection.execute(
                    f'select r::varchar from "{schema}"."{name}" as r where contains(r::varchar, \'{MARK}\')'
                ).fetchall()
            ]
        views = connection.execute("select sql from duckdb_views() where not internal").fetchall()
        found += [str(sql) for (sql,) in views if MARK in sql]
    return found


@pytest.fixture
def logged(built: Warehouse) -> Iterator[Warehouse]:
    """A warehouse whose commands write all that they write outside of tests, and nothing of earlier ones."""
    for path in built.target.rglob("*"):
        if path.is_file() and (path.name in ("run_results.json", "sources.json") or path.parent.name == "logs"):
            path.unlink()
    built.is_logged = True
    return built


def run_module(warehouse: Warehouse, *arguments: str, folder: Path = ROOT) -> str:
    """What a command of the project prints that is started in a folder."""
    environment = {
        **os.environ,
        "RAPPORT_RAW": str(warehouse.raw),
        "RAPPORT_RAW_FORMAT": warehouse.raw_format,
        "RAPPORT_DB": str(warehouse.db),
        "RAPPORT_LOCK_WAIT": "5",
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    return done.stdout + done.stderr


AFTER_A_BUILD = (
    ("rapport.contracts", "diff"),
    ("rapport.contracts", "check", "--all"),
    ("rapport.contracts", "copy-marts", "--out", "{folder}/copy.duckdb"),
    ("rapport.release", "--out", "{folder}/release"),
    ("rapport.report", "--release", "{folder}/release", "--out", "{folder}/page.html"),
    ("rapport.release", "--out", "{folder}/by-provider", "--providers"),
    ("rapport.report", "--release", "{folder}/by-provider", "--out", "{folder}/by-provider.html", "--providers"),
    ("rapport.studies", "--all"),
    ("rapport.postgres",),
    ("rapport.refresh", "--programs", "{folder}/programs"),
)
"""Every module that a target of the Makefile runs on an export or on its warehouse.

There is no server here: a copy to PostgreSQL is searched in test_postgres.py, MetricFlow in test_semantic.py, the changes
of docs/adapt.md in test_adapt.py.
"""
NO_EXPORT = {
    *("reproduction.twin", "reproduction.consistency", "benchmarks", "benchmarks.report", "benchmarks.spark"),
    *("pip", "venv"),
}
"""What others run: they make an export of invented people of their own, or install something."""


def test_every_module_of_the_makefile_is_searched() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    run = set(re.findall(r"python3? -m ([\w.]+)", makefile)) | set(re.findall(r"\$\(PYTHON\) -m ([\w.]+)", makefile))
    assert len(run) > 8
    assert run == {command[0] for command in AFTER_A_BUILD} | NO_EXPORT
    dbts = set(re.findall(r"\$\(BIN\)/dbt (?:--[\w-]+ (?:warn )?)*(\w+)", makefile))
    assert dbts == {"build", "source", "docs", "show"}, (
        "run by the tests of this module, but for what is only printed: show"
    )


def after_a_build(warehouse: Warehouse, folder: Path) -> str:
    """What all commands print that come after a build, and what the refresh writes of it.

    The steps of the refresh are commands of their own; here they do nothing. There is no server to copy the snapshot to.
    """
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for name in ("dbt", "python"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    output = ""
    project = linked_project(folder / "project")
    for command in AFTER_A_BUILD:
        printed = run_module(warehouse, *(part.format(folder=folder) for part in command), folder=project)
        assert "Traceback" not in printed, printed
        output += printed
    assert "rapport.refresh: done" in output or "refresh 4/4 report: done" in output, output
    return output + (project / OF_THE_PROJECT.summary).read_text(encoding="utf-8")


@pytest.mark.builds
@pytest.mark.parametrize("on_bad_rows", ["stop", "quarantine"])
def test_rows_that_break_every_rule(
    logged: Warehouse, on_bad_rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_MARTS", str(logged.target / "marts.duckdb"))
    keys = some_keys(logged)
    faults = [fault for name, fault in ROW_FAULTS.items() if name not in SECOND_FAULTS]
    for fault, given in zip(faults, given_keys(logged, faults), strict=True):
        fault.spoil(logged, given)
    plant(logged, keys)
    outcome = logged.run("--vars", f"{{on_bad_rows: {on_bad_rows}, max_quarantined_share: 1}}")
    if on_bad_rows == "stop":
        assert "participants: sex is female or male" in outcome.output, outcome.output
    output = outcome.output + after_a_build(logged, tmp_path / "after")
    assert leaks(logged, output) == []


@pytest.mark.builds
def test_answers_that_are_valid(logged: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments and minutes keep every rule; then every command that comes after a build, and what it writes."""
    monkeypatch.setenv("RAPPORT_MARTS", str(logged.target / "marts.duckdb"))
    plant_moments(logged)
    outcome = logged.run("--vars", "{provider_marts: true, serve_providers: true}")
    assert outcome.success, outcome.output
    output = outcome.output + logged.dbt("source", "freshness").output
    docs = logged.dbt("docs", "generate", "--static")
    assert docs.success, docs.output
    output += docs.output
    output += after_a_build(logged, tmp_path / "after")
    assert (logged.target / "marts.duckdb").exists(), "the snapshot is searched with the target"
    assert leaks(logged, output, besides=OF_THE_STUDY) == []
    written = [path for path in (tmp_path / "after").rglob("*") if path.is_file()]
    expected = {"page.html", "copy.duckdb", "manifest.json", "by-provider.html", "provider_alliance.csv"}
    assert expected <= {path.name for path in written}
    assert [path.name for path in written if MARK.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("case", [name for name in FILE_BUILDS if name != "no export"])
def test_files_that_break_the_contract(logged: Warehouse, case: str) -> None:
    plant(logged, some_keys(logged))
    for fault in FILE_BUILDS[case].values():
        fault.spoil(logged)
    outcome = logged.run()
    assert not outcome.success
    assert leaks(logged, outcome.output) == []


@pytest.mark.builds
@pytest.mark.parametrize("case", CSV_BUILDS)
def test_csv_that_breaks_the_contract(logged: Warehouse, case: str) -> None:
    """Then the check of the contract and the freshness of the same export."""
    csv_copy(logged)
    plant_in_text(logged)
    for fault in CSV_BUILDS[case].values():
        fault.spoil(logged)
    outcome = logged.run()
    assert not outcome.success
    output = (
        outcome.output + logged.dbt("source", "freshness").output + run_module(logged, "rapport.contracts", "check")
    )
    assert "the export cannot be read, so its age is not known" in output
    assert leaks(logged, output) == []


@pytest.mark.builds
def test_a_file_without_a_header(logged: Warehouse) -> None:
    """Its first row has answers where names belong: as CSV, and as the Parquet that a tool made of it."""
    sessions = logged.raw / "sessions"
    row = {"S-late": ["S-late"], TEXT: [TEXT], MOMENT: [MOMENT], NUMBER: [NUMBER]}
    pd.DataFrame(row).to_parquet(sessions / "part-late.parquet")
    outcome = logged.run()
    assert not outcome.success
    assert (
        "sessions: column session_id is in every part file (1 failing), for example part-late.parquet" in outcome.output
    )
    assert "part-late.parquet holds 4 columns of other names" in outcome.output
    output = outcome.output
    (sessions / "part-late.parquet").unlink()
    csv_copy(logged)
    for table in KEYS:
        first = sorted((logged.raw / table).glob("*.csv"))[0]
        rest = first.read_text(encoding="utf-8").splitlines()[1:]
        marked = ",".join(["P1", TEXT, MOMENT, NUMBER, *["x"] * 9][: rest[0].count(",") + 1])
        first.write_text("\n".join([marked, *rest]) + "\n", encoding="utf-8")
    outcome = logged.run()
    assert not outcome.success
    assert "its first row has 7 fields and none of the declared names: has the file a header?" in outcome.output
    output += (
        outcome.output + logged.dbt("source", "freshness").output + run_module(logged, "rapport.contracts", "check")
    )
    assert leaks(logged, output) == []


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(sex as integer) from {{ source('raw', 'participants') }}",
        "select strptime(sex, '%Y') from {{ source('raw', 'participants') }}",
        "select max(cast(duration_minutes as utinyint)) as longest from {{ source('raw', 'sessions') }}",
        "select error(sex) from {{ source('raw', 'participants') }}",
    ],
)
def test_an_error_of_the_engine_quotes_no_value(logged: Warehouse, sql: str) -> None:
    plant(logged, some_keys(logged))
    assert not logged.run().success
    outcome = logged.dbt("show", "--inline", sql)
    assert not outcome.success
    assert "Error" in outcome.output
    assert leaks(logged, outcome.output) == []


@pytest.mark.parametrize("kind", ["engine", "value", "own"])
def test_a_python_model_that_fails_quotes_no_value(
    logged: Warehouse, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    import rapport.audit
    from rapport.audit.suites import SuiteError

    def fail(connection: duckdb.DuckDBPyConnection, *_: object) -> None:
        match kind:
            case "engine":
                connection.sql(f"select cast('{TEXT}' as integer)").fetchall()
            case "value":
                float(TEXT)
            case _:
                raise SuiteError("the suites are not what they were")

    monkeypatch.setattr(rapport.audit, "judge_rows", fail)
    outcome = logged.run()
    assert not outcome.success
    expected = {
        "engine": "Python model failed: ConversionException: Conversion Error: Could not convert string …",
        "value": "Python model failed: ValueError: could not convert string to float …",
        "own": "Python model failed: SuiteError: the suites are not what they were",
    }
    assert expected[kind] in outcome.output
    assert ("test_messages.py" in outcome.output) == (kind == "value"), "where another's error arose is said"
    assert leaks(logged, outcome.output) == []


def test_what_is_kept_of_an_error() -> None:
    """Paths and sizes, this project's own words; nothing that a row may have given."""
    kept = (
        duckdb.IOException('IO Error: Could not write file "/data/x.duckdb": No space left on device'),
        duckdb.InvalidInputException("Invalid Input Error: gate raw is closed\n  sessions: P1, P2"),
        duckdb.InvalidInputException("Invalid Input Error: table_1: a column that its contract calls not null is null"),
        OSError(28, "No space left on device", "/data/x.duckdb"),
    )
    assert [clean_text(error) for error in kept] == [str(error) for error in kept]
    cut = {
        duckdb.ConversionException(
            f"Conversion Error: Could not convert string '{TEXT}' to INT32"
        ): "Could not convert string",
        duckdb.InvalidInputException(f"Invalid Input Error: {TEXT}"): "Invalid Input Error",
        duckdb.ConstraintException(f'Constraint Error: Duplicate key "x: {TEXT}"'): "Duplicate key",
        ValueError(f"could not convert string to float: '{TEXT}'"): "could not convert string to float",
        KeyError(TEXT): "",
    }
    for error, begins in cut.items():
        assert begins in describe_failure(error)
        assert MARK not in describe_failure(error)


def test_every_error_of_our_sql_is_kept() -> None:
    """What the project's SQL raises begins as its own messages do, else it would be cut."""
    from rapport.engine_errors import RAISED_HERE

    calls = [
        text.split("raise_error(", maxsplit=1)[1].lstrip().lstrip("\"'~ ")
        for path in [*(ROOT / "macros").rglob("*.sql"), *(ROOT / "models").rglob("*.sql")]
        if path.name != "expressions.sql"
        for text in path.read_text(encoding="utf-8").split("{{ ")
        if text.startswith("raise_error(")
    ]
    assert len(calls) == 4
    for call in calls:
        message = call.replace('" ~ layer ~ "', "raw").replace('this.identifier ~ "', "table_1")
        assert RAISED_HERE.match(f"Invalid Input Error: {message}"), call


# --- Names that steer a terminal ---


@pytest.mark.builds
def test_no_name_steers_the_terminal(logged: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, keys, columns, folders and settings; a name in any script stays as it is."""
    sessions = logged.raw / "sessions"
    (sessions / f"part-患者{STEERING}.parquet").write_bytes(b"no parquet")
    (logged.raw / f"session{STEERING}").mkdir()
    logged.rewrite("who5_assessments", f'select * rename (assessment_id as "assessment_id{STEERING}") from rows')
    outcome = logged.run()
    assert not outcome.success
    assert "part-患者\\x1b]0;owned\\x07\\x1b[31m\\u202e.parquet" in outcome.output
    assert "holds assessment_id\\x1b]0;owned" in outcome.output
    output = outcome.output + run_module(logged, "rapport.contracts", "check")
    assert "session\\x1b]0;owned" in output

    (sessions / f"part-患者{STEERING}.parquet").unlink()
    (logged.raw / f"session{STEERING}").rmdir()
    logged.rewrite("who5_assessments", f'select * rename ("assessment_id{STEERING}" as assessment_id) from rows')
    key = f"'José-患者{STEERING}' || participant_id"
    logged.add_part("participants", f"select * replace ({key} as participant_id, 130 as age_years) from rows limit 1")
    outcome = logged.run()
    assert "José-患者\\x1b]0;owned" in outcome.output
    output += outcome.output + run_module(logged, "rapport.contracts", "check")

    logged.raw = tmp_path / f"raw{STEERING}"
    outcome = logged.run()
    assert "raw\\x1b]0;owned" in outcome.output
    output += outcome.output + run_module(logged, "rapport.contracts", "check")
    monkeypatch.setenv("RAPPORT_RAW_FORMAT", f"csv{STEERING}")
    logged.raw_format = f"csv{STEERING}"
    output += logged.run().output + run_module(logged, "rapport.contracts", "check")
    text = (logged.target / "logs" / "dbt.log").read_text(encoding="utf-8")
    for written in (output, text):
        assert not [line for line in written.split("\n") if any(mark in line for mark in "\x1b\x07\u202e")]


@pytest.mark.builds
def test_a_database_whose_name_steers_the_terminal(tmp_path: Path) -> None:
    environment = {**os.environ, "RAPPORT_DB": str(tmp_path / f"x{STEERING}" / f"no{STEERING}.duckdb")}
    for arguments in (
        ("rapport.release",),
        ("rapport.export",),
        ("rapport.report", "--release", str(tmp_path / f"x{STEERING}")),
        ("rapport.contracts", "copy-marts", "--out", str(tmp_path / "copy.duckdb")),
        ("rapport.contracts", "check", "--raw", str(tmp_path / f"x{STEERING}")),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
        )
        assert done.returncode != 0
        printed = done.stdout + done.stderr
        assert "x\\x1b]0;owned" in printed
        assert not any(mark in printed for mark in "\x1b\x07\u202e")


def test_dbts_own_colours_stay() -> None:
    from dbt_rapport import escaped_lines

    green = "\x1b[32mOK\x1b[0m"
    assert escaped_lines(f"{green} a\x1b[2Jb\n\tc", True) == f"{green} a\\x1b[2Jb\n\tc"
    assert escaped_lines(f"{green} a\r", False) == "\\x1b[32mOK\\x1b[0m a\\r"


def test_a_verdict_is_escaped_wherever_it_comes_from() -> None:
    verdict = Verdict(f"t{STEERING}", f"r{STEERING}", "info", True, "x", sample_keys=f"k{STEERING}", detail="é患者\x9b")
    [row] = verdict_table([verdict], "b", "l").to_pylist()
    assert row["detail"] == "é患者\\x9b"
    assert not any(mark in str(list(row.values())) for mark in "\x1b\x07\u202e")


def test_a_suite_shows_no_column_but_that_of_column_names(tmp_path: Path) -> None:
    """A rule whose examples are places shows the content of its column beside them."""
    import json

    from rapport.audit.suites import SuiteError, load_suites

    suite = json.loads((ROOT / "expectations/raw/sessions.json").read_text(encoding="utf-8"))
    for expectation in suite["expectations"]:
        if expectation.get("kwargs", {}).get("column") == "duration_minutes" or "status" in expectation["meta"]["rule"]:
            expectation["meta"]["example"] = "place"
    (tmp_path / "sessions.json").write_text(json.dumps(suite), encoding="utf-8")
    with pytest.raises(SuiteError, match=r"meta\.example is for column unreadable"):
        load_suites(tmp_path)


def test_freshness_shows_nothing_that_the_engine_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file holds is judged before the engine stumbles over it; if it does all the same, its words are not shown."""
    from argparse import Namespace

    from dbt_common.exceptions import DbtRuntimeError

    from rapport import duckdb_plugin

    def stumble(*_: object, **__: object) -> None:
        raise duckdb.ConversionException(f"Conversion Error: Could not convert string '{TEXT}' to INT32")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("rapport.reading.warehouse.read_into_warehouse", stumble)
    monkeypatch.setattr(duckdb_plugin, "get_flags", lambda: Namespace(VARS={}))
    monkeypatch.setattr(duckdb_plugin, "get_invocation_id", lambda: "a build")
    with duckdb.connect() as connection, pytest.raises(DbtRuntimeError) as caught:
        duckdb_plugin.read_for_freshness(connection)
    assert "its age is not known: Conversion Error: Could not convert string" in str(caught.value)
    assert MARK not in str(caught.value)
