"""How much of a budget a planned run would use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.engine.plans.records import Plan
    from fanwise.limits.budget import Budget
    from fanwise.records import Counters


def shares_of(budget: Budget, plan: Plan, *, spent: Counters) -> Mapping[str, float]:
    """By bound of a budget: the likely use over the bound; above 1 it does not suffice.

    Args:
        budget: The bounds; those that were left out have no share.
        plan: What is still to be done.
        spent: What earlier sessions of the run have used: a budget is of all of them. The seconds
            that they worked are not in it.
    """
    tokens = plan.input_tokens.likely + plan.output_tokens.likely
    tokens += spent.input_tokens + spent.output_tokens
    shares: dict[str, float] = {}
    if budget.most_usd is not None and plan.cost_usd is not None:
        shares["usd"] = float((plan.cost_usd[1] + spent.cost_usd) / budget.most_usd)
    if budget.tokens is not None:
        shares["tokens"] = tokens / budget.tokens
    if budget.calls is not None:
        shares["calls"] = (plan.calls + spent.calls) / budget.calls
    if budget.wall_s is not None and plan.outlook is not None:
        shares["wall_s"] = plan.outlook.likely_s / budget.wall_s
    return shares
