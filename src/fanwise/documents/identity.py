"""What a row is called: by its own id, or by what stands in it; never by its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from hashlib import blake2b

import orjson

from fanwise.documents.row import Row
from fanwise.errors import InputError
from fanwise.records import Json

_RECENT_MOST = 16_384
_ID_BYTES = 12


def row_id(data: Mapping[str, Json], *, occurrence: int = 1) -> str:
    """The id of a row that brings none: a hash of its columns, whatever their order.

    Args:
        data: The row.
        occurrence: Which of several equal rows it is, 1-based.

    Returns:
        24 hexadecimal digits, followed by ``-n`` for the second and later occurrences.
    """
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    digest = blake2b(text, digest_size=_ID_BYTES).hexdigest()
    return digest if occurrence == 1 else f"{digest}-{occurrence}"


def identified(rows: Iterable[Row], *, source: str = "") -> Iterator[Row]:
    """The same rows, each with an id.

    A row without one gets the hash of its content; equal rows get an occurrence number. Order
    between equal rows does not matter, so the ids survive any reordering of the file. Memory is
    bounded: above 16 384 rows, what has been seen moves to a temporary file (about 20 bytes a row).

    Args:
        rows: Rows as read, in any order; consumed one by one.
        source: The file's name, for messages.

    Raises:
        InputError: Two rows bring the same id; both lines are named.
    """
    with closing(Seen()) as seen:
        for row in rows:
            if row.id is not None:
                first = seen.swap(hash(row.id), row.line, replace=False)
                if first is not None:
                    raise InputError(
                        f"the rows in lines {first} and {row.line} both have the id {row.id!r}",
                        source=source,
                        hint="give each row its own id, or leave the id column out",
                    )
                yield row
                continue
            plain = row_id(row.data)
            key = hash((plain,))
            before = seen.swap(key, 1, replace=True, add=True) or 0
            name = plain if before == 0 else f"{plain}-{before + 1}"
            yield Row(name, row.position, row.line, row.data)


class Seen:
    """64-bit keys and one number each: the newest in memory, the rest in a temporary database.

    SQLite's nameless database is a file of its own that is deleted when it is closed. It may be
    used from any thread, by one at a time. Two names share a key once in 10^8 runs of a million.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._stored: sqlite3.Connection | None = None

    def add(self, name: str) -> None:
        """Remembers a name."""
        self.swap(hash(name), 1, replace=False)

    def __contains__(self, name: str) -> bool:
        return self._get(hash(name)) is not None

    def swap(self, key: int, number: int, *, replace: bool, add: bool = False) -> int | None:
        """The number kept so far. Keeps the new one where there is none or it is to be replaced."""
        before = self._get(key)
        if before is None or replace:
            self._recent[key] = number + (before or 0) if add else number
            if len(self._recent) >= _RECENT_MOST:
                self._store()
        return before

    def _get(self, key: int) -> int | None:
        number = self._recent.get(key)
        if number is None and self._stored is not None:
            found = self._stored.execute("SELECT n FROM seen WHERE k = ?", (key,)).fetchone()
            number = None if found is None else found[0]
        return number

    def _store(self) -> None:
        if self._stored is None:
            self._stored = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._stored.execute("PRAGMA journal_mode = OFF")
            self._stored.execute("PRAGMA cache_size = -2048")
            self._stored.execute("CREATE TABLE seen (k INTEGER PRIMARY KEY, n INTEGER)")
        self._stored.execute("BEGIN")
        # In the order of the keys, so that each page of the file is touched once.
        self._stored.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?, ?)", sorted(self._recent.items())
        )
        self._stored.execute("COMMIT")
        self._recent.clear()

    def close(self) -> None:
        """Forgets everything."""
        self._recent.clear()
        if self._stored is not None:
            self._stored.close()
            self._stored = None
