"""Before a resumed run pays for anything again: is this the work that was done before?

A date in a prompt or an edited function changes every content key, and the whole run would be paid
for twice without a word. The first hundred items that had been finished are therefore watched:
where fewer than 90 % of them are answered from the journal, the run stops before it sends anything
for an item that the journal does not know as it is.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable

from fanwise.errors import StateError

SAMPLE = 100
_SHARE = 0.9
_PATIENCE = 50


class Unrecognised(StateError):
    """A resumed run is not the work that was begun; nothing was sent for what has changed."""

    code = "unrecognised"


class Recognition:
    """Holds back what would be sent for unknown or changed items until the question is decided.

    Every watched item is decided once: *known* when it ended on answers of the journal alone,
    *strange* when it wants to send, ended otherwise, or never came. Items by their ids: never by
    their positions, since finished ones need not be the first of the source.

    Args:
        finished: Ids of the first items that earlier sessions finished, at most 100.
        accept_changes: The user's word that the changes are meant.
        patience: Unknown items that may be held back; one more is taken as a sign that the items
            are others.
    """

    def __init__(
        self, *, finished: Iterable[str] = (), accept_changes: bool = False, patience: int = 0
    ) -> None:
        self._undecided: set[str] = set() if accept_changes else set(finished)
        self._unmet = set(self._undecided)
        self._size = len(self._undecided)
        self._needed = math.ceil(_SHARE * self._size)
        self._patience = max(_PATIENCE, patience)
        self._known = 0
        self._held = 0
        self._verdict: bool | None = None if self._size else True
        self._waiter: asyncio.Future[None] | None = None
        self._refusal: Exception | None = None

    @property
    def open(self) -> bool:
        """Whether the question is still undecided."""
        return self._verdict is None

    def met(self, item_ids: Iterable[str]) -> None:
        """These items have come out of the source."""
        if self.open and self._unmet:
            self._unmet.difference_update(item_ids)

    def source_ended(self) -> None:
        """No further item comes: watched ones that never came are strange."""
        for missing in tuple(self._unmet):
            self.ended(missing)

    def known(self, item_id: str) -> None:
        """A formerly finished item ended on answers of the journal alone."""
        if self.open and item_id in self._undecided:
            self._undecided.discard(item_id)
            self._known += 1
            self._judge()

    def ended(self, item_id: str) -> None:
        """An item has ended; where it was watched and is not known by now, it is strange."""
        if self.open and item_id in self._undecided:
            self._undecided.discard(item_id)
            self._judge()

    async def strange(self, item_id: str) -> None:
        """An item that the journal does not know as it is wants to send; waits for the verdict.

        Raises:
            Unrecognised: Too much has changed; nothing was sent.
            Exception: What :meth:`refuse_all` was given, before there was a verdict.
        """
        if self.open:
            if item_id in self._undecided:
                self.ended(item_id)
            else:
                self._held += 1
                if self._held > self._patience:
                    self._decide(accepted=False)
        if self.open and self._refusal is None:
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)
        if self.open and self._refusal is not None:
            raise self._refusal
        if not self._verdict:
            raise self._error()

    def refuse_all(self, error: Exception) -> None:
        """Nothing more comes to decide by: whoever is held back, now or later, gets this error."""
        self._refusal = error
        self._tell()

    def _judge(self) -> None:
        if self._known >= self._needed:
            self._decide(accepted=True)
        elif self._known + len(self._undecided) < self._needed:
            self._decide(accepted=False)

    def _decide(self, *, accepted: bool) -> None:
        self._verdict = accepted
        self._tell()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _error(self) -> Unrecognised:
        return Unrecognised(
            f"this is not the work that was begun: of the first {self._size} items that had been "
            f"finished, {self._known} were recognised",
            hint="prompts, parameters or rows have changed since (a date in a prompt does it). "
            "Nothing was sent for them. Pass --accept-changes (accept_changes=True) to pay for the "
            "changed ones, or start a new run",
        )
