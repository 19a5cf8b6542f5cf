"""The fields of a condition, and the operators of each."""

from __future__ import annotations

from campaigns.audience.segments.conditions import Condition

TEXT_FIELDS = ("external_id", "name", "email", "phone", "locale", "timezone", "status")
#: of the recipient's live devices
DEVICE_FIELDS = ("device.platform", "device.app")
#: ids of campaigns: their messages to the recipient
CAMPAIGN_FIELDS = ("got_campaign", "opened_campaign", "clicked_campaign")
#: when the recipient last did something
ACTIVITY_FIELDS = ("opened", "clicked")
LAST_SEEN = "device.last_seen_at"
#: uploaded lists of ids, by the list's own id
LIST_FIELD = "list"
#: a channel on which the recipient has an address
CHANNEL_FIELD = "channel"
COUNTRY_FIELD = "country"
#: what the recipient chose: `category` or `category:channel`
CHOICE_FIELDS = ("opted_in", "opted_out")
COLUMNS = (*TEXT_FIELDS, "created_at")
#: fields that `membership` compiles
MEMBERSHIP_FIELDS = (COUNTRY_FIELD, CHANNEL_FIELD, LIST_FIELD, *CHOICE_FIELDS)
NAMED_FIELDS = (*COLUMNS, *MEMBERSHIP_FIELDS, *DEVICE_FIELDS, LAST_SEEN, *CAMPAIGN_FIELDS, *ACTIVITY_FIELDS)
FIELDS = (*NAMED_FIELDS, "attributes.<path>")

EQUALITY = ("eq", "ne", "in", "not_in")
COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
TEXT_OPS = (*EQUALITY, "contains", "prefix", "exists")
#: their values are numbers of days, counted back from now
SPAN_OPS = ("within_days", "not_within_days")
DAY_OPS = (*SPAN_OPS, "days_ago")
TIME_OPS = (*COMPARE, *DAY_OPS)
ATTRIBUTE_OPS = (*TEXT_OPS, *COMPARE, *DAY_OPS, "within_next_days")
#: every operator with a number of days
OPS_OF_DAYS = (*DAY_OPS, "within_next_days")


def operators(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """The operators of a field; `path`: of an attribute."""
    if path:
        return ATTRIBUTE_OPS
    if name in ACTIVITY_FIELDS:
        return SPAN_OPS
    if name == LAST_SEEN:
        return (*COMPARE, *SPAN_OPS)
    if name in CAMPAIGN_FIELDS or name in MEMBERSHIP_FIELDS:
        return EQUALITY
    if name in DEVICE_FIELDS:
        return (*EQUALITY, "exists")
    return TIME_OPS if name == "created_at" else TEXT_OPS


def is_column(condition: Condition) -> bool:
    return condition.field in COLUMNS
