"""Amazon SES. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from notifier.channels.email import EmailMessage
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.anymail import events, webhooks
from notifier.providers.anymail.answers import (
    Refusal,
    detail_of,
    parse_json,
    text_at,
    verdict_of_status,
)
from notifier.providers.anymail.config import EspConfig
from notifier.providers.anymail.provider import is_command
from notifier.providers.common.requests import answer_to
from notifier.providers.mime import compose, with_ascii_domain
from notifier.providers.ses import signing, sns
from notifier.vocabulary.checks import ConnectionCheck, SenderDomain
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.mail import Mailbox
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Throttled, Verdict

_REGION = re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{0,64}")
SEND_PATH, ACCOUNT_PATH = "/v2/email/outbound-emails", "/v2/email/account"
#: errors that concern the account, whatever their status
_ACCOUNT_ERRORS = frozenset(
    {"AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException", "NotFoundException"}
)
#: SES names the rate and the daily quota so
_THROTTLING = frozenset({"TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling"})
_HARD_KINDS = frozenset({"General", "NoEmail", "Suppressed", "OnAccountSuppressionList"})
#: sent once by SNS after a subscription
_GREETING = "Successfully validated SNS topic for Amazon SES event publishing."


@dataclass(frozen=True, kw_only=True)
class SesConfig(EspConfig):
    access_key_id: str = base.setting(help_text="Of an IAM user with the rights ses:SendEmail and ses:SendRawEmail.")
    secret_access_key: str = base.secret()
    region: str = base.setting(help_text="Such as eu-central-1.")
    configuration_set: str = base.setting("", help_text="Whose event destination is the SNS topic.")
    topic_arn: str = base.setting(
        "", label="ARN of the SNS topic", help_text="Reports of this topic are taken, and no others; empty: none are."
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        if not signing.is_installed():
            raise InvalidInput(signing.MISSING, field="access_key_id")
        config = super().parse(raw)
        if not _ACCESS_KEY.fullmatch(config.access_key_id):
            raise InvalidInput("access_key_id looks like AKIAIOSFODNN7EXAMPLE.", field="access_key_id")
        if not _REGION.fullmatch(config.region):
            raise InvalidInput("region looks like eu-central-1.", field="region")
        if not _CONFIGURATION_SET.fullmatch(config.configuration_set):
            raise InvalidInput("configuration_set has letters, digits, - and _, at most 64.", field="configuration_set")
        if config.topic_arn and not sns.TOPIC.fullmatch(config.topic_arn):
            raise InvalidInput("topic_arn looks like arn:aws:sns:eu-central-1:123456789012:name.", field="topic_arn")
        return config

    @classmethod
    def sandbox_values(cls, origin: str) -> dict[str, str]:
        return {"region": "us-east-1", "access_key_id": "SANDBOXSANDBOX"}


class Ses(base.Provider[EmailMessage]):
    # rates and quotas are of the account: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
    name = "ses"
    channel = "email"
    default_account = False
    reports = True
    Config = SesConfig
    config: SesConfig
    origin = "https://email.us-east-1.amazonaws.com"

    def __init__(self, config: SesConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self.base = origin or origin_of(config.region)
        self._signer = signing.Signer(config.access_key_id, config.secret_access_key, config.region)
        self._sender = Mailbox(with_ascii_domain(config.from_address), config.from_name)

    # -- the message --

    def request(self, message: EmailMessage, token: str) -> Request:
        """SES replaces our Message-ID, and its reports repeat the other headers and the tags."""
        delivery = str(message.envelope.delivery_id)
        carrier = b'X-Metadata: {"%b": "%b"}\r\n' % (events.DELIVERY.encode(), delivery.encode())
        headers = {name: value for name, value in message.headers.items() if not is_command(name)}
        mime = carrier + compose(replace(message, headers=headers), message.sender or self._sender)
        document: dict[str, Any] = {
            "Destination": {"ToAddresses": [with_ascii_domain(message.envelope.address.value)]},
            "Content": {"Raw": {"Data": b64encode(mime).decode()}},
            "EmailTags": [{"Name": events.DELIVERY, "Value": delivery}],
        }
        if self.config.configuration_set:
            document["ConfigurationSetName"] = self.config.configuration_set
        return self._signer.signed("POST", f"{self.base}{SEND_PATH}", orjson.dumps(document), self.timeout)

    def verdict_of(self, response: Response) -> Verdict:
        document = parse_json(response.body)
        if 200 <= response.status < 300:
            return Sent(text_at(document, "MessageId")[:200])
        refusal = refusal_in(response, document)
        detail = detail_of(response.status, refusal)
        code = refusal.code if refusal else ""
        if code in _THROTTLING:
            return Throttled(None, detail)
        if code in _ACCOUNT_ERRORS:
            return Misconfigured(detail)
        if code == "MessageRejected" and refusal is not None:  # the content, or a sender that is not verified
            return Misconfigured(detail) if refusal.concerns_account else Permanent(detail)
        return verdict_of_status(response, refusal)

    # -- reports --

    def verify(self, request: ReceiptRequest) -> None:
        """The topic and the certificate's host. A worker checks the signature: the certificate must be fetched."""
        sns.parse_message(request.body, self.config.topic_arn)

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        message = sns.parse_message(request.body, self.config.topic_arn)
        sns.check_signature(message, client)
        if message["Type"] == sns.CONFIRMATION:
            sns.confirm_subscription(message, client)
        if message["Type"] != sns.NOTIFICATION or str(message.get("Message", "")).strip() == _GREETING:
            return []
        with webhooks.reading():
            return events.receipt_events(webhooks.parse_ses(message), is_hard_bounce, lambda report: False)

    # -- "test connection" --

    def sender_domains(self) -> Sequence[SenderDomain]:
        return (SenderDomain(self._sender.domain),)

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        request = self._signer.signed("GET", f"{self.base}{ACCOUNT_PATH}", b"", self.timeout)
        answer = answer_to(client, request)
        if not isinstance(answer, Response):
            yield ConnectionCheck("connection", False, f"Amazon SES cannot be reached: {answer.detail}")
            return
        document = parse_json(answer.body)
        if answer.status != 200:
            detail = detail_of(answer.status, refusal_in(answer, document))
            text = f"Amazon SES refuses the key ({detail}). Check the key, its right ses:GetAccount and the region."
            # a key that may only send is a good key
            yield ConnectionCheck("credentials", None if "AccessDenied" in detail else False, text)
            return
        yield ConnectionCheck("credentials", True, "Amazon SES accepts the key.")
        yield from account_checks(document, self.config)


