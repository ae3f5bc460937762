"""The rules: what they count, quote and leave out."""

import pytest

from fanwise.pipelines.notes.catalogue import NAMES, template
from fanwise.pipelines.notes.check import reason_against
from fanwise.pipelines.notes.prompt import note_messages
from fanwise.pipelines.notes.records import DEPTHS, Passage, Source
from fanwise.pipelines.notes.rules import note_rules
from fanwise.pipelines.notes.rules.answer import recording_of
from fanwise.pipelines.notes.rules.sections import KINDS, WORDS
from fanwise.pipelines.notes.rules.text import addressed, best, sentences_of, weights_of
from fanwise.records import Request


def passages(*texts: str) -> list[Passage]:
    return [
        Passage(id=f"P{n}", text=text, start_s=60.0 * n, end_s=60.0 * n + 60)
        for n, text in enumerate(texts)
    ]


BREAD = "The dough rises in the jar. The dough needs flour and water. Flour feeds the dough."
OVEN = "The oven reaches 240 degrees. Steam in the oven makes a crust. Open the oven carefully."
LONG = passages(*[BREAD] * 6, *[OVEN] * 6)


def test_chapters_begin_where_the_words_change() -> None:
    found = recording_of("", LONG)
    starts = {chapter.passages[0].id for chapter in found.chapters}
    assert "P6" in starts
    assert "dough" in found.chapters[0].title.lower()
    assert [p.id for chapter in found.chapters for p in chapter.passages] == [p.id for p in LONG]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", [[BREAD, OVEN], ["Hi."], ["no full stop " * 200], ["…"]])
def test_whatever_is_said_every_section_is_in_its_form(name: str, said: list[str]) -> None:
    kind = template(name)
    wanted = {depth: [section.id for section in kind.sections] for depth in DEPTHS}
    messages = note_messages(
        kind, wanted, passages(*said), source=Source(id="x"), shape="transcript"
    )
    answer = note_rules(Request(model="a/b", messages=messages))
    assert [part["depth"] for part in answer["parts"]] == list(DEPTHS)
    for part in answer["parts"]:
        for section, written in zip(kind.sections, part["sections"], strict=True):
            assert reason_against(section, written["markdown"]) == "", written


def test_what_is_quoted_was_said_and_no_longer_than_its_depth() -> None:
    found = recording_of("", LONG)
    for depth in DEPTHS:
        body = KINDS["opening"](found, depth)
        assert len(body.markdown.split()) <= WORDS[depth] + 1
        quoted = body.markdown.rpartition(" [")[0].removesuffix(".").split(". ")
        assert len(quoted) == len(set(quoted)) == 3
        assert all(f"{sentence}." in BREAD for sentence in quoted)


def test_a_sentence_that_was_said_is_not_said_again_while_there_is_another() -> None:
    sentences = sentences_of(passages(BREAD, BREAD, OVEN))
    chosen = best(sentences, weights_of(sentences), words=18, most=3)
    assert len({one.text for one in chosen}) == 3


def test_names_that_are_called_are_no_subject() -> None:
    sentences = sentences_of(passages("Jack, look. Okay, Jack. Go on, Jack, with the valve."))
    assert addressed(sentences) == {"jack"}
    assert weights_of(sentences)["jack"] == 0


def test_function_words_are_those_of_the_recordings_own_language() -> None:
    german = sentences_of(passages("Der Umzug war am 3. März und das Lager war leer."))
    assert [one.words for one in german] == [("umzug", "märz", "lager", "leer")]
    english = sentences_of(passages("The war was in the city and the hat was on the table."))
    assert {"war", "hat"} <= set(english[0].words)


def test_scripts_without_spaces_are_cut_at_their_full_stops() -> None:
    found = sentences_of(passages("小麦粉と水を混ぜます。次に塩を入れます。"))
    assert [one.text for one in found] == ["小麦粉と水を混ぜます。", "次に塩を入れます。"]
    assert all(one.words for one in found)
