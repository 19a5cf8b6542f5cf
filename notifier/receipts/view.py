"""Takes a provider's call: checks the secret in the address and the provider's signature, stores the call raw, answers.
Nothing of the body is parsed. The caller has no API key; the account that the address names decides the tenant.

`direct` does the same for most calls, without Django's handler. GET, large bodies and other servers than ours come
here.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from notifier import failpoints
from notifier.channels.queues import RECEIPTS
from notifier.delivery.receipts import incoming
from notifier.delivery.wakeup import signal
from notifier.models import ProviderAccount
from notifier.vocabulary.receipts import ReceiptRequest


class AddressSecret(BaseAuthentication):
    """The secret in the address is the credential; `request.auth` is the account. Raises NotFound. As an authentication
    of DRF it also decides who may send a body over 64 KiB (notifier.web.serving.admission)."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        matched = request._request.resolver_match
        assert matched is not None  # a view runs after the address was resolved
        account = incoming.find_account(**matched.kwargs)
        return account, account


@extend_schema(exclude=True)
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class Receipts(APIView):
    authentication_classes = [AddressSecret]
    permission_classes = []
    http_method_names = ["get", "head", "post"]

    def get(self, request: Request, provider: str, account_id: uuid.UUID, secret: str) -> HttpResponse:
        """For providers that try the address before they use it (Mandrill, Mailchimp). Stores nothing."""
        return HttpResponse(b"", content_type="text/plain")

    def post(self, request: Request, provider: str, account_id: uuid.UUID, secret: str) -> HttpResponse:
        account: ProviderAccount = request.auth  # type: ignore[assignment]
        call = receipt_request(request._request)
        content_type, body = incoming.verify(account, call)
        incoming.keep([(account, call)])
        failpoints.reach("receipts.before-wakeup")
        signal.notify([RECEIPTS])
        return HttpResponse(body, content_type=content_type)


def receipt_request(request: HttpRequest) -> ReceiptRequest:
    """The call as providers sign it: with the public address of the site, whatever a proxy called."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return ReceiptRequest(
        request.method or "POST", f"{settings.SITE_URL}{request.get_full_path()}", headers, request.body
    )
