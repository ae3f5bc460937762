"""API tokens, browser logins, one-use codes and tickets."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

import fanwise as fw
from fanwise.clock import Clock
from fanwise.errors import ConfigError
from fanwise.service.tables import logins, tokens

LOGIN_S = 30 * 24 * 3600.0
_CODE_S = 600.0
_TICKET_S = 30.0
_MOST_CODES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the name of a token."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token as it may be shown: everything but the token.

    ``monthly_calls`` and ``monthly_usd`` are ``None`` where nothing is bounded.
    """

    name: str
    created_at: float
    revoked_at: float | None
    monthly_calls: int | None
    monthly_usd: Decimal | None


class Tokens:
    """The tokens and logins of a store.

    Args:
        store: The service's tables.
        clock: Time.
        new_secret: Makes a secret of 256 random bits.
    """

    def __init__(
        self,
        store: fw.Store,
        *,
        clock: Clock,
        new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_secret = new_secret
        self._known: dict[str, tuple[float, Caller | None]] = {}

    async def create(
        self,
        name: str,
        *,
        monthly_calls: int | None = None,
        monthly_usd: Decimal | None = None,
        prefix: str = "fwt_",
    ) -> str:
        """Makes a token and returns it: the only time that it can be seen.

        Raises:
            ConfigError: The name is taken, or is none.
        """
        if not name or len(name) > 64 or not name.isprintable():
            raise ConfigError(f"{name!r} cannot name a token", hint="give 1 to 64 characters")
        token = prefix + self._new_secret()
        row = {
            "name": name,
            "digest": _digest(token),
            "created_at": self._clock.wall(),
            "monthly_calls": monthly_calls,
            "monthly_usd": monthly_usd,
        }
        try:
            await self._store.write(lambda c: c.execute(tokens.insert(), row))
        except IntegrityError as error:
            raise ConfigError(
                f"there is a token called {name}", hint="choose another name, or revoke that one"
            ) from error
        return token

    async def list(self) -> list[TokenRecord]:
        """All tokens, the revoked ones too, by name."""
        rows = await self._store.read(
            lambda c: c.execute(select(tokens).order_by(tokens.c.name)).mappings().all()
        )
        return [_record(row) for row in rows]

    async def revoke(self, name: str) -> None:
        """Ends a token and the logins that came of it.

        Raises:
            ConfigError: There is none of that name, or it is revoked.
        """
        now = self._clock.wall()

        def write(connection: Any) -> int:
            connection.execute(delete(logins).where(logins.c.token == name))
            changed = connection.execute(
                update(tokens)
                .where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            return changed.rowcount

        if not await self._store.write(write):
            raise ConfigError(
                f"there is no valid token called {name}", hint="`fanwise token list` shows all"
            )
        self._known.clear()

    async def limit(
        self, name: str, *, monthly_calls: int | None, monthly_usd: Decimal | None
    ) -> None:
        """Sets what a token may spend in a calendar month (UTC); ``None`` bounds nothing.

        Raises:
            ConfigError: There is none of that name, or a bound is below zero.
        """
        for bound in (monthly_calls, monthly_usd):
            if bound is not None and bound < 0:
                raise ConfigError(f"a monthly limit is {bound}", hint="give 0 or more")
        changed = await self._store.write(
            lambda c: (
                c.execute(
                    update(tokens)
                    .where(tokens.c.name == name)
                    .values(monthly_calls=monthly_calls, monthly_usd=monthly_usd)
                ).rowcount
            )
        )
        if not changed:
            raise ConfigError(
                f"there is no token called {name}", hint="`fanwise token list` shows all"
            )

    async def caller_of(self, token: str) -> Caller | None:
        """Whose token this is; ``None`` for nobody's. Remembered for a few seconds."""
        return await self._known_or(
            f"t{_digest(token)}",
            lambda c: c.execute(
                select(tokens.c.name).where(
                    tokens.c.digest == _digest(token), tokens.c.revoked_at.is_(None)
                )
            ).scalar(),
        )

    async def log_in(self, caller: Caller) -> str:
        """A new login of a browser: the value of its cookie."""
        value = self._new_secret()
        row = {
            "digest": _digest(value),
            "token": caller.name,
            "expires_at": self._clock.wall() + LOGIN_S,
        }
        await self._store.write(lambda c: c.execute(logins.insert(), row))
        return value

    async def log_out(self, cookie: str) -> None:
        """Ends a login."""
        self._known.clear()
        await self._store.write(
            lambda c: c.execute(delete(logins).where(logins.c.digest == _digest(cookie)))
        )

    async def caller_of_cookie(self, cookie: str) -> Caller | None:
        """Who logged in there; ``None`` where nobody has, or too long ago."""
        now = self._clock.wall()
        return await self._known_or(
            f"c{_digest(cookie)}",
            lambda c: c.execute(
                select(logins.c.token)
                .join(tokens, tokens.c.name == logins.c.token)
                .where(
                    logins.c.digest == _digest(cookie),
                    logins.c.expires_at > now,
                    tokens.c.revoked_at.is_(None),
                )
            ).scalar(),
        )

    async def _known_or(self, key: str, read: Callable[[Any], Any]) -> Caller | None:
        now = self._clock.monotonic()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        name = await self._store.read(read)
        caller = None if name is None else Caller(name=name)
        if len(self._known) >= _MOST_CODES:
            self._known.clear()
        self._known[key] = (now + 2.0, caller)
        return caller


class OneUse:
    """Secrets that are good once, and only for a while: codes of links, tickets of sockets.

    Kept in memory alone: a restart ends them.

    Args:
        clock: Time.
        lifetime_s: How long one is good for, in seconds.
        new_secret: Makes a secret.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        lifetime_s: float,
        new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._new_secret = new_secret
        self._open: dict[str, tuple[float, Caller]] = {}

    def issue(self, caller: Caller) -> str:
        """A new one, for that caller."""
        now = self._clock.monotonic()
        self._open = {code: entry for code, entry in self._open.items() if entry[0] > now}
        while len(self._open) >= _MOST_CODES:
            self._open.pop(next(iter(self._open)))
        secret = self._new_secret()
        self._open[_digest(secret)] = (now + self._lifetime_s, caller)
        return secret

    def redeem(self, secret: str) -> Caller | None:
        """Whom it was issued to; ``None`` where it is used up, too old or made up."""
        found = self._open.pop(_digest(secret), None)
        if found is None or found[0] <= self._clock.monotonic():
            return None
        return found[1]


def login_codes(clock: Clock) -> OneUse:
    """The codes of links that ``fanwise serve`` prints: good for ten minutes."""
    return OneUse(clock=clock, lifetime_s=_CODE_S)


def tickets(clock: Clock) -> OneUse:
    """The tickets of WebSockets and event streams: good for half a minute."""
    return OneUse(clock=clock, lifetime_s=_TICKET_S)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(row: Any) -> TokenRecord:
    usd = row["monthly_usd"]
    return TokenRecord(
        name=row["name"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        monthly_calls=row["monthly_calls"],
        monthly_usd=None if usd is None else Decimal(usd),
    )
