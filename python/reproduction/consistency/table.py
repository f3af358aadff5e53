"""Every rule applied to the printed figures: one row for each recomputation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from reproduction.consistency import descriptive, inferential, regression
from reproduction.consistency.check import GROUPS, INTERACTIONS, Check, compare, labels, state
from reproduction.consistency.figures import Figure, Figures

RESULT_COLUMNS = ("rule", "inputs", "recomputed", "printed", "verdict", "explanation")

# bound in the abstract -> the P values that it speaks of
BOUNDED_P = {
    "abs_alliance_null_ps": (
        "res_alliance_age_p",
        "res_alliance_country_p",
        "res_alliance_screen_p",
    ),
    "abs_moderation_ps": tuple(f"res_moderation_{term}_p" for term in INTERACTIONS),
}

# the same figure under two keys of the warehouse
SAME = (
    *((f"t1_alliance_median_{group}", f"res_alliance_median_{group}") for group in GROUPS),
    ("t1_alliance_median_total", "res_alliance_median"),
)

# statistics whose printed value is not rounded
COUNTED = ("n", "min", "max", "df", "df_residual", "participants")


def bounded_p_values(f: Figures) -> Iterator[Check]:
    """Bounds in the abstract such as "Ps > .07" against each P that they speak of."""
    for bound_id, ids in BOUNDED_P.items():
        bound = f[bound_id]
        for identity in ids:
            p = f[identity]
            yield compare(
                "bounded_p",
                (p,),
                p.value,
                p.interval,
                bound,
                f"The printed P = {p.printed}",
                note="as printed the smallest P equals the bound instead of exceeding it"
                if p.value == bound.value
                else "",
            )


def restated(f: Figures) -> Iterator[Check]:
    """The same figure printed at several places: each against the most precise one."""
    places: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
    for figure in f:
        if figure.figure_id not in BOUNDED_P and figure.target_table != "none":
            places[figure.key].append(figure)
    for one, other in SAME:
        places[f[one].key].append(f[other])
    for figures in places.values():
        best = max(figures, key=lambda x: (x.comparator == "=", x.decimals))
        counted = best.key[5] in COUNTED or best.target_table == "study_parameter"
        for figure in figures:
            if figure is best:
                continue
            cut = math.floor(best.value * 10**figure.decimals) / 10**figure.decimals
            open_ended = best.comparator != "="
            if open_ended:
                same = figure.comparator == best.comparator and figure.value == best.value
                yield state(
                    "restated",
                    (best,),
                    best.printed,
                    figure.label,
                    same,
                    "The same bound is printed at both places",
                    "Different bounds are printed for the same figure",
                )
                continue
            yield compare(
                "restated",
                (best,),
                best.value,
                best.exact if counted else best.interval,
                figure,
                f"The figure printed as {best.printed} elsewhere",
                exact=counted,
                fault="it is the figure cut off instead of rounded"
                if cut == figure.value and figure.decimals < best.decimals
                else "",
            )


CHECKS = (
    descriptive.percentages,
    descriptive.percentage_sums,
    descriptive.totals,
    descriptive.sample_sizes,
    descriptive.scales,
    descriptive.thresholds,
    descriptive.extremes_and_medians,
    descriptive.combined_moments,
    descriptive.distribution_bounds,
    descriptive.integer_means,
    descriptive.change_totals,
    descriptive.skew_direction,
    descriptive.days,
    inferential.rank_tests,
    inferential.group_tests,
    inferential.change_tests,
    regression.coefficients,
    regression.model_fit,
    regression.standardized,
    regression.through_means,
    bounded_p_values,
    restated,
)


def consistency_checks(figures: Figures) -> list[Check]:
    """Every check on the printed figures, in the order of ``CHECKS``.

    Raises:
        ValueError: a figure that a rule needs is missing or not a count where one is needed.
    """
    return [check for rule in CHECKS for check in rule(figures)]


def consistency_table(printed_figures: pd.DataFrame) -> pd.DataFrame:
    """What the printed figures say about each other, without any data.

    Args:
        printed_figures: The seed of that name: one row per printed number.

    Returns:
        One row per recomputation with the text columns ``rule``, ``inputs`` (figure ids with their
        printed strings), ``recomputed``, ``printed``, ``verdict`` and ``explanation``.

    Raises:
        ValueError: a column or a figure that a rule needs is missing.
    """
    rows = [
        (
            check.rule,
            labels(check.inputs),
            check.recomputed,
            check.printed,
            str(check.verdict),
            check.explanation,
        )
        for check in consistency_checks(Figures(printed_figures))
    ]
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
