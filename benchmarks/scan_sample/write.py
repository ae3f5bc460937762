"""Writes the sample mailbox of the scan pipeline, and what is true of it.

    python benchmarks/scan_sample/write.py [SEED DIRECTORY]

The same every time; another seed makes another sample, elsewhere. The truth comes from what each
mail was made to say, never from what the rules find in it: some mails are made so that rules must
fail.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from build import BUYER, Mail, as_bytes, html_number, html_page, quotation
from facts import REGIONS, Writer
from wording import PAGES, Parcel, day_in_words, look_alike

from fanwise.documents import conversations

HERE = Path(__file__).resolve().parents[2] / "src/fanwise/pipelines/scan/sample"
SEED = 20260302
DAMAGES = [
    ("de", "bad base64"),
    ("en", "unknown charset"),
    ("en", "truncated"),
    ("fr", "no charset"),
    ("en", "no message id"),
    ("de", "unknown charset"),
]
LABELS = {
    "en": ("Order", "Carrier", "Tracking number"),
    "de": ("Bestellung", "Versand mit", "Sendungsnummer"),
    "fr": ("Commande", "Transporteur", "N° de suivi"),
    "es": ("Pedido", "Transportista", "Seguimiento"),
}
NOTIFIED_BY = {
    "UPS": "us",
    "FedEx": "us",
    "DHL": "de",
    "Royal Mail": "uk",
    "PostNL": "nl",
    "DPD": "fr",
    "USPS": "us",
    "Amazon": "amazon",
}
NOTICES = {"en": 20, "de": 13, "fr": 8, "es": 4, "it": 4, "nl": 4, "pl": 3, "ja": 3}


def notices(w: Writer) -> None:
    for language, count in NOTICES.items():
        for index in range(count):
            f = w.facts(language, w.tick())
            pool = w.blocks["notice", language]
            body = pool[index % len(pool)].format(**f.fields)
            subject = w.chance.choice(w.blocks["subjects", language][0].split("\n")).format(po=f.po)
            attachment = "delivery-note.pdf" if w.chance.random() < 0.2 else None
            mail = w.mail(f, subject, body, attachment=attachment)
            shipment = f.shipment(body + subject)
            if "heute an" in body:  # that template says "today" itself
                shipment["shipped_date"] = f.sent.date().isoformat()
            w.add([mail], "notice", [shipment], supplier=f.name, language=language)


def shop_pages(w: Writer) -> None:
    for index in range(20):
        language = ["en", "de", "fr", "es"][index % 4]
        f = w.facts(language, w.tick())
        lead = w.text("table", language).format(**f.fields)
        labels = LABELS[language]
        page = PAGES.get(f.parcel.carrier)
        link = page.format(number=f.parcel.number) if page and index % 3 else None
        rows = [
            (labels[0], f.po),
            ("SKU", look_alike(w.chance)),
            (labels[1], f.parcel.said),
            (labels[2], html_number(f.parcel.written, w.chance)),
        ]
        html = html_page([lead], rows=rows, link=link)
        values = (f.po, f.parcel.said, f.parcel.written)
        plain = "\n".join(
            [f"{lead}\n", *(f"{a}: {b}" for a, b in zip(labels, values, strict=True))]
        )
        mail = w.mail(f, f"{labels[0]} {f.po}", plain, html=html, html_only=index % 2 == 0)
        w.add([mail], "shop page", [f.shipment(plain)], supplier=f.name, language=language)


def carriers_own(w: Writer) -> None:
    pool = [
        (language, text)
        for language in ("en", "de", "nl", "fr")
        for text in w.blocks["carrier", language]
    ]
    for index in range(14):
        language, text = pool[index % len(pool)]
        head, _, template = text.partition("\n")
        carrier, subject = head.split(" | ")
        region = NOTIFIED_BY[carrier]
        f = w.facts(language, w.tick(), region=region)
        while not f.parcel.said.startswith(carrier):
            f.parcel = Parcel(region, w.chance)
        f.fields["number"] = f.parcel.written
        body = template.format(**f.fields)
        mail = w.mail(f, subject, body)
        host = carrier.lower().replace(" ", "")
        mail.sender = (f"{carrier} Notifications", f"no-reply@{host}-notify.example")
        shipment = f.shipment(body)
        w.add(
            [mail],
            "carrier",
            [shipment],
            supplier=f.name if f.company in body else None,
            language=language,
        )


def threads(w: Writer) -> None:
    for index in range(14):
        language = ["en", "en", "de", "fr"][index % 4]
        f = w.facts(language, w.tick())
        subject = f"{f.po}"
        question = Mail(
            id=w.new_id("assembly.example"),
            sender=BUYER,
            to=(f.person, f.address),
            sent=f.sent,
            subject=subject,
            body=w.text("question", language).format(**f.fields),
            language=language,
        )
        f.sent = w.tick()
        f.day = f.sent.date()
        f.fields["day"] = day_in_words(f.day, language, f.sent, w.chance)
        text = w.text("answer", language).format(**f.fields)
        below = quotation(question.body, BUYER, question.sent, language)
        answer = w.mail(f, f"Re: {subject}", f"{text}\n\n{below}", answers=[question.id])
        mails = [question, answer]
        if index % 3 != 2:
            above = quotation(answer.body, answer.sender, answer.sent, language)
            thanks = Mail(
                id=w.new_id("assembly.example"),
                sender=BUYER,
                to=(f.person, f.address),
                sent=w.tick(),
                subject=f"Re: {subject}",
                language=language,
                body=w.text("thanks", language) + "\n\n" + above,
                answers=[question.id, answer.id],
            )
            mails.append(thanks)
        shipment = f.shipment(text + subject + question.body)
        w.add(mails, "thread", [shipment], supplier=f.name, language=language)


def corrections(w: Writer) -> None:
    for _ in range(2):
        f = w.facts("en", w.tick(), region="us")
        body = w.blocks["notice", "en"][0].format(**f.fields)
        first = w.mail(f, f"Order {f.po}", body)
        wrong = f.shipment(body)
        f.sent = w.tick()
        right = Parcel("us", w.chance)
        while right.said != f.parcel.said:
            right = Parcel("us", w.chance)
        fields = {**f.fields, "number": right.written}
        text = w.text("correction", "en").format(**fields)
        second = w.mail(f, f"Re: Order {f.po}", text, answers=[first.id])
        shipment = {**wrong, "tracking_number": right.number, "carrier": right.carrier}
        w.add([first, second], "correction", [shipment], supplier=f.name)


def split_orders(w: Writer) -> None:
    for index in range(6):
        language = ["en", "de", "it"][index % 3]
        f = w.facts(language, w.tick())
        region = w.chance.choice(REGIONS[language])
        others = [Parcel(region, w.chance) for _ in range(w.chance.randint(1, 3))]
        bullet = {"en": " - box {i} of {n} ({c}): {t}", "de": " {i}. {c} {t}", "it": "{c}: {t}"}[
            language
        ]
        more = "\n".join(
            bullet.format(i=i, n=len(others) + 1, c=one.said, t=one.written)
            for i, one in enumerate(others, 2)
        )
        body = w.text("split", language).format(**f.fields, count=len(others) + 1, more=more + "\n")
        mail = w.mail(f, f"{f.po}", body)
        shipments = [f.shipment(body), *(f.shipment(body, one) for one in others)]
        w.add([mail], "split", shipments, supplier=f.name, language=language)


def simple(
    w: Writer,
    kind: str,
    languages: list[str],
    subject: str,
    *,
    region: str = "",
    known: bool = True,
) -> None:
    """One mail for each language given, out of the block of that kind."""
    for language in languages:
        f = w.facts(language, w.tick(), region=region, known=known)
        link = PAGES.get(f.parcel.carrier, "https://track.{domain}/?tracking={number}")
        f.fields["link"] = link.format(number=f.parcel.number, domain=f.domain)
        body = w.text(kind, language).format(**f.fields)
        mail = w.mail(f, subject.format(**f.fields), body)
        w.add([mail], kind, [f.shipment(body + mail.subject)], supplier=f.name, language=language)


def without_number(w: Writer) -> None:
    for kind, languages in (("plan", ["en", "de", "en", "de", "en"]), ("example", ["en"])):
        for language in languages:
            f = w.facts(language, w.tick())
            body = w.text(kind, language).format(**f.fields)
            w.add([w.mail(f, f"{f.po}", body)], kind, [], language=language)


def forwards(w: Writer) -> None:
    for language in ("en", "de", "fr", "it"):
        f = w.facts(language, w.tick())
        inner = w.text("notice", language).format(**f.fields)
        subject = w.blocks["subjects", language][0].split("\n")[0].format(po=f.po)
        when = (f.sent - timedelta(hours=1)).strftime("%a, %d %b %Y at %H:%M")
        body = w.text("forward", "en").format(
            person=f.person, address=f.address, sent=when, subject=subject, body=inner
        )
        mail = w.mail(f, f"Fwd: {subject}", body)
        mail.sender = ("Kim Lindqvist", "kim.lindqvist@assembly.example")
        shipment = f.shipment(inner + subject)
        if "heute an" in inner:
            shipment["shipped_date"] = f.sent.date().isoformat()
        w.add([mail], "forward", [shipment], supplier=f.name, language=language)


def decoys(w: Writer) -> None:
    pool = w.blocks["decoy", "en"]
    for index in range(26):
        subject, _, body = pool[index % len(pool)].partition("\n\n")
        f = w.facts("en", w.tick())
        digits = str(w.chance.randint(10**15, 10**16))
        fields = {
            **f.fields,
            "domain": f.domain,
            "c9": digits[:9],
            "c10": digits[:10],
            "c13": digits[:13],
            **{name: look_alike(w.chance) for name in "abcd"},
        }
        html = None
        if index % 4 == 3:
            html = html_page(body.format(**fields).split("\n\n"), rows=[], link=None)
        mail = w.mail(
            f, subject.format(**fields), body.format(**fields), html=html, html_only=bool(html)
        )
        w.add([mail], "decoy", [])


def injections(w: Writer) -> None:
    for index in range(2):
        f = w.facts("en", w.tick(), region="us")
        lead = w.blocks["notice", "en"][index].format(**{**f.fields, "signature": ""}).strip()
        body = w.blocks["injection", "en"][index].format(lead=lead, signature=f.signature)
        w.add([w.mail(f, f"Order {f.po}", body)], "injection", [f.shipment(lead)], supplier=f.name)


def broken(w: Writer) -> None:
    for language, damage in (
        ("de", "bad base64"),
        ("en", "unknown charset"),
        ("en", "truncated"),
        ("fr", "no charset"),
        ("en", "no message id"),
        ("de", "unknown charset"),
    ):
        f = w.facts(language, w.tick())
        body = w.blocks["notice", language][0].format(**f.fields)
        html = html_page([body], rows=[], link=None) if damage == "truncated" else None
        mail = w.mail(f, f"{f.po}", body, damage=damage, html=html)
        w.add([mail], f"broken: {damage}", [f.shipment(body)], supplier=f.name, language=language)


def make(seed: int) -> Writer:
    w = Writer(seed)
    notices(w)
    shop_pages(w)
    carriers_own(w)
    threads(w)
    corrections(w)
    split_orders(w)
    simple(w, "terse", ["en", "de", "en", "en", "de", "en", "en"], "{po}")
    simple(w, "link", ["en", "de", "en", "de", "en"], "Order {po}")
    simple(w, "freight", ["en", "en", "en"], "{po}", region="freight")
    simple(w, "freight", ["en", "de", "en"], "{po}", known=False)
    simple(w, "return", ["en", "en"], "Return", region="us")
    simple(w, "vague", ["en", "de", "en", "de"], "{po}")
    without_number(w)
    forwards(w)
    decoys(w)
    injections(w)
    broken(w)
    return w


def main() -> None:
    seed, place = (int(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) > 2 else (SEED, HERE)
    w = make(seed)
    place.mkdir(parents=True, exist_ok=True)
    box = place / "mail.mbox"
    order = sorted(w.mails, key=lambda mail: (mail.sent, mail.id))
    box.write_bytes(b"".join(as_bytes(mail, w.chance) for mail in order))
    threads_by_message = {
        message.message_id: conversation.id
        for conversation in conversations(box)
        for message in conversation.messages
    }
    lines: list[str] = []
    for row in w.truth:
        known = {threads_by_message[one] for one in row["messages"] if one in threads_by_message}
        if not known:  # the one without a Message-ID has a hash for an id
            known = set(threads_by_message.values()) - {
                threads_by_message[one]
                for other in w.truth
                for one in other["messages"]
                if one in threads_by_message
            }
        assert len(known) == 1, row
        lines.append(json.dumps({"conversation": known.pop(), **row}, ensure_ascii=False))
    (place / "truth.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    shipments = sum(len(row["shipments"]) for row in w.truth)
    print(
        f"{len(w.mails)} messages, {len(w.truth)} conversations, {shipments} shipments -> {place}"
    )


if __name__ == "__main__":
    main()
