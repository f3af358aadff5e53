"""The snapshot of the marts: what it holds, who may read it, and that it is old or new whatever happens to a build."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import stat
from functools import partial
from pathlib import Path

import duckdb
import faults
import pytest
from conftest import MARTS, ROOT, Warehouse
from faults import Site

from rapport.contracts.project import read_project
from rapport.snapshot import SnapshotError, aside, put_in_place, settle, snapshot_of

ROWS_OF_PEOPLE = {"eligibility", "participant_alliance", "who5_change", "analysis_cohort"}


def snapshot(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a snapshot as a BI tool does, in a process that holds nothing else."""
    connection = duckdb.connect()
    connection.execute(f"attach '{faults.literal(path)}' as served (read_only)")
    connection.execute("use served")
    return connection


def build_of(path: Path) -> str:
    with snapshot(path) as connection:
        return str(connection.execute("select build_id from marts.snapshot").fetchall()[0][0])


def tables_of(path: Path) -> set[str]:
    with snapshot(path) as connection:
        return {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}


# --- What it holds


@pytest.fixture
def served(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the snapshot of the test's builds is."""
    path = tmp_path / "folder of marts" / "it's.duckdb"
    monkeypatch.setenv("RAPPORT_MARTS", str(path))
    return path


def test_it_is_the_marts_with_types_comments_and_version(warehouse: Warehouse, served: Path) -> None:
    outcome = warehouse.run()
    assert outcome.success, outcome.output
    assert tables_of(served) == {*MARTS, "snapshot"} - ROWS_OF_PEOPLE
    described = "select column_name, data_type, comment from duckdb_columns() where schema_name = 'marts'"
    with snapshot(served) as connection:
        for name in set(MARTS) - ROWS_OF_PEOPLE:
            assert connection.execute(f"from marts.{name} order by all").fetchall() == warehouse.query(
                f"from marts.{name} order by all"
            ), name
            assert connection.execute(
                f"{described} and table_name = '{name}' order by column_index"
            ).fetchall() == warehouse.query(f"{described} and table_name = '{name}' order by column_index")
        [(comment,)] = connection.execute("select comment from duckdb_tables() where table_name = 'table_1'").fetchall()
        assert [(comment,)] == warehouse.query(
            "select comment from duckdb_views() where view_name = 'table_1' and schema_name = 'marts'"
        )
        [(version, build, number, synthetic)] = connection.execute(
            "select contract_version, build_id, build_number, is_synthetic from marts.snapshot"
        ).fetchall()
        not_null = connection.execute(
            "select is_nullable from duckdb_columns() where table_name = 'table_1' and column_name = 'variable'"
        ).fetchall()
    assert version == read_project(ROOT).version
    assert [(build, number)] == warehouse.query(
        "select build_id, build_number from ops.builds where status = 'published'"
    )
    assert synthetic is True
    assert not_null == [(False,)]
    assert stat.S_IMODE(served.stat().st_mode) == 0o600
    assert [path.name for path in served.parent.iterdir()] == [served.name]


@pytest.mark.parametrize("name", ["marts", "klinik-marts"])
def test_the_pages_way_to_read_it_fits_every_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In three lines of Python, and opened as the main database, where only one of two names is that of a table."""
    monkeypatch.chdir(tmp_path)
    path = Path(f"warehouse/{name}.duckdb")
    path.parent.mkdir()
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'create schema "{name}".marts')
        connection.execute(f'create table "{name}".marts.table_1 as select 20201 as seen')
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(lines.replace("warehouse/marts.duckdb", str(path)), {})
    assert "20201" in capsys.readouterr().out
    works, fails = {"marts": ("marts.marts", "marts"), "klinik-marts": ("marts", "marts.marts")}[name]
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute(f"select seen from {works}.table_1").fetchall() == [(20201,)]
        with pytest.raises((duckdb.BinderException, duckdb.CatalogException)):
            connection.execute(f"select seen from {fails}.table_1")


@pytest.mark.builds
def test_named_marts_and_rows_of_people(warehouse: Warehouse, served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPPORT_FILE_MODE", "0640")
    named = "{served_marts: [table_1, who5_change], serve_participants: true}"
    outcome = warehouse.run("--vars", named)
    assert outcome.success, outcome.output
    assert tables_of(served) == {"table_1", "who5_change", "snapshot"}
    assert stat.S_IMODE(served.stat().st_mode) == 0o640
    before = served.read_bytes()
    # Rows of people that are named without leave, and what is no mart, stop a build; the old snapshot stays.
    refused = warehouse.run("--vars", "{served_marts: [who5_change]}")
    assert not refused.success
    assert "var served_marts names who5_change, which has a row per participant" in refused.output
    unknown = warehouse.run("--vars", "{served_marts: [table_2]}")
    assert not unknown.success
    assert "var served_marts names table_2, which is no mart; the marts are alliance_distribution," in unknown.output
    assert served.read_bytes() == before
    assert [path.name for path in served.parent.iterdir()] == [served.name]


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAPPORT_MARTS", raising=False)
    assert snapshot_of(Path("warehouse/rapport.duckdb")) == Path.cwd() / "warehouse" / "marts.duckdb"
    monkeypatch.setenv("RAPPORT_MARTS", str(tmp_path / "m.duckdb"))
    assert snapshot_of(Path("warehouse/rapport.duckdb")) == tmp_path / "m.duckdb"
    monkeypatch.setenv("RAPPORT_MARTS", "")
    assert snapshot_of(Path("warehouse/rapport.duckdb")) is None
    monkeypatch.setenv("RAPPORT_MARTS", str(tmp_path / "x.duckdb"))
    with pytest.raises(SnapshotError, match="is the database itself"):
        snapshot_of(tmp_path / "x.duckdb")


def test_what_a_killed_build_left_is_finished_or_removed(tmp_path: Path) -> None:
    place, database = tmp_path / "marts.duckdb", tmp_path / "rapport.duckdb"
    place.write_text("old")
    other = aside(place, tmp_path / "other.duckdb", "b-9")
    for build in ("b-1", "b-2", "b-3"):
        aside(place, database, build).write_text(build)
    aside(place, database, "b-1").with_name(aside(place, database, "b-1").name + ".wal").touch()
    other.touch()
    settle(place, database, "b-2")
    assert place.read_text() == "b-2"
    assert sorted(tmp_path.iterdir()) == sorted([place, other]), "files of another database's builds are not ours"
    # A file with a log was not written to its end, even if its build was published.
    aside(place, database, "b-4").write_text("half")
    aside(place, database, "b-4").with_name(aside(place, database, "b-4").name + ".wal").touch()
    settle(place, database, "b-4")
    assert place.read_text() == "b-2"
    assert sorted(tmp_path.iterdir()) == sorted([place, other])
    with pytest.raises(SnapshotError, match="cannot be put in place: No such file"):
        put_in_place(place, database, "b-5")


# --- Readers, kills, full disks


@pytest.fixture(scope="module")
def base(small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A built warehouse with its snapshot, to be copied."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "warehouse").mkdir()
    site = Site(folder / "raw", folder / "warehouse" / "rapport.duckdb", folder / "target")
    faults.restore(site, small_export)
    outcome = site.run()
    assert outcome.code == 0, outcome.output
    duckdb.connect(str(site.db)).close()
    shutil.copytree(site.db.parent, folder / "good")
    return site


@pytest.fixture
def site(base: Site, small_export: Path) -> Site:
    shutil.rmtree(base.db.parent)
    shutil.copytree(base.db.parent.with_name("good"), base.db.parent)
    faults.restore(base, small_export)
    return base


def place_of(site: Site) -> Path:
    return site.db.with_name("marts.duckdb")


def published(site: Site) -> str:
    [(build,)] = site.query("select any_value(build_id) from audit.publish")
    return str(build)


@pytest.mark.builds
def test_a_reader_holds_it_open_through_two_builds(site: Site) -> None:
    """It reads the old marts on and on, no build waits for it, and the next to open finds the new ones."""
    first = published(site)
    with snapshot(place_of(site)) as reader:
        before = reader.execute("from marts.eligibility_flow order by step").fetchall()
        for seed in (2, 15):  # participants of these deliveries are minors
            faults.deliver(site, random.Random(seed))
            # A build that had to wait would give up at once.
            outcome = site.run(lock_wait=0)
            assert outcome.code == 0, outcome.output
            assert reader.execute("from marts.eligibility_flow order by step").fetchall() == before
            assert reader.execute("select build_id from marts.snapshot").fetchall() == [(first,)]
            assert build_of(place_of(site)) == published(site) != first
            with snapshot(place_of(site)) as later:
                after = later.execute("from marts.eligibility_flow order by step").fetchall()
            assert after == site.query("from marts.eligibility_flow order by step") != before


def killed_at(text: str, is_after: bool) -> None:
    """In a build's process: SIGKILL before or after the statement, or the function, that a step is known by."""
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    import rapport.snapshot

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if text == "rename":
        rename = Path.replace

        def replace(self: Path, target: Path) -> Path:
            if target.name == "marts.duckdb":
                if is_after:
                    rename(self, target)
                kill()
            return rename(self, target)

        Path.replace = replace  # type: ignore[assignment,method-assign]
        assert rapport.snapshot.NAME == "marts.duckdb"
        return
    execute = DuckDBCursorWrapper.execute

    def watched(self: object, sql: str, bindings: object = None) -> object:
        is_step = text in sql
        if is_step and not is_after:
            kill()
        result = execute(self, sql, bindings)  # type: ignore[arg-type]
        if is_step:
            kill()
        return result

    DuckDBCursorWrapper.execute = watched  # type: ignore[method-assign,assignment]


STEPS = {
    "the file is made": ("as snapshot (storage_version", True),
    "its tables are written and not committed": ("create schema snapshot.marts", True),
    "it is committed and not closed": ("detach snapshot", False),
    "it is whole and nothing is published": ("detach snapshot", True),
    "the publication is not committed": ("create schema if not exists marts;", True),
    "the marts are published": ("rename", False),
    "the snapshot is in its place": ("rename", True),
}
WHEN: dict[str, pytest.MarkDecorator | tuple[()]] = {
    "the marts are published": (),
    "it is committed and not closed": pytest.mark.builds,
}
"""The other kills take longer: `make faults`."""


@pytest.mark.parametrize("step", [pytest.param(step, marks=WHEN.get(step, pytest.mark.long)) for step in STEPS])
def test_a_build_killed_at_a_step_leaves_the_old_snapshot_or_the_new_one(site: Site, step: str) -> None:
    before = published(site)
    faults.deliver(site, random.Random(3))
    outcome = site.run(hook=partial(killed_at, *STEPS[step]))
    assert outcome.code == -signal.SIGKILL, outcome.output
    is_published = published(site) != before
    assert is_published == (step in ("the marts are published", "the snapshot is in its place"))
    is_new = build_of(place_of(site)) != before
    assert is_new == (step == "the snapshot is in its place")
    with snapshot(place_of(site)) as reader:
        flow = reader.execute("from marts.eligibility_flow order by step").fetchall()
    if is_new == is_published:
        assert flow == site.query("from marts.eligibility_flow order by step")
    # The next command that writes finishes what was published, and removes what was not.
    settled = site.run("--select", "build")
    assert settled.code == 0, settled.output
    assert build_of(place_of(site)) == published(site)
    assert [path.name for path in site.db.parent.iterdir() if path.name.startswith(".marts")] == []


def serve_from(folder: Path) -> None:
    os.environ["RAPPORT_MARTS"] = str(folder / "marts.duckdb")


@pytest.mark.builds
def test_a_full_disk_keeps_marts_and_snapshot_as_they_were(site: Site, tmp_path: Path) -> None:
    before = site.state()
    faults.deliver(site, random.Random(4))
    with faults.mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=400k", "tmpfs") as reason:
        if reason:
            pytest.skip(f"no small disk can be had here: {reason}")
        shutil.copy(place_of(site), tmp_path / "kept.duckdb")
        outcome = site.run(hook=partial(serve_from, tmp_path / "small"))
        assert outcome.code == 1
        problems = faults.judge_failure(outcome, ["No space left", "small"])
        assert problems == []
        assert site.state() == before
        assert list((tmp_path / "small").iterdir()) == [], "what was begun takes no room"
    again = site.run()
    assert again.code == 0, again.output
    assert build_of(place_of(site)) == published(site)


@pytest.mark.builds
def test_a_place_that_cannot_be_used_is_named_before_anything_is_read(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, message in (
        (tmp_path / "file" / "marts.duckdb", "its folder cannot be made"),
        (warehouse.db, "is the database itself"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAPPORT_MARTS", str(place))
            outcome = warehouse.run()
        assert not outcome.success
        assert message in outcome.output
        assert "START" not in outcome.output
