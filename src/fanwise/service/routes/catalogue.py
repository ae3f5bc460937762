"""What the applications keep: topics, cards, questions, review sessions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fanwise.errors import InvalidFields
from fanwise.service.inputs import check_json
from fanwise.service.problems import NotFound, documented
from fanwise.service.routes.common import caller_of, hub_of, json_response
from fanwise.service.routes.matching import matching

router = APIRouter(prefix="/api/v1", tags=["cards"])

_NAME = r"^[^\x00-\x1f/]{1,64}$"
Id = Annotated[str, Path(pattern=_NAME)]
Place = Annotated[int, Path(ge=0, le=10_000, description="From 0.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of the answer.")]
After = Annotated[
    str | None, Query(alias="cursor", pattern=_NAME, description="`next` of the page before.")
]
Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(pattern=_NAME)]


class Strict(BaseModel):
    """A body without unknown fields, and without what no table can keep."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def keepable(cls, value: Any) -> Any:
        """Refuses what no table can keep."""
        check_json("body", {"body": value})
        return value


class NewTopic(Strict):
    """A topic."""

    id: Name
    name: Text = ""


class TopicChange(Strict):
    """What a topic is to be called."""

    name: Text


class NewQuestion(Strict):
    """A question, and what answers to it are held against."""

    question: Text
    kind: str = Field("", description="Follows from options and expected answer where it is empty.")
    options: list[Text] = Field([], max_length=26)
    expected: Text = ""
    rubric: Text = ""
    tolerance: str = Field("", max_length=32)


class QuestionChange(Strict):
    """What of a question is to be another."""

    question: Text | None = None
    kind: str | None = None
    options: list[Text] | None = Field(None, max_length=26)
    expected: Text | None = None
    rubric: Text | None = None
    tolerance: str | None = Field(None, max_length=32)


class NewCard(Strict):
    """A card with its questions."""

    id: Name | None = None
    topic: Name = "general"
    title: Text = ""
    questions: list[NewQuestion] = Field(min_length=1, max_length=500)


class NewCards(Strict):
    """Cards."""

    cards: list[NewCard] = Field(min_length=1, max_length=5000)


class CardChange(Strict):
    """What of a card is to be another."""

    topic: Name | None = None
    title: Text | None = None
    questions: list[NewQuestion] | None = Field(None, min_length=1, max_length=500)


class Import(Strict):
    """A file of cards that was sent before: JSON, JSON Lines or CSV."""

    upload: str = Field(max_length=64, examples=["file-0123456789abcdef"])


class NewSession(Strict):
    """Which cards are to be reviewed; those that are due where none are named."""

    session_id: Name | None = None
    topic: Name | None = None
    card_ids: list[Name] | None = Field(None, max_length=1000)
    limit: int = Field(20, ge=1, le=1000)


class SessionChange(Strict):
    """Whether a session has ended."""

    ended: bool


def made(value: Any, *, status: int = 201) -> Response:
    """The answer to a request that has made something."""
    answer = json_response(value)
    answer.status_code = status
    return answer


# topics


@router.get("/topics", responses=documented(), summary="Topics")
async def topics(request: Request, limit: Limit = 100, cursor: After = None) -> Response:
    """By id, each with how many cards it has."""
    page = await hub_of(request).learning.topics(limit=limit, after=cursor)
    return json_response({"data": page.data, "next": page.next}, request=request)


@router.post("/topics", status_code=201, responses=documented(409, 415), summary="Make a topic")
async def new_topic(request: Request, new: NewTopic) -> Response:
    """A topic is also made by the first card that names it."""
    return made(await hub_of(request).learning.put_topic(new.id, new.name or new.id, new=True))


@router.get("/topics/{topic_id}", responses=documented(404), summary="One topic")
async def topic(request: Request, topic_id: Id) -> Response:
    """Its name."""
    return json_response(await hub_of(request).learning.topic(topic_id), request=request)


