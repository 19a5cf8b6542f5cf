"""A browser's subscription, and the token that stands for it: `<endpoint>#<p256dh>.<auth>.<key id>`.

Keys are base64url without padding. The key id names the VAPID key with which the browser subscribed; a token without
one is of the account's current key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

import orjson

from notifier.errors import InvalidInput
from notifier.providers.common import base64url
from notifier.providers.webpush import services
from notifier.providers.webpush.encryption import SECRET_SIZE, read_public_key

LONGEST = 1024  #: characters of a token; a column and an index hold it
KEY_ID = re.compile(r"[A-Za-z0-9_-]{8}")
#: what a URL holds as it stands (RFC 3986), without the `#` that ends the endpoint
_URL = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
#: a step of a path that a server or a client may resolve: /wp/../v1 is another address than it seems
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|\Z)", re.IGNORECASE)
_ENDS = (
    "Send JSON.stringify(subscription), or <endpoint>#<p256dh>.<auth>.<key id> with keys in base64url without padding."
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """`browser_key` and `secret` are bytes; `key_id` is empty for the account's current key."""

    endpoint: str
    browser_key: bytes
    secret: bytes
    key_id: str = ""

    @property
    def token(self) -> str:
        keys = [base64url.encode(self.browser_key), base64url.encode(self.secret), self.key_id]
        return f"{self.endpoint}#{'.'.join(filter(None, keys))}"


def parse_stored(token: str) -> Subscription:
    """The subscription of a token that `check_token` returned. Raises ValueError for another text. 2 µs."""
    endpoint, _, keys = token.partition("#")
    p256dh, auth, key_id = (*keys.split(".", 2), "", "")[:3]
    return Subscription(endpoint, base64url.decode_known(p256dh), base64url.decode_known(auth), key_id)


def without_key_id(token: str) -> str:
    """The token of the same subscription that names no key; of a token that `check_token` returned."""
    endpoint, mark, keys = token.partition("#")
    return f"{endpoint}{mark}{'.'.join(keys.split('.')[:2])}"


def check_token(text: str) -> str:
    """The token as it is stored, from a token or `JSON.stringify(subscription)`. Raises InvalidInput with the field
    `token` and the remedy; the error quotes nothing of the text but a host."""
    text = text.strip()
    if len(text) > 4 * LONGEST:
        _refuse(f"A Web Push subscription has at most {LONGEST:,} characters.")
    subscription = _from_json(text) if text.startswith("{") else _from_token(text)
    token = subscription.token
    if len(token) > LONGEST:
        _refuse(
            f"The subscription has {len(token):,} characters with its keys; {LONGEST:,} is the most. No browser's push"
            " service has so long an endpoint: send the subscription as the browser made it."
        )
    return token


def _from_json(text: str) -> Subscription:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        _refuse(f"The subscription is not JSON. {_ENDS}")
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, dict):
        _refuse(f"The subscription lacks `keys` with p256dh and auth. {_ENDS}")
    return _checked(document.get("endpoint"), keys.get("p256dh"), keys.get("auth"), document.get("key_id") or "")


def _from_token(text: str) -> Subscription:
    endpoint, _, ending = text.partition("#")
    parts = ending.split(".")
    if not ending or not 2 <= len(parts) <= 3:
        _refuse(f"A Web Push token lacks its keys. {_ENDS}")
    return _checked(endpoint, *parts)


def _checked(endpoint: Any, p256dh: Any, auth: Any, key_id: Any = "") -> Subscription:
    if not all(isinstance(value, str) for value in (endpoint, p256dh, auth, key_id)):
        _refuse(f"The subscription's endpoint, p256dh and auth are texts. {_ENDS}")
    if key_id and not KEY_ID.fullmatch(key_id):
        _refuse("The key id is the 8 characters that GET /v1/push/webpush-key returns as `key_id`.")
    return Subscription(_endpoint(endpoint), _browser_key(p256dh), _secret(auth), key_id)


def _browser_key(text: str) -> bytes:
    try:
        raw = base64url.decode(text)
        read_public_key(raw)
    except ValueError:
        _refuse("p256dh is no public key: a point of P-256, 65 bytes in base64url. Send the browser's own key.")
    return raw


def _secret(text: str) -> bytes:
    try:
        raw = base64url.decode(text)
    except ValueError:
        raw = b""
    if len(raw) != SECRET_SIZE:
        _refuse(f"auth is no secret of {SECRET_SIZE} bytes in base64url. Send the browser's own secret.")
    return raw


def _endpoint(text: str) -> str:
    if len(text) > LONGEST:
        _refuse(f"The endpoint has {len(text):,} characters; a token has {LONGEST:,} at most with its keys.")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        _refuse("The endpoint is no URL. Send the subscription's endpoint as the browser made it.")
    if not _URL.fullmatch(text) or url.scheme.lower() != "https" or not url.hostname:
        _refuse("The endpoint is an https address. Send the subscription's endpoint as the browser made it.")
    if url.username is not None or url.password is not None:
        _refuse("The endpoint holds a user name or a password. Send it as the browser made it.")
    if _DOTS.search(url.path):
        _refuse("The endpoint's path holds . or .. as a step. Send the subscription's endpoint as the browser made it.")
    if services.is_of_sandbox(text):
        return text
    if port not in (None, 443):
        _refuse(f"The endpoint names the port {port}; push services use 443. Send it as the browser made it.")
    host = url.hostname.lower()
    if not services.is_service(host):
        _refuse(
            f"{host[:100]} is no push service of a browser that this site knows ({services.describe()}). The operator"
            " can add one with WEBPUSH_SERVICES."
        )
    if not services.is_path(host, url.path):
        _refuse(f"{host} has no subscription at this path. Send the subscription's endpoint as the browser made it.")
    return _canonical(url, host)


def _canonical(url: SplitResult, host: str) -> str:
    """The same endpoint in one spelling, so that a subscription is one device."""
    query = f"?{url.query}" if url.query else ""
    return f"https://{host}{url.path or '/'}{query}"


def _refuse(message: str) -> NoReturn:
    raise InvalidInput(message, field="token") from None
