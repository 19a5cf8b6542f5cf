"""The settings of an FCM account: the service account of a Firebase project."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifier.errors import InvalidInput
from notifier.providers import base

#: the sandbox accepts assertions signed with this key: a provider reads no file, so it cannot read the sandbox's key
SANDBOX_TYPE = "notifier_sandbox"
SANDBOX_KEY = "notifier-sandbox: anybody may send here"
SANDBOX_ISSUER = "sandbox@notifier"


@dataclass(frozen=True)
class FcmConfig(base.Config):
    service_account: str = base.secret()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        document = parse_document(config.service_account)
        missing = [name for name in ("project_id", "client_email", "private_key") if not document.get(name)]
        if missing:
            raise InvalidInput(f"The service account lacks {', '.join(missing)}.", field="service_account")
        if not re.fullmatch(r"[a-z0-9:.-]{1,100}", str(document["project_id"])):
            raise InvalidInput("The service account's project_id is not one.", field="service_account")
        if document.get("type") != SANDBOX_TYPE:
            _check_key(str(document["private_key"]))
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        document = {
            "type": SANDBOX_TYPE,
            "project_id": "notifier-sandbox",
            "private_key_id": "open",
            "private_key": SANDBOX_KEY,
            "client_email": SANDBOX_ISSUER,
        }
        return cls(service_account=json.dumps(document))


def parse_document(text: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        # `from None`, because the parser's error would quote the text
        raise InvalidInput("The service account is not JSON.", field="service_account") from None
    if not isinstance(document, dict):
        raise InvalidInput("The service account is not a JSON object.", field="service_account")
    return document


def _check_key(pem: str) -> None:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        raise InvalidInput("The service account's private_key is not a PEM key.", field="service_account") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidInput("The service account's private_key is not an RSA key.", field="service_account")
