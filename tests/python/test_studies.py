"""A study is checked before anything is read: one message with file, line, key and what is allowed; values, names, files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import ROOT, Warehouse

from rapport.project_vars import check_vars
from rapport.studies import Study, StudyError, load_study, study_names
from rapport.studies.__main__ import main
from rapport.studies.definition import filled
from rapport.studies.facts import ANSWERS
from rapport.studies.parameters import ParameterError, resolved

PUBLISHED = "sagui_henson_2022"
SCHEMA = json.loads((ROOT / "studies/study.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that a study is checked by, in a folder that a test may change, and is in."""
    shutil.copy(ROOT / "dbt_project.yml", tmp_path / "dbt_project.yml")
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    for name in ("raw/_raw__sources.yml", "rules/_rules.yml", "marts/_marts.yml"):
        (tmp_path / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "models" / name, tmp_path / "models" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spoil(project: Path, old: str, new: str) -> None:
    path = project / "studies" / f"{PUBLISHED}.yml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")


# What is spoilt, the key that is named, and what the message says
WRONG: dict[str, tuple[str, str, str, str]] = {
    "unknown column": (
        "    sql: sex\n",
        "    sql: gender\n",
        "groupings.sex.sql",
        'its SQL fails: Binder Error: Referenced column "gender" not found',
    ),
    "column of the export": (
        "condition: age_years >= {age}\n",
        "condition: country_code = 'US' and age_years >= {age}\n",
        "eligibility.adult.condition",
        "; a column of the export is reached by a fact of its own, under `facts`; allowed is SQL over participant_id, ",
    ),
    "column nearly right": (
        "    sql: sex\n",
        "    sql: sexe\n",
        "groupings.sex.sql",
        'Referenced column "sexe" not found in FROM clause!; did you mean sex?; allowed is SQL over participant_id, ',
    ),
    "column of a table nearly right": (
        "condition: age_years >= {age}",
        "condition: facts.Age_Year >= {age}",
        "eligibility.adult.condition",
        "; did you mean age_years?; allowed is SQL over ",
    ),
    "sessions nearly right": (
        "condition: total_sessions >= {sessions}",
        "condition: total_session >= {sessions}",
        "eligibility.session.condition",
        'Referenced column "total_session" not found in FROM clause!; did you mean total_sessions?; allowed is SQL over'
        " total_sessions, as it waits for sessions; without waits_for over participant_id, registered_at, ",
    ),
    "another column than a criterion waits for": (
        "condition: total_sessions >= {sessions}",
        "condition: rated_sessions >= {sessions}",
        "eligibility.session.condition",
        'Referenced column "rated_sessions" not found in FROM clause!; allowed is SQL over total_sessions, as it waits for',
    ),
    "criterion whose SQL fails": (
        "condition: age_years >= {age}",
        "condition: age_years >= {age} and",
        "eligibility.adult.condition",
        "its SQL fails: Parser Error",
    ),
    "criterion that is no truth": (
        "condition: employer_sponsored\n",
        "condition: age_years\n",
        "eligibility.sponsored.condition",
        "its SQL gives integer; allowed is an SQL expression that is true or false",
    ),
    "reference level that is none": (
        "reference: female",
        "reference: women",
        "covariates.sex.reference",
        "women is no level of sex; allowed is one of female, male",
    ),
    "level that does not occur": (
        "      - {id: male, phrase: males}",
        "      - {id: man, phrase: males}",
        "groupings.sex.contrasts.1.2",
        "male is no level of sex; allowed is one of female, man",
    ),
    "duplicate id": (
        "  - id: registered\n",
        "  - id: sponsored\n",
        "eligibility.sponsored.id",
        "sponsored stands twice; allowed is an id that no other has",
    ),
    "step that names no term": (
        "[alliance]]\n",
        "[aliance]]\n",
        "models.alliance_predicts_wellbeing.steps.3.1",
        "the step names aliance, which is no term; allowed is one of covariates, alliance, age_years, sex, time_in_care",
    ),
    "instrument without items": (
        "    items: 5\n",
        "",
        "instruments.who5",
        "items is missing; allowed is all of id, name",
    ),
    "instrument with other items": (
        "    items: 5\n",
        "    items: 6\n",
        "instruments.who5.items",
        "who5_assessments declares 5 items; allowed is 5",
    ),
    "cut-off that is no score": (
        "    cutoff: 28\n",
        "    cutoff: 280\n",
        "instruments.who5.cutoff",
        "280 is no score; allowed is a whole number from 0 to 100",
    ),
    "unknown key": ("    better: higher\n", "    beter: higher\n", "instruments.who5.beter", "did you mean better?"),
    "key twice": ("home_country: US\n", "home_country: US\nhome_country: DE\n", "home_country", "the key stands twice"),
    "window that ends before it begins": (
        "  end: 2021-10-12\n",
        "  end: 2019-10-12\n",
        "window.end",
        "2019-10-12 is before the start, 2020-09-29; allowed is 2020-09-29 or later",
    ),
    "no such day": ("  end: 2021-10-12\n", "  end: 2021-02-30\n", "window.end", "a date written YYYY-MM-DD"),
    "covariate that is no whole number": (
        "sql: time_in_care_days}",
        "sql: time_in_care_days / 7}",
        "covariates.time_in_care.sql",
        "its SQL gives double; allowed is an SQL expression that gives whole numbers",
    ),
    "var that sets nothing": (
        "sets: instruments.who5.followup_days",
        "sets: instruments.who5.follow_up",
        "vars.min_followup_days.sets",
        "allowed is instruments.who5.followup_days",
    ),
    "value without a name": (
        "    values: {age: 18}\n",
        "    values: {years: 18}\n",
        "eligibility.adult.phrase",
        "{age} is no value of the criterion; allowed is one of years",
    ),
    "wording of a value without a name": (
        "{sessions:session|sessions}",
        "{meetings:session|sessions}",
        "eligibility.session.phrase",
        "{meetings} is no value of the criterion; allowed is one of sessions",
    ),
    "one wording": (
        "{sessions:session|sessions}",
        "{sessions:session}",
        "eligibility.session.phrase",
        "its braces hold no name; allowed is {name} or {name:words for 1|words for other numbers}",
    ),
    "two wordings of a reason": (
        "{reason: too few completed sessions in the study window}",
        '{reason: "too few {sessions:a|b} sessions"}',
        "eligibility.session.reasons.1.reason",
        "{sessions:…|…} in a reason; allowed is {sessions}, or two wordings in another text",
    ),
    "no YAML": ("home_country: US\n", "home_country: [US\n", "", "no YAML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_study_is_named_with_file_line_key_and_what_is_allowed(project: Path, case: str) -> None:
    old, new, key, message = WRONG[case]
    spoil(project, old, new)
    with pytest.raises(StudyError) as error:
        load_study(project, PUBLISHED)
    lines = str(error.value).splitlines()
    line = next(line for line in lines if message in line)
    found = re.match(rf"studies/{PUBLISHED}\.yml, line (\d+)", line)
    assert found is not None
    assert not key or f", {key}: " in line
    text = (project / "studies" / f"{PUBLISHED}.yml").read_text(encoding="utf-8").splitlines()
    changed = [i for i, written in enumerate(text, start=1) if new.strip().split("\n")[0] in written]
    # The message stands where the mistake is seen: of what is missing where it belongs, of a broken bracket where it ends.
    elsewhere = (
        "key twice",
        "instrument without items",
        "level that does not occur",
        "value without a name",
        "no YAML",
    )
    assert case in elsewhere or int(found[1]) in changed


def test_the_published_study_keeps_the_committed_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name in study_names(ROOT):
        load_study(ROOT, name)


def test_the_schema_alone_refuses_what_editors_can_see(project: Path) -> None:
    """An editor has no check but the schema: types, missing and unknown keys are its own."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    document = yaml.load((ROOT / f"studies/{PUBLISHED}.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    spoils: list[Callable[[Any], object]] = [
        lambda study: study.pop("window"),
        lambda study: study["instruments"][0].update(better="sideways"),
        lambda study: study["eligibility"][0].update(colour="red"),
        lambda study: study["covariates"][0].pop("sql"),
    ]
    for change in spoils:
        changed = json.loads(json.dumps(document))
        before = len(list(validator.iter_errors(changed)))
        change(changed)
        assert len(list(validator.iter_errors(changed))) > before


def test_study_check_says_every_fault_and_ends_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith(
        f"studies/{PUBLISHED}.yml: 7 criteria, 4 groupings, 3 covariates, 4 models, 1 instrument\n"
    )
    spoil(project, "    cutoff: 28\n", "    cutoff: 280\n")
    spoil(project, "reference: female", "reference: women")
    assert main(["--all"]) == 1
    said = capsys.readouterr().err
    assert "instruments.who5.cutoff: 280" in said
    assert "covariates.sex.reference: women" in said
    assert main(["nothing"]) == 2
    assert f"there is no study nothing; allowed is one of {', '.join(study_names(project))}" in capsys.readouterr().err


def test_a_wrong_study_ends_a_command_before_anything_is_read(warehouse: Warehouse, monkeypatch: Any) -> None:
    monkeypatch.setenv("RAPPORT_STUDY", "no_such")
    outcome = warehouse.dbt("run")
    assert not outcome.success
    assert "the study is wrong (RAPPORT_STUDY), and nothing was read:" in outcome.output
    assert "there is no study no_such: studies/no_such.yml; allowed is one of " in outcome.output
    assert "Traceback" not in outcome.output
    assert not warehouse.db.exists()


@pytest.mark.builds
def test_a_database_of_another_study_is_refused_by_its_name(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has exported RAPPORT_DB is told so: it goes before the name that make gives."""
    monkeypatch.setenv("RAPPORT_STUDY", "phq9_example")
    built.target = tmp_path / "target"
    before = built.query("select count(*) from ops.builds")
    outcome = built.dbt("run", "--select", "build")
    assert not outcome.success
    assert (
        f"the database holds the study {PUBLISHED}, and this build is of phq9_example: give every study a database of its"
        f" own (RAPPORT_DB, which is set to {built.db}; `make build STUDY=phq9_example` names one where it is not set), or"
        " replace it once with --vars '{accept_volume_change: true}'"
    ) in outcome.output
    assert built.query("select count(*) from ops.builds") == before


def test_the_command_line_stands_above_the_environment_and_that_above_the_project(
    project: Path, monkeypatch: Any
) -> None:
    for name in ("a_study", "b_study"):
        shutil.copy(project / f"studies/{PUBLISHED}.yml", project / f"studies/{name}.yml")
    assert check_vars(project, {}).study.name == PUBLISHED
    monkeypatch.setenv("RAPPORT_STUDY", "a_study")
    assert check_vars(project, {}).study.name == "a_study"
    assert check_vars(project, {"study": "b_study"}).study.name == "b_study"


def test_a_var_of_the_command_line_replaces_the_value_of_the_study_and_is_told() -> None:
    settings = check_vars(ROOT, {"who5_cutoff": 24, "adult_age": 21, "min_cell": 12})
    study = settings.study
    assert (study.outcome.cutoff, study.criteria[0].values["age"]) == (24, 21)
    assert study.overridden == {"who5_cutoff": 28, "adult_age": 18}
    assert filled(study.criteria[0].description, study.criteria[0].values) == (
        "age at registration is 21 or more; a missing age fails."
    )
    assert study.as_written.outcome.cutoff == 28
    again = Study.of(json.dumps(study.definition))
    assert again == study
    assert again.regressions == study.regressions


def test_a_misspelt_key_is_one_fault_and_not_two(project: Path) -> None:
    """A criterion without its `condition` is of no known form; that follows from the name."""
    spoil(project, "    condition: age_years >= {age}\n", "    conditon: age_years >= {age}\n")
    with pytest.raises(StudyError) as error:
        load_study(project, PUBLISHED)
    [line] = [line for line in str(error.value).splitlines() if "eligibility.adult" in line]
    assert "eligibility.adult.conditon: there is no such key; did you mean condition?" in line


def test_every_column_that_a_criterion_may_name_is_listed(project: Path) -> None:
    """Those that docs/adapt.md names: what is known of a participant before the criteria are judged."""
    spoil(project, "condition: age_years >= {age}", "condition: shoe_size >= {age}")
    with pytest.raises(StudyError) as error:
        load_study(project, PUBLISHED)
    [line] = [line for line in str(error.value).splitlines() if ", eligibility.adult.condition: " in line]
    listed = line.partition("; allowed is SQL over ")[2].split(", ")
    facts = yaml.safe_load((project / "models/rules/_rules.yml").read_text(encoding="utf-8"))["models"]
    [columns] = [one["columns"] for one in facts if one["name"] == "participant_facts"]
    assert listed == [one["name"] for one in columns if one["name"] not in ANSWERS]
    assert "did you mean" not in line


@pytest.mark.parametrize("name", [PUBLISHED, "phq9_example"])
@pytest.mark.parametrize(
    ("sessions", "label", "phrase", "description"),
    [
        (
            1,
            "With a completed session in the study window",
            "with at least 1 session",
            "at least one completed session in the study window.",
        ),
        (
            3,
            "With at least 3 completed sessions in the study window",
            "with at least 3 sessions",
            "at least 3 completed sessions in the study window.",
        ),
    ],
)
def test_what_is_said_of_a_criterion_follows_its_value(
    name: str, sessions: int, label: str, phrase: str, description: str
) -> None:
    """The published study says what it always said; `--vars '{min_sessions: 3}'` is seen in flow, methods and columns."""
    study = check_vars(ROOT, {"study": name, "min_sessions": sessions}).study
    [one] = [one for one in study.criteria if one.id == "session"]
    assert [filled(text, one.values) for text in (one.label, one.phrase, one.description)] == [
        label,
        phrase,
        description,
    ]


def test_what_a_suite_names_of_the_study_is_put_in_its_place() -> None:
    values = {"flags": ["a", "b"], "limit": 7, "none": []}
    suite = {
        "rules": [
            {"each": "study.flags", "column": "{it}", "rule": "{it} is not null"},
            {"each": "study.none", "rule": "{it}"},
            {"value": "{study.limit}", "set": "{study.flags}", "rule": "at most {study.limit} of {batch}"},
        ]
    }
    assert resolved(suite, values)["rules"] == [
        {"column": "a", "rule": "a is not null"},
        {"column": "b", "rule": "b is not null"},
        {"value": 7, "set": ["a", "b"], "rule": "at most 7 of {batch}"},
    ]
    with pytest.raises(ParameterError, match=r"study\.limt is nothing of the study"):
        resolved("{study.limt}", values)


# --- No line of code names what is the study's

OF_EVERY_STUDY = (
    "utilization_type",
    "sessions",
    "session",
    "baseline",
    "followup",
    "rating",
    "participants",
    "country",
)
"""Words of the export and of every study: a study may have a criterion or a group of that name."""


def names_of_the_study() -> set[str]:
    study = load_study(ROOT, PUBLISHED)
    names = {one.id for one in study.criteria} | {one.flag for one in study.criteria}
    names |= {one.id for one in (*study.covariates, *study.correlations, *study.groupings)} | set(study.dummies)
    names |= {one.analysis for one in study.groupings} | {one.analysis for one in study.correlations}
    return names - {*OF_EVERY_STUDY, "both", "telecoaching"}


def quoted_words(path: Path) -> set[str]:
    """The texts in quotes of Python code, and those within Jinja of a model, macro or test."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = re.sub(r'"""[\s\S]*?"""', "", text)
        code = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    else:
        code = [block for block in re.findall(r"\{[{%][\s\S]*?[%}]\}", text) if not block.startswith("{#")]
    return {word for line in code for _, word in re.findall(r"""(["'])((?:(?!\1).)*)\1""", line)}


def code_files() -> list[Path]:
    found = [
        path
        for folder, ending in (("python", "py"), ("models", "py"), ("models", "sql"), ("macros", "sql"))
        for path in (ROOT / folder).rglob(f"*.{ending}")
    ]
    return [
        path
        for path in found
        # The demo writes the raw export, whose columns these are; the reproduction is of the published study.
        if not {"reproduction", "demo"} & set(path.relative_to(ROOT).parts)
    ]


FIXED = {
    # Two sensitivity analyses are about those who reported no sex, a column of every export.
    "python/rapport/studies/definition.py": {"sex"},
}
"""Names of the published study that are those of a fact which every study has."""


def test_no_code_names_a_covariate_a_criterion_or_a_cut_off_of_the_study() -> None:
    names = names_of_the_study()
    assert names >= {"adult", "is_adult", "has_rating", "sponsored", "age_years", "sex", "time_in_care", "male"}
    files = code_files()
    assert len(files) > 100
    named = {
        file: sorted(found)
        for path in files
        if (found := (names & quoted_words(path)) - FIXED.get(file := str(path.relative_to(ROOT)), set()))
    }
    assert named == {}
    study = load_study(ROOT, PUBLISHED)
    variables = {var.name for var in study.vars} - {"study_start", "study_end", "home_country"}
    told = {str(path.relative_to(ROOT)): sorted(found) for path in files if (found := variables & quoted_words(path))}
    assert told == {}
