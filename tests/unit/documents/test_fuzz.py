"""Readers against damaged input: no crash, no hang, nothing that grows with the damage."""

import io
import random
import tracemalloc
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanwise.documents.charsets import decoded_text
from fanwise.documents.headers import addresses, content_of, decoded_words, read_head
from fanwise.documents.html import html_text
from fanwise.documents.identity import identified
from fanwise.documents.mail import parsed
from fanwise.documents.mbox import RawMessage, read_mbox
from fanwise.documents.replies import split_reply
from fanwise.documents.rows import read_rows
from fanwise.documents.threads import conversations
from fanwise.errors import InputError

SOON = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FRAGMENTS = [
    *(b'{"a": 1}', b"{", b"}", b"[", b'"', b"\\", b"\n", b"\r\n", b",", b";", b"\t", b"\0", b"NaN"),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xe9",
        b'{"id": "x"}\n',
        b"\x1f\x8b\x08",
        b"PAR1",
        b" ",
        b"1",
    ),
]
MAIL_FRAGMENTS = [
    *(b"From a Mon Jan  1 10:00:00 2024\n", b"From: a@b\n", b"Subject: =?utf-8?q?=C3?=\n", b"\n"),
    *(b"Content-Type: multipart/mixed; boundary=B\n", b"--B\n", b"--B--\n", b"\r\n", b">From x\n"),
    *(b"Content-Type: multipart/alternative; boundary=B\n", b"Content-Type: message/rfc822\n"),
    *(
        b"Content-Type: text/html; charset=utf-8\n",
        b"Content-Transfer-Encoding: base64\n",
        b"====\n",
    ),
    *(
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"=\n",
        b"=C3\n",
        b"<p>x<b>",
        b"</",
        b"<!--",
    ),
    *(
        b"Date: Mon, 1 Jan 2024 25:61:00\n",
        b"References: <a> <b\n",
        b"Message-ID: <a>\n",
        b"\xff\0",
    ),
    *(
        b"On 1 Jan 2024 a@b wrote:\n",
        b"> x\n",
        b"-- \n",
        b": \n",
        b'To: "((((" <a@b>, c@d\n',
        b" x\n",
    ),
    *(b"Content-Type: text/plain; charset*0*=utf-8''%E2; charset*1=x\n", b"name*1*=x;"),
]


def soup(fragments):
    piece = st.sampled_from(fragments) | st.binary(max_size=6)
    return st.lists(piece, max_size=40).map(b"".join)


@SOON
@given(soup(FRAGMENTS), st.sampled_from(["jsonl", "csv", None]))
def test_rows_are_given_or_refused(content, kind):
    try:
        rows = list(identified(read_rows("-", kind=kind, stdin=io.BytesIO(content))))
    except InputError:
        return
    assert rows
    assert len({row.id for row in rows}) == len(rows)


@SOON
@given(soup(FRAGMENTS))
def test_a_damaged_parquet_file_is_refused(tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + content + b"PAR1")
    with pytest.raises(InputError):
        list(read_rows(path))


@SOON
@given(soup(MAIL_FRAGMENTS))
def test_every_byte_of_an_mbox_is_in_some_message(tmp_path, content):
    path = tmp_path / "a.mbox"
    path.write_bytes(content)
    raws = list(read_mbox(path))
    at = raws[0].offset if raws else len(content)
    assert not content[:at].strip()
    for raw in raws:
        assert raw.offset == at
        at += raw.size
        assert not (parsed(raw).broken or "").startswith("cannot be parsed")
    assert at == len(content)


@SOON
@given(soup(MAIL_FRAGMENTS))
def test_every_message_is_in_one_conversation(tmp_path, content):
    path = tmp_path / "a.mbox"
    path.write_bytes(b"From a Mon Jan  1 10:00:00 2024\n" + content)
    found = sum(len(one.messages) for one in conversations(path))
    assert 1 <= found <= content.count(b"From ") + 1


