"""Whether the contenders did what the build did: a wrong one must not be quoted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.analyses import Findings

RELATIVE: Final = 1e-8
ABSOLUTE: Final = 1e-12
"""For figures next to zero, such as the P of a large difference."""

COMPARED: Final = (
    "alliance_reliability/participant_means",
    "alliance_reliability/session_ratings",
    "alliance_vs_age/age_years",
    "alliance_by_sex/female - male",
    "alliance_by_country/outside_usa - within_usa",
    "alliance_by_depression_screen/positive - negative",
    "alliance_by_utilization/utilization_type",
    "alliance_by_utilization_dunn/telecoaching - teletherapy",
    "wellbeing_change/followup - baseline",
    "wellbeing_change/d_rm",
    "wellbeing_change_by_utilization/utilization_type",
    "wellbeing_change_by_utilization_tukey/both - teletherapy",
    "clinical_recovery/screened_positive",
    "clinical_improvement/screened_positive",
    "alliance_predicts_wellbeing/alliance",
    "moderation_by_utilization/alliance:both",
    "moderation_by_baseline/alliance:baseline_score",
    "moderation_by_sessions/alliance:total_sessions",
)
"""The rows of ``marts.inference_results`` that another program has to give."""


def different_rows(floor: Path, warehouse: Path) -> int:
    """Return how many rows are in the floor's cohort or in ``marts.analysis_cohort`` but not, value by value, in both.

    Raises:
        duckdb.Error: the tables have other columns, or one of them is not there.
    """
    with duckdb.connect() as connection:
        for name, path in {"floor": floor, "warehouse": warehouse}.items():
            quoted = str(path).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name} (read_only)")
        columns = "select column_name, data_type from duckdb_columns() where table_name = 'analysis_cohort'"
        [(others,)] = connection.execute(
            f"""
            select count(*) from (
                ({columns} and database_name = 'floor' except {columns} and database_name = 'warehouse'
                    and schema_name = 'marts')
                union all
                ({columns} and database_name = 'warehouse' and schema_name = 'marts' except {columns}
                    and database_name = 'floor')
            )
            """
        ).fetchall()
        if others:
            raise duckdb.BinderException("the floor's cohort and marts.analysis_cohort have other columns or types")
        ours, theirs = "from floor.analysis_cohort", "from warehouse.marts.analysis_cohort"
        names = "select columns(*) from (from floor.analysis_cohort limit 0)"
        order = ", ".join(f'"{name[0]}"' for name in connection.execute(names).description or [])
        [(rows,)] = connection.execute(
            f"""
            select count(*) from (
                (select {order} {ours} except all select {order} {theirs})
                union all
                (select {order} {theirs} except all select {order} {ours})
            )
            """
        ).fetchall()
    return int(rows)


def disagreements(found: Findings, warehouse: Path) -> list[str]:
    """Return in words where a program's findings (those ``COMPARED``) are not those of ``marts.inference_results``."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        table = connection.execute("from marts.inference_results").df()
    published = {f"{row['analysis']}/{row['term']}": row for _, row in table.iterrows()}
    problems = []
    for name in COMPARED:
        if not found.get(name):
            problems.append(f"{name} is missing")
            continue
        for figure, value in found[name].items():
            ours = float(published[name][figure])
            if not math.isclose(value, ours, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
                problems.append(f"{name}: {figure} is {value!r}, not {ours!r}")
    return problems
