"""The committed demo is the study's twin: it prints the study's figures, and a changed row shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, Warehouse, but_one_in_builds

from reproduction.twin import write_twin

TWIN = ROOT / "demo"
COHORT = """
    select participant_id from marts.analysis_cohort
    where screened_positive and sex is not null and total_sessions > 1 order by participant_id limit 1
"""
Change = Callable[[Warehouse, str], None]


@pytest.fixture
def twin(warehouse: Warehouse, workbench: Path) -> Warehouse:
    """The twin, built once and copied."""
    shutil.rmtree(warehouse.raw)
    shutil.copytree(TWIN, warehouse.raw)
    good = workbench / "twin.duckdb"
    if not good.exists():
        outcome = warehouse.run()
        assert outcome.success, outcome.output
        shutil.copy(warehouse.db, good)
    shutil.copy(good, warehouse.db)
    return warehouse


def test_the_twin_prints_the_studys_figures(twin: Warehouse) -> None:
    lost = twin.query(
        "select figure_id from marts.reproduction where agrees is not true and note not like 'a rule that%'"
    )
    excused = pd.read_csv(ROOT / "seeds/irreproducible_figures.csv")["figure_id"]
    assert {row[0] for row in lost} == set(excused), "each figure that is excused disagrees, and no other"
    assert twin.query("select count(*) from marts.reproduction where agrees")[0][0] == 369
    assert twin.query(
        "select count(*) filter (not coalesce(passed, false)) from audit.validation_results where severity = 'critical'"
    ) == [(0,)]


def flip_an_item(warehouse: Warehouse, participant: str) -> None:
    warehouse.rewrite(
        "who5_assessments",
        f"select * replace (case when participant_id = '{participant}' then 5 - item_1 else item_1 end as item_1) from rows",
    )


def drop_a_session(warehouse: Warehouse, participant: str) -> None:
    warehouse.rewrite(
        "sessions",
        f"""select * replace (case when participant_id = '{participant}' and started_at = (
            select max(started_at) from rows where participant_id = '{participant}' and status = 'completed'
        ) then 'cancelled' else status end as status) from rows""",
    )


def move_a_date(warehouse: Warehouse, participant: str) -> None:
    warehouse.rewrite(
        "sessions",
        f"""select * replace (case when participant_id = '{participant}' and started_at = (
            select min(started_at) from rows where participant_id = '{participant}' and status = 'completed'
        ) then timestamp '2019-01-01' else started_at end as started_at) from rows""",
    )


@pytest.mark.parametrize("change", but_one_in_builds([flip_an_item, drop_a_session, move_a_date], flip_an_item))
def test_a_changed_row_is_a_named_disagreement(twin: Warehouse, change: Change) -> None:
    before = twin.marts()
    change(twin, str(twin.query(COHORT)[0][0]))
    outcome = twin.run()
    assert not outcome.success
    assert "Printed figures no longer reproduced" in outcome.output
    assert ": printed " in outcome.output
    assert twin.marts() == before


def test_other_data_are_not_gated_by_the_study(built: Warehouse) -> None:
    assert built.query("select is_calibrated from audit.build") == [(False,)]
    assert built.query("select count(*) > 100 from marts.reproduction where not agrees") == [(True,)]


def test_a_twin_is_not_mixed_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "participants").mkdir()
    with pytest.raises(ValueError, match="already holds files"):
        write_twin(tmp_path)
