"""Disclosure control: published tables without the figures from which a small count of people could be told.

:func:`disclose` is the whole of it. Every table has a *rule* that says of each figure which counts it gives away. All
counts of all tables form one system (:class:`CountSystem`): sums, parts, complements, nobody counted twice. Counts of
1 … ``min_cell`` − 1, printed or only implied, are *small*. From the system follows between which numbers a small count
must lie given all that stays; further counts are withheld, as few figures as possible, until ``min_cell`` or more is
possible and the interval is at least ``min_cell`` − 1 wide. A figure goes when a count that it gives is withheld, or
when a group that it describes is small. What no rule covers is refused.

To publish another table of counts, say in :mod:`rapport.disclosure.study` whom its rows count::

    populations(study)["cohort"]: add the attribute  "score_bin": None   # None: its levels are those of the table

    rules(study)["alliance_distribution"]: CountTable(
        population="cohort",
        dimensions={
            # what each value of the column stands for; {} is everyone
            "utilization_type": {"total": {}, **{name: {"utilization_type": name} for name in UTILIZATION_TYPES}},
            # or the name of an attribute: each value is a level of it
            "score_bin": "score_bin",
        },
        counts={"participants": {}},
        shares={"percent": Share("participants", per=("utilization_type",))},
    )

A table with several counts in a row gives each its own condition, on the attributes that other tables use, so that
all are judged together; a 2 × 2 table of cut-offs is::

    counts={
        "rose": {"baseline": "positive", "followup": "negative"},
        "fell": {"baseline": "negative", "followup": "positive"},
        ...
    }

Attributes partition their population: everybody is in exactly one level. A combination without a row counts as a
known 0 (``absent_is_zero``). Columns that describe the people of a row (``about``) go with its counts. A table with
figures of another kind needs a rule of its own, a class with ``labels``, ``figures`` and ``read`` (:class:`Rule`).
Then add the table to the tests, whose attacker is independent of this package.
"""

from rapport.disclosure.counts import Count, CountSystem, DisclosureError, Population, count
from rapport.disclosure.rules import CountTable, Figure, Reading, Rule, Share
from rapport.disclosure.solver import quiet_solver
from rapport.disclosure.study import TABLES, populations, rules, tables_of
from rapport.disclosure.suppress import SUPPRESSED, SUPPRESSED_COLUMNS, Verdict, disclose, judge

__all__ = [
    "SUPPRESSED",
    "SUPPRESSED_COLUMNS",
    "TABLES",
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
    "populations",
    "quiet_solver",
    "rules",
    "tables_of",
]
