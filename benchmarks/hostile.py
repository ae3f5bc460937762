"""A provider that refuses, stalls, lies and breaks, over real sockets: what comes of 2000 items.

    python benchmarks/hostile.py [--items 2000] [--share 0.25] [--at-once 64] [--seed 1] [--check]

The server is a process of its own (``tests/support/server.py``). With the probability ``--share`` a
request meets a fault, each kind as likely as the others: 429, 503 and 529 in every form of hint
(Retry-After in seconds, as a fraction, in milliseconds, as a date, 0, −1, 10⁹, none; in the body
alone as a sentence and as Gemini's ``retryDelay``); 500 and 502; stalls before the head and in the
body, a drip, a crawl; resets; bodies that are cut, malformed, empty or hold a piece twice; answers
of a wrong shape; an HTML page with status 200. Every answer is checked against a schema and against
what is right.

A Retry-After of 10⁹ s is not waited out and not undercut: such an item is parked, for
``fanwise retry``. ``--huge`` is the share of refusals that say so.

With ``--check`` it fails where a figure is missed: every item ends, at least 99.5 % of them right,
at most 1.9 sends an item, none of them before the time that the refusal before it named, and the
journal and the server's own account agree on every send and token.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import fanwise as fw
from fanwise.journal.home import open_home
from fanwise.records import CallRecord
from support.answers import SCHEMA, value_of
from support.hints import FORMS
from support.server import CONTENT, REFUSALS, TRANSIENT, Server, serving

SLOW_S, STALL_S = 1.5, 20.0
TOLERANCE_S = 0.001  # two clocks of one machine
RIGHT, SENDS = 0.995, 1.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of a run."""

    items: int
    ended: int
    right: int
    parked: int
    failed: int
    sends: int
    early: int
    disagreements: list[str]
    faults: Counter[str]
    wall_s: float

    def print(self) -> None:
        """Says them."""
        lost = f"{self.parked} parked (asked to wait 10⁹ s), {self.failed} failed"
        print(f"{self.items} items in {self.wall_s:.1f} s: {self.ended} ended")
        print(f"  right          {self.right} ({self.right / self.items:.2%}); {lost}")
        print(f"  sends          {self.sends} ({self.sends / self.items:.3f} an item)")
        print(f"  sent too early {self.early}")
        print(f"  disagreements  {len(self.disagreements)} between journal and server")
        print(f"  faults met     {', '.join(f'{n} {k}' for k, n in self.faults.most_common())}")
        for line in self.disagreements[:5]:
            print(f"    {line}", file=sys.stderr)

    def missed(self) -> list[str]:
        """Which figures are missed, in words."""
        checks = {
            "an item did not end": self.ended == self.items,
            "too few are right": self.right >= RIGHT * self.items,
            "too many sends": self.sends <= SENDS * self.items,
            "a wait was undercut": self.early == 0,
            "journal and server disagree": not self.disagreements,
        }
        return [what for what, holds in checks.items() if not holds]


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"i{n}", "text": f"hostile {n} {'word ' * (n % 7)}"} for n in range(count)]


async def run(server: Server, options: argparse.Namespace, folder: Path) -> Figures:
    """Sends everything, then compares what we know with what the server knows."""

    async def ask(ctx: fw.Context, row: dict[str, Any]) -> object:
        return await ctx.call("openai/one", row["text"], schema=SCHEMA)

    items = rows(options.items)
    began = time.perf_counter()
    outcomes: dict[str, fw.Outcome] = {}
    home = open_home(folder)
    opening = fw.open_run(
        "hostile",
        journal=home,
        base_url=server.base_url,
        env={"OPENAI_API_KEY": "k"},
        limits=fw.Limits(concurrency=options.at_once, rpm=options.rpm),
        timeouts=fw.types.Timeouts(attempt_s=SLOW_S),
    )
    async with opening as opened, opened.map(ask, items) as found:
        async for outcome in found:
            outcomes[outcome.item_id] = outcome
    wall_s = time.perf_counter() - began
    reader = home.reader(opened.run_id)
    try:
        calls = {record.key.item_id: record for record in reader.calls()}
    finally:
        reader.close()
    return figures(items, outcomes, calls, server.ledger(), wall_s=wall_s)


