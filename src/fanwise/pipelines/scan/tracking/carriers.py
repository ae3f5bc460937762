"""The carriers' names: how people write them, and where their tracking pages live."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One carrier.

    Args:
        name: As results show it.
        words: Ways to write it, in lower case, words separated by one space.
        hosts: Domains of its tracking pages; a subdomain counts too.
        delivers: Other carriers whose numbers it uses or hands on.
    """

    name: str
    words: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    delivers: tuple[str, ...] = ()


def _carrier(name: str, words: str, hosts: str = "", delivers: str = "") -> Carrier:
    return Carrier(
        name=name,
        words=tuple(word.strip() for word in words.split("|")),
        hosts=tuple(hosts.split()),
        delivers=tuple(part.strip() for part in delivers.split("|") if part.strip()),
    )


CARRIERS: tuple[Carrier, ...] = (
    _carrier("UPS", "ups|united parcel service", "ups.com"),
    _carrier("FedEx", "fedex|fed ex|federal express", "fedex.com"),
    _carrier(
        "USPS",
        "usps|u s p s|us postal service|united states postal service|us mail",
        "usps.com",
    ),
    _carrier(
        "DHL",
        "dhl|deutsche post|globalmail|dhl express|dhl paket",
        "dhl.com dhl.de dhl.co.uk dhl.fr dhl.it dhl.es dhl.nl dhl.pl dhlparcel.nl "
        "dhlecommerce.com deutschepost.de",
    ),
    _carrier(
        "Amazon",
        "amazon|amzl|swiship",
        "amazon.com amazon.ca amazon.co.uk amazon.de "
        "amazon.fr amazon.it amazon.es amazon.nl amazon.com.mx",
    ),
    _carrier(
        "Canada Post",
        "canada post|postes canada|canadapost",
        "canadapost.ca canadapost-postescanada.ca",
    ),
    _carrier("Canpar", "canpar", "canpar.com canpar.ca"),
    _carrier("Purolator", "purolator", "purolator.com"),
    _carrier(
        "DPD",
        "dpd|chronopost dpd|dpdgroup|geopost",
        "dpd.com dpd.de dpd.co.uk dpd.fr dpd.nl dpd.be dpd.at dpdgroup.com dpdlocal.co.uk",
    ),
    _carrier(
        "GLS",
        "gls|general logistics systems",
        "gls-group.com gls-group.eu gls-pakete.de gls-italy.com gls-spain.es",
    ),
    _carrier("GOFO Express", "gofo|gofo express|gofoexpress", "gofo.com gofoexpress.com"),
    _carrier("Landmark Global", "landmark global|landmark|mercury landmark", "landmarkglobal.com"),
    _carrier("LaserShip", "lasership|laser ship", "lasership.com"),
    _carrier("OnTrac", "ontrac|on trac", "ontrac.com", "LaserShip"),
    _carrier("Old Dominion", "old dominion|odfl|old dominion freight line", "odfl.com"),
    _carrier("Spee-Dee", "speedee|spee dee", "speedeedelivery.com"),
    _carrier("Yodel", "yodel", "yodel.co.uk yodeldirect.co.uk"),
    _carrier("YunExpress", "yunexpress|yun express|yuntrack", "yunexpress.com yuntrack.com"),
    _carrier("Royal Mail", "royal mail|royalmail|parcelforce", "royalmail.com parcelforce.com"),
    _carrier("Evri", "evri|hermes", "evri.com", "Hermes"),
    _carrier("Hermes", "hermes|myhermes", "myhermes.de hermesworld.com", "Evri"),
    _carrier(
        "La Poste", "la poste|laposte|colissimo|chronopost", "laposte.fr colissimo.fr chronopost.fr"
    ),
    _carrier("Poste Italiane", "poste italiane|posteitaliane", "poste.it"),
    _carrier("Correos", "correos", "correos.es"),
    _carrier("PostNL", "postnl|post nl", "postnl.nl postnl.post"),
    _carrier("bpost", "bpost", "bpost.be bpost.cloud"),
    _carrier("Swiss Post", "swiss post|schweizerische post|la poste suisse|die post", "post.ch"),
    _carrier(
        "Österreichische Post",
        "österreichische post|austrian post|oesterreichische post",
        "post.at",
    ),
    _carrier("Poczta Polska", "poczta polska|pocztex", "poczta-polska.pl"),
    _carrier("InPost", "inpost|paczkomat|paczkomaty", "inpost.pl inpost.it inpost.es"),
    _carrier("PostNord", "postnord", "postnord.com postnord.se postnord.dk"),
    _carrier("Japan Post", "japan post|日本郵便|ゆうパック|郵便局", "japanpost.jp"),
    _carrier("Yamato", "yamato|kuroneko|ヤマト運輸|クロネコ", "kuronekoyamato.co.jp"),
    _carrier("Sagawa", "sagawa|佐川急便", "sagawa-exp.co.jp"),
    _carrier("China Post", "china post|中国邮政", "ems.com.cn"),
    _carrier("SF Express", "sf express|顺丰", "sf-express.com"),
    _carrier("Australia Post", "australia post|auspost", "auspost.com.au"),
    _carrier("An Post", "an post", "anpost.com anpost.ie"),
    _carrier("TNT", "tnt", "tnt.com tnt.it"),
    _carrier("XPO", "xpo", "xpo.com"),
)

