"""What "test connection" found out about a provider account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """One line of the result. `passed` None: a warning, or something that cannot be known. `text`: a plain sentence,
    with the remedy when the check failed; it holds no secret."""

    name: str
    passed: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class SenderDomain:
    """A domain that an email account sends from, and the DKIM key that its messages are signed with: the selector and
    the public key as DNS holds it. Both are empty when Notifier does not sign."""

    domain: str
    dkim_selector: str = ""
    dkim_public_key: str = ""
