"""The errors of a connection, from where its exchange stood. Pure."""

from __future__ import annotations

from fanwise.models.http.errors import FaultKind, TransportFault
from fanwise.models.http.fast_parser import AnswerParser, UnusableAnswer
from fanwise.records import Phase


def unusable_answer(error: UnusableAnswer, *, server: str, parser: AnswerParser) -> TransportFault:
    """What came was no answer, or beyond a limit."""
    return _fault(
        f"the answer of {server} {error.message}", parser, kind="protocol", hint=error.hint
    )


def broken_off(
    error: Exception | None, *, server: str, parser: AnswerParser, heard: bool, kept: bool
) -> TransportFault:
    """The connection ended before the answer did.

    Args:
        error: What the system said; ``None`` for an orderly end.
        server: Host and port.
        parser: What had come by then.
        heard: Whether a byte of the answer had come.
        kept: Whether the connection had served another request before.
    """
    how = f": {error}" if error is not None else ""
    if parser.head_done:
        return _fault(f"{server} broke off in the middle of its answer{how}", parser)
    if heard:
        return _fault(f"{server} broke off in the headers of its answer{how}", parser)
    hint = "it was a kept connection: the server may not have read the request" if kept else ""
    return _fault(f"{server} closed the connection without an answer{how}", parser, hint=hint)


def closed_under_way(*, server: str, parser: AnswerParser) -> TransportFault:
    """The transport was closed by its owner."""
    return _fault(f"the transport was closed during a request to {server}", parser)


def _fault(
    message: str, parser: AnswerParser, *, kind: FaultKind = "reset", hint: str = ""
) -> TransportFault:
    phase: Phase = "between_chunks" if parser.head_done else "first_byte"
    return TransportFault(
        message,
        kind=kind,
        phase=phase,
        maybe_sent=True,
        hint=hint,
        status=parser.status or None,
        headers=parser.headers,
    )
