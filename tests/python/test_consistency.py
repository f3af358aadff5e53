"""Consistency of the printed figures: every formula by hand or against data, and the findings."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reproduction.consistency import Figures, Interval, Verdict, consistency_table, judge
from reproduction.consistency import rules as r
from reproduction.consistency.__main__ import main

SEED = Path(__file__).parents[2] / "seeds" / "printed_figures.csv"
COMMITTED = SEED.with_name("recomputed_figures.csv")
DOCS = Path(__file__).parents[2] / "docs" / "printed-figures.md"
SECTIONS = {
    "abstract": 46,
    "methods": 26,
    "results": 124,
    "discussion": 4,
    "table_1": 140,
    "table_2": 40,
}
WORDS = {"one": 1, "two": 2, "five": 5, "six": 6}

P = Interval.point


def near(value: float, decimals: int = 2) -> Interval:
    return Interval.rounded(value, decimals)


@pytest.fixture(scope="module")
def seed() -> pd.DataFrame:
    return pd.read_csv(SEED)


@pytest.fixture(scope="module")
def table(seed: pd.DataFrame) -> pd.DataFrame:
    return consistency_table(seed)


def rows(table: pd.DataFrame, rule: str, printed: str) -> pd.DataFrame:
    return table[(table["rule"] == rule) & table["printed"].str.startswith(printed)]


def altered(seed: pd.DataFrame, figure_id: str, printed: str, value: float) -> pd.DataFrame:
    changed = seed.copy()
    row = changed["figure_id"] == figure_id
    assert row.sum() == 1
    changed.loc[row, ["printed", "printed_value"]] = [printed, value]
    return changed


# ---------------------------------------------------------------- intervals and verdicts


def test_rounded_interval() -> None:
    assert near(4.76) == Interval(4.755, 4.765)
    assert near(4.0, 0) == Interval(3.5, 4.5)


def test_interval_arithmetic() -> None:
    a, b = Interval(-1, 2), Interval(3, 4)
    assert a + b == Interval(2, 6)
    assert a - b == Interval(-5, -1)
    assert a * b == Interval(-4, 8)
    assert a / b == Interval(-1 / 3, 2 / 3)
    assert a.squared() == Interval(0, 4)
    assert a.magnitude() == Interval(0, 2)
    assert Interval(-4, -2).magnitude() == Interval(2, 4)
    assert Interval(-1, 9).root() == Interval(0, 3)
    assert Interval(1, 3).mid == 2


def test_interval_refusals() -> None:
    with pytest.raises(ValueError, match="empty"):
        Interval(2, 1)
    with pytest.raises(ValueError, match="empty"):
        Interval(math.nan, 1)
    with pytest.raises(ZeroDivisionError):
        P(1) / Interval(-1, 1)
    with pytest.raises(ValueError, match="below 0"):
        Interval(-2, -1).root()


@pytest.mark.parametrize(
    ("central", "recomputed", "printed", "verdict"),
    [
        (0.501, Interval(0.49, 0.51), near(0.50), Verdict.CONSISTENT),
        (0.506, Interval(0.50, 0.512), near(0.50), Verdict.ROUNDING),
        (0.505, Interval(0.505, 0.505), near(0.50), Verdict.ROUNDING),  # a half may go either way
        (0.52, Interval(0.51, 0.53), near(0.50), Verdict.INCONSISTENT),
        (5.0, P(5), P(5), Verdict.CONSISTENT),
        (5.0, P(5), P(6), Verdict.INCONSISTENT),
        (1e-100, P(1e-100), Interval(-math.inf, 0.001), Verdict.CONSISTENT),
        (0.07, Interval(0.065, 0.075), Interval(0.07, math.inf), Verdict.ROUNDING),
    ],
)
def test_judge(central: float, recomputed: Interval, printed: Interval, verdict: Verdict) -> None:
    assert judge(central, recomputed, printed) is verdict


# ---------------------------------------------------------------- P values


def test_p_from_f() -> None:
    # F(2, d) has the closed form P = (1 + 2f/d)^(-d/2)
    assert r.p_from_f(P(4.76), 2, 832).mid == pytest.approx((1 + 2 * 4.76 / 832) ** -416)
    assert r.p_from_f(near(4.76), 2, 832).low > 0.001
    assert r.p_from_f(near(7.5), 2, 832).high < 0.001


def test_p_from_t_and_z() -> None:
    assert r.p_from_t(P(-2.0), 1).mid == pytest.approx(1 - 2 / math.pi * math.atan(2.0))
    assert r.p_from_z(P(1.959963985)).mid == pytest.approx(0.05)
    assert r.p_from_z(Interval(-0.1, 0.2)).high == 1.0
    assert r.t_from_p(P(0.05), 669).mid == pytest.approx(1.963525, abs=1e-5)
    open_ended = r.z_from_p(Interval(-math.inf, 0.05))
    assert open_ended.low == pytest.approx(1.959964, abs=1e-5)
    assert open_ended.high == math.inf
    assert r.z_from_p(Interval(0.995, 1.005)).low == 0.0


def test_p_from_chi_square() -> None:
    # χ² with two degrees of freedom: P = exp(-x/2)
    assert r.p_from_chi_square(P(10.83), 2).mid == pytest.approx(math.exp(-5.415))


def test_p_from_correlation() -> None:
    x = np.arange(20.0)
    y = np.sin(x) + 0.1 * x
    got = stats.pearsonr(x, y)
    assert r.p_from_correlation(P(got.statistic), 20).mid == pytest.approx(got.pvalue)


# ---------------------------------------------------------------- t interval and effect size


def test_sd_from_interval_recovers_the_sd() -> None:
    data = np.random.default_rng(1).normal(3.0, 2.0, 50)
    fit = stats.ttest_1samp(data, 0.0).confidence_interval(0.95)
    got = r.sd_from_interval(P(fit.low), P(fit.high), 50, 0.95)
    assert got.mid == pytest.approx(data.std(ddof=1))
    # the study's: half width 1.23, t(834) = 1.9628, √835 = 28.896
    got = r.sd_from_interval(near(14.19), near(16.65), 835, 0.95)
    assert got.low < 1.23 / 1.96281 * 28.8964 < got.high


def test_correlation_from_d() -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 60))
    y = y + 0.5 * x + 1.0
    change = y - x
    corr = np.corrcoef(x, y)[0, 1]
    d_z = change.mean() / change.std(ddof=1)
    d_rm = change.mean() / (change.std(ddof=1) / math.sqrt(2 * (1 - corr)))
    assert r.correlation_from_d(P(d_rm), P(d_z)).mid == pytest.approx(corr)
    assert r.correlation_from_d(P(1.0), P(1.0)).mid == pytest.approx(0.5)


# ---------------------------------------------------------------- analysis of variance

CELLS = [
    np.array([1.0, 2.0, 4.0, 5.0]),
    np.array([2.0, 6.0, 7.0]),
    np.array([8.0, 9.0, 4.0, 7.0, 7.0]),
]


def test_f_from_means_and_total_sd() -> None:
    means = [P(cell.mean()) for cell in CELLS]
    sizes = [len(cell) for cell in CELLS]
    sd = P(np.concatenate(CELLS).std(ddof=1))
    expected = stats.f_oneway(*CELLS)
    assert r.f_from_means(means, sizes, sd).mid == pytest.approx(expected.statistic)
    within = sum(((cell - cell.mean()) ** 2).sum() for cell in CELLS) / 9
    assert r.within_mean_square(means, sizes, sd).mid == pytest.approx(within)


def test_between_sum_of_squares_by_hand() -> None:
    # means 0 and 3 of sizes 2 and 4: mean 2, 2·4 + 4·1 = 12
    assert r.between_sum_of_squares([P(0), P(3)], [2, 4]).mid == pytest.approx(12.0)
    wide = r.between_sum_of_squares([near(0, 0), near(3, 0)], [2, 4])
    assert wide.low < 12.0 < wide.high


def test_tukey_p() -> None:
    sizes = [len(cell) for cell in CELLS]
    sd = P(np.concatenate(CELLS).std(ddof=1))
    means = [P(cell.mean()) for cell in CELLS]
    square = r.within_mean_square(means, sizes, sd)
    expected = stats.tukey_hsd(*CELLS).pvalue
    for i, j in ((0, 1), (0, 2), (1, 2)):
        got = r.tukey_p((means[i], sizes[i]), (means[j], sizes[j]), square, 3, 9)
        assert got.mid == pytest.approx(expected[i, j], rel=1e-6)
    far = r.tukey_p((P(0), 100), (P(9), 100), P(1.0), 3, 297)
    assert far.high < 1e-6


# ---------------------------------------------------------------- rank tests


def test_mann_whitney_without_and_with_ties() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=30), rng.normal(0.4, 1, size=25)
    expected = stats.mannwhitneyu(x, y, method="asymptotic")
    assert r.mann_whitney_p_bound(expected.statistic, 30, 25).high == pytest.approx(expected.pvalue)
    x, y = rng.integers(1, 6, 30), rng.integers(2, 6, 25)
    expected = stats.mannwhitneyu(x, y, method="asymptotic")
    assert expected.pvalue < r.mann_whitney_p_bound(expected.statistic, 30, 25).high
    _, t = np.unique(np.concatenate([x, y]), return_counts=True)
    share = (t**3 - t).sum() / (55**3 - 55)
    z = r.mann_whitney_z(expected.statistic, 30, 25, share)
    assert r.p_from_z(P(z)).mid == pytest.approx(expected.pvalue)
    got = r.tie_share_from_p(expected.statistic, 30, 25, P(expected.pvalue))
    assert got.mid == pytest.approx(share)


def test_mann_whitney_by_hand() -> None:
    # W = 4 of 3 × 4: |4 − 6| − 0.5 = 1.5, variance 12·8/12 = 8
    assert r.mann_whitney_z(4, 3, 4) == pytest.approx(1.5 / math.sqrt(8))
    assert r.mann_whitney_z(6, 3, 4) == 0.0
    assert r.tie_share_from_p(4, 3, 4, Interval(0.5, 1.0)).low == -math.inf


def test_effect_sizes_of_rank_tests() -> None:
    assert r.effect_size_r(P(-2.8), 2500).mid == pytest.approx(0.056)
    assert r.eta_squared(P(10.83), 3, 3087).mid == pytest.approx(8.83 / 3084)


def test_dunn_from_ranks() -> None:
    rng = np.random.default_rng(4)
    groups = [rng.integers(0, 8, 12), rng.integers(1, 9, 15), rng.integers(2, 9, 9)]
    sizes = [len(group) for group in groups]
    values = np.concatenate(groups)
    n = len(values)
    ranks = np.split(stats.rankdata(values), np.cumsum(sizes)[:-1])
    _, t = np.unique(values, return_counts=True)
    sigma = math.sqrt(n * (n + 1) / 12 - (t**3 - t).sum() / (12 * (n - 1)))

    def z(i: int, j: int) -> float:
        gap = ranks[i].mean() - ranks[j].mean()
        return float(gap / (sigma * math.sqrt(1 / sizes[i] + 1 / sizes[j])))

    got = r.third_dunn_z(P(z(0, 1)), P(z(0, 2)), *sizes)
    assert got.mid == pytest.approx(z(1, 2))
    h = r.h_from_dunn(P(z(0, 1)), P(z(0, 2)), *sizes)
    assert h.mid == pytest.approx(stats.kruskal(*groups).statistic)


def test_holm() -> None:
    got = [p.mid for p in r.holm([P(0.01), P(0.04), P(0.03)])]
    assert got == pytest.approx([0.03, 0.06, 0.06])
    assert [p.mid for p in r.holm([P(0.9), P(0.5)])] == pytest.approx([1.0, 1.0])
    band = r.holm([Interval(0.01, 0.02), Interval(0.5, 0.6)])
    assert band[0] == Interval(0.02, 0.04)


# ---------------------------------------------------------------- regression


@pytest.fixture(scope="module")
def fitted() -> dict[str, float]:
    """A least-squares fit of two predictors to 40 rows, by the normal equations."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2))
    x[:, 1] += 0.6 * x[:, 0]
    y = 1 + x @ [0.5, -0.4] + rng.normal(size=40)
    full, small = np.column_stack([np.ones(40), x]), np.column_stack([np.ones(40), x[:, 0]])

    def residual(design: np.ndarray) -> float:
        return float(((y - design @ np.linalg.lstsq(design, y)[0]) ** 2).sum())

    b = np.linalg.lstsq(full, y)[0]
    total = ((y - y.mean()) ** 2).sum()
    se = np.sqrt(np.diag(np.linalg.inv(full.T @ full)) * residual(full) / 37)
    return {
        "b": b[2],
        "se": se[2],
        "beta": b[2] * x[:, 1].std() / y.std(),
        "r2": 1 - residual(full) / total,
        "r2_small": 1 - residual(small) / total,
        "vif": 1 / (1 - np.corrcoef(x.T)[0, 1] ** 2),
    }


