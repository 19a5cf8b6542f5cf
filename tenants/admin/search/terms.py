"""What a search term may be, decided from its text alone."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from notifier.vocabulary.ids import parse_id

#: characters of a term that are read; a device token has at most 4,096
MAX_TERM = 4_096
#: the shortest term that finds rows by a part of a name
MIN_PART = 2
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{4,24}")


@dataclass(frozen=True)
class Term:
    """`text`: as typed, trimmed. `id`: the text as an id, if it is one. `phone`: its digits with a leading +, if the
    text looks like a phone number of six digits or more; empty otherwise."""

    text: str
    id: uuid.UUID | None = None
    phone: str = ""

    @property
    def is_part_of_name(self) -> bool:
        """Whether names are looked through: an id or a long token is no part of a name."""
        return self.id is None and MIN_PART <= len(self.text) <= 200


def read_term(text: str) -> Term:
    """The term of a search box; an empty text gives an empty term."""
    text = text.strip()[:MAX_TERM]
    digits = re.sub(r"[^0-9]", "", text)
    phone = f"+{digits}" if _PHONE.fullmatch(text) and len(digits) >= 6 else ""
    return Term(text, parse_id(text), phone)
