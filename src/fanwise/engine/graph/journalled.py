"""A graph as one item of a journalled run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fanwise.engine.identity import jsonable
from fanwise.engine.work import Drained
from fanwise.errors import StateError
from fanwise.records import Json

if TYPE_CHECKING:
    from fanwise.engine.context import Context
    from fanwise.engine.graph.graph import Graph
    from fanwise.engine.graph.result import GraphResult
    from fanwise.engine.run import Run


async def run_graph(
    run: Run, graph: Graph, inputs: Mapping[str, Any], *, item_id: str, options: Mapping[str, Any]
) -> GraphResult:
    """Runs a graph as an item; :meth:`fanwise.Run.graph` describes it."""
    found: list[GraphResult] = []

    async def item(ctx: Context, given: Mapping[str, Any]) -> Json:
        result = await graph.run(given, ctx=ctx, **options)
        found.append(result)
        if result.error is not None:
            raise result.error
        return {name: plain for name in result if (plain := _plain(result[name])) is not None}

    graph.check(inputs)
    outcomes = await run.map(
        item, [inputs], item_id=lambda _: item_id, describe=_described
    ).collect()
    if found:
        return found[0]
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    if run.draining:
        raise Drained("the run is being drained", hint="resume it to go on")
    raise StateError(f"the graph {graph.name!r} was stopped before it began")


def _described(inputs: Mapping[str, Any]) -> Json:
    return {name: plain for name, value in inputs.items() if (plain := _plain(value)) is not None}


def _plain(value: Any) -> Json:
    """The value as JSON; of what has no such form the journal keeps nothing."""
    try:
        return jsonable(value)
    except TypeError:
        return None
