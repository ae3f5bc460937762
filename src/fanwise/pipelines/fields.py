"""What can be wrong with a field of a job, in the same words for every pipeline.

Each check takes a value of any type, as JSON brings it, and returns why it is wrong; an empty text
where it is not. What it returns continues the field's name: ``repeats: is 'x'; it is a whole
number``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from fanwise.errors import InvalidFields

T = TypeVar("T")

RULES_MODEL = "builtin/rules"
"""What answers by a pipeline's own rules, without any model."""

MOST_MODEL_CHARS = 200
_SHOWN_CHARS = 60


def text(value: object, *, least: int = 0, most: int | None = None) -> str:
    """What is wrong with a text of ``least`` to ``most`` characters, blanks around it aside."""
    if not isinstance(value, str):
        return f"is {shown(value)}; it is a text"
    if not _writable(value):
        return "holds half a character (a lone surrogate); send it as UTF-8"
    chars = len(value.strip())
    if least <= chars and (most is None or chars <= most):
        return ""
    if most is None:
        return f"has {chars:,} characters; the least is {least:,}"
    if not least:
        return f"has {chars:,} characters; the most is {most:,}"
    return f"has {chars:,} characters; it takes {least:,} to {most:,}"


def choice(value: object, allowed: Sequence[str]) -> str:
    """What is wrong with a choice."""
    return "" if value in allowed else f"is {shown(value)}; it is one of {', '.join(allowed)}"


def count(value: object, *, least: int = 1, most: int | None = None) -> str:
    """What is wrong with a whole number of ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int):
        return f"is {shown(value)}; it is a whole number {_range(least, most)}"
    fine = value >= least and (most is None or value <= most)
    return "" if fine else f"is {shown(value)}; it is a whole number {_range(least, most)}"


def number(
    value: object, *, least: float = 0.0, most: float | None = None, above: bool = False
) -> str:
    """What is wrong with a finite number of ``least`` (or, ``above`` it, more) to ``most``."""
    bounds = f"above {_plain(least)}" if above else _range(least, most)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return f"is {shown(value)}; it is a number {bounds}"
    fine = (value > least if above else value >= least) and (most is None or value <= most)
    return "" if fine else f"is {shown(value)}; it is a number {bounds}"


def switch(value: object) -> str:
    """What is wrong with a yes or no."""
    return "" if isinstance(value, bool) else f"is {shown(value)}; it is true or false"


def mapping(value: object, *, such_as: str = "{'temperature': 0}") -> str:
    """What is wrong with an object of names and values."""
    fine = isinstance(value, Mapping)
    return "" if fine else f"is {shown(value)}; it is an object such as {such_as}"


def texts(value: object, *, of: str = "texts") -> str:
    """What is wrong with a list of texts, none of them empty."""
    parts: Any = value
    fine = isinstance(parts, (list, tuple)) and all(
        isinstance(part, str) and part for part in cast("Sequence[object]", parts)
    )
    return "" if fine else f"is {shown(value)}; it is a list of {of}"


def some(value: object, allowed: Sequence[str], *, least: int = 0, most: int | None = None) -> str:
    """What is wrong with a list of choices, each at most once."""
    wrong = texts(value, of=", ".join(allowed))
    if wrong:
        return wrong
    names = list(cast("Sequence[str]", value))
    if len(names) < least:
        return f"names {len(names)}; the least is {least}, out of {', '.join(allowed)}"
    if most is not None and len(names) > most:
        return f"names {len(names)}; the most is {most}"
    unknown = next((name for name in names if name not in allowed), None)
    if unknown is not None:
        return f"names {shown(unknown)}; there are {', '.join(allowed)}"
    return _twice(names)


def model(value: object) -> str:
    """What is wrong with the name of a model."""
    if isinstance(value, str) and len(value) <= MOST_MODEL_CHARS and _writable(value):
        provider, _, name = canonical(value).partition("/")
        if provider.strip() and name.strip():
            return ""
    return f"is {shown(value)}; write provider/model, such as openai/gpt-4o-mini or {RULES_MODEL}"


def models(value: object, *, most: int) -> str:
    """What is wrong with a list of one to ``most`` models, each once."""
    wrong = texts(value, of="provider/model")
    if wrong:
        return wrong
    names = list(cast("Sequence[str]", value))
    if not 1 <= len(names) <= most:
        return f"names {len(names)} models; it takes 1 to {most}"
    wrong = next((reason for reason in map(model, names) if reason), "")
    return wrong or _twice([canonical(name) for name in names])


def optional(value: object, check: Callable[[Any], str]) -> str:
    """What is wrong with a value that may also be absent."""
    return "" if value is None else check(value)


def unknown(given: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """A reason for each name that is no field."""
    told = f"there is no such field; there are {', '.join(known)}"
    return {name: told for name in given if name not in known}


def made(
    subject: str, make: Callable[[], T], wrong: Mapping[str, str] | None = None, *, hint: str = ""
) -> T:
    """Makes a job, where nothing was found wrong before and nothing is while it is made.

    Args:
        subject: What has the fields.
        make: Makes it; raises ``InvalidFields`` itself where it checks its fields.
        wrong: What is wrong already. It is told first, and beside what ``make`` finds.
        hint: How to mend it.

    Raises:
        InvalidFields: One reason for each field that is wrong.
    """
    reasons = dict(wrong or {})
    try:
        job = make()
    except InvalidFields as error:
        raise InvalidFields(
            subject, {**reasons, **error.fields, **reasons}, hint=hint or error.hint
        ) from None
    if reasons:
        raise InvalidFields(subject, reasons, hint=hint)
    return job


def refuse(subject: str, reasons: Mapping[str, str], *, hint: str = "") -> None:
    """Refuses a job of which some field has a reason; those without one are left out.

    Raises:
        InvalidFields: There is one.
    """
    wrong = {name: reason for name, reason in reasons.items() if reason}
    if wrong:
        raise InvalidFields(subject, wrong, hint=hint)


def canonical(name: str) -> str:
    """A model's name as ``provider/model``, also of the spelling with a colon."""
    provider, separator, rest = name.partition(":")
    return f"{provider}/{rest}" if separator and "/" not in provider else name


def shown(value: object) -> str:
    """A value as a message can hold it."""
    told = repr(value)
    return told if len(told) <= _SHOWN_CHARS else f"{told[: _SHOWN_CHARS - 3]}…"


def _range(least: float, most: float | None) -> str:
    if most is None:
        return f"of {_plain(least)} or more"
    return f"from {_plain(least)} to {_plain(most)}"


def _plain(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _twice(names: Sequence[str]) -> str:
    name = next((name for name in names if names.count(name) > 1), None)
    return "" if name is None else f"names {name} twice"


def _writable(value: str) -> bool:
    """Whether a text can be sent as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
