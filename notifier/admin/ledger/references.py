"""Rows of the ledger that name a recipient or a provider account without a foreign key."""

from __future__ import annotations

from notifier.channels import channels
from notifier.models import Delivery, ProviderAccount
from notifier.vocabulary.status import QueuePosition, Status
from tenants.admin.base.deletion import Reference, register_references
from tenants.models import Recipient


def register() -> None:
    """The admin looks for such rows before it deletes a recipient or an account. Called by NotifierConfig.ready."""
    register_references(Recipient, Reference(Delivery, "recipient_id"))
    # only unfinished deliveries need their account; final ones keep its id as a record
    register_references(
        ProviderAccount,
        Reference(
            Delivery,
            "account_id",
            {"status": Status.QUEUED, "queue_position": QueuePosition.HAS_TURN, "channel__in": sorted(channels())},
            "waiting deliveries",
        ),
        Reference(
            Delivery,
            "account_id",
            {"status__in": (Status.CLAIMED, Status.SENDING), "lease_until__isnull": False},
            "deliveries in flight",
        ),
    )
