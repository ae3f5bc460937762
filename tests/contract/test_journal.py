"""What every journal promises, whatever it is kept in."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from fanwise.errors import JournalError, StateError
from fanwise.journal import committer
from fanwise.journal.tally import recount
from fanwise.records import NO_USAGE, CallKey, ErrorInfo, Usage
from support.journals import MemoryPlace, attempt, call, file_place, intent, item, key, server_place


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


async def one_call(journal, call_key, **fields):
    await journal.intend(intent(call_key))
    await journal.settle(call(call_key, **fields))


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


# crashes


async def test_a_crash_leaves_open_calls_ambiguous_and_nothing_else(place):
    journal = place.create()
    await one_call(journal, key("done"))
    await journal.finish_item(item("done"))
    await journal.intend(intent(key("open"), started_at=5.0))
    place.crash(journal)
    again = place.open()
    assert again.resumed
    recalled = await again.recall(["done", "open"])
    assert recalled["done"].state == "succeeded"
    assert [found.state for found in recalled["done"].calls] == ["served"]
    (left,) = recalled["open"].calls
    assert (left.state, left.started_at, left.resends) == ("ambiguous", 5.0, 0)
    assert again.counters.ambiguous == 1
    assert [found.key for found in place.reader().calls(state="ambiguous")] == [key("open")]
    await again.close("finished")


async def test_sending_an_ambiguous_call_again_counts_a_resend(place):
    journal = place.create()
    await journal.intend(intent(key()))
    place.crash(journal)
    again = place.open()
    await again.intend(intent(key()))
    assert again.counters.ambiguous == 1
    await again.settle(call(key()))
    (found,) = place.reader().calls()
    assert (found.state, found.resends) == ("served", 1)
    assert again.counters.ambiguous == 1
    assert again.counters.calls == 1
    await again.close("finished")


async def test_an_opened_again_call_keeps_what_was_spent_on_it(place):
    journal = place.create()
    spent = call(key(), state="failed", error=ErrorInfo(kind="overloaded", message="no"))
    await journal.intend(intent(key()))
    await journal.settle(spent)
    await journal.intend(intent(key(), started_at=20.0, label="again"))
    before = journal.counters
    assert (before.attempts, before.input_tokens, before.cost_usd) == (1, 10, spent.cost_usd)
    place.crash(journal)
    again = place.open()
    (found,) = (await again.recall(["item"]))["item"].calls
    assert found.state == "ambiguous"
    assert found.attempts == spent.attempts
    assert (found.usage, found.cost_usd) == (spent.usage, spent.cost_usd)
    assert (found.value, found.error, found.ended_at) == (None, None, None)
    assert (found.started_at, found.label) == (20.0, "again")
    reader = place.reader()
    assert reader.counters() == recount(reader.calls(), reader.items())
    await again.close("finished")


async def test_a_call_that_an_abort_left_ambiguous_counts_as_one(place):
    journal = place.create()
    await one_call(journal, key(), state="ambiguous", value=None)
    assert journal.counters.ambiguous == 1
    await journal.intend(intent(key()))
    await journal.settle(call(key()))
    (found,) = place.reader().calls()
    assert (found.resends, journal.counters.ambiguous) == (1, 1)
    await journal.close("finished")


async def test_sessions_are_kept_apart(place):
    journal = place.create()
    await journal.checkpoint(limited_by={"rate": 1.5}, in_flight_s=3.0, limit_s=4.0)
    await journal.checkpoint(limited_by={"rate": 2.5}, in_flight_s=5.0, limit_s=6.0)
    await journal.finish_item(item())
    place.crash(journal)
    again = place.open()
    await again.close("interrupted")
    first, second = place.reader().sessions()
    assert (first.number, first.closed, second.number, second.closed) == (1, False, 2, True)
    assert (first.limited_by, first.in_flight_s, first.limit_s) == ({"rate": 2.5}, 5.0, 6.0)
    assert first.started_at <= first.ended_at <= second.started_at <= second.ended_at
    assert second.limited_by == {}
    assert place.reader().run.status == "interrupted"


async def test_event_numbers_go_on_in_the_next_session(place):
    journal = place.create()
    await journal.control("a", {})
    await journal.close("interrupted")
    again = place.open()
    assert await again.control("b", {}) == 2
    await again.close("finished")
    assert [event.kind for event in place.reader().events()] == ["a", "b"]


# callers


async def test_a_cancelled_caller_gives_up_waiting_never_the_write(place):
    journal = place.create()
    waiting = [asyncio.ensure_future(one_call(journal, key(f"{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await journal.control("after", {})
    assert len(list(place.reader().calls())) == 20
    await journal.close("finished")


async def test_a_value_without_json_form_concerns_its_caller_alone(place):
    journal = place.create()
    results = await asyncio.gather(
        journal.settle(call(key("good"))),
        journal.settle(call(key("bad"), value=object())),
        journal.finish_item(item("good")),
        journal.finish_item(item("bad", value={1, 2})),
        return_exceptions=True,
    )
    assert results[0] is None
    assert results[2] == 1
    assert isinstance(results[1], JournalError)
    assert isinstance(results[3], JournalError)
    assert [found.key.item_id for found in place.reader().calls()] == ["good"]
    await journal.close("finished")


async def test_closing_twice_is_closing_once_and_nothing_can_be_written_after(place):
    journal = place.create()
    await journal.close("finished")
    await journal.close("failed")
    with pytest.raises(StateError):
        await journal.finish_item(item())
    assert place.reader().run.status == "finished"


async def test_closing_commits_what_is_queued(place):
    journal = place.create()
    writing = [asyncio.ensure_future(journal.control("n", {"n": n})) for n in range(50)]
    await asyncio.sleep(0)
    await journal.close("finished")
    assert await asyncio.gather(*writing) == list(range(1, 51))
    assert len(list(place.reader().events())) == 50


async def test_a_reader_sees_a_growing_run(place):
    journal = place.create()
    reader = place.reader()
    seen = []
    for number in range(1200):
        if number % 400 == 0:
            seen.append(len(list(reader.items())))
            events = reader.events()
            next(events, None)
        if number % 100 == 0:
            await asyncio.gather(*[journal.finish_item(item(f"{number + n}")) for n in range(100)])
    assert seen == [0, 400, 800]
    assert len(list(reader.items())) == 1200
    assert reader.counters().succeeded == 1200
    reader.close()
    await journal.close("finished")


async def test_recall_of_500_items_leaves_unknown_ones_out(place):
    journal = place.create()
    await asyncio.gather(*[one_call(journal, key(f"{number}")) for number in range(300)])
    recalled = await journal.recall([f"{number}" for number in range(500)])
    assert recalled.keys() == {f"{number}" for number in range(300)}
    assert all(len(known.calls) == 1 for known in recalled.values())
    assert await journal.recall([]) == {}
    await journal.close("finished")


async def test_items_and_requests_are_found_on_both_sides_of_the_index(place, monkeypatch):
    monkeypatch.setattr(committer, "_INDEX_AT_ONCE", 100)
    journal = place.create()
    for start in range(0, 250, 50):
        names = [f"{number}" for number in range(start, start + 50)]
        await asyncio.gather(
            *[journal.intend(intent(key(name, name), request=name.encode())) for name in names]
        )
        await asyncio.gather(*[journal.finish_item(item(name)) for name in names])
    everything = [f"{number}" for number in range(250)]
    assert (await journal.recall(everything)).keys() == set(everything)
    reader = place.reader()
    for name in ("0", "99", "150", "249"):
        found = await journal.item(name)
        assert found is not None
        assert found.item_id == name
        assert reader.request(key(name, name).content_key) == name.encode()
        assert len(list(reader.calls(item_id=name))) == 1
    for name in ("3", "248"):
        await journal.finish_item(item(name, state="failed"))
        await journal.intend(intent(key(name, name), request=b"another"))
        assert reader.request(key(name, name).content_key) == name.encode()
    assert journal.counters.calls == 250
    assert (journal.counters.succeeded, journal.counters.failed) == (248, 2)
    reader.close()
    await journal.close("finished")
