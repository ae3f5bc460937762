"""Several items in one request: ids checked, the missing asked alone, a failing pack split."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from fanwise.engine.modes.entries import Entry
from fanwise.errors import InvalidOutput, LimitError, Overloaded, RateLimited, UsageError
from fanwise.records import Outcome

_NOT_THE_ITEMS = (UsageError, RateLimited, Overloaded, LimitError)
Ask: TypeAlias = "Callable[[Sequence[Entry], Mapping[str, Any]], Awaitable[Outcome]]"
Served: TypeAlias = "Callable[[int, float], None]"


@dataclass(slots=True)
class PackCount:
    """What packing took, counted as it happens."""

    requests: int = 0
    items: int = 0
    splits: int = 0
    singles: int = 0
    missing: int = 0
    surplus: int = 0


class Packer:
    """Asks for several entries at once and brings every one of them to an outcome.

    Args:
        ask: Sends one request.
        served: Is told the items and the service time of each request that was answered.
    """

    def __init__(self, ask: Ask, *, served: Served) -> None:
        self._ask = ask
        self._served = served
        self.count = PackCount()

    async def answer(self, entries: Sequence[Entry]) -> list[Outcome]:
        """One outcome an entry, in their order.

        A pack of n costs at most 2n - 1 requests where every one of them fails, and about
        2·log2(n) where a single item is at fault.
        """
        items = _by_key(entries)
        count = self.count
        count.requests += 1
        count.items += len(entries)
        count.singles += len(entries) == 1
        reply = await self._ask(entries, items)
        if reply.ok and not isinstance(reply.value, Mapping):
            reply = _failed(reply, _no_mapping(reply.value))
        if not reply.ok:
            return await self._without_answer(entries, reply)
        self._served(len(entries), reply.service_s)
        return await self._with_answer(entries, items, reply)

    async def _without_answer(self, entries: Sequence[Entry], reply: Outcome) -> list[Outcome]:
        if len(entries) == 1 or isinstance(reply.error, _NOT_THE_ITEMS):
            return [_share(reply, entry, len(entries), error=reply.error) for entry in entries]
        self.count.splits += 1
        _spend(entries, reply)
        half = len(entries) // 2
        return [*await self.answer(entries[:half]), *await self.answer(entries[half:])]

    async def _with_answer(
        self, entries: Sequence[Entry], items: Mapping[str, Any], reply: Outcome
    ) -> list[Outcome]:
        values = {str(key): value for key, value in _mapping(reply.value).items()}
        self.count.surplus += len(values.keys() - items.keys())
        outcomes: list[Outcome] = []
        for entry, key in zip(entries, items, strict=True):
            if key not in values:
                self.count.missing += 1
                outcomes.append(await self._missing(entry, reply, len(entries)))
                continue
            value = values[key]
            error = value if isinstance(value, Exception) else None
            outcomes.append(
                _share(reply, entry, len(entries), value=None if error else value, error=error)
            )
        return outcomes

    async def _missing(self, entry: Entry, reply: Outcome, size: int) -> Outcome:
        if size > 1:
            _spend((entry,), reply, size)
            return (await self.answer((entry,)))[0]
        error = InvalidOutput(
            f"the answer holds nothing for item {entry.id!r}",
            hint="the function of a pack returns a mapping with the ids that it was given",
        )
        return _share(reply, entry, 1, error=error)


def _by_key(entries: Sequence[Entry]) -> dict[str, Any]:
    """Items by id; one whose id is taken already is told apart by its place in the source."""
    items: dict[str, Any] = {}
    for entry in entries:
        key = entry.id
        while key in items:
            key = f"{key}#{entry.position}"
        items[key] = entry.value
    return items


def _mapping(value: Any) -> Mapping[Any, Any]:
    return cast("Mapping[Any, Any]", value)


def _no_mapping(value: object) -> InvalidOutput:
    return InvalidOutput(
        f"a pack's answer is a {type(value).__name__}, not a mapping",
        hint="return a mapping from the ids that were given to their values",
    )


def _failed(reply: Outcome, error: Exception) -> Outcome:
    return Outcome(
        item_id=reply.item_id,
        ok=False,
        error=error,
        attempts=reply.attempts,
        queued_s=reply.queued_s,
        service_s=reply.service_s,
    )


def _spend(entries: Sequence[Entry], reply: Outcome, size: int | None = None) -> None:
    """Books a request that brought these entries nothing: service is shared, sends are not."""
    for entry in entries:
        entry.attempts += reply.attempts
        entry.queued_s += reply.queued_s
        entry.service_s += reply.service_s / (size or len(entries))


def _share(
    reply: Outcome,
    entry: Entry,
    size: int,
    *,
    value: Any = None,
    error: BaseException | None = None,
) -> Outcome:
    return Outcome(
        item_id=entry.id,
        ok=error is None,
        value=value,
        error=error,
        item=entry.value,
        attempts=reply.attempts,
        queued_s=reply.queued_s,
        service_s=reply.service_s / size,
        position=entry.position,
    )
