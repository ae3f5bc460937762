"""How a simulated provider behaves: its speed, its limits and its faults."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from fanwise.errors import ConfigError

RetryAfter = Literal["exact", "integer", "absent", "date"]
SlotsStatus = Literal[429, 503]
FaultKind = Literal[
    "error_500",
    "error_503",
    "error_529",
    "stall",
    "stall_body",
    "reset",
    "truncated",
    "wrong_schema",
    "html",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Which share of the admitted requests goes wrong, each from 0 to 1, together at most 1.

    Args:
        error_500, error_503, error_529: Answered with that status and OpenAI's error body.
        stall: Nothing is sent until ``SimProfile.stall_s`` has passed; then the connection is cut.
        stall_body: The same after the head and half of the body.
        reset: The connection is reset instead of an answer.
        truncated: A whole answer whose JSON is cut off half-way.
        wrong_schema: What the model wrote does not satisfy the schema; plain text becomes empty.
        html: A web page with status 200, as a broken proxy sends it.
    """

    error_500: float = 0.0
    error_503: float = 0.0
    error_529: float = 0.0
    stall: float = 0.0
    stall_body: float = 0.0
    reset: float = 0.0
    truncated: float = 0.0
    wrong_schema: float = 0.0
    html: float = 0.0

    def __post_init__(self) -> None:
        for kind in FAULT_KINDS:
            _between(kind, getattr(self, kind), low=0.0, high=1.0)
        if self.total > 1.0 + 1e-9:
            raise ConfigError(
                f"the simulator's fault rates add up to {self.total:g}",
                hint="together they are a share of all requests: at most 1",
            )

    @property
    def total(self) -> float:
        """Share of the requests that goes wrong in any way."""
        return sum(getattr(self, kind) for kind in FAULT_KINDS)

    def pick(self, place: float) -> FaultKind | None:
        """The fault at a place of the unit interval, or none."""
        for kind in FAULT_KINDS:
            place -= getattr(self, kind)
            if place < 0.0:
                return kind
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimProfile:
    """A simulated provider's behaviour.

    Args:
        latency_s: Mean time to the first byte of an answer, in seconds (lognormal).
        latency_sigma: Standard deviation of that time's logarithm; 0 makes it constant.
        per_token_s: Further seconds for each output token.
        rpm: Requests a minute; ``math.inf`` for no limit.
        burst: Requests that may come at once (size of the bucket), at least 1.
        tpm: Tokens a minute, input and output together; ``math.inf`` for no limit.
        token_burst: Tokens that may come at once; ``None`` for a tenth of a minute's.
        slots: Requests in work at once; ``math.inf`` for no limit.
        slots_status: What a request gets when every slot is taken: a 429 or a 503, without hints.
        retry_after: Form of Retry-After on rate refusals: to the millisecond, rounded up to whole
            seconds, as an HTTP date, or left out.
        rate_headers: Send ``x-ratelimit-*`` on every answer, as OpenAI does.
        faults: Shares of requests that go wrong.
        stall_s: How long a stalled answer stays silent before the connection is cut, in seconds.
        seed: The same seed and the same requests give the same latencies and faults.
        api_key: The key that requests must carry; ``None`` takes any, and none.
        models: Names that are served; empty takes every name.
    """

    latency_s: float = 0.3
    latency_sigma: float = 0.4
    per_token_s: float = 0.0
    rpm: float = math.inf
    burst: float = 20
    tpm: float = math.inf
    token_burst: float | None = None
    slots: float = math.inf
    slots_status: SlotsStatus = 429
    retry_after: RetryAfter = "exact"
    rate_headers: bool = True
    faults: Faults = field(default_factory=Faults)
    stall_s: float = 5.0
    seed: int = 0
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("latency_s", "latency_sigma", "per_token_s", "stall_s"):
            _between(name, getattr(self, name), low=0.0, high=86_400.0)
        for name in ("rpm", "tpm", "slots"):
            _between(name, getattr(self, name), low=1e-9, high=math.inf)
        _between("burst", self.burst, low=1.0, high=math.inf)
        if self.token_burst is not None:
            _between("token_burst", self.token_burst, low=1.0, high=math.inf)
        _one_of("slots_status", self.slots_status, get_args(SlotsStatus))
        _one_of("retry_after", self.retry_after, get_args(RetryAfter))


