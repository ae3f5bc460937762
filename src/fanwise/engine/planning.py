"""Before a run: how many calls, how many tokens, how much money, how long. Nothing is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanwise.engine.checks import check_function
from fanwise.engine.identity import Namer
from fanwise.engine.items import ItemFunction
from fanwise.engine.opening import IN_MEMORY, OpenRun
from fanwise.engine.plans.affording import shares_of
from fanwise.engine.plans.counting import Before, Counted, count
from fanwise.engine.plans.history import remembered
from fanwise.engine.plans.knowledge import Factors, Knowledge, Tokens, assumed, local
from fanwise.engine.plans.machine import Machine
from fanwise.engine.plans.machine import measured as measured_machine
from fanwise.engine.plans.measured import measured
from fanwise.engine.plans.outlook import Demand, Paid, look_ahead
from fanwise.engine.plans.records import Gain, Outlook, Plan, Spread
from fanwise.engine.plans.rehearsed import Ask, Setting
from fanwise.engine.plans.simulated import simulated
from fanwise.engine.simulated import PROVIDER, profile_of
from fanwise.journal.home import DEFAULT_DIRECTORY, Home, open_home
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.estimate import output_cap
from fanwise.models.names import canonical_model, split_model
from fanwise.models.prices import Prices
from fanwise.models.providers import ALIASES, BY_NAME
from fanwise.models.registry import checked_base_url
from fanwise.records import Counters, Request, Usage

if TYPE_CHECKING:
    from fanwise.engine.plans.history import Past

__all__ = ["Gain", "Outlook", "Plan", "Spread", "plan"]


async def plan(
    function: ItemFunction,
    source: Any,
    *,
    machine: Machine | None = None,
    item_id: Callable[[Any], str] | None = None,
    **options: Any,
) -> Plan:
    """What ``run.map(function, source)`` would ask for, cost and take; sends and writes nothing.

    The function runs on every item with a context that counts. A call with rules is answered by
    them, so that the calls after it are counted too; at any other call the item's count ends, and
    ``at_least`` says so where that happened.

    Tokens, latencies and limits are taken from the profile of a simulated model (``sim/…``), from
    calls of the same model that earlier runs of the journal made, or else from what is typical;
    ``known`` says which. The run is then rehearsed in virtual time with the engine's own limiter
    and retry policy.

    Args:
        function: ``async (ctx, item) -> value``.
        source: The items; read to its end.
        machine: What this machine adds to a call; measured in some hundredths of a second where it
            is left out.
        item_id: As ``run.map`` takes it; needed only beside ``resume``.
        **options: Those of ``fw.open_run``: ``limits``, ``retry``, ``budget``, ``journal``,
            ``base_url``, ``simulator``, ``answers`` … With ``resume=RUN_ID`` the plan is of what
            that run has still to do: what it has finished and what it has answers to is left out.

    Returns:
        The plan. An item whose function raises is counted in ``failures`` and ends nothing.

    Raises:
        UsageError: ``function`` is no function of a context and an item.
        ConfigError: The source cannot be iterated, an option is impossible, or the limits would not
            let the run end within two weeks.

    Cancelling it ends the count at once; a rehearsal under way (some seconds at most) goes on in
    its thread.
    """
    check_function(function, takes=("ctx", "item"), hint="write: async def ask(ctx, item)")
    opening = OpenRun("plan", **options)
    home = _home(opening)
    if home is None or opening.resume in {"unfinished", "never"}:
        counted = await count(function, source)
        return await asyncio.to_thread(_planned, counted, opening, machine, home)
    reader = await asyncio.to_thread(lambda: home.reader(home.find(opening.resume)))
    try:
        before = await asyncio.to_thread(
            Before,
            reader,
            namer=Namer(item_id=item_id, describe=None),
            origin_of=lambda model: _pool(model, opening).partition(" ")[2],
        )
        counted = await count(function, source, before=before)
        spent = reader.counters()
    finally:
        reader.close()
    return await asyncio.to_thread(_planned, counted, opening, machine, home, spent)


def _planned(
    counted: Counted,
    opening: OpenRun,
    machine: Machine | None,
    home: Home | MemoryHome | None,
    spent: Counters | None = None,
) -> Plan:
    known = _known(counted, opening, home)
    chains = [
        [_ask(request, known[request.model]) for request in requests]
        for requests in counted.sample.kept
    ]
    outlook: Outlook | None = None
    paid = Paid(given={}, written={})
    if chains:
        if machine is None:
            of_simulated = any(_is_simulated(model) for model in counted.calls)
            machine = measured_machine(_directory(home), simulated=of_simulated)
        setting = Setting(limits=opening.limits, retry=opening.retry, known=known, machine=machine)
        asking = counted.asking
        outlook, paid = look_ahead(Demand(items=asking, chains=chains), setting)
    asks = [ask for chain in chains for ask in chain]
    bills = [_bill(model, asks, counted, known[model], paid) for model in counted.calls]
    prices = Prices()
    unpriced = sorted(bill.model for bill in bills if not prices.known(bill.model))
    found = Plan(
        items=counted.items,
        finished=counted.finished,
        calls=sum(counted.calls.values()),
        at_least=counted.at_least,
        input_tokens=sum((bill.given for bill in bills), Spread()),
        output_tokens=sum((bill.written for bill in bills), Spread()),
        cost_usd=None if unpriced else _cost(bills, asks, prices),
        price_date=prices.date(),
        models=counted.calls,
        unpriced=unpriced,
        known={model: one.words for model, one in known.items()},
        basis=_weakest(known.values()),
        outlook=outlook,
        failures=counted.failures,
        first_failure=counted.first_failure,
    )
    if opening.budget is None:
        return found
    return replace(found, of_budget=shares_of(opening.budget, found, spent=spent or Counters()))


# what is known


def _known(
    counted: Counted, opening: OpenRun, home: Home | MemoryHome | None
) -> Mapping[str, Knowledge]:
    models = list(counted.calls)
    foreign = [model for model in models if not _is_simulated(model)]
    past: Mapping[str, Past] = {}
    if home is not None and foreign:
        past = remembered(home, foreign, base_url=opening.base_url)
    now_s = opening.clock.wall()
    found: dict[str, Knowledge] = {}
    for model in models:
        pool = _pool(model, opening)
        if canonical_model(model).startswith("builtin/"):
            found[model] = local(model, pool=pool)
        elif _is_simulated(model):
            found[model] = _simulated(model, pool, counted, opening)
        else:
            seen = measured(model, past[model], pool=pool, now_s=now_s) if model in past else None
            found[model] = seen or assumed(model, pool=pool)
    return found


def _simulated(model: str, pool: str, counted: Counted, opening: OpenRun) -> Knowledge:
    profile = opening.simulator or profile_of(split_model(model)[1])
    asked = [r for requests in counted.sample.kept for r in requests if r.model == model]
    capped = sum(output_cap(request)[0] is not None for request in asked)
    return simulated(
        model,
        profile,
        pool=pool,
        answers={**opening.answers, **counted.rules},
        reserves=2 * capped > len(asked),
    )


def _is_simulated(model: str) -> bool:
    return canonical_model(model).startswith(f"{PROVIDER}/")


def _pool(model: str, opening: OpenRun) -> str:
    """The name of a model's quota pool, as the engine will call it; asks for no key."""
    if model in opening.models:
        return f"{model.partition('/')[0]} callable"
    if "/" not in canonical_model(model):
        return model
    name, _ = split_model(model)
    if name in {"builtin", PROVIDER}:
        return f"{name} {name}"
    provider = BY_NAME.get(ALIASES.get(name, name))
    if provider is None:
        return f"{name} {name}"
    env = os.environ if opening.env is None else opening.env
    given = opening.base_url or env.get(provider.base_url_env, "").strip()
    if not given:
        return f"{provider.name} {provider.name}"
    url = checked_base_url(given, named_by="base_url")
    return f"{provider.name} {url if url != provider.base_url else provider.name}"


