import io
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from fanwise.errors import ConfigError, Conflict, JournalUnavailable, RateLimited
from fanwise.pipelines.prompts.lines import output_line, record_of
from fanwise.pipelines.prompts.output import OutputFile
from fanwise.records import ErrorInfo, ItemRecord, Outcome, Usage

BATCH = {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {}}


def record(name="a", *, state="succeeded", value="yes", data=None, error=None):
    return ItemRecord(
        item_id=name,
        position=0,
        state=state,
        input={"id": name} if data is None else data,
        value=value if state == "succeeded" else None,
        error=error or (None if state == "succeeded" else ErrorInfo(kind="rejected", message="no")),
        model="openai/m",
        usage=Usage(input_tokens=3, output_tokens=2),
        cost_usd=Decimal("0.00012"),
        attempts=2,
        service_s=1.2345,
    )


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_has_every_field_by_its_name():
    assert output_line(record()) == {
        "id": "a",
        "item": {"id": "a"},
        "model": "openai/m",
        "output": "yes",
        "error": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
        "cost_usd": 0.00012,
        "attempts": 2,
        "latency_ms": 1234.5,
        "cached": False,
    }


def test_a_failed_item_has_its_error_and_no_output():
    line = output_line(record(state="failed", error=ErrorInfo(kind="k", message="m", status=400)))
    assert line["output"] is None
    assert line["error"] == {"kind": "k", "message": "m", "status": 400}
    assert output_line(record(state="cancelled", error=None))["error"]["kind"] in {
        "cancelled",
        "rejected",
    }


def test_what_is_unknown_is_null_and_never_zero():
    line = output_line(ItemRecord(item_id="a", position=0, state="succeeded"))
    assert line["cost_usd"] is None
    assert line["usage"] == {"input_tokens": None, "output_tokens": None}


def test_an_outcome_makes_the_line_that_the_journal_makes():
    outcome = Outcome(
        item_id="a",
        ok=False,
        error=RateLimited("too many", status=429),
        attempts=3,
        service_s=0.5,
        cost_usd=None,
    )
    line = output_line(record_of(outcome, row={"x": 1}, model="openai/m"))
    assert line["error"] == {"kind": "rate_limited", "message": "too many", "status": 429}
    assert (line["item"], line["attempts"], line["latency_ms"]) == ({"x": 1}, 3, 500.0)


def test_a_batch_line_is_answered_in_openai_s_format():
    answer = {"status_code": 200, "request_id": "r", "body": {"choices": []}}
    line = output_line(record("c", data=BATCH, value=answer))
    assert set(line) == {"id", "custom_id", "response", "error"}
    assert line["id"].startswith("batch_req_")
    assert (line["custom_id"], line["response"], line["error"]) == ("c", answer, None)
    refused = ErrorInfo(kind="rejected", message="bad", status=400)
    line = output_line(record("c", state="failed", data=BATCH, error=refused))
    assert line["response"]["status_code"] == 400
    assert line["response"]["body"]["error"]["message"] == "bad"
    assert line["error"] == {"code": "rejected", "message": "bad"}
    line = output_line(record("c", state="failed", data=BATCH))
    assert line["response"] is None


def test_lines_are_readable_as_soon_as_they_are_added(tmp_path):
    output = OutputFile(tmp_path / "out.jsonl")
    output.start()
    for number in range(3):
        output.add(record(str(number)))
        assert [line["id"] for line in lines(tmp_path / "out.jsonl")] == [
            str(n) for n in range(number + 1)
        ]
    assert (output.lines, output.error_lines) == (3, 0)
    output.close()


