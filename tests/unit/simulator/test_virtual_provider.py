"""A provider made of events: what it admits, how it refuses, how long it works."""

import pytest

from fanwise.errors import ConfigError
from fanwise.records import Failure
from fanwise.retry.classify import classify
from fanwise.simulator.virtual.loop import EventLoop
from fanwise.simulator.virtual.provider import VirtualProvider, Work
from fanwise.simulator.virtual.spec import (
    Acceleration,
    Allowance,
    Drift,
    Outage,
    ProviderSpec,
    Slots,
    Speed,
    Step,
)

PROMPT = Speed(network_s=0.0, refusal_s=0.0)


def work(number=0, *, given=10, made=20, reserved=40, service_s=1.0):
    return Work(number, given, made, reserved, service_s / 4, service_s)


def replies(spec, sends):
    """Sends (instant, work) and returns (sent at, answered at, reply) in the order of sending."""
    loop = EventLoop()

    async def main():
        provider = VirtualProvider(spec, timers=loop)
        found = [None] * len(sends)
        done = loop.create_future()

        def send(place, asked):
            at = loop.time()

            def reply(answer):
                found[place] = (at, loop.time(), answer)
                if all(found):
                    done.set_result(None)

            provider.send(asked, reply)

        for place, (at, asked) in enumerate(sends):
            loop.call_at(at, send, place, asked)
        await done
        return found

    return loop.run(main())


def kinds(found):
    return [reply.verdict.kind for _, _, reply in found]


def requests(per_minute, burst_s=1.0):
    return Allowance(dimension="requests", per_minute=per_minute, burst_s=burst_s)


def test_a_bucket_admits_its_burst_and_then_its_rate():
    spec = ProviderSpec(allowances=(requests(120, burst_s=2),), speed=PROMPT)
    found = replies(spec, [(0.0, work(n)) for n in range(6)] + [(0.6, work(6)), (0.7, work(7))])
    assert kinds(found) == ["served"] * 4 + ["rate"] * 2 + ["served", "rate"]
    assert found[4][2].verdict.retry_after_s == pytest.approx(0.5)
    assert found[7][2].verdict.retry_after_s == pytest.approx(0.3, abs=0.002)


def test_all_dimensions_are_looked_at_before_any_is_taken():
    tokens = Allowance(dimension="tokens", per_minute=600, burst_s=3, charge="reserved")
    spec = ProviderSpec(allowances=(requests(60, burst_s=2), tokens), speed=PROMPT)
    big, small = work(given=20, reserved=10), work(given=1, reserved=4)
    found = replies(spec, [(0.0, big), (0.0, big), (0.5, small)])
    # The second one found a request left, and no tokens: it took neither.
    assert kinds(found) == ["served", "rate", "served"]


def test_output_that_is_charged_when_used_leaves_a_debt():
    tokens = Allowance(dimension="output_tokens", per_minute=600, burst_s=1, charge="used")
    spec = ProviderSpec(allowances=(tokens,), speed=PROMPT)
    found = replies(spec, [(0.0, work(made=30, service_s=0.5)), (1.0, work()), (2.6, work())])
    assert kinds(found) == ["served", "rate", "served"]
    assert found[1][2].verdict.retry_after_s == pytest.approx(1.5)


def test_slots_refuse_or_queue():
    refusing = ProviderSpec(slots=Slots(count=2), speed=PROMPT)
    assert kinds(replies(refusing, [(0.0, work(n)) for n in range(3)])) == [
        "served",
        "served",
        "capacity",
    ]
    queueing = ProviderSpec(slots=Slots(count=2, when_full="queue", queue=1), speed=PROMPT)
    found = replies(queueing, [(0.0, work(n)) for n in range(4)])
    assert kinds(found) == ["served", "served", "served", "capacity"]
    assert [answered for _, answered, _ in found] == [1.0, 1.0, 2.0, 0.0]


