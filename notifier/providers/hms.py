"""Huawei Push Kit (HMS): phones without Google's services, Android apps up to HarmonyOS 4.

    https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197

Huawei answers most requests with the status 200 and a code of its own in the body, so that each answer must be read:
there is no body template, because the transport keeps only the status of a plain 200.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from notifier.channels.push import PushMessage
from notifier.channels.push_keys import typed_values
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.common.app_data import app_data
from notifier.providers.common.json_answers import json_object
from notifier.providers.common.requests import answer_to, form_request
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

TOKENS = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,1024}")
CODE = re.compile(r"8[0-9]{7}")
LARGEST = 4096  #: bytes of a message without its token
LONGEST_TTL = 15 * 86_400
LARGEST_BADGE = 99
SUCCESS, PARTIAL, NO_PERMISSION, ALL_TOKENS_INVALID = "80000000", "80100000", "80300002", "80300007"
#: wrong, or expired: a new access token may help
TOKEN_CODES = frozenset({"80200001", "80200003"})

SANDBOX_APP, SANDBOX_SECRET = "100000001", "notifier-sandbox"
NO_TOKEN = "0" * 32  #: a token that no device has

#: keys of the block `android` whose values Huawei's notification takes under the same name
_SAME = ("channel_id", "color", "icon", "image", "tag", "ticker")
_QUIET = ("min", "low")


@dataclass(frozen=True)
class HmsConfig(base.Config):
    app_id: str = base.setting(label="App ID", help_text="Of AppGallery Connect; also the OAuth 2.0 client ID.")
    client_secret: str = base.secret(help_text="The OAuth 2.0 client secret of the app.")
    badge_class: str = base.setting(
        "", help_text="The app's entry activity, such as com.example.MainActivity. Without it, no badge is set."
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if not re.fullmatch(r"[0-9]{6,20}", config.app_id):
            raise InvalidInput("app_id is the number that AppGallery Connect shows.", field="app_id")
        if config.badge_class and not re.fullmatch(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)+", config.badge_class):
            raise InvalidInput("badge_class is a class with its package: com.example.Main.", field="badge_class")
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(app_id=SANDBOX_APP, client_secret=SANDBOX_SECRET, badge_class="com.example.MainActivity")


class Hms(base.Provider[PushMessage]):
    name = "hms"
    channel = "push"
    platform = "hms"
    default_account = False
    limit_of = "this Huawei app"
    rehearses = True  # validate_only
    Config = HmsConfig
    config: HmsConfig
    origin = "https://push-api.cloud.huawei.com"

    def __init__(self, config: HmsConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._url = f"{self.base}/v1/{config.app_id}/messages:send"
        self._token_url = TOKENS if self.base == self.origin else f"{self.base}/oauth2/v3/token"

    @classmethod
    def check_token(cls, token: str) -> str:
        if not TOKEN.fullmatch(token):
            raise InvalidInput(
                "A token of Huawei Push Kit is 16 to 1024 letters, digits, - and _, as getToken() returns it.",
                field="token",
            )
        return token

    def can_replace(self, other: base.Provider[PushMessage]) -> bool:
        """A token belongs to one app."""
        return isinstance(other, Hms) and other.config.app_id == self.config.app_id

    # -- the access token --

    def token_request(self) -> Request:
        config = self.config
        form = {"grant_type": "client_credentials", "client_id": config.app_id, "client_secret": config.client_secret}
        return form_request(self._token_url, form, self.timeout)

    def refuses_token(self, response: Response) -> bool:
        return response.status == 401 or _code_of(json_object(response.body)) in TOKEN_CODES

    # -- the message --

    def request(self, message: PushMessage, token: str) -> Request:
        address = message.envelope.address.value
        document: dict[str, Any] = {"message": {**message_of(message, self.config.badge_class), "token": [address]}}
        if message.envelope.rehearsal:
            document["validate_only"] = True
        return self._post(document, address, token)

    def _post(self, document: Mapping[str, Any], address: str, token: str) -> Request:
        body = orjson.dumps(document)
        if (size := len(body) - len(address)) > LARGEST:
            raise base.Unbuildable(f"the message has {size:,} bytes; Huawei takes {LARGEST:,}")
        headers = (("authorization", f"Bearer {token}"), ("content-type", "application/json; charset=UTF-8"))
        return Request("POST", self._url, headers, body, self.timeout)

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        document = json_object(response.body)
        if code := _code_of(document):
            return _verdict_of_code(code, document, response)
        return _verdict_of_status(response)

    # -- test connection --

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """Fetch an access token, then let Huawei check a message to a token that no device has."""
        checks = list(super().test(client))
        yield from checks
        token_request = self.required_token()
        if token_request is None or not all(check.passed for check in checks):
            return
        message = {"data": "{}", "android": {}, "token": [NO_TOKEN]}
        document = {"validate_only": True, "message": message}
        request = self._post(document, NO_TOKEN, client.token(token_request))
        answer = answer_to(client, request)
        if not isinstance(answer, Response):
            yield ConnectionCheck("push", False, f"Huawei's push server cannot be reached: {answer.detail}")
        else:
            yield _push_check(_code_of(json_object(answer.body)), answer.status)


# ---- the message -------------------------------------------------------------------------------------------------


def message_of(message: PushMessage, badge_class: str) -> dict[str, Any]:
    """Huawei's message without its token."""
    envelope = message.envelope
    block = typed_values("android", message.android)
    # Huawei's receipts bring `bi_tag` back
    android: dict[str, Any] = {"bi_tag": str(envelope.delivery_id)}
    if (lifetime := message.lifetime) is not None:
        android["ttl"] = f"{max(1, min(lifetime, LONGEST_TTL))}s"
    group = block.get("collapse_key", "")
    if group.isdecimal() and int(group) <= 100:  # Huawei's groups of messages that wait are numbers
        android["collapse_key"] = int(group)
    content: dict[str, Any] = {"data": orjson.dumps(app_data(message)).decode(), "android": android}
    if message.is_data:
        if message.priority == "high":  # needs a right of its own at Huawei, so the lane does not decide
            android["urgency"] = "HIGH"
        return content
    if not message.title or not message.body:
        raise base.Unbuildable("Huawei shows no message without both a title and a body")
    content["notification"] = {name: text for name in ("title", "body", "image") if (text := getattr(message, name))}
    android["notification"] = _notification(message, block, badge_class)
    return content