def test_step_of_a_regression(fitted: dict[str, float]) -> None:
    delta, r2, df = fitted["r2"] - fitted["r2_small"], P(fitted["r2"]), 37
    t = fitted["b"] / fitted["se"]
    assert r.f_of_change(P(delta), r2, 1, df).mid == pytest.approx(t**2)
    assert r.delta_r_squared_from_t(P(t), r2, df).mid == pytest.approx(delta)
    own = r.p_from_coefficient(P(fitted["b"]), P(fitted["se"]), df).mid
    assert r.p_from_f(r.f_of_change(P(delta), r2, 1, df), 1, df).mid == pytest.approx(own)
    got = r.variance_inflation(P(fitted["beta"]), P(t), r2, df)
    assert got.mid == pytest.approx(fitted["vif"])


def test_f_of_model_and_change_by_hand() -> None:
    assert r.f_of_model(P(0.06), 5, 669).mid == pytest.approx(0.012 / (0.94 / 669))
    change = r.f_of_change(near(0.0), near(0.06), 1, 669)
    assert change.low == 0.0
    assert change.high == pytest.approx(0.005 / (0.935 / 669))


def test_coefficient_limits_by_hand() -> None:
    # t(669) = 1.96353: 2.04 ∓ 1.94389
    low = r.coefficient_limit(P(2.04), P(0.99), 669, 0.95, upper=False)
    high = r.coefficient_limit(P(2.04), P(0.99), 669, 0.95, upper=True)
    assert (low.mid, high.mid) == (
        pytest.approx(0.0961, abs=1e-4),
        pytest.approx(3.9839, abs=1e-4),
    )


