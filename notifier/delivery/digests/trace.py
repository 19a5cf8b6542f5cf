"""The lines of digests in an explanation."""

from __future__ import annotations

import uuid

from notifier.delivery.digests.gathering import campaign_digest
from notifier.delivery.planning.trace import PASSED, RuleResult, Trace, TraceRequest
from notifier.models import Digest
from notifier.values.duration import write_duration
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.digests import DigestTerms
from notifier.vocabulary.status import Reason


def trace_digest(tenant_id: uuid.UUID, request: TraceRequest, traced: Trace) -> list[RuleResult]:
    """One line for each channel, of a category that has a digest. A request may bring a digest of its own, of which an
    explanation knows nothing."""
    category = request.rule.category
    how = campaign_digest(tenant_id, category) if category else None
    if how is None:
        return []
    terms, channels = how
    looked_at = _describe(terms) + _describe_open(tenant_id, request.person.id, category)
    return [
        RuleResult(str(Reason.IN_DIGEST), looked_at, _said(terms, name in channels), name) for name in request.channels
    ]


def _said(terms: DigestTerms, serves: bool) -> str:
    if not serves:
        return f"{PASSED}: the digest does not go to this channel"
    if terms.only_over_cap:
        return f"{PASSED}: only a message that exceeds a frequency cap is gathered"
    return "gathered, unless the message has a time, files or a route of its own"


def _describe(terms: DigestTerms) -> str:
    if terms.schedule is not None:
        when = str(terms.schedule)
    else:
        assert terms.window is not None and terms.max_window is not None
        window, longest = write_duration(terms.window), write_duration(terms.max_window)
        when = f"{window} after the newest item, {longest} after the first at the latest"
    return f"the category's digest by the template {terms.template}: {when}"


def _describe_open(tenant_id: uuid.UUID, recipient_id: uuid.UUID, category: str) -> str:
    opened = Digest.objects.filter(
        tenant_id=tenant_id, recipient_id=recipient_id, category=category, key="", closed_at=None
    ).first()
    if opened is None:
        return ""
    return f"; one is open until {utc_minute(opened.closes_at)} with {opened.items} items"
