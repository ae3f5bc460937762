"""Which proxy the environment names for a URL. Pure.

The variables are those that curl and most clients read: ``HTTP_PROXY``, ``HTTPS_PROXY``,
``ALL_PROXY`` and ``NO_PROXY``, each in lower case too, which wins.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fanwise.errors import ConfigError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRules:
    """What an environment says about proxies.

    Args:
        by_scheme: Proxy URL by the scheme of what is asked for; empty where there is none. Never
            shown, since passwords stand in such URLs.
        bypass: Entries of ``NO_PROXY``.
    """

    by_scheme: Mapping[str, str]
    bypass: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ProxyRules({', '.join(self.by_scheme) or 'none'})"


def proxy_rules(environ: Mapping[str, str]) -> ProxyRules:
    """Reads an environment.

    ``HTTP_PROXY`` in capitals is passed over where ``REQUEST_METHOD`` is set: under CGI a client
    could set it with a ``Proxy:`` header (CVE-2016-1000110).
    """
    by_scheme: dict[str, str] = {}
    for scheme in _PORTS:
        names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
        if scheme == "http" and "REQUEST_METHOD" in environ:
            names.remove("HTTP_PROXY")
        # An empty variable is a decision too: no proxy for this scheme.
        value = next((environ[name] for name in names if name in environ), "")
        if value:
            by_scheme[scheme] = value if "://" in value else f"http://{value}"
    listed = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return ProxyRules(by_scheme=by_scheme, bypass=tuple(listed.replace(",", " ").lower().split()))


def proxy_for(url: str, rules: ProxyRules) -> str | None:
    """The proxy for a URL, as a URL; ``None`` to go directly.

    Raises:
        ConfigError: Where the proxy named is of a kind that is not served (SOCKS).
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    proxy = rules.by_scheme.get(scheme)
    if proxy is None:
        return None
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(scheme, 0)
    if any(_matches(entry, host, port) for entry in rules.bypass):
        return None
    kind = urlsplit(proxy).scheme.lower()
    if kind not in _PORTS:
        raise ConfigError(
            f"the environment names a {kind} proxy for {host}; only http and https are served",
            hint=f"set {scheme.upper()}_PROXY to an http proxy, or add {host} to NO_PROXY",
        )
    return proxy


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether a ``NO_PROXY`` entry covers a host: ``*``, name, ``.suffix``, ``host:port``, CIDR."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, _, last = entry.rpartition(":")
    if name and last.isdigit() and (":" not in name or name.endswith("]")):
        if int(last) != port:
            return False
        entry = name
    suffix = entry.strip("[]").removeprefix("*").removeprefix(".").rstrip(".")
    return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))
