"""The changes of docs/adapt.md, each made on a copy of the project as the page shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import ROOT
from test_messages import MARK

PAGE = (ROOT / "docs/adapt.md").read_text(encoding="utf-8")
AT_MOST = {"Another window": 1, "A criterion": 2, "A covariate": 2, "Another grouping": 2, "Another instrument": 3}
"""How many files a change touches, at most."""


@dataclass(frozen=True)
class Change:
    """A chapter of the page: its diff, and a query of the demo with what it shows."""

    title: str
    diff: str
    query: str
    shown: str


def changes() -> list[Change]:
    found = []
    for chapter in PAGE.split("\n## ")[1:]:
        title = chapter.split("\n", maxsplit=1)[0]
        blocks = {kind: re.findall(rf"```{kind}\n(.*?)```", chapter, re.DOTALL) for kind in ("diff", "sql", "text")}
        [diff], [query], [shown] = blocks["diff"], blocks["sql"], blocks["text"]
        found.append(Change(title, diff, query.strip(), shown.strip()))
    return found


CHANGES = changes()


def run(project: Path, *command: str, raw: Path = ROOT / "demo") -> str:
    """What a command prints in the copy; it has to succeed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "python"),
        "DBT_PROFILES_DIR": ".",
        "RAPPORT_STUDY": "my_service",
        "RAPPORT_DB": "my_service.duckdb",
        "RAPPORT_RAW": str(raw),
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert MARK not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the copy of the published study that the page begins with."""
    project = tmp_path_factory.mktemp("adapted") / "project"
    project.mkdir()
    for name in ("models", "macros", "seeds", "expectations", "studies", "contracts"):
        shutil.copytree(ROOT / name, project / name)
    (project / "tests").mkdir()
    shutil.copytree(ROOT / "tests/data", project / "tests/data")
    for name in ("dbt_project.yml", "profiles.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    [command] = re.findall(r"^sed .*$", PAGE, re.MULTILINE)
    subprocess.run(command, shell=True, cwd=project, check=True)
    return project


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with marked moments that change no figure: the parts of a second in which sessions began."""
    raw = tmp_path_factory.mktemp("marked") / "demo"
    shutil.copytree(ROOT / "demo", raw)
    mark(raw)
    return raw


def mark(raw: Path) -> None:
    """Put the mark into the moments of an export's sessions and participants, but where it would move one past another.

    The same row in two files stays the same; a session keeps its moment where an assessment has the same one.
    """
    tables = {"sessions": "started_at", "participants": "registered_at"}
    for path, column in (
        (path, column) for table, column in tables.items() for path in (raw / table).glob("*.parquet")
    ):
        with duckdb.connect() as connection:
            connection.execute(f"create table rows as from '{path}'")
            assessed = f"select completed_at from read_parquet('{raw}/*_assessments/*.parquet', union_by_name = true)"
            marked = f"date_trunc('second', {column}) + interval {int(MARK)} microsecond"
            moment = f"case when {column} in ({assessed}) then {column} else {marked} end"
            connection.execute(f"copy (select * replace ({moment} as {column}) from rows) to '{path}' (format parquet)")


def columns_of(database: Path, table: str) -> list[str]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return [row[0] for row in connection.execute(f"describe marts.{table}").fetchall()]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.title)
def test_a_change_touches_few_files(change: Change) -> None:
    [limit] = [limit for title, limit in AT_MOST.items() if change.title.startswith(title)]
    assert 1 <= len(files_of(change)) <= limit


def files_of(change: Change) -> set[str]:
    """The files that a diff touches."""
    return set(re.findall(r"^\+\+\+ b/(\S+)", change.diff, re.MULTILINE))


