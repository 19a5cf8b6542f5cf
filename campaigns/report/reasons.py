"""The reasons of outcomes in words, for pages and files that people read. The API keeps the names."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifier.vocabulary.status import Reason

_TEXTS: Mapping[str, str | Promise] = {
    Reason.NO_ADDRESS: _("no address on this channel"),
    Reason.EVERYTHING_OFF: _("opted out of everything"),
    Reason.NOT_OPTED_IN: _("not opted in"),
    Reason.CHANNEL_OFF: _("opted out of this channel"),
    Reason.CATEGORY_OFF: _("opted out of this category"),
    Reason.PREFERRED_CHANNEL: _("prefers another channel"),
    Reason.ADDRESS_SUPPRESSED: _("the address is suppressed"),
    Reason.RECIPIENT_BLOCKED: _("the recipient is blocked"),
    Reason.RECIPIENT_ERASED: _("the recipient was erased"),
    Reason.DUPLICATE_ADDRESS: _("another recipient has the same address"),
    Reason.MISSING_VARIABLE: _("a variable has no value"),
    Reason.TEMPLATE_ERROR: _("the template cannot be rendered"),
    Reason.UNKNOWN_RECIPIENT: _("there is no such recipient"),
    Reason.NO_ACCOUNT: _("no provider account sends it"),
    Reason.STOPPED: _("the campaign was stopped"),
    Reason.BY_REQUEST: _("cancelled on request"),
    Reason.NOT_AFTER: _("too late: the campaign's last time had passed"),
    Reason.QUIET_HOURS: _("quiet hours"),
    Reason.SNOOZED: _("snoozed"),
    Reason.SEND_WINDOW: _("outside of the send window"),
    Reason.LOCAL_TIME_PASSED: _("the local time had passed"),
    Reason.FREQUENCY_CAP: _("frequency cap reached"),
    Reason.IN_DIGEST: _("became part of a digest"),
    Reason.NOT_NEEDED: _("not needed any more"),
    Reason.DEAD_ADDRESS: _("the address does not exist any more"),
    Reason.REJECTED: _("refused by the provider"),
    Reason.MISCONFIGURED: _("the provider account is not set up correctly"),
    Reason.EXHAUSTED: _("given up after several attempts"),
    Reason.IN_DOUBT: _("no answer came, and a second one might arrive twice"),
    Reason.HARD_BOUNCE: _("returned: the address does not exist"),
    Reason.SOFT_BOUNCE: _("returned: the mailbox did not take it"),
    Reason.UNDELIVERED: _("the provider could not deliver it"),
}


def reason_text(reason: str) -> str:
    """The reason in words; a name that is not known as it is, without underscores."""
    return str(_TEXTS.get(reason, reason.replace("_", " ")))
