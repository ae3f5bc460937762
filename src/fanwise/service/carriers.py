"""Reports of carriers: their secrets, and the scan's tables that they are written to."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import fanwise as fw

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.journal.home import Home

SECRET_ENV = "FANWISE_WEBHOOK_SECRET_"  # noqa: S105 - a name, not a secret


class Carriers:
    """Takes what carriers report.

    Args:
        home: Where the scan's tables are; opened with the first report.
        clock: Time.
    """

    def __init__(self, home: Home, *, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._store: fw.Store | None = None
        self._opening = asyncio.Lock()

    async def report(self, carrier: str, body: bytes, *, signature: str) -> None:
        """Takes a report; once this returns it is durable.

        Raises:
            BadSignature: There is no secret of such a carrier, or it did not sign with it.
            InvalidFields, JournalUnavailable: As :func:`fanwise.pipelines.scan.record_event`.
        """
        from fanwise.pipelines.scan import BadSignature, record_event

        name = SECRET_ENV + carrier.upper().replace("-", "_")
        secret = os.environ.get(name, "") if name.isascii() and name.isidentifier() else ""
        if not secret:
            raise BadSignature(
                "no secret is known for reports of this carrier",
                hint=f"the service takes reports of carriers whose secret is in {SECRET_ENV}…",
            )
        await record_event(
            await self._tables(),
            body,
            carrier=carrier,
            signature=signature,
            secret=secret,
            now=self._clock.wall,
        )

    async def aclose(self) -> None:
        """Closes the tables."""
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    async def _tables(self) -> fw.Store:
        async with self._opening:
            if self._store is None:
                from fanwise.pipelines.scan.tables import metadata

                store = fw.Store(self._home, "scan", metadata)
                try:
                    await store.__aenter__()
                except BaseException:
                    await store.close()
                    raise
                self._store = store
        return self._store