@router.patch(
    "/topics/{topic_id}", responses=documented(404, 409, 412, 415), summary="Name a topic anew"
)
async def change_topic(request: Request, topic_id: Id, change: TopicChange) -> Response:
    """Its id stays."""
    learning = hub_of(request).learning
    matching(request, await learning.topic(topic_id))
    found = await learning.put_topic(topic_id, change.name, new=False)
    return json_response(found, request=request)


@router.delete(
    "/topics/{topic_id}", status_code=204, responses=documented(404, 409, 415),
    summary="Delete a topic",
)  # fmt: skip
async def remove_topic(request: Request, topic_id: Id) -> Response:
    """One that has cards is kept."""
    hub = hub_of(request)
    await hub.learning.remove_topic(topic_id)
    await hub.note(caller_of(request), "topic.deleted", topic_id)
    return Response(status_code=204)


# cards


@router.get("/cards", responses=documented(), summary="Cards")
async def cards(
    request: Request,
    limit: Limit = 100,
    cursor: After = None,
    topic: Annotated[str | None, Query(pattern=_NAME)] = None,
    due: Annotated[bool, Query(description="Only new ones and those to be reviewed now.")] = False,
) -> Response:
    """By id, with when each is due (epoch seconds)."""
    page = await hub_of(request).learning.cards(limit=limit, after=cursor, topic=topic, due=due)
    return json_response({"data": page.data, "next": page.next}, request=request)


@router.post("/cards", status_code=201, responses=documented(409, 415), summary="Make cards")
async def new_cards(request: Request, new: NewCards) -> Response:
    """All of them or none; those without an id get one."""
    rows = [card.model_dump(exclude_none=True) for card in new.cards]
    return made(await hub_of(request).learning.add_cards(rows, replace=False))


@router.post(
    "/cards/import", status_code=201, responses=documented(404, 415), summary="Import cards"
)
async def import_file(request: Request, asked: Import) -> Response:
    """Topics, cards and questions of a JSON, JSON Lines or CSV file; cards of known ids are
    replaced, and their schedule stays.
    """
    hub = hub_of(request)
    upload = await hub.uploads.find(asked.upload)
    path = str(hub.uploads.path(upload))
    counts = await hub.learning.add_cards(path, replace=True)
    await hub.note(caller_of(request), "cards.imported", asked.upload, str(counts))
    return made(counts)


@router.get("/cards/{card_id}", responses=documented(404), summary="One card")
async def card(request: Request, card_id: Id) -> Response:
    """With its questions and its schedule."""
    return json_response(await hub_of(request).learning.card(card_id), request=request)


@router.patch("/cards/{card_id}", responses=documented(404, 412, 415), summary="Change a card")
async def change_card(request: Request, card_id: Id, change: CardChange) -> Response:
    """What is given is another; its schedule stays."""
    learning = hub_of(request).learning
    matching(request, await learning.card(card_id))
    found = await learning.change_card(card_id, change.model_dump(exclude_none=True))
    return json_response(found, request=request)


@router.delete(
    "/cards/{card_id}", status_code=204, responses=documented(404, 415), summary="Delete a card"
)
async def remove_card(request: Request, card_id: Id) -> Response:
    """With its questions and its schedule; what sessions have graded stays."""
    hub = hub_of(request)
    await hub.learning.remove_card(card_id)
    await hub.note(caller_of(request), "card.deleted", card_id)
    return Response(status_code=204)


# questions


@router.get("/cards/{card_id}/questions", responses=documented(404), summary="A card's questions")
async def questions(request: Request, card_id: Id) -> Response:
    """In their order, counted from 0."""
    found = (await hub_of(request).learning.card(card_id))["questions"]
    return json_response({"data": found, "next": None}, request=request)


