"""Statistics as those of the rounded n: :mod:`rapport.release.rescale` against the statistics of the package."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from conftest import but_one_in_builds
from released import Tables, marts_of, marts_of_golden
from sufficient_statistics import PUBLISHED, cohorts

from rapport.release import rescale, rescale_sensitivity
from rapport.release.rescale import Records, as_of_rounded_n
from rapport.statistics import one_way_anova, tukey_kramer
from rapport.statistics.means import GroupMoments, welch_anova, welch_equivalence
from rapport.study import TUKEY_CONTRASTS, UTILIZATION_TYPES

NAMES = ("inference_results", "model_fit", "alliance_slopes")
KEYS = {
    "inference_results": ["analysis", "term"],
    "model_fit": ["analysis", "step"],
    "alliance_slopes": ["analysis", "level", "position"],
}


@lru_cache
def marts(cohort: str) -> Tables:
    return marts_of_golden(cohort)[1]


def rescaled(tables: Tables, base: int = 5) -> Tables:
    records: dict[str, Records] = {
        name: [{str(k): v for k, v in row.items()} for row in tables[name].to_dict("records")] for name in NAMES
    }
    as_of_rounded_n(records, base, PUBLISHED)
    return {name: pd.DataFrame(rows).set_index(KEYS[name]) for name, rows in records.items()}


def all_digits(mean: float, n: float, sd: float, step: int) -> float:
    """A mean as it is: in place of the one that is given to a few decimals."""
    return mean


def figures(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(pd.to_numeric, errors="coerce").select_dtypes("number").astype(float)


COHORTS = ("large", "unbalanced", "tied", "small", "sex_missing", "equal_baseline", "tiny")


@pytest.mark.parametrize("cohort", but_one_in_builds(COHORTS, "large"))
def test_the_exact_n_gives_the_exact_figures(cohort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed with the n that it has, every figure is found again: each formula is that of the analysis."""
    monkeypatch.setattr(rescale, "middle", lambda count, base: round(count))
    monkeypatch.setattr(rescale, "mean_as_given", all_digits)
    after = rescaled(marts(cohort))
    for name in NAMES:
        before = figures(marts(cohort)[name].set_index(KEYS[name]))
        np.testing.assert_allclose(figures(after[name])[list(before)], before, rtol=1e-9, atol=1e-9)
    assert (
        after["inference_results"]["note"]
        .isna()
        .equals(marts(cohort)["inference_results"].set_index(KEYS["inference_results"])["note"].isna())
    )


def test_counts_that_are_not_rounded_leave_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescale, "_Findings", None)
    after = rescaled(marts("tied"), base=1)
    pd.testing.assert_frame_equal(
        figures(after["model_fit"]), figures(marts("tied")["model_fit"].set_index(KEYS["model_fit"]))
    )


def test_twice_as_many_of_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """With twice the n every figure is that of the cohort in which everybody is there twice, up to terms of 1/n."""
    participants, ratings = cohorts.read("large")
    again = participants.assign(participant_id=participants["participant_id"] + "x")
    theirs = ratings.assign(
        **{name: ratings[name] + "x" for name in ("participant_id", "session_id") if name in ratings}
    )
    twice = marts_of(pd.concat([participants, again]), pd.concat([ratings, theirs]))[1]
    monkeypatch.setattr(rescale, "middle", lambda count, base: 2 * round(count))
    monkeypatch.setattr(rescale, "mean_as_given", all_digits)
    after = rescaled(marts("large"))
    seen = 0
    for name in NAMES:
        expected = figures(twice[name].set_index(KEYS[name]))
        found = figures(after[name])[list(expected)].drop(columns="n")
        columns = [column for column in found if column not in ("p_value", "p_adjusted", "model_p_value")]
        p = [column for column in found if column not in columns]
        np.testing.assert_allclose(found[p], expected[p], atol=0.003)
        expected, found = expected[columns], found[columns]
        np.testing.assert_array_equal(found.isna(), expected.isna())
        found.index = expected.index
        scale = expected.abs().clip(lower=0.1)
        if "std_error" in scale:  # limits may be near 0
            for limit in ("ci_low", "ci_high"):
                scale[limit] = scale[limit].clip(lower=expected["std_error"].fillna(0.1))
        off = (found - expected).abs() / scale
        # Wilson's limits are computed from rounded hits, too, with the shares.
        rates = off.index.isin(["clinical_recovery", "clinical_improvement"], level=0)
        worst = off[~rates].stack().dropna().nlargest(3)
        assert worst.max() < 0.011, worst.to_dict()
        before = figures(marts("large")[name].set_index(KEYS[name]))[columns].to_numpy()
        seen += int((np.abs(before - expected.to_numpy()) > 0.1 * expected.abs().to_numpy()).sum())
    assert seen > 100, "many of them differ from those of half the people"


