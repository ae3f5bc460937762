"""What the engine keeps of one item while it runs, and of one call while it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from fanwise.errors import FanwiseError
from fanwise.records import NO_USAGE, CallKey, CallRecord, Delta, Json, Request, Response, Usage
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from fanwise.engine.pools import Target
    from fanwise.journal.memory import Recalled
    from fanwise.limits.waiting import Priority

OnDelta: TypeAlias = "Callable[[Delta], None]"
Reference: TypeAlias = tuple[str, int]  # content key and sample


class Drained(FanwiseError):
    """The run takes no further call: it is being drained or cancelled. Nothing was sent."""

    code = "drained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the engine makes it."""

    work: ItemWork
    request: Request
    target: Target
    key: CallKey
    label: str = ""
    on_delta: OnDelta | None = None
    single_flight: bool = True
    priority: Priority | None = None  # of its item, where it has none of its own


make_call = maker(Call)
make_request = maker(Request)


@dataclass(slots=True)
class ItemWork:
    """An item's calls and what they cost so far."""

    item_id: str
    position: int
    recalled: Recalled | None = None
    started_at: float = 0.0
    known: Mapping[Reference, CallRecord] = field(default_factory=dict[Reference, CallRecord])
    settled: dict[Reference, Response] = field(default_factory=dict[Reference, Response])
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = Decimal(0)
    attempts: int = 0
    queued_s: float = 0.0
    service_s: float = 0.0
    calls: int = 0
    cached_calls: int = 0
    sent: bool = False
    drained: bool = False
    judged: bool = False
    priority: Priority = "background"
    effects: dict[str, Any] | None = None  # results of side effects of this session, by name
    last: bool = False
    unsettled: asyncio.Future[None] | None = None

    def holds(self, settled: Awaitable[None]) -> bool:
        """Whether a call's commit is waited for only when the item ends: it is the last call."""
        if not self.last or not isinstance(settled, asyncio.Future):
            return False
        self.unsettled = settled
        return True

    def let_go(self) -> None:
        """The item ends without having waited: the journal's own failure is not told twice."""
        unsettled, self.unsettled = self.unsettled, None
        if unsettled is not None:
            unsettled.add_done_callback(_seen)

    @property
    def cached(self) -> bool:
        """Whether it made calls and all were answered without a send."""
        return 0 < self.calls == self.cached_calls

    def account(self, record: CallRecord) -> None:
        """Adds an ended call to the item's sums."""
        self.calls += 1
        self.usage = self.usage + record.usage
        if record.cached:
            self.cached_calls += 1
        elif record.cost_usd is None:
            self.cost_usd = None
        elif self.cost_usd is not None:
            self.cost_usd += record.cost_usd
        self.attempts += len(record.attempts)
        for attempt in record.attempts:
            self.queued_s += attempt.queued_s
            self.service_s += attempt.ended_at - attempt.started_at


make_work = maker(ItemWork)
_make_response = maker(Response)


def _seen(settled: asyncio.Future[None]) -> None:
    if not settled.cancelled():
        settled.exception()


def served_before(record: CallRecord, request: Request) -> Response:
    """The answer of a call that the journal knows, as if it had just come."""
    value: Any = record.value
    stored = record.response
    if request.schema is not None and request.schema.build is not None:
        value = request.schema.build(value)
    text = stored.get("text")
    status = stored.get("status")
    body = stored.get("body")
    return _make_response(
        text=text if isinstance(text, str) else (value if isinstance(value, str) else ""),
        value=value,
        usage=record.usage,
        model=str(stored.get("model") or ""),
        finish_reason=_text(stored.get("finish_reason")),
        status=status if isinstance(status, int) else 200,
        request_id=_text(stored.get("request_id")),
        body=body if isinstance(body, Mapping) else None,
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
