"""Tailored resumes as files: what is written is the resume, and is read as the same again."""

import asyncio
from importlib.resources import files

import pytest

import fanwise as fw
from fanwise.pipelines.tailoring import PIPELINE, as_docx, as_markdown, as_text, parse_resume
from fanwise.pipelines.tailoring.ats import score
from fanwise.pipelines.tailoring.jsonresume import read_json_resume
from fanwise.pipelines.tailoring.posting import read_posting
from fanwise.pipelines.tailoring.records import Resume
from support.tailoring import POSTING, RESUME, TODAY


def again(data: bytes, name: str) -> Resume:
    return parse_resume(asyncio.run(fw.documents.read_document(data, name=name)).text)


def total(resume: Resume, posting: str = POSTING) -> float:
    return score(resume, read_posting(posting), posting_text=posting, today=TODAY).total


@pytest.mark.parametrize("kind", ["md", "docx", "txt"])
def test_a_resume_that_was_written_is_read_as_the_same_again(kind: str) -> None:
    resume = parse_resume(RESUME)
    written = {
        "md": lambda: as_markdown(resume).encode(),
        "docx": lambda: as_docx(resume),
        "txt": lambda: as_text(resume).encode(),
    }[kind]()
    found = again(written, f"dana.{kind}")
    assert [s.kind for s in found.sections] == [s.kind for s in resume.sections]
    assert found.of_kind("experience")[0].entries == resume.of_kind("experience")[0].entries
    assert abs(total(found) - total(resume)) <= 3


def test_markdown_shows_odd_lines_as_they_stand() -> None:
    text = RESUME.replace("Answered support", "Wrote *all* of <b>2</b> [links](x) for support")
    assert "\\*all\\* of \\<b\\>2" in as_markdown(parse_resume(text))


def test_control_characters_do_not_break_a_docx() -> None:
    assert as_docx(parse_resume(RESUME.replace("Answered", "An\x0bswered\x00")))


def test_the_bundled_resumes_score_as_their_people_fit() -> None:
    place = PIPELINE.sample_path
    assert place is not None
    job = (place / "job.txt").read_text()
    dana = parse_resume((place / "dana_voss.txt").read_text())
    jon = read_json_resume((place / "jon_hale.json").read_text(), name="jon")
    mira = parse_resume((place / "mira_okafor.md").read_text())
    assert total(dana, job) > total(jon, job) + 15 > total(mira, job) + 30


def test_prompts_hold_no_place_to_fill() -> None:
    for name in ("analyse", "tailor"):
        text = files("fanwise.pipelines.tailoring").joinpath("prompts", f"{name}.txt").read_text()
        assert "{{" not in text
        assert "an instruction" in text
