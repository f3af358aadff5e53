"""The sensitivity analyses from sufficient statistics, against R (tests/golden/make_sensitivity.R) and by hand."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from functools import lru_cache

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from sensitivity_statistics import facts, sensitivity_results, variant_sums
from sufficient_statistics import GOLDEN, PUBLISHED, cohorts
from test_statistics_golden import ABSOLUTE, RELATIVE

from rapport import sensitivity
from rapport.studies import Study
from rapport.studies.jinja import sql_definition
from rapport.studies.parameters import promised_sensitivity

FIGURES = [
    *("n", "estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"),
]
# The chance to rate comes from an iteration that R stops at a relative 1e-8 of the deviance.
RELATIVE_OF_RATERS = 1e-6


@lru_cache
def ours(name: str) -> pd.DataFrame:
    sessions = pd.read_csv(GOLDEN / name / "sessions.csv", dtype={"participant_id": str, "provider_id": object})
    results = sensitivity_results(*cohorts.read(name), sessions)
    return results.set_index(["analysis", "term"])


def golden(name: str) -> pd.DataFrame:
    """R's figures; the grid's terms have semicolons there, as commas separate columns."""
    r = pd.read_csv(GOLDEN / name / "sensitivity_results.csv")
    return r.assign(term=r["term"].str.replace(";", ",")).set_index(["analysis", "term"])


def assert_agrees(results: pd.DataFrame, name: str) -> None:
    """Every figure is R's; what R leaves undefined has a note, and nothing else has."""
    r = golden(name)
    assert sorted(results.index) == sorted(r.index)
    results = results.loc[r.index]
    of_raters = r.index.get_level_values("analysis") == "alliance_rater_weighted"
    for rows, relative in ((of_raters, RELATIVE_OF_RATERS), (~of_raters, RELATIVE)):
        pd.testing.assert_frame_equal(
            results.loc[rows, FIGURES].astype(float),
            r.loc[rows, FIGURES].astype(float),
            check_dtype=False,
            check_index_type=False,
            rtol=relative,
            atol=ABSOLUTE,
        )
    with_error = results["statistic_name"] == "t"
    lacks = r[FIGURES[1:]].isna().all(axis=1) | (with_error & r["std_error"].isna())
    assert results.loc[lacks, "note"].notna().all()
    assert results.loc[~lacks, "note"].isna().all()


@pytest.mark.parametrize("name", list(cohorts.COHORTS))
def test_every_figure_agrees_with_r(name: str) -> None:
    assert_agrees(ours(name), name)


@pytest.mark.parametrize(
    ("name", "analysis", "term", "note"),
    [
        ("one_provider", "alliance_clustered", "alliance", "one main provider"),
        ("one_provider", "alliance_within_between", "alliance_between", "aliased: no variance"),
        ("one_provider", "alliance_within_between", "alliance_between - alliance_within", "aliased: no variance"),
        ("one_provider", "alliance_provider_icc", "main_provider", "only one group"),
        ("own_provider", "alliance_within_between", "alliance_within", "aliased: no variance"),
        ("own_provider", "alliance_provider_icc", "main_provider", "every group has one member"),
        ("large", "alliance_rater_weighted", "alliance", "separation"),
        ("separated_raters", "alliance_rater_weighted", "alliance", "separation"),
        ("equal_alliance", "alliance_hc3", "alliance", "aliased: no variance in alliance"),
        ("equal_alliance", "alliance_provider_icc", "main_provider", "no variance within"),
        ("equal_alliance", "alliance_superiority_by_sex", "female - male", "no variance of the placements"),
        ("equal_alliance", "aim_1_multiplicity", "alliance_by_sex", "no variance"),
        ("only_males", "alliance_superiority_by_sex", "female - male", "no participants in group female"),
        ("none_positive", "reliable_change", "deterioration", "no participants"),
        ("none_positive", "wellbeing_regression_to_mean", "observed", "no participants"),
        ("empty_group", "wellbeing_change_welch", "utilization_type", "no participants in group both"),
        ("one_positive", "wellbeing_equivalence", "telecoaching - teletherapy", "no participants"),
    ],
)
def test_note_says_why(name: str, analysis: str, term: str, note: str) -> None:
    row = ours(name).loc[(analysis, term)]
    assert note in str(row["note"])
    assert np.isnan(row["std_error"])