@pytest.mark.parametrize(
    ("figures", "possible"),
    [
        ((2.04, 0.99, 0.09, 3.99, 0.04), True),
        ((2.04, 0.99, 0.09, 3.99, 0.01), False),  # P too small for b/SE
        ((2.04, 0.99, 0.29, 3.79, 0.04), False),  # interval too narrow for SE
        ((2.04, 0.99, 0.19, 4.09, 0.05), False),  # interval not around b
        ((-0.04, 0.04, -0.11, 0.04, 0.34), True),
        ((0.0, 0.04, -0.09, 0.08, 0.92), True),  # a b printed as 0 may be negative
    ],
)
def test_coefficient_row(figures: tuple[float, ...], possible: bool) -> None:
    row = r.Coefficient(*(near(value) for value in figures))
    assert r.coefficient_is_possible(row, 669, 0.95) is possible


def test_coefficient_row_with_open_p() -> None:
    row = r.Coefficient(near(0.66), near(0.10), near(0.45), near(0.86), Interval(-math.inf, 0.001))
    assert r.coefficient_is_possible(row, 669, 0.95)
    row = r.Coefficient(near(0.16), near(0.10), near(-0.04), near(0.36), Interval(-math.inf, 0.001))
    assert not r.coefficient_is_possible(row, 669, 0.95)


