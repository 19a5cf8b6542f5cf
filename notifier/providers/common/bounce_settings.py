"""The settings of an account by which bounces come back: the return path of its messages, and the mailbox that is
read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from notifier.errors import InvalidInput
from notifier.mail_reports.return_path import LONGEST_LOCAL_PART
from notifier.vocabulary.mail import ADDRESS, HOST, BounceMailbox

NONE, IMAP, POP3 = "none", "imap", "pop3"
TLS, STARTTLS = "tls", "starttls"
#: the ports of RFC 8314 §3.2 and §3.3, of RFC 3501 §2.1 and of RFC 1939 §3
PORTS: Mapping[tuple[str, str], int] = {
    (IMAP, TLS): 993, (IMAP, STARTTLS): 143, (POP3, TLS): 995, (POP3, STARTTLS): 110,
}  # fmt: skip
ADDRESS_HELP = (
    "Such as bounces@example.com: a mailbox to which your mail server also gives what comes for bounces+anything@. "
    "Empty: bounces go to the sender of the message."
)
MAILBOX_HELP = (
    "A mailbox of its own, read every five minutes. Reports are deleted; other messages are marked as read (imap) or "
    "deleted, too (pop3)."
)
_LONGEST = 200


class BounceSettings(Protocol):
    """The settings of an account that this module checks."""

    @property
    def bounce_address(self) -> str: ...
    @property
    def bounce_mailbox(self) -> str: ...
    @property
    def bounce_host(self) -> str: ...
    @property
    def bounce_port(self) -> int: ...
    @property
    def bounce_security(self) -> str: ...
    @property
    def bounce_user(self) -> str: ...
    @property
    def bounce_password(self) -> str: ...


def mailbox_of(settings: BounceSettings) -> BounceMailbox | None:
    """The mailbox that the settings name; None when bounces are read from no mailbox."""
    kind, security = settings.bounce_mailbox, settings.bounce_security
    if kind == NONE:
        return None
    port = settings.bounce_port or PORTS[kind, security]
    return BounceMailbox(kind, settings.bounce_host, port, security, settings.bounce_user, settings.bounce_password)


def check_bounce_settings(settings: BounceSettings) -> None:
    """Raise InvalidInput, naming the setting."""
    _check_address(settings.bounce_address)
    for name, choices in (("bounce_mailbox", (NONE, IMAP, POP3)), ("bounce_security", (TLS, STARTTLS))):
        if getattr(settings, name) not in choices:
            raise InvalidInput(f"{name} is one of {', '.join(choices)}.", field=name)
    if not isinstance(settings.bounce_port, int) or not 0 <= settings.bounce_port <= 65_535:
        raise InvalidInput("bounce_port is a number from 1 to 65,535; 0: the protocol's own.", field="bounce_port")
    if settings.bounce_mailbox != NONE:
        _check_mailbox(settings)


def _check_address(address: str) -> None:
    if not address:
        return
    if not address.isascii() or not ADDRESS.fullmatch(address):
        raise InvalidInput("bounce_address looks like bounces@example.com, in ASCII.", field="bounce_address")
    local = address.rpartition("@")[0]
    if len(local) > LONGEST_LOCAL_PART or "+" in local:
        raise InvalidInput(
            f"bounce_address has at most {LONGEST_LOCAL_PART} characters and no + before the @: "
            "a + and the name of the message are put there.",
            field="bounce_address",
        )


def _check_mailbox(settings: BounceSettings) -> None:
    if not HOST.fullmatch(settings.bounce_host):
        raise InvalidInput("bounce_host is the name of a server, such as imap.example.com.", field="bounce_host")
    for name in ("bounce_user", "bounce_password"):
        value = getattr(settings, name)
        if not value or len(value) > _LONGEST or not value.isprintable():
            raise InvalidInput(
                f"{name} has 1 to {_LONGEST} characters, and no line break or control character.", field=name
            )
