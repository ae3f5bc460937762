"""Several keys: the one with headroom goes next, a dead one leaves, keys of one owner share."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from fanwise.clock import LoopClock
from fanwise.engine.keyring import KeyState, back_after_s, choice, hopeless, why_dead
from fanwise.engine.pools import Pools
from fanwise.errors import RateLimited
from fanwise.limits.settings import Limits
from fanwise.records import Failure, Request, Response, Verdict
from fanwise.testing.virtual import run_virtual

SERVED = Verdict(kind="served")


def state(*, alive=True, room=True, load=0, used=0):
    return KeyState(alive=alive, room=room, load=load, used=used)


def refusal(status, body=""):
    return Failure(kind="status", message="", status=status, body=body)


class Key:
    """An endpoint of one key that is never sent to."""

    name = "openai/m"
    provider = "openai"
    origin = "openai"

    def __init__(self, number):
        self.key_name = f"OPENAI_API_KEY_{number}"


def pools(*, keys=2, limits=None):
    found = tuple(Key(number) for number in range(1, keys + 1))
    return Pools(lambda _: found, limits=limits or Limits(), clock=LoopClock())


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([state(load=5), state(load=2)], 1),
        ([state(room=False, load=1), state(load=9)], 1),  # who waits goes elsewhere
        ([state(alive=False), state(room=False, load=30)], 1),
        ([state(used=4), state(used=3)], 1),
        ([state(), state()], 0),
        ([state(alive=False), state(alive=False)], None),
    ],
)
def test_the_key_with_the_most_headroom_goes_next(states, chosen):
    assert choice(states) == chosen


def test_a_dead_key_is_never_chosen_while_another_lives():
    chance = random.Random(5)
    for _ in range(500):
        states = [
            state(
                alive=chance.random() < 0.5,
                room=chance.random() < 0.5,
                load=chance.randrange(9),
                used=chance.randrange(9),
            )
            for _ in range(chance.randint(1, 6))
        ]
        chosen = choice(states)
        assert (chosen is None) == (not any(found.alive for found in states))
        assert chosen is None or states[chosen].alive


@pytest.mark.parametrize(
    ("failure", "dead"),
    [
        (refusal(401), True),
        (refusal(400, '{"error": {"message": "API key not valid."}}'), True),
        (refusal(400, '{"error": {"message": "bad temperature"}}'), False),
        (refusal(402), True),
        (refusal(429, '{"error": {"code": "insufficient_quota"}}'), True),
        (refusal(429, '{"error": {"message": "tokens per day (TPD): Limit 9"}}'), True),
        (refusal(429), False),
        (refusal(403, '{"error": {"message": "not in your country"}}'), False),
        (Failure(kind="connect", message=""), False),
    ],
)
def test_a_key_is_dead_where_its_account_is_and_not_where_a_request_is_bad(failure, dead):
    assert bool(why_dead(failure)) == dead


def test_nobody_there_is_no_fault_of_a_key():
    assert hopeless(Failure(kind="connect", message=""))
    assert hopeless(refusal(401))
    assert not hopeless(refusal(429, '{"error": {"code": "insufficient_quota"}}'))


def test_a_dead_key_leaves_with_a_warning_that_names_its_variable(caplog):
    async def main():
        first = pools(keys=3).target("openai/m")
        ring = first.ring
        with caplog.at_level(logging.WARNING, logger="fanwise.keys"):
            assert ring.drop(first, refusal(401))
            assert ring.drop(first, refusal(401)), "told once, however many calls were under way"
        assert {ring.pick().key_name for _ in range(9)} == {
            "OPENAI_API_KEY_2",
            "OPENAI_API_KEY_3",
        }
        assert ring.drop(ring.pick(), refusal(402))
        assert not ring.drop(ring.pick(), refusal(401)), "none is left"
        return ring

    ring = run_virtual(main())
    assert len(caplog.records) == 3, "one for each key"
    assert "OPENAI_API_KEY_1 is out of use: the provider refuses it (401)" in caplog.text
    assert len(ring.dead) == 3


DAY = '{"error": {"message": "tokens per day (TPD): Limit 9. Please try again in 30s."}}'
PAID = '{"error": {"code": "insufficient_quota", "message": "try again in 30s"}}'


@pytest.mark.parametrize(
    ("failure", "back_s"),
    [
        (refusal(429, DAY), 30.0),
        (refusal(429, DAY.replace(" Please try again in 30s.", "")), None),
        (refusal(429, PAID), None),
        (refusal(401, DAY), None),
    ],
)
def test_a_key_is_back_only_when_its_quota_is(failure, back_s):
    assert back_after_s(failure, wall_s=0.0) == back_s

    async def main():
        first = pools().target("openai/m")
        ring = first.ring
        assert ring.drop(first, failure)
        await asyncio.sleep(29)
        assert {ring.pick().key_name for _ in range(4)} == {"OPENAI_API_KEY_2"}
        await asyncio.sleep(2)
        assert ("OPENAI_API_KEY_1" in {ring.pick().key_name for _ in range(4)}) is bool(back_s)
        assert bool(ring.dead) is not bool(back_s)

    run_virtual(main())


def test_a_request_that_fails_for_itself_costs_no_key():
    async def main():
        first = pools().target("openai/m")
        assert not first.ring.drop(first, refusal(404))
        assert not first.ring.dead

    run_virtual(main())


def test_requests_go_where_there_is_room():
    async def main():
        first = pools().target("openai/m")
        ring = first.ring
        held = []
        for _ in range(6):
            target = ring.pick()
            held.append((target, await target.pool.limiter.acquire()))
        by_key = [target.key_name for target, _ in held]
        assert by_key.count("OPENAI_API_KEY_1") == by_key.count("OPENAI_API_KEY_2") == 3
        for target, permit in held:
            if target.key_name == "OPENAI_API_KEY_2":
                permit.settle(SERVED)
        assert {ring.pick().key_name for _ in range(3)} == {"OPENAI_API_KEY_2"}

    run_virtual(main())


def test_keys_of_one_organisation_share_a_pool_from_the_moment_it_is_told():
    async def main():
        found = pools(keys=3)
        first = found.target("openai/m")
        ring = first.ring
        targets = {target.key_name: target for target in (ring.pick() for _ in range(9))}
        assert len({id(target.pool) for target in targets.values()}) == 3
        for number, owner in ((1, "org-a"), (2, "org-b"), (3, "org-a")):
            reply = Response(text="", headers={"openai-organization": owner})
            targets[f"OPENAI_API_KEY_{number}"].heard(reply, wall_s=0.0)
        pool_of = {target.key_name: target.pool for target in (ring.pick() for _ in range(9))}
        assert pool_of["OPENAI_API_KEY_1"] is pool_of["OPENAI_API_KEY_3"]
        assert pool_of["OPENAI_API_KEY_1"] is not pool_of["OPENAI_API_KEY_2"]
        assert pool_of["OPENAI_API_KEY_1"].joined is None
        assert found.all_dead() is None
        for pool in pool_of.values():
            pool.dead = RateLimited("over")
        assert found.all_dead() is not None, "a pool that was joined to another does not count"

    run_virtual(main())


def test_an_owner_that_is_not_told_is_nobodys():
    async def main():
        ring = pools().target("openai/m").ring
        for target in [ring.pick() for _ in range(4)]:
            target.heard(Response(text=""), wall_s=0.0)
        assert len({id(pool) for pool in ring.pools}) == 2

    run_virtual(main())


def test_limits_that_are_stated_hold_for_all_keys_together():
    async def main():
        for limits in (Limits(rpm=60), Limits(concurrency=5), Limits(tpm=1000)):
            ring = pools(limits=limits).target("openai/m").ring
            assert len({id(pool) for pool in ring.pools}) == 1

    run_virtual(main())


def test_keys_that_share_a_pool_take_turns():
    async def main():
        ring = pools(keys=3, limits=Limits(concurrency=5)).target("openai/m").ring
        names = [ring.pick().key_name for _ in range(9)]
        assert {names.count(name) for name in set(names)} == {3}

    run_virtual(main())


def test_one_pool_that_is_full_does_not_hold_back_who_could_go_to_another():
    async def main():
        found = pools()
        first = found.target("openai/m")
        full = first.pool.limiter
        permit = await full.acquire()
        permit.settle(Verdict(kind="rate", retry_after_s=5.0))
        waiting = asyncio.ensure_future(full.acquire())
        await asyncio.sleep(0)
        assert full.waiting
        assert found.has_room()
        waiting.cancel()

    run_virtual(main())


def test_one_key_is_no_ring():
    async def main():
        target = pools(keys=1).target("openai/m")
        assert target.ring is None
        assert target.cost(Request(model="openai/m")).requests == 1

    run_virtual(main())
