"""The study's tests on a cohort in a data frame, as a user of scipy and statsmodels writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

Finding = dict[str, float]
Findings = dict[str, Finding]
"""By ``analysis/term``, as in ``marts.inference_results``: some of the figures of that row."""

TYPES = ("teletherapy", "telecoaching", "both")


def findings(cohort: pd.DataFrame, ratings: pd.DataFrame) -> Findings:
    """Return the study's findings.

    Args:
        cohort: a row per eligible participant, with the columns of ``marts.analysis_cohort`` that are used below;
            numbers and booleans without extension types.
        ratings: ``bond_item`` and ``goals_item`` of the cohort's ratings; missing answers are NaN.
    """
    positive = cohort[cohort["screened_positive"]]
    return {
        **_reliability(cohort, ratings),
        **_alliance(cohort),
        **_wellbeing(positive),
        **_regressions(positive),
    }


def _cronbach_alpha(items: pd.DataFrame) -> float:
    items = items.dropna()
    k = items.shape[1]
    return float(k / (k - 1) * (1 - items.var().sum() / items.sum(axis=1).var()))


def _reliability(cohort: pd.DataFrame, ratings: pd.DataFrame) -> Findings:
    return {
        "alliance_reliability/participant_means": {"estimate": _cronbach_alpha(cohort[["bond_mean", "goals_mean"]])},
        "alliance_reliability/session_ratings": {"estimate": _cronbach_alpha(ratings[["bond_item", "goals_item"]])},
    }


def _alliance(cohort: pd.DataFrame) -> Findings:
    score = cohort["alliance_score"]
    rho, p = stats.spearmanr(cohort["age_years"], score)
    found: Findings = {"alliance_vs_age/age_years": {"n": len(cohort), "estimate": rho, "p_value": p}}

    usa = cohort["within_usa"]
    screened = cohort["screened_positive"]
    pairs = {
        "alliance_by_sex/female - male": (score[cohort["sex"] == "female"], score[cohort["sex"] == "male"]),
        "alliance_by_country/outside_usa - within_usa": (score[usa == 0], score[usa == 1]),
        "alliance_by_depression_screen/positive - negative": (score[screened], score[~screened]),
    }
    for name, (first, second) in pairs.items():
        w, p = stats.mannwhitneyu(first, second, use_continuity=True, method="asymptotic")
        found[name] = {"n": len(first) + len(second), "statistic": w, "p_value": p}

    groups = [score[cohort["utilization_type"] == name] for name in TYPES]
    kruskal: Any = stats.kruskal(*groups)
    n = len(cohort)
    found["alliance_by_utilization/utilization_type"] = {
        "n": n,
        "statistic": kruskal.statistic,
        "p_value": kruskal.pvalue,
        "effect_size": (kruskal.statistic - 2) / (n - 3),
    }
    return found | _dunn(cohort)


def _dunn(cohort: pd.DataFrame) -> Findings:
    n = len(cohort)
    ranked = cohort["alliance_score"].rank().groupby(cohort["utilization_type"])
    mean, size = ranked.mean(), ranked.size()
    ties = cohort["alliance_score"].value_counts().to_numpy(dtype=float)
    variance = n * (n + 1) / 12 - float(np.sum(ties**3 - ties)) / (12 * (n - 1))
    contrasts = [("telecoaching", "teletherapy"), ("telecoaching", "both"), ("teletherapy", "both")]
    z = [(mean[a] - mean[b]) / np.sqrt(variance * (1 / size[a] + 1 / size[b])) for a, b in contrasts]
    p = 2 * stats.norm.sf(np.abs(z))
    adjusted = multipletests(p, method="holm")[1]
    return {
        f"alliance_by_utilization_dunn/{a} - {b}": {"statistic": z[i], "p_value": p[i], "p_adjusted": adjusted[i]}
        for i, (a, b) in enumerate(contrasts)
    }


def _wellbeing(positive: pd.DataFrame) -> Findings:
    baseline, followup, change = positive["baseline_score"], positive["followup_score"], positive["who5_change"]
    paired: Any = stats.ttest_rel(followup, baseline)
    interval = paired.confidence_interval()
    n = len(positive)
    d_z = change.mean() / change.std()
    found: Findings = {
        "wellbeing_change/followup - baseline": {
            "n": n,
            "estimate": change.mean(),
            "statistic": paired.statistic,
            "p_value": paired.pvalue,
            "ci_low": interval.low,
            "ci_high": interval.high,
        },
        "wellbeing_change/d_z": {"estimate": d_z},
        "wellbeing_change/d_rm": {"estimate": d_z * np.sqrt(2 * (1 - followup.corr(baseline)))},
        "wellbeing_change/d_av": {"estimate": change.mean() / ((baseline.std() + followup.std()) / 2)},
        "wellbeing_change/percent_change": {"estimate": 100 * change.mean() / baseline.mean()},
    }
    groups = [change[positive["utilization_type"] == name] for name in TYPES]
    anova: Any = stats.f_oneway(*groups)
    found["wellbeing_change_by_utilization/utilization_type"] = {
        "n": n,
        "statistic": anova.statistic,
        "p_value": anova.pvalue,
    }
    tukey = stats.tukey_hsd(*groups)
    for a, b in [("telecoaching", "teletherapy"), ("both", "teletherapy"), ("both", "telecoaching")]:
        difference = tukey.statistic[TYPES.index(a), TYPES.index(b)]
        found[f"wellbeing_change_by_utilization_tukey/{a} - {b}"] = {"estimate": difference}
    for name in ("clinical_recovery", "clinical_improvement"):
        count = int(positive[name].sum())
        low, high = proportion_confint(count, n, method="wilson")
        found[f"{name}/screened_positive"] = {"n": n, "estimate": count / n, "ci_low": low, "ci_high": high}
    return found


def _regressions(positive: pd.DataFrame) -> Findings:
    sample = positive[positive["sex"].notna()]
    data = pd.DataFrame(
        {
            "followup_score": sample["followup_score"],
            "age_years": sample["age_years"],
            "male": sample["sex"] == "male",
            "time_in_care": sample["time_in_care_days"],
            "baseline_score": sample["baseline_score"],
            "alliance": sample["alliance_score"],
            "total_sessions": sample["total_sessions"],
            "telecoaching": sample["utilization_type"] == "telecoaching",
            "both": sample["utilization_type"] == "both",
        }
    ).astype(float)
    dummies = ["male", "telecoaching", "both"]
    standardized = (data - data.mean()) / data.std()
    standardized[dummies] = data[dummies]

    covariates = "followup_score ~ age_years + male + time_in_care"
    main = f"{covariates} + baseline_score + alliance"
    steps = {
        "alliance_predicts_wellbeing": (data, [covariates, f"{covariates} + baseline_score", main]),
        "moderation_by_utilization": (
            standardized,
            [f"{main} + telecoaching + both", f"{main} + telecoaching + both + alliance:telecoaching + alliance:both"],
        ),
        "moderation_by_baseline": (standardized, [main, f"{main} + alliance:baseline_score"]),
        "moderation_by_sessions": (
            standardized,
            [f"{main} + total_sessions", f"{main} + total_sessions + alliance:total_sessions"],
        ),
    }
    found: Findings = {}
    for analysis, (frame, formulas) in steps.items():
        fits = [smf.ols(formula, data=frame).fit() for formula in formulas]
        for fit in fits[1:]:
            fit.compare_f_test(fits[fits.index(fit) - 1])
        last = fits[-1]
        interval = last.conf_int()
        for term in last.params.index:
            name = "(Intercept)" if term == "Intercept" else term
            found[f"{analysis}/{name}"] = {
                "n": last.nobs,
                "estimate": last.params[term],
                "std_error": last.bse[term],
                "p_value": last.pvalues[term],
                "ci_low": interval.loc[term, 0],
                "ci_high": interval.loc[term, 1],
            }
    return found


def plain(found: Findings) -> Findings:
    """Return the findings with Python's own floats, for JSON."""
    return {name: {key: float(value) for key, value in figures.items()} for name, figures in found.items()}
