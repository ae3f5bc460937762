"""What functions of the library take and return, for annotations and for options beside the usual.

The everyday names (``fw.Run``, ``fw.Outcome``, ``fw.Limits`` …) stand in :mod:`fanwise` itself;
these are the ones that most programs never write down. Loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanwise.engine.api import ApiClient
    from fanwise.engine.batching import BatchReport
    from fanwise.engine.graph.context import StepContext
    from fanwise.engine.graph.report import GraphReport
    from fanwise.engine.graph.result import GraphResult
    from fanwise.engine.graph.states import StepEvent
    from fanwise.engine.guardrails.guard import GuardrailEvent, GuardrailsOf
    from fanwise.engine.loader import LoaderStatistics
    from fanwise.engine.mapping import Map
    from fanwise.engine.modes.choice import ModeTimes
    from fanwise.engine.modes.report import ModeReport, PackReport
    from fanwise.engine.modes.settings import Fallback, Pack
    from fanwise.engine.ordering import easiest_first
    from fanwise.engine.planning import Plan
    from fanwise.engine.together.background import BackgroundStatistics
    from fanwise.models.prices import Prices
    from fanwise.progress.live import Snapshot
    from fanwise.progress.monitor import Alerts
    from fanwise.progress.report import Report
    from fanwise.progress.tracked import Span, TrackReport
    from fanwise.records import BudgetUse, Delta, Message, Schema, StatedLimit, Timeouts, Usage
    from fanwise.retry.hedge import Hedge
    from fanwise.simulator.profile import SimProfile

_PLACES = {
    "ApiClient": "engine.api",
    "BackgroundStatistics": "engine.together.background",
    "BatchReport": "engine.batching",
    "Fallback": "engine.modes.settings",
    "GuardrailEvent": "engine.guardrails.guard",
    "GuardrailsOf": "engine.guardrails.guard",
    "ModeReport": "engine.modes.report",
    "ModeTimes": "engine.modes.choice",
    "Pack": "engine.modes.settings",
    "PackReport": "engine.modes.report",
    "easiest_first": "engine.ordering",
    "BudgetUse": "records",
    "Delta": "records",
    "LoaderStatistics": "engine.loader",
    "GraphReport": "engine.graph.report",
    "GraphResult": "engine.graph.result",
    "Alerts": "progress.monitor",
    "Hedge": "retry.hedge",
    "Map": "engine.mapping",
    "Message": "records",
    "Plan": "engine.planning",
    "Prices": "models.prices",
    "Report": "progress.report",
    "Schema": "records",
    "SimProfile": "simulator.profile",
    "Snapshot": "progress.live",
    "Span": "progress.tracked",
    "StatedLimit": "records",
    "StepContext": "engine.graph.context",
    "StepEvent": "engine.graph.states",
    "Timeouts": "records",
    "TrackReport": "progress.tracked",
    "Usage": "records",
}

__all__ = [
    "Alerts",
    "ApiClient",
    "BackgroundStatistics",
    "BatchReport",
    "BudgetUse",
    "Delta",
    "Fallback",
    "GraphReport",
    "GraphResult",
    "GuardrailEvent",
    "GuardrailsOf",
    "Hedge",
    "LoaderStatistics",
    "Map",
    "Message",
    "ModeReport",
    "ModeTimes",
    "Pack",
    "PackReport",
    "Plan",
    "Prices",
    "Report",
    "Schema",
    "SimProfile",
    "Snapshot",
    "Span",
    "StatedLimit",
    "StepContext",
    "StepEvent",
    "Timeouts",
    "TrackReport",
    "Usage",
    "easiest_first",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'fanwise.types' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"fanwise.{place}"), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
