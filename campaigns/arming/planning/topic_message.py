"""The one message of a campaign to a topic of Firebase. Google passes the message on to the devices that it has
subscribed, so the message has no recipient: nothing in it may be personal, and no preference can hold for it."""

from __future__ import annotations

from campaigns.arming import ids
from campaigns.arming.planning.planner import CampaignPlanner, Message, RangePlan, Route
from campaigns.audience.topics import CHANNEL, PLATFORM, address_of
from campaigns.models import Campaign
from notifier.channels import channel
from notifier.channels.base import UNREAD
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.content.liquid.text import PERSON, PERSONAL
from notifier.delivery.content.partly_rendered import PartlyRendered
from notifier.errors import InvalidInput
from notifier.vocabulary.people import NO_RECIPIENT


def topic_content(campaign: Campaign, compiled: templates.Compiled) -> PartlyRendered:
    """The content of the message, rendered. Raises InvalidInput, naming the variable, for a template that needs a
    recipient; and what rendering raises."""
    assert campaign.audience is not None
    locale = compiled.locale_for(CHANNEL, campaign.audience.locale, campaign.tenant.default_locale)
    content = compiled.render_partly(locale, campaign.data, campaign.tenant.content_rules)
    if content.personal:
        part, text = content.personal[0]
        variable = next((path for path in text.paths if path.partition(".")[0] in PERSONAL), PERSON)
        raise InvalidInput(
            f"{variable!r} in the part {part} of the language {locale.name} is of one recipient, and a topic has one "
            "message for all of its devices. Choose a template without variables of the recipient.",
            field="template",
            code="personal_variable",
        )
    if content.parts.get(channel(CHANNEL).unread_part) == UNREAD:
        raise InvalidInput(
            f"The badge {UNREAD!r} is the number of one recipient's unread messages, and a topic has no recipient. "
            "Choose a template without it.",
            field="template",
            code="personal_variable",
        )
    content.render({})  # raises why the shared parts cannot be sent
    return content


def plan_topic(planner: CampaignPlanner) -> RangePlan:
    """The plan of the campaign: its one message. Raises InvalidInput where no account can send it."""
    campaign = planner.campaign
    assert campaign.audience is not None and campaign.version_id is not None and campaign.first_armed_ms is not None
    content = topic_content(campaign, templates.compiled(campaign.version_id))
    route = Route(CHANNEL, PLATFORM, campaign.audience.app)
    account = planner.account(route)
    if account is None:
        missing = registry.no_account(route.channel, route.platform, route.app)
        raise InvalidInput(
            f"{missing}, and so none sends to the topic. Add an account of Firebase Cloud "
            "Messaging, or name the app of an account in the audience.",
            field="audience",
        )
    address = address_of(campaign.audience.topic)
    delivery_id = ids.delivery_ids(campaign.first_armed_ms, campaign.pk, CHANNEL)(address)
    message = Message(delivery_id, NO_RECIPIENT.hex, address, None, content, (), None)
    return RangePlan(messages={route: [message]}, accounts={route: account})
