"""Tells the URLs that runs were given of their ends: signed, tried again, and never inside the
machine's own network.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from sqlalchemy import select, update

import fanwise as fw
from fanwise.clock import Clock
from fanwise.errors import InvalidFields, JournalError
from fanwise.pipelines.notes.guard import is_public
from fanwise.service.tables import callbacks

if TYPE_CHECKING:
    from fanwise.service.accepted import Accepted, Ledger

SIGNATURE: Final = "Fanwise-Signature"
ENDED: Final = frozenset({"finished", "failed", "cancelled", "stopped"})
ATTEMPTS: Final = 7

_FIRST_S = 2.0
_GROWTH = 4.0
_TIMEOUT_S = 10.0
_LOOK_S = 30.0
_AT_ONCE = 20

log = structlog.get_logger("fanwise.service")


class PublicResolver(AbstractResolver):
    """Resolves a host once, to addresses of the internet alone; the connection goes to these.

    Args:
        allowed: Hosts that may be anywhere, by their exact names.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: It has none that may be asked.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        usable = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, _, _, address in found
            if host in self._allowed or is_public(str(address[0]))
        ]
        if not usable:
            raise OSError(None, f"{host} has no public address")
        return usable

    async def close(self) -> None:
        """Nothing is kept open."""


def sign(secret: str, body: bytes, *, at: int) -> str:
    """The signature of a callback: HMAC-SHA256 over its instant, a dot and its body."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def secret_at(path: Path) -> str:
    """The secret that callbacks are signed with, made when it is first asked for."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"fwcs_{secrets.token_urlsafe(32)}\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


class Callbacks:
    """The callbacks of a service's runs.

    Args:
        store: The service's tables.
        ledger: How runs stand.
        clock: Time.
        secret: Where the secret lies that they are signed with.
        allowed_hosts: Hosts that may be asked although they are not on the internet.
    """

    def __init__(
        self,
        *,
        store: fw.Store,
        ledger: Ledger,
        clock: Clock,
        secret: Path,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._secret = secret
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._due = asyncio.Event()

    def check(self, url: str) -> None:
        """Refuses a URL that will never be asked.

        Raises:
            InvalidFields: It is none of http or https, holds a password, or names an address of
                this machine's own networks.
        """
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:
            raise InvalidFields("run", {"callback_url": "is no URL"}) from None
        reason = ""
        if parts.scheme not in {"http", "https"} or not host:
            reason = "is no http or https URL"
        elif parts.username or parts.password:
            reason = "holds a user or a password"
        elif host not in self._allowed and (_is_private(host) or host == "localhost"):
            reason = "names no address of the internet; --callback-host allows a host of yours"
        if reason:
            raise InvalidFields("run", {"callback_url": reason})

    async def register(self, run_id: str, url: str) -> None:
        """Keeps the URL of a run; a run that has ended by now is told of at once."""
        row = {"run_id": run_id, "url": url, "state": "waiting", "attempts": 0, "next_at": 0.0}
        keep = self._store.upsert(callbacks, update=())
        await self._store.write(lambda c: c.execute(keep, row))
        accepted = await self._ledger.find(run_id)
        if accepted is not None and accepted.state in ENDED:
            await self.ended(accepted)

    async def ended(self, accepted: Accepted) -> None:
        """A run has ended: whoever wanted to know is told."""
        told = {
            "type": f"run.{accepted.state}",
            "run_id": accepted.run_id,
            "pipeline": accepted.pipeline,
            "status": accepted.state,
            "ended_at": accepted.updated_at,
            "error": None if accepted.error is None else accepted.error.get("kind"),
            "links": {"self": f"/api/v1/runs/{accepted.run_id}"},
        }
        body = orjson.dumps(told).decode()
        now = self._clock.wall()
        await self._change(accepted.run_id, state="due", body=body, attempts=0, next_at=now)
        self._due.set()

    async def deliver(self) -> None:
        """Sends what is due, for as long as the service lives."""
        await self._catch_up()
        resolver = PublicResolver(self._allowed)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            while True:
                self._due.clear()
                try:
                    wait_s = await self._round(http)
                except JournalError as error:
                    log.warning("callbacks wait", reason=error.message)
                    wait_s = _LOOK_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._due.wait()
                except TimeoutError:
                    continue

    async def _catch_up(self) -> None:
        """Runs that ended while nobody was there to say so."""
        waiting = select(callbacks.c.run_id).where(callbacks.c.state == "waiting")
        for run_id in await self._store.read(lambda c: c.execute(waiting).scalars().all()):
            accepted = await self._ledger.find(run_id)
            if accepted is not None and accepted.state in ENDED:
                await self.ended(accepted)

    async def _round(self, http: aiohttp.ClientSession) -> float:
        """Sends what is due now, and says when to look again, in seconds."""
        now = self._clock.wall()
        asked = select(callbacks).where(callbacks.c.state == "due").order_by(callbacks.c.next_at)
        rows = await self._store.read(lambda c: c.execute(asked.limit(200)).mappings().all())
        due = [dict(row) for row in rows if row["next_at"] <= now]
        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(self._send(http, row))
        later = [row["next_at"] - now for row in rows if row["next_at"] > now]
        return min([_FIRST_S if due else _LOOK_S, *later])

    async def _send(self, http: aiohttp.ClientSession, row: Mapping[str, Any]) -> None:
        attempt = row["attempts"] + 1
        reason = await self._post(http, row["url"], row["body"].encode(), row["run_id"])
        if not reason:
            await self._change(row["run_id"], state="sent", attempts=attempt)
            return
        log.info("callback refused", run_id=row["run_id"], attempt=attempt, reason=reason)
        if attempt >= ATTEMPTS:
            await self._change(row["run_id"], state="failed", attempts=attempt)
            return
        next_at = self._clock.wall() + _FIRST_S * _GROWTH ** (attempt - 1)
        await self._change(row["run_id"], attempts=attempt, next_at=next_at)

    async def _post(self, http: aiohttp.ClientSession, url: str, body: bytes, run_id: str) -> str:
        """Sends one; gives the reason why it was not taken, empty where it was."""
        secret = await asyncio.to_thread(secret_at, self._secret)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": run_id,
            SIGNATURE: sign(secret, body, at=int(self._clock.wall())),
        }
        try:
            self.check(url)
            async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"status {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError, InvalidFields) as error:
            return type(error).__name__

    async def _change(self, run_id: str, **values: Any) -> None:
        await self._store.write(
            lambda c: c.execute(
                update(callbacks).where(callbacks.c.run_id == run_id).values(**values)
            )
        )


def _is_private(host: str) -> bool:
    """Whether a host is an address, and none of the internet."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # Numbers that the system would read as an address, such as 2130706433 or 0x7f.1.
        return host.rpartition(".")[2][:1].isdigit()
    return not is_public(host)
