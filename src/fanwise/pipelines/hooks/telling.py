"""How far a job is, and who is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fanwise.pipelines import Event, OnEvent

_START, _MODELS, _ANALYSIS = 5.0, 70.0, 20.0  # the rest of 100 is the finish
GENERATED, JUDGED = 0.4, 0.9
"""How much of a model's share is done when its hooks are there, and when they are judged."""


class Teller:
    """The events of one job, in order, with a percentage that never goes back.

    A job begins at 5; its models have equal shares of 70, of which 40 % is for writing and 90 %
    reached when all is judged; 20 is for comparing and ranking, 5 for the finish.

    Args:
        models: The job's models.
        subject: The idea's id, put before each message where there are several ideas.
        on_event: Who is told; may be asynchronous. What it raises is kept in ``fault`` and ends the
            job when its next model has ended, not the model whose event it was.
    """

    def __init__(
        self, models: Sequence[str], on_event: OnEvent | None, *, subject: str = ""
    ) -> None:
        self._shares = dict.fromkeys(models, 0.0)
        self._analysed = 0.0
        self._most = 0.0
        self._on_event = on_event
        self._subject = subject
        self._turn = asyncio.Lock()
        self.fault: Exception | None = None

    @property
    def percent(self) -> float:
        """How far the job is, from 0 to 100."""
        models = sum(self._shares.values()) / len(self._shares)
        return _START + _MODELS * models + _ANALYSIS * self._analysed

    def reach(self, model: str, share: float) -> None:
        """A model has done so much of its share, from 0 to 1."""
        self._shares[model] = max(self._shares[model], share)

    def analysed(self, share: float) -> None:
        """So much of comparing and ranking is done, from 0 to 1."""
        self._analysed = max(self._analysed, share)

    async def tell(
        self,
        kind: str,
        message: str,
        *,
        model: str = "",
        data: Mapping[str, Any] | None = None,
        percent: float | None = None,
    ) -> None:
        """Tells of something that happened, and how far the job is now.

        Args:
            kind: As :class:`fanwise.pipelines.Event` has them.
            message: One line for people.
            model: What it is about, for a model's events.
            data: The part's JSON.
            percent: How far, where the shares do not say it.
        """
        if self._on_event is None or self.fault is not None:
            return
        async with self._turn:
            self._most = max(self._most, self.percent if percent is None else percent)
            about = f"[{self._subject}] {message}" if self._subject else message
            event = Event(
                kind=kind,
                message=about,
                subject=model,
                percent=round(self._most, 1),
                data=data or {},
            )
            try:
                told = self._on_event(event)
                if told is not None:
                    await told
            except Exception as error:  # noqa: BLE001 - the observer's fault, raised by the job
                self.fault = error


def tells_of(done: int, total: int) -> bool:
    """Whether a model's judging is told of now: about three times a model, and at its end."""
    step = max(1, -(-total // 3))
    return done == total or done % step == 0
