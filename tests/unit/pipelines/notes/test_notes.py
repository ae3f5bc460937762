"""The flow on the real engine, with a model that is a function and a journal in a directory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.pipelines import Event
from fanwise.pipelines.notes import NotesResult, Source, Videos, notes
from fanwise.pipelines.notes.catalogue import NAMES
from fanwise.pipelines.notes.prompt import read_back
from fanwise.pipelines.notes.rules import note_rules, part_rules
from fanwise.pipelines.notes.tables import metadata, template_jobs

SENTENCES = [
    "Bread needs flour and water.",
    "Weigh fifty grams of flour into the jar.",
    "The dough rises for six hours in a warm place.",
    "If it does not rise, feed it again with rye flour.",
    "We measured the rise of four flours over two months.",
    "Maybe wheat behaves differently in summer.",
    "Bake it at 240 degrees until the crust is brown.",
    "You need a scale and a calendar.",
]


def write_talk(place: Path, *, sentences: int = 40) -> Path:
    path = place / "talk.json"
    cues = [
        {"text": SENTENCES[n % len(SENTENCES)], "start": 10.0 * n, "duration": 10.0}
        for n in range(sentences)
    ]
    path.write_text(json.dumps({"title": "Bread", "video_id": "dQw4w9WgXcQ", "cues": cues}))
    return path


class Model:
    """A model that answers by the rules, counts its calls, and fails where it is told to."""

    def __init__(self, change: Callable[[Any, Any], Any] | None = None) -> None:
        self.tasks: list[Any] = []
        self.failing: Callable[[Any], Exception | None] = lambda task: None
        self.change = change or (lambda task, answer: answer)

    async def __call__(self, request: fw.Request) -> fw.Response:
        task = read_back(request)[0]
        self.tasks.append(task)
        error = self.failing(task)
        if error is not None:
            raise error
        answer = note_rules(request) if task["task"] == "note" else part_rules(request)
        usage = fw.types.Usage(input_tokens=1, output_tokens=1)
        return fw.Response(text=json.dumps(self.change(task, answer)), usage=usage)


def writing(place: Path, *models: Model, **more: Any) -> Any:
    options: dict[str, Any] = {"journal": place / "home", "stagger_s": 0.0, **more}
    if models:
        named = {f"mine/m{n}": model for n, model in enumerate(models)}
        options |= {"model": list(named), "models": named}
        options.setdefault("retry", fw.Retry(max_attempts=1, content_attempts=1))
    source = options.pop("source", None) or write_talk(place)
    return notes(source, **options)


async def rows(place: Path, table: Any = template_jobs) -> list[dict[str, Any]]:
    async with fw.Store(fw.open_home(place / "home"), "notes", metadata) as store:
        return await store.read(
            lambda connection: [dict(row) for row in connection.execute(select(table)).mappings()]
        )


def statuses(result: NotesResult) -> dict[str, str]:
    return {one.template: one.status for one in result.results}


@pytest.mark.parametrize("strategy", ["per_depth", "one_call"])
async def test_every_template_keeps_every_section_at_every_depth_and_cites_all(
    tmp_path: Path, strategy: str
) -> None:
    model = Model()
    result = await writing(tmp_path, model, templates=NAMES, verbosity="all", strategy=strategy)
    assert result.status == "success"
    assert [one.template for one in result.results] == list(NAMES)
    assert result.coverage == 1.0
    for note in result.notes:
        headings = [[s.section for s in depth.sections] for depth in note.depths]
        assert len(headings) == 3
        assert headings[0] == headings[1] == headings[2]
        assert all(section.markdown for depth in note.depths for section in depth.sections)
    assert len(model.tasks) == len(NAMES) * (3 if strategy == "per_depth" else 1)
    assert "&t=" in json.dumps(result.as_json())


async def test_status_rows_stand_for_one_template_each(tmp_path: Path) -> None:
    model = Model()
    model.failing = lambda task: (
        fw.errors.Refused("no") if task["template"] == "study-notes" else None
    )
    names = ["study-notes", "basic-summary"]
    result = await writing(tmp_path, model, templates=names, user="ada")
    found = {row["template"]: row for row in await rows(tmp_path)}
    assert {name: row["status"] for name, row in found.items()} == statuses(result)
    assert found["study-notes"]["error"].startswith("refused")
    assert found["basic-summary"]["progress"] == 100
    assert {row["user"] for row in found.values()} == {"ada"}
    assert result.status == "partial"
    assert [one.template for one in result.results] == names


async def test_an_equal_job_writes_only_what_failed_and_other_users_share_nothing(
    tmp_path: Path,
) -> None:
    model = Model()
    model.failing = lambda task: RuntimeError() if task["template"] == "study-notes" else None
    names = ["basic-summary", "study-notes"]
    await writing(tmp_path, model, templates=names, user="ada")
    model.failing = lambda task: None
    model.tasks.clear()
    again = await writing(tmp_path, model, templates=names, user="ada")
    assert [task["template"] for task in model.tasks] == ["study-notes"]
    assert again.status == "success"
    assert [one.reused for one in again.results] == [True, False]
    model.tasks.clear()
    other = await writing(tmp_path, model, templates=names, user="ben")
    assert len(model.tasks) == 2
    assert not any(one.reused for one in other.results)


async def test_one_template_is_retried_alone(tmp_path: Path) -> None:
    model = Model()
    names = ["basic-summary", "study-notes"]
    await writing(tmp_path, model, templates=names)
    model.tasks.clear()
    result = await writing(tmp_path, model, templates=names, retry_templates=["study-notes"])
    assert [task["template"] for task in model.tasks] == ["study-notes"]
    assert statuses(result) == {"basic-summary": "complete", "study-notes": "complete"}


async def test_events_never_go_back_and_end_at_a_hundred(tmp_path: Path) -> None:
    events: list[Event] = []
    await writing(tmp_path, Model(), templates=NAMES[:3], on_event=events.append)
    percents = [event.percent for event in events]
    assert percents == sorted(percents)  # type: ignore[type-var]
    assert percents[-1] == 100
    assert all(percent <= 95 for percent in percents[:-1])  # type: ignore[operator]
    assert [event.subject for event in events if event.kind == "result"] != []
    assert events[-1].kind == "complete"


async def test_a_long_recording_is_condensed_in_parts_that_all_templates_share(
    tmp_path: Path,
) -> None:
    model = Model()
    source = write_talk(tmp_path, sentences=700)
    result = await writing(
        tmp_path, model, source=source, templates=NAMES[:2], part_tokens=1000, verbosity="all"
    )
    parts = [task for task in model.tasks if task["task"] == "part"]
    assert len(parts) == len(result.parts) > 3
    assert [name for task in parts for name in task["passages"]] == [
        f"P{n}" for n in range(1, result.passages + 1)
    ]
    assert result.coverage == 1.0


async def test_a_part_is_asked_again_for_the_passages_it_left_out(tmp_path: Path) -> None:
    def forgets(task: Any, answer: Any) -> Any:
        if task["task"] == "part" and len(task["passages"]) > 1:
            answer["passages"] = answer["passages"][:-1]
        return answer

    model = Model(forgets)
    source = write_talk(tmp_path, sentences=100)
    result = await writing(tmp_path, model, source=source, part_tokens=500)
    asked = [task["passages"] for task in model.tasks if task["task"] == "part"]
    assert [len(names) for names in asked if len(names) == 1]
    assert result.coverage == 1.0


async def test_missing_sections_and_uncited_passages_are_asked_for_again(tmp_path: Path) -> None:
    def sloppy(task: Any, answer: Any) -> Any:
        if "overview" in task["wanted"].get("standard", ()) and "add" not in task:
            sections = answer["parts"][0]["sections"]
            if len(sections) > 1:
                answer["parts"][0]["sections"] = sections[1:]
                sections[1]["sources"] = ["P1"]
        return answer

    model = Model(sloppy)
    result = await writing(tmp_path, model, source=write_talk(tmp_path, sentences=300))
    assert result.status == "success"
    assert result.coverage == 1.0
    assert model.tasks[1]["wanted"] == {"standard": ["overview"]}
    assert model.tasks[1]["add"]["standard"]
    assert result.notes[0].asked == 2


async def test_a_note_that_stays_incomplete_has_failed_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    def stubborn(task: Any, answer: Any) -> Any:
        for part in answer["parts"]:
            part["sections"] = [s for s in part["sections"] if s["section"] != "takeaways"]
        return answer

    model = Model(stubborn)
    result = await writing(tmp_path, model)
    assert result.status == "error"
    assert "lacks takeaways at depth standard, after 3 answers" in result.results[0].error
    assert len(model.tasks) == 3


async def test_the_next_model_of_the_chain_takes_over(tmp_path: Path) -> None:
    broken, sound = Model(), Model()
    broken.failing = lambda task: fw.errors.Refused("no")
    result = await writing(tmp_path, broken, sound)
    assert result.status == "success"
    assert result.notes[0].models == ("mine/m1",)
    assert (len(broken.tasks), len(sound.tasks)) == (1, 1)


@pytest.mark.parametrize(
    "error",
    [
        fw.errors.Refused("no"),
        fw.errors.AttemptTimeout("too slow"),
        RuntimeError("unwell"),
    ],
)
async def test_when_every_model_fails_the_job_is_an_error_with_its_reason(
    tmp_path: Path, error: Exception
) -> None:
    model = Model()
    model.failing = lambda task: error
    result = await writing(tmp_path, model, templates=NAMES[:2])
    assert result.status == "error"
    assert all(one.error for one in result.results)
    assert result.coverage is None


async def test_a_model_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    model = Model()
    model.failing = lambda task: (
        fw.errors.RateLimited("slow down", retry_after_s=0.01) if len(model.tasks) == 1 else None
    )
    result = await writing(tmp_path, model, retry=fw.Retry(max_attempts=2))
    assert result.status == "success"
    assert len(model.tasks) == 2


async def test_an_answer_that_is_no_note_is_a_failure(tmp_path: Path) -> None:
    result = await writing(tmp_path, Model(lambda task, answer: "sorry"))
    assert result.status == "error"
    assert result.results[0].error.startswith("invalid_output")


async def test_an_answer_for_another_template_trips_the_guardrails(tmp_path: Path) -> None:
    def mixes_up(task: Any, answer: Any) -> Any:
        return {**answer, "template": "quick-reference"}

    guardrails = fw.Guardrails(env={})
    result = await writing(tmp_path, Model(mixes_up), guardrails=guardrails)
    assert result.status == "error"
    assert "asked for basic-summary, answered as quick-reference" in guardrails.degraded


async def test_the_flag_forces_one_template_after_another(tmp_path: Path) -> None:
    result = await writing(
        tmp_path, Model(), templates=NAMES[:3], env={"FANWISE_PARALLEL": "false"}
    )
    assert result.mode == "sequential"
    assert result.status == "success"


async def test_a_resumed_run_sends_nothing_twice(tmp_path: Path) -> None:
    model = Model()
    model.failing = lambda task: RuntimeError() if task["template"] == "study-notes" else None
    options: dict[str, Any] = {"templates": ["basic-summary", "study-notes"], "verbosity": "all"}
    first = await writing(tmp_path, model, run_id="night", **options)
    assert statuses(first) == {"basic-summary": "complete", "study-notes": "error"}
    model.failing = lambda task: None
    model.tasks.clear()
    again = await writing(tmp_path, model, resume="night", **options)
    assert again.status == "success"
    assert {task["template"] for task in model.tasks} == {"study-notes"}


async def test_a_video_is_fetched_once_for_all_templates_and_jobs(tmp_path: Path) -> None:
    fetched: list[str] = []
    transcript = fw.documents.read_transcript(write_talk(tmp_path))

    def fetch(video: str, *, language: str, mode: str) -> Source:
        fetched.append(video)
        return Source(id=video, transcript=transcript, video=video, duration_s=400.0)

    async with Videos(fetch=fetch) as videos:
        both = {
            name: (lambda name=name: writing(
                tmp_path, source="https://youtu.be/dQw4w9WgXcQ", templates=NAMES[:3], user=name,
                videos=videos, resume="never",
            ))
            for name in ("ada", "ben")
        }  # fmt: skip
        done = await fw.parallel(both)
    assert {result.status for result in done.values()} == {"success"}
    assert fetched == ["dQw4w9WgXcQ"]


async def test_what_was_fetched_is_kept_for_the_next_job(tmp_path: Path) -> None:
    transcript = fw.documents.read_transcript(write_talk(tmp_path))
    fetched: list[str] = []

    def fetch(video: str, *, language: str, mode: str) -> Source:
        fetched.append(mode)
        return Source(id=video, transcript=transcript, video=video, description="0:00 a\n0:09 b")

    async with fw.Store(fw.open_home(tmp_path / "home"), "notes", metadata) as store:
        for mode in ("transcript", "transcript", "metadata"):
            async with Videos(store, fetch=fetch) as videos:
                found = await videos.load("dQw4w9WgXcQ", language="", mode=mode)
                assert found.transcript == transcript
    assert fetched == ["transcript", "metadata"]


async def test_metadata_are_enough_where_they_say_something(tmp_path: Path) -> None:
    path = write_talk(tmp_path)
    with pytest.raises(fw.errors.InputError, match="says nothing"):
        await writing(tmp_path, Model(), source=path, mode="metadata")
    data = json.loads(path.read_text()) | {"description": "0:00 Flour\n1:00 Water\n2:00 Bread"}
    path.write_text(json.dumps(data))
    result = await writing(tmp_path, Model(), source=path, mode="metadata")
    assert result.status == "success"
