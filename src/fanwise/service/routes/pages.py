"""The pages: HTML with what it shows first, so that nothing flashes in."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import (
    ChainableUndefined,
    Environment,
    PackageLoader,
    StrictUndefined,
    Undefined,
)

from fanwise import __version__
from fanwise.progress.words import duration, money, number
from fanwise.records import NOTHING
from fanwise.service.asking import OPTIONS, fields_of, offered
from fanwise.service.page.results import MOST_ROWS, shown, steps_of, wants_items
from fanwise.service.problems import NotFound
from fanwise.service.routes.common import hub_of
from fanwise.service.routes.runs import RunId
from fanwise.service.suggestions import model_suggestions
from fanwise.service.views import plain

if TYPE_CHECKING:
    from fanwise.service.tokens import Caller

router = APIRouter(include_in_schema=False)

_FIRST_RUNS = 50
_STATUSES = (
    "running",
    "waiting",
    "paused",
    "finished",
    "failed",
    "stopped",
    "interrupted",
    "cancelled",
)
_ROWS_ARE_RESULTS = frozenset({"prompts", "batch"})
_PARTS = (
    ("charts", "Charts"),
    ("results", "Results"),
    ("errors", "Errors"),
    ("waterfall", "Waterfall"),
    ("report", "Report"),
    ("input", "Input"),
)


@router.get("/")
async def runs(request: Request, wrong: str = "") -> Response:
    """The list of runs; whoever is not logged in is asked to."""
    hub = hub_of(request)
    if _caller(request) is None:
        return rendered(request, "login.html", here="", status=401, wrong=bool(wrong))
    page = await hub.views.runs(limit=_FIRST_RUNS)
    return rendered(
        request,
        "runs.html",
        here="runs",
        first=_json({"data": page.data, "next": page.next}),
        pipelines=sorted(hub.pipelines),
        statuses=_STATUSES,
    )


@router.get("/runs/{run_id}")
async def run(request: Request, run_id: RunId) -> Response:
    """One run."""
    page = login_or(request)
    if page is not None:
        return page
    try:
        found = await hub_of(request).views.run(run_id)
    except NotFound as error:
        return rendered(request, "missing.html", here="", status=404, message=error.message)
    parts = _PARTS
    if found["here"] and found["pipeline"] not in _ROWS_ARE_RESULTS:
        names = {**dict(_PARTS), "results": "Items"}
        parts = (("result", "Result"), *names.items())
        pipeline = hub_of(request).pipelines.get(found["pipeline"])
        if pipeline is not None and pipeline.graph:
            parts = (parts[0], ("graph", "Graph"), *parts[1:])
    return rendered(request, "run.html", here="", run=found, first=_json(found), parts=parts)


@router.get("/runs/{run_id}/result")
async def result(request: Request, run_id: RunId) -> Response:
    """What the run's pipeline has made, as far as it is: a piece of a page."""
    hub = hub_of(request)
    if _caller(request) is None:
        return HTMLResponse("", status_code=401)
    found = await hub.views.run(run_id)
    active = hub.supervisor.active(run_id)
    pipeline: str = found["pipeline"]
    items = ()
    if wants_items(pipeline) and found["begun"]:
        items = (await hub.views.items(run_id, limit=MOST_ROWS, after=0, state="succeeded")).data
    template, values = shown(
        pipeline,
        asked=found["input"] or {},
        result=found["result"],
        parts=() if active is None else tuple(active.events),
        items=items,
    )
    return rendered(request, template, here="", values=values)


@router.get("/runs/{run_id}/graph")
async def graph(request: Request, run_id: RunId) -> Response:
    """The steps that each item of the run goes through, and what they took: a piece of a page."""
    hub = hub_of(request)
    if _caller(request) is None:
        return HTMLResponse("", status_code=401)
    found = await hub.views.run(run_id)
    pipeline = hub.pipelines.get(found["pipeline"])
    graph_of = None if pipeline is None else pipeline.graph_of
    if graph_of is None or found["input"] is None:
        raise NotFound(f"run {run_id} goes through no graph")
    job = await hub.supervisor.job(found["pipeline"], found["input"])
    picture = await hub.views.in_thread(lambda: graph_of(job).svg())
    active = hub.supervisor.active(run_id)
    ended = found["result"] is not None
    total = found["items"]["total"] or (found["items"]["done"] if ended else 0)
    return rendered(
        request,
        "results/graph.html",
        here="",
        picture=f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}",
        steps=steps_of(found["result"], () if active is None else tuple(active.events)),
        total=total,
        ended=ended,
    )


@router.get("/new")
async def new(request: Request, pipeline: str = "") -> Response:
    """The form of a new run."""
    hub = hub_of(request)
    page = login_or(request)
    if page is not None:
        return page
    chosen = hub.pipelines.get(pipeline)
    if pipeline and chosen is None:
        message = "There is no such pipeline"
        return rendered(request, "missing.html", here="new", status=404, message=message)
    return rendered(
        request,
        "new.html",
        here="new",
        pipelines=offered(hub.pipelines),
        chosen=chosen,
        fields=() if chosen is None else fields_of(chosen),
        options=OPTIONS,
        models=() if chosen is None else model_suggestions(os.environ, rules=bool(chosen.rules)),
    )


def login_or(request: Request) -> Response | None:
    """The way to log in, for whoever is not; ``None`` for whoever is."""
    if _caller(request) is not None:
        return None
    return rendered(request, "login.html", here="", status=401, wrong=False)


def _caller(request: Request) -> Caller | None:
    return request.scope.get("state", {}).get("caller")


def _json(value: Any) -> str:
    return orjson.dumps(plain(value), option=orjson.OPT_NON_STR_KEYS).decode()


@cache
def _environment(undefined: type[Undefined]) -> Environment:
    found = Environment(
        loader=PackageLoader("fanwise.service.page"),
        autoescape=True,
        undefined=undefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": number,
        "duration": duration,
        "money": _dollars,
        "score": _score,
    }
    return found


def _dollars(usd: float | None) -> str:
    return money(None if usd is None else Decimal(str(usd)))


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.2f}"


def rendered(
    request: Request,
    name: str,
    *,
    here: str,
    status: int = 200,
    values: Mapping[str, Any] = NOTHING,
    **more: Any,
) -> Response:
    """A template as an answer that nobody keeps."""
    # Of a result under way, much is not there yet.
    strict = not name.startswith("results/")
    text = (
        _environment(StrictUndefined if strict else ChainableUndefined)
        .get_template(name)
        .render(here=here, caller=_caller(request), version=__version__, **values, **more)
    )
    return HTMLResponse(text, status_code=status, headers={"cache-control": "no-store"})
