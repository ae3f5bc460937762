"""The beginning of a session: a run's rows made or found, and what a dead session left in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanwise.errors import CorruptRecord
from fanwise.journal import codec, schema
from fanwise.journal.ledger import Ledger
from fanwise.journal.link import Link
from fanwise.journal.schema import SPAN
from fanwise.journal.tally import Tally
from fanwise.records import CallKey, Counters, RunRecord, RunSpec

RUN_COLUMNS = "id, run_id, name, command, options, status, created_at, updated_at"
_NOBODY = CallKey("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stretch of work on a run, from its opening on.

    Args:
        run: The run as it was found.
        number: Its row in ``runs``.
        token: Raised at each opening; who holds an older one may not write any more.
        row: The session's row in ``sessions``.
        resumed: Whether the run held work before.
    """

    run: RunRecord
    number: int
    token: int
    row: int
    resumed: bool


def insert_run(link: Link, *, number: int, run_id: str, spec: RunSpec, wall_s: float) -> None:
    """Makes a run's row; :func:`begin_session` then opens it."""
    link.update(
        "INSERT INTO runs (id, run_id, name, command, options, status, created_at, updated_at,"
        " token, holder, counters, open_from, indexed_items, indexed_requests)"
        " VALUES (?, ?, ?, ?, ?, 'running', ?, ?, 0, '', ?, ?, ?, ?)",
        number,
        run_id,
        spec.name,
        spec.command,
        codec.dump(dict(spec.options)),
        wall_s,
        wall_s,
        codec.dump(Tally().document()),
        number * SPAN,
        number * SPAN,
        number * SPAN,
    )


def begin_session(link: Link, *, run_id: str, wall_s: float, holder: str) -> Session:
    """Opens a run inside a transaction of the caller, who holds the run's lock.

    Calls that a dead session left open become ambiguous, its end becomes its last commit.
    """
    found = link.execute(f"SELECT {RUN_COLUMNS}, token FROM runs WHERE run_id = ?", run_id)  # noqa: S608
    if not found:
        raise CorruptRecord(
            f"the journal of run {run_id} holds no such run",
            hint="the file was renamed or belongs to another program: move it away",
        )
    run = run_of(found[0][:8], live=True)
    number, token = found[0][0], found[0][8] + 1
    base = number * SPAN
    last = _last(link, "sessions", base)
    link.update(
        "UPDATE sessions SET ended_at = ? WHERE id = ? AND closed = 0", run.updated_at, last
    )
    row = last + 1
    link.update(
        "INSERT INTO sessions (id, started_at, ended_at, closed, account) VALUES (?, ?, ?, 0, '')",
        row,
        wall_s,
        wall_s,
    )
    tally = _mark_ambiguous(link, number)
    link.update(
        "UPDATE runs SET status = 'running', updated_at = ?, token = ?, holder = ?, counters = ?,"
        " open_from = ? WHERE id = ?",
        wall_s,
        token,
        holder,
        codec.dump(tally.document()),
        _last(link, "calls", base) + 1,
        number,
    )
    resumed = any(_last(link, table, base) > base for table in ("calls", "events"))
    return Session(run=run, number=number, token=token, row=row, resumed=resumed)


def load_ledger(link: Link, *, number: int) -> Ledger:
    """What the writer must know, from the rows."""
    base = number * SPAN
    found = link.execute(
        "SELECT counters, indexed_items, indexed_requests FROM runs WHERE id = ?", number
    )
    indexed_items, indexed_requests = found[0][1:]
    names = link.execute(
        "SELECT item_id, id FROM items WHERE id > ? AND id < ?", indexed_items, base + SPAN
    )
    keys = link.execute(
        "SELECT content_key FROM requests WHERE id > ? AND id < ?", indexed_requests, base + SPAN
    )
    return Ledger(
        run=number,
        base=base,
        tally=Tally.of_document(codec.load(found[0][0])),
        next_item=_last(link, "items", base) + 1,
        next_call=_last(link, "calls", base) + 1,
        next_request=_last(link, "requests", base) + 1,
        next_event=_last(link, "events", base) + 1,
        indexed_items=indexed_items,
        indexed_requests=indexed_requests,
        recent_items={row[0]: row[1] for row in names},
        recent_requests={codec.unpack_key(bytes(row[0])) for row in keys},
    )


def run_of(row: Any, *, live: bool) -> RunRecord:
    """A run from its :data:`RUN_COLUMNS`."""
    _, run_id, name, command, options, status, created_at, updated_at = row
    spec = RunSpec(name=name, command=command, options=codec.load(options))
    return RunRecord(
        run_id=run_id,
        spec=spec,
        status=status,
        created_at=created_at,
        updated_at=updated_at,
        live=live,
    )


def counters_of(link: Link, number: int) -> Counters:
    """A run's totals as of its last commit."""
    found = link.execute("SELECT counters FROM runs WHERE id = ?", number)
    return Tally.of_document(codec.load(found[0][0])).counters()


def _mark_ambiguous(link: Link, number: int) -> Tally:
    found = link.execute("SELECT counters, open_from FROM runs WHERE id = ?", number)
    tally = Tally.of_document(codec.load(found[0][0]))
    left_open = link.execute(
        "SELECT c.id, o.record FROM calls c LEFT JOIN outcomes o ON o.id = c.id"
        " WHERE c.id >= ? AND c.id < ? AND (o.id IS NULL OR o.state = 'sending')",
        found[0][1],
        (number + 1) * SPAN,
    )
    for _, record in left_open:
        call = codec.load_call(_NOBODY, state="sending", resends=0, intent="", record=record or "")
        tally.end(call, "sending", sign=-1)
        tally.end(call, "ambiguous")
    rows = [(call, "ambiguous", record or "") for call, record in left_open]
    link.insert(schema.outcomes, rows)
    return tally


def _last(link: Link, table: str, base: int) -> int:
    found = link.execute(
        f"SELECT id FROM {table} WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1",  # noqa: S608
        base,
        base + SPAN,
    )
    return found[0][0] if found else base
