"""How the service is reached, and what it admits."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from fanwise.errors import ConfigError

SeedRoutes = Literal["token", "trusted-proxy", "open"]

_LOOPBACK_NAMES = ("localhost",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """The service's settings.

    Args:
        host: The address to listen at.
        port: The port, 1 to 65535; 0 takes a free one.
        allowed_hosts: Further values of the Host header that are answered, such as
            ``fanwise.example.org``; those of the address itself always are.
        allowed_origins: Web origins of other front ends, such as ``https://app.example.org``.
        seed_routes: How clients of the applications' own routes come in: with a token, through a
            proxy that has authenticated them, or (on loopback only) without one.
        max_active: Runs under way at once; more wait for their turn.
        drain_s: How long calls in flight may take to end when the service stops, in seconds.
        upload_bytes: The largest upload.
        batch_bytes: The largest file of a batch.
        default_model: Who answers requests of the applications' own routes that name no model.
        mail: The mailbox that ``/api/front/scan`` scans: a path, an ``imaps://`` address, or
            ``front:`` and an inbox or a search of Front; empty where there is none.
        answer_s: How long such a request waits for its run, in seconds; the run goes on after.
        callback_hosts: Hosts that callbacks may go to although they are not on the internet.
        public: Whether a token was made for others, which an address that others reach demands.

    Raises:
        ConfigError: A value is impossible or unsafe.
    """

    host: str = "127.0.0.1"
    port: int = 8377
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    seed_routes: SeedRoutes = "token"
    max_active: int = 8
    drain_s: float = 30.0
    upload_bytes: int = 25 * 1024 * 1024
    batch_bytes: int = 200 * 1024 * 1024
    default_model: str = "builtin/rules"
    mail: str = ""
    answer_s: float = 300.0
    public: bool = False
    callback_hosts: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}", hint="give 1 to 65535, or 0 for a free one")
        if self.max_active < 1:
            raise ConfigError(f"max_active is {self.max_active}", hint="give 1 or more")
        if not self.default_model.replace(":", "/").partition("/")[2]:
            raise ConfigError(
                f"{self.default_model!r} is no model", hint="write it as provider/model"
            )
        if not 0 < self.answer_s < float("inf"):
            raise ConfigError(f"answer_s is {self.answer_s}", hint="give seconds above 0")
        for origin in self.allowed_origins:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
                raise ConfigError(
                    f"{origin!r} is no web origin", hint="write it as https://app.example.org"
                )
        if self.loopback:
            return
        if self.seed_routes == "open":
            raise ConfigError(
                f"routes without a token are for loopback; others can reach {self.host}",
                hint='set seed_routes to "token" or "trusted-proxy"',
            )
        if not self.public:
            raise ConfigError(
                f"{self.host} can be reached by others, and no token was made for them",
                hint="make one first: fanwise token create NAME",
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host in _LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def hosts(self, port: int) -> frozenset[str]:
        """The Host headers that are answered.

        Args:
            port: The port that is listened at.
        """
        own = {f"{_bracketed(self.host)}:{port}"}
        if self.loopback:
            own |= {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"}
        if port == 80:
            own |= {name.rpartition(":")[0] for name in own}
        return frozenset(name.lower() for name in (*own, *self.allowed_hosts))

    def origins(self, port: int) -> frozenset[str]:
        """The Origin headers that are answered: those of the service's own page, and the named."""
        hosts = self.hosts(port)
        own = {f"http://{host}" for host in hosts} | {
            f"https://{host.lower()}" for host in self.allowed_hosts
        }
        return frozenset(own | {origin.lower() for origin in self.allowed_origins})


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
