"""The release that the page is made of, and numbers that know where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rapport.providers import TABLE as PROVIDER_ALLIANCE
from rapport.release.folder import NoRelease, open_release
from rapport.release.rounding import DECIMALS, significant
from rapport.studies import Instrument, Study

Row = dict[str, object]
Tables = dict[str, list[Row]]

# table: the columns that tell its rows apart
KEYS: Mapping[str, tuple[str, ...]] = {
    "eligibility_flow": ("step",),
    "exclusion_reasons": ("criterion", "reason"),
    "table_1": ("variable", "level", "utilization_type", "statistic"),
    "alliance_distribution": ("utilization_type", "score_from"),
    "wellbeing_transitions": ("baseline_from", "followup_from"),
    "inference_results": ("analysis", "term"),
    "model_fit": ("analysis", "step"),
    "alliance_slopes": ("analysis", "level", "position"),
    "outcome_results": ("instrument", "analysis", "term"),
    "outcome_fit": ("instrument", "analysis", "step"),
    "sensitivity_results": ("analysis", "term"),
    "alliance_trajectory": ("population", "provider_type", "session_number"),
    "source_summary": ("table_name",),
    "service_monthly": ("month", "provider_type", "measure"),
    "service_signals": ("month", "provider_type", "measure"),
    "provider_alliance": ("provider_type", "provider_id"),
    "build_parameters": ("parameter",),
    "verdicts": ("layer", "table_name", "rule"),
    "verdict_counts": ("layer",),
    "builds": ("build_number",),
    "history": ("build_id", "quantity"),
    "reproduction": ("figure_id",),
    "consistency": ("rule", "inputs", "printed"),
}
BY_INSTRUMENT: Mapping[str, str] = {"inference_results": "outcome_results", "model_fit": "outcome_fit"}
"""Tables of a study with several instruments, by the table of the outcome that has the same columns."""
OF_THE_TWIN = ("reproduction", "consistency")
"""Tables that only a release of the study's twin has."""

WITHOUT_ORDER = frozenset(
    {
        "alliance_distribution",
        "alliance_trajectory",
        "build_parameters",
        "eligibility_flow",
        "exclusion_reasons",
        "model_fit",
        "reproduction",
        "service_monthly",
        "service_signals",
        "source_summary",
        "wellbeing_transitions",
    }
)
"""Tables that SQL has counted or put together: an engine gives their rows by chance, the page in the order of keys."""


def _decimals_of(value: float) -> int:
    """To how many decimals, two at most, a rounded figure is given."""
    return len(f"{value:.2f}".rstrip("0").partition(".")[2])


