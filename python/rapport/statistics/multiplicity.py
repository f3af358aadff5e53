"""Adjustment of P for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust P values by Holm's step-down method (R: ``p.adjust(method = "holm")``).

    Holm (1979), Scandinavian Journal of Statistics 6, 65–70.

    Args:
        p_values: any number of P values, in any order; none gives none.

    Returns:
        The adjusted P values in the given order.

    Raises:
        ValueError: a value is not in 0–1.
    """
    if not all(0.0 <= p <= 1.0 for p in p_values):
        raise ValueError(f"P values must lie between 0 and 1, got {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = reached
    return adjusted
