"""``fanwise serve``: the HTTP API and the page."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from fanwise.cli.display import put, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.homes import home_of
from fanwise.cli.loop import run_loop
from fanwise.cli.signals import Interrupts, obeying

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.service.hub import Hub
    from fanwise.service.settings import ServiceSettings


def serve(
    *,
    host: Annotated[
        str, Option(metavar="ADDRESS", help="Where to listen; others than loopback want a token.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(metavar="N", help="The port; 0 takes a free one.")] = 8377,
    allowed_host: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="A further Host header to answer (repeatable)."),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        Option(metavar="URL", help="The origin of a front end of yours (repeatable)."),
    ] = None,
    seed_routes: Annotated[
        Literal["token", "trusted-proxy", "open"],
        Option(help="How clients of the applications' own routes come in; open on loopback only."),
    ] = "token",
    model: Annotated[
        str,
        Option(
            "--model",
            "-m",
            metavar="PROVIDER/MODEL",
            envvar="FANWISE_MODEL",
            show_envvar=False,
            help="Who answers where a request of those routes names no model.",
        ),
    ] = "builtin/rules",
    mail: Annotated[
        str,
        Option(
            metavar="SOURCE",
            help="The mailbox that /api/front/scan scans: a path, imaps://… or front:INBOX.",
        ),
    ] = "",
    callback_host: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="A host of yours that callbacks may go to (repeatable)."),
    ] = None,
    max_active: Annotated[int, Option(metavar="N", help="Runs under way at once.")] = 8,
    home: HomeFlags,
) -> int:
    """Serve the HTTP API and the page.

    Prints a link that logs a browser in, once. Programs send the token that is named beside it.
    Runs that were accepted go on after a restart. The first Ctrl-C lets calls in flight end (up to
    30 s); the second stops now.
    """
    from fanwise.service.settings import ServiceSettings

    with home_of(home) as place:
        settings = ServiceSettings(
            host=host,
            port=port,
            allowed_hosts=tuple(allowed_host or ()),
            allowed_origins=tuple(allowed_origin or ()),
            seed_routes=seed_routes,
            callback_hosts=tuple(callback_host or ()),
            default_model=model.partition(",")[0].strip(),
            mail=mail,
            max_active=max_active,
            public=run_loop(_has_tokens(place)),
        )
        return run_loop(_serve(settings, place, as_json=home.json))


async def _has_tokens(place: Home) -> bool:
    import fanwise as fw
    from fanwise.clock import SystemClock
    from fanwise.service.hub import FIRST_TOKEN, STORE
    from fanwise.service.tables import metadata
    from fanwise.service.tokens import Tokens

    async with fw.Store(place, STORE, metadata) as store:
        found = await Tokens(store, clock=SystemClock()).list()
    return any(one.revoked_at is None and not one.name.startswith(FIRST_TOKEN) for one in found)


async def _serve(settings: ServiceSettings, place: Home, *, as_json: bool) -> int:
    from fanwise.service.logs import configure
    from fanwise.service.serving import serve as serve_app

    configure(as_json=as_json or not sys.stderr.isatty())
    hubs: list[Hub] = []
    task = asyncio.current_task()
    interrupts = 0

    def drain() -> None:
        nonlocal interrupts
        interrupts += 1
        for hub in hubs:
            running = hub.supervisor.running
            say(f"Stopping: {running} runs may end their calls in flight; Ctrl-C again stops now.")
            hub.stopping.set()
        if not hubs:
            stop()

    def stop() -> None:
        nonlocal interrupts
        interrupts += 1
        if task is not None:
            task.cancel()

    async def ready(url: str, link: str, hub: Hub) -> None:
        hubs.append(hub)
        token = place.location if "://" in place.location else f"{place.location}/service-token"
        if as_json:
            put_json({"url": url, "link": link, "token_file": token})
            return
        put(link)
        say(f"Serving {url}; the link above logs a browser in, once.")
        say(f"Programs send the token in {token} as Authorization: Bearer TOKEN.")
        say("Ctrl-C ends it; runs that are not done go on at the next start.")

    with obeying(Interrupts(drain=drain, stop=stop)):
        try:
            await serve_app(settings, home=place, ready=ready)
        except asyncio.CancelledError:
            if not interrupts or task is None:
                raise
            task.uncancel()
    return ExitCode.OK
