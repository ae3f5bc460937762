"""Carries out what another process asks of a run, and writes down who asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fanwise.engine.steering.orders import EVENTS, Order, Sender
from fanwise.records import Json

if TYPE_CHECKING:
    from fanwise.engine.pools import Pools
    from fanwise.engine.run import Run
    from fanwise.engine.spending import Spending
    from fanwise.journal.memory import Journal

OnOrder = Callable[[Order, Sender], None]


class Steering:
    """Does to one run what orders say.

    Args:
        run: The run.
        journal: Its journal.
        pools: Its models' limits.
        spending: Its budget.
        on_order: Is told of each order that has changed something.
    """

    def __init__(
        self,
        run: Run,
        *,
        journal: Journal,
        pools: Pools,
        spending: Spending,
        on_order: OnOrder | None = None,
    ) -> None:
        self._run = run
        self._journal = journal
        self._pools = pools
        self._spending = spending
        self._on_order = on_order

    def __repr__(self) -> str:
        return f"<Steering of {self._run!r}>"

    async def carry_out(self, order: Order, sender: Sender) -> dict[str, Json]:
        """Does what is asked at once, then makes it durable with who asked.

        Returns:
            The run's state after it.

        Raises:
            ConfigError, StateError: A budget that cannot hold; nothing was changed.
            JournalError: It was done, but could not be written down.
        """
        event = EVENTS.get(order.verb)
        if event is not None:
            await self._do(order)
            if self._on_order is not None:
                self._on_order(order, sender)
            changed = order.change.as_json()
            await self._journal.control(event, {**changed, "by": sender.as_json()})
        return self.state()

    async def _do(self, order: Order) -> None:
        run = self._run
        if order.verb == "pause":
            run.pause()
        elif order.verb == "resume":
            run.resume()
        elif order.verb == "drain":
            run.drain()
        elif order.verb == "cancel":
            run.cancel()
        elif order.verb == "set":
            usd = order.change.budget_usd
            if usd is not None:
                for model in self._pools.models:
                    self._spending.check_priced(model)
                await run.set_budget(replace(self._spending.budget, usd=usd))
            self._pools.update(order.change.over(self._pools.limits))

    def state(self) -> dict[str, Json]:
        """The run at this instant, as JSON."""
        seen = self._run.snapshot()
        most = self._pools.limit
        return {
            "run_id": self._run.run_id,
            "state": self._word(),
            "items_total": seen.items_total,
            "items_done": seen.items_done,
            "items_failed": seen.items_failed,
            "in_flight": seen.in_flight,
            "waiting": seen.waiting,
            "concurrency_limit": most if most < math.inf else None,
            "limited_by": seen.limited_by,
            "what_limits": seen.what_limits,
        }

    def _word(self) -> str:
        if self._run.cancelled:
            return "cancelling"
        if self._run.draining:
            return "draining"
        return "paused" if self._pools.paused else "running"
