"""A journal and a plain model of it are put through the same random history and must agree."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fanwise.journal import committer
from fanwise.journal.tally import recount
from fanwise.records import NO_USAGE, Usage
from support.journals import MemoryPlace, attempt, call, file_place, intent, item, key, server_place

ITEMS = st.sampled_from(["a", "b", "ü", "d", "e", "f", "g", "h"])
CONTENTS = st.sampled_from(["x", "y"])
USAGES = st.sampled_from([NO_USAGE, Usage(input_tokens=3), Usage(input_tokens=7, output_tokens=2)])
COSTS = st.sampled_from([None, Decimal("0.25"), Decimal("1e-7")])
ENDED = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["served", "failed", "ambiguous", "cancelled"]),
        "usage": USAGES,
        "cost_usd": COSTS,
        "cached": st.booleans(),
    }
)
VERDICTS = st.lists(st.sampled_from(["served", "rate", "capacity"]), max_size=3)


class JournalMachine(RuleBasedStateMachine):
    """The model: what is known of each call and item, in the words of the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.place = self.make_place()
        self.journal = self.place.create()
        self.calls = {}
        self.items = {}
        self.events = []
        self.requests = {}
        self.sessions = 1
        self.is_open = True

    def make_place(self):
        raise NotImplementedError

    def run_all(self, *starts):
        async def together():
            return await asyncio.gather(*[start() for start in starts])

        return self.loop.run_until_complete(together())

    @precondition(lambda self: self.is_open)
    @rule(item_id=ITEMS, content=CONTENTS, started_at=st.floats(0, 1e9))
    def intend(self, item_id, content, started_at):
        at = key(item_id, content)
        request = content.encode()
        self.run_all(
            lambda: self.journal.intend(intent(at, started_at=started_at, request=request))
        )
        self.requests[at.content_key] = request
        self._intended(at, started_at)

    def _intended(self, at, started_at):
        old = self.calls.get(at)
        new = call(
            at,
            state="sending",
            value=None,
            response={},
            usage=old.usage if old else NO_USAGE,
            cost_usd=old.cost_usd if old else None,
            attempts=old.attempts if old else (),
            started_at=started_at,
            ended_at=None,
            resends=(old.resends + (old.state == "ambiguous")) if old else 0,
        )
        self.calls[at] = new

    @precondition(lambda self: self.is_open)
    @rule(item_id=ITEMS, content=CONTENTS, fields=ENDED, verdicts=VERDICTS)
    def settle(self, item_id, content, fields, verdicts):
        at = key(item_id, content)
        attempts = tuple(
            attempt(number, verdict=verdict) for number, verdict in enumerate(verdicts, 1)
        )
        record = call(at, attempts=attempts, **fields)
        self.run_all(lambda: self.journal.settle(record))
        old = self.calls.get(at)
        self.calls[at] = dataclasses.replace(record, resends=old.resends if old else 0)

    @precondition(lambda self: self.is_open)
    @rule(
        ends=st.lists(
            st.tuples(ITEMS, st.sampled_from(["succeeded", "failed", "cancelled"]), st.booleans()),
            min_size=1,
            max_size=5,
        )
    )
    def finish(self, ends):
        records = [
            item(item_id, state=state, cached=cached, position=place)
            for place, (item_id, state, cached) in enumerate(ends)
        ]
        numbers = self.run_all(*[partial(self.journal.finish_item, record) for record in records])
        for record, number in zip(records, numbers, strict=True):
            self.events.append((f"item.{record.state}", record.item_id))
            assert number == len(self.events)
            self.items[record.item_id] = dataclasses.replace(record, event=number)

    @precondition(lambda self: self.is_open)
    @rule()
    def control(self):
        (number,) = self.run_all(lambda: self.journal.control("note", {"n": len(self.events)}))
        self.events.append(("note", ""))
        assert number == len(self.events)

    @precondition(lambda self: self.is_open)
    @rule()
    def crash(self):
        self.place.crash(self.journal)
        self.reopen()

    @precondition(lambda self: self.is_open)
    @rule()
    def close(self):
        self.run_all(lambda: self.journal.close("interrupted"))
        self.is_open = False

    @precondition(lambda self: not self.is_open)
    @rule()
    def reopen(self):
        self.journal = self.place.open()
        self.is_open = True
        self.sessions += 1
        for at, known in self.calls.items():
            if known.state == "sending":
                self.calls[at] = dataclasses.replace(known, state="ambiguous")
        assert self.journal.resumed == bool(self.calls or self.events)

    @invariant()
    def agrees(self):
        reader = self.place.reader()
        found = {record.key: record for record in reader.calls()}
        assert found == self.calls
        assert {record.item_id: record for record in reader.items()} == self.items
        events = [(event.kind, event.item_id) for event in reader.events()]
        assert events == self.events
        counted = recount(self.calls.values(), self.items.values())
        for counters in (reader.counters(), self.journal.counters):
            assert counters.service_s == pytest.approx(counted.service_s)
            assert dataclasses.replace(counters, service_s=0.0) == dataclasses.replace(
                counted, service_s=0.0
            )
        assert len(reader.sessions()) == self.sessions
        for content_key, request in self.requests.items():
            assert reader.request(content_key) == request
        for item_id in ("a", "d"):
            own = [at for at in self.calls if at.item_id == item_id]
            assert {record.key for record in reader.calls(item_id=item_id)} == set(own)
        reader.close()

    @precondition(lambda self: self.is_open)
    @invariant()
    def recalls(self):
        (known,) = self.run_all(lambda: self.journal.recall([*"abüdefgh", "nobody"]))
        for item_id, recalled in known.items():
            ended = self.items.get(item_id)
            assert recalled.state == (ended.state if ended else None)
            own = {record.key: record for record in recalled.calls}
            assert own == {at: call for at, call in self.calls.items() if at.item_id == item_id}
        assert known.keys() == {at.item_id for at in self.calls} | self.items.keys()

    def teardown(self):
        if self.is_open:
            self.run_all(lambda: self.journal.close("finished"))
        self.place.close()
        self.loop.close()


class MemoryMachine(JournalMachine):
    def make_place(self):
        return MemoryPlace()


class FileMachine(JournalMachine):
    def make_place(self):
        self.directory = tempfile.TemporaryDirectory()
        return file_place(Path(self.directory.name))

    def teardown(self):
        super().teardown()
        self.directory.cleanup()


class ServerMachine(JournalMachine):
    url = ""

    def make_place(self):
        return server_place(self.url)


def _run(machine, *, examples):
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    machine.TestCase().runTest()


def test_memory_agrees_with_the_model():
    _run(MemoryMachine, examples=60)


def test_sqlite_agrees_with_the_model(monkeypatch):
    monkeypatch.setattr(committer, "_INDEX_AT_ONCE", 3)
    _run(FileMachine, examples=10)


@pytest.mark.postgres
def test_postgresql_agrees_with_the_model(postgres_url, monkeypatch):
    monkeypatch.setattr(committer, "_INDEX_AT_ONCE", 3)
    ServerMachine.url = postgres_url
    _run(ServerMachine, examples=6)
