"""Progress in a notebook, without a notebook."""

from __future__ import annotations

import asyncio
import builtins
import sys
from types import ModuleType

import pytest

from fanwise.testing import ScriptedModel, open_test_run, run_virtual


class Handle:
    def __init__(self, shown):
        self.shown = [shown]

    def update(self, data, *, raw):
        assert raw
        self.shown.append(data)


@pytest.fixture
def kernel(monkeypatch):
    """A loaded IPython with a kernel; gives the outputs of its cell."""
    handles = []

    def display(data, *, raw, display_id):
        assert raw
        assert display_id
        handles.append(Handle(data))
        return handles[-1]

    ipython, outputs = ModuleType("IPython"), ModuleType("IPython.display")
    # The name by which rich knows a notebook.
    shell = type("ZMQInteractiveShell", (), {"kernel": object()})()
    ipython.get_ipython = lambda: shell
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    outputs.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", outputs)
    return handles


async def ask(ctx, item):
    return await ctx.call("test/model", f"q{item}")


async def work(name="hooks"):
    model = ScriptedModel(service_s=1)
    async with open_test_run(model, name=name, progress=True) as run:
        await run.map(ask, range(100)).collect()
    assert len(asyncio.all_tasks()) == 1


def test_a_notebook_has_one_output_that_changes_until_all_is_done(kernel):
    run_virtual(work())
    (handle,) = kernel
    assert 8 <= len(handle.shown) <= 13  # about five seconds, twice a second
    assert handle.shown[0]["text/plain"].startswith("0/100 done") or "0 done" in str(
        handle.shown[0]
    )
    assert handle.shown[-1]["text/plain"].startswith("100/100 done")
    assert "100/100" in handle.shown[-1]["text/html"]


def test_names_are_shown_as_text(kernel):
    run_virtual(work(name="<script>alert(1)</script>"))
    page = kernel[0].shown[-1]["text/html"]
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_elsewhere_lines_go_to_standard_error(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    run_virtual(work())
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("100/100 done, 0 failed")
    assert "\x1b" not in "".join(lines)


def test_a_run_that_fails_leaves_no_display_behind(kernel):
    async def main():
        with pytest.raises(ZeroDivisionError):
            async with open_test_run(progress=True):
                raise ZeroDivisionError
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
    assert kernel[0].shown[-1]
