"""What the caller gets for each item."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Generic

from fanwise.records.answers import NO_USAGE, Usage

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    # ``Outcome`` alone is ``Outcome[Any]``; the standard library has no such default before 3.13.
    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """How one item ended: a value, or the error that stands in its place.

    Args:
        item_id: The item's id.
        ok: Whether ``value`` counts.
        value: What the item's function returned; ``Outcome[T]`` names its type.
        error: The exception, where it failed.
        item: The item itself.
        attempts: Sends over all of its calls.
        usage: Tokens over all of its calls.
        cost_usd: Price over all of its calls; ``None`` where one is unknown.
        queued_s: Seconds its calls waited for permits and backoff.
        service_s: Seconds its calls were served.
        cached: Whether nothing had to be sent for it.
        position: 0-based place in the source.
    """

    item_id: str
    ok: bool
    # Without one, no value counts: a failed item's is ``None`` whatever the function returns.
    value: T = None  # pyright: ignore[reportAssignmentType]
    error: BaseException | None = None
    item: Any = None
    attempts: int = 0
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = None
    queued_s: float = 0.0
    service_s: float = 0.0
    cached: bool = False
    position: int = 0

    if not TYPE_CHECKING:
        # typing's own alias cannot make an object that is frozen and slotted at once.
        __class_getitem__ = classmethod(GenericAlias)
