"""What the contract suites run over: every journal, and both event loops that people use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from support.journals import MemoryPlace, file_place, server_place


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    if item.path.name.startswith("test_transport"):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path):
    if request.param == "memory":
        made = MemoryPlace()
    elif request.param == "sqlite":
        made = file_place(tmp_path)
    else:
        made = server_place(request.getfixturevalue("postgres_url"))
    yield made
    made.close()
