"""Loading a study by its name, checked, with the values that the command line overrides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rapport.studies.check import inner_faults, schema_faults, sql_faults
from rapport.studies.definition import Study, with_values
from rapport.studies.document import Document, StudyError, one_of, read_document
from rapport.studies.facts import read_facts

FOLDER = "studies"
SCHEMA = "study.schema.json"


def study_names(project_dir: Path) -> list[str]:
    """The names of all studies of a project."""
    return sorted(path.stem for path in (project_dir / FOLDER).glob("*.yml"))


def load_study(project_dir: Path, name: str, overrides: Mapping[str, Any] | None = None) -> Study:
    """Load a study and check it.

    Args:
        project_dir: the project's folder.
        name: of the file in ``studies``, without ending.
        overrides: values of the study's vars that stand for those of the file; others are left alone. They are
            checked as vars (:mod:`rapport.project_vars`).

    Raises:
        StudyError: there is no such study, or it is wrong.
    """
    document = read_study(project_dir, name)
    facts = read_facts(project_dir)
    faults = sql_faults(document, facts)
    if faults:
        raise StudyError("\n".join(faults))
    study = Study(name, document.content, {}, facts.never_null)
    return with_values(study, overrides) if overrides else study


def read_study(project_dir: Path, name: str) -> Document:
    """Read a study's file and check it by its schema and in itself.

    Raises:
        StudyError: there is no such study, or it is wrong.
    """
    names = study_names(project_dir)
    if name not in names:
        raise StudyError(f"there is no study {name}: {FOLDER}/{name}.yml; allowed is {one_of(names)}")
    document = read_document(project_dir / FOLDER / f"{name}.yml", f"{FOLDER}/{name}.yml")
    faults = schema_faults(document, project_dir / FOLDER / SCHEMA) or inner_faults(document)
    if faults:
        raise StudyError("\n".join(faults))
    return document
