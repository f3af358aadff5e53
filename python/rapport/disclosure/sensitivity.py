"""The rules of the sensitivity analyses and of the trajectory of the alliance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from rapport import sensitivity
from rapport.disclosure.counts import Count, DisclosureError, count
from rapport.disclosure.rules import Figure, Reading, number_of, text_of
from rapport.statistics.regression import INTERCEPT
from rapport.studies import SEX, Study
from rapport.study import PARTICIPANTS, UTILIZATION_TYPES, contrast_term

_COHORT: Final = Count("cohort")
_POSITIVE: Final = count("cohort", baseline="positive")

GRID_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "grid_baseline": ("to_28", "to_50", "above"),
    "grid_days": ("fewer", "from_7", "from_14", "from_28"),
    "reliable": ("improved", "no", "deteriorated"),
    "deteriorated": ("yes", "no"),
}
"""Attributes of the cohort that only the sensitivity analyses use."""

_PROVIDERS: Final = ("alliance_clustered", "alliance_within_between", "alliance_provider_icc")

_T: Final = ("estimate", "std_error", "statistic", "df_residual", "p_value", "ci_low", "ci_high")
_RATE: Final = ("estimate", "ci_low", "ci_high")
RATES: Final = sensitivity.RELIABLE_RATES


@dataclass(frozen=True, slots=True)
class _About:
    """What a row of ``sensitivity_results`` counts, which figures it may fill, and the groups that it describes."""

    n: Count
    fills: tuple[str, ...]
    groups: tuple[Count, ...] = ()
    hits: Count | None = None


def _by_type(of: Count) -> tuple[Count, ...]:
    return tuple(of.narrow({"utilization_type": name}) for name in UTILIZATION_TYPES)


def _rows(study: Study, sample: Count) -> dict[tuple[str, str], _About]:
    design = sensitivity.Design(study)
    of_term: dict[str, tuple[Count, ...]] = {
        **{term: (_COHORT.narrow({name: level}),) for term, (name, level) in study.dummies.items()},
    }
    everyone_positive = sample
    for predictor in study.predictors.values():
        if predictor.grouping is not None and predictor.sql == SEX:
            everyone_positive = _without(everyone_positive, predictor.grouping.id)
            of_term[sensitivity.SEX_MISSING] = (everyone_positive.narrow({predictor.grouping.id: "missing"}),)
    models = {analysis: (sample, design.terms_of(analysis)) for analysis in sensitivity.SANDWICHES}
    models["alliance_within_between"] = (sample, (*design.split_terms, *sensitivity.SPLIT_CONTRAST))
    models["alliance_sex_missing_level"] = (everyone_positive, design.with_sex_missing)
    models["alliance_without_sex"] = (everyone_positive, design.without_sex)
    models["alliance_first_sessions"] = (sample, design.terms)
    found = {
        (analysis, term): _About(n, _T, of_term.get(term, ()))
        for analysis, (n, terms) in models.items()
        for term in (INTERCEPT, *terms)
    }
    icc = ("estimate", "statistic", "df", "df_residual", "p_value")
    found["alliance_provider_icc", "main_provider"] = _About(_COHORT, icc)
    for cutoff in sensitivity.CUTOFFS:
        for days in sensitivity.MIN_DAYS:
            for alliance in sensitivity.GRID_ALLIANCES:
                term = f"cutoff={cutoff},min_days={days},alliance={alliance}"
                found["definition_grid", term] = _About(_grid_cell(sample, cutoff, days), _T)
    for term in ("expected", "observed", "beyond"):
        found["wellbeing_regression_to_mean", term] = _About(_POSITIVE, ("estimate",), (_COHORT,))
    found["reliable_change", "threshold"] = _About(_COHORT, ("estimate",))
    hits = {
        "reliable_improvement": {"reliable": "improved"},
        "reliable_recovery": {"reliable": "improved", "followup": "negative"},
        "reliable_deterioration": {"reliable": "deteriorated"},
        "deterioration": {"deteriorated": "yes"},
    }
    for term, where in hits.items():
        found["reliable_change", term] = _About(_POSITIVE, _RATE, hits=_POSITIVE.narrow(where))
    pair = sensitivity.EQUIVALENCE_CONTRAST
    found["wellbeing_equivalence", contrast_term(*pair)] = _About(
        _POSITIVE.narrow({"utilization_type": pair}),
        _T,
        (*(_POSITIVE.narrow({"utilization_type": name}) for name in pair), _POSITIVE),
    )
    found["wellbeing_change_welch", "utilization_type"] = _About(
        _POSITIVE, ("statistic", "df", "df_residual", "p_value"), _by_type(_POSITIVE)
    )
    of_test: dict[str, _About] = {
        one.analysis: _About(_COHORT, ("p_value", "p_adjusted")) for one in study.correlations
    }
    for grouping in study.groupings:
        attribute = "baseline" if grouping.is_screen else grouping.id
        groups = tuple(_COHORT.narrow({attribute: level}) for level in grouping.level_ids)
        everyone = _COHORT if grouping.id == "utilization_type" else _COHORT.narrow({attribute: grouping.level_ids})
        of_test[grouping.analysis] = _About(everyone, ("p_value", "p_adjusted"), groups)
        if len(grouping.level_ids) == 2:
            name = grouping.analysis.replace("alliance_by", "alliance_superiority_by")
            found[name, contrast_term(*grouping.contrasts[0])] = _About(everyone, _T, groups)
    found |= {("aim_1_multiplicity", analysis): of_test[analysis] for analysis in design.first_aim}
    return found


def _grid_cell(sample: Count, cutoff: int, days: int) -> Count:
    """Those whom a cell of the grid is about: up to a baseline, from so many days on, no predictor missing."""
    baselines = tuple(f"to_{other}" for other in sensitivity.CUTOFFS if other <= cutoff)
    lengths = tuple(f"from_{other}" for other in sensitivity.MIN_DAYS if other >= days)
    return _unscreened(sample).narrow({"grid_baseline": baselines, "grid_days": lengths})


def _unscreened(sample: Count) -> Count:
    """Whoever misses no predictor, whatever the screen says."""
    return _without(sample, "baseline")


def _without(of: Count, attribute: str) -> Count:
    """Return the same people and those of other values of an attribute."""
    return Count(of.population, frozenset(one for one in of.where if one[0] != attribute))


@dataclass(frozen=True, slots=True)
class SensitivityResults:
    """``marts.sensitivity_results``: rows of the form of ``inference_results``, each with groups of its own."""

    study: Study
    sample: Count
    labels: tuple[str, ...] = ("analysis", "term", "method", "estimate_name", "statistic_name", "effect_size_name")
    figures: tuple[str, ...] = (
        *("n", "estimate", "std_error", "standardized_estimate", "y_standardized_estimate", "statistic", "df"),
        *("df_residual", "p_value", "p_adjusted", "ci_low", "ci_high"),
        *("effect_size", "effect_size_low", "effect_size_high", "note"),
    )

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """A row stays or goes as a whole.

        The rows of an analysis by providers go where there are fewer than ``min_cell`` providers: a sum over few
        clusters is about each of them. Residual degrees of freedom that say that a term is aliased tell of the sexes.
        """
        reading, about = Reading(table), _rows(self.study, self.sample)
        by_group = tuple(
            _POSITIVE.narrow({one.id: level})
            for one in self.study.factors.values()
            if one.id != "utilization_type" and not one.is_screen
            for level in one.level_ids
        )
        terms = len(sensitivity.Design(self.study).terms)
        rows = frame.to_dict("records")
        for i, row in enumerate(rows):
            analysis, term = str(row["analysis"]), str(row["term"])
            own = about.get((analysis, term))
            if own is None:
                raise DisclosureError(f"{table}: no rule for {analysis}, {term}")
            covered = ("n", "note", *own.fills)
            if strays := [name for name in self.figures if name not in covered and number_of(row[name]) is not None]:
                raise DisclosureError(f"{table}: {analysis}, {term}: no rule for {', '.join(strays)}")
            n, estimate = number_of(row["n"]), number_of(row["estimate"])
            reading.give(own.n, row["n"])
            given: tuple[Count, ...] = (own.n, *own.groups)
            if own.hits is not None:
                given = (*given, own.hits)
                if n is not None and estimate is not None:
                    reading.give(own.hits, n * estimate)
            groups = (own.n, *own.groups, *(by_group if _is_short(rows, row, terms) else ()))
            hidden = analysis in _PROVIDERS and _few_providers(row, min_cell)
            reading.figures += [Figure(i, name, given, groups, hidden=hidden) for name in covered]
        self._link_grid(reading, rows)
        self._link_changes(reading, rows)
        return reading

    def _link_grid(self, reading: Reading, rows: Sequence[Mapping[Any, object]]) -> None:
        """Say that the first cell of the grid is the sample, where their numbers say so: one is a part of the other."""
        sizes = {(str(row["analysis"]), str(row["term"])): number_of(row["n"]) for row in rows}
        first = sizes.get(("definition_grid", "cutoff=28,min_days=7,alliance=mean"))
        if first is None or first != sizes.get(("alliance_hc3", INTERCEPT)):
            return
        known = _unscreened(self.sample)
        reading.give(known.narrow({"baseline": "negative", "grid_baseline": "to_28"}), 0)
        reading.give(known.narrow({"baseline": "positive", "grid_baseline": ("to_50", "above")}), 0)
        reading.give(known.narrow({"grid_baseline": "to_28", "grid_days": "fewer"}), 0)

    def _link_changes(self, reading: Reading, rows: Sequence[Mapping[Any, object]]) -> None:
        """Say which change includes which: of two thresholds the higher one is reached by fewer."""
        estimates = {
            str(row["term"]): number_of(row["estimate"]) for row in rows if row["analysis"] == "reliable_change"
        }
        threshold = estimates.get("threshold")
        for where in (
            {"reliable": "improved", "deteriorated": "yes"},
            {"reliable": "deteriorated", "improved": "yes"},
            {"improved": "yes", "deteriorated": "yes"},
        ):
            reading.give(_POSITIVE.narrow(where), 0)
        if threshold is None:
            return
        if threshold < self.study.outcome.improvement:
            reading.give(_POSITIVE.narrow({"reliable": "no", "deteriorated": "yes"}), 0)
            reading.give(_POSITIVE.narrow({"reliable": "no", "improved": "yes"}), 0)
        else:
            reading.give(_POSITIVE.narrow({"reliable": "deteriorated", "deteriorated": "no"}), 0)
            reading.give(_POSITIVE.narrow({"reliable": "improved", "improved": "no"}), 0)


def _is_short(rows: Sequence[Mapping[Any, object]], row: Mapping[Any, object], terms: int) -> bool:
    """Whether a row belongs to a model one of whose terms is aliased, or would be without one of its people.

    A group of one member has no slope of its own, and its member a leverage of 1: then HC3 has no errors.
    """
    analysis = row["analysis"]
    if analysis == "definition_grid":
        n, df = number_of(row["n"]), number_of(row["df_residual"])
        return n is not None and df is not None and df != n - terms - 1
    of_analysis = [other for other in rows if other["analysis"] == analysis]
    if analysis == "alliance_hc3" and any(
        number_of(other["estimate"]) is not None and number_of(other["std_error"]) is None for other in of_analysis
    ):
        return True
    estimates = [number_of(other["estimate"]) for other in of_analysis]
    is_model = analysis in sensitivity.SANDWICHES or str(analysis).startswith(("alliance_sex_", "alliance_without_"))
    return is_model and None in estimates and any(estimate is not None for estimate in estimates)


def _few_providers(row: Mapping[Any, object], min_cell: int) -> bool:
    """Whether the degrees of freedom, or the lack of an error, tell of fewer than ``min_cell`` main providers."""
    df = number_of(row["df"] if row["analysis"] == "alliance_provider_icc" else row["df_residual"])
    if df is None:
        return number_of(row["n"]) != 0
    return df + 1 < min_cell


@dataclass(frozen=True, slots=True)
class Trajectory:
    """``marts.alliance_trajectory``: from a session number on that few people rated, nothing is shown."""

    labels: tuple[str, ...] = ("population", "provider_type", "session_number")
    figures: tuple[str, ...] = (
        *("participants", "ratings", "item_sum", "item_responses", "alliance_mean", "paired_ratings", "top_ratings"),
        "top_share",
    )
    by_type: Mapping[str, int] = field(default_factory=dict)
    """Participants of the cohort, if Table 1 is published, too."""

    def beside(self, tables: Mapping[str, pd.DataFrame], min_cell: int) -> Trajectory:
        """Return the rule where these tables are published as well."""
        return replace(self, by_type=participants_of(tables))

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Hide whole session numbers.

        The counts of a number are those of either provider type among those with four rated sessions and among the
        others. If one of them is small its number goes, and all later ones; at least two, so that the total of the
        ratings does not tell. Sums and numbers of ratings are next to those of people and never shown; the share of
        ratings with both items at 5 is not shown for a number where such ratings or the others are few. Whoever rated a
        therapist is of one of two utilization types: with a small type the provider types go, and the total stays.
        Where nearly everybody who can have rated a session of a number has, that number goes, and the next. Where few
        ratings have a single answer and every rating is of a number that is shown, the last two go: the number of
        ratings with two answers is published.
        """
        reading = Reading(table)
        rows = frame.to_dict("records")
        cells = _cells(frame)
        if unknown := [key for key in cells if key[2] not in _NUMBERS or key[0] not in _POPULATIONS]:
            raise DisclosureError(f"{table}: no rule for {', '.join(map(str, unknown))}")

        gone = hidden_numbers(frame, min_cell, self.by_type)
        for i, row in enumerate(rows):
            number = text_of(row["session_number"]) or ""
            tops, paired = (_parts(cells, number, column) for column in ("top_ratings", "paired_ratings"))
            few_tops = _is_small([*tops, *(whole - top for top, whole in zip(tops, paired, strict=True))], min_cell)
            for column in self.figures:
                is_shown = column in ("participants", "alliance_mean") or (column == "top_share" and not few_tops)
                about = () if row["provider_type"] == "all" else _by_type(_COHORT)
                reading.figures.append(Figure(i, column, about=about, hidden=number in gone or not is_shown))
        return reading


