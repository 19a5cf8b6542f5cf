"""Arm: everything that can fail fails here. Freeze the audience, plan, render, write the ledger, cut shards.

One page of the audience is one transaction, so memory stays flat and progress shows. A crash leaves the campaign
`arming`; the sweep rings again, and arming starts by removing what an earlier attempt left.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from campaigns import audience, payload
from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.states import LAUNCHED, State, move
from notifier.delivery import accounts, bulk, people, templates
from notifier.delivery.plan import Planned, Rule, Suppressed, plan, zone
from notifier.errors import Conflict, InvalidInput, MissingVariables, NotifierError, Unconfigured
from notifier.models import ProviderAccount, TemplateVersion
from notifier.tasks import post
from notifier.vocabulary import Kind, Lane, Person, Place, Reason, Status, derived_id, id_floor
from tenants.models import Tenant

log = structlog.get_logger("campaigns")

PAGE = 2_000
#: an edit removes the rows of a campaign of this size within its request; a larger one's in the background
CLEARED_AT_ONCE = 20_000


def request_arm(campaign: Campaign) -> None:
    """Begin arming in the background. Raises what can be known at once: Conflict, or InvalidInput naming the field."""
    if campaign.state in LAUNCHED:
        raise Conflict("This campaign was launched; copy it to send again.", code="already_launched")
    version = TemplateVersion.objects.filter(template=campaign.template).order_by("-number").first()
    if version is None:
        raise InvalidInput("This template has no published version.", field="template")
    if campaign.audience is None:
        raise InvalidInput("Choose an audience first.", field="audience")
    missing = set(campaign.channels) - set(templates.compiled(version.id).channels)
    if missing or not campaign.channels:
        raise InvalidInput(
            f"The template has no content for: {', '.join(sorted(missing)) or 'no channel'}.", field="channels"
        )
    moved = move(
        campaign.pk,
        State.ARMING,
        allowed_from=[State.DRAFT, State.ARMED],
        version=version,
        # by the row and not by what the caller read of it, which another arming may have overtaken since
        revision=F("revision") + 1,
        prepared=0,
        excluded={},
        failure="",
        first_armed_ms=Coalesce(F("first_armed_ms"), Value(int(time.time() * 1000))),
    )
    if not moved:
        raise Conflict("This campaign is being armed or was launched.", code="not_armable")
    transaction.on_commit(lambda: post("campaigns.arm", str(campaign.pk)))


def disarm(campaign: Campaign) -> None:
    """Back to draft, leaving nothing behind. Raises Conflict after GO."""
    if campaign.state == State.DRAFT:
        return
    with transaction.atomic():
        # revision + 1 makes an arming that still runs notice and stop
        if not move(
            campaign.pk,
            State.DRAFT,
            allowed_from=[State.ARMED, State.ARMING],
            revision=F("revision") + 1,
            armed_at=None,
            prepared=0,
            excluded={},
        ):
            raise Conflict("This campaign was launched and cannot be edited any more.", code="already_launched")
        if campaign.prepared <= CLEARED_AT_ONCE:
            clear(campaign)
        else:
            transaction.on_commit(lambda: post("campaigns.clear", str(campaign.pk)))


def clear_disarmed(campaign_id: uuid.UUID) -> None:
    """Remove what a large campaign left behind when it went back to draft; arming does the same before it begins."""
    with _alone(campaign_id) as alone:
        campaign = Campaign.objects.get(pk=campaign_id)
        if alone and campaign.state == State.DRAFT:
            with transaction.atomic():
                clear(campaign)


_CLEAR_LEDGER = f"""
DELETE FROM notifier_delivery WHERE campaign_id = %s AND id >= %s AND id < %s
  AND status IN ({Status.ARMED}, {Status.SUPPRESSED})
"""


def clear(campaign: Campaign) -> None:
    """Remove the shards and ledger rows of an earlier arming; only ever before the first GO."""
    Shard.objects.filter(campaign=campaign).delete()
    if campaign.first_armed_ms is not None:
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR_LEDGER, [campaign.pk, *id_range(campaign)])


def id_range(campaign: Campaign) -> tuple[uuid.UUID, uuid.UUID]:
    """All delivery ids of a campaign lie in this range (inclusive, exclusive): it prunes the other partitions."""
    ms = campaign.first_armed_ms or 0
    return id_floor(ms), id_floor(ms + 1)


@dataclass
class _Cutter:
    """Collects messages by channel and account and cuts them into shards."""

    campaign: Campaign
    number: int = 0
    open: dict[tuple[str, uuid.UUID], list[payload.PayloadRow]] = field(default_factory=dict)

    def add(self, channel: str, account: ProviderAccount, row: payload.PayloadRow) -> None:
        rows = self.open.setdefault((channel, account.id), [])
        rows.append(row)
        if len(rows) >= settings.SHARD_SIZE:
            self._cut(channel, account.id)

    def finish(self) -> None:
        for channel, account_id in list(self.open):
            self._cut(channel, account_id)

    def _cut(self, channel: str, account_id: uuid.UUID) -> None:
        rows = self.open.pop((channel, account_id))
        self.number += 1
        shard = Shard.objects.create(
            tenant_id=self.campaign.tenant_id,
            campaign=self.campaign,
            number=self.number,
            channel=channel,
            account_id=account_id,
            size=len(rows),
        )
        ShardPayload.objects.create(shard=shard, tenant_id=self.campaign.tenant_id, rows=payload.pack(rows))


@dataclass
class _Arming:
    """One run of `arm` and what it decides with."""

    campaign: Campaign
    tenant: Tenant
    compiled: templates.Compiled
    rule: Rule
    started: datetime
    cutter: _Cutter
    prepared: int = 0
    ready: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    #: renderings of locales whose content is the same for everybody
    common: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    chosen: dict[tuple[str, str], ProviderAccount] = field(default_factory=dict)

    def account(self, entry: Planned) -> ProviderAccount:
        """Who sends this page's messages of a channel and platform; chosen anew for every page, by weight."""
        key = (entry.channel, entry.address.platform)
        if key not in self.chosen:
            self.chosen[key] = accounts.choose(self.tenant, *key, self.campaign.mode)
        return self.chosen[key]


