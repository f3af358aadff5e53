"""Disclosure control: published tables without the figures from which a small count of people could be told."""

from rapport.disclosure.counts import Count, CountSystem, DisclosureError, Population, count
from rapport.disclosure.rules import CountTable, Figure, Reading, Rule, Share
from rapport.disclosure.study import POPULATIONS, RULES
from rapport.disclosure.suppress import SUPPRESSED, SUPPRESSED_COLUMNS, Verdict, disclose, judge

__all__ = [
    "POPULATIONS",
    "RULES",
    "SUPPRESSED",
    "SUPPRESSED_COLUMNS",
    "Count",
    "CountSystem",
    "CountTable",
    "DisclosureError",
    "Figure",
    "Population",
    "Reading",
    "Rule",
    "Share",
    "Verdict",
    "count",
    "disclose",
    "judge",
]
