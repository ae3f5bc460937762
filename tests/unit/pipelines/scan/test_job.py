"""What a scan may be asked for."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines.scan import PIPELINE, Mailbox, ScanJob


def test_json_makes_the_job_and_the_job_makes_the_json_again() -> None:
    fields = {
        "source": "inbox.mbox",
        "model": "openai/gpt-4o-mini",
        "after": "2026-02-01",
        "strategy": "fixed",
        "batch_size": 5,
        "rpm": 500,
        "tpm": 200_000,
        "tpd": 200_000,
    }
    job = ScanJob.from_json(fields)
    assert job.as_json().items() >= fields.items()
    assert ScanJob.from_json(job.as_json()) == job
    assert PIPELINE.job_type is ScanJob


def test_the_spellings_of_other_programs_are_taken() -> None:
    job = ScanJob.from_json(
        {
            "front": "inb_1",
            "strategy": "larger",
            "batchSize": 20,
            "pageSize": 50,
            "maxPages": 3,
            "BATCH_DELAY_MS": 0,
        }
    )
    assert (job.batch_size, job.page_size, job.max_pages, job.batch_delay_ms) == (20, 50, 3, 0)


def test_null_leaves_a_field_out() -> None:
    assert ScanJob.from_json({"source": "a.mbox", "limit": None}) == ScanJob(source="a.mbox")


def test_every_wrong_field_is_told_once_and_all_of_them_together() -> None:
    wrong: dict[str, Any] = {
        "source": 3,
        "model": "gpt",
        "force": "yes",
        "dry_run": 1,
        "after": "soon",
        "limit": 0,
        "page_size": 101,
        "max_pages": -1,
        "front_rpm": 0,
        "strategy": "fast",
        "batch_size": 1.5,
        "batch_delay_ms": -1,
        "rpm": 0,
        "tpm": "many",
        "tpd": True,
        "parameters": [],
        "colour": "red",
    }
    with pytest.raises(InvalidFields) as told:
        ScanJob.from_json(wrong)
    assert set(told.value.fields) == set(wrong)
    assert all(reason for reason in told.value.fields.values())


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "source"),
        ({"source": " "}, "source"),
        ({"source": object()}, "source"),
        ({"source": "a.mbox", "front": "inb_1"}, "front"),
        ({"front": ""}, "front"),
        ({"source": "a", "batch_size": 10}, "batch_size"),
        ({"source": "a", "strategy": "semaphore", "batch_delay_ms": 100}, "batch_delay_ms"),
        ({"source": "a", "after": float("nan")}, "after"),
        ({"source": "a", "rpm": float("inf")}, "rpm"),
        ({"source": "a", "batchSize": 3, "batch_size": 3, "strategy": "fixed"}, "batch_size"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidFields) as told:
        ScanJob.from_json(fields)
    assert list(told.value.fields) == [name]


def test_a_day_begins_in_utc() -> None:
    assert ScanJob(source="a", after=date(2026, 2, 1)).since == 1769904000.0
    assert ScanJob(source="a", after="2026-02-01T01:00+01:00").since == 1769904000.0
    assert ScanJob(source=Path("a"), after=date(2026, 2, 1)).as_json()["after"] == "2026-02-01"


def test_a_source_of_ones_own_is_taken_but_is_no_json(tmp_path: Path) -> None:
    job = ScanJob(source=Mailbox(tmp_path))
    with pytest.raises(ConfigError, match="Mailbox"):
        job.as_json()