# ---------------------------------------------------------------- distributions


def test_combined_mean_and_sd() -> None:
    means = [P(cell.mean()) for cell in CELLS]
    sds = [P(cell.std(ddof=1)) for cell in CELLS]
    sizes = [len(cell) for cell in CELLS]
    together = np.concatenate(CELLS)
    assert r.combined_mean(means, sizes).mid == pytest.approx(together.mean())
    assert r.combined_sd(means, sds, sizes).mid == pytest.approx(together.std(ddof=1))


def test_largest_sd() -> None:
    # half at 0, half at 10: nothing spreads more
    assert r.largest_sd(P(5), 0, 10, 4).mid == pytest.approx(np.std([0, 0, 10, 10], ddof=1))
    assert r.largest_sd(Interval(4, 7), 0, 10, 1000).high == pytest.approx(5 * math.sqrt(1000 / 999))
    assert r.largest_sd(P(0), 0, 10, 4).mid == 0.0


def test_largest_skewness() -> None:
    # two points attain the bound: 5 with probability 3/4, 1 with 1/4
    values = np.array([5, 5, 5, 1])
    got = r.largest_skewness(P(values.mean()), P(values.std()), 5)
    assert got.mid == pytest.approx(stats.skew(values))
    other = np.array([1, 2, 2, 3, 5])
    assert stats.skew(other) <= r.largest_skewness(P(other.mean()), P(other.std()), 5).high
    assert r.largest_skewness(P(4.54), P(0.62), 5).high < 0
    assert r.largest_skewness(P(2.0), P(0.62), 5).high > 0
    with pytest.raises(ValueError, match="not below"):
        r.largest_skewness(near(5.0), P(0.5), 5)


