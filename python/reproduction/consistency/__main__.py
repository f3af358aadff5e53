"""``python -m reproduction.consistency --out FILE``: write the seed ``recomputed_figures`` from ``printed_figures``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from reproduction.consistency.table import consistency_table

PRINTED_FIGURES = Path("seeds/printed_figures.csv")


def main() -> int:
    """Recompute, write the rows as CSV and say how many there are; exit code 2 if a figure is missing."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.consistency", description=__doc__)
    parser.add_argument("--printed-figures", type=Path, default=PRINTED_FIGURES, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    try:
        table = consistency_table(pd.read_csv(arguments.printed_figures))
    except (OSError, ValueError) as error:
        print(f"reproduction.consistency: {error}", file=sys.stderr)
        return 2
    table.to_csv(arguments.out, index=False, lineterminator="\n", encoding="utf-8")
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
    print(f"{arguments.out}: {len(table)} recomputations ({verdicts})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
