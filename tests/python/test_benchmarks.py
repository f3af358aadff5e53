"""The contenders of the benchmark do what the build does, and the report writes what was measured."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from benchmarks import in_pandas, in_polars, run
from benchmarks.__main__ import size
from benchmarks.aims import BEFORE, Aim, aims, aims_table
from benchmarks.checks import COMPARED, different_rows, disagreements
from benchmarks.delivery import deliver, withdraw, write_delivery
from benchmarks.floor import make_cohort
from benchmarks.measure import Run, measure
from benchmarks.measured import Size, newest_sizes
from benchmarks.parts import COPIED, PARTS, leave_out
from benchmarks.profile_build import DUCKDB, own_seconds
from benchmarks.project import project_size
from benchmarks.report import BEGIN, END, PAGE, page, write
from benchmarks.report import main as report
from benchmarks.start_up import import_seconds, start_up_profile
from benchmarks.trivial import write_trivial_project
from conftest import ROOT, Warehouse


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_left_out_of_a_copy(part: str, tmp_path: Path) -> None:
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    leave_out(tmp_path, PARTS[part].models)
    about = re.compile(rf"\b({'|'.join(PARTS[part].models)})\b")
    left = {path for path in tmp_path.glob("models/**/*.*") if about.search(path.read_text(encoding="utf-8"))}
    # Prose may name them; no file of theirs, and nothing that reads them, is left.
    assert {path.suffix for path in left} <= {".md", ".yml", ".sql"}
    assert not any(re.search(rf"ref\(['\"]{about.pattern}", path.read_text(encoding="utf-8")) for path in left)
    with pytest.raises(ValueError, match=r"still reads participant_facts"):
        leave_out(tmp_path, ["participant_facts"])


@pytest.mark.builds
def test_every_contender_agrees_with_the_build_and_a_wrong_one_is_found_out(built: Warehouse, tmp_path: Path) -> None:
    floor = tmp_path / "floor.duckdb"
    make_cohort(built.raw, floor, "1GB")
    assert different_rows(floor, built.db) == 0
    with duckdb.connect(str(floor)) as connection:
        connection.execute(
            "update analysis_cohort set total_sessions = total_sessions + 1"
            " where participant_id = (select min(participant_id) from analysis_cohort)"
        )
    assert different_rows(floor, built.db) == 2
    with duckdb.connect(str(floor)) as connection:
        connection.execute("alter table analysis_cohort drop column sex")
    with pytest.raises(duckdb.BinderException, match="other columns"):
        different_rows(floor, built.db)

    for found in (
        in_pandas.study(built.raw),
        *(in_polars.study(built.raw, engine) for engine in in_polars.ENGINES),
    ):
        assert disagreements(found, built.db) == []
        found[COMPARED[2]]["p_value"] *= 1 + 1e-7
        del found[COMPARED[3]]
        assert [text.split(":")[0] for text in disagreements(found, built.db)] == [
            COMPARED[2],
            f"{COMPARED[3]} is missing",
        ]


def test_a_night_brings_new_people_new_rows_and_corrections(small_export: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for file in small_export.glob("*/*.parquet"):
        (raw / file.parent.name).mkdir(parents=True, exist_ok=True)
        (raw / file.parent.name / file.name).hardlink_to(file)
    before = {str(file) for file in raw.glob("*/*")}
    rows = write_delivery(raw, tmp_path / "late", one_in=50)
    assert set(rows) == {"participants", "who5_assessments", "sessions", "alliance_ratings"}
    deliver(tmp_path / "late", raw)
    with duckdb.connect() as connection:
        for table, key in [
            ("participants", "participant_id"),
            ("who5_assessments", "assessment_id"),
            ("sessions", "session_id"),
            ("alliance_ratings", "rating_id"),
        ]:
            [(all_rows, late, new, corrections)] = connection.execute(
                f"""
                with late as (from '{raw}/{table}/part-late.parquet'), early as (from '{raw}/{table}/part-0*.parquet')
                select (select count(*) from early), count(*), count(*) filter ({key} not in (select {key} from early)),
                    count(*) filter ({key} in (select {key} from early) and loaded_at > (select max(loaded_at) from early))
                from late
                """
            ).fetchall()
            assert late == rows[table] == new + corrections
            assert new > 0
            assert corrections > 0
            assert 0.02 < late / all_rows < 0.12
        for child, parent, key in [
            ("who5_assessments", "participants", "participant_id"),
            ("sessions", "participants", "participant_id"),
            ("alliance_ratings", "sessions", "session_id"),
        ]:
            orphans = connection.execute(
                f"select count(*) from '{raw}/{child}/*.parquet' where {key} not in (select {key} from '{raw}/{parent}/*.parquet')"
            ).fetchall()
            assert orphans == [(0,)]
    withdraw(raw)
    assert {str(file) for file in raw.glob("*/*")} == before


def test_a_process_is_measured_and_stopped_when_it_takes_too_much(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"

    def python(code: str, memory_limit: int | None = None, timeout: float | None = None) -> tuple[str | None, int, int]:
        run = measure([sys.executable, "-c", code], output, memory_limit=memory_limit, timeout=timeout, folder=tmp_path)
        assert run.wall > 0
        assert run.cpu > 0
        return run.failure, run.peak_bytes, run.written_bytes

    failure, peak, _ = python("x = b'x' * 100_000_000")
    assert failure is None
    assert peak > 100_000_000
    # This process is much larger, and must not be counted.
    assert python("pass")[1] < 50_000_000
    assert python("print('first', flush=True); raise SystemExit('last')")[0] == "exit code 1: last"
    hungry = "import time; x = b'x' * 300_000_000; time.sleep(60)"
    assert "more than 0.1 GiB" in (python(hungry, memory_limit=2**27)[0] or "")
    assert "more than 0 s" in (python("import time; time.sleep(60)", timeout=0.2)[0] or "")


def test_a_wrong_contender_is_not_quoted_and_one_that_failed_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def contend(name: str, failure: str | None = None, wrong: str | None = None) -> Callable[[run.Site], Run]:
        def command(site: run.Site) -> Run:
            tried.append(f"{name} {site.folder.name}")
            if wrong is not None:
                raise run.WrongError(wrong)
            return Run(wall=1.0, cpu=1.0, peak_bytes=1, written_bytes=1, failure=failure)

        return command

    def build(site: run.Site) -> Run:
        nodes = {"model.rapport.a": 1.5, "unit_test.rapport.a.b": 0.25, "unit_test.rapport.a.c": 0.5}
        results = [{"unique_id": name, "execution_time": seconds} for name, seconds in nodes.items()]
        (site.folder / "target").mkdir(parents=True, exist_ok=True)
        (site.folder / "target" / "run_results.json").write_text(json.dumps({"results": results}))
        (site.folder / "target" / "manifest.json").write_text(
            json.dumps({"nodes": {"model.rapport.a": {"fqn": ["rapport", "rules", "a"]}}})
        )
        site.database.touch()
        return contend("build")(site)

    commands = {
        "build": build,
        "floor": contend("floor"),
        "pandas": contend("pandas", failure="took more than 1.0 GiB"),
        "polars": contend("polars", wrong="other figures"),
    }
    monkeypatch.setattr(run, "COMMANDS", commands)
    monkeypatch.setattr(run, "_build", build)
    monkeypatch.setattr(run, "_profile", lambda site: (Run(1.0, 1.0, 1, 1), {"duckdb": 0.75}))
    monkeypatch.setattr(run, "prepare", lambda site, participants: {"participants": participants})
    out = tmp_path / "results.json"
    runner = run.Runner(tmp_path, run.Limits(2**30, 60), 2, list(commands), out)
    runner.size(10)
    runner.size(20)

    assert runner.wrong
    assert sorted(tried) == sorted(
        [*3 * ["build 10"], *2 * ["floor 10"], "pandas 10", "polars 10", *3 * ["build 20"], *2 * ["floor 20"]]
    )
    results = json.loads(out.read_text())
    assert [size["participants"] for size in results["sizes"]] == [10, 20]
    assert results["sizes"][1]["nodes"]["build"] == [
        {"node": "a", "folder": "rules", "count": 1, "seconds": 1.5},
        {"node": "unit_tests", "folder": "unit_tests", "count": 2, "seconds": 0.75},
    ]
    results["start_up"] = canned("2026-01-01", {})["start_up"]
    text = page(newest_sizes_of(results, tmp_path), "x.svg")
    assert cells(text, "10 | pandas")[2] == "did not finish: took more than 1.0 GiB"
    assert cells(text, "20 | pandas")[2] == "did not finish: at 10 participants: took more than 1.0 GiB"
    assert cells(text, "10 | polars")[2] == "omitted: wrong: other figures"


def newest_sizes_of(results: dict[str, object], folder: Path) -> list[Size]:
    (folder / "all.json").write_text(json.dumps(results))
    return newest_sizes([folder / "all.json"])


def test_the_aims_are_those_of_the_newest_run_and_a_contender_that_did_not_finish_bounds_its_ratio(
    tmp_path: Path,
) -> None:
    old = canned("2026-01-01", {"build": [99.0]})
    old["project"] = {"models": 1, "longest_chain": 1, "lines": 1}
    walls = {"floor": [10.0], "build": [19.0], "refresh": [26.78], "polars": [19.5], "streaming": [18.0]}
    ended = {"contender": "pandas", "repeat": 0, "failure": "took more than 60 s"}
    million = canned("2026-01-02", walls, 1_000_000)
    million["sizes"][0]["runs"][-1] = ended  # type: ignore[index]
    ten = canned("2026-01-02", {"floor": [100.0], "build": [201.0]}, 10_000_000)
    ten["sizes"][0]["runs"][-1] = ended  # type: ignore[index]
    files = [tmp_path / name for name in ("old", "million", "ten", "other")]
    other = {"started": "2026-01-09", "sizes": [{"participants": 1_000_000, "runs": []}]}
    for file, results in zip(files, (old, million, ten, other), strict=True):
        file.write_text(json.dumps(results))
    text = aims_table(aims(newest_sizes(files)))
    assert cells(text, "(build − start-up) ÷ floor, 1 million")[1:] == ["3.92", "≤ 1.80", "1.70", "yes"]
    assert cells(text, "(build − start-up) ÷ floor, 10 million")[1:] == ["3.65", "≤ 1.50", "1.99", "**no**"]
    assert cells(text, "peak memory of a build, 10 million, GiB")[1:] == ["8.67", "≤ 4.00", "1.00", "yes"]
    assert cells(text, "nightly refresh, a whole build, 1 million, s")[2:] == ["< 26.78", "26.78", "**no**"]
    assert cells(text, "nightly refresh, a whole build, 100 thousand, s")[2:] == ["< 19.94", "", "not measured"]
    assert cells(text, "pandas ÷ build, 1 million")[2:] == ["> 1.00", "> 3.16", "yes"]
    assert cells(text, "polars ÷ build, 1 million")[2:] == ["> 1.00", "0.95", "**no**"]
    assert cells(text, "pandas ÷ build, 10 million")[2:] == ["≥ 3.00", "> 0.30", "not known"]
    assert cells(text, "`dbt build` of the twin without unit tests, s")[1:] == ["14.0", "≤ 8.0", "7.5", "yes"]
    assert cells(text, "the same ÷ `dbt build` of a project of one model")[2:] == ["≤ 3.00", "3.00", "yes"]
    assert cells(text, "models |")[1:] == ["102", "≤ 60", "60", "yes"]
    assert cells(text, "longest chain of models")[1:] == ["47", "≤ 20", "21", "**no**"]
    assert cells(text, "lines of SQL, Jinja and YAML")[1:] == ["8,003", "≤ 5,000", "4,999", "yes"]
    assert not Aim("x", 1.0, False, 1.0, strict=True).is_met
    assert set(BEFORE["refresh_seconds"]) == {"3000", "100000", "1000000", "10000000"}


def test_the_project_is_counted_from_the_manifest(tmp_path: Path) -> None:
    def resource(kind: str, path: str, *needs: str, patch: str | None = None) -> dict[str, object]:
        return {
            "resource_type": kind,
            "package_name": "rapport",
            "original_file_path": path,
            "patch_path": patch,
            "depends_on": {"nodes": list(needs)},
        }

    for path, text in {
        "models/a.sql": "select 1\n",
        "models/b.py": "def model():\n    ...\n",
        "models/c.sql": "select 1\n\nfrom b\n",
        "models/all.yml": "models:\n  - name: a\n",
        "macros/m.sql": "{% macro m() %}{% endmacro %}\n",
        "seeds/s.yml": "seeds:\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    manifest = {
        "metadata": {"project_name": "rapport"},
        "nodes": {
            "seed.s": resource("seed", "seeds/s.csv", patch="rapport://seeds/s.yml"),
            "model.a": resource("model", "models/a.sql", "seed.s", patch="rapport://models/all.yml"),
            "model.b": resource("model", "models/b.py", "model.a", patch="rapport://models/all.yml"),
            "model.c": resource("model", "models/c.sql", "model.a", "model.b"),
            "test.t": resource("test", "models/all.yml", "model.c"),
        },
        "macros": {
            "m": resource("macro", "macros/m.sql"),
            "dbt.x": {**resource("macro", "macros/x.sql"), "package_name": "dbt"},
        },
    }
    assert project_size(manifest, tmp_path) == {"models": 3, "longest_chain": 3, "lines": 7}


def test_builds_and_floor_run_under_one_memory_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def record(command: list[str], output: Path, **options: object) -> Run:
        asked.append({"command": [str(part) for part in command], **options})
        output.write_text('noise\n{"node": "inline", "show": [{"memory_limit": "2.7 GiB"}]}\n')
        return Run(1.0, 1.0, 1, 1)

    monkeypatch.setattr(run, "measure", record)
    monkeypatch.setattr(run, "_no_difference", lambda floor, warehouse: None)
    for limit in ("3GB", None):
        asked.clear()
        site = run.Site(tmp_path, run.Limits(2**30, 60, limit))
        run.COMMANDS["build"](site)
        run.COMMANDS["floor"](site)
        assert site.memory_limit() == "2.7 GiB"
        build, floor, _ = asked
        assert build["command"][1:4] == ["build", "--exclude-resource-type", "unit_test"]  # type: ignore[index]
        assert build["environment"].get("RAPPORT_MEMORY") == limit  # type: ignore[attr-defined]
        assert floor["command"][-2:] == (["--memory", "3GB"] if limit else ["--out", str(tmp_path / "floor.duckdb")])  # type: ignore[index]

    # A limit that builds do not keep would compare what cannot be compared.
    site_limit = run.Limits(2**30, 60, "5GB")
    monkeypatch.setattr(run, "prepare", lambda *_, **__: {})
    monkeypatch.setattr(run, "_must", lambda *_: None)
    monkeypatch.setattr(run, "project_size", lambda *_: {})
    monkeypatch.setattr(run.Site, "artifact", lambda *_: {})
    (tmp_path / "start-up").mkdir()
    with pytest.raises(run.WrongError, match=r"RAPPORT_MEMORY asks for 4\.6 GiB, and a build has 2\.7 GiB"):
        run.Runner(tmp_path, site_limit, 1, [], tmp_path / "out.json").start_up()


def canned(started: str, walls: dict[str, list[float]], participants: int = 3000) -> dict[str, object]:
    def taken(contender: str, repeat: int, wall: float) -> dict[str, object]:
        return {
            "contender": contender,
            "repeat": repeat,
            "wall": wall,
            "cpu": wall / 2,
            "peak_bytes": 2**30,
            "written_bytes": 2**21,
            "failure": None,
        }

    runs = [taken(name, repeat, wall) for name, several in walls.items() for repeat, wall in enumerate(several)]
    runs.append({**taken("pandas", 0, 9.0), "failure": "took more than 1.0 GiB"})
    nodes = [
        {"node": "participant_facts", "folder": "rules", "count": 1, "seconds": 1.25},
        {"node": "unit_tests", "folder": "unit_tests", "count": 24, "seconds": 0.5},
        {"node": "alliance_findings", "folder": "inference", "count": 1, "seconds": 0.25},
    ]
    return {
        "started": started,
        "machine": {
            "processor": "Abacus",
            "cores": 2,
            "memory_bytes": 4 * 2**30,
            "system": "Linux 6",
            "python": "3.11",
            "load_before": 0.0,
        },
        "versions": {"duckdb": "2.0.0"},
        "revision": "abc",
        "repeats": 2,
        "memory_limit": "3GB",
        "start_up": {
            "participants": 100,
            "runs": [
                *(taken("start-up", 0, 2.0), taken("imports", 0, 1.0)),
                *(taken("twin", repeat, wall) for repeat, wall in enumerate((7.0, 7.5, 9.0))),
                *(taken("empty", repeat, wall) for repeat, wall in enumerate((2.0, 2.5, 3.0))),
            ],
            "profile": {
                "cpu": 7.25,
                "collecting": 0.125,
                "imports": {"dbt": 1.5, "scipy": 0.25},
                "nodes": {"model": 60},
            },
        },
        "project": {"models": 60, "longest_chain": 21, "lines": 4999},
        "sizes": [
            {
                "participants": participants,
                "runs": runs,
                "lost": {},
                "nodes": {"build": nodes},
                "profile": {
                    "wall": 9.5,
                    "own_seconds": [{"where": "duckdb", "seconds": 3.0}, {"where": "all others", "seconds": 1.0}],
                },
            }
        ],
    }


def cells(text: str, start: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_the_report_writes_ratios_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"Before.\n\n{BEGIN}\n\nNot measured yet.\n\n{END}\n\nAfter.\n", encoding="utf-8")
    small = {"floor": [2.0, 1.0], "build": [6.0, 5.0], "refresh": [3.0, 3.0]}
    old, new, large, failed = (tmp_path / f"{name}.json" for name in ("old", "new", "large", "failed"))
    failed.write_text(
        json.dumps(
            {
                "started": "2026-01-03",
                "memory_limit": "3GB",
                "sizes": [{"participants": 20_000_000, "runs": [], "omitted": "the build failed: exit code 2"}],
            }
        )
    )
    old.write_text(json.dumps(canned("2026-01-01T00:00:00", {"floor": [1.0], "build": [77.0]})))
    new.write_text(json.dumps(canned("2026-01-02T00:00:00", small)))
    large.write_text(json.dumps(canned("2026-01-01T00:00:00", {"floor": [10.0], "build": [15.0]}, 10_000_000)))
    for _ in range(2):
        assert report([*map(str, (new, old, large, failed)), "--page", str(document)]) == 0
    text = document.read_text(encoding="utf-8")
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert text.count(BEGIN) == text.count(END) == 1
    assert "Not measured" not in text
    assert "77.00" not in text
    assert "20 million participants: omitted, the build failed: exit code 2." in text
    assert "Abacus, 2 cores, 4 GiB" in text
    assert "2026-01-02 (3 thousand participants)" in text
    assert cells(text, "3 thousand | `dbt build` without unit tests")[2:] == [
        *("5.00", "5.50", "5.00", "4.00", "2.8", "1,024", "2"),
    ]
    assert cells(text, "3 thousand | pandas")[2] == "did not finish: took more than 1.0 GiB"
    assert cells(text, "build ÷ floor")[1:3] == ["4.00", "1.50"]
    assert cells(text, "(build − start-up) ÷ floor | 2")[1:3] == ["2.50", "1.30"]
    assert cells(text, "(build − start-up) ÷ floor, 10 million")[1:] == ["3.65", "≤ 1.50", "1.30", "yes"]
    assert cells(text, "refresh ÷ build")[1] == "0.55"
    assert cells(text, "`dbt build` of the twin without unit tests | 7")[1:] == ["7.00", "7.50", "3.8"]
    assert cells(text, "CPU seconds of the build")[1:] == ["12.76", "7.25"]
    assert cells(text, "seconds importing scipy")[1:] == ["0.75", "0.25"]
    assert cells(text, "CPU seconds collecting garbage")[1:] == ["1.47", "0.12"]
    assert cells(text, "models | 102 | 60") == ["models", "102", "60"]
    assert cells(text, "inference in a build, s")[1] == "0.25"
    assert cells(text, "dbt itself")[1] == "3.50"
    picture = (tmp_path / "performance.svg").read_text(encoding="utf-8")
    assert picture.startswith("<?xml")
    assert picture.count("<!-- ") > 3


def test_the_report_refuses_a_page_without_markers_and_an_empty_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    document = tmp_path / "page.md"
    document.write_text("No marker.")
    results.write_text(json.dumps(canned("2026-01-01", {"floor": [1.0], "build": [2.0]})))
    with pytest.raises(ValueError, match="lacks the markers"):
        write([results], document)
    results.write_text(json.dumps(canned("2026-01-01", {"floor": [1.0]})))
    assert report([str(results), "--page", str(document)]) == 2
    assert "no build was measured" in capsys.readouterr().err
    assert document.read_text() == "No marker."


def test_the_page_of_the_project_has_the_markers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.index(BEGIN) < text.index(END)


def test_own_time_is_counted_for_the_package_or_the_caller() -> None:
    gx = ("/v/site-packages/great_expectations/a.py", 1, "f")
    dbt = ("/v/site-packages/dbt/task/b.py", 1, "g")
    stats = {
        gx: (1, 1, 1.0, 9.0, {}),
        dbt: (1, 1, 0.5, 9.0, {gx: (1, 1, 0.5, 9.0)}),
        ("/v/site-packages/dbt/adapters/base/c.py", 1, "h"): (1, 1, 0.125, 0.125, {dbt: (1, 1, 0.125, 0.125)}),
        ("/v/site-packages/dbt/adapters/duckdb/d.py", 1, "execute"): (1, 1, 4.0, 4.0, {dbt: (1, 1, 4.0, 4.0)}),
        ("~", 0, "<built-in method builtins.len>"): (3, 3, 3.0, 3.0, {gx: (2, 2, 1.0, 1.0), dbt: (1, 1, 2.0, 2.0)}),
        ("/v/site-packages/scipy/e.py", 1, "<module>"): (1, 1, 0.25, 0.25, {gx: (1, 1, 0.25, 0.25)}),
    }
    assert own_seconds(stats) == {
        DUCKDB: 4.0,
        "dbt": 2.5,
        "great_expectations": 2.0,
        "importing modules": 0.25,
        "dbt.adapters": 0.125,
    }


def test_importing_is_counted_for_who_asked_first() -> None:
    printed = """Some line of dbt's
