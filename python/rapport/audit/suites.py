"""Great Expectations suites: strict loading, and judging tables inside DuckDB.

A suite is one JSON file in Great Expectations' own format. Its ``meta`` names the table that it judges
(``schema`` and ``table``), what people call it (``label``) and the column whose values may be shown when a
rule is broken (``key``). Every expectation says its ``severity`` and, in its ``meta``, its ``rule`` in plain
words.

The expectations run as SQL on the build's own connection: no row of a participant enters Python.
"""

from __future__ import annotations

import copy
import json
import logging
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.audit.kinds import why_not_judged
from rapport.audit.verdict import MAX_SAMPLE_KEYS, SEVERITIES, Verdict, join_keys, verdict_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from great_expectations import ExpectationSuite

    from rapport.audit.engine import DuckDBExecutionEngine

UNEXPECTED_ROWS = "unexpected_rows_expectation"
PARTICIPANT = "participant"
"""Scope of a query whose verdict on a row depends on no row but those of the same participant."""


class SuiteError(ValueError):
    """A suite file that would not be judged as it is written."""


@dataclass(frozen=True)
class Suite:
    """A suite file and the table it judges."""

    path: Path
    schema: str
    table: str
    label: str
    key: str | None
    expectations: ExpectationSuite

    @property
    def rules(self) -> list[str]:
        """The names of its rules, in their order."""
        return [expectation.meta["rule"] for expectation in self.expectations.expectations]

    def on_tables(self, old: str, new: str) -> Suite:
        """The same suite on the tables whose names begin with ``new`` instead of ``old`` (``schema.prefix``)."""
        schema, table = f"{self.schema}.{self.table}".replace(old, new).split(".")
        moved = copy.deepcopy(self.expectations)
        for expectation in moved.expectations:
            if expectation.expectation_type == UNEXPECTED_ROWS:
                query: Any = expectation
                query.unexpected_rows_query = query.unexpected_rows_query.replace(old, new)
        return replace(self, schema=schema, table=table, expectations=moved)

    def part(self, rules: Collection[str], table: str | None = None) -> Suite:
        """Some rules of the suite, on another table of the schema if one is named (what a query joins stays)."""
        chosen = copy.deepcopy(self.expectations)
        chosen.expectations = [item for item in chosen.expectations if item.meta["rule"] in rules]
        return replace(self, table=table or self.table, expectations=chosen)


def load_suites(folder: Path | str) -> list[Suite]:
    """All suites of a folder, in the order of their file names.

    Raises :class:`SuiteError` if the folder holds none, or if a file says anything that Great Expectations
    would drop, misread or not judge in DuckDB: an unknown kind of expectation, severity, scope or argument, a missing
    rule name, two rules of one name, or no expectation of a row count (without it an empty table passes every other
    rule).
    """
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise SuiteError(f"{folder}: no suite (*.json)")
    return [load_suite(path) for path in paths]


