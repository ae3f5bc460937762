import pytest

from fanwise.documents import mbox
from fanwise.documents.mbox import read_mbox, read_stretch

DATE = "Mon Jan  1 10:00:00 2024"


def messages(tmp_path, content):
    path = tmp_path / "a.mbox"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_mbox(path))


def test_messages_come_with_their_place(tmp_path):
    raws = messages(
        tmp_path, f"From a@b {DATE}\nSubject: 1\n\none\n\nFrom a@b {DATE}\nSubject: 2\n\ntwo\n"
    )
    assert [raw.data for raw in raws] == [b"Subject: 1\n\none\n\n", b"Subject: 2\n\ntwo\n"]
    assert [raw.line for raw in raws] == [1, 6]
    assert [raw.problem for raw in raws] == ["", ""]
    again = read_stretch(raws[1].path, offset=raws[1].offset, size=raws[1].size, line=raws[1].line)
    assert again == raws[1]


@pytest.mark.parametrize(
    ("stored", "meant"),
    [(">From here", "From here"), (">>From here", ">From here"), ("> From here", "> From here")],
)
def test_quoting_of_from_lines_is_undone(tmp_path, stored, meant):
    (raw,) = messages(tmp_path, f"From a@b {DATE}\nSubject: 1\n\nx\n\n{stored} on\n")
    assert raw.data.decode() == f"Subject: 1\n\nx\n\n{meant} on\n"


@pytest.mark.parametrize(
    "line",
    ["From here on we ship at 10:30 in 2024", "From now", "From Monday 10:30 on", "Fromage"],
)
def test_a_sentence_that_begins_with_from_separates_nothing(tmp_path, line):
    content = f"From a@b {DATE}\nSubject: 1\n\nx\n\n{line}\nand so forth\n"
    assert len(messages(tmp_path, content)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "From 1700@xxx Wed Jan 01 00:00:00 +0000 2020",
        "From - Wed Jan  1 00:00:00 2020",
        "From user at example.com  Wed Jan  1 00:00:00 2020",
        "From a@b Wed, 01 Jan 2020 00:00:00 +0000",
        "From nobody",
    ],
)
def test_separators_of_many_writers_are_known(tmp_path, line):
    content = f"{line}\nSubject: 1\n\nx\n\n{line}\nSubject: 2\n\ny\n"
    assert len(messages(tmp_path, content)) == 2


def test_windows_line_ends_separate_too(tmp_path):
    content = (
        f"From a@b {DATE}\r\nSubject: 1\r\n\r\nx\r\n\r\nFrom a@b {DATE}\r\nSubject: 2\r\n\r\ny"
    )
    assert [raw.line for raw in messages(tmp_path, content)] == [1, 6]


def test_a_separator_without_its_empty_line_needs_a_header_below(tmp_path):
    content = f"From a@b {DATE}\nSubject: 1\n\nx\nFrom a@b {DATE}\nSubject: 2\n\ny\n"
    assert len(messages(tmp_path, content)) == 2
    content = f"From a@b {DATE}\nSubject: 1\n\nx\nFrom a@b {DATE}\nno header\n\ny\n"
    assert len(messages(tmp_path, content)) == 1


def test_text_before_the_first_separator_is_a_broken_message_and_not_lost(tmp_path):
    raws = messages(tmp_path, f"garbage\n\nFrom a@b {DATE}\nSubject: 1\n\nx\n")
    assert raws[0].data == b"garbage\n\n"
    assert "before the first" in raws[0].problem
    assert raws[1].problem == ""


def test_pieces_of_any_size_give_the_same_messages(tmp_path, monkeypatch):
    content = "".join(
        f"From a@b {DATE}\nSubject: {n}\n\n" + "text\n>From x\n" * n + "\n" for n in range(40)
    )
    whole = messages(tmp_path, content)
    assert len(whole) == 40
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(mbox, "_CHUNK_BYTES", size)
        assert messages(tmp_path, content) == whole


def test_of_a_message_too_large_the_beginning_is_kept_and_the_next_one_found(tmp_path, monkeypatch):
    monkeypatch.setattr(mbox, "MAX_MESSAGE_BYTES", 1000)
    monkeypatch.setattr(mbox, "_CHUNK_BYTES", 64)
    monkeypatch.setattr(mbox, "_LOOK_AHEAD_BYTES", 128)
    content = (
        f"From a@b {DATE}\nSubject: 1\n\n"
        + "line\n" * 2000
        + f"\nFrom a@b {DATE}\nSubject: 2\n\ny\n"
    )
    first, second = messages(tmp_path, content)
    assert "only its first" in first.problem
    assert len(first.data) < 1000
    assert first.size > 10_000
    assert second.data == b"Subject: 2\n\ny\n"
    assert second.line == 2005
    path = tmp_path / "a.mbox"
    again = read_stretch(path, offset=second.offset, size=second.size, line=second.line)
    assert again == second
