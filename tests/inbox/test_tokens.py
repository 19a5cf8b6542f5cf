"""Recipient tokens: a valid token opens one inbox, and every invalid token is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.db import transaction

from inbox.tokens import mint, signing_secret, verify
from notifier.encryption import unseal
from notifier.errors import Forged, InvalidInput, NotFound
from tenants.access import scope
from tenants.models import Recipient, Tenant
from tests.fixtures import People

AsWeb = Callable[[], AbstractContextManager[None]]


def signed(recipient: Recipient, *, secret: bytes | None = None, algorithm: str = "HS256", **changed: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": "notifier",
        "aud": "inbox",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "tid": str(recipient.tenant_id),
        "rid": str(recipient.pk),
        "sub": recipient.external_id,
        **changed,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, secret or signing_secret(recipient.tenant_id), algorithm=algorithm)


def unsigned(recipient: Recipient) -> str:
    claims = json.dumps({"tid": str(recipient.tenant_id), "rid": str(recipient.pk), "sub": "dora"})
    parts = ('{"alg":"none","typ":"JWT"}', claims)
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts) + "."


def refusal(token: str) -> str:
    with pytest.raises(Forged) as refused, transaction.atomic():
        verify(token)
    return refused.value.code


def test_a_token_opens_the_inbox_it_was_made_for(dora: Recipient) -> None:
    token, ends = mint(dora, 60)
    visitor = verify(token)
    assert (visitor.tenant_id, visitor.recipient_id, visitor.external_id) == (dora.tenant_id, dora.pk, "dora")
    assert visitor.expires_at == ends


def test_tokens_work_under_the_web_role_which_sees_one_tenant(people: People, dora: Recipient, as_web: AsWeb) -> None:
    with as_web(), scope(people.acme.pk):
        token, _ = mint(dora)
    with as_web(), transaction.atomic():
        assert verify(token).recipient_id == dora.pk


def test_each_tenant_has_its_own_secret_made_once_and_encrypted(dora: Recipient, zoe: Recipient) -> None:
    mint(dora)
    stored = bytes(Tenant.objects.get(pk=dora.tenant_id).inbox_secret)
    mint(dora)
    assert bytes(Tenant.objects.get(pk=dora.tenant_id).inbox_secret) == stored
    assert len(unseal(dora.tenant_id, "inbox", stored)) == 32
    assert signing_secret(dora.tenant_id) != signing_secret(zoe.tenant_id)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": datetime.now(UTC) - timedelta(seconds=1)}, "token_expired"),
        ({"exp": datetime.now(UTC) + timedelta(hours=9)}, "token_too_long"),
        ({"iat": datetime.now(UTC) + timedelta(hours=9)}, "token_claims"),
        ({"secret": b"x" * 32}, "token_signature"),
        ({"algorithm": "HS512", "secret": b"x" * 64}, "token_algorithm"),
        ({"aud": "api"}, "token_audience"),
        ({"aud": None}, "token_claims"),
        ({"iss": "somebody"}, "token_issuer"),
        ({"exp": None}, "token_claims"),
        ({"iat": None}, "token_claims"),
        ({"tid": None}, "token_claims"),
        ({"tid": "acme"}, "token_claims"),
        ({"rid": 7}, "token_claims"),
        ({"rid": "00000000-0000-7000-8000-000000000000"}, "token_recipient"),
        ({"tid": "00000000-0000-7000-8000-000000000000"}, "token_recipient"),
        ({"sub": "emil"}, "token_recipient"),
    ],
)
def test_a_wrong_token_is_refused_with_its_reason(dora: Recipient, changed: dict[str, Any], code: str) -> None:
    mint(dora)
    assert refusal(signed(dora, **changed)) == code


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "x" * 5000, "ü", "eyJhbGciOiJIUzI1NiJ9..", "\0"])
def test_a_text_that_is_not_a_token_is_refused(db: None, token: str) -> None:
    assert refusal(token) == "token_malformed"


def test_an_unsigned_token_is_refused(dora: Recipient) -> None:
    assert refusal(unsigned(dora)) == "token_signature"
    mint(dora)
    assert refusal(unsigned(dora)) == "token_algorithm"


def test_a_token_signed_with_another_tenants_secret_is_refused(dora: Recipient, zoe: Recipient) -> None:
    mint(dora)
    assert refusal(signed(dora, secret=signing_secret(zoe.tenant_id))) == "token_signature"
    crossed = signed(dora, secret=signing_secret(zoe.tenant_id), tid=str(zoe.tenant_id))
    assert refusal(crossed) == "token_recipient"


def test_a_token_is_refused_once_its_recipient_or_tenant_is_inactive(dora: Recipient) -> None:
    token, _ = mint(dora)
    Tenant.objects.filter(pk=dora.tenant_id).update(active=False)
    assert refusal(token) == "token_recipient"
    Tenant.objects.filter(pk=dora.tenant_id).update(active=True)
    Recipient.objects.filter(pk=dora.pk).update(status=Recipient.State.ERASED)
    assert refusal(token) == "token_recipient"
    dora.refresh_from_db()
    with pytest.raises(NotFound):
        mint(dora)


@pytest.mark.parametrize("ttl", [0, -1, 3601])
def test_a_token_lives_from_a_second_to_an_hour(dora: Recipient, ttl: int) -> None:
    with pytest.raises(InvalidInput):
        mint(dora, ttl)