def account_checks(document: Any, config: SesConfig) -> Iterator[ConnectionCheck]:
    """What SES says about the account: whether it may send, to whom, and how much."""
    account = document if isinstance(document, dict) else {}
    if account.get("SendingEnabled") is False:
        yield ConnectionCheck("sending", False, "Amazon has paused sending of this account; see the SES console.")
        return
    if account.get("ProductionAccessEnabled") is False:
        text = "The account is in SES's own sandbox and reaches verified addresses only; request production access."
        yield ConnectionCheck("sending", None, text)
    if isinstance(quota := account.get("SendQuota"), dict):
        numbers = {name: quota.get(name) for name in ("MaxSendRate", "Max24HourSend", "SentLast24Hours")}
        if all(isinstance(number, int | float) for number in numbers.values()):
            rate, day, sent = (f"{number:,.0f}" for number in numbers.values())
            text = f"SES allows {rate} messages a second and {day} a day; {sent} were sent in the last 24 hours."
            yield ConnectionCheck("quota", True, text)
    if not config.topic_arn:
        yield ConnectionCheck("reports", None, "No SNS topic is set, so SES reports nothing about messages.")


def origin_of(region: str) -> str:
    return f"https://email.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def refusal_in(response: Response, document: Any) -> Refusal | None:
    """SES names its error in a header, and some of its front servers in the body."""
    name = response.headers.get("x-amzn-errortype", "") or text_at(document, "__type")
    if not name:
        return None
    code = name.partition(":")[0].rpartition("#")[2]
    return Refusal(text_at(document, "message") or text_at(document, "Message"), code)


def is_hard_bounce(report: Mapping[str, Any]) -> bool:
    """https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types"""
    return text_at(report, "bounce", "bounceType") == "Permanent" and (
        text_at(report, "bounce", "bounceSubType") in _HARD_KINDS
    )
