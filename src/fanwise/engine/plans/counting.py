"""Runs a function over its items with a context that counts calls instead of making them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from fanwise.engine.context import Context
from fanwise.engine.items import ItemFunction
from fanwise.engine.sources import chunks_of
from fanwise.engine.work import ItemWork
from fanwise.errors import FanwiseError
from fanwise.limits.estimate import TokenEstimator
from fanwise.models.rules import Rules, RulesEndpoint
from fanwise.models.schemas import Schemas
from fanwise.models.structured import parse
from fanwise.records import Request, Response, Timeouts

if TYPE_CHECKING:
    from fanwise.engine.core import Core

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

    ``calls`` and ``estimated`` (input tokens by the start values) are by model and exact; the
    ``sample`` holds the requests of items spread evenly over the source.
    """

    def __init__(self) -> None:
        self.items = 0
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


class _Unknown(FanwiseError):
    """The count ends here for this item: what follows depends on a model's answer."""


class _CountingCore:
    """Stands where a context has its run: what it is asked is counted, and answered by rules."""

    run_id = "plan"

    def __init__(self, counted: Counted) -> None:
        self.schemas = counted.schemas
        self.caller = self
        self.requests: list[Request] = []
        self._counted = counted

    async def ready_for(self, request: Request, rules: Rules | None) -> None:
        """Nothing has to stand."""

    def prepare(
        self, work: ItemWork, request: Request, *, rules: Rules | None, **options: Any
    ) -> tuple[Request, Rules | None]:
        """Counts a call."""
        self._counted.add(request, rules)
        self.requests.append(request)
        return request, rules

    async def answer(self, call: tuple[Request, Rules | None]) -> Response:
        """What its rules say.

        Raises:
            _Unknown: It has none.
        """
        request, rules = call
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


async def count(function: ItemFunction, source: Any) -> Counted:
    """Runs the function on every item of the source, which is read to its end.

    A call with rules is answered by them, so that the calls after it are counted too; at any other
    call the item's count ends.
    """
    counted = Counted()
    chunks = chunks_of(source, size=_READ_AHEAD)
    async for chunk in chunks:
        for value in chunk:
            core = _CountingCore(counted)
            context = _CountingContext(core, ItemWork(str(counted.items), counted.items))
            counted.items += 1
            try:
                result = function(context, value)
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
    return counted