def test_grim() -> None:
    # Brown & Heathers: 28 whole numbers cannot have the mean 5.19; 145/28 = 5.18
    assert not r.integer_totals(near(5.19), 28)
    assert list(r.integer_totals(near(5.18), 28)) == [145]
    # 147 changes in steps of 4: 416 × 4 / 147 = 11.3197
    assert list(r.integer_totals(near(11.32), 147, 4)) == [416]
    assert not r.integer_totals(near(11.33), 147, 4)
    assert r.grim_has_power(28, 2)
    assert not r.grim_has_power(555, 2)
    assert r.grim_has_power(147, 2, 4)


def test_grimmer() -> None:
    values = np.array([1, 2, 4, 5, 5, 3, 2])
    mean, sd = near(round(values.mean(), 2)), near(round(values.std(ddof=1), 2))
    assert r.grimmer(mean, sd, 7)
    # total 22: the sum of squares is even; 1.57 needs 83.9 (84, even), 1.53 needs 83.2
    assert not r.grimmer(mean, near(1.53), 7)
    assert not r.grimmer(near(5.19), near(1.0), 28)
    # total 6 of 3 whole numbers: 13 would give an SD of 0.71 but is odd, as 6 is not
    assert not r.grimmer(near(2.0), near(0.71), 3)
    assert r.grimmer(near(2.0), near(1.0), 3)


def test_counts_and_days() -> None:
    assert r.percent(481, 835) == pytest.approx(57.6048, abs=1e-4)
    with pytest.raises(ValueError, match="nothing"):
        r.percent(1, 0)
    assert r.longest_gap(20200929, 20211012) == 378
    assert r.longest_gap(20240228, 20240301) == 2
    with pytest.raises(ValueError, match="day"):
        r.date_of(20210230)


# ---------------------------------------------------------------- the seed


def test_seed_counts(seed: pd.DataFrame) -> None:
    assert seed["section"].value_counts().to_dict() == SECTIONS
    assert seed["figure_id"].is_unique
    documented = DOCS.read_text(encoding="utf-8")
    for section, count in SECTIONS.items():
        assert f"| {section} | {count} |" in documented
    for transform in seed["transform"].unique():
        assert f"| `{transform}` |" in documented


def test_seed_figures_are_as_printed(seed: pd.DataFrame) -> None:
    raw = pd.read_csv(SEED, dtype=str, keep_default_na=False)
    for row in raw.to_dict("records"):
        assert row["printed"] in row["quote"], row
        assert len(row["quote"]) <= 90, row
        if row["transform"] == "date_yyyymmdd":
            continue
        word = re.sub(r"^(<|>|more than) ?", "", row["printed"])
        text = str(WORDS.get(word, word)).replace(",", "").removesuffix("%")
        assert float(text) == float(row["printed_value"]), row
        assert len(text.partition(".")[2]) == int(row["decimals"]), row
        sign = {"<": "<", ">": ">", "m": ">"}.get(row["printed"][0], "=")
        assert row["comparator"] == sign, row


def test_seed_keys(seed: pd.DataFrame) -> None:
    tables = {"eligibility_flow", "table_1", "inference_results", "model_fit", "study_parameter"}
    assert set(seed["target_table"]) == tables
    assert seed["column_name"].notna().all()
    assert (seed["utilization_type"].notna() == (seed["target_table"] == "table_1")).all()
    assert (seed["step"].notna() == (seed["target_table"] == "model_fit")).all()
    named = seed["target_table"].isin(["table_1", "inference_results", "model_fit"])
    assert (seed["analysis"].notna() == named).all()


# ---------------------------------------------------------------- the table


