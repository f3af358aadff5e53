"""The audit: judges raw rows, candidates and findings before anything is published.

:func:`run_suites` lets Great Expectations judge tables inside the warehouse, one verdict a rule; what is wrong with the
files themselves :mod:`rapport.reading` says, in verdicts of the same kind.
"""

from rapport.audit.raw import find_faults, judge_accepted, judge_raw, judge_rows
from rapport.audit.suites import SuiteError, load_suites, run_suites
from rapport.audit.verdict import Verdict, verdict_table

__all__ = [
    "SuiteError",
    "Verdict",
    "find_faults",
    "judge_accepted",
    "judge_raw",
    "judge_rows",
    "load_suites",
    "run_suites",
    "verdict_table",
]
