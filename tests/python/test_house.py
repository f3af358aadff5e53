"""What is shipped, and what the pages for contributors promise."""

from __future__ import annotations

import ast
import tomllib

from conftest import ROOT
from setuptools import find_packages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_reproduction_of_the_study_is_not_shipped() -> None:
    """Twin and consistency serve the published study: who analyses an export of their own installs none of it."""
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    shipped = find_packages(where=str(ROOT / found["where"][0]), include=found["include"])
    assert "rapport" in shipped
    assert "rapport.report" in shipped
    assert not [name for name in shipped if not f"{name}.".startswith("rapport.")]
    for file in (ROOT / "python" / "rapport").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not [name for name in names if name.split(".")[0] == "reproduction"], file