@pytest.mark.parametrize("cohort", ["large", "unbalanced", "tied"])
def test_the_analysis_of_variance_is_that_of_rounded_groups(cohort: str) -> None:
    """Of their number, and of their means as they are given."""
    before = marts(cohort)["inference_results"].set_index(KEYS["inference_results"])
    after = rescaled(marts(cohort))["inference_results"]
    groups = {}
    for name in UTILIZATION_TYPES:
        row = before.loc[("wellbeing_change_group_means", name)]
        n = int(row["n"]) // 5 * 5 + 2
        sd = row["std_error"] * np.sqrt(row["n"])
        groups[name] = GroupMoments(n, rescale.mean_as_given(row["estimate"], n, sd, 4), sd**2)
    anova = one_way_anova(groups)
    row = after.loc[("wellbeing_change_by_utilization", "utilization_type")]
    assert row["statistic"] == pytest.approx(anova.statistic, rel=1e-9)
    shown = int(before.loc[("wellbeing_change", "followup - baseline"), "n"]) // 5 * 5 + 2
    assert row["df_residual"] == shown - 3
    assert row["effect_size"] == pytest.approx(2 * row["statistic"] / (2 * row["statistic"] + shown - 3))
    for contrast, result in tukey_kramer(groups, TUKEY_CONTRASTS).items():
        row = after.loc[("wellbeing_change_by_utilization_tukey", " - ".join(contrast))]
        assert row["statistic"] == pytest.approx(result.statistic, rel=1e-9)
        assert row["std_error"] == pytest.approx(result.std_error, rel=1e-9)


def test_figures_do_not_depend_on_which_n_of_the_five_it_is() -> None:
    """What a t of 10 people and one of 14 have in common, P and limits are computed from."""

    def of(n: int) -> dict[str, float]:
        record = {"n": n, "estimate": 8.0, "std_error": 12.0 / np.sqrt(n), "statistic": 8.0 / (12.0 / np.sqrt(n))}
        record |= {"df": n - 1.0, "p_value": 0.5, "ci_low": 0.0, "ci_high": 0.0}
        rows = rescale._Findings([], 5, PUBLISHED)
        rows._mean(record)
        return {name: float(value) for name, value in record.items() if name != "n"}

    assert all(of(n) == pytest.approx(of(12)) for n in range(10, 15))
    assert of(12)["statistic"] == pytest.approx(8.0 / 12.0 * np.sqrt(12))
    assert of(15)["statistic"] != pytest.approx(of(12)["statistic"])


@pytest.mark.parametrize(
    ("n", "step", "given"), [(12, 4, 8.0), (42, 4, 7.7), (402, 4, 7.69), (12, 1, 7.7), (102, 1, 7.69)]
)
def test_a_mean_of_scores_is_given_to_what_every_n_can_have(n: int, step: int, given: float) -> None:
    assert rescale.mean_as_given(7.692, n, 0.0, step) == given
    for people in range(n - 2, n + 3):
        assert abs(round(given * people / step) * step / people - given) <= {8.0: 0.5, 7.7: 0.05, 7.69: 0.005}[given]


def test_effects_and_percent_are_those_of_the_mean_as_it_is_given() -> None:
    """d is mean ÷ deviation; the baseline that the percent tells is rounded as the mean is."""
    before = marts("small")["inference_results"].set_index(KEYS["inference_results"])
    after = rescaled(marts("small"))["inference_results"]
    row, given = (
        before.loc[("wellbeing_change", "followup - baseline")],
        after.loc[("wellbeing_change", "followup - baseline")],
    )
    n, shown = int(row["n"]), int(row["n"]) // 5 * 5 + 2
    sd = row["std_error"] * np.sqrt(n)
    mean = rescale.mean_as_given(row["estimate"], shown, sd, 4)
    assert mean != row["estimate"]
    assert given["estimate"] == mean
    assert given["statistic"] == pytest.approx(mean / sd * np.sqrt(shown))
    for term in ("d_z", "d_rm", "d_av"):
        effect = after.loc[("wellbeing_change", term)]
        assert effect["estimate"] == effect["effect_size"]
        assert effect["effect_size"] == pytest.approx(
            before.loc[("wellbeing_change", term), "effect_size"] * mean / row["estimate"]
        )
    baseline = 100 * row["estimate"] / before.loc[("wellbeing_change", "percent_change"), "estimate"]
    assert after.loc[("wellbeing_change", "percent_change"), "estimate"] == pytest.approx(100 * mean / round(baseline))
    differences = after.loc["wellbeing_change_by_utilization_tukey", "estimate"]
    means = after.loc["wellbeing_change_group_means", "estimate"]
    for first, second in TUKEY_CONTRASTS:
        assert differences[f"{first} - {second}"] == pytest.approx(means[first] - means[second])


