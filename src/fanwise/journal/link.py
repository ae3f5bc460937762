"""What a journal asks of its database connection; one implementation each for SQLite and
PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Table

from fanwise.journal import schema

# What happens to a row whose key is there already. Other keys are always new.
ON_CONFLICT = {
    schema.items: "",
    schema.calls: (
        "ON CONFLICT (id) DO UPDATE SET resends = excluded.resends, intent = excluded.intent"
    ),
    schema.outcomes: (
        "ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = excluded.record"
    ),
    schema.requests: "",
    schema.events: "",
    schema.cache: (
        "ON CONFLICT (content_key, scope, sample) DO UPDATE SET"
        " written_at = excluded.written_at, bytes = excluded.bytes, record = excluded.record"
    ),
}


class Link(Protocol):
    """One connection of one run, used by one thread at a time.

    Statements are plain SQL on the driver's own cursor, compiled once: this is the hot path, and
    each statement is one hand-over of the interpreter lock whatever the number of rows. ``:list``
    in a statement stands for the list of values, ``?`` for the others, which come before it.

    Every method raises what the driver raises; :meth:`judge` says what it means.
    """

    def begin(self) -> None:
        """Starts a transaction that may write."""
        ...

    def commit(self) -> None:
        """Returns once the transaction is durable."""
        ...

    def rollback(self) -> None:
        """Ends the transaction without a trace; does nothing where none is open."""
        ...

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts rows given in the order of the table's columns, as ``ON_CONFLICT`` says."""
        ...

    def listed(
        self, statement: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        """Runs a statement over a list of values and returns its rows, in any number of goes."""
        ...

    def gathered(
        self, columns: Sequence[str], rest: str, values: Collection[Any], *before: Any
    ) -> Sequence[Sequence[Any]]:
        """As :meth:`listed` for ``SELECT columns rest``, fetched as a whole and not row by row.

        No column may be bytes or a float: SQLite hands the rows over as one JSON text.
        """
        ...

    def hex(self, column: str) -> str:
        """The SQL for a bytes column in hexadecimal digits."""
        ...

    def execute(self, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
        """Runs one statement and returns its rows."""
        ...

    def stream(self, statement: str, *values: Any) -> Iterator[Sequence[Any]]:
        """As :meth:`execute`, a row at a time; the connection does nothing else meanwhile."""
        ...

    def update(self, statement: str, *values: Any) -> int:
        """Runs one statement and returns how many rows it changed."""
        ...

    def judge(self, error: Exception) -> Exception | None:
        """What a driver's error means for the whole journal; ``None`` where it concerns the
        values of one row only.
        """
        ...

    def close(self) -> None:
        """Gives the connection back."""
        ...