def _home(opening: OpenRun) -> Home | MemoryHome | None:
    given = opening.journal
    if given == IN_MEMORY:
        return None
    if given is None or isinstance(given, str | Path):
        return open_home(DEFAULT_DIRECTORY if given is None else given)
    return given


def _directory(home: Home | MemoryHome | None) -> Path | None:
    """Where the journal is kept, if on this machine's disk."""
    if home is None or isinstance(home, MemoryHome) or "://" in home.location:
        return None
    return Path(home.location).absolute()


def _weakest(known: Sequence[Knowledge] | Any) -> str:
    found = {one.basis for one in known}
    return next((basis for basis in ("assumed", "measured") if basis in found), "profile")


# tokens and money


def _ask(request: Request, known: Knowledge) -> Ask:
    tokens: Tokens = known.tokens(request)
    return Ask(request, max(1, round(tokens.given)), max(0, round(tokens.written)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bill:
    """What one model will be paid for: factors over the calls that were looked at."""

    model: str
    share: float
    given: Spread
    written: Spread
    factors: Sequence[tuple[float, float]]


def _bill(model: str, asks: Sequence[Ask], counted: Counted, known: Knowledge, paid: Paid) -> _Bill:
    own = [ask for ask in asks if ask.request.model == model]
    estimated = sum(counted.estimate(ask.request) for ask in own)
    # Of a long source only some calls were looked at. The start values were summed over all.
    given_share = counted.estimated[model] / max(1, estimated)
    written_share = counted.calls[model] / max(1, len(own))
    given_paid, written_paid = paid.given.get(model, 1.0), paid.written.get(model, 1.0)
    given = sum(ask.given for ask in own) * given_share * given_paid
    written = sum(ask.written for ask in own) * written_share * written_paid
    return _Bill(
        model=model,
        share=written_share,
        given=_spread(given, known.given),
        written=_spread(written, known.written),
        factors=[
            (factor * given_share / written_share * given_paid, other * written_paid)
            for factor, other in zip(
                (known.given.low, 1.0, known.given.high),
                (known.written.low, 1.0, known.written.high),
                strict=True,
            )
        ],
    )


def _spread(likely: float, factors: Factors) -> Spread:
    return Spread(
        low=round(likely * factors.low), likely=round(likely), high=round(likely * factors.high)
    )


def _cost(
    bills: Sequence[_Bill], asks: Sequence[Ask], prices: Prices
) -> tuple[Decimal, Decimal, Decimal]:
    """Call by call, since a price may depend on a call's length."""
    low, likely, high = (
        sum((_case_cost(bill, asks, prices, place) for bill in bills), Decimal(0))
        for place in range(3)
    )
    return low, likely, high


def _case_cost(bill: _Bill, asks: Sequence[Ask], prices: Prices, place: int) -> Decimal:
    given, written = bill.factors[place]
    total = Decimal(0)
    for ask in asks:
        if ask.request.model == bill.model:
            usage = Usage(
                input_tokens=round(ask.given * given), output_tokens=round(ask.written * written)
            )
            total += prices.cost_usd(bill.model, usage) or Decimal(0)
    return total * Decimal(repr(bill.share))
