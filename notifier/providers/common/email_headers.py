"""The headers that an email carries besides From, To, Subject and those of MIME: by the kind of its category, and those
of its template. Every provider of the channel uses this one list.

A marketing message names its list and the way out of the list (RFC 2919, 2369, 8058). Any other message is made by a
program for one person, which `Auto-Submitted` says, so that an absence note does not answer it (RFC 3834). By
`Feedback-ID`, Gmail counts complaints by campaign, category and tenant.
"""

from __future__ import annotations

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage


def extra_headers(message: EmailMessage, domain: str) -> list[tuple[str, str]]:
    """Names and values. `domain`: that of the address in From, which makes the list's id unique."""
    envelope = message.envelope
    headers = [("Feedback-ID", _feedback_id(envelope))]
    if envelope.unsubscribe_url:
        # the mail client shows a button of its own, and sends the POST itself
        headers += [
            ("List-ID", f"<{envelope.category}.{envelope.tenant_id.hex}.{domain}>"),
            ("List-Unsubscribe", f"<{envelope.unsubscribe_url}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ]
    else:
        headers.append(("Auto-Submitted", "auto-generated"))
    return headers + list(message.headers.items())


def _feedback_id(envelope: Envelope) -> str:
    """Up to three fields of our own, and the sender's stable id of 5 to 15 characters, which Gmail asks for."""
    campaign = envelope.campaign_id.hex if envelope.campaign_id else "single"
    return f"{campaign}:{envelope.category or 'none'}:email:{envelope.tenant_id.hex[-12:]}"