import time:    200000 |     200000 |       scipy.special
import time:   1000000 |    1200000 |     altair
import time:    500000 |    1700000 |   great_expectations.core
import time:    100000 |    1800000 | great_expectations
import time:     40000 |      40000 |   scipy.special._ufuncs
import time:     60000 |     100000 | scipy.special
import time:    300000 |     300000 |   pandas
import time:     10000 |     310000 | rapport.study
import time:      5000 |       5000 | zipfile
"""
    assert import_seconds(printed) == {
        **{"great_expectations": 1.8, "scipy": 0.1, "pandas": 0.3, "other": 0.015},
        **dict.fromkeys(("dbt", "statsmodels", "pyarrow"), 0.0),
    }


@pytest.mark.builds
def test_a_build_says_where_its_start_went(tmp_path: Path) -> None:
    write_trivial_project(tmp_path / "project", 2)
    out, output = tmp_path / "inside.json", tmp_path / "output.txt"
    command = [sys.executable, "-X", "importtime", "-m", "benchmarks.start_up", out, "build"]
    ended = measure(
        [*command, "--project-dir", tmp_path / "project", "--profiles-dir", tmp_path / "project"],
        output,
        folder=tmp_path / "project",
        environment={"PYTHONPATH": str(PAGE.parents[1])},
    )
    assert ended.failure is None, output.read_text()
    results = json.loads((tmp_path / "project" / "target" / "run_results.json").read_text())
    profile = start_up_profile(import_seconds(output.read_text()), json.loads(out.read_text()), results)
    assert profile["nodes"] == {"model": 2}
    assert 0 < profile["collecting"] < profile["cpu"] <= ended.cpu
    assert profile["imports"]["dbt"] > 0.1
    assert profile["imports"]["great_expectations"] == 0


def test_sizes_and_trivial_nodes(tmp_path: Path) -> None:
    assert [size(text) for text in ("12", "3k", "10M")] == [12, 3_000, 10_000_000]
    for text in ("k", "0", "-3k", "3G"):
        with pytest.raises(ValueError, match=r"."):
            size(text)
    write_trivial_project(tmp_path / "trivial", 12)
    assert len(list((tmp_path / "trivial" / "models").glob("*.sql"))) == 12


def test_the_size_from_which_spark_pays_follows_from_its_growth() -> None:
    """By hand: DuckDB 8 s + 20 s a million, Spark 80 s + 200 s; 64 cores: 200 · 2 ÷ 64 = 6.25, 72 ÷ 13.75 = 5.2."""
    from benchmarks import spark

    def run(participants: int, duckdb: float, on_spark: float) -> dict[str, object]:
        costs = {
            name: {"wall": wall, "peak_bytes": 2**30}
            for name, wall in (("duckdb", duckdb), ("spark", on_spark), ("spark_again", on_spark))
        }
        return {"participants": participants, **costs}

    runs = [run(3_000, 9, 99), run(100_000, 10, 100), run(300_000, 14, 140)]
    results = {"date": "2026-11-28", "machine": {"cores": 2}, "sizes": runs}
    assert spark.growth(runs, "duckdb") == pytest.approx((8, 20))
    assert spark.growth(runs, "spark") == pytest.approx((80, 200))
    said = spark.when_it_pays(results)
    assert "Spark 80 s, and 200 s for each million, 10.0 times as long" in said
    assert "Spark pays at no size" in said
    assert "| 16 | 25.0 s | never |" in said
    assert "| 64 | 6.2 s | 5 million participants |" in said
    assert "| 300,000 | 14 s | 1.0 GiB | 140 s | 1.0 GiB | 140 s |" in spark.table(results)
    for measured in runs:
        del measured["spark_again"]
    assert spark.table(results).splitlines()[-1] == "| 300,000 | 14 s | 1.0 GiB | 140 s | 1.0 GiB |"
    assert "second build" not in spark.table(results)
