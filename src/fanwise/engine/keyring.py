"""Several keys of one model: which one the next request goes out with, and which are out of use."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fanwise.retry.body import read_body
from fanwise.retry.headers import retry_after_s
from fanwise.retry.signs import says_day_is_used_up, says_key_refused, says_no_credit

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.pools import Pool, Target
    from fanwise.engine.work import Call
    from fanwise.errors import CallError
    from fanwise.records import Failure

_LOG: Final = logging.getLogger("fanwise.keys")
_ORGANISATION: Final = ("openai-organization", "anthropic-organization-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What the choice of a key looks at.

    Args:
        alive: Whether it is in use at all.
        room: Whether a request would be admitted now.
        load: Requests in flight and waiting.
        used: Requests it was chosen for.
    """

    alive: bool
    room: bool
    load: int
    used: int


def choice(states: Sequence[KeyState]) -> int | None:
    """The place of the key with the most headroom; ``None`` where none is alive.

    A key that admits a request now goes before one that would let it wait; then the least loaded,
    and among equals (keys that share one pool) the least used.
    """
    alive = [place for place, state in enumerate(states) if state.alive]
    if not alive:
        return None
    return min(
        alive, key=lambda place: (not states[place].room, states[place].load, states[place].used)
    )


def refuses_key(failure: Failure) -> bool:
    """Whether a request ended because its key is none, or none any more."""
    if failure.status is None:
        return False
    return says_key_refused(failure.status, read_body(failure.body))


def hopeless(failure: Failure) -> bool:
    """Whether no other call can fare better: a refused key, nobody there, or no HTTP spoken."""
    no_http = failure.kind == "protocol" and failure.status is None and not failure.headers
    return refuses_key(failure) or failure.kind == "connect" or no_http


def with_key(call: Call) -> Call:
    """The call with the key that it goes out with next."""
    ring = call.target.ring
    return call if ring is None else replace(call, target=ring.pick())


def why_dead(failure: Failure) -> str:
    """Why a key cannot be used any more, for today at least; empty where it can."""
    if failure.status is None:
        return ""
    body = read_body(failure.body)
    if refuses_key(failure):
        return f"the provider refuses it ({failure.status})"
    if failure.status == 402 or says_no_credit(body):
        return f"its account has no credit left ({failure.status})"
    if failure.status == 429 and says_day_is_used_up(body):
        return "its quota of the day is used up (429)"
    return ""


def back_after_s(failure: Failure, *, wall_s: float) -> float | None:
    """After how long a key whose quota is used up may be used again, as its provider says.

    ``None`` where it says nothing, and of a key that was refused or cannot pay.
    """
    if failure.status != 429 or says_no_credit(read_body(failure.body)):
        return None
    asked_s = retry_after_s(failure.headers, wall_s=wall_s)
    return read_body(failure.body).retry_after_s if asked_s is None else asked_s


class KeyRing:
    """The keys of one model, each with its own quota pool until they turn out to share one.

    Keys of one organisation share its limits: an answer's ``openai-organization`` or
    ``anthropic-organization-id`` tells. From then on their requests queue in one pool.

    Args:
        targets: The model behind each of its keys, at least two.
        clock: Time. A key whose quota of the day is used up is in use again when the provider has
            said that it may be; one that was refused never is in this run.
    """

    def __init__(self, targets: Sequence[Target], *, clock: Clock) -> None:
        self._clock = clock
        self._back_at: dict[str, float] = {}
        self._targets = [replace(target, ring=self) for target in targets]
        self._used = [0] * len(targets)
        self._dead: dict[str, str] = {}
        self._organisations: dict[str, str] = {}

    def __repr__(self) -> str:
        alive = len(self._targets) - len(self._dead)
        return f"<KeyRing: {alive} of {len(self._targets)} keys in use>"

    @property
    def pools(self) -> Sequence[Pool]:
        """The pools of the keys in use; of all of them where none is."""
        alive = [target for target in self._targets if target.key_name not in self._dead]
        return [target.pool for target in alive or self._targets]

    @property
    def dead(self) -> Mapping[str, str]:
        """Why keys are out of use, by the names of their variables."""
        return dict(self._dead)

    @property
    def first(self) -> Target:
        """The model behind the first key."""
        return self._targets[0]

    def pick(self) -> Target:
        """The model behind the key for the next request; the first one where all are dead."""
        self._revive()
        for place, target in enumerate(self._targets):
            joined = target.pool.joined
            if joined is not None:
                self._targets[place] = replace(target, pool=joined)
        place = choice([self._state(n) for n in range(len(self._targets))])
        if place is None:
            return self._targets[0]
        self._used[place] += 1
        return self._targets[place]

    def _revive(self) -> None:
        """Takes keys into use again whose quota has come back."""
        if self._back_at:
            now = self._clock.monotonic()
            for name in [name for name, at in self._back_at.items() if at <= now]:
                del self._back_at[name], self._dead[name]
                _LOG.warning("the key in %s is in use again", name)

    def give_up(self, error: CallError) -> None:
        """Ends every pool in which nothing was served: there is no key left."""
        for target in self._targets:
            if not target.pool.served:
                target.pool.dead = error

    def drop(self, target: Target, failure: Failure) -> bool:
        """Takes a key that is dead out of use, with a warning; says whether another one is left.

        Args:
            target: The model behind the key that a request went out with.
            failure: How that request ended.
        """
        why = why_dead(failure)
        if not why:
            return False
        name = target.key_name
        self._revive()
        if name not in self._dead:
            self._dead[name] = why
            back_s = back_after_s(failure, wall_s=self._clock.wall())
            if back_s is not None:
                self._back_at[name] = self._clock.monotonic() + back_s
            left = len(self._targets) - len(self._dead)
            _LOG.warning(
                "the key in %s is out of use: %s; %d of %d keys of %s left",
                name,
                why,
                left,
                len(self._targets),
                target.endpoint.provider,
            )
        return len(self._dead) < len(self._targets)

    def heard(self, target: Target, headers: Mapping[str, str]) -> None:
        """Takes in whose key it is, as an answer tells; keys of one owner share a pool from now."""
        name = target.key_name
        if name in self._organisations:
            return
        owner = next((headers[header] for header in _ORGANISATION if headers.get(header)), "")
        self._organisations[name] = owner
        if not owner:
            return
        for other in self._targets:
            known = self._organisations.get(other.key_name)
            if other.key_name != name and known == owner and other.pool is not target.pool:
                target.pool.joined = other.pool
                return

    def _state(self, place: int) -> KeyState:
        target = self._targets[place]
        limiter = target.pool.limiter
        return KeyState(
            alive=target.key_name not in self._dead and target.pool.dead is None,
            room=limiter.has_room,
            load=limiter.in_flight + limiter.waiting,
            used=self._used[place],
        )
