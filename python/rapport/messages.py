"""Texts that are shown: nothing in them can steer a terminal."""

from __future__ import annotations

import re

STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls (C0, DEL, C1), line and paragraph separators, surrogates, and what turns the direction of writing."""


def escape_controls(text: str, but: str = "") -> str:
    """A text in which characters that could rewrite a terminal are escaped: those of :data:`STEERING`.

    ``but``: characters that stay, as a line end does in a text of several lines.
    """
    return STEERING.sub(
        lambda found: found[0] if found[0] in but else found[0].encode("unicode_escape").decode("ascii"), text
    )


def escape_lines(text: str) -> str:
    """A text of several lines with control characters escaped."""
    return escape_controls(text, but="\n")
