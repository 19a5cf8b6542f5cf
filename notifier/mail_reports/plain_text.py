"""Bounces in plain text: qmail (QSBMF, https://cr.yp.to/proto/qsbmf.txt), and Exim's header X-Failed-Recipients."""

from __future__ import annotations

import re

from notifier.mail_reports.delivery_status import LONGEST, Result, enhanced_code, result_of
from notifier.vocabulary.receipts import EventKind

#: where the copy of the message that bounced begins
_COPY = re.compile(
    r"^-{2,} ?(This is a copy|Below this line|Original message|The header)", re.MULTILINE | re.IGNORECASE
)
_QMAIL = re.compile(r"\A\s*Hi\. This is the ")
#: `<address>:` of qmail, and two blanks with the address of Exim; what follows is the reason
_RECIPIENT = re.compile(r"^(?:<[^>\n]{3,320}>:|  [^\s@]{1,64}@[^\s@]{1,255})[ \t]*$", re.MULTILINE)


def read_text(text: str, *, failed_recipients: bool) -> Result | None:
    """What the text of a message without a delivery-status part says. `failed_recipients`: it has Exim's header. None
    for any other text, such as an out-of-office reply."""
    if not failed_recipients and not _QMAIL.match(text):
        return None
    copy = _COPY.search(text)
    report = text[: copy.start()] if copy else text
    if failed_recipients and "has not yet been delivered" in report:
        return result_of(EventKind.DEFERRED, "", "")
    recipient = _RECIPIENT.search(report)
    if recipient is None:
        return result_of(EventKind.BOUNCED, "", "") if failed_recipients else None
    reason = report[recipient.end() :].strip()[:LONGEST].split("\n\n")[0]
    return result_of(EventKind.BOUNCED, enhanced_code(reason), reason)
