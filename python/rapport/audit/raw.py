"""The audit of the raw rows: judged as delivered and, where bad rows go to quarantine, judged again without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.audit.suites import CURRENT, UNJUDGED, fault_queries, judge_folder, queries_of, suite_parameters
from rapport.audit.verdict import Verdict, verdict_table
from rapport.audit_process import ask

QUARANTINED = "quarantined"
"""Severity of a broken rule on rows whose rows go to quarantine instead of closing the gate."""

HINTS = {
    "expect_column_values_to_be_unique": "two different rows have this key and the same loaded_at",
    "expect_column_values_to_be_in_set": "other words for these are translated in mapping.yml (docs/mapping.md)",
}
"""What lies behind a broken rule on rows, or helps, by the kind of its expectation."""
OF_FILES = ("expect_column_values_to_be_in_set",)
"""Hints that only a folder of files can follow."""

NO_FAULTS = (
    "select null::varchar as table_name, null::varchar as part_file, null::bigint as row_number,"
    " null::varchar as row_key, null::varchar as rule where false"
)
ACCEPTED = "staging.stg_"


def judge_raw(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    folder: Path | str,
    tables: Iterable[duckdb.DuckDBPyRelation],
) -> pa.Table:
    """Verdicts on the current rows of every raw table.

    ``build``: one row with ``build_id``, ``on_bad_rows`` and the parameters of the suites. ``tables``: what the calling
    model depends on. With ``on_bad_rows`` ``quarantine`` a broken critical rule on rows is recorded as ``quarantined``;
    rules on whole tables stay critical.

    Raises :class:`SuiteError` as :func:`run_suites` does.
    """
    parameters = suite_parameters(build)
    may_wait = parameters["on_bad_rows"] == "quarantine"
    verdicts = [
        replace(verdict, severity=QUARANTINED)
        if may_wait and is_on_rows and verdict.severity == "critical" and verdict.detail is None
        else verdict
        for verdict, is_on_rows in ask(judge_folder, connection, str(folder), queries_of(tables), parameters)
    ]
    hinted = [_with_hint(verdict, parameters) for verdict in verdicts]
    return verdict_table(hinted, str(parameters["build_id"]), Path(folder).name)


def _with_hint(verdict: Verdict, parameters: Mapping[str, object]) -> Verdict:
    """A verdict, with what lies behind a rule that is broken."""
    from rapport.reading.schema import FORMAT  # reading has verdicts, too

    hint = HINTS.get(verdict.expectation)
    is_followed = verdict.expectation not in OF_FILES or parameters.get("raw_format") != FORMAT
    if hint is None or verdict.passed or verdict.detail is not None or not is_followed:
        return verdict
    return replace(verdict, detail=hint)


def judge_rows(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    folder: Path | str,
    tables: Iterable[duckdb.DuckDBPyRelation],
) -> pa.Table:
    """The verdicts of :func:`judge_raw`; beside them the rows of :func:`find_faults`, as table ``audit.row_faults``.

    Where rows could not be read, the verdicts name the files in which they lie.
    """
    try:
        verdicts = judge_raw(connection, build, folder, tables)
        faults = find_faults(connection, build, verdicts.to_pandas(), folder)
        connection.execute(f"create or replace table audit.row_faults as {faults.sql_query()}")
    except duckdb.Error:
        unreadable = _unreadable_rows(connection, build, folder)
        if not unreadable.num_rows:
            raise
        connection.execute(f"create or replace table audit.row_faults as {NO_FAULTS}")
        return unreadable
    if any(str(detail).startswith(UNJUDGED) for detail in verdicts["detail"].to_pylist()):
        return pa.concat_tables([verdicts, _unreadable_rows(connection, build, folder)])
    return verdicts


def _unreadable_rows(connection: duckdb.DuckDBPyConnection, build: pd.DataFrame, folder: Path | str) -> pa.Table:
    """After a failure: verdicts on the part files whose rows cannot be read, none if that is not why."""
    from rapport.reading.warehouse import unreadable_rows

    try:
        part_files = connection.sql("from raw.part_files").to_arrow_table()
    except duckdb.CatalogException:
        found = []
    else:
        found = unreadable_rows(connection, part_files)
    return verdict_table(found, str(suite_parameters(build)["build_id"]), Path(folder).name)


def find_faults(
    connection: duckdb.DuckDBPyConnection, build: pd.DataFrame, verdicts: pd.DataFrame, folder: Path | str
) -> duckdb.DuckDBPyRelation:
    """Every row that a rule of severity ``quarantined`` objects to, one row a row and rule, found inside DuckDB.

    ``verdicts``: the rows of :func:`judge_raw`. Returns ``table_name``, ``part_file``, ``row_number`` (which together
    tell a row from every other), ``row_key`` and ``rule``. What is overlooked here closes the gate:
    :func:`judge_accepted`.
    """
    broken = verdicts[(verdicts["severity"] == QUARANTINED) & ~verdicts["passed"].astype(bool)]
    queries = [NO_FAULTS]
    if len(broken):
        rules: dict[str, list[str]] = {}
        for row in broken.itertuples(index=False):
            rules.setdefault(str(row.table_name), []).append(str(row.rule))
        for label, rule, faults in ask(fault_queries, connection, str(folder), rules, suite_parameters(build)):
            queries.append(
                f"select {_literal(label)}, part_file, row_number, row_key::varchar, {_literal(rule)} from ({faults})"
            )
    return connection.sql(" union all ".join(queries))


def judge_accepted(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    faults: int,
    folder: Path | str,
    tables: Iterable[duckdb.DuckDBPyRelation],
) -> pa.Table:
    """Verdicts of the same suites on the rows that did not go to quarantine, every broken rule critical again.

    ``faults``: how many rows :func:`find_faults` returned. Without any, the accepted rows are the current rows, which
    have been judged. ``tables``: what the calling model depends on.

    Raises :class:`SuiteError` as :func:`run_suites` does.
    """
    parameters = suite_parameters(build)
    if not faults:
        verdict = Verdict("raw export", "nothing is in quarantine", "info", True, "quarantine")
        return verdict_table([verdict], str(parameters["build_id"]), "accepted")
    moved = (CURRENT, ACCEPTED)
    judged = ask(judge_folder, connection, str(folder), queries_of(tables), parameters, moved)
    return verdict_table([verdict for verdict, _ in judged], str(parameters["build_id"]), "accepted")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
