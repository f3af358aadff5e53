"""Whatever holds a row of a person, or a key, is its owner's, and theirs whom RAPPORT_FILE_MODE names."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, Warehouse

from rapport.contracts.storage import copy_marts
from rapport.file_modes import FileModeError, file_mode, folder_mode, set_modes


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> None:
    """What a careless umask has left."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def modes_below(*folders: Path) -> set[int]:
    """The permissions of all files and folders."""
    return {mode(path) for folder in folders for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize(
    ("given", "expected"), [pytest.param(None, {0o600, 0o700}, marks=pytest.mark.builds), ("0640", {0o640, 0o750})]
)
def test_all_that_a_build_writes(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: set[int]
) -> None:
    """Database, log, target: also what earlier commands left for everybody; the database while it is built, too."""
    import rapport.audit

    if given is None:
        monkeypatch.delenv("RAPPORT_FILE_MODE", raising=False)
    else:
        monkeypatch.setenv("RAPPORT_FILE_MODE", given)
    built.is_logged = True
    (built.target / "logs").mkdir(parents=True, exist_ok=True)
    (built.target / "logs" / "dbt.log").touch()
    open_to_others(built.target)
    built.db.chmod(0o666)
    leftover = Path(f"{built.db}.reading")
    leftover.mkdir(exist_ok=True)
    (leftover / "sessions.parquet").touch()
    open_to_others(leftover)
    seen: set[int] = set()
    original = rapport.audit.judge_rows

    def looking(*arguments: object) -> object:
        beside = list(built.db.parent.glob(f"{built.db.name}*"))
        assert beside
        seen.update(mode(path) for path in beside)
        seen.update(modes_below(leftover))
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rapport.audit, "judge_rows", looking)
    mask = os.umask(0o022)
    try:
        outcome = built.run()
    finally:
        os.umask(mask)
    assert outcome.success, outcome.output
    # The workspace belongs to the build alone.
    assert seen <= expected | {0o700}
    assert modes_below(built.target) == expected
    assert mode(built.db) in expected
    assert not leftover.exists()


def test_a_build_that_fails_leaves_nothing_open(built: Warehouse) -> None:
    built.is_logged = True
    open_to_others(built.target)
    built.spoil("sessions", "status", "'done'", "true")
    mask = os.umask(0)
    try:
        assert not built.run().success
    finally:
        os.umask(mask)
    assert modes_below(built.target) == {0o600, 0o700}


