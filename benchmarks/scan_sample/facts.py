"""Who says what of which parcel: what the mails of the sample are filled with."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from build import BUYER, Mail
from wording import Parcel, blocks, day_in_words, eta_in_words

REGIONS = {
    "en": ["us", "us", "uk", "ca"],
    "de": ["de"],
    "fr": ["fr"],
    "es": ["es"],
    "it": ["it"],
    "nl": ["nl"],
    "pl": ["pl"],
    "ja": ["ja"],
}


class Writer:
    """Makes conversations one after another; each adds its mails and its line of truth."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.blocks = blocks()
        self.suppliers = [line.split(" | ") for line in self.text("suppliers", "en").split("\n")]
        self.mails: list[Mail] = []
        self.truth: list[dict[str, Any]] = []
        self.clock = datetime(2026, 2, 9, 7, 40, tzinfo=UTC)
        self.count = 0

    def text(self, kind: str, language: str) -> str:
        """A random block of a kind."""
        return self.chance.choice(self.blocks[kind, language])

    def tick(self) -> datetime:
        """The next moment of a working day."""
        self.clock += timedelta(minutes=self.chance.randint(9, 160))
        if self.clock.hour > 17:
            self.clock = self.clock.replace(hour=8) + timedelta(days=1)
        if self.clock.weekday() > 4:
            self.clock += timedelta(days=2)
        return self.clock

    def new_id(self, domain: str) -> str:
        """A new Message-ID."""
        self.count += 1
        return f"{self.count:04d}.{self.chance.randrange(16**6):06x}@{domain}"

    def supplier(self, language: str) -> list[str]:
        """A supplier who writes in a language."""
        return self.chance.choice([one for one in self.suppliers if one[4] == language])

    def facts(
        self, language: str, sent: datetime, *, region: str = "", known: bool = True
    ) -> Facts:
        """What some supplier has to say."""
        region = region or self.chance.choice(REGIONS[language])
        return Facts(self, language, region, sent, known=known)

    def add(
        self,
        mails: list[Mail],
        kind: str,
        shipments: list[dict[str, Any]],
        *,
        supplier: str | None = None,
        language: str = "en",
    ) -> None:
        """Adds a conversation and what is true of it."""
        self.mails += mails
        self.truth.append(
            {
                "messages": [mail.id for mail in mails],
                "kind": kind,
                "language": language,
                "supplier": supplier if shipments else None,
                "shipments": shipments,
            }
        )

    def mail(self, facts: Facts, subject: str, body: str, **more: Any) -> Mail:
        """A mail from the supplier to the buyer."""
        return Mail(
            id=self.new_id(facts.domain),
            sender=(facts.person, facts.address),
            to=BUYER,
            sent=facts.sent,
            subject=subject,
            body=body,
            language=facts.language,
            **more,
        )


class Facts:
    """What one supplier says of one parcel at one moment."""

    def __init__(
        self, writer: Writer, language: str, region: str, sent: datetime, *, known: bool
    ) -> None:
        chance = writer.chance
        self.language = language
        self.sent = sent
        self.company, self.domain, self.person, self.phone, _ = writer.supplier(language)
        self.address = f"{self.person.split()[0].lower()}@{self.domain}".replace("é", "e")
        if not self.address.isascii():
            self.address = f"info@{self.domain}"
        self.parcel = Parcel(region, chance, known=known)
        back = chance.choice([0, 0, 0, 1, 1, 2, 3])
        self.day: date = (sent - timedelta(days=back)).date()
        self.po = chance.choice(["PO-{}", "PO{}", "{}", "45000{}", "B-{}/26", "2026-{}"]).format(
            chance.randint(10000, 99999)
        )
        closing = chance.choice(writer.blocks["closings", language][0].split("\n"))
        company = f"\n{self.company}" if self.company else ""
        self.signature = f"{closing}\n{self.person}{company}\n{self.phone}"
        if chance.random() < 0.4:
            self.signature = f"{closing}\n\n-- \n{self.person}{company}\n{self.phone}"
        self.fields = {
            "name": "Robin" if language == "en" else "Hale",
            "number": self.parcel.written,
            "carrier": self.parcel.said,
            "po": self.po,
            "day": day_in_words(self.day, language, sent, chance),
            "eta": eta_in_words(sent, language, chance),
            "phone": self.phone,
            "invoice": chance.choice(["RE-", "INV", "2026/", ""])
            + str(chance.randint(10**6, 10**10)),
            "signature": self.signature,
            "supplier": self.company or self.person,
        }

    def shipment(self, body: str, parcel: Parcel | None = None) -> dict[str, Any]:
        """What is true, as far as the body says it."""
        parcel = parcel or self.parcel
        return {
            "tracking_number": parcel.number,
            "carrier": parcel.carrier,
            "po_number": self.po if self.po in body else None,
            "shipped_date": self.day.isoformat() if self.fields["day"] in body else None,
        }

    @property
    def name(self) -> str:
        """The supplier by its company, else the person."""
        return self.company or self.person
