"""How well and how fast tracking numbers are recognised.

    python benchmarks/tracking_numbers.py [LABELLED.jsonl]

The labelled file holds lines ``{"courier": …, "number": …, "valid": true | false}``; without one,
that table is left out. Nothing is sampled from the clock: the same call prints the same counts.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import sys
import time
from pathlib import Path

from fanwise.pipelines.scan.tracking.find import find
from fanwise.pipelines.scan.tracking.formats import Format
from fanwise.pipelines.scan.tracking.invent import invent, inventable

SENTENCES = [
    "Your {carrier} shipment {number} is on its way.",
    "Your order has shipped via {carrier}. Tracking number: {number}",
    "{carrier} tracking: {number}",
    "Hi, the parcel went out with {carrier} yesterday, number {number}, please confirm.",
    "{number} is your {carrier} tracking number.",
    "We shipped with {carrier}: {number}",
    "Ihr Paket mit {carrier} ist unterwegs, Sendungsnummer {number}.",
    "Votre colis {carrier} n° {number} est en route.",
    "El paquete de {carrier} con número {number} llegará mañana.",
    "{carrier} {number}",
]
WITHOUT_CONTEXT = [
    "{number}",
    "Please note {number} for your records.",
    "See you on Monday. {number} Best regards, Anna",
    "The value is {number}, thanks",
    "We have three boxes of {number} in stock.",
]
MAIL_LIKE = [
    "Tel. {number}",
    "Invoice no. {number}, due 03.03.2026",
    "Order {number} from 2026-02-11, your FedEx parcel follows",
    "SKU {number}  qty 3  DHL",
    "IBAN DE{number}, BIC EXAMPLEXXX, UPS",
    "Customer {number}: thank you. We ship with USPS.",
    "Purchase order {number}. Shipped by Canada Post soon.",
]

WORDS = (
    "the order has been packed and will leave our warehouse on Monday morning please contact us "
    "if anything is missing Kind regards Anna Example parcel delivery Invoice our team"
)


def compact(number: str) -> str:
    return re.sub(r"[\s.\-]", "", number).upper()


def labelled(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    print(f"{path.name}: {len(rows)} numbers, {len(SENTENCES)} sentences that name the carrier")
    for spelled in (False, True):
        found = valid = accepted = invalid = 0
        for row in rows:
            name = row["courier"].replace("_", " ").title() if spelled else row["courier"]
            for sentence in SENTENCES:
                numbers = find(sentence.format(carrier=name, number=row["number"]))
                if row["valid"]:
                    valid += 1
                    found += any(one.number == compact(row["number"]) for one in numbers)
                else:
                    invalid += 1
                    accepted += bool(numbers)
        print(
            f"  carrier written {'as a name' if spelled else 'as in the file'}: "
            f"{found / valid:.1%} of {valid} valid recognised, "
            f"{accepted / invalid:.1%} of {invalid} invalid accepted"
        )


def made_up(chance: random.Random, each: int) -> None:
    rows = inventable()
    print(f"numbers made up for {len(rows)} formats, {each} each")
    found = changed = changed_accepted = 0
    for row in rows:
        name = row.carrier or "Royal Mail"
        for _ in range(each):
            number = invent(row, chance)
            sentence = chance.choice(SENTENCES)
            text = sentence.format(carrier=name, number=number)
            found += any((one.number, one.carrier) == (number, name) for one in find(text))
            if row.check is not None:
                changed += 1
                wrong = one_wrong_digit(row, number, chance)
                changed_accepted += bool(find(sentence.format(carrier=name, number=wrong)))
    print(f"  recognised, carrier right: {found / (len(rows) * each):.1%}")
    print(f"  one covered digit changed, still accepted: {changed_accepted / changed:.1%}")


def one_wrong_digit(row: Format, number: str, chance: random.Random) -> str:
    """Changes a digit that the check digit covers (some cover only a part of the number)."""
    first = {"Express, 34 digits": 22, "Ground GSN": 22, "ASTRA": 16, "Ground 96": 7}
    start = first.get(row.service, 8 if "with ZIP" in row.service else 3)
    end = 28 if row.service == "ASTRA" else len(number)
    at = chance.choice([i for i in range(start, end) if number[i].isdigit()])
    digit = chance.choice([d for d in "0123456789" if d != number[at]])
    return number[:at] + digit + number[at + 1 :]


def random_digits(chance: random.Random, title: str, templates: list[str], rounds: int) -> None:
    accepted = 0
    for _ in range(rounds):
        digits = "".join(chance.choice("0123456789") for _ in range(chance.randint(8, 30)))
        accepted += bool(find(chance.choice(templates).format(number=digits)))
    print(f"{title}: {accepted / rounds:.2%} of {rounds} accepted")


def long_mail(chance: random.Random, size: int) -> str:
    words = WORDS.split()
    rows = inventable()
    lines: list[str] = []
    length = 0
    while length < size:
        line = " ".join(chance.choice(words) for _ in range(12))
        if chance.random() < 0.06:
            line += f" Tel 0{chance.randint(100, 999)} {chance.randint(10**5, 10**9)}"
        if chance.random() < 0.02:
            line += " tracking number " + invent(chance.choice(rows), chance)
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def speed(chance: random.Random) -> None:
    find("warm up")
    times: list[float] = []
    for _ in range(9):
        text = long_mail(chance, 100_000)
        start = time.process_time()
        find(text)
        times.append((time.process_time() - start) * 1000)
    median = statistics.median(times)
    print(f"100 KB of mail, CPU time: median {median:.0f} ms, least {min(times):.0f} ms")


def main() -> None:
    chance = random.Random(20260303)
    if len(sys.argv) > 1:
        labelled(Path(sys.argv[1]))
    made_up(chance, 40)
    random_digits(chance, "random digits without context", WITHOUT_CONTEXT, 20_000)
    random_digits(chance, "random digits labelled as something else", MAIL_LIKE, 20_000)
    speed(chance)


if __name__ == "__main__":
    main()
