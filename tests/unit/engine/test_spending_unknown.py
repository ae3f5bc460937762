"""What a send has used that brought no answer: in doubt, all that was set aside for it."""

from __future__ import annotations

from typing import Any

import pytest

import fanwise as fw
from fanwise.engine.spending import NOTHING_USED, used_by
from fanwise.records import Failure, Request, Timeouts
from fanwise.retry.policy import Retry
from fanwise.testing import ScriptedModel, open_test_run
from fanwise.testing.virtual import run_virtual

MODEL = "openai/gpt-4o-mini"


@pytest.mark.parametrize(
    ("failure", "free"),
    [
        ({"kind": "status", "status": 429}, True),
        ({"kind": "status", "status": 500}, True),
        ({"kind": "connect"}, True),
        ({"kind": "timeout", "phase": "connect"}, True),
        ({"kind": "timeout", "phase": "first_byte"}, False),
        ({"kind": "timeout", "phase": "attempt"}, False),
        ({"kind": "reset"}, False),
        ({"kind": "protocol"}, False),
    ],
)
def test_what_may_have_been_answered_may_have_been_charged(
    failure: dict[str, Any], *, free: bool
) -> None:
    used = used_by(Failure(message="", **failure))
    assert used is (NOTHING_USED if free else None)


def test_a_send_that_was_given_up_counts_in_the_budget_with_what_was_set_aside() -> None:
    async def main() -> None:
        slow = {"q1"}

        def service_s(request: Request) -> float:
            return 60.0 if request.messages[0].content in slow else 0.1

        async def spent(item: int) -> float:
            model = ScriptedModel(service_s=service_s)
            async with open_test_run(
                {MODEL: model},
                budget=fw.Budget(usd=1),
                timeouts=Timeouts(attempt_s=5.0, first_byte_s=5.0),
                retry=Retry(max_attempts=1),
            ) as run:

                async def ask(ctx: Any, item: int) -> Any:
                    return await ctx.call(MODEL, f"q{item}", parameters={"max_tokens": 500})

                await run.map(ask, [item]).collect()
                (use,) = run.snapshot().budgets
            return use.spent

        assert await spent(1) > await spent(0) > 0

    run_virtual(main())
