"""Exports: what stands in them, and what a model cannot put there."""

import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from fanwise.errors import ConfigError
from fanwise.pipelines.notes import DepthNote, Note, Source, Written
from fanwise.pipelines.notes.export import FORMATS, export, kind_of
from fanwise.pipelines.notes.export.document import documents_of
from fanwise.pipelines.notes.export.pdf import pdf_of

HOSTILE = """### [00:10](https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=10s) Żółć & <b>bold</b>

<script>alert(1)</script> <img src=x onerror=alert(1)>

[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.com/?q="x) ![p](https://example.com/p.png)

- **term**: `code` *soft*
  - nested
    1. deeper

1. one
2. two

> quoted

| a | b |
|---|---|
| 1 | **2** |

```
<code> & more
```

---

end\x0b of it 😀"""


def note(markdown: str = HOSTILE) -> Note:
    sections = (
        Written(section="overview", title="Overview", markdown="Short.", sources=("P1",)),
        Written(section="main-points", title="Main points", markdown=markdown, sources=("P1",)),
    )
    depths = (
        DepthNote(depth="brief", sections=sections),
        DepthNote(depth="standard", sections=sections),
    )
    return Note(
        template="basic-summary",
        depths=depths,
        models=("a/b",),
        passages=4,
        uncovered={"brief": ("P2",)},
    )


SOURCE = Source(id="x", title="Bread <i> & *more*", video="dQw4w9WgXcQ", duration_s=600)


def exported(kind: str) -> bytes:
    return export([note()], source=SOURCE, kind=kind)


def test_markdown_has_every_depth_with_its_headings_and_its_coverage() -> None:
    text = exported("md").decode()
    assert text.count("# Summary (") == 2
    assert text.count("\n## Main points") == 2
    assert "cite 3 of 4 passages" in text
    assert "cite 4 of 4 passages" in text
    assert r"[Bread \<i\> & \*more\*](https://www.youtube.com/watch?v=dQw4w9WgXcQ)" in text


def test_a_page_runs_nothing_loads_nothing_and_links_only_to_the_web() -> None:
    page = exported("html").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "javascript:" not in page.replace("](javascript:alert(1))", "")
    assert 'href="data:' not in page
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page
    assert "<title>Bread &lt;i&gt; &amp; *more*</title>" in page
    assert 'href="https://www.youtube.com/watch?v=dQw4w9WgXcQ&amp;t=10s"' in page


def test_a_docx_has_headings_lists_tables_and_links() -> None:
    with zipfile.ZipFile(BytesIO(exported("docx"))) as parts:
        body = parts.read("word/document.xml").decode()
        links = parts.read("word/_rels/document.xml.rels").decode()
    assert "Heading1" in body
    assert "ListBullet" in body
    assert "<w:tbl>" in body
    assert "Żółć" in body
    assert "<w:hyperlink" in body
    assert "t=10s" in links
    assert "javascript" not in links


def test_a_pdf_has_a_page_a_depth_and_its_words() -> None:
    found = PdfReader(BytesIO(exported("pdf")))
    text = " ".join(page.extract_text() for page in found.pages)
    assert text.count("Summary (") == 2
    assert "alert(1)" in text
    links = [
        str(one.get_object()["/A"]["/URI"])
        for page in found.pages
        for one in page.get("/Annots", ())
    ]
    assert links
    assert all(link.startswith("https://") for link in links)


def test_a_pdf_needs_no_font_of_the_machine(tmp_path: Path) -> None:
    found = pdf_of(documents_of([note()], source=SOURCE), title="T", places=(tmp_path,))
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(found)).pages)
    assert "Summary (brief)" in text


def test_files_are_named_by_their_kind() -> None:
    assert [kind_of(f"a.{kind}") for kind in FORMATS] == list(FORMATS)
    with pytest.raises(ConfigError, match="no kind of file"):
        kind_of("notes.odt")
    with pytest.raises(ConfigError, match="cannot be written"):
        export([], source=SOURCE, kind="odt")


def test_a_note_is_its_json() -> None:
    assert Note.from_json(note().as_json()) == note()


def test_a_pdf_says_that_its_font_lacks_letters(caplog: pytest.LogCaptureFixture) -> None:
    strange = replace(
        documents_of([note()], source=SOURCE)[0], sections=[("Points", "We said \U0001f389 twice.")]
    )
    text = PdfReader(BytesIO(pdf_of([strange], title="T"))).pages[0].extract_text()
    assert "We said ? twice." in text
    assert "lacks some letters" in text
    plain = replace(strange, sections=[("Points", "We said it twice. Why?")])
    text = PdfReader(BytesIO(pdf_of([plain], title="T"))).pages[0].extract_text()
    assert "lacks some letters" not in text
    assert not caplog.records
