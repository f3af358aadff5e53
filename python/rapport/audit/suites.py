"""Great Expectations suites: strict loading, and judging tables inside DuckDB.

A suite is one JSON file in Great Expectations' own format. Its ``meta`` names the table that it judges
(``schema`` and ``table``), what people call it (``label``) and the column whose values may be shown when a
rule is broken (``key``); a raw suite also names the table of rows that share their key (``repeated``). Every
expectation says its ``severity`` and, in its ``meta``, its ``rule`` in plain words. With ``"example": "place"``
a broken rule names file, line and column of a row instead of its key.

The expectations run as SQL on the build's own connection: no row of a participant enters Python.
"""

from __future__ import annotations

import copy
import itertools
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa

from rapport.audit.kinds import why_not_judged
from rapport.audit.startup import import_great_expectations
from rapport.audit.verdict import MAX_SAMPLE_KEYS, SEVERITIES, Verdict, join_keys, verdict_table
from rapport.audit_process import ask
from rapport.engines import is_spark
from rapport.studies import Study
from rapport.studies.parameters import ParameterError, resolved
from rapport.studies.parameters import parameters as of_study

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

    from rapport.audit.engine import DuckDBExecutionEngine

UNEXPECTED_ROWS = "unexpected_rows_expectation"
ROW = ("part_file", "row_number")
"""The columns that tell a row of the raw export from every other."""
PLACE = "place"
UNJUDGED = "could not be evaluated"
"""What the detail of a verdict begins with whose rule could not be asked."""
SUITE_META = ("schema", "table", "label", "key", "repeated", "optional")
UNREADABLE = "unreadable"
CURRENT = "staging.current_"
"""What the names of the current rows' views begin with."""
RULE_META = {"rule": None, "example": (PLACE,)}


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
    repeated: str | None
    expectations: ExpectationSuite

    @property
    def batch(self) -> str:
        """The judged table as SQL."""
        return f'"{self.schema}"."{self.table}"'

    def on_tables(self, old: str, new: str) -> Suite:
        """The same suite on the tables whose names begin with ``new`` instead of ``old`` (``schema.prefix``)."""
        schema, table = f"{self.schema}.{self.table}".replace(old, new).split(".")
        moved = copy.deepcopy(self.expectations)
        for expectation in moved.expectations:
            if expectation.expectation_type == UNEXPECTED_ROWS:
                query: Any = expectation
                query.unexpected_rows_query = query.unexpected_rows_query.replace(old, new)
        return replace(self, schema=schema, table=table, expectations=moved)

    def queries(self) -> list[str]:
        """Every query of the suite, and of the tables that it is about."""
        named = [self.batch, *([f'"{self.schema}"."{self.repeated}"'] if self.repeated else [])]
        expectations: list[Any] = self.expectations.expectations
        return [f"select * from {name}" for name in named] + [
            item.unexpected_rows_query.replace("{batch}", self.batch)
            for item in expectations
            if item.expectation_type == UNEXPECTED_ROWS
        ]

    def tables(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Every table that the suite looks at, as ``schema.table``."""
        return set[str]().union(*tables_of(connection, self.queries()))


def tables_of(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> list[set[str]]:
    """The tables that each query names, as ``schema.table``; views are not looked through.

    Raises :class:`SuiteError` for a query that DuckDB cannot parse.
    """
    if not queries:
        return []
    arms = ", ".join(["json_serialize_sql(?::varchar)"] * len(queries))
    [parsed] = connection.execute(f"select {arms}", list(queries)).fetchall()
    return [_tables_in(query, json.loads(text)) for query, text in zip(queries, parsed, strict=True)]


def _tables_in(query: str, parsed: dict[str, Any]) -> set[str]:
    if parsed["error"]:
        raise SuiteError(f"not a query: {query}")

    def nodes(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            yield node
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from nodes(inner)

    found = list(nodes(parsed))
    ctes = {named["key"] for node in found for named in node.get("cte_map", {}).get("map", ())}
    return {
        f"{node['schema_name'] or 'main'}.{node['table_name']}"
        for node in found
        if node.get("type") == "BASE_TABLE" and (node["schema_name"] or node["table_name"] not in ctes)
    }


def load_suites(folder: Path | str, study: Mapping[str, Any] | None = None) -> list[Suite]:
    """All suites of a folder, in the order of their file names.

    ``study``: what the suites may name of the study (:mod:`rapport.studies.parameters`).

    Raises :class:`SuiteError` if the folder holds none, or if a file says anything that Great Expectations
    would drop, misread or not judge in DuckDB: an unknown kind of expectation, severity, argument or entry of ``meta``,
    a missing rule name, two rules of one name, or no expectation of a row count (without it an empty table passes every
    other rule).
    """
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise SuiteError(f"{folder}: no suite (*.json)")
    return _READY.pop(_as_they_stand(folder, study), None) or [
        load_suite(path, study) for path in paths if not _is_left_out(path, study or {})
    ]


def _is_left_out(path: Path, study: Mapping[str, Any]) -> bool:
    """Whether a suite is of an optional table, and the study does not name that one."""
    try:
        meta = json.loads(path.read_text(encoding="utf-8")).get("meta", {})
    except json.JSONDecodeError:
        return False  # load_suite says what is wrong with it
    return bool(meta.get("optional")) and meta.get("label") not in study.get("further_tables", ())


_READY: dict[tuple[str, tuple[tuple[str, bytes], ...]], list[Suite]] = {}
"""Suites that were loaded before anybody asked for them: by their study, their files and what these held."""


def load_ahead(folder: Path | str, study: Mapping[str, Any] | None = None) -> None:
    """Load the suites of a folder for the next one who asks; what is wrong with them is for that one to hear."""
    with suppress(SuiteError, OSError):
        _READY[_as_they_stand(folder, study)] = load_suites(folder, study)


def _as_they_stand(folder: Path | str, study: Mapping[str, Any] | None) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    return json.dumps(study or {}, sort_keys=True), tuple(
        (str(path.absolute()), path.read_bytes()) for path in sorted(Path(folder).glob("*.json"))
    )


def load_suite(path: Path, study: Mapping[str, Any] | None = None) -> Suite:
    """One suite file; see :func:`load_suites` for what it refuses."""
    import_great_expectations()
    from great_expectations import ExpectationSuite
    from great_expectations.exceptions import GreatExpectationsError

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}: not JSON: {error}") from error
    try:
        document = resolved(document, study or {})
    except ParameterError as error:
        raise SuiteError(f"{path}: {error}") from error
    meta = document.get("meta", {})
    for name in ("schema", "table", "label"):
        if not meta.get(name):
            raise SuiteError(f"{path}: meta.{name} is missing")
    for name in meta:
        if name not in SUITE_META:
            raise SuiteError(f"{path}: meta.{name} is none of {', '.join(SUITE_META)}")
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
        for name, value in expectation["meta"].items():
            known = RULE_META.get(name, ())
            if known is not None and value not in known:
                raise SuiteError(f"{place}: meta.{name} {value!r} is not known")
        if "example" in expectation["meta"] and expectation.get("kwargs", {}).get("column") != UNREADABLE:
            # A place is shown with what stands in the column, and that may be an answer.
            raise SuiteError(f"{place}: meta.example is for column {UNREADABLE}, which holds names of columns")
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
        repeated=meta.get("repeated"),
        expectations=suite,
    )


def run_suites(
    connection: duckdb.DuckDBPyConnection,
    build: pd.DataFrame,
    folder: Path | str,
    tables: Iterable[duckdb.DuckDBPyRelation],
) -> pa.Table:
    """Verdicts of all suites of a folder on the tables they name.

    ``build``: one row; ``build_id`` marks the verdicts, and every other column can be named by an
    expectation as a suite parameter (``{"$PARAMETER": "min_followup_days"}``). ``tables``: what the calling model
    depends on, as ``dbt.ref`` returned it. Returns the columns of ``audit.validation_results``. The layer is the
    folder's name.

    Raises :class:`SuiteError` for a suite that cannot be taken at its word, or that looks at a table which is not among
    ``tables``: it might judge what an earlier build left.
    """
    parameters = suite_parameters(build)
    judged = ask(judge_folder, connection, str(folder), queries_of(tables), parameters)
    return verdict_table([verdict for verdict, _ in judged], str(parameters["build_id"]), Path(folder).name)


def queries_of(tables: Iterable[duckdb.DuckDBPyRelation]) -> list[str]:
    """What tables are, as SQL."""
    return [table.sql_query() for table in tables]


def judge_folder(
    connection: duckdb.DuckDBPyConnection,
    folder: str,
    tables: Iterable[str],
    parameters: dict[str, Any],
    moved: tuple[str, str] | None = None,
) -> list[tuple[Verdict, bool]]:
    """Verdicts of all suites of a folder, each with whether its rule is one on rows.

    ``tables``: what the suites may look at, as SQL. ``moved``: see :meth:`Suite.on_tables`.

    Raises :class:`SuiteError` as :func:`run_suites` does.
    """
    of_study = study_parameters(parameters)
    suites = load_suites(folder, of_study)
    prefix = CURRENT
    if moved:
        suites, prefix = [suite.on_tables(*moved) for suite in suites], moved[1]
    # What the build makes beside a model that is depended on: `further_views`.
    tables = [*tables, *(f"select * from {prefix}{name}" for name in of_study.get("further_tables", ()))]
    check_dependencies(connection, suites, tables)
    on_rows = {
        (suite.label, expectation.meta["rule"])
        for suite in suites
        for expectation in suite.expectations.expectations
        if expectation.expectation_type == UNEXPECTED_ROWS or hasattr(expectation, "map_metric")
    }
    return [(item, (item.table_name, item.rule) in on_rows) for item in judge(connection, suites, parameters)]


def check_dependencies(connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], tables: Sequence[str]) -> None:
    """Raises :class:`SuiteError` if a suite looks at a table that the calling model does not depend on."""
    by_suite = {suite.path: suite.queries() for suite in suites}
    asked = [*tables, *itertools.chain.from_iterable(by_suite.values())]
    named = dict(zip(asked, tables_of(connection, asked), strict=True))
    declared = set[str]().union(*(named[table] for table in tables))
    for path, queries in by_suite.items():
        overlooked = sorted(set[str]().union(*(named[query] for query in queries)) - declared)
        if overlooked:
            raise SuiteError(f"{path}: judges {', '.join(overlooked)}, which this model does not depend on")


def suite_parameters(build: pd.DataFrame) -> dict[str, Any]:
    """The one row of ``build`` as plain Python values by column name, and the days to follow-up of its study."""
    current: dict[Any, Any] = build.iloc[0].to_dict()
    found = {str(name): value.item() if hasattr(value, "item") else value for name, value in current.items()}
    of_study = study_parameters(found)
    return {**found, **{name: of_study[name] for name in ("followup_days",) if name in of_study}}


def study_parameters(build: Mapping[str, Any]) -> dict[str, Any]:
    """What suites may name of the study that a build is made by, from its row; nothing without a study."""
    definition = build.get("study_definition")
    return of_study(Study.of(str(definition))) if definition else {}


def judge(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], parameters: dict[str, Any] | None = None
) -> list[Verdict]:
    """Verdicts of suites, one for each expectation, in the order of the files.

    An expectation that cannot be evaluated (a missing column, say) is a broken critical rule, whatever its
    own severity: what has not been looked at has not passed.
    """
    with _judges(connection, suites, parameters) as judges:
        return [verdict for judge_ in judges for verdict in judge_.verdicts()]


def fault_queries(
    connection: duckdb.DuckDBPyConnection,
    folder: str,
    rules: dict[str, list[str]],
    parameters: dict[str, Any] | None = None,
) -> list[tuple[str, str, str]]:
    """Queries for all rows that some rules of a folder object to: label of the suite, rule and SQL, nothing of it run.

    ``rules``: the rules by label. A query returns ``part_file``, ``row_number``, ``row_key`` and, for a rule on
    uniqueness, ``loaded_at``. Its condition is the one that Great Expectations counts by.
    """
    suites = load_suites(folder, study_parameters(parameters or {}))
    with _judges(connection, suites, parameters) as judges:
        return [
            (judge_.suite.label, rule, judge_.fault_query(rule))
            for judge_ in judges
            for rule in rules.get(judge_.suite.label, [])
        ]


@contextmanager
def _judges(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], parameters: dict[str, Any] | None
) -> Iterator[Iterator[_Judge]]:
    import_great_expectations()
    from rapport.audit.engine import engine_on

    with engine_on(connection) as engine:
        yield (_Judge(engine, connection, suite, parameters or {}) for suite in suites)


@dataclass
class _Judge:
    """One suite on its table.

    Whether every rule holds is one scan of the table for all rules on rows and the number of rows, one look at the
    repeated keys for each unique column and one query for each rule on other tables. Only what is broken, or holds for
    most rows, is counted and looked up by key.
    """

    engine: DuckDBExecutionEngine
    connection: duckdb.DuckDBPyConnection
    suite: Suite
    parameters: dict[str, Any]
    columns: list[str] = field(init=False)
    examples: dict[str, list[str]] = field(init=False)
    validator: Any = field(init=False)

    def __post_init__(self) -> None:
        from great_expectations.core.batch import Batch
        from great_expectations.validator.validator import Validator

        from rapport.audit.engine import JudgedTable

        batch = JudgedTable(execution_engine=self.engine, table_name=self.suite.table, schema_name=self.suite.schema)
        batch.key = self.suite.key
        batch.asks_at_once = is_spark(self.connection)
        if self.suite.repeated:
            batch.repeated = (
                f'(select part_file, row_number from "{self.suite.schema}"."{self.suite.repeated}"'
                f" where table_name = '{self.suite.label}' and standing = 'contested')"
            )
        batch.queries = [
            query.unexpected_rows_query
            for query in self.suite.expectations.expectations
            if query.expectation_type == UNEXPECTED_ROWS
        ]
        self.examples = batch.examples
        self.validator = Validator(execution_engine=self.engine, batches=[Batch(data=batch)], data_context=_context())
        try:
            self.columns = self.connection.sql(f"from {self.suite.batch}").columns
        except duckdb.CatalogException:
            self.columns = []

    def verdicts(self) -> list[Verdict]:
        """One verdict for each expectation, in the order of the file."""
        expectations = self.suite.expectations.expectations
        # Validator.validate() keeps one expectation of each type and column and drops the others; this is the call
        # beneath it, which takes them as they are.
        outcome = self.validator.graph_validate(
            self._configurations(expectations), runtime_configuration={"catch_exceptions": True}
        )
        results = {result.expectation_config.meta["rule"]: result for result in outcome}
        rows = next(
            (
                int(result.result["observed_value"])
                for result in results.values()
                if result.expectation_config.type.startswith("expect_table_row_count_") and result.result
            ),
            None,
        )
        unclear = [item for item in expectations if _is_unclear(item, results.get(item.meta["rule"]))]
        counts = self._counts(unclear)
        return [self._verdict(item, results.get(item.meta["rule"]), rows, counts) for item in expectations]

    def fault_query(self, rule: str) -> str:
        """SQL for the rows that break a rule, by Great Expectations' own condition."""
        expectation = next(item for item in self.suite.expectations.expectations if item.meta["rule"] == rule)
        if expectation.expectation_type == UNEXPECTED_ROWS:
            query: Any = expectation
            found = query.unexpected_rows_query.replace("{batch}", self.suite.batch)
            key = self.connection.sql(found).columns[0]
            return f"select part_file, row_number, {key} as row_key from ({found})"
        if expectation.expectation_type == "expect_column_values_to_be_unique":
            # Of the rows of one key only those of the same moment contradict one another.
            return (
                f"select part_file, row_number, row_key, loaded_at from {self._broken_rows(expectation)}"
                " where loaded_at is not null qualify count(*) over (partition by row_key, loaded_at) > 1"
            )
        return f"select part_file, row_number, row_key from {self._broken_rows(expectation)}"

    def _configurations(self, expectations: Iterable[Any], result_format: Any = None) -> list[Any]:
        """Great Expectations' form of some expectations, parameters filled in."""
        from rapport.audit.engine import new_configuration

        configurations = []
        for expectation in expectations:
            configuration = new_configuration(expectation)
            configuration.kwargs["result_format"] = result_format or (
                "BOOLEAN_ONLY" if hasattr(expectation, "map_metric") else "BASIC"
            )
            configurations.append(configuration)
        return list(self.validator.process_expectations_for_validation(configurations, self.parameters))

    def _metrics(self, expectation: Any) -> Any:
        """What Great Expectations asks of the table for a rule on rows, with the query for the rows that break it."""
        [configuration] = self._configurations(
            [expectation],
            {
                "result_format": "BOOLEAN_ONLY",
                "return_unexpected_index_query": True,
                "unexpected_index_column_names": self._index_columns,
            },
        )
        if self.validator.active_batch_id:
            configuration.kwargs["batch_id"] = self.validator.active_batch_id
        return configuration.to_domain_obj().get_validation_dependencies(execution_engine=self.engine)

    @property
    def _index_columns(self) -> list[str]:
        wanted = (*ROW, "line_number", "loaded_at", self.suite.key)
        return [name for name in wanted if name in self.columns]

    def _counts(self, expectations: list[Any]) -> dict[str, int]:
        """How many rows break each of some rules on rows, by rule: one more scan for all of them."""
        metrics = {
            item.meta["rule"]: self._metrics(item).get_metric_configuration(f"{item.map_metric}.unexpected_count")
            for item in expectations
        }
        found, _ = self.validator.compute_metrics(list(metrics.values()))
        return {rule: int(found[metric.id] or 0) for rule, metric in metrics.items()}  # None for an empty table

    def _broken_rows(self, expectation: Any) -> str:
        """The rows that break a rule on rows, as SQL to select from: what names a row, ``row_key`` and ``value``."""
        name = f"{expectation.map_metric}.unexpected_index_query"
        metric = self._metrics(expectation).get_metric_configuration(name)
        found, _ = self.validator.compute_metrics([metric])
        names = ["row_key" if name == self.suite.key else name for name in self._index_columns]
        return f"({found[metric.id].rstrip().rstrip(';')}) as broken({', '.join((*names, 'value'))})"

    def _verdict(self, expectation: Any, result: Any, rows: int | None, counts: dict[str, int]) -> Verdict:
        rule = str(expectation.meta["rule"])
        fault = None if result is None else _exception_message(result.exception_info)
        if result is None or fault:
            return Verdict(
                table_name=self.suite.label,
                rule=rule,
                severity="critical",
                passed=False,
                expectation=expectation.expectation_type,
                evaluated=rows,
                detail=f"{UNJUDGED}: {fault or 'no result'}",
            )
        passed = bool(result.success)
        if expectation.expectation_type == UNEXPECTED_ROWS:
            unexpected = int(result.result["observed_value"])
        else:
            unexpected = counts.get(rule, 0 if passed else rows or 0)
        return Verdict(
            table_name=self.suite.label,
            rule=rule,
            severity=str(expectation.severity.value),
            passed=passed,
            expectation=expectation.expectation_type,
            evaluated=rows or 0,
            unexpected=unexpected,
            sample_keys=None if passed or not unexpected else self._sample_keys(expectation),
        )

    def _sample_keys(self, expectation: Any) -> str | None:
        """The first keys of the rows that break a rule, or their places; of raw rows those of the first files."""
        if expectation.expectation_type == UNEXPECTED_ROWS:
            query: Any = expectation
            if query.unexpected_rows_query in self.examples:
                return join_keys(self.examples[query.unexpected_rows_query])
            rows = f"({query.unexpected_rows_query.replace('{batch}', self.suite.batch)})"
            columns = self.connection.sql(f"from {rows}").columns
            shown = f'"{columns[0]}"'  # such a query selects the key first
        elif hasattr(expectation, "map_metric") and self._index_columns:
            rows, columns, shown = self._broken_rows(expectation), self._index_columns, "row_key"
            if expectation.meta.get("example") == PLACE:
                shown = "part_file || coalesce(' line ' || line_number, ' row ' || row_number) || ': ' || value"
        else:
            return None
        order = f"order by {', '.join(ROW) if set(ROW) <= set(columns) else shown}"
        found = self.connection.execute(f"select {shown} from {rows} {order} limit {MAX_SAMPLE_KEYS}").fetchall()
        return join_keys(row[0] for row in found)


def _is_unclear(expectation: Any, result: Any) -> bool:
    """Whether how many rows a rule on rows objects to is still to be asked of Great Expectations."""
    if result is None or _exception_message(result.exception_info) or not hasattr(expectation, "map_metric"):
        return False
    return not result.success or bool(getattr(expectation, "mostly", 1) != 1)


ENGINE_ERROR = re.compile(r"\b(?P<kind>(?:[A-Z][A-Za-z]* (?:of )?)+Error): (?P<text>[^\n]*)")
ABOUT_SQL = ("Binder Error", "Catalog Error", "Parser Error")
"""Errors that arise before a row is read: their text can hold names and SQL, and no value."""
NO_COLUMN = re.compile(r'The column "\w+" in BatchData does not exist')


def _exception_message(exception_info: dict[str, Any] | None) -> str | None:
    """What kept an expectation from being evaluated, without a value of a row: the first fault in its exception info.

    The info is flat or keyed by metric.
    """
    for nested in (exception_info or {}, *(exception_info or {}).values()):
        if isinstance(nested, dict) and nested.get("raised_exception"):
            return without_values(str(nested.get("exception_message")))
    return None


def without_values(message: str) -> str:
    """An error message up to the first thing in it that may come from a row.

    An engine quotes the value that it stumbled over, or appends it to a fixed text.
    """
    missing = NO_COLUMN.search(message)
    if missing:
        return missing[0]
    error = ENGINE_ERROR.search(message)
    kind, text = (error["kind"], error["text"]) if error else ("", message.split("\n", maxsplit=1)[0])
    if kind in ABOUT_SQL:
        return f"{kind}: {text}"
    fixed = re.split(r"""["'`:\d(\[{<]""", text, maxsplit=1)[0].strip()
    return f"{kind}: {fixed} …" if kind else f"{fixed} …"


@cache
def _context() -> Any:
    """A context in memory: no telemetry, no progress bars, no files, no chatter."""
    from great_expectations import get_context
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    # What it logs can hold values; what went wrong is in the verdicts.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    context = get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
        ),
    )
    context.variables.progress_bars = {"globally": False}
    return context
