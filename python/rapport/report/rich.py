"""Text that is both HTML and plain, and numbers as the study's style prints them.

In HTML a number is an element that names its place in the release (``data-source``), how it is shown
(``data-format``) and by what it was multiplied (``data-scale``).
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass, replace

from markupsafe import escape

from rapport.report.published import Number

MINUS, NOTHING, HIDDEN = "\N{MINUS SIGN}", "\N{EM DASH}", "\N{DOUBLE DAGGER}"


@dataclass(frozen=True, slots=True)
class Rich:
    """A piece of text in both forms."""

    html: str
    text: str

    def __html__(self) -> str:
        """For Jinja2, which then does not escape it."""
        return self.html

    def __add__(self, other: Rich) -> Rich:
        """Join two pieces."""
        return Rich(self.html + other.html, self.text + other.text)


Part = Rich | str


def plain(text: str) -> Rich:
    """Return text without figures."""
    return Rich(str(escape(text)), text)


def indexed(symbol: str) -> Rich:
    """Return a symbol whose part after ``_`` is its index."""
    base, _, index = symbol.partition("_")
    return Rich(f"{escape(base)}<sub>{escape(index)}</sub>", symbol) if index else plain(symbol)


def as_rich(part: Part) -> Rich:
    """Return a piece of text as it is, or plain text in both forms."""
    return part if isinstance(part, Rich) else plain(part)


def rich(template: str, **parts: Part) -> Rich:
    """Fill the names in braces of a template."""
    result = Rich("", "")
    for literal, name, _, _ in string.Formatter().parse(template):
        result += plain(literal)
        if name is not None:
            result += as_rich(parts[name])
    return result


def joined(parts: Iterable[Part], separator: str = ", ", last: str | None = None) -> Rich:
    """Join pieces; the last two by ``last``."""
    pieces = [as_rich(part) for part in parts]
    result = Rich("", "")
    for i, piece in enumerate(pieces):
        if i:
            result += plain(last if last is not None and i == len(pieces) - 1 else separator)
        result += piece
    return result


def marked(text: str, source: str, form: str, scale: str = "") -> Rich:
    """Return text that stands for a figure of the release."""
    scaled = f' data-scale="{escape(scale)}"' if scale else ""
    return Rich(
        f'<span class="n" data-source="{escape(source)}" data-format="{form}"{scaled}>{escape(text)}</span>', text
    )


def _figure(text: str, number: Number, form: str, scale: str = "") -> Rich:
    """Return a figure; one that real data would hide is followed by the mark."""
    return marked(text, number.source, form, scale) + _mark(number)


def _mark(number: Number) -> Rich:
    if not number.is_marked:
        return plain("")
    return Rich(f'<sup class="would-hide" title="hidden on real data">{HIDDEN}</sup>', HIDDEN)


def _places(number: Number, decimals: int) -> int:
    return decimals if number.decimals is None else min(decimals, number.decimals)


def _missing(number: Number) -> Rich:
    if number.is_hidden:
        return Rich(f'<span class="hidden-cell" title="hidden: small count">{HIDDEN}</span>', HIDDEN)
    return plain(NOTHING)


def fixed(number: Number, decimals: int = 2, factor: float = 1.0, scale: str = "") -> Rich:
    """Return a number with so many decimals; ``factor`` multiplies it, ``scale`` tells the page by what."""
    if number.value is None:
        return _missing(number)
    if factor != 1.0 and not scale:
        scale = f"{factor:g}"
    decimals = _places(number, decimals)
    return _figure(_signed(f"{number.value * factor:,.{decimals}f}"), number, f"fixed:{decimals}", scale)


def trimmed(number: Number, decimals: int) -> Rich:
    """Return a number with at most so many decimals, and none that is 0 at its end."""
    if number.value is None:
        return _missing(number)
    places = len(f"{number.value:.{decimals}f}".rstrip("0").partition(".")[2])
    return fixed(number, places)


def count(number: Number) -> Rich:
    """Return a whole number with separated thousands."""
    return fixed(number, 0)


def percent(number: Number, decimals: int = 1, factor: float = 1.0) -> Rich:
    """Return a percentage with its sign."""
    if number.value is None:
        return _missing(number)
    # The mark comes after the sign.
    return fixed(replace(number, is_marked=False), decimals, factor) + plain("%") + _mark(number)


def bounded(number: Number, decimals: int = 2) -> Rich:
    """Return a number that cannot exceed 1 as APA prints it, without a leading zero."""
    if number.value is None:
        return _missing(number)
    decimals = _places(number, decimals)
    text = _signed(f"{number.value:.{decimals}f}").replace("0.", ".", 1)
    return _figure(text, number, f"bounded:{decimals}")


def p_value(number: Number) -> Rich:
    """Return a P as APA prints it: three decimals, no leading zero, ``< .001`` below."""
    if number.value is None:
        return _missing(number)
    if number.value < 0.001:
        return _figure("< .001", number, "p")
    if number.value > 0.999:
        return _figure("> .999", number, "p")
    return _figure(f"{number.value:.3f}".replace("0.", ".", 1), number, "p")


def p_phrase(number: Number) -> Rich:
    """Return ``P = .004`` or ``P < .001``."""
    text = p_value(number)
    return rich(
        "P\N{NO-BREAK SPACE}{p}" if text.text.startswith(("<", ">")) else "P\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{p}",
        p=text,
    )


def interval(low: Rich, high: Rich) -> Rich:
    """Return ``low to high``, or one mark where there is none."""
    if NOTHING in (low.text, high.text):
        return plain(NOTHING)
    if HIDDEN in (low.text, high.text):
        return low if low.text == HIDDEN else high
    return rich("{low} to {high}", low=low, high=high)


def _signed(text: str) -> str:
    """A real minus sign, and none before a zero."""
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.,") else MINUS + text[1:]
    return text
