"""Command line of the studies: ``python -m rapport.studies [NAME …]``.

Checks studies without building: the one that would be built, the named ones, or with ``--all`` every file of
``studies``. Exit codes: 0 all are right; 1 a study is wrong, and every fault has been said; 2 there is no such study,
or this is not the project's folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from rapport.messages import escape_lines
from rapport.project_vars import study_name
from rapport.studies.document import StudyError, one_of
from rapport.studies.load import FOLDER, load_study, study_names

GOOD, WRONG, IMPOSSIBLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; returns the exit code."""
    description = (__doc__ or "").split("\n\n", maxsplit=1)[1]
    parser = argparse.ArgumentParser(prog="python -m rapport.studies", description=description)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a file in studies/, without .yml")
    parser.add_argument("--all", action="store_true", help="check every study")
    options = parser.parse_args(arguments)
    project = Path("dbt_project.yml")
    if not project.is_file():
        print("rapport.studies: start it in the project's folder", file=sys.stderr)
        return IMPOSSIBLE
    known = study_names(Path())
    names = list(options.names) or known
    if not options.names and not options.all:
        declared = (yaml.safe_load(project.read_text(encoding="utf-8")) or {}).get("vars") or {}
        names = [study_name(declared, {})[0] or ""]
    if unknown := [name for name in names if name not in known]:
        print(
            escape_lines(f"rapport.studies: there is no study {', '.join(unknown)}; allowed is {one_of(known)}"),
            file=sys.stderr,
        )
        return IMPOSSIBLE
    code = GOOD
    for name in names:
        try:
            study = load_study(Path(), name)
        except StudyError as error:
            print(escape_lines(str(error)), file=sys.stderr)
            code = WRONG
        else:
            parts = {
                ("criterion", "criteria"): study.criteria,
                ("grouping", "groupings"): study.groupings,
                ("covariate", "covariates"): study.covariates,
                ("model", "models"): study.regressions,
                ("instrument", "instruments"): study.instruments,
            }
            counted = (f"{len(found)} {names[len(found) != 1]}" for names, found in parts.items())
            print(f"{FOLDER}/{name}.yml: {', '.join(counted)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
