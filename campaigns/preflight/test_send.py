"""Test send: a campaign's message to one recipient, so that a person sees it on a device before the audience does.

The message goes the way of a single notification, at once. It has no category, so neither quiet hours nor a category
that the tester turned off hold it back; a channel that is off and a suppressed address still do.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Now

from campaigns.audit import Act, Actor, record
from campaigns.models import Campaign, CampaignVariant
from campaigns.preflight.preview import newest_version
from notifier.delivery.accept import Accepted, accept_one
from notifier.errors import Conflict, InvalidInput
from notifier.models import Notification, TemplateVersion
from notifier.values.trim import trimmed
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode, Status


def send(campaign: Campaign, recipient: str, by: Actor) -> Accepted:
    """Send the campaign's newest content to the tenant's recipient with this external id, and remember that the
    campaign was tested, unless every message of a copy is suppressed: nobody sees that copy. Of a campaign with
    variants the recipient gets a copy of each; not of a variant with an older version, because a notification is made
    from the newest. The answer has the messages of all copies. Raises what accepting a notification raises, or Conflict
    for a silent run."""
    if campaign.silent:
        raise Conflict("A silent run reaches nobody; test the campaign that it rehearses.", code="no_test_send")
    if not trimmed(recipient):
        raise InvalidInput(
            "Must be the external id of the recipient who gets the message.", field="recipient", code="required"
        )
    with transaction.atomic():
        # locked, so that an edit either comes before the test send or clears `tested_at` after it
        campaign = Campaign.objects.select_for_update(of=("self",)).select_related("template").get(pk=campaign.pk)
        keys = _variant_templates(campaign) or [campaign.template.key]
        copies = [accept_one(campaign.tenant_id, _request(campaign, key, trimmed(recipient))) for key in keys]
        accepted = replace(copies[0], deliveries=tuple(each for copy in copies for each in copy.deliveries))
        version = Notification.objects.values_list("version_id", flat=True).get(pk=accepted.notification_id)
        if keys != [campaign.template.key]:
            version = newest_version(campaign) or version
        if all(_leaves(copy) for copy in copies):
            Campaign.objects.filter(pk=campaign.pk).update(tested_at=Now(), tested_version=version)
        for copy in copies:
            record(campaign, Act.TEST, by, notification=str(copy.notification_id))
    return accepted


def _leaves(copy: Accepted) -> bool:
    """Whether any message of the copy is on its way to the tester."""
    return any(delivery.status != Status.SUPPRESSED for delivery in copy.deliveries)


def _variant_templates(campaign: Campaign) -> list[str]:
    """The template of each variant that is made from its newest version."""
    variants = CampaignVariant.objects.filter(campaign=campaign).select_related("template")
    newest = Subquery(
        TemplateVersion.objects.filter(template=OuterRef("template")).order_by("-number").values("number")[:1]
    )
    rows = variants.filter(Q(number__isnull=True) | Q(number=newest))
    return list(dict.fromkeys(variant.template.key for variant in rows))


def _request(campaign: Campaign, template: str, recipient: str) -> SendRequest:
    return SendRequest(
        recipient=recipient,
        template=template,
        channels=tuple(campaign.channels),
        data=campaign.data,
        mode=Mode(campaign.mode),
        without_category=True,
    )
