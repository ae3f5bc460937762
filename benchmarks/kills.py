"""A run that is killed with -9 again and again, at moments drawn by time, and resumed.

    python benchmarks/kills.py [--rounds 10] [--calls 1500] [--in-flight 40] [--seed 0]

The client is the command line, the server a process of its own that counts what it is sent. Every
round checks after each kill that the file is sound and that no result was shown that is not
committed, and at its end that all answers are there and right, that no more calls were repeated
than were open at the kills, and that the report lists them. It stops at the first that fails.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.answers import text_of
from support.program import RunFile, read_lines, run, start, write_lines
from support.server import Server, serving

FIRST_S, LAST_S = 0.3, 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--in-flight", type=int, default=40)
    parser.add_argument("--latency-ms", type=float, nargs=2, default=[20, 120])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{'seed':>5} {'kills':>6} {'sent':>7} {'repeated':>9} {'listed':>7}")
    for seed in range(options.seed, options.seed + options.rounds):
        with tempfile.TemporaryDirectory() as folder, serving(latency_ms=options.latency_ms) as to:
            one_round(seed, options, Path(folder), to)


def one_round(seed: int, options: argparse.Namespace, folder: Path, server: Server) -> None:
    """Begins a run, kills and resumes it until it ends, and checks everything."""
    chance = random.Random(seed)
    rows = [{"id": f"i{n}", "text": f"task {n}"} for n in range(options.calls)]
    write_lines(folder / "in.jsonl", rows)
    begin = ("run", "in.jsonl", "-m", "openai/one", "-p", "{{ text }}", "-o", "out.jsonl", "-q")
    begin += ("-j", str(options.in_flight), "--base-url", server.base_url)
    begin += ("--ordered",) if seed % 2 else ()
    kills, still_open = 0, 0
    while True:
        begun = any((folder / ".fanwise" / "runs").glob("*.db"))
        process = start(*(("resume", "-q") if begun else begin), cwd=folder)
        try:
            process.wait(chance.uniform(FIRST_S, LAST_S))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kills += 1
        still_open += check_after_a_kill(folder, options.in_flight)
    # 2: the kill fell between the run's end and its process's.
    assert process.returncode in {0, 2}, (folder / "stderr").read_text()
    lines = read_lines(folder / "out.jsonl")
    assert Counter(line["id"] for line in lines) == Counter(row["id"] for row in rows)
    assert all(line["output"] == text_of("one", line["item"]["text"]) for line in lines)
    sent = Counter(line["prompt"] for line in server.ledger())
    repeated = sent.total() - len(sent)
    report = json.loads(run("report", "--json", cwd=folder).stdout)
    listed = {call["item_id"] for call in report["ambiguous"]}
    assert repeated <= still_open
    assert {"i" + prompt.split()[1] for prompt, count in sent.items() if count > 1} <= listed
    print(f"{seed:5} {kills:6} {sent.total():7,} {repeated:9} {len(listed):7}", flush=True)


def check_after_a_kill(folder: Path, in_flight: int) -> int:
    """Checks what is on disk, and returns how many calls were open."""
    found = list((folder / ".fanwise" / "runs").glob("*.db"))
    if not found:
        return 0
    journal = RunFile(found[0])
    assert journal.is_sound()
    still_open, output = journal.open_calls(), folder / "out.jsonl"
    assert len(still_open) <= in_flight
    shown = [line["id"] for line in read_lines(output)] if output.exists() else []
    assert len(set(shown)) == len(shown)
    assert set(shown) <= journal.ended_items()
    return len(still_open)


if __name__ == "__main__":
    main()
