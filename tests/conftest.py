"""Fixtures that several suites share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dovecot import Imap, NoImap, imap_server
from postgres import NoServer, private_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server to test with.

    ``FANWISE_TEST_POSTGRES`` names one, else a private one is started. Where there is none the
    test is skipped, or fails under ``FANWISE_TEST_REQUIRE=all``.
    """
    given = os.environ.get("FANWISE_TEST_POSTGRES")
    if given:
        yield given
        return
    try:
        with private_server() as url:
            yield url
    except NoServer as reason:
        missing(str(reason))


@pytest.fixture(scope="session")
def imap() -> Iterator[Imap]:
    """An IMAP server to test with; skipped or failed without one as above."""
    try:
        with imap_server() as server:
            yield server
    except NoImap as reason:
        missing(str(reason))


def missing(what: str) -> None:
    """Skips a test that needs something this machine has not got; fails where it must be there."""
    if os.environ.get("FANWISE_TEST_REQUIRE") == "all":
        pytest.fail(f"required by FANWISE_TEST_REQUIRE=all: {what}")
    pytest.skip(what)
