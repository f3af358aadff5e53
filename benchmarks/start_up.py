"""Where a build of few people spends its time: ``python -X importtime -m benchmarks.start_up OUT.json build …``."""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("dbt", "great_expectations", "scipy", "statsmodels", "pandas", "pyarrow")
OTHER: Final = "other"
_LINE: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| (\s*)(\S+)")


def import_seconds(text: str) -> dict[str, float]:
    """Return the seconds that importing took by package, from what ``-X importtime`` printed.

    A module counts for the outermost of ``PACKAGES`` that asked for it, so what Great Expectations needs is its own,
    and for ``other`` if none did.
    """
    seconds: dict[str, float] = dict.fromkeys((*PACKAGES, OTHER), 0.0)
    asking: list[str] = []
    # A module stands below all that it imports, one step to the left: read backwards, whoever asks comes first.
    for own, indent, module in reversed(_LINE.findall(text)):
        depth = len(indent) // 2
        del asking[depth:]
        asking.append(module.partition(".")[0])
        seconds[next((package for package in asking if package in PACKAGES), OTHER)] += int(own) / 1e6
    return {package: round(value, 3) for package, value in seconds.items()}


def start_up_profile(
    imports: Mapping[str, float], inside: Mapping[str, float], results: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what one build says about itself.

    Args:
        imports: see ``import_seconds``.
        inside: what ``main`` wrote.
        results: dbt's ``run_results.json``.
    """
    nodes: dict[str, int] = defaultdict(int)
    for result in results["results"]:
        nodes[result["unique_id"].partition(".")[0]] += 1
    return {**inside, "imports": dict(imports), "nodes": dict(nodes)}


def main(arguments: list[str]) -> int:
    """Run dbt with the arguments after the first, and write its CPU seconds to the file that the first one names."""
    collecting = {"since": 0.0, "seconds": 0.0}

    def watch(phase: str, _: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            collecting["since"] = now
        else:
            collecting["seconds"] += now - collecting["since"]

    gc.callbacks.append(watch)
    from dbt.cli.main import dbtRunner

    out, *command = arguments
    success = dbtRunner().invoke(command).success
    gc.callbacks.remove(watch)
    seconds = {"cpu": round(time.process_time(), 2), "collecting": round(collecting["seconds"], 2)}
    Path(out).write_text(json.dumps(seconds), encoding="utf-8")
    return 0 if success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
