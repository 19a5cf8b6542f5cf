"""Login by OIDC what claims mean, and which ID tokens are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.login import claims as rules


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, {}),
        ({"notifier_roles": {"acme": "author"}}, {"acme": "author"}),
        ({"notifier_roles": {"acme": "king", "globex": "viewer"}}, {"globex": "viewer"}),
        ({"notifier_roles": ["acme"]}, {}),
        ({"groups": ["marketing", "unknown", 7]}, {"acme": "author"}),
        (
            {"groups": ["marketing", "heads"], "notifier_roles": {"globex": "viewer"}},
            {"acme": "owner", "globex": "viewer"},
        ),
        ({"groups": "marketing"}, {}),
    ],
)
def test_claims_name_roles(claims: dict[str, Any], roles: dict[str, str]) -> None:
    groups = {"marketing": {"acme": "author"}, "heads": {"acme": "owner"}}
    assert rules.roles_from_claims(claims, "notifier_roles", "groups", groups) == roles


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"iss": "https://id.example", "aud": "notifier", "sub": "1"}, True),
        ({"iss": "https://id.example/", "aud": ["other", "notifier"], "azp": "notifier", "sub": "1"}, True),
        ({"iss": "https://evil.example", "aud": "notifier", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": "other", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": ["notifier", "other"], "azp": "other", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": "notifier"}, False),
    ],
)
def test_an_id_token_of_another_issuer_or_client_is_refused(claims: dict[str, Any], accepted: bool) -> None:
    assert rules.is_for(claims, "https://id.example", "notifier") is accepted
