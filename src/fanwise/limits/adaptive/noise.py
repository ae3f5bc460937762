"""Refusals that come by chance, however little is sent, told from those of a limit.

A limit that is kept below refuses hardly anything, and the rules that learn one rely on it. Some
providers refuse a few requests in a hundred whatever is sent (an overloaded part of theirs, a lying
proxy). If each of these cut a limit, throughput would fall with one over the root of their share,
as that of TCP does where packets are lost by chance (Mathis and others, 1997). TCP Veno (Fu and
Liew, 2003) and Westwood (Mascolo and others, 2001) therefore ask whether a loss came while there
was congestion, and BBR (Cardwell and others, 2016) heeds losses only above a share.

Here the question is: does the share of refusals fall when less is sent? Where several in succession
came at less than what had been refused before, the limits go back to what they were, for a trial.
If no more is refused than that share explains, it is noise: from then on only an excess over it is
a signal. If more is, everything goes back to where it was, and the next trial is put off.

Refusals for rate and for capacity are judged apart: a provider that is busy by chance may well have
a quota that it names exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from fanwise.limits.adaptive.rate import Rate

Said = Literal["heed", "try", "go on", "ignore", "back"]

_COMMON: Final = 0.12  # a larger share of refusals is no chance
_MOST: Final = 1.5  # times the share first seen: more is never explained by it
_RARE: Final = 0.003  # a smaller one needs no care
_STAGE: Final = 75  # requests
_MANY: Final = 3.0  # refusals that a stage should see
_DEVIATIONS: Final = 2.0
_SLACK: Final = 2.0
_SURGE: Final = 3.0  # times the share, from which refusals are a surge …
_ENOUGH: Final = 4.0  # … and what adds up to a signal then
_ENOUGH_UNSURE: Final = 5.0
_MEMORY: Final = 1000.0  # requests that the share rests on at most
_STRAYS: Final = 4  # excesses without a stage between them: it was no noise
_LONGEST_REST: Final = 512
BETTER: Final = 1.3  # times what was taken before


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What makes a row of refusals suspicious.

    Args:
        row: Cuts in succession after the first.
        low: How many of these came below what was refused before them.
        short: Fewer requests than this lie between each two of them.
        fallen: What the limits came down to, of what they were.
        gain: How many times more a trial has to bring.
    """

    row: int
    low: int
    short: int
    fallen: float
    gain: float


