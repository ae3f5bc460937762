"""What earlier runs have measured of a model: read from the journal, newest run first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fanwise.engine.pools import LEARNED
from fanwise.errors import FanwiseError
from fanwise.models.names import canonical_model
from fanwise.records import CallRecord, Dimension, Json, Message, Request, Schema

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.journal.memory_home import MemoryHome
    from fanwise.records import VerdictKind

_RUNS: Final = 12
_CALLS: Final = 2000
_ENOUGH: Final = 400
_REQUESTS: Final = 300


class Try(NamedTuple):
    """One attempt of an earlier run."""

    sent_at: float
    ended_at: float
    kind: VerdictKind
    retry_after_s: float | None
    tokens: int  # of its call, both ways; 0 where nothing was served


class Served(NamedTuple):
    """One call of an earlier run that was served at its first attempt."""

    request: Request | None
    given: int
    written: int
    took_s: float


@dataclass(slots=True)
class Past:
    """What is remembered of one model.

    Args:
        served: Calls that were answered.
        tries: By run: every attempt, in order of their sends.
        learned: What its pool stated or taught of limits, by the pool's name.
        run_ids: The runs it was read from.
        newest_s: When the newest of them ended, in epoch seconds.
    """

    served: list[Served] = field(default_factory=list[Served])
    tries: list[list[Try]] = field(default_factory=list[list[Try]])
    learned: dict[str, Mapping[str, Json]] = field(default_factory=dict[str, Mapping[str, Json]])
    run_ids: list[str] = field(default_factory=list[str])
    newest_s: float = 0.0


def remembered(
    home: Home | MemoryHome, models: Sequence[str], *, base_url: str | None
) -> Mapping[str, Past]:
    """What the newest runs of a journal know of these models; those never asked are left out.

    Args:
        home: The journal.
        models: Their names.
        base_url: Where they will be asked; runs that say they asked elsewhere do not count.
    """
    found: dict[str, Past] = {}
    names = {canonical_model(model): model for model in models}
    try:
        runs = list(home.runs(limit=_RUNS))
    except FanwiseError:
        return found
    for run in runs:
        options = run.spec.options
        if "base_url" in options and (options["base_url"] or None) != (base_url or None):
            continue
        if all(len(past.served) >= _ENOUGH for past in found.values()) and len(found) == len(names):
            break
        try:
            reader = home.reader(run.run_id)
        except FanwiseError:
            continue
        try:
            _read(reader, run.run_id, names, found)
        except FanwiseError:
            continue  # a damaged run teaches nothing
        finally:
            reader.close()
    return found


def _read(
    reader: JournalReader, run_id: str, names: Mapping[str, str], found: dict[str, Past]
) -> None:
    tries: dict[str, list[Try]] = {}
    updated_at = reader.run.updated_at
    for call in islice(reader.calls(), _CALLS):
        model = names.get(canonical_model(call.model)) if call.model else None
        if model is None or call.cached or not call.attempts:
            continue
        past = found.setdefault(model, Past())
        if run_id not in past.run_ids:
            past.run_ids.append(run_id)
            past.newest_s = max(past.newest_s, updated_at)
        tries.setdefault(model, []).extend(_tries(call))
        if call.state == "served" and len(call.attempts) >= 1:
            past.served.append(_served(call, reader, len(past.served)))
    for model, ones in tries.items():
        found[model].tries.append(sorted(ones, key=lambda one: one.sent_at))
    if tries:
        learned = _learned(reader)
        for model in tries:
            for pool, said in learned.items():
                found[model].learned.setdefault(pool, said)


def _tries(call: CallRecord) -> Iterable[Try]:
    tokens = (call.usage.input_tokens or 0) + (call.usage.output_tokens or 0)
    for attempt in call.attempts:
        yield Try(
            attempt.started_at,
            attempt.ended_at,
            attempt.verdict,
            attempt.retry_after_s,
            tokens if attempt.verdict == "served" else 0,
        )


def _served(call: CallRecord, reader: JournalReader, number: int) -> Served:
    last = call.attempts[-1]
    request = None
    if number < _REQUESTS:
        request = _request(reader.request(call.key.content_key))
    answers = sum(attempt.verdict == "served" for attempt in call.attempts) or 1
    return Served(
        request,
        round((call.usage.input_tokens or 0) / answers),
        round((call.usage.output_tokens or 0) / answers),
        last.ended_at - last.started_at,
    )


def _request(stored: bytes) -> Request | None:
    """A request as the journal keeps it."""
    if not stored:
        return None
    try:
        parts: dict[str, Any] = orjson.loads(stored)
    except orjson.JSONDecodeError:
        return None
    schema = parts.get("schema")
    return Request(
        model=parts.get("model", ""),
        messages=tuple(
            Message(role=one["role"], content=one["content"]) for one in parts.get("messages", ())
        ),
        parameters=parts.get("parameters", {}),
        schema=Schema(name=schema["name"], definition=schema["definition"]) if schema else None,
        body=parts.get("body"),
    )


def _learned(reader: JournalReader) -> Mapping[str, Mapping[str, Json]]:
    """By pool: what a run has noted of limits at the end of its last session."""
    found: dict[str, Mapping[str, Json]] = {}
    # Its number is above that of every item's end: the rows before those are not read.
    for event in reader.events(after=reader.counters().finished):
        if event.kind == LEARNED:
            data = event.data.items()
            found |= {pool: said for pool, said in data if isinstance(said, Mapping)}
    return found


def pool_said(learned: Mapping[str, Mapping[str, Json]], pool: str) -> Mapping[Dimension, float]:
    """Units a minute that a pool's provider has stated; of several keys, their sum."""
    keys = [said for name, said in learned.items() if name.startswith(f"{pool} ")]
    found: dict[Dimension, float] = {}
    for said in keys or ([learned[pool]] if pool in learned else []):
        for dimension, per_minute in stated_of(said).items():
            found[dimension] = found.get(dimension, 0.0) + per_minute
    return found


def stated_of(learned: Mapping[str, Json]) -> Mapping[Dimension, float]:
    """Units a minute that a provider has stated, by dimension."""
    stated = learned.get("stated")
    known: tuple[Dimension, ...] = ("requests", "tokens", "input_tokens", "output_tokens")
    if not isinstance(stated, Mapping):
        return {}
    return {
        name: float(value)
        for name in known
        if isinstance(value := stated.get(name), int | float) and value > 0
    }
