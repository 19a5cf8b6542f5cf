"""What a tenant decides about the content of its messages."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

#: variables that the site fills with links of the message's recipient
UNSUBSCRIBE_URL, PREFERENCES_URL, BROWSER_URL = "unsubscribe_url", "preferences_url", "view_in_browser_url"
LINKS = frozenset({UNSUBSCRIBE_URL, PREFERENCES_URL, BROWSER_URL})
MOST_SMS_SEGMENTS = 10  #: Twilio refuses texts of more than 1,600 characters (error 21617)


class TenantRules(NamedTuple):
    """`schemes`: URL schemes of the tenant's apps, which a link may have. `sms_segments`: the most segments of one SMS.
    `sms_transliterate`: letters that GSM-7 lacks become similar letters where that makes the whole text GSM-7."""

    schemes: Collection[str] = ()
    sms_segments: int = 6
    sms_transliterate: bool = False


class Tracking(StrEnum):
    """Whether a tenant sees that its emails are opened and their links clicked; for mail that we send ourselves."""

    OFF = "off"
    ANONYMOUS = "anonymous"  #: counted for each campaign, and for no person
    ON = "on"  #: recorded for each message
