"""The alliance by provider: means, shrunken means and the limits of a funnel plot.

The members of a provider are the participants who rated a session with them. Each has one score with the provider: the
sum of all their answered items there, divided by the number of those items. Providers are compared within their type
(therapists, coaches). :func:`provider_alliance` reads ``provider_alliance_sums`` and nothing else; sums, means and the
analysis of variance are exact fractions, and what is returned is rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import pandas as pd

from rapport.statistics.exact import root
from rapport.statistics.funnel import FUNNEL_LEVELS, funnel_limits, shrunken_mean
from rapport.statistics.means import intraclass_correlation
from rapport.sufficient import long_numbers, require_columns, require_known, whole_numbers

TABLE: Final = "provider_alliance"
"""The mart."""
PROVIDER_TYPES: Final = ("therapist", "coach")
KEYS: Final = ("provider_type", "provider_id")
LIMITS: Final = ("lower_95", "upper_95", "lower_998", "upper_998")
OF_TYPE: Final = ("type_mean", "icc", "sd_within")
FIGURES: Final = ("rated_sessions", "participants", "alliance_mean", "shrunken_mean", *OF_TYPE, *LIMITS)

UNNAMED: Final = "sessions that name no provider"
ONE_PROVIDER: Final = "only one provider"
ONE_EACH: Final = "every provider has one participant"
NO_VARIANCE: Final = "no variance within the providers"
NEGATIVE_ICC: Final = "the ICC is negative and taken as zero: the means differ no more than chance makes them"


@dataclass(frozen=True, slots=True)
class TypeOfProviders:
    """What the providers of one type have in common.

    Attributes:
        mean: mean of their participants' scores, ``None`` without a provider.
        icc: ICC(1), from 0 to 1; ``None`` where it cannot be computed.
        sd_within: standard deviation of scores around the mean of their provider; ``None`` without degrees of freedom.
        note: why there is no ICC, or that it was negative.
    """

    mean: Fraction | None = None
    icc: float | None = None
    sd_within: float | None = None
    note: str | None = None


def of_type(sizes: Sequence[int], means: Sequence[Fraction], within: Fraction) -> TypeOfProviders:
    """Return mean, ICC and deviation of the providers of a type.

    A one-way analysis of variance with groups of unequal size gives ICC(1) = (MSB − MSW) ÷ (MSB + (n₀ − 1) · MSW) with
    n₀ = (N − Σ n² ÷ N) ÷ (G − 1) (Shrout & Fleiss 1979, Psychological Bulletin 86, 420–428; Donner & Koval 1980,
    Biometrics 36, 19–25). Below 0 it is taken as 0. The mean is that of all scores, so a provider counts by the
    participants; the deviation is √MSW.

    Args:
        sizes: participants of each provider, at least 1.
        means: mean score of each.
        within: sum of squares of the scores around the means of their providers.
    """
    n, groups = sum(sizes), len(sizes)
    if not groups:
        return TypeOfProviders()
    mean = sum((size * each for size, each in zip(sizes, means, strict=True)), Fraction(0)) / n
    between = sum((size * (each - mean) ** 2 for size, each in zip(sizes, means, strict=True)), Fraction(0))
    sd_within = root(within / (n - groups)) if n > groups else None
    squares = within + sum((size * each**2 for size, each in zip(sizes, means, strict=True)), Fraction(0))
    found = intraclass_correlation(n, groups, sum(size * size for size in sizes), between, within, squares)
    if found.estimate is None:
        note = ONE_PROVIDER if groups < 2 else ONE_EACH if n == groups else NO_VARIANCE
        return TypeOfProviders(mean, None, sd_within, note)
    is_negative = found.estimate < 0.0
    return TypeOfProviders(mean, max(found.estimate, 0.0), sd_within, NEGATIVE_ICC if is_negative else None)


def figures_of(size: int, mean: Fraction, among: TypeOfProviders) -> dict[str, float | str | None]:
    """Return what is concluded of one provider: shrunken mean and limits, the figures of the type, and a note.

    Shrunken mean and limits are ``None`` where the type has no ICC; the note then says why.
    """
    found: dict[str, float | str | None] = dict.fromkeys(("shrunken_mean", *OF_TYPE, *LIMITS))
    centre = None if among.mean is None else float(among.mean)
    found |= {"type_mean": centre, "icc": among.icc, "sd_within": among.sd_within, "note": among.note}
    if centre is None or among.icc is None or among.sd_within is None:
        return found
    found["shrunken_mean"] = shrunken_mean(float(mean), size, centre, among.icc)
    for level, (low, high) in zip(FUNNEL_LEVELS, (LIMITS[:2], LIMITS[2:]), strict=True):
        found[low], found[high] = funnel_limits(centre, among.sd_within, size, level)
    return found


def provider_alliance(sums: pd.DataFrame) -> pd.DataFrame:
    """Return every provider with what is concluded of them.

    Sessions that name no provider have a row per type, with their mean and a note; they enter neither the mean of the
    type nor its ICC, because nobody knows how many providers they are of.

    Args:
        sums: columns ``provider_type``, ``provider_id`` (null = none is named), ``unit``, ``rated_sessions``,
            ``participants``, and, as text, ``alliance`` and ``alliance_squares``: sums of the scores and of their
            squares, in units of 1 ÷ ``unit`` of a point.

    Returns:
        Columns ``provider_type``, ``provider_id``, ``rated_sessions``, ``participants``, ``alliance_mean``,
        ``shrunken_mean``, ``type_mean``, ``icc``, ``sd_within``, ``lower_95``, ``upper_95``, ``lower_998``,
        ``upper_998`` and ``note``; rows and their order as in ``sums``. Means and limits in points of the alliance
        score.

    Raises:
        ValueError: a column is missing or holds something else, a type is unknown, a provider occurs twice in a type,
            or the squares of a provider are too small for their sum.
    """
    table = "provider_alliance_sums"
    require_columns(table, sums, (*KEYS, "unit", "rated_sessions", "participants", "alliance", "alliance_squares"))
    require_known(table, "provider_type", sums["provider_type"], PROVIDER_TYPES)
    if sums.duplicated(list(KEYS)).any():
        raise ValueError(f"{table}: two rows for one provider type and provider")
    units = whole_numbers(table, sums, "unit", 1)
    sessions = whole_numbers(table, sums, "rated_sessions", 1)
    sizes = whole_numbers(table, sums, "participants", 1)
    totals = long_numbers(table, sums, "alliance")
    squares = long_numbers(table, sums, "alliance_squares")
    means = [Fraction(total, unit * size) for total, unit, size in zip(totals, units, sizes, strict=True)]
    within = [
        Fraction(square, unit**2) - size * mean**2
        for square, unit, size, mean in zip(squares, units, sizes, means, strict=True)
    ]
    if any(each < 0 for each in within):
        raise ValueError(f"{table}: the squares of a provider are too small for their sum")
    is_named = sums["provider_id"].notna().to_numpy()
    kinds = sums["provider_type"].astype(object).to_numpy()
    found: list[dict[str, float | str | None]] = [{} for _ in sizes]
    for kind in PROVIDER_TYPES:
        rows = np.flatnonzero((kinds == kind) & is_named).tolist()
        among = of_type([sizes[i] for i in rows], [means[i] for i in rows], sum((within[i] for i in rows), Fraction(0)))
        for i in rows:
            found[i] = figures_of(sizes[i], means[i], among)
        for i in np.flatnonzero((kinds == kind) & ~is_named).tolist():
            found[i] = figures_of(sizes[i], means[i], TypeOfProviders(among.mean, note=UNNAMED))
    concluded = pd.DataFrame(found, columns=["shrunken_mean", *OF_TYPE, *LIMITS, "note"])
    result = pd.DataFrame(
        {
            **{name: sums[name].to_numpy() for name in KEYS},
            "rated_sessions": sessions,
            "participants": sizes,
            "alliance_mean": [float(mean) for mean in means],
            **{name: concluded[name].astype("float64") for name in concluded.columns if name != "note"},
        }
    )
    result["note"] = concluded["note"].astype(object).where(concluded["note"].notna(), None)
    return result
