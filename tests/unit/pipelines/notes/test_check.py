"""Structure, citations, times and passages."""

import re

import pytest
from markdown_it import MarkdownIt

from fanwise.documents import Cue, Transcript
from fanwise.pipelines.notes.catalogue import NAMES, template
from fanwise.pipelines.notes.check import Draft, cited, reason_against, tidy
from fanwise.pipelines.notes.links import linked
from fanwise.pipelines.notes.passages import cut, parts_of, ranges
from fanwise.pipelines.notes.rules.sections import KINDS
from fanwise.pipelines.notes.schema import NoteAnswer

ORDER = [f"P{n}" for n in range(1, 13)]
SUMMARY = template("basic-summary")


def answer(**parts: dict[str, tuple[str, list[str]]]) -> NoteAnswer:
    return NoteAnswer.model_validate(
        {
            "template": "basic-summary",
            "parts": [
                {
                    "depth": depth,
                    "sections": [
                        {"section": name, "markdown": text, "sources": sources}
                        for name, (text, sources) in sections.items()
                    ],
                }
                for depth, sections in parts.items()
            ],
        }
    )


WHOLE = {
    "overview": ("About bread.", ["P1"]),
    "main-points": ("### [00:00] Bread\n\nIt is baked.", ["P2-P12"]),
    "takeaways": ("- Bake.\n- Eat.", []),
}


def test_every_template_is_whole_data() -> None:
    for name in NAMES:
        found = template(name)
        assert found.id == name
        assert found.name
        assert found.description
        assert found.prompt
        assert found.estimated_tokens > 0
        assert len({section.id for section in found.sections}) == len(found.sections) >= 3
        assert all(section.rules in KINDS for section in found.sections)
        assert found.whole in found.sections


def test_a_whole_note_wants_nothing_more() -> None:
    draft = Draft(SUMMARY, ["brief"], ORDER)
    assert draft.wanted() == {"brief": ["overview", "main-points", "takeaways"]}
    draft.take(answer(brief=WHOLE))
    assert (draft.wanted(), draft.gaps(), draft.problems) == ({}, {}, [])


def test_a_depth_or_section_that_is_missing_empty_or_double_is_wanted_again() -> None:
    draft = Draft(SUMMARY, ["brief", "standard"], ORDER)
    found = answer(brief={**WHOLE, "overview": ("  ", ["P1"])})
    found.parts.append(found.parts[0].model_copy(deep=True))
    draft.take(found)
    assert {problem.reason for problem in draft.problems if problem.depth == "brief"} == {
        "it is there twice"
    }
    assert draft.wanted()["standard"] == ["overview", "main-points", "takeaways"]
    draft.take(answer(brief={**WHOLE, "overview": ("  ", ["P1"])}, standard=WHOLE))
    assert draft.wanted() == {"brief": ["overview"]}
    assert draft.problems[0].reason == "it is empty"
    draft.take(answer(brief={"overview": ("About bread.", ["P1"]), "main-points": ("Else", [])}))
    assert draft.wanted() == {}
    assert "baked" in draft.depth("brief").sections[1].markdown  # what was good is not replaced


def test_passages_that_nothing_cites_are_gaps_until_the_main_section_is_extended() -> None:
    draft = Draft(SUMMARY, ["brief"], ORDER)
    draft.take(answer(brief={**WHOLE, "main-points": ("### Bread", ["P2-P9", "P12"])}))
    assert draft.gaps() == {"brief": ["P10", "P11"]}
    draft.take(answer(brief={"main-points": ("### Oven\n\nHot.", ["P10-P11", "P1"])}))
    assert draft.gaps() == {}
    main = draft.depth("brief").sections[1]
    assert main.markdown == "### Bread\n\n### Oven\n\nHot."
    assert main.sources == tuple(ORDER[1:])


def test_an_answer_for_another_template_counts_for_nothing() -> None:
    draft = Draft(SUMMARY, ["brief"], ORDER)
    other = answer(brief=WHOLE).model_copy(update={"template": "study-notes"})
    draft.take(other)
    assert draft.foreign == "study-notes"
    assert len(draft.wanted()["brief"]) == 3


def test_sections_of_no_template_are_left_out_and_counted() -> None:
    draft = Draft(SUMMARY, ["brief"], ORDER)
    draft.take(answer(brief={**WHOLE, "advert": ("Buy!", [])}))
    assert draft.ignored == 1
    assert [section.section for section in draft.depth("brief").sections] == list(WHOLE)


