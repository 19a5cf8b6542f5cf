"""Recipient tokens. A tenant's server gives one to a browser, which may then read one inbox for at most an hour.

Tokens are signed with HS256 and a secret of the tenant, so a token that one tenant makes never opens an inbox of
another tenant, whatever the token claims.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

import jwt
from django.conf import settings

from notifier.encryption import seal, unseal
from notifier.errors import Forged, InvalidInput, NotFound
from notifier.vocabulary.status import ConsentSource
from tenants.access import set_scope
from tenants.models import Recipient, Tenant

ISSUER = "notifier"
AUDIENCE = "inbox"
ALGORITHM = "HS256"
PURPOSE = "inbox"
_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "tid", "rid"]
#: the claim `scope` of a token that only reads; the recipient's own token has no such claim
READ_ONLY = "read"

#: a subclass stands before its base class: the first match decides
_CODES: tuple[tuple[type[jwt.InvalidTokenError], str, str], ...] = (
    (jwt.ExpiredSignatureError, "token_expired", "The token has expired; ask your server for a new one."),
    (jwt.InvalidSignatureError, "token_signature", "The token's signature is not this tenant's."),
    (jwt.InvalidAlgorithmError, "token_algorithm", f"The token must be signed with {ALGORITHM}."),
    (jwt.InvalidAudienceError, "token_audience", "The token is not meant for the inbox."),
    (jwt.InvalidIssuerError, "token_issuer", "The token was not issued here."),
    (jwt.MissingRequiredClaimError, "token_claims", "The token lacks a claim."),
    (jwt.ImmatureSignatureError, "token_claims", "The token was issued in the future."),
    (jwt.InvalidTokenError, "token_malformed", "This is no recipient token."),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The holder of a verified token: which inbox it opens, and until when."""

    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    external_id: str
    expires_at: datetime
    may_write: bool = True

    @property
    def is_authenticated(self) -> bool:
        return True


def mint(recipient: Recipient, ttl_seconds: int | None = None, *, read_only: bool = False) -> tuple[str, datetime]:
    """A token for this recipient's inbox, and the time at which it expires. A `read_only` token is for people other
    than the recipient: it marks no message as read and changes no preference. Raises InvalidInput or NotFound."""
    ttl = settings.INBOX_TOKEN_MAX_SECONDS if ttl_seconds is None else ttl_seconds
    if not 1 <= ttl <= settings.INBOX_TOKEN_MAX_SECONDS:
        raise InvalidInput(f"ttl_seconds is from 1 to {settings.INBOX_TOKEN_MAX_SECONDS}.", field="ttl_seconds")
    if recipient.status != Recipient.State.ACTIVE:
        raise NotFound("There is no such recipient.", field="recipient")
    now = datetime.now(UTC).replace(microsecond=0)
    ends = now + timedelta(seconds=ttl)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": ends,
        "tid": str(recipient.tenant_id),
        "rid": str(recipient.pk),
        "sub": recipient.external_id,
        **({"scope": READ_ONLY} if read_only else {}),
    }
    return jwt.encode(claims, signing_secret(recipient.tenant_id), algorithm=ALGORITHM), ends


class Claimed(NamedTuple):
    """The ids that an unverified token claims. They only choose the secret with which the token is then verified."""

    tenant_id: uuid.UUID
    recipient_id: uuid.UUID


class Standing(NamedTuple):
    """What the database says about the recipient of a token. The fields are columns (inbox.store.standing)."""

    external_id: str
    status: str
    tenant_active: bool
    #: encrypted; empty for a tenant that has made no token
    inbox_secret: bytes | memoryview


def verify(token: str) -> Visitor:
    """The holder of the token. Raises Forged with a code. Sets the running transaction's scope to the token's
    tenant."""
    claimed = claimed_ids(token)
    set_scope([claimed.tenant_id], ConsentSource.PERSON)
    recipients = Recipient.objects.filter(pk=claimed.recipient_id, tenant_id=claimed.tenant_id)
    row = recipients.values_list("external_id", "status", "tenant__active", "tenant__inbox_secret").first()
    return visitor_of(token, claimed, Standing(*row) if row else None)


def visitor_of(token: str, claimed: Claimed, standing: Standing | None) -> Visitor:
    """The holder of the token, whose recipient stands so in the database. Raises Forged with a code."""
    check_standing(standing)
    assert standing is not None
    if not standing.inbox_secret:
        raise Forged("The token's signature is not this tenant's.", code="token_signature")
    claims = _verified(token, unseal(claimed.tenant_id, PURPOSE, standing.inbox_secret))
    if claims["exp"] - claims["iat"] > settings.INBOX_TOKEN_MAX_SECONDS:
        raise Forged("The token lives too long.", code="token_too_long")
    if claims["sub"] != standing.external_id:
        raise Forged("The token's recipient does not exist here.", code="token_recipient")
    if claims.get("scope", READ_ONLY) != READ_ONLY:
        raise Forged("The token has a scope that is not known here.", code="token_claims")
    ends = datetime.fromtimestamp(claims["exp"], UTC)
    return Visitor(*claimed, standing.external_id, ends, may_write="scope" not in claims)


def check_standing(standing: Standing | None) -> None:
    """Raises Forged when the recipient is gone or erased, or the tenant is inactive."""
    if standing is None or not standing.tenant_active or standing.status != Recipient.State.ACTIVE:
        raise Forged("The token's recipient does not exist here.", code="token_recipient")


def claimed_ids(token: str) -> Claimed:
    """The ids of an unverified token. Raises Forged with a code."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return Claimed(uuid.UUID(claims["tid"]), uuid.UUID(claims["rid"]))
    except jwt.InvalidTokenError as error:
        _refuse(error)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Forged("The token lacks a claim.", code="token_claims") from None


def _verified(token: str, secret: bytes) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": _CLAIMS},
        )
    except jwt.InvalidTokenError as error:
        _refuse(error)
    return claims


def _refuse(error: jwt.InvalidTokenError) -> NoReturn:
    code, message = next((code, message) for kind, code, message in _CODES if isinstance(error, kind))
    raise Forged(message, code=code) from None


def signing_secret(tenant_id: uuid.UUID) -> bytes:
    """The tenant's signing secret, made at first use. Two processes that make it at once agree: only one UPDATE finds
    it empty."""
    tenants = Tenant.objects.filter(pk=tenant_id)
    stored = tenants.values_list("inbox_secret", flat=True).get()
    if not stored:
        tenants.filter(inbox_secret=b"").update(inbox_secret=seal(tenant_id, PURPOSE, os.urandom(32)))
        stored = tenants.values_list("inbox_secret", flat=True).get()
    return unseal(tenant_id, PURPOSE, stored)
