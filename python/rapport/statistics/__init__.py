"""Tests, contrasts and regressions computed from sufficient statistics.

Every function takes counts, frequency tables, moments or cross-products and returns
``TestResult`` objects; none sees a participant's row.
"""

from rapport.statistics import effect_intervals
from rapport.statistics.frequencies import FrequencyTable, JointFrequencyTable, medians
from rapport.statistics.means import (
    GroupMoments,
    PairedMoments,
    group_means,
    one_way_anova,
    paired_effect_sizes,
    paired_t,
    percent_change,
    tukey_kramer,
)
from rapport.statistics.multiplicity import holm
from rapport.statistics.proportions import wilson
from rapport.statistics.ranks import dunn, kruskal_wallis, mann_whitney, spearman
from rapport.statistics.regression import CrossProducts, LinearModel, hierarchical_regression, least_squares
from rapport.statistics.reliability import cronbach_alpha
from rapport.statistics.result import RegressionStep, TestResult

__all__ = [
    "CrossProducts",
    "FrequencyTable",
    "GroupMoments",
    "JointFrequencyTable",
    "LinearModel",
    "PairedMoments",
    "RegressionStep",
    "TestResult",
    "cronbach_alpha",
    "dunn",
    "effect_intervals",
    "group_means",
    "hierarchical_regression",
    "holm",
    "kruskal_wallis",
    "least_squares",
    "mann_whitney",
    "medians",
    "one_way_anova",
    "paired_effect_sizes",
    "paired_t",
    "percent_change",
    "spearman",
    "tukey_kramer",
    "wilson",
]
