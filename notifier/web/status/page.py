"""The view of a tenant's status page: no script, no cookie, no login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from notifier.delivery.channel_status.state import ChannelState
from notifier.models import Incident
from notifier.web.languages import accepted_languages
from notifier.web.status.shown import KEPT_SECONDS, Shown, ShownChannel, load
from notifier.web.status.texts import DATES, TEXTS, Texts, language_of

PATH = "status/"


class Cell(NamedTuple):
    """One hour or day of a bar: its place from the left, and its state."""

    x: int
    state: str


class Bar(NamedTuple):
    title: str
    summary: str
    cells: list[Cell]
    width: int


@require_safe
@transaction.non_atomic_requests
def status_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The page; 404 for a tenant whose page is off, as for an unknown one."""
    shown = load(slug, datetime.now(UTC))
    if shown is None:
        raise Http404
    asked = request.GET.get("lang", "")[:10]
    language = language_of(asked, *accepted_languages(request), shown.tenant.default_locale)
    response = render(request, "status.html", _context(shown, language))
    response["Cache-Control"] = f"public, max-age={KEPT_SECONDS:.0f}"
    response["Vary"] = "Accept-Language"
    return response


def _context(shown: Shown, language: str) -> dict[str, Any]:
    texts = TEXTS[language]
    return {
        "language": language,
        "languages": list(TEXTS),
        "t": texts,
        "tenant": shown.tenant,
        "title": texts["title"].format(sender=shown.tenant.name),
        "state": shown.state.value,
        "sentence": texts[f"all_{shown.state.value}"],
        "channels": [_channel(channel, texts) for channel in shown.channels],
        "legend": [(name, texts[name]) for name in (*ChannelState, "unknown")],
        "incidents": [_incident(incident, texts, DATES[language]) for incident in shown.incidents],
        "updated": texts["updated"].format(at=shown.at.strftime(DATES[language])),
    }


def _channel(channel: ShownChannel, texts: Texts) -> dict[str, Any]:
    return {
        "label": texts.get(channel.name, channel.name),
        "state": channel.state.value,
        "word": texts[channel.state.value],
        "bars": [_bar("hours", channel.bars.hours, texts, 30), _bar("days", channel.bars.days, texts, 8)],
    }


def _bar(kind: str, states: Sequence[ChannelState | None], texts: Texts, step: int) -> Bar:
    """The bar, and what a screen reader says of it."""
    words = [state.value if state else "unknown" for state in states]
    counts = Counter(words)
    named = {name: counts[name] for name in ("degraded", "outage", "unknown")}
    summary = texts[f"trouble_{kind}"].format(**named)
    return Bar(texts[kind], summary, [Cell(n * step, word) for n, word in enumerate(words)], len(words) * step)


def _incident(incident: Incident, texts: Texts, dates: str) -> dict[str, Any]:
    began = incident.began_at.astimezone(UTC).strftime(dates)
    ended = incident.ended_at and incident.ended_at.astimezone(UTC).strftime(dates)
    when = texts["until"].format(began=began, ended=ended) if ended else texts["since"].format(began=began)
    return {
        "title": incident.title,
        "text": incident.text,
        "stage": texts[incident.stage],
        "over": incident.stage == Incident.Stage.RESOLVED,
        "when": when,
        "channels": [texts.get(name, name) for name in incident.channels],
    }
