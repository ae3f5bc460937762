"""Hedges over real sockets: sent once more, shown in the report, and safe to kill."""

from __future__ import annotations

import json
import signal
from collections import Counter

from support.program import read_lines, run, start, write_lines
from support.server import serving

ASKED = ("-m", "openai/one", "-p", "{{ text }}", "-o", "out.jsonl", "--journal", "home")


def test_a_stalled_call_is_hedged_and_a_killed_run_lists_it_once(tmp_path):
    write_lines(tmp_path / "in.jsonl", [{"id": f"i{n}", "text": f"q {n}"} for n in range(2)])
    # Both calls and a hedge stall until the kill; after it, the first request alone.
    with serving(share=1.0, faults=["stall"], faulty=4, stall_s=30) as server:
        at = ("--base-url", server.base_url, "--hedge", "200ms")
        process = start("run", "in.jsonl", *ASKED, *at, "-q", cwd=tmp_path)
        server.wait_for(lambda counts: counts["requests"] == 3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = run("resume", "--journal", "home", "--json", "-q", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        ledger = server.ledger()
    summary = json.loads(done.stdout)
    assert {line["id"] for line in read_lines(tmp_path / "out.jsonl")} == {"i0", "i1"}
    assert summary["ambiguous_count"] == 2
    assert {call["resends"] for call in summary["ambiguous"]} == {1}
    assert (summary["hedges"]["sent"], summary["hedges"]["won"]) == (1, 1)
    assert summary["hedges"]["lost"] == 1
    # Two before the kill and a hedge, then two and a hedge again; one key for each call.
    keys = Counter(line["idempotency_key"] for line in ledger)
    assert len(keys) == 2
    assert keys.total() == len(ledger) == 6
