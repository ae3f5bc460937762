"""One row of a table, and what it calls itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fanwise.errors import InputError
from fanwise.records import Json


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Args:
        id: Its ``id`` column (``custom_id`` in a batch file) as text; ``None`` where it has none.
        position: 0-based place among the rows.
        line: 1-based line it begins on, for people; of Parquet, the row's number.
        data: The columns.
    """

    id: str | None
    position: int
    line: int
    data: Mapping[str, Json]


def id_of(data: Mapping[str, Json], *, where: str) -> str | None:
    """The id that a row brings: its ``id`` column, or ``custom_id`` of a batch line.

    Args:
        data: The row.
        where: ``file, line n``, for the message.

    Raises:
        InputError: It is neither text nor a whole number, or longer than 512 characters.
    """
    given = data.get("id")
    if given is None:
        given = data.get("custom_id") if "body" in data or "params" in data else None
    if given is None or given == "":
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    if not isinstance(given, str):
        raise InputError(
            f"the id is a {type(given).__name__}",
            source=where,
            hint="an id is text or a whole number",
        )
    if len(given) > 512:  # it is a key in the journal and in every line of output
        raise InputError(
            f"the id has {len(given)} characters", source=where, hint="the most is 512"
        )
    return given


def batch_kind(data: Mapping[str, Json]) -> Literal["openai", "anthropic"] | None:
    """Whose batch format a row is written in; ``None`` for a row of a plain table.

    OpenAI: ``{"custom_id", "method", "url", "body"}``. Anthropic: ``{"custom_id", "params"}``.
    """
    if "custom_id" not in data:
        return None
    if isinstance(data.get("body"), Mapping) and "url" in data:
        return "openai"
    return "anthropic" if isinstance(data.get("params"), Mapping) else None
