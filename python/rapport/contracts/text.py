"""Aligned tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(header: Sequence[str], rows: Sequence[Sequence[object]], right: frozenset[int] = frozenset()) -> str:
    """``rows`` under ``header``, columns padded to their widest cell, those in ``right`` on their left.

    ``None`` is an empty cell. Line breaks and control characters are escaped: keys and file names come from outside.
    """
    cells = [[str(name) for name in header], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: list[str]) -> str:
        padded = (
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * width for width in widths), *map(line, cells[1:])])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in str(value))
