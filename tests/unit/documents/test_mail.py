import base64

import pytest

from fanwise.documents.mail import forwards, read_mail
from fanwise.errors import InputError


def eml(tmp_path, content, name="a.eml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (message,) = read_mail(path)
    return message


HEAD = "From: Ann <A@X.com>\nDate: Mon, 1 Jan 2024 10:00:00 +0100\nMessage-ID: <1@x.com>\n"


def test_a_plain_message(tmp_path):
    message = eml(
        tmp_path,
        "From: =?utf-8?q?J=C3=BCrgen?= <Ann@X.com>\nTo: b@y.com, C <c@y.com>\nCc: d@y.com\n"
        "Date: Mon, 1 Jan 2024 10:00:00 +0100\nMessage-ID: <1@x.com>\nIn-Reply-To: <0@x.com>\n"
        "References: <00@x.com>\n <0@x.com>\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\n\nHello\n",
    )
    assert (message.sender, message.sender_name) == ("ann@x.com", "Jürgen")
    assert message.recipients == ("b@y.com", "c@y.com", "d@y.com")
    assert message.date == 1704099600
    assert (message.message_id, message.in_reply_to) == ("1@x.com", "0@x.com")
    assert message.references == ("00@x.com", "0@x.com")
    assert (message.subject, message.text) == ("Grüße", "Hello")
    assert message.broken is None
    assert message.place.endswith("a.eml")


def multipart(kind, *parts, end=True):
    body = "".join(f"--BB\n{part}\n" for part in parts)
    return f"{HEAD}Content-Type: multipart/{kind}; boundary=BB\n\n{body}" + (
        "--BB--\n" if end else ""
    )


PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n"


def test_plain_text_is_preferred_where_it_says_enough(tmp_path):
    long = "The parcel is on its way. " * 10
    message = eml(tmp_path, multipart("alternative", PLAIN + long, HTML + "<p>" + long * 9))
    assert message.text == long.strip()


def test_html_is_read_where_the_plain_part_only_points_to_it(tmp_path):
    page = HTML + '<p>Your parcel <a href="https://t.x/1Z9">1Z9</a> has left ' + "our store " * 30
    message = eml(tmp_path, multipart("alternative", PLAIN + "See the HTML.", page))
    assert "1Z9 (https://t.x/1Z9)" in message.text


def test_inline_parts_are_joined_and_others_listed(tmp_path):
    data = base64.encodebytes(b"x" * 300).decode()
    message = eml(
        tmp_path,
        multipart(
            "mixed",
            PLAIN + "one",
            "Content-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9.pdf\n"
            f"Content-Transfer-Encoding: base64\n\n{data}",
            "Content-Type: text/plain\n"
            'Content-Disposition: attachment; filename="../log.txt"\n\nlog',
            PLAIN + "two",
        ),
    )
    assert message.text == "one\n\ntwo"
    pdf, log = message.attachments
    assert (pdf.name, pdf.content_type) == ("résumé.pdf", "application/pdf")
    assert abs(pdf.size - 300) <= 6
    assert (log.name, log.size) == ("log.txt", 3)
    assert message.broken is None


def test_a_message_forwarded_as_an_attachment_is_read(tmp_path):
    inner = "Content-Type: message/rfc822\n\nFrom: shop@y.com\nSubject: Shipped\n\nNumber 1Z9\n"
    message = eml(tmp_path, multipart("mixed", PLAIN + "see below", inner))
    assert "From: shop@y.com" in message.text
    assert "Number 1Z9" in message.text


def test_what_a_bounce_returns_is_not_its_text(tmp_path):
    inner = "Content-Type: message/rfc822\n\nFrom: me@y.com\nSubject: S\n\nNumber 1Z9\n"
    message = eml(tmp_path, multipart("report", PLAIN + "could not be delivered", inner))
    assert message.text == "could not be delivered"
    assert message.attachments[0].content_type == "message/rfc822"


@pytest.mark.parametrize(
    ("fields", "body", "text"),
    [
        ("charset=iso-8859-1", b"caf\xe9 \x80", "café €"),
        ("charset=windows-1251", "привет".encode("cp1251"), "привет"),
        ("charset=utf-8", "é".encode(), "é"),
        ("charset=us-ascii", "é".encode(), "é"),
        ("charset=iso-2022-jp", "こんにちは".encode("iso-2022-jp"), "こんにちは"),
        ("charset=gb2312", "你好".encode("gb18030"), "你好"),
        ('charset=""', "é".encode(), "é"),
    ],
)
def test_charsets(tmp_path, fields, body, text):
    message = eml(tmp_path, f"{HEAD}Content-Type: text/plain; {fields}\n\n".encode() + body)
    assert (message.text, message.broken) == (text, None)


@pytest.mark.parametrize("charset", ["x-foo", "zip", "idna", "punycode", "unicode_escape", "a\0b"])
def test_an_unknown_charset_is_said_and_the_text_still_there(tmp_path, charset):
    message = eml(tmp_path, f'{HEAD}Content-Type: text/plain; charset="{charset}"\n\nTrack 1Z9\n')
    assert message.text == "Track 1Z9"
    assert "unknown charset" in message.broken


def test_invisible_characters_are_taken_out(tmp_path):
    message = eml(
        tmp_path,
        f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n1Z\u200b9\u00ad9\u00a09\u202e\0!",
    )
    assert message.text == "1Z99 9 !"


def test_quoted_printable_and_base64(tmp_path):
    message = eml(
        tmp_path, f"{HEAD}Content-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 lo=\nng"
    )
    assert message.text == "café long"
    coded = base64.encodebytes("héllo wörld".encode()).decode()
    message = eml(tmp_path, f"{HEAD}Content-Transfer-Encoding: BASE64\n\n{coded}")
    assert (message.text, message.broken) == ("héllo wörld", None)


def test_bad_base64_gives_what_stands_before_the_damage(tmp_path):
    coded = base64.b64encode(b"tracking 1Z9 is here").decode()
    message = eml(
        tmp_path, f"{HEAD}Content-Transfer-Encoding: base64\n\n{coded[:16]}!!{coded[16:]}"
    )
    assert message.text == "tracking 1Z9"
    assert "bad base64" in message.broken


def test_a_truncated_multipart_is_said_and_its_text_kept(tmp_path):
    message = eml(tmp_path, multipart("mixed", PLAIN + "one", PLAIN + "half", end=False))
    assert message.text == "one\n\nhalf"
    assert "cut off" in message.broken


def test_a_multipart_whose_boundary_never_comes_is_read_as_text(tmp_path):
    message = eml(tmp_path, f"{HEAD}Content-Type: multipart/mixed; boundary=BB\n\njust text")
    assert message.text == "just text"
    assert "without its boundary" in message.broken


def test_no_headers_at_all(tmp_path):
    message = eml(tmp_path, "just some text\n", name="a.eml")
    assert (message.broken, message.text) == ("no headers", "just some text")
    assert message.message_id.endswith("@without-message-id")


def test_damaged_headers_lose_only_themselves(tmp_path):
    message = eml(tmp_path, "Subject: s\nthis is no header\nFrom: a@b.c\n\nx\n")
    assert (message.sender, message.text, message.broken) == ("a@b.c", "x", "damaged headers")


def test_soft_line_breaks_are_undone(tmp_path):
    message = eml(
        tmp_path, f"{HEAD}Content-Type: text/plain; format=flowed\n\na long \nline\nend\n"
    )
    assert message.text == "a long line\nend"
    message = eml(
        tmp_path, f"{HEAD}Content-Type: text/plain; format=flowed; delsp=yes\n\n1Z9 \n99\n"
    )
    assert message.text == "1Z999"


@pytest.mark.parametrize("date", ["", "Date: nonsense\n", "Date: Mon, 99 Foo 99999 99:99:99\n"])
def test_a_date_that_cannot_be_read_is_unknown_or_that_of_receipt(tmp_path, date):
    assert eml(tmp_path, f"From: a@b\n{date}\nx").date is None
    received = "Received: from x by y; Mon, 1 Jan 2024 10:00:00 +0000\n"
    assert eml(tmp_path, f"From: a@b\n{date}{received}\nx").date == 1704103200


@pytest.mark.parametrize("subject", ["Fwd: x", "WG: x", "Re: FW: x", "TR : x"])
def test_forwards_are_known_by_their_subject(subject):
    assert forwards(subject)
    assert not forwards("Re: x")
    assert not forwards("Wages: x")


def test_a_maildir_is_read_in_order_of_delivery_without_what_is_under_way(tmp_path):
    box = tmp_path / "box"
    for folder, name in [("new", "3.x"), ("cur", "1.x:2,S"), ("cur", "2.x:2,"), ("tmp", "0.x")]:
        (box / folder).mkdir(parents=True, exist_ok=True)
        (box / folder / name).write_text(f"From: a@b\nSubject: {name}\n\nx")
    (box / ".Sent" / "cur").mkdir(parents=True)
    (box / ".Sent" / "cur" / "9").write_text("From: a@b\nSubject: sent\n\nx")
    assert [m.subject for m in read_mail(box)] == ["1.x:2,S", "2.x:2,", "3.x", "sent"]


def test_a_message_marked_as_seen_while_it_is_read_is_found_again(tmp_path):
    box = tmp_path / "box"
    for folder in ("new", "cur"):
        (box / folder).mkdir(parents=True)
    for n in range(3):
        (box / "new" / f"{n}.x").write_text(f"From: a@b\nSubject: {n}\n\nx")
    messages = read_mail(box)
    next(messages)
    (box / "new" / "1.x").rename(box / "cur" / "1.x:2,S")
    (box / "new" / "2.x").unlink()
    second, third = messages
    assert second.subject == "1"
    assert "cannot be read" in third.broken


def test_a_directory_of_files_is_read_in_order_and_a_bad_one_does_not_end_it(tmp_path):
    (tmp_path / "b.eml").write_text("From: a@b\nSubject: b\n\nx")
    (tmp_path / "a.mbox").write_text("From a Mon Jan  1 10:00:00 2024\nSubject: a\n\nx\n")
    (tmp_path / "c.eml").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no mail")
    first, second, third = read_mail(tmp_path)
    assert (first.subject, second.subject) == ("a", "b")
    assert "empty" in third.broken


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.mbox", b"", "empty"),
        ("a.pst", b"!BDN\0\0\0", "neither an mbox"),
        ("a.mbox.gz", b"\x1f\x8b\x08", "gzipped"),
    ],
)
def test_what_is_no_mail_is_refused(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        read_mail(tmp_path / name)
    assert caught.value.hint


def test_missing_sources_and_directories_without_mail_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_mail(tmp_path / "x.mbox")
    with pytest.raises(InputError, match="no mail"):
        read_mail(tmp_path)
    with pytest.raises(InputError, match="standard input"):
        read_mail("-")
