"""What is refused before anything is read, what the cohort's guard sees, and what a command says last."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT, Warehouse

from dbt_rapport import reasons_of
from rapport.project_vars import VARS, faults, vars_of, written
from rapport.studies import load_study

PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
STUDY = load_study(ROOT, PROJECT["study"])
OF_STUDY = {var.name: var.value for var in STUDY.vars}
EVERY = {**OF_STUDY, **PROJECT}
UNCHANGED = "marts were not published"


@pytest.fixture
def alone(warehouse: Warehouse, tmp_path: Path) -> Warehouse:
    """A warehouse whose other vars do not make the shared parse of the project stale."""
    warehouse.target = tmp_path / "target"
    return warehouse


def last_lines(printed: str) -> str:
    """What stands after dbt's own last line."""
    return printed.split("Done. PASS=")[-1].partition("\n")[2]


# --- vars

WRONG: dict[str, tuple[str, str]] = {
    "misspelt": ("{studystart: 2021-01-01}", "studystart is no var; did you mean study_start?"),
    "unknown": ("{zzz: 1}", "zzz is no var; the vars are study_start, "),
    "choice": ("{on_bad_rows: quarentine}", "var on_bad_rows is quarentine; it must be stop or quarantine"),
    "too large": ("{who5_cutoff: 500}", "var who5_cutoff is 500; it must be a whole number from 0 to 100"),
    "fraction": ("{min_sessions: 1.5}", "var min_sessions is 1.5; it must be a whole number, 1 or more"),
    "number as text": ("{who5_cutoff: '28'}", "var who5_cutoff is '28'; it must be a whole number from 0 to 100"),
    "truth for a number": ("{adult_age: true}", "var adult_age is true; it must be a whole number from 0 to 120"),
    "number for a truth": ("{accept_volume_change: 1}", "var accept_volume_change is 1; it must be true or false"),
    "share": ("{max_shrinkage: 10}", "var max_shrinkage is 10; it must be a number from 0 to 1"),
    "not a number": ("{max_share_jump: .nan}", "var max_share_jump is .nan; it must be a number from 0 to 1"),
    "small cell": ("{min_cell: 1}", "var min_cell is 1; it must be a whole number, 2 or more"),
    "null": ("{min_sessions: null}", "var min_sessions is null; it must be a whole number, 1 or more"),
    "country": ("{home_country: usa}", "var home_country is usa; it must be two capital letters"),
    "no such day": ("{study_end: '2021-02-30'}", "var study_end is '2021-02-30'; it must be a date written YYYY-MM-DD"),
    "another order": ("{study_end: 12.10.2021}", "var study_end is 12.10.2021; it must be a date written YYYY-MM-DD"),
    "a moment": ("{study_end: 2021-10-12 10:00:00}", "var study_end is 2021-10-12 10:00:00; it must be a date"),
    "end before start": (
        "{study_start: '2022-01-01'}",
        "var study_start is 2022-01-01, after study_end, 2021-10-12: no day is in the study window",
    ),
    "freshness": ("{freshness_warn_hours: often}", "var freshness_warn_hours is often; it must be a whole number"),
    "error before warning": (
        "{freshness_error_hours: 12}",
        "var freshness_warn_hours is 36, more than freshness_error_hours, 12",
    ),
}
GOOD = (
    "{study_start: 2021-01-01, study_end: '2021-01-01'}",
    "{freshness_error_hours: null, min_sessions: 1, max_shrinkage: 0, max_share_jump: 1}",
    "{on_bad_rows: quarantine, accept_volume_change: true, who5_cutoff: 0}",
)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_var_is_named_with_what_it_may_be(case: str) -> None:
    given, message = WRONG[case]
    [line] = faults(PROJECT, "dbt_project.yml", yaml.safe_load(given), STUDY)
    assert line.startswith(message)


@pytest.mark.parametrize("given", GOOD)
def test_a_right_var_is_taken(given: str) -> None:
    assert faults(PROJECT, "dbt_project.yml", yaml.safe_load(given), STUDY) == []


