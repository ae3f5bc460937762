"""What another process may ask of a run, as records and as lines of JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, cast, get_args

from fanwise.errors import ConfigError
from fanwise.limits.budget import Budget
from fanwise.limits.settings import Concurrency, Limits, read_concurrency
from fanwise.records import Json

Verb = Literal["pause", "resume", "drain", "cancel", "set", "status"]

_VERBS: Final[tuple[str, ...]] = get_args(Verb)
EVENTS: Final[Mapping[Verb, str]] = {
    "pause": "run.paused",
    "resume": "run.resumed",
    "drain": "run.drained",
    "cancel": "run.cancelled",
    "set": "limits.set",
}
"""The journal's event of each verb that changes something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New limits for each quota pool of a run, or a new budget; ``None`` leaves one as it is.

    Args:
        max_concurrency: Calls in flight at once, or how they are learned.
        rpm, tpm: Requests and tokens a minute.
        budget_usd: Dollars that the run may spend over all of its sessions.

    Raises:
        ConfigError: A value is impossible.
    """

    max_concurrency: Concurrency | None = None
    rpm: float | None = None
    tpm: float | None = None
    budget_usd: float | None = None

    def __post_init__(self) -> None:
        self.over(Limits())
        Budget(usd=self.budget_usd)
        for name in ("rpm", "tpm"):
            if getattr(self, name) == math.inf:
                raise ConfigError(f"{name} is infinite", hint=f"give {name} a number a minute")

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) is not None for one in fields(self))

    def over(self, limits: Limits) -> Limits:
        """The limits with what was changed."""
        given: dict[str, Any] = {"rpm": self.rpm, "tpm": self.tpm}
        given["concurrency"] = self.max_concurrency
        return replace(
            limits, **{name: value for name, value in given.items() if value is not None}
        )

    def as_json(self) -> dict[str, Json]:
        """What was given, by name, as :func:`read_change` reads it."""
        found: dict[str, Json] = {}
        for one in fields(self):
            value: Any = getattr(self, one.name)
            if value is not None:
                found[one.name] = _plain(value)
        return found


NO_CHANGE: Final = Change()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing that is asked of a run; ``change`` belongs to ``set``."""

    verb: Verb
    change: Change = field(default_factory=Change)

    def as_json(self) -> dict[str, Json]:
        """The order as a message."""
        return {"verb": self.verb, **self.change.as_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The process that an order came from, as the kernel names it; ``None`` where it does not."""

    pid: int | None = None
    uid: int | None = None

    @property
    def words(self) -> str:
        """The sender in words."""
        return "another process" if self.pid is None else f"process {self.pid}"

    def as_json(self) -> dict[str, Json]:
        """The sender as the journal keeps it."""
        return {"pid": self.pid, "uid": self.uid}


def read_order(message: object) -> Order:
    """An order from a message.

    Raises:
        ConfigError: It is none, or asks for what is impossible.
    """
    if not isinstance(message, dict):
        raise ConfigError("an order is a JSON object", hint='such as {"verb": "pause"}')
    given = cast("dict[str, Any]", message)
    verb: Any = given.get("verb")
    if verb not in _VERBS:
        raise ConfigError(f"no such verb: {verb!r}", hint=f"known are {', '.join(_VERBS)}")
    change = read_change({name: value for name, value in given.items() if name != "verb"})
    if bool(change) != (verb == "set"):
        raise ConfigError(
            "only set changes limits, and it has to name one", hint=f"known are {_names()}"
        )
    return Order(verb=verb, change=change)


def read_change(given: Mapping[str, Any]) -> Change:
    """A change from what :meth:`Change.as_json` gave, or from what people write.

    Raises:
        ConfigError: An unknown name, or an impossible value.
    """
    for name in given:
        if name not in Change.__slots__:
            raise ConfigError(f"no such limit: {name!r}", hint=f"known are {_names()}")
    found = {name: value for name, value in given.items() if value is not None}
    if "max_concurrency" in found:
        found["max_concurrency"] = read_concurrency(found["max_concurrency"])
    return Change(**found)


def _plain(value: Concurrency) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _names() -> str:
    return ", ".join(one.name for one in fields(Change))
