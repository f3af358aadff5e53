"""``python -m reproduction.twin --out FOLDER [--seed S]``: write the study's twin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reproduction.twin.build import DEFAULT_SEED, write_twin


def main() -> int:
    """Parse the arguments, write the export and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.twin", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    arguments = parser.parse_args()
    try:
        rows = write_twin(arguments.out, seed=arguments.seed, log=print)
    except ValueError as error:
        print(f"reproduction.twin: {error}", file=sys.stderr)
        return 2
    print(f"Synthetic twin in {arguments.out}: {sum(rows.values()):,} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
