"""Tests on frequencies and moments equal scipy's and statsmodels' on the rows themselves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from statsmodels.regression.linear_model import OLS
from sufficient_statistics import TYPES, analysis_cohort, cohorts, reduce

from rapport.statistics import (
    CrossProducts,
    FrequencyTable,
    GroupMoments,
    JointFrequencyTable,
    PairedMoments,
    TestResult,
    cronbach_alpha,
    dunn,
    hierarchical_regression,
    kruskal_wallis,
    least_squares,
    mann_whitney,
    one_way_anova,
    paired_t,
    spearman,
    studentized_range,
    tukey_kramer,
)

bounded = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# Quarters tie exactly, as alliance scores do.
scores = st.lists(st.integers(4, 20).map(lambda quarters: quarters / 4), min_size=1, max_size=40).map(np.array)
groups_of_scores = st.lists(scores, min_size=2, max_size=4)


def table(values: np.ndarray) -> FrequencyTable:
    distinct, counts = np.unique(values, return_counts=True)
    return FrequencyTable(distinct, counts)


def moments(values: np.ndarray) -> GroupMoments:
    variance = float(values.var(ddof=1)) if len(values) > 1 else None
    return GroupMoments(len(values), float(values.mean()), variance)


def close(ours: float | None, theirs: float, rel: float = 1e-9, abs_: float = 1e-12) -> None:
    assert ours == pytest.approx(theirs, rel=rel, abs=abs_)


def assert_unsupported(result: TestResult) -> None:
    assert result.note
    assert result.statistic is None
    assert result.p_value is None


@bounded
@given(scores, scores)
def test_mann_whitney_equals_scipy(first: np.ndarray, second: np.ndarray) -> None:
    ours = mann_whitney(table(first), table(second))
    pooled = np.concatenate([first, second])
    if np.ptp(pooled) == 0:
        assert_unsupported(ours)
        return
    theirs = stats.mannwhitneyu(first, second, use_continuity=True, method="asymptotic")
    close(ours.statistic, theirs.statistic)
    close(ours.p_value, theirs.pvalue)
    close(ours.estimate, float(np.median(first) - np.median(second)))
    uncorrected = stats.mannwhitneyu(first, second, use_continuity=False, method="asymptotic")
    close(ours.effect_size, stats.norm.isf(uncorrected.pvalue / 2) / math.sqrt(len(pooled)), 1e-6)


@bounded
@given(scores, scores)
def test_mann_whitney_is_symmetric(first: np.ndarray, second: np.ndarray) -> None:
    assume(np.ptp(np.concatenate([first, second])) > 0)
    forward = mann_whitney(table(first), table(second))
    backward = mann_whitney(table(second), table(first))
    assert forward.statistic is not None
    close(backward.statistic, len(first) * len(second) - forward.statistic)
    close(backward.p_value, forward.p_value or 0.0)
    close(backward.effect_size, forward.effect_size or 0.0)


@bounded
@given(groups_of_scores)
def test_kruskal_wallis_equals_scipy(groups: list[np.ndarray]) -> None:
    ours = kruskal_wallis({str(i): table(group) for i, group in enumerate(groups)})
    if np.ptp(np.concatenate(groups)) == 0:
        assert_unsupported(ours)
        return
    theirs = stats.kruskal(*groups)
    close(ours.statistic, theirs.statistic)
    close(ours.p_value, theirs.pvalue)


@settings(bounded, max_examples=20)
@given(scores, scores)
def test_dunn_of_two_groups_is_kruskal_wallis(first: np.ndarray, second: np.ndarray) -> None:
    assume(np.ptp(np.concatenate([first, second])) > 0)
    groups = {"a": table(first), "b": table(second), "nobody": FrequencyTable([], [])}
    pairwise = dunn(groups, [("a", "b"), ("a", "nobody")])
    overall = kruskal_wallis({"a": groups["a"], "b": groups["b"]})
    z = pairwise["a", "b"].statistic
    assert z is not None
    close(z**2, overall.statistic or 0.0)
    close(pairwise["a", "b"].p_adjusted, overall.p_value or 0.0)
    assert_unsupported(pairwise["a", "nobody"])


@bounded
@given(st.lists(st.tuples(st.integers(18, 40), st.integers(4, 20)), min_size=3, max_size=60))
def test_spearman_equals_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    ours = spearman(JointFrequencyTable(x, y / 4, np.ones(len(x))))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert_unsupported(ours)
        return
    theirs = stats.spearmanr(x, y)
    close(ours.estimate, theirs.statistic)
    close(ours.p_value, theirs.pvalue, rel=1e-6)


@bounded
@given(scores, st.integers(1, 5))
def test_a_frequency_table_may_be_split(values: np.ndarray, parts: int) -> None:
    whole = table(values)
    split = FrequencyTable(np.tile(values, parts), np.repeat([1, *[0] * (parts - 1)], len(values)))
    np.testing.assert_array_equal(split.values, whole.values)
    np.testing.assert_array_equal(split.counts, whole.counts)
    assert split.median == np.median(values)


paired_scores = hnp.arrays(np.int64, st.tuples(st.integers(2, 40), st.just(2)), elements=st.integers(0, 25)).map(
    lambda items: items * 4.0
)


@bounded
@given(paired_scores)
def test_paired_t_equals_scipy(scores: np.ndarray) -> None:
    baseline, followup = scores.T
    change = followup - baseline
    covariance = np.cov(scores.T)
    ours = paired_t(
        PairedMoments(
            n=len(scores),
            first_mean=float(baseline.mean()),
            second_mean=float(followup.mean()),
            change_mean=float(change.mean()),
            first_variance=covariance[0, 0],
            second_variance=covariance[1, 1],
            change_variance=float(change.var(ddof=1)),
            covariance=covariance[0, 1],
        )
    )
    if np.ptp(change) == 0:
        assert_unsupported(ours)
        return
    theirs = stats.ttest_rel(followup, baseline)
    limits = theirs.confidence_interval()
    close(ours.statistic, theirs.statistic)
    close(ours.p_value, theirs.pvalue)
    close(ours.ci_low, limits.low)
    close(ours.ci_high, limits.high)


varied_scores = st.lists(st.integers(0, 25).map(float), min_size=2, max_size=25).map(np.array)


@bounded
@given(st.lists(varied_scores, min_size=2, max_size=4))
def test_anova_equals_scipy(groups: list[np.ndarray]) -> None:
    ours = one_way_anova({str(i): moments(group) for i, group in enumerate(groups)})
    if all(np.ptp(group) == 0 for group in groups):
        assert_unsupported(ours)
        return
    theirs = stats.f_oneway(*groups)
    close(ours.statistic, theirs.statistic)
    close(ours.p_value, theirs.pvalue)


@settings(bounded, max_examples=12)
@given(st.lists(varied_scores, min_size=3, max_size=3))
def test_tukey_equals_scipy(groups: list[np.ndarray]) -> None:
    assume(any(np.ptp(group) > 0 for group in groups))
    names = ["a", "b", "c"]
    contrasts = [("b", "a"), ("c", "a"), ("c", "b")]
    ours = tukey_kramer(dict(zip(names, map(moments, groups), strict=True)), contrasts)
    theirs = stats.tukey_hsd(*groups)
    limits = theirs.confidence_interval()
    for (first, second), result in ours.items():
        i, j = names.index(first), names.index(second)
        # R's ptukey, which the package reproduces, errs by up to 1e-6 at small df.
        close(result.p_adjusted, theirs.pvalue[i, j], rel=1e-4, abs_=1e-5)
        close(result.ci_low, limits.low[i, j], rel=1e-4)
        close(result.ci_high, limits.high[i, j], rel=1e-4)


def test_studentized_range_of_two_groups_is_students_t() -> None:
    for df in (10.0, 57.0, 400.0, 3000.0):
        for t in (0.3, 1.1, 2.0, 4.5):
            expected = 2 * stats.t.sf(t, df)
            close(studentized_range.sf(t * math.sqrt(2), 2, df), expected, abs_=1e-7)


@bounded
@given(st.integers(2, 8), st.floats(2, 1e7), st.floats(0.01, 12), st.floats(0.01, 12))
def test_studentized_range_is_a_distribution(groups: int, df: float, q1: float, q2: float) -> None:
    low, high = sorted((q1, q2))
    p_low, p_high = (studentized_range.cdf(q, groups, df) for q in (low, high))
    assert 0 <= p_low <= p_high + 1e-9 <= 1 + 1e-9


@bounded
@given(st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.integers(2, 8), st.floats(2, 1e7))
def test_quantile_inverts_the_cdf(probability: float, groups: int, df: float) -> None:
    q = studentized_range.quantile(probability, groups, df)
    close(studentized_range.cdf(q, groups, df), probability, rel=1e-6)


def products(x: np.ndarray, y: np.ndarray) -> CrossProducts:
    matrix = np.column_stack([x, y])
    centred = matrix - matrix.mean(axis=0)
    terms = [f"x{i}" for i in range(x.shape[1])]
    return CrossProducts(terms, "y", len(y), matrix.mean(axis=0), centred.T @ centred)


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 60))
def test_least_squares_equals_statsmodels(seed: int, p: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    n = p + 1 + extra
    x = rng.normal(rng.uniform(-50, 50, p), rng.uniform(0.1, 20, p), (n, p))
    x[:, -1] = x[:, -1] > x[:, -1].mean()
    y = x @ rng.normal(size=p) + rng.normal(scale=5, size=n)
    data = products(x, y)
    ours = list(least_squares(data).values())
    theirs = OLS(y, np.column_stack([np.ones(n), x])).fit()
    if np.ptp(x[:, -1]) == 0:
        return
    for result, b, se, p_value, (low, high) in zip(
        ours, theirs.params, theirs.bse, theirs.pvalues, theirs.conf_int(), strict=True
    ):
        close(result.estimate, b, 1e-8, 1e-9)
        close(result.std_error, se, 1e-8)
        close(result.p_value, p_value, 1e-7)
        close(result.ci_low, low, 1e-8, 1e-9)
        close(result.ci_high, high, 1e-8, 1e-9)
    assert theirs.df_resid == ours[0].df_residual

    if p > 1:
        fits = hierarchical_regression(data, [data.terms[:1], data.terms[1:]])
        first = OLS(y, np.column_stack([np.ones(n), x[:, :1]])).fit()
        f_change, p_change, df = theirs.compare_f_test(first)
        close(fits[0].r_squared, first.rsquared)
        close(fits[0].p_value, first.f_pvalue, 1e-7)
        close(fits[1].r_squared, theirs.rsquared)
        close(fits[1].f_change, f_change, 1e-7)
        close(fits[1].p_value, p_change, 1e-7)
        assert fits[1].df == df


@bounded
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1e4, 1e4))
def test_inference_does_not_depend_on_the_unit(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    plain = least_squares(products(x, y))
    rescaled = least_squares(products(x * [scale, 1, 1] + [shift, 0, 0], y))
    for term in plain:
        if term != "(Intercept)":
            close(rescaled[term].statistic, plain[term].statistic or 0.0, 1e-6)
            close(
                rescaled[term].standardized_estimate,
                plain[term].standardized_estimate or 0.0,
                1e-6,
            )


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_aliased_terms_leave_the_others_alone(seed: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    n = 4 + extra
    x = rng.normal(10, 3, (n, 3))
    y = rng.normal(size=n)
    redundant = np.column_stack([x[:, 0], np.full(n, 4.75), x[:, 1], 2 * x[:, 0] - x[:, 1] + 1, x[:, 2]])
    results = least_squares(products(redundant, y))
    reference = least_squares(products(x, y))
    assert results["x1"].note == "aliased: no variance in x1"
    assert results["x3"].note == "aliased: a linear combination of x0, x2"
    for ours, expected in {
        "(Intercept)": "(Intercept)",
        "x0": "x0",
        "x2": "x1",
        "x4": "x2",
    }.items():
        close(results[ours].estimate, reference[expected].estimate or 0.0, 1e-7, 1e-9)
        close(results[ours].p_value, reference[expected].p_value or 0.0, 1e-7)


@bounded
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_cronbach_alpha_equals_its_definition_on_rows(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    items = rng.integers(1, 6, (30, k)) + rng.normal(size=(30, 1))
    ours = cronbach_alpha(30, np.cov(items.T))
    total = items.sum(axis=1).var(ddof=1)
    close(ours.estimate, k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / total), abs_=1e-9)


@pytest.mark.builds
@settings(bounded, max_examples=80)
@given(st.sampled_from(list(cohorts.COHORTS)), st.integers(0, 2**32 - 1), st.floats(0.3, 1.0))
def test_findings_of_any_part_of_a_golden_cohort_equal_scipy(name: str, seed: int, share: float) -> None:
    """The whole study on part of a cohort, against scipy and statsmodels on that part's rows."""
    participants, ratings = cohorts.read(name)
    keep = np.random.default_rng(seed).random(len(participants)) < share
    assume(keep.any())
    participants = participants[keep]
    ratings = ratings[ratings["participant_id"].isin(participants["participant_id"])]
    ours = reduce(participants, ratings).inference_results()
    rows = analysis_cohort(participants, ratings)
    score = rows["alliance_score"].to_numpy(dtype=float)

    def scores_of(mask: pd.Series) -> np.ndarray:
        return score[mask.fillna(False).to_numpy(dtype=bool)]

    country = rows["country_code"]
    pairs = {
        ("alliance_by_sex", "female - male"): (rows["sex"] == "female", rows["sex"] == "male"),
        ("alliance_by_country", "outside_usa - within_usa"): (country.notna() & (country != "US"), country == "US"),
        ("alliance_by_depression_screen", "positive - negative"): (
            rows["baseline_score"] <= cohorts.CUTOFF,
            rows["baseline_score"] > cohorts.CUTOFF,
        ),
    }
    for key, (first, second) in pairs.items():
        x, y = scores_of(first), scores_of(second)
        if len(x) and len(y) and np.ptp(np.concatenate([x, y])) > 0:
            theirs = stats.mannwhitneyu(x, y, use_continuity=True, method="asymptotic")
            close(ours.loc[key, "statistic"], theirs.statistic)
            close(ours.loc[key, "p_value"], theirs.pvalue)
        else:
            assert isinstance(ours.loc[key, "note"], str)

    by_type = [score[(rows["utilization_type"] == kind).to_numpy()] for kind in TYPES]
    key = ("alliance_by_utilization", "utilization_type")
    if all(map(len, by_type)) and np.ptp(score) > 0:
        theirs = stats.kruskal(*by_type)
        close(ours.loc[key, "statistic"], theirs.statistic)
        close(ours.loc[key, "p_value"], theirs.pvalue)
    else:
        assert isinstance(ours.loc[key, "note"], str)

    positive = rows[rows["baseline_score"] <= cohorts.CUTOFF]
    change = (positive["followup_score"] - positive["baseline_score"]).to_numpy(dtype=float)
    key = ("wellbeing_change", "followup - baseline")
    if len(change) > 1 and np.ptp(change) > 0:
        theirs = stats.ttest_rel(positive["followup_score"].astype(float), positive["baseline_score"].astype(float))
        close(ours.loc[key, "statistic"], theirs.statistic)
        close(ours.loc[key, "p_value"], theirs.pvalue, rel=1e-7, abs_=1e-15)

    sample = positive[positive["sex"].notna()]
    predictors = pd.DataFrame(
        {
            "(Intercept)": 1.0,
            "age_years": sample["age_years"].astype(float),
            "male": (sample["sex"] == "male").astype(float),
            "time_in_care": sample["time_in_care_days"].astype(float),
            "baseline_score": sample["baseline_score"].astype(float),
            "alliance": sample["alliance_score"].astype(float),
        }
    )
    if len(sample) > 8 and np.linalg.matrix_rank(predictors.to_numpy()) == 6:
        fit = OLS(sample["followup_score"].to_numpy(dtype=float), predictors.to_numpy()).fit()
        found = ours.loc["alliance_predicts_wellbeing"].reindex(predictors.columns)
        np.testing.assert_allclose(found["estimate"].astype(float), fit.params, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found["std_error"].astype(float), fit.bse, rtol=1e-7)
