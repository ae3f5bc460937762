"""Who stands behind the country code of a UPU S10 number."""

from __future__ import annotations

_CODES = (
    "AD AE AF AG AI AL AM AN AO AR AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY "
    "HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ "
    "LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT "
    "YU ZA ZM ZW"
)
COUNTRIES = frozenset(_CODES.split())

_POSTS = {
    "AR": "Correo Argentino",
    "AT": "Österreichische Post",
    "AU": "Australia Post",
    "BE": "bpost",
    "BG": "Bulgarian Posts",
    "BR": "Correios",
    "CA": "Canada Post",
    "CH": "Swiss Post",
    "CN": "China Post",
    "CZ": "Česká pošta",
    "DE": "DHL",
    "DK": "PostNord",
    "EE": "Omniva",
    "ES": "Correos",
    "FI": "Posti",
    "FR": "La Poste",
    "GB": "Royal Mail",
    "GR": "ELTA",
    "HK": "Hongkong Post",
    "HR": "Hrvatska pošta",
    "HU": "Magyar Posta",
    "IE": "An Post",
    "IN": "India Post",
    "IT": "Poste Italiane",
    "JP": "Japan Post",
    "KR": "Korea Post",
    "LT": "Lietuvos paštas",
    "LU": "POST Luxembourg",
    "LV": "Latvijas Pasts",
    "MY": "Pos Malaysia",
    "NL": "PostNL",
    "NO": "Posten",
    "NZ": "New Zealand Post",
    "PL": "Poczta Polska",
    "PT": "CTT",
    "RO": "Poșta Română",
    "SE": "PostNord",
    "SG": "Singapore Post",
    "SI": "Pošta Slovenije",
    "SK": "Slovenská pošta",
    "TH": "Thailand Post",
    "TR": "PTT",
    "TW": "Chunghwa Post",
    "UA": "Ukrposhta",
    "US": "USPS",
    "ZA": "South African Post Office",
}


def post_of(country: str) -> str:
    """The designated operator of a country by its everyday name; ``Post (XX)`` where we know none.

    Args:
        country: ISO 3166-1 alpha-2 code in upper case.
    """
    return _POSTS.get(country, f"Post ({country})")