def test_holm_leaves_out_the_p_of_a_perfect_correlation() -> None:
    """Its P of 0 is that of an infinite t: with five people ρ = 1 has an exact P of .017."""
    design = sensitivity.Design(PUBLISHED)
    [perfect] = {one.analysis for one in PUBLISHED.correlations}
    others = [analysis for analysis in design.first_aim if analysis != perfect]
    p_values = {perfect: 0.0, **dict(zip(others, (0.04, 0.03, 0.5, 0.2), strict=True))}
    findings = pd.DataFrame(
        {
            "analysis": analysis,
            "term": term,
            "n": 5,
            "estimate": 1.0 if analysis == perfect else 0.1,
            "statistic": None if analysis == perfect else 2.0,
            "p_value": p_values[analysis],
            "note": "perfect monotone association" if analysis == perfect else None,
        }
        for analysis, term in design.first_aim.items()
    )
    rows = {term: result for _, term, result in sensitivity._multiplicity_rows(findings, design)}
    assert (rows[perfect].p_value, rows[perfect].p_adjusted) == (None, None)
    assert rows[perfect].note == "perfect monotone association"
    np.testing.assert_allclose([rows[one].p_adjusted for one in others], [0.12, 0.12, 0.5, 0.4])


def test_the_gate_takes_a_change_whose_regression_to_the_mean_is_undefined() -> None:
    suite = json.loads((ROOT / "expectations/findings/sensitivity_results.json").read_text(encoding="utf-8"))
    [query] = [
        one["kwargs"]["unexpected_rows_query"]
        for one in suite["expectations"]
        if one["meta"]["rule"] == "the observed change is what was expected and what is beyond it"
    ]
    for expected, beyond, broken in ((None, None, 0), (15.0, 5.0, 0), (15.0, 4.0, 1), (15.0, None, 1)):
        rows = pd.DataFrame(  # noqa: F841
            {
                "analysis": "wellbeing_regression_to_mean",
                "term": ["expected", "observed", "beyond"],
                "estimate": pd.Series([expected, 20.0, beyond], dtype=float),
            }
        )
        assert len(duckdb.sql(query.replace("{batch}", "(select * from rows)")).fetchall()) == broken


def test_one_provider_leaves_the_estimates_of_r_without_errors() -> None:
    row = ours("one_provider").loc[("alliance_clustered", "alliance")]
    assert row["estimate"] == pytest.approx(
        ours("one_provider").loc[("alliance_hc3", "alliance"), "estimate"], rel=1e-12
    )
    assert row[["statistic", "p_value", "ci_low", "ci_high"]].isna().all()


def test_the_early_alliance_is_the_mean_where_nobody_changes_the_answer() -> None:
    results = ours("steady_alliance")
    grid = results.loc["definition_grid"]
    for cutoff in sensitivity.CUTOFFS:
        rows = [grid.loc[f"cutoff={cutoff},min_days=7,alliance={name}"] for name in ("mean", "first", "last")]
        assert rows[0]["estimate"] == rows[1]["estimate"] == rows[2]["estimate"]
    for term in sensitivity.Design(PUBLISHED).terms:
        early, whole = (results.loc[(analysis, term)] for analysis in ("alliance_first_sessions", "alliance_hc3"))
        assert early["estimate"] == pytest.approx(whole["estimate"], rel=1e-12)


def test_raters_of_some_classes_only_are_weighted_as_r_does() -> None:
    row = ours("class_without_raters").loc[("alliance_rater_weighted", "alliance")]
    assert row["note"] is None or pd.isna(row["note"])
    assert row["estimate"] == pytest.approx(3.9877740091165959, rel=1e-6)


def test_the_suite_promises_every_row_of_the_study() -> None:
    assert sorted(promised_sensitivity(PUBLISHED)) == sorted(golden("large").index)


def test_without_sex_among_the_covariates_its_analyses_are_the_model_of_all_positive() -> None:
    document = copy.deepcopy(dict(PUBLISHED.document))
    document["covariates"] = [one for one in document["covariates"] if one["id"] != "sex"]
    study = replace(PUBLISHED, document=document)
    assert (study.sex_terms, study.asks_sex) == ((), False)
    assert not {"male", "sex_missing"} & {term for _, term in promised_sensitivity(study)}
    variants = variant_sums_of("sex_missing")
    first, missing, without = (
        model_of(variants, study, analysis)
        for analysis in ("alliance_first_sessions", "alliance_sex_missing_level", "alliance_without_sex")
    )
    positive = int(variants.loc[variants["screened_positive"], "n"].sum())
    unknown = int(variants.loc[variants["screened_positive"] & variants["sex"].isna(), "n"].sum())
    assert unknown > 0
    assert {int(n) for model in (first, missing, without) for n in model["n"]} == {positive}
    terms = ["(Intercept)", "age_years", "time_in_care", "baseline_score", "alliance"]
    assert list(missing.index) == list(without.index) == terms
    pd.testing.assert_frame_equal(missing, without)
    # It is the published study's model without sex.
    published = model_of(variants, PUBLISHED, "alliance_without_sex")
    pd.testing.assert_frame_equal(without, published)


