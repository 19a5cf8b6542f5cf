"""The words by which a recipient opts out, opts in again, or asks for help."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from notifier.vocabulary.receipts import EventKind, ReceiptEvent

LONGEST_ID = 100  #: characters of a provider's id that we keep; theirs have 36
#: a number that a recipient may have (E.164). Short codes and names answer, too, and are no recipient's
_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)

#: Twilio's default words (https://help.twilio.com/articles/223134027), and those of some languages
_WORDS = {
    EventKind.STOP: (
        "stop stopall unsubscribe cancel end quit revoke optout stopp abmelden abbestellen arret arreter desabonner"
        " baja parar alto"
    ),
    EventKind.START: "start unstop anmelden starten reprendre alta",
    EventKind.HELP: "help info hilfe aide ayuda",
}
_KIND_OF_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind_of_reply(text: str) -> EventKind | None:
    """STOP, START or HELP, when the whole text is one word of that meaning; None for any other text."""
    letters = unicodedata.normalize("NFKD", text.strip(" \t\r\n.!?\"'").casefold())
    word = "".join(c for c in letters if c not in " -" and not unicodedata.combining(c))
    return _KIND_OF_WORD.get(word)


def reply_events(kind: EventKind | None, number: str, event_id: str, at: datetime | None = None) -> list[ReceiptEvent]:
    """The event of an answer of this kind from the owner of this number; none where one of both is missing."""
    if kind is None or not _NUMBER.fullmatch(number):
        return []
    return [ReceiptEvent(kind, address=number, at=at, event_id=event_id[:LONGEST_ID])]
