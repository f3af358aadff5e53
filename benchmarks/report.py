"""Write the measurements into docs/performance.md: ``python -m benchmarks.report``.

Figures of one size come from one results file, the newest that has the size, because ratios hold only within a run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.aims import BEFORE, aims, aims_table
from benchmarks.measured import RESULTS, ROOT, Record, Size, median, newest_sizes, table

PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- measured: from here to the end of the measurements, written by `make benchmark` -->"
END: Final = "<!-- end of the measurements -->"
SLOWEST: Final = 10
OTHERS: Final = "all others"

LABELS: Final[Mapping[str, str]] = {
    "floor": "floor: one DuckDB query",
    "build": "`dbt build` without unit tests",
    "refresh": "the same after one more delivery",
    "polars": "polars + scipy + statsmodels",
    "streaming": "the same, polars' streaming engine",
    "pandas": "pandas + scipy + statsmodels",
}
STYLES: Final[Mapping[str, tuple[str, str]]] = {
    "floor": ("#000000", "o"),
    "build": ("#0072B2", "s"),
    "refresh": ("#009E73", "D"),
    "polars": ("#E69F00", "v"),
    "streaming": ("#CC79A7", "P"),
    "pandas": ("#D55E00", "X"),
}
"""Colours of Okabe and Ito; the markers tell them apart in grey."""


def page(sizes: Sequence[Size], plot: str) -> str:
    """Return the measurements as Markdown.

    Args:
        sizes: what was measured, smallest first.
        plot: the picture's path as the page sees it.
    """
    parts = [
        *(_machine(results) for results in _distinct(sizes)),
        f"![Seconds by number of participants, both on logarithmic scales, a line per contender]({plot})",
        "### Aims\n\n" + aims_table(aims(sizes)),
        "### Beside the floor\n\n" + _contenders(sizes),
        "### Ratios\n\n" + _ratios(sizes),
        "### Start-up\n\n" + _start_up(sizes[-1]),
        "### Where the time of a build goes\n\n" + _folders(sizes),
        f"### The {SLOWEST} slowest nodes of a build\n\n" + "\n\n".join(map(_slowest, sizes)),
    ]
    if any(size.record.get("profile") for size in sizes):
        parts.append("### Inside the nodes of a build\n\n" + _profile(sizes))
    return "\n\n".join(parts)


def _distinct(sizes: Sequence[Size]) -> list[tuple[Record, list[str]]]:
    runs: dict[int, tuple[Record, list[str]]] = {}
    for size in sizes:
        runs.setdefault(id(size.results), (size.results, []))[1].append(size.name)
    return list(runs.values())


def _machine(run: tuple[Record, list[str]]) -> str:
    results, names = run
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        f"Measured on {str(results['started'])[:10]} ({', '.join(names)} participants) at revision"
        f" `{results['revision']}`: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}, Python {machine['python']},"
        f" load {machine['load_before']:.1f} before the first run, {results['repeats']} repeats, DuckDB's memory"
        f" limit in builds and in the floor {results['memory_limit'] or 'as each sets it itself'}. {versions}."
    )


def _contenders(sizes: Sequence[Size]) -> str:
    rows = []
    for size in sizes:
        for contender, label in LABELS.items():
            wall = size.figures(contender, "wall")
            if not wall:
                reason = size.failure(contender)
                if reason is not None:
                    rows.append([size.name, label, _omitted(reason), *[""] * 6])
                continue
            floor = size.figures("floor", "wall")
            ratios = size.ratios(contender, "floor")
            rows.append(
                [
                    size.name,
                    label,
                    f"{min(wall):.2f}",
                    f"{statistics.median(wall):.2f}",
                    f"{min(wall) / min(floor):.2f}" if floor else "",
                    f"{statistics.median(ratios):.2f}" if ratios else "",
                    f"{statistics.median(size.figures(contender, 'cpu')):.1f}",
                    f"{max(size.figures(contender, 'peak_bytes')) / 2**20:,.0f}",
                    f"{statistics.median(size.figures(contender, 'written_bytes')) / 2**20:,.0f}",
                ]
            )
    return table(
        [
            "participants",
            "contender",
            "s, minimum",
            "s, median",
            "× floor, minima",
            "× floor, median",
            "CPU s",
            "peak MiB",
            "written MiB",
        ],
        rows,
        left=2,
    )


def _omitted(reason: str) -> str:
    """Say why a contender has no figures: it took too much of the machine, or it failed."""
    return f"{'did not finish' if 'took more than' in reason else 'omitted'}: {reason}"


def _ratios(sizes: Sequence[Size]) -> str:
    def each(value: Any) -> list[str]:
        return ["" if (found := value(size)) is None else f"{found:.2f}" for size in sizes]

    def of(contender: str, other: str) -> list[str]:
        return each(lambda size: median(size.ratios(contender, other)))

    def peak(size: Size) -> float | None:
        return max(size.figures("build", "peak_bytes"), default=0) / 2**30 or None

    rows = [
        ["build ÷ floor", *of("build", "floor")],
        ["(build − start-up) ÷ floor", *each(Size.beyond_start_up)],
        ["refresh ÷ build", *of("refresh", "build")],
        ["pandas ÷ build", *of("pandas", "build")],
        ["polars ÷ build", *of("polars", "build")],
        ["polars, streaming ÷ build", *of("streaming", "build")],
        ["peak memory of a build, GiB", *each(peak)],
        ["inference in a build, s", *each(lambda size: size.folder_seconds("build").get("inference"))],
    ]
    return table(["median", *(size.name for size in sizes)], rows, left=1)


def _start_up(size: Size) -> str:
    start_up = size.results["start_up"]
    labels = {
        "imports": "an interpreter that imports dbt",
        "empty": "`dbt build` of a project of one model",
        "start-up": f"`dbt build` of {start_up['participants']} participants without unit tests",
        "twin": "`dbt build` of the twin without unit tests",
    }
    rows = []
    for contender, label in labels.items():
        wall = [run["wall"] for run in start_up["runs"] if run["contender"] == contender and run["failure"] is None]
        cpu = size.start_up(contender, "cpu")
        if wall and cpu is not None:
            rows.append([label, f"{min(wall):.2f}", f"{statistics.median(wall):.2f}", f"{cpu:.1f}"])
    return table(["", "s, minimum", "s, median", "CPU s"], rows, left=1) + _start_up_profile(start_up.get("profile"))


def _start_up_profile(profile: Record | None) -> str:
    """Where the twin's seconds go, beside those of ``before.json``; nothing if that was not measured."""
    if not profile:
        return ""
    both = (BEFORE["start_up"], profile)
    packages = sorted(profile["imports"], key=lambda package: -BEFORE["start_up"]["imports"].get(package, 0.0))
    rows = [
        ["CPU seconds of the build", *(f"{each['cpu']:.2f}" for each in both)],
        *(
            [f"seconds importing {package}", *(f"{each['imports'].get(package, 0.0):.2f}" for each in both)]
            for package in packages
        ),
        ["CPU seconds collecting garbage", *(f"{each['collecting']:.2f}" for each in both)],
        *(
            [label, *(str(each["nodes"].get(kind, 0)) for each in both)]
            for kind, label in (("model", "models"), ("test", "data tests"), ("seed", "seeds"), ("operation", "hooks"))
        ),
    ]
    return (
        "\n\nOne build of the twin under `-X importtime`; a module counts for the outermost of these packages that"
        " asked for it:\n\n" + table(["", f"before (`{BEFORE['revision']}`)", "now"], rows, left=1)
    )


