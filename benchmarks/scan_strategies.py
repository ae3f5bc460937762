"""What each way of letting conversations out costs: 100 conversations, 3 s an answer, and a
provider that refuses beyond 500 requests a minute.

    python -m benchmarks.scan_strategies

All of them run at once, each against a provider of its own in this process; nothing is scaled.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import fanwise as fw
from fanwise.pipelines.scan import scan
from fanwise.pipelines.scan.rules import rules

CONVERSATIONS = 100
ANSWER_S = 3.0
SPREAD = 0.3
RPM = 500.0
AT_ONCE = 8.0  # requests that may come together: one second of the quota

WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fixed, 10 and 1 s pause", {"strategy": "fixed"}),
    ("larger, 20 and 1 s pause", {"strategy": "larger"}),
    ("larger, 20 without pause", {"strategy": "larger", "batch_delay_ms": 0}),
    ("semaphore, 20", {"strategy": "semaphore"}),
    ("parallel-batches", {"strategy": "parallel-batches"}),
    ("adaptive", {}),
)


@dataclass(slots=True)
class Provider:
    """Answers after a while by the rules of the scan; refuses what is above its quota."""

    seed: int
    sent: int = 0
    refused: int = 0
    in_flight: int = 0
    peak: int = 0
    _tokens: float = AT_ONCE
    _filled_at: float = 0.0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    async def __call__(self, request: fw.Request) -> fw.Response:
        """Answers, or refuses."""
        now = asyncio.get_running_loop().time()
        if self._filled_at:
            self._tokens = min(AT_ONCE, self._tokens + (now - self._filled_at) * RPM / 60.0)
        self._filled_at = now
        self.sent += 1
        if self._tokens < 1.0:
            self.refused += 1
            wait_s = (1.0 - self._tokens) * 60.0 / RPM
            raise fw.errors.RateLimited("over the quota", retry_after_s=wait_s)
        self._tokens -= 1.0
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(ANSWER_S * self._chance.lognormvariate(0.0, SPREAD))
        finally:
            self.in_flight -= 1
        usage = fw.types.Usage(input_tokens=600, output_tokens=80)
        return fw.Response(text=json.dumps(rules(request)), usage=usage)


def write_mailbox(path: Path) -> None:
    """A mailbox of as many conversations, each of one mail with one number."""
    with path.open("wb") as file:
        for number in range(CONVERSATIONS):
            message = EmailMessage()
            message["From"] = "Jana Petersen <jana@nordwerk-tools.example>"
            message["Subject"] = f"Order {number} of this spring, in one box"
            message["Date"] = "Tue, 03 Mar 2026 08:00:00 +0000"
            message["Message-ID"] = f"<m{number}@nordwerk-tools.example>"
            message.set_content(f"It was shipped, tracking number TBA{number:012d}.")
            file.write(b"From jana Tue Mar 03 08:00:00 2026\n" + message.as_bytes() + b"\n")


async def measured(place: Path, way: dict[str, Any], *, stated: bool, seed: int) -> dict[str, Any]:
    """One scan: seconds, requests, refusals, most calls in flight."""
    provider = Provider(seed)
    clock = asyncio.get_running_loop()
    begun = clock.time()
    summary = await scan(
        place / "mail.mbox",
        model="mine/model",
        models={"mine/model": provider},
        journal=place / f"{seed}",
        rpm=RPM if stated else None,
        **way,
    )
    assert (summary.processed, summary.added, summary.failed) == (CONVERSATIONS, CONVERSATIONS, 0)
    return {
        "wall_s": round(clock.time() - begun, 1),
        "requests": provider.sent,
        "refused": provider.refused,
        "peak": provider.peak,
    }


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fanwise-scan-") as directory:
        place = Path(directory)
        write_mailbox(place / "mail.mbox")
        found: list[dict[str, Any]] = []
        for stated in (False, True):
            found += await asyncio.gather(
                *(
                    measured(place, way, stated=stated, seed=10 * stated + number)
                    for number, (_, way) in enumerate(WAYS)
                )
            )
    sys.stdout.write(
        "| strategy | time | refused | most in flight | time with `--rpm 500` | refused |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for (name, _), learned, stated_ in zip(WAYS, found, found[len(WAYS) :], strict=False):
        sys.stdout.write(
            f"| {name} | {learned['wall_s']} s | {learned['refused']} | {learned['peak']} "
            f"| {stated_['wall_s']} s | {stated_['refused']} |\n"
        )


if __name__ == "__main__":
    asyncio.run(main())
