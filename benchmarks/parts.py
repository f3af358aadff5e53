"""What a part of the study adds to a build: ``python -m benchmarks.parts sensitivity --raw demo --pairs 7``.

Builds a copy of the project and one without the part's models by turns, without unit tests, and prints what either
took. Both copies lie in a temporary folder, without the repository, of which a build asks its revision; each has a
database of its own, which every build makes anew.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import Run, measure

ROOT: Final = Path(__file__).resolve().parents[1]
COPIED: Final = ("models", "macros", "seeds", "expectations", "studies", "python", "dbt_project.yml", "profiles.yml")
BUILD: Final = ("--quiet", "build", "--exclude-resource-type", "unit_test")


@dataclass(frozen=True)
class Part:
    """Models that belong together.

    Attributes:
        models: their names; nothing outside of the part reads them but audits and publication.
        environment: what turns the rest of the part off.
    """

    models: tuple[str, ...]
    environment: Mapping[str, str]


PARTS: Final = {
    "sensitivity": Part(
        (
            *("cohort_sessions", "sensitivity_rows", "variant_sums", "rater_classes", "baseline_item_sums"),
            *("provider_sums", "provider_totals", "sensitivity_fits", "sandwich_sums", "sensitivity_findings"),
            *("sensitivity_results", "alliance_trajectory", "provider_alliance_sums", "provider_funnel"),
            *("provider_alliance", "audit_providers", "gate_providers"),
        ),
        {},
    ),
    "service": Part(("service_monthly", "service_limits", "service_signals"), {"RAPPORT_MARTS": ""}),
}


def leave_out(project: Path, models: Sequence[str]) -> None:
    """Take models out of a copy of the project: files, suites, YAML, and where audits and publication name them.

    Raises:
        ValueError: a model is still named afterwards, by a model of the copy.
    """
    for name in models:
        for path in (*project.glob(f"models/**/{name}.*"), *project.glob(f"expectations/**/{name}.json")):
            path.unlink()
    named = "|".join(models)
    for path in project.glob("models/**/*.yml"):
        blocks = re.split(r"(?m)^(?=  - name: |[a-z_]+:$)", path.read_text(encoding="utf-8"))
        about = re.compile(rf"(?m)\A  - name: ({named})$|^    model: ({named})$")
        text = "".join(block for block in blocks if not about.search(block))
        text = re.sub(rf"(?m)^ +- ref\('({named})'\)\n", "", text)
        path.write_text(re.sub(r"(?m)^(unit_tests|models):\n+(?=\Z|[a-z])", "", text), encoding="utf-8")
    for path in project.glob("models/**/*.py"):
        text = path.read_text(encoding="utf-8")
        for variable in re.findall(rf'(?m)^    (\w+) = dbt\.ref\("(?:{named})"\)$', text):
            text = re.sub(rf"(?m)^    {variable} = dbt\.ref\(.*\n|^    \w+\.append\({variable}\)\n", "", text)
            text = re.sub(rf"\b{variable}, |, {variable}\b", "", text)
        path.write_text(text, encoding="utf-8")
    publish = project / "models/publish/publish.sql"
    text = re.sub(
        rf"(?m)^    ref\('({named})'\),\n|^-- depends_on: .*gate_providers.*\n", "", publish.read_text("utf-8")
    )
    publish.write_text(re.sub(r"(?m)^.*ref\('provider_alliance'\).*\n", "{%- do tables %}\n", text), encoding="utf-8")
    for path in (*project.glob("models/**/*.sql"), *project.glob("models/**/*.py")):
        left = re.search(rf"ref\(['\"]({named})['\"]\)", path.read_text(encoding="utf-8"))
        if left:
            raise ValueError(f"{path.relative_to(project)} still reads {left[1]}")
    settings = project / "dbt_project.yml"
    text = re.sub(rf"(?m)^ +({named}):\n +\+rebuilt_as: table\n", "", settings.read_text(encoding="utf-8"))
    settings.write_text(text, encoding="utf-8")


def build(project: Path, work: Path, environment: Mapping[str, str]) -> Run:
    """Build a project into a database of its own; dbt's parsed project is kept for the next time."""
    for path in work.glob("rapport.duckdb*"):
        path.unlink()
    work.mkdir(exist_ok=True)
    run = measure(
        [Path(sys.executable).with_name("dbt"), *BUILD, "--target-path", work / "target", "--log-path", work / "logs"],
        work / "output.txt",
        environment={
            **environment,
            **{"DBT_PROFILES_DIR": ".", "RAPPORT_DB": str(work / "rapport.duckdb")},
            "PYTHONPATH": str(project / "python"),
        },
        folder=project,
    )
    if run.failure:
        raise RuntimeError(f"{project}: {run.failure}\n{(work / 'output.txt').read_text(encoding='utf-8')}")
    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the pairs and print them, then the median of their differences."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--raw", type=Path, default=ROOT / "demo", help="the raw export (default: the demo)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--duckdb-memory", default="3GB")
    given = parser.parse_args(arguments)
    part = PARTS[given.part]
    environment = {"RAPPORT_RAW": str(given.raw.absolute()), "RAPPORT_MEMORY": given.duckdb_memory}
    with tempfile.TemporaryDirectory() as folder:
        copies = {side: Path(folder) / side for side in ("with", "without")}
        for project in copies.values():
            project.mkdir()
            for name in COPIED:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, project / name)
        leave_out(copies["without"], part.models)
        sides = {
            "with": (copies["with"], Path(folder) / "a", environment),
            "without": (copies["without"], Path(folder) / "b", {**environment, **part.environment}),
        }
        for project, work, settings in sides.values():  # so that dbt has parsed either
            build(project, work, {**settings, "RAPPORT_RAW": str(ROOT / "demo")})
        added, ratios = [], []
        for _ in range(given.pairs):
            walls = {side: build(*what).wall for side, what in sides.items()}
            added.append(walls["with"] - walls["without"])
            ratios.append(walls["with"] / walls["without"] - 1)
            print(
                *(f"{side} {wall:.2f} s" for side, wall in walls.items()), f"difference {added[-1]:.2f} s", flush=True
            )
    print(f"{given.part} adds {statistics.median(added):.2f} s, {100 * statistics.median(ratios):.0f}%", end=" ")
    print(f"(medians of {given.pairs}; {os.cpu_count()} cores)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