@pytest.mark.long
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.title)
def test_a_change_takes_the_files_of_its_diff_and_everything_follows(
    copied: Path, marked: Path, tmp_path: Path, change: Change
) -> None:
    """No marked answer is printed, or written but to the tables that hold what was answered."""
    project = tmp_path / "project"
    shutil.copytree(copied, project)
    subprocess.run(["patch", "-p1", "--no-backup-if-mismatch"], input=change.diff, text=True, cwd=project, check=True)
    raw = marked
    if change.title.startswith("Another instrument"):
        [command] = re.findall(r"^\.venv/bin/(python -m rapport\.demo .*)$", PAGE, re.MULTILINE)
        run(project, *command.split(), raw=raw)
        raw = project / command.split()[-1]
        mark(raw)
    run(project, "python", "-m", "rapport.studies", "my_service")
    run(project, "dbt", "--quiet", "build", raw=raw)  # with the unit tests, as `make build`
    run(project, "python", "-m", "rapport.release", "--out", "release")
    run(project, "python", "-m", "rapport.report", "--release", "release", "--out", "page.html")
    run(project, "python", "-m", "rapport.contracts", "generate")
    database = project / "my_service.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        cursor = connection.execute(change.query)
        rows = [[column[0] for column in cursor.description or ()], *cursor.fetchall()]
        models = connection.execute(HC3_BESIDE_THE_FINDING).fetchall()
    assert "\n".join(" | ".join("" if v is None else str(v) for v in row) for row in rows) == change.shown
    # Least squares with HC3 errors has the finding's own coefficients, and its n.
    assert {"age_years", "male", "time_in_care", "alliance"} <= {term for term, *_ in models}
    assert ("rated_sessions" in {term for term, *_ in models}) == change.title.startswith("A covariate")
    for term, n, estimate, other_n, other_estimate, error in models:
        assert n == other_n, term
        assert estimate == pytest.approx(other_estimate, rel=1e-9), term
        assert error is not None, term
    page = (project / "page.html").read_text(encoding="utf-8")
    contract = yaml.safe_load((project / "contracts/marts.odcs.yaml").read_text(encoding="utf-8"))
    promised = {table["name"]: [column["name"] for column in table["properties"]] for table in contract["schema"]}
    for table, columns in promised.items():
        assert columns_of(database, table) == columns, table
    for text in FOLLOWS.get(change.title.split(":", maxsplit=1)[0], ()):
        assert text in page, text
    if change.title.startswith("A criterion"):
        assert "has_two_sessions" in promised["eligibility"]
    assert (project / "release" / "eligibility_flow.csv").is_file()
    written = {path for path in project.rglob("*") if path.is_file() and raw not in path.parents and path != database}
    assert {"dbt.log", "run_results.json", "page.html", "manifest.json"} <= {path.name for path in written}
    assert [path.name for path in written if MARK.encode() in path.read_bytes()] == []


HC3_BESIDE_THE_FINDING = """
    select term, main.n, main.estimate, hc3.n, hc3.estimate, hc3.std_error
    from (select * from marts.inference_results where analysis = 'alliance_predicts_wellbeing') as main
    full join (select * from marts.sensitivity_results where analysis = 'alliance_hc3') as hc3 using (term)
"""

FOLLOWS = {
    "A criterion": ("With at least two sessions", "one completed session only"),
    "A covariate": ("Rated sessions",),
    "Another grouping": ("Under 30", "Age group: 45 and older"),
}
"""What the report says of a change."""


@pytest.mark.builds
def test_a_criterion_may_have_a_model_of_its_own(copied: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(copied, project)
    (project / "models/rules/rated_twice.sql").write_text(
        "-- A participant has rated often enough when two of their sessions are rated.\n"
        "select participant_id, rated_sessions >= 2 as holds from {{ ref('alliance_answers') }}\n",
        encoding="utf-8",
    )
    file = project / "studies/my_service.yml"
    study = yaml.safe_load(file.read_text(encoding="utf-8"))
    criterion = {"id": "rated_twice", "flag": "has_rated_twice", "label": "Who rated twice", "model": "rated_twice"}
    texts = {"description": "two sessions are rated.", "reasons": [{"reason": "fewer than two rated sessions"}]}
    study["eligibility"].append(criterion | texts)
    file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    run(project, "dbt", "--quiet", "run", "--select", "+eligibility")
    with duckdb.connect(str(project / "my_service.duckdb"), read_only=True) as connection:
        answers = connection.execute(
            "select judged.has_rated_twice, coalesce(rated_sessions, 0) >= 2, count(*)"
            " from candidates.eligibility as judged inner join rules.participant_facts as facts using (participant_id)"
            " group by all order by all"
        ).fetchall()
        [(excluded,)] = connection.execute(
            "select count(*) from candidates.eligibility"
            " where first_failed_criterion = 'rated_twice' and exclusion_reason = 'fewer than two rated sessions'"
        ).fetchall()
        [(expected,)] = connection.execute(
            "select count(*) from candidates.eligibility as judged"
            " inner join rules.participant_facts as facts using (participant_id)"
            " where is_adult and is_sponsored and is_registered and has_session and has_baseline and has_followup"
            " and has_rating and rated_sessions < 2"
        ).fetchall()
    assert [row[:2] for row in answers] == [(False, False), (True, True)]
    assert excluded == expected > 100
