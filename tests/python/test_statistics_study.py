"""The study's tables: every declared row, whatever the data, with dtypes that do not vary."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sufficient_statistics import (
    CHANGE_COLUMNS,
    ITEM_COLUMNS,
    PAIRS,
    PUBLISHED,
    VARIABLES,
    SufficientStatistics,
    analysis_cohort,
    cohorts,
    reduced,
    regression_rows,
    regression_sums,
)

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
    steps = [(name, i + 1) for name, r in PUBLISHED.regressions.items() for i in range(len(r.steps))]
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


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def split(frame: pd.DataFrame, counts: list[str], seed: int) -> pd.DataFrame:
    """Return each row in two parts, as if the statistics of two halves of the people had been joined."""
    chance = np.random.default_rng(seed)
    parts = frame.copy()
    for column in counts:
        parts[column] = [int(chance.integers(0, value + 1)) for value in frame[column]]
    rest = frame.copy()
    rest[counts] = frame[counts] - parts[counts]
    return shuffled(pd.concat([parts, rest], ignore_index=True), seed)


NUMBERS = {
    "score_frequencies": ["participants"],
    "correlate_frequencies": ["participants"],
    "item_sums": ITEM_COLUMNS,
    "regression_sums": ["n", *VARIABLES, *(f"{a}_x_{b}" for a, b in PAIRS)],
    "value_frequencies": ["participants"],
    "level_frequencies": ["participants"],
}


def results_of(statistics: SufficientStatistics) -> list[pd.DataFrame]:
    return [statistics.inference_results(), statistics.model_fit(), statistics.slopes(), statistics.table_1()]


@pytest.mark.parametrize("name", ["small", "large", "untied"])
def test_equal_data_give_equal_figures_to_the_last_bit(name: str) -> None:
    """Rows in another order, and in parts as other threads would have summed them."""
    statistics = reduced(name)
    expected = results_of(statistics)
    for seed in (1, 2, 3):
        other = dataclasses.replace(
            statistics,
            change_sums=shuffled(statistics.change_sums, seed),
            **{table: split(getattr(statistics, table), counts, seed) for table, counts in NUMBERS.items()},
        )
        for ours, theirs in zip(results_of(other), expected, strict=True):
            pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_an_equal_score_is_an_equal_score_whatever_it_is_a_quotient_of() -> None:
    """13/3 of one rating's items and 26/6 of two ratings' tie, and the sums over them are those of one score."""
    statistics = reduced("large")

    def doubled(frame: pd.DataFrame) -> pd.DataFrame:
        every_other = np.arange(len(frame)) % 2 + 1
        return frame.assign(
            item_sum=frame["item_sum"] * every_other, item_responses=frame["item_responses"] * every_other
        )

    scored = ("score_frequencies", "correlate_frequencies", "regression_sums")
    other = dataclasses.replace(statistics, **{name: doubled(getattr(statistics, name)) for name in scored})
    for ours, theirs in zip(results_of(other), results_of(statistics), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_numbers_of_the_warehouse_may_be_of_any_kind() -> None:
    """Sums of DuckDB's HUGEINT arrive as floats, others as nullable integers or as Python's own."""
    statistics = reduced("single_member")
    expected = results_of(statistics)
    for kind in ("float64", "Int64", "Int32", object):
        other = dataclasses.replace(
            statistics,
            change_sums=statistics.change_sums.astype(dict.fromkeys(CHANGE_COLUMNS, kind)),
            **{
                table: getattr(statistics, table).astype(dict.fromkeys(counts, kind))
                for table, counts in NUMBERS.items()
            },
        )
        for ours, theirs in zip(results_of(other), expected, strict=True):
            pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_a_group_may_be_present_with_nobody_in_it() -> None:
    statistics = reduced("none_positive")
    sums = pd.DataFrame(
        [{"utilization_type": name, **dict.fromkeys(CHANGE_COLUMNS, 0)} for name in study.UTILIZATION_TYPES]
    )
    pd.testing.assert_frame_equal(study.wellbeing_findings(sums), study.wellbeing_findings(statistics.change_sums))


# --- Regressions on the people themselves


def test_cross_products_are_those_of_the_people_in_exact_arithmetic() -> None:
    """Every term of every regression, formed person by person with fractions."""
    participants, ratings = cohorts.read("small")
    sample = regression_rows(analysis_cohort(participants, ratings))
    n = len(sample)
    raw = {name: [Fraction(int(v)) for v in sample[name]] for name in VARIABLES}
    raw["alliance"] = [
        Fraction(int(a), int(b)) for a, b in zip(sample["item_sum"], sample["item_responses"], strict=True)
    ]
    raw["male"] = [Fraction(int(sex == "male")) for sex in sample["sex"]]
    for name in ("telecoaching", "both"):
        raw[name] = [Fraction(int(kind == name)) for kind in sample["utilization_type"]]
    for analysis, data in study._regression_data(reduced("small").regression_sums, PUBLISHED).items():
        regression = PUBLISHED.regressions[analysis]
        assert isinstance(data, study._Sample)
        columns = dict(raw)
        for name in regression.standardized:
            mean = sum(raw[name], Fraction(0)) / n
            columns[name] = [value - mean for value in raw[name]]
            assert data.centres[name] == mean
            assert data.variances[name] == sum(v**2 for v in columns[name]) / (n - 1)
        names = (*regression.terms, study.OUTCOME)
        formed = [[math.prod(v) for v in zip(*(columns[f] for f in name.split(":")), strict=True)] for name in names]
        means = [sum(values, Fraction(0)) / n for values in formed]
        assert data.products.means == tuple(means)
        for i, first in enumerate(formed):
            for j, second in enumerate(formed):
                product = sum((x - means[i]) * (y - means[j]) for x, y in zip(first, second, strict=True))
                assert data.products.cross_products[i][j] == product


def test_twenty_thousand_groups_take_no_time() -> None:
    chance = np.random.default_rng(1)
    n = 25_000
    responses = chance.integers(1, 161, n)
    sums = np.clip((responses * chance.normal(4.2, 0.5, n)).round().astype(int), responses, 5 * responses)
    sample = pd.DataFrame(
        {
            "item_sum": sums,
            "item_responses": responses,
            "utilization_type": chance.choice(study.UTILIZATION_TYPES, n),
            "sex": chance.choice(["female", "male"], n),
            "age_years": chance.integers(18, 80, n),
            "time_in_care": chance.integers(0, 378, n),
            "baseline_score": 4 * chance.integers(0, 8, n),
            "followup_score": 4 * chance.integers(0, 26, n),
            "total_sessions": chance.integers(1, 80, n),
        }
    )
    groups = regression_sums(sample)
    assert len(groups) > 20_000
    start = time.process_time()
    results = study.regression_findings(groups, PUBLISHED)
    assert time.process_time() - start < 2.0
    assert results["note"].isna().all()


def test_a_study_of_twenty_thousand_people_has_every_figure() -> None:
    """n and t of an export of 20,000 generated people, where scipy's noncentral t is not a number."""
    row = {"n": 1507, "baseline": 30_140, "followup": 54_252, "recovered": 900, "improved": 1000}
    change = 54_252 - 30_140
    squares = round(change**2 / 1507 * (1 + 1506 / 37.63060941940117**2))
    row |= {"baseline_squares": 662_000, "followup_squares": 2_300_000}
    row["products"] = (row["baseline_squares"] + row["followup_squares"] - squares) // 2
    results = study.wellbeing_findings(pd.DataFrame([{"utilization_type": "teletherapy", **row}]))
    d_z = results.set_index("term").loc["d_z"]
    assert (d_z["effect_size_low"], d_z["effect_size_high"]) == pytest.approx((0.908, 1.030), abs=5e-4)


