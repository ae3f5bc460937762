"""The pytest plugin in a suite of its own, beside whatever runs asynchronous tests there."""

from __future__ import annotations

import subprocess
import sys

import pytest

SUITE = """
import asyncio
import threading

import pytest

pytestmark = pytest.mark.virtual_time
YEAR_S = 3e7


@pytest.mark.parametrize("count", [1, 2])
async def test_a_function(count, scripted_model, fanwise_run):
    async with fanwise_run() as run:
        got = await run.map(lambda ctx, n: ctx.call("test/model", f"q{n}"), range(count)).collect()
    assert len(scripted_model.requests) == len(got) == count
    await asyncio.sleep(YEAR_S)


class TestMethods:
    async def test_a_method(self, tmp_path):
        await asyncio.sleep(YEAR_S)

    def test_a_synchronous_one(self):
        pass


@pytest.mark.xfail(strict=True, raises=AssertionError)
async def test_a_failure_is_one():
    assert not await asyncio.sleep(YEAR_S, "late")
"""


@pytest.mark.parametrize(
    "options", ["-p no:asyncio", "--asyncio-mode=strict", "--asyncio-mode=auto"]
)
def test_marked_tests_run_in_virtual_time(options, tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["fanwise.testing.plugin"]\n')
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    scope = "" if "no:" in options else "-o asyncio_default_fixture_loop_scope=function"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", *options.split(), *scope.split(), "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "4 passed, 1 xfailed" in done.stdout, done.stdout
