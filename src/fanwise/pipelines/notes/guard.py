"""What may be fetched: only from named hosts, over TLS, at public addresses.

An address that somebody typed must not make this machine talk to its own network (SSRF). So the
address is checked before each request, redirects included, and the connection once more by the
peer it has reached: a name may resolve to something else a moment later.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from fanwise.errors import InputError

HOSTS = ("youtube.com", "www.youtube.com", "m.youtube.com")
MAX_BYTES = 24 * 1024 * 1024
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Resolve = Callable[[str], Sequence[str]]


def resolve(host: str) -> list[str]:
    """The addresses of a host, as the system resolves it."""
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found})


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, and not of this machine or its networks."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if found in _NAT64:
        inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if isinstance(inner, ipaddress.IPv4Address):
        return is_public(str(inner))
    return found.is_global and not found.is_multicast


def check_url(url: str, *, hosts: Iterable[str] = HOSTS, look_up: Resolve = resolve) -> None:
    """Refuses an address that must not be fetched.

    Args:
        url: The address.
        hosts: The hosts that may be asked, by their exact names.
        look_up: From a host to its addresses.

    Raises:
        InputError: It is no ``https``, has a port, user or password of its own, names another
            host, or one that resolves to an address that is not public. Nothing was sent.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError("the address is broken", source=url[:200]) from error
    host = (parts.hostname or "").lower()
    reason = ""
    if parts.scheme != "https":
        reason = "only https is fetched"
    elif parts.username or parts.password or port not in {None, 443}:
        reason = "an address with a user or a port of its own is not fetched"
    elif host not in set(hosts):
        reason = f"{host or 'nothing'} is not one of the hosts that are fetched from"
    if not reason:
        try:
            addresses = look_up(host)
        except OSError as error:
            raise InputError(
                f"{host} cannot be resolved: {error.strerror or error}",
                source=url[:200],
                hint="is this machine on the network?",
            ) from error
        private = [address for address in addresses if not is_public(address)]
        if private or not addresses:
            reason = f"{host} resolves to {', '.join(private) or 'nothing'}, no public address"
    if reason:
        raise InputError(reason, source=url[:200], hint="give the address of a YouTube video")
