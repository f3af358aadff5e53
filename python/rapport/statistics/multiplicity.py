"""Adjustment of P for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust P values by Holm's step-down method (R: ``p.adjust(method = "holm")``).

    Args:
        p_values: any number of P values, in any order; none gives none.

    Returns:
        The adjusted P values in the given order.

    Raises:
        ValueError: a value is not in 0–1.
    """
    if not all(0.0 <= p <= 1.0 for p in p_values):
        raise ValueError(f"P values must lie between 0 and 1, got {list(p_values)}")
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests  # takes a second to load

    _, adjusted, _, _ = multipletests(list(p_values), method="holm")
    return [float(p) for p in adjusted]
