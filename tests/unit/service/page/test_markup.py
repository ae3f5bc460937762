"""Markdown and changes as HTML: nothing of a model's becomes a tag, a picture or a script."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.service.page.markup import differing, markdown

TAG = re.compile(r"<(/?)([a-zA-Z0-9]+)([^>]*)>")
OF_TEXT = "p ul ol li h3 h4 h5 h6 strong em code pre blockquote hr br a"
OF_TABLES = "table thead tbody tr th td"
ALLOWED = frozenset(f"{OF_TEXT} {OF_TABLES}".split())


def tags(html):
    return {name.lower() for _, name, _ in TAG.findall(str(html))}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "![seen](https://beacon.example/x.gif)",
        "![seen][x]\n\n[x]: https://beacon.example/x.gif",
        "[press](javascript:alert(1))",
        "[press](data:text/html;base64,PHNjcmlwdD4=)",
        "[press](//evil.example)",
        "<a href='javascript:alert(1)'>x</a>",
        "```html\n</code></pre><script>1</script>\n```",
        "| a |\n|---|\n| <iframe src=x> |",
        "<!-- --><svg/onload=alert(1)>",
        '[x](https://a.example/"onmouseover=alert(1)//)',
    ],
)
def test_tricks_of_markdown_are_text_or_links_to_the_web(text):
    html = str(markdown(text))
    assert tags(html) <= ALLOWED
    for _, name, rest in TAG.findall(html):
        assert "onerror" not in rest
        if name == "a":
            assert not rest or rest.strip().startswith('href="https://')
            assert 'rel="noopener noreferrer nofollow"' in rest or not rest


@given(st.text(alphabet="<>![]()\"'`=/ \n#*_|ax:", max_size=60))
def test_no_text_makes_another_tag_than_markdown_has(text):
    assert tags(markdown(text)) <= ALLOWED
    before, after = differing(text, text[::-1])
    assert tags(before) <= {"del"}
    assert tags(after) <= {"ins"}


def test_headings_stand_below_those_of_the_page():
    assert "<h4>One</h4>" in markdown("# One", below=4)
    assert "<h6>Deep</h6>" in markdown("###### Deep", below=4)


def test_a_picture_is_a_link_to_where_it_lies():
    assert '<a href="https://a.example/x.png"' in markdown("![a view](https://a.example/x.png)")


def test_a_change_shows_which_words_are_new():
    before, after = differing("Wrote old tools", "Wrote new tools")
    assert before == "Wrote <del>old</del> tools"
    assert after == "Wrote <ins>new</ins> tools"


def test_what_is_too_long_to_compare_word_by_word_is_shown_whole():
    before, after = differing("a " * 9000, "b " * 9000)
    assert before.startswith("<del>")
    assert after.startswith("<ins>")
