"""Build the twin: cohort, platform around it, part files and data card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reproduction.twin.cohort import build_cohort
from reproduction.twin.export import write
from reproduction.twin.platform import build_platform

DEFAULT_SEED = 1
MARKER = "_calibration.json"
"""The file by which a build knows that the printed figures are to be reproduced."""

CARD = """# Synthetic data, calibrated to published figures; no row describes a real person

This raw export is the *twin* of a published study of therapeutic alliance: its items, dates and visits were searched by
a program until the tables built from them print the figures that the study prints. So agreement with the study shows
that the pipeline computes what the paper describes, not that the finding replicates.

| | |
|---|---|
| seed | {seed} |
| written by | `python -m reproduction.twin --seed {seed} --out FOLDER` |
| marker | `{marker}`: with it in the folder, a build fails where a printed figure is no longer reproduced |

| table | rows, superseded deliveries included |
|---|---:|
{rows}
"""


def write_twin(
    folder: Path | str, seed: int = DEFAULT_SEED, log: Callable[[str], None] = lambda message: None
) -> dict[str, int]:
    """Write the four tables, the data card and the marker; returns the rows per table.

    The same seed and library versions give the same bytes.

    Raises:
        ValueError: the folder already holds files.
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        raise ValueError(f"{target} already holds files: name a new or empty folder")
    cohort_rng, platform_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    cohort = build_cohort(cohort_rng, log)
    rows = write(build_platform(cohort, platform_rng), target)
    listed = "\n".join(f"| {name} | {count:,} |" for name, count in rows.items())
    (target / "README.md").write_text(CARD.format(seed=seed, marker=MARKER, rows=listed), encoding="utf-8")
    marker = {"synthetic": True, "calibrated_to": "printed_figures", "seed": seed}
    (target / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")
    return rows
