"""Virtual time: it jumps, in order, however far."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.testing import run_virtual


@pytest.mark.parametrize("wait_s", [1e-6, 1.0, 86_400.0, 3e7 + 0.1, 1e9])
def test_a_wait_of_any_length_ends_at_its_time(wait_s: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            began = loop.time()
            async with asyncio.timeout(2 * wait_s):
                await asyncio.sleep(wait_s)
            assert loop.time() - began == pytest.approx(wait_s, rel=1e-6)

    run_virtual(main())


def test_what_never_comes_is_told_and_threads_are_refused() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="threads have no place"):
            await asyncio.to_thread(print)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="virtual time stands still"):
        run_virtual(main())
