"""Messages as columns: what a sender of campaigns gives to a provider that stores messages by itself (the inbox)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: the text of one part: the same for all messages, or one text for each message
PartTexts = str | Sequence[str]


@dataclass(frozen=True)
class MessageColumns:
    """Messages of one tenant and category. An object for each message, with its envelope and its outcome, costs a
    campaign 40 µs a message."""

    tenant_id: uuid.UUID
    category: str
    #: of deliveries and of recipients: 32 hexadecimal digits each
    ids: Sequence[str]
    recipients: Sequence[str]
    #: part -> texts. A value of an object such as `data` is named `data.<key>`
    parts: Mapping[str, PartTexts]

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, rows: Sequence[int]) -> MessageColumns:
        """These messages."""
        parts = {
            name: texts if isinstance(texts, str) else [texts[i] for i in rows] for name, texts in self.parts.items()
        }
        ids, recipients = [self.ids[i] for i in rows], [self.recipients[i] for i in rows]
        return MessageColumns(self.tenant_id, self.category, ids, recipients, parts)

    def texts_of(self, i: int) -> dict[str, str]:
        """The texts of one message by the name of the part."""
        return {name: texts if isinstance(texts, str) else texts[i] for name, texts in self.parts.items()}
