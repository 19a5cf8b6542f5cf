"""Anymail's webhook views over our requests, and Anymail's reading of answers over our responses.

A view is made for one account with the account's own keys; no view of Anymail is reachable by URL. The secret in the
receipts address has been checked before, so Basic authentication is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from notifier.errors import Forged
from notifier.providers.anymail.building import silence_anymail
from notifier.vocabulary.http import Response
from notifier.vocabulary.receipts import ReceiptRequest

#: what parsing may raise for a body that is not the service's: the views trust their bodies after the signature
_UNREADABLE = (
    LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, OSError, RecursionError,
)  # fmt: skip


@cache
def _refusals() -> tuple[type[Exception], ...]:
    """What Anymail's views and Django's forms raise for a report that they do not take."""
    from anymail.exceptions import AnymailConfigurationError, AnymailError
    from django.core.exceptions import BadRequest, SuspiciousOperation
    from django.http.multipartparser import MultiPartParserError

    django_refusals = (BadRequest, SuspiciousOperation, MultiPartParserError)
    return AnymailError, AnymailConfigurationError, *django_refusals, *_UNREADABLE


def check_signature(view: str, options: Mapping[str, Any], request: ReceiptRequest) -> None:
    """Raises Forged unless the service signed the request with one of the account's keys."""
    try:
        _load_view(view, options).run_validators(_django_request(request))
    except _refusals():
        raise Forged("The report's signature does not verify.") from None


@contextmanager
def reading() -> Iterator[None]:
    """Raises ValueError for whatever a body that is not the service's makes of its reading."""
    try:
        yield
    except _refusals() as error:
        # `from None`: the error's text quotes the body
        raise ValueError(f"the report cannot be read ({type(error).__name__})") from None


def parse_events(view: str, options: Mapping[str, Any], request: ReceiptRequest) -> Sequence[Any]:
    """Anymail's tracking events. To be called, and its events used, within `reading`."""
    events: Sequence[Any] = _load_view(view, options).parse_events(_django_request(request))
    return events


def parse_ses(message: Mapping[str, Any]) -> Sequence[Any]:
    """Anymail's tracking events of an SNS message whose signature was checked; within `reading`, too."""
    from json import loads

    view = _load_view("amazon_ses.AmazonSESTrackingWebhookView", {})
    events: Sequence[Any] = view.esp_to_anymail_events(loads(message["Message"]), message)
    return events


def _load_view(path: str, options: Mapping[str, Any]) -> Any:
    return _view_class(path)(webhook_secret=None, **options)


@cache
def _view_class(path: str) -> Any:
    silence_anymail()
    module, _, name = path.partition(".")
    return getattr(import_module(f"anymail.webhooks.{module}"), name)


def _django_request(request: ReceiptRequest) -> Any:
    from django.core.handlers.wsgi import WSGIRequest

    url = urlsplit(request.url)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return WSGIRequest(
        headers
        | {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "SERVER_NAME": url.hostname or "localhost",
            "SERVER_PORT": str(url.port or 443),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "wsgi.input": BytesIO(request.body),
            "wsgi.url_scheme": url.scheme,
        }
    )


class _Answer:
    """As much of requests' Response as Anymail's backends read."""

    def __init__(self, response: Response) -> None:
        from requests.structures import CaseInsensitiveDict

        self.status_code, self.content = response.status, response.body
        self.text = response.body.decode(errors="replace")
        self.headers = CaseInsensitiveDict(response.headers)
        self.url = self.reason = ""

    def json(self) -> Any:
        from json import loads

        return loads(self.content)


def recipient_status(backend: Any, payload: Any, email: Any, response: Response) -> tuple[str, str]:
    """Anymail's status of the one recipient and the service's id of the message; empty texts when Anymail cannot read
    the answer."""
    try:
        statuses = backend.parse_recipient_status(_Answer(response), payload, email)
        recipients = [email.to[0], *(address for address in statuses if address != email.to[0])]
        # services that name the recipient name the real one; the others are read as the sample's
        status = statuses.get(recipients[-1])
        return (status.status or "", str(status.message_id or "")) if status else ("", "")
    except _refusals():
        return "", ""
