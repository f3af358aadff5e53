"""Releases of other days: what may be said of them beside each other.

Two sets of figures that differ by one person tell about that person. How many people were added, removed or changed
between two builds is nowhere on record; ``ops.findings_history`` bounds it from below, by how far the numbers of its
groups are apart. Below ``min_cell``, or where a build is not on record, nothing is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from rapport.disclosure import SUPPRESSED, SUPPRESSED_COLUMNS
from rapport.disclosure.rules import number_of
from rapport.studies import Study
from rapport.study import UTILIZATION_TYPES

_MEDIANS: Final = "alliance_group_medians"
TOTAL: Final = (_MEDIANS, "total")


def groups_of(study: Study) -> list[tuple[tuple[str, str], ...]]:
    """Return groups of ``ops.findings_history`` that share nobody; with the rest each set is the whole cohort."""
    found = [tuple((_MEDIANS, level.term) for level in one.levels) for one in study.groupings]
    return [*found, tuple(("wellbeing_change_group_means", name) for name in UTILIZATION_TYPES)]


QUANTITIES: Final[Mapping[str, str]] = {
    "everyone": "Participants in the export",
    "cohort": "Participants of the cohort",
    "positive": "Screened positive",
    "sample": "In the regressions",
}

COLUMNS: Final = ("build_number", "build_id", "published_at", "quantity", "participants", "is_compared", "note")
TYPES: Final[Mapping[str, str]] = {
    **{"build_number": "bigint", "build_id": "varchar", "published_at": "timestamp", "quantity": "varchar"},
    **{"participants": "bigint", "is_compared": "boolean", "note": "varchar"},
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier release says of itself: its manifest, and its counts by quantity."""

    manifest: Mapping[str, Any]
    counts: Mapping[str, int | None]


def people_apart(study: Study, findings: pd.DataFrame, one: str, other: str) -> int | None:
    """Return how many people, at least, were added, removed or changed between two builds.

    In each set of groups that share nobody, whoever was added or moved raises one number, and whoever was removed or
    moved lowers one; the larger of the two sums is a lower bound.

    Args:
        study: whose groups are counted.
        findings: ``ops.findings_history``; columns build_id, analysis, term, n.
        one: id of a build.
        other: id of the other.

    Returns:
        The bound; ``None`` if either build is not on record.
    """
    sizes = [_sizes(findings, build) for build in (one, other)]
    if any(TOTAL not in found for found in sizes):
        return None
    first, second = sizes
    bounds = []
    for groups in groups_of(study):
        if any(group not in found for group in groups for found in sizes):
            return None
        changes = [second[group] - first[group] for group in groups]
        changes.append(second[TOTAL] - first[TOTAL] - sum(changes))
        bounds.append(max(sum(c for c in changes if c > 0), -sum(c for c in changes if c < 0)))
    return max(bounds)


def _sizes(findings: pd.DataFrame, build: str) -> dict[tuple[str, str], int]:
    if findings.empty:
        return {}
    rows = findings[findings["build_id"] == build]
    return {
        (str(analysis), str(term)): int(n)
        for analysis, term, n in zip(rows["analysis"], rows["term"], rows["n"], strict=True)
        if number_of(n) is not None
    }


def counts_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, int | None]:
    """Return the counts of a release that the history shows; ``None`` for one that is withheld."""
    flow = tables["eligibility_flow"].set_index("criterion")["participants"]
    table_1 = tables["table_1"]
    total = table_1[(table_1["utilization_type"] == "total") & (table_1["statistic"] == "n")].set_index("variable")
    results, fit = tables["inference_results"], tables["model_fit"]
    found = {
        "everyone": flow["all"],
        "cohort": total["value"]["participants"],
        "positive": results.loc[results["analysis"] == "wellbeing_change", "n"].iloc[0],
        "sample": fit["n"].iloc[0],
    }
    numbers = {name: number_of(value) for name, value in found.items()}
    return {name: None if value is None else round(value) for name, value in numbers.items()}


def history(
    earlier: Iterable[Earlier], apart: Mapping[str, int | None], min_cell: int, *, is_synthetic: bool
) -> pd.DataFrame:
    """Return the history of a release: the rounded counts of earlier ones, newest first, where they may be compared.

    Releases of data of the other kind, real or synthetic, are left out.

    Args:
        earlier: the releases.
        apart: of each by its build, how many people at least are between it and the new one (:func:`people_apart`).
        min_cell: below so many nothing is compared.
        is_synthetic: whether the new release is of invented people.
    """
    rows: list[dict[str, object]] = []
    for release in sorted(earlier, key=lambda one: str(one.manifest["build"]["published_at"]), reverse=True):
        if (release.manifest["data"] == "synthetic") is not is_synthetic:
            continue
        build = release.manifest["build"]
        between = apart[str(build["build_id"])]
        note = None
        if between is None:
            note = "not compared: its figures are not in the history of this warehouse"
        elif between < min_cell:
            note = f"not compared: fewer than {min_cell} people are known to have been added, removed or changed since"
        for quantity in QUANTITIES:
            is_hidden = note is not None
            rows.append(
                {
                    "build_number": build["build_number"],
                    "build_id": build["build_id"],
                    "published_at": pd.Timestamp(str(build["published_at"]).removesuffix("Z")),
                    "quantity": quantity,
                    "participants": release.counts[quantity] if is_synthetic or not is_hidden else None,
                    "is_compared": not is_hidden,
                    "note": note,
                    SUPPRESSED: is_hidden,
                    SUPPRESSED_COLUMNS: "participants" if is_hidden else None,
                }
            )
    frame = pd.DataFrame(rows, columns=[*COLUMNS, SUPPRESSED, SUPPRESSED_COLUMNS])
    return frame.astype({"participants": "Int64", SUPPRESSED: bool})
