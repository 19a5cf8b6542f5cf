"""Plan a range: which recipient gets which message at which address, and which messages are suppressed and why. Writes
nothing."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from campaigns.arming import ids
from campaigns.arming.limits import LIMITS, ArmingLimits
from campaigns.arming.planning.caps import caps_of_campaign
from campaigns.arming.planning.corrections import corrected_by
from campaigns.arming.planning.render_problems import RenderProblem, add_problem
from campaigns.arming.planning.waves import WaveSplit, clock_of, split_people
from campaigns.category import category_rule_of
from campaigns.models import Campaign
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.content.links.preferences_link import end_of_link
from notifier.delivery.content.links.variables import LinkedMessage, category_to_leave, link_values
from notifier.delivery.content.liquid.text import PERSON
from notifier.delivery.content.partly_rendered import Locale, PartlyRendered
from notifier.delivery.planning.closed_hours import ClosedHours, closed_hours_of
from notifier.delivery.planning.plan import NO_PREFERENCES, Planned, Suppressed, plan
from notifier.errors import InvalidInput, MissingVariables, Unconfigured
from notifier.models import ProviderAccount
from notifier.vocabulary.people import Address, Person
from notifier.vocabulary.status import Reason

#: the processor time is checked after so many recipients
_CHECK_EVERY = 64


class Message(NamedTuple):
    """One message that may leave. Ids are hexadecimal digits."""

    id: str
    recipient: str
    address: str
    device: str | None
    form: PartlyRendered
    texts: tuple[str, ...]  #: of the form's columns
    closed_hours: ClosedHours | None


class Route(NamedTuple):
    """What the messages of one shard share: their channel, the platform of their devices, and the app of the accounts
    that send them ("": the accounts without an app, for devices of whichever app). `not_before`: of a wave;
    `variant`: of an A/B test."""

    channel: str
    platform: str
    app: str
    not_before: datetime | None = None
    variant: str = ""


class SuppressedMessage(NamedTuple):
    """One message that must not leave. Ids are hexadecimal digits."""

    id: str
    recipient: str
    channel: str
    address: Address
    reason: Reason
    detail: str = ""


@dataclass
class RangePlan:
    """The messages of one range: those that may leave by route, those suppressed by id; each id once."""

    messages: dict[Route, list[Message]] = field(default_factory=dict)
    suppressed: dict[str, SuppressedMessage] = field(default_factory=dict)
    accounts: dict[Route, ProviderAccount | None] = field(default_factory=dict)
    #: (channel, platform, app of the device) -> the messages of its route; None: no account sends them
    outboxes: dict[tuple[str, str, str], list[Message] | None] = field(default_factory=dict)
    #: reason -> messages that will not leave
    excluded: Counter[str] = field(default_factory=Counter)
    problems: list[RenderProblem] = field(default_factory=list)
    #: recipient (hex digits) -> own time zone; only of a campaign with frequency caps
    zones: dict[str, str] = field(default_factory=dict)
    #: of the recipients who are being planned; None: they are in no wave
    not_before: datetime | None = None
    #: of an A/B test: the variant that is being planned, and recipients who wait for the winner, or are held out
    variant: str = ""
    waiting: int = 0
    held_out: int = 0
    #: recipients that a planner of a part of the range took; None: all
    planned: int | None = None


class CampaignPlanner:
    """Plans ranges of one campaign, as the campaign was when arming began. `version_id`: of a variant; None: of the
    campaign's own template."""

    #: which ranges it plans: "all", or the "rest" of an A/B test (campaigns.arming.planning.variants)
    phase = "all"
    #: whether a range stays, for its rest, when it is planned
    keeps_ranges = False

    def __init__(self, campaign: Campaign, limits: ArmingLimits = LIMITS, version_id: uuid.UUID | None = None) -> None:
        assert campaign.version_id is not None and campaign.first_armed_ms is not None
        assert campaign.armed_at is not None
        self.campaign, self.tenant = campaign, campaign.tenant
        self.rule = category_rule_of(campaign)
        self.caps = caps_of_campaign(campaign, self.rule)
        self._corrected = corrected_by(campaign)
        self.started = campaign.armed_at
        #: two ranges had the same address, so other ranges may share addresses, too
        self.addresses_recur = False
        self._limits = limits
        self._clock = clock_of(campaign, self.started)
        self._compiled = templates.compiled(version_id or campaign.version_id)
        self._variables = dict(campaign.data)
        self._ids: dict[str, Callable[[str], str]] = {
            name: ids.delivery_ids(campaign.first_armed_ms, campaign.pk, name) for name in campaign.channels
        }
        #: channel -> the links of its content; empty for a template that has none
        self._links = {name: self._compiled.links[name] for name in campaign.channels if name in self._compiled.links}
        self._category_to_leave = category_to_leave(self.rule.kind, self.rule.category)
        self._links_end_at = end_of_link(campaign.armed_at)
        self._forms: dict[tuple[str, str], PartlyRendered] = {}
        self._rendered: dict[Locale, PartlyRendered] = {}

    def plan(self, people: Iterable[Person]) -> RangePlan:
        """The plan for these recipients. Raises InvalidInput when the template takes too long for their number."""
        range_plan, began = RangePlan(), time.thread_time()
        self.plan_into(range_plan, people, began)
        keep_one_per_address(range_plan)
        return range_plan

    def plan_into(self, range_plan: RangePlan, people: Iterable[Person], began: float, done: int = 0) -> None:
        """Add these recipients to the plan; `done` of the range are planned already."""
        if self._corrected is not None:
            people = list(people)
            self._corrected.load([person.id for person in people])
        if self._clock is None:
            self._plan_people(range_plan, people, began, done)
        else:
            self._plan_waves(range_plan, split_people(people, self._clock), began, done)

    def note_counts(self, range_plan: RangePlan) -> None:
        """Store what only this kind of planner counts, in the range's transaction, before the campaign's row is
        locked."""

    def _plan_waves(self, range_plan: RangePlan, split: WaveSplit, began: float, done: int) -> None:
        """The earliest wave comes first: of two recipients with one address the earlier one gets the message."""
        for not_before, people in split.waves.items():
            range_plan.not_before, range_plan.outboxes = not_before, {}
            self._plan_people(range_plan, people, began, done)
            done += len(people)
        has_account = self.account_finder(range_plan)
        for person in split.left_out:
            for entry in plan(person, self.rule, self.campaign.channels, None, has_account):
                if isinstance(entry, Planned):
                    entry = Suppressed(entry.channel, Reason.LOCAL_TIME_PASSED, entry.address)
                self.suppress(range_plan, person, entry)

    def _plan_people(self, range_plan: RangePlan, people: Iterable[Person], began: float, done: int = 0) -> None:
        """Plan these recipients; `done` of the range are planned already."""
        has_account = self.account_finder(range_plan)
        for n, person in enumerate(people, done):
            if n % _CHECK_EVERY == 0:
                self._check_time(n, time.thread_time() - began)
            self._variables[PERSON] = person.variables()
            for entry in plan(person, self.rule, self.campaign.channels, None, has_account):
                if self._corrected is not None and not self._corrected.got_it(entry.channel, entry.address.value):
                    continue
                if isinstance(entry, Suppressed):
                    self.suppress(range_plan, person, entry)
                else:
                    self._add(range_plan, person, entry)
            if self.caps and person.timezone:
                range_plan.zones[person.id.hex] = person.timezone

    def account_finder(self, range_plan: RangePlan) -> Callable[[Planned], bool]:
        """A function that says whether an account sends a message of the wave that is being planned."""

        def has_account(entry: Planned) -> bool:
            return self._find_outbox(range_plan, entry) is not None

        return has_account

    def _check_time(self, recipients: int, cpu_seconds: float) -> None:
        per_recipient = self._limits.cpu_seconds_per_recipient
        if cpu_seconds > self._limits.cpu_seconds + per_recipient * recipients:
            limit = f"more than {per_recipient * 1000:g} ms of processor time for each person"
            raise InvalidInput(f"The template takes too long: {limit}.", field="template")

    def account(self, route: Route) -> ProviderAccount | None:
        """The account that sends some messages of a route: chosen anew at each call, by weight."""
        try:
            # a silent run uses those accounts of the live campaign whose provider delivers none of its messages
            mode = self.campaign.message_mode
            return registry.choose_account(self.tenant, route.channel, route.platform, mode, route.app)
        except Unconfigured:
            return None

    def _outbox(self, range_plan: RangePlan, channel: str, platform: str, app: str) -> list[Message] | None:
        """The list for messages to devices of this app; None when no account sends them. One route for all apps without
        an account of their own: a shard for each of them would be small."""
        of_account = registry.account_app(self.tenant, channel, platform, self.campaign.message_mode, app)
        route = Route(channel, platform, of_account, range_plan.not_before, range_plan.variant)
        if route not in range_plan.accounts:
            range_plan.accounts[route] = self.account(route)
        return None if range_plan.accounts[route] is None else range_plan.messages.setdefault(route, [])

    def _find_outbox(self, range_plan: RangePlan, entry: Planned) -> list[Message] | None:
        key = (entry.channel, entry.address.platform, entry.address.app)
        outbox = range_plan.outboxes.get(key)
        if outbox is None and key not in range_plan.outboxes:
            outbox = range_plan.outboxes[key] = self._outbox(range_plan, *key)
        return outbox

    def _add(self, range_plan: RangePlan, person: Person, entry: Planned) -> None:
        channel, address = entry.channel, entry.address
        form = self._form(channel, person.preferences.language or person.locale)
        if self._links and channel in self._links:
            self._variables.update(self._link_values(person, channel))
        try:
            form, texts = form.render_columns(self._variables)
        except MissingVariables as error:
            missing = Suppressed(channel, Reason.MISSING_VARIABLE, address)
            return self.suppress(range_plan, person, missing, error.message)
        except InvalidInput as error:
            failed = Suppressed(channel, Reason.TEMPLATE_ERROR, address)
            return self.suppress(range_plan, person, failed, error.message)
        outbox = range_plan.outboxes.get((channel, address.platform, address.app))
        outbox = outbox or self._find_outbox(range_plan, entry)
        if outbox is None:
            no_account = Suppressed(channel, Reason.NO_ACCOUNT, address)
            detail = registry.no_account(channel, address.platform, address.app)
            return self.suppress(range_plan, person, no_account, detail)
        message = Message(
            self._ids[channel](address.value),
            person.id.hex,
            address.value,
            address.device_id.hex if address.device_id else None,
            form,
            texts,
            # 0.25 µs less for a recipient without preferences, on a channel without send windows
            None
            if person.preferences is NO_PREFERENCES and channel not in self.rule.windows
            else closed_hours_of(person, self.rule, channel),
        )
        outbox.append(message)

    def _link_values(self, person: Person, channel: str) -> Mapping[str, str]:
        """The links of one message: 7 µs each."""
        campaign = self.campaign
        message = LinkedMessage(
            campaign.tenant_id,
            person.id,
            channel,
            self._category_to_leave,
            self._links_end_at,
            campaign_id=campaign.pk,
        )
        return link_values(self._links[channel], message)

    def suppress(self, range_plan: RangePlan, person: Person, entry: Suppressed, detail: str = "") -> None:
        range_plan.excluded[entry.reason] += 1
        message_id = self._ids[entry.channel](entry.address.value or f"recipient {person.id}")
        message = SuppressedMessage(message_id, person.id.hex, entry.channel, entry.address, entry.reason, detail[:300])
        range_plan.suppressed.setdefault(message_id, message)
        if detail:
            add_problem(range_plan.problems, _problem(person, message))

    def _form(self, channel: str, locale: str) -> PartlyRendered:
        """The content for recipients with this locale, rendered as far as they share it."""
        key = (channel, locale)
        if key not in self._forms:
            content = self._compiled.locale_for(channel, locale, self.tenant.default_locale)
            if content not in self._rendered:
                self._rendered[content] = self._compiled.render_partly(
                    content, self.campaign.data, self.tenant.content_rules
                )
            self._forms[key] = self._rendered[content]
        return self._forms[key]


def _problem(person: Person, message: SuppressedMessage) -> RenderProblem:
    return {
        "channel": message.channel,
        "reason": str(message.reason),
        "detail": message.detail,
        "count": 1,
        "recipients": [person.external_id],
    }


def keep_one_per_address(range_plan: RangePlan) -> None:
    """Keep one message an address; a suppressed message stays suppressed, though another recipient has the address."""
    seen = set(range_plan.suppressed)
    for key, messages in range_plan.messages.items():
        own = {m.id for m in messages}
        if len(own) < len(messages) or not seen.isdisjoint(own):
            first = {m.id: m for m in reversed(messages) if m.id not in seen}
            range_plan.excluded[Reason.DUPLICATE_ADDRESS] += len(messages) - len(first)
            range_plan.messages[key] = list(first.values())
        seen |= own