def test_table_shape_and_coverage(seed: pd.DataFrame, table: pd.DataFrame) -> None:
    assert list(table.columns) == [
        "rule",
        "inputs",
        "recomputed",
        "printed",
        "verdict",
        "explanation",
    ]
    assert table.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None)
    assert set(table["verdict"]) <= {str(verdict) for verdict in Verdict}
    assert len(table) > 300
    text = "; ".join([*table["inputs"], *table["printed"]])
    used = {name for name in seed["figure_id"] if re.search(rf"\b{name} = ", text)}
    assert len(used) == 379
    assert set(seed["figure_id"]) - used == {"met_min_ratings"}


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        ("f_test_p", "res_change_anova_p ="),
        ("percentage", "abs_improvement_percent ="),
        ("percentage", "dis_improvement_percent ="),
        ("restated", "abs_improvement_percent ="),
        ("skew_direction", "strongly positively skewed"),
        ("change_p", "res_model_step_3_p ="),
        ("change_p", "res_moderation_utilization_model_p ="),
        ("change_p", "res_moderation_baseline_model_p ="),
        ("change_p", "res_moderation_sessions_model_p ="),
        ("window_follow_up", "t1_follow_up_days_max_total = 741"),
        ("pairwise_p_in_abstract", "abs_alliance_utilization_p ="),
        ("standardized_intercept", "t2_intercept_beta ="),
    ],
)
def test_inconsistent_findings(table: pd.DataFrame, rule: str, printed: str) -> None:
    found = rows(table, rule, printed)
    assert len(found) > 0
    assert set(found["verdict"]) == {"inconsistent"}


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        ("restated", "abs_alliance_sex_p ="),
        ("mann_whitney_p", "abs_alliance_sex_p ="),
        ("bounded_p", "abs_alliance_null_ps ="),
        ("bounded_p", "abs_moderation_ps ="),
        ("mean_of_groups", "t1_follow_up_days_mean_total ="),
        ("cohens_d", "res_followup_change_d ="),
        ("f_from_means", "res_change_anova_f ="),
        ("change_p", "t2_alliance_p ="),
    ],
)
def test_findings_within_rounding(table: pd.DataFrame, rule: str, printed: str) -> None:
    assert "rounding" in set(rows(table, rule, printed)["verdict"])


def test_nothing_else_is_inconsistent(table: pd.DataFrame) -> None:
    wrong = table.loc[table["verdict"] == "inconsistent", "rule"].value_counts().to_dict()
    assert wrong == {
        "change_p": 5,
        "window_follow_up": 4,
        "percentage": 2,
        "restated": 2,
        "f_test_p": 1,
        "skew_direction": 1,
        "pairwise_p_in_abstract": 1,
        "standardized_intercept": 1,
        "interaction_limit_at_least": 1,
    }


def test_model_reading_of_the_regression_p_fits(table: pd.DataFrame) -> None:
    assert set(table.loc[table["rule"] == "model_p", "verdict"]) == {"consistent"}
    assert "whole model" in rows(table, "change_p", "res_model_step_3_p =")["explanation"].iloc[0]


def test_explanations_are_one_sentence(table: pd.DataFrame) -> None:
    assert table["explanation"].str.endswith(".").all()
    assert not table["explanation"].str.contains(r"\.\s+[A-Z]").any()


