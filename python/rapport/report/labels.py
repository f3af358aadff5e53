"""What the names of the warehouse are called on the page."""

from __future__ import annotations

from collections.abc import Mapping

from rapport.studies import CARE, Grouping, Level, Study

TOTAL = "total"
EVERYONE = "Participants in the export"

SPREAD: Mapping[str, str] = {
    "low": "Low (mean − SD)",
    "mean": "Mean",
    "high": "High (mean + SD)",
}

LAYERS: Mapping[str, str] = {
    "files": "Files of the export",
    "raw": "Raw rows",
    "accepted": "Rows in use",
    "rows": "Accounting of rows",
    "volumes": "Volumes",
    "cohort": "Size of the cohort",
    "candidates": "Participants and Table 1",
    "findings": "Findings",
    "providers": "Alliance by provider",
}


def capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def utilization(study: Study) -> Mapping[str, str]:
    """The utilization types and everyone, as the heads of columns."""
    return {**{level.id: capital(level.name) for level in study.grouping(CARE).levels}, TOTAL: "Total"}


def lines_of(study: Study, analysis: str) -> Mapping[str, str]:
    """The lines of a moderation by level: low, mean and high, or the levels of a grouping."""
    names = {level.id: capital(level.name) for one in study.factors.values() for level in one.levels}
    return {level: SPREAD.get(level) or names[level] for level in study.moderations[analysis].levels}


def name_of(level: Level, home: str) -> str:
    """A level of a grouping in a table."""
    return level.name.format(home=home)


def phrase_of(level: Level, home: str) -> str:
    """A level of a grouping in a sentence."""
    return level.phrase.format(home=home)


def two_groups(study: Study) -> list[tuple[Grouping, Level, Level]]:
    """The groupings of two levels: the level that is first and the one that is taken from it."""
    found = []
    for one in study.groupings:
        if len(one.levels) == 2:
            [(first, second)] = one.contrasts
            found.append((one, one.level(first), one.level(second)))
    return found


def more_groups(study: Study) -> list[Grouping]:
    """The groupings of more than two levels."""
    return [one for one in study.groupings if len(one.levels) > 2]
