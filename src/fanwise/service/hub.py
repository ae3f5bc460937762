"""What the routes work with, opened and closed with the application."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

import fanwise as fw
from fanwise.clock import Clock, SystemClock
from fanwise.ending import end_all
from fanwise.pipelines import Pipeline
from fanwise.service.accepted import Accepted, Ledger
from fanwise.service.batches import Batches
from fanwise.service.callbacks import Callbacks
from fanwise.service.carriers import Carriers
from fanwise.service.feeds import Feeds
from fanwise.service.goods import Goods
from fanwise.service.inputs import with_uploads
from fanwise.service.learning import Learning
from fanwise.service.metrics import Metrics
from fanwise.service.planning import Planner
from fanwise.service.reports import Reports
from fanwise.service.reviewing import Reviewing
from fanwise.service.settings import ServiceSettings
from fanwise.service.shelves import Shelves
from fanwise.service.supervisor import Supervisor
from fanwise.service.tables import audit, metadata
from fanwise.service.tokens import OneUse, Tokens, login_codes, tickets
from fanwise.service.uploads import Uploads
from fanwise.service.usage import Usage
from fanwise.service.views import Views

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.service.tokens import Caller

STORE = "service"
FIRST_TOKEN = "this-machine"  # noqa: S105 - a name, not a secret


@dataclass(slots=True, kw_only=True, eq=False)
class Hub:
    """The parts of a running service."""

    settings: ServiceSettings
    home: Home
    clock: Clock
    store: fw.Store
    tokens: Tokens
    codes: OneUse
    tickets: OneUse
    ledger: Ledger
    supervisor: Supervisor
    views: Views
    feeds: Feeds
    uploads: Uploads
    batches: Batches
    carriers: Carriers
    planner: Planner
    reports: Reports
    shelves: Shelves
    learning: Learning
    goods: Goods
    reviewing: Reviewing
    usage: Usage
    metrics: Metrics
    callbacks: Callbacks
    pipelines: Mapping[str, Pipeline]
    port: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def note(
        self, caller: Caller | None, action: str, subject: str, detail: str = ""
    ) -> None:
        """Writes down who changed what."""
        row = {
            "at": self.clock.wall(),
            "caller": caller.name if caller is not None else "",
            "action": action,
            "subject": subject,
            "detail": detail,
        }
        await self.store.write(lambda c: c.execute(insert(audit), row))


def installed_pipelines() -> dict[str, Pipeline]:
    """The pipelines of this installation that take jobs of JSON, by name."""
    found: dict[str, Pipeline] = {}
    for entry in entry_points(group="fanwise.pipelines"):
        pipeline: Any = entry.load()
        if isinstance(pipeline, Pipeline) and pipeline.job and pipeline.execute:
            found[pipeline.name] = pipeline
    from fanwise.pipelines.grading import REVIEW

    found[REVIEW.name] = REVIEW
    return found


def upload_directory(home: Home) -> Path:
    """Where uploads lie: beside the runs, or in ``./.fanwise`` where these are in a database."""
    from fanwise.journal.home import DEFAULT_DIRECTORY

    where = home.location
    return (Path(DEFAULT_DIRECTORY if "://" in where else where) / "uploads").absolute()


@asynccontextmanager
async def open_hub(
    settings: ServiceSettings,
    *,
    home: Home,
    pipelines: Mapping[str, Pipeline] | None = None,
    clock: Clock | None = None,
    chance: random.Random | None = None,
    open_run: Callable[..., Any] = fw.open_run,
) -> AsyncGenerator[Hub]:
    """Opens the parts, goes on with accepted work, and closes them in order.

    Leaving it drains runs for ``settings.drain_s``; what is not done by then is gone on with by the
    next service over the same home.

    Raises:
        JournalUnavailable: The service's tables cannot be opened.
    """
    async with fw.Store(home, STORE, metadata) as store, Shelves(home) as shelves:
        hub = _assembled(
            settings,
            home,
            store=store,
            shelves=shelves,
            pipelines=installed_pipelines() if pipelines is None else pipelines,
            clock=clock or SystemClock(),
            chance=chance,
            open_run=open_run,
        )
        _tell_of_runs(hub)
        await hub.batches.catch_up()
        await hub.supervisor.start()
        expiry = asyncio.create_task(hub.batches.watch_expiry(), name="batches")
        lag = asyncio.create_task(hub.metrics.watch_loop(), name="loop lag")
        telling = asyncio.create_task(hub.callbacks.deliver(), name="callbacks")
        try:
            yield hub
        finally:
            hub.stopping.set()
            await end_all([expiry, lag, telling])
            try:
                await hub.supervisor.stop(drain_s=settings.drain_s)
            finally:
                await hub.feeds.stop()
                await hub.carriers.aclose()
                hub.views.close()


def _tell_of_runs(hub: Hub) -> None:
    """Lets those know who follow from the beginning and the end of a run."""

    def begun(run_id: str) -> None:
        hub.metrics.begun(run_id)
        hub.feeds.follow(run_id)

    async def ended(accepted: Accepted) -> None:
        hub.metrics.ended(accepted)
        await hub.callbacks.ended(accepted)
        await hub.batches.run_ended(accepted)

    hub.supervisor.on_begin = begun
    hub.supervisor.on_end = ended


def _assembled(
    settings: ServiceSettings,
    home: Home,
    *,
    store: fw.Store,
    shelves: Shelves,
    pipelines: Mapping[str, Pipeline],
    clock: Clock,
    **how: Any,
) -> Hub:
    ledger = Ledger(store)
    uploads = Uploads(store, upload_directory(home), clock=clock, limit=settings.upload_bytes)
    usage = Usage(store, home=home, clock=clock)
    supervisor = Supervisor(
        home,
        ledger,
        usage=usage,
        pipelines=pipelines,
        clock=clock,
        max_active=settings.max_active,
        resolve=partial(with_uploads, uploads, settings={"mail": settings.mail}),
        **how,
    )
    views = Views(home, ledger, supervisor)
    feeds = Feeds(home=home, views=views, supervisor=supervisor, clock=clock)
    batches = Batches(
        store, supervisor=supervisor, ledger=ledger, views=views, uploads=uploads, clock=clock
    )
    supervisor.extras = shelves.extras
    planner = Planner(home, supervisor)
    usage.plan = planner.plan
    return Hub(
        settings=settings,
        home=home,
        clock=clock,
        store=store,
        tokens=Tokens(store, clock=clock),
        codes=login_codes(clock),
        tickets=tickets(clock),
        ledger=ledger,
        supervisor=supervisor,
        views=views,
        feeds=feeds,
        uploads=uploads,
        batches=batches,
        carriers=Carriers(home, clock=clock),
        planner=planner,
        usage=usage,
        callbacks=_callbacks(settings, home, store=store, ledger=ledger, clock=clock),
        metrics=Metrics(store, supervisor=supervisor, feeds=feeds, clock=clock),
        reports=Reports(views.report, look=partial(_looked, views), clock=clock),
        shelves=shelves,
        learning=Learning(shelves, clock=clock),
        goods=Goods(shelves, clock=clock),
        reviewing=Reviewing(shelves, store, clock=clock),
        pipelines=pipelines,
        port=settings.port,
    )


async def _looked(views: Views, run_id: str) -> tuple[float, bool]:
    record = await views.reading(run_id, lambda reader: reader.run)
    return record.updated_at, record.live


def _callbacks(settings: ServiceSettings, home: Home, **parts: Any) -> Callbacks:
    secret = upload_directory(home).parent / "callback-secret"
    return Callbacks(secret=secret, allowed_hosts=settings.callback_hosts, **parts)


async def first_token(hub: Hub) -> str:
    """The token of this machine's own user, made when the service first starts.

    It lies beside the runs, readable by that user alone, so that the command line finds it.
    """
    path = upload_directory(hub.home).parent / "service-token"
    if path.exists():
        token = path.read_text(encoding="utf-8").strip()
        if await hub.tokens.caller_of(token) is not None:
            return token
    known = {record.name for record in await hub.tokens.list()}
    name = FIRST_TOKEN
    number = 1
    while name in known:
        number += 1
        name = f"{FIRST_TOKEN}-{number}"
    token = await hub.tokens.create(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(token + "\n", encoding="utf-8")
    return token