@pytest.mark.parametrize("cohort", ["large", "unbalanced", "tied", "small"])
def test_the_exact_n_gives_the_exact_sensitivity_analyses(cohort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed with the n that it has, every figure is found again."""
    for module in (rescale, rescale_sensitivity):
        monkeypatch.setattr(module, "middle", lambda count, base: round(count))
    monkeypatch.setattr(rescale, "mean_as_given", all_digits)
    monkeypatch.setattr(rescale_sensitivity, "_few_digits", lambda df: df)
    before, after = (frame.set_index(KEYS["inference_results"]) for frame in sensitivity_of(cohort))
    columns = ["estimate", "std_error", "statistic", "df", "df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"]
    for analysis in before.index.unique(level=0):
        np.testing.assert_allclose(
            figures(after.loc[analysis])[columns], figures(before.loc[analysis])[columns], rtol=1e-7, atol=1e-9
        )


def sensitivity_of(cohort: str, base: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sensitivity analyses as they are, and as those of rounded numbers."""
    names = (*NAMES, "sensitivity_results")
    records: dict[str, Records] = {
        name: [{str(k): v for k, v in row.items()} for row in marts(cohort)[name].to_dict("records")] for name in names
    }
    as_of_rounded_n(records, base, PUBLISHED)
    rescale_sensitivity.sensitivity_of_rounded_n(records, base, PUBLISHED, 5)
    return marts(cohort)["sensitivity_results"], pd.DataFrame(records["sensitivity_results"])


@pytest.mark.parametrize("cohort", ["large", "unbalanced"])
def test_welchs_tests_are_those_of_rounded_groups(cohort: str) -> None:
    _, after = sensitivity_of(cohort)
    found = after.set_index(KEYS["inference_results"])
    means = rescaled(marts(cohort))["inference_results"].loc["wellbeing_change_group_means"]
    exact = marts(cohort)["inference_results"].set_index(KEYS["inference_results"])
    groups = {}
    for name in UTILIZATION_TYPES:
        n = int(exact.loc[("wellbeing_change_group_means", name), "n"]) // 5 * 5 + 2
        groups[name] = GroupMoments(n, means["estimate"][name], means["std_error"][name] ** 2 * n)
    welch = welch_anova(groups)
    row = found.loc[("wellbeing_change_welch", "utilization_type")]
    assert row["statistic"] == pytest.approx(welch.statistic, rel=1e-9)
    assert row["df_residual"] == pytest.approx(welch.df_residual, rel=0.02)
    equal = welch_equivalence(groups["telecoaching"], groups["teletherapy"], 5)
    row = found.loc[("wellbeing_equivalence", "telecoaching - teletherapy")]
    assert (row["estimate"], row["std_error"]) == pytest.approx((equal.estimate, equal.std_error), rel=1e-9)
    assert row["statistic"] == pytest.approx(equal.statistic, rel=1e-9)


def test_the_variances_of_brunner_and_munzel_are_found_again() -> None:
    """Of the two pairs with the same sum and degrees of freedom the one nearer to equal variances."""
    sizes, parts = (14.0, 60.0), (0.003, 0.0009)
    square = sum(parts)
    df = square**2 / (parts[0] ** 2 / 13 + parts[1] ** 2 / 59)
    assert rescale_sensitivity._variances(square, df, sizes) == pytest.approx(parts, rel=1e-9)


def test_the_number_of_providers_does_not_follow_from_f_and_icc() -> None:
    """337 people of 10 providers with 33.7 each and of 14 with 24.1 each have the same figures, as F is the same."""

    def of(providers: int) -> dict[str, float]:
        f = 1.4
        record = {"statistic": f, "df": providers - 1.0, "df_residual": 337.0 - providers, "p_value": 0.5}
        record["estimate"] = (f - 1) / (f - 1 + 337 / providers)
        rescale_sensitivity._providers(record, 337.0, 337.0, 5)
        return record

    assert of(10) == pytest.approx(of(14))
    assert of(12)["estimate"] == pytest.approx(0.4 / (0.4 + 337 / 12))
