"""A value of the study that a command sets is told wherever the build is."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Warehouse

from rapport.release import make_release
from rapport.report import read_release
from rapport.report.page import build_page

pytestmark = pytest.mark.builds


def test_history_parameters_and_page_name_what_a_command_set(warehouse: Warehouse, tmp_path: Path) -> None:
    outcome = warehouse.run("--vars", "{min_followup_days: 14}")
    assert outcome.success, outcome.output
    assert warehouse.query("select study, overridden_vars from ops.builds") == [
        ("sagui_henson_2022", {"min_followup_days": "14"})
    ]
    assert warehouse.query(
        "select parameter, value from marts.build_parameters where parameter like 'min_followup_days%' order by all"
    ) == [("min_followup_days", "14"), ("min_followup_days_of_the_study", "7")]
    assert warehouse.query("select min(follow_up_days) >= 14 from marts.analysis_cohort") == [(True,)]
    make_release(warehouse.db, tmp_path / "release")
    page = build_page(read_release(tmp_path / "release"))
    assert "Set for this build: min_followup_days is <" in page


def test_a_build_of_the_study_as_it_stands_names_none(built: Warehouse, tmp_path: Path) -> None:
    assert built.query("select overridden_vars from ops.builds") == [({},)]
    make_release(built.db, tmp_path / "release")
    assert "Set for this build" not in build_page(read_release(tmp_path / "release"))
