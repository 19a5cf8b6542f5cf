"""Whether a mail server's words mean that a mailbox does not exist, or that the server relays nothing for us."""

from __future__ import annotations

import re

#: enhanced codes for a mailbox that does not exist, or not any more (RFC 3463 §3.2; 5.1.10: RFC 7505)
NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.6", "5.1.10"})
#: the usual texts for a mailbox that does not exist, for a server that gives no enhanced code
_UNKNOWN = re.compile(
    r"(user|mailbox|recipient|address|account)\b.{0,40}\b(unknown|not found|does not exist|invalid|unavailable)"
    r"|(no such|unknown) (user|mailbox|recipient|address)",
    re.IGNORECASE,
)
#: texts of the kind above that concern the sender, the connection, the message or the moment. "Mailbox unavailable" is
#: the standard text of 550 for a policy, too (RFC 5321 §4.2.2)
_NOT_THE_RECIPIENT = re.compile(
    r"\b(sender|from|client|ip|host|hostname|helo|dns|ptr|reverse|spf|dkim|dmarc|polic(y|ies)|spam|virus|content"
    r"|(un)?authenticated|authentication|reputation|restrict(ed|ions?)|block(ed|list(ed)?)|blacklist(ed)?|quota|full"
    r"|tempor(ary|arily))\b",
    re.IGNORECASE,
)
_RELAYING = re.compile(
    r"\brelay(ing)?\b.{0,40}\b(denied|prohibited|refused|not (allowed|permitted|authori[sz]ed))"
    r"|(unable|not (allowed|permitted|authori[sz]ed)|cannot|can't|(do|does|will) not|don't|won't) (to )?relay",
    re.IGNORECASE,
)
#: addresses that a server repeats, and whose words mean nothing
_ADDRESS = re.compile(r"<[^>]*>:?|\S*@\S*")


def without_addresses(text: str) -> str:
    """The text with a blank in place of each address."""
    return _ADDRESS.sub(" ", text)


def says_relaying_denied(text: str) -> bool:
    """Whether the server relays nothing for this account. `text`: without addresses."""
    return _RELAYING.search(text) is not None


def says_no_mailbox(enhanced: str, text: str) -> bool:
    """Whether the mailbox does not exist: by the enhanced code; without one, by the `text`, which holds no
    addresses."""
    if enhanced:
        return enhanced in NO_MAILBOX
    return _UNKNOWN.search(text) is not None and _NOT_THE_RECIPIENT.search(text) is None
