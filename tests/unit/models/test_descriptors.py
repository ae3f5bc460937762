"""The limit of open files is raised as far as it may be, and never lowered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fanwise.models.http.descriptors import allow_descriptors

resource = pytest.importorskip("resource")
FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def hard() -> Iterator[int]:
    before = resource.getrlimit(FILES)
    if before[1] == resource.RLIM_INFINITY or before[1] < 600:
        pytest.skip("needs a finite hard limit of at least 600 descriptors")
    yield before[1]
    resource.setrlimit(FILES, before)


def test_it_is_raised_to_what_is_wanted(hard: int) -> None:
    resource.setrlimit(FILES, (500, hard))
    assert allow_descriptors(600) == 600
    assert resource.getrlimit(FILES) == (600, hard)


def test_it_is_not_lowered(hard: int) -> None:
    resource.setrlimit(FILES, (600, hard))
    assert allow_descriptors(500) == 600
    assert resource.getrlimit(FILES) == (600, hard)


def test_it_ends_at_what_the_system_allows(hard: int) -> None:
    resource.setrlimit(FILES, (500, hard))
    assert allow_descriptors(hard + 1) == hard