def test_the_grid_of_definitions_is_the_same_whatever_the_cut_off() -> None:
    """One of its cells is the main analysis of the published study, and none that of a study with the cut-off 36."""
    people = cohort_of("large")
    design = sensitivity.Design(PUBLISHED)
    grids, mains = {}, {}
    for cutoff in (28, 36):
        variants = variant_sums(people.assign(positive=people["baseline_score"] <= cutoff))
        grids[cutoff] = model_of(variants, PUBLISHED, "definition_grid")
        whole = sensitivity._read_variants(variants, design).sample(alliance="alliance_mean")
        main = sensitivity._one_coefficient(whole.cross_products(design.terms), "alliance")
        mains[cutoff] = (main.n, main.estimate)
    pd.testing.assert_frame_equal(grids[28], grids[36])
    assert len(grids[36]) == 18
    cells = {term: (row["n"], row["estimate"]) for term, row in grids[36].iterrows()}
    assert [term for term, cell in cells.items() if cell == mains[28]] == ["cutoff=28,min_days=7,alliance=mean"]
    assert mains[28][1] == ours("large").loc[("alliance_hc3", "alliance"), "estimate"]
    assert mains[36][0] > mains[28][0]
    assert mains[36] not in cells.values()


def test_the_pages_name_the_cut_offs_of_the_grid() -> None:
    words = re.sub(r"\s+", " ", (ROOT / "docs/sensitivity.md").read_text(encoding="utf-8"))
    low, high = sensitivity.CUTOFFS
    first, second, third = sensitivity.MIN_DAYS
    assert f"baseline up to {low} or up to {high}, at least {first}, {second} or {third} days to the follow-up" in words
    words = re.sub(r"\s+", " ", (ROOT / "docs/adapt.md").read_text(encoding="utf-8"))
    assert (
        f"cut-offs are always {low} and {high}, its shortest follow-ups {first}, {second} and {third} days. With another"
        " cut-off (36, say) none of its cells is the main analysis."
    ) in words


def test_the_reference_of_sex_is_the_study_s() -> None:
    document = copy.deepcopy(dict(PUBLISHED.document))
    for one in document["covariates"]:
        one.update({"reference": "male"} if one["id"] == "sex" else {})
    study = replace(PUBLISHED, document=document)
    design = sensitivity.Design(study)
    assert study.sex_terms == ("female",)
    assert design.with_sex_missing == (
        *("age_years", "female", "sex_missing", "time_in_care", "baseline_score", "alliance"),
    )
    assert design.without_sex == ("age_years", "time_in_care", "baseline_score", "alliance")
    [sql] = [one["sql"] for one in sql_definition(study)["covariate_terms"] if one["name"] == "female"]
    assert sql == "case when (sex) = 'female' then 1 else 0 end"
    assert [one["name"] for one in sql_definition(study)["predictors_but_sex"]] == [
        *("utilization_type", "age_years", "time_in_care", "baseline_score", "followup_score", "total_sessions"),
    ]


def cohort_of(name: str) -> pd.DataFrame:
    participants, ratings = cohorts.read(name)
    sessions = pd.read_csv(GOLDEN / name / "sessions.csv", dtype={"participant_id": str, "provider_id": object})
    people = facts(participants, ratings, sessions)
    return people[people["alliance_mean"].notna()]


def variant_sums_of(name: str) -> pd.DataFrame:
    return variant_sums(cohort_of(name))


def model_of(variants: pd.DataFrame, study: Study, analysis: str) -> pd.DataFrame:
    design = sensitivity.Design(study)
    rows = sensitivity._choice_rows(sensitivity._read_variants(variants, design), design)
    found = {term: result for name, term, result in rows if name == analysis}
    return pd.DataFrame({term: {"n": one.n, "estimate": one.estimate} for term, one in found.items()}).T
