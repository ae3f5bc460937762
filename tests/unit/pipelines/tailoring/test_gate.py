"""The fabrication gate: what a tailored resume says must have been in the resume."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.pipelines.tailoring.answer import changes_of
from fanwise.pipelines.tailoring.changes import applied
from fanwise.pipelines.tailoring.gate import facts_of, unsupported
from fanwise.pipelines.tailoring.parse import parse_resume
from fanwise.pipelines.tailoring.records import Change, Mode
from support.tailoring import POSTING, RESUME

BASE = parse_resume(RESUME)
LINE = "/experience/0/lines/0"  # Assisted in moving 12 services to Kubernetes
SUMMARY = "/summary/0/lines/0"


def judged(path: str, after: Any, *, mode: Mode = "FULL") -> Change:
    key = "orders" if path.endswith("/order") else "changes"
    answer: dict[str, Any] = {"changes": [], "orders": []}
    answer[key] = [{"path": path, "after": after, "reason": "", "confidence": 1}]
    changes, warnings = changes_of(answer, BASE, posting_text=POSTING, mode=mode)
    assert changes, warnings
    return changes[0]


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (LINE, "Assisted in moving 14 services to Kubernetes"),
        (LINE, "Assisted in moving 12 services to Kubernetes, saving $2M"),
        (LINE, "Assisted in moving twenty services to Kubernetes"),
        (LINE, "Assisted in moving sixty services to Kubernetes"),
        (LINE, "Assisted in moving forty-five services to Kubernetes"),
        (LINE, "Assisted in moving 12k services to Kubernetes"),
        (LINE, "Assisted in moving 12 million services to Kubernetes"),
        (LINE, "Assisted in moving 12% of services to Kubernetes"),
        (LINE, "Assisted in moving 12 services to Kubernetes at Google"),
        (SUMMARY, "Engineer of Microsoft and Amazon who keeps payment systems running."),
        (SUMMARY, "Senior engineer who keeps payment systems running."),
        (SUMMARY, "Engineering manager who keeps payment systems running."),
        (SUMMARY, "Backend engineer with a PhD who keeps payment systems running."),
        (SUMMARY, "Backend engineer with a Master's degree in Computer Science."),
        (SUMMARY, "PMP-certified and AWS licensed backend engineer."),
        (SUMMARY, "Backend engineer since 2012."),
        (SUMMARY, "Backend engineer with 15 years of practice."),
        (SUMMARY, "Award-winning backend engineer."),
        (LINE, "Assisted in moving 12 services to Kubernetes [more](https://evil.example/x)"),
        (LINE, "Assisted in moving 12 services to Kubernetes <b>fast</b>"),
        ("/headline", "Chief Architect"),
        ("/headline", "Senior Backend Engineer"),
    ],
)
def test_employers_titles_degrees_dates_certificates_and_numbers_are_refused(
    path: str, after: str
) -> None:
    change = judged(path, after)
    assert change.verdict == "refused", change
    assert change.decision == "rejected"
    assert change.notes


@pytest.mark.parametrize(
    ("path", "after", "word"),
    [
        (LINE, "Assisted in moving 12 services to Kubernetes with Terraform", "Terraform"),
        (LINE, "Assisted in moving 12 services from PostgreSQL to Kubernetes", "PostgreSQL"),
        (LINE, "Led moving 12 services to Kubernetes", "led"),
        (LINE, "Assisted in moving 12 services to Kubernetes at globex", "globex"),
        (SUMMARY, "Backend engineer with leadership of payment systems.", "leadership"),
        (LINE, "Assisted in moving 12 services to Kubernetes 35% faster", "35"),
        (SUMMARY, "Backend engineer who would like to join Lumen Freight.", "Lumen"),
        (SUMMARY, "Backend engineer who knows Rust.", "Rust"),
        ("/experience/1/lines/1", "Reduced nightly build time by 35% and doubled it", "doubled"),
    ],
)
def test_what_may_be_true_and_is_more_than_the_line_said_is_flagged_and_left_out(
    path: str, after: str, word: str
) -> None:
    change = judged(path, after)
    assert change.verdict == "flagged", change
    assert any(word in note for note in change.notes)
    assert applied(BASE, [change]) == BASE


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (LINE, "Moved 12 services to Kubernetes together with colleagues"),
        (LINE, "Assisted in moving 12 services to Kubernetes (k8s)"),
        (SUMMARY, "Backend engineer who keeps payment systems running with Python and Kafka."),
        (SUMMARY, "Certified Kubernetes Administrator who keeps payment systems running."),
        ("/skills/0/lines/1", "Tools: Kubernetes (k8s), Grafana, Docker"),
        ("/skills/0/lines/2", "Also used: Kafka, Spring Boot"),
        ("/experience/0/order", [1, 0, 2]),
        ("/experience/0/lines/2", None),
    ],
)
def test_the_same_facts_in_other_words_are_clean(path: str, after: Any) -> None:
    change = judged(path, after)
    assert change.verdict == "clean", change.notes
    assert applied(BASE, [change]) != BASE


@pytest.mark.parametrize(
    "path",
    [
        "/name",
        "/contacts/0",
        "/experience/0/heading",
        "/education/0/lines/0",
        "/certifications/0/lines/0",
        "/experience/0/lines/3",
        "/experience/9/lines/0",
        "/nowhere/0/lines/0",
        "/experience/0/lines/-1",
        "/experience/0/lines/0/x",
        "../../etc/passwd",
        "",
    ],
)
def test_what_is_never_changed_is_passed_over_with_a_word(path: str) -> None:
    answer = {
        "changes": [{"path": path, "after": "x", "reason": "", "confidence": 1}],
        "orders": [],
    }
    changes, warnings = changes_of(answer, BASE, posting_text=POSTING, mode="FULL")
    assert not changes
    assert len(warnings) == 1


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [0, 1, 5], [2, 1, 0, 3]])
def test_an_order_names_every_line_once(order: list[int]) -> None:
    answer = {
        "changes": [],
        "orders": [{"path": "/experience/0/order", "after": order, "reason": ""}],
    }
    changes, warnings = changes_of(answer, BASE, posting_text=POSTING, mode="FULL")
    assert not changes
    assert "every line once" in warnings[0]


def test_partial_leaves_out_nothing() -> None:
    answer = {
        "changes": [{"path": LINE, "after": None, "reason": "", "confidence": 1}],
        "orders": [],
    }
    changes, warnings = changes_of(answer, BASE, posting_text=POSTING, mode="PARTIAL")
    assert not changes
    assert "leaves out nothing" in warnings[0]


def test_a_line_and_the_order_around_it_are_decided_apart() -> None:
    line = judged(LINE, "Moved 12 services to Kubernetes")
    order = judged("/experience/0/order", [2, 1, 0])
    both = applied(BASE, [line, order]).of_kind("experience")[0].entries[0].lines
    assert both[2] == "Moved 12 services to Kubernetes"
    assert both[0] == "Answered support tickets"
    only = applied(BASE, [order]).of_kind("experience")[0].entries[0].lines
    assert only[2] == "Assisted in moving 12 services to Kubernetes"


WORDS = st.sampled_from(
    [*RESUME.split(), *POSTING.split(), "Google", "2011", "17", "90%", "PhD", "led", "MBA", "CISSP"]
)


@given(st.lists(WORDS, min_size=1, max_size=12).map(" ".join))
def test_whatever_is_proposed_no_new_number_degree_or_certificate_comes_through(
    text: str,
) -> None:
    facts = facts_of(BASE, posting_text=POSTING)
    assert not unsupported(applied(BASE, [judged(SUMMARY, f"x {text}")]), facts)
