"""Every journal after a crash: what is open is ambiguous, and nothing else is lost."""

from __future__ import annotations

from fanwise.journal.tally import recount
from fanwise.records import ErrorInfo
from support.journals import call, intent, item, key, one_call


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