@router.post(
    "/cards/{card_id}/questions", status_code=201, responses=documented(404, 415),
    summary="Add a question",
)  # fmt: skip
async def add_question(request: Request, card_id: Id, new: NewQuestion) -> Response:
    """It comes last."""
    found = await hub_of(request).learning.put_questions(
        card_id, lambda rows: rows.append(new.model_dump())
    )
    return made(found[-1])


@router.get("/cards/{card_id}/questions/{place}", responses=documented(404), summary="One question")
async def question(request: Request, card_id: Id, place: Place) -> Response:
    """What is asked and what answers are held against."""
    found = (await hub_of(request).learning.card(card_id))["questions"]
    return json_response(found[_within(found, place)], request=request)


@router.patch(
    "/cards/{card_id}/questions/{place}", responses=documented(404, 412, 415),
    summary="Change a question",
)  # fmt: skip
async def change_question(
    request: Request, card_id: Id, place: Place, change: QuestionChange
) -> Response:
    """What is given is another."""
    learning = hub_of(request).learning
    rows = (await learning.card(card_id))["questions"]
    matching(request, rows[_within(rows, place)])
    given = change.model_dump(exclude_none=True)
    found = await learning.put_questions(
        card_id, lambda rows: rows[_within(rows, place)].update(given)
    )
    return json_response(found[place], request=request)


@router.delete(
    "/cards/{card_id}/questions/{place}", status_code=204, responses=documented(404, 415),
    summary="Delete a question",
)  # fmt: skip
async def remove_question(request: Request, card_id: Id, place: Place) -> Response:
    """Those after it move up. The last one stays: delete the card."""

    def without(rows: list[dict[str, Any]]) -> None:
        del rows[_within(rows, place)]

    await hub_of(request).learning.put_questions(card_id, without)
    return Response(status_code=204)


def _within(rows: list[dict[str, Any]], place: int) -> int:
    if place >= len(rows):
        raise NotFound(f"there is no question {place}; the card has {len(rows)}, counted from 0")
    return place


# sessions


@router.get("/sessions", responses=documented(), summary="Review sessions")
async def sessions(request: Request, limit: Limit = 100, cursor: After = None) -> Response:
    """By id."""
    page = await hub_of(request).reviewing.sessions(limit=limit, after=cursor)
    return json_response({"data": page.data, "next": page.next}, request=request)


@router.post(
    "/sessions", status_code=201, responses=documented(404, 415), summary="Begin a session"
)
async def new_session(request: Request, new: NewSession) -> Response:
    """Over the cards that are named, or those that are due. One of the same id is found again."""
    if new.card_ids == []:
        raise InvalidFields("session", {"card_ids": "is empty; leave it out for those due"})
    found = await hub_of(request).reviewing.begin(
        new.session_id, topic=new.topic, card_ids=new.card_ids, limit=new.limit
    )
    return made(found)


@router.get("/sessions/{session_id}", responses=documented(404), summary="One session")
async def session(request: Request, session_id: Id) -> Response:
    """Its cards, their questions (without what is expected), and the grades so far."""
    return json_response(await hub_of(request).reviewing.session(session_id), request=request)


@router.patch(
    "/sessions/{session_id}", responses=documented(404, 412, 415), summary="End a session"
)
async def change_session(request: Request, session_id: Id, change: SessionChange) -> Response:
    """Notes that it has ended, or that it goes on."""
    reviewing = hub_of(request).reviewing
    matching(request, await reviewing.session(session_id))
    found = await reviewing.end_session(session_id, ended=change.ended)
    return json_response(found, request=request)


@router.delete(
    "/sessions/{session_id}", status_code=204, responses=documented(404, 415),
    summary="Delete a session",
)  # fmt: skip
async def remove_session(request: Request, session_id: Id) -> Response:
    """With what was graded in it; the schedule of its cards stays as it is."""
    hub = hub_of(request)
    await hub.reviewing.remove_session(session_id)
    await hub.note(caller_of(request), "session.deleted", session_id)
    return Response(status_code=204)
