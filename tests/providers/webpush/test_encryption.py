"""RFC 8291's example, and what a foreign decoder reads."""

from __future__ import annotations

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from notifier.providers.common import base64url
from notifier.providers.webpush.encryption import (
    LARGEST_BODY,
    LARGEST_PLAINTEXT,
    encrypt,
    encrypt_with,
    public_bytes,
)
from notifier.providers.webpush.vapid import read_key

#: RFC 8291 §5 and appendix A
PLAINTEXT = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
BROWSER = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH, SALT = "BTBZMqHH6r4Tts7J_aSIgg", "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
    "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_body_is_that_of_the_example_in_rfc_8291() -> None:
    browser, auth, salt = (base64url.decode(text) for text in (BROWSER, AUTH, SALT))
    assert base64url.encode(encrypt_with(PLAINTEXT, browser, auth, read_key(SENDER).private, salt)) == BODY


@pytest.mark.parametrize("size", [0, 1, 400, LARGEST_PLAINTEXT])
def test_http_ece_decrypts_the_body(size: int) -> None:
    browser, secret = generate_private_key(SECP256R1()), bytes(range(16))
    body = encrypt(b"x" * size, public_bytes(browser.public_key()), secret)
    assert http_ece.decrypt(body, private_key=browser, auth_secret=secret, version="aes128gcm") == b"x" * size


def test_the_largest_plaintext_fills_the_largest_body_and_one_byte_more_is_refused() -> None:
    key = public_bytes(generate_private_key(SECP256R1()).public_key())
    assert LARGEST_PLAINTEXT == 3993
    assert len(encrypt(b"x" * LARGEST_PLAINTEXT, key, bytes(16))) == LARGEST_BODY
    with pytest.raises(ValueError, match="3993"):
        encrypt(b"x" * (LARGEST_PLAINTEXT + 1), key, bytes(16))


def test_no_two_bodies_share_a_salt_or_a_key() -> None:
    key = public_bytes(generate_private_key(SECP256R1()).public_key())
    first, second = encrypt(b"x", key, bytes(16)), encrypt(b"x", key, bytes(16))
    assert first[:16] != second[:16] and first[21:86] != second[21:86]


@pytest.mark.parametrize("key", [b"", b"\x04" + bytes(64), b"\x02" + bytes(64), bytes(65)])
def test_a_key_that_is_no_point_of_the_curve_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="point"):
        encrypt(b"x", key, bytes(16))
