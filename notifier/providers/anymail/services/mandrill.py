"""Mailchimp Transactional (Mandrill). https://mailchimp.com/developer/transactional/api/messages/"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from notifier.providers import base
from notifier.providers.anymail.answers import Refusal, text_at
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import EmailService
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Verdict

#: reasons for a rejection that Mandrill remembers of the address
_DEAD = frozenset({"hard-bounce", "invalid"})
#: reasons for a rejection that are the account's fault
_ACCOUNT = frozenset({"invalid-sender", "unsigned", "test-mode-limit"})
_ACCOUNT_ERRORS = frozenset({"Invalid_Key", "PaymentRequired", "Unknown_Subaccount", "ServiceUnavailable"})


@dataclass(frozen=True, kw_only=True)
class MandrillConfig(EspConfig):
    api_key: str = base.secret()
    webhook_key: str = base.optional_secret(label="Webhook key", help_text="Reports are checked with it.")


class Mandrill(EmailService):
    name = "mandrill"
    title = "Mandrill"
    origin = "https://mandrillapp.com"
    api_path = "/api/1.0/"
    webhook_view = "mandrill.MandrillTrackingWebhookView"
    code_path = ("name",)
    Config = MandrillConfig
    config: MandrillConfig

    def options(self) -> dict[str, Any]:
        return {"api_key": self.config.api_key}

    def signature_options(self) -> dict[str, Any]:
        return {"webhook_key": self.config.webhook_key} if self.config.webhook_key else {}

    def verdict_of_refusal(self, response: Response, refusal: Refusal | None, document: Any) -> Verdict:
        """Mandrill answers 500 to every error; its name says which."""
        if refusal is not None and text_at(document, "status") == "error":
            if refusal.code in _ACCOUNT_ERRORS:
                return Misconfigured(f"{response.status} {refusal.code}")
            if refusal.code == "ValidationError":
                return Permanent(f"{response.status} {refusal.code}")
        return super().verdict_of_refusal(response, refusal, document)

    def verdict_of_accepted(self, document: Any) -> Verdict | None:
        reason = text_at(document, 0, "reject_reason")
        if text_at(document, 0, "status") == "rejected" and reason in _ACCOUNT:
            return Misconfigured(f"Mandrill rejects the sender ({reason})")
        return None

    def is_dead(self, document: Any) -> bool:
        return text_at(document, 0, "reject_reason") in _DEAD

    def test_request(self) -> Request:
        body = orjson.dumps({"key": self.config.api_key})
        url = f"{self.base}/api/1.0/users/ping2"
        return Request("POST", url, (("content-type", "application/json"),), body, self.timeout)

    def check_of(self, answer: Any) -> Any:
        """Mandrill answers 500 to a wrong key."""
        if isinstance(answer, Response) and b"Invalid_Key" in answer.body:
            answer = Response(401, answer.headers, answer.body)
        return super().check_of(answer)

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        message = report.get("msg")
        rejected = report.get("event") == "reject" and isinstance(message, Mapping)
        return report.get("event") == "hard_bounce" or (rejected and _reject_reason(message) in _DEAD)


def _reject_reason(message: Any) -> str:
    return text_at(message, "reject", "reason") or text_at(message, "reject")
