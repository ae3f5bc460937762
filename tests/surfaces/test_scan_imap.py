"""Scans of an IMAP folder, from a real server."""

import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dovecot import PASSWORD, Imap
from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.scan import ScanSummary, scan
from fanwise.pipelines.scan.imap import ImapMailbox, read_address

NUMBERS = ["1Z999AA10123456784", "1Z12345E1512345676", "TBA123456789012", "RR473124829GB"]


def mail(number: int, text: str, *, answers: int | None = None, subject: str = "") -> bytes:
    message = EmailMessage()
    message["From"] = "Jana Petersen <jana@nordwerk-tools.example>"
    message["To"] = "robin@assembly.example"
    message["Subject"] = subject or f"Order {4000 + number}"
    message["Date"] = f"Tue, 03 Mar 2026 {8 + number % 12:02d}:00:00 +0000"
    message["Message-ID"] = f"<m{number}@nordwerk-tools.example>"
    if answers is not None:
        message["References"] = f"<m{answers}@nordwerk-tools.example>"
    message.set_content(text)
    return message.as_bytes()


def box() -> list[bytes]:
    texts = [f"It was shipped with tracking number {number}." for number in NUMBERS]
    return [*(mail(i, text) for i, text in enumerate(texts)), mail(4, "Lunch on Friday?")]


async def scanning(address: str, home: Path, **more: Any) -> ScanSummary:
    env = {"FANWISE_IMAP_PASSWORD": PASSWORD, **more.pop("env", {})}
    return await scan(address, journal=home, env=env, **more)


async def test_a_folder_is_read_and_nothing_in_it_changes(imap: Imap, tmp_path: Path) -> None:
    imap.deliver("ada", *box())
    summary = await scanning(imap.address("ada"), tmp_path)
    assert (summary.status, summary.total, summary.added) == ("success", 5, 4)
    assert summary.mail_api["requests"] >= 6
    assert imap.flags("ada") == []
    again = await scanning(imap.address("ada"), tmp_path)
    assert (again.already_scanned, again.processed) == (5, 0)
    assert [t for t in threading.enumerate() if t.name.startswith("fanwise-imap")] == []


async def test_an_answer_belongs_to_its_conversation_and_makes_it_new(
    imap: Imap, tmp_path: Path
) -> None:
    imap.deliver("bert", *box())
    await scanning(imap.address("bert"), tmp_path)
    imap.deliver(
        "bert", mail(9, "One more box: TBA999999999999, your parcel.", answers=0, subject="Re: x")
    )
    again = await scanning(imap.address("bert"), tmp_path)
    assert (again.total, again.already_scanned, again.processed) == (5, 4, 1)
    assert (again.added, again.skipped) == (1, 1)


async def test_a_long_conversation_comes_in_batches_and_is_whole(
    imap: Imap, tmp_path: Path
) -> None:
    answers = [mail(i, f"Box {i}.", answers=0) for i in range(1, 45)]
    imap.deliver("carl", mail(0, f"Sent with tracking number {NUMBERS[0]}."), *answers)
    source = ImapMailbox(imap.address("carl"), password=PASSWORD)
    try:
        (page,) = [page async for page in source.pages()]
        (listed,) = page
        conversation = await source.fetch(listed)
    finally:
        await source.aclose()
    assert listed.messages == len(conversation.messages) == 45
    assert conversation.messages[0].place.startswith(imap.address("carl"))


async def test_other_folders_are_named_in_the_address(imap: Imap, tmp_path: Path) -> None:
    imap.deliver("dora", *box()[:1])
    imap.deliver("dora", *box()[1:3], folder="Archive")
    summary = await scanning(imap.address("dora", "Archive"), tmp_path)
    assert (summary.total, summary.added) == (2, 2)
    with pytest.raises(InputError, match="no folder 'Elsewhere'"):
        await scanning(imap.address("dora", "Elsewhere"), tmp_path)


async def test_an_empty_folder_is_a_scan_of_nothing(imap: Imap, tmp_path: Path) -> None:
    summary = await scanning(imap.address("emil"), tmp_path)
    assert (summary.status, summary.total) == ("success", 0)


async def test_a_wrong_password_is_told_without_showing_it(imap: Imap, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="refused the user or the password") as told:
        await scanning(imap.address("ada"), tmp_path, env={"FANWISE_IMAP_PASSWORD": "wr0ng-one"})
    assert "wr0ng-one" not in str(told.value)
    assert "FANWISE_IMAP_PASSWORD" in told.value.hint


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    imap: Imap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.deliver("fay", *box())
    with pytest.raises(InputError, match="certificate"):
        await scanning(imap.tls_address("fay"), tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(imap.ca_file))
    assert (await scanning(imap.tls_address("fay"), tmp_path)).added == 4


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mail server failed"):
        await scanning("imap://ada@127.0.0.1:9/INBOX", tmp_path)


def test_an_address_holds_no_password_and_is_secured_everywhere_but_here() -> None:
    with pytest.raises(ConfigError, match="holds a password"):
        read_address("imaps://ada:secret@mail.example.org/INBOX")
    for wrong in ("imaps://mail.example.org/INBOX", "imaps://ada@", "imaps://ada@h:x/"):
        with pytest.raises(ConfigError):
            read_address(wrong)
    found = read_address("imaps://ada%40example.org@mail.example.org/Archive/2026")
    assert (found.user, found.host, found.port) == ("ada@example.org", "mail.example.org", 993)
    assert (found.folder, found.security) == ("Archive/2026", "tls")
    assert read_address("imap://ada@mail.example.org").security == "starttls"
    assert read_address("imap://ada@localhost").security == "none"


def test_without_a_password_nothing_is_tried() -> None:
    with pytest.raises(ConfigError, match="no password"):
        ImapMailbox("imaps://ada@mail.example.org", password="")
