"""What a command's end means to the shell: exit codes, and errors as people and programs read them.

Codes: 0 all succeeded · 1 error · 2 usage · 3 finished, some items failed · 4 budget or deadline
reached · 5 journal unavailable · 130 interrupted, resumable.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Mapping
from enum import IntEnum

from fanwise.errors import (
    BudgetExhausted,
    FanwiseError,
    JournalError,
    RunAborted,
    UsageError,
)


class ExitCode(IntEnum):
    """The program's exit codes; a contract with scripts."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    LIMIT_REACHED = 4
    JOURNAL = 5
    INTERRUPTED = 130


class ReaderGone(Exception):
    """Whoever read our standard output has gone: no fault, and nothing is left to say."""


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that an exception ends the program with.

    A run that was aborted takes the code of what aborted it.
    """
    if isinstance(error, RunAborted) and error.__cause__ is not None:
        return exit_code_of(error.__cause__)
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, BudgetExhausted):
        return ExitCode.LIMIT_REACHED
    if isinstance(error, JournalError):
        return ExitCode.JOURNAL
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.ERROR


def describe(error: BaseException) -> tuple[str, str, str]:
    """An exception as kind, message and hint."""
    if isinstance(error, FanwiseError):
        return error.code, error.message, error.hint
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        where = f"{error.filename}: " if error.filename else ""
        return "os", f"{where}{what}", _OS_HINTS.get(error.errno or 0, "")
    hint = "this is a fault of Fanwise: FANWISE_DEBUG=1 shows where, please report it"
    return "internal", f"{type(error).__name__}: {error}", hint


_OS_HINTS: Mapping[int, str] = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check the permissions of the file and its directory",
    errno.EPERM: "check the permissions of the file and its directory",
    errno.EISDIR: "name a file, not a directory",
    errno.ENOTDIR: "a part of the path is a file",
    errno.ENOSPC: "free some space on the disk, then `fanwise resume`",
    errno.EADDRINUSE: "another program uses this port: choose another with --port",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`) or lower --max-concurrency",
}


def report_failure(error: BaseException, *, as_json: bool) -> None:
    """Says on stderr what happened and how to mend it; with ``as_json`` also as data on stdout.

    ``FANWISE_DEBUG=1`` shows the traceback.
    """
    kind, message, hint = describe(error)
    report(kind, message, hint=hint, as_json=as_json)
    if os.environ.get("FANWISE_DEBUG", "") not in {"", "0"}:
        traceback.print_exception(error, file=sys.stderr)


def report(kind: str, message: str, *, hint: str, as_json: bool) -> None:
    """Prints one error that is already in parts."""
    if as_json:
        import json

        error = {"kind": kind, "message": message, "hint": hint}
        print(json.dumps({"error": error}, ensure_ascii=False))  # noqa: T201
    sys.stderr.write(f"{_mark('error:', '31;1')} {printable(message)}\n")
    if hint:
        sys.stderr.write(f"{_mark('hint:', '36')} {printable(hint)}\n")
    sys.stderr.flush()


def _mark(word: str, colour: str) -> str:
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[{colour}m{word}\x1b[0m" if coloured else word


def printable(text: str) -> str:
    """Text without control characters: messages quote data, and data may try to steer a terminal.

    Newlines and tabs stay.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def silence_stdout() -> None:
    """After its reader has gone, stdout leads nowhere, so that no later flush complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
