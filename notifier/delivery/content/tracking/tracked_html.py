"""Puts the pixel and tracked links into the HTML of a message, as its tenant decided."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError

from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.delivery.content.tracking import html_links
from notifier.delivery.content.tracking.tracked_link import CLICK, LONGEST_URL, OPEN, TrackedLink, keys_of, token_of
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.vocabulary.content import Tracking
from tenants.models import Tenant

#: links that open no page
_NEVER = ("mailto:", "tel:", "#")
#: a tenant's choice takes effect within so many seconds
_choices = TtlCache[uuid.UUID, Tracking](seconds=2.0)


class PersonalLink(ValueError):
    """A link differs between recipients, so its token differs, too."""


def tracking_of(tenant_id: uuid.UUID) -> Tracking:
    """What the tenant chose, as it was 2 seconds ago at most. OFF while the database is away: a message without a pixel
    is better than a message in doubt."""
    choice = _choices.get(tenant_id)
    if choice is None:
        try:
            stored = Tenant.objects.filter(pk=tenant_id).values_list("tracking", flat=True).first()
        except (OperationalError, InterfaceError):
            return Tracking.OFF
        choice = Tracking(stored or Tracking.OFF)
        _choices.keep(tenant_id, choice)
    return choice


def with_tracking(
    name: str, content: Mapping[str, Any], envelope: Envelope, placeholders: re.Pattern[str] | None = None
) -> Mapping[str, Any]:
    """The rendered parts of a message of channel `name`, with tracked HTML. The parts as they are for a channel without
    HTML, for a tenant that tracks nothing, and for a message of no campaign where only campaigns are counted.

    `placeholders`: what stands for the texts of recipients in the sample message of a body template. Raises
    PersonalLink for a link that holds one. 0.2 ms for a page of 5 kB with 20 links."""
    parts = [part for part in channel(name).html_parts if content.get(part)]
    if not parts or (choice := tracking_of(envelope.tenant_id)) is Tracking.OFF:
        return content
    counted = envelope.campaign_id if choice is Tracking.ANONYMOUS else None
    if choice is Tracking.ANONYMOUS and counted is None:
        return content
    tracker = _Tracker(envelope, counted, placeholders)
    return {**content, **{part: tracker.track(content[part]) for part in parts}}


class _Tracker:
    """The addresses of one message. `counted`: the campaign for which they count; None: they name the delivery."""

    def __init__(self, envelope: Envelope, counted: uuid.UUID | None, placeholders: re.Pattern[str] | None) -> None:
        self._tenant_id, self._counted, self._placeholders = envelope.tenant_id, counted, placeholders
        self._key = keys_of(envelope.tenant_id)[0]
        self._end = "" if counted else f"/{envelope.delivery_id.hex}"
        self._own = f"{settings.SITE_URL}/"

    def track(self, html: str) -> str:
        return html_links.with_pixel(html_links.replace_links(html, self._click), self._address(OPEN, ""))

    def _click(self, target: str) -> str | None:
        """None for a link that is not tracked: no URL of the web, a link to this site (such as one to opt out), or a
        link that is too long."""
        if target.lower().startswith(_NEVER) or target.startswith(self._own):
            return None
        if self._placeholders and self._placeholders.search(target):
            raise PersonalLink
        if not html_links.is_web(target) or len(target) > LONGEST_URL:
            return None
        return self._address(CLICK, target)

    def _address(self, path: str, url: str) -> str:
        token = token_of(TrackedLink(self._tenant_id, url, self._counted), self._key)
        return f"{self._own}{path}{token}{self._end}"


def reset() -> None:
    """Forget what this process read of tenants."""
    _choices.clear()
