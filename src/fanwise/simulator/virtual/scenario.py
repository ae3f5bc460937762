"""What is rehearsed: a provider, what is asked of it, for how long, and by how many."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from fanwise.errors import ConfigError
from fanwise.simulator.virtual.provider import Work
from fanwise.simulator.virtual.spec import ProviderSpec, Speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The requests.

    Args:
        input_tokens: Mean tokens a request brings (lognormal).
        output_tokens: Mean tokens of an answer (lognormal).
        sigma: Standard deviation of the logarithm of both; 0 makes all alike.
        reserved_tokens: Output tokens a request asks for at most; ``None`` for twice the mean, and
            never less than its answer has.
        heavy_share: Share of requests that are large.
        heavy_tokens: Input tokens of a large one.
        items: Requests of each client; ``math.inf`` for as many as there is time for.
        arrivals_per_s: Requests that come a second (Poisson); ``None`` for as many as are wanted.
        standing: Requests that wait at a limiter when as many are there as are wanted: the next
            one comes as one of these gets its permit.
        workers: Requests begun and not ended, those that wait for a permit or before another
            attempt among them: no further one comes while there are so many.
    """

    input_tokens: float = 500
    output_tokens: float = 200
    sigma: float = 0.5
    reserved_tokens: int | None = None
    heavy_share: float = 0.0
    heavy_tokens: int = 10_000
    items: float = math.inf
    arrivals_per_s: float | None = None
    standing: int = 8
    workers: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One rehearsal.

    Args:
        name: What it is called.
        provider: The provider.
        load: What each client asks for.
        duration_s: After this many seconds no further request is sent.
        clients: How many clients with a limiter each share the provider.
        stagger_s: Seconds from the start of one client to the start of the next.
    """

    name: str
    provider: ProviderSpec
    load: Load = field(default_factory=Load)
    duration_s: float = 600.0
    clients: int = 1
    stagger_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.duration_s < math.inf:
            raise ConfigError(
                f"a rehearsal of {self.duration_s!r} s never ends",
                hint="give duration_s as a number of seconds above 0",
            )
        if self.clients < 1:
            raise ConfigError(f"{self.clients} clients send nothing", hint="give 1 client or more")


def works(load: Load, speed: Speed, *, seed: int, client: int = 0) -> Iterator[Work]:
    """The requests of one client, in order; the same for every limiter that is rehearsed."""
    chance = random.Random(f"load {seed} {client}")
    normal, uniform = chance.gauss, chance.random
    number = 0
    while number < load.items:
        given = max(1, round(load.input_tokens * _spread(normal(0, 1), load.sigma)))
        made = max(1, round(load.output_tokens * _spread(normal(0, 1), load.sigma)))
        first_s = speed.first_token_s * _spread(normal(0, 1), speed.sigma)
        heavy = uniform() < load.heavy_share
        if heavy:
            given = load.heavy_tokens
        reserved = load.reserved_tokens or round(2 * load.output_tokens)
        service_s = first_s + made * speed.per_token_s
        yield Work(number, given, made, max(reserved, made), first_s, service_s, heavy)
        number += 1


def _spread(normal: float, sigma: float) -> float:
    """A lognormal factor of mean 1."""
    return math.exp(sigma * normal - sigma * sigma / 2.0)
