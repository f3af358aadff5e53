"""Results files as figures: medians and ratios within one run."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"

Record = Mapping[str, Any]


class Size:
    """The measurements of one size, and the run that they come from."""

    def __init__(self, results: Record, record: Record) -> None:
        """Keep the good runs by contender and repeat."""
        self.results = results
        self.record = record
        self.participants = int(record["participants"])
        self.runs: dict[str, dict[int, Record]] = defaultdict(dict)
        for run in record["runs"]:
            if run["failure"] is None:
                self.runs[run["contender"]][run["repeat"]] = run

    @property
    def name(self) -> str:
        """The number of participants in words."""
        for unit, word in ((1_000_000, "million"), (1_000, "thousand")):
            if self.participants >= unit and self.participants % unit == 0:
                return f"{self.participants // unit} {word}"
        return f"{self.participants:,}"

    def start_up(self, contender: str, figure: str = "wall") -> float | None:
        """Median figure of what is measured once for all sizes."""
        runs = [run for run in self.results["start_up"].get("runs", []) if run["contender"] == contender]
        return median(run[figure] for run in runs if run["failure"] is None)

    def figures(self, contender: str, figure: str) -> list[float]:
        """A figure of every good run of a contender."""
        return [float(run[figure]) for run in self.runs[contender].values()]

    def ratios(self, contender: str, other: str, less: float = 0.0) -> list[float]:
        """Wall time of a contender, less so many seconds, over that of another one, repeat by repeat."""
        ours, theirs = self.runs[contender], self.runs[other]
        return [(ours[repeat]["wall"] - less) / theirs[repeat]["wall"] for repeat in ours if repeat in theirs]

    def failure(self, contender: str) -> str | None:
        """Why a contender has no figures, if that is known: the failure of its attempt here or at a smaller size."""
        for run in self.record["runs"]:
            if run["contender"] == contender and run["failure"] is not None:
                return str(run["failure"])
        reason = self.record.get("lost", {}).get(contender)
        return None if reason is None else str(reason)

    def did_not_finish_after(self, contender: str) -> float | None:
        """Seconds after which a contender was ended, here or at a smaller size; null if it was not."""
        found = re.search(r"took more than (\d+) s$", self.failure(contender) or "")
        return float(found[1]) if found else None

    def beyond_start_up(self) -> float | None:
        """Median of a build's wall time less that of a build of hardly anybody, over the floor's."""
        start_up = self.start_up("start-up")
        return None if start_up is None else median(self.ratios("build", "floor", less=start_up))

    def folder_seconds(self, contender: str) -> dict[str, float]:
        """Median seconds per folder of models and kind of test, largest first."""
        seconds: dict[str, float] = defaultdict(float)
        for node in self.record["nodes"].get(contender, []):
            seconds[node["folder"]] += node["seconds"]
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def median(values: Iterable[float]) -> float | None:
    """Return the median; null of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def newest_sizes(files: Iterable[Path]) -> list[Size]:
    """Return for each size the measurements of the file that was started last, smallest size first.

    Files without ``memory_limit`` are of another benchmark, whose builds ran under no limit, and are left out.
    """
    sizes: dict[int, Size] = {}
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    for results in sorted(loaded, key=lambda results: str(results["started"])):
        for record in results["sizes"] if "memory_limit" in results else ():
            sizes[int(record["participants"])] = Size(results, record)
    return [sizes[participants] for participants in sorted(sizes)]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """Return a Markdown table whose first ``left`` columns are text and the others figures."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
