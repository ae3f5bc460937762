"""Words and skills: by whole words, and everyday words only where they are meant as skills."""

import pytest

from fanwise.pipelines.tailoring.text import lexicon, satisfied, skills_in, stem


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("Five years of JavaScript", {"JavaScript"}),
        ("Java, not its namesake", {"Java"}),
        ("C++, C# and .NET services", {"C++", "C#", ".NET"}),
        ("Languages: Python, SQL, Go", {"Python", "SQL", "Go"}),
        ("wrote services in Go", {"Go"}),
        ("Go above and beyond", set()),
        ("ready to go far", set()),
        ("a swift response", set()),
        ("Programming: Python, R", {"Python", "R"}),
        ("R&D department", set()),
        ("Postgres and k8s", {"PostgreSQL", "Kubernetes"}),
        ("Node.js/React", {"Node.js", "React"}),
        ("We react to change and rest on Sundays", set()),
        ("React Native", {"React Native"}),
        ("CI/CD pipelines", {"CI/CD"}),
        ("Python. Native speakers wanted", {"Python"}),
        ("", set()),
    ],
)
def test_skills_are_found_by_whole_words(text: str, skills: set[str]) -> None:
    assert skills_in(text) == skills


def test_words_of_one_family_have_one_stem() -> None:
    family = "develop developed developer developing development"
    assert len({stem(word) for word in family.split()}) == 1
    assert stem("analysis") == stem("analyzed") == stem("analyse")
    assert stem("sales") != stem("saline")


def test_a_kindred_skill_counts_for_most_of_one_and_only_one_way() -> None:
    assert satisfied("NoSQL", {"MongoDB"}) == 0.85
    assert satisfied("MongoDB", {"NoSQL"}) == 0.0
    assert satisfied("MongoDB", {"MongoDB"}) == 1.0


def test_every_kindred_skill_of_the_lexicon_is_one_of_it() -> None:
    known = {skill for names in lexicon().names.values() for _, skill in names}
    named = {part for parts in lexicon().implied.values() for part in parts} | set(
        lexicon().implied
    )
    assert named <= known