class _Overtaken(Exception):
    """An edit moved the campaign on while it was being armed."""


def arm(campaign_id: uuid.UUID) -> None:
    """Do the work that `request_arm` asked for; ends `armed`, or `draft` with `failure` saying why."""
    with _alone(campaign_id) as alone:
        campaign = Campaign.objects.select_related("tenant", "template__category", "audience").get(pk=campaign_id)
        if not alone or campaign.state != State.ARMING:
            return
        try:
            _arm(campaign)
        except _Overtaken:
            log.info("arming overtaken by an edit", action="arm", campaign=str(campaign_id))
        except NotifierError as error:
            _give_up(campaign, error.message)
        except OperationalError:
            raise  # the database is away: the campaign stays `arming` and the sweep rings again
        except Exception:
            _give_up(campaign, "An internal error; the log has it.")
            raise


@contextmanager
def _alone(campaign_id: uuid.UUID) -> Iterator[bool]:
    """Whether nobody else arms this campaign; held by the session, so that a killed worker frees it."""
    key = campaign_id.int & 0x7FFF_FFFF_FFFF_FFFF
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        alone = bool(cursor.fetchone()[0])
        try:
            yield alone
        finally:
            if alone:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _give_up(campaign: Campaign, why: str) -> None:
    with transaction.atomic():
        # not when a newer arming has begun meanwhile: this failure is not its
        mine = Campaign.objects.select_for_update().filter(pk=campaign.pk, revision=campaign.revision).exists()
        if mine and move(campaign.pk, State.DRAFT, allowed_from=[State.ARMING], failure=why[:500]):
            clear(campaign)
    log.warning("arming failed", action="arm", campaign=str(campaign.pk), why=why)


def _arm(campaign: Campaign) -> None:
    if campaign.audience is None:
        raise InvalidInput("Choose an audience first.", field="audience")
    run = _begin(campaign)
    for page in audience.pages(campaign.audience, PAGE):
        with transaction.atomic():
            run.excluded[Reason.UNKNOWN_RECIPIENT] += page.unknown
            run.prepared += len(page.recipient_ids) + page.unknown
            _prepare(run, page.recipient_ids)
            _progress(run)
    with transaction.atomic():
        run.cutter.finish()
        if not run.ready:
            raise InvalidInput(f"Nobody can be reached: {dict(run.excluded)}.", field="audience")
        _progress(run)
        if not move(campaign.pk, State.ARMED, allowed_from=[State.ARMING], armed_at=run.started):
            raise _Overtaken
    log.info("armed", action="arm", campaign=str(campaign.pk), ready=run.ready, prepared=run.prepared)


def _begin(campaign: Campaign) -> _Arming:
    with transaction.atomic():
        clear(campaign)
    assert campaign.version_id is not None
    category = campaign.template.category
    rule = Rule(category.key, Kind(category.kind)) if category else Rule()
    return _Arming(
        campaign=campaign,
        tenant=campaign.tenant,
        compiled=templates.compiled(campaign.version_id),
        rule=rule,
        started=datetime.now(UTC),
        cutter=_Cutter(campaign),
    )


def _progress(run: _Arming) -> None:
    """Show how far it is; stops when the campaign is no longer this arming's."""
    excluded = {str(k): v for k, v in run.excluded.items() if v}
    mine = Campaign.objects.filter(pk=run.campaign.pk, state=State.ARMING, revision=run.campaign.revision)
    if not mine.update(prepared=run.prepared, audience_size=run.prepared, excluded=excluded):
        raise _Overtaken


@dataclass
class _Message:
    """One planned message of a page, before the ledger has said whether its address is new."""

    person: Person
    entry: Planned
    content: dict[str, Any]
    account: ProviderAccount
    id: uuid.UUID


