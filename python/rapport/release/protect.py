"""Published tables as a release holds them: what may leave, as exactly as it may.

On real data a figure that :mod:`rapport.disclosure` hides is null, counts are rounded, percentages and rates are
computed from rounded counts, statistics have few digits, bars are merged until each stands. On data that are marked
synthetic every figure stays, and is only named as one that real data would hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import pandas as pd

from rapport.disclosure import (
    SUPPRESSED,
    SUPPRESSED_COLUMNS,
    DisclosureError,
    judge,
    populations,
    quiet_solver,
    rules,
    tables_of,
)
from rapport.disclosure.providers import SESSIONS, gone_rows
from rapport.disclosure.rules import Rule, number_of, text_of
from rapport.disclosure.sensitivity import RATES as RELIABLE_RATES
from rapport.disclosure.service import VALUE_ONLY
from rapport.disclosure.study import OUTCOMES, UNPRINTED_MARGIN, SourceSummary
from rapport.providers import PROVIDER_TYPES, UNNAMED, TypeOfProviders, figures_of, of_type
from rapport.providers import TABLE as PROVIDER_ALLIANCE
from rapport.release.publication import PERCENTILES, PRINTED, Publication
from rapport.release.rescale import as_of_rounded_n
from rapport.release.rescale_sensitivity import sensitivity_of_rounded_n
from rapport.release.rounding import (
    DECIMALS,
    middle,
    of_mean,
    of_median,
    of_p,
    of_percentile,
    of_rank_sum,
    significant,
    threshold,
)
from rapport.service import COUNTS as COUNTS_OF_SERVICE
from rapport.service import KEYS, MEANS, service_signals
from rapport.service import OUTCOMES as OUTCOMES_OF_SERVICE
from rapport.statistics.proportions import wilson
from rapport.studies import Study
from rapport.study import PARTICIPANTS, UTILIZATION_TYPES

Hidden = dict[str, set[tuple[int, str]]]

RATES: Final = (
    *(("clinical_recovery", "screened_positive"), ("clinical_improvement", "screened_positive")),
    *(("reliable_change", term) for term in RELIABLE_RATES),
)
"""Analysis and term of the shares of people."""
LOWEST_SCORE, HIGHEST_SCORE = 1.0, 5.0
EXTREMES: Final = ("min", "max")
COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "eligibility_flow": ("participants", "excluded", "quarantined"),
    "exclusion_reasons": ("participants",),
    "alliance_distribution": ("participants",),
    "wellbeing_transitions": ("participants",),
    "inference_results": ("n",),
    "model_fit": ("n",),
    "outcome_results": ("n",),
    "outcome_fit": ("n",),
    "alliance_slopes": ("n",),
    "sensitivity_results": ("n",),
    "alliance_trajectory": ("participants",),
    "source_summary": SourceSummary().figures,
    "verdicts": ("unexpected",),
}
"""Columns of whole numbers of people or rows; Table 1 has them in rows."""


@dataclass(slots=True)
class _Tables:
    """The tables while they are protected: records by table, and the figures that go."""

    records: dict[str, list[dict[str, Any]]]
    hidden: Hidden
    base: int
    min_cell: int
    study: Study
    rules: Mapping[str, Rule]

    def is_hidden(self, table: str, row: int, column: str) -> bool:
        """Whether a figure goes."""
        return (row, column) in self.hidden[table]

    def shown(self, table: str) -> Iterable[tuple[int, dict[str, Any]]]:
        """Rows by position; none of a table that the study does not have."""
        return enumerate(self.records.get(table, ()))


def protect(publication: Publication) -> dict[str, pd.DataFrame]:
    """Return the tables of a release, each with the columns ``suppressed`` and ``suppressed_columns``.

    Raises :class:`~rapport.disclosure.DisclosureError` for what has no rule, contradicts itself or cannot be protected.
    """
    if publication.round_counts < 1:
        raise DisclosureError(f"round_counts is {publication.round_counts}; it must be a whole number, 1 or more")
    base = 1 if publication.is_synthetic else publication.round_counts
    least = threshold(publication.min_cell, publication.round_counts)
    study = publication.study
    of_study = rules(study, providers=publication.has_providers)
    released = tables_of(study, providers=publication.has_providers)
    frames = {name: publication.tables[name] for name in released}
    with quiet_solver():
        verdict = judge(frames, least, rules=of_study, populations=populations(study))
    hidden: Hidden = {name: set(verdict.hidden[name]) for name in released}
    all_records = {name: _records(frame) for name, frame in publication.tables.items()}
    tables = _Tables(all_records, hidden, base, least, study, of_study)
    _hide_models(tables)
    _hide_verdicts(tables)
    _hide_signals(tables)
    if publication.is_synthetic:
        for row, column in _unmerged(tables):
            hidden["alliance_distribution"].add((row, column))
    else:
        _merge_bars(tables)
        _coarsen(tables)
        _conclude_on_shown_providers(tables)
        for name, records in tables.records.items():
            gone: dict[int, list[str]] = {}
            for row, column in hidden.get(name, ()):
                gone.setdefault(row, []).append(column)
            for row, record in enumerate(records):
                record.update(dict.fromkeys(gone.get(row, ())))
        _drop_extremes(tables)
        _chart_what_is_shown(tables)
        for name in PRINTED:
            tables.records.pop(name, None)
    return {
        name: _marked(pd.DataFrame(records, columns=list(publication.tables[name].columns)), hidden.get(name, set()))
        for name, records in tables.records.items()
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]


def _marked(frame: pd.DataFrame, hidden: set[tuple[int, str]]) -> pd.DataFrame:
    order = list(frame.columns)
    by_row: dict[int, list[str]] = {}
    for row, column in sorted(hidden, key=lambda cell: (cell[0], order.index(cell[1]))):
        by_row.setdefault(row, []).append(column)
    columns = [",".join(by_row[row]) if row in by_row else None for row in range(len(frame))]
    frame[SUPPRESSED] = [row in by_row for row in range(len(frame))]
    frame[SUPPRESSED_COLUMNS] = pd.Series(columns, dtype=pd.StringDtype(na_value=float("nan")), index=frame.index)
    return frame


# --- What goes beside what the rules say


def _hide_models(tables: _Tables) -> None:
    """A line is made of its model's coefficients and goes with any of them; an analysis without types has no steps."""
    gone: dict[str, set[str]] = {}
    regressions = tables.study.regressions
    for row, record in tables.shown("inference_results"):
        if record["analysis"] in regressions and tables.is_hidden("inference_results", row, "estimate"):
            gone.setdefault(record["analysis"], set()).add(record["term"])
    whole = {analysis for analysis, terms in gone.items() if terms >= set(regressions[analysis].terms)}
    small = gone.get(tables.study.main_model, set()) & set(tables.study.dummies)
    for row, record in tables.shown("sensitivity_results"):
        if record["term"] in small:
            tables.hidden["sensitivity_results"] |= {
                (row, column) for column in rules(tables.study)["sensitivity_results"].figures
            }
    for name, analyses in (("alliance_slopes", set(gone)), ("model_fit", whole)):
        for row, record in tables.shown(name):
            if record["analysis"] in analyses:
                tables.hidden[name] |= {(row, column) for column in tables.rules[name].figures}
    of_outcomes: dict[tuple[str, str], set[str]] = {}
    for row, record in tables.shown("outcome_results"):
        if record["analysis"] in regressions and tables.is_hidden("outcome_results", row, "estimate"):
            of_outcomes.setdefault((record["instrument"], record["analysis"]), set()).add(record["term"])
    for row, record in tables.shown("outcome_fit"):
        terms = of_outcomes.get((record["instrument"], record["analysis"]), set())
        if terms >= set(regressions[record["analysis"]].terms):
            tables.hidden["outcome_fit"] |= {(row, column) for column in tables.rules["outcome_fit"].figures}