def _folders(sizes: Sequence[Size]) -> str:
    seconds = {size.name: size.folder_seconds("build") for size in sizes}
    folders = sorted({folder for found in seconds.values() for folder in found})
    folders.sort(key=lambda folder: -seconds[sizes[-1].name].get(folder, 0.0))
    rows = [[folder, *(f"{seconds[size.name].get(folder, 0.0):.2f}" for size in sizes)] for folder in folders]
    rest = [(median(size.figures("build", "wall")) or 0.0) - sum(seconds[size.name].values()) for size in sizes]
    rows.append(["dbt itself: imports, reading the project, between nodes", *(f"{value:.2f}" for value in rest)])
    return table(["seconds in", *(size.name for size in sizes)], rows, left=1)


def _slowest(size: Size) -> str:
    wall = median(size.figures("build", "wall")) or 0.0
    rows = [
        [
            f"`{node['node']}`" if node["count"] == 1 else f"{node['count']} {node['node'].replace('_', ' ')}",
            node["folder"],
            f"{node['seconds']:.2f}",
            f"{100 * node['seconds'] / wall:.0f}%" if wall else "",
        ]
        for node in size.record["nodes"].get("build", [])[:SLOWEST]
    ]
    return f"{size.name} participants (tests and hooks as one entry each):\n\n" + table(
        ["node", "folder", "s", "of the build"], rows, left=2
    )


