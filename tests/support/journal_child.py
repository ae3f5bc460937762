"""Writes to a journal until it is killed, and says on its standard output what was acknowledged.

Arguments: the home's location, a seed, how many calls are in flight at once.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from fanwise.errors import ConfigError
from fanwise.journal.home import open_home
from fanwise.records import RunSpec
from support.journals import call, intent, item, key


async def main(location: str, seed: int, workers: int) -> None:
    home = open_home(location)
    try:
        journal = home.open("run")
    except ConfigError:
        journal = home.create(RunSpec(name="kill"), run_id="run", wall_s=1.0)
    chance = random.Random(seed)
    names = iter(f"{seed}-{number}" for number in range(1_000_000))
    os.write(1, b"ready\n")

    async def work() -> None:
        for name in names:
            await journal.intend(intent(key(name), request=name.encode()))
            await journal.settle(call(key(name), value=name + "x" * chance.randint(0, 2000)))
            os.write(1, f"call {name}\n".encode())
            number = await journal.finish_item(item(name))
            os.write(1, f"item {name} {number}\n".encode())

    await asyncio.gather(*[work() for _ in range(workers)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
