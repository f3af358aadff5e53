"""What is declared in one place and enforced in another stays in step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import MARTS, ROOT

SOURCES = yaml.safe_load((ROOT / "models/raw/_raw__sources.yml").read_text(encoding="utf-8"))["sources"][0]["tables"]


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


def model(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]


def test_every_mart_is_published_contracted_and_described() -> None:
    published = {path.stem for path in (ROOT / "models/publish").glob("*.sql")} - {"publish"}
    assert published == set(MARTS)
    publication = (ROOT / "models/publish/publish.sql").read_text(encoding="utf-8")
    for name in MARTS:
        assert f"ref('{name}')" in publication
        described = model(ROOT / f"models/publish/{name}.yml")
        assert "One row per" in described["description"]
        assert all(column["data_type"] and column["description"] for column in described["columns"])


def test_every_model_is_described_with_its_grain() -> None:
    for path in (ROOT / "models").rglob("*"):
        if path.suffix not in (".sql", ".py"):
            continue
        described = model(path.with_suffix(".yml"))
        assert described["name"] == path.stem
        assert "One row" in described["description"], path
        assert described["columns"], path
        assert all(column["description"] for column in described["columns"]), path


def test_every_rule_opens_with_a_sentence() -> None:
    for path in (ROOT / "models").rglob("*.sql"):
        first = path.read_text(encoding="utf-8").split("\n", maxsplit=1)[0]
        assert first.startswith("-- "), path
        assert first.endswith("."), path
