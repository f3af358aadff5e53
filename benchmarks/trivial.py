"""A dbt project that does nothing: what dbt itself costs."""

from __future__ import annotations

from pathlib import Path

_PROJECT = """\
name: trivial
version: "1.0"
config-version: 2
profile: trivial
model-paths: [models]
flags:
  send_anonymous_usage_stats: false
"""

_PROFILES = """\
trivial:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: trivial.duckdb
      threads: 1
"""


def write_trivial_project(folder: Path, nodes: int) -> None:
    """Write a dbt project of so many tables of one row, each a model, and its profile."""
    models = folder / "models"
    models.mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(_PROJECT, encoding="utf-8")
    (folder / "profiles.yml").write_text(_PROFILES, encoding="utf-8")
    for number in range(nodes):
        (models / f"node_{number:04d}.sql").write_text(
            "{{ config(materialized='table') }}\nselect 1 as a\n", encoding="utf-8"
        )