@pytest.mark.parametrize(
    ("figure_id", "printed", "value", "rule", "subject", "verdict"),
    [
        ("res_change_anova_f", "7.50", 7.50, "f_test_p", "res_change_anova_p", "consistent"),
        ("res_change_anova_f", "9.76", 9.76, "f_from_means", "res_change_anova_f", "inconsistent"),
        ("abs_improvement_percent", "58%", 58, "percentage", "abs_imp", "consistent"),
        ("res_alliance_mean", "2.54", 2.54, "skew_direction", "strongly", "consistent"),
        ("t1_female_n_both", "322", 322, "total_of_groups", "t1_female_n", "inconsistent"),
        ("t1_female_n_both", "322", 322, "total_of_sexes", "t1_part", "inconsistent"),
        ("t1_male_percent_both", "21.8%", 21.8, "percentage_sum", "100%", "inconsistent"),
        ("t2_n", "275", 275, "regression_sample", "t2_n", "inconsistent"),
        ("t1_within_usa_n_both", "411", 411, "country_unknown", "7 unk", "inconsistent"),
        ("t1_age_mean_total", "35.73", 35.73, "mean_of_groups", "t1_age", "inconsistent"),
        ("t1_age_sd_total", "8.91", 8.91, "sd_of_groups", "t1_age", "inconsistent"),
        ("t1_alliance_sd_both", "1.97", 1.97, "moments_within_range", "t1_", "inconsistent"),
        (
            "t1_total_sessions_median_total",
            "10",
            10,
            "median_between_groups",
            "t1_tot",
            "inconsistent",
        ),
        ("t1_total_sessions_max_total", "40", 40, "extreme_of_groups", "t1_tot", "inconsistent"),
        ("t1_total_sessions_min_both", "1", 1, "threshold", "t1_tot", "inconsistent"),
        ("t1_time_in_care_max_total", "400", 400, "window_time_in_care", "t1_", "inconsistent"),
        ("t1_time_in_care_min_both", "12", 12, "follow_up_covers_care", "t1_", "inconsistent"),
        ("t1_follow_up_days_max_both", "378", 378, "window_follow_up", "t1_", "consistent"),
        ("res_change_both", "11.33", 11.33, "grim", "res_change_both", "inconsistent"),
        ("res_change_both", "11.35", 11.35, "grim_total", "res_foll", "inconsistent"),
        ("res_alliance_sex_w", "730,000", 730000, "mann_whitney_p", "res_al", "consistent"),
        ("res_alliance_sex_p", "0.05", 0.05, "mann_whitney_p", "res_al", "inconsistent"),
        ("res_alliance_screen_p", "0.10", 0.10, "tie_share", "res_al", "rounding"),
        ("res_alliance_sex_r", "0.09", 0.09, "effect_size_r", "res_al", "inconsistent"),
        ("res_alliance_utilization_h", "12.83", 12.83, "kruskal_p", "res_al", "inconsistent"),
        ("res_alliance_utilization_eta2", "0.005", 0.005, "eta_squared", "res", "inconsistent"),
        ("res_dunn_telecoaching_both_z", "2.81", 2.81, "holm_p", "res_dunn", "inconsistent"),
        ("res_dunn_telecoaching_both_z", "2.81", 2.81, "kruskal_from_dunn", "res", "inconsistent"),
        ("res_alliance_age_rho", "-0.03", -0.03, "spearman_p", "res", "inconsistent"),
        ("res_alliance_age_p", "0.06", 0.06, "bounded_p", "abs_alliance", "inconsistent"),
        ("res_followup_change_ci_low", "13.19", 13.19, "interval_centre", "res", "inconsistent"),
        ("res_followup_change_d", "0.85", 0.85, "cohens_d", "res", "consistent"),
        ("res_followup_change_d", "2.16", 2.16, "cohens_d", "res", "inconsistent"),
        ("res_followup_change_percent", "45.5%", 45.5, "percent_change", "res", "inconsistent"),
        ("res_tukey_both_telecoaching_p", "< 0.02", 0.02, "tukey_p", "res", "inconsistent"),
        ("t2_age_se", "0.18", 0.18, "coefficient_limit", "t2_age_ci_low", "inconsistent"),
        ("t2_alliance_p", "0.01", 0.01, "coefficient_p", "t2_alliance_p", "inconsistent"),
        ("t2_alliance_p", "0.01", 0.01, "coefficient_row", "t2_alliance_b", "inconsistent"),
        ("t2_baseline_beta", "0.13", 0.13, "standardized_by_t", "t2_bas", "inconsistent"),
        ("res_model_step_3_r_squared", "0.09", 0.09, "delta_r_squared", "res_m", "inconsistent"),
        (
            "res_moderation_baseline_r_squared",
            "0.02",
            0.02,
            "nested_r_squared",
            "r",
            "inconsistent",
        ),
        ("res_model_step_2_r_squared", "0.02", 0.02, "model_p", "res", "inconsistent"),
        ("res_change_anova_df_residual", "833", 833, "anova_df", "res", "inconsistent"),
        ("abs_recovery_denominator", "836", 836, "denominator", "abs", "inconsistent"),
        ("met_who5_item_max", "6", 6, "scale_range", "met", "inconsistent"),
        ("met_who5_item_max", "6", 6, "scale_points", "met", "inconsistent"),
        ("res_n_assessed", "2985", 2985, "eligibility", "res", "inconsistent"),
        ("t1_outside_usa_percent_both", "23.5%", 23.5, "percentage_of_known", "t", "inconsistent"),
        ("t1_alliance_median_both", "4.85", 4.85, "restated", "res_alliance_med", "inconsistent"),
    ],
)
def test_altered_figures_change_the_verdict(
    seed: pd.DataFrame,
    figure_id: str,
    printed: str,
    value: float,
    rule: str,
    subject: str,
    verdict: str,
) -> None:
    changed = consistency_table(altered(seed, figure_id, printed, value))
    about = changed["inputs"].str.contains(f"{figure_id} = ") | changed["printed"].str.contains(f"{figure_id} = ")
    found = rows(changed[about], rule, subject)
    assert verdict in set(found["verdict"]), found.to_string()


