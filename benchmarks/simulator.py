"""How many requests the simulated provider serves for a second of one core.

The clients are bare protocols in a process of their own; what is measured is the processor time of
the server's process, its start included.

    python benchmarks/simulator.py [requests]
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any

from fanwise.simulator.profile import profile_from_options
from fanwise.simulator.provider import SimulatedProvider

CASES = ((64, {"profile": "instant"}), (2000, {"latency": "0.5", "sigma": "0.2"}))
QUESTION = "Please tell me about the thing. " * 6


def serve(options: dict[str, str], said: Queue[Any], stop: Event) -> None:
    async def main() -> None:
        async with SimulatedProvider(profile_from_options(options)) as provider:
            said.put(provider.base_url)
            await asyncio.to_thread(stop.wait)
        used = resource.getrusage(resource.RUSAGE_SELF)
        said.put((used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, provider.statistics()))

    run(main())


def run(main: Any) -> Any:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


class Work:
    """What is left to send, and the end of it all."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.open = len(requests)
        self.done = asyncio.Event()


class Client(asyncio.Protocol):
    """Sends one request after another until none is left."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        """Begins with the first one."""
        self.transport = transport
        self.send()

    def send(self) -> None:
        """Sends the next one, or hangs up."""
        if self.work.requests:
            self.transport.write(self.work.requests.pop())
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Goes on to the next once the answer is whole."""
        self.buffer += data
        head, _, body = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self.buffer = b""
            self.work.open -= 1
            if not self.work.open:
                self.work.done.set()
            self.send()


def request(number: int) -> bytes:
    message = {"role": "user", "content": f"Item {number}: {QUESTION}"}
    body = json.dumps({"model": "m", "messages": [message], "max_tokens": 30}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"idempotency-key: k{number}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(url: str, *, connections: int, total: int) -> float:
    host, port = url.split("/")[2].split(":")
    work = Work([request(n) for n in range(total)])
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(work), host, int(port))
    async with asyncio.timeout(60):
        await work.done.wait()
    return time.monotonic() - began


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 10_000), limit))
    print(
        f"{'connections':>11} {'served':>7} {'wall s':>7} {'CPU s':>6} {'per core/s':>10} {'MB':>4}"
    )
    for connections, options in CASES:
        said: Queue[Any] = multiprocessing.Queue()
        stop = multiprocessing.Event()
        server = multiprocessing.Process(target=serve, args=(options, said, stop))
        server.start()
        wall_s = run(load(said.get(), connections=connections, total=total))
        stop.set()
        cpu_s, memory_mb, statistics = said.get()
        server.join()
        print(
            f"{connections:>11} {statistics.served:>7} {wall_s:>7.2f} {cpu_s:>6.2f} "
            f"{statistics.served / cpu_s:>10.0f} {memory_mb:>4.0f}"
        )


if __name__ == "__main__":
    main()
