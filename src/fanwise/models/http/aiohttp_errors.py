"""aiohttp's errors as ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from fanwise.models.http.errors import TransportFault, connect_fault
from fanwise.records import Phase


def fault_of(
    error: aiohttp.ClientError | OSError,
    *,
    server: str,
    phase: Phase,
    status: int | None,
    headers: Mapping[str, str],
) -> TransportFault:
    """The error for what aiohttp raised while it was in ``phase``."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error, server)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return TransportFault(
            f"no connection to the proxy for {server}: {error.os_error}",
            kind="connect",
            phase="connect",
            maybe_sent=False,
            hint="check HTTP_PROXY / HTTPS_PROXY, or add the host to NO_PROXY",
        )
    if phase == "connect" and isinstance(error, OSError):
        return connect_fault(_cause(error), server=server)
    if isinstance(error, aiohttp.ClientResponseError):
        return TransportFault(
            f"the answer of {server} is malformed: {error.message}",
            kind="protocol",
            phase=phase,
            maybe_sent=phase != "connect",
            hint="does the base URL lead to an HTTP server?",
            status=status,
            headers=headers,
        )
    where = "in the middle of its answer" if status is not None else "without an answer"
    return TransportFault(
        f"{server} broke off {where}: {error}",
        kind="reset",
        phase=phase,
        maybe_sent=phase != "connect",
        status=status,
        headers=headers,
    )


def _cause(error: OSError) -> OSError:
    """What the system said, out of aiohttp's wrapping."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        return inner if isinstance(inner, OSError) else error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError, server: str) -> TransportFault:
    hint = "check HTTPS_PROXY, or add the host to NO_PROXY"
    if error.status == 407:
        hint = "the proxy wants a name and a password: HTTPS_PROXY=http://name:password@host:port"
    return TransportFault(
        f"the proxy refused to connect to {server}: {error.status} {error.message}",
        kind="connect",
        phase="connect",
        maybe_sent=False,
        hint=hint,
    )
