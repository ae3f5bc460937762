"""Refusals that come by chance are told from those of a limit, and a trial that fails is undone."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from fanwise.clock import LoopClock
from fanwise.limits.adaptive.chance import Chance, failed, refused
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.records import Verdict
from fanwise.testing.virtual import run_virtual


def row(
    *, apart: int, rates: list[float], chance: Chance | None = None
) -> tuple[Chance, list[str]]:
    """Cuts that are so many requests apart, each with the rate that it met."""
    chance = chance or Chance()
    said: list[str] = []
    number = 100
    for rate in rates:
        chance, word = refused(chance, number=number, first=True, rate=rate, width=math.inf)
        said.append(word)
        number += apart
    return chance, said


FALLING = [100.0 * 0.9**n for n in range(12)]


def test_a_row_of_cuts_that_brings_no_fewer_refusals_begins_a_trial() -> None:
    chance, said = row(apart=25, rates=FALLING[:9])
    assert said == ["heed"] * 8 + ["try"]
    assert chance.share == pytest.approx(1 / 25)


@pytest.mark.parametrize(
    ("apart", "rates"),
    [(70, FALLING), (25, [100.0] * 12), (6, FALLING)],
    ids=["rare", "the rate has not fallen", "far too many"],
)
def test_no_trial_where_it_may_well_be_the_limit(apart: int, rates: list[float]) -> None:
    _, said = row(apart=apart, rates=rates)
    assert set(said) == {"heed"}


def test_a_trial_in_which_refusals_stay_as_rare_goes_on() -> None:
    chance, _ = row(apart=25, rates=FALLING[:9])
    said: list[str] = []
    for number in range(chance.since + 25, chance.since + 500, 25):
        chance, word = refused(chance, number=number, first=True, rate=1e3, width=math.inf)
        said.append(word)
    assert set(said) == {"ignore", "go on"}
    assert said.count("go on") >= 5


def test_a_trial_in_which_refusals_grow_is_ended_and_the_next_one_put_off() -> None:
    chance, _ = row(apart=25, rates=FALLING[:9])
    said: list[str] = []
    for number in range(chance.since + 2, chance.since + 30, 2):
        chance, word = refused(chance, number=number, first=True, rate=1e3, width=math.inf)
        said.append(word)
        if word == "back":
            break
    assert said[-1] == "back"
    assert len(said) <= 6
    chance = failed(chance, better=False)
    _, again = row(apart=25, rates=FALLING, chance=chance)
    assert set(again) == {"heed"}
    _, again = row(apart=25, rates=FALLING, chance=failed(chance, better=True))
    assert "try" in again


def test_further_refusals_of_an_epoch_count_and_decide_nothing() -> None:
    chance, _ = row(apart=25, rates=FALLING[:9])
    for _ in range(20):
        chance, word = refused(chance, number=chance.since + 5, first=False, rate=9, width=9)
        assert word == "heed"
    _, word = refused(chance, number=chance.since + 10, first=True, rate=9.0, width=9.0)
    assert word == "back"


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
