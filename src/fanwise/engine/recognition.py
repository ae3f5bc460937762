"""Before a resumed run pays for anything again: is this the work that was done before?

A date in a prompt or an edited function changes every content key, and the whole run would be paid
for twice without a word. The first items of the source, as many as had been finished and at most a
hundred, are therefore watched: where fewer than 90 % of them are answered from the journal, the run
stops before it sends anything for an item that it should have known.
"""

from __future__ import annotations

import asyncio

from fanwise.errors import StateError

_SAMPLE = 100
_SHARE = 0.9


class Unrecognised(StateError):
    """A resumed run is not the work that was begun; nothing was sent for what has changed."""

    code = "unrecognised"


class Recognition:
    """Holds back what would be sent for unknown items until the first items have been seen.

    Every item of the sample is decided once: known (answered from the journal alone), neutral
    (begun or failed before, so that it is right to send), or strange (never seen, or changed).

    Args:
        finished: Items that earlier sessions finished with success.
        accept_changes: The user's word that the changes are meant.
    """

    def __init__(self, *, finished: int, accept_changes: bool = False) -> None:
        self._sample = 0 if accept_changes else min(_SAMPLE, finished)
        self._undecided = self._sample
        self._known = 0
        self._strange = 0
        self._verdict: asyncio.Future[None] | None = None

    @property
    def open(self) -> bool:
        """Whether the question is still undecided."""
        return self._undecided > 0

    def known(self, position: int) -> None:
        """A formerly finished item was answered from the journal alone."""
        if position < self._sample and self.open:
            self._known += 1
            self._decide()

    def neutral(self, position: int) -> None:
        """An item that was begun or failed before goes out again, as it should."""
        if position < self._sample and self.open:
            self._decide()

    async def strange(self, position: int) -> None:
        """An item that should have been known wants to send; waits for the verdict.

        Raises:
            Unrecognised: Too much has changed; nothing was sent.
        """
        if position < self._sample and self.open:
            self._strange += 1
            self._decide()
        if self.open:
            if self._verdict is None:
                self._verdict = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._verdict)
        seen = self._known + self._strange
        if seen and self._known < _SHARE * seen:
            raise self._error(seen)

    def source_ended(self, items: int) -> None:
        """There are so many items and no more: the sample cannot be larger than that."""
        if items < self._sample:
            self._undecided -= self._sample - items
            self._sample = items
            self._tell()

    def _decide(self) -> None:
        self._undecided -= 1
        self._tell()

    def _tell(self) -> None:
        if not self.open and self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(None)

    def _error(self, seen: int) -> Unrecognised:
        return Unrecognised(
            f"this is not the work that was begun: of its first {seen} items that were finished, "
            f"the journal knows {self._known}",
            hint="prompts, parameters or rows have changed since (a date in a prompt does it). "
            "Nothing was sent for them. Pass --accept-changes (accept_changes=True) to pay for the "
            "changed ones, or start a new run",
        )
