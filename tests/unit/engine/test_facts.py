"""What is said of a run's limits: those in force now, stated or learned."""

import pytest

from fanwise.clock import LoopClock
from fanwise.engine.facts import facts_of
from fanwise.engine.pools import Pools
from fanwise.errors import PermitTimeout
from fanwise.limits.settings import Limits
from fanwise.records import StatedLimit, Verdict
from fanwise.testing import ScriptedModel, open_test_run
from fanwise.testing.virtual import run_virtual


class Endpoint:
    """An endpoint that is never sent to."""

    name = "openai/m"
    provider = "openai"
    origin = "openai"


def pools_of(**limits):
    return Pools(lambda _: Endpoint(), limits=Limits(**limits), clock=LoopClock())


def test_a_concurrency_that_nobody_stated_is_learned_and_said_to_be():
    async def main():
        pools = pools_of()
        pools.target("openai/m")
        found = facts_of(pools)
        assert (found.learned, found.concurrency) == (True, pools.limit)

    run_virtual(main())


def test_limits_that_change_in_the_middle_are_the_ones_that_are_named():
    async def main():
        pools = pools_of(concurrency=10, rpm=600)
        pools.target("openai/m")
        pools.update(Limits(concurrency=2, rpm=90))
        found = facts_of(pools)
        assert (found.learned, found.concurrency, found.rpm) == (False, 2, 90)

    run_virtual(main())


def test_rules_of_this_process_teach_nothing():
    async def main():
        pools = pools_of()
        pools.target("builtin/rules", rules=lambda _: None)
        assert not facts_of(pools).learned

    run_virtual(main())


def test_a_learned_rate_is_named():
    async def main():
        pools = pools_of()
        limiter = pools.target("openai/m").pool.limiter
        assert facts_of(pools).learned_rpm is None
        for _ in range(30):
            (await limiter.acquire()).settle(Verdict(kind="served"))
        refused = Verdict(kind="rate", retry_after_s=1.0)
        (await limiter.acquire()).settle(refused)
        assert facts_of(pools).learned_rpm == limiter.statistics().learned_rpm is not None

    run_virtual(main())


def test_a_pause_holds_for_models_that_are_first_called_in_it():
    async def main():
        pools = pools_of()
        pools.pause()
        limiter = pools.target("openai/m").pool.limiter
        with pytest.raises(PermitTimeout):
            await limiter.acquire(deadline=5.0)
        pools.resume()
        assert limiter.has_room
        (await limiter.acquire()).settle(Verdict(kind="served"))

    run_virtual(main())


def test_a_rate_that_the_provider_states_is_named_as_such():
    async def main():
        pools = pools_of()
        limiter = pools.target("openai/m").pool.limiter
        stated = StatedLimit(dimension="requests", limit=6000.0, remaining=5000.0, reset_s=10.0)
        (await limiter.acquire()).settle(Verdict(kind="served"), stated=(stated,))
        assert facts_of(pools).rpm == 6000

    run_virtual(main())


@pytest.mark.parametrize(("command", "said"), [("", "once"), ("run", "once (-j)")])
def test_an_option_is_named_where_there_is_a_command_that_has_it(command, said):
    async def main():
        options = {"limits": Limits(concurrency=2), "command": command}
        async with (
            open_test_run(ScriptedModel(service_s=10.0), **options) as run,
            run.map(lambda ctx, n: ctx.call("test/model", f"{n}"), range(8)) as outcomes,
        ):
            await anext(outcomes)
            assert run.snapshot().what_limits == f"The limit of 2 calls at {said}"

    run_virtual(main())
