"""Lines of output: an item's end as the one JSON object that stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from fanwise.documents.row import batch_kind
from fanwise.records import ErrorInfo, ItemRecord, Json, Outcome

_CANCELLED = ErrorInfo(kind="cancelled", message="the item was cancelled")


def output_line(record: ItemRecord) -> Mapping[str, Any]:
    """The line of an item: of a plain row, or of a Batch line in OpenAI's own format."""
    if is_batch(record):
        return _batch_line(record)
    error = _error(record)
    return {
        "id": record.item_id,
        "item": record.input,
        "model": record.model,
        "output": record.value,
        "error": None
        if error is None
        else {"kind": error.kind, "message": error.message, "status": error.status},
        "usage": {
            "input_tokens": record.usage.input_tokens,
            "output_tokens": record.usage.output_tokens,
        },
        "cost_usd": None if record.cost_usd is None else float(record.cost_usd),
        "attempts": record.attempts,
        "latency_ms": round(record.service_s * 1000, 3),
        "cached": record.cached,
    }


def is_batch(record: ItemRecord) -> bool:
    """Whether an item was a Batch line."""
    return isinstance(record.input, Mapping) and batch_kind(record.input) is not None


def record_of(outcome: Outcome, *, row: Mapping[str, Json], model: str) -> ItemRecord:
    """What the journal holds of an outcome, as far as a line of output shows it."""
    return ItemRecord(
        item_id=outcome.item_id,
        position=outcome.position,
        state="succeeded" if outcome.ok else "failed",
        input=row,
        value=outcome.value,
        error=None if outcome.error is None else ErrorInfo.of(outcome.error),
        model=model,
        usage=outcome.usage,
        cost_usd=outcome.cost_usd,
        attempts=outcome.attempts,
        service_s=outcome.service_s,
        cached=outcome.cached,
    )


def _error(record: ItemRecord) -> ErrorInfo | None:
    return record.error or (_CANCELLED if record.state == "cancelled" else None)


def _batch_line(record: ItemRecord) -> Mapping[str, Any]:
    error = _error(record)
    line: dict[str, Any] = {
        "id": "batch_req_" + blake2b(record.item_id.encode(), digest_size=12).hexdigest(),
        "custom_id": record.item_id,
        "response": record.value,
        "error": None,
    }
    if error is not None:
        line["error"] = {"code": error.kind, "message": error.message}
        line["response"] = None if error.status is None else _refusal(error, error.status)
    return line


def _refusal(error: ErrorInfo, status: int) -> Mapping[str, Any]:
    """The answer of a provider that said no, in the shape of OpenAI's own errors."""
    body = {"message": error.message, "type": error.kind, "param": None, "code": error.kind}
    return {"status_code": status, "request_id": "", "body": {"error": body}}
