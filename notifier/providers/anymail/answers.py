"""What an email service's refusal means: by its HTTP status, and by the service's own words in the body.

Only unambiguous words of the service about the account move a message to another account; a message is failed only by
the service's own error, never by the page of a proxy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Temporary, Throttled, Verdict

LONGEST_DETAIL = 300
#: 402: no credit left. 404, 405, 410: the server, the domain or the region of the account is wrong
_ACCOUNT_STATUSES = frozenset({401, 402, 403, 404, 405, 410})
#: texts about the sender, the key or the plan, whatever the service
_ABOUT_THE_ACCOUNT = re.compile(
    "|".join(
        (
            r"\b(from|sender|sending|domain|signature|identity)\b.{0,60}"
            r"\b(not|isn't|cannot) (be )?(been )?"
            r"(allowed|authori[sz]ed|configured|confirmed|found|match|registered|valid)",
            r"\bnot (yet )?(been )?verified\b|\bverified sender\b|\bun(configured|verified|paid)\b|\bsuspended\b",
            r"\b(hourly|daily|monthly|sending)\b.{0,20}\b(quota|limit)\b",
            r"\bcredits?\b|\bapi[ -]?key\b|\bsandbox\b|\bupgrade your\b",
        )
    ),
    re.IGNORECASE,
)
_ABOUT_THE_SENDER_FIELD = re.compile(r"^\W*(content\W+)?(globals\W+)?(from|sender|reply[_-]?to)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")


@dataclass(frozen=True)
class Refusal:
    """The error in a service's own body. `field`: the field of the request that the service refuses. `code`: the
    service's own code or name of the error."""

    words: str
    code: str = ""
    field: str = ""

    @property
    def concerns_account(self) -> bool:
        if self.field:
            return _ABOUT_THE_SENDER_FIELD.match(self.field) is not None
        # an address that the service repeats, such as credit@…, says nothing about the account
        return _ABOUT_THE_ACCOUNT.search(_ADDRESS.sub(" ", self.words)) is not None


def parse_json(body: bytes) -> Any:
    """None for a body that is no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def verdict_of_status(response: Response, refusal: Refusal | None, reset: str = "") -> Verdict:
    """The verdict for an answer other than 2xx. `refusal` None: the body is not the service's own. `reset`: see
    `retry_after`."""
    status = response.status
    detail = detail_of(status, refusal)
    if status == 429:
        return Throttled(retry_after(response, reset), detail)
    if status in _ACCOUNT_STATUSES:
        return Misconfigured(detail)
    if status >= 500 or status < 400 or status == 408 or refusal is None:
        after = retry_after(response) if status == 503 else None
        # 503: the server took nothing. 500, 502 and 504 may come after the message was taken
        return Temporary(detail, unavailable=status == 503) if after is None else Throttled(after, detail)
    return Misconfigured(detail) if refusal.concerns_account else Permanent(detail)


def detail_of(status: int, refusal: Refusal | None) -> str:
    """What the ledger shows: no address, and no page of a proxy."""
    if refusal is None:
        return str(status)
    text = _ADDRESS.sub("…", " ".join(f"{status} {refusal.code} {refusal.field} {refusal.words}".split()))
    return text[:LONGEST_DETAIL]


def texts_in(value: Any) -> Iterator[str]:
    """The texts and numbers of a JSON value, depth first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


def text_at(document: Any, *path: str | int) -> str:
    """The text or number at this path of a JSON document; empty when there is none."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step) if isinstance(step, str) else None
        elif isinstance(document, list) and isinstance(step, int) and len(document) > step:
            document = document[step]
        else:
            return ""
    if isinstance(document, bool) or not isinstance(document, str | int):
        return ""
    return str(document)
