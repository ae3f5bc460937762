"""How far a job is, as one figure that never goes back, and what is told of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from fanwise.pipelines import Event, OnEvent

CHECKED, RESERVED, FETCHED, READ = 5.0, 10.0, 20.0, 30.0
STARTED, WRITTEN, ENDED = 10.0, 90.0, 100.0


def overall(templates: Mapping[str, float]) -> float:
    """The whole's percent of its templates' once the recording is read: at most 95, since what is
    written still has to be kept.
    """
    mean = sum(templates.values()) / len(templates)
    return min(READ + 0.6 * mean, 95.0)


class Telling:
    """Tells of events, one after another, with a percent that never goes back.

    Args:
        on_event: Who is told; ``None`` for nobody.
        templates: The templates that are written.
    """

    def __init__(self, on_event: OnEvent | None, templates: Sequence[str]) -> None:
        self._on_event = on_event
        self._templates = dict.fromkeys(templates, 0.0)
        self.percent = 0.0

    def template(self, name: str, percent: float) -> None:
        """Notes how far a template is."""
        self._templates[name] = max(self._templates[name], percent)
        self._rise(overall(self._templates))

    async def tell(
        self,
        kind: str,
        message: str,
        *,
        subject: str = "",
        percent: float = 0.0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Tells of one event.

        Raises:
            Whatever ``on_event`` raises.
        """
        self._rise(percent)
        if self._on_event is None:
            return
        told = self._on_event(
            Event(
                kind=kind,
                message=message,
                subject=subject,
                percent=round(self.percent, 1),
                data=data or {},
            )
        )
        if inspect.isawaitable(told):
            await told

    def _rise(self, percent: float) -> None:
        self.percent = max(self.percent, percent)
