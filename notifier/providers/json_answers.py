"""Answers in JSON: read leniently, because a proxy may have answered instead of the provider's server."""

from __future__ import annotations

from typing import Any

import orjson

from notifier.vocabulary.http import HttpClient, Request, Response


def json_object(body: bytes) -> dict[str, Any]:
    """The object in `body`; empty when there is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def get_json(client: HttpClient, request: Request) -> tuple[dict[str, Any] | None, str]:
    """The object with which the server answered 2xx; else None, and a clause that says what came instead."""
    for answers in client.exchange([request]):
        for _, answer in answers:
            if not isinstance(answer, Response):
                return None, f"no answer came ({answer.detail})"
            if 200 <= answer.status < 300:
                return json_object(answer.body), ""
            return None, f"the answer was {answer.status}"
    return None, "no answer came"
