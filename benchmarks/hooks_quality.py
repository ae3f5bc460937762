"""How good the hooks by rules are: lengths, distinctness, and whether their judge sees the topic.

    python benchmarks/hooks_quality.py            the figures
    python benchmarks/hooks_quality.py --show 8   and the hooks of the first ideas

Over the ideas of ``hooks_ideas.txt``, every content type, every audience and eight writers' names.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import fanwise as fw
from fanwise.pipelines.hooks import CRITERIA, HooksJob, prompts
from fanwise.pipelines.hooks.criteria import overall_of
from fanwise.pipelines.hooks.heuristics import topic_stems, word_count
from fanwise.pipelines.hooks.job import AUDIENCES, CONTENT_TYPES
from fanwise.pipelines.hooks.judging_rules import judge
from fanwise.pipelines.hooks.rules import written_by_rules

IDEAS = Path(__file__).with_name("hooks_ideas.txt").read_text(encoding="utf-8").splitlines()
WRITERS = ("rules", "fast", "slow", "instant", "gpt-4o", "gpt-4o-mini", "claude", "llama")
ALIKE = 85


def written(job: HooksJob, writer: str) -> list[str]:
    request = fw.Request(model=writer, messages=prompts.write_messages(job.brief))
    return [hook["text"] for hook in written_by_rules(request)["hooks"]]


def jobs() -> Iterator[HooksJob]:
    for idea in IDEAS:
        for content in CONTENT_TYPES:
            for audience in AUDIENCES:
                yield HooksJob(post_idea=idea, content_type=content, target_audience=audience)


def score(hook: str, job: HooksJob) -> float:
    found = judge(hook, job.brief)
    return overall_of({name: found[name]["score"] for name in CRITERIA}, CRITERIA)


def distinct(hooks: list[str]) -> bool:
    from rapidfuzz import fuzz

    pairs = ((one, other) for n, one in enumerate(hooks) for other in hooks[:n])
    return all(fuzz.ratio(one.lower(), other.lower()) < ALIKE for one, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    sets = [(job, written(job, writer)) for job in jobs() for writer in WRITERS]
    hooks = [(job, hook) for job, texts in sets for hook in texts]
    short = sum(6 <= word_count(hook) <= 12 for _, hook in hooks)
    about = sum(bool(topic_stems(hook) & topic_stems(job.post_idea)) for job, hook in hooks)
    whole = sum(len(texts) == 5 and distinct(texts) for _, texts in sets)
    print(f"{len(IDEAS)} ideas, {len(sets):,} sets of hooks, {len(hooks):,} hooks")
    print(f"hooks of 6 to 12 words: {short / len(hooks):.1%}")
    print(f"sets of five hooks of which no two are alike: {whole / len(sets):.1%}")
    print(f"hooks that share a topic word with their idea: {about / len(hooks):.1%}")
    strangers = [
        (score(hook, job), score(hook, hooks[(n + len(hooks) // 2) % len(hooks)][0]))
        for n, (job, hook) in enumerate(hooks)
        if n % 7 == 0
    ]
    right = sum(own > other for own, other in strangers)
    print(f"hooks that the judge by rules scores higher with their own brief than with another: "
          f"{right / len(strangers):.1%}")  # fmt: skip
    for number, idea in enumerate(IDEAS[: arguments.show]):
        content = CONTENT_TYPES[number % len(CONTENT_TYPES)]
        print(f"\n{idea} ({content})")
        for hook in written(HooksJob(post_idea=idea, content_type=content), "rules"):
            print(f"    {hook}")


if __name__ == "__main__":
    main()
