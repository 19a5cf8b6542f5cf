"""The email of a campaign as one recipient got it. Campaigns are an app above the engine: they register the renderer in
`AppConfig.ready`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

Parts = Mapping[str, Any]
#: tenant, campaign, recipient -> the rendered parts; None for an email that cannot be rendered any more
EmailRenderer = Callable[[uuid.UUID, uuid.UUID, uuid.UUID], Parts | None]
_renderers: list[EmailRenderer] = []


def register_campaign_emails(renderer: EmailRenderer) -> None:
    _renderers[:] = [renderer]


def email_of_campaign(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, recipient_id: uuid.UUID
) -> Mapping[str, Any] | None:
    """None where no campaigns are installed, too."""
    return _renderers[0](tenant_id, campaign_id, recipient_id) if _renderers else None
