"""The simulated provider behind ``sim/…``: started when a run first needs it, in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from fanwise.clock import Clock
from fanwise.errors import ConfigError
from fanwise.models.names import split_model
from fanwise.models.prices import Prices
from fanwise.records import Json, Request

if TYPE_CHECKING:
    from fanwise.models.endpoint import Endpoint
    from fanwise.models.http.transport import Transport
    from fanwise.models.rules import Rules
    from fanwise.simulator.profile import SimProfile
    from fanwise.simulator.provider import SimulatedProvider

PROVIDER = "sim"


class Simulated:
    """The simulated providers of a run, one for each profile in use.

    What they answer is computed from the request that reached them over HTTP: by the rules of the
    call it came from (found by the schema's name), else by ``answers``, else by the simulator.

    Args:
        profile: The profile of every ``sim/…`` model; ``None`` takes the one that its name says.
        answers: Rules by schema name, beside those that calls bring.
        transport: What sends; made when it is first needed.
        clock: Time.
    """

    def __init__(
        self,
        *,
        profile: SimProfile | None,
        answers: Mapping[str, Callable[[Request], Json]],
        transport: Callable[[], Transport],
        clock: Clock,
    ) -> None:
        self._profile = profile
        self._rules: dict[str, Any] = dict(answers)
        self._transport = transport
        self._clock = clock
        self._providers: dict[str, SimulatedProvider] = {}
        self._starting: dict[str, asyncio.Future[None]] = {}
        self._stack = AsyncExitStack()

    async def ready_for(self, request: Request, rules: Rules | None) -> None:
        """Starts the provider that a request needs, and remembers the rules of its schema."""
        model = request.model
        if not model.startswith((f"{PROVIDER}/", f"{PROVIDER}:")):
            return
        if rules is not None and request.schema is not None:
            self._rules[request.schema.name] = rules
        name = split_model(model)[1]
        if name not in self._providers:
            await self._started(name)

    async def _started(self, name: str) -> None:
        """Waits for the one start of a provider; whoever waits goes on in the order of arrival."""
        starting = self._starting.get(name)
        if starting is not None:
            await asyncio.shield(starting)
            return
        starting = self._starting[name] = asyncio.get_running_loop().create_future()
        try:
            self._providers[name] = await self._start(name)
        except BaseException:
            del self._starting[name]
            starting.cancel()
            raise
        starting.set_result(None)

    async def _start(self, name: str) -> SimulatedProvider:
        from fanwise.simulator.provider import SimulatedProvider

        profile = self._profile if self._profile is not None else profile_of(name)
        provider = SimulatedProvider(profile, answer=self._answer)
        return await self._stack.enter_async_context(provider)

    def _answer(self, request: Request) -> Json:
        from fanwise.simulator.answers import computed_answer

        rules = self._rules.get(request.schema.name) if request.schema is not None else None
        return computed_answer(request) if rules is None else rules(request)

    def endpoint(self, model: str) -> Endpoint:
        """The endpoint of a started provider."""
        from fanwise.models.openai_chat import chat_dialects
        from fanwise.models.remote import RemoteEndpoint

        name = split_model(model)[1]
        provider = self._providers.get(name)
        if provider is None:
            raise ConfigError(f"{model} was not started", hint="call it through a run's context")
        dialect, others = chat_dialects(name)
        return RemoteEndpoint(
            f"{PROVIDER}/{name}",
            dialect=dialect,
            others=others,
            provider=PROVIDER,
            origin=PROVIDER,
            base_url=provider.base_url,
            transport=self._transport(),
            clock=self._clock,
        )

    async def aclose(self) -> None:
        """Stops every provider that was started."""
        await self._stack.aclose()


def profile_of(name: str) -> SimProfile:
    """The profile behind ``sim/NAME``: the one of that name, or the default for a real model.

    A real model's name (``sim/gpt-4o-mini``) simulates its prices as well.

    Raises:
        ConfigError: There is neither a profile nor a priced model of that name.
    """
    from fanwise.simulator.profile import named_profile, named_profiles

    if name not in named_profiles() and Prices().known(f"{PROVIDER}/{name}"):
        return named_profile("default")
    return named_profile(name)