def load_suite(path: Path) -> Suite:
    """One suite file; see :func:`load_suites` for what it refuses."""
    from great_expectations import ExpectationSuite
    from great_expectations.exceptions import GreatExpectationsError

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}: not JSON: {error}") from error
    meta = document.get("meta", {})
    for name in ("schema", "table", "label"):
        if not meta.get(name):
            raise SuiteError(f"{path}: meta.{name} is missing")
    written = document.get("expectations", [])
    rules = []
    for position, expectation in enumerate(written, start=1):
        place = f"{path}: expectation {position} ({expectation.get('type')})"
        if expectation.get("severity") not in SEVERITIES:
            raise SuiteError(f"{place}: severity {expectation.get('severity')!r} is none of {', '.join(SEVERITIES)}")
        rule = expectation.get("meta", {}).get("rule")
        if not rule:
            raise SuiteError(f"{place}: meta.rule is missing")
        if rule in rules:
            raise SuiteError(f"{place}: a second rule named {rule!r}")
        rules.append(rule)
        scope = expectation["meta"].get("scope", PARTICIPANT)
        if scope != PARTICIPANT:
            raise SuiteError(f"{place}: meta.scope {scope!r} is not {PARTICIPANT!r}")
    if not any(expectation["type"] == "expect_table_row_count_to_be_between" for expectation in written):
        raise SuiteError(f"{path}: no expectation of a row count")
    try:
        suite = ExpectationSuite(**document)
    except (GreatExpectationsError, ValueError, TypeError, KeyError) as error:
        raise SuiteError(f"{path}: {error}") from error
    loaded = {expectation.meta["rule"]: expectation for expectation in suite.expectations if expectation.meta}
    for position, expectation in enumerate(written, start=1):
        place = f"{path}: expectation {position} ({expectation['type']})"
        kept = loaded.get(expectation["meta"]["rule"])
        if kept is None or kept.expectation_type != expectation["type"]:
            raise SuiteError(f"{place}: Great Expectations does not know it and would drop it")
        unjudged = why_not_judged(expectation["type"])
        if unjudged:
            raise SuiteError(f"{place}: {unjudged}")
        if str(kept.severity.value) != expectation["severity"]:
            raise SuiteError(f"{place}: severity {expectation['severity']!r} would become {kept.severity.value!r}")
    return Suite(
        path=path,
        schema=meta["schema"],
        table=meta["table"],
        label=meta["label"],
        key=meta.get("key"),
        expectations=suite,
    )


def run_suites(connection: duckdb.DuckDBPyConnection, build: pd.DataFrame, folder: Path | str) -> pa.Table:
    """Verdicts of all suites of a folder on the tables they name.

    ``build``: one row; ``build_id`` marks the verdicts, and every other column can be named by an
    expectation as a suite parameter (``{"$PARAMETER": "min_followup_days"}``). Returns the columns of
    ``audit.validation_results``. The layer is the folder's name.

    Raises :class:`SuiteError` for a suite that cannot be taken at its word.
    """
    parameters = suite_parameters(build)
    verdicts = judge(connection, load_suites(folder), parameters)
    return verdict_table(verdicts, str(parameters["build_id"]), Path(folder).name)


def suite_parameters(build: pd.DataFrame) -> dict[str, Any]:
    """The one row of ``build`` as plain Python values by column name."""
    current: dict[Any, Any] = build.iloc[0].to_dict()
    return {str(name): value.item() if hasattr(value, "item") else value for name, value in current.items()}


def judge(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], parameters: dict[str, Any] | None = None
) -> list[Verdict]:
    """Verdicts of suites, one for each expectation, in the order of the files.

    An expectation that cannot be evaluated (a missing column, say) is a broken critical rule, whatever its
    own severity: what has not been looked at has not passed.
    """
    from rapport.audit.engine import engine_on

    with engine_on(connection) as engine:
        return [verdict for suite in suites for verdict in _judge_on(engine, connection, suite, parameters)]


def _judge_on(
    engine: DuckDBExecutionEngine,
    connection: duckdb.DuckDBPyConnection,
    suite: Suite,
    parameters: dict[str, Any] | None,
) -> list[Verdict]:
    """Verdicts of one suite.

    Whether every rule holds is one scan of the table, one grouping for each unique column and one count for each query.
    Only what is broken, or holds for most rows, is counted and looked up by key.
    """
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.validator.validator import Validator

    batch = SqlAlchemyBatchData(execution_engine=engine, table_name=suite.table, schema_name=suite.schema)
    validator = Validator(execution_engine=engine, batches=[Batch(data=batch)], data_context=_context())
    expectations = suite.expectations.expectations

    def results_of(chosen: list[Any], result_format: dict[str, Any]) -> dict[str, Any]:
        # Validator.validate() keeps one expectation of each type and column and drops the others; this is the call
        # beneath it, which takes them as they are.
        configurations = validator.process_expectations_for_validation(
            [expectation.configuration for expectation in chosen], parameters
        )
        outcome = validator.graph_validate(
            configurations,
            runtime_configuration={"result_format": result_format, "catch_exceptions": True},
        )
        return {result.expectation_config.meta["rule"]: result for result in outcome}

    queries = [item for item in expectations if item.expectation_type == UNEXPECTED_ROWS]
    others = [item for item in expectations if item.expectation_type != UNEXPECTED_ROWS]
    results = results_of(others, {"result_format": "BOOLEAN_ONLY"}) | results_of(queries, {"result_format": "BASIC"})
    unclear = [item for item in others if _is_unclear(item, results.get(item.meta["rule"]))]
    if unclear:
        detailed: dict[str, Any] = {
            "result_format": "SUMMARY",
            "partial_unexpected_count": MAX_SAMPLE_KEYS,
            "include_unexpected_rows": False,
        }
        if suite.key:
            detailed["unexpected_index_column_names"] = [suite.key]
        results |= results_of(unclear, detailed)
    rows = _row_count(connection, suite)
    return [
        _verdict(connection, suite, expectation, results.get(expectation.meta["rule"]), rows)
        for expectation in expectations
    ]


