"""From the published marts to the folder of a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapport.disclosure import SUPPRESSED, SUPPRESSED_COLUMNS
from rapport.release.folder import (
    FORMAT,
    NoRelease,
    Release,
    earlier_releases,
    open_release,
    place_among_earlier,
    write_release,
)
from rapport.release.history import TYPES, Earlier, counts_of, history, people_apart
from rapport.release.protect import protect
from rapport.release.publication import Impossible, Publication, Refused, read_publication
from rapport.release.rounding import threshold


@dataclass(frozen=True, slots=True)
class Made:
    """A release that was written.

    Attributes:
        manifest: what it says of itself.
        close: build numbers of earlier releases from which fewer than ``min_cell`` people are known to differ.
        untold: those of earlier releases of which it cannot be told, because an erasure took their figures.
        foreign: earlier releases of another database, each in words, with the folder where it lies.
        other_kind: the release that was replaced, in the same words, if it is of invented people and this one is not,
            or the other way round.
    """

    manifest: dict[str, Any]
    close: tuple[int, ...]
    untold: tuple[int, ...]
    foreign: tuple[str, ...] = ()
    other_kind: str | None = None


def make_release(database: Path, out: Path, *, providers: bool = False) -> Made:
    """Release the published build of ``database`` in the folder ``out``; ``providers``: with the alliance by provider.

    The release that stands there is kept beside the folder, unless it is of the same build.

    Raises:
        Refused: there is nothing to release, or earlier releases of this warehouse follow other rules.
        Impossible: database or folder cannot be used.
        DisclosureError: a figure has no rule, figures contradict each other, a small count cannot be protected.
    """
    standing, before = _before(out)
    publication = read_publication(database, providers=providers)
    build_id = str(publication.build["build_id"])
    frozen = list({r.build_id: r for r in [*before, *standing] if r.build_id != build_id}.values())
    _require_same_study(publication, [*before, *standing], out)
    _require_same_rules(publication, frozen, out)
    tables = protect(publication)
    least = threshold(publication.min_cell, publication.round_counts)
    apart = {r.build_id: people_apart(publication.study, publication.findings, r.build_id, build_id) for r in frozen}
    tables["history"] = history(
        [Earlier(release.manifest, counts_of(release.tables())) for release in frozen],
        apart,
        least,
        is_synthetic=publication.is_synthetic,
    )
    types: dict[str, dict[str, str]] = {**publication.types, "history": dict(TYPES)}
    for name in tables:
        types[name] = {column: kind for column, kind in types[name].items() if column not in _MARKS}
    manifest = {
        "format": FORMAT,
        "data": "synthetic" if publication.is_synthetic else "not marked as synthetic",
        "protection": "marked" if publication.is_synthetic else "applied",
        "is_calibrated": publication.is_calibrated,
        "build": publication.build,
        "study": publication.study.definition,
        "source": publication.source,
        "min_cell": publication.min_cell,
        "round_counts": 1 if publication.is_synthetic else publication.round_counts,
        "least_count": least,
    }
    replaced = next((r for r in standing if r in frozen), None)
    try:
        manifest = write_release(out, manifest, tables, types, replaced)
    except OSError as error:
        raise Impossible(f"{error.filename or out}: cannot be written: {error.strerror or error}") from error
    close, untold, foreign, other_kind = [], [], [], None
    for release in frozen:
        number = int(release.manifest["build"]["build_number"])
        between = apart[release.build_id]
        if (release.manifest["data"] == "synthetic") is not publication.is_synthetic:
            other_kind = _in_words(release, out) if release is replaced else other_kind
        elif publication.is_synthetic:
            continue
        elif release.build_id not in publication.known_builds:
            foreign.append(_in_words(release, out))
        elif between is None:
            untold.append(number)
        elif between < least:
            close.append(number)
    return Made(manifest, tuple(close), tuple(untold), tuple(foreign), other_kind)


def _in_words(release: Release, out: Path) -> str:
    """A release by its build, its export, and the folder where it lies once it is an earlier one."""
    build, source = release.manifest["build"], release.manifest["source"]
    place = place_among_earlier(out, release.manifest)
    return f"build {build['build_number']} (export {source['folder']!r}, published {build['published_at']}) in {place}"


_MARKS = (SUPPRESSED, SUPPRESSED_COLUMNS)


def _before(out: Path) -> tuple[list[Release], list[Release]]:
    """Return the release in a folder, if any, and the frozen ones beside it; refuse a folder that no release wrote."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise Impossible(f"{out} is no folder")
    try:
        frozen = earlier_releases(out)
        return [open_release(out)] if out.exists() and any(out.iterdir()) else [], frozen
    except NoRelease as error:
        raise Impossible(f"{error}; choose another folder, or remove this one yourself") from error
    except OSError as error:
        raise Impossible(f"{error.filename or out}: cannot be read: {error.strerror or error}") from error


def _require_same_study(publication: Publication, before: list[Release], out: Path) -> None:
    """A folder holds the releases of one study: the history beside them compares their counts."""
    for release in before:
        theirs = (release.manifest.get("study") or {}).get("name", publication.study.name)
        if theirs != publication.study.name:
            raise Refused(
                f"{out} holds a release of the study {theirs}, and this is one of {publication.study.name}: choose"
                " another folder (--out)"
            )


def _require_same_rules(publication: Publication, frozen: list[Release], out: Path) -> None:
    """What one rule hides another shows: releases of one warehouse under different rules must not lie together."""
    if publication.is_synthetic:
        return
    rules = {"min_cell": publication.min_cell, "round_counts": publication.round_counts}
    for release in frozen:
        theirs = {name: release.manifest[name] for name in rules}
        if (
            release.manifest["protection"] == "applied"
            and release.build_id in publication.known_builds
            and theirs != rules
        ):
            said = [" and ".join(f"{name} {value}" for name, value in one.items()) for one in (rules, theirs)]
            raise Refused(
                f"this build has {said[0]}, and {release.folder} holds a release of this warehouse with {said[1]}:"
                " together they would tell what either hides; set the vars as they were, or withdraw the earlier"
                " releases and choose another folder"
            )
