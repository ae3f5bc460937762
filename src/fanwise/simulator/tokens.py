"""Plausible token counts, without any model's vocabulary.

A token is taken as four characters of Latin script, two and a half of other alphabets, three digits
and one character of Chinese, Japanese or Korean; measured tokenizers lie within about a third of
that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from fanwise.records import Json, Message

_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]")
_DIGIT = re.compile(r"\d")
_LATIN = re.compile("[\\x00-\u024f]")
_PER_MESSAGE = 4
_PER_REQUEST = 3


def count_text(text: str) -> int:
    """Tokens of a text; 0 of an empty one."""
    if not text:
        return 0
    digits = len(_DIGIT.findall(text))
    if text.isascii():
        return math.ceil((len(text) - digits) / 4.0 + digits / 3.0)
    latin = len(_LATIN.findall(text))
    wide = len(_WIDE.findall(text))
    other = len(text) - latin - wide
    return math.ceil((latin - digits) / 4.0 + digits / 3.0 + wide + other / 2.5)


def count_messages(messages: Sequence[Message]) -> int:
    """Tokens of a conversation, with what each message and the request add."""
    texts = sum(count_text(text_of(message.content)) for message in messages)
    return texts + _PER_MESSAGE * len(messages) + _PER_REQUEST


def text_of(content: Json) -> str:
    """The text of a message's content: itself, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def cut(text: str, max_tokens: int) -> tuple[str, bool]:
    """A text's beginning of at most ``max_tokens`` tokens, and whether anything was cut off."""
    if count_text(text) <= max_tokens:
        return text, False
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_text(text[:middle]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low], True


def pieces(text: str, *, most: int = 200) -> Sequence[str]:
    """A text in pieces of about a token each, as a stream brings it; at most ``most`` of them."""
    words = re.findall(r"\s*\S{1,6}|\s+$", text)
    group = math.ceil(len(words) / most) or 1
    return ["".join(words[place : place + group]) for place in range(0, len(words), group)]
