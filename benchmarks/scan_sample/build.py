"""Messages of the sample as they are sent: headers, parts, encodings, and broken ones."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

BUYER = ("Robin Hale", "robin.hale@assembly.example")
_POLICY = SMTP.clone(linesep="\n", max_line_length=76)
_CHARSETS = {"de": "iso-8859-1", "fr": "windows-1252", "ja": "iso-2022-jp", "pl": "iso-8859-2"}

_PREPOSITION = re.compile(
    r"\b(?:on|am|le|el|op) (?=(?:today|yesterday|heute|gestern|aujourd'hui|hier|hoy|ayer|vandaag"
    r"|gisteren)\b)"
)


@dataclass
class Mail:
    """One message before it becomes bytes."""

    id: str
    sender: tuple[str, str]
    to: tuple[str, str]
    sent: datetime
    subject: str
    body: str
    language: str = "en"
    html: str | None = None
    html_only: bool = False
    answers: list[str] = field(default_factory=list)
    attachment: str | None = None
    damage: str | None = None


def as_bytes(mail: Mail, chance: random.Random) -> bytes:
    """The message with mbox's own first line; ``From `` lines in it are escaped."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(mail.sender)
    message["To"] = _address(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.sent)
    if mail.damage != "no message id":
        message["Message-ID"] = f"<{mail.id}>"
    if mail.answers:
        message["In-Reply-To"] = f"<{mail.answers[-1]}>"
        message["References"] = " ".join(f"<{one}>" for one in mail.answers)
    _fill(message, mail, chance)
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_part_{number}_{mail.id.partition('@')[0]}")
    data = _damaged(message.as_bytes(policy=_POLICY), mail.damage)
    data = re.sub(rb"^(>*From )", rb">\1", data, flags=re.MULTILINE)
    stamp = mail.sent.strftime("%a %b %d %H:%M:%S %Y")
    return f"From {mail.sender[1]} {stamp}\n".encode() + data.rstrip(b"\n") + b"\n\n"


def natural(text: str) -> str:
    """Without the preposition that a day in figures needs and "yesterday" does not."""
    return _PREPOSITION.sub("", text)


def _address(person: tuple[str, str]) -> str:
    name, address = person
    quoted = '"' + name.replace('"', "") + '"' if re.search(r"[,.()&]", name) else name
    return f"{quoted} <{address}>" if name else address


def _fill(message: EmailMessage, mail: Mail, chance: random.Random) -> None:
    charset = _CHARSETS.get(mail.language, "utf-8") if chance.random() < 0.35 else "utf-8"
    body = natural(mail.body) + "\n"
    try:
        body.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    coding = chance.choice(["quoted-printable", "base64", "8bit"])
    if charset == "iso-2022-jp" or body.isascii():
        coding = "7bit"
    if mail.damage in ("bad base64", "no charset"):
        coding = "base64" if mail.damage == "bad base64" else "8bit"
    if any(len(line) > 900 for line in body.split("\n")) and coding in ("7bit", "8bit"):
        coding = "quoted-printable"
    if mail.html is not None and mail.html_only:
        message.set_content(mail.html, subtype="html", cte="quoted-printable")
    else:
        message.set_content(body, charset=charset, cte=coding)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    if mail.attachment is not None:
        message.add_attachment(
            b"%PDF-1.4 sample\n", maintype="application", subtype="pdf", filename=mail.attachment
        )


def _damaged(data: bytes, damage: str | None) -> bytes:
    if damage == "bad base64":
        head, _, body = data.partition(b"\n\n")
        lines = body.split(b"\n")
        lines[-2] = lines[-2][:-3] + b"*!"
        return head + b"\n\n" + b"\n".join(lines)
    if damage == "unknown charset":
        return re.sub(rb'charset="?[\w-]+"?', b'charset="x-sample-9"', data, count=1)
    if damage == "truncated":
        return data[: data.rindex(b"--=_part_")] if b"--=_part_" in data else data[:-20]
    if damage == "no charset":
        head, _, body = data.partition(b"\n\n")
        lines = [line for line in head.split(b"\n") if not line.lower().startswith(b"content-")]
        return b"\n".join(lines) + b"\n\n" + body
    return data


def html_page(paragraphs: list[str], *, rows: list[tuple[str, str]], link: str | None) -> str:
    """An HTML mail as shops send them: preheader, table, button, small print."""
    cells = "".join(
        f'<tr><td style="padding:4px"><b>{escape(name)}</b></td><td>{value}</td></tr>\n'
        for name, value in rows
    )
    button = (
        f'<p><a href="{escape(link)}" style="background:#06c;color:#fff">Track &amp; trace</a></p>'
        if link
        else ""
    )
    text = "".join(f"<p>{escape(natural(one))}</p>\n" for one in paragraphs)
    return (
        "<html><head><style>td{font:14px Arial}</style><title>Mail</title></head><body>\n"
        '<div style="display:none">Preview 4711 0815 2233 &zwnj;&nbsp;&zwnj;</div>\n'
        f'{text}<table border="0">\n{cells}</table>\n{button}\n'
        '<p style="font-size:10px">You get this mail because you ordered from us. Registered in '
        "Exampletown, HRB 104 428 837.</p></body></html>\n"
    )


def html_number(written: str, chance: random.Random) -> str:
    """A number in HTML: plain, cut by tags or a line end, or with characters nobody sees."""
    style = chance.randrange(5)
    if style == 0:
        return f"<strong>{written}</strong>"
    if style == 1:
        return f"{written[:6]}<wbr>{written[6:]}"
    if style == 2:
        return f"{written[:5]}&#8203;{written[5:]}"
    if style == 3:
        return f"<span>{written[:4]}</span><span>{written[4:]}</span>"
    return written.replace(" ", "&nbsp;")


def quotation(body: str, sender: tuple[str, str], sent: datetime, language: str) -> str:
    """An earlier message below an answer."""
    lines = "\n".join(f"> {line}".rstrip() for line in body.split("\n"))
    when = sent.strftime("%d.%m.%Y %H:%M")
    if language == "de":
        return f"Am {when} schrieb {sender[0]} <{sender[1]}>:\n{lines}"
    if language == "fr":
        return f"Le {when}, {sender[0]} a écrit :\n{lines}"
    return f"On {sent.strftime('%a, %d %b %Y at %H:%M')}, {sender[0]} <{sender[1]}> wrote:\n{lines}"
