"""The service over time: control charts of its monthly figures.

:func:`service_signals` reads ``marts.service_monthly`` and nothing else. Mean, limits and comparisons are exact; what
is returned is rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import pandas as pd

from rapport.statistics import control_charts
from rapport.sufficient import require_columns, require_known, whole_numbers

PROVIDER_TYPES: Final = ("therapist", "coach", "all")
COUNTS: Final = ("sessions", "new_participants")
"""Measures that are counts: their value is the numerator."""
RATES: Final = (
    "no_show_rate",
    "cancellation_rate",
    "response_rate",
    "top_box_rate",
    "recovery_rate",
    "improvement_rate",
)
MEANS: Final = ("alliance_mean", "mean_change")
OUTCOMES: Final = ("mean_change", "recovery_rate", "improvement_rate")
"""Measures of people's well-being, which has no provider type."""
MEASURES: Final = (
    *COUNTS,
    *("no_show_rate", "cancellation_rate", "response_rate", "alliance_mean", "top_box_rate"),
    *OUTCOMES,
)
KEYS: Final = ("month", "provider_type", "measure")
FLAGS: Final = ("outside_limits", "shift", "trend", "near_limit")


def exact_values(monthly: pd.DataFrame) -> list[Fraction | None]:
    """Return the value of each row of ``service_monthly`` as the fraction that it is; ``None`` where there is none.

    Raises:
        ValueError: a column is missing, a measure unknown, a number no whole one.
    """
    table = "service_monthly"
    require_columns(table, monthly, (*KEYS, "numerator", "denominator"))
    require_known(table, "measure", monthly["measure"], MEASURES)
    require_known(table, "provider_type", monthly["provider_type"], PROVIDER_TYPES)
    numerators = whole_numbers(table, monthly, "numerator", None)
    is_count = monthly["measure"].isin(COUNTS)
    denominators = whole_numbers(
        table, monthly.assign(denominator=monthly["denominator"].mask(is_count, 1)), "denominator"
    )
    return [Fraction(above, below) if below else None for above, below in zip(numerators, denominators, strict=True)]


def service_signals(
    monthly: pd.DataFrame, min_points: int, values: Sequence[Fraction | None] | None = None
) -> pd.DataFrame:
    """Return every row of ``service_monthly`` with the limits of its series and the signals of its value.

    A series is a provider type and a measure, in order of months; months without a value are skipped.

    Args:
        monthly: columns ``month``, ``provider_type``, ``measure``, ``numerator``, ``denominator``.
        min_points: with fewer values a series has no mean and no limits.
        values: the values of the rows, if not those of numerator and denominator.

    Returns:
        Columns ``month``, ``provider_type``, ``measure``, ``value``, ``mean``, ``lower_limit``, ``upper_limit`` and the
        flags ``outside_limits``, ``shift``, ``trend``, ``near_limit``; rows and their order as in ``monthly``.

    Raises:
        ValueError: as :func:`exact_values`; ``min_points`` is less than 2; a month occurs twice in a series.
    """
    if min_points < 2:
        raise ValueError(f"spc_min_points is {min_points}; a moving range takes 2 values or more")
    exact = list(exact_values(monthly) if values is None else values)
    if monthly.duplicated(list(KEYS)).any():
        raise ValueError("service_monthly: two rows for one month, provider type and measure")
    count = len(monthly)
    figures = {name: np.full(count, np.nan) for name in ("value", "mean", "lower_limit", "upper_limit")}
    flags = {name: np.zeros(count, dtype=bool) for name in FLAGS}
    figures["value"][:] = [np.nan if value is None else float(value) for value in exact]
    positions = pd.Series(np.arange(count))
    for _, rows in monthly.reset_index(drop=True).groupby(["provider_type", "measure"], sort=False):
        of_series = positions[rows.sort_values("month").index].tolist()
        shown = [i for i in of_series if exact[i] is not None]
        series = [value for i in shown if (value := exact[i]) is not None]
        around = control_charts.limits(series) if len(series) >= min_points else None
        if around is not None:
            for name, limit in (("mean", around.mean), ("lower_limit", around.lower), ("upper_limit", around.upper)):
                figures[name][of_series] = float(limit)
        for i, found in zip(shown, control_charts.signals(series, around), strict=True):
            for name in FLAGS:
                flags[name][i] = getattr(found, name)
    return pd.DataFrame({**{name: monthly[name].to_numpy() for name in KEYS}, **figures, **flags})
