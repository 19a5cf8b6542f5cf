"""The users of most tests: Ana (owner) and Ben (author) of the tenant ACME, Cleo (owner) of Globex; a key each
tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client

from campaigns.audience import budget
from notifier.vocabulary.status import Mode
from tenants.models import ApiKey, Member, Tenant, User
from tests.inbox.web import Web
from tests.settings import SERVERS


@pytest.fixture(autouse=True)
def patient_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shows an estimate where a count takes long, as it does on a busy machine."""
    monkeypatch.setattr(budget, "PATIENCE", 60)


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """The database goes with the servers of this process, so that no session of a web process that just ended keeps it
    from being dropped."""
    return django_db_keepdb or SERVERS is not None


@dataclass(frozen=True)
class People:
    acme: Tenant
    globex: Tenant
    ana: User  #: owner of ACME
    ben: User  #: author of ACME
    cleo: User  #: owner of Globex, without a role in ACME
    acme_key: str
    globex_key: str


def api_key(tenant: Tenant, *scopes: str, mode: Mode = Mode.LIVE) -> str:
    """A new key of the tenant. Without scopes it has all of them."""
    key = f"nk_{mode.value}_{tenant.slug}_{'_'.join(scopes) or 'everything'}"
    digest = hashlib.sha256(key.encode()).digest()
    ApiKey.objects.create(
        tenant=tenant, name="test", prefix=key[:12], digest=digest, mode=mode.value, scopes=list(scopes) or ["*"]
    )
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
    Member.objects.create(tenant=acme, user=ben, role=Member.Role.AUTHOR)
    Member.objects.create(tenant=globex, user=cleo, role=Member.Role.OWNER)
    return People(acme, globex, ana, ben, cleo, api_key(acme), api_key(globex))


@pytest.fixture(scope="session")
def web(django_db_setup: None) -> Iterator[Web]:
    """One web process for all tests. It sees only committed rows."""
    server = Web()
    yield server
    server.stop()


@contextmanager
def as_web_role() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {settings.WEB_DATABASE_ROLE_NAME}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


@pytest.fixture
def as_web() -> Callable[[], AbstractContextManager[None]]:
    """`with as_web():` takes the web role, so that row-level security holds as it does in web processes."""
    return as_web_role


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Api:
    """A tenant's server, under the web role. Each request is a transaction that an error rolls back."""

    def __init__(self, key: str | None) -> None:
        # an exception becomes the answer that a tenant would get
        self._client = Client(raise_request_exception=False)
        self._auth = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request. `body` is sent as JSON; bytes are sent as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        kind = headers.pop("content_type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with as_web_role():
            # RAW_URI as a server sets it; Django's client passes on only the decoded path
            response = self._client.generic(method, path, content, kind, headers={**self._auth, **named}, RAW_URI=path)
            with connection.cursor() as cursor:
                # the scope of a request ends with its transaction, but here the test's transaction goes on
                cursor.execute(
                    "SELECT set_config('notifier.tenants', '', false), set_config('notifier.consent_source', '', false)"
                )
        parsed = (
            orjson.loads(response.content)
            if "json" in response.get("Content-Type", "") and response.content
            else response.content
        )
        return Answer(response.status_code, dict(response.items()), parsed)


@pytest.fixture
def api(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Api]:
    """`api(key)("POST", "/v1/…", {…})` -> Answer(status, headers, body)."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    return Api
