"""Records as JSON documents, the form in which the journal keeps them, and back.

A document leaves out what has its default value. Reading needs no knowledge of the writer's
version: unknown fields are ignored, missing ones have their defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from fanwise.errors import CorruptRecord, JournalError
from fanwise.records import (
    NO_USAGE,
    Attempt,
    CallIntent,
    CallKey,
    CallRecord,
    CallState,
    ErrorInfo,
    ItemRecord,
    ItemState,
    Usage,
)
from fanwise.records.quick import maker

_make_call, _make_item = maker(CallRecord), maker(ItemRecord)
_make_attempt, _make_usage = maker(Attempt), maker(Usage)
_RAW_KEY_BYTES = 16
_TEXT_KEY = b"\xff"
_OPTION = orjson.OPT_NON_STR_KEYS
_orjson = orjson.dumps  # what it is called by is looked up once


def dump(value: Any) -> str:
    """A JSON document as text.

    Infinities and NaN, which JSON does not know, become null. What orjson refuses (halves of
    surrogate pairs, integers beyond 64 bits) is written by the standard library and marked with a
    leading space, so that :func:`load` gives it back unchanged.

    Raises:
        JournalError: The value has no JSON form.
    """
    try:
        return _orjson(value, _plain, _OPTION).decode()
    except TypeError:
        pass
    try:
        return " " + json.dumps(value, default=_plain, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"a value cannot be kept in the journal: {error}",
            hint="keep to what JSON knows: text, numbers, booleans, null, lists and objects",
        ) from error


def load(text: str) -> Any:
    """The value of a document written by :func:`dump`.

    Raises:
        CorruptRecord: The text is no JSON.
    """
    try:
        return json.loads(text) if text.startswith(" ") else orjson.loads(text)
    except ValueError as error:
        raise CorruptRecord(
            f"a record in the journal is not JSON: {text[:60]!r}",
            hint="the file was changed by something else; take it from a backup or start a new run",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Attempt | Usage | ErrorInfo):  # for the standard library's writer
        return {name: getattr(value, name) for name in value.__slots__}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def pack_key(content_key: str) -> bytes:
    """A content key as bytes: a hash in its 16 bytes, any other text behind a mark."""
    if len(content_key) == 2 * _RAW_KEY_BYTES:
        try:
            raw = bytes.fromhex(content_key)
        except ValueError:
            pass
        else:
            if raw.hex() == content_key:
                return raw
    packed = _TEXT_KEY + content_key.encode(errors="surrogatepass")
    return packed if len(packed) != _RAW_KEY_BYTES else _TEXT_KEY + packed


def unpack_key(packed: bytes) -> str:
    """The content key that :func:`pack_key` was given."""
    if len(packed) == _RAW_KEY_BYTES:
        return packed.hex()
    return packed.lstrip(_TEXT_KEY).decode(errors="surrogatepass")


def unpack_hex(packed: str) -> str:
    """As :func:`unpack_key`, from the packed key in hexadecimal digits of either case."""
    if len(packed) == 2 * _RAW_KEY_BYTES:
        return packed.lower()
    return unpack_key(bytes.fromhex(packed))


# calls


def dump_intent(intent: CallIntent) -> str:
    """What is known of a call before it is sent."""
    return dump({"model": intent.model, "label": intent.label, "started_at": intent.started_at})


def dump_call(record: CallRecord) -> str:
    """A call's end, without its key, state and resends (they are columns)."""
    document: dict[str, Any] = {
        "model": record.model,
        "label": record.label,
        "started_at": record.started_at,
    }
    if record.value is not None:
        document["value"] = record.value
    if record.response:
        document["response"] = record.response
    if record.error is not None:
        document["error"] = record.error
    if record.usage is not NO_USAGE:
        document["usage"] = record.usage
    if record.cost_usd is not None:
        document["cost_usd"] = str(record.cost_usd)
    if record.attempts:
        document["attempts"] = record.attempts
    if record.ended_at is not None:
        document["ended_at"] = record.ended_at
    if record.cached:
        document["cached"] = True
    return dump(document)


def dump_spent(record: CallRecord) -> str:
    """What stays of an earlier end once the call is open again: what was spent on it."""
    document: dict[str, Any] = {"attempts": record.attempts, "usage": record.usage}
    if record.cost_usd is not None:
        document["cost_usd"] = str(record.cost_usd)
    return dump(document)


def load_call(
    key: CallKey, *, state: CallState, resends: int, intent: str, record: str
) -> CallRecord:
    """A call from its two documents; either may be empty. A field of ``record`` counts more."""
    found: dict[str, Any] = load(intent) if intent else {}
    if record:
        found |= load(record)
    get = found.get
    return _make_call(
        key=key,
        state=state,
        model=get("model", ""),
        label=get("label", ""),
        value=get("value"),
        response=get("response", {}),
        error=_error(get("error")),
        usage=_usage(get("usage")),
        cost_usd=_money(get("cost_usd")),
        attempts=tuple([_make_attempt(**attempt) for attempt in get("attempts", ())]),
        started_at=get("started_at", 0.0),
        ended_at=get("ended_at"),
        cached=get("cached", False),
        resends=resends,
    )


# items


def dump_item(record: ItemRecord) -> str:
    """An item's end, without its id, state, position and event (they are columns)."""
    document: dict[str, Any] = {"started_at": record.started_at, "ended_at": record.ended_at}
    if record.input is not None:
        document["input"] = record.input
    if record.value is not None:
        document["value"] = record.value
    if record.error is not None:
        document["error"] = record.error
    if record.model:
        document["model"] = record.model
    if record.usage is not NO_USAGE:
        document["usage"] = record.usage
    if record.cost_usd is not None:
        document["cost_usd"] = str(record.cost_usd)
    if record.attempts:
        document["attempts"] = record.attempts
    if record.queued_s:
        document["queued_s"] = record.queued_s
    if record.service_s:
        document["service_s"] = record.service_s
    if record.cached:
        document["cached"] = True
    return dump(document)


def load_item(
    item_id: str, *, state: ItemState, position: int, event: int, record: str
) -> ItemRecord:
    """An item's end from its document and columns."""
    get = load(record).get
    return _make_item(
        item_id=item_id,
        position=position,
        state=state,
        input=get("input"),
        value=get("value"),
        error=_error(get("error")),
        model=get("model", ""),
        usage=_usage(get("usage")),
        cost_usd=_money(get("cost_usd")),
        attempts=get("attempts", 0),
        queued_s=get("queued_s", 0.0),
        service_s=get("service_s", 0.0),
        started_at=get("started_at", 0.0),
        ended_at=get("ended_at", 0.0),
        cached=get("cached", False),
        event=event,
    )


def _usage(found: Mapping[str, Any] | None) -> Usage:
    return _make_usage(**found) if found else NO_USAGE


def _error(found: Mapping[str, Any] | None) -> ErrorInfo | None:
    return ErrorInfo(**found) if found else None


def _money(found: str | None) -> Decimal | None:
    return None if found is None else Decimal(found)
