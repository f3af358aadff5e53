"""The rule of the alliance by provider: which providers a release names.

Providers are people, too, and a release names them by their key: it has them only if it is asked to. A provider with
few participants goes as a whole, for the mean of few people is about each of them. Whoever knows the service knows who
is missing, and by the rule that the missing have few participants. So none goes alone: further providers of the type
go, the smallest first, until those who are missing have enough participants together that each of them may have
``min_cell``.

The number of rated sessions tells beside that of participants how many were not a participant's first with the
provider. Where these are few the number of sessions goes, and by the same rule no such number goes alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import DisclosureError
from rapport.disclosure.rules import Figure, Reading, number_of, text_of
from rapport.providers import FIGURES, KEYS, PROVIDER_TYPES

SESSIONS: Final = "rated_sessions"


def which_go(counts: Mapping[int, int], min_cell: int) -> set[int]:
    """Return whose counts go: small ones, and the next larger ones until nobody can tell which are small.

    What goes is 1 or more for each: with so many together each of them may have ``min_cell`` values, and be
    ``min_cell``. A count of 0 stays.
    """
    gone = {one for one, count in counts.items() if 0 < count < min_cell}
    rest = sorted((one for one, count in counts.items() if count >= min_cell), key=lambda one: (-counts[one], one))
    while gone and rest and (len(gone) < 2 or sum(counts[one] for one in gone) < min_cell + len(gone)):
        gone.add(rest.pop())
    return gone


@dataclass(frozen=True, slots=True)
class ProviderAlliance:
    """``marts.provider_alliance``: a row stays or goes as a whole, but for the number of rated sessions."""

    labels: tuple[str, ...] = KEYS
    figures: tuple[str, ...] = (*FIGURES, "note")

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
        for kind in PROVIDER_TYPES:
            of_kind = [i for i, row in enumerate(rows) if row["provider_type"] == kind]
            sizes = {i: _whole(table, rows[i], "participants") for i in of_kind}
            gone = which_go(sizes, min_cell)
            further = {i: _whole(table, rows[i], SESSIONS) - sizes[i] for i in of_kind if i not in gone}
            if any(count < 0 for count in further.values()):
                raise DisclosureError(f"{table}: more participants than rated sessions")
            without_sessions = which_go(further, min_cell)
            reading.figures += [
                Figure(i, column, hidden=i in gone or (i in without_sessions and column == SESSIONS))
                for i in of_kind
                for column in self.figures
            ]
        return reading


def _whole(table: str, row: Mapping[Any, Any], column: str) -> int:
    number = number_of(row[column])
    if number is None or number != round(number) or number < 1:
        raise DisclosureError(f"{table}: {column} is {number}, which is no number of people or sessions")
    return round(number)


def gone_rows(hidden: Collection[tuple[int, str]]) -> set[int]:
    """Return the positions of the rows that go as a whole."""
    return {row for row, column in hidden if column == "participants"}


__all__ = ["SESSIONS", "ProviderAlliance", "gone_rows", "which_go"]
