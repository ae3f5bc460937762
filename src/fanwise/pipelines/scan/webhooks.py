"""Reports of carriers on their shipments: signed, taken once, in any order."""

from __future__ import annotations

import hmac
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, cast

import fanwise as fw
from fanwise.pipelines.scan.status import STATUSES, Status
from fanwise.pipelines.scan.tables import report, status_of

TOLERANCE_S = 300.0
LEAST_SECRET_CHARS = 16
MOST_BYTES = 64 * 1024
MOST_DETAIL_CHARS = 500
_AHEAD_S = 86_400.0
_CARRIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_EVENT = re.compile(r"[!-~]{1,100}")
_NUMBER = re.compile(r"[A-Z0-9]{6,64}")
_FIELDS = ("event", "tracking_number", "status", "happened_at", "detail")


class BadSignature(fw.errors.UsageError):
    """A report that its sender did not sign with the secret, or signed too long ago."""

    code: ClassVar[str] = "bad_signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What became of a report.

    Args:
        new: Whether it came for the first time; another time changes nothing.
        tracking_number: The shipment.
        status: What all reports on it come to.
    """

    new: bool
    tracking_number: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierReport:
    """A report as it was read: nothing of it is trusted before its signature is."""

    event: str
    tracking_number: str
    status: Status
    happened_at: float
    detail: str | None


async def record_event(
    store: fw.Store,
    body: bytes,
    *,
    carrier: str,
    signature: str,
    secret: str,
    now: Callable[[], float] = time.time,
    tolerance_s: float = TOLERANCE_S,
) -> Reported:
    """Takes a carrier's report: verified first, then read, then written in one transaction.

    The signature is ``t=SECONDS,v1=HEX``: HMAC-SHA256 with the secret over ``SECONDS.`` and the
    body, byte for byte. There may be several ``v1`` while a secret is being changed. A report that
    came before is taken again without effect, so that a sender may repeat it.

    Args:
        store: The scan's tables (``fw.Store(home, "scan", metadata)``).
        body: JSON: ``event`` (the sender's id of the report), ``tracking_number``, ``status``;
            ``happened_at`` (ISO or epoch seconds, else when it was signed) and ``detail`` may be
            left out.
        carrier: Who sends it: letters, digits, ``-`` and ``_``, at most 20.
        signature: As above.
        secret: What only that carrier and this side know, at least 16 characters.
        now: The time in epoch seconds.
        tolerance_s: How far the signature's time may be off, so that an old report that somebody
            has caught is of no use later.

    Raises:
        BadSignature: It is not signed with the secret, or not within the tolerance.
        InvalidFields: It was signed, but is not such a report; with a reason for each field.
        ConfigError: The carrier's name or the secret is of no use.
        JournalUnavailable: It cannot be written; the sender has to repeat it.
    """
    if _CARRIER.fullmatch(carrier) is None:
        raise fw.errors.ConfigError(
            f"{carrier[:40]!r} is no name of a carrier",
            hint="use a-z, 0-9, - and _, at most 20 characters",
        )
    if len(secret) < LEAST_SECRET_CHARS:
        raise fw.errors.ConfigError(
            f"the secret of {carrier} has {len(secret)} characters",
            hint=f"use {LEAST_SECRET_CHARS} or more, such as `openssl rand -hex 32` prints",
        )
    received_at = now()
    signed_at = verified(
        body, signature=signature, secret=secret, now=received_at, tolerance_s=tolerance_s
    )
    found = read_report(body, signed_at=signed_at, now=received_at)

    def write(connection: Any) -> Reported:
        new = report(
            connection,
            event=f"{carrier}:{found.event}",
            tracking_number=found.tracking_number,
            status=found.status,
            happened_at=found.happened_at,
            received_at=received_at,
            detail=found.detail,
        )
        status = status_of(connection, found.tracking_number)
        return Reported(new=new, tracking_number=found.tracking_number, status=status)

    return await store.write(write)


def sign(body: bytes, *, secret: str, at: float) -> str:
    """The signature of a report that is sent at a time in epoch seconds."""
    return f"t={int(at)},v1={_digest(body, secret=secret, at=str(int(at)))}"


def verified(
    body: bytes, *, signature: str, secret: str, now: float, tolerance_s: float = TOLERANCE_S
) -> float:
    """When a report was signed, epoch seconds. Takes the same time whatever digest is wrong.

    Raises:
        BadSignature: It was not signed with the secret, or not within the tolerance.
    """
    parts = [part.strip().partition("=") for part in signature.split(",")[:10]]
    at = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    if not (at.isascii() and at.isdigit() and len(at) <= 12) or not given:
        raise BadSignature(
            "the signature is missing or not of the form t=SECONDS,v1=HEX",
            hint="sign SECONDS, a dot and the body with HMAC-SHA256",
        )
    wanted = _digest(body, secret=secret, at=at).encode()
    fits = [hmac.compare_digest(wanted, one.lower().encode("utf-8", "replace")) for one in given]
    if not any(fits):
        raise BadSignature(
            "the signature does not fit the body", hint="is it the same secret on both sides?"
        )
    if abs(now - int(at)) > tolerance_s:
        raise BadSignature(
            f"the report was signed {abs(now - int(at)):.0f} s from now, more than the "
            f"{tolerance_s:g} s that are accepted",
            hint="sign each report when it is sent, and keep both clocks right",
        )
    return float(at)


def read_report(body: bytes, *, signed_at: float, now: float) -> CarrierReport:
    """A report out of its JSON.

    Raises:
        InvalidFields: It is none; with a reason for each field.
    """
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise fw.errors.InvalidFields("report", {"body": "it is no JSON"}) from error
    if not isinstance(parsed, dict):
        raise fw.errors.InvalidFields("report", {"body": f"it is an object with {_FIELDS[0]} …"})
    found = cast("Mapping[str, Any]", parsed)
    wrong: dict[str, str] = {
        str(name)[:60]: f"there is no such field; there are {', '.join(_FIELDS)}"
        for name in found
        if name not in _FIELDS
    }
    number = re.sub(r"[\s.-]", "", str(found.get("tracking_number") or "")).upper()
    status = re.sub(r"[\s-]+", "_", str(found.get("status") or "").strip().lower())
    event, detail = found.get("event"), found.get("detail")
    if not isinstance(event, str) or _EVENT.fullmatch(event) is None:
        wrong["event"] = "is the sender's id of the report: 1 to 100 printable characters"
    if not isinstance(found.get("tracking_number"), str) or _NUMBER.fullmatch(number) is None:
        wrong["tracking_number"] = "is 6 to 64 letters and digits"
    if status not in STATUSES:
        wrong["status"] = f"is one of {', '.join(STATUSES)}"
    if detail is not None and (not isinstance(detail, str) or not _storable(detail)):
        wrong["detail"] = f"is a text of at most {MOST_DETAIL_CHARS} characters"
    happened_at = _moment(found.get("happened_at"), default=signed_at)
    if happened_at is None or not 0 <= happened_at <= now + _AHEAD_S:
        wrong["happened_at"] = "is a time that has come, as ISO 8601 or epoch seconds"
    if wrong:
        raise fw.errors.InvalidFields("report", wrong)
    return CarrierReport(
        event=str(event),
        tracking_number=number,
        status=cast("Status", status),
        happened_at=cast("float", happened_at),
        detail=detail,
    )


def _digest(body: bytes, *, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()


def _storable(text: str) -> bool:
    """Whether every database takes a text: no NUL, no half characters, not too long."""
    if len(text) > MOST_DETAIL_CHARS or "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(value: object, *, default: float) -> float | None:
    if value is None:
        return default
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 1e12 and math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    try:
        day = datetime.fromisoformat(value)
        return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
