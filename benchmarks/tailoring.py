"""How well the score tells who fits which job, and how little the document's format matters.

    python benchmarks/tailoring.py RESUMES JOBS

RESUMES and JOBS are directories of documents. Every resume is scored against every job, in each
format in which both are there. Names of resumes and jobs are file names without their ending.
Printed are the scores, which job is each resume's best and which resume each job's best, and the
widest difference between formats.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import fanwise as fw
from fanwise.pipelines.tailoring import parse_resume, read_posting, score
from fanwise.pipelines.tailoring.jsonresume import read_json_resume


async def texts_of(paths: list[Path]) -> dict[str, dict[str, fw.documents.Document]]:
    """Documents by format, then by name."""
    found: dict[str, dict[str, fw.documents.Document]] = defaultdict(dict)
    for path in paths:
        document = await fw.documents.read_document(path)
        found[document.kind][path.stem] = document
    return found


def files_of(directory: Path) -> list[Path]:
    """The files of a directory."""
    return sorted(path for path in directory.iterdir() if path.is_file())


async def main(resumes: list[Path], jobs: list[Path]) -> None:
    """Prints the scores."""
    people, postings = await texts_of(resumes), await texts_of(jobs)
    today = datetime.now(UTC).date()
    by_pair: dict[tuple[str, str], list[float]] = defaultdict(list)
    for kind, found in people.items():
        for job, posting in (postings.get(kind) or next(iter(postings.values()))).items():
            wanted = read_posting(posting.text)
            for name, one in found.items():
                resume = (
                    read_json_resume(one.text, name=name)
                    if kind == "json"
                    else parse_resume(one.text)
                )
                total = score(resume, wanted, posting_text=posting.text, today=today).total
                by_pair[name, job].append(total)
    names = sorted({name for name, _ in by_pair})
    roles = sorted({job for _, job in by_pair})
    width = max(map(len, names))
    print(" " * width, *(f"{job[:24]:>24}" for job in roles))
    for name in names:
        cells = ["/".join(f"{one:.1f}" for one in by_pair[name, job]) for job in roles]
        print(f"{name:{width}}", *(f"{cell:>24}" for cell in cells))
    least = {pair: min(found) for pair, found in by_pair.items()}
    for name in names:
        print(f"best job of {name}: {max(roles, key=lambda job: least[name, job])}")
    for job in roles:
        print(f"best resume of {job}: {max(names, key=lambda name: least[name, job])}")
    spread = max(max(found) - min(found) for found in by_pair.values())
    print(f"widest difference between formats: {spread:.1f} points ({', '.join(people)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("resumes", type=Path)
    parser.add_argument("jobs", type=Path)
    given = parser.parse_args()
    asyncio.run(main(files_of(given.resumes), files_of(given.jobs)))
