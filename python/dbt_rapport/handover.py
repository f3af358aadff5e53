"""Hands the study to dbt: as vars of the project, before anything is parsed.

dbt has no way to compute a var, so the loaded project gets them: each value of the study that a command may override by
its name, and the whole study as ``study_definition``. What the command line sets stands above them, as dbt has it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import click

from rapport.project_vars import Settings
from rapport.studies.jinja import sql_definition

DEFINITION = "study_definition"


def project_of_the_command() -> Any:
    """The project that dbt has loaded for the running command; none outside of one."""
    context = click.get_current_context(silent=True)
    return (context.obj or {}).get("project") if context is not None else None


def hand_over(project: Any, settings: Settings) -> None:
    """Give a loaded project the study; nothing happens without a project.

    dbt keeps what it has parsed until a file, a var of the command line or an environment variable that the project
    names has changed. The study is none of these, so its hash is entered as such a variable.
    """
    if project is None:
        return
    study = settings.study
    definition = sql_definition(study)
    project.vars.vars.update({var.name: var.value for var in study.vars}, study=study.name)
    project.vars.vars[DEFINITION] = definition
    text = json.dumps(definition, sort_keys=True)
    project.project_env_vars[DEFINITION] = hashlib.sha256(text.encode()).hexdigest()
