"""Twilio: SMS by the Messages resource (https://www.twilio.com/docs/messaging/api/message-resource).

Each request names the address of its status callbacks with our delivery id in the query. Twilio signs its calls with
the account's auth token (https://www.twilio.com/docs/usage/security#validating-requests); an API key signs nothing.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import escape

from notifier.channels.sms import SmsMessage
from notifier.errors import Forged, InvalidInput
from notifier.providers import base
from notifier.providers.common.json_answers import get_json, json_object, verdict_by_status
from notifier.providers.common.retry_after import retry_after
from notifier.providers.common.sms_replies import LONGEST_ID, kind_of_reply, reply_events
from notifier.providers.common.sms_senders import SENDER, Senders, check_price
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.inquiries import Doubt
from notifier.vocabulary.receipts import EventKind, ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

#: a Messaging Service, which chooses among its senders, or a sender
_SERVICE = r"MG[0-9a-f]{32}"
_SENDER = re.compile(f"{_SERVICE}|{SENDER.pattern}")
_SID = {"account_sid": re.compile(r"AC[0-9a-f]{32}"), "api_key": re.compile(r"SK[0-9a-f]{32}")}
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})
#: messages of one number that are looked through for the one in doubt
PAGE = 20
LONGEST_VALIDITY = 36_000  #: seconds; Twilio's own queue keeps a message no longer

#: of the sandbox, which knows no other account
SANDBOX_ACCOUNT, SANDBOX_KEY = "AC" + "5a" * 16, "SK" + "5a" * 16
SANDBOX_TOKEN = SANDBOX_SECRET = "notifier-sandbox: anybody may send here"  # noqa: S105
SANDBOX_NUMBER = "+15005550006"  #: Twilio's own magic number of a valid sender

# error codes: https://www.twilio.com/docs/api/errors
#: the address takes no SMS: no number, no mobile number
DEAD = frozenset({21211, 21214, 21614})
OPTED_OUT = 21610
THROTTLED = frozenset({14107, 20429, 21611, 30022, 63017})
#: the account, its sender or its callback address
ACCOUNT = frozenset({
    20003, 20005, 20008, 20404, 21212, 21601, 21603, 21606, 21607, 21609, 21624, 21626, 21659, 21660, 21701, 21703,
    21704, 21705, 30002, 30034,
})  # fmt: skip
#: of a receipt: an unknown handset, a landline, and the codes above
GONE = DEAD | {30005, 30006}

_KINDS = {
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "undelivered": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "canceled": EventKind.FAILED,
}
_FORM = ("content-type", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class TwilioConfig(base.Config):
    """`sender`: a number, an alphanumeric id or a Messaging Service; `senders`: those of some countries. The auth token
    verifies receipts; with an API key, requests use the key. `help_text`: the answer to HELP."""

    account_sid: str
    sender: str
    auth_token: str = base.secret()
    senders: str = ""
    api_key: str = ""
    api_key_secret: str = base.optional_secret()
    help_text: str = ""
    price_per_segment: float = 0.0

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        for name, form in _SID.items():
            if (sid := getattr(config, name)) and not form.fullmatch(sid):
                raise InvalidInput(f"{name} is {form.pattern[:2]} and 32 hexadecimal digits.", field=name)
        for one, other in (("api_key", "api_key_secret"), ("api_key_secret", "api_key")):
            if getattr(config, one) and not getattr(config, other):
                raise InvalidInput("An API key consists of its SID and its secret.", field=other)
        Senders.parse(config.sender, config.senders, _SENDER)
        check_price(config.price_per_segment)
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(
            account_sid=SANDBOX_ACCOUNT, sender=SANDBOX_NUMBER, auth_token=SANDBOX_TOKEN, api_key=SANDBOX_KEY,
            api_key_secret=SANDBOX_SECRET, help_text="Sandbox: answer STOP to opt out.",
        )  # fmt: skip


class Twilio(base.Provider[SmsMessage]):
    name = "twilio"
    channel = "sms"
    rate_per_s = 1  # segments a second of a long code of the US and Canada: twilio.com/docs/api/errors/30001
    limit_of = "this Twilio sender"
    reports = can_be_asked = True
    Config = TwilioConfig
    config: TwilioConfig
    origin = "https://api.twilio.com"

    def __init__(self, config: TwilioConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._account = f"{self.base}/2010-04-01/Accounts/{config.account_sid}"
        self._senders = Senders.parse(config.sender, config.senders, _SENDER)
        key, secret = config.api_key or config.account_sid, config.api_key_secret or config.auth_token
        self._authorization = ("authorization", _basic(key, secret))

    @classmethod
    def raise_quota(cls, rate_per_s: float) -> str:
        """https://help.twilio.com/articles/115002943027"""
        return (
            "a toll-free number sends 3 segments a second, a short code 100, and a Messaging Service as many as its"
            " senders together"
        )

    @property
    def default_rate(self) -> float | None:
        """By the kind of the sender: https://help.twilio.com/articles/115002943027"""
        sender = self.config.sender
        if _is_service(sender):
            return None  # as much as its senders have together, which only Twilio knows
        if sender.startswith("+1"):
            return 3.0 if sender[2:5] in _TOLL_FREE else self.rate_per_s
        return 100.0 if sender.isdigit() else 10.0

    # -- the message --

    def request(self, message: SmsMessage, token: str) -> Request:
        envelope = message.envelope
        sender = self._senders.of_number(envelope.address.value)
        form = [
            ("To", envelope.address.value),
            ("MessagingServiceSid" if _is_service(sender) else "From", sender),
            ("Body", message.text),
        ]
        if self.receipts_url:
            form.append(("StatusCallback", f"{self.receipts_url}?delivery={envelope.delivery_id}"))
        if envelope.expires_in is not None and envelope.expires_in < LONGEST_VALIDITY:
            form.append(("ValidityPeriod", str(max(1, envelope.expires_in))))
        headers = (self._authorization, _FORM)
        return Request("POST", f"{self._account}/Messages.json", headers, urlencode(form).encode(), self.timeout)

    def verdict_of(self, response: Response) -> Verdict:
        document = json_object(response.body)
        status, code = response.status, document.get("code")
        if 200 <= status < 300:
            sid = document.get("sid")
            return Sent(sid if isinstance(sid, str) else "")
        detail = f"{status} {code or ''} {document.get('message') or ''}".strip()[:300]
        if isinstance(code, int) and "twilio.com" in str(document.get("more_info")):
            return _verdict_of_code(status, code, detail, retry_after(response))
        return verdict_by_status(response, detail)

    # -- what Twilio reports --

    def verify(self, request: ReceiptRequest) -> None:
        signature = request.headers.get("x-twilio-signature", "")
        data = _signed_data(request.body)
        if not any(
            hmac.compare_digest(self._signature(url + data).encode(), signature.encode())
            for url in _with_and_without_port(request.url)
        ):
            raise Forged("The signature is not that of the account's auth token.")

    def _signature(self, data: str) -> str:
        return b64encode(hmac.digest(self.config.auth_token.encode(), data.encode(), "sha1")).decode()

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        form = _form(request.body)
        if "MessageStatus" in form:
            return _status_events(form, parse_qs(urlsplit(request.url).query))
        return reply_events(_kind_of_inbound(form), form.get("From", ""), form.get("MessageSid", ""))

    def receipt_answer(self, request: ReceiptRequest) -> tuple[str, bytes]:
        form = _form(request.body)
        # with OptOutType, Twilio has answered HELP itself
        answers = _kind_of_inbound(form) == EventKind.HELP and self.config.help_text and "OptOutType" not in form
        message = f"<Message>{escape(self.config.help_text)}</Message>" if answers else ""
        return "text/xml", f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'.encode()

    # -- what Twilio knows of a message in doubt --

    def inquiry(self, doubt: Doubt) -> Request:
        """The newest messages to the number ("Read multiple Message resources", in the page above)."""
        query = urlencode({"To": doubt.address, "PageSize": PAGE})
        return Request("GET", f"{self._account}/Messages.json?{query}", (self._authorization,), b"", self.timeout)

    def found(self, doubt: Doubt, response: Response) -> Sequence[ReceiptEvent]:
        messages: Any = json_object(response.body).get("messages")
        return [event for each in messages if (event := _event_in_doubt(doubt, each))] if response.status == 200 else []

    # -- test connection --

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        config = self.config
        account, text = self._get(client, f"{self._account}.json", _basic(config.account_sid, config.auth_token))
        if account is None:
            yield ConnectionCheck("credentials", False, f"Twilio refused the account SID and the auth token: {text}.")
            return
        status, kind = account.get("status"), account.get("type")
        yield ConnectionCheck("credentials", True, "Twilio accepts the account SID and the auth token.")
        if status != "active":
            yield ConnectionCheck("account", False, f"The account is {status}: ask Twilio to activate it.")
            return
        if kind == "Trial":
            yield ConnectionCheck("account", None, "This is a trial account: it sends to verified numbers only.")
        if config.api_key:
            messages, text = self._get(client, f"{self._account}/Messages.json?PageSize=1", self._authorization[1])
            passed = messages is not None
            yield ConnectionCheck(
                "API key", passed, "Twilio accepts the API key." if passed else f"Twilio refused the API key: {text}."
            )

    def _get(self, client: HttpClient, url: str, authorization: str) -> tuple[dict[str, Any] | None, str]:
        """The document at `url`, or None and why there is none."""
        return get_json(client, Request("GET", url, (("authorization", authorization),), b"", self.timeout))


