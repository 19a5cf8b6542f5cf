"""Plan a slice: who gets what, where and in which words, and who gets nothing and why. Nothing is written here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.arming import ids, render_problems
from campaigns.arming.render_problems import RenderProblem
from campaigns.category import category_rule_of
from campaigns.models import Campaign
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.content.liquid import PERSON
from notifier.delivery.planning.plan import NO_PREFERENCES, Planned, Suppressed, plan
from notifier.delivery.planning.quiet_hours import QuietHours, hours_of
from notifier.errors import InvalidInput, MissingVariables, Unconfigured
from notifier.models import ProviderAccount
from notifier.vocabulary.people import Address, Person
from notifier.vocabulary.status import Reason

#: processor time for a slice: what it may begin with, and for each person. An ordinary person takes 0.026 ms, and with
#: ten conditions 0.1 ms; ten thousand at the limit take 22 s, in which others wait for this process
SECONDS, PER_PERSON = 2.0, 0.002
_LOOK = 64
_TOO_LONG = f"The template takes too long: more than {PER_PERSON * 1000:g} ms of processor time for each person."


class Message(NamedTuple):
    """One message that may leave. Ids are hexadecimal digits."""

    id: str
    recipient: str
    address: str
    device: str | None
    form: templates.PartlyRendered
    texts: tuple[str, ...]  #: the form's personal parts
    quiet: QuietHours | None


class SuppressedMessage(NamedTuple):
    """One message that must not leave."""

    id: str
    recipient: str
    channel: str
    address: Address
    reason: Reason
    detail: str = ""


@dataclass
class RangePlan:
    """What became of a slice. Messages by (channel, platform), each id once."""

    messages: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    refused: dict[str, SuppressedMessage] = field(default_factory=dict)
    accounts: dict[tuple[str, str], ProviderAccount | None] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    problems: list[RenderProblem] = field(default_factory=list)


class CampaignPlanner:
    """Decides for one campaign, as it was when arming began."""

    def __init__(self, campaign: Campaign) -> None:
        assert campaign.version_id is not None and campaign.first_armed_ms is not None
        assert campaign.armed_at is not None
        self.campaign, self.tenant = campaign, campaign.tenant
        self.rule = category_rule_of(campaign)
        self.started = campaign.armed_at
        #: an address was found in two slices: there may be more
        self.addresses_recur = False
        self._compiled = templates.compiled(campaign.version_id)
        self._variables = dict(campaign.data)
        self._ids: dict[str, Callable[[str], str]] = {
            name: ids.delivery_ids(campaign.first_armed_ms, campaign.pk, name) for name in campaign.channels
        }
        self._forms: dict[tuple[str, str], templates.PartlyRendered] = {}
        self._rendered: dict[templates.Locale, templates.PartlyRendered] = {}

    def plan(self, people: Iterable[Person]) -> RangePlan:
        """Raises InvalidInput for a template that takes too long for so many."""
        found, began = RangePlan(), time.thread_time()
        for n, person in enumerate(people):
            if n % _LOOK == 0 and time.thread_time() - began > SECONDS + PER_PERSON * n:
                raise InvalidInput(_TOO_LONG, field="template")
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
            return registry.choose_account(self.tenant, channel, platform, self.campaign.mode)
        except Unconfigured:
            return None

    def _add(self, found: RangePlan, person: Person, entry: Planned) -> None:
        channel, address = entry.channel, entry.address
        form = self._form(channel, person.preferences.language or person.locale)
        try:
            texts = form.render(self._variables)
        except MissingVariables as error:
            return self._refuse(found, person, Suppressed(channel, Reason.MISSING_VARIABLE, address), error.message)
        except InvalidInput as error:
            return self._refuse(found, person, Suppressed(channel, Reason.TEMPLATE_ERROR, address), error.message)
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
            None
            if person.preferences is NO_PREFERENCES
            else hours_of(person.preferences, self.rule.kind, person.timezone),
        )
        found.messages.setdefault(where, []).append(message)

    def _refuse(self, found: RangePlan, person: Person, entry: Suppressed, detail: str = "") -> None:
        found.excluded[entry.reason] += 1
        own = self._ids[entry.channel](entry.address.value or f"recipient {person.id}")
        refused = SuppressedMessage(own, person.id.hex, entry.channel, entry.address, entry.reason, detail[:300])
        found.refused.setdefault(own, refused)
        if detail:
            render_problems.add_problem(found.problems, _problem(person, refused))

    def _form(self, channel: str, wanted: str) -> templates.PartlyRendered:
        """The content for somebody who wants this locale, rendered as far as all of its readers share it."""
        key = (channel, wanted)
        if key not in self._forms:
            content = self._compiled.locale_for(channel, wanted, self.tenant.default_locale)
            if content not in self._rendered:
                self._rendered[content] = self._compiled.form(content, self.campaign.data, self.tenant.link_schemes)
            self._forms[key] = self._rendered[content]
        return self._forms[key]


def _problem(person: Person, refused: SuppressedMessage) -> RenderProblem:
    return {
        "channel": refused.channel,
        "reason": str(refused.reason),
        "detail": refused.detail,
        "count": 1,
        "recipients": [person.external_id],
    }


def _leave_each_once(found: RangePlan) -> None:
    """One message an address; what must not leave stays, whoever else has the address."""
    seen = set(found.refused)
    for where, messages in found.messages.items():
        own = {m.id for m in messages}
        if len(own) < len(messages) or not seen.isdisjoint(own):
            first = {m.id: m for m in reversed(messages) if m.id not in seen}
            found.excluded[Reason.DUPLICATE_ADDRESS] += len(messages) - len(first)
            found.messages[where] = list(first.values())
        seen |= own