class ReportError(Exception):
    """There is nothing to report on; the message says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A figure of the release, and where it stands.

    Attributes:
        value: the figure; None where there is none.
        source: ``table?key=value&…#column``.
        is_hidden: whether it was withheld.
        is_marked: whether it is shown, and real data would hide it.
        decimals: to how many it is given, at most; None = all.
    """

    value: float | None
    source: str
    is_hidden: bool = False
    is_marked: bool = False
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a released table.

    Attributes:
        table: its table.
        row: its columns.
        hidden: columns whose figures were withheld.
        marked: columns whose figures real data would hide.
        decimals: by column, to how many decimals a rounded figure is given.
    """

    table: str
    row: Mapping[str, object]
    hidden: frozenset[str] = frozenset()
    marked: frozenset[str] = frozenset()
    decimals: Mapping[str, int] = field(default_factory=dict)

    def number(self, column: str) -> Number:
        """Return a numeric column."""
        value = self.row.get(column)
        return Number(
            None if value is None else float(value),  # type: ignore[arg-type]
            self.source(column),
            column in self.hidden,
            column in self.marked,
            self.decimals.get(column),
        )

    @property
    def is_withheld(self) -> bool:
        """Whether its figures were withheld; the β of a 0/1 term always is."""
        return bool(self.hidden - {"note", "standardized_estimate"})

    def source(self, column: str) -> str:
        """Return where a column of this row stands in the release."""
        keys = {key: "" if self.row[key] is None else self.row[key] for key in KEYS[self.table]}
        return f"{self.table}?{urlencode(keys)}#{column}"

    def text(self, column: str) -> str:
        """Return a column as text; empty for null."""
        value = self.row.get(column)
        return "" if value is None else str(value)

    def moment(self, column: str) -> datetime | None:
        """Return a timestamp column."""
        value = self.row.get(column)
        return value if isinstance(value, datetime) else None

    def flag(self, column: str) -> bool:
        """Return a boolean column; null is false."""
        return bool(self.row.get(column))


@dataclass(frozen=True)
class Published:
    """The tables and the manifest of one release.

    Attributes:
        tables: rows by table.
        manifest: what the release says of itself.
        instrument: the further instrument whose findings are read; none is the outcome's.
    """

    tables: Tables
    manifest: Mapping[str, Any]
    instrument: Instrument | None = None

    def of_instrument(self, instrument: Instrument) -> Published:
        """The same release, with the findings of a further instrument in the place of the outcome's."""
        return replace(self, instrument=instrument)

    @property
    def scale(self) -> str:
        """What the scores are called."""
        return (self.instrument or self.study.outcome).name

    def records(self, table: str, **where: object) -> Iterator[Record]:
        """Yield the rows of a table whose columns have the given values."""
        if self.instrument is not None and table in BY_INSTRUMENT:
            table, where = BY_INSTRUMENT[table], {"instrument": self.instrument.id, **where}
        for row in self.tables[table]:
            if all(row[column] == value for column, value in where.items()):
                yield self._record(table, row)

    def _record(self, table: str, row: Row) -> Record:
        names = frozenset(str(row.get("suppressed_columns") or "").split(",")) - {""}
        if not self.is_protected:
            return Record(table, row, marked=names)
        return Record(table, row, hidden=names, decimals=self._decimals(table, row))

    def _decimals(self, table: str, row: Row) -> dict[str, int]:
        if table == "table_1":
            return {"value": self._places(row)} if row["statistic"] in ("mean", "sd", "median") else {}
        people = row.get("n")
        found = {
            column: significant(float(row[column]), None if people is None else float(people), most)  # type: ignore[arg-type]
            for column, most in DECIMALS.get(table, {}).items()
            if most is not None and row.get(column) is not None
        }
        if self.has_rounded_counts and row.get("estimate_name") in ("mean", "mean_difference") and "estimate" in found:
            # A mean of scores is given to fewer decimals where more would tell a number of people (release.rounding).
            found["estimate"] = min(found["estimate"], _decimals_of(float(row["estimate"])))  # type: ignore[arg-type]
        return found

    def _places(self, row: Row) -> int:
        """To how many decimals a figure of Table 1 is given: mean and deviation to as many as either has."""
        together = ("mean", "sd") if row["statistic"] in ("mean", "sd") else (row["statistic"],)
        return (
            max(
                _decimals_of(float(other["value"]))  # type: ignore[arg-type]
                for other in self.tables["table_1"]
                if (other["variable"], other["utilization_type"]) == (row["variable"], row["utilization_type"])
                and other["statistic"] in together
                and other["value"] is not None
            )
            if row["value"] is not None
            else 0
        )

    def record(self, table: str, **where: object) -> Record:
        """Return the one row; ``ReportError`` if it is not there."""
        found = next(self.records(table, **where), None)
        if found is None:
            raise ReportError(f"{table} has no row {where}: release a whole build")
        return found

    def finding(self, analysis: str, term: str) -> Record:
        """Return a row of ``inference_results``."""
        return self.record("inference_results", analysis=analysis, term=term)

    def cell(self, variable: str, statistic: str, group: str = "total", level: str | None = None) -> Number:
        """Return a value of ``table_1``."""
        return self.record(
            "table_1", variable=variable, level=level, utilization_type=group, statistic=statistic
        ).number("value")

    def parameter(self, name: str) -> Record:
        """Return a row of ``build_parameters``."""
        return self.record("build_parameters", parameter=name)

    @cached_property
    def study(self) -> Study:
        """The study that was built."""
        return Study.of(self.manifest["study"])

    @property
    def is_calibrated(self) -> bool:
        """Whether the export is the twin, calibrated to the printed figures."""
        return bool(self.manifest["is_calibrated"])

    @property
    def is_synthetic(self) -> bool:
        """Whether the people of the export are invented."""
        return bool(self.manifest["data"] == "synthetic")

    @property
    def is_protected(self) -> bool:
        """Whether figures were withheld and rounded, and not only marked."""
        return bool(self.manifest["protection"] == "applied")

    @property
    def has_rounded_counts(self) -> bool:
        """Whether numbers of people are rounded: of real data, unless the build rounds to 1."""
        return self.is_protected and int(self.manifest["round_counts"]) > 1

    @property
    def least_count(self) -> int:
        """The smallest count of people that is shown."""
        return int(self.manifest["least_count"])

    @property
    def home(self) -> str:
        """The country whose residents are compared with all others, as it stands in a sentence."""
        [country] = [row["value"] for row in self.tables["build_parameters"] if row["parameter"] == "home_country"]
        return "the USA" if country == "US" else str(country)

    @property
    def has_percentiles(self) -> bool:
        """Whether Table 1 has percentiles in the place of extremes."""
        return any(row["statistic"] == "p5" for row in self.tables["table_1"])

    @property
    def has_extremes(self) -> bool:
        """Whether Table 1 has minimum and maximum."""
        return any(row["statistic"] == "min" for row in self.tables["table_1"])

    @property
    def build(self) -> Record:
        """The build whose tables are shown."""
        return self.record("builds", is_shown=True)

    @property
    def latest_build(self) -> Record:
        """The last build that the release knows of, which may have failed."""
        return next(self.records("builds"))


