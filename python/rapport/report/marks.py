"""The shapes of values in the charts that are drawn by hand; a signal has one of its own, so that colour is not all."""

from __future__ import annotations

from typing import Final

DIAMOND, CIRCLE, SQUARE, RING, VALUE = "diamond", "circle", "square", "ring", "value"
RADIUS: Final = 3.6
"""Of a circle; the other shapes look as large."""


def mark(shape: str, x: float, y: float, *, inside: str = "", small: float = 1.8) -> str:
    """Return an SVG element around a point.

    Args:
        shape: one of the names above; ``VALUE`` is a value that is no signal.
        x: where it is.
        y: where it is.
        inside: what the element holds, a title say, as markup.
        small: radius of a value that is no signal.
    """
    if shape == DIAMOND:
        outline = f"M{x:.1f} {y - 5:.1f}L{x + 5:.1f} {y:.1f}L{x:.1f} {y + 5:.1f}L{x - 5:.1f} {y:.1f}Z"
        return f'<path class="signal" d="{outline}">{inside}</path>'
    if shape == SQUARE:
        return f'<rect class="signal" x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4">{inside}</rect>'
    style, radius = {CIRCLE: ("signal", RADIUS), RING: ("ring", RADIUS)}.get(shape, ("value", small))
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{inside}</circle>'
