"""dbt under a profiler: ``python -m benchmarks.profile_build OUT.json build …``.

dbt runs its nodes in a worker thread, which dbt's own ``--record-timing-info`` does not see; here the worker is what is
profiled, and the main thread, which waits for it, is not.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

Function = tuple[str, int, str]

DUCKDB: Final = "DuckDB and the thin layers that call it"
"""One entry: the profiler does not see a call into DuckDB, so its time is that of the function that calls."""
IMPORTS: Final = "importing modules"
BUILT_IN: Final = "Python's own functions"


def where(function: Function) -> str:
    """Return the package that a profiled function belongs to; ``BUILT_IN`` if only its caller can tell."""
    file, _, name = function
    if "duckdb" in file.rpartition("site-packages")[2]:
        return DUCKDB
    if name == "<module>" or "importlib" in file:
        return IMPORTS
    if file.startswith(("~", "<")):
        return BUILT_IN
    parts = Path(file).parts
    if "site-packages" in parts:
        package = parts[parts.index("site-packages") + 1]
        inner = parts[parts.index("site-packages") + 2 :]
        # dbt and its adapters are one folder.
        return f"{package}.{inner[0]}" if package == "dbt" and inner[0] == "adapters" else package.removesuffix(".py")
    return "rapport" if "rapport" in parts else "Python's library"


def own_seconds(stats: Mapping[Function, tuple[Any, ...]]) -> dict[str, float]:
    """Return the own time per package, largest first; a function of Python itself counts for who called it.

    Args:
        stats: ``pstats.Stats.stats``: calls, calls, own time, cumulated time, callers.
    """
    seconds: dict[str, float] = defaultdict(float)
    for function, (_, _, own, _, callers) in stats.items():
        package = where(function)
        if package != BUILT_IN or not callers:
            seconds[package] += own
            continue
        for caller, (_, _, part, _) in callers.items():
            seconds[where(caller)] += part
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def main(arguments: list[str]) -> int:
    """Run dbt with the arguments after the first, and write the own seconds to the file that the first one names."""
    from dbt.cli.main import dbtRunner
    from dbt.task.runnable import GraphRunnableTask

    profile = cProfile.Profile()
    call_runner = GraphRunnableTask.call_runner

    def profiled(self: Any, runner: Any) -> Any:
        return profile.runcall(call_runner, self, runner)

    GraphRunnableTask.call_runner = profiled  # type: ignore[method-assign]
    out, *command = arguments
    success = dbtRunner().invoke(command).success
    stats: Mapping[Function, tuple[Any, ...]] = vars(pstats.Stats(profile))["stats"]
    seconds = {package: round(own, 3) for package, own in own_seconds(stats).items()}
    Path(out).write_text(json.dumps(seconds, indent=1), encoding="utf-8")
    return 0 if success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
