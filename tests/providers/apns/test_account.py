"""APNs: device tokens, the provider token, and the settings of an account."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.errors import InvalidInput
from notifier.providers.apns import provider_token
from notifier.providers.apns.provider import Apns
from tests.providers.apns.accounts import TOKEN, URL, pem, provider, push


@pytest.mark.parametrize("token", ["A1" * 32, "ff" * 80, "0" * 200])
def test_a_token_is_kept_in_lower_case(token: str) -> None:
    assert Apns.check_token(token) == token.lower()


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        ("<a1b2c3d4 e5f60718>", "brackets"),
        ("a1b2c3d4 " * 8, "blanks"),
        ("cX1:APA91b" + "x" * 140, "fcm"),
        ("obLD1OX2" * 8, "base64"),
        ("a1" * 31, "64 to 200"),
        ("a1" * 101, "64 to 200"),
    ],
)
def test_another_text_is_refused_with_the_remedy(token: str, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy) as refused:
        Apns.check_token(token)
    assert refused.value.field == "token"


def test_a_token_that_was_stored_before_it_was_checked_cannot_leave_its_path() -> None:
    assert provider().request(push("../../4/x?y#z%00"), "").url == f"{URL}/3/device/..%2F..%2F4%2Fx%3Fy%23z%2500"
    assert provider().encode("address", ["a/b", TOKEN]) == [b"a%2Fb", TOKEN.encode()]


def bearer(apns: Apns) -> str:
    return dict(apns.request(push(), "").headers)["authorization"].removeprefix("bearer ")


def test_accounts_of_one_team_and_key_make_the_same_token_without_talking() -> None:
    one, two = provider(), provider(bundle_id="com.example.other", environment="sandbox")
    token = bearer(one)
    assert token == bearer(two)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {"iss", "iat"} and claims["iat"] % provider_token.PERIOD == 0
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "OPENKEY000", "typ": "JWT"}


def test_a_token_is_verified_by_a_library_that_is_not_ours() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    token = bearer(provider(private_key=pem(key), team_id="TEAM000001", key_id="KEY0000001"))
    assert jwt.decode(token, key.public_key(), algorithms=["ES256"])["iss"] == "TEAM000001"


@pytest.mark.parametrize(("now", "issued_at"), [(3600, 1800), (3659, 1800), (3660, 3600), (5459, 3600), (5460, 5400)])
def test_a_token_is_one_to_31_minutes_old(now: float, issued_at: int) -> None:
    assert provider_token.issue_time(now) == issued_at


def test_connections_are_shared_by_accounts_of_one_team_and_key_only() -> None:
    other_key = pem(ec.generate_private_key(ec.SECP256R1()))
    pool = provider().pool
    assert pool == provider(bundle_id="com.example.other").pool
    assert pool != provider(team_id="TEAM000001").pool
    assert pool != provider(private_key=other_key).pool


@pytest.mark.parametrize(
    ("changes", "field", "named"),
    [
        ({"team_id": "short"}, "team_id", "10 characters"),
        ({"key_id": "abcdefghij"}, "key_id", "10 characters"),
        ({"bundle_id": "shop"}, "bundle_id", "com.example"),
        ({"bundle_id": "com.example\r\nx: y"}, "bundle_id", "com.example"),
        ({"environment": "staging"}, "environment", "production, sandbox"),
        ({"private_key": "s3cret"}, "private_key", "BEGIN PRIVATE KEY"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----"}, "private_key", "BEGIN"),
        ({"private_key": pem(ec.generate_private_key(ec.SECP384R1()))}, "private_key", "P-256"),
        ({"private_key": pem(rsa.generate_private_key(65537, 2048))}, "private_key", "P-256"),
    ],
    ids=range(9),
)
def test_an_unusable_setting_is_refused_with_its_name_and_not_quoted(
    changes: dict[str, str], field: str, named: str
) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        provider(**changes)
    assert refused.value.field == field
    assert "s3cret" not in str(refused.value) and refused.value.__cause__ is None


def test_a_key_may_have_lost_its_line_breaks() -> None:
    text = pem(ec.generate_private_key(ec.SECP256R1()))
    for lost in (text.replace("\n", "\\n"), text.replace("\n", " "), f"\ufeff{text}\r\n"):
        assert bearer(provider(private_key=lost)) == bearer(provider(private_key=text))


def test_each_environment_has_its_own_server() -> None:
    assert provider(None).base == "https://api.push.apple.com"
    assert provider(None, environment="sandbox").base == "https://api.sandbox.push.apple.com"


def test_an_account_is_replaced_by_one_that_reaches_the_same_tokens_only() -> None:
    new_key = pem(ec.generate_private_key(ec.SECP256R1()))
    account = provider(None)
    assert account.can_replace(provider(None, key_id="KEY0000001", private_key=new_key))
    for other in ({"environment": "sandbox"}, {"bundle_id": "com.example.other"}, {"team_id": "TEAM000001"}):
        assert not account.can_replace(provider(None, **other))
