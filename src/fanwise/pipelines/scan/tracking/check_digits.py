"""Check digits of the carriers.

Every function takes a number in compact form (upper case, no separators) and says whether its own
check digit is right. None of them looks at the format: a caller has matched it first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

Check: TypeAlias = Callable[[str], bool]

_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _weighted(digits: str, weights: Sequence[int]) -> int:
    """Sum of the digits by weights that repeat from the left."""
    return sum(int(digit) * weights[i % len(weights)] for i, digit in enumerate(digits))


def gs1(number: str) -> bool:
    """Modulo 10, weights 3 and 1 from the right (GS1 General Specifications, section 7.9)."""
    return (_weighted(number[-2::-1], (3, 1)) + int(number[-1])) % 10 == 0


def luhn(number: str) -> bool:
    """Modulo 10 with every second digit doubled (ISO/IEC 7812-1)."""
    doubled = (int(digit) * 2 for digit in number[-2::-2])
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return (total + sum(int(digit) for digit in number[::-2])) % 10 == 0


def mod_7(number: str) -> bool:
    """The number before the last digit modulo 7: air waybills (IATA), and Japan's 7DR."""
    return int(number[:-1]) % 7 == int(number[-1])


def alternating_2(number: str) -> bool:
    """UPS's modulo 10: every second character from the left counts twice, digits are not summed.

    Letters count as UPS's table has them: A is 2, B is 3 … H is 9, I is 0, and so on round.
    """
    values = [int(c) if c.isdigit() else (ord(c) - ord("A") + 2) % 10 for c in number]
    return (sum(values[:-1:2]) + 2 * sum(values[1:-1:2]) + values[-1]) % 10 == 0


def s10(number: str) -> bool:
    """Modulo 11 over the eight digits of a postal item (UPU standard S10, weights 86423597)."""
    remainder = 11 - _weighted(number[2:10], (8, 6, 4, 2, 3, 5, 9, 7)) % 11
    return int(number[10]) == {10: 0, 11: 5}.get(remainder, remainder)


def fedex_12(number: str) -> bool:
    """FedEx Express: weights 1, 3, 7 from the right, modulo 11, where 10 counts as 0."""
    return _weighted(number[-2::-1], (1, 3, 7)) % 11 % 10 == int(number[-1])


def mod_37_36(number: str) -> bool:
    """One letter or digit over letters and digits (ISO/IEC 7064, MOD 37,36), as DPD prints it."""
    carry = 36
    for character in number[:-1]:
        carry = (carry + _BASE_36.index(character)) % 36 or 36
        carry = carry * 2 % 37
    return (carry + _BASE_36.index(number[-1])) % 36 == 1


def identcode(number: str) -> bool:
    """Deutsche Post Identcode: weights 4 and 9 from the left, modulo 10."""
    return (_weighted(number[:-1], (4, 9)) + int(number[-1])) % 10 == 0


def part(check: Check, start: int, end: int | None = None) -> Check:
    """A check that looks at one part of the number only."""
    return lambda number: check(number[start:end])


def implied(prefix: str, check: Check) -> Check:
    """A check over a prefix that the label leaves out."""
    return lambda number: check(prefix + number)
