"""Every journal and who writes to it: cancelled, mistaken, late, or only reading."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.errors import JournalError, StateError
from fanwise.journal import committer
from support.journals import call, intent, item, key, one_call


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