def _hide_verdicts(tables: _Tables) -> None:
    """Rows judged are counts under conditions that no rule follows: they go. Few failing rows may be few people."""
    tables.hidden["verdicts"] = set()
    for row, record in tables.shown("verdicts"):
        tables.hidden["verdicts"].add((row, "evaluated"))
        if 0 < (number_of(record["unexpected"]) or 0) < tables.min_cell + UNPRINTED_MARGIN:
            tables.hidden["verdicts"].add((row, "unexpected"))


def _drop_extremes(tables: _Tables) -> None:
    """Minimum and maximum are single people's values: real data have percentiles in their stead."""
    kept = [(i, r) for i, r in enumerate(tables.records["table_1"]) if r["statistic"] not in EXTREMES]
    position = {old: new for new, (old, _) in enumerate(kept)}
    tables.records["table_1"] = [record for _, record in kept]
    tables.hidden["table_1"] = {(position[i], c) for i, c in tables.hidden["table_1"] if i in position}


def _hide_signals(tables: _Tables) -> None:
    """The value of a month stands in both tables of the service."""
    months = tables.records["service_monthly"]
    gone = {_keys_of(months[row]) for row, column in tables.hidden["service_monthly"] if column == "value"}
    for row, record in tables.shown("service_signals"):
        if _keys_of(record) in gone:
            tables.hidden["service_signals"].add((row, "value"))


