"""The launch page: its live parts, the address that it polls when its socket is lost, and the exact account of a pause
or a stop."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from django.http import JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campaigns.live import fragments, sharing
from campaigns.live.fragments import Reader
from campaigns.models import Campaign
from campaigns.report import results
from campaigns.states import State
from campaigns.templatetags.figures import thousands

#: states whose page is the launch page
SHOWN_LIVE = frozenset({State.RUNNING, State.PAUSED})


def live_panel(campaign: Campaign) -> dict[str, Any]:
    """What `_running.html` shows. The caller has checked that the member may see the campaign."""
    shared = sharing.current(campaign.pk, nullcontext)
    if shared is None:
        return {}
    parts = fragments.page_parts(shared, _reader())
    return {"live": parts, "live_percent": f"{shared.figures.counts.percent:g}"}


def progress_answer(campaign: Campaign) -> JsonResponse:
    """What a page polls: figures while the campaign is armed, the parts of the launch page once it was launched."""
    if campaign.launched_at is None:
        progress = results.progress(campaign)
        return JsonResponse({**asdict(progress), "percent": percent(progress)})
    shared = sharing.current(campaign.pk, nullcontext)
    assert shared is not None  # the caller has found it
    return JsonResponse(dict(fragments.frame(shared, _reader())))


def account_text(campaign: Campaign) -> str:
    """The exact account at the moment of a pause or a stop."""
    sharing.invalidate(campaign.pk)
    campaign.refresh_from_db()
    progress = results.progress(campaign)
    figures = {"sent": thousands(progress.sent), "failed": thousands(progress.failed)}
    figures |= {"in_flight": thousands(progress.in_doubt), "waiting": thousands(progress.waiting)}
    if campaign.state == State.CANCELLED:
        return _("%(sent)s were sent, %(failed)s were not; %(in_flight)s are in flight and will be counted.") % figures
    return (
        _("%(sent)s were sent, %(failed)s failed, %(waiting)s wait; %(in_flight)s are in flight and will be counted.")
        % figures
    )


def percent(progress: results.Progress) -> int:
    """The share of messages that do not wait any more, 0 to 100."""
    return 100 * (progress.total - progress.waiting) // progress.total if progress.total else 0


def _reader() -> Reader:
    """The language and the zone of the page that is being answered."""
    return Reader(translation.get_language() or "en", timezone.get_current_timezone_name())
