"""Who may give orders: processes of the same user, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fanwise.engine.steering import listener as listening
from fanwise.engine.steering.listener import Listener

ORDER = b'{"verb": "status"}\n'


async def said(user: int, patch: pytest.MonkeyPatch) -> tuple[bytes, int]:
    """What a listener of some user answers this process, and how often it did as it was told."""
    carried_out = 0

    async def carry_out(order: Any, sender: Any) -> dict[str, Any]:
        nonlocal carried_out
        carried_out += 1
        assert (sender.pid, sender.uid) == (os.getpid(), os.getuid())
        return {"state": "running"}

    with tempfile.TemporaryDirectory() as place:
        owner = Listener([Path(place) / "own" / "s"], carry_out=carry_out)
        await owner.start()
        try:
            patch.setattr(listening.os, "geteuid", lambda: user)
            reader, writer = await asyncio.open_unix_connection(owner.path)
            writer.write(ORDER)
            answer = b""
            with contextlib.suppress(ConnectionResetError):  # it was closed with the order unread
                async with asyncio.timeout(20):
                    answer = await reader.readline()
            writer.close()
        finally:
            patch.undo()
            await owner.stop()
    return answer, carried_out


@pytest.mark.parametrize(("stranger", "answered"), [(0, True), (1, False)])
async def test_orders_of_another_user_are_not_read(
    stranger: int, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, carried_out = await said(os.geteuid() + stranger, monkeypatch)
    assert (b'"ok":true' in answer, carried_out) == (answered, int(answered))
    assert answered or answer == b""
