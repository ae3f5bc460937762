"""Text out of documents, and what hostile or unreadable ones come to."""

import asyncio
import io
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from fpdf import FPDF

from fanwise.documents import read_document
from fanwise.documents.document import MOST_BYTES, kind_of
from fanwise.errors import ConfigError, InputError


def a_pdf(text: str = "Dana Voss, backend engineer, has kept payment systems running") -> bytes:
    page = FPDF()
    page.add_page()
    page.set_font("Helvetica")
    if text:
        page.multi_cell(0, text=text)
    return bytes(page.output())


def a_docx() -> bytes:
    document = docx.Document()
    document.add_heading("Experience", level=1)
    document.add_paragraph("Moved twelve services", style="List Bullet")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Python", "Kafka"
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_entry(data: bytes, name: str, content: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def read(source: str | Path | bytes, **how: object) -> tuple[str, str]:
    found = asyncio.run(read_document(source, **how))  # type: ignore[arg-type]
    return found.kind, found.text


def test_every_kind_gives_its_text(tmp_path: Path) -> None:
    assert read(a_pdf())[0] == "pdf"
    assert "payment systems" in read(a_pdf())[1]
    kind, text = read(a_docx())
    assert kind == "docx"
    assert "Experience\n- Moved twelve services\nPython | Kafka" in text
    path = tmp_path / "dana.md"
    path.write_bytes(b"\xef\xbb\xbf# Dana\r\n\r\n* of\xef\xac\x81ce\r\n")
    assert read(path) == ("md", "# Dana\n\n* office")
    assert read("Zoë".encode("utf-16"), name="a.txt") == ("txt", "Zoë")
    assert read(b'{"basics": {}}')[0] == "json"


def test_the_content_says_the_kind_and_not_the_name() -> None:
    assert kind_of(a_pdf(), "resume.docx") == "pdf"
    assert kind_of(a_docx(), "resume") == "docx"


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.txt", "empty"),
        (b"x" * (MOST_BYTES + 1), "a.txt", "10,000,001 bytes"),
        (b"text", "a.pdf", "no PDF"),
        (b"\xd0\xcf\x11\xe0rest", "a.doc", "not read"),
        (b"{\\rtf1", "a.rtf", "not read"),
        (b"PK\x03\x04rest", "a.zip", "ZIP archive"),
        (b"abc\x00\x01\x02", "a.txt", "binary"),
        (b"%PDF-1.4 broken", "a.pdf", "damaged"),
        (a_pdf(""), "scan.pdf", "scanned"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_with_a_way_out(
    data: bytes, name: str, words: str
) -> None:
    with pytest.raises(InputError) as raised:
        read(data, name=name)
    assert words in str(raised.value)
    assert name in str(raised.value)
    assert raised.value.hint


def test_an_encrypted_pdf_says_so() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(a_pdf()))
    writer.encrypt("secret", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    with pytest.raises(InputError, match="password"):
        read(file.getvalue())


def test_an_archive_that_would_fill_the_memory_is_not_unpacked() -> None:
    bomb = with_entry(a_docx(), "word/media/x.xml", b"0" * 70_000_000)
    assert len(bomb) < 1_000_000
    with pytest.raises(InputError, match="unpacks to"):
        read(bomb)


def test_a_pdf_that_takes_too_much_memory_fails_and_this_process_goes_on() -> None:
    body = b"\n".join(b"%d 0 obj << /Length 1 >> endobj" % n for n in range(150_000))
    with pytest.raises(InputError):
        read(b"%PDF-1.4\n" + body, memory_bytes=130_000_000)


def test_one_that_takes_too_long_is_killed() -> None:
    with pytest.raises(InputError, match=r"longer than 0\.01 s"):
        read(a_pdf(), timeout_s=0.01)


def test_impossible_bounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="timeout_s"):
        read(b"x", timeout_s=0)
    with pytest.raises(ConfigError, match="memory_bytes"):
        read(b"x", memory_bytes=1)


def test_cancelling_ends_the_other_process() -> None:
    async def cancelled() -> None:
        task = asyncio.ensure_future(read_document(a_pdf()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(cancelled())


def test_missing_files_and_directories(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.txt")
    with pytest.raises(InputError, match="directory"):
        read(tmp_path)
