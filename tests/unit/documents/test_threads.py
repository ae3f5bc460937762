import pytest

from fanwise.documents import threads
from fanwise.documents.threads import MailIndex, conversations, plain_subject
from fanwise.errors import InputError

DAY = 86400


def message(number, *, subject="Order", sender="a@x", to="b@y", refs=(), reply="", at=None):
    import email.utils

    fields = [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    if number is not None:
        fields.append(f"Message-ID: <{number}@x>")
    fields.append(
        f"Date: {email.utils.formatdate(1.7e9 + (at if at is not None else number * 60))}"
    )
    if refs:
        fields.append("References: " + " ".join(f"<{ref}@x>" for ref in refs))
    if reply:
        fields.append(f"In-Reply-To: <{reply}@x>")
    return "\n".join(fields) + f"\n\ntext of {number}\n"


def mbox(tmp_path, *given):
    path = tmp_path / "a.mbox"
    path.write_text("".join(f"From a Mon Jan  1 10:00:00 2024\n{one}\n" for one in given))
    return path


def groups(path):
    return [[m.message_id.partition("@")[0] for m in c.messages] for c in conversations(path)]


def test_replies_join_what_they_refer_to(tmp_path):
    path = mbox(
        tmp_path,
        message(1, subject="one"),
        message(2, subject="two"),
        message(3, subject="Re: one", refs=["1"]),
        message(4, subject="Re: two", reply="2"),
        message(5, subject="changed", refs=["1", "3"]),
    )
    assert groups(path) == [["1", "3", "5"], ["2", "4"]]


def test_messages_of_a_missing_first_one_belong_together(tmp_path):
    path = mbox(tmp_path, message(2, refs=["1"], subject="q"), message(3, refs=["1"], subject="r"))
    assert groups(path) == [["2", "3"]]


def test_order_in_the_file_does_not_matter(tmp_path):
    path = mbox(tmp_path, message(3, refs=["1", "2"]), message(2, refs=["1"]), message(1))
    assert groups(path) == [["1", "2", "3"]]


def test_a_conversation_keeps_its_id_as_messages_come(tmp_path):
    first = [message(1), message(2, refs=["1"])]
    (before,) = conversations(mbox(tmp_path, *first))
    (after,) = conversations(mbox(tmp_path, *first, message(3, refs=["1", "2"])))
    assert before.id == after.id
    assert before.latest_id != after.latest_id
    assert after.latest_at == before.latest_at + 60
    (alone,) = conversations(mbox(tmp_path, message(3, refs=["1", "2"])))
    assert alone.id == before.id


def test_a_reply_without_references_joins_by_subject_and_people(tmp_path):
    path = mbox(
        tmp_path,
        message(1, subject="Invoice 7"),
        message(2, subject="Re: Invoice 7", sender="b@y", to="a@x"),
        message(3, subject="Re: Invoice 7", sender="c@z", to="d@z"),
        message(4, subject="Invoice 7"),
        message(5, subject="RE: invoice  7", sender="b@y", to="a@x", at=200 * DAY),
    )
    assert groups(path) == [["1", "2"], ["3"], ["4"], ["5"]]


def test_a_reply_that_stands_before_its_message_joins_it_too(tmp_path):
    path = mbox(
        tmp_path,
        message(2, subject="Re: Invoice 7", sender="b@y", to="a@x"),
        message(1, subject="Invoice 7"),
    )
    assert groups(path) == [["1", "2"]]


def test_messages_without_ids_are_their_own_conversations(tmp_path):
    path = mbox(tmp_path, message(None, at=0), message(None, at=60, subject="Other"))
    ids = [c.id for c in conversations(path)]
    assert len(set(ids)) == 2
    assert ids == [c.id for c in conversations(path)]


def test_one_id_on_unrelated_messages_does_not_join_them(tmp_path):
    path = mbox(tmp_path, message(1, subject="one"), message(1, subject="two"))
    assert groups(path) == [["1"], ["1"]]


def test_copies_are_given_once(tmp_path):
    path = mbox(tmp_path, message(1), message(1), message(2, refs=["1"]))
    assert groups(path) == [["1", "2"]]


def test_references_in_a_circle_end(tmp_path):
    path = mbox(tmp_path, message(1, refs=["2"]), message(2, refs=["1"]), message(3, refs=["3"]))
    assert sorted(map(sorted, groups(path))) == [["1", "2"], ["3"]]


def test_what_is_not_wanted_is_not_read(tmp_path, monkeypatch):
    path = mbox(tmp_path, message(1, subject="one"), message(2, subject="two"))
    read = []
    parsed = threads.parsed
    monkeypatch.setattr(threads, "parsed", lambda raw: read.append(raw) or parsed(raw))
    (only,) = conversations(path, wanted=lambda thread: thread.latest_at > 1.7e9 + 90)
    assert only.subject == "two"
    assert len(read) == 1


def test_a_long_conversation_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "MAX_MESSAGES", 3)
    path = mbox(tmp_path, message(1), *(message(n, refs=["1"]) for n in range(2, 9)))
    found = list(MailIndex(path).threads())
    assert [thread.count for thread in found] == [3, 3, 2]
    assert [thread.id.partition("#")[2] for thread in found] == ["", "2", "3"]


def test_maildirs_and_single_files_have_conversations(tmp_path):
    for n in (1, 2):
        (tmp_path / f"{n}.eml").write_text(message(n, refs=["1"] if n == 2 else ()))
    (tmp_path / "box" / "new").mkdir(parents=True)
    (tmp_path / "box" / "new" / "3").write_text(message(3, refs=["1"]))
    assert groups(tmp_path) == [["1", "2", "3"]]
    alone = tmp_path / "saved"
    alone.write_text(message(4))
    assert groups(alone) == [["4"]]


def test_a_mailbox_that_changes_meanwhile_is_refused(tmp_path):
    path = mbox(tmp_path, message(1), message(2, subject="two"))
    index = MailIndex(path)
    mbox(tmp_path, message(7, subject="a longer subject than before"), message(8))
    with pytest.raises(InputError, match="changed"):
        [index.read(thread) for thread in index.threads()]


def test_broken_messages_are_in_conversations_too(tmp_path):
    path = mbox(tmp_path, message(1), "garbage without headers\n")
    found = list(conversations(path))
    assert [c.messages[0].broken for c in found] == [None, "no headers"]


@pytest.mark.parametrize(
    ("subject", "plain", "is_reply"),
    [
        ("Re: AW: Fwd: The  Order", "the order", True),
        ("RE[2]: x", "x", True),
        ("Fwd: x", "x", False),
        ("Regarding: x", "regarding: x", False),
        ("x", "x", False),
    ],
)
def test_subjects_lose_their_prefixes(subject, plain, is_reply):
    assert plain_subject(subject) == (plain, is_reply)
