"""The spelling of email addresses. Pure."""

from __future__ import annotations


def stored_email(address: str) -> str:
    """The address in small letters, as recipients and suppressions have it. Mail services do not tell `Ana@` from
    `ana@`, so the two must be one address: a complaint of one suppresses the other."""
    return address.lower()