def _event_in_doubt(doubt: Doubt, message: Mapping[str, Any]) -> ReceiptEvent | None:
    """The event of a message of Twilio's that may be the one in doubt: made at that time, with the same text. Without
    its text (that of a campaign's message is not kept) any message to the number might be it. Raises
    ValueError and TypeError for what is no message of Twilio's."""
    made_at = parsedate_to_datetime(message["date_created"])
    text = doubt.parts.get("text")
    same_text = text is not None and str(message["body"]).strip() == str(text).strip()
    if not doubt.since <= made_at <= doubt.until or not same_text or message.get("direction") == "inbound":
        return None
    kind = _KINDS.get(str(message["status"]), EventKind.SENT)
    code = message.get("error_code")
    return ReceiptEvent(
        kind,
        provider_ref=str(message["sid"])[:LONGEST_ID],
        permanent=kind is EventKind.FAILED and code in GONE,
        detail=f"{code} {message.get('error_message') or ''}".strip()[:300] if code else "",
        event_id=f"{message['sid']} asked",
    )


def _is_service(sender: str) -> bool:
    return sender.startswith("MG") and len(sender) == 34  # an alphanumeric id has 11 characters at most


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _verdict_of_code(status: int, code: int, detail: str, after: float | None) -> Verdict:
    """The verdict by Twilio's own error code."""
    if code in DEAD or code == OPTED_OUT:
        return Permanent(detail, address_is_dead=True)
    if code in THROTTLED or status == 429:
        return Throttled(after, detail)
    if code in ACCOUNT or status in (401, 403, 404):
        return Misconfigured(detail)
    if status == 503:
        return Temporary(detail, unavailable=True)
    return InDoubt(detail) if status >= 500 else Permanent(detail)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _signed_data(body: bytes) -> str:
    """Names and values as Twilio joins them: by name, each pair once."""
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    return "".join(name + value for name, value in sorted(set(pairs)))