def sample():
    message = EmailMessage()
    message["From"] = "Jürgen <a@b.c>"
    message["Subject"] = "Größe"
    message["Date"] = "Mon, 1 Jan 2024 10:00:00 +0000"
    message["Message-ID"] = "<1@x>"
    message.set_content("Hello\n\nOn 1 Jan 2024 Bob <b@x> wrote:\n> old\n-- \nAnn\n")
    message.add_alternative(
        "<table><tr><td>Hello<td><a href='https://x.y'>x</a></table>" * 9, "html"
    )
    message.add_attachment(b"\0\1\2" * 50, maintype="application", subtype="pdf", filename="ä.pdf")
    inner = EmailMessage()
    inner["From"] = "c@d.e"
    inner.set_content("inner")
    message.add_attachment(inner)
    return bytes(message)


def test_a_message_damaged_anywhere_is_still_given(tmp_path):
    whole = sample()
    chance = random.Random(7)
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3, 10])):
            data = data or bytearray(b"x")
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(1, 80)]
                case 2:
                    data[at:at] = data[chance.randrange(len(data)) :][:60]
                case _:
                    del data[at + 1 :]
        raw = RawMessage(path=tmp_path, offset=0, line=1, size=len(data), data=bytes(data))
        assert not (parsed(raw).broken or "").startswith("cannot be parsed")


MEGABYTE = 1024 * 1024
BOMBS = {
    "parts": b"Content-Type: multipart/mixed; boundary=B\n\n" + b"--B\n" * (MEGABYTE // 4),
    "levels": b"Content-Type: multipart/mixed; boundary=B\n\n--B\n" * 20_000,
    "nested messages": b"Content-Type: message/rfc822\n\n" * 30_000,
    "headers": b"X: y\n" * (MEGABYTE // 5) + b"\nx",
    "one header": b"Subject: " + b"=?a?q?" * (MEGABYTE // 6) + b"\n\nx",
    "folded header": b"Subject: x" + b"\n y" * (MEGABYTE // 3) + b"\n\nx",
    "addresses": b"To: " + b"a@b," * (MEGABYTE // 4) + b"\n\nx",
    "comments": b"From: " + b"(" * 200_000 + b"\n\nx",
    "references": b"References: " + b"<a@b> " * (MEGABYTE // 6) + b"\n\nx",
    "parameters": b'Content-Type: text/plain; a="' + b';"' * 100_000 + b"\n\nx",
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"QUJD" * (MEGABYTE // 4),
    "quoted": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * MEGABYTE,
    "many pages": b"Content-Type: multipart/mixed; boundary=B\n\n"
    + (b"--B\nContent-Type: text/html\n\n" + b"<ul><li>" * 1000 + b"\n") * 30,
    "lines": b"From: a@b\n\n" + b"\n" * MEGABYTE,
    "marks": b"From: a@b\n\n" + b"> \n" * (MEGABYTE // 3),
    "utf-7": b"Content-Type: text/plain; charset=utf-7\n\n" + b"+" * MEGABYTE,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_memory_and_stays_a_message(name, tmp_path):
    raw = RawMessage(path=tmp_path, offset=0, line=1, size=0, data=BOMBS[name])
    tracemalloc.start()
    try:
        message = parsed(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not (message.broken or "").startswith("cannot be parsed")
    assert len(message.attachments) <= 500
    assert peak < 100 * MEGABYTE


@SOON
@given(st.text(max_size=300))
def test_html_and_replies_take_any_text(text):
    html_text(text)
    split_reply(text)
    split_reply(text, forwarded=True)


@SOON
@given(st.binary(max_size=200), st.text(max_size=12) | st.none())
def test_fields_and_charsets_take_any_bytes(data, charset):
    assert isinstance(decoded_text(data, charset=charset).text, str)
    decoded_words(data)
    addresses([data])
    head = read_head(b"Content-Type: " + data + b"\nContent-Disposition: " + data + b"\n\n")
    content_of(head)


def test_many_rows_are_read_in_flat_memory(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        for n in range(60_000):
            file.write(f'{{"id": "row-{n}", "text": "{"x" * 100}"}}\n')
    tracemalloc.start()
    try:
        count = sum(1 for _ in identified(read_rows(path)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 60_000
    assert peak < 8 * MEGABYTE
