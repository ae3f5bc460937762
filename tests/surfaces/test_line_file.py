"""The file that ``-o`` names: never somebody else's, whole lines, safe to begin again."""

from __future__ import annotations

import pytest

from fanwise.cli.grades import GRADES
from fanwise.cli.hooks_output import RESULTS
from fanwise.cli.linefile import LineFile
from fanwise.cli.shipments import SHIPMENTS
from fanwise.errors import ConfigError, JournalUnavailable

_FIRST = {
    GRADES: b'{"id":"a","status":"graded"}\n',
    RESULTS: b'{"id":"a","run_id":"r"}\n',
    SHIPMENTS: b'{"conversation":"c"}\n',
}


@pytest.mark.parametrize("kind", _FIRST, ids=lambda kind: kind.holds)
def test_the_output_never_overwrites_what_is_something_else(kind, tmp_path):
    table = tmp_path / "table.jsonl"
    table.write_text('{"id": "x", "question": "why?"}\n')
    with pytest.raises(ConfigError, match=f"is the {kind.read} itself"):
        LineFile(str(table), kind=kind, source=table)
    with pytest.raises(ConfigError, match=f"something else than {kind.holds}"):
        LineFile(str(table), kind=kind, source=None)
    with pytest.raises(ConfigError, match="mkdir -p"):
        LineFile(str(tmp_path / "no" / "out.jsonl"), kind=kind, source=None)
    with pytest.raises(ConfigError, match="is a directory"):
        LineFile(str(tmp_path), kind=kind, source=None)
    assert table.read_text() == '{"id": "x", "question": "why?"}\n'


@pytest.mark.parametrize(
    ("kind", "line"), _FIRST.items(), ids=lambda one: getattr(one, "holds", "")
)
def test_a_file_of_the_same_kind_is_made_anew(kind, line, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(line * 3)
    file = LineFile(str(path), kind=kind, source=tmp_path / "gone.jsonl")
    assert path.read_bytes() == line * 3  # until it starts
    file.start()
    file.add(line)
    assert path.read_bytes() == line  # nothing is buffered
    file.start()
    file.add(line)
    file.close()
    assert path.read_bytes() == line


def test_lines_are_put_in_place_at_once_and_more_are_added(tmp_path):
    path = tmp_path / "out.jsonl"
    file = LineFile(str(path), kind=SHIPMENTS, source=None)
    file.start_with(['{"conversation":"a"}'])
    file.add(b'{"conversation":"b"}\n')
    assert path.read_text() == '{"conversation":"a"}\n{"conversation":"b"}\n'
    file.finish(['{"conversation":"b"}', '{"conversation":"a"}'])
    assert path.read_text() == '{"conversation":"b"}\n{"conversation":"a"}\n'
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_lines_that_break_off_leave_the_file_as_it_was(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(_FIRST[SHIPMENTS])

    def broken():
        yield '{"conversation":"a"}'
        raise RuntimeError("broke off")

    with pytest.raises(RuntimeError):
        LineFile(str(path), kind=SHIPMENTS, source=None).start_with(broken())
    assert path.read_bytes() == _FIRST[SHIPMENTS]
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_place_that_cannot_be_written_is_told_with_what_is_safe(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    file = LineFile(str(gone / "out.jsonl"), kind=GRADES, source=None)
    gone.rmdir()
    for begin in (file.start, lambda: file.start_with(()), lambda: file.finish(())):
        with pytest.raises(JournalUnavailable, match="cannot be written") as raised:
            begin()
        assert "the grades are safe in the journal" in raised.value.hint
