"""What is wrong with a study file: by its schema, in itself, and against the facts that there are."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rapport.studies.definition import (
    ALLIANCE,
    BASELINE,
    CARE,
    CARE_TYPES,
    COVARIATES,
    FOLLOWUP,
    INTERACTION,
    filled,
    forms,
    has_other_braces,
    placeholders,
    steps_to,
)
from rapport.studies.document import Document, Place, elements, one_of
from rapport.studies.facts import Facts

RESERVED_TERMS = ("(Intercept)", ALLIANCE, BASELINE, FOLLOWUP, "total")
"""Terms that every study has."""
NO_FORM = "the keys do not go together"


# --- By the schema


@cache
def _validator(schema: Path) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

    return Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")), format_checker=FormatChecker())


def schema_faults(document: Document, schema: Path) -> list[str]:
    """What the JSON Schema objects to, one line each, in the order of the file."""
    found = []
    with_unknown_keys: set[Place] = set()
    for error in _validator(schema).iter_errors(document.content):
        place: Place = tuple(error.absolute_path)
        wrong, allowed = _in_words(error)
        if error.validator == "additionalProperties":
            # The message is about the key, not about what it stands in.
            with_unknown_keys.add(place)
            known = sorted(error.schema.get("properties", ()))
            for key in error.instance:
                if key not in known:
                    close = difflib.get_close_matches(key, known, n=1)
                    hint = f"; did you mean {close[0]}?" if close else ""
                    found.append(((*place, key), f"there is no such key{hint}", one_of(known)))
            continue
        found.append((place, wrong, allowed))
    # A key that is not known leaves the place of another empty: that is the same fault.
    found = [one for one in found if one[1] != NO_FORM or one[0] not in with_unknown_keys]
    found.sort(key=lambda one: (document.line(one[0]), one[1]))
    return [document.fault(*one) for one in found]


_TYPES = {
    "object": "keys with values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _in_words(error: Any) -> tuple[str, str]:
    """What is wrong, and what is allowed."""
    schema, value = error.schema, error.instance
    allowed = schema.get("x-allowed")
    match error.validator:
        case "required":
            missing = [key for key in error.validator_value if key not in value]
            return f"{', '.join(missing)} is missing", allowed or "all of " + ", ".join(error.validator_value)
        case "enum":
            return f"{_written(value)} is not known", one_of([str(one) for one in error.validator_value])
        case "type":
            return f"{_written(value)} is not {_TYPES.get(error.validator_value, error.validator_value)}", allowed or (
                _TYPES.get(error.validator_value, str(error.validator_value))
            )
        case "minimum" | "maximum":
            low, high = schema.get("minimum"), schema.get("maximum")
            words = f"a whole number from {low} to {high}" if high is not None else f"a whole number, {low} or more"
            return f"{_written(value)} is out of range", words
        case "minItems" | "maxItems":
            low, high = schema.get("minItems", 0), schema.get("maxItems")
            return f"{len(value)} elements", f"a list of {low}" if low == high else f"a list of {low} or more"
        case "pattern" | "format":
            return f"{_written(value)} is not valid", allowed or str(error.validator_value)
        case "const":
            return f"{_written(value)} is not what this var sets", str(error.validator_value)
        case "oneOf":
            return NO_FORM, allowed or "one of the forms that the schema names"
        case _:
            return error.message, allowed or ""


def _written(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "a mapping"
    return json.dumps(value, ensure_ascii=False)[:80]


# --- In itself


def inner_faults(document: Document) -> list[str]:
    """What contradicts itself in a file that keeps the schema: ids, references, steps, values."""
    return [document.fault(*one) for one in sorted(_inner(document.content), key=lambda one: document.line(one[0]))]


Fault = tuple[Place, str, str]


def _inner(content: Any) -> Iterator[Fault]:
    yield from _dates(content)
    for key in ("instruments", "facts", "eligibility", "groupings", "correlations", "table_1"):
        yield from _doubled(elements(content, key), "id")
    yield from _doubled(elements(content, "eligibility"), "flag")
    yield from _doubled(elements(content, "instruments"), "table")
    yield from _doubled(
        [
            *(one for key in ("groupings", "correlations", "models") for one in elements(content, key)),
        ],
        "analysis",
    )
    yield from _doubled([*elements(content, "covariates"), *elements(content, "moderators")], "id")
    yield from _instruments(content)
    yield from _criteria(content)
    yield from _groupings(content)
    yield from _predictors(content)
    yield from _models(content)
    yield from _vars(content)


def _dates(content: Any) -> Iterator[Fault]:
    days = {}
    for name in ("start", "end"):
        text = content["window"][name]
        try:
            days[name] = dt.date.fromisoformat(text)
        except ValueError:
            yield ("window", name), f"{_written(text)} is no day", "a date written YYYY-MM-DD"
            continue
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            yield ("window", name), f"{_written(text)} is not valid", "a date written YYYY-MM-DD"
    if len(days) == 2 and days["start"] > days["end"]:
        yield ("window", "end"), f"{days['end']} is before the start, {days['start']}", f"{days['start']} or later"


def _doubled(found: Iterable[tuple[Place, Mapping[str, Any]]], key: str) -> Iterator[Fault]:
    seen: dict[str, Place] = {}
    for place, element in found:
        value = element.get(key)
        if value in seen:
            yield (*place, key), f"{value} stands twice", f"{_a(key)} that no other has"
        elif isinstance(value, str):
            seen[value] = place


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _instruments(content: Any) -> Iterator[Fault]:
    for place, one in elements(content, "instruments"):
        low, high = one["item_minimum"], one["item_maximum"]
        if low >= high:
            yield (*place, "item_maximum"), f"{high} is not above item_minimum, {low}", f"{low + 1} or more"
            continue
        scores = [one["points_per_item"] * one["items"] * end for end in (low, high)]
        if not scores[0] <= one["cutoff"] <= scores[1]:
            yield (*place, "cutoff"), f"{one['cutoff']} is no score", f"a whole number from {scores[0]} to {scores[1]}"
        if one["improvement"] > scores[1] - scores[0]:
            yield (
                (*place, "improvement"),
                f"{one['improvement']} is more than scores can change",
                f"a whole number from 1 to {scores[1] - scores[0]}",
            )
    first = content["instruments"][0]
    if first["id"] != "who5" or first["table"] != "who5_assessments":
        yield ("instruments", 0, "id"), f"{first['id']} is the first instrument", "who5 with table who5_assessments"
    elif first["better"] != "higher":
        yield ("instruments", 0, "better"), "lower, for the first instrument", "higher"
    elif "band_points" not in first:
        yield ("instruments", 0), "band_points is missing of the first instrument", "a whole number, 1 or more"
    table = re.compile(r"[a-z][a-z0-9_]*_assessments")
    for place, one in elements(content, "instruments"):
        if not table.fullmatch(one["table"]):
            yield (*place, "table"), f"{one['table']} is not valid", "a name that ends in _assessments"


def _criteria(content: Any) -> Iterator[Fault]:
    for place, one in elements(content, "eligibility"):
        values = one.get("values") or {}
        texts = {key: one[key] for key in ("condition", "label", "phrase", "description") if key in one}
        for key, text in texts.items():
            for name in dict.fromkeys([*placeholders(text), *(forms(text) if key != "condition" else ())]):
                if name not in values:
                    yield (*place, key), f"{{{name}}} is no value of the criterion", one_of(list(values))
            if key != "condition" and has_other_braces(text):
                yield (*place, key), "its braces hold no name", "{name} or {name:words for 1|words for other numbers}"
        reasons = one["reasons"]
        for i, reason in enumerate(reasons):
            at = (*place, "reasons", i)
            for name in forms(reason["reason"]):
                yield (*at, "reason"), f"{{{name}:…|…}} in a reason", f"{{{name}}}, or two wordings in another text"
            for key, text in reason.items():
                for name in placeholders(text):
                    if name not in values:
                        yield (*at, key), f"{{{name}}} is no value of the criterion", one_of(list(values))
            if ("if" in reason) == (i == len(reasons) - 1):
                is_last = i == len(reasons) - 1
                yield (
                    at,
                    "the last reason has a condition" if is_last else "only the last reason has no condition",
                    "`reason` without `if`" if is_last else "`if` and `reason`",
                )


def _groupings(content: Any) -> Iterator[Fault]:
    if CARE not in [one["id"] for one in content["groupings"]]:
        yield ("groupings",), f"{CARE} is missing: Table 1 and the pictures are by it", f"a grouping with id {CARE}"
    terms: Counter[str] = Counter()
    for place, one in elements(content, "groupings"):
        ids = [level["id"] for level in one["levels"]]
        yield from _doubled(elements(one, "levels"), "id") if len(set(ids)) < len(ids) else ()
        for i, level in enumerate(one["levels"]):
            term = level.get("term", level["id"])
            terms[term] += 1
            if terms[term] > 1 or term == "total":
                yield (*place, "levels", i), f"its median would be a second {term}", "a `term` that no other level has"
        for i, pair in enumerate(one["contrasts"]):
            for j, level in enumerate(pair):
                if level not in ids:
                    yield (*place, "contrasts", i, j), f"{level} is no level of {one['id']}", one_of(ids)
            if pair[0] == pair[1]:
                yield (*place, "contrasts", i), "a level is compared with itself", "two levels"
        pairs = [frozenset(pair) for pair in one["contrasts"]]
        if len(set(pairs)) < len(pairs):
            yield (*place, "contrasts"), "a pair stands twice", "every pair once"
        if len(ids) == 2 and len(pairs) != 1:
            yield (*place, "contrasts"), "two levels have one contrast", "one pair of levels"
        if one.get("is_screen") and ids != ["positive", "negative"]:
            yield (*place, "levels"), "the screen has other levels", "positive, negative"
        if one["id"] == CARE and ids != list(CARE_TYPES):
            yield (*place, "levels"), f"{CARE} has other levels", ", ".join(CARE_TYPES)


def _predictors(content: Any) -> Iterator[Fault]:
    groupings = {one["id"]: [level["id"] for level in one["levels"]] for _, one in elements(content, "groupings")}
    seen: dict[str, str] = {}
    for key in ("covariates", "moderators"):
        for place, one in elements(content, key):
            terms = [one["id"]]
            if one["id"] in (COVARIATES, *RESERVED_TERMS):
                yield (*place, "id"), f"{one['id']} is a term of every study", "another id"
            if "grouping" in one:
                levels = groupings.get(one["grouping"])
                if levels is None:
                    yield (*place, "grouping"), f"there is no grouping {one['grouping']}", one_of(list(groupings))
                    continue
                if one["reference"] not in levels:
                    yield (
                        (*place, "reference"),
                        f"{one['reference']} is no level of {one['grouping']}",
                        one_of(levels),
                    )
                    continue
                terms = [level for level in levels if level != one["reference"]]
            for term in terms:
                if term in seen:
                    yield place, f"its term {term} is also one of {seen[term]}", "terms that no other predictor has"
                seen[term] = one["id"]
    for place, one in elements(content, "table_1"):
        if "grouping" in one and one["grouping"] not in groupings:
            yield (*place, "grouping"), f"there is no grouping {one['grouping']}", one_of(list(groupings))
        if one["id"] == "participants":
            yield (*place, "id"), "participants is a variable of every Table 1", "another id"


def _models(content: Any) -> Iterator[Fault]:
    covariates, moderators = ([one["id"] for _, one in elements(content, key)] for key in ("covariates", "moderators"))
    for place, one in elements(content, "models"):
        moderator = one.get("moderator")
        if moderator is not None and moderator not in (BASELINE, *moderators):
            yield (
                (*place, "moderator"),
                f"there is no moderator {moderator}",
                one_of([BASELINE, *moderators]),
            )
            continue
        usable = [*covariates, BASELINE, *([moderator] if moderator in moderators else [])]
        known = [COVARIATES, ALLIANCE, *usable, *([f"{ALLIANCE}{INTERACTION}{moderator}"] if moderator else [])]
        seen: set[str] = set()
        for i, step in enumerate(one["steps"]):
            for j, word in enumerate(step):
                at = (*place, "steps", i, j)
                if word not in known:
                    yield at, f"the step names {word}, which is no term", one_of(known)
                for name in covariates if word == COVARIATES else [word]:
                    if name in seen:
                        yield at, f"{name} stands twice in the model", "every term once"
                    seen.add(name)
        if ALLIANCE not in seen:
            yield (*place, "steps"), f"no step names {ALLIANCE}", f"a step with {ALLIANCE}"
        for name in [moderator, f"{ALLIANCE}{INTERACTION}{moderator}"] if moderator else []:
            if name not in seen:
                yield (*place, "steps"), f"no step names {name}, the moderator", f"a step with {name}"


def _vars(content: Any) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for name, one in (content.get("vars") or {}).items():
        place: Place = ("vars", name, "sets")
        if steps_to(content, one["sets"]) is None:
            yield place, f"there is no value {one['sets']}", "keys and ids of this file, joined by dots"
        elif one["sets"] in seen:
            yield place, f"{seen[one['sets']]} sets it, too", "one var for a value"
        seen[one["sets"]] = name


# --- Against the facts


def sql_faults(document: Document, facts: Facts) -> list[str]:
    """What of the file's SQL fails, or gives another type than it has to; columns are those of the facts."""
    found = []
    cohort = dict(facts.cohort)
    for place, one in elements(document.content, "facts"):
        wrong = facts.objection(one["sql"], facts.joined, one["type"])
        if wrong:
            found.append(document.fault((*place, "sql"), *wrong))
        if one["id"] in facts.joined or one["id"] in cohort:
            found.append(document.fault((*place, "id"), f"{one['id']} is a fact already", "another id"))
        cohort[one["id"]] = one["type"]
    further = {one["id"]: one["type"] for _, one in elements(document.content, "facts")}
    joined = {**facts.stored, **further}
    for place, one in elements(document.content, "eligibility"):
        values = one.get("values") or {}
        if "condition" in one:
            columns = {"total_sessions": "bigint"} if one.get("waits_for") == "sessions" else joined
            wrong = facts.objection(filled(one["condition"], values), columns, "boolean")
            if wrong:
                if columns is not joined and wrong[1].startswith("SQL over"):
                    wrong = (
                        wrong[0],
                        f"{wrong[1]}, as it waits for sessions; without waits_for over {', '.join(joined)}",
                    )
                found.append(document.fault((*place, "condition"), *wrong))
            if "rule" in one and not wrong:
                wrong = facts.objection(filled(one["condition"], values), cohort, "boolean")
                if wrong:
                    found.append(
                        document.fault((*place, "rule"), "its condition is over other facts", ", ".join(cohort))
                    )
        for i, reason in enumerate(one["reasons"]):
            wrong = facts.objection(filled(reason["if"], values), joined, "boolean") if "if" in reason else None
            if wrong:
                found.append(document.fault((*place, "reasons", i, "if"), *wrong))
        if one["flag"] in joined:
            found.append(document.fault((*place, "flag"), f"{one['flag']} is a fact already", "another name"))
        cohort[one["flag"]] = "boolean"
    wanted = [
        *(("groupings", "sql", "varchar"), ("correlations", "sql", "whole"), ("covariates", "sql", "whole")),
        *(("moderators", "sql", "whole"), ("table_1", "number", "whole"), ("table_1", "condition", "boolean")),
    ]
    for key, field, kind in wanted:
        for place, one in elements(document.content, key):
            if field not in one or one[field] == "alliance_score":
                continue
            wrong = facts.objection(one[field], cohort, kind)
            if wrong:
                found.append(document.fault((*place, field), *wrong))
    for place, one in elements(document.content, "groupings"):
        levels = [level["id"] for level in one["levels"]]
        possible = facts.possible_levels(one["sql"])
        if possible is None:
            continue
        for level in possible:
            if level not in levels:
                found.append(document.fault((*place, "sql"), f"it can give {level}, which is no level", one_of(levels)))
        for i, level in enumerate(levels):
            if level not in possible:
                found.append(
                    document.fault((*place, "levels", i, "id"), f"{level} does not occur in its SQL", one_of(possible))
                )
    for place, instrument in elements(document.content, "instruments"):
        wrong_table = facts.table_objection(instrument)
        if wrong_table:
            found.append(document.fault((*place, wrong_table[0]), *wrong_table[1:]))
    return found
