"""How many tokens a request will take, before the provider says how many it took."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import orjson

from fanwise.limits.profiles.known import GENERIC
from fanwise.limits.profiles.profile import Profile
from fanwise.records import Cost, Json, Request, Usage

# Tokens a character before anything is known of a model. The values of Latin and Han text undo the
# known errors of "characters / 4" (1.34 times too many for English, a third of them for Chinese);
# the others lie between by the bytes a character takes. Every one is only where learning starts.
_LATIN: Final = 0
_TOKENS_A_CHARACTER: Final = (0.19, 0.35, 0.5, 0.75, 0.6)
_SCRIPTS: Final = (
    (0x0000, 0),  # Latin, with its accents and signs
    (0x0370, 1),  # Greek, Cyrillic, Armenian, Hebrew, Arabic
    (0x0700, 2),  # the scripts of South and South-East Asia, Georgian, Ethiopic and others
    (0x1E00, 0),  # more Latin, punctuation, symbols
    (0x2E80, 3),  # Han and kana
    (0xA000, 2),
    (0xAC00, 4),  # Hangul
    (0xD7B0, 3),  # compatibility forms, full-width forms, emoji, rare Han
)
_STARTS: Final = tuple(start for start, _ in _SCRIPTS)
_SAMPLE: Final = 64
_MESSAGE_TOKENS: Final = 4
_IMAGE_TOKENS: Final = 1000
_OUTPUT_CAPS: Final = (
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "maxOutputTokens",
)
_SHAPES_OUTPUT: Final = frozenset({*_OUTPUT_CAPS, "n", "generationConfig"})
_TEXT_KEYS: Final = ("content", "text", "parts", "input", "output", "arguments")
_PROMPT_KEYS: Final = ("messages", "input", "prompt", "instructions", "system", "contents")
_START_OUTPUT_TOKENS: Final = 512
_QUANTILE: Final = 0.9
_WINDOW: Final = 64
_PRIOR_TOKENS: Final = 500.0
_KEEP: Final = 0.98


class TokenEstimator:
    """Estimates a request's tokens and learns from what its answer reports.

    Input tokens are characters times a ratio that depends on the script, corrected by a factor that
    is learned for each model and script from reported usage. Output tokens are the 0.9 quantile of
    the model's last 64 answers; 512 before those. What of them a request takes, and whether its own
    cap counts instead, is the profile's to say.

    Args:
        profile: How the provider counts.
    """

    def __init__(self, profile: Profile = GENERIC) -> None:
        self._profile = profile
        self._factors: dict[tuple[str, int], _Factor] = {}
        self._outputs: dict[str, _Outputs] = {}

    def estimate(self, request: Request) -> Cost:
        """What a request will probably take: one request and so many tokens."""
        tokens, script = _input_tokens(request)
        factor = self._factors.get((request.model, script))
        if factor is not None:
            tokens *= factor.value
        cap, times = output_cap(request)
        outputs = self._outputs.get(request.model)
        # What was learned is tokens of whole answers, so it holds every choice already.
        expected = _START_OUTPUT_TOKENS * times if outputs is None else outputs.quantile
        return self._profile.reserve(
            input_tokens=max(1, math.ceil(tokens)), output_tokens=expected, output_cap=cap
        )

    def counted(self, request: Request, usage: Usage) -> Usage:
        """What a served request has taken from the quotas, as its provider counts."""
        return self._profile.counted(usage, capped=output_cap(request)[0] is not None)

    def learn(self, request: Request, usage: Usage) -> None:
        """Takes in what a served request was reported to have used; unknown parts teach nothing."""
        if usage.input_tokens:
            tokens, script = _input_tokens(request)
            factor = self._factors.setdefault((request.model, script), _Factor())
            factor.learn(expected=tokens, reported=usage.input_tokens)
        if usage.output_tokens is not None:
            outputs = self._outputs.setdefault(request.model, _Outputs())
            outputs.learn(usage.output_tokens)


def output_cap(request: Request) -> tuple[int | None, int]:
    """The most tokens all answers of a request may have, and how many answers it asks for."""
    said: Mapping[str, Json] = request.parameters if request.body is None else request.body
    if not said or said.keys().isdisjoint(_SHAPES_OUTPUT):
        return None, 1
    answers = said.get("n")
    times = answers if isinstance(answers, int) and answers > 1 else 1
    for name in _OUTPUT_CAPS:
        cap = said.get(name)
        if isinstance(cap, int) and cap > 0:
            return cap * times, times
    config = said.get("generationConfig")
    cap = config.get("maxOutputTokens") if isinstance(config, Mapping) else None
    return (cap * times if isinstance(cap, int) and cap > 0 else None), times


class _Factor:
    """Reported over expected tokens, older answers counting less; starts at 1."""

    __slots__ = ("_expected", "_reported", "value")

    def __init__(self) -> None:
        self._expected = _PRIOR_TOKENS
        self._reported = _PRIOR_TOKENS
        self.value = 1.0

    def learn(self, *, expected: float, reported: float) -> None:
        self._expected = _KEEP * self._expected + expected
        self._reported = _KEEP * self._reported + reported
        self.value = self._reported / self._expected


class _Outputs:
    """The last answers' lengths, and a high quantile of them."""

    __slots__ = ("_lengths", "_since", "quantile")

    def __init__(self) -> None:
        self._lengths: deque[int] = deque(maxlen=_WINDOW)
        self._since = 0
        self.quantile = _START_OUTPUT_TOKENS

    def learn(self, tokens: int) -> None:
        self._lengths.append(tokens)
        self._since += 1
        # Sorting for every answer would cost more than it tells once there are many of them.
        if self._since >= len(self._lengths) // 8:
            self._since = 0
            ordered = sorted(self._lengths)
            self.quantile = max(1, ordered[math.ceil(_QUANTILE * len(ordered)) - 1])


