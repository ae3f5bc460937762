"""The flow on the real engine, with a model that is a function and a journal in a directory."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.scan import PIPELINE, ScanSummary, plan, scan, tables
from fanwise.pipelines.scan.rules import rules
from fanwise.records import Outcome, Request, Response, Usage

NUMBERS = ["1Z999AA10123456784", "1Z12345E1512345676", "TBA123456789012", "RR473124829GB"]


def mail(number: int, text: str, *, answers: int | None = None) -> bytes:
    message = EmailMessage()
    message["From"] = "Jana Petersen <jana@nordwerk-tools.example>"
    message["To"] = "robin@assembly.example"
    message["Subject"] = f"Order {4000 + number}" if answers is None else f"Re: {4000 + answers}"
    message["Date"] = f"Tue, 03 Mar 2026 {8 + number:02d}:00:00 +0000"
    message["Message-ID"] = f"<m{number}@nordwerk-tools.example>"
    if answers is not None:
        message["In-Reply-To"] = f"<m{answers}@nordwerk-tools.example>"
    message.set_content(text)
    return b"From jana Tue Mar 03 08:00:00 2026\n" + message.as_bytes() + b"\n"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    path = tmp_path / "mail.mbox"
    texts = [f"It was shipped with tracking number {number}." for number in NUMBERS]
    texts.append("Let us have lunch on Friday.")
    path.write_bytes(b"".join(mail(i, text) for i, text in enumerate(texts)))
    return path


class Model:
    """A model that answers by the rules, counts its calls, and fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing = ""
        self.change: Callable[[Any], Any] = lambda answer: answer

    async def __call__(self, request: Request) -> Response:
        prompt = "\n".join(str(message.content) for message in request.messages)
        self.asked.append(prompt)
        if self.failing and self.failing in prompt:
            raise RuntimeError("the model is unwell")
        text = json.dumps(self.change(rules(request)))
        return Response(text=text, usage=Usage(input_tokens=1, output_tokens=1))


def scanning(box: Path, model: Model | None = None, **more: Any) -> Awaitable[ScanSummary]:
    options: dict[str, Any] = {"journal": box.parent / "home", **more}
    if model is not None:
        options |= {"model": "mine/model", "models": {"mine/model": model}}
        options.setdefault("retry", fw.Retry(max_attempts=1, content_attempts=1))
    return scan(box, **options)


async def rows(box: Path, table: Any) -> list[dict[str, Any]]:
    home = fw.open_home(box.parent / "home")
    async with fw.Store(home, "scan", tables.metadata) as store:
        return await store.read(
            lambda connection: [dict(row) for row in connection.execute(select(table)).mappings()]
        )


async def test_shipments_land_in_the_tables_and_every_conversation_is_accounted_for(
    box: Path,
) -> None:
    summary = await scanning(box)
    assert summary.status == "success"
    assert summary.complete
    counts = (summary.total, summary.processed, summary.added, summary.no_tracking, summary.failed)
    assert counts == (5, 5, 4, 1, 0)
    found = await rows(box, tables.shipments)
    assert {row["tracking_number"] for row in found} == set(NUMBERS)
    assert {row["supplier"] for row in found} == {"Nordwerk Tools"}
    assert len(await rows(box, tables.scanned_conversations)) == 5
    (history,) = await rows(box, tables.scan_history)
    assert (history["status"], history["processed"], history["error"]) == ("success", 5, None)


async def test_a_mail_that_can_hold_no_number_costs_no_call(box: Path) -> None:
    model = Model()
    summary = await scanning(box, model)
    assert summary.no_tracking == 1
    assert len(model.asked) == 4
    assert not any("lunch" in prompt for prompt in model.asked)


