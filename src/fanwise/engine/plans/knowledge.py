"""What is known of a model before a run: how long it takes, what it allows, how much it writes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from fanwise.limits.estimate import TokenEstimator, output_cap
from fanwise.records import Cost, Request
from fanwise.simulator.lots import Lot
from fanwise.simulator.virtual.spec import ProviderSpec, Speed

Basis: TypeAlias = Literal["profile", "measured", "assumed"]
FaultKind: TypeAlias = Literal["failed", "full", "invalid"]

# What chat models of the day do, within a factor of about three either way.
TYPICAL_FIRST_S: Final = 0.8
TYPICAL_SIGMA: Final = 0.5
TYPICAL_TOKEN_S: Final = 0.012
_TYPICAL_FACTOR: Final = 3.0
_TYPICAL_TOKENS: Final = 256.0
_TYPICAL_NETWORK_S: Final = 0.03


class Tokens(NamedTuple):
    """What a call brings and what its answer will have, as far as is known."""

    given: float
    written: float


class Factors(NamedTuple):
    """How far the truth may lie from what is likely: factors of the low and of the high case."""

    low: float
    high: float


EXACT: Final = Factors(1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long an answer takes when nothing is in its way.

    Args:
        first_s: Mean seconds to its first token.
        sigma: Standard deviation of that time's logarithm (lognormal).
        per_token_s: Further seconds for each token it has.
        residuals: What measured times differed from ``first_s + per_token_s · tokens``; drawn from
            instead of the lognormal where there are any.
    """

    first_s: float
    sigma: float = 0.0
    per_token_s: float = 0.0
    residuals: tuple[float, ...] = ()

    def draw(self, chance: random.Random, written: float) -> float:
        """Seconds for an answer of so many tokens."""
        rest_s = self.per_token_s * written
        if self.residuals:
            return max(0.0, self.first_s + rest_s + chance.choice(self.residuals))
        sigma = self.sigma
        spread = math.exp(chance.gauss(-sigma * sigma / 2.0, sigma)) if sigma else 1.0
        return self.first_s * spread + rest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with a share of the requests a provider has let in.

    Args:
        share: Of them, from 0 to 1.
        kind: ``failed`` and is sent again, ``full`` (a 503 that says so), or ``invalid``: served
            and paid for, but not of the shape that was asked for.
        extra_s: Seconds it takes beyond the answer it stands for.
        durations_s: Where they were measured: how long such requests took, instead.
        name: What the simulator calls it.
    """

    share: float
    kind: FaultKind
    extra_s: float = 0.0
    durations_s: tuple[float, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known of one model.

    Args:
        model: ``provider/model``.
        pool: The quota pool it belongs to, as the engine calls it.
        basis: Where most of it comes from: the simulator's profile, calls that were measured
            before, or what is typical.
        words: The same for people.
        latency: How long answers take.
        spec: The provider's limits and manners.
        faults: What goes wrong.
        tokens: Tokens of a request and of its answer.
        time: Factors on latencies.
        given: Factors on tokens brought.
        written: Factors on tokens answered.
        slowness: Factor on what ``lots`` says of latencies.
        shared: Whether its limits are those of the pool, not of the model alone.
        lots: What chance deals to a request that has met so many faults before, where it is known;
            latencies and faults are drawn at random otherwise.
    """

    model: str
    pool: str
    basis: Basis
    words: str
    latency: Latency
    spec: ProviderSpec
    tokens: Callable[[Request], Tokens] = field(repr=False)
    faults: tuple[Fault, ...] = ()
    time: Factors = EXACT
    given: Factors = EXACT
    written: Factors = EXACT
    slowness: float = 1.0
    shared: bool = True
    lots: Callable[[Request, int], Lot] | None = field(default=None, repr=False)


def assumed(model: str, *, pool: str, spec: ProviderSpec | None = None) -> Knowledge:
    """What is typical of a model that nothing is known of: good to a factor of about three.

    Args:
        model: ``provider/model``.
        pool: Its quota pool.
        spec: Its provider's limits, where they are known.
    """
    estimator = TokenEstimator()

    def tokens(request: Request) -> Tokens:
        cost: Cost = estimator.estimate(request)
        cap, answers = output_cap(request)
        written = _TYPICAL_TOKENS * answers
        return Tokens(cost.input_tokens, written if cap is None else min(cap / 2.0, written))

    return Knowledge(
        model=model,
        pool=pool,
        basis="assumed",
        words=f"nothing is known of {model}: typical answers are assumed "
        f"({TYPICAL_FIRST_S:g} s and {TYPICAL_TOKEN_S * 1000:g} ms a token), and no limits",
        latency=Latency(first_s=TYPICAL_FIRST_S, sigma=TYPICAL_SIGMA, per_token_s=TYPICAL_TOKEN_S),
        spec=spec or ProviderSpec(speed=Speed(network_s=_TYPICAL_NETWORK_S)),
        tokens=tokens,
        time=Factors(1.0 / _TYPICAL_FACTOR, _TYPICAL_FACTOR),
        # Tokenisers differ from the start values by about a quarter either way; an answer's length
        # is known to an order of magnitude only.
        given=Factors(0.75, 1.35),
        written=Factors(0.5, 2.0),
    )


def local(model: str, *, pool: str) -> Knowledge:
    """What is known of ``builtin/…``, which runs in this process."""
    estimator = TokenEstimator()

    def tokens(request: Request) -> Tokens:
        return Tokens(estimator.estimate(request).input_tokens, 0.0)

    return Knowledge(
        model=model,
        pool=pool,
        basis="profile",
        words=f"{model} runs in this process",
        latency=Latency(first_s=0.0),
        spec=ProviderSpec(speed=Speed(first_token_s=0.0, sigma=0.0, network_s=0.0)),
        tokens=tokens,
        time=Factors(0.5, 2.0),
    )