def _prepare(run: _Arming, recipient_ids: list[uuid.UUID]) -> None:
    found = people.by_ids(run.tenant.id, recipient_ids)
    run.chosen.clear()
    messages: list[_Message] = []
    ledger: list[tuple[Any, ...]] = []
    for recipient_id in recipient_ids:
        person = found.get(recipient_id)
        if person is not None:
            _plan_person(run, person, messages, ledger)
    bulk.insert("notifier_delivery", bulk.DELIVERY, ledger, ignore_conflicts=True)
    new = _insert(run, messages)
    for message in messages:
        if message.id not in new:
            run.excluded[Reason.DUPLICATE_ADDRESS] += 1
            continue
        new.discard(message.id)  # the second of two with one address is a duplicate
        run.ready += 1
        row = payload.PayloadRow(
            message.id,
            message.person.id,
            message.entry.address,
            message.content,
            quiet_window(message.person, run.rule, run.started, run.tenant.timezone),
        )
        run.cutter.add(message.entry.channel, message.account, row)


def _plan_person(run: _Arming, person: Person, messages: list[_Message], ledger: list[tuple[Any, ...]]) -> None:
    for entry in plan(person, run.rule, run.campaign.channels, run.started, run.tenant.timezone):
        if isinstance(entry, Suppressed):
            _exclude(run, person, entry, ledger)
            continue
        try:
            content, account = _content(run, person, entry.channel), run.account(entry)
        except MissingVariables:
            _exclude(run, person, Suppressed(entry.channel, Reason.MISSING_VARIABLE, entry.address), ledger)
        except Unconfigured:
            _exclude(run, person, Suppressed(entry.channel, Reason.NO_ACCOUNT, entry.address), ledger)
        else:
            messages.append(_Message(person, entry, content, account, _id(run, entry.channel, entry.address.value)))


def _exclude(run: _Arming, person: Person, entry: Suppressed, ledger: list[tuple[Any, ...]]) -> None:
    run.excluded[entry.reason] += 1
    address = entry.address.value
    delivery_id = _id(run, entry.channel, address or f"recipient {person.id}")
    ledger.append(_ledger_row(run, delivery_id, person.id, entry))


def _content(run: _Arming, person: Person, channel: str) -> dict[str, Any]:
    locale = run.compiled.locale_for(channel, person.choices.language or person.locale, run.tenant.default_locale)
    if not run.compiled.personal:
        if (channel, locale) not in run.common:
            run.common[channel, locale] = run.compiled.render(channel, locale, {})
        return run.common[channel, locale]
    return run.compiled.render(channel, locale, {**run.campaign.data, "recipient": person.variables()})


def _id(run: _Arming, channel: str, address: str) -> uuid.UUID:
    assert run.campaign.first_armed_ms is not None
    return derived_id(run.campaign.first_armed_ms, str(run.campaign.pk), channel, address)


def _insert(run: _Arming, messages: list[_Message]) -> set[uuid.UUID]:
    """Write the messages' ledger rows; returns the ids that were new (the key is the once-per-address rule)."""
    rows = [_ledger_row(run, m.id, m.person.id, m.entry, m.account.id) for m in messages]
    return bulk.insert_new("notifier_delivery", bulk.DELIVERY, rows)


def _ledger_row(
    run: _Arming,
    delivery_id: uuid.UUID,
    recipient_id: uuid.UUID,
    entry: Planned | Suppressed,
    account_id: uuid.UUID | None = None,
) -> tuple[Any, ...]:
    reason = entry.reason if isinstance(entry, Suppressed) else None
    status = Status.ARMED if reason is None else Status.SUPPRESSED
    address = entry.address
    values: dict[str, Any] = {
        "id": delivery_id, "tenant_id": run.tenant.id, "notification_id": None, "campaign_id": run.campaign.pk,
        "recipient_id": recipient_id, "category": run.rule.category, "channel": entry.channel,
        "platform": address.platform, "address": address.value, "device_id": address.device_id,
        "account_id": account_id, "lane": int(Lane.BULK), "status": int(status), "reason": str(reason or ""),
        "detail": "", "mode": run.campaign.mode, "content": None, "attempt": 0, "due_at": run.started,
        "not_after": run.campaign.not_after, "lease_until": None, "fence": 0, "seq": 0, "place": int(Place.HOLDS),
        "provider_ref": "", "accepted_at": run.started, "settled_at": run.started if reason else None,
    }  # fmt: skip
    return tuple(values[column] for column in bulk.DELIVERY)


def quiet_window(person: Person, rule: Rule, day: datetime, tenant_zone: str) -> tuple[int, int] | None:
    """The quiet hours as minutes of the UTC day, by the offset in force on `day`; only marketing waits."""
    start, end = person.choices.quiet_from, person.choices.quiet_until
    if rule.kind != Kind.MARKETING or start is None or end is None or start == end:
        return None
    offset = day.astimezone(zone(person.timezone or tenant_zone)).utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    return ((start - minutes) % 1440, (end - minutes) % 1440)
