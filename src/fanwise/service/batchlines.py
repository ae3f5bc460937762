"""Lines of batches: what is wrong with those that come in, and those that go out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from fanwise.pipelines.prompts.lines import output_line

if TYPE_CHECKING:
    from fanwise.journal.memory import JournalReader

_MOST_ERRORS = 20


def faulty_lines(path: Path, endpoint: str) -> tuple[int, list[dict[str, Any]]]:
    """How many requests a file holds, and what is wrong with the first faulty ones."""
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    total = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            total += 1
            code, why = _fault(raw, endpoint, seen)
            if why:
                errors.append({"code": code, "message": why, "param": None, "line": number})
            if len(errors) >= _MOST_ERRORS:
                break
    if not total:
        errors.append(
            {"code": "empty_file", "message": "the file is empty", "param": None, "line": None}
        )
    return total, errors


def _fault(raw: bytes, endpoint: str, seen: set[str]) -> tuple[str, str]:
    """What is wrong with a line, as a code and in words; empty where nothing is."""
    try:
        line: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return "invalid_json_line", f"this line is no JSON: {error}"
    found = cast("dict[str, Any]", line) if isinstance(line, dict) else {}
    custom_id, url = found.get("custom_id"), found.get("url")
    named = isinstance(custom_id, str) and bool(custom_id)
    again = custom_id in seen if named else False
    if named:
        seen.add(cast("str", custom_id))
    faults = (
        (not named, "missing_required_parameter", "custom_id is missing"),
        (again, "duplicate_custom_id", f"custom_id {custom_id!r} stands on an earlier line too"),
        (found.get("method", "POST") != "POST", "invalid_method", "the method is not POST"),
        (url != endpoint, "invalid_url", f"the url is {url!r}, and the batch is for {endpoint}"),
        (not isinstance(found.get("body"), dict), "invalid_request", "body is missing"),
    )
    return next(((code, why) for wrong, code, why in faults if wrong), ("", ""))


def answer_lines(
    reader: JournalReader, path: Path, *, failed: bool, reason: str
) -> Iterator[bytes]:
    """Lines of answers, or of what has none: failed requests and those never sent."""
    for item in reader.items(state=None if failed else "succeeded"):
        if (item.state != "succeeded") == failed:
            yield orjson.dumps(output_line(item)) + b"\n"
    if failed and reason in {"cancelled", "expired"}:
        done = {item.item_id for item in reader.items()}
        yield from unfinished(path, done, reason)


def unfinished(path: Path, done: set[str], reason: str) -> Iterator[bytes]:
    """Lines of the requests that have no answer, with why."""
    with path.open("rb") as file:
        for raw in file:
            if not raw.strip():
                continue
            custom_id = str(orjson.loads(raw)["custom_id"])
            if custom_id not in done:
                error = {"code": f"batch_{reason}", "message": f"the batch is {reason}"}
                line = {"id": None, "custom_id": custom_id, "response": None, "error": error}
                yield orjson.dumps(line) + b"\n"