_POPULATIONS: Final = ("everyone", "four_rated_sessions")
LAST: Final = "13+"
_NUMBERS: Final = (*map(str, range(1, 13)), LAST)
_CLIENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "therapist": ("teletherapy", "both"),
    "coach": ("telecoaching", "both"),
    "all": UTILIZATION_TYPES,
}
"""Who may have rated a provider type."""
_Cells = Mapping[tuple[str, ...], Mapping[Any, object]]


def _cells(frame: pd.DataFrame) -> _Cells:
    return {tuple(str(row[name]) for name in Trajectory().labels): row for row in frame.to_dict("records")}


def _parts(cells: _Cells, number: str, column: str) -> list[float]:
    """The count of a session number by provider type, with four rated sessions and without."""
    found = []
    for kind in ("therapist", "coach"):
        everyone, four = (
            number_of(cells[name, kind, number][column]) or 0.0 if (name, kind, number) in cells else 0.0
            for name in _POPULATIONS
        )
        found += [four, everyone - four]
    return found


def _is_small(sizes: Sequence[float], min_cell: int) -> bool:
    return any(0 < size < min_cell for size in sizes)


def participants_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the participants of Table 1 by utilization type; none where it is not published."""
    if "table_1" not in tables:
        return {}
    table = tables["table_1"]
    rows = table[(table["variable"] == PARTICIPANTS) & (table["statistic"] == "n")]
    found = {str(name): number_of(value) for name, value in zip(rows["utilization_type"], rows["value"], strict=True)}
    return {name: round(number) for name, number in found.items() if name in UTILIZATION_TYPES and number is not None}


def hidden_numbers(frame: pd.DataFrame, min_cell: int, participants: Mapping[str, int]) -> set[str]:
    """Return the numbers of sessions of which nothing is shown; the rule is that of :class:`Trajectory`.

    ``participants``: those of the cohort by utilization type, if they are published, too.
    """
    cells = _cells(frame)
    sizes = [_parts(cells, number, "participants") for number in _NUMBERS]
    first = next((i for i, some in enumerate(sizes) if _is_small(some, min_cell)), len(_NUMBERS))
    while 0 < first < len(_NUMBERS) and (len(_NUMBERS) - first < 2 or sum(map(sum, sizes[first:])) < 2 * min_cell):
        first -= 1
    gone = set(_NUMBERS[first:])
    everything = [row for key, row in cells.items() if key[:2] == ("everyone", "all")]
    alone = sum((number_of(row["ratings"]) or 0) - (number_of(row["paired_ratings"]) or 0) for row in everything)
    if not gone and 0 < alone < min_cell and ("everyone", "all", LAST) not in cells:
        gone |= set([number for number in _NUMBERS if ("everyone", "all", number) in cells][-2:])
    for kind, types in _CLIENTS.items() if participants else ():
        clients = sum(participants.get(name, 0) for name in types)
        for i, number in enumerate(_NUMBERS):
            row = cells.get(("everyone", kind, number))
            if row is not None and 0 < clients - (number_of(row["participants"]) or 0) < min_cell:
                gone |= set(_NUMBERS[min(i, len(_NUMBERS) - 2) :][:2])
    return gone
