"""What a reader of the marts would notice between two releases of their contract, and the version that it asks for.

A change is breaking when a query, or an assumption, that was right by the old contract can be wrong by the new one:
something is gone, has another type or meaning, or is promised less than before. More than before breaks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rapport.contracts.project import ContractError, Document

LEVELS = ("none", "patch", "minor", "major")
"""From no bump to the largest, as in Semantic Versioning 2.0.0."""


@dataclass(frozen=True)
class Change:
    """One difference between two contracts."""

    element: str
    """``table`` or ``table.column``; ``contract`` for the whole."""
    kind: str
    detail: str
    level: str
    """Part of the version that it raises from 1.0.0 on: ``major`` for a breaking change, ``minor`` for an addition,
    ``patch`` for words."""

    @property
    def breaking(self) -> bool:
        """Whether a reader can break."""
        return self.level == "major"


@dataclass(frozen=True)
class Release:
    """What the changes ask of the version."""

    needed: str
    """Part of the version that has to rise (one of :data:`LEVELS`); below 1.0.0 each is one lower than ``Change``'s."""
    lowest: str
    """The lowest version that does."""
    satisfied: bool
    """Whether the current version is that or later."""


def compare(old: Document, new: Document) -> list[Change]:
    """All changes from the contract ``old`` to ``new``, by table; breaking ones first within each table."""
    changes: list[Change] = []
    before, after = _by_name(old.get("schema")), _by_name(new.get("schema"))
    old_place, new_place = _places(old), _places(new)
    if old_place != new_place:
        changes.append(Change("contract", "moved schema", f"{old_place} → {new_place}", "major"))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            changes.append(Change(name, "removed table", "", "major"))
        elif name not in before:
            changes.append(Change(name, "added table", "", "minor"))
        else:
            found = list(_table_changes(name, before[name], after[name]))
            changes.extend(sorted(found, key=lambda change: -LEVELS.index(change.level)))
    words = ("description", "name", "status", "slaProperties", "tags")
    if any(old.get(field) != new.get(field) for field in words):
        changes.append(Change("contract", "changed wording", "description, status or service levels", "patch"))
    return changes


def release_advice(changes: list[Change], released: str, current: str) -> Release:
    """The bump that ``changes`` since version ``released`` need, and whether version ``current`` makes it.

    Below 1.0.0 the minor number takes the place of the major one, and the patch number that of the minor.
    Raises :class:`ContractError` for a version that is not ``MAJOR.MINOR.PATCH``.
    """
    old, now = parse_version(released), parse_version(current)
    needed = max((change.level for change in changes), key=LEVELS.index, default="none")
    if old[0] == 0:
        needed = {"major": "minor", "minor": "patch"}.get(needed, needed)
    lowest = {
        "major": (old[0] + 1, 0, 0),
        "minor": (old[0], old[1] + 1, 0),
        "patch": (old[0], old[1], old[2] + 1),
        "none": old,
    }[needed]
    return Release(needed=needed, lowest=".".join(map(str, lowest)), satisfied=now >= lowest)


def parse_version(version: str) -> tuple[int, int, int]:
    """``MAJOR.MINOR.PATCH`` as numbers."""
    found = re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version)
    if not found:
        raise ContractError(f"version {version!r} is not MAJOR.MINOR.PATCH")
    return int(found[1]), int(found[2]), int(found[3])


def key_of(table: Document) -> list[str]:
    """The columns of which a table has one row: its primary key, else those that its duplicateValues rule names."""
    primary = [column for column in table.get("properties") or [] if column.get("primaryKey")]
    if primary:
        return [str(column["name"]) for column in sorted(primary, key=lambda column: column["primaryKeyPosition"])]
    for rule in table.get("quality") or []:
        if rule.get("metric") == "duplicateValues":
            return [str(column) for column in (rule.get("arguments") or {}).get("properties", [])]
    return []


def _table_changes(name: str, old: Document, new: Document) -> Iterator[Change]:
    old_grain, new_grain = old.get("dataGranularityDescription"), new.get("dataGranularityDescription")
    if old_grain != new_grain:
        yield Change(name, "changed grain", f"{old_grain} → {new_grain}", "major")
    # The order of a key's columns says nothing about the rows.
    if set(key_of(old)) != set(key_of(new)):
        yield Change(name, "changed key", f"{_listed(key_of(old))} → {_listed(key_of(new))}", "major")
    before, after = _by_name(old.get("properties")), _by_name(new.get("properties"))
    added = [column for column in after if column not in before]
    renamed: dict[str, str] = {}
    for column in before:
        if column in after:
            yield from _column_changes(f"{name}.{column}", before[column], after[column])
            continue
        successor = next(
            (other for other in added if other not in renamed.values() and _alike(before[column], after[other])), None
        )
        if successor is None:
            yield Change(f"{name}.{column}", "removed column", "", "major")
        else:
            renamed[column] = successor
            yield Change(f"{name}.{column}", "renamed column", f"now {successor}", "major")
    for column in added:
        if column not in renamed.values():
            yield Change(f"{name}.{column}", "added column", str(after[column].get("physicalType")), "minor")
    yield from _bound_changes(name, "row count", _row_bounds(old), _row_bounds(new))
    if _words(old) != _words(new):
        yield Change(name, "changed wording", "description or rules in words", "patch")


