"""The owner's end of the socket: takes orders, has them carried out, answers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from fanwise.ending import end_all
from fanwise.engine.steering.address import make_private
from fanwise.engine.steering.orders import Order, Sender, read_order
from fanwise.errors import FanwiseError
from fanwise.records import Json

_LOG: Final = logging.getLogger("fanwise.steering")
_LONGEST_LINE: Final = 65_536
_MOST_AT_ONCE: Final = 16
_IDLE_S: Final = 30.0
_LAST_ANSWERS_S: Final = 1.0
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid, as Linux gives them

CarryOut = Callable[[Order, Sender], Awaitable[dict[str, Json]]]


class Listener:
    """Takes orders for one run, from processes of the same user.

    Whoever makes it holds the run's lock, so that a socket found at its path is a dead owner's.

    Args:
        paths: Where it may listen; the first that can be made is taken.
        carry_out: Does what is asked and returns the run's state.
    """

    def __init__(self, paths: Iterable[Path], *, carry_out: CarryOut) -> None:
        self._paths = list(paths)
        self._carry_out = carry_out
        self._server: asyncio.Server | None = None
        self._reading: set[asyncio.Task[Any]] = set()
        self._answering: set[asyncio.Task[Any]] = set()
        self.path: Path | None = None

    def __repr__(self) -> str:
        return f"<Listener at {self.path}>"

    async def start(self) -> None:
        """Listens from now on. A run that cannot be reached is carried out all the same."""
        for path in self._paths:
            if not make_private(path.parent):
                continue
            try:
                path.unlink(missing_ok=True)
                self._server = await asyncio.start_unix_server(
                    self._serve, path, limit=_LONGEST_LINE, start_serving=False
                )
                self.path = path
                path.chmod(0o600)
                await self._server.start_serving()
            except OSError as error:
                _LOG.info("cannot listen at %s: %s", path, error)
                continue
            return
        _LOG.info("this run takes no orders from other terminals: no directory for its socket")

    async def stop(self) -> None:
        """Listens no longer. Answers under way are given a second."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        try:
            await end_all(set(self._reading))
            if self._answering:
                await asyncio.wait(set(self._answering), timeout=_LAST_ANSWERS_S)
        finally:
            await end_all(self._reading | self._answering)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._reading.add(task)
        try:
            sender = _sender(writer)
            if sender.uid in {None, os.geteuid()} and len(self._reading) <= _MOST_AT_ONCE:
                await self._converse(reader, writer, sender)
        except (OSError, TimeoutError, ValueError):
            _LOG.debug("a connection for orders broke off", exc_info=True)
        finally:
            self._reading.discard(task)
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: Sender
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        while True:
            async with asyncio.timeout(_IDLE_S):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                return
            self._reading.discard(task)
            self._answering.add(task)
            try:
                writer.write(orjson.dumps(await self._answer(line, sender)) + b"\n")
                async with asyncio.timeout(_IDLE_S):
                    await writer.drain()
            finally:
                self._answering.discard(task)
            if self._server is None:
                return
            self._reading.add(task)

    async def _answer(self, line: bytes, sender: Sender) -> dict[str, Any]:
        try:
            order = read_order(orjson.loads(line))
            return {"ok": True, "state": await self._carry_out(order, sender)}
        except orjson.JSONDecodeError:
            error = {"code": "config", "message": "an order is one line of JSON", "hint": ""}
        except FanwiseError as refused:
            error = {"code": refused.code, "message": refused.message, "hint": refused.hint}
        return {"ok": False, "error": error}


def _sender(writer: asyncio.StreamWriter) -> Sender:
    """Who is at the other end. Where the kernel does not say, the closed directory has to do."""
    connection = writer.get_extra_info("socket")
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return Sender()
    found = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return Sender(pid=pid or None, uid=uid)