async def test_a_second_scan_reads_only_what_is_new(box: Path) -> None:
    await scanning(box)
    model = Model()
    again = await scanning(box, model)
    assert (again.already_scanned, again.processed, len(model.asked)) == (5, 0, 0)
    with box.open("ab") as file:
        file.write(mail(9, "One more box: TBA999999999999, your parcel.", answers=0))
    third = await scanning(box, model)
    assert (third.already_scanned, third.processed, third.added, third.skipped) == (4, 1, 1, 1)
    forced = await scanning(box, model, force=True)
    assert (forced.already_scanned, forced.processed, forced.added) == (0, 5, 0)
    assert len(await rows(box, tables.scan_history)) == 4


async def test_a_failed_conversation_is_a_dead_letter_and_tried_again(box: Path) -> None:
    model = Model()
    model.failing = NUMBERS[1]
    summary = await scanning(box, model)
    assert (summary.status, summary.failed, summary.processed) == ("partial", 1, 4)
    (error,) = summary.errors
    assert "shipped" not in error.message
    (letter,) = await rows(box, tables.dead_letters)
    assert (letter["conversation"], letter["attempts"]) == (error.conversation, 1)
    marked = {row["conversation"] for row in await rows(box, tables.scanned_conversations)}
    assert error.conversation not in marked
    assert len(marked) == 4
    model.failing = ""
    again = await scanning(box, model)
    assert (again.status, again.already_scanned, again.added) == ("success", 4, 1)
    assert await rows(box, tables.dead_letters) == []


async def test_when_all_conversations_fail_the_scan_is_an_error(box: Path) -> None:
    model = Model()
    model.failing = "Nordwerk".lower()
    summary = await scanning(box, model, limit=2)
    assert (summary.status, summary.failed, summary.processed) == ("error", 2, 0)


async def test_an_answer_that_is_no_extraction_is_a_failure_not_an_empty_one(box: Path) -> None:
    model = Model()
    model.change = lambda answer: {"shipments": "none, sorry"}
    summary = await scanning(box, model)
    assert (summary.failed, summary.no_tracking) == (4, 1)
    assert len(await rows(box, tables.dead_letters)) == 4


async def test_invented_numbers_never_reach_the_tables(box: Path) -> None:
    model = Model()
    model.change = lambda answer: {
        "supplier": "Totally Honest Ltd",
        "shipments": [
            {**one, "tracking_number": "1Z5R89390357567127"} for one in answer["shipments"]
        ],
    }
    outcomes: list[Outcome] = []
    summary = await scanning(box, model, on_outcome=outcomes.append)
    assert (summary.added, summary.no_tracking) == (0, 5)
    dropped = [one for outcome in outcomes for one in outcome.value.reading.dropped]
    assert {one.reason for one in dropped} == {"it does not stand in the mail"}


async def test_a_dry_run_foretells_and_writes_nothing(box: Path) -> None:
    summary = await scanning(box, dry_run=True)
    assert (summary.added, summary.processed, summary.dry_run) == (4, 5, True)
    assert not (box.parent / "home").exists()
    await scanning(box, limit=2)
    before = (await rows(box, tables.shipments), await rows(box, tables.scan_history))
    summary = await scanning(box, dry_run=True, force=True)
    assert (summary.added, summary.skipped) == (2, 2)
    assert (await rows(box, tables.shipments), await rows(box, tables.scan_history)) == before


async def test_a_scan_that_breaks_off_is_resumed_without_paying_twice(box: Path) -> None:
    model = Model()
    seen: list[str] = []

    def stop(outcome: Outcome) -> None:
        seen.append(outcome.item_id)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await scanning(box, model, on_outcome=stop, limits=fw.Limits(concurrency=1))
    (history,) = await rows(box, tables.scan_history)
    assert (history["status"], history["error"]) == ("partial", "KeyboardInterrupt")
    summary = await scanning(box, model)
    assert summary.run_id == history["run_id"]
    assert (summary.processed, summary.added, summary.status) == (5, 4, "success")
    assert len(model.asked) == 4
    assert len(await rows(box, tables.shipments)) == 4


