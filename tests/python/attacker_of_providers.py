"""The attacker on the alliance by provider: what its rows tell beside the tables of the cohort.

Everybody of the cohort has rated: who saw therapists only has rated a therapist, who saw both kinds a therapist, a coach
or both. So the participants of all providers of a kind are those of one utilization type, some of the other, and
whoever rated several once more for each; their rated sessions are those of the trajectory. The attacker knows the
service: which providers have no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from attacker_programme import agrees_mean, class_of
from scipy import stats

if TYPE_CHECKING:
    from attacker import Attacker

KINDS = ("therapist", "coach")
OWN = {"therapist": "teletherapy", "coach": "telecoaching"}
"""Whose participants have rated this kind of provider for sure."""
RATED = {
    "therapist": ("only therapists", "therapists and coaches"),
    "coach": ("only coaches", "therapists and coaches"),
}
"""What those who saw both have rated."""
LEVELS = {"95": 0.95, "998": 0.998}
Provider = tuple[str, str]


def key_of(kind: object, name: object) -> Provider:
    """A provider; sessions that name none are one of the kind."""
    return str(kind), "" if pd.isna(name) else str(name)  # type: ignore[call-overload]


def unknowns_of(providers: Sequence[Provider]) -> tuple[object, ...]:
    """The unknowns that the providers add: their people and sessions, and who rated whom."""
    who = dict.fromkeys(one for pair in RATED.values() for one in pair)
    return (
        *(("people", *one) for one in providers),
        *(("sessions", *one) for one in providers),
        *(("saw both, rated", one) for one in who),
        *(("once more", kind) for kind in KINDS),
        "rated several",
    )


def providers_of(table: pd.DataFrame, missing: Sequence[Provider]) -> list[Provider]:
    """Those with a row, and those of whom the attacker knows that they have none."""
    shown = [key_of(*one) for one in zip(table["provider_type"], table["provider_id"], strict=True)]
    return [*shown, *missing]


def enter(attacker: Attacker, table: pd.DataFrame, missing: Sequence[Provider]) -> None:
    """Enter the rows of a release by provider."""
    base = attacker.base
    everyone = providers_of(table, missing)
    records = {key_of(r["provider_type"], r["provider_id"]): r for r in table.to_dict("records")}
    for kind in KINDS:
        of_kind = [one for one in everyone if one[0] == kind]
        raters = attacker.cohort(utilization_type=OWN[kind]) + attacker.other(
            *(("saw both, rated", who) for who in RATED[kind])
        )
        again = attacker.other(("once more", kind))
        attacker.add(attacker.other(*(("people", *one) for one in of_kind)) - raters - again, 0, 0)
        attacker.add(again - max(len(of_kind) - 1, 0) * raters, -np.inf, 0)
        attacker.add(attacker.other(*(("sessions", *one) for one in of_kind)) - attacker.ratings(kind), 0, 0)
        for one in of_kind:
            people, sessions = attacker.other(("people", *one)), attacker.other(("sessions", *one))
            attacker.add(raters - people, 0, np.inf)
            attacker.add(sessions - people, 0, np.inf)
            record = records.get(one, {"participants": None, "rated_sessions": None, "alliance_mean": None})
            attacker.add(people, *class_of(record["participants"], base, 1))
            attacker.add(sessions, *class_of(record["rated_sessions"], base, 1))
            if not pd.isna(record["alliance_mean"]):
                attacker.learn(
                    people, agrees_scores(record["alliance_mean"], class_of(record["rated_sessions"], base)[1])
                )
    of_both = [("saw both, rated", who) for who in dict.fromkeys(one for pair in RATED.values() for one in pair)]
    attacker.add(attacker.other(*of_both) - attacker.cohort(utilization_type="both"), 0, 0)
    # A person counts once more for each provider beyond the first.
    beyond = attacker.other(*(("people", *one) for one in everyone)) - attacker.cohort()
    several = attacker.other("rated several")
    attacker.add(beyond - several, 0, np.inf)
    attacker.add(beyond - max(len(everyone) - 1, 0) * several, -np.inf, 0)
    if base > 1:
        attacker.unread += not concludes_on_what_is_shown(table)


def agrees_scores(mean: float, sessions: float) -> object:
    """Whether n scores can have this mean; without a second session each is one of whole or half points."""
    alone = agrees_mean(mean, 0.5)
    return lambda n: sessions > n or alone(n)


def concludes_on_what_is_shown(table: pd.DataFrame) -> bool:
    """Whether the figures of a type are those of its rows as they are shown: then they tell nothing more."""
    named = table[table["provider_id"].notna()]
    for _, rows in named.groupby("provider_type"):
        n, mean = rows["participants"].to_numpy(dtype=float), rows["alliance_mean"].to_numpy(dtype=float)
        centre = float((n * mean).sum() / n.sum())
        expected: dict[str, np.ndarray | float] = {"type_mean": centre}
        [sd] = rows["sd_within"].unique()
        if len(rows) > 1 and sd > 0:
            between = float((n * (mean - centre) ** 2).sum()) / (len(rows) - 1)
            size = (n.sum() - (n**2).sum() / n.sum()) / (len(rows) - 1)
            icc = max((between - sd**2) / (between + (size - 1) * sd**2), 0.0)
            expected |= {"icc": icc, "shrunken_mean": centre + n * icc / (1 + (n - 1) * icc) * (mean - centre)}
            for name, level in LEVELS.items():
                half = float(stats.norm.ppf(0.5 + level / 2)) * sd / np.sqrt(n)
                expected |= {f"lower_{name}": centre - half, f"upper_{name}": centre + half}
        elif (
            rows[["icc", "shrunken_mean", *(f"{end}_{name}" for end in ("lower", "upper") for name in LEVELS)]]
            .notna()
            .any(axis=None)
        ):
            return False
        for name, value in expected.items():
            unit = 0.0005 if name == "icc" else 0.005
            if not np.allclose(rows[name].astype(float), value, rtol=0, atol=unit + 1e-9):
                return False
    return True


def counts_of(seen: pd.DataFrame, people: pd.DataFrame, attacker: Attacker) -> list[tuple[str, int, np.ndarray]]:
    """Every number of people or sessions that the rows count, or that is told by a difference, as it is.

    ``seen``: participant, provider type, provider (``""`` = none is named) and number of rated sessions.
    """
    found: list[tuple[str, int, np.ndarray]] = []
    by_person = seen.groupby("participant_id")
    found.append(("rated several providers", int((by_person.size() > 1).sum()), attacker.other("rated several")))
    kinds = by_person["provider_type"].agg(lambda some: tuple(sorted(set(some))))
    saw_both = set(people.loc[people["utilization_type"] == "both", "participant_id"])
    rated = {
        ("coach", "therapist"): "therapists and coaches",
        ("coach",): "only coaches",
        ("therapist",): "only therapists",
    }
    for chosen, name in rated.items():
        truth = sum(kinds[one] == chosen for one in saw_both)
        found.append((f"saw both, rated {name}", truth, attacker.other(("saw both, rated", name))))
    for (kind, name), rows in seen.groupby(["provider_type", "provider_id"]):
        types = (OWN[str(kind)], "both")
        number, sessions = len(rows), int(rows["sessions"].sum())
        who, held = (attacker.other((what, kind, name)) for what in ("people", "sessions"))
        clients = int(people["utilization_type"].isin(types).sum())
        found += [
            (f"{kind} {name or 'not named'}", number, who),
            (f"{kind} {name or 'not named'}, further sessions", sessions - number, held - who),
            (
                f"not rated {kind} {name or 'not named'}",
                clients - number,
                attacker.cohort(utilization_type=types) - who,
            ),
        ]
    return found
