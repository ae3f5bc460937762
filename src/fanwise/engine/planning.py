"""Before a run: how many calls, how many tokens, how much money. Nothing is sent."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from fanwise.engine.checks import check_function
from fanwise.engine.context import Context, as_messages
from fanwise.engine.items import ItemFunction
from fanwise.engine.sources import chunks_of
from fanwise.engine.work import ItemWork, OnDelta
from fanwise.errors import FanwiseError
from fanwise.limits.estimate import TokenEstimator
from fanwise.models.prices import Prices
from fanwise.models.rules import Rules, RulesEndpoint
from fanwise.models.schemas import Schemas
from fanwise.models.structured import parse
from fanwise.records import NOTHING, Json, Message, Request, Response, Timeouts, Usage

_READ_AHEAD = 64
# Tokenisers differ from the start values by about a quarter either way; an answer's length is
# known to an order of magnitude only. Both are replaced by learned figures once a run has begun.
_INPUT_SPREAD = (0.75, 1.35)
_OUTPUT_SPREAD = (0.25, 1.0)
_LIKELY_OUTPUT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """An estimate: low, likely and high."""

    low: int = 0
    likely: int = 0
    high: int = 0

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            low=self.low + other.low,
            likely=self.likely + other.likely,
            high=self.high + other.high,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would ask for.

    Args:
        items: Items in the source.
        calls: Calls they would make; a lower bound where ``at_least`` is set, because later calls
            of an item depend on answers that only a model can give.
        input_tokens: Tokens sent.
        output_tokens: Tokens answered.
        cost_usd: Low, likely and high cost; ``None`` where a price is unknown.
        price_date: Day of the price list.
        models: Calls by model.
        unpriced: Models whose price is unknown.
        failures: Items whose function raised before its first call, with what it raised.
    """

    items: int
    calls: int
    at_least: bool
    input_tokens: Spread
    output_tokens: Spread
    cost_usd: tuple[Decimal, Decimal, Decimal] | None
    price_date: date | None
    models: Mapping[str, int]
    unpriced: Sequence[str]
    failures: int = 0
    first_failure: str = ""


class _Unknown(FanwiseError):
    """The plan ends here for this item: what follows depends on a model's answer."""


class _Tally:
    def __init__(self) -> None:
        self.estimator = TokenEstimator()
        self.prices = Prices()
        self.schemas = Schemas()
        self.items = 0
        self.calls = 0
        self.at_least = False
        self.input = Spread()
        self.output = Spread()
        self.cost: list[Decimal] = [Decimal(0), Decimal(0), Decimal(0)]
        self.models: dict[str, int] = {}
        self.unpriced: set[str] = set()
        self.failures = 0
        self.first_failure = ""

    def add(self, request: Request) -> None:
        """Counts one call."""
        cost = self.estimator.estimate(request)
        given = cost.input_tokens
        answered = cost.output_tokens
        taken = Spread(
            low=int(given * _INPUT_SPREAD[0]), likely=given, high=int(given * _INPUT_SPREAD[1])
        )
        written = Spread(
            low=int(answered * _OUTPUT_SPREAD[0]),
            likely=int(answered * _LIKELY_OUTPUT),
            high=int(answered * _OUTPUT_SPREAD[1]),
        )
        self.calls += 1
        self.models[request.model] = self.models.get(request.model, 0) + 1
        self.input += taken
        self.output += written
        pairs = (
            (taken.low, written.low),
            (taken.likely, written.likely),
            (taken.high, written.high),
        )
        for place, (inputs, outputs) in enumerate(pairs):
            usage = Usage(input_tokens=inputs, output_tokens=outputs)
            price = self.prices.cost_usd(request.model, usage)
            if price is None:
                self.unpriced.add(request.model)
            else:
                self.cost[place] += price


class _PlanContext(Context):
    """A context that counts calls instead of making them."""

    __slots__ = ("_tally",)

    def __init__(self, tally: _Tally, work: ItemWork) -> None:
        self._tally = tally
        self._work = work

    @property
    def run_id(self) -> str:
        return "plan"

    async def respond(
        self,
        model: str,
        messages: Sequence[Message] | str = (),
        *,
        schema: Any = None,
        parameters: Mapping[str, Json] = NOTHING,
        body: Mapping[str, Json] | None = None,
        endpoint: str = "chat/completions",
        rules: Rules | None = None,
        version: str = "",
        sample: int = 0,
        label: str = "",
        on_delta: OnDelta | None = None,
        single_flight: bool = True,
    ) -> Response:
        request = Request(
            model=model,
            messages=as_messages(messages),
            parameters=parameters,
            schema=self._tally.schemas.of(schema) if schema is not None else None,
            endpoint=endpoint,
            body=body,
            version=version,
        )
        self._tally.add(request)
        if rules is None:
            raise _Unknown("what follows depends on the answer")
        answer = await RulesEndpoint(rules).send(request, timeouts=Timeouts())
        if not isinstance(answer, Response):
            raise _Unknown(answer.message)
        if request.schema is None:
            return answer
        return replace(answer, value=parse(answer.text, request.schema).value)

    async def once(self, name: str, function: Any) -> Any:
        raise _Unknown(f"what follows depends on the side effect {name!r}")


async def plan(function: ItemFunction, source: Any) -> Plan:
    """What ``run.map(function, source)`` would ask for; sends nothing and journals nothing.

    The function runs on every item with a context that counts. A call with rules is answered by
    them, so that the calls after it are counted too; at any other call the item's count ends, and
    ``at_least`` says so where that happened.

    Args:
        function: ``async (ctx, item) -> value``.
        source: The items; read to its end.

    Returns:
        The plan. Token figures come from start values by script and are good to about a quarter.
        An item whose function raises is counted in ``failures`` and ends nothing.

    Raises:
        UsageError: ``function`` is no function of a context and an item.
        ConfigError: The source cannot be iterated.

    Cancelling it leaves nothing behind; nothing is ever spent.
    """
    check_function(function, takes=("ctx", "item"), hint="write: async def ask(ctx, item)")
    tally = _Tally()
    chunks = chunks_of(source, size=_READ_AHEAD)
    async for chunk in chunks:
        for value in chunk:
            work = ItemWork(str(tally.items), tally.items)
            tally.items += 1
            try:
                result = function(_PlanContext(tally, work), value)
                if inspect.isawaitable(result):
                    await result
            except _Unknown:
                tally.at_least = True
            except Exception as error:  # noqa: BLE001 - a row that cannot be planned is a finding
                tally.failures += 1
                tally.first_failure = tally.first_failure or f"{type(error).__name__}: {error}"
    return _plan_of(tally)


def _plan_of(tally: _Tally) -> Plan:
    low, likely, high = tally.cost
    return Plan(
        items=tally.items,
        calls=tally.calls,
        at_least=tally.at_least,
        input_tokens=tally.input,
        output_tokens=tally.output,
        cost_usd=None if tally.unpriced else (low, likely, high),
        price_date=tally.prices.date(),
        models=tally.models,
        unpriced=sorted(tally.unpriced),
        failures=tally.failures,
        first_failure=tally.first_failure,
    )