def _profile(sizes: Sequence[Size]) -> str:
    profiles = {size.name: size.record["profile"] for size in sizes if size.record.get("profile")}
    seconds = {
        name: {entry["where"]: entry["seconds"] for entry in profile["own_seconds"]}
        for name, profile in profiles.items()
    }
    places = list(dict.fromkeys(where for found in reversed(seconds.values()) for where in found if where != OTHERS))
    rows = [
        [where, *(f"{seconds[name][where]:.2f}" if where in seconds[name] else "" for name in profiles)]
        for where in (*places, OTHERS)
    ]
    rows.append(["wall of the profiled build", *(f"{profile['wall']:.2f}" for profile in profiles.values())])
    return (
        "One build of each size whose nodes run under cProfile, which makes Python slower and DuckDB not; own time by"
        " package, Python's own functions counted for their callers. An empty cell is among the others.\n\n"
        + table(["seconds in", *profiles], rows, left=1)
    )


def draw(sizes: Sequence[Size], file: Path) -> None:
    """Draw seconds by size, both axes logarithmic, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullLocator

    mpl.rcParams["svg.hashsalt"] = "rapport"
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for contender, label in LABELS.items():
        points = [(size.participants, size.figures(contender, "wall")) for size in sizes]
        points = [(participants, wall) for participants, wall in points if wall]
        if points:
            colour, marker = STYLES[contender]
            axes.plot(
                [participants for participants, _ in points],
                [statistics.median(wall) for _, wall in points],
                color=colour,
                marker=marker,
                label=label.replace("`", ""),
            )
    start_up = sizes[-1].start_up("start-up")
    if start_up is not None:
        axes.axhline(start_up, color="#666666", linestyle=":", label="start-up of a build")
    axes.set(xscale="log", yscale="log", xlabel="participants", ylabel="seconds, median")
    axes.set_xticks([size.participants for size in sizes], [size.name for size in sizes], minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)


def write(files: Sequence[Path], document: Path) -> None:
    """Put the measurements of results files into a page, between its two markers, and draw the picture beside it.

    Raises:
        ValueError: nothing was measured, or the page has not the two markers.
    """
    known = newest_sizes(files)
    sizes = [size for size in known if size.figures("build", "wall")]
    if not sizes:
        raise ValueError("no build was measured")
    omitted = [
        f"{size.name} participants: omitted, {size.record['omitted']}." for size in known if "omitted" in size.record
    ]
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} lacks the markers of the measurements")
    picture = document.with_suffix(".svg")
    draw(sizes, picture)
    measured = "\n\n".join((page(sizes, picture.name), *omitted))
    document.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; exit code 2 if there is nothing to write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="*", help="default: all of benchmarks/results")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    try:
        write(options.results or sorted(RESULTS.glob("*.json")), options.page)
    except ValueError as error:
        print(f"benchmarks.report: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
