"""What an identity provider's claims mean here: who the person is, which roles, which second factor. Pure functions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tenants.models import Member

Roles = dict[str, str]
#: where several groups name a role in one tenant, the first of these wins
_STRONGEST = ("owner", "author", "operator", "approver", "viewer")
#: methods of a login (RFC 8176) that show more than a password
_SECOND_FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc", "pop", "fpt", "face", "iris", "vbm"})


def roles_from_claims(
    claims: Mapping[str, Any], roles_claim: str, groups_claim: str, group_roles: Mapping[str, Mapping[str, str]]
) -> Roles:
    """The role by the tenant's slug: from the claim of roles ({"acme": "author"}), and from the person's groups. What
    has another form, or names no role, gives nothing."""
    named = claims.get(roles_claim)
    sources = [named] if isinstance(named, Mapping) else []
    groups = claims.get(groups_claim)
    for group in groups if isinstance(groups, list) else []:
        if isinstance(group, str) and isinstance(given := group_roles.get(group), Mapping):
            sources.append(given)
    found: dict[str, list[str]] = {}
    for source in sources:
        for slug, role in source.items():
            if isinstance(slug, str) and role in Member.Role.values:
                found.setdefault(slug, []).append(str(role))
    return {slug: min(roles, key=_STRONGEST.index) for slug, roles in found.items()}


def has_second_factor(claims: Mapping[str, Any]) -> bool:
    """Whether the provider says (`amr`) that the person showed more than a password."""
    methods = claims.get("amr")
    return isinstance(methods, list) and any(method in _SECOND_FACTORS for method in methods if isinstance(method, str))


def subject_of(issuer: str, claims: Mapping[str, Any]) -> str:
    """The digest by which a login is found again. A mail address is no identity: it changes its owner."""
    return hashlib.sha256(f"{issuer}\0{claims['sub']}".encode()).hexdigest()


def username_of(claims: Mapping[str, Any], taken: Iterable[str] = ()) -> str:
    """A name for a new login: the provider's name or address, with a number where it is taken."""
    wish = str(claims.get("preferred_username") or claims.get("email") or "person")
    name = re.sub(r"[^\w.@+-]", "", wish)[:140] or "person"
    used = set(taken)
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(used) + 3))) if one not in used)


def is_for(claims: Mapping[str, Any], issuer: str, client_id: str) -> bool:
    """Whether an ID token was issued by this provider for this client (OpenID Connect Core, 3.1.3.7)."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    return (
        str(claims.get("iss", "")).rstrip("/") == issuer.rstrip("/")
        and client_id in audiences
        and (party is None or party == client_id)
        and bool(claims.get("sub"))
    )
