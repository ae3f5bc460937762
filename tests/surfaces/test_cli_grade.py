"""Grading from the command line."""

import json


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_sample_gives_a_grade_a_line_and_its_agreement(fanwise):
    done = fanwise("grade", "--sample", "-o", "grades.jsonl", "--json", "-q")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["grading"]
    assert found["model"] == "builtin/rules"
    assert found["agreement"] > 0.9
    assert found["agreement_by_kind"]["numeric"]["agreeing"] == 20
    exported = lines_of(fanwise("export", "latest").stdout)
    assert len(exported) == found["total"]


def test_a_table_of_ones_own_columns_with_a_simulated_model_that_fails(fanwise, tmp_path):
    rows = [
        {"q": f"Why {n}?", "truth": "since it rains", "said": f"it rained {n}", "ok": True}
        for n in range(12)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ("--question", "q", "--expected", "truth", "--answer", "said", "--label", "ok")
    broken = ("-m", "sim/instant", "--opt", "wrong-schema=1", "--max-attempts", "1")
    done = fanwise("grade", "t.jsonl", *flags, *broken, "-o", "g.jsonl", "--mode", "parallel")
    assert done.returncode == 3, done.stderr
    assert "12 ungraded" in done.stderr
    assert "Fallback: parallel to batch" in done.stderr
    assert {line["is_correct"] for line in lines_of((tmp_path / "g.jsonl").read_text())} == {None}


def test_what_is_wrong_is_said_before_anything_is_sent(fanwise, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    done = fanwise("grade", "t.csv")
    assert done.returncode == 2
    assert "no column 'question', 'answer', 'expected'" in done.stderr
    done = fanwise("grade", "--sample", "--max-concurrent-tasks", "0", "--mode", "fast")
    assert done.returncode == 2
    assert "from 1 to 10" in done.stderr
    assert "auto, parallel, batch, sequential" in done.stderr


def test_cards_are_imported_reviewed_and_due_later(fanwise, tmp_path):
    cards = [{"id": "sum", "questions": [{"question": "6 * 7?", "expected": "42"}]}]
    (tmp_path / "cards.json").write_text(json.dumps(cards))
    assert "1 card with 1 question" in fanwise("grade", "--import-cards", "cards.json").stderr
    done = fanwise("grade", "--review", "--session", "s", stdin="forty-two\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schedule"]["rating"] == 3
    assert json.loads(fanwise("grade", "--due", "--json").stdout) == {"due": []}


def test_a_killed_run_sends_nothing_twice(fanwise, start_fanwise, tmp_path):
    rows = [
        {"id": f"r{n}", "question": "Why?", "expected": "it rains", "answer": f"rain {n}"}
        for n in range(12)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    slow = ("-m", "sim/fast", "--opt", "latency=0.25", "--mode", "sequential", "-o", "g.jsonl")
    process = start_fanwise("grade", "t.jsonl", *slow, "-q")
    process.wait_for_lines(3, file="g.jsonl")
    process.kill()
    process.wait()
    grades = tmp_path / "g.jsonl"
    done = fanwise("resume", "--json", "-q")
    assert done.returncode == 0, done.stderr
    assert [line["id"] for line in lines_of(grades.read_text())] == [row["id"] for row in rows]
    summary = json.loads(done.stdout)
    assert summary["grading"]["total"] == 12
    # One call may have been under way at the kill; every other one was sent once.
    assert 12 <= summary["attempts"] <= 13


def test_a_budget_and_a_deadline_hold_a_whole_review(fanwise, tmp_path):
    cards = [
        {"id": name, "questions": [{"question": f"Why {name}?", "expected": "since it rains"}]}
        for name in ("a", "b", "c")
    ]
    (tmp_path / "cards.json").write_text(json.dumps(cards))
    assert fanwise("grade", "--import-cards", "cards.json").returncode == 0
    review = ("grade", "--review", "--session", "s", "-m", "sim/instant")
    answers = "it rained\nit poured\nno idea\n"
    done = fanwise(*review, "--budget-calls", "1", stdin=answers)
    assert done.returncode == 4, done.stderr
    assert "The budget of 1 call is used up; the grades so far are kept." in done.stderr
    assert "To go on: fanwise grade --review --session s" in done.stderr
    assert [line["card_id"] for line in lines_of(done.stdout)] == ["a"]
    done = fanwise(*review[:-1], "sim/slow", "--deadline", "0.5", stdin="it poured\n")
    assert done.returncode == 4, done.stderr
    assert "The deadline is reached" in done.stderr
