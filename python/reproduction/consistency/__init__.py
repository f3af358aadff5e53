"""Consistency of the printed figures with one another: recomputation without data.

``figures`` reads printed numbers as intervals, ``rules`` holds the formulas, ``table`` applies
them to the seed ``printed_figures``.
"""

from reproduction.consistency.figures import Figure, Figures, Interval, Verdict, judge
from reproduction.consistency.table import consistency_table

__all__ = ["Figure", "Figures", "Interval", "Verdict", "consistency_table", "judge"]
