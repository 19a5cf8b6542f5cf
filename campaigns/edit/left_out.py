"""An audience of the people who were left out of a campaign for one reason, and can be reached otherwise."""

from __future__ import annotations

import tempfile

from django.core.files.base import File
from django.db import transaction

from campaigns.audience import left_out
from campaigns.audit import Actor
from campaigns.edit import audiences, uploads
from campaigns.models import Audience, Campaign
from notifier.errors import Conflict, InvalidInput
from tenants.access import allow_slow_statements
from tenants.models import Import


def make_audience(campaign: Campaign, reason: str, channel: str, *, by: Actor) -> tuple[Audience, Import]:
    """A list of these people; a large one is loaded by a worker. Raises InvalidInput for a reason that is the
    recipients' own will, and Conflict when nobody is left to list."""
    if reason in left_out.WILL:
        raise InvalidInput("These people chose not to get such messages, or are blocked.", field="reason")
    with transaction.atomic(), tempfile.TemporaryFile() as ids:
        allow_slow_statements()
        ids.write(b"external_id\n")
        rows = 0
        for external_id in left_out.external_ids_of(campaign, reason, channel):
            quoted = external_id.replace('"', '""')
            ids.write(f'"{quoted}"\n'.encode())
            rows += 1
        if not rows:
            raise Conflict("None of these people is an active recipient now.")
        ids.seek(0)
        name = audiences.free_name(campaign.tenant, f"{campaign.name}: {reason.replace('_', ' ')}, {channel}")
        definition = audiences.Definition(Audience.Source.LIST)
        audience = audiences.create(campaign.tenant, name, definition, by=by)
        return audience, uploads.put(audience, uploads.Upload(File(ids, name="left-out.csv"), by))
