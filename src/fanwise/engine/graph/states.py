"""How the steps of one run of a graph stand: written by the execution, read by the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from fanwise.engine.recognition import Unrecognised
from fanwise.engine.work import Drained
from fanwise.errors import JournalError
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.graph.admission import Seat

ENDS_ALL: Final = (JournalError, Unrecognised, Drained)  # the whole run's failure, not a step's
StepState: TypeAlias = Literal[
    "waiting", "ready", "running", "ok", "failed", "skipped", "cancelled"
]
EventKind: TypeAlias = Literal["started", "retried", "ok", "failed", "skipped", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """Something happened to a step.

    Args:
        kind: What: ``started``, ``retried`` (a further attempt begins), ``ok``, ``failed``,
            ``skipped`` or ``cancelled``.
        step: The step; sub-steps are ``step/1``, ``step/2`` …
        at_s: Seconds since the graph began.
        error: Why it failed or was skipped.
        part_of: The step that a sub-step belongs to; empty for a step.
    """

    kind: EventKind
    step: str
    at_s: float
    error: BaseException | None = None
    part_of: str = ""


OnEvent: TypeAlias = Callable[[StepEvent], None]


@dataclass(slots=True, eq=False)
class Course:
    """How one step, or one of its sub-steps, has gone so far. Times are in seconds of the graph."""

    name: str
    part_of: str = ""
    state: StepState = "waiting"
    ready_s: float = 0.0
    started_s: float | None = None
    ended_s: float | None = None
    attempts: int = 0
    busy: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    busy_since: float | None = None
    lent: int = 0
    seat: Seat | None = None
    unmet: int = 0  # steps that it waits for and that have not ended
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    outcome: Outcome | None = None
    parts: list[Course] = field(default_factory=list["Course"])
    cause: str = ""  # the step whose failure it was skipped for

    def go(self, now: float) -> None:
        """It works from here."""
        self.busy_since = now

    def pause(self, now: float) -> None:
        """It does not work from here: it has ended, waits before a retry, or for its sub-steps."""
        if self.busy_since is not None:
            self.busy.append((self.busy_since, now))
            self.busy_since = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in {"ok", "failed", "skipped", "cancelled"}
