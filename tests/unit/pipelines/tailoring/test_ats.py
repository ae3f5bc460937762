"""The score and its parts, ceilings, targets, keywords."""

from dataclasses import replace
from typing import Literal

import pytest

from fanwise.pipelines.tailoring.analysis import analysis_by_rules, checked_analysis
from fanwise.pipelines.tailoring.ats import WEIGHTS, AtsScore, score
from fanwise.pipelines.tailoring.parse import parse_resume
from fanwise.pipelines.tailoring.posting import read_posting
from fanwise.pipelines.tailoring.profile import profile_of
from fanwise.pipelines.tailoring.targets import ceiling_of, keywords_of, target_of
from support.tailoring import POSTING, RESUME, TODAY


def scored(resume: str = RESUME, posting: str = POSTING) -> AtsScore:
    found = read_posting(posting)
    return score(parse_resume(resume), found, posting_text=posting, today=TODAY)


def test_the_whole_is_the_weighted_sum_of_its_parts() -> None:
    found = scored()
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    parts = sum(weight * getattr(found, name) for name, weight in WEIGHTS.items())
    assert found.total == pytest.approx(parts, abs=0.1)
    assert 0 < found.total < 100


def test_what_is_missing_is_named_and_what_is_there_is_not() -> None:
    missing = scored().missing
    assert "Terraform or Ansible" in missing
    assert not {"Python", "PostgreSQL", "Kubernetes"} & set(missing)


def test_adding_a_required_skill_that_is_shown_at_work_raises_the_score() -> None:
    more = RESUME.replace("Answered support", "Kept the cluster in Terraform; answered support")
    assert scored(more).skills > scored().skills
    assert scored(more).skill_quality > scored().skill_quality


def test_java_does_not_answer_a_wish_for_javascript() -> None:
    posting = POSTING.replace("Python, PostgreSQL and Kubernetes", "JavaScript")
    assert "JavaScript" in scored(posting=posting).missing


def test_required_skills_count_85_and_preferred_15() -> None:
    posting = "Cook\n\nRequirements:\n- Python\n\nNice to have:\n- Rust\n" + "x " * 60
    only_required = "A B\nSkills\nPython\n"
    only_preferred = "A B\nSkills\nRust, Scala\n"
    assert scored(only_required, posting).skills == 85.0
    assert scored(only_preferred, posting).skills == 15.0


def test_stuffing_lowers_the_score_and_is_named() -> None:
    stuffed = RESUME.replace("Tools: Docker", "Tools: " + "Kubernetes, " * 25 + "Docker")
    found = scored(stuffed)
    assert found.stuffing > 0
    assert found.total < scored().total
    assert any("Kubernetes" in note for note in found.notes)


def test_pasting_the_posting_into_the_resume_does_not_pay() -> None:
    padded = POSTING + "- " + "run the migration of every last parcel system to a new place\n" * 2
    pasted = scored(RESUME + "\nOTHER\n" + padded, padded)
    assert any("word for word" in note for note in pasted.notes)
    assert pasted.stuffing >= 0.1


def test_too_few_years_lower_the_experience_and_a_range_can_be_passed_too() -> None:
    ten = POSTING.replace("5+ years", "15+ years")
    some = POSTING.replace("5+ years", "0-2 years")
    assert scored(posting=ten).experience < scored().experience
    assert scored(posting=some).experience < scored().experience


def test_a_resume_that_software_cannot_read_loses_format_points() -> None:
    bare = RESUME.replace("dana.voss@mail.example | +49 30 555 0199 | ", "")
    assert scored(bare).format < scored().format
    assert any("mail address" in note for note in scored(bare).notes)


@pytest.mark.parametrize(
    ("years_short", "share", "ceiling"),
    [
        (0.0, 1.0, 95.0),
        (2.0, 1.0, 85.0),
        (10.0, 1.0, 75.0),
        (0.0, 0.45, 85.0),
        (0.0, 0.2, 75.0),
        (10.0, 0.2, 70.0),
    ],
)
def test_the_ceiling(years_short: float, share: float, ceiling: float) -> None:
    assert ceiling_of(years_short=years_short, match_share=share) == ceiling


@pytest.mark.parametrize(
    ("before", "mode", "ceiling", "target"),
    [
        (50.0, "PARTIAL", 95.0, 80.0),
        (70.0, "PARTIAL", 95.0, 85.0),
        (50.0, "FULL", 95.0, 85.0),
        (65.0, "FULL", 95.0, 90.0),
        (92.0, "FULL", 95.0, 95.0),
        (50.0, "FULL", 70.0, 70.0),
    ],
)
def test_the_target(
    before: float, mode: Literal["PARTIAL", "FULL"], ceiling: float, target: float
) -> None:
    assert target_of(before, mode=mode, ceiling=ceiling) == target


def test_keywords_by_priority_with_what_the_resume_shows() -> None:
    analysis, _ = checked_analysis(analysis_by_rules(POSTING), POSTING, model="rules")
    analysis = replace(analysis, regulatory=("Python",))
    profile = profile_of(parse_resume(RESUME), today=TODAY)
    found = {one.name: one for one in keywords_of(analysis, profile, mode="FULL")}
    assert found["Python"].priority == 60 + 40 + 5
    assert found["Kubernetes"].priority == 65
    assert found["Grafana"].priority == 30
    assert found["Kafka"].priority == 35
    assert found["Kubernetes"].present
    assert not found["Terraform"].present
    assert "Communication" not in found


def test_fifteen_keywords_or_twenty_five() -> None:
    names = [f"Skill{chr(97 + n)}{chr(97 + m)}" for n in range(6) for m in range(6)]
    text = "Requirements:\n" + "\n".join(f"- {name}" for name in names)
    answer = {"title": "x", "required": names, "preferred": [], "core": [], "regulatory": []}
    analysis, _ = checked_analysis(answer, text, model="m")
    profile = profile_of(parse_resume(RESUME), today=TODAY)
    assert len(keywords_of(analysis, profile, mode="PARTIAL")) == 15
    assert len(keywords_of(analysis, profile, mode="FULL")) == 25


def test_an_analysis_that_names_what_the_posting_does_not_is_cut_back() -> None:
    answer = analysis_by_rules(POSTING) | {"required": ["Python", "COBOL", "Zeppelin flying"]}
    analysis, warnings = checked_analysis(answer, POSTING, model="m")
    assert analysis.required == ("Python",)
    assert "COBOL" in warnings[0]


def test_a_posting_in_which_nothing_is_recognised_is_said_to_be_one() -> None:
    posting = "Wir suchen eine freundliche Aushilfe, die uns im Laden und im Lager hilft. " * 3
    notes = scored(posting=posting).notes
    assert any("no skill was recognised in the posting" in note for note in notes)
