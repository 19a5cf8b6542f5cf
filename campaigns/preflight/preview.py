"""What one recipient of a campaign's audience gets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from campaigns.audience import sample_recipients, topic_of
from campaigns.audience.topics import CHANNEL
from campaigns.category import category_rule_of
from campaigns.models import Campaign
from notifier.channels import channel
from notifier.delivery.content import rules, templates
from notifier.delivery.content.attachments.listing import file_names
from notifier.delivery.content.links.variables import sample_links
from notifier.delivery.content.liquid.render_budget import shared_budget
from notifier.delivery.content.liquid.text import PERSON
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.planning import recipients
from notifier.delivery.planning.plan import Rule, Suppressed, plan
from notifier.errors import NotifierError
from notifier.models import TemplateVersion
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Person

#: recipients of whom one is shown
CANDIDATES = 20


@dataclass(frozen=True)
class Sample:
    """What one recipient gets on one channel, or why the recipient gets nothing there."""

    channel: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""

    @property
    def segments(self) -> int:
        """SMS segments of this message; 0 on a channel without segments."""
        kind = channel(self.channel)
        return kind.segments(self.parts) if kind.segmented and self.parts else 0

    @property
    def headline(self) -> str:
        """The first main part of a channel that has several, such as a title."""
        main = self._main_parts()
        return self.parts.get(main[0], "") if len(main) > 1 else ""

    @property
    def texts(self) -> list[str]:
        """The other main parts, such as a body."""
        main = self._main_parts()
        return [self.parts[part] for part in main[len(main) > 1 :] if self.parts.get(part)]

    @property
    def notes(self) -> list[str]:
        """The other parts with their names, such as `link: https://shop.example/`."""
        left_out = {*self._main_parts(), *channel(self.channel).file_parts}
        in_order = [part for part in channel(self.channel).parts if part in self.parts]
        others = {part: self.parts[part] for part in in_order if part not in left_out}
        return [f"{name}: {text}" for name, text in rules.flat_parts(others).items() if text]

    @property
    def silent(self) -> bool:
        """Whether the recipient sees nothing."""
        return bool(self.parts) and channel(self.channel).is_silent(self.parts)

    @property
    def files(self) -> str:
        """The names of the attached files."""
        lists = [self.parts[part] for part in channel(self.channel).file_parts if self.parts.get(part)]
        return ", ".join(map(file_names, lists))

    def _main_parts(self) -> list[str]:
        """The parts of which a message has at least one; else the parts that every message has."""
        kind = channel(self.channel)
        return [part for part, required in kind.parts.items() if (part in kind.shown if kind.shown else required)]


def example_recipient(campaign: Campaign) -> Person | None:
    """The recipient to show: of the first few of the audience, the one who gets a message on the most channels."""
    if campaign.audience is None:
        return None
    first = [r.pk for r in sample_recipients(campaign.audience, CANDIDATES)]
    people = recipients.load_by_ids(campaign.tenant_id, first)
    candidates = [people[pk] for pk in first if pk in people]
    version_id, rule = campaign.version_id or newest_version(campaign), category_rule_of(campaign)
    if version_id is None:
        return candidates[0] if candidates else None
    compiled = templates.compiled(version_id)
    with shared_budget(len(candidates)):
        return min(
            candidates,
            key=lambda one: sum(bool(s.refused) for s in _of_person(compiled, campaign, one, rule)),
            default=None,
        )


def samples(campaign: Campaign, person: Person | None) -> list[Sample]:
    """What this recipient gets on each of the campaign's channels; what the devices of a topic get; nothing where there
    is neither."""
    version_id = campaign.version_id or newest_version(campaign)
    if version_id is None:
        return []
    compiled = templates.compiled(version_id)
    if person is None:
        return [_of_topic(compiled, campaign)] if topic_of(campaign) else []
    return _of_person(compiled, campaign, person, category_rule_of(campaign))


def _of_person(compiled: templates.Compiled, campaign: Campaign, person: Person, rule: Rule) -> list[Sample]:
    locale, default = person.preferences.language or person.locale, campaign.tenant.default_locale
    context = _RenderContext(
        {**campaign.data, **sample_links(), PERSON: person.variables()}, campaign.tenant.content_rules
    )
    planned = plan(person, rule, campaign.channels, None)
    refused = {e.channel: str(e.reason).replace("_", " ") for e in planned if isinstance(e, Suppressed)}
    with shared_budget():
        return [
            _sample(compiled, compiled.locale_for(name, locale, default), context, refused.get(name, ""))
            for name in campaign.channels
            if name in compiled.channels
        ]


def _of_topic(compiled: templates.Compiled, campaign: Campaign) -> Sample:
    assert campaign.audience is not None
    content = compiled.locale_for(CHANNEL, campaign.audience.locale, campaign.tenant.default_locale)
    context = _RenderContext(dict(campaign.data), campaign.tenant.content_rules)
    with shared_budget():
        return _sample(compiled, content, context, "")


class _RenderContext(NamedTuple):
    variables: dict[str, Any]
    tenant_rules: TenantRules


def _sample(compiled: templates.Compiled, content: Locale, context: _RenderContext, refused: str) -> Sample:
    try:
        return Sample(content.channel, compiled.render(content, context.variables, context.tenant_rules), refused)
    except NotifierError as error:
        return Sample(content.channel, refused=error.message)


def newest_version(campaign: Campaign) -> uuid.UUID | None:
    """The version that arming would freeze now."""
    newest = TemplateVersion.objects.filter(template_id=campaign.template_id).order_by("-number")
    return newest.values_list("pk", flat=True).first()
