"""The page that holds two runs, or two models of one, beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from fanwise.service.comparing import Half, Pair, Show, pairs, read_half
from fanwise.service.page.markup import differing
from fanwise.service.problems import NotFound
from fanwise.service.routes.common import hub_of
from fanwise.service.routes.pages import login_or, rendered

if TYPE_CHECKING:
    from fanwise.service.hub import Hub

router = APIRouter(include_in_schema=False)

_ROWS = 100
_RUNS = 100
Which = Annotated[str, Query(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,120})?$")]
Model = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What one side shows."""

    run: str
    model: str
    half: Half
    models: list[str]
    wall_s: float | None
    facts: dict[str, Any]


@router.get("/compare")
async def compare(
    request: Request,
    *,
    left: Which = "",
    right: Which = "",
    left_model: Model = "",
    right_model: Model = "",
    show: Show = "all",
    cursor: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Two sides: figures, and items with what differs in them."""
    page = login_or(request)
    if page is not None:
        return page
    hub = hub_of(request)
    runs = (await hub.views.runs(limit=_RUNS)).data
    query = {"left": left, "right": right, "left_model": left_model, "right_model": right_model}
    values: dict[str, Any] = {"runs": runs, "query": query, "show": show, "sides": (), "rows": ()}
    values |= {"more": None, "problem": ""}
    if left and right:
        try:
            sides = (await _side(hub, left, left_model), await _side(hub, right, right_model))
        except NotFound as error:
            values["problem"] = error.message
            return rendered(request, "compare.html", here="compare", status=404, values=values)
        found = list(islice(pairs(sides[0].half, sides[1].half, show), cursor, cursor + _ROWS + 1))
        values |= {"sides": sides, "rows": [_row(pair) for pair in found[:_ROWS]]}
        values["more"] = cursor + _ROWS if len(found) > _ROWS else None
    return rendered(request, "compare.html", here="compare", values=values)


async def _side(hub: Hub, run_id: str, model: str) -> _Chosen:
    found = await hub.views.run(run_id)
    half = await hub.views.reading(run_id, lambda reader: read_half(reader, model=model))
    report = await hub.reports.of(run_id)
    models = [one.model for one in report.models if one.model]
    return _Chosen(
        run=run_id,
        model=model,
        half=half,
        models=models,
        wall_s=None if model else report.wall_s,
        facts=dict(found),
    )


def _row(pair: Pair) -> dict[str, Any]:
    before = pair.left.text if pair.left is not None else ""
    after = pair.right.text if pair.right is not None else ""
    marked = (before, after)
    states = {side.state for side in (pair.left, pair.right) if side is not None}
    if pair.left is not None and pair.right is not None and states == {"succeeded"}:
        marked = differing(before, after)
    return {"pair": pair, "left": marked[0], "right": marked[1]}
