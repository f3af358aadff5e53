"""The form in which every test, contrast and coefficient is returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

CONFIDENCE_LEVEL = 0.95
ETA_SQUARED_CONFIDENCE_LEVEL = 0.90
# The level of each of two one-sided tests; their interval is one of 1 − 2 × this.
EQUIVALENCE_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test, contrast or coefficient: the columns of ``inference_results``.

    What does not apply is ``None``. A test that the data cannot support has null figures and
    a ``note`` that says why.

    Attributes:
        method: name of the procedure.
        n: observations that entered it.
        estimate_name: what ``estimate`` is (``median_difference``, ``b`` …).
        estimate: the estimate, in the unit of the variable.
        std_error: its standard error.
        standardized_estimate: the estimate in standard deviations of outcome per SD of predictor; the SD of a
            product is that of the product itself, also where its factors are z-scores.
        y_standardized_estimate: the estimate in standard deviations of the outcome per unit of the predictor.
        statistic_name: what ``statistic`` is (``W``, ``H``, ``Z``, ``t``, ``F``).
        statistic: the test statistic.
        df: degrees of freedom (of the numerator for F).
        df_residual: residual degrees of freedom.
        p_value: two-sided P, not adjusted.
        p_adjusted: P adjusted for the family of contrasts.
        ci_low: lower 95% confidence limit.
        ci_high: upper 95% confidence limit.
        effect_size_name: what ``effect_size`` is.
        effect_size: the effect size.
        effect_size_low: its lower confidence limit, of 90% for η² and of 95% else.
        effect_size_high: its upper confidence limit.
        note: why the figures are missing, or what to know about them.
    """

    __test__: ClassVar[bool] = False  # keeps pytest from collecting the class

    method: str
    n: int | None = None
    estimate_name: str | None = None
    estimate: float | None = None
    std_error: float | None = None
    standardized_estimate: float | None = None
    y_standardized_estimate: float | None = None
    statistic_name: str | None = None
    statistic: float | None = None
    df: float | None = None
    df_residual: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    effect_size_name: str | None = None
    effect_size: float | None = None
    effect_size_low: float | None = None
    effect_size_high: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RegressionStep:
    """One step of a hierarchical regression: the columns of ``model_fit`` after ``analysis``.

    Attributes:
        step: 1, 2, …
        terms: terms of the model at this step, joined by ``" + "``.
        n: rows in the estimation sample.
        r_squared: share of the outcome's variance explained by the model.
        delta_r_squared: gain over the previous step (over no predictors for step 1).
        f_change: F of the gain (of the model for step 1).
        df: degrees of freedom of the gain.
        df_residual: residual degrees of freedom of the model.
        p_value: P of the gain.
        model_p_value: P of the whole model at this step (F test against no predictors).
        note: why figures are missing.
    """

    step: int
    terms: str
    n: int
    r_squared: float | None = None
    delta_r_squared: float | None = None
    f_change: float | None = None
    df: float | None = None
    df_residual: float | None = None
    p_value: float | None = None
    model_p_value: float | None = None
    note: str | None = None
