"""Fixtures of the command line's tests: the program as a process, and runs to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import fanwise as fw
from fanwise.engine.opening import OpenRun

PROGRAM = [sys.executable, "-c", "from fanwise.cli import main; main()"]


@pytest.fixture
def fanwise(tmp_path):
    """``fanwise("list", …)`` runs the program in ``tmp_path`` to its end."""
    return lambda *words, **how: run_program(*words, **{"cwd": tmp_path, **how})


@pytest.fixture
def start_fanwise(tmp_path):
    """``start_fanwise("run", …)`` starts the program in ``tmp_path``; it is killed at the end."""
    started: list[Program] = []

    def begin(*words: str, **how: Any) -> Program:
        started.append(start_program(*words, **{"cwd": tmp_path, **how}))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


@pytest.fixture
async def session():
    """A client of HTTP that is not ours, as many requests at once as one likes."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@pytest.fixture
def make_run(tmp_path):
    """``await make_run(words, …)`` makes a run of the echo model in ``tmp_path/.fanwise``."""
    return lambda words, **how: run_of_words(tmp_path / ".fanwise", words, **how)


def clean_env(**more: str) -> dict[str, str]:
    """The environment without anything of Fanwise or a provider in it."""
    ours = ("FANWISE_", "OPENAI_", "GROQ_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept |= {"XDG_CONFIG_HOME": "/nonexistent", "NO_PROXY": "127.0.0.1"}
    return kept | more


class Program(subprocess.Popen[str]):
    """The program as a process."""

    def __init__(self, *arguments: Any, cwd: Path, **how: Any) -> None:
        super().__init__(*arguments, cwd=cwd, **how)
        self._place = cwd

    def wait_for_lines(self, count: int, *, file: str = "out.jsonl") -> None:
        """Returns once the running program has written so many lines to a file."""
        path = self._place / file
        for _ in range(3000):
            if path.exists() and path.read_bytes().count(b"\n") >= count:
                return
            try:
                self.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"the program wrote fewer than {count} lines to {file}")


def run_program(
    *words: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=clean_env(**(env or {})),
    )


def start_program(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> Program:
    """Starts the program; the caller ends it."""
    return Program(
        [*PROGRAM, *words],
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_env(**(env or {})),
    )


async def echo(request: fw.Request) -> fw.Response:
    """A model that repeats, and will not take the word ``bad``."""
    text = str(request.messages[-1].content)
    if "bad" in text:
        raise fw.errors.Rejected("the model takes no bad words", hint="be polite", status=400)
    return fw.Response(
        text=f"you said {text}", usage=fw.types.Usage(input_tokens=4, output_tokens=3)
    )


async def run_of_words(
    journal: Path, words: Sequence[str], *, run_id: str | None = None, stop_after: int | None = None
) -> str:
    """A run of the echo model over some words; its ids are ``w0``, ``w1``, …

    Args:
        journal: Its directory.
        words: One item each.
        run_id: Its id.
        stop_after: Leaves the run unfinished after so many outcomes.
    """

    async def ask(ctx: fw.Context, row: Any) -> str:
        return await ctx.call("my/echo", row["word"])

    rows = [{"id": f"w{place}", "word": word} for place, word in enumerate(words)]
    opened = OpenRun(
        "words",
        journal=journal,
        models={"my/echo": echo},
        resume="never",
        run_id=run_id,
        limits=fw.Limits(concurrency=1),
    )
    async with opened as run:
        async with run.map(ask, rows, model_of=lambda _: "my/echo") as outcomes:
            seen = 0
            async for _ in outcomes:
                seen += 1
                if seen == stop_after:
                    break
        return run.run_id
