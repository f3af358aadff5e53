"""The snapshot of the marts in PostgreSQL: a server of the tests' own, or a word why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from conftest import Warehouse
from test_messages import MARK, OF_THE_STUDY, leaks, plant_moments, run_module

from rapport import postgres

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -r requirements-postgres.lock")


def server_programs() -> Path:
    """The folder of the newest server; skips where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("no PostgreSQL server is installed here (Debian: apt-get install postgresql)")
    return found[-1].parent if found else Path(str(on_path)).parent


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that listens on a socket in a folder of its own; it refuses to run as root."""
    programs = server_programs()
    folder = Path(tempfile.mkdtemp(prefix="rapport-postgres-"))
    as_server = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]

    def run(*command: str) -> None:
        subprocess.run([*as_server, *command], check=True, capture_output=True, cwd=folder)

    data = folder / "data"
    run(str(programs / "initdb"), "--auth=trust", "--username=rapport", "--no-sync", "-D", str(data))
    settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
    try:
        yield f"postgresql://rapport@/postgres?host={folder}"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def engine(address: str) -> Iterator[sa.Engine]:
    """An engine, and a database without our schemas."""
    engine = postgres.engine_of(address)
    with engine.begin() as connection:
        for schema in ("marts", "marts__new", "marts__old"):
            connection.execute(sa.text(f"drop schema if exists {schema} cascade"))
    yield engine
    engine.dispose()


def write_snapshot(path: Path, build: str, rows: int = 3) -> Path:
    """A snapshot with every type, odd texts, nulls and comments."""
    path.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as s")
        connection.execute("create schema s.marts")
        connection.execute(
            "create table s.marts.every_type (name varchar not null, n bigint, step integer, value double, flag boolean,"
            " month date, moment timestamp)"
        )
        connection.execute(
            "insert into s.marts.every_type values ('tab\t, \\N and \"quotes\"', 9007199254740993, 1, 0.1, true,"
            " date '2021-03-01', timestamp '2021-03-01 23:59:59.123456'), ('', null, null, null, null, null, null),"
            " ('患者 ''é', -1, -1, 1e-300, false, date '0001-01-01', timestamp '1900-01-01')"
        )
        connection.execute("comment on table s.marts.every_type is 'It''s 100% of: every type'")
        connection.execute("comment on column s.marts.every_type.n is 'How many: a whole number'")
        connection.execute(
            f"create table s.marts.snapshot as select '{build}' as build_id, range as i from range({rows})"
        )
    return path


def content(engine: sa.Engine, table: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(f"select * from marts.{table} order by 1, 2"))]


def test_tables_rows_types_and_comments_are_those_of_the_snapshot(engine: sa.Engine, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path / "m.duckdb", "b-1")
    assert postgres.serve(path, engine) == ["every_type", "snapshot"]
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as s (read_only)")
        expected = connection.execute("from s.marts.every_type").fetchall()
    assert sorted(content(engine, "every_type"), key=str) == sorted(expected, key=str)
    columns = {column["name"]: column for column in sa.inspect(engine).get_columns("every_type", schema="marts")}
    assert [str(column["type"]) for column in columns.values()] == [
        *("TEXT", "BIGINT", "INTEGER", "DOUBLE PRECISION", "BOOLEAN", "DATE", "TIMESTAMP"),
    ]
    assert [name for name, column in columns.items() if not column["nullable"]] == ["name"]
    assert columns["n"]["comment"] == "How many: a whole number"
    assert sa.inspect(engine).get_table_comment("every_type", schema="marts") == {"text": "It's 100% of: every type"}


def test_a_second_serving_replaces_the_first_and_grants_readers(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("drop role if exists analyst"))
        connection.execute(sa.text("create role analyst"))
    postgres.serve(write_snapshot(tmp_path / "m.duckdb", "b-1"), engine)
    postgres.serve(write_snapshot(tmp_path / "m.duckdb", "b-2", rows=5), engine, ["analyst"])
    assert [row[0] for row in content(engine, "snapshot")] == ["b-2"] * 5
    assert not {"marts__new", "marts__old"} & set(sa.inspect(engine).get_schema_names())
    with engine.begin() as connection:
        connection.execute(sa.text("set role analyst"))
        assert connection.execute(sa.text("select count(*) from marts.every_type")).scalar() == 3
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.execute(sa.text("delete from marts.every_type"))
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema marts cascade"))
        connection.execute(sa.text("drop role analyst"))


def test_a_reader_sees_old_tables_or_new_ones_and_keeps_nobody_waiting(engine: sa.Engine, tmp_path: Path) -> None:
    """While it serves ten times, a reader of both tables never finds them of two builds, nor none."""
    path = tmp_path / "m.duckdb"

    def both(build: int) -> None:
        write_snapshot(path, f"b-{build}")
        with duckdb.connect() as connection:
            connection.execute(f"attach '{path}' as s")
            connection.execute(f"update s.marts.every_type set step = {build}")
        postgres.serve(path, engine)

    both(0)
    seen: list[tuple[int, str]] = []
    is_over = threading.Event()

    def read() -> None:
        query = sa.text("select (select max(step) from marts.every_type), (select max(build_id) from marts.snapshot)")
        with engine.connect() as connection:
            while not is_over.is_set():
                seen.append(tuple(connection.execute(query).one()))  # type: ignore[arg-type]
                connection.rollback()

    reader = threading.Thread(target=read)
    reader.start()
    for build in range(1, 11):
        both(build)
    is_over.set()
    reader.join()
    assert len(set(seen)) > 1
    assert [pair for pair in seen if f"b-{pair[0]}" != pair[1]] == []


def test_what_fails_leaves_the_schema_as_it_was(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.serve(write_snapshot(tmp_path / "m.duckdb", "b-1"), engine)
    with pytest.raises(postgres.ServingError, match=r"schema marts is as it was: .*UndefinedObject, SQLSTATE 42704"):
        postgres.serve(write_snapshot(tmp_path / "n.duckdb", "b-2"), engine, ["nobody of this name"])
    assert {row[0] for row in content(engine, "snapshot")} == {"b-1"}
    # A text that PostgreSQL cannot hold is not in the message.
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'n.duckdb'}' as s")
        connection.execute("update s.marts.every_type set name = 'secret' || chr(0)")
    with pytest.raises(postgres.ServingError) as error:
        postgres.serve(tmp_path / "n.duckdb", engine)
    assert "secret" not in str(error.value)
    assert {row[0] for row in content(engine, "snapshot")} == {"b-1"}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'n.duckdb'}' as s")
        connection.execute("alter table s.marts.every_type add column m map(varchar, bigint)")
    with pytest.raises(postgres.ServingError, match=r"every_type: no type of PostgreSQL is known for m \(MAP"):
        postgres.serve(tmp_path / "n.duckdb", engine)


def test_a_view_of_somebody_else_is_not_dropped(engine: sa.Engine, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path / "m.duckdb", "b-1")
    postgres.serve(path, engine)
    with engine.begin() as connection:
        connection.execute(sa.text("create view public.theirs as select count(*) as n from marts.every_type"))
    with pytest.raises(
        postgres.ServingError, match="schema marts is new, but the old one is still there as marts__old"
    ):
        postgres.serve(write_snapshot(path, "b-2"), engine)
    assert {row[0] for row in content(engine, "snapshot")} == {"b-2"}
    with engine.begin() as connection:
        assert connection.execute(sa.text("select n from public.theirs")).scalar() == 3
        connection.execute(sa.text("drop view public.theirs"))
    postgres.serve(write_snapshot(path, "b-3"), engine)
    assert "marts__old" not in sa.inspect(engine).get_schema_names()


def test_the_command(
    address: str, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAPPORT_MARTS", str(write_snapshot(tmp_path / "m.duckdb", "b-1")))
    monkeypatch.setenv("RAPPORT_POSTGRES", address)
    assert postgres.main([]) == 0
    assert "2 tables of" in capsys.readouterr().out
    assert len(content(engine, "snapshot")) == 3
    for dsn, message in (
        ("", "RAPPORT_POSTGRES is not set"),
        ("no address", "no address of the form"),
        ("mysql://a@b/c", "an address of mysql"),
        ("postgresql://me:secret@127.0.0.1:1/x", "cannot be reached"),
    ):
        monkeypatch.setenv("RAPPORT_POSTGRES", dsn)
        assert postgres.main([]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert "secret" not in said
    monkeypatch.setenv("RAPPORT_POSTGRES", address)
    monkeypatch.setenv("RAPPORT_MARTS", str(tmp_path / "none.duckdb"))
    assert postgres.main([]) == 2
    assert "build first" in capsys.readouterr().err


def test_no_answer_reaches_the_server_or_the_terminal(
    built: Warehouse, address: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked moments of an export, through its build, snapshot and copy: the server's tables and its log have none."""
    monkeypatch.setenv("RAPPORT_MARTS", str(built.target / "marts.duckdb"))
    monkeypatch.setenv("RAPPORT_POSTGRES", address)
    plant_moments(built)
    outcome = built.run("--vars", "{provider_marts: true, serve_providers: true}")
    assert outcome.success, outcome.output
    printed = run_module(built, "rapport.postgres")
    assert "marts.duckdb" in printed
    tables = sa.inspect(engine).get_table_names(schema="marts")
    assert {"table_1", "provider_alliance", "snapshot"} <= set(tables)
    assert leaks(built, outcome.output + printed, besides=OF_THE_STUDY) == []
    with engine.connect() as connection:
        for name in tables:
            found = connection.execute(sa.text(f"select count(*) from marts.{name} as r where r::text like '%{MARK}%'"))
            assert found.scalar() == 0, name
    log = Path(str(sa.make_url(address).query["host"])) / "log"
    assert log.stat().st_size > 0
    assert MARK not in log.read_text(encoding="utf-8")