def _between(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ConfigError(f"the simulator's {name} is {value:g}", hint=f"it must be {bounds}")


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(str(choice) for choice in allowed)
        raise ConfigError(f"the simulator's {name} is {value!r}", hint=f"it is one of {choices}")


def named_profiles() -> Mapping[str, SimProfile]:
    """The profiles behind ``sim/<name>``."""
    return {
        "default": SimProfile(),
        "fast": SimProfile(latency_s=0.02, latency_sigma=0.2),
        "instant": SimProfile(latency_s=0.0, latency_sigma=0.0),
        "slow": SimProfile(latency_s=3.0, latency_sigma=0.5, per_token_s=0.01),
        "limited": SimProfile(rpm=600, burst=10, tpm=200_000, slots=50),
        "flaky": SimProfile(
            faults=Faults(
                error_500=0.03,
                error_503=0.02,
                error_529=0.02,
                stall=0.005,
                stall_body=0.005,
                reset=0.02,
                truncated=0.02,
                wrong_schema=0.02,
                html=0.01,
            ),
        ),
    }


def named_profile(name: str) -> SimProfile:
    """The profile of ``sim/<name>``.

    Raises:
        ConfigError: There is none of that name; the message names those there are.
    """
    profiles = named_profiles()
    found = profiles.get(name)
    if found is None:
        raise _unknown(f"sim/{name} is no simulated model", name, profiles, prefix="sim/")
    return found


# Options of the command line: name → (field, how its text is read).


def _number(text: str) -> float:
    return float(text.strip().replace("_", "").replace(",", ""))


def _limit(text: str) -> float:
    if text.strip().lower() in {"none", "off", "unlimited", "inf"}:
        return math.inf
    return _number(text)


def _share(text: str) -> float:
    text = text.strip()
    return _number(text[:-1]) / 100 if text.endswith("%") else _number(text)


def _flag(text: str) -> bool:
    words = {"yes": True, "true": True, "on": True, "1": True}
    words |= {"no": False, "false": False, "off": False, "0": False}
    return words[text.strip().lower()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_Reader = Callable[[str], Any]
_OPTIONS: Mapping[str, tuple[str, _Reader, str]] = {
    "latency": ("latency_s", _number, "seconds, such as 0.3"),
    "sigma": ("latency_sigma", _number, "a number, such as 0.4"),
    "per-token": ("per_token_s", _number, "seconds, such as 0.01"),
    "rpm": ("rpm", _limit, "requests a minute, or none"),
    "burst": ("burst", _number, "a number of requests"),
    "tpm": ("tpm", _limit, "tokens a minute, or none"),
    "token-burst": ("token_burst", _number, "a number of tokens"),
    "slots": ("slots", _limit, "a number of requests, or none"),
    "slots-status": ("slots_status", int, "429 or 503"),
    "retry-after": ("retry_after", str.strip, "exact, integer, absent or date"),
    "rate-headers": ("rate_headers", _flag, "yes or no"),
    "stall-for": ("stall_s", _number, "seconds"),
    "seed": ("seed", int, "a whole number"),
    "api-key": ("api_key", str.strip, "a key"),
    "models": ("models", _names, "names with commas between them"),
}
_FAULT_OPTIONS: Mapping[str, FaultKind] = {kind.replace("_", "-"): kind for kind in FAULT_KINDS}


def profile_from_options(
    options: Mapping[str, str], *, base: SimProfile | None = None
) -> SimProfile:
    """A profile from texts, as ``fanwise simulate`` and ``--opt`` give them.

    Args:
        options: ``{"latency": "0.3", "error-500": "2%", "profile": "limited"}``; hyphens and
            underscores are the same. ``profile`` names the one to begin with.
        base: What to begin with where no ``profile`` is named; the default profile if omitted.

    Raises:
        ConfigError: An unknown name (the nearest known one is suggested), or a value that cannot be
            read or lies outside its bounds.
    """
    given = {name.strip().lower().replace("_", "-"): text for name, text in options.items()}
    start = given.pop("profile", None)
    profile = named_profile(start) if start is not None else base or SimProfile()
    changes: dict[str, Any] = {}
    faults: dict[str, float] = {}
    for name, text in given.items():
        if name in _FAULT_OPTIONS:
            faults[_FAULT_OPTIONS[name]] = _read(name, text, _share, "a share, such as 0.02 or 2%")
        elif name in _OPTIONS:
            target, reader, form = _OPTIONS[name]
            changes[target] = _read(name, text, reader, form)
        else:
            known = {**_OPTIONS, **_FAULT_OPTIONS, "profile": None}
            raise _unknown(f"{name!r} is no option of the simulator", name, known, prefix="")
    if faults:
        changes["faults"] = replace(profile.faults, **faults)
    return replace(profile, **changes)


def _read(name: str, text: str, reader: _Reader, form: str) -> Any:
    try:
        return reader(text)
    except (ValueError, KeyError):
        raise ConfigError(
            f"the simulator's option {name} cannot be {text!r}", hint=f"it takes {form}"
        ) from None


def _unknown(message: str, name: str, known: Mapping[str, object], *, prefix: str) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {prefix}{near[0]}? " if near else ""
    return ConfigError(
        message, hint=f"{guess}there are {', '.join(prefix + other for other in sorted(known))}"
    )
