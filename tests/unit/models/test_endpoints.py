"""Models that are functions: a user's own, and a pipeline's rules."""

import asyncio
import math

import orjson
import pytest

from fanwise.errors import InvalidOutput, RateLimited
from fanwise.models.endpoint import CallableEndpoint
from fanwise.models.rules import RulesEndpoint
from fanwise.records import Failure, Request, Response, Schema, Timeouts, Usage, user
from fanwise.testing.virtual import run_virtual

ASKED = Request(model="mine/m", messages=[user("hello")])
SCHEMA = Schema(name="s", definition={"type": "object"})


def call(function, *, timeouts=None, on_token=None):
    endpoint = CallableEndpoint("mine/m", function)
    return run_virtual(
        endpoint.send(ASKED, timeouts=timeouts or Timeouts(attempt_s=5), on_token=on_token)
    )


def test_a_function_is_a_model():
    async def mine(request):
        return Response(text=f"you said {request.messages[0].content}")

    assert call(mine).text == "you said hello"
    endpoint = CallableEndpoint("mine/m", mine)
    assert (endpoint.name, endpoint.provider, endpoint.origin) == ("mine/m", "mine", "callable")


def test_what_it_raises_is_a_failure_that_carries_it():
    error = KeyError("x")

    async def mine(request):
        raise error

    failure = call(mine)
    assert (failure.kind, failure.exception) == ("exception", error)
    assert failure.message == "mine/m raised KeyError: 'x'"


@pytest.mark.parametrize("error", [RateLimited("slow", status=429), InvalidOutput("no")])
def test_an_error_of_ours_keeps_its_meaning(error):
    async def mine(request):
        raise error

    failure = call(mine)
    assert (failure.exception, failure.message, failure.status) == (
        error,
        error.message,
        error.status,
    )


def test_a_function_has_the_attempts_deadline():
    async def mine(request):
        await asyncio.sleep(3600)

    failure = call(mine)
    assert (failure.kind, failure.phase) == ("timeout", "attempt")
    assert failure.message == "mine/m gave no answer within 5 s"


def test_without_a_deadline_it_may_take_its_time():
    async def mine(request):
        await asyncio.sleep(86_400)
        return Response(text="late")

    assert call(mine, timeouts=Timeouts(attempt_s=math.inf)).text == "late"


def test_a_timeout_of_its_own_is_its_own():
    async def mine(request):
        raise TimeoutError("mine")

    assert call(mine).kind == "exception"


def test_cancellation_is_not_a_failure():
    async def mine(request):
        await asyncio.sleep(3600)

    async def main():
        task = asyncio.ensure_future(CallableEndpoint("m", mine).send(ASKED, timeouts=Timeouts()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())


def test_something_else_than_a_response_is_said_to_be():
    async def mine(request):
        return "hello"

    failure = call(mine)
    assert failure.message == "the model function of mine/m returned str"
    assert failure.hint == "it must return fanwise.Response"
    assert failure.exception.code == "rejected"


def test_it_hands_out_its_text_as_one_token():
    async def mine(request):
        return Response(text="hello")

    tokens = []
    call(mine, on_token=tokens.append)
    assert tokens == ["hello"]


def rule(rules, request=ASKED, on_token=None):
    return run_virtual(RulesEndpoint(rules).send(request, timeouts=Timeouts(), on_token=on_token))


def test_rules_answer_from_the_request_and_cost_nothing():
    answer = rule(lambda request: {"echo": request.messages[0].content})
    assert orjson.loads(answer.text) == {"echo": "hello"}
    assert answer.value == {"echo": "hello"}
    assert answer.usage == Usage(input_tokens=0, output_tokens=0, cached_input_tokens=0)
    assert (answer.model, answer.finish_reason) == ("builtin/rules", "stop")


def test_a_text_is_a_text_unless_a_schema_was_asked_for():
    assert rule(lambda _: "fine").text == "fine"
    asked = Request(model="builtin/rules", messages=[user("x")], schema=SCHEMA)
    assert rule(lambda _: "fine", asked).text == '"fine"'


def test_rules_may_wait():
    async def rules(request):
        await asyncio.sleep(1)
        return [1, 2]

    tokens = []
    assert rule(rules, on_token=tokens.append).value == [1, 2]
    assert tokens == ["[1,2]"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [(lambda _: 1 / 0, "ZeroDivisionError"), (lambda _: object(), "not JSON serializable: object")],
)
def test_rules_that_fail_fail_for_good(rules, words):
    failure = rule(rules)
    assert isinstance(failure, Failure)
    assert words in failure.message
    assert (failure.kind, failure.exception.code) == ("exception", "rejected")
    assert failure.exception.__cause__ is not None
