"""A campaign's email once more, for the link "view in browser": the armed version with the campaign's data, and with
the recipient's data as they are now. The ledger keeps no content of a campaign's messages: 10 kB for each of a million
recipients would be 10 GB a campaign."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from campaigns.arming.planning.variants import version_for
from campaigns.category import category_rule_of
from campaigns.models import Campaign
from notifier.delivery.content import templates
from notifier.delivery.content.links.preferences_link import end_of_link
from notifier.delivery.content.links.variables import LinkedMessage, category_to_leave, link_values
from notifier.delivery.content.liquid.render_budget import shared_budget
from notifier.delivery.content.liquid.text import PERSON
from notifier.delivery.planning import recipients
from notifier.errors import NotifierError
from notifier.vocabulary.people import Person

_CHANNEL = "email"


def render_email(tenant_id: uuid.UUID, campaign_id: uuid.UUID, recipient_id: uuid.UUID) -> Mapping[str, Any] | None:
    """The parts of the email; None for a campaign that was deleted or returned to draft, a person who was deleted or
    erased, and a person whose data do not fit the template any more. Needs the tenant's scope."""
    campaign = Campaign.objects.select_related("tenant", "template").filter(tenant=tenant_id, pk=campaign_id).first()
    person = recipients.load_by_ids(tenant_id, [recipient_id]).get(recipient_id)
    if campaign is None or person is None or person.status == "erased":
        return None
    version_id = version_for(campaign, recipient_id)
    if version_id is None:
        return None
    compiled = templates.compiled(version_id)
    if _CHANNEL not in compiled.channels:
        return None
    locale = person.preferences.language or person.locale
    content = compiled.locale_for(_CHANNEL, locale, campaign.tenant.default_locale)
    variables = {**campaign.data, **_links(campaign, person, compiled), PERSON: person.variables()}
    try:
        with shared_budget():
            return compiled.render(content, variables, campaign.tenant.content_rules)
    except NotifierError:
        # the page says that the email cannot be shown any more; nothing else depends on it
        return None


def _links(campaign: Campaign, person: Person, compiled: templates.Compiled) -> Mapping[str, str]:
    rule = category_rule_of(campaign)
    message = LinkedMessage(
        campaign.tenant_id,
        person.id,
        _CHANNEL,
        category_to_leave(rule.kind, rule.category),
        # as in the email: whoever has an old email must not get a new link to the preferences by its page
        end_of_link(campaign.armed_at or campaign.created_at),
        campaign_id=campaign.pk,
    )
    return link_values(compiled.links.get(_CHANNEL, ()), message)
