"""Texts that are shown: nothing in them can steer a terminal."""

from __future__ import annotations

import unicodedata

BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def escape_controls(text: str) -> str:
    """A text in which characters that could rewrite a terminal are escaped.

    These are the controls (C0, DEL, C1), line and paragraph separators, surrogates, and what turns the direction of
    writing (Unicode's bidirectional embeddings, overrides, isolates and marks).
    """
    return "".join(
        character.encode("unicode_escape").decode("ascii") if _rewrites_terminal(character) else character
        for character in text
    )


def escape_lines(text: str) -> str:
    """A text of several lines with control characters escaped."""
    return "\n".join(escape_controls(line) for line in text.split("\n"))


def _rewrites_terminal(character: str) -> bool:
    return character in BIDIRECTIONAL or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
