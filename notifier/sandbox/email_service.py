"""What the fake email services over HTTP share: which addresses choose which fate, and reports to our receipts address.

The first or last word between hyphens of an address's local part chooses, as in `bounce-17@example.com`. A message to
any other address is accepted and reported as delivered. A request names the receipts address in the header CALLBACK,
because the real services know it from their own settings; without the header nothing is reported.
"""

from __future__ import annotations

import time
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.sandbox.fake_service import Answer, Incoming, MessageService
from notifier.sandbox.outbox import Attachment, OutboxItem

CALLBACK = "x-notifier-sandbox-callback"
#: every fake service accepts this key and no other
KEY = "notifier-sandbox"
REPORT_SECONDS = 0.1  #: until the first report of a message, and between its reports

#: word of the address -> what the service reports of an accepted message, in this order
REPORTS: Mapping[str, Sequence[str]] = {
    "nobody": ("bounced",),
    "bounce": ("bounced",),
    "full": ("soft_bounced",),
    "dropped": ("dropped",),
    "later": ("deferred", "delivered"),
    "complaint": ("delivered", "complained"),
    "unsubscribe": ("delivered", "unsubscribed"),
    "open": ("delivered", "opened"),
    "click": ("delivered", "opened", "clicked"),
}
#: words that refuse the message at once
THROTTLED, INVALID, INACTIVE = "throttled", "invalid", "inactive"
LINK = "https://example.com/sandbox"  #: what the sandbox clicks


@dataclass(frozen=True)
class Mail:
    """A message that a service accepted. `reference`: the service's id of it."""

    address: str
    reference: str
    delivery: str
    subject: str = ""
    text: str = ""
    html: str = ""
    sender: str = ""
    headers: Sequence[tuple[str, str]] = ()
    attachments: Sequence[Attachment] = ()
    source: bytes = b""


@dataclass(frozen=True)
class Report:
    """One thing that happened to a message. `number` tells the reports of a message apart."""

    kind: str
    mail: Mail
    at: float
    number: int

    @property
    def event_id(self) -> str:
        """The same in a repeated call."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self.mail.reference} {self.number}").hex


class EmailService(MessageService):
    channel = "email"

    @abstractmethod
    def report(self, report: Report, callback: str, delay: float) -> None:
        """Send one report, as the real service does."""

    def take(self, mail: Mail, incoming: Incoming) -> None:
        """Record an accepted message, and report what becomes of it."""
        state = self.state
        state.arrivals.take(mail.address, mail.delivery, mail.subject, "email")
        state.outbox.add(
            OutboxItem(
                "email", mail.address, mail.delivery, mail.subject, mail.text, mail.html, mail.headers, mail.source,
                service=self.name(), sender=mail.sender, attachments=mail.attachments,
            )
        )  # fmt: skip
        if callback := incoming.headers.get(CALLBACK):
            self._report_all(mail, callback)

    def _report_all(self, mail: Mail, callback: str) -> None:
        for number, kind in enumerate(reports_of(mail.address), start=1):
            delay = REPORT_SECONDS * number
            self.report(Report(kind, mail, time.time() + delay, number), callback, delay)

    def slowly(self, answer: Answer, *addresses: str) -> Answer:
        """The answer, later when one of the addresses is slow; a cut connection when one hangs up."""
        words = {word for address in addresses for word in words_of(address)}
        delay = self.state.faults.slow_ms / 1000 if "slow" in words else 0.0
        return answer._replace(delay=answer.delay + delay, hangup="hangup" in words)

    def retry_after(self) -> tuple[tuple[str, str], ...]:
        after = self.state.faults.retry_after_text
        return () if after is None else (("retry-after", after),)


def words_of(address: str) -> tuple[str, str]:
    """The first and the last word of the local part."""
    local = address.partition("@")[0]
    return local.partition("-")[0], local.rpartition("-")[2]


def reports_of(address: str) -> Sequence[str]:
    """What the service reports of an accepted message to this address."""
    return next((REPORTS[word] for word in words_of(address) if word in REPORTS), ("delivered",))
