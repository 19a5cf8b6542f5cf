"""Who is in an audience, for its page and while a filter is written: the count, ten people, and on which channels they
can be reached. Each look takes at most three seconds of PostgreSQL, whatever the tenant's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.admin.audience.builder import CHANNEL_LABELS, PLATFORM_LABELS, Text
from campaigns.audience import Reach, check_kept, reach_of, reachable, sizes, some_of
from campaigns.audience.topics import NO_OPT_OUT_HOLDS, ONLY_FIREBASE
from campaigns.models import Audience
from notifier.vocabulary.status import Reason

EXAMPLES = 10

REASONS: dict[str, Text] = {
    Reason.NO_ADDRESS: gettext_lazy("no address"),
    Reason.EVERYTHING_OFF: gettext_lazy("switched everything off"),
    Reason.NOT_OPTED_IN: gettext_lazy("not opted in"),
    Reason.CHANNEL_OFF: gettext_lazy("switched the channel off"),
    Reason.CATEGORY_OFF: gettext_lazy("switched the category off"),
    Reason.PREFERRED_CHANNEL: gettext_lazy("prefers another channel"),
    Reason.ADDRESS_SUPPRESSED: gettext_lazy("suppressed address"),
    Reason.RECIPIENT_BLOCKED: gettext_lazy("blocked"),
    Reason.RECIPIENT_ERASED: gettext_lazy("erased"),
    Reason.DUPLICATE_ADDRESS: gettext_lazy("another person has the same address"),
    Reason.MISSING_VARIABLE: gettext_lazy("the template lacks a value"),
    Reason.TEMPLATE_ERROR: gettext_lazy("the template cannot be rendered"),
    Reason.UNKNOWN_RECIPIENT: gettext_lazy("the id of the list is no person"),
    Reason.NO_ACCOUNT: gettext_lazy("no provider account for the device or channel"),
    Reason.LOCAL_TIME_PASSED: gettext_lazy("the local time had passed"),
    Reason.FREQUENCY_CAP: gettext_lazy("reached the frequency cap"),
    Reason.QUIET_HOURS: gettext_lazy("quiet hours"),
    Reason.SNOOZED: gettext_lazy("snoozed"),
    Reason.SEND_WINDOW: gettext_lazy("outside of the send window"),
}


def reason_text(reason: str) -> str:
    """A reason in words."""
    return str(REASONS.get(reason, reason.replace("_", " ")))


class Size(TextChoices):
    """How well the number of people is known."""

    EXACT = "exact"
    ESTIMATE = "estimate"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ChannelLine:
    """One channel of the table: the share of the people who were looked at, and why the others cannot be reached."""

    label: str
    percent: int
    people: int
    platforms: str
    reasons: str


def look_at(audience: Audience) -> dict[str, Any]:
    """The context of the panel `_reach.html`; remembers the count of a stored audience. Raises InvalidInput for a wrong
    filter, and for one that asks for messages which are deleted."""
    if audience.is_topic:
        return {"no_opt_out_holds": NO_OPT_OUT_HOLDS, "only_firebase": ONLY_FIREBASE, "is_topic": True}
    check_kept(audience)
    reach = reach_of(audience)
    if reach.people is not None and not audience._state.adding:
        sizes.keep(audience, reach.people, exact=reach.exact)
    seen = reachable.reachable(audience.tenant_id, reach.ids)
    return {
        "size": _size(reach),
        "people": reach.people,
        "sampled": reach.sampled,
        "looked_at": seen.looked_at,
        "nowhere": seen.nowhere,
        "channels": [_line(channel, seen.looked_at) for channel in sorted(seen.channels, key=_place)],
        "sample": some_of(audience, reach, EXAMPLES),
    }


def _place(channel: reachable.ChannelReach) -> int:
    names = list(CHANNEL_LABELS)
    return names.index(channel.channel) if channel.channel in names else len(names)


def _size(reach: Reach) -> str:
    if reach.people is None:
        return Size.UNKNOWN
    return Size.EXACT if reach.exact else Size.ESTIMATE


def _line(channel: reachable.ChannelReach, looked_at: int) -> ChannelLine:
    platforms = (f"{PLATFORM_LABELS.get(name, name)} {n:,}" for name, n in channel.platforms.most_common())
    reasons = (f"{reason_text(reason)} {n:,}" for reason, n in channel.reasons.most_common())
    return ChannelLine(
        str(CHANNEL_LABELS.get(channel.channel, channel.channel)),
        round(100 * channel.people / looked_at) if looked_at else 0,
        channel.people,
        ", ".join(platforms),
        ", ".join(reasons) or _("everybody has an address"),
    )
