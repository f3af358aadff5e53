"""Figures rounded once: rational numbers stay exact, and what is printed is the float nearest to the true value.

``float(Fraction)`` is correctly rounded, and so are the roots below. So equal data give equal figures to the last bit,
whatever the order of the rows or the engine that summed them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Integral

Number = int | float | Fraction

# Two bits more than a float has, doubled by squaring: what is cut off then only says whether the root is exact.
_ROOT_BITS = 109


def as_fraction(value: Number) -> Fraction:
    """Return a finite number as the fraction that it is; numpy's integers would stay of 64 bits."""
    return Fraction(int(value)) if isinstance(value, Integral) else Fraction(value)


def root(square: Fraction) -> float:
    """Return the square root of a rational number, correctly rounded.

    The integer root of the number, scaled to more bits than a float has, is rounded to odd where it is not exact, so
    that the division below rounds as if it had all digits (Boldo & Melquiond 2008, IEEE Transactions on Computers 57,
    462–471).

    Raises:
        ValueError: a negative number.
    """
    numerator, denominator = square.numerator, square.denominator
    shift = (numerator.bit_length() - denominator.bit_length() - _ROOT_BITS) // 2
    if shift >= 0:
        return float(_odd_root(numerator, denominator << 2 * shift) << shift)
    return _odd_root(numerator << -2 * shift, denominator) / (1 << -shift)


def _odd_root(numerator: int, denominator: int) -> int:
    whole = math.isqrt(numerator // denominator)
    return whole | (whole * whole * denominator != numerator)


def signed_root(sign: Fraction | int, square: Fraction) -> float:
    """Return the square root with the sign of a number."""
    return -root(square) if sign < 0 else root(square)
