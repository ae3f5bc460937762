"""Standard output and error: all that is written arrives, however it is taken."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fanwise.cli.standard import WholeWrites, whole_output

TEXT = "".join(f"line {number} é\n" for number in range(60_000))


def through_a_pipe(write: Callable[[int], None], *, blocking: bool) -> bytes:
    """What a reader gets of what is written into a pipe that is full at first."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = os.write(writing, b"x" * 10_000_000)
    os.set_blocking(writing, blocking)
    got: list[bytes] = []

    def read() -> None:
        while data := os.read(reading, 1000):
            got.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        write(writing)
    finally:
        os.close(writing)
        reader.join()
        os.close(reading)
    return b"".join(got)[filled:]


@pytest.mark.parametrize("blocking", [True, False])
def test_all_of_a_write_arrives_at_a_slow_reader(blocking: bool) -> None:
    def write(descriptor: int) -> None:
        assert WholeWrites(descriptor).write(TEXT.encode()) == len(TEXT.encode())

    assert through_a_pipe(write, blocking=blocking) == TEXT.encode()


@pytest.mark.parametrize("unbuffered", [True, False])
def test_the_program_loses_nothing_where_python_is_unbuffered_or_output_does_not_block(
    unbuffered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(descriptor: int) -> None:
        raw = io.FileIO(descriptor, "w", closefd=False)
        under: Any = raw if unbuffered else io.BufferedWriter(raw)
        stream = io.TextIOWrapper(under, encoding="utf-8", write_through=unbuffered)
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "__stdout__", stream)
        whole_output()
        sys.stdout.write(TEXT)
        sys.stdout.flush()
        monkeypatch.undo()

    assert through_a_pipe(write, blocking=False) == TEXT.encode()


def test_a_stream_that_somebody_has_put_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    whole_output()
    assert sys.stdout is stream


def test_a_reader_that_has_gone_is_told_of() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        WholeWrites(writing).write(b"x")
    os.close(writing)
