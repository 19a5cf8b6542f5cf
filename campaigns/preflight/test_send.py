"""Test send: a campaign's message to one recipient, so that a person sees it on a device before the audience does.

The message goes the way of a single notification, at once. It has no category, so neither quiet hours nor a category
that the tester turned off hold it back; a channel that is off and a suppressed address still do.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from campaigns.audit import Act, Actor, record
from campaigns.models import Campaign
from notifier.delivery.accept import Accepted, accept_one
from notifier.errors import Conflict, InvalidInput
from notifier.models import Notification
from notifier.values.trim import trimmed
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode


def send(campaign: Campaign, recipient: str, by: Actor) -> Accepted:
    """Send the campaign's newest content to the tenant's recipient with this external id, and remember that the
    campaign was tested. Raises what accepting a notification raises, or Conflict for a silent run."""
    if campaign.silent:
        raise Conflict("A silent run reaches nobody; test the campaign that it rehearses.", code="no_test_send")
    if not trimmed(recipient):
        raise InvalidInput(
            "Must be the external id of the recipient who gets the message.", field="recipient", code="required"
        )
    with transaction.atomic():
        # locked, so that an edit either comes before the test send or clears `tested_at` after it
        campaign = Campaign.objects.select_for_update(of=("self",)).select_related("template").get(pk=campaign.pk)
        accepted = accept_one(campaign.tenant_id, _request(campaign, trimmed(recipient)))
        version = Notification.objects.values_list("version_id", flat=True).get(pk=accepted.notification_id)
        Campaign.objects.filter(pk=campaign.pk).update(tested_at=Now(), tested_version=version)
        record(campaign, Act.TEST, by, notification=str(accepted.notification_id))
    return accepted


def _request(campaign: Campaign, recipient: str) -> SendRequest:
    return SendRequest(
        recipient=recipient,
        template=campaign.template.key,
        channels=tuple(campaign.channels),
        data=campaign.data,
        mode=Mode(campaign.mode),
        without_category=True,
    )