async def test_a_cancelled_scan_says_so_in_its_history(box: Path) -> None:
    model = Model()

    def stop(outcome: Outcome) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await scanning(box, model, on_outcome=stop)
    (history,) = await rows(box, tables.scan_history)
    assert history["error"] == "CancelledError"


async def test_after_and_limit_choose_conversations(box: Path) -> None:
    assert (await scanning(box, after="2026-03-03T11:00", dry_run=True)).processed == 2
    assert (await scanning(box, after="2026-03-04", dry_run=True)).processed == 0
    assert (await scanning(box, limit=3, dry_run=True)).processed == 3
    with pytest.raises(ConfigError, match="soon"):
        await scanning(box, after="soon")
    with pytest.raises(ConfigError, match="limit: is 0"):
        await scanning(box, limit=0)


async def test_a_mail_that_cannot_be_read_is_never_recorded_as_empty(box: Path) -> None:
    broken = mail(7, "Hello").replace(b"\n\nHello", b"\nContent-Transfer-Encoding: base64\n\n*!%&")
    broken = broken.replace(b"Content-Transfer-Encoding: 7bit\n", b"")
    with box.open("ab") as file:
        file.write(broken)
    summary = await scanning(box)
    assert (summary.failed, summary.processed) == (1, 5)
    assert "could not be read" in summary.errors[0].message


async def test_what_is_no_mailbox_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        await scanning(tmp_path / "missing.mbox")
    with pytest.raises(ConfigError, match="no source"):
        await scan(4711, journal=tmp_path / "home")  # type: ignore[arg-type]


async def test_an_unknown_model_is_refused_before_anything_is_read(box: Path) -> None:
    with pytest.raises(ConfigError):
        await scan(box, model="nobody/nothing", journal=box.parent / "home")


async def test_the_sample_is_read_alike_by_rules_and_by_the_simulated_provider(
    tmp_path: Path,
) -> None:
    found: dict[str, set[str]] = {}
    for model in ("builtin/rules", "sim/fast"):
        numbers = found.setdefault(model, set())

        def take(outcome: Outcome, numbers: set[str] = numbers) -> None:
            assert outcome.ok, outcome.error
            numbers.update(s.tracking_number for s in outcome.value.reading.shipments)

        assert PIPELINE.sample_path is not None
        await scan(PIPELINE.sample_path, model=model, dry_run=True, on_outcome=take,
                   journal=tmp_path, limit=60)  # fmt: skip
    assert found["sim/fast"] == found["builtin/rules"]
    assert len(found["builtin/rules"]) > 30


async def test_a_plan_counts_the_calls_and_sends_none(box: Path) -> None:
    planned = await plan(box, model="openai/gpt-4o-mini")
    assert (planned.items, planned.calls, planned.failures) == (5, 4, 0)
    assert planned.cost_usd is not None
    assert not (box.parent / "home").exists()


async def test_a_scan_that_cannot_begin_is_in_the_history_too(box: Path) -> None:
    with pytest.raises(ConfigError):
        await scan(box, model="nobody/nothing", journal=box.parent / "home")
    (history,) = await rows(box, tables.scan_history)
    assert history["status"] == "error"
    assert history["error"].startswith("config: ")


async def test_a_dump_of_data_is_refused_instead_of_paid_for(box: Path) -> None:
    line = "tracking number 1Z999AA10123456784 and some more words to fill the line up\n"
    with box.open("ab") as file:
        file.write(mail(8, line * 16_000))
    model = Model()
    summary = await scanning(box, model)
    assert summary.failed == 1
    assert "longer than" in summary.errors[0].message
    assert len(model.asked) == 4


def test_the_pipeline_names_its_sample_and_answers_without_loading_them() -> None:
    assert PIPELINE.name == "scan"
    assert PIPELINE.sample_path is not None
    assert PIPELINE.sample_path.is_file()
    assert PIPELINE.truth_path is not None
    assert PIPELINE.truth_path.is_file()
    assert PIPELINE.answers["scan_extraction"] is rules
