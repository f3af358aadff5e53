"""Data contracts of both ends: the raw export that comes in and the marts that go out.

:mod:`.project` reads the dbt YAML, :mod:`.odcs` turns it into documents of the Open Data Contract Standard v3.1,
:mod:`.changes` compares two releases of the marts' contract, and :mod:`.check` judges a raw export by the project's own
audit, in a database that is thrown away.
"""

from rapport.contracts.changes import Change, Release, compare, release_advice
from rapport.contracts.check import CheckError, Finding, check_export
from rapport.contracts.odcs import contract_yaml, marts_contract, raw_contract
from rapport.contracts.project import ContractError, Project, read_project

__all__ = [
    "Change",
    "CheckError",
    "ContractError",
    "Finding",
    "Project",
    "Release",
    "check_export",
    "compare",
    "contract_yaml",
    "marts_contract",
    "raw_contract",
    "read_project",
    "release_advice",
]
