"""The push tokens of the demo's recipients: devices of Firebase, of Apple, and browsers.

A token chooses its answer at the sandbox, and is the same in every run. The sandbox makes the fake browsers, and
decrypts what they receive; the file of an earlier run keeps them.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from notifier.demo.client import Client

#: platform -> of a hundred recipients with a token. A Web Push message costs the processor ten times as much as another
#: one: it is encrypted for its browser, and the sandbox decrypts some of them
MIX = {"fcm": 80, "apns": 15, "webpush": 5}
#: of a hundred recipients: those without a push token, and those with a token that its service no longer knows
WITHOUT_TOKEN = 3
DEAD_TOKEN = 1
#: the push service that the browsers' endpoints name; messages go to the sandbox in its place
_HOST = "fcm.googleapis.com"
#: subscriptions that the sandbox makes in one call
_AT_ONCE = 5_000


class Token(NamedTuple):
    platform: str
    text: str


NO_TOKEN = Token("", "")


class Tokens:
    """The token of each recipient. `browsers`: subscriptions, of which each is used once."""

    def __init__(self, browsers: list[str]) -> None:
        self._browsers = iter(browsers)

    def token(self, number: int, hundredth: int, platform_hundredth: int) -> Token:
        """The token of recipient `number`; the hundredths are random numbers below 100. Recipient 0 has an Android
        phone, because the demo shows what arrives there."""
        if number and hundredth < WITHOUT_TOKEN:
            return NO_TOKEN
        dead = bool(number) and hundredth < WITHOUT_TOKEN + DEAD_TOKEN
        platform = platform_of(platform_hundredth) if number else "fcm"
        browser = next(self._browsers, "") if platform == "webpush" and not dead else ""
        if browser:
            return Token("webpush", browser)
        return Token("apns", _apns(number, dead=dead)) if platform == "apns" else Token("fcm", _fcm(number, dead=dead))


def platform_of(hundredth: int) -> str:
    """The platform of a random number below 100, by MIX."""
    for platform, share in MIX.items():
        if hundredth < share:
            return platform
        hundredth -= share
    raise ValueError("a number below 100 is needed")


def browsers(sandbox: Client, count: int, file: Path) -> list[str]:
    """`count` tokens of Web Push: those of an earlier run, and new ones of the sandbox."""
    kept: list[str] = json.loads(file.read_text()) if file.exists() else []
    while len(kept) < count:
        request = {"count": min(count - len(kept), _AT_ONCE), "host": _HOST}
        kept += [_token_of(made) for made in sandbox.post("/_webpush/subscriptions", request)["subscriptions"]]
    file.write_text(json.dumps(kept))
    return kept[:count]


def _token_of(subscription: dict[str, dict[str, str]]) -> str:
    keys = subscription["keys"]
    return f"{subscription['endpoint']}#{keys['p256dh']}.{keys['auth']}"


def _fcm(number: int, *, dead: bool) -> str:
    if dead:
        return f"unregistered-demo-{number:08d}"
    return f"demo-device-{number:08d}:APA91bFakeRegistrationTokenForTheSandbox"


def _apns(number: int, *, dead: bool) -> str:
    """64 hexadecimal digits. Digits that begin with fff41000 stand for a device that Apple no longer knows."""
    digits = blake2b(f"demo-device-{number}".encode(), digest_size=24).hexdigest()
    return f"{'fff41000' if dead else 'de300000'}{0:08x}{digits}"
