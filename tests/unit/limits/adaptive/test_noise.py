"""Refusals that come by chance are told from those of a limit, and a trial that fails is undone."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from fanwise.clock import LoopClock
from fanwise.limits.adaptive.noise import (
    CAPACITY,
    RATE,
    Noise,
    Refusal,
    Said,
    failed,
    refused,
)
from fanwise.limits.adaptive.rate import Rate, at
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Verdict
from fanwise.testing.virtual import run_virtual


def refusal(number: int, *, per_s: float = 100.0, **words: Any) -> Refusal:
    """A refused request, of those that leave at so many a second."""
    given: dict[str, Any] = {"first": True, "low": True, "rate": Rate(), "width": 50.0}
    return Refusal(number=number, at=number / per_s, **(given | words))


def follow(noise: Noise, numbers: list[int], **words: Any) -> tuple[Noise, list[Said]]:
    """Refusals of the requests with these numbers."""
    said: list[Said] = []
    for number in numbers:
        noise, word = refused(noise, refusal(number, **words))
        said.append(word)
    return noise, said


def suspected(*, apart: int = 25) -> Noise:
    """After a row of refusals so far apart, at 100 requests a second."""
    noise, said = follow(Noise(), [apart * n for n in range(1, CAPACITY.row + 2)])
    assert said == ["heed"] * CAPACITY.row + ["try"]
    return noise


def test_a_row_of_refusals_at_less_than_before_begins_a_trial_with_their_share() -> None:
    assert suspected().share == pytest.approx(1 / 25)


@pytest.mark.parametrize(
    ("apart", "low"), [(25, False), (5, True), (450, True)], ids=["no lower", "many", "rare"]
)
def test_no_trial_where_it_may_well_be_the_limit(apart: int, low: bool) -> None:
    _, said = follow(Noise(), [apart * n for n in range(1, 20)], low=low)
    assert set(said) == {"heed"}


FALLING = [100.0 * 0.9**n for n in range(12)]


def rate_row(*, apart: int, rates: list[float]) -> list[Said]:
    noise, said = Noise(proof=RATE), list[Said]()
    for n, rate in enumerate(rates, 1):
        one = refusal(apart * n, rate=at(rate), width=math.inf)
        noise, word = refused(noise, one)
        said.append(word)
    return said


def test_it_takes_more_to_doubt_a_refusal_for_rate() -> None:
    assert rate_row(apart=25, rates=FALLING[:9]) == ["heed"] * 8 + ["try"]
    assert set(rate_row(apart=25, rates=[100.0] * 12)) == {"heed"}
    assert set(rate_row(apart=70, rates=FALLING)) == {"heed"}


def test_a_trial_in_which_refusals_stay_as_rare_and_more_is_taken_goes_on() -> None:
    noise = suspected()
    numbers = [noise.since + 25 * n for n in range(1, 20)]
    said: list[Said] = []
    for number in numbers:
        noise, word = refused(noise, refusal(number, per_s=number / (noise.latest / 100 + 0.05)))
        said.append(word)
    assert set(said) == {"ignore", "go on"}
    assert noise.confirmed
    assert noise.share == pytest.approx(1 / 25, rel=0.2)


def test_a_trial_that_brings_no_more_is_ended() -> None:
    noise = suspected()
    _, said = follow(noise, [noise.since + 25 * n for n in range(1, 5)])
    assert "back" in said
    assert "go on" not in said


def test_where_another_limit_holds_requests_back_a_trial_need_not_bring_more() -> None:
    noise = suspected()
    _, said = follow(noise, [noise.since + 25 * n for n in range(1, 5)], held=True)
    assert said == ["ignore", "ignore", "go on", "ignore"]


def test_a_trial_in_which_refusals_surge_is_ended_and_the_next_one_put_off() -> None:
    noise = suspected()
    noise, said = follow(noise, [noise.since + 2 * n for n in range(1, 8)])
    assert "back" in said
    noise = failed(noise, better=False)
    _, said = follow(noise, [1000 + 25 * n for n in range(1, 12)])
    assert set(said) == {"heed"}
    _, said = follow(failed(noise, better=True), [1000 + 25 * n for n in range(1, 12)])
    assert "try" in said


def known(share: float = 0.04) -> Noise:
    return Noise(share=share, most=1.5 * share, weight=500, confirmed=True, latest=0)


def test_a_surge_is_a_signal_however_few_were_refused_before_it() -> None:
    _, said = follow(known(), [400, 402, 404, 406, 408, 410])
    assert "heed" in said
    assert said.index("heed") <= 5


def test_twice_as_many_refusals_are_a_signal_even_without_a_surge() -> None:
    noise = known(0.02)
    _, said = follow(noise, [7 * n for n in range(1, 40)])
    assert "heed" in said


def test_a_share_that_is_known_is_ignored_for_as_long_as_it_stays() -> None:
    chance = random.Random(3)
    refused_ones = [n for n in range(1, 20_000) if chance.random() < 0.04]
    _, said = follow(known(), refused_ones)
    assert said.count("heed") <= 0.03 * len(refused_ones)


def test_what_grows_slowly_is_not_taken_for_noise_without_end() -> None:
    number, said, noise = 0, list[Said](), known(0.03)
    for n in range(400):
        number += max(3, 33 - n // 8)
        noise, word = refused(noise, refusal(number))
        said.append(word)
    assert noise.share <= 0.045 or not noise.share
    assert said[200:].count("heed") > 10


def test_noise_that_ends_is_forgotten() -> None:
    noise, said = follow(known(0.02), [6000, 12_000])
    assert said == ["go on", "heed"]
    assert not noise.share


def test_excesses_one_after_another_were_no_noise() -> None:
    noise, said = follow(known(), [400 + 2 * n for n in range(24)])
    assert said.count("ignore") < 16
    assert not noise.share


def test_further_refusals_of_an_epoch_count_and_decide_nothing() -> None:
    noise, said = follow(known(), [400 + n for n in range(20)], first=False)
    assert set(said) == {"ignore"}
    _, word = refused(noise, refusal(425))
    assert word == "heed"


async def served_in(limiter: Limiter, *, share: float, calls: int, most_per_s: float) -> float:
    """How long calls take of which a share is refused by chance, and all above a rate."""
    chance = random.Random(5)
    loop = asyncio.get_running_loop()
    left = calls
    level = {"tokens": 20.0, "at": 0.0}

    def taken() -> bool:
        grown = level["tokens"] + (loop.time() - level["at"]) * most_per_s
        level["tokens"], level["at"] = min(20.0, grown), loop.time()
        if level["tokens"] < 1 or chance.random() < share:
            return False
        level["tokens"] -= 1
        return True

    async def work() -> None:
        nonlocal left
        while left > 0:
            permit = await limiter.acquire()
            ok = taken()
            await asyncio.sleep(0.05 if ok else 0.005)
            verdict: Any = Verdict(kind="served" if ok else "rate")
            permit.settle(verdict)
            left -= ok

    began = loop.time()
    await asyncio.gather(*[work() for _ in range(64)])
    return loop.time() - began


def test_a_few_refusals_in_a_hundred_do_not_bring_a_run_to_a_crawl() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(concurrency=64), clock=LoopClock())
        took_s = await served_in(limiter, share=0.05, calls=3000, most_per_s=1e6)
        assert took_s < 60

    run_virtual(main())


def test_beside_refusals_by_chance_a_real_limit_is_used_and_not_run_into_for_ever() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(concurrency=64), clock=LoopClock())
        took_s = await served_in(limiter, share=0.06, calls=3000, most_per_s=50.0)
        assert took_s < 200
        assert limiter.statistics().refused < 0.3 * 3000

    run_virtual(main())
