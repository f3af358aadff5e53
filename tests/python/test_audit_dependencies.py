"""The order of audits rests on what the models declare: a suite's tables are built before it is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT

from rapport.audit import load_suites
from rapport.audit.raw import ACCEPTED, CURRENT
from rapport.studies import load_study
from rapport.studies.parameters import parameters


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The project's models and seeds by their ids, as dbt reads them of a study that has every model."""
    from dbt.cli.main import dbtRunner

    target = tmp_path_factory.mktemp("target")
    places = ("--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(target))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAPPORT_STUDY", "phq9_example")
        outcome = dbtRunner().invoke(
            ["--quiet", "--log-level-file", "none", "parse", "--vars", "{provider_marts: true}", *places]
        )
    assert outcome.success, outcome.exception
    manifest: Any = outcome.result
    return {**manifest.nodes, **manifest.sources}


def audits(nodes: dict[str, Any]) -> Iterator[tuple[str, Any, set[str]]]:
    """Each model that judges suites, with the tables that they look at."""
    with duckdb.connect() as connection:
        for node in nodes.values():
            if node.resource_type != "model" or node.language != "python":
                continue
            for folder in re.findall(r"\bexpectations/\w+", node.raw_code):
                if "find_faults" in node.raw_code:
                    continue  # looks for rows that the audit has judged
                suites = load_suites(ROOT / folder, parameters(load_study(ROOT, "sagui_henson_2022")))
                if "judge_accepted" in node.raw_code:
                    suites = [suite.on_tables(CURRENT, ACCEPTED) for suite in suites]
                yield folder, node, set().union(*(suite.tables(connection) for suite in suites))


def test_every_folder_of_suites_is_judged(nodes: dict[str, Any]) -> None:
    judged = {Path(folder).name for folder, _, _ in audits(nodes)}
    assert judged == {path.name for path in (ROOT / "expectations").iterdir()}


def test_what_a_suite_looks_at_is_built_before_it_is_judged(nodes: dict[str, Any]) -> None:
    relations = {
        f"{node.schema}.{getattr(node, 'alias', None) or node.identifier}": node.unique_id for node in nodes.values()
    }
    overlooked = {
        (node.name, table)
        for _, node, tables in audits(nodes)
        for table in tables
        if relations.get(table) not in node.depends_on.nodes
    }
    assert overlooked == set()
