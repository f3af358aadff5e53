"""`make refresh`, exit codes, and the examples for schedulers with what docs/scheduling.md says of them."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Warehouse, first, linked_project
from test_guards import environment

from rapport import refresh
from rapport.signals import MonthlySignals

DOC = (ROOT / "docs/scheduling.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples/scheduling"
STAGES = {stage.name: stage for stage in refresh.steps_of(refresh.OF_THE_PROJECT)}
STEPS = list(STAGES)
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
# Steps, and what each runs, as the document's table says.
DOCUMENTED = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", DOC, re.MULTILINE))

STUB = """#!/bin/sh
case "$*" in "-m rapport.refresh"*) exec '{python}' "$@";; esac
echo "$(basename "$0") $*" >> "$CALLS"
echo "$(basename "$0") says this"
case "$(basename "$0") $*" in
    "${{BROKEN:-none}}"*) echo "12:00:00  marts were not published. The reason:"; echo "  a rule"; exit "${{CODE:-7}}";;
esac
"""


class Refresh:
    """`make refresh`, or another target, from elsewhere in the environment that cron gives; programs only note their calls."""

    def __init__(self, folder: Path) -> None:
        self.project = linked_project(folder / "project")
        self.summary = self.project / refresh.OF_THE_PROJECT.summary
        self.venv, self.calls = folder / "venv", folder / "calls"
        (self.venv / "bin").mkdir(parents=True)
        for name in ("python", "dbt"):
            (self.venv / "bin" / name).write_text(STUB.format(python=sys.executable), encoding="utf-8")
            (self.venv / "bin" / name).chmod(0o755)
        (self.venv / ".runtime").touch()

    def run(
        self, *arguments: str, target: str = "refresh", broken: str = "", code: int = 7, mode: str = ""
    ) -> tuple[int, list[str], list[str]]:
        """Exit code, programs called, lines printed; the call that begins with `broken` ends with exit code `code`."""
        self.calls.write_text("", encoding="utf-8")
        done = subprocess.run(
            ["make", "--no-print-directory", "-C", self.project, f"VENV={self.venv}", target, *arguments],
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT / "python"),
                "RAPPORT_DB": str(self.venv / "none.duckdb"),
                "CALLS": str(self.calls),
                "BROKEN": broken,
                "CODE": str(code),
                "RAPPORT_FILE_MODE": mode,
            },
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, self.calls.read_text(encoding="utf-8").splitlines(), done.stdout.splitlines()


def assert_called(calls: list[str], steps: list[str]) -> None:
    """Each step's documented command in turn; options may follow."""
    assert len(calls) == len(steps), calls
    for call, step in zip(calls, steps, strict=True):
        assert f"{call} ".startswith(f"{DOCUMENTED[step]} ")


@pytest.fixture
def stubbed(tmp_path: Path) -> Refresh:
    return Refresh(tmp_path)


def test_refresh_runs_the_documented_steps_in_order(stubbed: Refresh) -> None:
    code, calls, lines = stubbed.run()
    assert code == 0, lines
    assert list(DOCUMENTED) == STEPS
    assert_called(calls, STEPS)
    summary = [line.rsplit(" after ", 1)[0] for line in lines if re.match(r"refresh \d/", line)]
    assert summary == [f"refresh {number}/4 {step}: done" for number, step in enumerate(STEPS, 1)]
    assert [line for line in lines if line.endswith(" says this")] == [
        f"{call.split()[0]} says this" for call in calls
    ], "what a step prints is shown"


STUDY = "phq9_example"


def test_a_study_is_refreshed_into_places_of_its_own(stubbed: Refresh) -> None:
    """As `make build STUDY=…`: its release, its page, its summary. Those of the project's study stay as they are."""
    stubbed.summary.parent.mkdir()
    stubbed.summary.write_text("of the project's study", encoding="utf-8")
    code, calls, lines = stubbed.run(f"STUDY={STUDY}")
    assert code == 0, lines
    assert_called(calls, STEPS)
    assert calls[2:] == [
        f"python -m rapport.release --out release-{STUDY}",
        f"python -m rapport.report --release release-{STUDY} --out reports/{STUDY}.html",
    ]
    of_study = stubbed.summary.with_name(f"refresh-{STUDY}.json")
    assert json.loads(of_study.read_text(encoding="utf-8"))["exit_code"] == 0
    assert stubbed.summary.read_text(encoding="utf-8") == "of the project's study"

    code, calls, lines = stubbed.run(
        f"STUDY={STUDY}", "RELEASE=/tmp/elsewhere", broken="python -m rapport.release", code=1
    )
    assert calls[2:] == ["python -m rapport.release --out /tmp/elsewhere"]
    [stopped] = [line for line in lines if line.startswith("refresh stopped at ")]
    named = f"STUDY={STUDY} RELEASE=/tmp/elsewhere"
    assert stopped.endswith(f"then `make export {named}` and `make report {named}`.")


