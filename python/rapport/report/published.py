"""The published aggregates that the page is made of, and numbers that know where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import duckdb

from rapport.warehouse import WarehouseError, open_to_read

Row = dict[str, object]
Tables = dict[str, list[Row]]

# table: the columns that tell its rows apart. Nothing with one row per participant is among them.
KEYS: Mapping[str, tuple[str, ...]] = {
    "marts.eligibility_flow": ("step",),
    "marts.exclusion_reasons": ("criterion", "reason"),
    "marts.table_1": ("variable", "level", "utilization_type", "statistic"),
    "marts.alliance_distribution": ("utilization_type", "score_from"),
    "marts.wellbeing_transitions": ("baseline_from", "followup_from"),
    "marts.inference_results": ("analysis", "term"),
    "marts.model_fit": ("analysis", "step"),
    "marts.alliance_slopes": ("analysis", "level", "position"),
    "marts.reproduction": ("figure_id",),
    "marts.consistency": ("rule", "inputs", "printed"),
    "marts.source_summary": ("table_name",),
    "marts.build_parameters": ("parameter",),
    "audit.verdicts": ("layer", "table_name", "rule"),
    "audit.verdict_counts": ("layer",),
    "ops.builds": ("build_number",),
    "ops.findings_history": ("build_number", "analysis", "term"),
}

SHOWN_BUILDS = 12
MAIN_FINDINGS = (
    ("alliance_by_sex", "female - male"),
    ("alliance_by_utilization", "utilization_type"),
    ("wellbeing_change", "followup - baseline"),
    ("clinical_recovery", "screened_positive"),
    ("alliance_predicts_wellbeing", "alliance"),
)

_OTHER_QUERIES: Mapping[str, str] = {
    # With the cell that each printed figure is compared with: where that is hidden, so is this.
    "marts.reproduction": """
        select reproduction.*, target_table, analysis, term, utilization_type, step, column_name
        from marts.reproduction
        left join reference.printed_figures using (figure_id)
        order by figure_id
    """,
    # Keys and free text of a verdict are about single rows: they stay in the warehouse.
    "audit.verdicts": """
        select layer, table_name, rule, severity, passed, evaluated, unexpected
        from audit.validation_results
        where build_id = (select any_value(build_id) from audit.publish)
        order by passed, severity, layer, table_name, rule
    """,
    "audit.verdict_counts": """
        select
            layer,
            count(*) as rules,
            count(case when passed then 1 end) as passed,
            count(case when not passed and severity <> 'critical' then 1 end) as warnings,
            count(case when not passed and severity = 'critical' then 1 end) as broken
        from audit.validation_results
        where build_id = (select any_value(build_id) from audit.publish)
        group by layer
        order by min(validated_at), layer
    """,
    "ops.builds": f"""
        select
            build_number, build_id, started_at, published_at, status, is_full_refresh, input_fingerprint,
            map_values(gates) as gates,
            list_sum(map_values(input_files)) as files,
            date_diff('millisecond', started_at, ended_at) / 1000.0 as seconds,
            versions, git_revision,
            build_id = (select any_value(build_id) from audit.publish) as is_shown,
            (select any_value(raw_folder) from audit.publish) as raw_folder,
            (select any_value(raw_format) from audit.publish) as raw_format,
            (select any_value(min_cell) from audit.publish) as min_cell
        from ops.builds
        where
            build_id = (select any_value(build_id) from audit.publish)
            or build_number > (select max(build_number) - {SHOWN_BUILDS} from ops.builds)
        order by build_number desc
    """,
    "ops.findings_history": f"""
        select build_number, analysis, term, published_at, n, estimate, ci_low, ci_high, p_value
        from ops.findings_history
        where
            (analysis, term) in {MAIN_FINDINGS!r}
            and build_number > (select max(build_number) - {SHOWN_BUILDS} from ops.builds)
        order by build_number desc
    """,
}


class ReportError(Exception):
    """There is nothing to report on; the message says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A figure of the warehouse, and where it stands.

    Attributes:
        value: the figure; None where the warehouse has none.
        source: ``schema.table?key=value&…#column``.
        is_hidden: whether the small-cell rule took it away.
    """

    value: float | None
    source: str
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a published table."""

    table: str
    row: Mapping[str, object]
    hidden: frozenset[str] = frozenset()

    def number(self, column: str) -> Number:
        """Return a numeric column."""
        value = self.row.get(column)
        return Number(
            None if value is None else float(value),  # type: ignore[arg-type]
            self.source(column),
            column in self.hidden,
        )

    def source(self, column: str) -> str:
        """Return where a column of this row stands in the warehouse."""
        keys = {key: "" if self.row[key] is None else self.row[key] for key in KEYS[self.table]}
        return f"{self.table}?{urlencode(keys)}#{column}"

    def text(self, column: str) -> str:
        """Return a column as text; empty for null."""
        value = self.row.get(column)
        return "" if value is None else str(value)

    def moment(self, column: str) -> datetime | None:
        """Return a timestamp column."""
        value = self.row.get(column)
        return value if isinstance(value, datetime) else None

    def flag(self, column: str) -> bool:
        """Return a boolean column; null is false."""
        return bool(self.row.get(column))