def _keys_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in KEYS)


# --- Bars


def _bars(tables: _Tables) -> list[list[int]]:
    """Return the positions of the rows that are one bar together: neighbours of a type, until each bar stands."""
    bars: list[list[int]] = []
    for name in UTILIZATION_TYPES:
        rows = sorted(
            (i for i, r in tables.shown("alliance_distribution") if r["utilization_type"] == name),
            key=lambda i: tables.records["alliance_distribution"][i]["score_from"],
        )
        of_type: list[list[int]] = []
        for i in rows:
            if of_type and _people(tables, of_type[-1]) < tables.min_cell:
                of_type[-1].append(i)
            else:
                of_type.append([i])
        if len(of_type) > 1 and _people(tables, of_type[-1]) < tables.min_cell:
            of_type[-2:] = [of_type[-2] + of_type[-1]]
        bars += of_type
    return bars


def _people(tables: _Tables, bar: list[int]) -> int:
    return sum(int(tables.records["alliance_distribution"][i]["participants"]) for i in bar)


def _unmerged(tables: _Tables) -> list[tuple[int, str]]:
    return [(i, column) for bar in _bars(tables) if len(bar) > 1 for i in bar for column in ("participants", "percent")]


def _merge_bars(tables: _Tables) -> None:
    """Merge the bars of each type; a type whose number is withheld has one, lest their number tell how many it has."""
    name = "alliance_distribution"
    merged: list[dict[str, Any]] = []
    hidden: set[tuple[int, str]] = set()
    for bar in _bars(tables):
        records = [tables.records[name][i] for i in bar]
        if any(tables.is_hidden(name, i, "participants") for i in bar):
            if not any(record["utilization_type"] == records[0]["utilization_type"] for record in merged):
                hidden |= {(len(merged), column) for column in tables.rules[name].figures}
                merged.append(records[0] | {"score_from": LOWEST_SCORE, "score_to": HIGHEST_SCORE})
            continue
        merged.append(
            records[0]
            | {
                "score_to": records[-1]["score_to"],
                "participants": sum(int(record["participants"]) for record in records),
                "percent": sum(float(record["percent"]) for record in records),
            }
        )
    tables.records[name], tables.hidden[name] = merged, hidden


# --- Coarser figures


