"""Answers in JSON: read leniently, because a proxy may have answered instead of the provider's server."""

from __future__ import annotations

from typing import Any

import orjson

from notifier.providers.common.requests import answer_to
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Temporary, Throttled, Verdict


def json_object(body: bytes) -> dict[str, Any]:
    """The object in `body`; empty when there is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def get_json(client: HttpClient, request: Request) -> tuple[dict[str, Any] | None, str]:
    """The object with which the server answered 2xx; else None, and a clause that says what came instead."""
    answer = answer_to(client, request)
    if not isinstance(answer, Response):
        return None, f"no answer came ({answer.detail})"
    if 200 <= answer.status < 300:
        return json_object(answer.body), ""
    return None, f"the answer was {answer.status}"


def verdict_by_status(response: Response, detail: str) -> Verdict:
    """The verdict of a refusal that is not the provider's own, for channels on which a repeat hurts. A gateway that
    answers 5xx may have handed the message on: 502 and 504, and 520 and 524 of Cloudflare. With 503 it took nothing."""
    status = response.status
    if status in (401, 403, 404, 410):
        return Misconfigured(detail)
    if status == 429:
        return Throttled(retry_after(response), detail)
    return InDoubt(detail) if status >= 500 and status != 503 else Temporary(detail)
