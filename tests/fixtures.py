"""The people of most tests: tenants ACME and Globex, Ana (owner), Ben (marketer) and Cleo (of Globex), a key each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.db import connection

from tenants.models import ApiKey, Member, Tenant, User


@dataclass(frozen=True)
class People:
    acme: Tenant
    globex: Tenant
    ana: User  #: owner of ACME
    ben: User  #: marketer of ACME
    cleo: User  #: owner of Globex, a stranger to ACME
    acme_key: str
    globex_key: str


def api_key(tenant: Tenant, *scopes: str) -> str:
    """A live key of the tenant; without scopes it may do everything."""
    key = f"nk_live_{tenant.slug}_{'_'.join(scopes) or 'everything'}"
    digest = hashlib.sha256(key.encode()).digest()
    ApiKey.objects.create(tenant=tenant, name="test", prefix=key[:12], digest=digest, scopes=list(scopes) or ["*"])
    return key


@pytest.fixture
def people(db: None) -> People:
    acme = Tenant.objects.create(name="ACME", slug="acme")
    globex = Tenant.objects.create(name="Globex", slug="globex")
    ana, ben, cleo = (
        User.objects.create_user(name, f"{name}@example.com", "a long password", is_staff=True)
        for name in ("ana", "ben", "cleo")
    )
    Member.objects.create(tenant=acme, user=ana, role=Member.Role.OWNER)
    Member.objects.create(tenant=acme, user=ben, role=Member.Role.MARKETER)
    Member.objects.create(tenant=globex, user=cleo, role=Member.Role.OWNER)
    return People(acme, globex, ana, ben, cleo, api_key(acme), api_key(globex))


@contextmanager
def _as_web() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {settings.WEB_DATABASE_ROLE_NAME}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


@pytest.fixture
def as_web() -> Callable[[], AbstractContextManager[None]]:
    """`with as_web():` makes row-level security bite, as it does in web processes."""
    return _as_web