def figures(
    items: list[dict[str, Any]],
    outcomes: dict[str, fw.Outcome],
    calls: dict[str, CallRecord],
    ledger: list[dict[str, Any]],
    *,
    wall_s: float,
) -> Figures:
    sends: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in ledger:
        sends[line["prompt"]].append(line)
    right = parked = failed = early = 0
    disagreements: list[str] = []
    for row in items:
        outcome, call, sent = outcomes.get(row["id"]), calls.get(row["id"]), sends[row["text"]]
        right += bool(outcome and outcome.ok and outcome.value == value_of("one", row["text"]))
        is_parked = outcome is not None and isinstance(outcome.error, fw.errors.Parked)
        parked += is_parked
        failed += bool(outcome and not outcome.ok and not is_parked)
        early += sum(too_early(before, after) for before, after in pairwise(sent))
        if (found := disagreement(call, sent)) is not None:
            disagreements.append(f"{row['id']}: {found}")
    return Figures(
        items=len(items),
        ended=len(outcomes),
        right=right,
        parked=parked,
        failed=failed,
        sends=len(ledger),
        early=early,
        disagreements=disagreements,
        faults=Counter(f"{line['outcome']}" for line in ledger if line["outcome"] != "served"),
        wall_s=wall_s,
    )


def too_early(before: dict[str, Any], after: dict[str, Any]) -> bool:
    named = before["not_before_wall"]
    hopeless = before.get("form") == "huge"
    return hopeless or (named is not None and after["arrived_wall"] < named - TOLERANCE_S)


def disagreement(call: CallRecord | None, sent: list[dict[str, Any]]) -> str | None:
    """Where the journal says of a call something else than the server does."""
    if call is None:
        return "the journal does not know it"
    expected = [verdicts_of(line["outcome"]) for line in sent]
    noted = [attempt.verdict for attempt in call.attempts]
    if len(noted) != len(expected):
        return f"{len(noted)} attempts journalled, {len(expected)} sends arrived"
    for verdict, allowed in zip(noted, expected, strict=True):
        if verdict not in allowed:
            return f"{verdict} journalled, the server did {allowed}"
    answers = [line for line in sent if "served" in verdicts_of(line["outcome"])]
    tokens = sum(len(line["prompt"]) for line in answers)
    if (call.usage.input_tokens or 0) != tokens:
        return f"{call.usage.input_tokens} input tokens journalled, {tokens} answered"
    return None


def verdicts_of(outcome: str) -> tuple[str, ...]:
    """What the journal may call what the server did."""
    if outcome in REFUSALS:
        return ("rate", "capacity")
    if outcome in TRANSIENT:
        return ("infrastructure",)
    return ("served",) if outcome in {"served", "drip", *CONTENT} else ()


def measure(options: argparse.Namespace) -> Figures:
    every = max(1, round(1 / options.huge)) if options.huge else 0
    forms = [*FORMS] * (1 + every // len(FORMS))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(
            share=options.share,
            forms=[*forms[: every - 1], "huge"] if every else FORMS,
            latency_ms=(5, 80),
            stall_s=STALL_S,
            seed=options.seed,
        ) as server,
    ):
        return asyncio.run(run(server, options, Path(folder)))


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.25, help="of requests that meet a fault")
    parser.add_argument("--huge", type=float, default=0.02, help="of refusals that ask for 10⁹ s")
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rpm", type=float, default=None, help="the rate is stated, not learned")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="fail where a figure is missed")
    return parser.parse_args(words)


def main() -> None:
    options = parsed()
    found = measure(options)
    found.print()
    missed = found.missed()
    print("every figure is met" if not missed else f"missed: {', '.join(missed)}")
    if missed and options.check:
        sys.exit(1)


if __name__ == "__main__":
    main()
