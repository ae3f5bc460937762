"""A resume out of its text: sections, entries, wrapped lines, dates."""

import json
from datetime import date

import pytest

from fanwise.errors import InputError
from fanwise.pipelines.tailoring.dates import spans_in, stated_years, years_of
from fanwise.pipelines.tailoring.jsonresume import read_json_resume
from fanwise.pipelines.tailoring.parse import parse_resume
from fanwise.pipelines.tailoring.posting import read_posting
from fanwise.pipelines.tailoring.profile import profile_of
from fanwise.pipelines.tailoring.records import Resume
from support.tailoring import RESUME, TODAY


def test_sections_entries_and_contacts_are_told_apart() -> None:
    resume = parse_resume(RESUME)
    assert (resume.name, resume.headline) == ("DANA VOSS", "Backend Engineer")
    assert resume.contacts == ("dana.voss@mail.example | +49 30 555 0199 | github.com/danavoss",)
    kinds = [section.kind for section in resume.sections]
    assert kinds == ["summary", "skills", "experience", "education", "certifications"]
    first, second = resume.of_kind("experience")[0].entries
    assert first.heading.startswith("Backend Engineer | Kastell Pay")
    assert len(first.lines) == 3
    assert second.lines[1] == "Reduced nightly build time by 35%"


def test_no_text_is_lost() -> None:
    resume = parse_resume(RESUME)
    for line in RESUME.splitlines():
        assert line.strip().removeprefix("- ") in resume.text


def test_json_gives_the_same_resume_again() -> None:
    resume = parse_resume(RESUME)
    assert Resume.from_json(json.loads(json.dumps(resume.as_json()))) == resume


def test_markdown_and_a_heading_over_several_lines() -> None:
    text = """# Ana Lind
ana@mail.example

## Work Experience
### Nurse
St. Brigid Hospital
2019 - 2022
* Gave **medication**

### Ward assistant
St. Brigid Hospital
2017 - 2018
* Took [vitals](https://x.example)

## Skills & Tools
Triage, Epic
"""
    resume = parse_resume(text)
    entries = resume.of_kind("experience")[0].entries
    assert [entry.heading for entry in entries] == [
        "Nurse | St. Brigid Hospital | 2019 - 2022",
        "Ward assistant | St. Brigid Hospital | 2017 - 2018",
    ]
    assert entries[0].lines == ("Gave medication",)
    assert resume.of_kind("skills")[0].lines == ("Triage, Epic",)


def test_lines_that_a_page_has_wrapped_are_joined_and_others_are_not() -> None:
    text = """DANA VOSS
SUMMARY
Backend engineer who has kept payment systems running through three changes of
provider and two audits. Likes quiet pagers.
EXPERIENCE
Engineer | Kastell Pay | 2021 - Present
- Moved twelve services of the payment platform to another cluster while they were
running
- Wrote the runbooks that everybody on the rota of that platform still uses today
Clerk | Brenner GmbH | 2019 - 2020
- Sorted mail
"""
    resume = parse_resume(text)
    assert resume.of_kind("summary")[0].lines[0].endswith("Likes quiet pagers.")
    first, second = resume.of_kind("experience")[0].entries
    assert first.lines[0].endswith("while they were running")
    assert second.heading == "Clerk | Brenner GmbH | 2019 - 2020"


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("Jan 2020 - Dec 2020", 1.0),
        ("01/2020 – 06/2020", 0.5),
        ("2019-07 to 2020-06", 1.0),
        ("2019 - 2020", 2.0),
        ("2019-20", 2.0),
        ("Summer 2023", 0.25),
        ("March 2025 - Present", 13 / 12),
        ("since March 2025", 13 / 12),
        ("no date at all", 0.0),
        ("call 2020-555-1234", 0.0),
    ],
)
def test_spans_of_time(text: str, years: float) -> None:
    assert years_of(spans_in(text, today=TODAY)) == pytest.approx(years)


def test_time_covered_twice_counts_once() -> None:
    spans = [
        span for text in ("2018 - 2020", "2019 - 2021") for span in spans_in(text, today=TODAY)
    ]
    assert years_of(spans) == 4.0
    assert stated_years("5+ years of Java, 12 years in all") == 12.0


def test_years_come_from_dates_and_not_from_what_the_resume_claims() -> None:
    boast = RESUME.replace("keeps payment", "for 25 years keeps payment")
    profile = profile_of(parse_resume(boast), today=TODAY)
    assert profile.years == pytest.approx(7 + 2 / 12, abs=0.1)


def test_json_resume_becomes_the_same_kind_of_resume() -> None:
    value = {
        "basics": {"name": "Ana Lind", "label": "Nurse", "email": "ana@mail.example"},
        "work": [
            {
                "position": "Nurse",
                "name": "St. Brigid",
                "startDate": "2020-01-01",
                "highlights": ["Gave medication"],
            }
        ],
        "skills": [{"name": "Care", "keywords": ["Triage", "Epic"]}],
        "education": [{"studyType": "Bachelor", "area": "Nursing", "institution": "X"}],
        "meta": {"unknown": True},
    }
    resume = read_json_resume(json.dumps(value), name="ana.json")
    assert resume.of_kind("experience")[0].entries[0].heading == (
        "Nurse | St. Brigid | 2020-01 - Present"
    )
    assert resume.of_kind("skills")[0].lines == ("Care: Triage, Epic",)
    profile = profile_of(resume, today=date(2022, 1, 1))
    assert profile.years == pytest.approx(25 / 12)
    assert profile.degree == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "no resume"}'])
def test_json_that_is_no_resume_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=r"ana\.json"):
        read_json_resume(text, name="ana.json")


def test_a_posting_says_what_is_required_and_what_is_only_wished_for() -> None:
    from support.tailoring import POSTING

    posting = read_posting(POSTING)
    required = {one.name for one in posting.of_need("required")}
    assert {"Python", "PostgreSQL", "Kubernetes", "Terraform or Ansible"} <= required
    assert {one.name for one in posting.of_need("preferred")} == {"Grafana", "Rust"}
    assert {"Kafka", "Mentoring"} <= {one.name for one in posting.of_need("core")}
    assert posting.title == "Senior Backend Engineer"
    assert posting.years == (5.0, None)
    assert (posting.level, posting.degree, posting.degree_or_else) == (3, 2, True)


def test_a_posting_in_prose_and_of_another_trade() -> None:
    posting = read_posting(
        "Registered Nurse (nights)\n\nWe are looking for a nurse for our emergency department. "
        "You must hold a valid RN license and BLS. Experience with Epic is required; ACLS is a "
        "plus. You need 2-4 years of experience in triage."
    )
    required = {term for one in posting.of_need("required") for term in one.terms}
    assert {"RN", "BLS", "Epic", "Triage"} <= required
    assert posting.years == (2.0, 4.0)
