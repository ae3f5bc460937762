"""Cells of a CSV that no spreadsheet runs: what a model wrote must not become a formula."""

from __future__ import annotations

from collections.abc import Callable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object, *, to_json: Callable[[object], str]) -> object:
    """A cell that no spreadsheet takes for a formula: text that would begin one gets a quote.

    Numbers stay numbers, negative ones too and those in texts.

    Args:
        value: What the cell holds.
        to_json: Writes objects and lists.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else to_json(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[-1].isdigit() and text.isascii()
