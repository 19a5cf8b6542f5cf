"""APNs: POST /3/device/<token> over HTTP/2, with a provider token of the team.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from string import ascii_letters, digits
from typing import Any
from urllib.parse import quote
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifier.channels import channel
from notifier.channels.base import UNREAD, Envelope
from notifier.channels.push import LARGEST_BADGE, PushMessage
from notifier.channels.push_keys import typed_values
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.apns.config import ORIGINS, PRODUCTION, ApnsConfig, signing_key
from notifier.providers.apns.payload import LARGEST, LARGEST_VOIP, VOIP, check_names, payload
from notifier.providers.apns.provider_token import ProviderToken
from notifier.providers.apns.verdicts import verdict_of
from notifier.providers.body_template import ADDRESS
from notifier.providers.common.aps import ALERT, BACKGROUND, LIVE_ACTIVITY, push_type
from notifier.providers.common.collapse_keys import collapse_id
from notifier.providers.common.json_answers import json_object
from notifier.providers.common.json_texts import json_texts
from notifier.providers.common.requests import answer_to
from notifier.providers.common.short_pushes import is_short
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import Verdict

#: push type -> what follows the bundle id in the topic. A push of the type `mdm` needs a certificate of its own
TOPIC_SUFFIXES: Mapping[str, str] = {
    ALERT: "",
    BACKGROUND: "",
    "location": ".location-query",
    VOIP: ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    LIVE_ACTIVITY: ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
    "controls": ".push-type.controls",
}
#: Apple does not promise a size; it has announced tokens of up to 100 bytes, and today's have 32
_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")
_PLAIN = (ascii_letters + digits).encode()
#: parts whose texts stand in the payload as they are, and nowhere else decide what the request is
TEMPLATABLE = frozenset({"title", "body", "data", "sound"}).union(
    f"apns.{key}" for key in ("subtitle", "sound", "thread_id", "category", "target_content_id", "filter_criteria")
)
#: a token that no device has: with it, an account is tested
IMPOSSIBLE_TOKEN = "0" * 64


class Apns(base.Provider[PushMessage]):
    name = "apns"
    channel = "push"
    platform = "apns"
    largest = LARGEST
    templatable = TEMPLATABLE
    own_paths = True
    own_headers = ("apns-id", "apns-collapse-id")
    Config = ApnsConfig
    config: ApnsConfig
    origin = ORIGINS[PRODUCTION]

    def __init__(self, config: ApnsConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin or ORIGINS[config.environment], timeout)
        key = signing_key(config.private_key)
        self._token = ProviderToken(key, config.key_id, config.team_id)
        public_key = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self._pool = f"{config.team_id}.{config.key_id}.{blake2b(public_key, digest_size=8).hexdigest()}"

    @property
    def pool(self) -> str:
        """Connections of one team and key: APNs binds a connection to the team and key of its first request. The key
        itself counts, so that an account with a wrong key spoils the connections of no other account."""
        return self._pool

    # -- the content --

    @classmethod
    def size(cls, parts: Mapping[str, Any]) -> int:
        """Bytes of the whole payload."""
        if parts.get("badge") == UNREAD:
            parts = {**parts, "badge": str(LARGEST_BADGE)}
        message = channel(cls.channel).message(_ANY, parts)
        assert isinstance(message, PushMessage)
        return len(payload(message, typed_values("apns", message.apns)))

    @classmethod
    def check_content(cls, parts: Mapping[str, Any]) -> None:
        check_names(parts.get("data") or {})
        if not is_short(parts):
            super().check_content(parts)

    @classmethod
    def largest_for(cls, parts: Mapping[str, Any]) -> int:
        return LARGEST_VOIP if (parts.get("apns") or {}).get("push_type") == VOIP else LARGEST

    # -- the token --

    @classmethod
    def check_token(cls, token: str) -> str:
        """The token in lower case, so that one device is registered once."""
        if _TOKEN.fullmatch(token):
            return token.lower()
        if token.startswith("<") or " " in token:
            remedy = "leave out the angle brackets and blanks of its description"
        elif ":" in token:
            remedy = "this looks like a token of Firebase: register it with the platform fcm"
        else:
            remedy = "write its bytes as hexadecimal digits, not as base64"
        raise InvalidInput(f"A device token of APNs is 64 to 200 hexadecimal digits; {remedy}.", field="token")

    def can_replace(self, other: base.Provider[PushMessage]) -> bool:
        """A token belongs to one app of one team in one environment."""
        return isinstance(other, Apns) and other._belonging == self._belonging

    @property
    def _belonging(self) -> tuple[str, str, str]:
        return self.config.team_id, self.config.bundle_id, self.base

    # -- the message --

    def request(self, message: PushMessage, token: str) -> Request:
        block = typed_values("apns", message.apns)
        kind = push_type(message, block)
        body = payload(message, block)
        most = LARGEST_VOIP if kind == VOIP else LARGEST
        if len(body) > most:
            raise base.Unbuildable(f"the payload has {len(body):,} bytes, and APNs takes {most:,}")
        url = f"{self.base}/3/device/{_path_text(message.envelope.address.value)}"
        return Request("POST", url, self._headers(message, block, kind), body, self.timeout)

    def _headers(self, message: PushMessage, block: Mapping[str, Any], kind: str) -> tuple[tuple[str, str], ...]:
        if (suffix := TOPIC_SUFFIXES.get(kind)) is None:
            raise base.Unbuildable(f"this provider sends no pushes of the type {kind}")
        # Apple asks for 5 with background pushes, and drops those with 10
        priority = "10" if message.is_urgent and kind != BACKGROUND else "5"
        envelope, lifetime = message.envelope, message.lifetime
        headers = (
            ("authorization", f"bearer {self._token.text()}"),
            ("apns-topic", self.config.bundle_id + suffix),
            ("apns-push-type", kind),
            ("apns-priority", priority),
            ("apns-id", str(envelope.delivery_id)),
            ("apns-collapse-id", block.get("collapse_id") or collapse_id(envelope.collapse_key)),
        )
        return headers if lifetime is None else (*headers, ("apns-expiration", _expiration(lifetime)))

    def encode(self, column: str, texts: Sequence[str]) -> list[bytes]:
        return _path_texts(texts) if column == ADDRESS else json_texts(texts)

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        return verdict_of(response)

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """A push to a token that no device has: APNs checks the key first."""
        envelope = Envelope(new_id(), new_id(), new_id(), Address(IMPOSSIBLE_TOKEN, self.platform), "test")
        message = PushMessage(envelope, title="Test", body="Test")
        answer = answer_to(client, self.checked_request(message, ""))
        if not isinstance(answer, Response):
            yield ConnectionCheck("connection", False, f"APNs cannot be reached: {answer.detail}")
            return
        reason = json_object(answer.body).get("reason")
        if reason == "BadDeviceToken":
            yield ConnectionCheck("credentials", True, "Apple accepts the key, its key ID and the team ID.")
            yield ConnectionCheck(
                "bundle ID",
                None,
                "The first push to a device shows whether bundle ID and environment are right.",
            )
            return
        detail = getattr(verdict_of(answer), "detail", str(answer.status))
        yield ConnectionCheck("credentials", False, f"Apple refuses a push of this account: {detail}.")


#: the envelope of a message of which only the size counts
_ANY = Envelope(UUID(int=0), UUID(int=0), UUID(int=0), Address(""), "")


def _path_text(token: str) -> str:
    """The token in a path. A device that was registered before tokens were checked may have any text."""
    return token if token.isascii() and token.isalnum() else quote(token, safe="")


def _path_texts(tokens: Sequence[str]) -> list[bytes]:
    """The same for many tokens: 0.4 µs a token; with a regular expression 1.2."""
    joined = "\n".join(tokens).encode()
    if tokens and joined.translate(None, _PLAIN) == b"\n" * (len(tokens) - 1):
        return joined.split(b"\n")
    return [_path_text(token).encode() for token in tokens]


def _expiration(seconds: int) -> str:
    """The Unix time until which APNs tries; 0: one attempt."""
    return str(int(time.time()) + seconds) if seconds > 0 else "0"
