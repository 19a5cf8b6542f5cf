"""What an armed campaign is about to do: how many messages leave where, how long that takes, what one looks like, and
what the person who presses GO should know first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns import audience as audiences
from campaigns.models import Campaign
from campaigns.results import ready_by_channel
from notifier.delivery import accounts, people, templates
from notifier.delivery.plan import Rule, Suppressed, plan
from notifier.errors import NotifierError
from notifier.models import ProviderAccount, TemplateVersion
from notifier.vocabulary import Kind, Mode, Person

#: a freeze older than this is worth a warning: whoever joined since is not in it
STALE = timedelta(hours=24)
#: a larger share of people left out usually means a wrong audience or a missing address column
MANY_EXCLUDED = 0.5


#: people of whom one is shown
LOOKED_AT = 20


@dataclass(frozen=True)
class Ready:
    """Messages on one channel through one account; `seconds` is the least its rate limit allows."""

    channel: str
    account: str
    provider: str
    messages: int
    rate: float | None = None
    enabled: bool = True

    @property
    def seconds(self) -> float:
        return self.messages / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Sample:
    """What one person gets on one channel, or why they get nothing."""

    channel: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True)
class Preflight:
    audience: int
    excluded: Mapping[str, int]
    ready: Sequence[Ready]
    warnings: Sequence[str]
    person: Person | None = None
    samples: Sequence[Sample] = ()

    @property
    def messages(self) -> int:
        return sum(r.messages for r in self.ready)

    @property
    def seconds(self) -> float:
        """Accounts send side by side, so the slowest decides."""
        return max((r.seconds for r in self.ready), default=0.0)


def preflight(campaign: Campaign) -> Preflight:
    """Everything above, for a campaign that is armed."""
    ready = _ready(campaign)
    person = _somebody(campaign)
    seconds = max((r.seconds for r in ready), default=0.0)
    return Preflight(
        audience=campaign.audience_size,
        excluded=dict(sorted(campaign.excluded.items(), key=lambda item: -item[1])),
        ready=ready,
        warnings=warnings(campaign, ready, seconds, datetime.now(UTC)),
        person=person,
        samples=samples(campaign, person) if person else (),
    )


def warnings(campaign: Campaign, ready: Sequence[Ready], seconds: float, now: datetime) -> list[str]:
    """Sentences for the person who is about to press GO."""
    found: list[str] = []
    if campaign.mode == Mode.TEST:
        found.append("This is a test campaign: everything goes to the sandbox and nobody is reached.")
    elif campaign.tenant.sandbox:
        found.append(f"{campaign.tenant} has not gone live: everything goes to the sandbox and nobody is reached.")
    messages, left_out = sum(r.messages for r in ready), sum(campaign.excluded.values())
    if left_out and left_out >= MANY_EXCLUDED * (messages + left_out):
        found.append(f"{left_out:,} of {messages + left_out:,} were left out. Is this the right audience?")
    if campaign.armed_at is not None and now - campaign.armed_at > STALE:
        found.append(f"It was armed on {campaign.armed_at:%d %B at %H:%M} UTC. Whoever joined since is not in it.")
    if campaign.not_after is not None and now + timedelta(seconds=seconds) > campaign.not_after:
        found.append("Its “not after” comes before the rate limit lets everything leave; the rest will expire.")
    found += [f"The account {r.account} is switched off; {r.channel} will wait for it." for r in ready if not r.enabled]
    return found


def samples(campaign: Campaign, person: Person) -> list[Sample]:
    """What this person gets on each of the campaign's channels."""
    version_id = campaign.version_id or _newest_version(campaign)
    if version_id is None:
        return []
    compiled = templates.compiled(version_id)
    category = campaign.template.category
    rule = Rule(category.key, Kind(category.kind)) if category else Rule()
    locale = person.choices.language or person.locale
    variables = {**campaign.data, "recipient": person.variables()}
    refused = {
        entry.channel: str(entry.reason).replace("_", " ")
        for entry in plan(person, rule, campaign.channels, datetime.now(UTC), campaign.tenant.timezone)
        if isinstance(entry, Suppressed)
    }
    return [
        _sample(compiled, name, compiled.locale_for(name, locale, campaign.tenant.default_locale), variables, refused)
        for name in campaign.channels
        if name in compiled.channels
    ]


def _sample(
    compiled: templates.Compiled, name: str, locale: str, variables: dict[str, Any], refused: Mapping[str, str]
) -> Sample:
    try:
        return Sample(name, compiled.render(name, locale, variables), refused.get(name, ""))
    except NotifierError as error:
        return Sample(name, refused=error.message)


def _ready(campaign: Campaign) -> list[Ready]:
    counts = ready_by_channel(campaign)
    used = ProviderAccount.objects.filter(tenant_id=campaign.tenant_id).in_bulk([account for _, account in counts])
    return [
        Ready(
            channel,
            used[account_id].name,
            used[account_id].provider,
            messages,
            accounts.rate_of(used[account_id]),
            used[account_id].enabled,
        )
        for (channel, account_id), messages in sorted(counts.items(), key=lambda item: (item[0][0], -item[1]))
    ]


def _somebody(campaign: Campaign) -> Person | None:
    """Somebody of the audience who can be shown: of its first few, whoever gets most of it."""
    if campaign.audience is None:
        return None
    first = [r.pk for r in audiences.sample(campaign.audience, LOOKED_AT)]
    found = people.by_ids(campaign.tenant_id, first)
    shown = [found[pk] for pk in first if pk in found]
    return min(shown, key=lambda person: sum(bool(s.refused) for s in samples(campaign, person)), default=None)


def _newest_version(campaign: Campaign) -> Any:
    newest = TemplateVersion.objects.filter(template_id=campaign.template_id).order_by("-number")
    return newest.values_list("pk", flat=True).first()
