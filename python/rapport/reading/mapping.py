"""``mapping.yml`` beside the tables' folders: how an export differs from the contract in names, marks and words.

.. code-block:: yaml

    delimiter: ";"
    decimal: ","
    tables:
      participants:
        columns: {Geschlecht: sex}
        values:
          sex: {M: male, W: female, nonbinary: null}

Texts are taken as they are written: ``NO`` is Norway and ``1`` the text 1; only ``null`` (or nothing) means no value.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rapport.reading.tables import DeclaredTable

FILE_NAME = "mapping.yml"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
DECIMALS = (".", ",")
MAX_BYTES = 1_000_000


class MappingError(ValueError):
    """The mapping cannot be used; the message says where and what is allowed."""


@dataclass(frozen=True)
class TableMapping:
    """What the mapping says of one table."""

    delimiter: str = ","
    decimal: str = "."
    columns: dict[str, str] = field(default_factory=dict)
    """The column's name in the files by its declared name, where the two differ."""
    values: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """By declared column: the text that stands for each text of the files; ``None`` is no value."""

    def physical(self, column: str) -> str:
        """The name in the files of a declared column."""
        return self.columns.get(column, column)


@dataclass(frozen=True)
class Mapping:
    """The whole mapping; without a file every table is as the contract says."""

    tables: dict[str, TableMapping] = field(default_factory=dict)
    sha256: str | None = None

    def of(self, table: str) -> TableMapping:
        """What the mapping says of a table."""
        return self.tables.get(table, TableMapping())


def read_mapping(path: Path, tables: Sequence[DeclaredTable]) -> Mapping:
    """The mapping in a file, checked against the declared tables; the empty one if there is no such file.

    Raises :class:`MappingError`.
    """
    if not path.exists() and not path.is_symlink():
        return Mapping()
    if not path.is_file():
        raise MappingError("it is no regular file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MappingError(error.strerror or "it cannot be read") from None
    if len(content) > MAX_BYTES:
        raise MappingError(f"it is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MappingError(f"line {content[: error.start].count(10) + 1}: it is not UTF-8") from None
    try:
        document = yaml.load(text, Loader=_Texts)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise MappingError(f"{where}no valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        raise MappingError("no valid YAML: it holds a character that YAML does not allow") from None
    return Mapping(_tables(document, tables), hashlib.sha256(content).hexdigest())


class _Texts(yaml.SafeLoader):
    """Reads every scalar as a text but a plain null, and refuses what says one thing twice."""


_Texts.yaml_implicit_resolvers = {}
_Texts.add_implicit_resolver(
    "tag:yaml.org,2002:null", yaml.resolver.Resolver.yaml_implicit_resolvers["~"][0][1], ["~", "n", "N", ""]
)


class _Section(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    def __init__(self, lines: dict[str, int]) -> None:
        super().__init__()
        self.lines = lines


def _section(loader: _Texts, node: yaml.MappingNode) -> _Section:
    section = _Section({})
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        mark = key_node.start_mark
        if key is None:
            raise yaml.MarkedYAMLError(problem="null as a name: put it in quotation marks", problem_mark=mark)
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(problem="a name must be a text", problem_mark=mark)
        if key in section:
            raise yaml.MarkedYAMLError(problem=f"{key!r} stands twice", problem_mark=mark)
        section[key] = loader.construct_object(value_node, deep=True)
        section.lines[key] = mark.line + 1
    return section


_Texts.add_constructor("tag:yaml.org,2002:map", _section)


def _tables(document: Any, tables: Sequence[DeclaredTable]) -> dict[str, TableMapping]:
    if document is None:
        return {}
    top = _checked(document, "the file", ("delimiter", "decimal", "tables"))
    by_name = {table.name: table for table in tables}
    sections = _checked(top.get("tables") or _Section({}), "tables", list(by_name))
    general = _marks(top, ",", ".")
    return {
        name: _table(table, sections.get(name) or _Section({}), _line(sections, name), general)
        for name, table in by_name.items()
    }


def _table(table: DeclaredTable, section: Any, line: str, general: tuple[str, str]) -> TableMapping:
    where = f"{line}tables.{table.name}"
    section = _checked(section, where, ("delimiter", "decimal", "columns", "values"))
    delimiter, decimal = _marks(section, *general)
    if delimiter == decimal:
        raise MappingError(f"{where}: delimiter and decimal are both {_named(delimiter)}")
    columns: dict[str, str] = {}
    renames = _checked(section.get("columns") or _Section({}), f"{where}.columns")
    for theirs, ours in renames.items():
        place = f"{_line(renames, theirs)}tables.{table.name}.columns.{theirs}"
        if ours not in table.columns:
            raise MappingError(f"{place}: {_unknown(ours, table.columns)}")
        if ours in columns:
            raise MappingError(f"{place}: two columns are named {ours}")
        columns[ours] = theirs
    for ours in table.columns:
        if ours not in columns and ours in renames:
            raise MappingError(f"tables.{table.name}.columns: {ours} is renamed, and no column is named {ours}")
    words: dict[str, dict[str, str | None]] = {}
    listed = _checked(section.get("values") or _Section({}), f"{where}.values", list(table.columns))
    for column, meanings in listed.items():
        place = f"{_line(listed, column)}tables.{table.name}.values.{column}"
        if column == table.key or column == "participant_id" or column == "session_id":
            raise MappingError(f"{place}: a key cannot be mapped to another")
        meanings = _checked(meanings or _Section({}), place)
        for text, meaning in meanings.items():
            if meaning is not None and not isinstance(meaning, str):
                raise MappingError(f"{_line(meanings, text)}{place.partition(': ')[2]}: a value must be a text or null")
            if text == "":
                raise MappingError(f"{place}: an empty text is no value already, and cannot be mapped")
        words[column] = dict(meanings)
    return TableMapping(delimiter, decimal, columns, words)


def _marks(section: _Section, delimiter: str, decimal: str) -> tuple[str, str]:
    found = section.get("delimiter", delimiter)
    if found in ("\\t", "tab"):
        found = "\t"
    if found not in DELIMITERS:
        allowed = ", ".join(f'"{mark}" ({name})' if mark != "\t" else "tab" for mark, name in DELIMITERS.items())
        raise MappingError(f"{_line(section, 'delimiter')}delimiter: allowed are {allowed}")
    point = section.get("decimal", decimal)
    if point not in DECIMALS:
        raise MappingError(f'{_line(section, "decimal")}decimal: allowed are "." and ","')
    return found, point


def _checked(section: Any, where: str, allowed: Iterable[str] | None = None) -> _Section:
    if not isinstance(section, _Section):
        raise MappingError(f"{where}: a list of `name: value` is expected")
    for name in section if allowed is not None else ():
        if name not in (choices := list(allowed or ())):
            raise MappingError(f"{_line(section, name)}{where}: {_unknown(name, choices)}")
    return section


def _unknown(name: Any, allowed: Iterable[str]) -> str:
    choices = list(allowed)
    near = difflib.get_close_matches(str(name), choices, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{name!r} is unknown{meant}; allowed are {', '.join(choices)}"


def _line(section: Any, key: str) -> str:
    line = section.lines.get(key) if isinstance(section, _Section) else None
    return f"line {line}: " if line else ""


def _named(mark: str) -> str:
    return f"a {DELIMITERS.get(mark, mark)}"