def _coarsen(tables: _Tables) -> None:
    """Round counts, compute shares from them, and give statistics few digits."""
    base = tables.base
    _coarsen_table_1(tables)
    for name in ("alliance_distribution", "wellbeing_transitions"):
        per = "utilization_type" if name == "alliance_distribution" else "baseline_from"
        sums: dict[object, int] = {}
        for record in tables.records[name]:
            sums[record[per]] = sums.get(record[per], 0) + int(record["participants"])
        for record in tables.records[name]:
            record["percent"] = _share(record["participants"], sums[record[per]], base)
    as_of_rounded_n(tables.records, base, tables.study)
    for instrument in tables.study.instruments:
        parts = {"inference_results": "outcome_results", "model_fit": "outcome_fit", "alliance_slopes": ""}
        of_one = {
            name: [record for _, record in tables.shown(table) if record["instrument"] == instrument.id]
            for name, table in parts.items()
        }
        as_of_rounded_n(of_one, base, tables.study, instrument.points_per_item)
    margin = next(r["value"] for r in tables.records["build_parameters"] if r["parameter"] == "equivalence_margin")
    sensitivity_of_rounded_n(tables.records, base, tables.study, float(margin))
    for record in tables.records["alliance_trajectory"]:
        for column, decimals in DECIMALS["alliance_trajectory"].items():
            if (value := number_of(record[column])) is not None:
                record[column] = round(value, decimals or 0)
    for name in ("inference_results", "model_fit", "alliance_slopes", "sensitivity_results", *OUTCOMES):
        for _, record in tables.shown(name):
            record["note"] = _without_numbers(record["note"])
            _coarsen_statistics(name, record, base)
    for name, columns in COUNTS.items():
        for _, record in tables.shown(name):
            for column in columns:
                if (value := number_of(record[column])) is not None:
                    record[column] = middle(value, base)
    for record in tables.records["service_monthly"]:
        _coarsen_month(record, base, tables.study.outcome.points_per_item)
    for record in tables.records["source_summary"]:
        for column in ("first_event_on", "last_event_on"):
            if text_of(record[column]) is not None and not pd.isna(record[column]):
                record[column] = pd.Timestamp(record[column]).replace(day=1)


def _coarsen_month(record: dict[str, Any], base: int, step: int) -> None:
    """Counts are rounded and shares computed from them; of means a value is given that every number could have."""
    numerator, denominator, value = (number_of(record[name]) for name in ("numerator", "denominator", "value"))
    record["people_at_least"] = middle(record["people_at_least"], base)
    if denominator is not None:
        record["denominator"] = middle(denominator, base)
    if record["measure"] in (*MEANS, *VALUE_ONLY):
        if value is not None:
            record["value"] = round(
                value, of_mean(denominator, step=step if record["measure"] in OUTCOMES_OF_SERVICE else 1)
            )
            record["numerator"] = round(record["value"] * record["denominator"])
        return
    record["numerator"] = middle(numerator or 0, base)
    if record["measure"] in COUNTS_OF_SERVICE:
        record["value"] = float(record["numerator"])
    elif denominator:
        record["value"] = round(min(record["numerator"] / record["denominator"], 1.0), 3)


def _chart_what_is_shown(tables: _Tables) -> None:
    """Means, limits and signals of a release are those of the months that it shows: they tell nothing beside them."""
    months = tables.records["service_monthly"]
    least = next(r["value"] for r in tables.records["build_parameters"] if r["parameter"] == "spc_min_points")
    shown = [number_of(record["value"]) for record in months]
    frame = pd.DataFrame(
        {
            **{name: [record[name] for record in months] for name in KEYS},
            "numerator": 0,
            "denominator": None,
        }
    )
    values = [None if value is None else Fraction(str(value)) for value in shown]
    charts = service_signals(frame, int(least), values)
    order = list(tables.records["service_signals"][0]) if tables.records["service_signals"] else list(charts.columns)
    tables.records["service_signals"] = _records(charts[order])
    tables.hidden["service_signals"] = {
        (row, "value") for row, column in tables.hidden["service_monthly"] if column == "value"
    }


