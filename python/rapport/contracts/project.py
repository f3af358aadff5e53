"""The project's own declarations: sources, published models, doc blocks, vars, suites and version."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rapport.project_vars import Settings, VarError, check_vars
from rapport.studies import Study, StudyError
from rapport.studies.definition import filled
from rapport.studies.parameters import ParameterError, parameters, resolved

Document = dict[str, Any]
RAW_EXPORT = "raw"
"""Name of the source that is the raw export."""

_DOC_BLOCK = re.compile(r"{%-?\s*docs\s+(\w+)\s*-?%}(.*?){%-?\s*enddocs\s*-?%}", re.DOTALL)
_DOC_CALL = re.compile(r"{{\s*doc\(\s*['\"](\w+)['\"]\s*\)\s*}}")
_VAR_CALL = re.compile(r"{{\s*var\(\s*['\"](\w+)['\"]\s*\)\s*(?:\|\s*\w+\s*)*}}")


class ContractError(ValueError):
    """A declaration from which no contract can be made; the message names the file or the element."""


@dataclass(frozen=True)
class Project:
    """Parsed declarations, as dbt and Great Expectations keep them."""

    version: str
    source: Document
    """The source of the raw export: ``name``, ``description``, ``config`` and ``tables``."""
    marts: tuple[Document, ...]
    """The contracted models of models/marts, by name."""
    docs: Mapping[str, str]
    """Text of each doc block, by name."""
    variables: Mapping[str, Any]
    suites: Mapping[str, Document]
    """Great Expectations suite files by ``layer/table``; the layers are raw, candidates and findings."""


def read_project(folder: Path) -> Project:
    """Read the declarations of the project in ``folder``.

    Raises :class:`ContractError` for a file that is missing, that does not parse, or that disagrees with another.
    """
    if not (folder / "dbt_project.yml").is_file():
        raise ContractError(f"{folder}: no dbt_project.yml; run this in the project's folder")
    settings = _yaml(folder / "dbt_project.yml")
    try:
        built = check_vars(folder, {})
    except (StudyError, VarError) as error:
        raise ContractError(str(error)) from error
    of_study = parameters(built.study)
    version = str(settings.get("version"))
    packaged = str(tomllib.loads(_text(folder / "pyproject.toml"))["project"]["version"])
    if version != packaged:
        raise ContractError(f"dbt_project.yml says version {version}, pyproject.toml {packaged}; the two are one")
    sources = [
        {
            **source,
            "tables": [table for table in source["tables"] if _has_key(table) and not _is_left_out(table, of_study)],
        }
        for path in sorted((folder / "models/raw").glob("*.yml"))
        for source in _yaml(path).get("sources") or []
        if source.get("name") == RAW_EXPORT
    ]
    if len(sources) != 1:
        raise ContractError(f"models/raw: {len(sources)} sources named {RAW_EXPORT}, where one is the raw export")
    models = [
        _with_study(model, built.study, of_study)
        for path in _declarations(folder, built)
        for model in sorted(_yaml(path).get("models") or [], key=lambda model: str(model["name"]))
    ]
    docs: dict[str, str] = {}
    for path in sorted((folder / "models").rglob("*.md")):
        docs.update(doc_blocks(_text(path)))
    suites = {
        f"{path.parent.name}/{path.stem}": _suite(path, of_study)
        for path in sorted((folder / "expectations").glob("*/*.json"))
    }
    return Project(
        version=version,
        source=sources[0],
        marts=tuple(models),
        docs=docs,
        variables=built.values,
        suites=suites,
    )


def _declarations(folder: Path, built: Settings) -> list[Path]:
    """The YAML files of the marts; those of instruments and of providers only where these are published."""
    folders = ["models/marts"]
    if built.study.further_instruments:
        folders.append("models/instruments/marts")
    if built.values["provider_marts"]:
        folders.append("models/providers/marts")
    return [path for name in folders for path in sorted((folder / name).glob("*.yml"))]


def _is_left_out(table: Document, of_study: Mapping[str, Any]) -> bool:
    return bool(meta(table).get("optional")) and table["name"] not in of_study["further_tables"]


def _suite(path: Path, of_study: Mapping[str, Any]) -> Document:
    try:
        suite: Document = resolved(json.loads(_text(path)), of_study)
    except (json.JSONDecodeError, ParameterError) as error:
        raise ContractError(f"{path}: {error}") from error
    return suite


def _with_study(model: Document, study: Study, of_study: Mapping[str, Any]) -> Document:
    """A model with the columns that the study gives it, and the values that it names of the study.

    The macro ``columns_of`` gives them the same columns.
    """
    columns: list[Document] = []
    for column in model.get("columns") or []:
        if column["name"] == "is_eligible":
            columns += [
                {
                    "name": one.flag,
                    "data_type": "boolean",
                    "description": f"Criterion {i}: {filled(one.description, one.values)}",
                    "constraints": [{"type": "not_null"}],
                }
                for i, one in enumerate(study.criteria, start=1)
            ]
        columns.append({**column, "config": {"meta": {key: _of_study(v, of_study) for key, v in meta(column).items()}}})
    if meta(model).get("has_study_facts"):
        columns += [
            {"name": one["id"], "data_type": one["type"], "description": one["description"]} for one in study.facts
        ]
    return {**model, "columns": columns}


def _of_study(value: Any, of_study: Mapping[str, Any]) -> Any:
    """A value of a declaration, or what it names of the study: ``study.criteria``."""
    if not (isinstance(value, str) and value.startswith("study.")):
        return value
    name = value.removeprefix("study.")
    if name not in of_study:
        raise ContractError(f"{value} is nothing of the study; there are {', '.join(of_study)}")
    return of_study[name]


def _has_key(table: Document) -> bool:
    """Whether a table of the source is one of the export: beside them the source lists what the reading adds."""
    return any(meta(column).get("primary_key") for column in table.get("columns", []))


def doc_blocks(markdown: str) -> dict[str, str]:
    """The text of each ``{% docs name %}`` block, white space collapsed."""
    return {name: " ".join(text.split()) for name, text in _DOC_BLOCK.findall(markdown)}


def render(text: str, project: Project) -> str:
    """``text`` with calls of ``doc`` and ``var`` replaced, white space collapsed.

    Raises :class:`ContractError` for a doc block or var that does not exist, and for any other Jinja.
    """

    def look_up(kind: str, known: Mapping[str, Any]) -> Any:
        def replace(match: re.Match[str]) -> str:
            if match[1] not in known:
                raise ContractError(f"no {kind} named {match[1]!r}")
            return str(known[match[1]])

        return replace

    rendered = _DOC_CALL.sub(look_up("doc block", project.docs), text)
    rendered = _VAR_CALL.sub(look_up("var", project.variables), rendered)
    if "{{" in rendered or "{%" in rendered:
        raise ContractError(f"only doc() and var() are understood here: {rendered}")
    return " ".join(rendered.split())


def meta(element: Document) -> Document:
    """The ``config.meta`` of a table, model or column; empty where there is none."""
    found: Document = (element.get("config") or {}).get("meta") or {}
    return found


def _yaml(path: Path) -> Document:
    try:
        document: Document = yaml.safe_load(_text(path)) or {}
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: not YAML: {error}") from error
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror}") from error