def _notification(message: PushMessage, block: Mapping[str, Any], badge_class: str) -> dict[str, Any]:
    """`AndroidNotification`. The tag lets a repeat replace the first message on the phone."""
    notification: dict[str, Any] = {
        "click_action": _click_action(message.link, block.get("click_action", "")),
        "tag": message.envelope.collapse_key,
        **{name: block[name] for name in _SAME if name in block},
    }
    if priority := block.get("notification_priority"):
        notification["importance"] = "LOW" if priority in _QUIET else "NORMAL"
    if visibility := block.get("visibility"):
        notification["visibility"] = visibility.upper()
    if (sound := block.get("sound") or message.sound) and sound != "default":
        notification |= {"default_sound": False, "sound": sound if sound.startswith("/") else f"/raw/{sound}"}
    number = block.get("notification_count", int(message.badge) if message.badge.isdecimal() else None)
    if badge_class and number is not None:
        notification["badge"] = {"class": badge_class, "set_num": min(number, LARGEST_BADGE)}
    return notification


def _click_action(link: str, action: str) -> dict[str, Any]:
    """1 opens a page of the app, 2 a URL, 3 the app."""
    if action:
        return {"type": 1, "action": action}
    if link.startswith("https://"):
        return {"type": 2, "url": link}
    return {"type": 1, "intent": link} if link else {"type": 3}


