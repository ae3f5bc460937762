"""What answers say of the limits holds for the requests after them."""

from __future__ import annotations

import pytest

from fanwise.clock import LoopClock
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, open_scripted


async def spent_s(headers: dict[str, str]) -> float:
    """Virtual seconds of 200 requests to a server that answers at once."""
    model = Scripted(lambda prompt, before: answered("hi", headers=headers), service_s=0.01)
    clock = LoopClock()
    async with open_scripted(model) as run:
        started = clock.monotonic()
        outcomes = await run.map(ask, [str(n) for n in range(200)]).collect()
        assert all(outcome.ok for outcome in outcomes)
        return clock.monotonic() - started


@pytest.mark.parametrize(
    ("headers", "at_least_s"),
    [({}, 0.0), ({"x-ratelimit-limit-requests": "600"}, 15.0)],
    ids=["nothing stated", "600 a minute stated"],
)
def test_a_limit_in_the_headers_paces_the_rest_of_the_run(
    headers: dict[str, str], at_least_s: float
) -> None:
    spent = run_virtual(spent_s(headers))
    assert at_least_s <= spent <= at_least_s + 6.0