def test_lists_have_their_number_of_entries_and_slides_their_notes() -> None:
    questions = template("study-notes").section("questions")
    assert questions is not None
    assert reason_against(questions, "\n".join(f"{n}. Why?" for n in range(1, 6))) == ""
    assert "4 entries" in reason_against(questions, "- a\n- b\n- c\n- d")
    assert "9 entries" in reason_against(questions, "\n".join(["- a"] * 9))
    slides = template("presentation-slides").section("slides")
    assert slides is not None
    assert "Speaker notes:" in reason_against(slides, "### Slide 1: Bread\n- baked")


def test_headings_are_never_as_tall_as_the_notes_own() -> None:
    assert tidy("# A\n## B\n### C\n#tag") == "### A\n### B\n### C\n#tag"


def test_sources_are_names_and_ranges_and_nothing_that_is_not_there() -> None:
    assert cited(["P3-P5", "[P1]", "p2, P12", "P9 to P10", "P40", "all"], ORDER) == [
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P9",
        "P10",
        "P12",
    ]
    assert cited(["P5-P3"], ORDER) == []
    assert ranges(["P1", "P2", "P3", "P12"], order=ORDER) == "P1-P3, P12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[01:05]", "[01:05](https://www.youtube.com/watch?v=abc&t=65s)"),
        ("[1:00:05]", "[1:00:05](https://www.youtube.com/watch?v=abc&t=3605s)"),
        ("[00:10-00:20]", "[00:10-00:20](https://www.youtube.com/watch?v=abc&t=10s)"),
        ("[00:10](x)", "[00:10](x)"),
        ("[1] and [P3]", "[1] and [P3]"),
    ],
)
def test_times_are_links(text: str, expected: str) -> None:
    assert linked(text, video="abc", duration_s=4000)[0] == expected


def test_a_time_beyond_the_recording_is_no_link() -> None:
    assert linked("[99:00]", video="abc", duration_s=60) == ("[99:00]", ["99:00"])
    assert linked("[00:30]", video="", duration_s=60) == ("[00:30]", [])


def spoken(count: int, *, words: int = 40) -> Transcript:
    cues = [
        Cue(text=f"w{n} " * words, start_s=float(n), end_s=n + 1.0, speaker="ab"[n % 2])
        for n in range(count)
    ]
    return Transcript(cues=cues)


@pytest.mark.parametrize("count", [1, 7, 100, 3000])
def test_passages_hold_every_cue_once_and_are_not_too_many_to_cite(count: int) -> None:
    passages = cut(spoken(count))
    cues = [n for one in passages for n in range(one.cues[0], one.cues[1] + 1)]
    assert cues == list(range(count))
    assert len(passages) <= 80
    assert [one.id for one in passages] == [f"P{n}" for n in range(1, len(passages) + 1)]


def test_parts_are_runs_of_whole_passages_of_much_the_same_size() -> None:
    passages = cut(spoken(1000))
    parts = parts_of(passages, part_tokens=6000)
    assert [one for part in parts for one in part.passages] == passages
    sizes = [sum(one.tokens for one in part.passages) for part in parts]
    assert max(sizes) < 1.3 * min(sizes)
    assert max(sizes) < 7000
    assert len(parts_of(passages, part_tokens=10**6)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\\\\<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- hidden -->",
        "[here](javascript:alert(1))",
        "![dot](http://evil.example/dot.png)",
        "[here][x]\n\n[x]: http://evil.example",
        "<http://evil.example>",
    ],
)
def test_what_was_said_is_no_tag_link_or_image_in_the_markdown(text: str) -> None:
    shown = MarkdownIt("commonmark").render(tidy(text))
    assert not re.search(r"<(?!/?p>)", shown), shown


def test_times_emphasis_and_blocks_of_code_stay() -> None:
    text = "[12:34] **a** < b and 3<4\n\n```html\n<b>[x](y)</b>\n```\n\n- [00:10]: so"
    assert tidy(text) == text.replace("]: so", "]\\: so")
    found, _ = linked(tidy("[00:10]: so, [00:12](x)"), video="dQw4w9WgXcQ", duration_s=60)
    assert found.count("](https://www.youtube.com") == 2
