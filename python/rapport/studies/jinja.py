"""What the SQL models read of a study: plain lists and mappings, by the macro ``study()``.

A value that a command may override stands with the name of its var in a mapping ``vars`` beside it: the macro
``value_of`` asks for the var, so that a unit test can set it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rapport.studies.definition import CARE, Criterion, Instrument, Study

INSTRUMENT_VALUES = ("points_per_item", "cutoff", "improvement", "followup_days")


def sql_definition(study: Study) -> dict[str, Any]:
    """Return the study as SQL models read it."""
    printed = study.document.get("printed_as") or {}
    return {
        "name": study.name,
        "title": study.title,
        "has_printed_figures": study.has_printed_figures,
        "window": {"start": str(study.start), "end": str(study.end)},
        "home_country": study.home_country,
        "vars": [
            {"name": var.name, "meaning": var.meaning, "printed_as": printed.get(var.name, var.name)}
            for var in study.vars
        ],
        "overridden": dict(study.overridden),
        "instruments": [_instrument(study, one) for one in study.instruments],
        "further_tables": [one.table for one in study.further_instruments],
        "facts": [dict(one) for one in study.facts],
        "criteria": [_criterion(study, i, one) for i, one in enumerate(study.criteria, start=1)],
        "groupings": _named((one.id, one.sql) for one in study.groupings),
        "care": CARE,
        "correlations": _named((one.id, one.sql) for one in study.correlations),
        "numbers": _named(study.numbers.items()),
        "factors": _named((name, one.sql) for name, one in study.factors.items()),
        "covariates": _named((one.id, one.sql) for one in study.covariates),
        "covariate_terms": _named(_terms(study)),
        "predictors_but_sex": _named(study.predictors_but_sex.items()),
        "asks_sex": study.asks_sex,
        "table_numbers": _named((one.id, one.number) for one in study.table_1 if one.number is not None),
        "table_levels": _named(
            (one.id, _levels(one.grouping.sql, one.percent_of_known) if one.grouping else _truth(one.condition or ""))
            for one in study.table_1
            if one.number is None
        ),
        "definition": study.definition,
    }


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "sql": sql} for name, sql in pairs]


def _terms(study: Study) -> Iterable[tuple[str, str]]:
    """The covariates as numbers: a grouping has a 0/1 term for each level but the reference."""
    for covariate in study.covariates:
        for term in covariate.terms:
            if covariate.grouping is None:
                yield term, covariate.sql
            else:
                level = term.replace("'", "''")
                yield term, f"case when ({covariate.sql}) = '{level}' then 1 else 0 end"


def _levels(sql: str, is_of_known: bool) -> str:
    return sql if is_of_known else f"coalesce({sql}, 'missing')"


def _truth(condition: str) -> str:
    return f"case when {condition} then 'true' else 'false' end"


def _vars(study: Study, place: str, names: Iterable[str]) -> dict[str, str]:
    found = {name: study.var_of(f"{place}.{name}") for name in names}
    return {name: var for name, var in found.items() if var is not None}


def _instrument(study: Study, one: Instrument) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "table": one.table,
        "items": [f"item_{i + 1}" for i in range(one.items)],
        "item_minimum": one.item_minimum,
        "item_maximum": one.item_maximum,
        "lowest": one.lowest,
        "highest": one.highest,
        "is_higher_better": one.is_higher_better,
        "band_points": one.band_points,
        "values": {name: getattr(one, name) for name in INSTRUMENT_VALUES},
        "vars": _vars(study, f"instruments.{one.id}", INSTRUMENT_VALUES),
    }


def _criterion(study: Study, number: int, one: Criterion) -> dict[str, Any]:
    return {
        "name": one.id,
        "flag": one.flag,
        "description": f"Criterion {number}: {one.description}",
        "condition": one.condition,
        "reason": _reason(one.reasons),
        "waits_for": one.waits_for,
        "model": one.model,
        "values": dict(one.values),
        "vars": _vars(study, f"eligibility.{one.id}.values", one.values),
    }


def _reason(reasons: tuple[tuple[str | None, str], ...]) -> str:
    quoted = [(condition, "'" + reason.replace("'", "''") + "'") for condition, reason in reasons]
    whens = " ".join(f"when {condition} then {reason}" for condition, reason in quoted if condition is not None)
    return f"case {whens} else {quoted[-1][1]} end" if whens else quoted[-1][1]
