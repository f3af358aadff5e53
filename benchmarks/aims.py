"""What a build may cost, and whether it keeps to it.

The figures of ``before.json`` are those of a design that copied rows and refreshed in part, measured on the machine and
with the memory that its results file names; its builds ran under no memory limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measured import Record, Size, median, table

BEFORE: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("before.json").read_text(encoding="utf-8"))
MILLION: Final = 1_000_000
TEN_MILLION: Final = 10_000_000


@dataclass(frozen=True)
class Aim:
    """One figure and the bound that it is to keep.

    Attributes:
        name: what is measured.
        bound: the aim.
        at_most: whether the figure has to be ``bound`` or less; else it has to be ``bound`` or more.
        measured: the figure; null if it was not measured.
        strict: whether the bound itself is no longer good.
        before: the same figure of ``before.json``.
        digits: decimals to show.
        at_least: the figure is only known to be larger than ``measured``, because a contender did not finish.
    """

    name: str
    bound: float
    at_most: bool
    measured: float | None
    strict: bool = False
    before: float | None = None
    digits: int = 2
    at_least: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is met; null if nothing was measured, or if the figure is only known to be larger."""
        if self.measured is None:
            return None
        if self.measured == self.bound:
            return not self.strict
        met = self.measured < self.bound if self.at_most else self.measured > self.bound
        return None if self.at_least and not met else met


def aims(sizes: Sequence[Size]) -> list[Aim]:
    """Return the aims with what was measured; figures that no size depends on come from the newest run.

    Args:
        sizes: what was measured, each size once.
    """
    by_size = {size.participants: size for size in sizes}
    found = [
        Aim(
            f"(build − start-up) ÷ floor, {words}",
            bound,
            True,
            by_size[participants].beyond_start_up() if participants in by_size else None,
            before=BEFORE["beyond_start_up"][str(participants)],
        )
        for participants, words, bound in ((MILLION, "1 million", 1.8), (TEN_MILLION, "10 million", 1.5))
    ]
    peaks = by_size[TEN_MILLION].figures("build", "peak_bytes") if TEN_MILLION in by_size else []
    found.append(
        Aim(
            "peak memory of a build, 10 million, GiB",
            4.0,
            True,
            max(peaks) / 2**30 if peaks else None,
            before=BEFORE["peak_gib"][str(TEN_MILLION)],
        )
    )
    for participants, before in BEFORE["refresh_seconds"].items():
        size = by_size.get(int(participants))
        found.append(
            Aim(
                f"nightly refresh, a whole build, {_words(int(participants))}, s",
                before,
                True,
                None if size is None else median(size.figures("refresh", "wall")),
                strict=True,
                before=before,
            )
        )
    for participants, bounds in ((MILLION, (1.0, 1.0)), (TEN_MILLION, (3.0, 1.0))):
        for contenders, bound in zip((("pandas",), ("polars", "streaming")), bounds, strict=True):
            found.append(_ahead(by_size.get(participants), participants, contenders, bound))
    newest = max((size.results for size in sizes), key=lambda results: str(results["started"]), default={})
    return [*found, *_start_up(newest), *_project(newest)]


def _words(participants: int) -> str:
    return f"{participants // MILLION} million" if participants >= MILLION else f"{participants // 1000} thousand"


def _ahead(size: Size | None, participants: int, contenders: Sequence[str], bound: float) -> Aim:
    """How many times as long another program takes as a build, start-up included; of several engines the fastest."""
    measured, at_least = None, False
    if size is not None:
        ratios = (median(size.ratios(contender, "build")) for contender in contenders)
        measured = min((ratio for ratio in ratios if ratio is not None), default=None)
        build = median(size.figures("build", "wall"))
        ended = [seconds for name in contenders if (seconds := size.did_not_finish_after(name)) is not None]
        if measured is None and build is not None and ended:
            measured, at_least = min(ended) / build, True
    before = BEFORE[f"times_{contenders[0]}"].get(str(participants))
    return Aim(
        f"{contenders[0]} ÷ build, {_words(participants)}",
        bound,
        False,
        measured,
        strict=bound == 1.0,
        before=before,
        at_least=at_least,
    )


def _start_up(results: Record) -> list[Aim]:
    runs: dict[str, dict[int, float]] = {"twin": {}, "empty": {}}
    for run in results.get("start_up", {}).get("runs", []):
        if run["contender"] in runs and run["failure"] is None:
            runs[run["contender"]][run["repeat"]] = float(run["wall"])
    twin, empty = runs["twin"], runs["empty"]
    ratios = [twin[repeat] / empty[repeat] for repeat in twin if repeat in empty]
    before = BEFORE["twin_seconds"]
    return [
        Aim("`dbt build` of the twin without unit tests, s", 8.0, True, median(twin.values()), before=before, digits=1),
        Aim("the same ÷ `dbt build` of a project of one model", 3.0, True, median(ratios)),
    ]


def _project(results: Record) -> list[Aim]:
    counted = results.get("project", {})
    bounds = {
        "models": ("models", 60),
        "longest_chain": ("longest chain of models", 20),
        "lines": ("lines of SQL, Jinja and YAML in models and macros", 5000),
    }
    return [
        Aim(name, bound, True, counted.get(key), before=BEFORE["project"][key], digits=0)
        for key, (name, bound) in bounds.items()
    ]


def aims_table(found: Sequence[Aim]) -> str:
    """Return the aims as a Markdown table."""
    rows = []
    for aim in found:
        sign = ("<" if aim.strict else "≤") if aim.at_most else (">" if aim.strict else "≥")
        measured = "" if aim.measured is None else f"{'> ' if aim.at_least else ''}{aim.measured:,.{aim.digits}f}"
        unknown = "not measured" if aim.measured is None else "not known"
        verdict = {None: unknown, True: "yes", False: "**no**"}[aim.is_met]
        rows.append(
            [
                aim.name,
                "" if aim.before is None else f"{aim.before:,.{aim.digits}f}",
                f"{sign} {aim.bound:,.{0 if aim.bound == int(aim.bound) and aim.bound >= 60 else aim.digits}f}",
                measured,
                verdict,
            ]
        )
    return table(["median", f"before (`{BEFORE['revision']}`)", "aim", "measured", "met"], rows, left=1)
