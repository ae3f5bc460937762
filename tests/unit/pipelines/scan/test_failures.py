"""What becomes of conversations whose model is down, slow, unwilling or unintelligible."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.errors import RateLimited, Refused, ServerError
from fanwise.pipelines import Event
from fanwise.pipelines.scan import ScanSummary, scan, tables
from fanwise.pipelines.scan.rules import rules
from fanwise.testing import ScriptedModel

NUMBERS = ["1Z999AA10123456784", "1Z12345E1512345676", "TBA123456789012"]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    place = tmp_path / "mail"
    place.mkdir()
    for at, number in enumerate(NUMBERS):
        (place / f"{at}.eml").write_text(
            f"From: jana@nordwerk-tools.example\nSubject: Order {at} of this week\n"
            f"Message-ID: <m{at}@x>\nDate: Tue, 03 Mar 2026 08:00:00 +0000\n\n"
            f"It was shipped with tracking number {number}.\n"
        )
    return place


async def scanned(box: Path, model: ScriptedModel, **more: Any) -> ScanSummary:
    retry = fw.Retry(max_attempts=2, content_attempts=1, base_s=0.001, cap_s=0.001)
    given = {"model": "test/model", "models": {"test/model": model}, "retry": retry, **more}
    return await scan(box, journal=box.parent / "home", **given)


async def marked(box: Path) -> int:
    async with fw.Store(fw.open_home(box.parent / "home"), "scan", tables.metadata) as store:
        return len(
            await store.read(lambda c: c.execute(select(tables.scanned_conversations)).all())
        )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ServerError("it is down"), "server_error"),
        (Refused("it declines"), "refused"),
        ("There are no shipments, as far as I can see.", "invalid_output"),
        ({"supplier": None}, "invalid_output"),
        ({"supplier": None, "shipments": [{"tracking_number": 3}]}, "invalid_output"),
    ],
    ids=["down", "refused", "prose", "half", "wrong types"],
)
async def test_an_extraction_that_fails_is_never_taken_for_no_shipments(
    box: Path, answer: Any, code: str
) -> None:
    events: list[Event] = []
    model = ScriptedModel(lambda request, before: answer)
    summary = await scanned(box, model, on_event=events.append)
    assert (summary.status, summary.failed, summary.no_tracking) == ("error", 3, 0)
    assert all(error.message.startswith(code) for error in summary.errors)
    assert [event.kind for event in events] == ["error"] * 3 + ["complete"]
    assert await marked(box) == 0
    well = await scanned(box, ScriptedModel(lambda request, before: rules(request)))
    assert (well.status, well.added, await marked(box)) == ("success", 3, 3)


async def test_a_model_that_is_slow_is_given_up_at_its_deadline_and_asked_again_next_time(
    box: Path,
) -> None:
    model = ScriptedModel(lambda request, before: rules(request), service_s=30.0)
    summary = await scanned(box, model, total_s=0.05)
    assert (summary.status, summary.failed) == ("error", 3)
    assert await marked(box) == 0


async def test_refusals_for_the_quota_are_waited_out(box: Path) -> None:
    def answer(request: fw.Request, before: int) -> Any:
        return rules(request) if before else RateLimited("too many", retry_after_s=0.01)

    summary = await scanned(box, ScriptedModel(answer))
    assert (summary.status, summary.added, summary.failed) == ("success", 3, 0)


@pytest.mark.parametrize("strategy", ["fixed", "larger", "semaphore", "parallel-batches"])
async def test_every_strategy_reads_all_and_keeps_to_its_number(box: Path, strategy: str) -> None:
    pause = {"batch_delay_ms": 0} if strategy in {"fixed", "larger"} else {}
    model = ScriptedModel(lambda request, before: rules(request), service_s=0.01)
    summary = await scanned(box, model, strategy=strategy, batch_size=2, **pause)
    assert (summary.status, summary.added, summary.strategy) == ("success", 3, strategy)
    assert model.peak <= (3 if strategy == "parallel-batches" else 2)
    assert bool(summary.warnings) == (strategy == "parallel-batches")


async def test_a_days_tokens_bound_what_one_scan_uses(box: Path) -> None:
    model = ScriptedModel(lambda request, before: rules(request))
    with pytest.raises(fw.errors.BudgetExhausted):
        await scanned(box, model, tpd=10)
    assert len(model.requests) < 3


async def test_a_scan_in_batches_that_broke_off_goes_on_without_paying_twice(box: Path) -> None:
    def stop(_: fw.Outcome) -> None:
        raise RuntimeError("the program ends here")

    how: dict[str, Any] = {"strategy": "fixed", "batch_size": 1, "batch_delay_ms": 0}
    first = ScriptedModel(lambda request, before: rules(request))
    with pytest.raises(RuntimeError, match="ends here"):
        await scanned(box, first, on_outcome=stop, **how)
    second = ScriptedModel(lambda request, before: rules(request))
    summary = await scanned(box, second, **how)
    assert (summary.status, summary.complete, summary.processed) == ("success", True, 3)
    assert len(first.requests) + len(second.requests) == 3


async def test_a_scan_in_batches_that_is_drained_ends_although_a_batch_is_not_whole(
    box: Path,
) -> None:
    runs: list[fw.Run] = []

    @asynccontextmanager
    async def opened(name: str, **options: Any) -> AsyncIterator[fw.Run]:
        async with fw.open_run(name, journal=home, **options) as run:
            runs.append(run)
            yield run

    def drain(_: fw.Outcome) -> None:
        runs[0].drain()

    home = fw.open_home(box.parent / "home")
    model = ScriptedModel(lambda request, before: rules(request), service_s=0.02)
    how: dict[str, Any] = {"strategy": "fixed", "batch_size": 2, "batch_delay_ms": 60_000}
    async with asyncio.timeout(20):
        summary = await scan(
            box,
            home=home,
            open_run=opened,
            on_outcome=drain,
            model="test/model",
            models={"test/model": model},
            **how,
        )
    assert not summary.complete
    assert 1 <= summary.processed <= 2
