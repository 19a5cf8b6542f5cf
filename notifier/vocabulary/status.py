"""The status of a delivery, its lane, its queue position, and the reasons that end it."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """The status of a delivery. It never goes back to a smaller number, with two exceptions: an unfinished row may
    return to QUEUED for a retry, and a receipt may prove that an UNKNOWN or UNDELIVERED message arrived."""

    ARMED = 5  #: in a shard of a campaign, waiting for GO
    QUEUED = 10  #: accepted; leaves when it is due and has its queue's turn
    CLAIMED = 20  #: a worker holds it under a lease; its request has not begun
    SENDING = 30  #: its request begins or is in flight; a crash leaves the outcome in doubt
    SENT = 40  #: the provider took it
    DELIVERED = 50  #: the provider, or the inbox, says that it arrived
    BOUNCED = 52  #: the provider took it, and it came back; `reason`: hard_bounce or soft_bounce
    OPENED = 54  #: the recipient opened it
    CLICKED = 56  #: the recipient clicked a link in it
    COMPLAINED = 58  #: the recipient reported it as spam
    FAILED = 60  #: will not be sent, or the provider gave up on it (undelivered); `reason` says why
    SUPPRESSED = 61  #: not sent because of an opt-out, a suppression or a rule; `reason` says which
    CANCELLED = 62  #: stopped before it left
    EXPIRED = 63  #: it could not leave before its `not_after`
    UNKNOWN = 64  #: no answer came and a resend is not allowed

    @property
    def label(self) -> str:
        return self.name.lower()


FINAL = frozenset(s for s in Status if s >= Status.SENT)
#: a provider took the message, and has not given up on it
TAKEN = (Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.OPENED, Status.CLICKED, Status.COMPLAINED)


class Lane(IntEnum):
    """Lanes never wait for each other."""

    CRITICAL = 0
    TRANSACTIONAL = 1
    BULK = 2


class QueuePosition(IntEnum):
    """The position of a queued row in its ordering queue (recipient, channel, lane, mode)."""

    WAITING = 0  #: another row of the queue has the turn
    HAS_TURN = 1  #: may be claimed when due
    PARKED = 2  #: not due for a while; outside the queue until then
    IN_DIGEST = 3  #: waits until its digest closes; the queue does not count it
    LATER_STEP = 4  #: waits for an earlier step of its route; the queue does not count it


#: positions of rows that their ordering queue counts
IN_QUEUE = frozenset({QueuePosition.WAITING, QueuePosition.HAS_TURN, QueuePosition.PARKED})


class Kind(StrEnum):
    """The kind of a category; decides the lane, and which preferences and hours hold a message back."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    CRITICAL = "critical"


LANE_OF = {Kind.CRITICAL: Lane.CRITICAL, Kind.TRANSACTIONAL: Lane.TRANSACTIONAL, Kind.MARKETING: Lane.BULK}


class ConsentSource(StrEnum):
    """Who made a consent change."""

    PERSON = "person"  #: the recipient: a page, a link, the inbox, an app with a recipient token
    API = "api"  #: the tenant's server
    ADMIN = "admin"  #: a user of the admin
    IMPORT = "import"  #: a file
    RECEIPT = "receipt"  #: a provider: its report, or its refusal of an address
    SYSTEM = "system"  #: Notifier itself, such as for a device that no app registers any more


class Mode(StrEnum):
    """`test` runs the whole path and never leaves the sandbox."""

    LIVE = "live"
    TEST = "test"


#: the mode of a rehearsal's messages: live, but providers only check them. No key and no notification has it
SILENT = "silent"


class Reason(StrEnum):
    """Why a planned message was not, or will not be, sent."""

    NO_ADDRESS = "no_address"
    EVERYTHING_OFF = "everything_off"
    NOT_OPTED_IN = "not_opted_in"
    CHANNEL_OFF = "channel_off"
    CATEGORY_OFF = "category_off"
    PREFERRED_CHANNEL = "preferred_channel"
    ADDRESS_SUPPRESSED = "address_suppressed"
    RECIPIENT_BLOCKED = "recipient_blocked"
    RECIPIENT_ERASED = "recipient_erased"
    DUPLICATE_ADDRESS = "duplicate_address"
    MISSING_VARIABLE = "missing_variable"
    TEMPLATE_ERROR = "template_error"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    NO_ACCOUNT = "no_account"
    STOPPED = "stopped"
    BY_REQUEST = "by_request"
    NOT_AFTER = "not_after"
    QUIET_HOURS = "quiet_hours"
    SNOOZED = "snoozed"
    SEND_WINDOW = "send_window"
    LOCAL_TIME_PASSED = "local_time_passed"
    HOLDOUT = "holdout"
    FREQUENCY_CAP = "frequency_cap"
    IN_DIGEST = "in_digest"
    NOT_NEEDED = "not_needed"
    DEAD_ADDRESS = "dead_address"
    REJECTED = "rejected"
    MISCONFIGURED = "misconfigured"
    EXHAUSTED = "exhausted"
    IN_DOUBT = "in_doubt"
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"
    UNDELIVERED = "undelivered"
