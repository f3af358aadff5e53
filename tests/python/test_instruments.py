"""A second instrument, end to end: the PHQ-9 beside the WHO-5, against pandas, scipy and statsmodels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import yaml
from conftest import ROOT, Warehouse
from scipy import stats

from rapport.demo import write_demo_export
from rapport.studies import load_study

STUDY = "phq9_example"
ITEMS = [f"item_{i}" for i in range(1, 10)]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic export with PHQ-9; read only."""
    folder = tmp_path_factory.mktemp("phq9") / "raw"
    write_demo_export(folder, participants=1500, seed=11, part_files=3, further=["phq9_assessments"])
    return folder


@pytest.fixture
def of_phq9(warehouse: Warehouse, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A warehouse of the example study, and no database yet."""
    monkeypatch.setenv("RAPPORT_STUDY", STUDY)
    shutil.rmtree(warehouse.raw)
    shutil.copytree(export, warehouse.raw)
    warehouse.target = tmp_path / "target"
    return warehouse


def current(folder: Path, key: str) -> pd.DataFrame:
    """The latest delivery of each key."""
    with duckdb.connect() as connection:
        rows = connection.execute(f"from read_parquet('{folder}/*.parquet')").df()
    return rows.sort_values("loaded_at").drop_duplicates(key, keep="last")


def changes_of(raw: Path) -> pd.DataFrame:
    """Baseline, follow-up and days of the PHQ-9, by hand."""
    sessions = current(raw / "sessions", "session_id")
    day = sessions["started_at"].dt.normalize()
    held = sessions[(sessions["status"] == "completed") & day.between("2020-09-29", "2021-10-12")]
    care = held.groupby("participant_id")["started_at"].agg(["min", "max"])
    phq9 = current(raw / "phq9_assessments", "assessment_id").dropna(subset=ITEMS)
    phq9 = phq9.assign(score=phq9[ITEMS].sum(axis=1).astype(int)).join(care, on="participant_id", how="inner")
    phq9 = phq9.sort_values(["completed_at", "assessment_id"], ascending=[True, False])
    before = phq9[phq9["completed_at"] < phq9["min"]].groupby("participant_id").last()
    in_time = phq9["completed_at"].dt.normalize() <= "2021-10-12"
    after = phq9[(phq9["completed_at"] > phq9["max"]) & in_time].groupby("participant_id").last()
    both = (
        before[["score", "completed_at"]]
        .add_suffix("_b")
        .join(after[["score", "completed_at"]].add_suffix("_f"), how="inner")
    )
    days = (both["completed_at_f"].dt.normalize() - both["completed_at_b"].dt.normalize()).dt.days
    found = pd.DataFrame({"baseline": both["score_b"], "followup": both["score_f"], "days": days})
    return found[found["days"] >= 7].astype(int)


def test_a_second_instrument_is_carried_to_the_findings(of_phq9: Warehouse) -> None:
    outcome = of_phq9.run()
    assert outcome.success, outcome.output
    expected = changes_of(of_phq9.raw)
    rows = of_phq9.query(
        "select participant_id, baseline_score, followup_score, follow_up_days, score_change, screened_positive,"
        " clinical_recovery, clinical_improvement from marts.outcome_change where instrument = 'phq9'"
    )
    found = pd.DataFrame(rows).set_index(0).sort_index()
    expected = expected.sort_index()
    assert len(expected) > 100
    assert list(found.index) == list(expected.index)
    assert found[[1, 2, 3]].to_numpy().tolist() == expected.to_numpy().tolist()
    baseline, followup = expected["baseline"], expected["followup"]
    assert found[4].tolist() == (followup - baseline).tolist()
    assert found[5].tolist() == (baseline >= 10).tolist(), "a score of 10 screens positive"
    assert found[6].tolist() == ((baseline >= 10) & (followup < 10)).tolist()
    assert found[7].tolist() == (baseline - followup >= 6).tolist(), "lower is better"

    cohort = of_phq9.query(
        "select participant_id, alliance_score, age_years, sex, time_in_care_days, utilization_type from marts.analysis_cohort"
    )
    names = ["participant_id", "alliance", "age_years", "sex", "time_in_care", "type"]
    people = pd.DataFrame(cohort, columns=names).set_index("participant_id").join(expected, how="inner")
    positive = people[people["baseline"] >= 10]
    [(n, estimate, p_value, low)] = of_phq9.query(
        "select n, estimate, p_value, ci_low from marts.outcome_results"
        " where instrument = 'phq9' and analysis = 'wellbeing_change' and term = 'followup - baseline'"
    )
    test = stats.ttest_rel(positive["followup"], positive["baseline"])
    assert n == len(positive) > 50
    assert estimate == pytest.approx((positive["followup"] - positive["baseline"]).mean(), rel=1e-12)
    assert p_value == pytest.approx(test.pvalue, rel=1e-8)
    assert low == pytest.approx(test.confidence_interval().low, rel=1e-8)
    [(rate,)] = of_phq9.query(
        "select estimate from marts.outcome_results where instrument = 'phq9' and analysis = 'clinical_improvement'"
    )
    assert rate == pytest.approx(((positive["baseline"] - positive["followup"]) >= 6).mean(), rel=1e-12)
    f = stats.f_oneway(*((g["followup"] - g["baseline"]) for _, g in positive.groupby("type")))
    [(statistic,)] = of_phq9.query(
        "select statistic from marts.outcome_results where instrument = 'phq9'"
        " and analysis = 'wellbeing_change_by_utilization'"
    )
    assert statistic == pytest.approx(f.statistic, rel=1e-8)

    sample = positive[positive["sex"].notna()]
    design = np.column_stack(
        [
            np.ones(len(sample)),
            sample["age_years"],
            sample["sex"] == "male",
            sample["time_in_care"],
            sample["baseline"],
            sample["alliance"],
        ]
    ).astype(float)
    fitted = sm.OLS(sample["followup"].to_numpy(dtype=float), design).fit()
    terms = ["(Intercept)", "age_years", "male", "time_in_care", "baseline_score", "alliance"]
    rows = of_phq9.query(
        "select term, estimate, std_error, p_value from marts.outcome_results"
        " where instrument = 'phq9' and analysis = 'alliance_predicts_wellbeing'"
    )
    by_term = {row[0]: row[1:] for row in rows}
    assert set(by_term) == set(terms)
    for i, term in enumerate(terms):
        assert by_term[term] == pytest.approx((fitted.params[i], fitted.bse[i], fitted.pvalues[i]), rel=1e-7)
    [(r_squared,)] = of_phq9.query(
        "select r_squared from marts.outcome_fit where instrument = 'phq9' and step = 3"
        " and analysis = 'alliance_predicts_wellbeing'"
    )
    assert r_squared == pytest.approx(fitted.rsquared, rel=1e-8)

    # The first instrument stands in the same tables, as in those of the study.
    assert of_phq9.query("select count(*) from marts.outcome_change where instrument = 'who5'") == of_phq9.query(
        "select count(*) from marts.who5_change"
    )
    shared = "select analysis, term, n, estimate, std_error, p_value, note from"
    of_study = of_phq9.query(
        f"{shared} marts.inference_results where analysis like 'wellbeing%' or analysis like 'clinical%'"
        " or analysis in (select analysis from marts.model_fit) order by all"
    )
    assert of_phq9.query(f"{shared} marts.outcome_results where instrument = 'who5' order by all") == of_study
    [(used, delivered)] = of_phq9.query(
        "select used, delivered from marts.source_summary where table_name = 'phq9_assessments'"
    )
    assert used == len(current(of_phq9.raw / "phq9_assessments", "assessment_id")) < delivered


FAULTS = {
    "item_3 is 0 to 3": "item_3 = 4",
    "item_9 is 0 to 3": "item_9 = -1",
    "participant_id is one of participants": "participant_id = 'nobody'",
    "completed_at is not null": "completed_at = null",
    "assessment_id is not null": "assessment_id = null",
}


@pytest.mark.builds
@pytest.mark.parametrize("rule", FAULTS)
def test_rows_of_a_second_instrument_are_gated(of_phq9: Warehouse, rule: str) -> None:
    column, value = FAULTS[rule].split(" = ")
    # A row that was delivered once: without their key two deliveries are two rows.
    once = "select assessment_id from rows group by assessment_id having count(*) = 1"
    of_phq9.spoil(
        "phq9_assessments", column, value, f"assessment_id = (select min(assessment_id) from ({once}) as once)"
    )
    outcome = of_phq9.run("--select", "+gate_raw")
    assert not outcome.success
    assert f"phq9_assessments: {rule} (1 failing)" in outcome.output, outcome.output


def test_a_study_that_names_a_table_needs_it(of_phq9: Warehouse) -> None:
    shutil.rmtree(of_phq9.raw / "phq9_assessments")
    outcome = of_phq9.run("--select", "+gate_files")
    assert not outcome.success
    assert "phq9_assessments" in outcome.output
    assert "gate files is closed" in outcome.output


@pytest.mark.builds
def test_a_row_of_a_second_instrument_may_wait(of_phq9: Warehouse) -> None:
    of_phq9.spoil("phq9_assessments", "item_3", "4", "assessment_id = (select min(assessment_id) from rows)")
    outcome = of_phq9.run("--vars", "{on_bad_rows: quarantine}")
    assert outcome.success, outcome.output
    assert of_phq9.query("select distinct table_name, rules from quarantine.quarantined_rows") == [
        ("phq9_assessments", "item_3 is 0 to 3")
    ]
    [(used, quarantined)] = of_phq9.query(
        "select used, quarantined from marts.source_summary where table_name = 'phq9_assessments'"
    )
    whole = current(of_phq9.raw / "phq9_assessments", "assessment_id")
    assert (used, quarantined) == (len(whole) - 1, 1)


def test_the_suite_enforces_what_the_source_declares_and_the_study_says() -> None:
    suite = json.loads((ROOT / "expectations/raw/phq9_assessments.json").read_text(encoding="utf-8"))
    assert suite["meta"]["optional"] is True
    tables = yaml.safe_load((ROOT / "models/raw/_raw__sources.yml").read_text(encoding="utf-8"))["sources"][0]["tables"]
    [declared] = [table for table in tables if table["name"] == "phq9_assessments"]
    assert declared["config"]["meta"]["optional"] is True
    [phq9] = load_study(ROOT, STUDY).further_instruments
    assert (phq9.items, phq9.item_minimum, phq9.item_maximum, phq9.cutoff, phq9.improvement) == (9, 0, 3, 10, 6)
    assert not phq9.is_higher_better
    assert (phq9.lowest, phq9.highest) == (0, 27)
