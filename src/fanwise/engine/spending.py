"""A run's budget: what a call may cost is set aside before it is sent, and put right after it."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fanwise.errors import BudgetExhausted, ConfigError, FanwiseError, StateError
from fanwise.limits.budget import NOTHING_SPENT, Amount, Budget, Purse
from fanwise.limits.estimate import TokenEstimator
from fanwise.records import BudgetKind, BudgetUse, Counters, Failure, Json, Usage

if TYPE_CHECKING:
    from decimal import Decimal

    from fanwise.clock import Clock
    from fanwise.engine.work import Call
    from fanwise.models.prices import Prices

NOTHING_USED: Final = Usage(input_tokens=0, output_tokens=0)
_FREE: Final = frozenset({"builtin"})
_SAFELY: Final = 1.25  # times the estimate of input tokens, and some for what frames a prompt
_FRAME_TOKENS: Final = 8
_HINT: Final = "what was paid for is kept: open the run again with a larger budget and it goes on"


class _Waiter(NamedTuple):
    """A call that waits for what others leave of the budget."""

    call: Call
    first: bool
    turn: asyncio.Future[Amount]


class Spending:
    """Keeps a run within its budget. Without one it costs nothing.

    A call is let through when what it may cost fits beside what is spent and what is set aside for
    others. Where it only fits once others have turned out cheaper, it waits for them, first come,
    first served. Where it cannot fit at all the budget counts as reached.

    Args:
        budget: The budget.
        before: What earlier sessions of the run have spent.
        worked_s: How long they have worked, in seconds.
        prices: What tokens cost.
        clock: Time.
        priced: Whether every model needs a price although the budget holds no money.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        before: Counters,
        worked_s: float,
        prices: Prices,
        clock: Clock,
        priced: bool = False,
    ) -> None:
        self._priced = priced
        self._purse = Purse(budget=budget, spent=_spent(before))
        self._bounds_calls = budget.bounds_calls
        self._worked_s = worked_s
        self._prices = prices
        self._clock = clock
        self._began = clock.monotonic()
        self._estimator = TokenEstimator()
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._reached: Callable[[BudgetExhausted], None] | None = None
        self._refusal: FanwiseError | None = None
        self.exhausted: BudgetExhausted | None = None

    def __repr__(self) -> str:
        used = ", ".join(f"{u.kind} {u.spent:g} of {u.limit:g}" for u in self.use())
        return f"<Spending {used or 'without a bound'}>"

    @property
    def budget(self) -> Budget:
        """The budget in force."""
        return self._purse.budget

    @property
    def bounds_calls(self) -> bool:
        """Whether calls have to be accounted for before they are sent."""
        return self._bounds_calls

    @property
    def waiting(self) -> int:
        """Calls that wait for what others may leave of the budget."""
        return sum(not waiter.turn.done() for waiter in self._waiting)

    def use(self) -> Sequence[BudgetUse]:
        """How much of the budget is used; nothing where there is none."""
        worked_s = self._worked_s + self._clock.monotonic() - self._began
        return self._purse.use(worked_s=worked_s)

    def start(self, reached: Callable[[BudgetExhausted], None]) -> None:
        """From now on time counts.

        Args:
            reached: Is called once, when the budget is used up: the run has to take no more work.
        """
        self._reached = reached
        self._began = self._clock.monotonic()
        self._set_timer()

    def stop(self) -> None:
        """Ends the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def change(self, budget: Budget, *, counted: Counters) -> None:
        """Puts another budget into force at once; what was spent stays spent.

        Args:
            budget: The budget.
            counted: What the run has spent by now: where calls had no bound, nobody kept account.

        Raises:
            StateError: The old one was used up, and the run is ending.
        """
        if self.exhausted is not None:
            raise StateError("the budget was used up, and the run is ending", hint=_HINT)
        spent = self._purse.spent if self._bounds_calls else _spent(counted)
        self._purse = Purse(budget=budget, spent=spent, reserved=self._purse.reserved)
        self._bounds_calls = budget.bounds_calls
        self._set_timer()
        self._advance()

    def check(self, model: str) -> None:
        """Refuses a model that the budget cannot hold.

        Raises:
            ConfigError: There is a budget of money, for hedges too, and no price of the model.
        """
        if self._priced or self._purse.budget.usd is not None:
            self.check_priced(model)

    def check_priced(self, model: str) -> None:
        """Refuses a model that no budget of money can hold: ConfigError."""
        check_price(self._prices, model)

    # around a send

    def has_room(self, call: Call) -> bool:
        """Whether one more send of a call fits into the budget at once."""
        if not self._purse.budget.bounds_calls or call.target.endpoint.provider in _FREE:
            return True
        cost = self._expected(call, first=False)
        return not self._waiting and self._purse.admits(cost) == "now"

    def likely_usd(self, call: Call) -> Decimal | None:
        """What one more send of a call may cost; ``None`` where its price is unknown."""
        cost = self._estimator.estimate(call.request)
        usage = Usage(input_tokens=cost.input_tokens, output_tokens=cost.output_tokens)
        return self._prices.cost_usd(call.request.model, usage)

    async def reserve(self, call: Call, *, first: bool) -> Amount:
        """Sets aside what an attempt may cost; waits where others have to end first.

        Args:
            call: The call.
            first: Whether it is the call's first attempt.

        Returns:
            What was set aside, to be given to :meth:`settle` exactly once.

        Raises:
            FanwiseError: What :meth:`refuse_all` was given: the budget is reached.
        """
        if not self.bounds_calls or call.target.endpoint.provider in _FREE:
            return NOTHING_SPENT
        cost = self._expected(call, first=first)
        if not self._waiting and self._purse.admits(cost) == "now":
            self._purse = self._purse.reserve(cost)
            return cost
        if self._refusal is not None:
            raise self._refusal
        waiter = _Waiter(call, first, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._advance()
        turn = waiter.turn
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.settle(call, turn.result(), usage=None, sent=False)
            else:
                self._advance()
            raise

    def settle(self, call: Call, reserved: Amount, *, usage: Usage | None, sent: bool) -> None:
        """Replaces what was set aside by what an attempt has cost. Never waits.

        Args:
            call: The call.
            reserved: What :meth:`reserve` returned.
            usage: What was used; ``None`` where nobody knows, and what was set aside counts;
                :data:`NOTHING_USED` of an attempt that was refused (see :func:`used_by`).
            sent: Whether anything left this machine: else everything comes back.
        """
        if reserved is NOTHING_SPENT:
            return
        actual = NOTHING_SPENT
        if sent and usage is NOTHING_USED:
            actual = Amount(calls=reserved.calls)
        elif sent:
            actual = reserved if usage is None else self._real(call, usage, reserved)
            if usage is not None:
                self._estimator.learn(call.request, usage)
        self._purse = self._purse.settle(reserved, actual=actual)
        self._advance()

    def refuse_all(self, error: FanwiseError) -> None:
        """Gives this error to everybody who waits, now or later."""
        self._refusal = error
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.turn.done():
                waiter.turn.set_exception(error)

    def _expected(self, call: Call, *, first: bool) -> Amount:
        model = call.request.model
        cost = self._estimator.estimate(call.request)
        read, written = _SAFELY * cost.input_tokens + _FRAME_TOKENS, cost.output_tokens
        usd = None
        if self._purse.budget.usd is not None:
            usage = Usage(input_tokens=math.ceil(read), output_tokens=written)
            usd = self._prices.cost_usd(model, usage)
            if usd is None:
                check_price(self._prices, model)
        tokens = math.ceil(read) + written
        return Amount(usd=usd or NOTHING_SPENT.usd, tokens=tokens, calls=int(first))

    def _real(self, call: Call, usage: Usage, reserved: Amount) -> Amount:
        read, written = usage.input_tokens, usage.output_tokens
        usd = self._prices.cost_usd(call.request.model, usage)
        known = read is not None and written is not None
        return Amount(
            usd=reserved.usd if usd is None else usd,
            tokens=(read or 0) + (written or 0) if known else reserved.tokens,
            calls=reserved.calls,
        )

    def _advance(self) -> None:
        while self._waiting:
            waiter = self._waiting[0]
            if waiter.turn.done():
                self._waiting.popleft()
                continue
            # Estimated anew: what others have used meanwhile has taught how much is likely.
            cost = self._expected(waiter.call, first=waiter.first)
            admission = self._purse.admits(cost)
            if admission == "later":
                return
            if admission == "never":
                self._exhaust(self._purse.lacks(cost) or "usd", cost)
                return
            self._waiting.popleft()
            self._purse = self._purse.reserve(cost)
            waiter.turn.set_result(cost)

    # the end

    def _exhaust(self, kind: BudgetKind, cost: Amount) -> None:
        if self.exhausted is not None:
            return
        self.stop()
        self.exhausted = BudgetExhausted(_sentence(self._purse, kind, cost), hint=_HINT, kind=kind)
        if self._reached is not None:
            self._reached(self.exhausted)

    def _set_timer(self) -> None:
        self.stop()
        wall_s = self._purse.budget.wall_s
        if wall_s is None or self._reached is None:
            return
        left_s = wall_s - self._worked_s - (self._clock.monotonic() - self._began)
        self._timer = asyncio.get_running_loop().call_later(
            max(0.0, left_s), lambda: self._exhaust("wall_s", NOTHING_SPENT)
        )


def _spent(counters: Counters) -> Amount:
    return Amount(
        usd=counters.cost_usd,
        tokens=counters.input_tokens + counters.output_tokens,
        calls=counters.sent_calls,
    )


def used_by(failure: Failure) -> Usage | None:
    """What a send that brought no answer has used; ``None`` where nobody can tell.

    A refusal and an error that the provider tells of are free, and so is what never reached it. A
    send that was lost on the way back, or that we gave up, may have been answered and charged.
    """
    lost = failure.kind in {"reset", "protocol"}
    late = failure.kind == "timeout" and failure.phase != "connect"
    return None if lost or late else NOTHING_USED


def check_price(prices: Prices, model: str) -> None:
    """Refuses a model of unknown price.

    Raises:
        ConfigError: Its price is unknown, so that no budget of money can hold it.
    """
    if not prices.known(model):
        raise ConfigError(
            f"the price of {model} is unknown, so that a budget in dollars cannot hold it",
            hint="bound tokens or calls instead (--budget-tokens, --budget-calls), "
            "or name a model that has a price",
        )


def stored(budget: Budget) -> Mapping[str, Json]:
    """A budget as the journal keeps it."""
    usd = budget.most_usd
    kept: dict[str, Any] = {
        "usd": None if usd is None else str(usd),
        "tokens": budget.tokens,
        "calls": budget.calls,
        "wall_s": budget.wall_s,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _sentence(purse: Purse, kind: BudgetKind, cost: Amount) -> str:
    budget, spent = purse.budget, purse.spent
    if kind == "wall_s":
        return f"the budget of {budget.wall_s:g} s of work is used up"
    if kind == "calls":
        plural = "" if budget.calls == 1 else "s"
        return f"the budget of {budget.calls:,} call{plural} is used up"
    if kind == "tokens":
        return (
            f"the budget of {budget.tokens:,} tokens is reached: {spent.tokens:,} are spent, "
            f"and the next call may take {cost.tokens:,}"
        )
    return (
        f"the budget of ${budget.most_usd} is reached: ${_cents(spent.usd)} is spent, "
        f"and the next call may cost ${_cents(cost.usd)}"
    )


def _cents(usd: Any) -> str:
    return f"{usd:.4f}"
