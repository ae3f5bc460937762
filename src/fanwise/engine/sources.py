"""Where items come from: any iterable, asynchronous or not, endless or not, in small chunks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from itertools import islice
from typing import Any, TypeAlias, cast

from fanwise.errors import ConfigError

Source: TypeAlias = "Iterable[Any] | AsyncIterable[Any]"


def chunks_of(source: object, *, size: int) -> AsyncIterator[list[Any]]:
    """The source's items in its own order, in chunks of 1 to ``size``.

    A chunk never waits to be full: an asynchronous source gives chunks of one, a collection full
    ones, and any other iterable (a generator that reads a file or a socket, say) is iterated in a
    thread of its own, so that its blocking holds nothing up; it is read at most ``2 * size`` items
    ahead. Closing the iterator stops the thread as soon as the source gives its next item.

    Args:
        source: What to iterate.
        size: Most items in a chunk, at least 1.

    Raises:
        ConfigError: The source is no iterable, or a single string or mapping.
    """
    if isinstance(source, (str, bytes)):
        raise ConfigError(
            f"the source of items is one {type(source).__name__}",
            hint="pass a list of items, or read the file with fanwise.documents",
        )
    if isinstance(source, AsyncIterable):
        return _from_async(cast("AsyncIterable[Any]", source))
    if isinstance(source, Sized):
        return _from_collection(cast("Iterable[Any]", source), size)
    if isinstance(source, Iterable):
        return _ThreadedSource(cast("Iterable[Any]", source), size)
    raise ConfigError(
        f"the source of items is a {type(source).__name__}, which cannot be iterated",
        hint="pass a list, a generator or an asynchronous generator",
    )


async def _from_async(source: AsyncIterable[Any]) -> AsyncIterator[list[Any]]:
    iterator = aiter(source)
    try:
        async for item in iterator:
            yield [item]
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def _from_collection(source: Iterable[Any], size: int) -> AsyncIterator[list[Any]]:
    iterator = iter(source)
    while chunk := list(islice(iterator, size)):
        yield chunk


class _ThreadedSource:
    """Iterates a blocking iterable in a daemon thread and hands over what has come so far.

    A daemon, because a read from a terminal cannot be interrupted and must not keep the process.
    """

    def __init__(self, source: Iterable[Any], size: int) -> None:
        self._source = source
        self._size = size
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._space = threading.Semaphore(2 * size)
        self._ready: list[Any] = []
        self._ended = False
        self._error: BaseException | None = None
        self._stop = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> AsyncIterator[list[Any]]:
        return self

    async def __anext__(self) -> list[Any]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, name="fanwise-source", daemon=True).start()
        while True:
            with self._lock:
                chunk = self._ready[: self._size]
                if chunk:
                    del self._ready[: self._size]
                    self._space.release(len(chunk))
                    return chunk
                if self._ended:
                    break
                self._waiter = self._loop.create_future()
            await self._waiter
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._stop = True
        self._space.release()

    def _read(self) -> None:
        iterator: Iterator[Any] | None = None
        try:
            iterator = iter(self._source)
            for item in iterator:
                self._space.acquire()
                if self._stop:
                    break
                with self._lock:
                    self._ready.append(item)
                    waiter, self._waiter = self._waiter, None
                self._wake(waiter)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the items are read
            self._error = error
        finally:
            close = getattr(iterator, "close", None)
            if self._stop and close is not None:
                close()
            with self._lock:
                self._ended = True
                waiter, self._waiter = self._waiter, None
            self._wake(waiter)

    def _wake(self, waiter: asyncio.Future[None] | None) -> None:
        if waiter is None or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(_resolve, waiter)
        except RuntimeError:
            self._stop = True  # the loop is gone, and with it everybody who wanted items


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