def test_every_var_of_the_project_is_specified_and_stands_in_the_definitions() -> None:
    assert list(PROJECT) == [var.name for var in VARS]
    assert list(OF_STUDY) == [var.name for var in vars_of(STUDY)]
    assert faults(PROJECT, "dbt_project.yml", {}, STUDY) == []
    assert faults({**PROJECT, "min_cel": 3}, "dbt_project.yml", {}, STUDY) == [
        "min_cel is no var; did you mean min_cell? (dbt_project.yml)"
    ]
    assert faults({**PROJECT, "adult_age": 21}, "dbt_project.yml", {}, STUDY) == [
        "var adult_age is a value of the study; set it in studies/sagui_henson_2022.yml (dbt_project.yml)"
    ]
    incomplete = {name: value for name, value in PROJECT.items() if name != "min_cell"}
    assert faults(incomplete, "dbt_project.yml", {}, STUDY) == [
        "var min_cell is missing; it must be a whole number, 2 or more (dbt_project.yml)"
    ]
    table = re.findall(
        r"^\| `(\w+)` \| ([^|]+) \| `([^|]+)` \| ([^|]+) \|$",
        (ROOT / "docs/definitions.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert table == [
        (var.name, var.allowed, written(EVERY[var.name]).strip("'"), var.meaning) for var in (*vars_of(STUDY), *VARS)
    ]


@pytest.mark.parametrize("command", ["build", "run", "compile", "test"])
def test_wrong_vars_end_a_command_before_anything_is_read(alone: Warehouse, command: str) -> None:
    shutil.rmtree(alone.raw)
    outcome = alone.dbt(command, "--vars", "{studystart: 2021-01-01, on_bad_rows: quarentine, freshness_warn_hours: x}")
    assert not outcome.success
    assert outcome.output.count("the vars are wrong, and nothing was read:") == 1
    for message in ("did you mean study_start? (--vars)", "quarentine; it must be", "freshness_warn_hours is x; it"):
        assert outcome.output.count(message) == 1
    assert "Traceback" not in outcome.output
    assert not alone.db.exists(), "not even the database is opened"


OTHER_VARS = {
    "study_start": "2023-01-01",
    "study_end": "2024-06-15",
    "min_sessions": 2,
    "min_followup_days": 20,
    "who5_points_per_item": 1,
    "who5_cutoff": 50,
    "improvement_points": 3,
    "adult_age": 30,
    "home_country": "DE",
    "freshness_warn_hours": 2,
    "freshness_error_hours": 3,
    "on_bad_rows": "quarantine",
    "max_quarantined_share": 0.5,
    "min_cell": 3,
    "round_counts": 3,
    "max_unpacked_bytes": 1000000000,
    "max_shrinkage": 0.5,
    "max_share_jump": 0.5,
    "min_rows_for_shares": 5,
    "accept_volume_change": True,
    "equivalence_margin": 7,
    "served_marts": ["table_1"],
    "serve_participants": True,
    "provider_marts": True,
    "serve_providers": True,
    "spc_min_points": 9,
}


@pytest.mark.builds
def test_unit_tests_fix_the_vars_that_they_are_about(built: Warehouse, tmp_path: Path) -> None:
    # Which study is built, and where its rows come from, is no matter of a definition.
    assert {*OTHER_VARS, "study", "raw_schema"} == EVERY.keys()
    assert all(OTHER_VARS[name] != EVERY[name] for name in OTHER_VARS)
    built.target = tmp_path / "target"
    outcome = built.dbt("test", "--select", "test_type:unit", "--vars", yaml.safe_dump(OTHER_VARS))
    assert outcome.success, outcome.output
    assert int(re.findall(r"Done\. PASS=(\d+)", outcome.output)[0]) > 20


# --- the cohort and the window


@pytest.mark.builds
def test_a_cohort_that_vanishes_closes_the_gate_with_the_flow(built: Warehouse) -> None:
    before = built.marts()
    cohort = len(before["analysis_cohort"])
    built.rewrite("sessions", "select * replace ('no_show' as status) from rows")
    with duckdb.connect(str(built.db)) as connection:  # shares of a small export are not compared
        assert connection.execute("select max(counted) from audit.volumes").fetchall()[0][0] < 5000
    outcome = built.run("--vars", "{min_rows_for_shares: 1000000}")
    assert not outcome.success
    assert "gate candidates is closed" in outcome.output
    reason = last_lines(outcome.output)
    assert (
        f"does not shrink by more than 10.0% ({cohort} failing) - {cohort} participants in the last published build, now 0"
        in reason
    )
    assert "has an eligible participant - left after each criterion: all 400, adult " in reason
    assert ", session 0, baseline 0, followup 0, rating 0; no session is completed" in reason
    assert reason.count("if this is right, build once with --vars '{accept_volume_change: true}'") == 2
    assert built.marts() == before
    accepted = built.run("--vars", "{min_rows_for_shares: 1000000, accept_volume_change: true}")
    assert accepted.success, accepted.output
    assert built.marts()["analysis_cohort"] == []


@pytest.mark.builds
def test_invented_people_do_not_take_the_place_of_real_ones(warehouse: Warehouse) -> None:
    """Who forgets to name the export would publish the demo over the service's own findings."""
    declared = (warehouse.raw / "_synthetic.json").rename(warehouse.raw.with_name("declared.json"))
    first = warehouse.run()
    assert first.success, first.output
    before = warehouse.marts()
    declared.rename(warehouse.raw / "_synthetic.json")
    outcome = warehouse.run()
    assert not outcome.success
    assert "gate accepted is closed" in outcome.output
    assert (
        "export: invented people do not take the place of real ones (1 failing) - real people in the last published"
        f" build, now invented ones, from {warehouse.raw} (RAPPORT_RAW); if this is right, build once with"
    ) in last_lines(outcome.output)
    assert warehouse.marts() == before
    accepted = warehouse.run("--vars", "{accept_volume_change: true}")
    assert accepted.success, accepted.output
    # The other way round it is what everybody does who has tried the demo first.
    (warehouse.raw / "_synthetic.json").unlink()
    outcome = warehouse.run()
    assert outcome.success, outcome.output


@pytest.mark.builds
def test_a_cohort_that_shrinks_beyond_the_bound_closes_the_gate(built: Warehouse) -> None:
    before = built.marts()
    eligible = [row[0] for row in built.query("select participant_id from marts.analysis_cohort order by 1")]
    within, beyond = len(eligible) // 10, len(eligible) // 10 + 1
    minors = ", ".join(f"'{participant}'" for participant in eligible[:within])
    built.spoil("participants", "age_years", "17", f"participant_id in ({minors})")
    outcome = built.run()
    assert outcome.success, outcome.output
    assert len(built.marts()["analysis_cohort"]) == len(eligible) - within
    shutil.copy(built.db.parent / "good.duckdb", built.db)
    built.spoil("participants", "age_years", "17", f"participant_id = '{eligible[beyond - 1]}'")
    outcome = built.run()
    assert not outcome.success
    assert f"analysis_cohort: does not shrink by more than 10.0% ({beyond} failing)" in outcome.output
    assert built.marts() == before


def test_every_guard_names_the_var_that_accepts(built: Warehouse) -> None:
    built.rewrite("alliance_ratings", "select * from rows where hash(rating_id) % 3 > 0")
    outcome = built.run()
    assert not outcome.success
    [line] = [line for line in last_lines(outcome.output).splitlines() if "alliance_ratings: does not shrink" in line]
    assert line.endswith("; if this is right, build once with --vars '{accept_volume_change: true}'")
    assert "Deliver the right rows" not in outcome.output, "no row is at fault"


def test_an_export_of_another_time_says_so(warehouse: Warehouse) -> None:
    """All dates three years later: the default window holds none of the sessions, and a first build has no earlier one."""
    for table, columns in {
        "participants": ["registered_at"],
        "sessions": ["started_at"],
        "who5_assessments": ["completed_at"],
        "alliance_ratings": ["submitted_at"],
    }.items():
        moved = ", ".join(f"{name} + interval 3 year as {name}" for name in columns)
        warehouse.rewrite(table, f"select * replace ({moved}) from rows")
    outcome = warehouse.run()
    assert not outcome.success
    [(first, last, total)] = warehouse.query(
        "select min(started_at)::date, max(started_at)::date, count(*) from staging.stg_sessions where status = 'completed'"
    )
    assert (
        f"completed sessions run from {first} to {last}; the window is 2020-09-29 to 2021-10-12, with 0 of {total} inside"
        in last_lines(outcome.output)
    )
    assert (
        "analysis_cohort: has an eligible participant - set study_start and study_end, or the window in"
        f" studies/sagui_henson_2022.yml: completed sessions run from {first}"
    ) in last_lines(outcome.output)


@pytest.mark.builds
def test_a_window_beside_most_of_the_data_is_a_warning(alone: Warehouse) -> None:
    outcome = alone.run("--vars", "{study_start: '2021-06-01'}")
    assert outcome.success, outcome.output
    assert "Audit warning: sessions: at least half of the completed ones lie in the study window (" in outcome.output


# --- whom quarantine keeps out


@pytest.mark.builds
def test_the_flow_counts_whom_quarantine_keeps_out_and_nobody_else(built: Warehouse) -> None:
    """One eligible person loses the only baseline, another a rating of several; a minor has a faulty session."""
    [(only, assessment)] = built.query(
        "select participant_id, min(assessment_id) from staging.stg_who5_assessments"
        " inner join rules.care using (participant_id) inner join marts.analysis_cohort using (participant_id)"
        " where completed_at < first_session_at group by 1 having count(*) = 1 order by 1 limit 1"
    )
    [(several, rating)] = built.query(
        "select participant_id, min(rating_id) from staging.stg_alliance_ratings"
        " inner join staging.stg_sessions using (session_id) inner join marts.analysis_cohort using (participant_id)"
        " where status = 'completed' and started_at >= '2020-09-29' and started_at < '2021-10-13'"
        f" and participant_id <> '{only}' group by 1 having count(*) > 1 order by 1 limit 1"
    )
    [(minor, session)] = built.query(
        "select participant_id, min(session_id) from staging.stg_sessions"
        " inner join marts.eligibility using (participant_id) where first_failed_criterion = 'adult'"
        " group by 1 order by 1 limit 1"
    )
    before = {
        step: row for step, *row in built.query("select step, participants, excluded from marts.eligibility_flow")
    }
    built.spoil("who5_assessments", "item_1", "9", f"assessment_id = '{assessment}'")
    built.spoil("alliance_ratings", "bond_item", "9", f"rating_id = '{rating}'")
    built.spoil("sessions", "status", "'done'", f"session_id = '{session}'")
    outcome = built.run("--vars", "{on_bad_rows: quarantine, max_quarantined_share: 0.05}")
    assert outcome.success, outcome.output
    flow = {
        row[0]: row[1:]
        for row in built.query("select step, participants, excluded, quarantined from marts.eligibility_flow")
    }
    assert {step: row[2] for step, row in flow.items()} == {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 0, 7: 0}
    assert flow[5][1] == before[5][1] + 1
    assert built.query(f"select first_failed_criterion from marts.eligibility where participant_id = '{only}'") == [
        ("baseline",)
    ]
    assert built.query(f"select is_eligible from marts.eligibility where participant_id = '{several}'") == [(True,)]
    assert built.query(f"select participant_id from quarantine.quarantined_rows where row_key = '{session}'") == [
        (minor,)
    ]


# --- commands as people type them


def shell(warehouse: Warehouse, *arguments: str, cwd: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """`dbt` as a process of its own, with all that it prints in one stream."""
    return subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--no-use-colors", *arguments],
        cwd=cwd,
        env={**os.environ, **environment(warehouse), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def environment(warehouse: Warehouse) -> dict[str, str]:
    return {
        "RAPPORT_RAW": str(warehouse.raw),
        "RAPPORT_DB": str(warehouse.db),
        "PYTHONPATH": str(ROOT / "python"),
        "DBT_PROFILES_DIR": str(ROOT),
        "DBT_TARGET_PATH": str(warehouse.target),
        "DBT_LOG_PATH": str(warehouse.target / "logs"),
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing may appear."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def test_another_folder_is_refused_with_the_right_command(built: Warehouse, elsewhere: Path) -> None:
    done = shell(
        built, "build", "--project-dir", str(ROOT), "--select", "build", cwd=elsewhere, RAPPORT_RAW="my export"
    )
    assert done.returncode == 2
    assert (
        f"dbt was started in {elsewhere}, but the project's paths belong to its own folder; nothing was read"
        in done.stdout
    )
    [command] = re.findall(r"^ *(cd .*)$", done.stdout, re.MULTILINE)
    assert command == (
        f"cd {ROOT} && RAPPORT_RAW='{elsewhere}/my export' RAPPORT_DB={built.db}"
        " dbt --no-use-colors build --select build"
    )
    done = shell(built, "ls", "--select", "build", cwd=ROOT / "models")
    assert done.returncode == 2, "nor from a folder within the project"
    assert f"cd {ROOT} && " in done.stdout


@pytest.mark.builds
def test_a_selection_says_that_it_publishes_nothing(built: Warehouse) -> None:
    outcome = built.run("--select", "build")
    assert outcome.success
    assert UNCHANGED in last_lines(outcome.output)
    assert "`dbt build` without a selection publishes" in last_lines(outcome.output)
    assert "without a selection" not in built.run().output, "a whole build has published"


@pytest.mark.builds
def test_the_reason_of_a_closed_gate_is_the_last_thing_on_the_screen(built: Warehouse) -> None:
    built.spoil("sessions", "status", "'done'", "session_id = (select min(session_id) from rows)")
    for options in ((), ("--quiet",)):
        done = shell(built, *options, "build", "--no-partial-parse")
        assert done.returncode == 1
        lines = done.stdout.splitlines()
        start = max(number for number, line in enumerate(lines) if UNCHANGED in line)
        assert lines[start + 1] == "gate raw is closed, marts stay as they were. Critical rules broken: 1"
        assert lines[start + 2].strip().startswith("sessions: status is completed or cancelled or no_show (1 failing)")
        assert len(lines) <= start + 5, "and nothing after it but the advice"


def test_a_long_reason_is_cut_to_fit_the_screen() -> None:
    gate = "Runtime Error in model gate_raw (models/x.sql)\n  Invalid Input Error: gate raw is closed\n" + "rule\n" * 40
    [reason] = reasons_of({"audit_raw": "something else", "gate_raw": gate})
    assert reason.splitlines() == ["gate raw is closed", *["rule"] * 14, "    … 26 lines more, see above"]
    advised = gate.replace("rule\n", "    rule\n") + "  what to do"
    [reason] = reasons_of({"gate_raw": advised})
    assert reason.splitlines() == [
        "gate raw is closed",
        *["    rule"] * 13,
        "    … 27 lines more, see above",
        "  what to do",
    ], "the advice stays"
    assert reasons_of({"a": "one", "b": "two", "c": "three", "d": "four"}) == [
        "one",
        "two",
        "three",
        "and 1 more, see above",
    ]


@pytest.mark.builds
def test_retry_says_what_to_run(built: Warehouse, tmp_path: Path) -> None:
    built.target = tmp_path / "target"
    built.spoil("sessions", "status", "'done'", "session_id = (select min(session_id) from rows)")
    assert shell(built, "run", "--vars", "{min_cell: 12}").returncode == 1
    before = built.marts()
    done = shell(built, "retry")
    assert done.returncode == 2
    assert "dbt retry would build on verdicts of another build, which no gate accepts; nothing was read" in done.stdout
    assert done.stdout.splitlines()[-1].strip() == "dbt run --vars '{min_cell: 12}'"
    assert built.marts() == before


@pytest.mark.builds
def test_a_wait_for_the_lock_says_at_once_for_whom(built: Warehouse) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(built.db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    waiting = subprocess.Popen(
        [Path(sys.executable).with_name("dbt"), "--quiet", "run", "--select", "build"],
        cwd=ROOT,
        env={**os.environ, **environment(built), "RAPPORT_LOCK_WAIT": "600"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stderr is not None
        begun = time.monotonic()
        line = waiting.stderr.readline()
        assert time.monotonic() - begun < 60, "long before it would give up"
        assert f"{built.db} is in use by " in line
        assert f"(PID {holder.pid}): waiting for it, up to 600 s (RAPPORT_LOCK_WAIT)" in line
        holder.communicate("")
        assert waiting.wait(120) == 0, "and goes on when the file is free"
        assert "waiting" not in waiting.stderr.read(), "it says so once"
    finally:
        waiting.send_signal(signal.SIGKILL)
        holder.kill()
