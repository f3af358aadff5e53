"""A plugin of sqlfluff: its templater loads the project without dbt's commands, so without what dbt's plugin adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt_rapport.handover import hand_over
from rapport.project_vars import PROJECT, check_vars


def _with_study() -> None:
    """Let every project that is loaded get the study."""
    from dbt.config import runtime

    load = runtime.load_project

    def load_project(project_root: str, *arguments: Any, **options: Any) -> Any:
        project = load(project_root, *arguments, **options)
        if project.project_name == PROJECT:
            hand_over(project, check_vars(Path(project_root), {}))
        return project

    runtime.load_project = load_project


_with_study()