# --- Table 1


def test_table_1_has_all_its_rows_in_order_without_any_data() -> None:
    full, empty = reduced("small").table_1(), EMPTY.table_1()
    labels = ["variable", "level", "utilization_type", "statistic"]
    pd.testing.assert_frame_equal(empty[labels], full[labels])
    assert len(full) == 4 * (2 * 7 + 6 * 5)
    assert list(full["utilization_type"][:4]) == ["teletherapy", "telecoaching", "both", "total"]
    assert list(full["variable"].unique()) == [
        *("participants", "sex", "country", "screened_positive"),
        *("age_years", "alliance_score", "follow_up_days", "total_sessions", "time_in_care_days"),
    ]
    assert full["level"].dropna().unique().tolist() == ["female", "male", "missing", "within_usa", "outside_usa"]
    counts = empty["statistic"] == "n"
    assert (empty.loc[counts, "value"] == 0).all()
    assert empty.loc[~counts, "value"].isna().all()
    assert empty.dtypes.astype(str).equals(full.dtypes.astype(str))


def test_levels_that_do_not_add_up_are_refused() -> None:
    good = reduced("small")
    levels = good.level_frequencies
    with pytest.raises(ValueError, match="sex adds up to"):
        study.table_1(good.value_frequencies, levels[levels["level"] != "female"], PUBLISHED)
    with pytest.raises(ValueError, match="unknown level of sex other"):
        study.table_1(good.value_frequencies, levels.replace({"level": {"female": "other"}}), PUBLISHED)
    with pytest.raises(ValueError, match="unknown variable"):
        study.table_1(replaced(good.value_frequencies, "variable", "shoe_size"), levels, PUBLISHED)
    with pytest.raises(ValueError, match="denominator must be at least 1"):
        study.table_1(replaced(good.value_frequencies, "denominator", 0), levels, PUBLISHED)


