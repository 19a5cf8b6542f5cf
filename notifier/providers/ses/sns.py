"""Amazon SNS messages: which are the account's, and whether Amazon signed them.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

A valid signature alone proves only that some customer of Amazon published the message, so the account names its topic.
The certificate comes from Amazon's own host only, over https, and each process keeps it.
"""

from __future__ import annotations

import re
import threading
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from notifier.errors import Forged
from notifier.providers.anymail.answers import parse_json
from notifier.providers.common.requests import answer_to
from notifier.vocabulary.http import HttpClient, Request, Response

HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{16,64}\.pem")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
NOTIFICATION, CONFIRMATION, ENDED = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
#: the signed fields of each kind, in this order; a field that is absent is left out
SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ENDED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303
CERTIFICATES_KEPT, CERTIFICATE_SECONDS = 16, 3600.0
TIMEOUT = 5.0


def parse_message(body: bytes, topic: str) -> Mapping[str, Any]:
    """The message of a call, if it is of the account's topic and names a certificate of Amazon's host. No I/O. Raises
    Forged."""
    message = parse_json(body)
    if not topic or not isinstance(message, dict) or message.get("TopicArn") != topic:
        raise Forged("The report is not of the account's SNS topic.")
    if str(message.get("Type")) not in SIGNED or str(message.get("SignatureVersion")) not in _HASHES:
        raise Forged("The report is no signed message of SNS.")
    _check_amazon_url(message.get("SigningCertURL"), CERTIFICATE_PATH)
    return message


def check_signature(message: Mapping[str, Any], client: HttpClient) -> None:
    """Raises Forged, or ConnectionError when the certificate cannot be fetched."""
    key = _certificates.public_key(_check_amazon_url(message["SigningCertURL"], CERTIFICATE_PATH), client)
    try:
        signature = b64decode(str(message.get("Signature", "")), validate=True)
        key.verify(signature, string_to_sign(message), padding.PKCS1v15(), _HASHES[str(message["SignatureVersion"])])
    except (InvalidSignature, NotBase64):
        raise Forged("The report's signature does not verify.") from None


def confirm_subscription(message: Mapping[str, Any], client: HttpClient) -> None:
    """Tell SNS that the address takes messages of the topic. Raises Forged for an address that is not Amazon's."""
    url = _check_amazon_url(message.get("SubscribeURL"), re.compile("/"))
    _fetch(Request("GET", url, (), b"", TIMEOUT), client)


def string_to_sign(message: Mapping[str, Any]) -> bytes:
    fields = (name for name in SIGNED[message["Type"]] if message.get(name) is not None)
    return "".join(f"{name}\n{message[name]}\n" for name in fields).encode()


def _check_amazon_url(url: Any, path: re.Pattern[str]) -> str:
    """The URL, if it is one of Amazon's SNS. Raises Forged."""
    try:
        # urlsplit overlooks line breaks, and the request would carry them
        parts = urlsplit(url if isinstance(url, str) and url.isascii() and url.isprintable() else "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not HOST.fullmatch(parts.netloc) or not path.fullmatch(parts.path):
        raise Forged("The report names a server that is not Amazon's SNS.")
    return str(url)


def _fetch(request: Request, client: HttpClient) -> bytes:
    answer = answer_to(client, request)
    if isinstance(answer, Response) and answer.status == 200:
        return answer.body
    raise ConnectionError("Amazon SNS did not answer")


class Certificates:
    """Public keys by the URL of their certificate, kept for an hour."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, RSAPublicKey]] = {}
        self._lock = threading.Lock()

    def public_key(self, url: str, client: HttpClient) -> RSAPublicKey:
        with self._lock:
            kept = self._keys.get(url)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        key = read_key(_fetch(Request("GET", url, (), b"", TIMEOUT), client))
        with self._lock:
            if len(self._keys) >= CERTIFICATES_KEPT:
                self._keys.clear()
            self._keys[url] = time.monotonic() + CERTIFICATE_SECONDS, key
        return key

    def forget(self) -> None:
        with self._lock:
            self._keys.clear()


def read_key(pem: bytes) -> RSAPublicKey:
    """The key of a certificate that is valid today. Raises Forged."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        raise Forged("The certificate cannot be read.") from None
    now = time.time()
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if not begins <= now <= ends or not isinstance(key, RSAPublicKey):
        raise Forged("The certificate is not valid.")
    return key


_certificates = Certificates()


def forget_certificates() -> None:
    """For tests."""
    _certificates.forget()