@pytest.mark.builds
def test_opening_to_read_changes_no_permission(built: Warehouse, tmp_path: Path) -> None:
    """Whoever has been given the file by hand keeps it until the next build."""
    built.db.chmod(0o644)
    assert built.dbt("show", "--inline", "select 1 as one").success
    assert mode(built.db) == 0o644
    assert built.dbt("source", "freshness").output
    assert mode(built.db) == 0o644
    copy = built.db.with_name("copied.duckdb")
    copy.unlink(missing_ok=True)
    copy_marts(built.db, copy)
    subprocess.run(
        [sys.executable, "-m", "rapport.release", "--out", str(tmp_path / "release")],
        env={**os.environ, "RAPPORT_DB": str(built.db)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert mode(built.db) == 0o644
    copy.unlink()


@pytest.mark.parametrize(("given", "expected"), [(None, 0o600), ("0640", 0o640)])
def test_copies_of_the_marts_and_pages(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: int
) -> None:
    if given:
        monkeypatch.setenv("RAPPORT_FILE_MODE", given)
    mask = os.umask(0o022)
    try:
        assert "analysis_cohort" in copy_marts(built.db, tmp_path / "copy.duckdb")
    finally:
        os.umask(mask)
    assert mode(tmp_path / "copy.duckdb") == expected
    from rapport.report.__main__ import write

    mask = os.umask(0o022)
    try:
        write(tmp_path / "reports" / "index.html", "<html>")
    finally:
        os.umask(mask)
    assert mode(tmp_path / "reports" / "index.html") == expected
    assert mode(tmp_path / "reports") == expected | (expected & 0o444) >> 2


@pytest.mark.parametrize(
    ("given", "file", "folder"),
    [
        ("", 0o600, 0o700),
        ("0600", 0o600, 0o700),
        ("640", 0o640, 0o750),
        ("0o640", 0o640, 0o750),
        ("0644", 0o644, 0o755),
    ],
)
def test_a_mode_that_is_one(monkeypatch: pytest.MonkeyPatch, given: str, file: int, folder: int) -> None:
    monkeypatch.setenv("RAPPORT_FILE_MODE", given)
    assert (file_mode(), folder_mode()) == (file, folder)


@pytest.mark.parametrize("given", ["0660", "0666", "0755", "0o77", "rw-r-----", "64", "0400", "06400", "\x1b[31m"])
def test_a_mode_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("RAPPORT_FILE_MODE", given)
    with pytest.raises(FileModeError, match=r"RAPPORT_FILE_MODE is .* one of 0600, 0640, 0644") as refused:
        file_mode()
    assert "\x1b" not in str(refused.value)


def test_a_wrong_mode_ends_a_command_before_anything_is_read(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built.query("select count(*) from ops.builds")
    monkeypatch.setenv("RAPPORT_FILE_MODE", "0666")
    outcome = built.run()
    assert not outcome.success
    assert "RAPPORT_FILE_MODE is '0666': it has to be one of 0600, 0640, 0644" in outcome.output
    assert built.query("select count(*) from ops.builds") == before


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A link is not followed, a FIFO not touched, and what is gone no error; the group's bit of a folder stays."""
    other = tmp_path / "other"
    other.touch()
    other.chmod(0o644)
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o2775)
    (folder / "link").symlink_to(other)
    os.mkfifo(folder / "fifo")
    (folder / "fifo").chmod(0o644)
    set_modes([folder, tmp_path / "gone"])
    assert mode(other) == 0o644
    assert stat.S_IMODE((folder / "fifo").lstat().st_mode) == 0o644
    assert mode(folder) == 0o2700


@pytest.mark.builds
def test_nothing_is_fetched_while_a_build_runs(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extensions that DuckDB would install and load by itself."""
    import rapport.audit

    settings: list[tuple[str, str]] = []
    original = rapport.audit.judge_rows

    def looking(connection: duckdb.DuckDBPyConnection, *arguments: object) -> object:
        settings.extend(
            connection.execute(
                "select name, value from duckdb_settings() where name like 'auto%known_extensions' order by 1"
            ).fetchall()
        )
        return original(connection, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rapport.audit, "judge_rows", looking)
    assert built.run().success
    assert settings == [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")]


@pytest.mark.builds
def test_what_is_no_file_is_refused_by_a_build(built: Warehouse, tmp_path: Path) -> None:
    """A FIFO, a link that leaves the export and a file that unpacks to too much; none of them is opened."""
    import gzip

    os.mkfifo(built.raw / "sessions" / "part-fifo.parquet")
    outside = tmp_path / "outside.parquet"
    outside.write_bytes(next((built.raw / "participants").glob("*.parquet")).read_bytes())
    (built.raw / "participants" / "part-link.parquet").symlink_to(outside)
    outcome = built.run()
    assert not outcome.success
    assert "part-fifo.parquet: it is no regular file but a FIFO" in outcome.output
    assert "part-link.parquet: a symbolic link that leaves the export" in outcome.output

    (built.raw / "sessions" / "part-fifo.parquet").unlink()
    (built.raw / "participants" / "part-link.parquet").unlink()
    from test_bad_exports import csv_copy

    csv_copy(built)
    first = sorted((built.raw / "alliance_ratings").glob("*.csv"))[0]
    with gzip.open(first.with_suffix(".csv.gz"), "wb") as bomb:
        bomb.write(first.read_bytes().splitlines()[0] + b"\n")
        for _ in range(20):
            bomb.write(b"," * 1_000_000)
    first.unlink()
    outcome = built.run("--vars", "{max_unpacked_bytes: 1000000}")
    assert not outcome.success
    assert "it unpacks to more than max_unpacked_bytes (1000000)" in outcome.output
