"""Login by the OIDC provider of an organisation: mozilla-django-oidc with the provider's discovery document, PKCE,
state and nonce; and, in addition to it, the checks of issuer, audience and subject.

A login is found by issuer and subject. The claims name the roles; a membership that came from a claim ends when the
claim no longer names it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jwt
import requests
import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from tenants import audit
from tenants.access import EVERY_TENANT, act_as, set_scope
from tenants.login import claims as rules
from tenants.login.backend import LoginBackend
from tenants.models import Member, Tenant, User

BACKEND = "tenants.login.oidc.OidcBackend"
#: seconds that the provider may take to answer, and that its discovery document is kept
TIMEOUT, DISCOVERY_SECONDS = 10, 3600
_discovered: dict[str, tuple[float, dict[str, Any]]] = {}
log = structlog.get_logger("tenants.login.oidc")
#: a request's attribute: an invitation lets a person in whom no claim names
INVITED = "notifier_invited"


def discover() -> dict[str, Any]:
    """The provider's discovery document. Raises requests.RequestException, or ValueError for one of another issuer."""
    issuer = settings.OIDC_ISSUER
    kept_at, document = _discovered.get(issuer, (0.0, {}))
    if not document or time.monotonic() - kept_at > DISCOVERY_SECONDS:
        response = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=TIMEOUT)
        response.raise_for_status()
        document = response.json()
        if str(document.get("issuer", "")).rstrip("/") != issuer:
            raise ValueError("The discovery document names another issuer.")
        _discovered[issuer] = (time.monotonic(), document)
    return document


def setting(name: str, *default: Any) -> Any:
    """A setting of mozilla-django-oidc, from ours and from the discovery document."""
    own = {
        "OIDC_RP_CLIENT_ID": settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SCOPES": settings.OIDC_SCOPES,
        "OIDC_USE_PKCE": True,
        "OIDC_USE_NONCE": True,
        "OIDC_TIMEOUT": TIMEOUT,
        "OIDC_AUTHENTICATION_CALLBACK_URL": "admin:oidc_callback",
    }
    if name in own:
        return own[name]
    if name == "OIDC_RP_SIGN_ALGO":
        offered = discover().get("id_token_signing_alg_values_supported", [])
        return next((algorithm for algorithm in ("RS256", "ES256", "PS256") if algorithm in offered), "RS256")
    endpoints = {
        "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
        "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
        "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
        "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
    }
    if name in endpoints:
        return discover().get(endpoints[name], "")
    return default[0] if default else None


class OidcBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # mozilla-django-oidc is not typed
    """Turns the provider's answer into a user, and the claims into memberships."""

    def __init__(self) -> None:
        # Django makes every backend for every request; only a login by OIDC may ask the provider
        self.UserModel = User

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return setting(attr, *args)

    def authenticate(self, request: Any, **kwargs: Any) -> User | None:
        if request is None or "code_verifier" not in kwargs:
            return None
        super().__init__()
        user: User | None = super().authenticate(request, **kwargs)
        return user

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super().verify_token(token, **kwargs)
        if "nonce" in kwargs and not rules.is_for(payload, settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID):
            raise SuspiciousOperation("The ID token is of another issuer or for another client.")
        return payload

    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        """The provider's key for the token. A provider with one key may give it no id, which the library demands."""
        response = requests.get(self.OIDC_OP_JWKS_ENDPOINT, timeout=TIMEOUT)
        response.raise_for_status()
        key_id = jwt.get_unverified_header(token).get("kid")
        for key in response.json()["keys"]:
            fits = key_id is None or key.get("kid") in (None, key_id)
            if (
                fits
                and key.get("use", "sig") == "sig"
                and key.get("alg", self.OIDC_RP_SIGN_ALGO) == self.OIDC_RP_SIGN_ALGO
            ):
                return jwt.PyJWK(key, algorithm=self.OIDC_RP_SIGN_ALGO)
        raise SuspiciousOperation("The provider has no key for this token.")

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User | None:
        """The user, with the memberships that the claims name; None when nothing here is open to the person."""
        more = self.get_userinfo(access_token, id_token, payload) if self.OIDC_OP_USER_ENDPOINT else {}
        if more and more.get("sub") != payload["sub"]:
            raise SuspiciousOperation("The user info is about another person than the ID token.")
        claims = {**more, **payload}
        roles = rules.roles_from_claims(
            claims, settings.OIDC_ROLES_CLAIM, settings.OIDC_GROUPS_CLAIM, settings.OIDC_GROUP_ROLES
        )
        return enter(claims, roles, invited=bool(self.request.__dict__.get(INVITED)))

    def get_user(self, user_id: int) -> User | None:
        return LoginBackend().get_user(user_id)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Django's own permissions are not used (tenants.login.backend); the web role may not read their tables."""
        return set()

    get_group_permissions = get_all_permissions = get_user_permissions


def enter(claims: Mapping[str, Any], roles: rules.Roles, *, invited: bool) -> User | None:
    """The login of these claims, made if it is new and something is open to it, with its memberships brought up to
    date. The rest of the transaction acts as the user."""
    subject = rules.subject_of(settings.OIDC_ISSUER, claims)
    with _as_site():
        user = User.objects.filter(oidc_subject=subject).first()
        tenants = list(Tenant.objects.filter(slug__in=list(roles), active=True))
        if user is None and not tenants and not invited:
            log.info("oidc login opens nothing", action="login.oidc_refused")
            return None
        if user is None:
            user = _create(claims, subject)
        if not user.is_active:
            return None
        User.objects.filter(pk=user.pk).update(provider_second_factor=rules.has_second_factor(claims))
        _update_memberships(user, {tenant: roles[tenant.slug] for tenant in tenants})
    act_as(user.pk)
    return user


def _create(claims: Mapping[str, Any], subject: str) -> User:
    wish = rules.username_of(claims)
    taken = User.objects.filter(username__startswith=wish).values_list("username", flat=True)
    user = User(
        username=rules.username_of(claims, taken),
        email=str(claims.get("email") or "")[:254],
        first_name=str(claims.get("given_name") or claims.get("name") or "")[:150],
        last_name=str(claims.get("family_name") or "")[:150],
        is_staff=True,
        oidc_subject=subject,
    )
    user.set_unusable_password()
    user.save()
    return user


def _update_memberships(user: User, roles: Mapping[Tenant, str]) -> None:
    """Make the user's memberships those that the claims name. Memberships that no claim gave stay as they are."""
    current = {member.tenant_id: member for member in Member.objects.filter(user=user)}
    actor = audit.Actor(user)
    for tenant, role in roles.items():
        member = current.get(tenant.pk)
        if member is not None and member.role == role and member.by_claim:
            continue
        stored, _ = Member.objects.update_or_create(tenant=tenant, user=user, defaults={"role": role, "by_claim": True})
        audit.record(tenant.pk, "member.set_by_claim", stored.pk, {"role": role}, by=actor)
    named = {tenant.pk for tenant in roles}
    for member in current.values():
        if member.by_claim and member.tenant_id not in named:
            audit.record(member.tenant_id, "member.removed_by_claim", member.pk, {"role": member.role}, by=actor)
            Member.objects.filter(pk=member.pk).delete()


@contextmanager
def _as_site() -> Iterator[None]:
    """A transaction that sees every tenant, and afterwards none."""
    with transaction.atomic():
        set_scope(EVERY_TENANT)
        yield
        set_scope(())
