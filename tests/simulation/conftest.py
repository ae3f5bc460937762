"""Fixtures of the random nests: limiters that are watched, and no noise."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fanwise.engine import plain
from fanwise.engine.graph import execution
from fanwise.engine.together import background, gathering
from fanwise.engine.together.books import Account, Job
from fanwise.limits.limiter import Limiter


@pytest.fixture
def limiters(monkeypatch: pytest.MonkeyPatch) -> list[Limiter]:
    """Every limiter that the operations make, so that none keeps a permit.

    Intents of background work take their time, as under a journal.
    """
    made: list[Limiter] = []

    class Seen(Limiter):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    class Slow(Account):
        async def intend(self, job: Job) -> None:
            await asyncio.sleep(0.25 * (job.number % 2))

    monkeypatch.setattr(background, "Account", Slow)
    monkeypatch.setattr(gathering, "Limiter", Seen)
    monkeypatch.setattr(execution, "Limiter", Seen)
    monkeypatch.setattr(plain, "Limiter", Seen)
    return made


@pytest.fixture
def quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("fanwise.background", "asyncio")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    yield
    gc.collect()  # what a missing safeguard has left behind is complained about here, and not later
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
