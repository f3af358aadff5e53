"""A YAML file with the line of every value, so that what is wrong with it can be pointed at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = str | int
Place = tuple[Key, ...]
"""Keys and positions that lead from the whole document to a value."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DATE_TAG = "tag:yaml.org,2002:timestamp"


class StudyError(ValueError):
    """A study file is wrong; says all that is wrong, one line each, with file, line, key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        file: its name as messages give it.
        content: mappings, lists and scalars; a date stays the text that was written.
        lines: line of every value, and of a mapping's key, by place.
    """

    file: str
    content: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, wrong: str, allowed: str = "") -> str:
        """Return a message: file, line, key, what is wrong and what is allowed."""
        end = f"; allowed is {allowed}" if allowed else ""
        return f"{self.file}, line {self.line(place)}, {self.key(place)}: {wrong}{end}"

    def key(self, place: Place) -> str:
        """Return a place in words: keys joined by dots, an element of a list by its id, else by its number from 1."""
        words, node = [], self.content
        for key in place:
            node = node[key] if _has(node, key) else None
            identity = node.get("id") or node.get("analysis") if isinstance(node, dict) else None
            words.append(str(key) if isinstance(key, str) else identity if isinstance(identity, str) else str(key + 1))
        return ".".join(words) or "the file"


def _has(node: Any, key: Key) -> bool:
    if isinstance(node, dict):
        return key in node
    return isinstance(node, list) and isinstance(key, int) and 0 <= key < len(node)


def read_document(path: Path, file: str) -> Document:
    """Parse a file.

    Args:
        path: the file.
        file: its name in messages.

    Raises:
        StudyError: it cannot be read, is no YAML, or has a key twice.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise StudyError(f"{file}{place}: no YAML: {getattr(error, 'problem', None) or 'cannot be parsed'}") from error
    lines: dict[Place, int] = {}
    doubled: list[tuple[Place, int]] = []
    content = None if root is None else _value(root, (), lines, doubled)
    document = Document(file, content, lines)
    if doubled:
        raise StudyError(
            "\n".join(f"{file}, line {line}, {document.key(place)}: the key stands twice" for place, line in doubled)
        )
    return document


def _value(node: Any, place: Place, lines: dict[Place, int], doubled: list[tuple[Place, int]]) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner = (*place, key)
            if key in found:
                doubled.append((inner, key_node.start_mark.line + 1))
            lines[inner] = key_node.start_mark.line + 1
            found[key] = _value(value_node, inner, lines, doubled)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(inner, (*place, i), lines, doubled) for i, inner in enumerate(node.value)]
    if node.tag == _DATE_TAG:
        return str(node.value)
    return _scalar(node)


def _scalar(node: Any) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    try:
        value = constructor.construct_object(node)
    except yaml.YAMLError:
        return str(node.value)
    return str(node.value) if isinstance(value, float) and not math.isfinite(value) else value


def elements(content: Any, *keys: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the mappings of a list that stands under some keys, with their places; nothing where it is not there."""
    node = content
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    if isinstance(node, list):
        for i, element in enumerate(node):
            if isinstance(element, dict):
                yield (*keys, i), element


def one_of(words: Sequence[str]) -> str:
    """Return words as what is allowed."""
    return f"one of {', '.join(words)}" if words else "nothing: there is none"