def _conclude_on_shown_providers(tables: _Tables) -> None:
    """Leave missing providers out; mean, ICC and limits of a type are those of the shown ones, as they are shown.

    Only the deviation within the providers is that of the mart, rounded. So no figure tells of a provider who is
    missing, nor more of the others than their rounded number and mean.
    """
    if PROVIDER_ALLIANCE not in tables.records:
        return
    records, hidden = tables.records[PROVIDER_ALLIANCE], tables.hidden[PROVIDER_ALLIANCE]
    gone = gone_rows(hidden)
    kept = [i for i in range(len(records)) if i not in gone]
    tables.hidden[PROVIDER_ALLIANCE] = {(kept.index(row), column) for row, column in hidden if row not in gone}
    tables.records[PROVIDER_ALLIANCE] = shown = [records[i] for i in kept]
    for record in shown:
        for column in ("participants", SESSIONS):
            record[column] = middle(record[column], tables.base)
        record["alliance_mean"] = round(record["alliance_mean"], of_mean(record["participants"]))
    for kind in PROVIDER_TYPES:
        of_kind = [record for record in shown if record["provider_type"] == kind]
        named = [record for record in of_kind if text_of(record["provider_id"]) is not None]
        sizes = [int(record["participants"]) for record in named]
        means = [Fraction(str(record["alliance_mean"])) for record in named]
        deviation = next((number_of(record["sd_within"]) for record in named), None)
        rounded = Fraction(str(round(deviation or 0.0, 2)))
        among = of_type(sizes, means, rounded**2 * (sum(sizes) - len(sizes)))
        for record in of_kind:
            is_named = text_of(record["provider_id"]) is not None
            about = among if is_named else TypeOfProviders(among.mean, note=UNNAMED)
            found = figures_of(int(record["participants"]), Fraction(str(record["alliance_mean"])), about)
            record |= {
                name: round(value, 3 if name == "icc" else 2) if isinstance(value, float) else value
                for name, value in found.items()
            }


def _without_numbers(note: object) -> str | None:
    """Cut a note before its first number: "too few rows: 12 for 13 coefficients" names n."""
    text = text_of(note)
    return None if text is None else re.sub(r"[:,;]?\s+[<>=≤≥]?\s*\d.*$", "", text, flags=re.DOTALL)


def _share(part: float, whole: float, base: int) -> float | None:
    return round(100.0 * middle(part, base) / middle(whole, base), 1) if whole else None


def _coarsen_table_1(tables: _Tables) -> None:
    base = tables.base
    records = tables.records["table_1"]
    n = {
        (record["variable"], text_of(record["level"]), record["utilization_type"]): number_of(record["value"]) or 0.0
        for record in records
        if record["statistic"] == "n"
    }

    of_known = {one.id: one.grouping for one in tables.study.table_1 if one.grouping and one.percent_of_known}

    def base_of(record: Mapping[str, Any]) -> float:
        variable, column = record["variable"], record["utilization_type"]
        if variable == PARTICIPANTS:
            return n[PARTICIPANTS, None, "total"]
        if variable in of_known:
            return sum(n[variable, level, column] for level in of_known[variable].level_ids)
        return n[PARTICIPANTS, None, column]

    deviations = {
        (record["variable"], record["utilization_type"]): number_of(record["value"])
        for record in records
        if record["statistic"] == "sd"
    }
    for record in records:
        value, statistic = number_of(record["value"]), record["statistic"]
        if value is None:
            continue
        own = n[record["variable"], text_of(record["level"]), record["utilization_type"]]
        if statistic == "n":
            record["value"] = float(middle(value, base))
        elif statistic == "percent":
            record["value"] = _share(own, base_of(record), base)
        elif statistic in ("mean", "sd"):
            record["value"] = round(
                value, of_mean(middle(own, base), deviations.get((record["variable"], record["utilization_type"])))
            )
        elif statistic == "median":
            record["value"] = of_median(record["variable"], value, middle(own, base))
        elif statistic in PERCENTILES.values():
            record["value"] = of_percentile(record["variable"], value)


def _coarsen_statistics(table: str, record: dict[str, Any], base: int) -> None:
    n = number_of(record["n"])
    shown = None if n is None else middle(n, base)
    if (record["analysis"], record.get("term")) in RATES and n and number_of(record["estimate"]) is not None:
        hits = middle(n * float(record["estimate"]), base)
        rate = wilson(min(hits, shown or 0), shown or 0)
        for column in ("estimate", "ci_low", "ci_high"):
            record[column] = round(getattr(rate, column), 3)
        return
    for column, most in DECIMALS[table].items():
        value = number_of(record[column])
        if value is None:
            continue
        if most is None:
            record[column] = of_p(value)
        elif column == "statistic" and record["statistic_name"] == "W":
            record[column] = of_rank_sum(value)
        else:
            record[column] = round(value, significant(value, shown, most)) + 0.0
