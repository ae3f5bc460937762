"""The values that travel between the packages: requests, answers, outcomes and journal rows.

All are frozen. Durations are seconds, wall-clock instants are seconds since the Unix epoch, money
is ``Decimal`` US dollars. ``None`` always means *unknown*.
"""

from __future__ import annotations

from fanwise.records.answers import NO_USAGE, Delta, Failure, FailureKind, Phase, Response, Usage
from fanwise.records.budgets import BudgetKind, BudgetUse
from fanwise.records.journal import (
    HEDGE,
    Attempt,
    CallIntent,
    CallKey,
    CallRecord,
    CallState,
    Counters,
    ErrorInfo,
    Event,
    ItemRecord,
    ItemState,
    RunRecord,
    RunSpec,
    RunStatus,
    SessionRecord,
)
from fanwise.records.json import NOTHING, Json
from fanwise.records.outcomes import Outcome
from fanwise.records.requests import (
    Message,
    Request,
    Role,
    Schema,
    Timeouts,
    assistant,
    system,
    user,
)
from fanwise.records.verdicts import Cause, Cost, Dimension, StatedLimit, Verdict, VerdictKind

__all__ = [
    "HEDGE",
    "NOTHING",
    "NO_USAGE",
    "Attempt",
    "BudgetKind",
    "BudgetUse",
    "CallIntent",
    "CallKey",
    "CallRecord",
    "CallState",
    "Cause",
    "Cost",
    "Counters",
    "Delta",
    "Dimension",
    "ErrorInfo",
    "Event",
    "Failure",
    "FailureKind",
    "ItemRecord",
    "ItemState",
    "Json",
    "Message",
    "Outcome",
    "Phase",
    "Request",
    "Response",
    "Role",
    "RunRecord",
    "RunSpec",
    "RunStatus",
    "Schema",
    "SessionRecord",
    "StatedLimit",
    "Timeouts",
    "Usage",
    "Verdict",
    "VerdictKind",
    "assistant",
    "system",
    "user",
]
