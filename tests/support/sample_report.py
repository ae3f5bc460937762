"""A report of a run that never was: two models, waits, refusals, failures and a kill."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from decimal import Decimal

from fanwise.progress.report import Report, build_report
from fanwise.records import (
    Attempt,
    CallKey,
    CallRecord,
    Counters,
    ErrorInfo,
    ItemRecord,
    RunRecord,
    RunSpec,
    SessionRecord,
    Usage,
)

BEGIN = 1_795_324_000.0
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-haiku")


def sample_report(
    calls: int = 400, *, at_once: int = 20, seed: int = 5, hostile: str = "", killed: bool = True
) -> Report:
    """A report over so many calls; ``hostile`` stands in every place that text comes from."""
    chance = random.Random(seed)
    free = [BEGIN] * at_once
    waits: Counter[str] = Counter()
    records = [_call(n, free, chance=chance, waits=waits, hostile=hostile) for n in range(calls)]
    records.sort(key=lambda record: record.started_at)
    items = [
        ItemRecord(
            item_id=record.key.item_id,
            position=n,
            state="failed" if record.error else "succeeded",
            error=record.error,
        )
        for n, record in enumerate(records)
    ]
    return build_report(
        RunRecord(
            run_id=f"20261122-042145-scan-k3f9x2{hostile}",
            spec=RunSpec(name=f"scan{hostile}", command=f"fanwise scan mail.mbox{hostile}"),
            status="finished",
            created_at=BEGIN,
            updated_at=max(free),
        ),
        _counters(records, items),
        sessions=_sessions(records, end=max(free), at_once=at_once, waits=waits, killed=killed),
        calls=records,
        items=items,
    )


def _call(n, free, *, chance, waits, hostile):
    model = MODELS[chance.random() < 0.35] + hostile
    now = heapq.heappop(free)
    queued_s = chance.random() if now > BEGIN else 0.0
    attempts: list[Attempt] = []
    while not attempts or (attempts[-1].verdict != "served" and len(attempts) < 3):
        cause = "retry wait" if attempts else chance.choice(("rate", "concurrency"))
        if attempts:
            queued_s = 0.1 + chance.random()
            now += queued_s
        verdict = chance.choices(("served", "rate", "infrastructure"), (0.92, 0.05, 0.03))[0]
        took_s = 0.03 if verdict == "rate" else chance.lognormvariate(-0.9, 0.5)
        attempts.append(
            Attempt(
                number=len(attempts) + 1,
                verdict=verdict,
                queued_s=queued_s,
                started_at=now,
                ended_at=now + took_s,
                cause=cause,
                status={"served": 200, "rate": 429, "infrastructure": 500}[verdict],
                reason=hostile,
            )
        )
        waits[cause] += queued_s
        now += took_s
    heapq.heappush(free, now)
    failed = attempts[-1].verdict != "served" or chance.random() < 0.03
    error = ErrorInfo(kind="timeout", message=f"no answer in {n} s{hostile}", hint=f"x{hostile}")
    return CallRecord(
        key=CallKey(f"mail-{n:05d}{hostile}", f"{n:032x}"),
        state="failed" if failed else "served",
        model=model,
        label=f"extract{hostile}",
        error=error if failed else None,
        usage=Usage(input_tokens=300 + n % 50, output_tokens=40),
        cost_usd=Decimal("0.00005"),
        attempts=attempts,
        started_at=attempts[0].started_at - attempts[0].queued_s,
        ended_at=now,
        resends=1 if n % 97 == 50 else 0,
    )


def _counters(records, items):
    attempts = [attempt for record in records for attempt in record.attempts]
    return Counters(
        succeeded=sum(item.state == "succeeded" for item in items),
        failed=sum(item.state == "failed" for item in items),
        calls=len(records),
        attempts=len(attempts),
        rate_limited=sum(attempt.verdict == "rate" for attempt in attempts),
        input_tokens=sum(record.usage.input_tokens or 0 for record in records),
        output_tokens=sum(record.usage.output_tokens or 0 for record in records),
        cost_usd=sum((record.cost_usd or Decimal(0) for record in records), Decimal(0)),
    )


def _sessions(records, *, end, at_once, waits, killed):
    wall_s = end - BEGIN
    waited_s = math.fsum(waits.values())
    held = {cause: 0.9 * wall_s * wait_s / waited_s for cause, wait_s in waits.items()}
    in_flight_s = math.fsum(a.ended_at - a.started_at for r in records for a in r.attempts)
    middle = BEGIN + 0.55 * wall_s if killed else end
    first = SessionRecord(
        number=1,
        started_at=BEGIN,
        ended_at=middle,
        closed=not killed,
        limited_by={**held, "nothing": 0.1 * wall_s},
        in_flight_s=in_flight_s,
        limit_s=wall_s * at_once,
    )
    if not killed:
        return [first]
    # The same instants as if there had been no pause: the axis leaves pauses out anyway.
    return [first, SessionRecord(number=2, started_at=middle, ended_at=end, closed=True)]
