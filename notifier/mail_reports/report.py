"""A report as one event: what it says, and about which message."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import blake2b

from notifier.mail_reports import return_path
from notifier.mail_reports.delivery_status import Result, field, read_status
from notifier.mail_reports.feedback import read_feedback
from notifier.mail_reports.plain_text import read_text
from notifier.vocabulary.receipts import ReceiptEvent

#: bytes of a report that are read: the parts that count come before the copy of the message
LARGEST = 256 * 1024
#: parts of a report. The standard library's parser calls itself for each part within a part: an email of 10,000 nested
#: parts would end in a RecursionError
MOST_PARTS = 50
#: a lone CR ends a line for that parser, too
_CONTENT_TYPE = re.compile(rb"(?:\A|[\r\n])content-type:", re.IGNORECASE)
#: our Message-ID in the copy of the message, and in the headers with which a report answers it
_OUR_ID = re.compile(
    rb"^[> \t]*(?:Message-ID|In-Reply-To|References|X-Original-Message-ID):\s{0,8}<([0-9a-f]{32})@",
    re.IGNORECASE | re.MULTILINE,
)
_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_MESSAGE_ID = re.compile(rb"^Message-ID:", re.IGNORECASE | re.MULTILINE)


def read_report(raw: bytes, keys: Sequence[bytes]) -> ReceiptEvent | None:
    """What a message from a mail server says about one of our messages. None for any other message, and for a report
    that names no message of ours. `keys`: those with which return paths may have been made.

    The event names no address: a report can be forged, and the address in it could be any recipient's. The return path
    and the Message-ID name a message that the report's author has seen."""
    raw = _cut(raw[:LARGEST])
    delivery_id = return_path.delivery_in(raw, keys) or _by_message_id(raw)
    if delivery_id is None:
        return None
    message = message_from_bytes(raw)
    result = _read(message)
    if result is None:
        return None
    return ReceiptEvent(
        kind=result.kind,
        delivery_id=delivery_id,
        at=_date(message),
        permanent=result.permanent,
        detail=result.detail,
        event_id=_event_id(message, raw),
    )


def _cut(raw: bytes) -> bytes:
    """The message up to the header of its part number MOST_PARTS."""
    for number, match in enumerate(_CONTENT_TYPE.finditer(raw)):
        if number == MOST_PARTS:
            return raw[: match.start()]
    return raw


def _read(message: Message) -> Result | None:
    readers = {"message/delivery-status": read_status, "message/feedback-report": read_feedback}
    text = ""
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/rfc822":
            break  # the copy of the message; it may be a report of its own
        if (reader := readers.get(kind)) and (result := reader(part)):
            return result
        if kind == "text/plain" and not text:
            text = _text(part)
    return read_text(text, failed_recipients="X-Failed-Recipients" in message)


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace").replace("\r\n", "\n") if isinstance(payload, bytes) else ""


def _by_message_id(raw: bytes) -> uuid.UUID | None:
    """The delivery whose Message-ID the report quotes; the report's own Message-ID, in its own headers, names nothing
    of ours."""
    end = _HEADERS_END.search(raw)
    body = end.end() if end else len(raw)
    for match in _OUR_ID.finditer(raw):
        own = match.start() < body and _MESSAGE_ID.match(raw, match.start()) is not None
        if not own:
            return uuid.UUID(match[1].decode())
    return None


def _date(message: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(field(message, "Date"))
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _event_id(message: Message, raw: bytes) -> str:
    """The same when the same report is read twice, from a mailbox and by a pipe that adds headers."""
    name = field(message, "Message-ID").encode() or raw
    return blake2b(name, digest_size=16).hexdigest()
