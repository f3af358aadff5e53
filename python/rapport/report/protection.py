"""The page's door to disclosure control."""

from __future__ import annotations

from collections.abc import Mapping

from rapport.report.published import Row, Tables

# Columns that count people, by table; every figure of the row belongs to them.
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "marts.eligibility_flow": ("participants", "excluded", "quarantined"),
    "marts.exclusion_reasons": ("participants",),
    "marts.alliance_distribution": ("participants",),
    "marts.wellbeing_transitions": ("participants",),
    "marts.inference_results": ("n",),
    "marts.model_fit": ("n",),
    "marts.alliance_slopes": ("n",),
    "ops.findings_history": ("n",),
}
# Columns that name a row and are no figures.
_LABELS = frozenset(
    {
        *("step", "criterion", "reason", "variable", "level", "utilization_type", "statistic", "analysis", "term", "terms"),
        *("score_from", "score_to", "baseline_from", "baseline_to", "followup_from", "followup_to", "method"),
        *("estimate_name", "statistic_name", "effect_size_name", "position", "build_number", "published_at", "figure_id"),
        *("section", "quote", "printed", "printed_value"),
    }
)


def protect(tables: Tables, min_cell: int) -> tuple[Tables, dict[tuple[str, int], frozenset[str]]]:
    """Take away the figures that tell of fewer than ``min_cell`` people, and what would give them back.

    A simple rule on the safe side: where a table holds one small count, all its figures go.

    Returns:
        The tables, and by table and position of a row the columns whose figures are gone.
    """
    shown = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    hidden: dict[tuple[str, int], frozenset[str]] = {}

    def hide(name: str) -> None:
        for i, row in enumerate(shown[name]):
            gone = frozenset(column for column in row if column not in _LABELS)
            row.update(dict.fromkeys(gone))
            hidden[name, i] = gone

    for name, columns in _COUNTS.items():
        if any(_is_small(row[column], min_cell) for row in tables[name] for column in columns):
            hide(name)
    if any(_is_small(row["value"], min_cell) for row in tables["marts.table_1"] if row["statistic"] == "n"):
        hide("marts.table_1")
    if any(name in ("marts.table_1", "marts.inference_results") for name, _ in hidden):
        hide("marts.reproduction")
    return shown, hidden


def _is_small(value: object, min_cell: int) -> bool:
    return isinstance(value, int | float) and 0 < value < min_cell


__all__ = ["Row", "protect"]