def test_processor_sharing_slows_everybody_down_alike():
    spec = ProviderSpec(sharing=2, speed=PROMPT)
    found = replies(spec, [(0.0, work(n)) for n in range(4)] + [(10.0, work(4, service_s=0.5))])
    assert [answered for _, answered, _ in found] == pytest.approx([2.0] * 4 + [10.5])
    assert found[0][2].first_token_s == pytest.approx(0.5)
    staggered = replies(ProviderSpec(sharing=1, speed=PROMPT), [(0.0, work(0)), (0.5, work(1))])
    assert [answered for _, answered, _ in staggered] == pytest.approx([1.5, 2.0])


def test_limits_and_latencies_follow_their_events():
    spec = ProviderSpec(
        slots=Slots(count=2),
        speed=PROMPT,
        events=(Step(at_s=10, factor=0.5), Drift(from_s=20, until_s=21, factor=3.0)),
    )
    found = replies(spec, [(0.0, work(0)), (0.0, work(1)), (10.0, work(2)), (10.0, work(3))])
    assert kinds(found) == ["served", "served", "served", "capacity"]
    ((_, answered, _),) = replies(spec, [(30.0, work(0))])
    assert answered == pytest.approx(33.0)


def test_an_accelerating_limit_grows_with_its_use():
    spec = ProviderSpec(
        allowances=(requests(600, burst_s=0.2),),
        acceleration=Acceleration(start=0.1, doubling_s=5),
        speed=PROMPT,
    )
    used = replies(spec, [(n / 20, work(n)) for n in range(600)])
    early = sum(kind == "served" for kind in kinds(used[:100]))
    late = sum(kind == "served" for kind in kinds(used[-100:]))
    assert early < 15
    assert late > 40
    idle = replies(spec, [(30.0 + n / 20, work(n)) for n in range(100)])
    assert sum(kind == "served" for kind in kinds(idle)) < 15  # waiting alone does not help


def test_an_outage_answers_as_it_was_told():
    for answer, kind, status in (
        ("503", "capacity", 503),
        ("500", "infrastructure", 500),
        ("silence", "infrastructure", 0),
    ):
        spec = ProviderSpec(
            speed=PROMPT, silence_s=7.0, events=(Outage(from_s=1, until_s=2, answer=answer),)
        )
        before, within, after = replies(spec, [(0.5, work()), (1.5, work()), (2.0, work())])
        assert (before[2].status, after[2].status) == (200, 200)
        assert (within[2].status, within[2].verdict.kind) == (status, kind)
        assert within[1] == (8.5 if answer == "silence" else 1.5)


@pytest.mark.parametrize("advice", ["exact", "integer", "coarse", "absent", "short", "long"])
@pytest.mark.parametrize("states", [False, True])
def test_a_refusal_means_what_the_same_answer_of_a_real_server_would(advice, states):
    spec = ProviderSpec(
        allowances=(requests(6),),
        speed=PROMPT,
        advice=advice,
        coarse_s=20,
        states_limits=states,
    )
    _, (_, _, reply) = replies(spec, [(0.0, work(0)), (1.0, work(1))])
    failure = Failure(kind="status", message="", status=reply.status, headers=reply.headers)
    meant = classify(failure, wall_s=0.0)
    assert (meant.kind, meant.retry_after_s) == (reply.verdict.kind, reply.verdict.retry_after_s)
    wanted = {"exact": 9.0, "integer": 9.0, "coarse": 20.0, "short": 0.9, "long": 45.0}
    assert reply.verdict.retry_after_s == pytest.approx(wanted.get(advice), abs=0.002)
    assert [s.limit for s in reply.stated] == ([6.0] if states else [])


def test_impossible_providers_are_refused():
    with pytest.raises(ConfigError, match="two allowances of one dimension"):
        ProviderSpec(allowances=(requests(1), requests(2)))
    with pytest.raises(ConfigError, match="units a minute"):
        requests(0)
    with pytest.raises(ConfigError, match="slots"):
        Slots(count=0)