def test_a_start_replaces_what_an_earlier_run_wrote(tmp_path):
    path = tmp_path / "out.jsonl"
    for names in (["a", "b"], ["c"]):
        output = OutputFile(path)
        output.start()
        for name in names:
            output.add(record(name))
        output.close()
    assert [line["id"] for line in lines(path)] == ["c"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_resumed_run_begins_with_what_the_journal_knows_and_cuts_half_a_line(tmp_path):
    path = tmp_path / "out.jsonl"
    output = OutputFile(path)
    output.start()
    output.add(record("a"))
    output.close()
    with path.open("ab") as file:
        file.write(b'{"id":"b","item":{"id')
    output = OutputFile(path)
    output.start([record("a"), record("b")])
    output.add(record("c"))
    output.close()
    assert [line["id"] for line in lines(path)] == ["a", "b", "c"]


def test_failed_batch_lines_go_to_a_file_of_their_own(tmp_path):
    path = tmp_path / "out.jsonl"
    output = OutputFile(path)
    output.start()
    output.add(record("c", data=BATCH, value={}))
    output.add(record("d", data=BATCH, state="failed"))
    output.close()
    assert [line["custom_id"] for line in lines(path)] == ["c"]
    assert [line["custom_id"] for line in lines(tmp_path / "out.errors.jsonl")] == ["d"]
    again = OutputFile(path)
    again.start()
    again.add(record("d", data=BATCH, value={}))
    again.close()
    assert not (tmp_path / "out.errors.jsonl").exists()


def test_an_errors_file_beside_a_plain_run_is_left_alone(tmp_path):
    beside = tmp_path / "out.errors.jsonl"
    beside.write_text('{"id":"x","custom_id":"x","response":null,"error":null}\n')
    output = OutputFile(tmp_path / "out.jsonl")
    output.start()
    output.add(record("a", state="failed"))
    output.close()
    assert beside.exists()
    assert len(lines(tmp_path / "out.jsonl")) == 1


@pytest.mark.parametrize(
    "content", ["important notes\n", '{"id": "a", "question": "q"}\n', "[1]\n", '{"id":"a'[:5]]
)
def test_a_file_that_no_run_wrote_is_not_overwritten(tmp_path, content):
    path = tmp_path / "out.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match="holds something else"):
        OutputFile(path)
    assert path.read_text() == content


def test_the_input_is_not_overwritten(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("")
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(ConfigError, match="input itself"):
        OutputFile(tmp_path / "link.jsonl", inputs=[path])


def test_places_that_cannot_be_written_are_refused_before_the_run(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        OutputFile(tmp_path / "none" / "out.jsonl")
    with pytest.raises(ConfigError, match="directory"):
        OutputFile(tmp_path)


def test_a_full_disk_is_said_and_leaves_no_half_a_line(tmp_path, monkeypatch):
    path = tmp_path / "out.jsonl"
    output = OutputFile(path)
    output.start()
    output.add(record("a"))
    write = os.write
    calls = []

    def filling(descriptor, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(JournalUnavailable, match="No space left") as caught:
        output.add(record("b"))
    assert "journal" in caught.value.hint
    output.close()
    assert [line["id"] for line in lines(path)] == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_written_without_replacing_it():
    output = OutputFile("/dev/full")
    assert not output.replaceable
    output.start()
    with pytest.raises(JournalUnavailable):
        output.add(record("a"))
    output.close()
    assert Path("/dev/full").exists()


def test_standard_output_gets_every_line():
    out = io.BytesIO()
    output = OutputFile("-", stdout=out)
    output.start()
    output.add(record("c", data=BATCH, value={}))
    output.add(record("d", data=BATCH, state="failed"))
    output.close()
    assert len(out.getvalue().splitlines()) == 2


def test_a_file_that_is_being_written_is_refused_until_its_writer_lets_go(tmp_path):
    path = tmp_path / "out.jsonl"
    first, second = OutputFile(path), OutputFile(path)
    first.start()
    first.add(record())
    with pytest.raises(Conflict, match="is being written by another process"):
        second.start()
    first.add(record("b"))
    assert [line["id"] for line in lines(path)] == ["a", "b"]
    first.close()
    second.start()
    second.close()
    assert lines(path) == []
