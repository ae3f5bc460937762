import pytest

from fanwise.documents.replies import split_reply


@pytest.mark.parametrize(
    "line",
    [
        "On Mon, Jan 1, 2024 at 10:00 AM Ann Lee <ann@x.com> wrote:",
        "On Mon, Jan 1, 2024 at 10:00 AM Ann Lee <ann@x.com>\nwrote:",
        "On Monday, January 1, 2024 at 10:00, Ann Lee <a.very.long.address@example.com>\n  wrote:",
        "Am 01.01.2024 um 10:00 schrieb Ann Lee <ann@x.com>:",
        "Am Mo., 1. Jan. 2024 um 10:00 Uhr schrieb Ann Lee <\nann@x.com>:",
        "Le lun. 1 janv. 2024 à 10:00, Ann Lee <ann@x.com> a écrit :",
        "El lun, 1 ene 2024 a las 10:00, Ann Lee (<ann@x.com>) escribió:",
        "Il giorno lun 1 gen 2024 alle ore 10:00 Ann Lee <ann@x.com> ha scritto:",
        "Em seg., 1 de jan. de 2024 às 10:00, Ann Lee <ann@x.com> escreveu:",
        "Op ma 1 jan 2024 om 10:00 schreef Ann Lee <ann@x.com>:",
        "Den mån 1 jan. 2024 kl 10:00 skrev Ann Lee <ann@x.com>:",
        "W dniu 01.01.2024 o 10:00, Ann Lee pisze:",
        "pon., 1 sty 2024 o 10:00 Ann Lee <ann@x.com> napisał(a):",
        "1 янв. 2024 г., в 10:00, Ann Lee <ann@x.com> написал(а):",
        "ma 1. tammik. 2024 klo 10.00 Ann Lee (ann@x.com) kirjoitti:",
        "Ann Lee <ann@x.com> 于2024年1月1日周一 10:00写道：",
        "-----Original Message-----",
        "-------- Ursprüngliche Nachricht --------",
        "----- Message d'origine -----",
        "-----Mensaje original-----",
        "From: Ann Lee <ann@x.com>\nSent: Monday, January 1, 2024 10:00\nTo: Bob\nSubject: x",
        "________________________________\nVon: Ann Lee\nGesendet: Montag\nAn: Bob\nBetreff: x",
        "*De :* Ann Lee\n*Envoyé :* lundi\n*À :* Bob\n*Objet :* x",
        "De: Ann Lee\nEnviado el: lunes\nPara: Bob\nAsunto: x",
    ],
)
def test_what_follows_an_attribution_is_quoted(line):
    reply = split_reply(f"Thank you.\n\n{line}\n\nThe old text 12345.\nMore of it.\n")
    assert reply.text == "Thank you."
    assert "The old text 12345." in reply.quoted


def test_an_attribution_in_another_language_is_known_by_the_quotation_below_it():
    reply = split_reply("yes\n2024-01-01 10:00 GMT+01:00 Ann Lee <ann@x.com>:\n> old\nno")
    assert (reply.text, reply.quoted.count("\n")) == ("yes\nno", 1)


def test_answers_between_and_below_quotations_stay():
    reply = split_reply(
        "On 1 Jan 2024 Ann <a@x> wrote:\n> first?\nyes\n> second?\n>> older\nno\n\nregards"
    )
    assert reply.text == "yes\nno\n\nregards"
    assert reply.quoted.split("\n")[1:] == ["> first?", "> second?", ">> older"]


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel:\n1Z9\nFrom: Hamburg\nTo: Berlin",
        "As he once wrote: nothing",
        "Tracking number:\n\n1Z9",
        "On time and on budget: yes",
        "--\n" + "a long list\n" * 40 + "tracking 1Z9",
        "Items\n-----\n1Z9\n-----",
        "He wrote:\nsome words",
    ],
)
def test_what_only_looks_like_a_mark_stays(text):
    reply = split_reply(text)
    assert reply.text == text
    assert reply.quoted == ""


def test_signatures_are_kept_apart():
    reply = split_reply("Hello\n\n-- \nAnn Lee\nX Corp\n")
    assert (reply.text, reply.signature) == ("Hello", "Ann Lee\nX Corp")
    reply = split_reply("Hello\n\nSent from my iPhone\n\n> old")
    assert (reply.text, reply.signature, reply.quoted) == ("Hello", "Sent from my iPhone", "> old")
    reply = split_reply("Hallo\n-- \nAnn\n\nAm 1.1.2024 schrieb Bob <b@x>:\n\nalt\n-- \nBob")
    assert (reply.text, reply.signature) == ("Hallo", "Ann")
    assert "alt\n--\nBob" in reply.quoted


@pytest.mark.parametrize(
    "mark",
    [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "-------- Weitergeleitete Nachricht --------",
        "---------- Message transféré ----------",
    ],
)
def test_a_forwarded_message_stays_and_its_own_quotations_go(mark):
    fields = "From: Shop <s@y.com>\nDate: 1 Jan 2024\nSubject: Shipped\nTo: Ann\n\n"
    inner = "Number 1Z9.\n\nOn 1 Jan 2024 Bob <b@x> wrote:\n> older\n"
    reply = split_reply(f"see below\n\n{mark}\n{fields}{inner}")
    assert "From: Shop <s@y.com>" in reply.text
    assert "Number 1Z9." in reply.text
    assert "older" not in reply.text
    quoted = "\n".join("> " + line for line in (fields + inner).split("\n"))
    reply = split_reply(f"see below\n\n{mark}\n\n{quoted}")
    assert "Number 1Z9." in reply.text


def test_a_subject_that_forwards_makes_a_header_block_content():
    text = "FYI\n\nFrom: Shop\nSent: Monday\nTo: Ann\nSubject: Shipped\n\nNumber 1Z9."
    assert "1Z9" not in split_reply(text).text
    assert "1Z9" in split_reply(text, forwarded=True).text


@pytest.mark.parametrize("line", [">", "> x", "From: a", "-- ", "--", "On 1 a@b wrote:", "a, 1@:"])
def test_many_marks_end_soon(line):
    text = "\n".join([line] * 30_000)
    reply = split_reply(text)
    kept = sum(part.count(line.strip()) for part in (reply.text, reply.quoted, reply.signature))
    assert kept > 0


def test_many_forwards_end_soon():
    mark = "---------- Forwarded message ---------"
    assert split_reply("\n".join([mark, "From: x", "> y"] * 6000)).text.count(mark) == 6000
