"""Plan a slice: who gets what, where and in which words, and who gets nothing and why. Nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.category import rule_of
from campaigns.models import Campaign
from campaigns.prepare import ids
from notifier.delivery import accounts, templates
from notifier.delivery.liquid import PERSON
from notifier.delivery.plan import ORDINARY, Planned, Suppressed, plan
from notifier.delivery.quiet import QuietHours, hours_of
from notifier.errors import MissingVariables, Unconfigured
from notifier.models import ProviderAccount
from notifier.vocabulary import Address, Person, Reason


class Message(NamedTuple):
    """One message that may leave. Ids are hexadecimal digits."""

    id: str
    recipient: str
    address: str
    device: str | None
    form: templates.Form
    texts: tuple[str, ...]  #: the form's personal parts
    quiet: QuietHours | None


class Refused(NamedTuple):
    """One message that must not leave."""

    id: str
    recipient: str
    channel: str
    address: Address
    reason: Reason


@dataclass
class Planning:
    """What became of a slice. Messages by (channel, platform), each id once."""

    messages: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)
    accounts: dict[tuple[str, str], ProviderAccount | None] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)


class Planner:
    """Decides for one campaign, as it was when arming began."""

    def __init__(self, campaign: Campaign) -> None:
        assert campaign.version_id is not None and campaign.first_armed_ms is not None
        assert campaign.armed_at is not None
        self.campaign, self.tenant = campaign, campaign.tenant
        self.rule = rule_of(campaign)
        self.started = campaign.armed_at
        #: an address was found in two slices: there may be more
        self.addresses_recur = False
        self._compiled = templates.compiled(campaign.version_id)
        self._variables = dict(campaign.data)
        self._ids: dict[str, Callable[[str], str]] = {
            name: ids.derived(campaign.first_armed_ms, campaign.pk, name) for name in campaign.channels
        }
        self._forms: dict[tuple[str, str], templates.Form] = {}
        self._rendered: dict[templates.Locale, templates.Form] = {}

    def plan(self, people: Iterable[Person]) -> Planning:
        """Raises InvalidInput when the template cannot be rendered."""
        found = Planning()
        for person in people:
            self._variables[PERSON] = person.variables()
            for entry in plan(person, self.rule, self.campaign.channels, self.started, self.tenant.timezone):
                if isinstance(entry, Suppressed):
                    self._refuse(found, person, entry)
                else:
                    self._add(found, person, entry)
        _leave_each_once(found)
        return found

    def account(self, channel: str, platform: str) -> ProviderAccount | None:
        """Who sends some messages of a channel and platform: chosen anew each time, by weight."""
        try:
            # a rehearsal goes through the accounts of the real thing
            return accounts.choose(self.tenant, channel, platform, self.campaign.mode)
        except Unconfigured:
            return None

    def _add(self, found: Planning, person: Person, entry: Planned) -> None:
        channel, address = entry.channel, entry.address
        form = self._form(channel, person.choices.language or person.locale)
        try:
            texts = form.render(self._variables)
        except MissingVariables:
            return self._refuse(found, person, Suppressed(channel, Reason.MISSING_VARIABLE, address))
        where = (channel, address.platform)
        if where not in found.accounts:
            found.accounts[where] = self.account(*where)
        if found.accounts[where] is None:
            return self._refuse(found, person, Suppressed(channel, Reason.NO_ACCOUNT, address))
        message = Message(
            self._ids[channel](address.value),
            person.id.hex,
            address.value,
            address.device_id.hex if address.device_id else None,
            form,
            texts,
            None if person.choices is ORDINARY else hours_of(person.choices, self.rule.kind, person.timezone),
        )
        found.messages.setdefault(where, []).append(message)

    def _refuse(self, found: Planning, person: Person, entry: Suppressed) -> None:
        found.excluded[entry.reason] += 1
        own = self._ids[entry.channel](entry.address.value or f"recipient {person.id}")
        found.refused.setdefault(own, Refused(own, person.id.hex, entry.channel, entry.address, entry.reason))

    def _form(self, channel: str, wanted: str) -> templates.Form:
        """The content for somebody who wants this locale, rendered as far as all of its readers share it."""
        key = (channel, wanted)
        if key not in self._forms:
            content = self._compiled.locale_for(channel, wanted, self.tenant.default_locale)
            if content not in self._rendered:
                self._rendered[content] = self._compiled.form(content, self.campaign.data, self.tenant.link_schemes)
            self._forms[key] = self._rendered[content]
        return self._forms[key]


def _leave_each_once(found: Planning) -> None:
    """One message an address; what must not leave stays, whoever else has the address."""
    seen = set(found.refused)
    for where, messages in found.messages.items():
        own = {m.id for m in messages}
        if len(own) < len(messages) or not seen.isdisjoint(own):
            first = {m.id: m for m in reversed(messages) if m.id not in seen}
            found.excluded[Reason.DUPLICATE_ADDRESS] += len(messages) - len(first)
            found.messages[where] = list(first.values())
        seen |= own