# --- Refusals


def replaced(frame: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    return frame.assign(**{column: [value, *frame[column].to_list()[1:]]})


def test_malformed_tables_are_refused() -> None:
    good = reduced("small")
    scores = good.score_frequencies
    rest = (good.correlate_frequencies, good.item_sums)
    with pytest.raises(ValueError, match="score_frequencies lacks the column level"):
        study.alliance_findings(scores.drop(columns="level"), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="unknown grouping"):
        study.alliance_findings(replaced(scores, "grouping", "shoe_size"), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="unknown level of sex"):
        study.alliance_findings(replaced(scores, "level", "unknown"), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="participants must be at least 0"):
        study.alliance_findings(replaced(scores, "participants", -1), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="item_sum must hold whole numbers"):
        study.alliance_findings(replaced(scores, "item_sum", np.nan), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="item_sum must hold whole numbers"):
        study.alliance_findings(replaced(scores, "item_sum", 4.5), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="item_responses must be at least 1"):
        study.alliance_findings(replaced(scores, "item_responses", 0), *rest, PUBLISHED)
    with pytest.raises(ValueError, match="unknown population"):
        study.alliance_findings(scores, rest[0], replaced(rest[1], "population", "dreams"), PUBLISHED)

    sums = good.change_sums
    with pytest.raises(ValueError, match="utilization_type is not unique"):
        study.wellbeing_findings(pd.concat([sums, sums]))
    with pytest.raises(ValueError, match="unknown utilization_type"):
        study.wellbeing_findings(replaced(sums, "utilization_type", "chat"))
    with pytest.raises(ValueError, match="negative"):
        study.wellbeing_findings(replaced(sums, "followup_squares", 0))

    products = good.regression_sums
    with pytest.raises(ValueError, match="unknown utilization_type"):
        study.regression_findings(replaced(products, "utilization_type", "chat"), PUBLISHED)
    with pytest.raises(ValueError, match="unknown sex"):
        study.regression_findings(replaced(products, "sex", None), PUBLISHED)
    with pytest.raises(ValueError, match="lacks the column age_years_x_total_sessions"):
        study.regression_fit(products.drop(columns="age_years_x_total_sessions"), PUBLISHED)
    with pytest.raises(ValueError, match="more than a float keeps exactly"):
        study.regression_fit(replaced(products, "age_years_x_age_years", 2.0**54), PUBLISHED)


def test_the_study_imports_no_slow_library() -> None:
    """Loading scipy is left to the functions that need it."""
    code = (
        "import sys, rapport.study, rapport.statistics;"
        "print({'scipy', 'statsmodels'} & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_all_findings_need_of_scipy_two_submodules() -> None:
    """scipy.stats and statsmodels take two seconds to load."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from sufficient_statistics import reduced;"
        "s = reduced('small'); s.inference_results(); s.model_fit(); s.slopes(); s.table_1();"
        "print({'scipy.stats', 'statsmodels'} & set(sys.modules))"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_declaration_names_no_data() -> None:
    source = Path(study.__file__).read_text()
    assert "read_csv" not in source
    assert "read_parquet" not in source
