"""Transcripts out of captions, JSON and text."""

import json
from pathlib import Path

import pytest

import fanwise as fw
from fanwise.documents import Cue, parse_transcript, read_transcript
from fanwise.errors import ConfigError, InputError

VTT = """WEBVTT - A talk
Language: en

NOTE this is said by nobody
00:00:01.000 --> 00:00:02.000

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Ann Lee>Hello <i>there</i> &amp; welcome.

01:00:02.500 --> 01:00:04.000
BOB: Second
line
"""


def test_webvtt_gives_speakers_and_plain_text_and_leaves_comments_out() -> None:
    found = parse_transcript(VTT, "vtt")
    assert found.cues == [
        Cue(text="Hello there & welcome.", start_s=1.0, end_s=2.5, speaker="Ann Lee"),
        Cue(text="Second line", start_s=3602.5, end_s=3604.0, speaker="BOB"),
    ]
    assert (found.title, found.language, found.timed, found.duration_s) == (
        "A talk",
        "en",
        True,
        3604.0,
    )


def test_subrip_has_commas_numbers_and_may_lack_empty_lines() -> None:
    text = (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nOne\r\n2\r\n00:00:02,500 --> 00:00:03,000\r\nTwo\r\n"
    )
    found = parse_transcript(text, "srt")
    assert [(cue.start_s, cue.text) for cue in found.cues] == [(1.0, "One"), (2.5, "Two")]


def test_captions_that_roll_say_each_line_once() -> None:
    text = (
        "WEBVTT\n\n00:00.000 --> 00:02.000\nso<00:00:00.500><c> today</c>\n\n"
        "00:02.000 --> 00:02.010\nso today\n\n"
        "00:02.010 --> 00:04.000\nso today\nwe<00:00:03.000><c> bake</c>\n"
    )
    assert [cue.text for cue in parse_transcript(text, "vtt").cues] == ["so today", "we bake"]


def test_words_said_twice_in_ordinary_captions_stay() -> None:
    text = "WEBVTT\n\n00:00.000 --> 00:01.000\nRoger.\n\n00:01.000 --> 00:02.000\nRoger.\n"
    assert len(parse_transcript(text, "vtt").cues) == 2


@pytest.mark.parametrize(
    "found",
    [
        [{"text": "a &amp; b", "start": 1.5, "duration": 2}],
        {"segments": [{"text": "a & b", "start": 1.5, "end": 3.5}]},
        {
            "events": [
                {"tStartMs": 1500, "dDurationMs": 2000, "segs": [{"utf8": "a "}, {"utf8": "& b"}]}
            ]
        },
        {"transcript": [{"text": "a & b", "offset": "00:01.5", "duration": "2"}]},
    ],
    ids=["youtube", "whisper", "json3", "clock"],
)
def test_the_json_that_tools_write(found: object) -> None:
    assert parse_transcript(json.dumps(found), "json").cues == [
        Cue(text="a & b", start_s=1.5, end_s=3.5)
    ]


def test_json_may_say_what_it_is_about() -> None:
    about = {"title": "T", "channel": "C", "video_id": "abcdefghijk", "cues": [{"text": "x"}]}
    found = parse_transcript(json.dumps(about), "json")
    assert (found.title, found.author, found.video, found.timed) == ("T", "C", "abcdefghijk", False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("{}", "no list of cues"),
        ("[1]", "cue 1 is no object"),
        ('[{"start": 1}]', "cue 1 has no text"),
        ('[{"text": "a", "start": "soon"}]', "start is 'soon'"),
        ('[{"text": "a", "start": 1}, {"text": "b"}]', "cue 2 has no time"),
        ("[]", "nothing is said"),
    ],
)
def test_broken_json_is_named(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_transcript(text, "json")


@pytest.mark.parametrize(
    "text",
    [
        "[0:00] hello\n[0:05] Ann: more",
        "0:00\nhello\n0:05\nAnn: more",
        "00:00:00 hello\n(0:05) Ann: more",
    ],
)
def test_text_with_times_is_cut_at_them(text: str) -> None:
    assert parse_transcript(text, "txt").cues == [
        Cue(text="hello", start_s=0.0, end_s=5.0),
        Cue(text="more", start_s=5.0, end_s=6.0, speaker="Ann"),
    ]


def test_text_without_times_is_cut_at_paragraphs_and_sentences() -> None:
    text = "Ann: One.\nBob: Two.\n\n" + "A sentence of some words. " * 60
    cues = parse_transcript(text, "txt").cues
    assert [cue.speaker for cue in cues[:2]] == ["Ann", "Bob"]
    assert all(cue.start_s is None and len(cue.text) <= 600 for cue in cues)
    assert sum(len(cue.text.split()) for cue in cues) == 2 + 300


def test_times_that_go_back_are_no_times() -> None:
    assert not parse_transcript("We meet at\n10:30 or at\n9:15 then", "txt").timed


def test_files_are_told_apart_by_name_and_read_in_any_usual_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        path.write_bytes("WEBVTT\n\n00:00.000 --> 00:01.000\nCafé".encode(encoding))
        assert fw.documents.read_transcript(path).cues[0].text == "Café"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.mp3", b"x", "no transcript by its name"),
        ("a.vtt", b"WEBVTT\n\n", "nothing is said"),
        ("a.srt", b"1\nsoon --> later\nx", "line 2.*no two times"),
        ("a.txt", b"a\0b", "no text"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=reason):
        read_transcript(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_transcript(tmp_path / "missing.vtt")
    with pytest.raises(ConfigError, match="no kind"):
        parse_transcript("x", "pdf")
