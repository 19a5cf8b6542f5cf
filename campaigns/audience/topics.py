"""Topics of Firebase Cloud Messaging as audiences: a topic's name, or a condition over topics, is checked and becomes
an address. Pure.

The server of the app subscribes devices at Google; Notifier does not know which. One message to a topic reaches all of
them: https://firebase.google.com/docs/cloud-messaging/topic-messaging
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from notifier.errors import InvalidInput

#: a topic is reached on this channel, through providers of this platform
CHANNEL, PLATFORM = "push", "fcm"
#: Google's limit for one condition
MAX_TOPICS = 5
#: characters of an address in the ledger; Google names no limit for a condition
MAX_LENGTH = 1024
#: parentheses inside of parentheses: five topics need no more
MAX_DEPTH = 10
#: what a person must know before such a campaign leaves
NO_OPT_OUT_HOLDS = (
    "Google passes a message to a topic on to every device that has subscribed. Opt-outs, suppressions, blocked "
    "recipients and quiet hours of Notifier do not hold."
)
ONLY_FIREBASE = (
    "Only devices with the SDK of Firebase can subscribe; devices of other platforms (apns, webpush, …) get nothing."
)
_PREFIX = "/topics/"
_NAME = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")
_IN_NAME = re.compile(r"[a-zA-Z0-9\-_.~%]*")
#: what tells a condition from a name
_OF_CONDITION = re.compile(r"""['"&|!()]|\sin\s+topics\b""", re.IGNORECASE)
_WORD = re.compile(r"'[^']*'|&&|\|\||[!()]|[a-z]+", re.IGNORECASE)
_BLANKS = re.compile(r"\s*")
_OPERATORS = ("&&", "||")
#: what people write instead -> the remedy
_REMEDIES = {
    "&": "write && for “and”",
    "|": "write || for “or”",
    '"': "put the topic between single quotes: 'news'",
    "'": "the closing single quote is missing",
    "and": "write && for “and”",
    "or": "write || for “or”",
    "not": "write !('news' in topics) for “not”",
    ",": "join topics with && or ||",
}


def check_topic(raw: object) -> str:
    """The name of a topic, or a condition, in the form in which it is stored: a name without `/topics/`, a condition
    with single blanks. Raises InvalidInput, naming the position (from 1) and the remedy."""
    text = raw.strip() if isinstance(raw, str) else ""
    if not text:
        raise InvalidInput(
            "Must be the name of a topic, such as news, or a condition, such as 'news' in topics && ('de' in topics || "
            "'at' in topics).",
            field="topic",
        )
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"Has {len(text):,} characters; it may have {MAX_LENGTH:,}.", field="topic")
    if not _OF_CONDITION.search(text):
        return _check_name(text)
    condition = _Parser(text).parse()
    if len(condition) > MAX_LENGTH:
        raise InvalidInput(f"The condition may have {MAX_LENGTH:,} characters; use shorter topics.", field="topic")
    return condition


def is_condition(topic: str) -> bool:
    """Whether a checked topic is a condition."""
    return "'" in topic


def address_of(topic: str) -> str:
    """The address of a checked topic, by which the provider tells a topic and a condition from a device's token."""
    return topic if is_condition(topic) else _PREFIX + topic


def describe_topic(topic: str) -> str:
    """A checked topic in a sentence."""
    return f"the condition {topic}" if is_condition(topic) else f"the topic {topic}"


def _check_name(text: str) -> str:
    name = text.removeprefix(_PREFIX)
    if _NAME.fullmatch(name):
        return name
    match = _IN_NAME.match(name)
    end = match.end() if match else 0
    if end == len(name):
        raise InvalidInput(f"The name of a topic has 1 to 900 characters; this one has {len(name):,}.", field="topic")
    raise InvalidInput(
        f"Position {len(text) - len(name) + end + 1}: {name[end]!r} cannot stand in the name of a topic, which has "
        "letters of a to z, digits and - _ . ~ %. To name several topics, write a condition: 'news' in topics && 'de' "
        "in topics.",
        field="topic",
    )


@dataclass
class _Parser:
    """Google's syntax: 'name' in topics, joined by && and ||, with parentheses, and !(…). Google reads what no
    parentheses group from left to right."""

    text: str
    at: int = 0
    topics: int = 0
    depth: int = 0

    def parse(self) -> str:
        condition = self._alternatives()
        if word := self._peek():
            self._refuse("there is no opening parenthesis for this one" if word == ")" else self._remedy(word))
        return condition

    def _alternatives(self) -> str:
        parts = [self._operand()]
        while self._peek() in _OPERATORS:
            parts += [self._take(), self._operand()]
        return " ".join(parts)

    def _operand(self) -> str:
        word = self._peek()
        if word == "!":
            self._take()
            if self._peek() != "(":
                self._refuse("put what is negated in parentheses: !('news' in topics)")
            return f"!{self._group()}"
        if word == "(":
            return self._group()
        if len(word) > 1 and word[0] == "'":
            return self._topic()
        self._refuse(_REMEDIES.get(word.lower(), "a topic must stand here, such as 'news' in topics"))

    def _group(self) -> str:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(f"more than {MAX_DEPTH} parentheses inside of each other; leave some out")
        opening = self.at
        self._take()
        inner = self._alternatives()
        word = self._peek()
        if word != ")":
            if word:
                self._refuse(self._remedy(word))
            self.at = opening
            self._refuse("the parenthesis that opens here is not closed: add )")
        self._take()
        self.depth -= 1
        return f"({inner})"

    def _topic(self) -> str:
        start = self.at
        name = self._peek()[1:-1]
        if not _NAME.fullmatch(name):
            self._refuse(f"{name[:40]!r} is no topic: 1 to 900 letters of a to z, digits and - _ . ~ %, without blanks")
        self.topics += 1
        if self.topics > MAX_TOPICS:
            self._refuse(f"a condition may name {MAX_TOPICS} topics; this is one more. Send a second campaign")
        self._take()
        for expected in ("in", "topics"):
            if self._peek().lower() != expected:
                self._refuse(f"“in topics” must follow a topic: {self.text[start : start + len(name) + 2]} in topics")
            self._take()
        return f"'{name}' in topics"

    def _remedy(self, word: str) -> str:
        return _REMEDIES.get(word.lower(), "&& or || must stand here")

    def _peek(self) -> str:
        """The next word or sign; empty at the end. A character that begins neither stands by itself."""
        blanks = _BLANKS.match(self.text, self.at)
        self.at = blanks.end() if blanks else self.at
        match = _WORD.match(self.text, self.at)
        return match.group() if match else self.text[self.at : self.at + 1]

    def _take(self) -> str:
        word = self._peek()
        self.at += len(word)
        return word

    def _refuse(self, why: str) -> NoReturn:
        word = self._peek()
        where = f"Position {self.at + 1} ({word[:40]})" if word else f"Position {self.at + 1} (the end)"
        raise InvalidInput(f"{where}: {why}.", field="topic")
