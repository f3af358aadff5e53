"""The rule of the alliance by provider: which providers a release names.

Providers are people, too, and a release names them by their key: it has them only if it is asked to. A provider with
few participants goes as a whole, for the mean of few people is about each of them. Whoever knows the service knows who
is missing, and by the rule that the missing have few participants. So none goes alone: further providers of the type
go, the smallest first, until those who are missing have enough participants together that each of them may have
``min_cell``.

The number of rated sessions tells beside that of participants how many ratings were not a participant's first; if that
is a small number anywhere in a type, no provider of the type has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from rapport.disclosure.counts import DisclosureError
from rapport.disclosure.rules import Figure, Reading, number_of, text_of
from rapport.providers import FIGURES, KEYS, PROVIDER_TYPES

SESSIONS: Final = "rated_sessions"


def missing_providers(participants: Mapping[Hashable, int], min_cell: int) -> set[Hashable]:
    """Return which providers of one type go, given the participants of each.

    What is missing is 1 or more for each: with so many together each of them may have ``min_cell`` values, and be
    ``min_cell``.
    """
    gone = {one for one, count in participants.items() if count < min_cell}
    rest = sorted((one for one in participants if one not in gone), key=lambda one: (-participants[one], str(one)))
    while gone and rest:
        if len(gone) > 1 and sum(participants[one] for one in gone) >= min_cell + len(gone):
            break
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
            sizes: dict[Hashable, int] = {i: _whole(table, rows[i], "participants") for i in of_kind}
            gone = missing_providers(sizes, min_cell)
            further = [_whole(table, rows[i], SESSIONS) - sizes[i] for i in of_kind if i not in gone]
            few_further = any(0 < count < min_cell for count in further)
            reading.figures += [
                Figure(i, column, hidden=i in gone or (few_further and column == SESSIONS))
                for i in of_kind
                for column in self.figures
            ]
        return reading


def _whole(table: str, row: Mapping[Any, Any], column: str) -> int:
    number = number_of(row[column])
    if number is None or number != round(number) or number < 1:
        raise DisclosureError(f"{table}: {column} is {number}, which is no number of people or sessions")
    return round(number)


def gone_rows(hidden: Sequence[tuple[int, str]] | set[tuple[int, str]]) -> set[int]:
    """Return the positions of the rows that go as a whole."""
    return {row for row, column in hidden if column == "participants"}


__all__ = ["SESSIONS", "ProviderAlliance", "gone_rows", "missing_providers"]
