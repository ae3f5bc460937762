"""Runs a function over its items with a context that counts calls instead of making them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from fanwise.engine.context import Context
from fanwise.engine.items import ItemFunction
from fanwise.engine.sources import chunks_of
from fanwise.engine.work import ItemWork, served_before
from fanwise.errors import FanwiseError
from fanwise.journal.memory import Recalled
from fanwise.limits.estimate import TokenEstimator
from fanwise.models.identity import content_key
from fanwise.models.rules import Rules, RulesEndpoint
from fanwise.models.schemas import Schemas
from fanwise.models.structured import parse
from fanwise.records import CallRecord, Request, Response, Timeouts

if TYPE_CHECKING:
    from fanwise.engine.core import Core
    from fanwise.engine.identity import Namer
    from fanwise.journal.memory import JournalReader

_READ_AHEAD: Final = 64
_SAMPLE: Final = 1024


class Thinned:
    """Items spread evenly over a stream of any length: at most twice ``most`` are held."""

    def __init__(self, most: int = _SAMPLE) -> None:
        self._most = most
        self._every = 1
        self._count = 0
        self.kept: list[Sequence[Request]] = []

    def add(self, requests: Sequence[Request]) -> None:
        """Takes an item in, if it is one of those that are kept."""
        if self._count % self._every == 0:
            self.kept.append(requests)
            if len(self.kept) >= 2 * self._most:
                self.kept = self.kept[::2]
                self._every *= 2
        self._count += 1


class Counted:
    """What a source asks for.

    ``finished`` items need nothing any more, and are no part of the rest.
    ``calls`` and ``estimated`` (input tokens by the start values) are by model and exact; the
    ``sample`` holds the requests of items spread evenly over the source.
    """

    def __init__(self) -> None:
        self.items = 0
        self.finished = 0
        self.calls: dict[str, int] = {}
        self.estimated: dict[str, int] = {}
        self.sample = Thinned()
        self.rules: dict[str, Rules] = {}
        self.asking = 0  # items that make calls
        self.at_least = False
        self.failures = 0
        self.first_failure = ""
        self._estimator = TokenEstimator()
        self.schemas = Schemas()

    def add(self, request: Request, rules: Rules | None) -> None:
        """Counts one call."""
        model = request.model
        self.calls[model] = self.calls.get(model, 0) + 1
        self.estimated[model] = self.estimated.get(model, 0) + self.estimate(request)
        if rules is not None and request.schema is not None:
            self.rules[request.schema.name] = rules

    def estimate(self, request: Request) -> int:
        """Input tokens of a request by the start values."""
        return self._estimator.estimate(request).input_tokens


class Before:
    """What an unfinished run knows of the items of a source.

    It is read once: the ids of what is finished, and the served calls of what is not.

    Args:
        reader: Reads the run.
        namer: Names items as the run does.
        origin_of: Where a model is asked, as it counts in the identity of a call.
    """

    def __init__(
        self, reader: JournalReader, *, namer: Namer, origin_of: Callable[[str], str]
    ) -> None:
        self._namer = namer
        self._origin_of = origin_of
        self._finished = {item.item_id for item in reader.items(state="succeeded")}
        self._calls: dict[str, list[CallRecord]] = {}
        for call in reader.calls(state="served"):
            if call.key.item_id not in self._finished:
                self._calls.setdefault(call.key.item_id, []).append(call)

    def of(self, value: Any) -> Recalled:
        """What is known of an item."""
        found = self._namer.name(value)
        state = "succeeded" if found in self._finished else None
        return Recalled(state=state, calls=self._calls.get(found, ()))

    def answer(self, known: Recalled, request: Request, sample: int) -> Response | None:
        """The answer of a call that was served before."""
        key = content_key(request, origin=self._origin_of(request.model))
        for record in known.calls:
            reference = record.key.content_key, record.key.sample
            if record.state == "served" and reference == (key, sample):
                return served_before(record, request)
        return None


class _Unknown(FanwiseError):
    """The count ends here for this item: what follows depends on a model's answer."""


class _Asked(NamedTuple):
    request: Request
    rules: Rules | None
    known: Response | None


class _CountingCore:
    """Stands where a context has its run: what it is asked is counted, and answered by rules."""

    run_id = "plan"

    def __init__(self, counted: Counted, before: Before | None, recalled: Recalled | None) -> None:
        self._before = before
        self._recalled = recalled
        self.schemas = counted.schemas
        self.caller = self
        self.requests: list[Request] = []
        self._counted = counted

    async def ready_for(self, request: Request, rules: Rules | None) -> None:
        """Nothing has to stand."""

    def prepare(
        self, work: ItemWork, request: Request, *, rules: Rules | None, sample: int, **options: Any
    ) -> _Asked:
        """Counts a call, unless its answer is known."""
        if self._before is not None and self._recalled is not None:
            known = self._before.answer(self._recalled, request, sample)
            if known is not None:
                return _Asked(request, rules, known)
        self._counted.add(request, rules)
        self.requests.append(request)
        return _Asked(request, rules, None)

    async def answer(self, call: _Asked) -> Response:
        """What is known, or what its rules say.

        Raises:
            _Unknown: It has none.
        """
        request, rules, known = call
        if known is not None:
            return known
        if rules is None:
            raise _Unknown("what follows depends on the answer")
        answer = await RulesEndpoint(rules).send(request, timeouts=Timeouts())
        if not isinstance(answer, Response):
            raise _Unknown(answer.message)
        if request.schema is None:
            return answer
        return replace(answer, value=parse(answer.text, request.schema).value)


class _CountingContext(Context):
    """A context that counts calls instead of making them."""

    __slots__ = ()

    def __init__(self, core: _CountingCore, work: ItemWork) -> None:
        super().__init__(cast("Core", core), work)

    async def once(self, name: str, function: Any) -> Any:
        raise _Unknown(f"what follows depends on the side effect {name!r}")


async def count(function: ItemFunction, source: Any, *, before: Before | None = None) -> Counted:
    """Runs the function on every item of the source, which is read to its end.

    A call with rules is answered by them, so that the calls after it are counted too, and so is one
    whose answer is known; at any other call the item's count ends. Items that were finished before
    are only counted.
    """
    counted = Counted()
    chunks = chunks_of(source, size=_READ_AHEAD)
    async for chunk in chunks:
        for value in chunk:
            known = None if before is None else before.of(value)
            counted.items += 1
            if known is not None and known.state == "succeeded":
                counted.finished += 1
            else:
                await _count_item(function, value, counted, before=before, recalled=known)
    return counted


async def _count_item(
    function: ItemFunction,
    value: Any,
    counted: Counted,
    *,
    before: Before | None,
    recalled: Recalled | None,
) -> None:
    core = _CountingCore(counted, before, recalled)
    number = counted.items - 1
    try:
        result = function(_CountingContext(core, ItemWork(str(number), number)), value)
        if inspect.isawaitable(result):
            await result
    except _Unknown:
        counted.at_least = True
    except Exception as error:  # noqa: BLE001 - a row that cannot be planned is a finding
        counted.failures += 1
        counted.first_failure = counted.first_failure or f"{type(error).__name__}: {error}"
    if core.requests:
        counted.asking += 1
        counted.sample.add(tuple(core.requests))
