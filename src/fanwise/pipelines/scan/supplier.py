"""Who ships: by the signature, else by the mail domain, else by the sender's name."""

from __future__ import annotations

import re

from fanwise.pipelines.scan.mailtext import Letter
from fanwise.pipelines.scan.tracking.carriers import begins_with_carrier, carrier_of_host

_LEGAL = re.compile(
    r"(?<!\w)(?:GmbH(?: & Co\.? KG)?|gGmbH|mbH|AG|KG|OHG|e\.K\.|UG|SE|Ltd\.?|Limited|LLP|LLC"
    r"|L\.L\.C\.|Inc\.?|Incorporated|Corp\.?|Corporation|Co\.?,? Ltd\.?|Co\.|plc|PLC|Pty\.? Ltd\.?"
    r"|S\.?A\.?S\.?U?|SARL|S\.à r\.l\.|S\.?A\.?R\.?L\.?|EURL|S\.A\.|SA|NV|N\.V\.|BV|B\.V\.|BVBA"
    r"|S\.?r\.?l\.?|S\.?p\.?A\.?|S\.n\.c\.|S\.?L\.?U?|S\.L\.|[Ss]p\.? z o\.?\s?o\.?|sp\.k\."
    r"|Oy|AB|ApS|A/S|AS|Kft\.?|s\.r\.o\.|d\.o\.o\.|K\.K\.)(?!\w)"
)
# Up to five capitalised words before a legal form.
_COMPANY = re.compile(
    rf"(?<![\w.])[A-ZÀ-Ž][\w'’-]{{0,30}}[ ,]{{1,2}}"
    rf"(?:(?:[A-ZÀ-Ž][\w'’-]{{0,30}}|&|d[eu]|van)[ ,]{{1,2}}){{0,4}}{_LEGAL.pattern}"
)
_LEGAL_CJK = re.compile(r"株式会社[\w・ー]{1,30}|[\w・ー]{1,30}株式会社|[\w]{2,30}有限公司")
_CLOSING = re.compile(
    r"^\s*(?:(?:kind|best|warm|many)?\s*regards|best wishes|sincerely|yours|thanks|thank you|cheers"
    r"|mit freundlichen|freundliche|viele grüße|beste grüße|mfg|lg|gruß|cordialement|bien à vous"
    r"|salutations|bien cordialement|saludos|un saludo|atentamente|cordiales|cordiali saluti|saluti"
    r"|distinti saluti|met vriendelijke|groet|groeten|hartelijke|pozdrawiam|z poważaniem"
    r"|med vänlig|よろしく|敬具)",
    re.IGNORECASE | re.MULTILINE,
)
_FORWARDED_FROM = re.compile(
    r"^\s*\*?(?:From|Von|De|Da|Van|Od|Från|Fra)\s?:\*?\s*(?P<name>[^<\n@]{0,80}?)"
    r"\s*[<\[(]?(?:mailto:)?(?P<address>[\w.+-]{1,64}@[\w.-]{3,100})",
    re.IGNORECASE | re.MULTILINE,
)
_FREE_MAIL = frozenset(
    {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com",
        "icloud.com", "me.com", "aol.com", "proton.me", "protonmail.com", "gmx.de", "gmx.net",
        "gmx.com", "web.de", "t-online.de", "freenet.de", "orange.fr", "free.fr", "wanadoo.fr",
        "laposte.net", "libero.it", "virgilio.it", "alice.it", "wp.pl", "o2.pl", "onet.pl",
        "interia.pl", "ziggo.nl", "kpnmail.nl", "mail.com", "yandex.com", "qq.com", "163.com",
        "yahoo.co.jp", "yahoo.co.uk", "btinternet.com", "freemail.example", "webmail.example",
    }
)  # fmt: skip
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "ltd", "or", "ne"})
_SERVICE = re.compile(
    r"^(?:mail|mailer|email|e|em|news|newsletter|info|shop|store|notify|notification|notifications|"
    r"send|sales|orders|order|smtp|mx|bounce|support|service|versand|logistics|out|post|www)\d*$"
)
_FIRST_FIELD = re.compile(r"\s[|·•–]\s|\s{3,}|,\s(?=\d|[A-Z][a-zß]{1,30}(?:straße|str\.|weg))")
_LINES = 14


def supplier_of(letter: Letter) -> str | None:
    """The supplier by one letter, or ``None`` where it names none.

    Of a letter from a carrier neither signature nor domain count, but a company its words name.
    """
    forwarded = _FORWARDED_FROM.search(letter.text)
    name, address = letter.name, letter.address
    if forwarded is not None:
        name, address = forwarded.group("name").strip(' "*'), forwarded.group("address")
    host = address.rpartition("@")[2].lower()
    if carrier_of_host(host) is not None or begins_with_carrier(name):
        company = _COMPANY.search(letter.text)
        return None if company is None else " ".join(company.group().split())
    signed = _company_in(letter.signature) or _company_in(_closing_of(letter.text))
    return signed or _by_domain(host) or (name or None)


def _company_in(text: str) -> str | None:
    """The first line that names a company by its legal form."""
    for line in text.split("\n")[:_LINES]:
        part = _FIRST_FIELD.split(line.strip(" *_|>\t"), maxsplit=1)[0]
        match = _LEGAL.search(part)
        if match is not None and match.start() >= 2 and len(part) <= 80:
            return part[: match.end()].strip(" ,;:-")
        japanese = _LEGAL_CJK.search(part)
        if japanese is not None:
            return japanese.group()
    return None


def _closing_of(text: str) -> str:
    """What follows the last closing formula, where a signature has no dashes above it."""
    starts = [match.start() for match in _CLOSING.finditer(text)]
    return text[starts[-1] :] if starts else ""


def _by_domain(host: str) -> str | None:
    """``mail.acme-tools.co.uk`` as ``Acme Tools``; nothing for freemail and for no host."""
    if not host or "." not in host or host in _FREE_MAIL:
        return None
    labels = host.split(".")[:-1]
    if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
        labels.pop()
    while len(labels) > 1 and _SERVICE.fullmatch(labels[0]):
        labels.pop(0)
    label = labels[-1]
    if label.startswith("xn--"):
        try:
            label = label.encode("ascii").decode("idna")
        except UnicodeError:
            return None
    words = [word for word in re.split(r"[-_]", label) if word]
    return " ".join(word if word.isdigit() else word.capitalize() for word in words) or None
