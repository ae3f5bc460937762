"""A light OpenAI-like server for benchmarks: one process, one loop, one answer.

``python benchmarks/server.py --delay-ms 500`` prints its port on the first line (and, with
``--tls``, the path of the authority to trust on the second), then answers every request with the
same chat completion after the delay. It ends when its standard input ends, so that it never
outlives whoever started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

MODEL = "bench-1"


def completion(characters: int) -> bytes:
    """The body of every answer: a chat completion whose content has so many characters."""
    answer = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "x" * characters, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70},
        "system_fingerprint": "fp_0123456789",
    }
    return json.dumps(answer).encode()


class Answering(asyncio.Protocol):
    """Reads requests framed by ``Content-Length`` and answers each after the delay."""

    def __init__(self, answer: bytes, delay_s: float) -> None:
        self._answer = answer
        self._delay_s = delay_s
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._transport = None

    def data_received(self, data: bytes) -> None:  # noqa: D102
        received = self._received + data if self._received else data
        while True:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                break
            size = end + 4 + _content_length(received[:end])
            if len(received) < size:
                break
            received = received[size:]
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._reply)
            else:
                self._reply()
        self._received = received

    def _reply(self) -> None:
        if self._transport is not None:
            self._transport.write(self._answer)


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at + 2)
    return int(head[at + 17 : end if end > 0 else len(head)])


def _wire(body: bytes) -> bytes:
    # As many headers as a provider sends, since reading them is part of the work.
    lines = [
        "HTTP/1.1 200 OK",
        "date: Mon, 01 Dec 2025 12:00:00 GMT",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "x-request-id: req_0123456789abcdef0123456789abcdef",
        "openai-processing-ms: 12",
        "openai-version: 2020-10-01",
        "x-ratelimit-limit-requests: 30000",
        "x-ratelimit-limit-tokens: 150000000",
        "x-ratelimit-remaining-requests: 29999",
        "x-ratelimit-remaining-tokens: 149999950",
        "x-ratelimit-reset-requests: 2ms",
        "x-ratelimit-reset-tokens: 0s",
    ]
    return ("\r\n".join([*lines, "", ""])).encode() + body


async def _serve(options: argparse.Namespace, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    answer = _wire(completion(options.characters))
    server = await loop.create_server(
        lambda: Answering(answer, options.delay_ms / 1000),
        "127.0.0.1",
        options.port,
        ssl=context,
        backlog=4096,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    if context is not None:
        print(options.ca_file, flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


def _tls(ca_file: str) -> ssl.SSLContext:
    import trustme

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(ca_file)
    return context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--characters", type=int, default=80, help="length of the answer's text")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument(
        "--ca-file", default="bench-ca.pem", help="where --tls writes its authority"
    )
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = _tls(options.ca_file) if options.tls else None
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        runner.run(_serve(options, context))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server under way. ``ca_file`` is empty without TLS."""

    url: str
    ca_file: str


@contextmanager
def serving(*, delay_ms: float = 0.0, tls: bool = False, characters: int = 80) -> Iterator[Served]:
    """Runs this server in a process of its own for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        ca_file = str(Path(folder) / "ca.pem")
        command = [sys.executable, __file__, f"--delay-ms={delay_ms}", f"--ca-file={ca_file}"]
        command += [f"--characters={characters}", *(["--tls"] if tls else [])]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                port = int(process.stdout.readline())
                scheme = "https" if tls else "http"
                yield Served(
                    url=f"{scheme}://127.0.0.1:{port}/v1/chat/completions",
                    ca_file=ca_file if tls else "",
                )
            finally:
                process.stdin.close()


if __name__ == "__main__":
    main()
