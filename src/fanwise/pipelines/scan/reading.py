"""One conversation: from its messages to what is known of its shipments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from fanwise.errors import InputError
from fanwise.pipelines.scan.mailtext import (
    MAX_PART_CHARS,
    Letter,
    letters_of,
    parts_of,
)
from fanwise.pipelines.scan.prompt import PROMPT_VERSION, messages_for
from fanwise.pipelines.scan.records import Dropped, Reading, Shipment
from fanwise.pipelines.scan.rules import RULES_VERSION, rules
from fanwise.pipelines.scan.tracking.find import MOST_NUMBERS, Survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fanwise as fw
    from fanwise.documents import Conversation
    from fanwise.records import Json, Schema

_BY_RULES = ("builtin", "sim")
_MOST_CALLS = 25


@cache
def extraction_schema() -> Schema:
    """The schema that answers must have; its name is what answers are computed by."""
    from fanwise.models.schemas import schema_of
    from fanwise.pipelines.scan.schema import SCHEMA_NAME, Extraction

    return schema_of(Extraction, name=SCHEMA_NAME)


def version_for(model: str) -> str:
    """What a call's answer depends on besides its content: the prompt, or the rules as well."""
    provider = model.replace(":", "/", 1).partition("/")[0]
    return f"{PROMPT_VERSION} {RULES_VERSION}" if provider in _BY_RULES else PROMPT_VERSION


def surveyed(letter: Letter) -> Survey:
    """A letter searched for whatever may be a tracking number."""
    return Survey(letter.whole, sender=letter.address.rpartition("@")[2])


async def read(
    ctx: fw.Context, conversation: Conversation, *, model: str, parameters: Mapping[str, Json]
) -> Reading:
    """The shipments of a conversation, as far as its mail bears the answers out.

    Mail in which nothing can be a tracking number costs no call. The filter is never stricter than
    what an answer is held against: what it passes over would be dropped from an answer too.

    Args:
        ctx: The item's context; one call a part of the conversation (one, unless it is long).
        conversation: Its messages.
        model: Whom to ask, as ``provider/model``.
        parameters: Sampling parameters by the provider's own names.

    Raises:
        InputError: It is too long to be mail (1 MB of text that may hold numbers); or a message
            could not be read and nothing was found in the rest, so that nobody knows whether
            there was something.
        CallError: As ``ctx.call``.
    """
    asked: list[tuple[Sequence[Letter], Sequence[Survey]]] = []
    for part in parts_of(letters_of(conversation)):
        surveys = [surveyed(letter) for letter in part]
        if any(survey.worth_reading for survey in surveys):
            asked.append((part, surveys))
    if len(asked) > _MOST_CALLS:
        raise InputError(
            f"the conversation is longer than {_MOST_CALLS * MAX_PART_CHARS:,} characters",
            source=conversation.messages[0].place,
            hint="this is a dump of data rather than mail: take it out of the mailbox",
        )
    readings = [
        await _asked(ctx, part, surveys=surveys, model=model, parameters=parameters)
        for part, surveys in asked
    ]
    reading = joined(readings)
    broken = [message for message in conversation.messages if message.broken is not None]
    if broken and not reading.shipments:
        raise InputError(
            f"a message could not be read: {broken[0].broken}",
            source=broken[0].place,
            hint="nothing was found in the rest of it; look at it, then scan again",
        )
    return reading


async def _asked(
    ctx: fw.Context,
    part: Sequence[Letter],
    *,
    surveys: Sequence[Survey],
    model: str,
    parameters: Mapping[str, Json],
) -> Reading:
    from fanwise.pipelines.scan.validate import validated

    answer: Any = await ctx.call(
        model,
        messages_for(part),
        schema=extraction_schema(),
        parameters=parameters,
        rules=rules,
        version=version_for(model),
        label="extract",
    )
    return validated(answer, part, surveys=surveys)


def joined(readings: Sequence[Reading]) -> Reading:
    """The readings of a long conversation's parts as one."""
    if len(readings) == 1:
        return readings[0]
    best: dict[str, Shipment] = {}
    dropped: list[Dropped] = []
    for reading in readings:
        dropped += reading.dropped
        for shipment in reading.shipments:
            known = best.get(shipment.tracking_number)
            if known is None or known.confidence < shipment.confidence:
                best[shipment.tracking_number] = shipment
    surest = sorted(best.values(), key=lambda shipment: -shipment.confidence)
    suppliers = (reading.supplier for reading in readings if reading.supplier is not None)
    return Reading(
        supplier=next(suppliers, None),
        shipments=tuple(surest[:MOST_NUMBERS]),
        dropped=tuple(dropped),
    )
