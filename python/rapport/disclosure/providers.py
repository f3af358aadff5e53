"""The rule of the alliance by provider: which providers a release names.

Providers are people, too, and a release names them by their key: it has them only if it is asked to. A provider with
few participants goes as a whole, for the mean of few people is about each of them. Whoever knows the service knows who
is missing, and by the rule that the missing have few participants. So none goes alone: further providers of the type
go, the smallest first, until those who are missing have enough participants together that each of them may have
``min_cell``.

Together the providers tell of the cohort, everybody of which has rated. Beside the numbers of the utilization types
their participants say how many rated several providers, how many of those who saw both kinds rated which, and how many
have not rated somebody whom nearly everybody has. Where one of these is small, providers of the type go, two at least.

The number of rated sessions tells beside that of participants how many were not a participant's first with the
provider. Where these are few the number of sessions goes, and by the same rule no such number goes alone. All rated
sessions of a type tell beside other tables how many ratings have a single answer, are of sessions that the trajectory
does not show, or of nobody in the cohort. Where these are few no number of sessions of the type is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import DisclosureError, is_protected
from rapport.disclosure.rules import Figure, Reading, number_of, text_of
from rapport.disclosure.sensitivity import hidden_numbers, participants_of
from rapport.providers import FIGURES, KEYS, PROVIDER_TYPES

SESSIONS: Final = "rated_sessions"
BOTH: Final = "both"
OWN: Final[Mapping[str, str]] = {"therapist": "teletherapy", "coach": "telecoaching"}
"""The utilization type whose participants saw this kind of provider only."""


def which_go(
    counts: Mapping[int, int], min_cell: int, further: Collection[int] = (), *, is_open: bool = False
) -> set[int]:
    """Return whose counts go: small ones, and the next larger ones until nobody can tell which are small.

    What goes is 1 or more for each: with so many together each of them may have ``min_cell`` values, and be
    ``min_cell``. A count of 0 stays.

    Args:
        counts: people or sessions of each.
        min_cell: the smallest count that may be known.
        further: whose counts go, too.
        is_open: their sum must not be known, so some go even if none is small.
    """
    gone = {one for one, count in counts.items() if 0 < count < min_cell} | set(further)
    rest = sorted(
        (one for one, count in counts.items() if count and one not in gone), key=lambda one: (-counts[one], one)
    )
    while (gone or is_open) and rest and (len(gone) < 2 or sum(counts[one] for one in gone) < min_cell + len(gone)):
        gone.add(rest.pop())
    return gone


@dataclass(frozen=True, slots=True)
class Beside:
    """What other tables tell of those who rated, and of their ratings.

    Attributes:
        participants: of the cohort, by utilization type.
        ratings: a number of ratings of some types of providers, and how many further ones there are at least.
    """

    participants: Mapping[str, int]
    ratings: tuple[tuple[tuple[str, ...], int, int], ...] = ()

    def small_in(self, kind: str, sizes: Collection[int], min_cell: int) -> bool:
        """Whether all participants of a type's providers together tell a small number.

        Beyond those who saw this kind only they are ``beyond``: those of both kinds who rated this one, and whoever
        rated several providers once more for each. So of both kinds rated this one: ``beyond`` at most, at least as
        many as are needed if everybody rated all providers.
        """
        own, both = self.participants.get(OWN[kind], 0), self.participants.get(BOTH, 0)
        if not sizes:
            return False
        beyond = sum(sizes) - own
        low, high = max(0, -(-sum(sizes) // len(sizes)) - own), min(beyond, max(both, min_cell))
        told = [(low, high)]
        if both >= min_cell:  # else their number is in no release
            told.append((max(0, both - high), both - low))
        return beyond > 0 and not all(is_protected(bounds, min_cell) for bounds in told)

    def small_among_all(self, sizes: Collection[int], min_cell: int) -> bool:
        """Whether all participants of all providers tell a small number of people who rated several."""
        beyond = sum(sizes) - sum(self.participants.values())
        return beyond > 0 and not is_protected((-(-beyond // (len(sizes) - 1)), beyond), min_cell)

    def has_not_rated(self, kind: str, size: int) -> int:
        """How many who saw a kind of provider have not rated one of them."""
        return self.participants.get(OWN[kind], 0) + self.participants.get(BOTH, 0) - size


def _beside(tables: Mapping[str, pd.DataFrame], min_cell: int) -> Beside | None:
    """Read what other tables tell; ``None`` where the numbers of the cohort are not published beside the providers."""
    if (
        not {"table_1", "inference_results", "alliance_trajectory", "source_summary", "service_monthly"}
        <= tables.keys()
    ):
        return None
    participants = participants_of(tables)
    findings = tables["inference_results"]
    of_ratings = findings[(findings["analysis"] == "alliance_reliability") & (findings["term"] == "session_ratings")]
    told: list[tuple[tuple[str, ...], int, int]] = [
        (PROVIDER_TYPES, round(n), 0) for n in map(number_of, of_ratings["n"]) if n is not None
    ]
    summary = tables["source_summary"]
    used = summary.loc[summary["table_name"] == "alliance_ratings", "used"]
    told += [(PROVIDER_TYPES, round(n), 0) for n in map(number_of, used) if n is not None]
    months = tables["service_monthly"]
    rated = months[months["measure"] == "response_rate"].groupby("provider_type")["numerator"].sum()
    told += [((kind,), round(rated[kind]), 0) for kind in PROVIDER_TYPES if kind in rated]
    trajectory = tables["alliance_trajectory"]
    gone = hidden_numbers(trajectory, min_cell, participants)
    everyone = trajectory[trajectory["population"] == "everyone"]
    for kinds in (*((kind,) for kind in PROVIDER_TYPES), PROVIDER_TYPES):
        rows = everyone[everyone["provider_type"] == (kinds[0] if len(kinds) == 1 else "all")]
        is_gone = rows["session_number"].isin(gone)
        told.append((kinds, round(rows.loc[~is_gone, "participants"].sum()), int(is_gone.sum())))
    return Beside(participants, tuple(told))


@dataclass(frozen=True, slots=True)
class ProviderAlliance:
    """``marts.provider_alliance``: a row stays or goes as a whole, but for the number of rated sessions."""

    others: Beside | None = None
    labels: tuple[str, ...] = KEYS
    figures: tuple[str, ...] = (*FIGURES, "note")

    def beside(self, tables: Mapping[str, pd.DataFrame], min_cell: int) -> ProviderAlliance:
        """Return the rule where these tables are published as well."""
        return replace(self, others=_beside(tables, min_cell))

    def read(self, table: str, frame: pd.DataFrame, min_cell: int) -> Reading:
        """Judge the providers of each type; sessions that name none are one of them."""
        reading = Reading(table)
        rows = frame.to_dict("records")
        seen: set[tuple[str | None, str | None]] = set()
        for row in rows:
            key = (text_of(row["provider_type"]), text_of(row["provider_id"]))
            if key[0] not in PROVIDER_TYPES:
                raise DisclosureError(f"{table}: no rule for provider_type {key[0]}")
            if key in seen:
                raise DisclosureError(f"{table}: two rows for {key[0]}, {key[1]}")
            seen.add(key)
        sizes = {
            kind: {i: _whole(table, row, "participants") for i, row in enumerate(rows) if row["provider_type"] == kind}
            for kind in PROVIDER_TYPES
        }
        sessions = {i: _whole(table, row, SESSIONS) for i, row in enumerate(rows)}
        gone = _gone_of_types(sizes, self.others, min_cell)
        without_sessions = self._types_without_sessions(sizes, sessions, min_cell)
        for kind, of_kind in sizes.items():
            further = {i: sessions[i] - size for i, size in of_kind.items() if i not in gone[kind]}
            if any(count < 0 for count in further.values()):
                raise DisclosureError(f"{table}: more participants than rated sessions")
            few = further.keys() if kind in without_sessions else which_go(further, min_cell)
            reading.figures += [
                Figure(i, column, hidden=i in gone[kind] or (i in few and column == SESSIONS))
                for i in of_kind
                for column in self.figures
            ]
        return reading

    def _types_without_sessions(
        self, sizes: Mapping[str, Mapping[int, int]], sessions: Mapping[int, int], min_cell: int
    ) -> set[str]:
        """Return the types whose rated sessions together would tell, beside another table, of few ratings."""
        found: set[str] = set()
        for kinds, number, parts in self.others.ratings if self.others else ():
            apart = abs(sum(sessions[i] for kind in kinds for i in sizes[kind]) - number)
            if 0 < apart < min_cell + parts:
                found |= set(kinds)
        return found


def _gone_of_types(sizes: Mapping[str, Mapping[int, int]], others: Beside | None, min_cell: int) -> dict[str, set[int]]:
    """Return the rows of each type that go as a whole."""
    open_types: set[str] = set()
    unrated: dict[str, set[int]] = {kind: set() for kind in sizes}
    if others is not None:
        for kind, of_kind in sizes.items():
            if others.small_in(kind, of_kind.values(), min_cell):
                open_types.add(kind)
            unrated[kind] = {i for i, size in of_kind.items() if 0 < others.has_not_rated(kind, size) < min_cell}
    gone = {
        kind: which_go(of_kind, min_cell, unrated[kind], is_open=kind in open_types) for kind, of_kind in sizes.items()
    }
    everyone = [size for of_kind in sizes.values() for size in of_kind.values()]
    if others is not None and not any(gone.values()) and others.small_among_all(everyone, min_cell):
        kind = max(sizes, key=lambda name: len(sizes[name]))
        gone[kind] = which_go(sizes[kind], min_cell, is_open=True)
    return gone


def _whole(table: str, row: Mapping[Any, Any], column: str) -> int:
    number = number_of(row[column])
    if number is None or number != round(number) or number < 1:
        raise DisclosureError(f"{table}: {column} is {number}, which is no number of people or sessions")
    return round(number)


def gone_rows(hidden: Collection[tuple[int, str]]) -> set[int]:
    """Return the positions of the rows that go as a whole."""
    return {row for row, column in hidden if column == "participants"}


__all__ = ["SESSIONS", "Beside", "ProviderAlliance", "gone_rows", "which_go"]