def in_order_of_keys(rows: list[dict[str, object]], keys: Sequence[str]) -> list[dict[str, object]]:
    """Rows in the order of some columns; what is missing comes first."""

    def place(row: Mapping[str, object]) -> list[Any]:
        return [(row[key] is not None, row[key]) for key in keys]

    return sorted(rows, key=place)


def read_release(folder: Path, *, providers: bool = False) -> Published:
    """Read a release; the alliance by provider only if asked for.

    Raises ``ReportError`` if the folder holds none, not as it was written, or without the providers asked for.
    """
    try:
        release = open_release(folder)
        tables = release.records()
    except NoRelease as error:
        raise ReportError(f"{error}: run `make release` first, or name the folder with --release") from error
    if "study" not in release.manifest:
        raise ReportError(f"{folder} does not say which study it is of: release anew")
    has_several = bool(Study.of(release.manifest["study"]).further_instruments)
    unneeded = {*(() if release.manifest["is_calibrated"] else OF_THE_TWIN)}
    unneeded |= {*(() if has_several else BY_INSTRUMENT.values())}
    if not providers:
        tables.pop(PROVIDER_ALLIANCE, None)
    elif PROVIDER_ALLIANCE not in tables:
        raise ReportError(
            f"{folder} has no {PROVIDER_ALLIANCE}: release it with `python -m rapport.release --providers`, or report"
            " without --providers"
        )
    needed = set(KEYS) - unneeded - {PROVIDER_ALLIANCE}
    if missing := sorted(needed - tables.keys()):
        raise ReportError(f"{folder} lacks {', '.join(missing)}: release anew")
    for name in WITHOUT_ORDER & tables.keys():
        tables[name] = in_order_of_keys(tables[name], KEYS[name])
    return Published(tables, release.manifest)
