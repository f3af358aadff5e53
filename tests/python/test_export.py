"""``python -m rapport.export``: what it writes, and when it refuses."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import ROOT, Warehouse
from test_disclosure import published

from rapport import warehouse as opening
from rapport.disclosure import RULES, SUPPRESSED, SUPPRESSED_COLUMNS, disclose
from rapport.export import GOOD, IMPOSSIBLE, REFUSED, main

FILES = {"manifest.json", *(f"{table}.{ending}" for table in RULES for ending in ("parquet", "csv"))}
WHOLE = {"n": "bigint", "participants": "bigint", "excluded": "bigint", "quarantined": "bigint", "step": "integer"}


def warehouse_file(
    path: Path, *, cohort: str = "large", status: str = "published", min_cell: int | None = 10, synthetic: bool = False
) -> Path:
    """A database with what an export reads: the published tables of a cohort, and the word on their build."""
    with duckdb.connect(str(path)) as connection:
        for schema in ("marts", "audit", "ops"):
            connection.execute(f"create schema {schema}")
        for name, frame in published(cohort)[1].items():
            types = {
                column: WHOLE.get(column, "double" if column in RULES[name].figures and column != "note" else "varchar")
                for column in frame.columns
            }
            connection.register("frame", frame.astype({c: "object" for c, kind in types.items() if kind == "varchar"}))
            columns = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in types.items())
            connection.execute(f"create table marts.{name} as select {columns} from frame")
            connection.unregister("frame")
        rows = " union all ".join(
            f"select 'b-1' as build_id, '{name}' as table_name, (select count(*) from marts.{name}) as published_rows,"
            f" {synthetic} as is_synthetic{'' if min_cell is None else f', {min_cell} as min_cell'}"
            for name in RULES
        )
        connection.execute(f"create table audit.publish as {rows}")
        connection.execute(
            "create table ops.builds as select 'b-1' as build_id, 7 as build_number,"
            f" '{status}' as status, timestamp '2026-01-02 03:04:05' as published_at, 'rapport 0.1.0' as versions,"
            " 'abc' as git_revision"
        )
    return path


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAPPORT_DB", str(tmp_path / "rapport.duckdb"))
    monkeypatch.setenv("RAPPORT_LOCK_WAIT", "0")
    return warehouse_file(tmp_path / "rapport.duckdb")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_export_is_whole_and_for_its_owner_only(
    database: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "export"
    before = database.read_bytes()
    assert main(["--out", str(out)]) == GOOD
    printed = capfd.readouterr().out
    assert printed.startswith(f"{out}: 4 tables of build b-1 (not marked as synthetic), ")
    assert printed.count("\n") == 1, "and nothing of the solver's"
    assert database.read_bytes() == before
    assert {path.name for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["export"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_both_files_hold_the_disclosed_table(database: Path, tmp_path: Path) -> None:
    database.unlink()
    warehouse_file(database, cohort="unbalanced")
    assert main(["--out", str(tmp_path / "export")]) == GOOD
    disclosed = disclose(published("unbalanced")[1], 10)
    assert disclosed["inference_results"]["n"].isna().any(), "an integer that is null"
    for name, frame in disclosed.items():
        stem = tmp_path / "export" / name
        with duckdb.connect() as connection:
            types = dict(
                connection.execute(f"select column_name, column_type from (describe from '{stem}.parquet')").fetchall()
            )
            parquet = connection.execute(f"from '{stem}.parquet'").fetchall()
            csv = connection.execute(f"from read_csv('{stem}.csv', types = {types})").fetchall()
            about = dict(
                connection.execute(
                    f"select decode(key), decode(value) from parquet_kv_metadata('{stem}.parquet')"
                ).fetchall()
            )
        assert parquet == csv
        assert list(types) == list(frame.columns)
        assert {types[column] for column in types if column in ("n", "participants", "excluded")} <= {"BIGINT"}
        assert types[SUPPRESSED] == "BOOLEAN"
        assert about["build_id"] == "b-1"
        assert about["min_cell"] == "10"
        expected = [tuple(None if pd.isna(value) else value for value in row) for row in frame.itertuples(index=False)]
        assert parquet == expected


def test_the_manifest_counts_what_is_missing(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    assert main(["--out", str(out)]) == GOOD
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["build"] == {
        "build_id": "b-1",
        "build_number": 7,
        "published_at": "2026-01-02T03:04:05Z",
        "versions": "rapport 0.1.0",
        "git_revision": "abc",
    }
    assert (manifest["min_cell"], manifest["data"]) == (10, "not marked as synthetic")
    for name in RULES:
        frame = pd.read_csv(out / f"{name}.csv", dtype={SUPPRESSED_COLUMNS: str})
        marked = frame[SUPPRESSED_COLUMNS].dropna().str.split(",").explode()
        entry = manifest["tables"][name]
        assert entry["rows"] == len(frame)
        assert entry["rows_with_suppressed_figures"] == frame[SUPPRESSED].sum()
        assert entry["suppressed_figures"] == len(marked)
        assert entry["suppressed_by_column"] == dict(marked.value_counts())
        assert entry["sha256"].keys() == {f"{name}.csv", f"{name}.parquet"}
    assert manifest["tables"]["table_1"]["suppressed_figures"] > 0


def test_a_stricter_threshold_may_be_asked_for_and_a_looser_one_not(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def suppressed() -> int:
        return json.loads((tmp_path / "export/manifest.json").read_text())["tables"]["table_1"]["suppressed_figures"]

    out = ["--out", str(tmp_path / "export")]
    assert main(out) == GOOD
    by_default = suppressed()
    assert main([*out, "--min-cell", "40"]) == GOOD
    assert suppressed() > by_default
    assert main([*out, "--min-cell", "5"]) == REFUSED
    assert "--min-cell 5 is looser than the build's 10" in capsys.readouterr().err
    assert suppressed() > by_default, "as it was"


def test_the_demo_is_called_synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPPORT_DB", str(warehouse_file(tmp_path / "rapport.duckdb", synthetic=True)))
    assert main(["--out", str(tmp_path / "export")]) == GOOD
    assert json.loads((tmp_path / "export/manifest.json").read_text())["data"] == "synthetic"


def test_what_was_never_published_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(path: Path) -> tuple[int, str]:
        monkeypatch.setenv("RAPPORT_DB", str(path))
        code = main(["--out", str(tmp_path / "export")])
        assert not (tmp_path / "export").exists()
        return code, capsys.readouterr().err

    code, message = refusal(tmp_path / "none.duckdb")
    assert code == IMPOSSIBLE
    assert message == f"rapport.export: no database {tmp_path / 'none.duckdb'}; build first; nothing was exported\n"
    (tmp_path / "text.duckdb").write_text("no database " * 999)
    assert refusal(tmp_path / "text.duckdb")[0] == IMPOSSIBLE
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    code, message = refusal(tmp_path / "empty.duckdb")
    assert code == REFUSED
    assert "has no published build" in message
    code, message = refusal(warehouse_file(tmp_path / "failed.duckdb", status="failed"))
    assert code == REFUSED
    assert "ops.builds does not say that the build of schema marts was published" in message
    code, message = refusal(warehouse_file(tmp_path / "older.duckdb", min_cell=None))
    assert code == REFUSED
    assert "min_cell" in message
    with duckdb.connect(str(warehouse_file(tmp_path / "changed.duckdb"))) as connection:
        connection.execute("delete from marts.model_fit where step = 2")
    code, message = refusal(tmp_path / "changed.duckdb")
    assert code == REFUSED
    assert "marts.model_fit has" in message


def test_a_new_figure_without_a_rule_is_refused(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "export")]) == GOOD
    before = contents(tmp_path / "export")
    with duckdb.connect(str(database)) as connection:
        connection.execute("alter table marts.eligibility_flow add column waiting bigint")
    assert main(["--out", str(tmp_path / "export")]) == REFUSED
    assert "eligibility_flow: no rule for column waiting; nothing was exported" in capsys.readouterr().err
    assert contents(tmp_path / "export") == before


def test_a_lock_is_waited_for_and_its_holder_named(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(database),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert main(["--out", str(tmp_path / "export")]) == IMPOSSIBLE
        message = capsys.readouterr().err
        assert f"PID {holder.pid}" in message
        assert "Waited 0 s (RAPPORT_LOCK_WAIT)" in message
        assert not (tmp_path / "export").exists()
        monkeypatch.setenv("RAPPORT_LOCK_WAIT", "30")
        monkeypatch.setattr(opening.time, "sleep", lambda _: holder.communicate())
        assert main(["--out", str(tmp_path / "export")]) == GOOD
    finally:
        holder.communicate()


def test_only_an_earlier_export_is_replaced(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "export"
    out.mkdir()
    assert main(["--out", str(out)]) == GOOD
    assert main(["--out", str(out)]) == GOOD
    (out / "thesis.docx").write_text("mine")
    before = contents(out)
    assert main(["--out", str(out)]) == IMPOSSIBLE
    assert "holds thesis.docx" in capsys.readouterr().err
    assert contents(out) == before
    assert main(["--out", str(database)]) == IMPOSSIBLE
    assert "is no folder" in capsys.readouterr().err


def test_a_failure_in_the_middle_leaves_the_earlier_export(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "export"
    assert main(["--out", str(out)]) == GOOD
    before = contents(out)
    real = Path.rename

    def full(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError(28, os.strerror(28), str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", full)
    assert main(["--out", str(out)]) == IMPOSSIBLE
    assert "No space left on device; nothing was exported" in capsys.readouterr().err
    assert contents(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"export", database.name}


def test_a_build_is_exported_with_its_var(built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 400 generated participants few are eligible, so that hardly a group is large enough."""
    monkeypatch.setenv("RAPPORT_DB", str(built.db))
    assert main(["--out", str(tmp_path / "export")]) == GOOD
    manifest = json.loads((tmp_path / "export/manifest.json").read_text())
    assert [(manifest["build"]["build_id"], manifest["min_cell"])] == built.query(
        "select distinct build_id, min_cell from audit.publish"
    )
    assert manifest["min_cell"] == 10
    assert manifest["data"] == "synthetic"
    assert "duckdb 2.0.0" in manifest["build"]["versions"]
    for name in RULES:
        assert manifest["tables"][name]["rows"] == built.query(f"select count(*) from marts.{name}")[0][0]
    outcome = built.dbt("compile", "--select", "build", "--vars", "{min_cell: 1}")
    assert not outcome.success
    assert "var min_cell is 1; it must be a whole number, 2 or more" in outcome.output


def test_make_knows_the_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\n## make export " in makefile
    assert "-m rapport.export" in makefile
