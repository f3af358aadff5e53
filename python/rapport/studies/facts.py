"""The facts of a participant that a study's SQL is written over, and the judgement of that SQL by DuckDB."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from rapport.studies.document import StudyError, one_of

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

ANSWERS = ("is_eligible", "first_failed_criterion", "exclusion_reason")
"""Columns of the facts that follow from the criteria."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_KINDS = {
    "whole": "an SQL expression that gives whole numbers",
    "bigint": "an SQL expression that gives whole numbers",
    "boolean": "an SQL expression that is true or false",
    "varchar": "an SQL expression that gives text",
}


@dataclass
class Facts:
    """Columns by name, with their types.

    Attributes:
        joined: what further facts are written over: the columns of the export's participants, and all that the rules
            find.
        stored: what criteria are written over: columns of ``participant_facts``.
        cohort: what groupings, covariates and Table 1 are written over: columns of ``analysis_cohort``.
        tables: the tables of the raw export with what is declared of their columns, by name.
        accepted: the declared values of columns of the cohort.
        never_null: columns of the cohort that are never null.
    """

    joined: Mapping[str, str]
    stored: Mapping[str, str]
    cohort: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    accepted: Mapping[str, list[str]] = field(default_factory=dict)
    never_null: tuple[str, ...] = ()

    @cached_property
    def _connection(self) -> Any:
        import duckdb

        return duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})

    def objection(self, sql: str, columns: Mapping[str, str], kind: str) -> tuple[str, str] | None:
        """Return what is wrong with an expression over some columns, and what is allowed; none if it is right."""
        import duckdb

        row = ", ".join(f'cast(null as {data_type}) as "{name}"' for name, data_type in columns.items())
        try:
            # The parentheses keep an expression from being more than one; a bare column name stays one.
            [(_, given, *_)] = self._connection.execute(
                f"describe select (\n{sql}\n) as given from (select {row}) as facts"
            ).fetchall()
        except duckdb.Error as error:
            said = str(error).split("\n", maxsplit=1)[0]
            unknown = re.search(r'[Cc]olumn (?:named )?"([^"]+)"', said)
            name = unknown[1].lower() if unknown else ""
            # A fact that stands elsewhere is no slip of the pen.
            is_fact = name in self.joined or name in self.cohort
            close = [] if is_fact else difflib.get_close_matches(name, columns, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            if name in self.joined and name not in self.stored and name not in self.cohort:
                hint = "; a column of the export is reached by a fact of its own, under `facts`"
            return f"its SQL fails: {said}{hint}", f"SQL over {', '.join(columns)}"
        is_right = {
            "whole": given in _WHOLE,
            "bigint": given in _WHOLE,
            "boolean": given == "BOOLEAN",
            "varchar": given == "VARCHAR",
        }[kind]
        return None if is_right else (f"its SQL gives {given.lower()}", _KINDS[kind])

    def possible_levels(self, sql: str) -> list[str] | None:
        """Return the texts that an expression can give, of a ``case`` of constants or a column with declared values.

        None where they cannot be told.
        """
        [(text,)] = self._connection.execute(
            "select json_serialize_sql(?::varchar)", [f"select (\n{sql}\n) as given"]
        ).fetchall()
        parsed = json.loads(text)
        if parsed["error"]:
            return None
        given = parsed["statements"][0]["node"]["select_list"][0]
        if given.get("class") == "COLUMN_REF":
            return self.accepted.get(given["column_names"][-1])
        if given.get("class") != "CASE":
            return None
        results = [*(check["then_expr"] for check in given["case_checks"]), given["else_expr"]]
        literals = [one.get("literal") or {"kind": None} for one in results]
        if any(literal["kind"] not in ("STRING", "NULL_LITERAL") for literal in literals):
            return None
        return list(dict.fromkeys(str(literal["text"]) for literal in literals if literal["kind"] == "STRING"))

    def table_objection(self, instrument: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """Return the key at fault, what is wrong and what is allowed if the export declares no such questionnaire."""
        declared = self.tables.get(instrument["table"])
        if declared is None:
            known = [name for name in self.tables if name.endswith("_assessments")]
            return "table", f"models/raw declares no table {instrument['table']}", one_of(known)
        items = [name for name in declared if name.startswith("item_")]
        if items != [f"item_{i + 1}" for i in range(instrument["items"])]:
            return "items", f"{instrument['table']} declares {len(items)} items", str(len(items))
        for name in items:
            ends = [declared[name].get(end) for end in ("minimum", "maximum")]
            if ends != [instrument["item_minimum"], instrument["item_maximum"]]:
                return "item_minimum", f"{instrument['table']} declares answers from {ends[0]} to {ends[1]}", "the same"
        return None


def read_facts(project_dir: Path) -> Facts:
    """Read the facts from the project's declarations: the raw export's source, and the models of rules and marts."""
    sources = _yaml(project_dir / "models/raw/_raw__sources.yml")["sources"]
    raw = next(source for source in sources if source["name"] == "raw")
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    types: dict[str, dict[str, str]] = {}
    for table in raw["tables"]:
        tables[table["name"]] = {
            column["name"]: (column.get("config") or {}).get("meta") or {} for column in table.get("columns", ())
        }
        types[table["name"]] = {column["name"]: column["data_type"] for column in table.get("columns", ())}
    participants = {name: kind for name, kind in types["participants"].items() if name != "loaded_at"}
    cohort = _columns(project_dir / "models/marts/_marts.yml", "analysis_cohort")
    stored = _types(_columns(project_dir / "models/rules/_rules.yml", "participant_facts"))
    return Facts(
        joined={**participants, **stored},
        stored=stored,
        cohort=_types(cohort),
        tables=tables,
        accepted={
            column["name"]: list(values)
            for column in cohort
            if (values := ((column.get("config") or {}).get("meta") or {}).get("accepted_values"))
        },
        never_null=tuple(
            column["name"]
            for column in cohort
            if any(constraint.get("type") == "not_null" for constraint in column.get("constraints") or ())
        ),
    )


def _columns(path: Path, model: str) -> list[dict[str, Any]]:
    found = next(one for one in _yaml(path)["models"] if one["name"] == model)
    return [column for column in found["columns"] if column["name"] not in ANSWERS]


def _types(columns: list[dict[str, Any]]) -> dict[str, str]:
    return {column["name"]: column["data_type"] for column in columns}


def _yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not YAML: {error}") from error
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}") from error
