"""The application: routes behind the guard, over the parts of one service."""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from fanwise import __version__
from fanwise.service import problems
from fanwise.service.guard import App, Guard
from fanwise.service.hub import Hub
from fanwise.service.routes import (
    catalogue,
    compare,
    front,
    goods,
    health,
    hooks,
    openai,
    pages,
    plans,
    review,
    runs,
    streams,
    tailor,
    uploads,
    usage,
    videos,
    webhooks,
)

SEED_PREFIXES = (
    "/api/review/",
    "/api/front/",
    "/api/videos/",
    "/api/hooks/",
    "/api/tailor",
)

ROUTERS = (
    compare.router,
    health.router,
    runs.router,
    plans.router,
    streams.router,
    uploads.router,
    usage.router,
    openai.router,
    hooks.router,
    videos.router,
    review.router,
    review.config_router,
    catalogue.router,
    goods.router,
    front.router,
    tailor.router,
    pages.router,
    webhooks.router,
)


def create_app(hub: Hub) -> App:
    """The service as an ASGI application.

    Args:
        hub: Its parts, open as long as it is served.
    """
    app = FastAPI(
        title="Fanwise",
        version=__version__,
        summary="Thousands of model and API calls at once, and no answer lost that was paid for.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.hub = hub
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    files = str(resources.files("fanwise.service.page").joinpath("static"))
    app.mount("/static", StaticFiles(directory=files))
    settings = hub.settings
    return Guard(
        app,
        hosts=lambda: settings.hosts(hub.port),
        origins=lambda: settings.origins(hub.port),
        foreign_origins=frozenset(origin.lower() for origin in settings.allowed_origins),
        tokens=lambda: hub.tokens,
        tickets=lambda: hub.tickets,
        seed_routes=settings.seed_routes,
        seed_prefixes=SEED_PREFIXES,
    )
