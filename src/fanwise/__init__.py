"""Runs thousands of model and API calls at once and never loses an answer that was paid for.

    import fanwise as fw

    async def judge(ctx: fw.Context, hook: str) -> str:
        return await ctx.call("openai/gpt-4o-mini", f"Score this hook: {hook}")

    async with fw.open_run("hooks") as run:
        async with run.map(judge, hooks) as outcomes:
            async for outcome in outcomes:
                print(outcome.item_id, outcome.value if outcome.ok else outcome.error)

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanwise import documents, errors, types
    from fanwise.engine.batching import batched
    from fanwise.engine.context import Context
    from fanwise.engine.graph.graph import Graph
    from fanwise.engine.guardrails.guard import Guardrails
    from fanwise.engine.loader import Loader
    from fanwise.engine.loop import run_sync
    from fanwise.engine.opening import OpenRun as open_run  # noqa: N813 - it is used as a verb
    from fanwise.engine.plain import map  # noqa: A004 - it is what the builtin does, at once
    from fanwise.engine.planning import plan
    from fanwise.engine.run import Run
    from fanwise.engine.together.background import Background
    from fanwise.engine.together.parallel import parallel, settle
    from fanwise.engine.together.race import fallback, race
    from fanwise.engine.tracking import Tracker as track  # noqa: N813 - it is used as a verb
    from fanwise.journal.home import open_home
    from fanwise.journal.store import Store
    from fanwise.limits.budget import Budget
    from fanwise.limits.settings import Limits
    from fanwise.records import (
        Outcome,
        Request,
        Response,
        assistant,
        system,
        user,
    )
    from fanwise.retry.policy import Retry

__version__ = "0.1.0"

_PLACES = {
    "Background": "engine.together.background",
    "Budget": "limits.budget",
    "Context": "engine.context",
    "Graph": "engine.graph.graph",
    "Guardrails": "engine.guardrails.guard",
    "Limits": "limits.settings",
    "Loader": "engine.loader",
    "Outcome": "records",
    "Request": "records",
    "Response": "records",
    "Retry": "retry.policy",
    "Run": "engine.run",
    "Store": "journal.store",
    "assistant": "records",
    "batched": "engine.batching",
    "documents": "",
    "errors": "",
    "fallback": "engine.together.race",
    "map": "engine.plain",
    "open_home": "journal.home",
    "open_run": "engine.opening",
    "parallel": "engine.together.parallel",
    "plan": "engine.planning",
    "race": "engine.together.race",
    "run_sync": "engine.loop",
    "settle": "engine.together.parallel",
    "system": "records",
    "track": "engine.tracking",
    "types": "",
    "user": "records",
}
_RENAMED = {"open_run": "OpenRun", "track": "Tracker"}

__all__ = [
    "Background",
    "Budget",
    "Context",
    "Graph",
    "Guardrails",
    "Limits",
    "Loader",
    "Outcome",
    "Request",
    "Response",
    "Retry",
    "Run",
    "Store",
    "assistant",
    "batched",
    "documents",
    "errors",
    "fallback",
    "map",
    "open_home",
    "open_run",
    "parallel",
    "plan",
    "race",
    "run_sync",
    "settle",
    "system",
    "track",
    "types",
    "user",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'fanwise' has no attribute {name!r}")
    if place:
        found = getattr(import_module(f"fanwise.{place}"), _RENAMED.get(name, name))
    else:
        found = import_module(f"fanwise.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
