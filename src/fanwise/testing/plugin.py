"""Fixtures and a marker for pytest: ``pytest_plugins = ["fanwise.testing.plugin"]``.

It is asked for by name and not an entry point, so that installing Fanwise changes nobody's tests.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from fanwise.engine.opening import OpenRun
from fanwise.testing.models import ScriptedModel, open_test_run
from fanwise.testing.virtual import run_virtual


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers", "virtual_time: runs an asynchronous test on a clock that jumps over every wait"
    )


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, object]:
    """Gives marked asynchronous tests a loop of their own, whatever other plugins would do."""
    found: Any = yield
    nodes: list[Any] = cast("list[Any]", found) if isinstance(found, list) else [found]
    for node in nodes:
        if isinstance(node, pytest.Function) and node.get_closest_marker("virtual_time"):
            test = node.obj
            if inspect.iscoroutinefunction(test):
                node.obj = _synchronous(test)
    return cast("object", found)


def _synchronous(test: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


@pytest.fixture
def scripted_model() -> ScriptedModel:
    """A model that echoes; a test that wants another script makes its own ``ScriptedModel``."""
    return ScriptedModel()


@pytest.fixture
def fanwise_run(scripted_model: ScriptedModel) -> Callable[..., OpenRun]:
    """Opens runs in memory, each to be entered with ``async with``.

    The fixture ``scripted_model`` is ``test/model`` in them, unless the first argument says
    otherwise; options are those of :func:`fanwise.testing.open_test_run`.
    """

    def open_one(models: Any = None, **options: Any) -> OpenRun:
        return open_test_run(scripted_model if models is None else models, **options)

    return open_one
