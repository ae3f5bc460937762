"""What may be asked for, and what makes two jobs the same."""

from dataclasses import replace

import pytest

from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines.notes import NotesJob, video_id

ID = "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "address",
    [
        ID,
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?list=PL1&v={ID}&t=42s",
        f"https://m.youtube.com/watch?v={ID}#t=3",
        f"https://youtu.be/{ID}?si=abc",
        f"youtu.be/{ID}",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}?start=3",
        f"https://www.youtube-nocookie.com/embed/{ID}",
        f"https://www.youtube.com/live/{ID}?feature=share",
    ],
)
def test_every_address_of_a_video_has_one_id(address: str) -> None:
    assert video_id(address) == ID


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.com.example.com/watch?v=dQw4w9WgXcQ",
        "https://example.com@evil.example/dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=short",
        "https://www.youtube.com/",
        "file:///etc/passwd",
        "https://[broken/",
        "dQw4w9WgXcQx",
    ],
)
def test_anything_else_is_no_video(address: str) -> None:
    with pytest.raises(ConfigError):
        video_id(address)


def test_every_wrong_field_is_named_once_with_its_reason() -> None:
    wrong = {
        "source": "",
        "templates": ["summary"],
        "verbosity": "long",
        "strategy": "both",
        "mode": "audio",
        "models": [],
        "stagger_s": -1,
        "part_tokens": 3,
        "rollout_percent": 120,
        "force": "yes",
        "language": 5,
        "video": "https://example.com/",
        "parameters": [],
        "retry": ["nothing"],
        "user": "u" * 201,
        "colour": "red",
    }
    with pytest.raises(InvalidFields) as raised:
        NotesJob.from_json(wrong)
    assert set(raised.value.fields) == set(wrong)
    assert all(raised.value.fields.values())
    assert "basic-summary" in raised.value.fields["templates"]


def test_a_template_twice_or_a_retry_of_none_is_refused() -> None:
    with pytest.raises(InvalidFields, match="twice"):
        NotesJob(source="a.vtt", templates=("study-notes", "study-notes"))
    with pytest.raises(InvalidFields, match="not one of this job's templates"):
        NotesJob(source="a.vtt", retry=("study-notes",))


def test_a_job_is_its_json() -> None:
    job = NotesJob(source="a.vtt", templates=("study-notes", "quick-reference"), verbosity="all")
    assert NotesJob.from_json(job.as_json()) == job
    assert job.depths == ("brief", "standard", "comprehensive")


def test_what_makes_a_note_another_one_is_in_its_key() -> None:
    job = NotesJob(source="a.vtt")
    others = [
        replace(job, user="ada"),
        replace(job, verbosity="brief"),
        replace(job, strategy="one_call"),
        replace(job, mode="metadata"),
        replace(job, models=("openai/gpt-4o-mini",)),
        replace(job, parameters={"temperature": 0}),
    ]
    keys = {one.key("video", "basic-summary") for one in (job, *others)}
    keys |= {job.key("other", "basic-summary"), job.key("video", "study-notes")}
    assert len(keys) == len(others) + 3
    assert replace(job, stagger_s=3, force=True).key("video", "basic-summary") in keys


def test_a_file_of_eleven_letters_is_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert NotesJob(source="transcripts").video_id == "transcripts"
    (tmp_path / "transcripts").write_text("x")
    assert NotesJob(source="transcripts").video_id == ""
