"""Faults in a row, the short version of the long run: marts are old or new as a whole, and the next build is good."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import duckdb
import faults
import pytest
from faults import MARK, Outcome, Site, State, Tally
from fuzzed_exports import ANY, MUTATIONS, SAME, STOP, Mutation, fuzz_once, mutate

SEED = 20201


@pytest.fixture(scope="module")
def good(small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A built warehouse, to be copied."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "warehouse").mkdir()
    site = Site(folder / "raw", folder / "warehouse" / "rapport.duckdb", folder / "target")
    faults.restore(site, small_export)
    outcome = site.run()
    assert outcome.code == 0, outcome.output
    duckdb.connect(str(site.db)).close()  # what is still in the log goes into the file, which is copied alone
    return site


@pytest.fixture
def site(good: Site, small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A warehouse whose last build was good; the paths stay, so that dbt does not parse the project anew."""
    spare = good.db.parent.parent / "good.duckdb"
    if not spare.exists():
        shutil.copy(good.db, spare)
    good.db.with_name(good.db.name + ".wal").unlink(missing_ok=True)
    shutil.copy(spare, good.db)
    faults.restore(good, small_export)
    return good


@pytest.mark.long
def test_a_row_of_faults_and_then_a_good_build(site: Site) -> None:
    """A kill, a full disk and a changed file one after the other; then a good build, though the clock went back."""
    chance = random.Random(SEED)
    tally = Tally("in a row")
    before = site.state()

    faults.deliver(site, chance)
    build = site.start("run")
    assert build.wait_for("START")
    time.sleep(chance.uniform(0.5, 3))
    killed = build.kill()
    assert killed.code == -9
    assert faults.judge_output(killed) == []
    assert site.state() == before

    faults.build_on_full_disk(site, chance, tally, size=100_000, recover=False)
    assert site.state() == before
    faults.build_while_a_file_changes(site, chance, tally, "rewritten", faults.LOOKED_INTO, recover=False)
    faults.build_when_the_clock_went_back(site, chance, tally)
    assert tally.problems == []
    assert (tally.times, tally.old, tally.new) == (3, 2, 1)


@pytest.mark.long
def test_a_build_killed_in_its_publication(site: Site) -> None:
    tally = Tally("kill")
    faults.kill_once(site, random.Random(SEED), moment=-0.02, tally=tally)
    assert tally.problems == []


@pytest.mark.builds
def test_a_reader_keeps_the_build_out(site: Site) -> None:
    tally = Tally("reader")
    faults.build_while_read(site, tally, lock_wait=0.5)
    assert tally.problems == []
    assert tally.old == 1


@pytest.mark.builds
def test_a_read_only_folder_is_named(site: Site) -> None:
    tally = Tally("read-only folder")
    faults.build_in_read_only_folder(site, tally)
    if tally.skipped:
        pytest.skip(f"no read-only folder can be had here: {tally.skipped}")
    assert tally.problems == []
    assert tally.old == 1


@pytest.mark.long
def test_two_builds_at_once(site: Site) -> None:
    """The second gives up and says who holds the lock; a third waits its turn."""
    tally = Tally("two builds")
    faults.build_at_once(site, random.Random(SEED), tally, second=("--select", "build"))
    assert tally.problems == []
    assert tally.new == 1


@pytest.mark.builds
def test_a_full_disk_is_named_and_then_forgotten(site: Site) -> None:
    tally = Tally("full disk")
    faults.build_on_full_disk(site, random.Random(SEED), tally, size=60_000)
    assert tally.problems == []
    assert tally.old == 1


@pytest.mark.builds
@pytest.mark.parametrize("name", ["part_file", "file_name", "standing"])
def test_an_extra_column_may_have_any_name(site: Site, name: str) -> None:
    """The build's own names in an export: extra columns are ignored, whatever they are called."""
    folder = site.raw / "sessions"
    path = sorted(folder.glob("*.parquet"))[0]
    with duckdb.connect() as connection:
        connection.execute(f"create table rows as from '{path}'")
        connection.execute(f"copy (select *, 'x' as {name} from rows) to '{path}' (format parquet)")
    outcome = site.run("--select", "+gate_raw")
    assert outcome.code == 0, outcome.output


def by_name(name: str, raw_format: str = "parquet") -> Mutation:
    return next(m for m in MUTATIONS if m.spoil.__name__ == name and raw_format in m.formats)


@pytest.mark.builds
@pytest.mark.parametrize("names", [("answer_not_whole",), ("name_not_utf8",), ("odd_text", "random_bytes")], ids=str)
def test_fuzzed_exports(site: Site, small_export: Path, names: tuple[str, ...]) -> None:
    tally = Tally("fuzzed")
    fuzz_once(site, small_export, site.state(), f"{SEED} {names}", [by_name(name) for name in names], tally)
    assert tally.problems == []


@pytest.mark.parametrize("raw_format", ["parquet", pytest.param("csv", marks=pytest.mark.builds)])
def test_every_mutation_changes_the_export(small_export: Path, tmp_path: Path, raw_format: str) -> None:
    """A mutation that did nothing would pass as harmless."""
    for mutation in MUTATIONS:
        if raw_format not in mutation.formats:
            continue
        raw = tmp_path / "raw"
        shutil.copytree(small_export, raw)
        if raw_format == "csv":
            faults.to_csv(raw)
        before = contents(raw)
        done = mutate(raw, raw_format, random.Random(SEED), mutation)
        assert contents(raw) != before, done
        assert mutation.expect in (SAME, STOP, ANY)
        shutil.rmtree(raw)


def contents(raw: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in raw.rglob("*")}


def test_what_the_checks_would_miss() -> None:
    """The checks themselves: each sees what it is there for."""
    old = State({"table_1": "a", "model_fit": "a"}, frozenset({"1"}))
    new = State({"table_1": "b", "model_fit": "b"}, frozenset({"2"}))
    assert faults.judge_state(old, old, new) == []
    assert faults.judge_state(new, old, new) == []
    assert faults.judge_state(new, old) == ["marts changed (table_1, model_fit)"]
    mixed = State({"table_1": "b", "model_fit": "a"}, frozenset({"2"}))
    assert faults.judge_state(mixed, old, new) == ["marts are neither old nor new (model_fit)"]
    assert faults.judge_state(State(new.tables, old.builds), old, new) == ["new marts under the old build's id"]
    assert faults.judge_state(State(old.tables, frozenset({"1", "2"})), old, new)[0] == "marts are of 2 builds"
    assert faults.judge_failure(Outcome(1, "sessions: status", 1), ["sessions"]) == []
    assert faults.judge_failure(Outcome(0, "sessions", 1), ["sessions"]) == ["it exits 0"]
    assert faults.judge_failure(Outcome(1, "oh", 1), ["sessions"])[0].startswith("its message names none of sessions")
    assert faults.judge_output(Outcome(1, "Traceback (most recent call last):", 1))[0].startswith("a traceback")
    assert faults.judge_output(Outcome(1, f"item_1 is 7{MARK}", 1))[0].startswith("a health answer")
