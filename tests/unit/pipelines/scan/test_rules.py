import json
from dataclasses import replace

import pytest

from fanwise.pipelines.scan.mailtext import Letter
from fanwise.pipelines.scan.orders import order_of
from fanwise.pipelines.scan.prompt import instructions, messages_for
from fanwise.pipelines.scan.rules import extract, rules
from fanwise.pipelines.scan.schema import Extraction
from fanwise.pipelines.scan.supplier import supplier_of
from fanwise.records import Message, Request, user

LETTER = Letter(
    sender="Jana Petersen <jana@nordwerk-tools.example>",
    sent=1772618400.0,
    subject="Your order",
    attachments="",
    text="Hi,\n\nPO 45001234 was shipped on 3 March 2026 with UPS, 1Z999AA10123456784.\n\n"
    "Regards\nJana Petersen\nNordwerk Tools GmbH, Hafenstraße 1\n+49 40 66969 117",
    signature="",
    quoted="",
)


def test_rules_answer_the_schema_from_the_prompt_alone() -> None:
    request = Request(model="builtin/rules", messages=messages_for([LETTER]))
    answer = Extraction.model_validate(rules(request))
    assert answer.supplier == "Nordwerk Tools GmbH"
    (shipment,) = answer.shipments
    assert shipment.tracking_number == "1Z999AA10123456784"
    assert shipment.carrier == "UPS"
    assert shipment.po_number == "45001234"
    assert shipment.shipped_date == "2026-03-03"
    assert shipment.confidence > 0.9
    json.dumps(rules(request))


def test_rules_read_messages_that_are_lists_of_parts() -> None:
    (_, mail) = messages_for([LETTER])
    parts: list[Message] = [user([{"type": "text", "text": mail.content}])]
    answer = rules(Request(model="builtin/rules", messages=parts))
    assert isinstance(answer, dict)
    assert len(answer["shipments"]) == 1  # type: ignore[arg-type]


def test_a_request_that_is_not_ours_gets_an_empty_extraction() -> None:
    answer = rules(Request(model="builtin/rules", messages=[user("1Z999AA10123456784")]))
    assert answer == {"supplier": None, "shipments": []}


def test_the_instructions_hold_nothing_of_the_mail() -> None:
    (system, mail) = messages_for([LETTER])
    assert system.content == instructions()
    assert "{" not in instructions()
    assert "1Z999AA10123456784" in str(mail.content)


def test_one_parcel_in_two_forms_is_one_shipment() -> None:
    text = "USPS tracking 9400111206206406260787\n\nbarcode 420787459400111206206406260787"
    answer = extract([replace(LETTER, text=text)])
    assert [one["tracking_number"] for one in answer["shipments"]] == [  # type: ignore[union-attr]
        "9400111206206406260787"
    ]


def test_an_order_number_is_no_tracking_number() -> None:
    text = "3318810025 ships with DHL next week."
    assert extract([replace(LETTER, subject="3318810025", text=text)])["shipments"] == []


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("purchase order 4500012345, number N", "4500012345"),
        ("PO-2026-0117 went out: N", "PO-2026-0117"),
        ("P.O. #88123 / N", "88123"),
        ("Bestellnummer: B-4711/26, Sendung N", "B-4711/26"),
        ("votre commande n° CF-20311 : N", "CF-20311"),
        ("su pedido 20311 enviado N", "20311"),
        ("ordine n. 2026/311 N", "2026/311"),
        ("zamówienie nr ZK/311/26, paczka N", "ZK/311/26"),
        ("ご注文番号 B-4711/26 N", "B-4711/26"),
        ("order of 2026-03-03, parcel N", None),
        ("in order to track it: N", None),
    ],
)
def test_order_numbers_are_read_in_many_languages(text: str, order: str | None) -> None:
    assert order_of(text, number="N", number_at=text.index("N")) == order


def test_a_purchase_order_goes_before_other_order_numbers_and_the_nearest_before_counts() -> None:
    text = "order 111222 (your PO 333444): AAA. Next PO 555666: BBB"
    assert order_of(text, number="AAA", number_at=text.index("AAA")) == "333444"
    assert order_of(text, number="BBB", number_at=text.index("BBB")) == "555666"


@pytest.mark.parametrize(
    ("change", "supplier"),
    [
        ({}, "Nordwerk Tools GmbH"),
        ({"signature": "Larkfield Fasteners Ltd\nUnit 4"}, "Larkfield Fasteners Ltd"),
        ({"text": "Hi, sent."}, "Nordwerk Tools"),
        ({"text": "Hi, sent.", "sender": "Gregor Finch <greg@gmail.com>"}, "Gregor Finch"),
        ({"text": "Hi.", "sender": "x <x@mail.acme-parts.co.uk>"}, "Acme Parts"),
        ({"text": "Hi.", "sender": "x <x@news.xn--mller-kva.example>"}, "Müller"),
        ({"text": "Hi.", "sender": "UPS <a@ups.com>"}, None),
        (
            {"text": "Sender: Acme Parts, Inc. of Y", "sender": "UPS <a@ups.com>"},
            "Acme Parts, Inc.",
        ),
        ({"text": "Hi.", "sender": ""}, None),
        (
            {"text": "FYI\n\nFrom: Owen <owen@larkfield.example>\n\nshipped"},
            "Larkfield",
        ),
        ({"signature": "株式会社青葉製作所"}, "株式会社青葉製作所"),
    ],
)
def test_the_supplier_is_named_by_signature_then_domain_then_sender(
    change: dict[str, str], supplier: str | None
) -> None:
    assert supplier_of(replace(LETTER, **change)) == supplier  # type: ignore[arg-type]