# ---- verdicts ----------------------------------------------------------------------------------------------------


def _dead(detail: str) -> Verdict:
    return Permanent(detail, address_is_dead=True)


def _throttled(detail: str) -> Verdict:
    return Throttled(None, detail)


#: https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197, "Result codes"
VERDICTS: Mapping[str, Callable[[str], Verdict]] = {
    "80100001": Permanent,  # a parameter is wrong
    "80100003": Permanent,  # the structure of the message is wrong
    "80100004": Permanent,  # the time to live is over
    "80100013": Permanent,  # collapse_key is wrong
    "80100016": Permanent,  # the content is sensitive
    "80100017": _throttled,  # too many messages to topics
    "80100018": Permanent,  # the signature of a reviewed content is wrong
    "80200001": Temporary,  # the access token is wrong: the next attempt has a new one
    "80200003": Temporary,  # the access token is over
    NO_PERMISSION: Misconfigured,  # Push Kit is not enabled for the app
    ALL_TOKENS_INVALID: _dead,
    "80300008": Permanent,  # the message is too large
    "80300010": Permanent,  # the number of tokens is wrong
    "80300011": Misconfigured,  # no right to send messages of this importance
    "80300013": Misconfigured,  # the address for receipts is wrong
    "80600003": Temporary,  # Huawei's own token service is away
    "81000001": Temporary,  # internal error
}


def _verdict_of_code(code: str, document: Mapping[str, Any], response: Response) -> Verdict:
    """The verdict by Huawei's own code. The text of PARTIAL names tokens, so the ledger does not show it."""
    text = document.get("msg")
    detail = code if code == PARTIAL or not isinstance(text, str) else f"{code} {text}"[:300]
    if code == SUCCESS or (code == PARTIAL and not _illegal_tokens(text)):
        reference = document.get("requestId")
        return Sent(reference[:200] if isinstance(reference, str) else "")
    if code == PARTIAL:
        return _dead(detail)
    if response.status in (429, 503):
        return Throttled(retry_after(response), detail)
    # codes that are not known: those of 81 and 82 are Huawei's own faults, the others the message's
    return VERDICTS.get(code, Temporary if code[:2] in ("81", "82") else Permanent)(detail)


def _verdict_of_status(response: Response) -> Verdict:
    """The verdict of an answer without Huawei's code, which is mostly a proxy's. 503: too many requests."""
    status = response.status
    detail = str(status)
    if 200 <= status < 300:
        return Sent()
    if status in (429, 503):
        return Throttled(retry_after(response), detail)
    return Misconfigured(detail) if status in (403, 404, 410) else Temporary(detail)


def _code_of(document: Mapping[str, Any]) -> str:
    """Huawei's own code; empty in an answer of another server."""
    code = document.get("code")
    return code if isinstance(code, str) and CODE.fullmatch(code) else ""


def _illegal_tokens(text: Any) -> bool:
    """Whether the text of PARTIAL names a refused token: each request has one token only."""
    return bool(json_object(text.encode()).get("illegal_tokens")) if isinstance(text, str) else False


def _push_check(code: str, status: int) -> ConnectionCheck:
    """The result of the test, from the answer to a message that is only checked."""
    if code in (SUCCESS, PARTIAL, ALL_TOKENS_INVALID):
        return ConnectionCheck("push", True, "Huawei lets this app send.")
    if code == NO_PERMISSION:
        text = f"Huawei does not let this app send ({code}). Enable Push Kit for it in AppGallery Connect."
        return ConnectionCheck("push", False, text)
    if code in TOKEN_CODES:
        text = f"Huawei's push server refuses the access token ({code}). Check that the secret is that of this app."
        return ConnectionCheck("push", False, text)
    text = f"Huawei's push server gave no clear answer ({code or status}). Try again later, or send a test message."
    return ConnectionCheck("push", None, text)
