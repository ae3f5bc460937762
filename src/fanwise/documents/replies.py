"""What a message says itself, apart from what it quotes and how it is signed.

Mailers mark quotations in few ways: ``>`` before each line, a line of attribution ("On … wrote:"
in the mailer's language), a separator ("-----Original Message-----"), or a block of header lines.
Forwarded messages carry the same marks but are what the message is about; they stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_LINES = 20_000
_MAX_MARK_CHARS = 600
_MAX_SIGNATURE_LINES = 15
_MAX_FORWARDS = 20

# Who wrote it, and the word that ends the line, language by language.
_ATTRIBUTION = re.compile(
    r"""^\s*(?:
        On\b.+\bwrote | .+\bwrote
      | (?:Am|Den|Um)\b.+\bschrieb\b.* | .+\bschrieb
      | Le\b.+\ba\ +écrit | .+\ba\ +écrit
      | El\b.+\bescribi[óo]\b.* | .+\bescribi[óo]
      | (?:Il|In\ data|Il\ giorno)\b.+\bha\ +scritto\b.* | .+\bha\ +scritto
      | (?:Em|No\ dia|A)\b.+\bescreveu\b.* | .+\bescreveu
      | Op\b.+\bschreef\b.* | .+\bschreef
      | (?:Den|På|Den\ den|På\ den)?\b.+\bskrev\b.*
      | (?:W\ dniu|Dnia)\b.+\b(?:napisał|pisze)\b.* | .+\bnapisał(?:\(a\)|a)?
      | .+\bkirjoitti | .+\bnapsal(?:\(a\)|a)? | .+\bnapísal(?:\(a\)|a)?
      | .+\bírta | .+\ba\ +scris | .+\byazdı | .+\bέγραψε | .+(?:написал|пишет|писал)(?:\(а\)|а)?
      | .+(?:写道|寫道|のメール|さんは書きました|님이\ 작성)
    )\s?[:：]\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"""^\s*[-_–—]{2,}\s*(?:
        Original(?:\ (?:Message|Appointment|e-?mail))? | Reply\ message
      | Ursprüngliche\ (?:Nachricht|Mail) | Originalnachricht | Original-?Nachricht
      | Message\ d['’]origine | Message\ original | Courriel\ original
      | Mensaje\ original | Messaggio\ originale | Mensagem\ original
      | Oorspronkelijk\ bericht | Origineel\ bericht
      | Ursprungligt\ meddelande | Originalmeddelande | Oprindelig\ meddelelse
      | Opprinnelig\ melding | Alkuperäinen\ viesti
      | (?:Oryginalna\ wiadomość|Wiadomość\ oryginalna)
      | Původní\ zpráva | Eredeti\ üzenet | Orijinal\ (?:Mesaj|İleti)
      | Исходное\ сообщение | 原始邮件 | 原始郵件 | 元のメッセージ | 원본\ 메시지
    )\s*[-_–—]{2,}\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_FORWARD = re.compile(
    r"""^[\s>]*(?:
        [-_–—]{2,}\s*(?:
            Forwarded\ (?:message|by.*) | Weitergeleitete\ Nachricht | Message\ transféré
          | Mensaje\ reenviado | Messaggio\ inoltrato | Mensagem\ (?:encaminhada|reencaminhada)
          | Doorgestuurd\ bericht | Vidarebefordrat\ meddelande
          | Videresendt\ (?:meddelelse|melding)
          | Przekazana\ wiadomość | Wiadomość\ przekazana | Välitetty\ viesti | Přeposlaná\ zpráva
          | Пересылаемое\ сообщение | 转发的?邮件 | 轉寄郵件 | 転送メッセージ
        )\s*[-_–—]{2,}
      | Begin\ forwarded\ message: | Anfang\ der\ weitergeleiteten\ (?:Nachricht|E-Mail):
      | Début\ du\ message\ (?:réexpédié|transféré)\ ?: | Inicio\ del\ mensaje\ reenviado:
      | Inizio\ messaggio\ inoltrato: | Begin\ doorgestuurd\ bericht:
      | Início\ da\ mensagem\ encaminhada:
    )\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_FROM_FIELD = re.compile(
    r"^\s*\*?(?:From|Von|De|Da|Van|Från|Fra|Od|Lähettäjä|От|Feladó|Gönderen|发件人|差出人"
    r"|보낸 사람)"
    r"\s?\*?\s?[:：]\*?\s*\S",
    re.IGNORECASE,
)
_OTHER_FIELD = re.compile(
    r"^\s*\*?(?:Sent|Date|To|Cc|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado(?: el)?"
    r"|Fecha|Para|Asunto|Inviato|Data|A|Oggetto|Assunto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne"
    r"|Sendt|Til|Emne|Wysłano|Do|Temat|Lähetetty|Vastaanottaja|Aihe|Odesláno|Komu|Předmět"
    r"|Отправлено|Дата|Кому|Тема|发送时间|收件人|主题|送信日時|宛先|件名)\s?\*?\s?[:：]",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"^\s*(?:Sent from (?:my|Mail|Outlook|Yahoo|Samsung|Proton).{0,60}|Get Outlook for .{0,40}"
    r"|Von meinem .{1,40} gesendet|Gesendet (?:von|mit) .{1,60}|Envoyé (?:de|depuis) mon .{1,40}"
    r"|Enviado desde mi .{1,40}|Inviato da(?:l mio)? .{1,40}|Enviado do meu .{1,40}"
    r"|Verzonden vanaf mijn .{1,40}|Skickat från min .{1,40}|Sendt fra min .{1,40}"
    r"|Wysłane z .{1,40}|Lähetetty .{1,40}sta)\s*$",
    re.IGNORECASE,
)
_MARK = re.compile(r"^> ?")
_RULE = re.compile(r"^\s*[_=*-]{5,}\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A message's text in three parts.

    Args:
        text: What its sender wrote, and whatever was forwarded.
        quoted: What it quotes, marks and attribution lines included.
        signature: What follows ``-- ``, and lines such as "Sent from my phone".
    """

    text: str
    quoted: str
    signature: str


def split_reply(text: str, *, forwarded: bool = False) -> Reply:
    r"""Parts a message's text from its quotations and its signature.

    Lines written between or below ``>`` lines are kept; behind an attribution or a separator that
    no ``>`` follows, all the rest is quotation. What a forwarding mark introduces is kept, without
    the ``>`` before its lines; a quotation inside it is taken off again.

    Args:
        text: The text, with ``\\n`` line ends.
        forwarded: The subject says that the message forwards another: a block of header lines and
            ``>`` lines are then its content.
    """
    lines = text.split("\n")
    rest = lines[_MAX_LINES:]
    split = _Split(lines[:_MAX_LINES], forwarded=forwarded)
    split.run()
    if rest:
        split.kept.extend(rest)
    return Reply(
        text=_joined(split.kept), quoted=_joined(split.quoted), signature=_joined(split.signature)
    )


class _Split:
    """One pass over the lines; every rule takes the lines that it knows."""

    def __init__(self, lines: list[str], *, forwarded: bool) -> None:
        self._lines = lines
        self._forwarded = forwarded
        self._forwards = 0
        self.kept: list[str] = []
        self.quoted: list[str] = []
        self.signature: list[str] = []

    def run(self) -> None:
        rules = (self._forward_mark, self._marked, self._attributed, self._separated, self._headed)
        at = 0
        while at < len(self._lines):
            after = 0
            if 0 < len(self._lines[at]) <= _MAX_MARK_CHARS:
                for rule in (*rules, self._signed):
                    after = rule(at)
                    if after:
                        break
            if not after:
                self.kept.append(self._lines[at])
            at = after or at + 1

    def _forward_mark(self, at: int) -> int:
        return self._forward(at) if _FORWARD.match(self._lines[at]) else 0

    def _marked(self, at: int) -> int:
        if not self._lines[at].startswith(">"):
            return 0
        self.quoted.append(self._lines[at])
        return at + 1

    def _attributed(self, at: int) -> int:
        taken = _attribution(self._lines, at)
        if not taken:
            return 0
        after = at + taken
        while after < len(self._lines) and not self._lines[after].strip():
            after += 1
        if after < len(self._lines) and self._lines[after].startswith(">"):
            self.quoted.extend(self._lines[at:after])
            return after
        return self._rest(at)

    def _separated(self, at: int) -> int:
        return self._rest(at) if _SEPARATOR.match(self._lines[at]) else 0

    def _headed(self, at: int) -> int:
        if not (_FROM_FIELD.match(self._lines[at]) and _header_block(self._lines, at)):
            return 0
        if self._forwarded:
            return self._forward(at)
        while self.kept and (_RULE.match(self.kept[-1]) or not self.kept[-1].strip()):
            self.quoted.append(self.kept.pop())
        return self._rest(at)

    def _rest(self, at: int) -> int:
        """Everything from here on is quotation."""
        self.quoted.extend(self._lines[at:])
        return len(self._lines)

    def _forward(self, at: int) -> int:
        """Keeps what is forwarded: its mark, its header lines, and the text below without ``>``."""
        self._forwards += 1
        if self._forwards > _MAX_FORWARDS:  # each one looks at all that follows it
            return 0
        below = self._lines[at + 1 :]
        marks = sum(1 for line in below if line.startswith(">"))
        if marks * 2 > sum(1 for line in below if line.strip()):
            self._lines[at + 1 :] = [_MARK.sub("", line) for line in below]
        self._forwarded = False
        self.kept.append(self._lines[at].lstrip("> "))
        after = at + 1
        while after < len(self._lines):
            line = self._lines[after][:_MAX_MARK_CHARS]
            if line.strip() and not (_FROM_FIELD.match(line) or _OTHER_FIELD.match(line)):
                break
            self.kept.append(self._lines[after])
            after += 1
        return after

    def _signed(self, at: int) -> int:
        """A device's line, or ``--`` with no more below it than a signature has."""
        line = self._lines[at]
        if _DEVICE.match(line):
            self.signature.append(line)
            return at + 1
        if line not in {"-- ", "--"}:
            return 0
        after = at + 1
        while after < len(self._lines) and not self._ends_signature(after):
            after += 1
            if after - at > _MAX_SIGNATURE_LINES + 1:
                return 0
        self.signature.extend(self._lines[at + 1 : after])
        return after

    def _ends_signature(self, at: int) -> bool:
        line = self._lines[at][:_MAX_MARK_CHARS]
        marked = line.startswith(">") or _SEPARATOR.match(line) or _FORWARD.match(line)
        return bool(marked) or _attribution(self._lines, at) > 0


def _attribution(lines: list[str], at: int) -> int:
    """How many lines an attribution that begins here takes, at most 3; 0 where none does."""
    joined = ""
    for count, line in enumerate(lines[at : at + 3], start=1):
        joined = f"{joined} {line.strip()}".strip()
        if not line.strip() or line.startswith(">") or len(joined) > _MAX_MARK_CHARS:
            break
        if line.rstrip().endswith((":", "：")):
            if not any(c.isdigit() or c in "@<" for c in joined):
                break  # a date or an address belongs to it
            if _ATTRIBUTION.match(joined):
                return count
            quotes = any(other.startswith(">") for other in lines[at + count : at + count + 2])
            return 1 if count == 1 and quotes else 0  # in a language that is not listed above
        if not _may_continue(line):
            break
    return 0


def _may_continue(line: str) -> bool:
    """Whether an attribution could run over the end of this line: it holds a date or an address."""
    return any(c.isdigit() for c in line) and ("," in line or "@" in line or "<" in line)


def _header_block(lines: list[str], at: int) -> bool:
    """Whether the line after next to a From line says when, to whom or about what."""
    following = [line for line in lines[at + 1 : at + 7] if line.strip()][:4]
    return sum(1 for line in following if _OTHER_FIELD.match(line[:_MAX_MARK_CHARS])) >= 2


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")