@dataclass(frozen=True)
class Published:
    """The tables of one page after disclosure control.

    Attributes:
        tables: rows by table name, as ``read_published`` returns them.
        hidden: by table and position of a row, the columns whose figures were taken away.
        min_cell: the smallest count of people that is shown.
    """

    tables: Tables
    hidden: Mapping[tuple[str, int], frozenset[str]]
    min_cell: int

    def records(self, table: str, **where: object) -> Iterator[Record]:
        """Yield the rows of a table whose columns have the given values."""
        for i, row in enumerate(self.tables[table]):
            if all(row[column] == value for column, value in where.items()):
                yield Record(table, row, self.hidden.get((table, i), frozenset()))

    def record(self, table: str, **where: object) -> Record:
        """Return the one row; ``ReportError`` if it is not there."""
        found = next(self.records(table, **where), None)
        if found is None:
            raise ReportError(f"{table} has no row {where}: run a whole `dbt build`")
        return found

    def finding(self, analysis: str, term: str) -> Record:
        """Return a row of ``inference_results``."""
        return self.record("marts.inference_results", analysis=analysis, term=term)

    def cell(self, variable: str, statistic: str, group: str = "total", level: str | None = None) -> Number:
        """Return a value of ``table_1``."""
        return self.record(
            "marts.table_1", variable=variable, level=level, utilization_type=group, statistic=statistic
        ).number("value")

    def parameter(self, name: str) -> Record:
        """Return a row of ``build_parameters``."""
        return self.record("marts.build_parameters", parameter=name)

    @property
    def is_calibrated(self) -> bool:
        """Whether the export is the twin, calibrated to the printed figures."""
        return self.parameter("is_calibrated").text("value") == "true"

    @property
    def is_synthetic(self) -> bool:
        """Whether the people of the export are invented."""
        return self.parameter("is_synthetic").text("value") == "true"

    @property
    def build(self) -> Record:
        """The build whose tables are shown."""
        return self.record("ops.builds", is_shown=True)

    @property
    def latest_build(self) -> Record:
        """The last build of all, which may have failed."""
        return next(self.records("ops.builds"))


def read_published(db: Path) -> Tables:
    """Read the aggregates of the last published build, and the history of builds.

    Raises ``ReportError`` if the file is missing, cannot be opened or holds no publication.
    """
    if not db.exists():
        raise ReportError(f"{db} does not exist: run `make build` first, or name the database with RAPPORT_DB")
    try:
        with open_to_read(db) as connection:
            tables: Tables = {}
            for name, keys in KEYS.items():
                query = _OTHER_QUERIES.get(name, f"select * from {name} order by {', '.join(keys)}")
                cursor = connection.execute(query)
                columns = [column[0] for column in cursor.description or ()]
                tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    except WarehouseError as error:
        raise ReportError(str(error)) from error
    except duckdb.CatalogException as error:
        raise ReportError(f"{db} holds no whole publication, run `dbt build`: {_first_line(error)}") from error
    except duckdb.Error as error:
        raise ReportError(f"{db} cannot be read: {_first_line(error)}") from error
    if not tables["ops.builds"]:
        raise ReportError(f"{db} holds no publication: run `dbt build`")
    return tables


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]