def test_the_signals_of_a_study_are_those_of_its_release(monkeypatch: pytest.MonkeyPatch, stubbed: Refresh) -> None:
    """They are told from the folder that the refresh wrote, beside what the file of the same study said before."""
    asked: list[tuple[Path, Path]] = []
    monkeypatch.setattr(
        refresh,
        "signals_of_release",
        lambda *places: asked.append(places) or MonthlySignals("2021-09", "b-1", True, ()),
    )
    monkeypatch.chdir(stubbed.project)
    for name in ("RAPPORT_STUDY", "RAPPORT_DB", "RAPPORT_MARTS"):
        monkeypatch.setenv(name, "")  # set, so that it is as it was after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("CALLS", str(stubbed.calls))
    assert refresh.main(["--study", STUDY, "--programs", str(stubbed.venv / "bin")]) == 0
    assert asked == [(Path(f"release-{STUDY}"), Path(f"reports/signals-{STUDY}.json"))]
    written = json.loads(Path(f"reports/signals-{STUDY}.json").read_text(encoding="utf-8"))
    assert written["month"] == "2021-09"
    assert os.environ["RAPPORT_STUDY"] == STUDY
    assert os.environ["RAPPORT_DB"] == f"warehouse/{STUDY}.duckdb"
    assert os.environ["RAPPORT_MARTS"] == f"warehouse/{STUDY}-marts.duckdb"


def test_make_and_the_refresh_name_a_study_alike() -> None:
    """The Makefile's names and those of the command without make."""
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.runtime", "build", f"STUDY={STUDY}"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    for step in refresh.steps_of(refresh.Places(STUDY))[2:]:
        assert f".venv/bin/{' '.join(step.command)}" in [line.strip() for line in told.splitlines()]


@pytest.mark.parametrize(("given", "expected"), [("", 0o600), ("0640", 0o640)])
def test_the_summary_is_for_its_owner_only(stubbed: Refresh, given: str, expected: int) -> None:
    """It names the build and its numbers; whoever else may read it is named."""
    assert stubbed.run(mode=given)[0] == 0
    assert stat.S_IMODE(stubbed.summary.stat().st_mode) == expected


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("build", "dbt build"),
        ("publish", "dbt --no-use-colors --quiet build --exclude-resource-type unit_test"),
        ("freshness", "dbt --no-use-colors --log-level warn source freshness"),
    ],
)
def test_vars_reach_dbt_as_they_are_given(stubbed: Refresh, target: str, command: str) -> None:
    for given in ("", "{min_sessions: 3, home_country: 'DE'}", '{"study_start": "2021-01-01"}'):
        code, calls, lines = stubbed.run(*([f"VARS={given}"] if given else []), target=target)
        assert code == 0, lines
        assert calls[0].strip() == (f"{command} --vars {given}" if given else command)
        assert len(calls) == (3 if target == "build" else 1)


def test_the_help_says_which_targets_take_vars(stubbed: Refresh) -> None:
    text = "\n".join(stubbed.run(target="help")[2])
    told = {words.split()[1] for words in re.split(r"\n(?=make )", text) if "VARS=" in words}
    taking = set(re.findall(r"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*\$\(WITH_VARS\)", MAKEFILE, re.MULTILINE))
    assert told == taking


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_a_target_that_runs_the_same(step: str) -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.runtime", step],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    assert f".venv/bin/{' '.join(STAGES[step].command)}" in [line.strip() for line in told.splitlines()]


