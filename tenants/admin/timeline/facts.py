"""What stands beside a person's timeline: addresses and whether they may be used, devices, and preferences in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from tenants.admin.base.visibility import masked
from tenants.models import Device, Preference, Recipient, Suppression

#: devices that the page shows; the list of devices has the others
MOST_DEVICES = 20


@dataclass(frozen=True)
class Address:
    """An address of the recipient. `suppression`: the row that forbids it, or None."""

    channel: str
    text: str
    suppression: Suppression | None


@dataclass(frozen=True)
class DeviceLine:
    device: Device
    token: str
    suppressed: bool


@dataclass(frozen=True)
class Facts:
    """`preferences`: sentences; empty when the recipient changed nothing."""

    addresses: list[Address]
    devices: list[DeviceLine]
    preferences: list[str]


def read_facts(recipient: Recipient) -> Facts:
    """Three queries. The recipient comes with its preference (`select_related`)."""
    devices = list(Device.objects.filter(recipient=recipient).order_by("dead_since", "-last_seen_at")[:MOST_DEVICES])
    contacts = [(name, text) for name, text in (("email", recipient.email), ("sms", recipient.phone)) if text]
    texts = [text for _name, text in contacts] + [device.token for device in devices]
    rows = Suppression.objects.filter(
        tenant_id=recipient.tenant_id, channel__in=["email", "sms", "push"], address__in=texts
    )
    suppressions = {(row.channel, row.address): row for row in rows} if texts else {}
    return Facts(
        [Address(name, text, suppressions.get((name, text))) for name, text in contacts],
        [DeviceLine(d, masked(d.token), ("push", d.token) in suppressions) for d in devices],
        preference_sentences(getattr(recipient, "preference", None)),
    )


def preference_sentences(row: Preference | None) -> list[str]:
    """The stored preferences, a sentence each."""
    if row is None:
        return []
    lists: list[tuple[str, Any]] = [
        (_("Gets nothing on: %(names)s."), row.channels_off),
        (_("Opted out of: %(names)s."), row.categories_off),
        (_("Asked for: %(names)s."), row.categories_on),
    ]
    sentences = [_("Wants only critical and transactional messages.")] if row.everything_off else []
    sentences += [text % {"names": ", ".join(names)} for text, names in lists if names]
    for category, channel in sorted(row.preferred_channels.items()) if isinstance(row.preferred_channels, dict) else ():
        values = {"channel": channel, "category": category or _("everything")}
        sentences.append(_("Prefers %(channel)s for %(category)s.") % values)
    if row.quiet_from is not None and row.quiet_until is not None:
        hours = {"begin": f"{row.quiet_from:%H:%M}", "end": f"{row.quiet_until:%H:%M}"}
        sentences.append(_("Quiet from %(begin)s until %(end)s, in the recipient's time zone.") % hours)
    if row.snoozed_until is not None:
        sentences.append(_("Snoozed until %(time)s UTC.") % {"time": f"{row.snoozed_until:%Y-%m-%d %H:%M}"})
    if row.language:
        sentences.append(_("Reads %(language)s.") % {"language": row.language})
    return sentences
