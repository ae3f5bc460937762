"""The cross-run cache: answers that any run may use again, where the user asked for it.

It is no record of anything: it is written after the journal, what it loses is asked again, and no
failure of it reaches a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from fanwise.clock import Clock
from fanwise.errors import JournalError, JournalUnavailable, StateError
from fanwise.journal import codec, schema
from fanwise.journal.link import Link
from fanwise.journal.writer import Entry, GroupWriter
from fanwise.records import CallKey, CallRecord

T = TypeVar("T")

CacheKey: TypeAlias = tuple[str, str, int]
"""Scope (tenant and credential pool), content key, sample."""

_PUTS_BETWEEN_PRUNING = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """What the cache holds, and how this process fared with it.

    ``oldest_at`` is in seconds since the epoch; ``failures`` counts groups of look-ups or writes
    that failed (they count as misses), ``last_failure`` says why.
    """

    entries: int
    bytes: int
    oldest_at: float | None
    hits: int
    misses: int
    failures: int
    last_failure: str


class _Get(NamedTuple):
    keys: Sequence[CacheKey]


class _Put(NamedTuple):
    key: CacheKey
    written_at: float
    record: str


class _Run(NamedTuple):
    work: Callable[[Link], object]


_Work: TypeAlias = _Get | _Put | _Run


class Cache:
    """Looks up and keeps served calls. Used from one event loop at a time.

    Args:
        connect: Opens the connection, in the cache's thread, at the first use.
        clock: Time of entries.
        max_bytes: Size of the records above which the oldest go.
        max_age_s: Age above which entries count as absent and go.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        *,
        clock: Clock,
        max_bytes: int = 1 << 30,
        max_age_s: float = 30 * 86400.0,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._writer = GroupWriter(self._commit, name="cache")
        self._link: Link | None = None
        self._hits = self._misses = self._failures = 0
        self._last_failure = ""
        self._puts = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<Cache: {self._hits} hits, {self._misses} misses, {self._failures} failures>"

    async def get(self, key: CacheKey) -> CallRecord | None:
        """A served call of that key; ``None`` where there is none.

        The record's key has an empty item. Calls under way together are one look-up.
        """
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[CacheKey]) -> Mapping[CacheKey, CallRecord]:
        """Those of the keys that are there."""
        wanted = list(dict.fromkeys(keys))
        if not wanted or self._closed:
            return {}
        found: Mapping[CacheKey, str] = await self._writer.submit(_Get(wanted))
        self._hits += len(found)
        self._misses += len(wanted) - len(found)
        return {key: _load(key, record) for key, record in found.items()}

    async def put(self, key: CacheKey, record: CallRecord) -> None:
        """Keeps a served call. Returns at once: nobody has to wait for a cache.

        Where writing cannot keep up, entries are left out.
        """
        if not self._closed and not self._writer.full:
            # The writer keeps the future until it is done, and nobody needs its result.
            self._writer.submit(_Put(key, self._clock.wall(), codec.dump_call(record)))

    async def clear(self, *, scope: str | None = None) -> int:
        """Removes all entries, or those of a scope; returns how many.

        Raises:
            JournalError: It cannot be written.
        """

        def work(link: Link) -> int:
            if scope is None:
                return link.update("DELETE FROM cache_1 WHERE 1 = 1")
            return link.update("DELETE FROM cache_1 WHERE scope = ?", scope)

        return await self._run(work)

    async def prune(self, *, max_bytes: int | None = None, max_age_s: float | None = None) -> int:
        """Removes what is too old, then the oldest until the rest fits; returns how many.

        Args:
            max_bytes: By default the cache's own.
            max_age_s: By default the cache's own.

        Raises:
            JournalError: It cannot be written.
        """
        size = self._max_bytes if max_bytes is None else max_bytes
        oldest = self._clock.wall() - (self._max_age_s if max_age_s is None else max_age_s)
        return await self._run(lambda link: _prune(link, max_bytes=size, oldest_at=oldest))

    async def statistics(self) -> CacheStatistics:
        """What it holds.

        Raises:
            JournalError: It cannot be read.
        """
        rows = await self._run(
            lambda link: link.execute("SELECT count(*), sum(bytes), min(written_at) FROM cache_1")
        )
        return CacheStatistics(
            entries=rows[0][0],
            bytes=int(rows[0][1] or 0),
            oldest_at=rows[0][2],
            hits=self._hits,
            misses=self._misses,
            failures=self._failures,
            last_failure=self._last_failure,
        )

    async def close(self) -> None:
        """Writes what is queued and closes the connection. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._writer.flush()
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._writer.stop()
        self._give_up()

    async def _run(self, work: Callable[[Link], T]) -> T:
        if self._closed:
            raise StateError("the cache is closed", hint="open it anew")
        return await self._writer.submit(_Run(work))

    # in the thread

    def _commit(self, group: Sequence[Entry[_Work]]) -> None:
        try:
            self._serve(group)
        except Exception as error:  # noqa: BLE001  (no failure of a cache may reach a run)
            self._failures += 1
            self._last_failure = f"{type(error).__name__}: {error}"
            self._give_up()
            for entry in group:
                if isinstance(entry.work, _Get):
                    entry.result = {}
                elif isinstance(entry.work, _Run):
                    entry.error = _as_journal_error(error)

    def _serve(self, group: Sequence[Entry[_Work]]) -> None:
        if self._link is None:
            self._link = self._connect()
        link = self._link
        puts = [entry.work for entry in group if isinstance(entry.work, _Put)]
        if puts:
            self._write(link, puts)
        gets = [entry for entry in group if isinstance(entry.work, _Get)]
        if gets:
            self._look_up(link, gets)
        for entry in group:
            if isinstance(entry.work, _Run):
                entry.result = entry.work.work(link)

    def _write(self, link: Link, puts: Sequence[_Put]) -> None:
        rows = {
            key: (codec.pack_key(key[1]), key[0], key[2], written_at, len(record), record)
            for key, written_at, record in puts
        }
        link.begin()
        link.insert(schema.cache, list(rows.values()))
        self._puts += len(rows)
        if self._puts >= _PUTS_BETWEEN_PRUNING:
            self._puts = 0
            oldest_at = self._clock.wall() - self._max_age_s
            _prune(link, max_bytes=self._max_bytes, oldest_at=oldest_at)
        link.commit()

    def _look_up(self, link: Link, gets: Sequence[Entry[_Work]]) -> None:
        wanted = {key for entry in gets if isinstance(entry.work, _Get) for key in entry.work.keys}
        rows = link.listed(
            "SELECT scope, content_key, sample, record FROM cache_1"
            " WHERE written_at >= ? AND content_key IN :list",
            {codec.pack_key(key[1]) for key in wanted},
            self._clock.wall() - self._max_age_s,
        )
        found = {(row[0], codec.unpack_key(bytes(row[1])), row[2]): row[3] for row in rows}
        for entry in gets:
            if isinstance(entry.work, _Get):
                entry.result = {key: found[key] for key in entry.work.keys if key in found}

    def _give_up(self) -> None:
        link, self._link = self._link, None  # the next group connects anew
        if link is not None:
            try:
                link.close()
            except Exception as error:  # noqa: BLE001  (it failed already)
                self._last_failure = f"{type(error).__name__}: {error}"


def _prune(link: Link, *, max_bytes: int, oldest_at: float) -> int:
    removed = link.update("DELETE FROM cache_1 WHERE written_at < ?", oldest_at)
    kept = 0
    for written_at, size in link.execute(
        "SELECT written_at, sum(bytes) FROM cache_1 GROUP BY written_at ORDER BY written_at DESC"
    ):
        kept += int(size)
        if kept > max_bytes:
            return removed + link.update("DELETE FROM cache_1 WHERE written_at <= ?", written_at)
    return removed


def _load(key: CacheKey, record: str) -> CallRecord:
    return codec.load_call(
        CallKey("", key[1], key[2]), state="served", resends=0, intent="", record=record
    )


def _as_journal_error(error: Exception) -> JournalError:
    if isinstance(error, JournalError):
        return error
    failed = JournalUnavailable(
        f"the cache failed: {error}", hint="`fanwise cache clear` empties it; no run depends on it"
    )
    failed.__cause__ = error
    return failed
