"""Small requests that several providers make: a form for a token, one request and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from notifier.vocabulary.http import HttpClient, Request, Response, TransportError

_FORM = (("content-type", "application/x-www-form-urlencoded"),)


def form_request(url: str, fields: Mapping[str, str], timeout: float) -> Request:
    """A POST of a form, such as OAuth 2.0 takes for an access token."""
    return Request("POST", url, _FORM, urlencode(fields).encode(), timeout)


def answer_to(client: HttpClient, request: Request) -> Response | TransportError:
    """The answer to one request."""
    return next(answer for answers in client.exchange([request]) for _, answer in answers)
