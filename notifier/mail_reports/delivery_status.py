"""The part message/delivery-status of a bounce (RFC 3464), also as servers write it that do not keep to the RFC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.message import Message
from typing import NamedTuple

from notifier.mail_reports.dead_mailbox import NO_MAILBOX, says_no_mailbox, without_addresses
from notifier.vocabulary.receipts import EventKind

#: an enhanced code (RFC 3463)
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
#: RFC 3463 §3.2 and §3.3: mailboxes that take no message: a bad address, and a disabled mailbox
_DEAD = NO_MAILBOX | {"5.1.3", "5.2.1"}
#: codes that say no more than "it failed" (X.0.0)
_VAGUE = frozenset({"", "5.0.0"})
#: characters of a text that are read: what takes addresses out is slow for a long text
LONGEST = 2_000
#: blocks of one report that are read: one for each recipient
_MOST_BLOCKS = 50
#: the action, from the one that counts most
_ACTIONS = {
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.SENT,
    "expanded": EventKind.SENT,
}
_RANK = [EventKind.BOUNCED, EventKind.DEFERRED, EventKind.DELIVERED, EventKind.SENT]


class Result(NamedTuple):
    """What a report says about a message. `permanent`: of BOUNCED."""

    kind: EventKind
    permanent: bool
    detail: str


def read_status(part: Message) -> Result | None:
    """What the part says. Of several recipients (an alias) a failure counts most, and an address is dead only if each
    failure says so. None for a part that says nothing."""
    results = [result for block in _blocks(part) if (result := _read_block(block))]
    if not results:
        return None
    first = min(results, key=lambda result: _RANK.index(result.kind))
    same = [result for result in results if result.kind == first.kind]
    return first._replace(permanent=all(result.permanent for result in same))


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload[:_MOST_BLOCKS] if isinstance(block, Message))


def _read_block(block: Message) -> Result | None:
    action = field(block, "Action").lower().split(" ")[0].rstrip(";,")
    status = field(block, "Status")
    diagnostic = _after_type(field(block, "Diagnostic-Code"))
    code = enhanced_code(status, diagnostic)
    kind = _ACTIONS.get(action)
    if kind is None:
        if not code or action:
            return None  # the block about the whole message has neither; an unknown action means nothing to us
        kind = {"5": EventKind.BOUNCED, "4": EventKind.DEFERRED, "2": EventKind.DELIVERED}[code[0]]
    return result_of(kind, code, diagnostic)


def result_of(kind: EventKind, code: str, text: str) -> Result:
    """A result with its detail, which holds no address."""
    words = " ".join(without_addresses(text).split())
    detail = words if not code or code in words else f"{code} {words}"
    return Result(kind, kind is EventKind.BOUNCED and is_permanent(code, words), detail.strip()[:300])


def is_permanent(code: str, words: str) -> bool:
    """Whether a failed recipient's mailbox takes no other message either. The words decide where the code says no more
    than that the delivery failed."""
    return code in _DEAD or (code in _VAGUE and says_no_mailbox("", words))


def enhanced_code(*texts: str) -> str:
    """The enhanced code of the first text that has a precise one, else a vague one, else an empty text. Many servers
    write `Status: 5.0.0` and the precise code into the diagnostic text."""
    codes = [f"{match[1]}.{int(match[2])}.{int(match[3])}" for text in texts for match in _ENHANCED.finditer(text)]
    precise = [code for code in codes if not code.endswith(".0.0")]
    return next(iter([*precise, *codes]), "")


def field(block: Message, name: str) -> str:
    """A field of a report as one line. Undecodable bytes become question marks."""
    values: Sequence[object] = block.get_all(name) or [""]
    return " ".join(str(values[0])[:LONGEST].encode("ascii", "replace").decode().split())


def _after_type(value: str) -> str:
    """`smtp; 550 no such user` -> `550 no such user`."""
    kind, semicolon, text = value.partition(";")
    return text.strip() if semicolon and kind.strip().replace("-", "").isalnum() else value