@pytest.mark.parametrize("code", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_refresh_stops_at_the_first_failure(stubbed: Refresh, step: str, code: int) -> None:
    number = STEPS.index(step) + 1
    stage = STAGES[step]
    ended, calls, lines = stubbed.run(broken=DOCUMENTED[step], code=code)
    assert ended == 2, "GNU make's own"
    assert_called(calls, STEPS[:number])
    assert any(re.fullmatch(rf"make.*: \*\*\* \[Makefile:\d+: refresh\] Error {code}", line) for line in lines), lines
    assert [line for line in lines if re.match(r"refresh \d/", line)][-1].startswith(
        f"refresh {number}/4 {step}: FAILED after "
    )
    advice = stage.if_refused if code == 1 else stage.if_impossible
    [stopped] = [line for line in lines if line.startswith("refresh stopped at ")]
    assert stopped == f"refresh stopped at {step} (exit code {code}). {stage.left} {advice}"
    printed = [line for line in lines if not line.startswith("make")]
    assert printed[printed.index(stopped) + 1 :] == ["12:00:00  marts were not published. The reason:", "  a rule"]
    written = json.loads(stubbed.summary.read_text(encoding="utf-8"))
    assert (written["exit_code"], written["stopped_at"], written["published"]) == (code, step, False)
    assert list(written["seconds"]) == STEPS[:number]
    assert stopped.endswith(written["advice"])


@pytest.mark.parametrize("code", [1, 2])
def test_a_build_that_fails_after_its_publication_did_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """An erasure or a snapshot that could not be finished."""
    states = iter([refresh.State(build=1, status="published"), refresh.State(build=2, status="published")])
    monkeypatch.setattr(refresh, "look", lambda _database: next(states))
    monkeypatch.setattr(refresh, "run_step", lambda step, *_: (code if step.name == "publish" else 0, []))
    outcome, _ = refresh.refresh(tmp_path, tmp_path / "rapport.duckdb", ())
    assert (outcome.stopped_at, outcome.published, outcome.exit_code) == ("publish", True, code)
    assert outcome.advice == (
        "Marts are new, export and report are not. Mend what is named above, then run the refresh again."
    )


def test_wrong_vars_end_a_refresh_at_once(stubbed: Refresh) -> None:
    for given in ("{studystart: 1}", "{study_end: 2021-02-30}", "[1]", "{a: "):
        code, calls, lines = stubbed.run(f"VARS={given}")
        assert code == 2
        assert calls == []
        assert any(line.startswith("rapport.refresh: ") for line in lines)


def of_the_working_copy() -> dict[Path, int]:
    """Release and reports of this folder, with the time of their last change."""
    return {path: path.stat().st_mtime_ns for name in ("release", "reports") for path in (ROOT / name).rglob("*")}


@pytest.mark.builds
def test_the_summary_says_what_became_of_marts_and_cohort(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of dbt on a real warehouse: rows in quarantine and warnings of the audit, then a cohort that vanishes."""
    for name, value in environment(built).items():
        monkeypatch.setenv(name, value)
    steps_of = refresh.steps_of
    monkeypatch.setattr(refresh, "steps_of", lambda places: steps_of(places)[:2])
    there = of_the_working_copy()
    programs = Path(sys.executable).parent
    [(cohort,)] = built.query("select count(*) from marts.analysis_cohort")
    built.spoil("alliance_ratings", "bond_item", "9", first("rating_id"))
    built.rewrite("sessions", "select * replace (started_at + interval 3 hour as started_at) from rows")
    outcome, reason = refresh.refresh(
        programs,
        built.db,
        ["--vars", "{on_bad_rows: quarantine, max_quarantined_share: 0.05, min_rows_for_shares: 1000000}"],
    )
    lines = refresh.in_words(outcome, reason)
    assert (outcome.exit_code, outcome.published, outcome.build, reason) == (0, True, 2, []), lines
    [(after,)] = built.query("select count(*) from marts.analysis_cohort")
    assert (outcome.cohort_before, outcome.cohort_after) == (cohort, after)
    assert outcome.rows_in_quarantine == {"alliance_ratings": 3}
    [late] = [rule for rule in outcome.warnings if rule.rule == "submitted_at is not before its session"]
    assert late.unexpected
    assert outcome.critical == []
    assert lines[0].startswith("refresh: published build 2; ")
    assert lines[1:3] == [
        f"  cohort: {cohort:,} before, {after:,} after",
        "  rows in quarantine: 3 (alliance_ratings 3)",
    ]
    assert f"    {late}" in lines

    built.rewrite("sessions", "select * replace ('no_show' as status) from rows")
    outcome, reason = refresh.refresh(
        programs,
        built.db,
        ["--vars", "{on_bad_rows: quarantine, max_quarantined_share: 0.05, min_rows_for_shares: 1000000}"],
    )
    lines = refresh.in_words(outcome, reason)
    assert (outcome.exit_code, outcome.stopped_at, outcome.published, outcome.build) == (1, "publish", False, 3)
    assert (outcome.cohort_before, outcome.cohort_after) == (after, after)
    assert {rule.table for rule in outcome.critical} == {"analysis_cohort"}
    assert lines[0].startswith("refresh: nothing was published; ")
    assert "gate candidates is closed" in reason[1]
    assert lines[-len(reason) :] == reason
    assert there == of_the_working_copy()


def test_a_refresh_belongs_to_the_projects_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refresh.main([]) == 2
    assert list(tmp_path.iterdir()) == []


def test_vars_reach_both_steps_of_dbt(stubbed: Refresh) -> None:
    code, calls, lines = stubbed.run("VARS={accept_volume_change: true, freshness_error_hours: 72}")
    assert code == 0, lines
    with_vars = [
        call for call in calls if call.endswith(" --vars {accept_volume_change: true, freshness_error_hours: 72}")
    ]
    assert [call.split()[0] for call in with_vars] == ["dbt", "dbt"]


# --- exit codes


def exit_code(warehouse: Warehouse, *arguments: str) -> tuple[int, str]:
    """What the process of a dbt command would end with, and all that it prints."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import cli

    warehouse.capfd.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAPPORT_RAW", str(warehouse.raw))
        patch.setenv("RAPPORT_DB", str(warehouse.db))
        patch.setenv("RAPPORT_RAW_FORMAT", warehouse.raw_format)
        patch.setenv("RAPPORT_LOCK_WAIT", "1")
        try:
            with pytest.raises(SystemExit) as ended:
                cli(
                    [
                        *("--no-use-colors", "--no-write-json", *arguments),
                        *("--project-dir", str(ROOT), "--profiles-dir", str(ROOT)),
                        *(
                            "--target-path",
                            str(warehouse.target),
                            "--log-path",
                            str(warehouse.target / "logs-of-exit-codes"),
                        ),
                    ]
                )
        finally:
            DuckDBConnectionManager.close_all_connections()
    captured = warehouse.capfd.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


def documented_code(situation: str) -> int:
    """The exit code of `dbt` that the document's table gives for a situation."""
    return int(re.findall(rf"^\| (\d) \| [^|]*{re.escape(situation)}", DOC, re.MULTILINE)[0])


def test_exit_codes_of_dbt(warehouse: Warehouse) -> None:
    code, printed = exit_code(warehouse, "source", "freshness")
    assert code == documented_code("a stale export below the bound") == 0
    assert printed.count("WARN freshness of raw.") == 4

    code, printed = exit_code(warehouse, "build", "--no-such-option")
    assert code == documented_code("wrong option") == 2
    assert "No such option" in printed

    lock = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", lock, str(warehouse.db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    code, printed = exit_code(warehouse, "build")
    holder.communicate("")
    assert code == documented_code("database in use") == 2
    assert "Waited 1 s (RAPPORT_LOCK_WAIT); nothing was changed" in printed
    log = (warehouse.target / "logs-of-exit-codes/dbt.log").read_text(encoding="utf-8")
    tries = re.findall(
        r"^(\d\d):(\d\d):([\d.]+) .*Got an error when attempting to connect to DuckDB", log, re.MULTILINE
    )
    assert len(tries) > 1, "dbt opens the file once for every schema"
    first, *_, last = [int(hour) * 3600 + int(minute) * 60 + float(second) for hour, minute, second in tries]
    assert (last - first) % 86400 < (len(tries) - 1) / 2, "and only the first one waits, for a second"

    (warehouse.raw / "sessions").rename(warehouse.raw / "moved-away")
    code, printed = exit_code(warehouse, "build")
    assert code == documented_code("a closed gate") == 1
    assert "sessions: folder exists" in printed


@pytest.mark.builds
def test_an_export_beyond_the_bound_is_an_error(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.target = tmp_path / "target"  # other vars: a parse of its own, the shared one stays
    code, printed = exit_code(warehouse, "source", "freshness", "--vars", "{freshness_error_hours: 72}")
    assert code == documented_code("beyond `freshness_error_hours`") == 1
    assert printed.count("ERROR STALE freshness of raw.") == 4


# --- the examples


def test_every_excerpt_is_what_the_file_says() -> None:
    shown = set()
    for path, excerpt in re.findall(r"^```\w+ (examples/\S+)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL):
        text = (ROOT / path).read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines()]
        for block in excerpt.split("…\n"):
            wanted = [line.strip() for line in block.strip("\n").splitlines()]
            found = any(lines[start : start + len(wanted)] == wanted for start in range(len(lines)))
            assert found, f"{path} does not hold\n{block}"
        shown.add(Path(path).parent.name)
    assert shown == {path.name for path in EXAMPLES.iterdir()}


def workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load((EXAMPLES / "github-actions" / name).read_text(encoding="utf-8"))


def commands() -> dict[str, str]:
    """The commands of every example, by where they stand."""
    found = {"crontab": (EXAMPLES / "cron/crontab").read_text(encoding="utf-8").splitlines()[-1]}
    for unit in (EXAMPLES / "systemd").glob("*.service"):
        found[unit.name] = unit_file(unit)["Service"]["ExecStart"]
    for path in (EXAMPLES / "github-actions").glob("*.yml"):
        for job in workflow(path.name)["jobs"].values():
            for step in job["steps"]:
                assert ("run" in step) != ("uses" in step)
                found[f"{path.name}: {step.get('name')}"] = step.get("run", "")
    return found


def unit_file(path: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(path.read_text(encoding="utf-8"))
    return parsed


def test_examples_call_what_exists() -> None:
    called = set()
    for place, command in commands().items():
        assert subprocess.run(["/bin/sh", "-nc", command], check=False).returncode == 0, place
        for target in re.findall(r"\bmake (?:-\S+ (?:/\S+ )?)*([a-z-]+)", command):
            assert target in TARGETS, place
            called.add(target)
    assert {"refresh", "lint", "test"} <= called


def test_cron_line() -> None:
    line = commands()["crontab"]
    assert re.match(r"(\S+ ){5}/usr/bin/make ", line)
    assert "%" not in line, "cron ends the command there"


def test_systemd_units_name_each_other() -> None:
    units = {path.name: unit_file(path) for path in (EXAMPLES / "systemd").iterdir()}
    assert set(units) == {"rapport-refresh.service", "rapport-refresh.timer", "rapport-refresh-failed.service"}
    assert units["rapport-refresh.service"]["Unit"]["OnFailure"] == "rapport-refresh-failed.service"
    assert "--unit rapport-refresh.service" in units["rapport-refresh-failed.service"]["Service"]["ExecStart"]


def test_ci_compares_with_what_the_build_uploads() -> None:
    uploads = [
        step["with"] for step in workflow("build.yml")["jobs"]["refresh"]["steps"] if "upload" in step.get("uses", "")
    ]
    assert {"name": "dbt-state", "path": "target/manifest.json"} in uploads
    assert "--name dbt-state --dir state" in commands()["ci.yml: The manifest of main's last good build"]
    database = Path(workflow("ci.yml")["env"]["RAPPORT_DB"])
    assert database.name == "rapport.duckdb", "the name of dbt's database, and part of its state"


def test_python_examples_run_the_steps_of_refresh() -> None:
    trees = {
        path.parent.name: ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for path in EXAMPLES.glob("*/*.py")
    }
    assert set(trees) == {"airflow", "alerts", "dagster"}
    steps = next(
        ast.literal_eval(node.value)
        for node in trees["airflow"].body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "STEPS"
    )
    assert list(steps) == STEPS
    made = {
        node.args[0].value
        for node in ast.walk(trees["dagster"])
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "make"
        and isinstance(node.args[0], ast.Constant)
    }
    assert made == set(STEPS[2:])
