"""Kept connections, in virtual time."""

from __future__ import annotations

import asyncio
import math
from typing import cast

from fanwise.models.http.fast_pool import Pool
from fanwise.models.http.fast_protocol import Connection
from fanwise.testing.virtual import run_virtual


class Kept:
    """Stands in for a connection."""

    def __init__(self, *, kept_s: float = math.inf) -> None:
        self.kept_s = kept_s
        self.idle_until = 0.0
        self.usable = True
        self.closed = False

    def close(self) -> None:
        self.closed = True


def new_pool(*, idle_s: float = 15.0, max_idle: int = 100) -> Pool:
    return Pool(loop=asyncio.get_running_loop(), idle_s=idle_s, max_idle=max_idle)


def put(pool: Pool, *connections: Kept) -> None:
    for connection in connections:
        pool.put(cast("Connection", connection))


def test_the_newest_is_taken_first_and_each_once() -> None:
    async def main() -> None:
        pool, first, second = new_pool(), Kept(), Kept()
        put(pool, first, second)
        assert pool.take() is second
        assert pool.take() is first
        assert pool.take() is None

    run_virtual(main())


def test_one_that_a_server_keeps_shorter_is_not_taken_late() -> None:
    async def main() -> None:
        pool, long, short = new_pool(), Kept(), Kept(kept_s=3)
        put(pool, long, short)
        await asyncio.sleep(5)
        assert pool.take() is long
        assert short.closed

    run_virtual(main())


def test_one_that_died_unseen_is_passed_over() -> None:
    async def main() -> None:
        pool, good, dead = new_pool(), Kept(), Kept()
        put(pool, good, dead)
        dead.usable = False
        assert pool.take() is good
        assert dead.closed

    run_virtual(main())


def test_one_that_was_lost_is_forgotten() -> None:
    async def main() -> None:
        pool, lost = new_pool(), Kept()
        put(pool, lost)
        pool.discard(cast("Connection", lost))
        pool.discard(cast("Connection", lost))
        assert len(pool) == 0
        assert pool.take() is None

    run_virtual(main())


def test_all_expire_though_they_were_put_at_different_times() -> None:
    async def main() -> None:
        pool = new_pool(idle_s=10)
        kept = [Kept() for _ in range(50)]
        for connection in kept:
            put(pool, connection)
            await asyncio.sleep(0.3)
        closed_by_then = sum(connection.closed for connection in kept)
        assert 10 <= closed_by_then <= 20
        await asyncio.sleep(11.5)
        assert all(connection.closed for connection in kept)
        assert len(pool) == 0

    run_virtual(main())


def test_bounds_and_closing() -> None:
    async def main() -> None:
        pool = new_pool(max_idle=2)
        kept = [Kept() for _ in range(3)]
        put(pool, *kept)
        assert [connection.closed for connection in kept] == [False, False, True]
        at_once = Kept(kept_s=1)
        put(pool, at_once)
        assert at_once.closed
        pool.close()
        assert all(connection.closed for connection in kept)
        assert pool.take() is None

    run_virtual(main())
