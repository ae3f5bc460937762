"""What every journal promises, whatever it is kept in."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from fanwise.journal.tally import recount
from fanwise.records import NO_USAGE, CallKey, ErrorInfo, Usage
from support.journals import (
    MemoryPlace,
    attempt,
    call,
    file_place,
    intent,
    item,
    key,
    one_call,
    server_place,
)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path):
    if request.param == "memory":
        made = MemoryPlace()
    elif request.param == "sqlite":
        made = file_place(tmp_path)
    else:
        made = server_place(request.getfixturevalue("postgres_url"))
    yield made
    made.close()


async def test_a_new_run_holds_what_its_opener_said(place):
    journal = place.create("20260101-000000-test-abcdef")
    assert journal.run.run_id == "20260101-000000-test-abcdef"
    assert journal.run.spec.name == "test"
    assert journal.run.spec.options == {"a": 1}
    assert not journal.resumed
    assert journal.counters.finished == 0
    await journal.close("finished")


async def test_a_call_is_read_back_as_it_was_settled(place):
    journal = place.create()
    served = call(key("ä", "x", 2))
    failed = call(
        key("ä", "y"),
        state="failed",
        value=None,
        response={},
        usage=NO_USAGE,
        cost_usd=None,
        error=ErrorInfo(kind="rate_limited", message="no", status=429, hint="wait"),
        attempts=(attempt(1, verdict="rate", status=429, retry_after_s=1.5), attempt(2)),
    )
    for record in (served, failed):
        await journal.intend(intent(record.key))
        await journal.settle(record)
    assert list(place.reader().calls()) == [served, failed]
    recalled = await journal.recall(["ä", "unknown"])
    assert recalled.keys() == {"ä"}
    assert recalled["ä"].state is None
    assert list(recalled["ä"].calls) == [served, failed]
    await journal.close("finished")


async def test_an_item_is_read_back_as_it_ended(place):
    journal = place.create()
    ended = item("a", position=7)
    number = await journal.finish_item(ended)
    assert number == 1
    expected = dataclasses.replace(ended, event=1)
    assert await journal.item("a") == expected
    assert await journal.item("b") is None
    assert list(place.reader().items()) == [expected]
    await journal.close("finished")


@pytest.mark.parametrize(
    "value",
    [
        "line\nbreak \u2028 \0 \x7f 🙂",
        "half a pair \ud83d",
        {"deep": [1, 2.5, None, True, {"": []}], "big": 2**70, "small": -(2**63)},
        "",
        0,
        False,
        [],
    ],
)
async def test_any_json_value_survives(place, value):
    journal = place.create()
    await one_call(journal, key(), value=value)
    await journal.finish_item(item(value=value, input=value))
    (found,) = place.reader().calls()
    assert found.value == value
    read = await journal.item("item")
    assert read is not None
    assert (read.value, read.input) == (value, value)
    await journal.close("finished")


async def test_content_keys_that_are_no_hash_survive(place):
    journal = place.create()
    names = ["once:send-mail", "", "once:0123456789", "ÿ" * 3, "A" * 32, "once:1234567890a"]
    for name in names:
        await one_call(journal, CallKey("item", name))
    assert [found.key.content_key for found in place.reader().calls()] == names
    recalled = await journal.recall(["item"])
    assert [found.key.content_key for found in recalled["item"].calls] == names
    await journal.close("finished")


async def test_an_open_call_reads_as_sending(place):
    journal = place.create()
    await journal.intend(intent(key(), started_at=3.5))
    (found,) = place.reader().calls(state="sending")
    assert (found.state, found.started_at, found.model, found.label) == (
        "sending",
        3.5,
        "sim/a",
        "judge",
    )
    assert found.ended_at is None
    await journal.close("finished")


async def test_a_request_is_stored_once_for_all_that_share_it(place):
    journal = place.create()
    await journal.intend(intent(key("a"), request=b'{"n": 1}'))
    await journal.intend(intent(key("b"), request=b'{"n": 2}'))
    reader = place.reader()
    assert reader.request(key().content_key) == b'{"n": 1}'
    assert reader.request(key(content="other").content_key) == b""
    await journal.close("finished")


async def test_events_are_numbered_without_gaps_however_many_write(place):
    journal = place.create()

    async def work(number):
        name = f"item {number}"
        await one_call(journal, key(name))
        first = await journal.finish_item(item(name, position=number))
        second = await journal.control("note", {"number": number})
        return first, second

    pairs = await asyncio.gather(*[work(number) for number in range(200)])
    assert sorted(number for pair in pairs for number in pair) == list(range(1, 401))
    assert all(first < second for first, second in pairs)
    events = list(place.reader().events())
    assert [event.number for event in events] == list(range(1, 401))
    assert {event.kind for event in events} == {"item.succeeded", "note"}
    by_number = {event.number: event for event in events}
    for number, (first, second) in enumerate(pairs):
        assert by_number[first].item_id == f"item {number}"
        assert by_number[second].data == {"number": number}
    assert [event.number for event in place.reader().events(after=390)] == list(range(391, 401))
    controls = list(place.reader().controls())
    assert controls == [event for event in events if event.kind == "note"]
    await journal.close("finished")


async def test_counters_equal_a_recount(place):
    journal = place.create()
    served, failed = key("a"), key("b")
    await one_call(journal, served)
    await one_call(
        journal,
        failed,
        state="failed",
        cost_usd=None,
        usage=Usage(input_tokens=5),
        attempts=(attempt(verdict="rate"), attempt(2, verdict="terminal")),
    )
    await journal.settle(call(key("c"), cached=True, attempts=(), cost_usd=None))
    await journal.intend(intent(key("d")))
    await journal.finish_item(item("a"))
    await journal.finish_item(item("b", state="failed"))
    await journal.finish_item(item("c", cached=True))
    counters = journal.counters
    assert (counters.succeeded, counters.failed, counters.cached) == (2, 1, 1)
    assert (counters.calls, counters.attempts, counters.rate_limited) == (4, 3, 1)
    assert (counters.input_tokens, counters.output_tokens) == (15, 3)
    assert counters.unpriced_calls == 1
    assert (counters.unsent_calls, counters.sent_calls) == (1, 3)
    assert counters.service_s == pytest.approx(6.0)
    reader = place.reader()
    assert reader.counters() == counters == recount(reader.calls(), reader.items())
    await journal.close("finished")


async def test_a_later_end_replaces_an_earlier_one_and_moves_the_counters(place):
    journal = place.create()
    assert await journal.finish_item(item("a", state="failed", value=None)) == 1
    assert await journal.finish_item(item("b")) == 2
    assert await journal.finish_item(item("a", cached=True)) == 3
    assert (journal.counters.succeeded, journal.counters.failed) == (2, 0)
    assert journal.counters.cached == 1
    reader = place.reader()
    assert [(found.item_id, found.event) for found in reader.items()] == [("b", 2), ("a", 3)]
    assert [event.kind for event in reader.events()] == [
        "item.failed",
        "item.succeeded",
        "item.succeeded",
    ]
    assert (await journal.recall(["a"]))["a"].state == "succeeded"
    await journal.close("finished")


async def test_ends_handed_in_together_replace_each_other_in_order(place):
    journal = place.create()
    states = ["failed", "cancelled", "failed", "succeeded"]
    numbers = await asyncio.gather(*[journal.finish_item(item(state=state)) for state in states])
    assert numbers == [1, 2, 3, 4]
    found = await journal.item("item")
    assert found is not None
    assert (found.state, found.event) == ("succeeded", 4)
    counters = journal.counters
    assert (counters.succeeded, counters.failed, counters.cancelled) == (1, 0, 0)
    await journal.close("finished")


async def test_items_are_listed_by_event_position_and_state(place):
    journal = place.create()
    for position in (2, 0, 3, 1):
        state = "failed" if position == 3 else "succeeded"
        await journal.finish_item(item(f"i{position}", position=position, state=state))
    reader = place.reader()
    assert [found.position for found in reader.items()] == [2, 0, 3, 1]
    assert [found.position for found in reader.items(order="position")] == [0, 1, 2, 3]
    assert [found.position for found in reader.items(after=2)] == [3, 1]
    assert [found.position for found in reader.items(state="failed")] == [3]
    assert [found.position for found in reader.items(state="succeeded", order="position")] == [
        0,
        1,
        2,
    ]
    await journal.close("finished")


async def test_calls_are_listed_by_item_and_state(place):
    journal = place.create()
    await one_call(journal, key("a"))
    await one_call(journal, key("b"), state="failed")
    await one_call(journal, key("a", "y"))
    reader = place.reader()
    assert [found.key for found in reader.calls(item_id="a")] == [key("a"), key("a", "y")]
    assert [found.key for found in reader.calls(state="failed")] == [key("b")]
    assert list(reader.calls(item_id="nobody")) == []
    await journal.close("finished")
