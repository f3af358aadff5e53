"""What is declared in one place and enforced in another stays in step."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from conftest import MARTS, ROOT, Warehouse

DECLARED = yaml.safe_load((ROOT / "models/raw/_raw__sources.yml").read_text(encoding="utf-8"))["sources"][0]["tables"]
SOURCES = [
    table
    for table in DECLARED
    if any(column.get("config", {}).get("meta", {}).get("primary_key") for column in table["columns"])
]


def suite(path: str) -> list[dict[str, Any]]:
    return json.loads((ROOT / "expectations" / path).read_text(encoding="utf-8"))["expectations"]


def enforced(table: str, column: str) -> set[tuple[str, str]]:
    """(expectation, arguments) of the critical expectations on a column."""
    return {
        (rule["type"], json.dumps({k: v for k, v in rule["kwargs"].items() if k != "column"}, sort_keys=True))
        for rule in suite(f"raw/{table}.json")
        if rule["severity"] == "critical" and rule["kwargs"].get("column") == column
    }


COLUMNS = [(table["name"], column) for table in SOURCES for column in table["columns"]]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column['name']}" for table, column in COLUMNS])
def test_suites_enforce_what_the_sources_declare(table: str, column: dict[str, Any]) -> None:
    meta = column.get("config", {}).get("meta", {})
    name = column["name"]
    rules = enforced(table, name)
    must_be_there = meta.get("primary_key", False) or meta.get("required", False)
    assert (("expect_column_values_to_not_be_null", "{}") in rules) == must_be_there
    assert (("expect_column_values_to_be_unique", "{}") in rules) == meta.get("primary_key", False)
    if "accepted_values" in meta:
        assert ("expect_column_values_to_be_in_set", json.dumps({"value_set": meta["accepted_values"]})) in rules
    if "minimum" in meta:
        bounds = json.dumps({"max_value": meta["maximum"], "min_value": meta["minimum"]}, sort_keys=True)
        assert ("expect_column_values_to_be_between", bounds) in rules
    if "references" in meta:
        assert f"{name} is one of {meta['references']}" in {
            rule["meta"]["rule"] for rule in suite(f"raw/{table}.json") if rule["severity"] == "critical"
        }


def described() -> dict[str, dict[str, Any]]:
    """Every described model, by name."""
    return {
        model["name"]: model
        for path in (ROOT / "models").rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
    }


def test_every_mart_is_published_contracted_and_described() -> None:
    assert {path.stem for path in (ROOT / "models/marts").glob("*.sql")} == set(MARTS)
    publication = (ROOT / "models/publish/publish.sql").read_text(encoding="utf-8")
    models = described()
    for name in MARTS:
        assert f"ref('{name}')" in publication
        assert "One row per" in models[name]["description"]
        assert all(column["data_type"] and column["description"] for column in models[name]["columns"])


def test_every_model_is_described_with_its_grain() -> None:
    models = described()
    written = {path.stem: path for path in (ROOT / "models").rglob("*") if path.suffix in (".sql", ".py")}
    assert set(models) == set(written)
    for name, path in written.items():
        assert "One row" in models[name]["description"], path
        assert models[name]["columns"], path
        assert all(column["description"] for column in models[name]["columns"]), path


def test_every_rule_opens_with_a_sentence() -> None:
    for path in (ROOT / "models").rglob("*.sql"):
        first = path.read_text(encoding="utf-8").split("\n", maxsplit=1)[0]
        assert first.startswith("-- "), path
        assert first.endswith("."), path


# The columns that users rely on, written out: a model may add to them, never drop or rename one.
PROMISED = {
    "eligibility": "participant_id is_adult is_sponsored is_registered has_session has_baseline has_followup has_rating"
    " is_eligible first_failed_criterion",
    "eligibility_flow": "step criterion participants excluded",
    "participant_alliance": "participant_id alliance_score bond_mean goals_mean rated_sessions item_responses",
    "who5_change": "participant_id baseline_score followup_score who5_change follow_up_days screened_positive"
    " clinical_recovery clinical_improvement",
    "analysis_cohort": "participant_id alliance_score bond_mean goals_mean rated_sessions item_responses baseline_score"
    " followup_score who5_change follow_up_days screened_positive clinical_recovery clinical_improvement age_years sex"
    " within_usa utilization_type total_sessions time_in_care_days",
    "table_1": "variable level utilization_type statistic value",
    "inference_results": "analysis term method n estimate_name estimate std_error standardized_estimate statistic_name"
    " statistic df df_residual p_value p_adjusted ci_low ci_high effect_size_name effect_size note",
    "model_fit": "analysis step terms n r_squared delta_r_squared f_change df df_residual p_value",
}


@pytest.mark.parametrize("table", PROMISED)
def test_a_build_has_the_promised_columns(built: Warehouse, table: str) -> None:
    columns = {row[0] for row in built.query(f"select column_name from (describe marts.{table})")}
    assert set(PROMISED[table].split()) <= columns


def test_table_1_has_the_promised_rows(built: Warehouse) -> None:
    numeric = ("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days")
    counted = (
        *(("sex", level) for level in ("female", "male", "missing")),
        *(("country", level) for level in ("within_usa", "outside_usa")),
        ("screened_positive", None),
        ("participants", None),
    )
    rows = built.query("select variable, level, utilization_type, statistic from marts.table_1")
    promised = {
        (variable, None, column, statistic)
        for variable in numeric
        for column in ("teletherapy", "telecoaching", "both", "total")
        for statistic in ("n", "mean", "sd", "median", "min", "max")
    } | {
        (variable, level, column, statistic)
        for variable, level in counted
        for column in ("teletherapy", "telecoaching", "both", "total")
        for statistic in ("n", "percent")
    }
    assert set(rows) == promised
    assert len(rows) == len(promised)
