"""The scripted model: it follows its script and notes what it was asked."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.errors import ConfigError, RateLimited, StateError
from fanwise.limits.settings import Limits
from fanwise.records import Request, Response, system, user
from fanwise.testing import ScriptedModel, open_test_run, prompt_of, run_virtual


def asked(text: str) -> Request:
    return Request(model="test/model", messages=[system("be kind"), user(text)])


def texts(model: ScriptedModel, *prompts: str) -> list[str]:
    async def main() -> list[str]:
        return [str((await model(asked(prompt))).text) for prompt in prompts]

    return run_virtual(main())


async def later(request: Request, before: int) -> Response:
    await asyncio.sleep(1)
    return Response(text=f"{prompt_of(request)} {before}")


def test_each_kind_of_script_is_followed() -> None:
    assert texts(ScriptedModel(), "a") == ["re: a"]
    assert texts(ScriptedModel("x"), "a", "b") == ["x", "x"]
    assert texts(ScriptedModel(["x", {"y": 1}]), "a", "b") == ["x", '{"y": 1}']
    assert texts(ScriptedModel({"a": ["1", "2"], "b": "3"}), "a", "b", "a", "a") == list("1322")
    assert texts(ScriptedModel(later), "a", "b", "a") == ["a 0", "b 0", "a 1"]
    assert texts(ScriptedModel(lambda request, before: str(before)), "a", "a") == ["0", "1"]


def test_an_exception_is_raised_and_a_script_that_is_over_says_so() -> None:
    with pytest.raises(RateLimited):
        texts(ScriptedModel([RateLimited("slow down")]), "a")
    with pytest.raises(StateError, match="1 answers are used up"):
        texts(ScriptedModel(["x"]), "a", "b")
    with pytest.raises(StateError, match="no answer to 'b'"):
        texts(ScriptedModel({"a": "x"}), "b")
    with pytest.raises(ConfigError, match="a int is no script"):
        ScriptedModel(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="service_s is -1"):
        ScriptedModel(service_s=-1)


def test_it_takes_its_time_and_notes_who_left() -> None:
    async def main() -> None:
        model = ScriptedModel(service_s=lambda request: float(prompt_of(request)))
        tasks = [asyncio.create_task(model(asked(str(took_s)))) for took_s in (1, 2, 60)]
        await asyncio.sleep(3)
        assert [task.done() for task in tasks] == [True, True, False]
        tasks[2].cancel()
        await asyncio.wait(tasks)
        assert (model.peak, model.in_flight, model.cancelled) == (3, 0, 1)
        assert model.sends == {"1": 1, "2": 1, "60": 1}
        assert "3 requests" in repr(model)

    run_virtual(main())


def test_a_test_run_is_held_in_memory_and_knows_several_models() -> None:
    async def main() -> None:
        models = {"test/a": ScriptedModel("a"), "test/b": ScriptedModel("b")}
        async with open_test_run(models, limits=Limits(concurrency=2)) as run:
            got = await run.map(lambda ctx, model: ctx.call(model, "hi"), list(models)).collect()
        assert sorted(outcome.value for outcome in got) == ["a", "b"]

    run_virtual(main())
