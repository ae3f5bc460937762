"""Quantities in text: numbers as people and programs write them, with their units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from fanwise.pipelines.grading.units import CURRENCIES, Unit, unit_named
from fanwise.pipelines.grading.words import runs_of_words

_PARTS = """
1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 5/6 1/8 3/8 5/8 7/8
"""
_MOST_DIGITS = 60  # of a number's whole part, and of its decimals that count
_SPACES = "\u00a0\u202f\u2009"

_TIDY: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"<<[^<>]*>>", ""),  # a calculator's own notes within a solution
        (r"<<[^<>]*$", ""),
        (r"(?<!\\)\$(?=\S)((?:\\\$|[^$\n])*?)(?<=\S)\$(?!\d)", r"\1"),  # a formula, no money
        (r"\\[()\[\]]", " "),
        (r"\\[dt]?frac\s*\{\s*([^{}]+?)\s*\}\s*\{\s*([^{}]+?)\s*\}", r" \1/\2 "),
        (r"\\[dt]?frac\s*(\d)\s*(\d)", r" \1/\2 "),
        (r"\\(?:text|mathrm|mathbf|textbf|operatorname)\s*\{([^{}]*)\}", r"\1"),
        (r"\\times|\\cdot", "×"),
        (r"\\(?:left|right|,|;|!|quad|displaystyle|\s)", " "),
        (r"\{,\}", ","),
        (r"\\\$", "$"),
        (r"\\%", "%"),
        (r"\\circ|\^\\circ|\^\{\\circ\}", "°"),
        (r"[−–—‑]", "-"),
        (r"\*\*(?!\s*\d)|(?<!\d)\*\*|__|`", ""),  # bold, but not a power
        (r"(?<=\d)\s*\*\*\s*(?=\d)", "^"),
    )
)
_VULGAR = dict(
    zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞",
        _PARTS.split(),
        strict=True,
    )
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_DIGITS = rf"""(?:
    \d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?![\d])(?!,\d)
  | \d{{1,3}}(?:\.\d{{3}})+,\d+(?!\d)
  | \d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)
  | \d{{1,3}}(?:['’{_SPACES}]\d{{3}})+(?:[.,]\d+)?(?!\d)
  | (?<!\d,)\d+,\d+(?![\d,])
  | \d+(?:\.\d+)?
  | \.\d+
)"""
_NUMBER = re.compile(
    rf"""
    (?P<sign>(?<![\w)\]%.])[-+](?=[\d.$€£¥₹])|\b(?:minus|negative)\s+)?
    (?P<currency>(?:US|AU|CA|A|C)?[$€£¥₹]\s?)?
    (?P<sign2>(?<=[$€£¥₹])[-])?
    (?<![\d.])
    (?:
        (?P<mixed>\d+)\s+(?P<top1>\d+)\s?/\s?(?P<bottom1>[1-9]\d*)(?![\d/.])
      | (?P<top2>{_DIGITS})\s?/\s?(?P<bottom2>[1-9]\d*)(?![\d/.])
      | (?P<number>{_DIGITS})
        (?:
            [eE](?P<e>[+-]?\d{{1,3}})(?![\d\w])
          | \s?(?:[x×*·])\s?10\s?(?:
                \^\s?\{{?\s?(?P<power>[+-]?\d{{1,3}})\s?\}}?
              | (?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}})
            )
        )?
    )
    (?P<attached>[kKMB](?![\w]))?
    (?:\s?(?P<scale>(?:thousand|million|billion|trillion|hundred)s?|dozen)\b)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SCALES = {
    "hundred": 100,
    "dozen": 12,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "k": 10**3,
    "m": 10**6,
    "b": 10**9,
}
_PERCENT = re.compile(r"\s?(?:%|percent\b|per\s?cent\b|pct\b)", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(r"\s?([€£¥₹$])(?!\s?\d)")
_SQUARE = re.compile(r"[\s-]?(square|sq\.?|cubic|cu\.?)\s([A-Za-z]+)", re.IGNORECASE)
_UNIT = re.compile(r"[\s-]?(°\s?[CF]\b|℃|℉|[A-Za-zµμΩ°¢″′]+(?:/[A-Za-z]+)?(?:[²³]|\^[23])?)")
_CLOCK = re.compile(r":\d\d")
_CLOCK_BEFORE = re.compile(r"\d:$")
_BETWEEN = re.compile(r"\s*(?:,|and|,\s*and)?\s*")
_PER = re.compile(r"\s(?:per|an?)\s(hour|second|h|s)\b", re.IGNORECASE)
# Short names of units that are words as well count only where nothing goes on after them.
_ALSO_WORDS = frozenset(
    {"in", "a", "A", "t", "s", "h", "m", "g", "l", "N", "J", "K", "W", "V", "C"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit, as it stands in a text.

    Args:
        value: As written, a percentage as its hundredth part.
        start, end: Where it stands.
        text: As it stands there.
        decimals: Digits after the point.
        percent: Whether it is written as a percentage.
        unit: Its unit of measure; ``None`` where it has none that is known ("18 eggs").
        fraction: Whether it is written as a fraction, so that decimals may only approach it.
    """

    value: Fraction
    start: int
    end: int
    text: str
    decimals: int = 0
    percent: bool = False
    unit: Unit | None = None
    fraction: bool = False

    def __str__(self) -> str:
        return self.text


def tidy(text: str) -> str:
    """The text without mark-up around its numbers: LaTeX, bold, a calculator's notes."""
    for pattern, by in _TIDY:
        text = pattern.sub(by, text)
    for sign, plain in _VULGAR.items():
        if sign in text:
            text = re.sub(rf"(\d)\s?{sign}", rf"\1 {plain}", text).replace(sign, plain)
    return text


def quantities(text: str, *, words: bool = False) -> list[Quantity]:
    """The quantities in a text made tidy, in order.

    Args:
        text: What :func:`tidy` gave.
        words: Look for numbers in words where there are none in digits.
    """
    found = [one for one in map(_quantity, _NUMBER.finditer(text)) if one is not None]
    if found or not words:
        return _joined(found, text)
    return [
        _with_unit(text, Quantity(value=value, start=start, end=end, text=text[start:end]))
        for start, end, value in runs_of_words(text)
    ]


def _joined(found: list[Quantity], text: str) -> list[Quantity]:
    """5 ft 3 in and 1 hour 30 minutes are one quantity each."""
    joined: list[Quantity] = []
    for one in found:
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.unit is not None
            and one.unit is not None
            and before.unit.quantity == one.unit.quantity
            and before.unit.size > one.unit.size
            and _BETWEEN.fullmatch(text, before.end, one.start)
        ):
            value = before.value + one.value * one.unit.size / before.unit.size
            joined[-1] = _replaced(before, text, one.end, value=value, unit=before.unit)
        else:
            joined.append(one)
    return joined


def _quantity(match: re.Match[str]) -> Quantity | None:
    text, start = match.string, match.start()
    before = text[start - 1] if start else " "
    if before.isalpha() and match["currency"] is None and not match["sign"]:
        return None  # H2O, x2
    if _CLOCK.match(text, match.end()) or _CLOCK_BEFORE.search(text, max(0, start - 3), start):
        return None  # 5:30
    value, decimals = _value(match)
    if value is None:
        return None
    if match["scale"]:
        value *= _SCALES[match["scale"].lower().removesuffix("s")]
    elif match["attached"] and (match["currency"] or match["attached"] in "kK"):
        value *= _SCALES[match["attached"].lower()]
    end = match.end()
    if match["attached"] and not (match["currency"] or match["attached"] in "kK"):
        end = match.start("attached")
    if "-" in (match["sign"] or "") or ((match["sign"] or "")[:1] in "mMnN" and match["sign"]):
        value = -value
    if match["sign2"]:
        value = -value
    currency = CURRENCIES[match["currency"].strip()[-1]] if match["currency"] else None
    one = Quantity(
        value=value,
        start=start,
        end=end,
        text=text[start:end].strip(),
        decimals=decimals,
        unit=currency,
        fraction=match["number"] is None,
    )
    return one if currency is not None else _with_unit(text, one)


def _value(match: re.Match[str]) -> tuple[Fraction | None, int]:
    if match["mixed"]:
        whole, top, bottom = match["mixed"], match["top1"], match["bottom1"]
        if max(map(len, (whole, top, bottom))) > _MOST_DIGITS:
            return None, 0
        return int(whole) + Fraction(int(top), int(bottom)), 0
    if match["top2"]:
        top, _ = plain_number(match["top2"])
        if top is None or len(match["bottom2"]) > _MOST_DIGITS:
            return None, 0
        return top / int(match["bottom2"]), 0
    value, decimals = plain_number(match["number"])
    power = match["e"] or match["power"] or (match["raised"] or "").translate(_SUPERSCRIPT)
    if value is not None and power:
        value *= Fraction(10) ** int(power)
    return value, decimals


def plain_number(digits: str) -> tuple[Fraction | None, int]:
    """A number out of digits and separators, and how many decimals it has.

    One comma before three digits separates thousands, before any other number of digits it is a
    decimal comma. ``None`` for a number of more than 60 digits before its point.
    """
    plain = re.sub(rf"['’{_SPACES}]", "", digits)
    points, commas = plain.count("."), plain.count(",")
    if commas and points:
        thousands = "," if plain.rindex(".") > plain.index(",") else "."
        plain = plain.replace(thousands, "").replace(",", ".")
    elif commas == 1 and not re.fullmatch(r"\d{1,3},\d{3}", plain):
        plain = plain.replace(",", ".")
    elif commas:
        plain = plain.replace(",", "")
    elif points > 1:
        plain = plain.replace(".", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) > _MOST_DIGITS:
        return None, 0
    kept = decimals[:_MOST_DIGITS]
    return Fraction(f"{whole or 0}.{kept or 0}"), len(kept)


def _with_unit(text: str, one: Quantity) -> Quantity:
    """The same with what follows it: per cent, a currency, a unit."""
    percent = _PERCENT.match(text, one.end)
    if percent:
        return _replaced(one, text, percent.end(), percent=True, value=one.value / 100)
    end, unit = _unit_after(text, one.end)
    return one if unit is None else _replaced(one, text, end, unit=unit)


def _unit_after(text: str, place: int) -> tuple[int, Unit | None]:
    """The unit that begins at a place, and where it ends."""
    currency = _CURRENCY_AFTER.match(text, place)
    if currency:
        return currency.end(), CURRENCIES[currency[1]]
    square = _SQUARE.match(text, place)
    if square:
        return square.end(), _raised(square[1].lower(), square[2])
    match = _UNIT.match(text, place)
    unit = None if match is None else unit_named(match[1].replace(" ", ""))
    if match is None or unit is None:
        return place, None
    after = text[match.end() :]
    if match[1] in _ALSO_WORDS and re.match(r"\s+\w|['’]", after):
        return place, None
    per = _PER.match(after)
    if per is None:
        return match.end(), unit
    speed = {"km": "km/h", "mi": "mph", "m": "m/s"}.get(_short(unit), "")
    return match.end() + per.end(), unit_named(speed)


def _short(unit: Unit) -> str:
    sizes = {Fraction(1000): "km", Fraction("1609.344"): "mi", Fraction(1): "m"}
    return sizes.get(unit.size, "") if unit.quantity == "length" else ""


def _raised(power: str, name: str) -> Unit | None:
    """Square metres, cubic feet."""
    side = unit_named(name)
    if side is None or side.quantity != "length":
        return None
    if power.startswith("sq"):
        return Unit(name=f"square {name}", quantity="area", size=side.size**2)
    return Unit(name=f"cubic {name}", quantity="volume", size=side.size**3 * 1000)


def _replaced(
    one: Quantity,
    text: str,
    end: int,
    *,
    value: Fraction | None = None,
    percent: bool = False,
    unit: Unit | None = None,
) -> Quantity:
    return Quantity(
        value=one.value if value is None else value,
        start=one.start,
        end=end,
        text=text[one.start : end].strip(),
        decimals=one.decimals,
        percent=percent,
        unit=unit,
        fraction=one.fraction,
    )
