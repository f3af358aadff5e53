"""The Open Data Contract Standard files: made from the dbt YAML, valid, in step; exports and releases judged by them."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
import yaml
from conftest import MARTS, ROOT, Warehouse

from rapport.contracts import (
    CheckError,
    ContractError,
    check_export,
    compare,
    contract_yaml,
    marts_contract,
    raw_contract,
    read_project,
    release_advice,
)
from rapport.contracts.__main__ import main
from rapport.contracts.storage import copy_marts

PROJECT = read_project(ROOT)
RAW, PUBLISHED = raw_contract(PROJECT), marts_contract(PROJECT)
FILES = {"raw_export": RAW, "marts": PUBLISHED}
SCHEMA = json.loads((ROOT / "tests/python/odcs/odcs-3.1.0.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def project_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The declarations of the project in a folder that a test may change, and is in."""
    for name in ("dbt_project.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("models", "expectations", "contracts", "studies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text of a file that has it; ``file#model`` means the first one in the declaration of that model."""
    file, _, model = str(path).partition("#")
    text = Path(file).read_text(encoding="utf-8")
    begin = text.index(f"- name: {model}\n") if model else 0
    assert old in text[begin:]
    changed = text[begin:].replace(old, new, 1)
    Path(file).write_text(text[:begin] + changed, encoding="utf-8")


def table(contract: dict[str, Any], name: str) -> dict[str, Any]:
    return next(found for found in contract["schema"] if found["name"] == name)


def column(contract: dict[str, Any], element: str) -> dict[str, Any]:
    owner, name = element.split(".")
    return next(found for found in table(contract, owner)["properties"] if found["name"] == name)


def rules_of(contract: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = table(contract, name)
    return [*found["quality"], *(rule for prop in found["properties"] for rule in prop.get("quality", []))]


# --- the files


@pytest.mark.parametrize("name", FILES)
def test_committed_contract_is_what_the_generator_makes(name: str) -> None:
    committed = (ROOT / f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")
    assert committed == contract_yaml(FILES[name]), "run `python -m rapport.contracts generate`"


@pytest.mark.parametrize(
    ("path", "old", "new", "name"),
    [
        ("models/marts/_marts.yml#who5_change", "data_type: bigint", "data_type: integer", "marts"),
        ("models/marts/_marts.yml#table_1", "percent, mean", "mean", "marts"),
        ("models/raw/_raw__sources.yml", "name: duration_minutes", "name: minutes", "raw_export"),
        ("models/columns.md", "Age in whole years", "Age in years", "raw_export"),
        ("dbt_project.yml", "freshness_warn_hours: 36", "freshness_warn_hours: 12", "raw_export"),
        ("expectations/raw/sessions.json", "duration_minutes is 1 to 480", "duration_minutes is sane", "raw_export"),
    ],
)
def test_a_changed_declaration_changes_the_contract(
    project_copy: Path, path: str, old: str, new: str, name: str
) -> None:
    edit(project_copy / path, old, new)
    assert main(["generate"]) == 0
    made = (project_copy / f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")
    assert made != (ROOT / f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")


def released_files() -> list[Path]:
    return sorted((ROOT / "contracts").rglob("*.odcs.yaml"))


@pytest.mark.parametrize("path", released_files(), ids=lambda path: path.stem)
def test_contract_is_valid_by_the_standards_schema(path: Path) -> None:
    validator = jsonschema.Draft201909Validator(SCHEMA)
    errors = [
        f"{error.json_path}: {error.message}"
        for error in validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))
    ]
    assert errors == []


def test_the_standards_schema_refuses_a_contract_that_is_none() -> None:
    validator = jsonschema.Draft201909Validator(SCHEMA)
    for spoil in (
        lambda contract: contract.pop("version"),
        lambda contract: column(contract, "table_1.value").update(logicalType="double"),
        lambda contract: table(contract, "table_1")["quality"][0].update(metric="rows"),
    ):
        spoiled = copy.deepcopy(PUBLISHED)
        spoil(spoiled)
        assert not validator.is_valid(spoiled)


def test_every_mart_is_in_the_contract_with_grain_and_key() -> None:
    assert {found["name"] for found in PUBLISHED["schema"]} == set(MARTS)
    for found in PUBLISHED["schema"]:
        assert found["dataGranularityDescription"].startswith("One row per ")
        assert any(rule.get("metric") == "duplicateValues" for rule in found["quality"])


@pytest.mark.parametrize(
    ("contract", "layers"), [(RAW, ("raw",)), (PUBLISHED, ("candidates", "findings"))], ids=["raw", "marts"]
)
def test_every_rule_of_the_suites_stands_in_the_contract_once(
    contract: dict[str, Any], layers: tuple[str, ...]
) -> None:
    judged = {
        path: suite
        for path, suite in PROJECT.suites.items()
        if path.split("/")[0] in layers and not suite["meta"].get("optional")
    }
    assert {path.split("/")[1] for path in judged} == {found["name"] for found in contract["schema"]}
    for path, suite in judged.items():
        named = [(rule["name"], rule["severity"]) for rule in rules_of(contract, path.split("/")[1])]
        for expectation in suite["expectations"]:
            rule = expectation["meta"]["rule"]
            if expectation["kwargs"] == {"min_value": 0}:
                continue  # "has a row count" says that the table was looked at, not how many rows it has
            assert named.count((rule, expectation["severity"])) == 1, (path, rule)
        assert len({name for name, _ in named}) == len(named)


def test_accepted_values_and_ranges_are_those_that_the_suites_enforce() -> None:
    compared = 0
    for path, suite in PROJECT.suites.items():
        layer, name = path.split("/")
        if suite["meta"].get("optional") or layer.startswith(("outcome", "providers")):
            # The contract is that of the published study, which has one instrument, without providers (test_providers.py).
            continue
        contract = RAW if layer == "raw" else PUBLISHED
        for expectation in suite["expectations"]:
            arguments = expectation["kwargs"]
            if expectation["severity"] != "critical" or arguments.get("column", "unreadable") == "unreadable":
                continue  # `unreadable` is no column of the export: the reading adds it
            prop = column(contract, f"{name}.{arguments['column']}")
            values = [
                rule["arguments"]["validValues"]
                for rule in prop.get("quality", [])
                if rule.get("metric") == "invalidValues"
            ]
            if expectation["type"] == "expect_column_values_to_be_in_set" and values:
                assert values == [arguments["value_set"]], (path, arguments["column"])
                compared += 1
            bounds = {"minimum": arguments.get("min_value"), "maximum": arguments.get("max_value")}
            options = prop.get("logicalTypeOptions", {})
            for bound, limit in bounds.items():
                if expectation["type"] == "expect_column_values_to_be_between" and isinstance(limit, int):
                    assert options[bound] == limit, (path, arguments["column"])
                    compared += 1
    assert compared > 30


def test_contracts_name_no_machine() -> None:
    for path in released_files():
        text = path.read_text(encoding="utf-8")
        places = [
            server.get(field)
            for server in yaml.safe_load(text)["servers"]
            for field in ("path", "database")
            if field in server
        ]
        assert places
        assert all(place.startswith("${RAPPORT_") for place in places)
        assert str(ROOT) not in text


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("models/marts/_marts.yml#table_1", "doc('value')", "doc('valeu')", "no doc block named 'valeu'"),
        ("models/marts/_marts.yml#table_1", "unique_key:", "primary_key:", "level may be null"),
        ("models/marts/_marts.yml#table_1", "unique_key: [variable,", "unique_key: [variables,", "key names variables"),
        ("models/marts/_marts.yml#model_fit", "primary_key:", "key:", "model_fit: config.meta needs"),
        ("models/marts/_marts.yml#model_fit", "One row per", "A row for each", "has no 'One row per"),
        (
            "models/marts/_marts.yml#model_fit",
            "data_type: double",
            "data_type: money",
            "type money has no logical type",
        ),
        ("models/marts/_marts.yml#model_fit", "columns:", "columns: [", "not YAML"),
        ("pyproject.toml", f'version = "{PROJECT.version}"', 'version = "99.2.0"', "the two are one"),
    ],
)
def test_a_declaration_without_contract_is_named(
    project_copy: Path, capsys: pytest.CaptureFixture[str], path: str, old: str, new: str, message: str
) -> None:
    edit(project_copy / path, old, new)
    assert main(["generate"]) == 2
    assert message in capsys.readouterr().err


# --- the marts against the last released contract


def drop_column(contract: dict[str, Any], element: str) -> None:
    table(contract, element.split(".")[0])["properties"].remove(column(contract, element))


def values(contract: dict[str, Any], element: str) -> list[Any]:
    found: list[Any] = next(
        rule["arguments"]["validValues"]
        for rule in column(contract, element)["quality"]
        if rule.get("metric") == "invalidValues"
    )
    return found


def drop_values(contract: dict[str, Any], element: str) -> None:
    prop = column(contract, element)
    prop["quality"] = [rule for rule in prop["quality"] if rule.get("metric") != "invalidValues"]


def add_column(contract: dict[str, Any], owner: str) -> None:
    table(contract, owner)["properties"].append(
        {"name": "extra", "logicalType": "string", "physicalType": "varchar", "description": "New.", "required": False}
    )


def rename_mart(contract: dict[str, Any]) -> None:
    table(contract, "model_fit")["name"] = "fits"


Edit = Callable[[dict[str, Any]], object]
CASES: dict[str, tuple[Edit, set[tuple[str, str, str]]]] = {
    "nothing": (lambda c: None, set()),
    "table removed": (
        lambda c: c["schema"].remove(table(c, "table_1")),
        {("table_1", "removed table", "major")},
    ),
    "table renamed": (rename_mart, {("model_fit", "removed table", "major"), ("fits", "added table", "minor")}),
    "column removed": (
        lambda c: drop_column(c, "table_1.value"),
        {("table_1.value", "removed column", "major")},
    ),
    "column renamed": (
        lambda c: column(c, "table_1.value").update(name="figure"),
        {("table_1.value", "renamed column", "major")},
    ),
    "column retyped": (
        lambda c: column(c, "who5_change.follow_up_days").update(physicalType="integer"),
        {("who5_change.follow_up_days", "retyped column", "major")},
    ),
    "column made nullable": (
        lambda c: column(c, "eligibility.is_adult").update(required=False),
        {("eligibility.is_adult", "made nullable", "major")},
    ),
    "column made required": (
        lambda c: column(c, "table_1.value").update(required=True),
        {("table_1.value", "made required", "minor")},
    ),
    "grain reworded": (
        lambda c: table(c, "model_fit").update(dataGranularityDescription="One row per analysis"),
        {("model_fit", "changed grain", "major")},
    ),
    "primary key shortened": (
        lambda c: column(c, "model_fit.step").pop("primaryKey"),
        {("model_fit", "changed key", "major")},
    ),
    "unique key shortened": (
        lambda c: next(r for r in table(c, "table_1")["quality"] if r.get("metric") == "duplicateValues")["arguments"][
            "properties"
        ].pop(),
        {("table_1", "changed key", "major")},
    ),
    "order of the key": (
        lambda c: (
            column(c, "model_fit.step").update(primaryKeyPosition=1),
            column(c, "model_fit.analysis").update(primaryKeyPosition=2),
        ),
        set(),
    ),
    "accepted value dropped": (
        lambda c: values(c, "analysis_cohort.utilization_type").remove("both"),
        {("analysis_cohort.utilization_type", "dropped accepted value", "major")},
    ),
    "accepted value renamed": (
        lambda c: values(c, "table_1.statistic").__setitem__(0, "count"),
        {
            ("table_1.statistic", "dropped accepted value", "major"),
            ("table_1.statistic", "added accepted value", "minor"),
        },
    ),
    "accepted value added": (
        lambda c: values(c, "table_1.statistic").append("iqr"),
        {("table_1.statistic", "added accepted value", "minor")},
    ),
    "accepted values no longer listed": (
        lambda c: drop_values(c, "eligibility_flow.criterion"),
        {("eligibility_flow.criterion", "dropped accepted values", "major")},
    ),
    "range widened": (
        lambda c: column(c, "analysis_cohort.age_years")["logicalTypeOptions"].pop("maximum"),
        {("analysis_cohort.age_years", "widened range", "major")},
    ),
    "range narrowed": (
        lambda c: column(c, "analysis_cohort.age_years")["logicalTypeOptions"].update(minimum=18),
        {("analysis_cohort.age_years", "narrowed range", "minor")},
    ),
    "reference dropped": (
        lambda c: column(c, "who5_change.participant_id").pop("relationships"),
        {("who5_change.participant_id", "dropped reference", "major")},
    ),
    "row count no longer fixed": (
        lambda c: table(c, "eligibility_flow")["quality"].pop(0),
        {("eligibility_flow", "widened row count", "major")},
    ),
    "schema moved": (
        lambda c: c["servers"][0].update(schema="published"),
        {("contract", "moved schema", "major")},
    ),
    "column added": (lambda c: add_column(c, "table_1"), {("table_1.extra", "added column", "minor")}),
    "table added": (
        lambda c: c["schema"].append({"name": "table_2", "properties": []}),
        {("table_2", "added table", "minor")},
    ),
    "description reworded": (
        lambda c: column(c, "table_1.value").update(description="The value."),
        {("table_1.value", "changed wording", "patch")},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_changes_are_classified(case: str) -> None:
    change, expected = CASES[case]
    new = copy.deepcopy(PUBLISHED)
    change(new)
    found = compare(PUBLISHED, new)
    assert {(item.element, item.kind, item.level) for item in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("case", "released", "current", "needed", "lowest", "satisfied"),
    [
        ("column removed", "0.1.0", "0.1.0", "minor", "0.2.0", False),
        ("column removed", "0.1.0", "0.1.9", "minor", "0.2.0", False),
        ("column removed", "0.1.0", "0.2.0", "minor", "0.2.0", True),
        ("column removed", "0.9.4", "1.0.0", "minor", "0.10.0", True),
        ("column removed", "1.4.2", "1.5.0", "major", "2.0.0", False),
        ("column removed", "1.4.2", "2.0.0", "major", "2.0.0", True),
        ("column added", "0.1.0", "0.1.0", "patch", "0.1.1", False),
        ("column added", "1.4.2", "1.4.3", "minor", "1.5.0", False),
        ("column added", "1.4.2", "1.5.0", "minor", "1.5.0", True),
        ("description reworded", "1.4.2", "1.4.3", "patch", "1.4.3", True),
        ("nothing", "1.4.2", "1.4.2", "none", "1.4.2", True),
        ("nothing", "1.4.2", "1.4.1", "none", "1.4.2", False),
    ],
)
def test_the_version_that_changes_ask_for(
    case: str, released: str, current: str, needed: str, lowest: str, satisfied: bool
) -> None:
    new = copy.deepcopy(PUBLISHED)
    CASES[case][0](new)
    advice = release_advice(compare(PUBLISHED, new), released, current)
    assert (advice.needed, advice.lowest, advice.satisfied) == (needed, lowest, satisfied)


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ContractError, match="MAJOR"):
        release_advice([], "0.1.0", "0.1")


def test_the_project_breaks_no_released_contract(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["diff"]) == 0, capsys.readouterr().out


def test_a_breaking_change_asks_for_a_bump_and_a_bump_satisfies_it(
    project_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release"]) == 0  # whatever the project is, it is released now
    version = PROJECT.version
    lowest = release_advice(
        compare(PUBLISHED, {**PUBLISHED, "schema": PUBLISHED["schema"][1:]}), version, version
    ).lowest
    capsys.readouterr()
    edit(project_copy / "models/marts/_marts.yml#table_1", "data_type: double", "data_type: bigint")
    assert main(["diff"]) == 1
    printed = capsys.readouterr().out
    assert "table_1.value" in printed
    assert "double → bigint" in printed
    assert f"dbt_project.yml and pyproject.toml to {lowest}" in printed
    assert main(["release"]) == 2
    assert "is released and differs" in capsys.readouterr().err
    edit(project_copy / "dbt_project.yml", f'version: "{version}"', f'version: "{lowest}"')
    edit(project_copy / "pyproject.toml", f'version = "{version}"', f'version = "{lowest}"')
    assert main(["diff"]) == 0
    assert main(["release"]) == 0
    assert (project_copy / f"contracts/released/marts-{lowest}.odcs.yaml").is_file()
    capsys.readouterr()
    assert main(["diff"]) == 0
    assert "No change since" in capsys.readouterr().out


def test_a_release_with_too_low_a_version_is_refused(project_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    major, minor, patch = (int(part) for part in PROJECT.version.split("."))
    assert main(["release"]) == 0
    edit(project_copy / "models/marts/_marts.yml#table_1", "data_type: double", "data_type: bigint")
    for name, form in (("dbt_project.yml", 'version: "{}"'), ("pyproject.toml", 'version = "{}"')):
        edit(project_copy / name, form.format(PROJECT.version), form.format(f"{major}.{minor}.{patch + 1}"))
    assert main(["release"]) == 2
    assert "need version" in capsys.readouterr().err


def test_without_a_released_contract_nothing_is_compared(
    project_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project_copy / "contracts/released")
    assert main(["diff"]) == 2
    assert "no released contract" in capsys.readouterr().err


# --- raw exports


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, captured.out, captured.err


@pytest.fixture
def export(tmp_path: Path, small_export: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export that a test may spoil, checked from the project's folder."""
    monkeypatch.chdir(ROOT)
    # A check that wrote to the warehouse would fail on this.
    monkeypatch.setenv("RAPPORT_DB", str(tmp_path / "no such folder" / "warehouse.duckdb"))
    return Path(shutil.copytree(small_export, tmp_path / "export"))


def rewrite(folder: Path, select: str) -> None:
    """Replace a table's part files by one: ``select`` reads the old rows as ``rows``."""
    with duckdb.connect() as connection:
        connection.execute(f"create table rows as select * from read_parquet('{folder}/*.parquet')")
        for path in folder.glob("*.parquet"):
            path.unlink()
        connection.execute(f"copy ({select}) to '{folder}/part-0.parquet' (format parquet)")


def test_a_good_export_passes_and_its_age_is_a_warning(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, _ = outcome(capsys, "--raw", str(export), "--all")
    assert code == 0, printed
    assert printed.rstrip().endswith("The export keeps its contract.")
    warnings = printed.split("Warnings")[1].splitlines()
    warning = next(line for line in warnings if "newest row" in line and line.startswith("  sessions: "))
    assert "at most 36 hours old - newest 20" in warning
    assert "Broken critical rules" not in printed
    assert not (tmp_path / "no such folder").exists()
    assert "sessions          status is completed or cancelled or no_show" in printed.split("Warnings")[0]


@pytest.mark.builds
def test_a_fresh_export_is_not_called_stale(export: Path) -> None:
    for name in ("participants", "who5_assessments", "sessions", "alliance_ratings"):
        latest = f"from rows qualify row_number() over (partition by {KEYS[name]} order by loaded_at desc) = 1"
        rewrite(export / name, f"select * replace (timezone('UTC', now()) as loaded_at) from ({latest})")
    findings = check_export(export, strict_freshness=True, project=ROOT)
    assert [finding.table for finding in findings if finding.rule.startswith("newest") and finding.passed] == sorted(
        KEYS
    )
    assert not [finding for finding in findings if finding.severity == "critical" and not finding.passed]


KEYS = {
    "participants": "participant_id",
    "who5_assessments": "assessment_id",
    "sessions": "session_id",
    "alliance_ratings": "rating_id",
}


def test_broken_values_are_named_with_rows_and_keys_and_never_shown(
    export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(export / "who5_assessments", "select * replace (977 as item_3) from rows")
    rewrite(export / "sessions", "select * replace (if(status = 'no_show', 'lost', status) as status) from rows")
    rewrite(export / "alliance_ratings", "select * replace ('nowhere' as session_id) from rows")
    rewrite(
        export / "participants", "from rows union all by name select * replace (age_years + 1 as age_years) from rows"
    )
    code, printed, _ = outcome(capsys, "--raw", str(export))
    assert code == 1
    broken = printed.split("Broken critical rules")[1].splitlines()
    for name, rule in (
        ("who5_assessments", "item_3 is 0 to 5"),
        ("sessions", "status is completed or cancelled or no_show"),
        ("alliance_ratings", "session_id is one of sessions"),
        ("participants", "participant_id is unique"),
    ):
        line = next(line for line in broken if line.startswith(f"  {name}: {rule}"))
        assert re.search(r" \([1-9]\d* failing\), for example \w+", line)
    assert printed.rstrip().endswith("How old the export is has not been judged: it is once all of this is mended.")
    assert "977" not in printed
    assert "lost" not in printed


@pytest.mark.builds
def test_a_truncated_file_and_a_missing_column_are_findings(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sorted((export / "sessions").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-200])
    rewrite(export / "participants", "select * exclude (sex) from rows")
    code, printed, _ = outcome(capsys, "--raw", str(export))
    assert code == 1
    broken = printed.split("Broken critical rules")[1]
    assert "part files are readable" in broken
    assert path.name in broken
    assert "column sex is in every part file" in broken
    assert printed.splitlines()[-1].startswith("The rules on rows have not been judged")


@pytest.mark.builds
def test_csv_is_checked_by_the_same_rules(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (export / name for name in KEYS):
        (tmp_path / "csv" / folder.name).mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (from read_parquet('{folder}/*.parquet')) to '{tmp_path}/csv/{folder.name}/part.csv' (header)"
            )
    monkeypatch.setenv("RAPPORT_RAW", str(tmp_path / "csv"))
    monkeypatch.setenv("RAPPORT_RAW_FORMAT", "csv")
    code, printed, _ = outcome(capsys, "--strict-freshness")
    assert code == 1
    stale = [line for line in printed.split("Broken critical rules")[1].splitlines() if line.startswith("  ")]
    assert [line.strip().split(":")[0] for line in stale] == sorted(KEYS)
    assert all("newest row is at most 36 hours old" in line for line in stale)
    text = (tmp_path / "csv/participants/part.csv").read_text(encoding="utf-8")
    (tmp_path / "csv/participants/part.csv").write_text(text.replace(",female,", ",woman,"), encoding="utf-8")
    code, printed, _ = outcome(capsys)
    assert code == 1
    assert "sex is female or male" in printed
    assert "woman" not in printed


def test_what_cannot_be_checked_is_no_pass(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, error = outcome(capsys, "--raw", str(tmp_path / "elsewhere"))
    assert (code, "no folder" in error) == (2, True)
    code, _, error = outcome(capsys, "--raw", str(export), "--format", "xlsx")
    assert (code, "'xlsx' is none of parquet, csv" in error) == (2, True)
    monkeypatch.chdir(tmp_path)
    code, _, error = outcome(capsys, "--raw", str(export))
    assert (code, "no dbt_project.yml" in error) == (2, True)


@pytest.mark.builds
def test_an_audit_that_stops_without_a_verdict_is_no_pass(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".*", "target", "logs", "warehouse", "demo"))
    (project / "expectations/raw/sessions.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(project)
    code, printed, error = outcome(capsys, "--raw", str(export))
    assert (code, printed) == (2, "")
    assert "without a verdict: audit_raw ended in" in error
    with pytest.raises(CheckError, match="audit_raw"):
        check_export(export, project=project)


# --- the copy that other tools read


def test_the_copied_marts_are_the_marts(built: Warehouse, tmp_path: Path) -> None:
    out = tmp_path / "copy.duckdb"
    assert set(copy_marts(built.db, out)) == set(MARTS)
    with duckdb.connect(str(out), read_only=True) as connection:
        copied = {name: connection.execute(f"select * from marts.{name} order by all").fetchall() for name in MARTS}
    assert copied == built.marts()
    with pytest.raises(ContractError, match="exists"):
        copy_marts(built.db, out)
    with pytest.raises(ContractError, match="name of the schema"):
        copy_marts(built.db, tmp_path / "marts.duckdb")
    with pytest.raises(ContractError, match="no database"):
        copy_marts(tmp_path / "none.duckdb", tmp_path / "other.duckdb")


def test_the_built_marts_have_the_columns_and_types_of_the_contract(built: Warehouse) -> None:
    for found in PUBLISHED["schema"]:
        described = built.query(f"select column_name, column_type from (describe marts.{found['name']})")
        assert described == [(prop["name"], prop["physicalType"].upper()) for prop in found["properties"]]
