"""Asking the owner of a run, from any other process of the same user on the same machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final, cast

import orjson

from fanwise.engine.steering.address import is_private, sockets_of
from fanwise.engine.steering.orders import Order
from fanwise.errors import ConfigError, Conflict

_PATIENCE_S: Final = 10.0
_MOST_BYTES: Final = 1 << 20


def ask(
    order: Order, *, location: str, run_id: str, patience_s: float = _PATIENCE_S
) -> dict[str, Any] | None:
    """Gives an order to whoever works on a run.

    Args:
        order: What is asked.
        location: The run's journal.
        run_id: The run.
        patience_s: How long an answer may take, in seconds.

    Returns:
        The run's state after it; ``None`` where nobody listens here: then nothing was changed.

    Raises:
        ConfigError: The owner refuses the order; nothing was changed.
        Conflict: The owner does not answer, or ended meanwhile.
    """
    for path in sockets_of(location, run_id, env=os.environ):
        if not is_private(path.parent):
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience_s)
            try:
                connection.connect(os.fspath(path))
            except (FileNotFoundError, ConnectionRefusedError):
                continue  # none, or one that a killed owner left
            except OSError as error:
                raise _unanswered(path, run_id, error) from error
            try:
                connection.sendall(orjson.dumps(order.as_json()) + b"\n")
                line = _line(connection)
            except OSError as error:
                raise _unanswered(path, run_id, error) from error
        return _answer(line, run_id)
    return None


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n") and len(received) < _MOST_BYTES:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def _answer(line: bytes, run_id: str) -> dict[str, Any]:
    try:
        answer: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Conflict(
            f"run {run_id} ended while it was asked", hint=f"`fanwise show {run_id}` shows it"
        ) from None
    if answer.get("ok"):
        return cast("dict[str, Any]", answer["state"])
    error: dict[str, str] = answer.get("error", {})
    raise ConfigError(error.get("message", "the order was refused"), hint=error.get("hint", ""))


def _unanswered(path: Path, run_id: str, error: OSError) -> Conflict:
    reason = error.strerror or "no answer in time"
    return Conflict(
        f"the process that works on run {run_id} does not answer at {path}: {reason}",
        hint="try again, or press Ctrl-C there",
    )
