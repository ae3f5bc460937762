"""The source that a job names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fanwise.pipelines.scan.sources import ConversationSource, as_source

if TYPE_CHECKING:
    from fanwise.pipelines.scan.job import ScanJob

BASE_URL_ENV = "FRONT_API_BASE_URL"


def source_of(job: ScanJob, *, env: Mapping[str, str] | None = None) -> ConversationSource:
    """The source that a job names; nothing is opened yet.

    Args:
        job: The job.
        env: Where tokens and passwords are; the process's environment by default.

    Raises:
        ConfigError: It cannot be read as it is named, or a token is missing.
    """
    environment = os.environ if env is None else env
    if job.front is not None:
        from fanwise.pipelines.scan.front import BASE_URL, TOKEN_ENV, FrontInbox

        return FrontInbox(
            job.front,
            token=environment.get(TOKEN_ENV, ""),
            rpm=job.front_rpm,
            after=job.since,
            page_size=job.page_size,
            max_pages=job.max_pages,
            base_url=environment.get(BASE_URL_ENV) or BASE_URL,
        )
    if isinstance(job.source, str) and job.source.startswith(("imap://", "imaps://")):
        from fanwise.pipelines.scan.imap import PASSWORD_ENV, ImapMailbox

        return ImapMailbox(job.source, password=environment.get(PASSWORD_ENV, ""))
    return as_source(job.source)
