"""The audit: judges part files, raw rows, candidates and findings before anything is published.

Two kinds of judge, one kind of verdict. :func:`check_files` looks at the part files themselves, and
:func:`run_suites` lets Great Expectations judge tables inside the warehouse. Both return one row a rule.
"""

from rapport.audit.files import check_files
from rapport.audit.part_files import list_part_files
from rapport.audit.raw import find_faults, judge_accepted, judge_raw
from rapport.audit.suites import SuiteError, load_suites, run_suites
from rapport.audit.verdict import Verdict, verdict_table

__all__ = [
    "SuiteError",
    "Verdict",
    "check_files",
    "find_faults",
    "judge_accepted",
    "judge_raw",
    "list_part_files",
    "load_suites",
    "run_suites",
    "verdict_table",
]
