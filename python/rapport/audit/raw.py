"""The audit of the raw rows: judged as delivered and, where bad rows go to quarantine, judged again without them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.audit.part_files import changed_files
from rapport.audit.suites import PARTICIPANT, UNEXPECTED_ROWS, Suite, judge, load_suites, suite_parameters
from rapport.audit.verdict import Verdict, join_keys, verdict_table

QUARANTINED = "quarantined"
"""Severity of a broken row-level rule whose rows go to quarantine instead of closing the gate."""

NO_FAULTS = (
    "select null::varchar as table_name, null::varchar as row_key, null::timestamp as loaded_at, null::varchar as rule"
    " where false"
)
CONDITIONS = {
    "expect_column_values_to_not_be_null": "{column} is null",
    "expect_column_values_to_be_in_set": "{column} is not null and {column} not in ({value_set})",
    "expect_column_values_to_be_between": "{column} < {min_value} or {column} > {max_value}",
    # Of the rows of one key only those of the same moment contradict one another.
    "expect_column_values_to_be_unique": "{column} in (select {column} from {table} where {column} is not null"
    " and loaded_at is not null group by {column}, loaded_at having count(*) > 1) and loaded_at is not null",
}


def judge_raw(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    reading_plan: pd.DataFrame,
    settled_rules: pd.DataFrame,
    folder: Path | str,
) -> pa.Table:
    """Verdicts on the current rows of every raw table, and on whether the files stood still while they were read.

    ``build``: one row with ``build_id``, ``on_bad_rows`` and the parameters of the suites. ``reading_plan``: one row a
    part file. ``settled_rules``: ``table_name`` and ``rule`` of each rule that all rows but those of table
    ``changed_<table_name>`` are known to keep; the verdict is the same, and costs what changed. With ``on_bad_rows``
    ``quarantine`` a broken critical rule on rows is recorded as ``quarantined``; rules on whole tables stay critical.
    """
    parameters = suite_parameters(build)
    settled = set(zip(settled_rules["table_name"], settled_rules["rule"], strict=True))
    verdicts = [_files_stood_still(connection, reading_plan)]
    for verdict in _judge_changes(connection, load_suites(folder), settled, parameters):
        goes_to_quarantine = (
            parameters["on_bad_rows"] == "quarantine"
            and verdict.severity == "critical"
            and verdict.expectation in (*CONDITIONS, UNEXPECTED_ROWS)
            and verdict.detail is None
        )
        verdicts.append(replace(verdict, severity=QUARANTINED) if goes_to_quarantine else verdict)
    return verdict_table(verdicts, str(parameters["build_id"]), Path(folder).name)


def _judge_changes(
    connection: duckdb.DuckDBPyConnection,
    suites: Sequence[Suite],
    settled: Collection[tuple[str, str]],
    parameters: dict[str, Any],
) -> Iterator[Verdict]:
    """Verdicts of suites in their order, settled rules on rows judged by the rows that changed."""
    for suite in suites:
        by_changes = [
            item.meta["rule"]
            for item in suite.expectations.expectations
            if (suite.label, item.meta["rule"]) in settled and _depends_on_own_rows(item)
        ]
        parts = [suite.part([rule for rule in suite.rules if rule not in by_changes])]
        if by_changes:
            parts.append(suite.part(by_changes, f"changed_{suite.label}"))
        verdicts = judge(connection, parts, parameters)
        # What changed was judged; the verdict speaks of all rows.
        found = {verdict.rule: replace(verdict, evaluated=verdicts[0].evaluated) for verdict in verdicts}
        yield from (found[rule] for rule in suite.rules)


def _depends_on_own_rows(expectation: Any) -> bool:
    """Whether a row can come to break a rule only by a change of a row of the same participant."""
    if expectation.expectation_type == UNEXPECTED_ROWS:
        return bool(expectation.meta.get("scope") == PARTICIPANT)
    return expectation.expectation_type in CONDITIONS and expectation.mostly == 1


def find_faults(
    connection: duckdb.DuckDBPyConnection, verdicts: pd.DataFrame, folder: Path | str
) -> duckdb.DuckDBPyRelation:
    """Every row that a rule of severity ``quarantined`` objects to, one row a row and rule, found inside DuckDB.

    ``verdicts``: the rows of :func:`judge_raw`. Returns ``table_name``, ``row_key``, ``loaded_at`` (which together tell
    a current row from every other) and ``rule``. What is overlooked here closes the gate: :func:`judge_accepted`.
    """
    broken = verdicts[(verdicts["severity"] == QUARANTINED) & ~verdicts["passed"].astype(bool)]
    suites = {suite.label: suite for suite in load_suites(folder)} if len(broken) else {}
    queries = [NO_FAULTS]
    for row in broken.itertuples(index=False):
        suite, rule = suites[str(row.table_name)], str(row.rule)
        queries.append(
            f"select {_literal(suite.label)}, {suite.key}, loaded_at, {_literal(rule)}"
            f" from {suite.schema}.{suite.table} where {_condition(suite, rule)}"
        )
    return connection.sql(" union all ".join(queries))


def judge_accepted(
    connection: duckdb.DuckDBPyConnection, build: pd.DataFrame, faults: int, folder: Path | str
) -> pa.Table:
    """Verdicts of the same suites on the rows that did not go to quarantine, every broken rule critical again.

    ``faults``: how many rows :func:`find_faults` returned. Without any, the accepted rows are the current rows, which
    have been judged.
    """
    parameters = suite_parameters(build)
    if not faults:
        verdict = Verdict("raw export", "nothing is in quarantine", "info", True, "quarantine")
        return verdict_table([verdict], str(parameters["build_id"]), "accepted")
    suites = [suite.on_tables("staging.stg_", "quarantine.accepted_") for suite in load_suites(folder)]
    verdicts = judge(connection, suites, parameters)
    return verdict_table(verdicts, str(parameters["build_id"]), "accepted")


def _condition(suite: Suite, rule: str) -> str:
    """SQL that holds for the rows of a suite's table that break one of its rules."""
    expectation = next(item for item in suite.expectations.expectations if item.meta["rule"] == rule)
    table = f"{suite.schema}.{suite.table}"
    if expectation.expectation_type == UNEXPECTED_ROWS:
        query = expectation.unexpected_rows_query.replace("{batch}", table)
        return f"{suite.key} in (select broken.{suite.key} from ({query}) as broken)"
    kwargs = dict(expectation.configuration.kwargs)
    if "value_set" in kwargs:
        kwargs["value_set"] = ", ".join(_literal(str(value)) for value in kwargs["value_set"])
    return CONDITIONS[expectation.expectation_type].format(table=table, **kwargs)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _files_stood_still(connection: duckdb.DuckDBPyConnection, reading_plan: pd.DataFrame) -> Verdict:
    """Whether the files that this build read are what they were before; those that are not are read again next time."""
    read = reading_plan[reading_plan["standing"].isin(["new", "rewritten"])]
    changed = list(changed_files(read))
    for table, file in changed:
        connection.execute(
            "update ops.loaded_files set sha256 = 'changed while it was read' where table_name = ? and file_name = ?",
            [table, file],
        )
    return Verdict(
        table_name="raw export",
        rule="no part file changed while it was read",
        severity="critical",
        passed=not changed,
        expectation="file_identity",
        evaluated=len(read),
        unexpected=len(changed),
        sample_keys=join_keys(f"{table}/{file}" for table, file in changed),
    )
