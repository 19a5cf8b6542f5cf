"""Vonage: POST /v1/messages with a JWT, GET /account/get-balance with the API key.

The service knows one application, whose secrets are public. Status and inbound callbacks carry a JWT with the hash of
their body, as Vonage's do. `notifier.sandbox.phones` says which numbers choose which answer.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson

from notifier.sandbox.fake_service import Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.phones import magic

APPLICATION, API_KEY = "00000000-0000-4000-8000-00000000005a", "5a5a5a5a"
KEY = "notifier-sandbox: anybody may send here"
ERRORS = "https://developer.vonage.com/api-errors/messages"
LONGEST = 1_000  #: characters of a text
SUBMITTED_AFTER, DELIVERED_AFTER = 0.05, 0.15  #: seconds until the callbacks of a message

#: word of the number -> (HTTP status, error code, title, detail)
REFUSALS = {
    "invalid": (422, 1170, "Invalid or Missing Msisdn Param", "The number in `to` is missing or invalid."),
    "no_mobile": (422, 1170, "Invalid or Missing Msisdn Param", "The number in `to` is missing or invalid."),
    "unroutable": (422, 1040, "Invalid message", "The prefix of the phone number is not recognised."),
    "region": (403, 1140, "Facility not allowed", "The account may not send to this destination."),
    "opted_out": (422, 1240, "Illegal Number", "The person asked not to receive messages from this service."),
    "throttled": (429, 1000, "Throttled", "The submission capacity of this account is exceeded."),
    "internal": (500, 1030, "Internal error", "There was an error processing the request."),
    "unavailable": (503, 1030, "Internal error", "The platform is unavailable."),
}
#: word of the number -> the error of the callback
UNDELIVERED = {
    "unreachable": "Absent Subscriber - Temporary",
    "blocked": "Number Blocked by Carrier",
    "unknown_handset": "Absent Subscriber - Permanent",
    "landline": "Absent Subscriber - Permanent",
    "filtered": "Anti-Spam Rejection",
}


class Vonage(MessageService):
    channel = "sms"

    def serves(self, path: str) -> bool:
        return path in ("/v1/messages", "/account/get-balance")

    def answer(self, incoming: Incoming) -> Answer:
        return super().answer(incoming) if incoming.path == "/v1/messages" else self._balance(incoming)

    def unavailable(self) -> Answer:
        return self._refuse("unavailable")

    def answer_message(self, incoming: Incoming) -> Answer:
        if not self._may_send(incoming.headers.get("authorization", "")):
            return _error(401, "https://developer.vonage.com/api-errors#unauthorized", "Unauthorized", "No valid JWT.")
        try:
            message = orjson.loads(incoming.body)
            number = f"+{message['to']}"
            missing = [name for name in ("text", "from", "channel", "message_type") if not message.get(name)]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            missing, message, number = ["to"], {}, ""
        if missing or len(message["text"]) > LONGEST:
            return _error(422, f"{ERRORS}#1020", "Invalid params", f"Check {', '.join(missing) or 'text'}.")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
            return self._refuse("invalid")
        word = magic(number)
        if word in REFUSALS:
            return self._refuse(word)
        reference = str(uuid.uuid4())
        self._take(message, number, reference, word)
        slow = self.state.faults.slow_ms / 1000 if word == "slow" else 0.0
        return json_answer(202, {"message_uuid": reference})._replace(hangup=word == "hangup", delay=slow)

    def _refuse(self, word: str) -> Answer:
        status, code, title, detail = REFUSALS[word]
        answer, wait = _error(status, f"{ERRORS}#{code}", title, detail), self.state.faults.retry_after_text
        return answer._replace(headers=(("retry-after", wait),)) if status == 429 and wait is not None else answer

    def _may_send(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        try:
            claims = jwt.decode(token, KEY, ["HS256"], options={"require": ["exp", "iat", "jti"]}, leeway=10)
        except jwt.PyJWTError:
            return False
        allowed = scheme == "Bearer" and claims.get("application_id") == APPLICATION
        return allowed and not self.state.faults.reject_auth

    def _take(self, message: dict[str, Any], number: str, reference: str, word: str) -> None:
        callback, sender, text = str(message.get("webhook_url", "")), str(message["from"]), message["text"]
        delivery = parse_qs(urlsplit(callback).query).get("delivery", [message.get("client_ref", reference)])[0]
        self.state.arrivals.take(number, delivery, text, "sms")
        self.state.outbox.add(OutboxItem("sms", number, delivery, text=text, service="vonage", sender=sender))
        if not callback:
            return
        status = {
            "message_uuid": reference,
            "to": number[1:],
            "from": sender,
            "channel": "sms",
            "client_ref": message.get("client_ref"),
        }
        self._report(callback, status | {"status": "submitted"}, SUBMITTED_AFTER)
        if why := UNDELIVERED.get(word):
            error = {"type": f"{ERRORS}#1180", "title": 1180, "detail": why, "instance": reference}
            self._report(callback, status | {"status": "undeliverable", "error": error}, DELIVERED_AFTER)
        else:
            self._report(callback, status | {"status": "delivered"}, DELIVERED_AFTER)
        self.state.phones.remember(number, lambda answer: self._inbound(callback, number, sender, answer))

    def _inbound(self, callback: str, number: str, sender: str, text: str) -> None:
        """The owner of the number answers: Vonage calls the application's address for inbound messages."""
        self.state.outbox.add(OutboxItem("sms", number, text=text, service="vonage", sender=sender, inbound=True))
        message = {"message_uuid": str(uuid.uuid4()), "to": sender, "from": number[1:], "channel": "sms"}
        self._report(callback.partition("?")[0], message | {"message_type": "text", "text": text}, 0.0)

    def _report(self, url: str, document: dict[str, Any], delay: float) -> None:
        body = orjson.dumps(document | {"timestamp": datetime.now(UTC).isoformat()})
        claims = {
            "iss": "Vonage",
            "iat": int(time.time() + delay),
            "jti": str(uuid.uuid4()),
            "api_key": API_KEY,
            "application_id": APPLICATION,
            "payload_hash": hashlib.sha256(body).hexdigest(),
        }
        token = jwt.encode(claims, KEY, "HS256")
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.state.callbacks.post(url, headers, body, delay)

    def _balance(self, incoming: Incoming) -> Answer:
        scheme, _, encoded = incoming.headers.get("authorization", "").partition(" ")
        try:
            allowed = scheme == "Basic" and b64decode(encoded).decode() == f"{API_KEY}:{KEY}"
        except ValueError:
            allowed = False
        if not allowed or self.state.faults.reject_auth:
            return json_answer(401, {"error-code": "401", "error-code-label": "authentication failed"})
        return json_answer(200, {"value": 10.28, "autoReload": False})


def _error(status: int, kind: str, title: str, detail: str) -> Answer:
    return json_answer(status, {"type": kind, "title": title, "detail": detail, "instance": uuid.uuid4().hex})