def _column_changes(element: str, old: Document, new: Document) -> Iterator[Change]:
    for field in ("physicalType", "logicalType"):
        if old.get(field) != new.get(field):
            yield Change(element, "retyped column", f"{old.get(field)} → {new.get(field)}", "major")
            break
    if bool(old.get("required")) != bool(new.get("required")):
        if old.get("required"):
            yield Change(element, "made nullable", "was never null", "major")
        else:
            yield Change(element, "made required", "is never null now", "minor")
    yield from _value_changes(element, _valid_values(old), _valid_values(new))
    yield from _bound_changes(element, "range", _range(old), _range(new))
    old_links, new_links = _references(old), _references(new)
    for target in sorted(old_links - new_links):
        yield Change(element, "dropped reference", f"to {target}", "major")
    for target in sorted(new_links - old_links):
        yield Change(element, "added reference", f"to {target}", "minor")
    if _words(old) != _words(new):
        yield Change(element, "changed wording", "description, classification or rules in words", "patch")


def _value_changes(element: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[Change]:
    if old == new:
        return
    if old is None:
        yield Change(element, "declared accepted values", _listed(new or []), "minor")
    elif new is None:
        yield Change(element, "dropped accepted values", "any value is accepted now", "major")
    else:
        dropped = [value for value in old if value not in new]
        added = [value for value in new if value not in old]
        if dropped:
            yield Change(element, "dropped accepted value", _listed(dropped), "major")
        if added:
            yield Change(element, "added accepted value", _listed(added), "minor")


def _bound_changes(element: str, what: str, old: tuple[float, float], new: tuple[float, float]) -> Iterator[Change]:
    if old == new:
        return
    detail = f"{_interval(old)} → {_interval(new)}"
    if new[0] < old[0] or new[1] > old[1]:
        yield Change(element, f"widened {what}", detail, "major")
    else:
        yield Change(element, f"narrowed {what}", detail, "minor")


def _range(column: Document) -> tuple[float, float]:
    options = column.get("logicalTypeOptions") or {}
    return float(options.get("minimum", "-inf")), float(options.get("maximum", "inf"))


def _row_bounds(table: Document) -> tuple[float, float]:
    for rule in table.get("quality") or []:
        if rule.get("metric") == "rowCount" and rule.get("severity") == "critical":
            if "mustBe" in rule:
                return float(rule["mustBe"]), float(rule["mustBe"])
            if "mustBeGreaterOrEqualTo" in rule:
                return float(rule["mustBeGreaterOrEqualTo"]), float("inf")
    return 0.0, float("inf")


def _interval(bounds: tuple[float, float]) -> str:
    return " to ".join("any" if bound in (float("-inf"), float("inf")) else f"{bound:g}" for bound in bounds)


def _valid_values(column: Document) -> list[Any] | None:
    for rule in column.get("quality") or []:
        if rule.get("metric") == "invalidValues":
            return list((rule.get("arguments") or {}).get("validValues", []))
    return None


def _references(column: Document) -> set[str]:
    return {str(link["to"]) for link in column.get("relationships") or []}


def _words(element: Document) -> tuple[Any, ...]:
    """All that is for people only, and the rules that no tool of the standard can evaluate."""
    rules = [
        (rule.get("name"), rule.get("severity")) for rule in element.get("quality") or [] if rule.get("type") == "text"
    ]
    return element.get("description"), element.get("classification"), sorted(rules, key=str)


def _alike(old: Document, new: Document) -> bool:
    fields = ("physicalType", "description")
    return all(old.get(field) == new.get(field) for field in fields)


def _places(contract: Document) -> list[str]:
    """Schemas in which the tables are found; the path of the database is the user's own."""
    return sorted(str(server["schema"]) for server in contract.get("servers") or [] if server.get("schema"))


def _by_name(elements: list[Document] | None) -> dict[str, Document]:
    return {str(element["name"]): element for element in elements or []}


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values)) or "none"
