"""Scanning mail from the command line."""

import json
import signal

FIELDS = [
    "conversation",
    "subject",
    "tracking_number",
    "carrier",
    "supplier",
    "po_number",
    "shipped_date",
    "confidence",
]


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_sample_gives_a_line_a_shipment_and_its_score(fanwise):
    done = fanwise("scan", "--sample")
    assert done.returncode == 0, done.stderr
    shipments = lines_of(done.stdout)
    assert len(shipments) > 100
    assert list(shipments[0]) == FIELDS
    assert "Against the truth: precision" in done.stderr
    assert "What limited it" in done.stderr
    exported = fanwise("export", "latest", "--ordered")
    assert sorted(exported.stdout.splitlines()) == sorted(done.stdout.splitlines())
    table = fanwise("export", "--format", "csv").stdout.splitlines()
    assert table[0].split(",") == FIELDS
    assert len(table) == len(shipments) + 1


def test_a_second_scan_looks_at_nothing_and_force_at_everything(fanwise):
    words = ("scan", "--sample", "-q", "--json")
    first = json.loads(fanwise(*words).stdout)
    second = json.loads(fanwise(*words).stdout)
    assert second["scan"]["already_scanned"] == second["scan"]["total"] == first["scan"]["total"]
    assert second["score"] is None
    forced = json.loads(fanwise(*words, "--force").stdout)
    assert forced["scan"]["processed"] == first["scan"]["processed"]
    assert forced["scan"]["added"] == 0
    assert forced["score"] == first["score"]


def test_a_dry_run_writes_nothing(fanwise):
    done = fanwise("scan", "--sample", "--dry-run", "--json", "-q")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["scan"]["added"] > 100
    assert summary["status"] == "finished"
    assert json.loads(fanwise("list", "--json").stdout)["runs"] == []


def test_limit_and_output_file(fanwise, tmp_path):
    done = fanwise("scan", "--sample", "--limit", "5", "-o", "ships.jsonl", "--json", "-q")
    summary = json.loads(done.stdout)
    assert summary["scan"]["processed"] == 5
    assert summary["score"]["expected"] <= 10
    assert summary["output_file"].endswith("ships.jsonl")
    assert list(lines_of((tmp_path / "ships.jsonl").read_text())[0]) == FIELDS


def test_failures_are_dead_letters_give_code_3_and_are_tried_again(fanwise):
    flags = ("-m", "sim/instant", "--max-attempts", "1", "-q", "--json", "--limit")
    broken = ("--opt", "error-500=0.3", "--opt", "seed=2")
    done = fanwise("scan", "--sample", *flags, "60", *broken)
    assert done.returncode == 3, done.stderr
    failed = json.loads(done.stdout)["scan"]["failed"]
    assert failed > 0
    letters = json.loads(fanwise("scan", "--dead-letters", "--json").stdout)["dead_letters"]
    assert len(letters) == failed
    assert "server_error" in fanwise("scan", "--dead-letters").stdout
    again = fanwise("scan", "--sample", *flags, str(failed))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["scan"]["processed"] == failed
    assert json.loads(fanwise("scan", "--dead-letters", "--json").stdout)["dead_letters"] == []


def test_no_dead_letters_where_nothing_was_scanned(fanwise, tmp_path):
    assert json.loads(fanwise("scan", "--dead-letters", "--json").stdout) == {"dead_letters": []}
    assert not (tmp_path / ".fanwise").exists()


def test_an_interrupted_scan_is_resumed_into_the_same_file(fanwise, start_fanwise, tmp_path):
    out = tmp_path / "ships.jsonl"
    flags = ("-m", "sim/default", "-o", "ships.jsonl", "--opt", "latency=0.1", "-j", "4")
    process = start_fanwise("scan", "--sample", *flags)
    process.wait_for_lines(100, file="ships.jsonl")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    before = lines_of(out.read_text())
    again = fanwise("resume", "-j", "100", "--json")
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    after = lines_of(out.read_text())
    assert summary["scan"]["processed"] == summary["scan"]["total"]
    assert len(after) == summary["scan"]["added"]
    numbers = [line["tracking_number"] for line in after]
    assert len(numbers) == len(set(numbers))
    assert {line["tracking_number"] for line in before} <= set(numbers)


def test_the_simulated_provider_as_a_server_reads_mail_too(fanwise, start_fanwise):
    server = start_fanwise("simulate", "instant", "--port", "0", "--json")
    base_url = json.loads(server.stdout.readline())["base_url"]
    flags = ("-m", "openai/anything", "--base-url", base_url)
    done = fanwise("scan", "--sample", *flags, "-q", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["score"]["recall"] > 0.9
    assert summary["attempts"] > 100
