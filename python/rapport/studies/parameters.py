"""What suites and the marts' contract name of a study: ``{study.criteria}`` in a suite, ``study.criteria`` in YAML."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rapport.studies.definition import ALLIANCE, BASELINE, CARE, CARE_TYPES, LINE_POINTS, SPREAD, Study, filled

NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
RAW_TABLES = ("participants", "who5_assessments", "sessions", "alliance_ratings")
"""The tables that every export has."""
EACH, ITEM = "each", "it"
"""Key of an expectation that stands for several, one for each element of a list; and the name of the element in it."""
_PLACEHOLDER = re.compile(r"\{((?:study|it)(?:\.\w+)*)\}")


class ParameterError(ValueError):
    """A text names something of the study that there is not."""


def parameters(study: Study) -> dict[str, Any]:
    """Return what suites and contracts may name, by name."""
    criteria = [one.id for one in study.criteria]
    flags = [one.flag for one in study.criteria]
    scale = study.as_written.outcome
    levels = itertools.chain.from_iterable(
        (*one.grouping.level_ids, *(() if one.percent_of_known else ("missing",)))
        for one in study.table_1
        if one.grouping is not None
    )
    steps = [(analysis, i + 1) for analysis, one in study.regressions.items() for i in range(len(one.steps))]
    lines = sum(len(one.levels) for one in study.moderations.values())
    slope_levels = itertools.chain(SPREAD, *(one.levels for one in study.moderations.values()))
    return {
        "criteria": criteria,
        "criteria_and_all": ["all", *criteria],
        "last_step": len(criteria),
        "steps_of_flow": len(criteria) + 1,
        "number_of_criteria": _in_words(len(criteria)),
        "flags": flags,
        "all_flags": " and ".join(flags),
        "checks": [
            {"rule": one.rule, "condition": filled(one.condition, one.values)} for one in study.criteria if one.rule
        ],
        "rating_flags": [one.flag for one in study.criteria if one.condition == "rated_sessions >= 1"],
        "change_flags": _both(study, "baseline_score is not null", "followup_score is not null"),
        "points_per_item": scale.points_per_item,
        "lowest_score": scale.lowest,
        "highest_score": scale.highest,
        "scores": scale.scores,
        "outcome": scale.name,
        "cutoff_var": study.var_of(f"instruments.{scale.id}.cutoff"),
        "followup_days": study.outcome.followup_days,
        "vars": _values((var.name,) for var in study.vars),
        "findings": _values(promised_findings(study)),
        "sensitivity_findings": _values(promised_sensitivity(study)),
        "steps": _values(steps),
        "analyses": study.analyses(),
        "models": list(study.regressions),
        "moderations": list(study.moderations),
        "number_of_lines": _in_words(lines),
        "points_of_lines": lines * LINE_POINTS,
        "slope_levels": list(dict.fromkeys(slope_levels)),
        "further_tables": [one.table for one in study.further_instruments],
        "raw_tables": [*RAW_TABLES, *(one.table for one in study.further_instruments)],
        "number_of_raw_tables": len(RAW_TABLES) + len(study.further_instruments),
        "instruments": [one.id for one in study.instruments],
        "first_instrument": study.outcome.id,
        "scales": [
            {
                "id": one.id,
                "points": one.points_per_item,
                "lowest": one.lowest,
                "highest": one.highest,
                "days": study.instruments[i].followup_days,
            }
            for i, one in enumerate(study.as_written.instruments)
        ],
        "outcomes": _values(_outcomes(study)),
        "outcome_steps": _values((one.id, analysis, step) for one in study.instruments for analysis, step in steps),
        "table_1_variables": ["participants", *(one.id for one in study.table_1)],
        "table_1_levels": list(dict.fromkeys(levels)),
    }


def _in_words(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def _both(study: Study, *conditions: str) -> list[str]:
    """One condition over the flags of the criteria with these conditions; none if one of them is no criterion."""
    flags = {one.condition: one.flag for one in study.criteria}
    return [" and ".join(flags[one] for one in conditions)] if flags.keys() >= set(conditions) else []


def promised_findings(study: Study) -> list[tuple[str, str]]:
    """Return the analyses and terms that ``inference_results`` always has."""
    of_alliance = [("alliance_reliability", name) for name in ("participant_means", "session_ratings")]
    of_alliance += [(one.analysis, one.id) for one in study.correlations]
    for grouping in study.groupings:
        contrasts = [f"{first} - {second}" for first, second in grouping.contrasts]
        if len(grouping.levels) == 2:
            of_alliance.append((grouping.analysis, contrasts[0]))
        else:
            of_alliance.append((grouping.analysis, grouping.id))
            of_alliance += [(f"{grouping.analysis}_dunn", contrast) for contrast in contrasts]
    first, second, third = CARE_TYPES
    of_change = [
        ("wellbeing_change", name) for name in ("followup - baseline", "d_z", "d_rm", "d_av", "percent_change")
    ]
    of_change.append(("wellbeing_change_by_utilization", "utilization_type"))
    of_change += [
        ("wellbeing_change_by_utilization_tukey", f"{one} - {other}")
        for one, other in ((second, first), (third, first), (third, second))
    ]
    of_change += [(name, "screened_positive") for name in ("clinical_recovery", "clinical_improvement")]
    of_models = [
        (analysis, term) for analysis, one in study.regressions.items() for term in ("(Intercept)", *one.terms)
    ]
    return [*of_alliance, *of_change, *of_models]


def promised_sensitivity(study: Study) -> list[tuple[str, str]]:
    """Return the analyses and terms that ``sensitivity_results`` always has."""
    covariates = ("(Intercept)", *study.covariate_terms, BASELINE)
    model = (*covariates, ALLIANCE)
    terms = {
        "alliance_hc3": model,
        "alliance_clustered": model,
        "alliance_within_between": (
            *(*covariates, "alliance_within", "alliance_between"),
            "alliance_between - alliance_within",
        ),
        "alliance_rater_weighted": model,
        "alliance_provider_icc": ("main_provider",),
        "alliance_sex_missing_level": (*model, *(("sex_missing",) if study.sex_terms else ())),
        "alliance_without_sex": tuple(term for term in model if term not in study.sex_terms),
        "alliance_first_sessions": model,
        "definition_grid": tuple(
            f"cutoff={cutoff},min_days={days},alliance={ratings}"
            for cutoff, days, ratings in itertools.product((28, 50), (7, 14, 28), ("mean", "first", "last"))
        ),
        "wellbeing_regression_to_mean": ("expected", "observed", "beyond"),
        "reliable_change": (
            *("threshold", "reliable_improvement", "reliable_recovery", "reliable_deterioration"),
            "deterioration",
        ),
        "wellbeing_equivalence": (f"{CARE_TYPES[1]} - {CARE_TYPES[0]}",),
        "wellbeing_change_welch": (CARE,),
    }
    rows = [(analysis, term) for analysis, those in terms.items() for term in those]
    of_two = [one for one in study.groupings if len(one.levels) == 2]
    of_more = [one for one in study.groupings if len(one.levels) > 2]
    rows += [
        (
            one.analysis.replace("alliance_by", "alliance_superiority_by"),
            f"{one.contrasts[0][0]} - {one.contrasts[0][1]}",
        )
        for one in of_two
    ]
    first_aim = [one.analysis for those in (of_two, of_more, study.correlations) for one in those]
    return rows + [("aim_1_multiplicity", analysis) for analysis in first_aim]


def _outcomes(study: Study) -> list[tuple[str, str, str]]:
    """Instrument, analysis and term of what Aims 2 and 3 find of every instrument."""
    of_alliance = {one.analysis for one in study.correlations} | {"alliance_reliability"}
    of_alliance |= {f"{one.analysis}{end}" for one in study.groupings for end in ("", "_dunn")}
    rows = [(analysis, term) for analysis, term in promised_findings(study) if analysis not in of_alliance]
    return [(one.id, analysis, term) for one in study.instruments for analysis, term in rows]


def _values(rows: Iterable[tuple[Any, ...]]) -> str:
    """Rows as SQL writes them behind ``values``."""
    return ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def resolved(document: Any, values: Mapping[str, Any]) -> Any:
    """Return a suite's document with everything that it names of the study in its place.

    A text that is one name becomes the value itself, a list say; within a text the value is written. An element of a
    list with the key ``each`` becomes several, one for each element of what it names.

    Raises:
        ParameterError: a name that is no parameter.
    """
    if isinstance(document, dict):
        return {key: resolved(value, values) for key, value in document.items()}
    if isinstance(document, list):
        found: list[Any] = []
        for element in document:
            if isinstance(element, dict) and EACH in element:
                rest = {key: value for key, value in element.items() if key != EACH}
                found += [
                    resolved(rest, {**values, ITEM: item}) for item in _named(element[EACH], values) if item is not None
                ]
            else:
                found.append(resolved(element, values))
        return found
    if not isinstance(document, str):
        return document
    whole = _PLACEHOLDER.fullmatch(document)
    if whole:
        return _named(whole[1], values)
    return _PLACEHOLDER.sub(lambda match: _written(_named(match[1], values)), document)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _named(name: str, values: Mapping[str, Any]) -> Any:
    words = name.split(".")
    node: Any = values.get(ITEM) if words[0] == ITEM else values
    for word in words[1:]:
        if not isinstance(node, Mapping) or word not in node:
            raise ParameterError(f"{name} is nothing of the study; there are {', '.join(values) or 'none'}")
        node = node[word]
    return node
