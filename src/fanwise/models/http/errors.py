"""What can go wrong between a request and its answer, as errors a person can act on."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Literal

from fanwise.errors import AttemptTimeout, TransportError
from fanwise.records import NOTHING, Failure, Phase

FaultKind = Literal["connect", "reset", "protocol"]

_BODY_CHARS = 4096


class TransportFault(TransportError):
    """No whole answer came back.

    Args:
        message: What happened, with the server's name.
        kind: ``connect`` (never reached), ``reset`` (broke off) or ``protocol`` (not an answer
            that can be used: not HTTP, beyond a limit, undecodable).
        phase: Where it happened.
        maybe_sent: Whether the server may have read the request, and so may charge for it.
        hint: How to mend it.
        status: The HTTP status, where the answer's head had come.
        headers: The answer's headers, where its head had come.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FaultKind,
        phase: Phase,
        maybe_sent: bool,
        hint: str = "",
        status: int | None = None,
        headers: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.kind: FaultKind = kind
        self.phase: Phase = phase
        self.maybe_sent = maybe_sent
        self.headers = headers


class TransportTimeout(AttemptTimeout):
    """A deadline of :class:`fanwise.records.Timeouts` passed.

    Args:
        message: Which deadline, how long it was, and at which server.
        phase: The deadline.
        maybe_sent: Whether the server may have read the request, and so may charge for it.
        hint: How to mend it.
        status: The HTTP status, where the answer's head had come.
        headers: The answer's headers, where its head had come.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: Phase,
        maybe_sent: bool,
        hint: str = "",
        status: int | None = None,
        headers: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.phase: Phase = phase
        self.maybe_sent = maybe_sent
        self.headers = headers


def failure_of(error: TransportFault | TransportTimeout) -> Failure:
    """The evidence for the classifier in an error of a transport.

    Where the head of an error answer (status 400 and above) had come before things broke, the
    status and its headers are the evidence: a refusal is a refusal without its explanation too.
    """
    if error.status is not None and error.status >= 400:
        return Failure(
            kind="status",
            message=error.message,
            status=error.status,
            headers=error.headers,
            hint=error.hint,
        )
    if isinstance(error, TransportTimeout):
        return Failure(kind="timeout", message=error.message, phase=error.phase, hint=error.hint)
    return Failure(kind=error.kind, message=error.message, hint=error.hint)


def timed_out(
    phase: Phase,
    *,
    server: str,
    limit_s: float,
    maybe_sent: bool,
    status: int | None = None,
    headers: Mapping[str, str] = NOTHING,
) -> TransportTimeout:
    """The error for a deadline of ``limit_s`` seconds that passed at ``server``."""
    what = {
        "connect": f"no connection to {server} within {limit_s:g} s",
        "first_byte": f"{server} sent nothing within {limit_s:g} s of the request",
        "between_chunks": f"{server} fell silent for {limit_s:g} s in the middle of its answer",
        "attempt": f"{server} did not finish its answer within {limit_s:g} s",
    }[phase]
    hint = f"is the server reachable from here? else raise connect_s above {limit_s:g}"
    if phase != "connect":
        hint = f"raise {phase}_s above {limit_s:g} if the model needs longer"
    return TransportTimeout(
        what, phase=phase, maybe_sent=maybe_sent, hint=hint, status=status, headers=headers
    )


def connect_fault(error: OSError | RuntimeError, *, server: str) -> TransportFault:
    """The error for a connection to ``server`` that could not be made; nothing was sent."""
    message, hint = _explain(error, server)
    return TransportFault(message, kind="connect", phase="connect", maybe_sent=False, hint=hint)


def _explain(error: OSError | RuntimeError, server: str) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {server} is not trusted: {error.verify_message}",
            "for a private authority set SSL_CERT_FILE=/path/to/ca.pem (or ca_file=…)",
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return (
            f"no TLS connection with {server}: {reason}",
            "does the server speak https? for plain HTTP write the base URL with http://",
        )
    if isinstance(error, socket.gaierror):
        return (
            f"the name of {server} cannot be resolved: {error.strerror or error}",
            "check the host in the base URL, and the network",
        )
    return _explain_errno(error, server)


def _explain_errno(error: OSError | RuntimeError, server: str) -> tuple[str, str]:
    code = error.errno if isinstance(error, OSError) else None
    if code in {errno.EMFILE, errno.ENFILE}:
        return (
            f"no file descriptor left for another connection to {server}",
            "allow more (ulimit -n 8192) or run fewer calls at once (-j)",
        )
    if isinstance(error, ConnectionRefusedError) or code == errno.ECONNREFUSED:
        return (
            f"connection refused by {server}",
            "is the server running? check the base URL (--base-url)",
        )
    if code == errno.EADDRNOTAVAIL:
        return (
            f"no local port left for another connection to {server}",
            "run fewer calls at once (-j)",
        )
    if isinstance(error, ConnectionError):
        return (
            f"{server} broke off while the connection was being made: {error}",
            "does the base URL say http:// or https:// as the server does?",
        )
    return f"no connection to {server}: {error}", "check the base URL (--base-url) and the network"


def excerpt(data: bytes) -> str:
    """The start of a body as text, for a message."""
    return data[:_BODY_CHARS].decode("utf-8", "replace")[:200]
