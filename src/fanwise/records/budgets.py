"""How much of a budget is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BudgetKind = Literal["usd", "tokens", "calls", "wall_s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """One bound of a budget at one moment.

    Args:
        kind: What is bounded: US dollars, tokens, calls or seconds of work.
        spent: What is spent, earlier sessions of the run included.
        reserved: What is set aside for calls under way.
        limit: The bound.
    """

    kind: BudgetKind
    spent: float
    reserved: float
    limit: float
