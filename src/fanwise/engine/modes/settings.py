"""What a caller says of modes: which one, how items are packed, and when another one takes over."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, Literal, TypeAlias

from fanwise.errors import ConfigError

Mode: TypeAlias = Literal["parallel", "batch", "sequential"]
AskedMode: TypeAlias = Literal["auto", "parallel", "batch", "sequential"]
ModeUsed: TypeAlias = Literal[
    "parallel", "batch", "sequential", "batch_fallback", "sequential_fallback"
]
AskPack: TypeAlias = Callable[..., Awaitable[Mapping[Any, Any]]]

ASKED: Final = ("auto", "parallel", "batch", "sequential")
CHAIN: Final[tuple[Mode, ...]] = ("parallel", "batch", "sequential")


@dataclass(frozen=True, slots=True)
class Pack:
    """Several items in one request.

    Args:
        ask: ``async (items) -> values``, from a mapping of ids to items to a mapping of the same
            ids to values; in a run ``async (ctx, items) -> values``. A value that is an exception
            is that item's failure.
        size: Most items in one request, at least 2.

    Ids that are missing from the answer are asked again alone, ids that nobody asked for are
    counted and dropped. A request that fails is split in half, down to single items; it is not
    split where its items cannot be the cause (:class:`~fanwise.errors.UsageError`,
    :class:`~fanwise.errors.RateLimited`, :class:`~fanwise.errors.Overloaded`,
    :class:`~fanwise.errors.LimitError`).

    In a run, the calls of a pack are journalled with its first item.

    Raises:
        ConfigError: ``ask`` cannot be called, or ``size`` is below 2.
    """

    ask: AskPack
    _: KW_ONLY
    size: int = 20

    def __post_init__(self) -> None:
        if not callable(self.ask):
            raise ConfigError(
                f"a pack's ask is {self.ask!r}", hint="give an async function of several items"
            )
        _check_count("a pack's size", self.size, least=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """When a map turns to the next mode: parallel, batch where there is a pack, then sequential.

    The next mode re-runs only what failed, and takes the work that is still to come. A failure is
    held back while it may still be re-run, so that every item has one outcome.

    Args:
        failure_share: A mode is left when more than this share of its items failed, 0 to below 1;
            and whenever all of them failed.
        min_items: Items that must have ended in a mode before its share counts while it is still
            under way, at least 1. At the end of the source the share of however many counts.
        window: The share is taken over the latest so many items, and a failure that lies further
            back is final, at least ``min_items``.
        deadline_s: Seconds from entering the map in which all of it should be done. Where that is
            out of reach at the measured rate and a later mode is expected to be quicker, the map
            turns to that one; needs a source of known length. Nothing is cut off at the deadline.

    Raises:
        ConfigError: A value is impossible.
    """

    failure_share: float = 0.5
    min_items: int = 10
    window: int = 1000
    deadline_s: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.failure_share < 1:
            raise ConfigError(
                f"failure_share={self.failure_share!r} is impossible",
                hint="give a share from 0 to below 1, such as 0.5",
            )
        _check_count("min_items", self.min_items, least=1)
        _check_count("window", self.window, least=self.min_items)
        if not self.deadline_s > 0:
            raise ConfigError(
                f"deadline_s={self.deadline_s!r} is impossible", hint="give seconds above 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeOptions:
    """What a map is told of modes, checked; ``reason`` says why it is this mode.

    Raises:
        ConfigError: The mode is unknown, or ``batch`` without a pack.
    """

    mode: AskedMode = "auto"
    pack: Pack | None = None
    fallback: Fallback | None = None
    reason: str = "asked for"

    def __post_init__(self) -> None:
        if self.mode not in ASKED:
            raise ConfigError(
                f"mode={self.mode!r} is unknown", hint=f"give one of {', '.join(ASKED)}"
            )
        if self.mode == "batch" and self.pack is None:
            raise ConfigError(
                "mode='batch' without a pack",
                hint="say how several items are asked at once: pack=fw.types.Pack(ask, size=20)",
            )

    def next_mode(self, mode: Mode) -> Mode | None:
        """The mode that takes over from one that failed; ``None`` after the last."""
        if self.fallback is None:
            return None
        for later in CHAIN[CHAIN.index(mode) + 1 :]:
            if later != "batch" or self.pack is not None:
                return later
        return None


Never: TypeAlias = Literal["never"]


def mode_options(
    mode: AskedMode | None, pack: Pack | None, fallback: Fallback | Never | None
) -> ModeOptions | None:
    """The options as one record; ``None`` where nothing was said of modes.

    Raises:
        ConfigError: They do not fit together.
    """
    if mode is None and pack is None and fallback is None:
        return None
    if fallback == "never":
        policy = None
    elif fallback is None:
        policy = None if mode is None else Fallback()
    else:
        policy = fallback
    if mode is not None:
        return ModeOptions(mode=mode, pack=pack, fallback=policy)
    if pack is not None:
        return ModeOptions(mode="batch", pack=pack, fallback=policy, reason="there is a pack")
    return ModeOptions(mode="parallel", fallback=policy, reason="no mode was asked for")


GUARDED: Final = ModeOptions(mode="parallel", reason="no mode was asked for")
"""For a map that is given guardrails and no mode."""


def _check_count(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(
            f"{name} of {value!r} is impossible", hint=f"give a whole number, {least} or more"
        )