# ---------------------------------------------------------------- the committed seed


def committed(path: Path) -> pd.DataFrame:
    """A seed as the warehouse reads it: text, and an empty field is nothing."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])


def test_the_committed_seed_is_what_the_printed_figures_give(table: pd.DataFrame) -> None:
    """`make consistency` writes it anew after a change of the printed figures or of a formula."""
    pd.testing.assert_frame_equal(committed(COMMITTED), table, check_dtype=False)


def test_the_command_writes_the_committed_seed(
    tmp_path: Path, seed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str | Path) -> int:
        monkeypatch.setattr("sys.argv", ["consistency", *map(str, arguments)])
        return main()

    out, printed = tmp_path / "out.csv", tmp_path / "printed.csv"
    assert run("--printed-figures", SEED, "--out", out) == 0
    assert out.read_bytes() == COMMITTED.read_bytes()
    altered(seed, "t1_female_percent_teletherapy", "55.0%", 55.0).to_csv(printed, index=False)
    assert run("--printed-figures", printed, "--out", out) == 0
    now, before = committed(out), committed(COMMITTED)
    assert 0 < (now != before).any(axis=1).sum() < 10
    seed[seed["figure_id"] != "res_change_anova_f"].to_csv(printed, index=False)
    assert run("--printed-figures", printed, "--out", out) == 2
    assert "res_change_anova_f" in capsys.readouterr().err
    assert committed(out).equals(now)


# ---------------------------------------------------------------- refusals


def test_missing_figure(seed: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="res_change_anova_f"):
        consistency_table(seed[seed["figure_id"] != "res_change_anova_f"])


def test_missing_column(seed: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="decimals"):
        consistency_table(seed.drop(columns="decimals"))


def test_repeated_figure(seed: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="twice"):
        consistency_table(pd.concat([seed, seed.head(1)]))


def test_a_count_must_be_whole(seed: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="not a count"):
        consistency_table(altered(seed, "t2_n", "675.5", 675.5))


def test_figures_by_id(seed: pd.DataFrame) -> None:
    figures = Figures(seed)
    assert len(figures) == sum(SECTIONS.values())
    assert figures["res_change_anova_p"].interval == Interval(-math.inf, 0.001)
    assert figures["abs_alliance_null_ps"].interval == Interval(0.07, math.inf)
    assert figures["abs_n_participants"].count == 3087


def test_irreproducible_figures_are_those_found_inconsistent(table: pd.DataFrame) -> None:
    """Whatever is excused from the reproduction is proved impossible here."""
    excused = pd.read_csv(SEED.with_name("irreproducible_figures.csv"))["figure_id"]
    proved = table.loc[table["verdict"] == "inconsistent", "printed"].str.split(" = ").str[0]
    assert set(excused) <= set(proved)


def test_least_interaction_se_is_attained_without_covariates() -> None:
    """Three groups that share n - 1 as the bound wants it: the formula gives back the two standard errors."""
    mean_square, n, reference, other, this = 0.94, 675, 300.0, 85.0, 289.0
    assert reference + other + this == n - 1
    other_se = math.sqrt(mean_square * (1 / reference + 1 / other))
    this_se = math.sqrt(mean_square * (1 / reference + 1 / this))
    least = r.least_interaction_se(other_se, mean_square, n)
    assert least <= this_se
    assert least == pytest.approx(this_se, rel=2e-3)
