"""Resend. https://resend.com/docs/api-reference/emails/send-email"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

import orjson

from notifier.channels.email import EmailMessage
from notifier.errors import Forged
from notifier.providers import base
from notifier.providers.anymail.answers import parse_json, text_at
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.providers.common.batches import BatchProvider
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.receipts import ReceiptRequest

#: seconds that a report's time stamp may differ: https://docs.svix.com/receiving/verifying-payloads/how-manual
TOLERANCE = 300.0


@dataclass(frozen=True, kw_only=True)
class ResendConfig(EspConfig):
    api_key: str = base.secret()
    signing_secret: str = base.optional_secret(
        label="Webhook signing secret", help_text="Begins with whsec_. Reports are checked with it."
    )


class Resend(BatchProvider[EmailMessage], EmailService):
    name = "resend"
    title = "Resend"
    origin = "https://api.resend.com"
    largest_batch = 100  # https://resend.com/docs/api-reference/emails/send-batch-emails
    rate_per_s = (
        500  # 5 requests a second and team, 100 messages each: https://resend.com/docs/api-reference/rate-limit
    )
    idempotency_header = "idempotency-key"  # remembered for 24 hours
    webhook_view = "resend.ResendTrackingWebhookView"
    code_path = ("name",)
    # https://resend.com/docs/api-reference/errors
    account_codes = frozenset(
        {"missing_api_key", "invalid_api_key", "restricted_api_key", "invalid_from_address", "invalid_access",
         "not_found", "method_not_allowed", "daily_quota_exceeded", "monthly_quota_exceeded"}
    )  # fmt: skip
    # the same key while the first request is being served
    temporary_codes = frozenset({"concurrent_idempotent_requests"})
    test_path = "/domains"
    Config = ResendConfig
    config: ResendConfig

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key}

    def fits_batch(self, message: EmailMessage) -> bool:
        """Resend's batches take no attachments."""
        return not message.attachments

    def combine(self, requests: Sequence[Request]) -> Request:
        """The key of a batch names its messages, so that the same batch is recognized when it is repeated."""
        first = requests[0]
        keys = [value for request in requests for name, value in request.headers if name == self.idempotency_header]
        key = blake2b("".join(keys).encode(), digest_size=16).hexdigest()
        headers = [(name, key if name == self.idempotency_header else value) for name, value in first.headers]
        headers.append(("x-batch-validation", "permissive"))
        body = b"[%b]" % b",".join(request.body for request in requests)
        return Request(first.method, f"{self.base}/emails/batch", tuple(headers), body, first.timeout)

    def entries(self, response: Response) -> Sequence[Response]:
        """`data` has the ids of the messages that were taken, in order; `errors` has the index of each other one."""
        document = parse_json(response.body)
        taken = document.get("data") if isinstance(document, dict) else None
        if response.status >= 300 or not isinstance(taken, list):
            return []
        stated = document.get("errors")
        errors = {
            error["index"]: error
            for error in (stated if isinstance(stated, list) else ())
            if isinstance(error, dict) and type(error.get("index")) is int
        }
        entries, ids = [], iter(taken)
        for n in range(len(taken) + len(errors)):
            if n in errors:
                entries.append(Response(422, response.headers, orjson.dumps(errors[n])))
            elif (entry := next(ids, None)) is not None:
                entries.append(Response(200, response.headers, orjson.dumps(entry)))
        return entries

    def verify(self, request: ReceiptRequest) -> None:
        """Resend signs as Svix does; the package that Anymail uses for it is not needed."""
        if secret := self.config.signing_secret:
            check_svix(secret, request, time.time())

    def check_of(self, answer: Any) -> ConnectionCheck:
        """A key that may only send may not list domains, and Resend says so."""
        if isinstance(answer, Response) and text_at(parse_json(answer.body), "name") == "restricted_api_key":
            return ConnectionCheck("credentials", True, "Resend accepts the key, which may only send.")
        return super().check_of(answer)

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        return text_at(report, "data", "bounce", "type") == "Permanent"


def check_svix(secret: str, request: ReceiptRequest, now: float) -> None:
    """Raises Forged. https://docs.svix.com/receiving/verifying-payloads/how-manual"""
    identifier, stamp = request.headers.get("svix-id", ""), request.headers.get("svix-timestamp", "")
    if not stamp.isdecimal() or len(stamp) > 12 or abs(now - int(stamp)) > TOLERANCE:
        raise Forged("The report's time stamp is missing or too old.")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"))
    except binascii.Error:
        raise Forged("The account's signing secret is not one of Resend.") from None
    signed = f"{identifier}.{stamp}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest())
    for signature in request.headers.get("svix-signature", "").split()[:10]:
        version, _, text = signature.partition(",")
        if version == "v1" and hmac.compare_digest(text.encode(), expected):
            return
    raise Forged("The report's signature does not verify.")
