"""A scripted provider for engine tests: it does what it is told, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from fanwise.clock import LoopClock
from fanwise.engine.opening import OpenRun
from fanwise.errors import CallError
from fanwise.journal.memory_home import MemoryHome
from fanwise.records import Request, Response, Usage

Script = Callable[[str, int], Awaitable[Response] | Response]
USAGE = Usage(input_tokens=10, output_tokens=5)


def answered(text: str, **fields: Any) -> Response:
    return Response(text=text, usage=USAGE, **fields)


class Scripted:
    """A model that answers by a script, given the prompt and how often it was sent before."""

    def __init__(self, script: Script | None = None, *, service_s: float = 1.0) -> None:
        self._script = script
        self._service_s = service_s
        self.sends: Counter[str] = Counter()
        self.in_flight = 0
        self.peak = 0
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        prompt = str(request.messages[0].content)
        before = self.sends[prompt]
        self.sends[prompt] += 1
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self._service_s)
            if self._script is None:
                return answered(f"re: {prompt}")
            reply = self._script(prompt, before)
            return reply if isinstance(reply, Response) else await reply
        finally:
            self.in_flight -= 1


def failing(error: CallError) -> Response:
    raise error


def open_scripted(model: Scripted, *, home: MemoryHome | None = None, **options: Any) -> OpenRun:
    """A run on the scripted model ``test/model``, in memory and in virtual time."""
    return OpenRun(
        options.pop("name", "test"),
        journal=home or MemoryHome(clock=LoopClock()),
        models={"test/model": model},
        clock=LoopClock(),
        chance=random.Random(7),
        **options,
    )


async def ask(ctx: Any, item: Any) -> Any:
    """The simplest item: one call."""
    return await ctx.call("test/model", f"q{item}")
