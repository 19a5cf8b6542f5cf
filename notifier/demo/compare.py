"""Ledger and receiver, message by message, on every channel: the demo succeeds only if both say the same."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from campaigns.arming import delivery_id_range
from campaigns.models import Campaign
from inbox.models import InboxMessage
from notifier.demo.client import Client
from notifier.models import Delivery
from notifier.vocabulary.status import TAKEN, Status

Messages = set[tuple[str, str]]  #: (delivery id, address)


def differences(campaign: str, channels: tuple[str, ...], sandbox: Client) -> list[str]:
    """Messages that arrived and are not sent in the ledger, and messages that are sent and did not arrive, for each
    channel of a campaign."""
    return [line for channel in channels for line in _of_channel(campaign, channel, sandbox)]


def accounted(campaign: str) -> int:
    """The campaign's messages that were in shards and whose outcomes stand in the ledger."""
    low, high = delivery_id_range(Campaign.objects.get(pk=campaign))
    rows = Delivery.objects.filter(campaign_id=campaign, id__gte=low, id__lt=high)  # the range prunes partitions
    return rows.exclude(status__in=(Status.ARMED, Status.SUPPRESSED)).count()


def _of_channel(campaign: str, channel: str, sandbox: Client) -> list[str]:
    rows = Delivery.objects.filter(campaign_id=campaign, channel=channel, status__in=TAKEN)
    ledger: Messages = {(str(pk), _arrives_at(address)) for pk, address in rows.values_list("pk", "address").iterator()}
    arrived = _in_inboxes(ledger) if channel == "in_app" else _at_sandbox(channel, sandbox)
    lines = []
    if not ledger:
        lines.append(f"{channel}: the ledger says that nothing was sent")
    if arrived - ledger:
        lines.append(f"{channel}: {len(arrived - ledger)} messages arrived that are not sent in the ledger")
    if ledger - arrived:
        lines.append(f"{channel}: {len(ledger - arrived)} messages are sent in the ledger and did not arrive")
    return lines


def _arrives_at(address: str) -> str:
    """The address as the receiver knows it: a token of Web Push holds keys behind the browser's endpoint."""
    return address.partition("#")[0] if address.startswith("https://") else address


def _at_sandbox(channel: str, sandbox: Client) -> Messages:
    report: dict[str, Any] = sandbox.get(f"/_report?detail=1&limit=10000000&channel={channel}")
    return {(message["delivery"], message["address"]) for message in report["messages"]}


def sent_by_platform(campaign: str) -> dict[str, int]:
    """The campaign's pushes that the ledger calls sent, by the platform of their devices."""
    rows = Delivery.objects.filter(campaign_id=campaign, channel="push", status__in=TAKEN)
    return dict(rows.values_list("platform").annotate(Count("pk")).order_by("platform"))


def _in_inboxes(ledger: Messages) -> Messages:
    """The messages of the ledger that stand in an inbox; an inbox message has the id of its delivery."""
    addresses = dict(ledger)
    ids = list(addresses)
    stored = (
        str(pk)
        for start in range(0, len(ids), 10_000)
        for pk in InboxMessage.objects.filter(pk__in=ids[start : start + 10_000]).values_list("pk", flat=True)
    )
    return {(pk, addresses[pk]) for pk in stored}
