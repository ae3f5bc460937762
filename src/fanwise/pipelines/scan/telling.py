"""How far a scan is, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanwise.pipelines import Event, OnEvent

_BEFORE_THE_END = 99.0


class Teller:
    """The events of one scan, in order, with a percentage that never goes back.

    How far it is, is known once the source has said how many conversations it has.

    Args:
        on_event: Who is told; may be asynchronous. What it raises ends the scan.
    """

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event
        self._most: float | None = None

    def reach(self, done: int, total: int | None) -> None:
        """So many conversations are done, of so many; ``None`` where that is unknown."""
        if total:
            percent = min(_BEFORE_THE_END, 100.0 * done / total)
            self._most = max(self._most or 0.0, round(percent, 1))

    async def tell(
        self, kind: str, message: str, *, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Tells of something that is durable, and how far the scan is now.

        Args:
            kind: As :class:`fanwise.pipelines.Event` has them; ``complete`` is 100 %.
            message: One line for people, without a word of any mail's text.
            subject: The conversation.
            data: What it came to, as JSON.
        """
        if self._on_event is None:
            return
        if kind == "complete":
            self._most = 100.0
        told = self._on_event(
            Event(kind=kind, message=message, subject=subject, percent=self._most, data=data or {})
        )
        if told is not None:
            await told
