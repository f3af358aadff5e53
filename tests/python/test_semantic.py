"""`mf query` gives the figures of the marts; skipped where MetricFlow is not installed (`make semantic`)."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Warehouse
from test_messages import MARK, OF_THE_STUDY, leaks, plant_moments

MF = Path(os.environ.get("RAPPORT_MF", ROOT / ".venv-semantic" / "bin" / "mf"))
RATES = {
    "no_show_rate": "no_show_rate",
    "cancellation_rate": "cancellation_rate",
    "response_rate": "response_rate",
    "alliance_mean": "alliance_mean",
}
OUTCOMES = ("mean_change", "recovery_rate", "improvement_rate")

pytestmark = pytest.mark.skipif(not MF.exists(), reason="no MetricFlow here: `make semantic` installs and tests it")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the metrics, in a folder where it may write."""
    folder = tmp_path_factory.mktemp("semantic") / "semantic"
    shutil.copytree(ROOT / "semantic", folder, ignore=shutil.ignore_patterns("target", "logs"))
    return folder


def run(project: Path, database: Path, *command: str) -> str:
    """What a command prints; it has to succeed."""
    environment = {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        "PATH": f"{MF.parent}:{os.environ['PATH']}",
        "DBT_PROFILES_DIR": str(project),
        "RAPPORT_SEMANTIC_DB": str(database),
    }
    done = subprocess.run(
        [str(MF.parent / command[0]), *command[1:]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def query(
    project: Path, database: Path, metrics: str, group_by: str, *more: str
) -> dict[tuple[str, ...], list[float | None]]:
    """The rows of `mf query`, by the values that they are grouped by."""
    out = project / "out.csv"
    out.unlink(missing_ok=True)
    run(project, database, "mf", "query", "--metrics", metrics, "--group-by", group_by, "--csv", str(out), *more)
    with out.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    keys = len(group_by.split(","))
    return {
        tuple(row[:keys]): [float(value) if value not in ("", "nan", "None") else None for value in row[keys:]]
        for row in rows
    }


def about(value: object) -> object:
    """A month without a value is one in MetricFlow, too."""
    return None if value is None else pytest.approx(value, rel=1e-12)


def test_queries_give_the_figures_of_the_marts(built: Warehouse, project: Path) -> None:
    run(project, built.db, "dbt", "--quiet", "parse")
    metrics = ",".join(RATES)
    by_provider_type = "{{ Dimension('service__provider_type') }} <> 'all'"
    found = query(project, built.db, metrics, "metric_time__month,service__provider_type", "--where", by_provider_type)
    for measure, position in zip(RATES, range(len(RATES)), strict=True):
        expected = built.query(
            "select strftime(month, '%Y-%m-%d'), provider_type, value from marts.service_monthly"
            f" where measure = '{measure}' and provider_type <> 'all'"
        )
        by_key = {(month[:10], kind): row[position] for (month, kind), row in found.items()}
        assert by_key == {(month, kind): about(value) for month, kind, value in expected}
    # Without a provider type they are those of all.
    found = query(project, built.db, metrics, "metric_time__month")
    expected = built.query(
        "select strftime(month, '%Y-%m-%d'), value from marts.service_monthly"
        " where measure = 'response_rate' and provider_type = 'all'"
    )
    assert {month[:10]: row[2] for (month,), row in found.items()} == {month: about(value) for month, value in expected}
    found = query(project, built.db, ",".join((*OUTCOMES, "new_participants")), "metric_time__month")
    for position, measure in enumerate((*OUTCOMES, "new_participants")):
        expected = built.query(
            f"select strftime(month, '%Y-%m-%d'), value from marts.service_monthly where measure = '{measure}'"
            " and provider_type = 'all'"
        )
        assert {month[:10]: row[position] for (month,), row in found.items()} == {
            month: about(value) for month, value in expected
        }

    by_type = query(
        project, built.db, "participants,mean_alliance_score,positive_participants", "participant__utilization_type"
    )
    table_1 = {
        (variable, statistic, kind): value
        for variable, statistic, kind, value in built.query(
            "select variable, statistic, utilization_type, value from marts.table_1 where level is null"
        )
    }
    assert set(by_type) == {("teletherapy",), ("telecoaching",), ("both",)}
    for (kind,), (participants, alliance, positive) in by_type.items():
        assert participants == table_1["participants", "n", kind]
        assert alliance == pytest.approx(table_1["alliance_score", "mean", kind], rel=1e-12)
        assert positive == table_1["screened_positive", "n", kind]
    [(sexes, countries)] = built.query(
        "select map_from_entries(list((level, value)) filter (where variable = 'sex')),"
        " map_from_entries(list((level, value)) filter (where variable = 'country')) from marts.table_1"
        " where statistic = 'n' and utilization_type = 'total' and variable in ('sex', 'country')"
    )
    by_sex = query(project, built.db, "participants", "participant__sex")
    assert {sex: n for (sex,), [n] in by_sex.items()} == {sex: n for sex, n in sexes.items() if n}  # type: ignore[attr-defined]
    by_country = query(project, built.db, "participants", "participant__country")
    assert {c: n for (c,), [n] in by_country.items() if c != "missing"} == {c: n for c, n in countries.items() if n}  # type: ignore[attr-defined]
    [rates] = query(
        project, built.db, "cohort_recovery_rate,cohort_improvement_rate,cohort_mean_change", "participant__is_cohort"
    ).values()
    estimates = dict(
        built.query(
            "select analysis, estimate from marts.inference_results where term in ('screened_positive', 'followup - baseline')"
        )
    )
    assert rates == [
        pytest.approx(estimates[name], rel=1e-12)
        for name in ("clinical_recovery", "clinical_improvement", "wellbeing_change")
    ]


def test_the_five_queries_of_the_page_run(built: Warehouse, project: Path) -> None:
    page = (ROOT / "docs" / "semantic-layer.md").read_text(encoding="utf-8")
    commands = re.findall(r"^mf query .*$", page, re.MULTILINE)
    assert len(commands) == 5
    run(project, built.db, "dbt", "--quiet", "parse")
    for command in commands:
        run(project, built.db, *shlex.split(command))


def test_no_answer_is_printed_or_logged(built: Warehouse, project: Path) -> None:
    """Marked moments of an export, through its build and the queries of the page."""
    plant_moments(built)
    outcome = built.run()
    assert outcome.success, outcome.output
    page = (ROOT / "docs" / "semantic-layer.md").read_text(encoding="utf-8")
    printed = run(project, built.db, "dbt", "parse")
    for command in re.findall(r"^mf query .*$", page, re.MULTILINE):
        printed += run(project, built.db, *shlex.split(command))
    assert len(printed) > 500
    assert leaks(built, outcome.output + printed, besides=OF_THE_STUDY) == []
    written = [path for path in project.rglob("*") if path.is_file()]
    assert {"dbt.log", "manifest.json"} <= {path.name for path in written}
    assert [path.name for path in written if MARK.encode() in path.read_bytes()] == []