def _input_tokens(request: Request) -> tuple[float, int]:
    """Expected input tokens before any correction, and the script most of them are in."""
    by_script = [0.0] * len(_TOKENS_A_CHARACTER)
    if request.body is None:
        for message in request.messages:
            content = message.content
            if type(content) is str and content.isascii():
                by_script[_LATIN] += len(content) * _TOKENS_A_CHARACTER[_LATIN]
            else:
                _add(content, by_script)
        overhead = _MESSAGE_TOKENS * len(request.messages)
        if request.schema is not None:
            overhead += _json_tokens(request.schema.definition)
        tools = request.parameters.get("tools") if request.parameters else None
    else:
        overhead = _MESSAGE_TOKENS
        for key in _PROMPT_KEYS:
            if key in request.body:
                _add(request.body[key], by_script)
        tools = request.body.get("tools")
        form = request.body.get("response_format")
        if isinstance(form, Mapping):
            overhead += _json_tokens(form)
    if tools:
        overhead += _json_tokens(tools)
    total = sum(by_script)
    return total + overhead, by_script.index(max(by_script))


def _add(content: Json, by_script: list[float]) -> None:
    """Adds the tokens of a text, or of all texts inside a list of messages or parts."""
    if isinstance(content, str):
        if content.isascii():
            by_script[_LATIN] += len(content) * _TOKENS_A_CHARACTER[_LATIN]
        else:
            _add_sampled(content, by_script)
    elif isinstance(content, Mapping):
        if "image" in str(content.get("type", "")):
            by_script[_LATIN] += _IMAGE_TOKENS
            return
        if "role" in content:
            by_script[_LATIN] += _MESSAGE_TOKENS
        for key in _TEXT_KEYS:
            if key in content:
                _add(content[key], by_script)
    elif isinstance(content, list | tuple):
        for part in content:
            _add(part, by_script)


def _add_sampled(text: str, by_script: list[float]) -> None:
    """Judges a text's scripts by at most 127 characters spread evenly over it."""
    sample = text[:: max(1, len(text) // _SAMPLE)]
    share = len(text) / len(sample)
    for character in sample:
        script = _SCRIPTS[bisect_right(_STARTS, ord(character)) - 1][1]
        by_script[script] += share * _TOKENS_A_CHARACTER[script]


def _json_tokens(value: Any) -> int:
    return len(orjson.dumps(value, default=dict)) // 4