CAPACITY: Final = Proof(row=4, low=3, short=400, fallen=1.0, gain=1.15)
RATE: Final = Proof(row=8, low=0, short=70, fallen=0.6, gain=1.5)
"""Whoever names a rate has one, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A refusal that cut a limit.

    Args:
        number: Of its request.
        at: When it was sent.
        refusals: All until then.
        rate: The rate that was learned.
        width: Requests at once that were allowed.
        low: Whether it came below what had been refused before it.
    """

    number: int
    at: float
    refusals: int
    rate: Rate
    width: float
    low: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What is known of refusals by chance.

    Args:
        proof: What it takes to suspect them.
        cuts: The latest cuts, oldest first, as many as make a row.
        refusals: All refusals; once there is a share, those of the present stage.
        since: The number of the request with which that stage began.
        share: The share of requests refused by chance; 0 where there are none.
        most: What it may become at most.
        weight: Requests that it rests on.
        per_s: Requests a second that were taken before it was believed.
        began: When the present stage began.
        excess: What refusals add up to beyond a few times the share (Page's CUSUM).
        surge: The number of the request with which that began.
        latest: That of the latest refusal.
        confirmed: Whether a stage has gone by in which no more were refused.
        strays: Excesses since the last such stage.
        rest: Rows of cuts to wait after a trial that failed; four times as many after each.
        resting: Cuts until the next trial may be.
    """

    proof: Proof = CAPACITY
    cuts: tuple[Cut, ...] = ()
    refusals: int = 0
    since: int = 0
    share: float = 0.0
    most: float = 0.0
    weight: float = 0.0
    per_s: float = 0.0
    began: float = 0.0
    excess: float = 0.0
    surge: int = 0
    latest: int = 0
    confirmed: bool = False
    strays: int = 0
    rest: int = 1
    resting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refusal.

    Args:
        number: How many requests had been sent with the refused one.
        at: When it was sent.
        first: Whether it is the first of its epoch, which would cut a limit.
        low: Whether less was under way than at the refusal before it.
        rate: The rate that is learned.
        width: Requests at once that are allowed.
        held: Whether something else than these two holds requests back, so that a trial of them
            cannot be expected to bring more.
    """

    number: int
    at: float
    first: bool
    low: bool
    rate: Rate
    width: float
    held: bool = False


def refused(noise: Noise, one: Refusal) -> tuple[Noise, Said]:
    """What a refusal says, and what to do about the limits.

    Returns:
        What is known now; and ``heed`` to cut as ever, ``try`` to go back to the limits before the
        row and begin a trial, ``ignore``, ``go on`` where a stage is over and limits may grow,
        ``back`` where a trial failed.
    """
    noise = replace(noise, refusals=noise.refusals + 1)
    if noise.share:
        noise = _added_up(noise, number=one.number)
        return _against(noise, one) if one.first else (noise, "ignore")
    if not one.first:
        return noise, "heed"
    cut = Cut(
        number=one.number,
        at=one.at,
        refusals=noise.refusals,
        rate=one.rate,
        width=one.width,
        low=one.low,
    )
    cuts = (*noise.cuts[-noise.proof.row :], cut)
    noise = replace(noise, cuts=cuts, resting=max(0, noise.resting - 1))
    share = 0.0 if noise.resting else _share_of(noise.proof, cuts)
    if not share:
        return noise, "heed"
    sent = cut.number - cuts[0].number
    suspected = replace(
        noise,
        since=cut.number,
        began=cut.at,
        latest=cut.number,
        refusals=0,
        share=share,
        most=_MOST * share,
        weight=float(sent),
        per_s=sent * (1.0 - share) / max(0.1, cut.at - cuts[0].at),
    )
    return suspected, "try"


def _share_of(proof: Proof, cuts: tuple[Cut, ...]) -> float:
    """The share of refusals in a row of cuts that brought no fewer of them; 0 for no such row."""
    oldest, latest = cuts[0], cuts[-1]
    sent = latest.number - oldest.number
    share = (latest.refusals - oldest.refusals) / max(1, sent)
    if len(cuts) <= proof.row or share > _COMMON or sum(cut.low for cut in cuts[1:]) < proof.low:
        return 0.0
    if any(b.number - a.number >= proof.short for a, b in pairwise(cuts)):
        return 0.0
    most_rate, most_width = max(cut.rate.per_s for cut in cuts), max(cut.width for cut in cuts)
    fallen = (
        latest.rate.per_s <= proof.fallen * most_rate < math.inf
        or latest.width <= proof.fallen * most_width < math.inf
    )
    return share if fallen else 0.0


def _added_up(noise: Noise, *, number: int) -> Noise:
    """With what this refusal adds to an excess, less what chance brings meanwhile."""
    gap = max(0, number - noise.latest)
    before = max(0.0, noise.excess - _SURGE * noise.share * gap)
    surge = noise.surge if before > 0.0 else number
    return replace(noise, excess=before + 1.0, surge=surge, latest=max(number, noise.latest))


def _against(noise: Noise, one: Refusal) -> tuple[Noise, Said]:
    """A refusal where a share of them is known, or being tried."""
    sent = max(0, one.number - noise.since)
    chance = noise.share * sent
    enough = _ENOUGH if noise.confirmed else _ENOUGH_UNSURE
    if noise.refusals > chance + _DEVIATIONS * math.sqrt(chance) + _SLACK or noise.excess > enough:
        return _exceeded(noise, one)
    if sent < max(_STAGE, _MANY / noise.share):
        return noise, "ignore"
    per_s = (sent - noise.refusals) / max(0.1, one.at - noise.began)
    if not noise.confirmed and not one.held and per_s < noise.proof.gain * noise.per_s:
        return _exceeded(noise, one)
    weight = min(_MEMORY, noise.weight)
    share = min(noise.most, (noise.share * weight + noise.refusals) / (weight + sent))
    if share < _RARE:
        return Noise(proof=noise.proof), "go on"
    known = replace(
        noise,
        cuts=(),
        since=one.number,
        began=one.at,
        refusals=0,
        share=share,
        per_s=per_s,
        weight=weight + sent,
        confirmed=True,
        strays=0,
        rest=1,
    )
    return known, "go on"


def _exceeded(noise: Noise, one: Refusal) -> tuple[Noise, Said]:
    if noise.confirmed and noise.strays + 1 < _STRAYS:
        again = replace(noise, since=one.number, began=one.at, refusals=0, excess=0.0)
        return replace(again, strays=noise.strays + 1), "heed"
    if noise.confirmed:
        return Noise(proof=noise.proof), "heed"
    return replace(noise, share=0.0, cuts=()), "back"


def taken(trial: Noise, *, sent: int) -> float:
    """How many of the requests of a trial's stage were not refused."""
    return max(0.0, sent - trial.refusals - 1.0)


def failed(noise: Noise, *, better: bool) -> Noise:
    """When the next trial may be, after one that failed.

    Args:
        noise: What is known after it.
        better: Whether more was taken in it than before: the limits had fallen by chance as well.
    """
    rest = 1 if better else min(_LONGEST_REST, 4 * noise.rest)
    resting = 0 if better else rest * noise.proof.row
    return Noise(proof=noise.proof, rest=rest, resting=resting)
