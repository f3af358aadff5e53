"""The study's tables: every declared row, whatever the data, with dtypes that do not vary."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sufficient_statistics import SufficientStatistics, reduced

from rapport import study

EMPTY = SufficientStatistics(
    *(
        statistics.iloc[:0]
        for statistics in (getattr(reduced("small"), field.name) for field in dataclasses.fields(SufficientStatistics))
    )
)

MAIN_EFFECTS = ["age_years", "male", "time_in_care", "baseline_score", "alliance"]
CONTRACT = {
    "alliance_reliability": ["participant_means", "session_ratings"],
    "alliance_group_medians": [
        *("female", "male", "within_usa", "outside_usa"),
        *("screened_positive", "screened_negative"),
        *("teletherapy", "telecoaching", "both", "total"),
    ],
    "alliance_vs_age": ["age_years"],
    "alliance_by_sex": ["female - male"],
    "alliance_by_country": ["outside_usa - within_usa"],
    "alliance_by_depression_screen": ["positive - negative"],
    "alliance_by_utilization": ["utilization_type"],
    "alliance_by_utilization_dunn": [*("telecoaching - teletherapy", "telecoaching - both", "teletherapy - both")],
    "wellbeing_change": ["followup - baseline", "d_z", "d_rm", "d_av", "percent_change"],
    "wellbeing_change_group_means": ["teletherapy", "telecoaching", "both"],
    "wellbeing_change_by_utilization": ["utilization_type"],
    "wellbeing_change_by_utilization_tukey": [
        *("telecoaching - teletherapy", "both - teletherapy", "both - telecoaching")
    ],
    "clinical_recovery": ["screened_positive"],
    "clinical_improvement": ["screened_positive"],
    "alliance_predicts_wellbeing": ["(Intercept)", *MAIN_EFFECTS],
    "moderation_by_utilization": [
        *("(Intercept)", *MAIN_EFFECTS, "telecoaching", "both"),
        *("alliance:telecoaching", "alliance:both"),
    ],
    "moderation_by_baseline": ["(Intercept)", *MAIN_EFFECTS, "alliance:baseline_score"],
    "moderation_by_sessions": [*("(Intercept)", *MAIN_EFFECTS, "total_sessions", "alliance:total_sessions")],
}
PROMISED_ROWS = [(analysis, term) for analysis, terms in CONTRACT.items() for term in terms]
TEXT = {"analysis", "term", "method", "estimate_name", "statistic_name", "effect_size_name", "note"}


@pytest.mark.parametrize("statistics", [EMPTY, reduced("small"), reduced("none_positive")])
def test_every_promised_row_is_there(statistics: SufficientStatistics) -> None:
    assert list(statistics.inference_results().index) == PROMISED_ROWS
    steps = [(name, i + 1) for name, r in study.REGRESSIONS.items() for i in range(len(r.steps))]
    assert list(statistics.model_fit().index) == steps


def test_without_any_data_every_row_says_why() -> None:
    results = EMPTY.inference_results()
    assert results["note"].notna().all()
    assert results["p_value"].isna().all()
    assert (results["n"] == 0).all()
    fit = EMPTY.model_fit()
    assert fit["note"].notna().all()
    assert fit["r_squared"].isna().all()


@pytest.mark.parametrize("statistics", [EMPTY, reduced("small"), reduced("equal_alliance")])
def test_column_types_do_not_depend_on_the_data(statistics: SufficientStatistics) -> None:
    results = statistics.inference_results().reset_index()
    fit = statistics.model_fit().reset_index()
    connection = duckdb.connect()
    for frame, text in ((results, TEXT), (fit, {"analysis", "terms", "note"})):
        connection.register("frame", frame)
        types = dict(connection.execute("select column_name, column_type from (describe frame)").fetchall())
        for column, type_ in types.items():
            if column in text:
                assert type_ == "VARCHAR", column
            elif column in ("n", "step"):
                assert type_ == "BIGINT", column
            else:
                assert type_ == "DOUBLE", column


def test_missing_figures_are_null_in_the_warehouse() -> None:
    connection = duckdb.connect()
    connection.register("frame", EMPTY.inference_results().reset_index())
    query = "select count(estimate), count(p_value), count(note) = count(*) from frame"
    assert connection.execute(query).fetchall() == [(0, 0, True)]


def test_one_triangle_says_as_much_as_the_whole_matrix() -> None:
    upper = reduced("small").regression_cross_products
    mirrored = upper.rename(
        columns={
            "row_term": "column_term",
            "column_term": "row_term",
            "row_mean": "column_mean",
            "column_mean": "row_mean",
        }
    )[upper.columns]
    whole = pd.concat([upper, mirrored[mirrored["row_term"] != mirrored["column_term"]]])
    shuffled = whole.sample(frac=1.0, random_state=1)
    expected = study.regression_findings(upper)
    for table in (whole, mirrored, shuffled):
        pd.testing.assert_frame_equal(study.regression_findings(table), expected)
        pd.testing.assert_frame_equal(study.regression_fit(table), study.regression_fit(upper))


def test_rows_may_come_in_any_order_and_in_parts() -> None:
    statistics = reduced("small")
    parts = pd.concat([statistics.alliance_score_frequencies] * 2, ignore_index=True)
    halves = parts.assign(participants=parts["participants"]).sample(frac=1.0, random_state=2)
    doubled = statistics.alliance_score_frequencies.assign(participants=lambda frame: frame["participants"] * 2)
    rest = (statistics.alliance_age_frequencies, statistics.alliance_item_moments)
    pd.testing.assert_frame_equal(study.alliance_findings(halves, *rest), study.alliance_findings(doubled, *rest))


def test_nullable_integers_of_the_warehouse_are_accepted() -> None:
    statistics = reduced("single_member")
    moments = statistics.wellbeing_change_moments.astype(
        {"n": "Int64", "recovered": "Int64", "improved": "Int64", "change_variance": "Float64"}
    )
    pd.testing.assert_frame_equal(
        study.wellbeing_findings(moments),
        study.wellbeing_findings(statistics.wellbeing_change_moments),
    )


def test_a_group_may_be_present_with_nobody_in_it() -> None:
    statistics = reduced("none_positive")
    row = dict.fromkeys(statistics.wellbeing_change_moments.columns, np.nan)
    moments = pd.DataFrame(
        [
            {**row, "utilization_type": name, "n": 0, "recovered": 0, "improved": 0}
            for name in ("teletherapy", "telecoaching", "both", "total")
        ]
    )
    pd.testing.assert_frame_equal(
        study.wellbeing_findings(moments),
        study.wellbeing_findings(statistics.wellbeing_change_moments),
    )


def replaced(frame: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    return frame.assign(**{column: [value, *frame[column].to_list()[1:]]})


def test_malformed_tables_are_refused() -> None:
    good = reduced("small")
    scores = good.alliance_score_frequencies
    rest = (good.alliance_age_frequencies, good.alliance_item_moments)
    with pytest.raises(ValueError, match="alliance_score_frequencies lacks the column level"):
        study.alliance_findings(scores.drop(columns="level"), *rest)
    with pytest.raises(ValueError, match="unknown grouping"):
        study.alliance_findings(replaced(scores, "grouping", "shoe_size"), *rest)
    with pytest.raises(ValueError, match="unknown level of sex"):
        study.alliance_findings(replaced(scores, "level", "unknown"), *rest)
    with pytest.raises(ValueError, match="whole numbers"):
        study.alliance_findings(replaced(scores, "participants", -1), *rest)
    with pytest.raises(ValueError, match="finite"):
        study.alliance_findings(replaced(scores, "alliance_score", np.nan), *rest)

    moments = good.wellbeing_change_moments
    with pytest.raises(ValueError, match="utilization_type is not unique"):
        study.wellbeing_findings(pd.concat([moments, moments]))
    with pytest.raises(ValueError, match="unknown utilization_type"):
        study.wellbeing_findings(replaced(moments, "utilization_type", "chat"))
    with pytest.raises(ValueError, match="negative"):
        study.wellbeing_findings(replaced(moments, "change_variance", -1.0))

    products = good.regression_cross_products
    with pytest.raises(ValueError, match="unknown analysis"):
        study.regression_findings(replaced(products, "analysis", "moderation_by_weather"))
    with pytest.raises(ValueError, match="unknown term"):
        study.regression_findings(replaced(products, "row_term", "weather"))
    with pytest.raises(ValueError, match="differ in n"):
        study.regression_fit(replaced(products, "n", 1))
    with pytest.raises(ValueError, match="no cross-product of"):
        study.regression_fit(products.iloc[1:])


def test_the_study_imports_no_slow_library() -> None:
    """Loading scipy.stats or statsmodels is left to the functions that need it."""
    code = "import sys, rapport.study; print({'scipy.stats', 'statsmodels'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_declaration_names_no_data() -> None:
    source = Path(study.__file__).read_text()
    assert "read_csv" not in source
    assert "read_parquet" not in source
