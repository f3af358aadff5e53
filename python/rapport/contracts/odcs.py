"""dbt declarations in, documents of the Open Data Contract Standard v3.1.0 out.

https://bitol-io.github.io/open-data-contract-standard/v3.1.0/

Every rule of the Great Expectations suites stands in the contract under its own name and severity: as a library metric
where the standard has one, else as text. So a finding of the audit can be looked up in the contract by its wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from rapport.contracts.project import ContractError, Document, Project, meta, render

API_VERSION = "v3.1.0"
DELIVERED_AT = "loaded_at"
LAYERS_OF_MARTS = ("candidates", "findings", "outcomes", "outcome_findings", "providers")
"""The folders of the suites that judge marts."""
"""A raw row is known by its key and the moment of its delivery: an export holds every delivery of a key."""

_LOGICAL_TYPES: dict[str, tuple[str, Document]] = {
    "varchar": ("string", {}),
    "boolean": ("boolean", {}),
    "integer": ("integer", {"format": "i32"}),
    "bigint": ("integer", {"format": "i64"}),
    "double": ("number", {"format": "f64"}),
    "date": ("date", {}),
    "timestamp": ("timestamp", {"timezone": False, "defaultTimezone": "Etc/UTC"}),
}
_SLA_UNITS = {"minute": "m", "hour": "h", "day": "d"}
_HEADER = "# Made by `python -m rapport.contracts generate` from the dbt YAML and the suites. Change those, not this.\n"


def raw_contract(project: Project) -> Document:
    """The contract of the raw export, from the source, its doc blocks, the vars and the suites of layer ``raw``."""
    tables = {table["name"]: table for table in project.source["tables"]}
    keys = {name: _raw_key(table) for name, table in tables.items()}
    return {
        **_head(project, "raw-export", "Rapport raw export"),
        "description": {
            "purpose": render(project.source["description"], project),
            "usage": (
                "Producers check an export with `make contract-check` before they hand it over; a build of Rapport"
                " makes the same checks and publishes nothing from an export that breaks a critical rule."
            ),
            "limitations": (
                "Rules here speak of every row of the files. Rapport judges the latest delivery of each key only, and"
                " collapses exact copies of a row, so an export may break a rule in a row that a later one supersedes."
                " In CSV all columns are text that reads as the declared type."
            ),
            "authoritativeDefinitions": [{"url": "docs/definitions.md", "type": "businessDefinition"}],
        },
        "servers": [
            {
                "server": form,
                "type": "local",
                "description": f"One sub-folder per table with any number of part files (RAPPORT_RAW_FORMAT={form})",
                "path": f"${{RAPPORT_RAW:-demo}}/{{model}}/*.{form}",
                "format": form,
            }
            for form in ("parquet", "csv")
        ],
        "schema": [
            _table(
                project,
                table,
                suites=[f"raw/{name}"],
                key=[keys[name], DELIVERED_AT],
                key_is_primary=True,
                references={
                    column["name"]: f"{target}.{keys[target]}"
                    for column in table["columns"]
                    if (target := meta(column).get("references"))
                },
                person_level=True,
            )
            for name, table in tables.items()
        ],
        "slaProperties": _freshness(project, list(tables)),
    }


def marts_contract(project: Project) -> Document:
    """The contract of the published tables, from models/marts, its doc blocks and the suites that judge them.

    Raises :class:`ContractError` for a model without a grain sentence or without a key.
    """
    tables = []
    for model in project.marts:
        name = model["name"]
        kinds = [kind for kind in ("primary_key", "unique_key") if meta(model).get(kind)]
        if len(kinds) != 1:
            raise ContractError(f"{name}: config.meta needs either primary_key or unique_key (a key with null columns)")
        tables.append(
            _table(
                project,
                model,
                suites=[f"{layer}/{name}" for layer in LAYERS_OF_MARTS],
                key=list(meta(model)[kinds[0]]),
                key_is_primary=kinds[0] == "primary_key",
                references={
                    column["name"]: str(target)
                    for column in model["columns"]
                    if (target := meta(column).get("references"))
                },
                person_level=any(column["name"] in ("participant_id", "provider_id") for column in model["columns"]),
            )
        )
    return {
        **_head(project, "marts", "Rapport marts"),
        "description": {
            "purpose": (
                "Audited findings on therapeutic alliance and well-being in a virtual mental-health service, with the"
                " cohort they rest on."
            ),
            "usage": (
                "Read the tables of schema marts. All of them change in one transaction, after every gate of a build"
                " has passed. The version of this contract rises when a reader could break (see docs/contracts.md)."
            ),
            "limitations": (
                "The findings describe the people of one export and are observational. Tables with participant_id"
                " hold health data of pseudonymous persons. Figures agree with base R to a relative 1e-8."
            ),
            "authoritativeDefinitions": [{"url": "docs/definitions.md", "type": "businessDefinition"}],
        },
        "servers": [
            {
                "server": "duckdb",
                "type": "duckdb",
                "description": "The database file that RAPPORT_DB names",
                "database": "${RAPPORT_DB:-warehouse/rapport.duckdb}",
                "schema": "marts",
            }
        ],
        "schema": tables,
    }


def contract_yaml(contract: Document) -> str:
    """A contract as text: UTF-8 YAML, keys in their order, lists of plain values on one line."""
    body = yaml.dump(contract, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)
    return _HEADER + str(body)


def grain(description: str) -> str | None:
    """The ``One row per …`` of a description, without what follows a stop or semicolon; ``None`` if it has none."""
    found = re.search(r"One row per [^.;]+", description)
    return found[0].strip() if found else None


def _head(project: Project, name: str, title: str) -> Document:
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"rapport-{name}",
        "name": title,
        "version": project.version,
        "status": "active",
        "domain": "mental health",
        "dataProduct": "rapport",
        "tags": ["mental health", "therapeutic alliance", "WHO-5"],
    }


def _raw_key(table: Document) -> str:
    keys = [str(column["name"]) for column in table["columns"] if meta(column).get("primary_key")]
    if len(keys) != 1:
        raise ContractError(f"{table['name']}: {len(keys)} columns with meta primary_key, where one is expected")
    return keys[0]


def _table(
    project: Project,
    table: Document,
    *,
    suites: Sequence[str],
    key: list[str],
    key_is_primary: bool,
    references: dict[str, str],
    person_level: bool,
) -> Document:
    name = str(table["name"])
    description = render(table.get("description") or "", project)
    one_row_per = grain(description)
    if one_row_per is None:
        raise ContractError(f"{name}: the description has no 'One row per …'")
    columns = {str(column["name"]): column for column in table["columns"]}
    unknown = [column for column in key if column not in columns]
    if unknown:
        raise ContractError(f"{name}: the key names {', '.join(unknown)}, which it does not have")
    nullable = [column for column in key if not _required(columns[column])]
    if key_is_primary and nullable:
        raise ContractError(f"{name}: {', '.join(nullable)} may be null; a key with null columns is a unique_key")
    rules = [
        {**expectation, "suite": suite}
        for suite in suites
        for expectation in project.suites.get(suite, {}).get("expectations", [])
    ]
    properties = [
        _property(
            project,
            name,
            column,
            position=key.index(column_name) + 1 if key_is_primary and column_name in key else None,
            is_sole_key=key == [column_name],
            reference=references.get(column_name),
            rules=[
                rule
                for rule in rules
                if rule["kwargs"].get("column") == column_name
                # Of the table's key the rule stands with the table.
                and not (key == [column_name] and rule["type"] == "expect_column_values_to_be_unique")
            ],
            restricted=person_level and column_name not in key and column_name not in references,
        )
        for column_name, column in columns.items()
    ]
    return {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        "physicalName": name,
        "description": description,
        "dataGranularityDescription": one_row_per,
        "properties": properties,
        "quality": _table_quality(key, [rule for rule in rules if rule["kwargs"].get("column") not in columns], rules),
    }


def _required(column: Document) -> bool:
    declared = meta(column)
    constraints = {constraint.get("type") for constraint in column.get("constraints") or []}
    return bool(declared.get("primary_key") or declared.get("required") or "not_null" in constraints)


def _property(
    project: Project,
    table: str,
    column: Document,
    *,
    position: int | None,
    is_sole_key: bool,
    reference: str | None,
    rules: list[Document],
    restricted: bool,
) -> Document:
    name, declared = str(column["name"]), meta(column)
    physical_type = str(column.get("data_type"))
    if physical_type not in _LOGICAL_TYPES:
        raise ContractError(f"{table}.{name}: type {physical_type} has no logical type of the standard")
    logical_type, options = _LOGICAL_TYPES[physical_type]
    options = {**options, **{bound: declared[bound] for bound in ("minimum", "maximum") if bound in declared}}
    if ("minimum" in declared or "maximum" in declared) and logical_type not in ("integer", "number"):
        raise ContractError(f"{table}.{name}: minimum and maximum are for numbers, not for {physical_type}")
    contract: Document = {
        "name": name,
        "logicalType": logical_type,
        "physicalType": physical_type,
        "description": render(column.get("description") or "", project),
        "required": _required(column),
    }
    if position is not None:
        contract |= {"primaryKey": True, "primaryKeyPosition": position}
    if is_sole_key:
        contract["unique"] = True
    contract["classification"] = "restricted" if restricted else "internal"
    if options:
        contract["logicalTypeOptions"] = options
    if reference:
        contract["relationships"] = [{"type": "foreignKey", "to": reference}]
    quality = _column_quality(project, name, column, rules)
    if quality:
        contract["quality"] = quality
    return contract


def _column_quality(project: Project, name: str, column: Document, rules: list[Document]) -> list[Document]:
    not_null = [rule for rule in rules if rule["type"] == "expect_column_values_to_not_be_null"]
    in_set = [rule for rule in rules if rule["type"] == "expect_column_values_to_be_in_set"]
    quality: list[Document] = []
    if not_null or _required(column):
        quality.append(
            _library("nullValues", _named(not_null, f"{name} is not null"), "completeness", {"mustBe": 0}),
        )
    values = _accepted_values(column, in_set)
    if values:
        fallback = f"{name} is {' or '.join(map(str, values))}"
        quality.append(
            _library(
                "invalidValues",
                _named(in_set, fallback),
                "conformity",
                {"mustBe": 0},
                {"validValues": values},
            )
        )
    used = (not_null + in_set) if values else not_null
    return quality + [_text(rule) for rule in rules if rule not in used]


def _accepted_values(column: Document, in_set: list[Document]) -> list[Any]:
    """The declared values; of a vocabulary, which a declaration only names, those that the suite lists."""
    declared = meta(column)
    if "accepted_values" in declared:
        return list(declared["accepted_values"])
    if "vocabulary" in declared:
        if not in_set:
            raise ContractError(f"{column['name']}: no suite lists the values of {declared['vocabulary']}")
        return list(in_set[0]["kwargs"]["value_set"])
    return []


def _table_quality(key: list[str], rules: list[Document], all_rules: list[Document]) -> list[Document]:
    equal = [rule for rule in rules if rule["type"] == "expect_table_row_count_to_equal"]
    at_least = [
        rule
        for rule in rules
        if rule["type"] == "expect_table_row_count_to_be_between" and rule["kwargs"].get("min_value", 0) > 0
    ]
    quality: list[Document] = []
    if equal:
        count = equal[0]["kwargs"]["value"]
        quality.append(_library("rowCount", _named(equal, f"has {count} rows"), "completeness", {"mustBe": count}))
    elif at_least:
        minimum = {"mustBeGreaterOrEqualTo": at_least[0]["kwargs"]["min_value"]}
        quality.append(_library("rowCount", _named(at_least, "is not empty"), "completeness", minimum))
    unique = f"{_listed(key)} {'is' if len(key) == 1 else 'are'} unique"
    named_unique = [rule for rule in all_rules if rule["meta"]["rule"] == unique]
    quality.append(
        _library(
            "duplicateValues", _named(named_unique, unique), "uniqueness", {"mustBe": 0}, {"properties": list(key)}
        )
    )
    used = [*equal, *([] if equal else at_least), *named_unique]
    return quality + [_text(rule) for rule in rules if rule not in used]


def _named(rules: list[Document], fallback: str) -> tuple[str, str]:
    """Name and severity of the first rule; those of a declaration without one."""
    return (str(rules[0]["meta"]["rule"]), str(rules[0]["severity"])) if rules else (fallback, "critical")


def _library(
    metric: str,
    name_and_severity: tuple[str, str],
    dimension: str,
    operator: Document,
    arguments: Document | None = None,
) -> Document:
    name, severity = name_and_severity
    return {
        "name": name,
        "type": "library",
        "metric": metric,
        **({"arguments": arguments} if arguments else {}),
        **operator,
        "dimension": dimension,
        "severity": severity,
    }


def _text(rule: Document) -> Document:
    return {
        "name": rule["meta"]["rule"],
        "type": "text",
        "description": f"Judged in every build by expectations/{rule['suite']}.json.",
        "severity": rule["severity"],
    }


def _freshness(project: Project, tables: Iterable[str]) -> list[Document]:
    source = project.source
    limit = ((source.get("config") or {}).get("freshness") or source.get("freshness") or {}).get("warn_after")
    if not limit:
        return []
    unit = _SLA_UNITS[str(limit["period"])]
    return [
        {
            "property": "latency",
            "value": int(render(str(limit["count"]), project)),
            "unit": unit,
            "element": f"{table}.{DELIVERED_AT}",
            "driver": "operational",
            "description": "Age of the newest row, above which the export counts as stale: a warning, no broken rule.",
        }
        for table in tables
    ]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    plain = all(isinstance(item, str | int | float | bool) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _represent_list)
