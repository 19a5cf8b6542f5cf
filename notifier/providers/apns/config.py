"""The settings of an APNs account: the team's key, one app, one environment."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from notifier.errors import InvalidInput
from notifier.providers import base

PRODUCTION, SANDBOX = "production", "sandbox"
ORIGINS: Mapping[str, str] = {
    PRODUCTION: "https://api.push.apple.com",
    SANDBOX: "https://api.sandbox.push.apple.com",
}
#: the account that Notifier's own sandbox accepts. Its key is derived from a public text, because a provider reads no
#: file: the key protects nothing, on purpose
OPEN_TEAM, OPEN_KEY_ID, OPEN_BUNDLE_ID = "NOTIFIER00", "OPENKEY000", "com.example.notifier"
OPEN_SEED = b"notifier-sandbox: anybody may send here"

_ID = re.compile(r"[A-Z0-9]{10}")
_BUNDLE_ID = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LONGEST_BUNDLE_ID = 155
_PEM = re.compile(r"-----BEGIN PRIVATE KEY-----(.+)-----END PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True)
class ApnsConfig(base.Config):
    team_id: str = base.setting(label="Team ID", help_text="10 characters; Apple Developer, Membership details.")
    key_id: str = base.setting(label="Key ID", help_text="10 characters; the name of the file is AuthKey_<key ID>.p8.")
    private_key: str = base.secret(label="Key", help_text="The text of the .p8 file, with its first and last line.")
    bundle_id: str = base.setting(label="Bundle ID", help_text="Of the app, such as com.example.shop.")
    environment: str = base.choice(
        PRODUCTION,
        SANDBOX,
        label="Environment",
        help_text="Apps from the App Store and TestFlight: production. Apps that Xcode installs: sandbox.",
    )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        for name in ("team_id", "key_id"):
            if not _ID.fullmatch(str(getattr(config, name))):
                raise InvalidInput(f"{name} has 10 characters, capital letters and digits.", field=name)
        bundle_id = str(config.bundle_id)
        if not _BUNDLE_ID.fullmatch(bundle_id) or len(bundle_id) > _LONGEST_BUNDLE_ID:
            raise InvalidInput("bundle_id is the app's id, such as com.example.shop.", field="bundle_id")
        if config.environment not in ORIGINS:
            raise InvalidInput(f"environment is one of {', '.join(ORIGINS)}.", field="environment")
        signing_key(str(config.private_key))
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(OPEN_TEAM, OPEN_KEY_ID, _open_key(), OPEN_BUNDLE_ID)


def signing_key(text: str) -> EllipticCurvePrivateKey:
    """The key in the text of a .p8 file; line breaks may be missing, as some forms and environment variables lose
    them. Raises InvalidInput, which does not quote the text."""
    match = _PEM.search(text.replace("\\n", "\n"))
    try:
        document = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
        key = load_der_private_key(document, None)
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        # `from None`, because the parser's error may quote the text
        raise InvalidInput(
            "private_key is the whole text of the .p8 file, from -----BEGIN PRIVATE KEY----- to"
            " -----END PRIVATE KEY-----.",
            field="private_key",
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise InvalidInput(
            "private_key is no key for APNs, which has the curve P-256. Create a key with Apple Push Notifications"
            " service (APNs) at Apple Developer, Keys.",
            field="private_key",
        )
    return key


@cache
def _open_key() -> str:
    key = derive_private_key(int.from_bytes(sha256(OPEN_SEED).digest()), SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
