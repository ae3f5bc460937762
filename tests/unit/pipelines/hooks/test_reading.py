"""How a writer's answer is read: as JSON, repaired, one hook a line, or not at all."""

import json

import pytest

from fanwise.errors import InvalidOutput
from fanwise.models.structured import parse
from fanwise.pipelines.hooks.schema import salvage, tidy, written_schema

HOOKS = [f"This is hook number {n} of the post" for n in "abcde"]


def entry(text: str) -> dict[str, str]:
    return {"text": text, "technique": "question", "rationale": "because"}


WELL_FORMED = json.dumps({"hooks": [entry(text) for text in HOOKS]})


def texts(answer: str, *, complete: bool = True) -> list[str]:
    return [hook.text for hook in parse(answer, written_schema(), complete=complete).value.hooks]


@pytest.mark.parametrize(
    "answer",
    [
        WELL_FORMED,
        f"Sure!\n```json\n{WELL_FORMED}\n```",
        WELL_FORMED.replace("}, {", "} {"),
        json.dumps(HOOKS),
        json.dumps({"hooks": HOOKS}),
        json.dumps([{"hook": text} for text in HOOKS]),
        json.dumps({f"hook{n}": text for n, text in enumerate(HOOKS)}),
        "\n".join(HOOKS),
        "Here are five hooks:\n\n" + "\n".join(f"{n}. {t}" for n, t in enumerate(HOOKS, 1)),
        "\n".join(f'- **"{text}"**' for text in HOOKS) + "\nI hope you like these hooks!",
        "\n".join(f"Hook {n}: “{text}”" for n, text in enumerate(HOOKS, 1)),
        "<think>1. A bad hook that I will not use</think>" + "\n".join(HOOKS),
    ],
)
def test_an_answer_in_any_of_these_forms_gives_its_five_hooks(answer: str):
    assert texts(answer) == HOOKS


def test_of_more_than_five_the_first_five_count():
    more = [*HOOKS, "One more hook that nobody asked for"]
    assert texts(json.dumps({"hooks": [entry(text) for text in more]})) == HOOKS
    assert texts("\n".join(f"{n}) {text}" for n, text in enumerate(more, 1))) == HOOKS


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I am sorry, I cannot help with that request today.",
        "\n".join(HOOKS[:4]),
        json.dumps({"hooks": [entry(text) for text in HOOKS[:4]]}, indent=1),
        "\n".join(HOOKS[:1] * 5),
        "one\ntwo\nthree\nfour\nfive\nsix",
    ],
)
def test_fewer_than_five_hooks_are_no_answer(answer: str):
    assert salvage(answer) is None
    with pytest.raises(InvalidOutput):
        texts(answer)


def test_an_answer_that_was_cut_is_not_read_line_by_line():
    with pytest.raises(InvalidOutput):
        texts("\n".join(HOOKS), complete=False)


def test_a_hook_is_one_line_without_quotation_marks_or_control_characters():
    assert tidy(' "Stop\x1b[31m\n reading"  ') == "Stop [31m reading"
    assert tidy("**Bold** claim") == "Bold claim"
    assert tidy('She said "no" twice') == 'She said "no" twice'


def test_a_hook_of_one_word_or_of_a_page_is_refused():
    for text in ("Why?", "word " * 80):
        with pytest.raises(InvalidOutput):
            texts(json.dumps({"hooks": [entry(text) for _ in HOOKS]}))
