"""A model that does what it is told, and runs in memory to use it in."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from fanwise.clock import LoopClock
from fanwise.engine.opening import OpenRun
from fanwise.errors import ConfigError, StateError
from fanwise.journal.memory_home import MemoryHome
from fanwise.records import Request, Response, Usage

Script = Callable[[Request, int], Any]

_USAGE = Usage(input_tokens=10, output_tokens=5)
_MODEL = "test/model"


class ScriptedModel:
    """A model that answers by a script, and notes what it was asked.

    It is an ``async (Request) -> Response`` like any other: pass it as
    ``open_run(…, models={"test/model": model})``, or use :func:`open_test_run`.

    Args:
        answers: What it answers:

            * nothing: ``re: `` and the prompt;
            * a text: that, every time;
            * a list or tuple: its elements one after another, over all requests;
            * a mapping from prompts: what stands under the prompt; a list there is gone through
              request by request, and its last element stays;
            * a function ``(request, before)``, asynchronous or not, where ``before`` counts the
              requests with the same prompt that came before this one.

            An answer is a text, a :class:`fanwise.Response`, an exception (raised), or any JSON
            value (answered as JSON text, for requests with a schema).
        service_s: How long an answer takes, in seconds; or a function of the request.
        usage: Tokens that it says it used, where the answer does not say.

    Attributes:
        requests: Every request, in order.
        sends: How often each prompt was sent.
        in_flight, peak: Requests under way, and most at once.
        cancelled: Requests that were cancelled while under way.

    Calling it raises what the script says, and ``StateError`` where the script has no answer.
    """

    def __init__(
        self,
        answers: str | Sequence[Any] | Mapping[str, Any] | Script | None = None,
        *,
        service_s: float | Callable[[Request], float] = 0.0,
        usage: Usage = _USAGE,
    ) -> None:
        if isinstance(service_s, int | float) and not service_s >= 0:
            raise ConfigError(f"service_s is {service_s}", hint="it is in seconds, 0 or more")
        self._script = _script_of(answers)
        self._service_s = service_s
        self._usage = usage
        self.requests: list[Request] = []
        self.sends: Counter[str] = Counter()
        self.in_flight = 0
        self.peak = 0
        self.cancelled = 0

    def __repr__(self) -> str:
        return f"<ScriptedModel: {len(self.requests)} requests, {self.in_flight} in flight>"

    async def __call__(self, request: Request) -> Response:
        """Answers one request."""
        prompt = prompt_of(request)
        before = self.sends[prompt]
        self.sends[prompt] += 1
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        service_s = self._service_s
        try:
            await asyncio.sleep(service_s(request) if callable(service_s) else service_s)
            answer = self._script(request, before)
            return self._response(await answer if inspect.isawaitable(answer) else answer)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    def _response(self, answer: Any) -> Response:
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Response):
            return answer
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(text=text, usage=self._usage)


def prompt_of(request: Request) -> str:
    """The text of a request's first message of the user; of its first message, if it has none."""
    if request.body is not None:
        return json.dumps(request.body)
    of_user = [message for message in request.messages if message.role == "user"]
    for message in [*of_user, *request.messages]:
        content = message.content
        return content if isinstance(content, str) else json.dumps(content)
    return ""


def open_test_run(
    models: ScriptedModel | Mapping[str, Callable[[Request], Awaitable[Response]]] | None = None,
    *,
    name: str = "test",
    home: MemoryHome | None = None,
    seed: int = 7,
    **options: Any,
) -> OpenRun:
    """A run that is held in memory, on the event loop's clock, with seeded chance.

    Args:
        models: One model, called ``test/model``, or several by name; a :class:`ScriptedModel` that
            echoes if omitted.
        name: The run's name.
        home: Where runs are held, to resume one in the same test.
        seed: Of the jitter.
        **options: As :func:`fanwise.open_run` takes them.

    Returns:
        What :func:`fanwise.open_run` returns: ``async with open_test_run() as run: …``.
    """
    if models is None or isinstance(models, ScriptedModel):
        models = {_MODEL: models or ScriptedModel()}
    return OpenRun(
        name,
        journal=home or MemoryHome(clock=LoopClock()),
        models=models,
        clock=LoopClock(),
        chance=random.Random(seed),
        **options,
    )


def _script_of(answers: Any) -> Script:
    if answers is None:
        return lambda request, _: f"re: {prompt_of(request)}"
    if isinstance(answers, str):
        return lambda _, __: answers
    if isinstance(answers, Mapping):
        return _by_prompt(cast("Mapping[str, Any]", answers))
    if callable(answers):
        return answers
    if isinstance(answers, Sequence):
        return _in_order(cast("Sequence[Any]", answers))
    raise ConfigError(
        f"a {type(answers).__name__} is no script",
        hint="give a text, a list, a mapping from prompts, or a function (request, before)",
    )


def _by_prompt(answers: Mapping[str, Any]) -> Script:
    def script(request: Request, before: int) -> Any:
        prompt = prompt_of(request)
        if prompt not in answers:
            raise StateError(
                f"the script has no answer to {prompt!r}", hint="add it to the mapping"
            )
        found: Any = answers[prompt]
        if isinstance(found, list | tuple):
            several = cast("Sequence[Any]", found)
            return several[min(before, len(several) - 1)]
        return found

    return script


def _in_order(answers: Sequence[Any]) -> Script:
    place = 0

    def script(request: Request, _: int) -> Any:
        nonlocal place
        if place >= len(answers):
            raise StateError(
                f"the script's {len(answers)} answers are used up, and {prompt_of(request)!r} came",
                hint="add one, or give a function",
            )
        place += 1
        return answers[place - 1]

    return script
