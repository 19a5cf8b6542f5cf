"""The order of the rules that decide whether and when a message leaves, in one place. Pure.

`plan` and `trace` walk this order, and docs/deciding.md shows it as a table, which a test reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from notifier.delivery.planning.rule import Rule
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Kind, Reason

EVERY_KIND = frozenset(Kind)
NOT_CRITICAL = frozenset({Kind.TRANSACTIONAL, Kind.MARKETING})
MARKETING = frozenset({Kind.MARKETING})

#: recipient, rule, channel
_Question = Callable[[Person, Rule, str], bool]
_Words = Callable[[Person, Rule, str], str]


class ChannelRule(NamedTuple):
    """A rule that suppresses a message on one channel, whatever the address."""

    reason: Reason
    kinds: frozenset[Kind]  #: of the messages that the rule looks at
    suppresses: _Question
    looks_at: _Words  #: what the rule sees, in words
    choice: str  #: what holds the choice: `recipient`, or a column of the preferences


def _has_opt_in(person: Person, rule: Rule, channel: str) -> bool:
    choices = person.preferences.categories_on
    return rule.category in choices or f"{rule.category}:{channel}" in choices


#: in this order; the first that suppresses ends the decision
CHANNEL_RULES: tuple[ChannelRule, ...] = (
    ChannelRule(
        Reason.RECIPIENT_ERASED,
        EVERY_KIND,
        lambda person, rule, channel: person.status == "erased",
        lambda person, rule, channel: f"the recipient's status is {person.status}",
        "recipient",
    ),
    ChannelRule(
        Reason.RECIPIENT_BLOCKED,
        EVERY_KIND,
        lambda person, rule, channel: person.status == "blocked",
        lambda person, rule, channel: f"the recipient's status is {person.status}",
        "recipient",
    ),
    ChannelRule(
        Reason.EVERYTHING_OFF,
        MARKETING,
        lambda person, rule, channel: person.preferences.everything_off,
        lambda person, rule, channel: f"everything_off is {str(person.preferences.everything_off).lower()}",
        "everything_off",
    ),
    ChannelRule(
        Reason.CHANNEL_OFF,
        NOT_CRITICAL,
        lambda person, rule, channel: channel in person.preferences.channels_off,
        lambda person, rule, channel: (
            f"the channel {channel} is {'off' if channel in person.preferences.channels_off else 'on'}"
        ),
        "channels_off",
    ),
    ChannelRule(
        Reason.CATEGORY_OFF,
        NOT_CRITICAL,
        lambda person, rule, channel: bool(rule.category) and bool(_opt_outs(person, rule, channel)),
        lambda person, rule, channel: _describe_opt_out(person, rule, channel),
        "categories_off",
    ),
    ChannelRule(
        Reason.NOT_OPTED_IN,
        NOT_CRITICAL,
        lambda person, rule, channel: bool(rule.opt_in) and not _has_opt_in(person, rule, channel),
        lambda person, rule, channel: _describe_opt_in(person, rule, channel),
        "categories_on",
    ),
)

_RULES_OF = {kind: tuple(r for r in CHANNEL_RULES if kind in r.kinds) for kind in Kind}


def suppression_reason(person: Person, rule: Rule, channel: str) -> Reason | None:
    """Why the recipient gets nothing of this category on the channel; None when the recipient may. 0.6 µs for a
    recipient with preferences."""
    for channel_rule in _RULES_OF[rule.kind]:
        if channel_rule.suppresses(person, rule, channel):
            return channel_rule.reason
    return None


def preferred_channels(person: Person, rule: Rule) -> Iterable[str]:
    """The channels that are preferred, the most preferred first: of the recipient for this category, of the recipient
    for all categories, of the category. The second does not count for a critical message."""
    chosen = person.preferences.preferred_channels
    if rule.category and rule.category in chosen:
        yield chosen[rule.category]
    if "" in chosen and rule.kind != Kind.CRITICAL:
        yield chosen[""]
    yield from rule.preferred_channels


#: every rule in order, by the reason that it gives, and the kinds of the messages that it looks at
ORDER: tuple[tuple[Reason, frozenset[Kind]], ...] = (
    *((channel_rule.reason, channel_rule.kinds) for channel_rule in CHANNEL_RULES),
    (Reason.NO_ADDRESS, EVERY_KIND),
    (Reason.ADDRESS_SUPPRESSED, EVERY_KIND),
    (Reason.PREFERRED_CHANNEL, EVERY_KIND),
    (Reason.SNOOZED, MARKETING),
    (Reason.QUIET_HOURS, MARKETING),
    (Reason.SEND_WINDOW, MARKETING),
)


# ---- in words ------------------------------------------------------------------------------------------------------


def _opt_outs(person: Person, rule: Rule, channel: str) -> frozenset[str]:
    return person.preferences.categories_off & {rule.category, f"{rule.category}:{channel}"}


def _describe_opt_out(person: Person, rule: Rule, channel: str) -> str:
    if not rule.category:
        return "the message has no category"
    opt_outs = sorted(_opt_outs(person, rule, channel))
    return f"an opt-out from {' and '.join(opt_outs)}" if opt_outs else f"no opt-out from {rule.category}"


def _describe_opt_in(person: Person, rule: Rule, channel: str) -> str:
    if not rule.opt_in:
        return "no opt-in is needed"
    kind = "a confirmed opt-in" if rule.opt_in == "double" else "an opt-in"
    state = "there is one" if _has_opt_in(person, rule, channel) else "there is none"
    return f"the category {rule.category} needs {kind}: {state}"