def _is_unclear(expectation: Any, result: Any) -> bool:
    """Whether how many rows a rule objects to, and which, is still to be asked of Great Expectations."""
    if result is None or _exception_message(result.exception_info):
        return False
    return not result.success or bool(getattr(expectation, "mostly", 1) != 1)


def _verdict(
    connection: duckdb.DuckDBPyConnection,
    suite: Suite,
    expectation: Any,
    result: Any,
    rows: int | None,
) -> Verdict:
    rule = str(expectation.meta["rule"])
    fault = None if result is None else _exception_message(result.exception_info)
    if result is None or fault:
        return Verdict(
            table_name=suite.label,
            rule=rule,
            severity="critical",
            passed=False,
            expectation=expectation.expectation_type,
            evaluated=rows,
            detail=f"could not be evaluated: {fault or 'no result'}",
        )
    passed = bool(result.success)
    found = result.result
    if expectation.expectation_type == UNEXPECTED_ROWS:
        unexpected = int(found["observed_value"])
        keys = _example_keys(connection, suite, expectation.unexpected_rows_query) if unexpected else None
    elif passed and not found:
        unexpected, keys = 0, None
    elif "unexpected_count" in found:
        unexpected = int(found["unexpected_count"] or 0)  # None for an empty table
        keys = join_keys(row.get(suite.key) for row in found.get("partial_unexpected_index_list") or [])
    else:
        unexpected, keys = (0 if passed else rows or 0), None
    return Verdict(
        table_name=suite.label,
        rule=rule,
        severity=str(expectation.severity.value),
        passed=passed,
        expectation=expectation.expectation_type,
        evaluated=int(found.get("element_count", rows) or 0),
        unexpected=unexpected,
        sample_keys=None if passed else keys,
    )


def _example_keys(connection: duckdb.DuckDBPyConnection, suite: Suite, query: str) -> str | None:
    """The first column of some rows that a query finds; such a query selects the key first."""
    batch = f'"{suite.schema}"."{suite.table}"'
    found = connection.execute(f"from ({query.replace('{batch}', batch)}) limit {MAX_SAMPLE_KEYS}").fetchall()
    return join_keys(row[0] for row in found)


def _row_count(connection: duckdb.DuckDBPyConnection, suite: Suite) -> int | None:
    try:
        return int(connection.execute(f'select count(*) from "{suite.schema}"."{suite.table}"').fetchall()[0][0])
    except duckdb.CatalogException:
        return None


def _exception_message(exception_info: dict[str, Any] | None) -> str | None:
    """The first message in an expectation's exception info, which is flat or keyed by metric."""
    if not exception_info:
        return None
    if exception_info.get("raised_exception"):
        return str(exception_info.get("exception_message")).split("\n", maxsplit=1)[0]
    for nested in exception_info.values():
        if isinstance(nested, dict) and nested.get("raised_exception"):
            return str(nested.get("exception_message")).split("\n", maxsplit=1)[0]
    return None


@cache
def _context() -> Any:
    """A context in memory: no telemetry, no progress bars, no files, no chatter."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from great_expectations import get_context
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
        ),
    )
    context.variables.progress_bars = {"globally": False}
    return context
