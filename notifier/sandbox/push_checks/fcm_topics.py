"""Topics and conditions as FCM v1 takes them. Which devices are subscribed is unknown here: a message to a topic
arrives once, at the address `/topics/<name>` or at the text of its condition.

Written apart from the sender's own parser, so that a fault of one shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_TOPICS = 5
_NAME = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")
_TERM = re.compile(r"'[a-zA-Z0-9\-_.~%]{1,900}'\s*in\s+topics\b", re.IGNORECASE)
#: a term, a negated or bracketed term, or two terms joined: one step of a reduction to a single term
_STEP = re.compile(r"\(T\)|!(?=\(T\))|T(?:&&|\|\|)T")


def topic_fault(message: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why FCM refuses the topic or the condition of a message, as (field, why); None for a good one."""
    topic, condition = message.get("topic"), message.get("condition")
    if topic and not _NAME.fullmatch(topic):
        return "message.topic", "Malformed topic name"
    if condition and not _is_condition(condition):
        return "message.condition", "Invalid condition expression provided."
    return None


def address_of(message: Mapping[str, Any]) -> str:
    """Where a message goes: a token, an installation id, `/topics/<name>` or a condition."""
    topic: str = message.get("topic") or ""
    return message.get("token") or message.get("fid") or (f"/topics/{topic}" if topic else message.get("condition", ""))


def _is_condition(text: str) -> bool:
    reduced, topics = _TERM.subn("T", text)
    reduced, steps = re.sub(r"\s+", "", reduced), 1
    while steps:
        reduced, steps = _STEP.subn(lambda match: "" if match.group() == "!" else "T", reduced)
    return reduced == "T" and topics <= MAX_TOPICS