_SITES = (
    "17track.net aftership.com parcelsapp.com narvar.com track.shippo.com goshippo.com "
    "easypost.com parcellab.com shipstation.com route.com packagetrackr.com parcelmonitor.com"
)
TRACKING_SITES = frozenset(_SITES.split())

_BY_WORD: dict[str, tuple[str, ...]] = {}
for _row in CARRIERS:
    for _word in _row.words:
        _BY_WORD[_word] = (*_BY_WORD.get(_word, ()), _row.name)
_BY_HOST = {host: row.name for row in CARRIERS for host in row.hosts}
_SERVES = {row.name: frozenset((row.name, *row.delivers)) for row in CARRIERS}
_SPLIT = re.compile(r"[\W_]+")


def words() -> dict[str, tuple[str, ...]]:
    """Every way to write a carrier, with the names it can stand for."""
    return dict(_BY_WORD)


def serves(mentioned: str, carrier: str) -> bool:
    """Whether a mention of one carrier vouches for a number of another (or the same) one."""
    return carrier in _SERVES.get(mentioned, (mentioned,))


def carrier_of_host(host: str) -> str | None:
    """The carrier that a host name belongs to, subdomains included."""
    labels = host.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        name = _BY_HOST.get(".".join(labels[start:]))
        if name is not None:
            return name
    return None


def is_tracking_site(host: str) -> bool:
    """Whether a host belongs to a service that tracks parcels of many carriers."""
    labels = host.lower().split(".")
    return any(".".join(labels[start:]) in TRACKING_SITES for start in range(len(labels) - 1))


def normal_name(text: str) -> str | None:
    """A carrier's name as results show it, from any way to write it; ``None`` if it is unknown.

    ``"Fed-Ex Ground"`` gives ``FedEx``: the longest known name at the start of the words wins.
    """
    parts = [part for part in _SPLIT.split(text.lower()) if part]
    for first in range(len(parts)):
        for last in range(len(parts), first, -1):
            names = _BY_WORD.get(" ".join(parts[first:last]))
            if names is not None:
                return names[0]
    return None


def begins_with_carrier(text: str) -> bool:
    """Whether a name begins with a carrier's, as ``UPS Notifications`` does."""
    parts = [part for part in _SPLIT.split(text.lower()) if part][:4]
    return any(" ".join(parts[:count]) in _BY_WORD for count in range(1, len(parts) + 1))
