"""What GO does, in one sentence for the person who presses it: how many people, by which channels, through whom, how
long, and at what cost."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from campaigns.preflight.preflight import Preflight
from campaigns.templatetags.figures import duration

#: as the providers call themselves
PROVIDERS = {
    "apns": "APNs", "expo": "Expo", "fcm": "FCM", "hms": "Huawei Push", "in_app": "Notifier", "ses": "Amazon SES",
    "smtp": "SMTP", "twilio": "Twilio", "vonage": "Vonage", "webpush": "Web Push",
}  # fmt: skip


def go_sentence(campaign: Campaign, preflight: Preflight) -> str:
    """Such as: 48,210 people get this by push (45,100) and email (31,004) through FCM and Mailgun, within about 9 s
    from GO, for about 12.40."""
    parts = {
        "who": _who(preflight),
        "channels": _joined(f"{_name(name)} ({number:,})" for name, number in _by_channel(preflight).items()),
        "providers": _joined(dict.fromkeys(_provider(r.provider) for r in preflight.ready)),
        "time": _time(campaign, preflight),
        "cost": _cost(preflight),
    }
    return _("%(who)s by %(channels)s through %(providers)s, %(time)s, %(cost)s.") % parts


def people_reached(preflight: Preflight) -> int:
    """Recipients who get at least one message; 0 for a topic, whose devices are unknown."""
    return 0 if preflight.topic else max(0, preflight.audience - preflight.unreached)


def _who(preflight: Preflight) -> str:
    if preflight.topic:
        return _("The devices of %s get this, and only Google knows how many,") % preflight.topic
    number = people_reached(preflight)
    return ngettext("%s person gets this", "%s people get this", number) % f"{number:,}"


def _by_channel(preflight: Preflight) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for ready in preflight.ready:
        numbers[ready.channel] = numbers.get(ready.channel, 0) + ready.messages
    return numbers


def _time(campaign: Campaign, preflight: Preflight) -> str:
    if campaign.local_time is not None:
        return _("each at %s of the recipient's own clock") % f"{campaign.local_time:%-d %B %Y, %H:%M}"
    seconds = preflight.estimate.seconds if preflight.estimate else 0.0
    if seconds < 1:
        return _("within a moment from GO")
    return _("within about %s from GO") % duration(seconds)


def _cost(preflight: Preflight) -> str:
    """Only SMS has a price per message: an account's own."""
    if preflight.cost is not None:
        return _("for about %s at the prices of the accounts") % f"{preflight.cost:,.2f}"
    if preflight.segments:
        return _("at a price that no account states")
    return _("and no account states a price")


def _name(channel: str) -> str:
    return {"in_app": _("inbox"), "sms": "SMS"}.get(channel, channel)


def _provider(name: str) -> str:
    return PROVIDERS.get(name, name.replace("_", " ").title())


def _joined(words: Iterable[str]) -> str:
    *first, last = list(words) or [_("no account")]
    return _("%(first)s and %(last)s") % {"first": ", ".join(first), "last": last} if first else last
