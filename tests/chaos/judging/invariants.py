"""The six invariants, over facts that others have gathered. Pure.

I1  accepted = ended + still due, and what the ledger calls sent has arrived
I2  repeats are at most what the killed processes had begun
I3  each campaign is completed once
I4  no write with a stale fence
I5  no row and no message crosses tenants
I6  the audit log's chain and the inboxes' numbers are whole
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from notifier.vocabulary.status import FINAL, TAKEN, Status

#: examples of a problem that are named
_SHOWN = 5


class Message(NamedTuple):
    """One row of the ledger. `in_inbox`: the inbox has it; `due_later`: it waits for a time to come."""

    id: str
    tenant: str
    channel: str
    address: str
    status: int
    reason: str = ""
    in_inbox: bool = False
    due_later: bool = False

    @property
    def key(self) -> str:
        return self.id.replace("-", "").lower()


class Arrival(NamedTuple):
    """One message that a fake provider took."""

    delivery: str
    channel: str
    address: str
    title: str

    @property
    def key(self) -> str:
        return self.delivery.replace("-", "").lower()


@dataclass(frozen=True)
class Facts:
    """What one load left behind. `expected`: messages that were accepted; `words`: tenant -> the word with which its
    texts begin; `allowed`: repeats that killed processes may have caused."""

    expected: int
    messages: Sequence[Message]
    arrivals: Sequence[Arrival]
    words: Mapping[str, str]
    allowed: int = 0
    given_up: int = 0
    completions: Mapping[str, int] = field(default_factory=dict)
    violations: Sequence[str] = ()
    strangers: Mapping[str, int] = field(default_factory=dict)
    inbox_gaps: int = 0
    broken_chains: Sequence[str] = ()


@dataclass(frozen=True)
class Judgement:
    lost: int
    duplicates: int
    unknown: int
    problems: Sequence[str]


def judge(facts: Facts) -> Judgement:
    by_key = {message.key: message for message in facts.messages}
    arrived = Counter(arrival.key for arrival in facts.arrivals)
    lost = _lost(facts, arrived)
    duplicates = sum(count - 1 for count in arrived.values())
    unknown = sum(message.status == Status.UNKNOWN for message in facts.messages)
    problems = [
        *_accepted_and_ended(facts, lost, by_key, arrived),
        *_repeats(facts, duplicates, unknown),
        *(f"I3: campaign {campaign} was completed {n} times" for campaign, n in facts.completions.items() if n != 1),
        *(f"I4: {violation}" for violation in facts.violations[:_SHOWN]),
        *_crossings(facts, by_key),
        *(f"I6: {chain}" for chain in facts.broken_chains),
    ]
    if facts.inbox_gaps:
        problems.append(f"I6: the numbers of {facts.inbox_gaps} inboxes have gaps")
    return Judgement(len(lost) + max(0, facts.expected - len(facts.messages)), duplicates, unknown, problems)


def _lost(facts: Facts, arrived: Mapping[str, int]) -> list[Message]:
    """Messages that the ledger calls sent, and that did not arrive; and those that wait, though nothing holds them."""
    return [m for m in facts.messages if (_is_taken(m) and not _has_arrived(m, arrived)) or _is_stuck(m)]


def _is_taken(message: Message) -> bool:
    return message.status in TAKEN


def _has_arrived(message: Message, arrived: Mapping[str, int]) -> bool:
    return message.in_inbox if message.channel == "in_app" else message.key in arrived


def _is_stuck(message: Message) -> bool:
    return message.status not in FINAL and not message.due_later


def _accepted_and_ended(
    facts: Facts, lost: Sequence[Message], by_key: Mapping[str, Message], arrived: Mapping[str, int]
) -> list[str]:
    problems = []
    if len(facts.messages) != facts.expected:
        problems.append(f"I1: {facts.expected} messages were accepted, and the ledger has {len(facts.messages)}")
    if facts.given_up:
        problems.append(f"I1: {facts.given_up} requests were not accepted for minutes")
    if lost:
        problems.append(f"I1: {len(lost)} messages are lost: {_examples(lost)}")
    if nobody_s := [key for key in arrived if key not in by_key]:
        problems.append(f"I1: {len(nobody_s)} messages arrived that the ledger does not know: {nobody_s[:_SHOWN]}")
    wrong = [m for m in facts.messages if m.status >= Status.FAILED and m.status != Status.UNKNOWN and m.key in arrived]
    if wrong:
        problems.append(f"I1: {len(wrong)} messages arrived, and the ledger says that they did not: {_examples(wrong)}")
    ended = [m for m in facts.messages if m.status >= Status.FAILED and m.status != Status.UNKNOWN]
    if ended:
        problems.append(f"I1: {len(ended)} messages were not sent: {_examples(ended)}")
    return problems


def _repeats(facts: Facts, duplicates: int, unknown: int) -> list[str]:
    problems = []
    if duplicates > facts.allowed:
        problems.append(f"I2: {duplicates} repeats, and {facts.allowed} are allowed")
    if unknown > facts.allowed:
        problems.append(f"I2: {unknown} messages ended as unknown, and {facts.allowed} are allowed")
    return problems


def _crossings(facts: Facts, by_key: Mapping[str, Message]) -> list[str]:
    problems = [f"I5: {count} × {what}" for what, count in facts.strangers.items()]
    wrong = []
    for arrival in facts.arrivals:
        message = by_key.get(arrival.key)
        if message is None:
            continue
        # a push service that does not decrypt a message shows no title
        of_other = arrival.title and not arrival.title.startswith(facts.words[message.tenant])
        if of_other or not message.address.startswith(arrival.address):
            wrong.append(message)
    if wrong:
        problems.append(f"I5: {len(wrong)} messages went to another address or have another text: {_examples(wrong)}")
    return problems


def _examples(messages: Sequence[Message]) -> str:
    counts = Counter((m.channel, Status(m.status).label, m.reason) for m in messages)
    kinds = ", ".join(f"{n} {' '.join(kind).strip()}" for kind, n in counts.most_common(_SHOWN))
    return f"{kinds}; such as {', '.join(m.id for m in messages[:_SHOWN])}"