def _with_and_without_port(url: str) -> list[str]:
    """Twilio signs the address with the port or without it: both are valid for the standard port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    without = parts._replace(netloc=host).geturl()
    return [url, without, parts._replace(netloc=f"{host}:{port}").geturl()]


def _status_events(form: Mapping[str, str], query: Mapping[str, list[str]]) -> list[ReceiptEvent]:
    status, sid = form["MessageStatus"], form.get("MessageSid", "")[:LONGEST_ID]
    code = int(text) if (text := form.get("ErrorCode", "")).isdecimal() and len(text) < 7 else 0
    if status not in _KINDS:
        return []  # queued, sending: nothing that the sender of the message does not know
    event = ReceiptEvent(
        _KINDS[status],
        delivery_id=parse_id(query.get("delivery", [""])[0]),
        provider_ref=sid,
        permanent=code in GONE,
        detail=f"{code} {form.get('ErrorMessage', '')}".strip()[:300] if code else "",
        event_id=f"{sid} {status}",
    )
    opted_out = EventKind.STOP if code == OPTED_OUT else None
    return [event, *reply_events(opted_out, form.get("To", ""), f"{sid} {OPTED_OUT}")]


def _kind_of_inbound(form: Mapping[str, str]) -> EventKind | None:
    """STOP, START or HELP: by Twilio's own word, which knows the account's keywords, else by the text."""
    if "MessageStatus" in form:
        return None
    by_twilio = {"STOP": EventKind.STOP, "START": EventKind.START, "HELP": EventKind.HELP}
    return by_twilio.get(form.get("OptOutType", "")) or kind_of_reply(form.get("Body", ""))
