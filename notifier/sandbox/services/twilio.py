"""Twilio: POST and GET of /2010-04-01/Accounts/{sid}/Messages.json, GET of /2010-04-01/Accounts/{sid}.json.

The service knows one account, whose secrets are public. Status callbacks and inbound messages are signed as Twilio
signs them. `notifier.sandbox.phones` says which numbers choose which answer.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from notifier.sandbox.fake_service import Answer, Incoming, MessageService, json_answer
from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.phones import magic

ACCOUNT, KEY = "AC" + "5a" * 16, "SK" + "5a" * 16
TOKEN = "notifier-sandbox: anybody may send here"  # noqa: S105
PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})(/Messages)?\.json")
PAGE = 50  #: messages that are listed at once
LONGEST = 1_600  #: characters of a Body
SENT_AFTER, DELIVERED_AFTER = 0.05, 0.15  #: seconds until the callbacks of a message

#: word of the number -> (HTTP status, Twilio's code, message)
REFUSALS = {
    "invalid": (400, 21211, "Invalid 'To' Phone Number"),
    "unroutable": (400, 21612, "The 'To' phone number is not currently reachable using the 'From' phone number"),
    "region": (400, 21408, "Permission to send an SMS has not been enabled for the region"),
    "opted_out": (400, 21610, "Attempt to send to unsubscribed recipient"),
    "no_mobile": (400, 21614, "'To' number is not a valid mobile number"),
    "throttled": (429, 20429, "Too Many Requests"),
    "internal": (500, 20500, "Internal Server Error"),
    "unavailable": (503, 20503, "Service unavailable"),
}
#: word of the number -> Twilio's code in the callback `undelivered`
UNDELIVERED = {"unreachable": 30003, "blocked": 30004, "unknown_handset": 30005, "landline": 30006, "filtered": 30007}


class Twilio(MessageService):
    channel = "sms"

    def serves(self, path: str) -> bool:
        return PATH.fullmatch(path) is not None

    def answer(self, incoming: Incoming) -> Answer:
        return super().answer(incoming) if incoming.method == "POST" else self._read(incoming)

    def answer_message(self, incoming: Incoming) -> Answer:
        if not self._may(incoming, ACCOUNT, KEY):
            return _error(401, 20003, "Authenticate")
        form = dict(parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True))
        for name, code in (("To", 21604), ("Body", 21602)):
            if not form.get(name):
                return _error(400, code, f"A '{name}' is required.")
        sender = form.get("From") or form.get("MessagingServiceSid")
        if not sender:
            return _error(400, 21603, "A 'From' phone number is required.")
        if len(form["Body"]) > LONGEST:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form["To"]):
            return _error(400, 21211, f"Invalid 'To' Phone Number: {form['To'][-4:]}")
        return self._answer_valid(form, sender)

    def _answer_valid(self, form: dict[str, str], sender: str) -> Answer:
        word = magic(form["To"])
        if word in REFUSALS:
            return self._refuse(*REFUSALS[word])
        sid = f"SM{secrets.token_hex(16)}"
        self._take(form, sender, sid, word)
        accepted = {"sid": sid, "status": "queued", "to": form["To"], "error_code": None, "account_sid": ACCOUNT}
        slow = self.state.faults.slow_ms / 1000 if word == "slow" else 0.0
        return json_answer(201, accepted)._replace(hangup=word == "hangup", delay=slow)

    def unavailable(self) -> Answer:
        return self._refuse(*REFUSALS["unavailable"])

    def _refuse(self, status: int, code: int, message: str) -> Answer:
        answer, wait = _error(status, code, message), self.state.faults.retry_after_text
        if status in (429, 503) and wait is not None:
            return answer._replace(headers=(*answer.headers, ("retry-after", wait)))
        return answer

    def _take(self, form: dict[str, str], sender: str, sid: str, word: str) -> None:
        number, text, callback = form["To"], form["Body"], form.get("StatusCallback", "")
        delivery = parse_qs(urlsplit(callback).query).get("delivery", [sid])[0]
        self.state.arrivals.take(number, delivery, text, "sms")
        self.state.phones.listed.append(_resource(form, sender, sid, word))
        self.state.outbox.add(OutboxItem("sms", number, delivery, text=text, service="twilio", sender=sender))
        if not callback:
            return
        base = {"AccountSid": ACCOUNT, "MessageSid": sid, "SmsSid": sid, "To": number, "From": sender}
        status = {**base, "MessageStatus": "sent", "SmsStatus": "sent"}
        self._report(callback, status, SENT_AFTER)
        if code := UNDELIVERED.get(word):
            status |= {"MessageStatus": "undelivered", "SmsStatus": "undelivered", "ErrorCode": str(code)}
        else:
            status |= {"MessageStatus": "delivered", "SmsStatus": "delivered"}
        self._report(callback, status, DELIVERED_AFTER)
        self.state.phones.remember(number, lambda answer: self._inbound(callback, number, sender, answer))

    def _inbound(self, callback: str, number: str, sender: str, text: str) -> None:
        """The owner of the number answers: Twilio calls the address without the delivery of any message."""
        sid = f"SM{secrets.token_hex(16)}"
        form = {"AccountSid": ACCOUNT, "MessageSid": sid, "SmsSid": sid, "SmsStatus": "received", "NumMedia": "0"}
        self.state.outbox.add(OutboxItem("sms", number, text=text, service="twilio", sender=sender, inbound=True))
        self._report(callback.partition("?")[0], {**form, "From": number, "To": sender, "Body": text}, 0.0)

    def _report(self, url: str, form: dict[str, str], delay: float) -> None:
        signed = url + "".join(name + form[name] for name in sorted(form))
        signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": signature,
            "user-agent": "TwilioProxy/1.1",
        }
        self.state.callbacks.post(url, headers, urlencode(form).encode(), delay)

    # -- what "test connection" reads --

    def _read(self, incoming: Incoming) -> Answer:
        messages = incoming.path.endswith("/Messages.json")
        if not self._may(incoming, ACCOUNT, *([KEY] if messages else [])):
            return _error(401, 20003, "Authenticate")
        if messages:
            number = parse_qs(incoming.query).get("To", [""])[0]
            listed = [message for message in reversed(self.state.phones.listed) if message["to"] == number][:PAGE]
            return json_answer(200, {"messages": listed, "page": 0, "page_size": PAGE})
        account = {"sid": ACCOUNT, "friendly_name": "Notifier sandbox", "status": "active", "type": "Full"}
        return json_answer(200, account)

    def _may(self, incoming: Incoming, *users: str) -> bool:
        """Whether the request is authorized as one of these users, for the account of its path."""
        scheme, _, encoded = incoming.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = b64decode(encoded).decode().partition(":")
        except ValueError:
            return False
        found = PATH.fullmatch(incoming.path)
        right_account = found is not None and found[1] == ACCOUNT
        return right_account and scheme == "Basic" and user in users and self._accepts(password)

    def _accepts(self, password: str) -> bool:
        return password == TOKEN and not self.state.faults.reject_auth


def _resource(form: dict[str, str], sender: str, sid: str, word: str) -> dict[str, object]:
    """The message as Twilio lists it, once it has arrived or failed."""
    code = UNDELIVERED.get(word)
    return {
        "sid": sid, "to": form["To"], "from": sender, "body": form["Body"], "account_sid": ACCOUNT,
        "direction": "outbound-api", "status": "undelivered" if code else "delivered", "error_code": code,
        "error_message": None, "date_created": format_datetime(datetime.now(UTC)),
    }  # fmt: skip


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_answer(status, {"code": code, "message": message, "more_info": more, "status": status})
