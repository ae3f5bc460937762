"""What a provider in virtual time is: its limits, its speed, its manners and its bad days."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from fanwise.errors import ConfigError
from fanwise.records import Dimension

Advice: TypeAlias = Literal["exact", "integer", "coarse", "absent", "short", "long"]
Charge: TypeAlias = Literal["reserved", "used"]
WhenFull: TypeAlias = Literal["429", "503", "queue"]
OutageAnswer: TypeAlias = Literal["503", "500", "silence"]
Target: TypeAlias = Dimension | Literal["slots", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A quota of the provider: a token bucket.

    Args:
        dimension: What is counted.
        per_minute: What flows in, units a minute; above 0.
        burst_s: Seconds of that flow which the bucket holds, at least one request.
        charge: Whether a request pays for the output it reserves, at its admission, or for what it
            really used, when it ends.
    """

    dimension: Dimension
    per_minute: float
    burst_s: float = 1.0
    charge: Charge = "used"

    def __post_init__(self) -> None:
        _within("an allowance's units a minute", self.per_minute, low=1e-6, high=1e12)
        _within("an allowance's burst in seconds", self.burst_s, low=0.0, high=86_400.0)

    @property
    def size(self) -> float:
        """What the bucket holds."""
        return max(1.0, self.per_minute / 60.0 * self.burst_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Requests in work at once.

    Args:
        count: How many; at least 1.
        when_full: A bare 429, a 503, or a place in a queue.
        queue: Places in that queue; a bare 429 beyond them.
    """

    count: int
    when_full: WhenFull = "429"
    queue: float = math.inf

    def __post_init__(self) -> None:
        _within("the number of slots", self.count, low=1, high=1e9)
        _within("the slots' queue", self.queue, low=0, high=math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long an answer takes when nothing is in its way.

    Args:
        first_token_s: Mean time to the first token (lognormal), in seconds.
        sigma: Standard deviation of that time's logarithm; 0 makes it constant.
        per_token_s: Further seconds for each output token.
        network_s: Seconds from the caller to the provider's admission.
        refusal_s: Seconds until a refusal is answered, after admission was asked for.
    """

    first_token_s: float = 0.5
    sigma: float = 0.5
    per_token_s: float = 0.0
    network_s: float = 0.03
    refusal_s: float = 0.02

    def __post_init__(self) -> None:
        for name in ("first_token_s", "sigma", "per_token_s", "network_s", "refusal_s"):
            _within(name, getattr(self, name), low=0.0, high=86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceleration:
    """A limit that grows only with use: from a start, doubling at best every so many seconds.

    Applies to every allowance, as a share of it.

    Args:
        start: Share of the allowance that holds at first, above 0 and at most 1.
        doubling_s: Seconds in which full use doubles it.
    """

    start: float
    doubling_s: float

    def __post_init__(self) -> None:
        _within("an acceleration's start", self.start, low=1e-6, high=1.0)
        _within("an acceleration's doubling_s", self.doubling_s, low=0.1, high=86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From an instant on, a limit is ``factor`` times what it was at the beginning."""

    at_s: float
    factor: float
    of: Target = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Between two instants a limit goes evenly to ``factor`` times what it was at the beginning."""

    from_s: float
    until_s: float
    factor: float
    of: Target = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Between two instants answers become ``factor`` times as slow as at the beginning."""

    from_s: float
    until_s: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Between two instants nothing is served.

    ``answer``: a 503, a 500, or nothing at all until the caller's deadline.
    """

    from_s: float
    until_s: float
    answer: OutageAnswer = "503"


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Between two instants a share of the requests is refused by chance, with a 503."""

    from_s: float
    until_s: float
    share: float


Event: TypeAlias = Step | Ramp | Drift | Outage | Busy


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """A provider in virtual time.

    Args:
        allowances: Its quotas; at most one a dimension.
        slots: Requests in work at once; ``None`` for no limit.
        sharing: How many requests it works on at full speed: with more, all become slower in
            proportion (processor sharing). ``math.inf`` for no such limit.
        speed: How fast it answers.
        acceleration: How fast its quotas grow; ``None`` where they stand from the start.
        advice: What a refusal for quota says of Retry-After: the exact time, whole seconds,
            ``coarse_s`` whatever the truth, nothing, a tenth of the truth, or five times as much.
        coarse_s: That fixed wait.
        states_limits: Whether every answer states the quotas and what is left of them.
        error_share: Share of the admitted requests that end in a 500.
        busy_share: Share of all requests that are refused by chance with a 503, whatever is free.
        silence_s: The caller's deadline, where nothing is ever answered.
        events: What changes on the way.
    """

    allowances: tuple[Allowance, ...] = ()
    slots: Slots | None = None
    sharing: float = math.inf
    speed: Speed = field(default_factory=Speed)
    acceleration: Acceleration | None = None
    advice: Advice = "exact"
    coarse_s: float = 10.0
    states_limits: bool = False
    error_share: float = 0.0
    busy_share: float = 0.0
    silence_s: float = 60.0
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        dimensions = [allowance.dimension for allowance in self.allowances]
        if len(set(dimensions)) < len(dimensions):
            raise ConfigError(
                f"a provider has two allowances of one dimension: {', '.join(dimensions)}",
                hint="give one allowance for each dimension",
            )
        if self.advice not in get_args(Advice):
            raise ConfigError(
                f"the advice is {self.advice!r}", hint=f"it is one of {', '.join(get_args(Advice))}"
            )
        _within("the share of errors", self.error_share, low=0.0, high=0.99)
        _within("the share of busy answers", self.busy_share, low=0.0, high=0.99)
        _within("the sharing", self.sharing, low=1e-6, high=math.inf)


def _within(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ConfigError(f"{name} is {value!r}", hint=f"it must be {bounds}")
