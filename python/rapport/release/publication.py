"""What a release is made from: the published aggregates, as they are in the warehouse."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from rapport.disclosure import TABLES, tables_of
from rapport.providers import TABLE as PROVIDER_ALLIANCE
from rapport.studies import Study
from rapport.warehouse import WarehouseError, WarehouseInUse, open_to_read

ROUND_COUNTS: Final = 5
"""Counts of real people are rounded to the middle of so many, if the build does not say otherwise."""

SHOWN_BUILDS: Final = 12

PRINTED: Final = ("reproduction", "consistency")
"""Tables about the printed figures of the study; only its twin is compared with them."""

PERCENTILES: Final[Mapping[str, str]] = {"min": "p5", "max": "p95"}
"""What takes the place of an extreme in a release of real data."""

_VERDICTS: Final = f"""
        from audit.validation_results
        where
            build_id = (select any_value(build_id) from audit.publish)
            and ((select any_value(is_calibrated) from audit.publish) or table_name not in {PRINTED!r})
"""

# Keys and free text of a verdict are about single rows, and erasures about people: they stay in the warehouse.
QUERIES: Final[Mapping[str, str]] = {
    "build_parameters": "from marts.build_parameters",
    "verdict_counts": f"""
        select
            layer,
            count(*) as rules,
            count(case when passed then 1 end) as passed,
            count(case when not passed and severity <> 'critical' then 1 end) as warnings,
            count(case when not passed and severity = 'critical' then 1 end) as broken
        {_VERDICTS}
        group by layer
        order by min(validated_at), layer
    """,
    "verdicts": f"""
        select layer, table_name, rule, severity, passed, evaluated, unexpected
        {_VERDICTS}
        order by passed, severity, layer, table_name, rule, evaluated, unexpected
    """,
    "builds": f"""
        select
            build_number, build_id, started_at, published_at, status, list_sum(map_values(input_files)) as files,
            date_diff('millisecond', started_at, ended_at) / 1000.0 as seconds,
            build_id = (select any_value(build_id) from audit.publish) as is_shown
        from ops.builds
        where
            build_id = (select any_value(build_id) from audit.publish)
            or build_number > (select max(build_number) - {SHOWN_BUILDS} from ops.builds)
        order by build_number desc
    """,
}


class Refused(Exception):
    """There is nothing that may be released; says why."""


class Impossible(Exception):
    """The release cannot be tried; says why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The published build of a warehouse.

    Attributes:
        build: for the manifest: id, number, moment of publication (UTC), versions, revision, fingerprint of the input.
        source: name and form of the raw folder, and how many of the build's gates were open.
        study: what was built.
        is_synthetic: the export said that its people are invented.
        is_calibrated: they are the study's twin.
        min_cell: var ``min_cell`` of the build.
        round_counts: var ``round_counts`` of the build; 1 leaves counts as they are.
        types: DuckDB types of the columns of each table.
        tables: the tables of ``rapport.disclosure.tables_of``, of :data:`QUERIES`, and of :data:`PRINTED` for the twin.
        findings: analysis, term and figures of each build that the history holds.
        known_builds: ids of all builds of the warehouse.
    """

    build: dict[str, Any]
    source: dict[str, Any]
    study: Study
    is_synthetic: bool
    is_calibrated: bool
    min_cell: int
    round_counts: int
    types: dict[str, dict[str, str]]
    tables: dict[str, pd.DataFrame]
    findings: pd.DataFrame = field(default_factory=pd.DataFrame)
    known_builds: frozenset[str] = frozenset()

    @property
    def has_providers(self) -> bool:
        """Whether the alliance by provider was asked for."""
        return PROVIDER_ALLIANCE in self.tables


def read_publication(database: Path, *, providers: bool = False) -> Publication:
    """Read the aggregates and what is known of their build; the alliance by provider only if asked for.

    Raises :class:`Refused` if no build was published there, or one without the providers that were asked for,
    :class:`Impossible` if the database cannot be opened.
    """
    if not database.is_file():
        raise Impossible(f"no database {database}; build first")
    with contextlib.closing(_open(database)) as connection:
        try:
            return _read(connection, database, providers)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise Refused(
                f"{database} has no published build of this version ({_first_line(error)}); build first"
            ) from error
        except duckdb.Error as error:
            raise Impossible(f"{database}: the database cannot be read: {_first_line(error)}") from error


def _read(connection: duckdb.DuckDBPyConnection, database: Path, providers: bool) -> Publication:
    known = {row[0] for row in connection.execute("describe audit.publish").fetchall()}
    rounding = "publish.round_counts" if "round_counts" in known else str(ROUND_COUNTS)
    published = connection.execute(
        "select build_id, build_number, status, published_at, versions, git_revision, input_fingerprint,"
        " map_values(gates), publish.raw_folder, publish.raw_format, publish.is_synthetic, publish.is_calibrated,"
        f" publish.min_cell, {rounding}, study_definition, publish.table_name, publish.published_rows"
        " from audit.publish left join ops.builds using (build_id)"
    ).fetchall()
    rows = {str(row[-2]): row[-1] for row in published}
    if len({row[:6] for row in published}) != 1 or not set(TABLES) <= rows.keys():
        raise Refused(f"{database}: audit.publish does not speak of one build with {', '.join(TABLES)}; build first")
    build_id, number, status, published_at, versions, revision, fingerprint, gates = published[0][:8]
    raw_folder, raw_format, is_synthetic, is_calibrated, min_cell, round_counts, definition = published[0][8:15]
    if status != "published" or not isinstance(published_at, datetime):
        raise Refused(f"{database}: ops.builds does not say that the build of schema marts was published; build again")
    if definition is None:
        raise Refused(f"{database}: ops.builds does not say which study was built; build again")
    study = Study.of(str(definition))
    if providers and PROVIDER_ALLIANCE not in rows:
        raise Refused(
            f"{database} has no marts.{PROVIDER_ALLIANCE}, because var provider_marts of its build is false; set it to"
            " true and build again, or release without --providers"
        )
    released = tables_of(study, providers=providers)
    queries = {name: f"from marts.{name}" for name in released} | dict(QUERIES)
    if providers:
        queries[PROVIDER_ALLIANCE] += " order by provider_type, provider_id"
    if is_calibrated:
        queries |= {name: f"from marts.{name}" for name in PRINTED}
    types, tables = {}, {}
    for name, query in queries.items():
        described = connection.execute(f"describe {query}").fetchall()
        types[name] = {str(row[0]): str(row[1]) for row in described}
        tables[name] = connection.execute(query).df()
        if name in released and len(tables[name]) != rows.get(name):
            raise Refused(f"{database}: marts.{name} has {len(tables[name])} rows, published were {rows.get(name)}")
    tables["table_1"] = _with_percentiles(tables["table_1"], bool(is_synthetic))
    types["table_1"].pop("percentile", None)
    opened = [gate for gate in gates or () if gate == "open"]
    return Publication(
        build={
            "build_id": build_id,
            "build_number": number,
            "published_at": published_at.isoformat(timespec="seconds") + "Z",
            "versions": versions,
            "git_revision": revision,
            "input_fingerprint": fingerprint,
        },
        source={
            "folder": Path(str(raw_folder)).name or str(raw_folder),
            "format": raw_format,
            "gates": len(gates or ()),
            "gates_open": len(opened),
        },
        study=study,
        is_synthetic=bool(is_synthetic),
        is_calibrated=bool(is_calibrated),
        min_cell=int(min_cell),
        round_counts=int(round_counts),
        types=types,
        tables=tables,
        findings=connection.execute("from ops.findings_history").df(),
        known_builds=frozenset(str(row[0]) for row in connection.execute("select build_id from ops.builds").fetchall()),
    )


def _with_percentiles(table_1: pd.DataFrame, is_synthetic: bool) -> pd.DataFrame:
    """Of real data the rows of extremes, which are single people's values, become rows of percentiles."""
    if "percentile" not in table_1:  # marts of contract 0.1
        return table_1
    if is_synthetic:
        return table_1.drop(columns="percentile")
    is_extreme = table_1["statistic"].isin(PERCENTILES)
    return table_1.assign(
        statistic=table_1["statistic"].replace(PERCENTILES),
        value=table_1["value"].where(~is_extreme, table_1["percentile"]),
    ).drop(columns="percentile")


def _open(database: Path) -> duckdb.DuckDBPyConnection:
    try:
        return open_to_read(database)
    except WarehouseInUse as error:
        raise Impossible(str(error)) from error
    except WarehouseError as error:
        raise Impossible(str(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]
