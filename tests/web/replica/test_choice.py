"""What the middleware of the read replica does with errors and with writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import django.db
import psycopg
import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from psycopg import errors
from rest_framework.response import Response

from notifier.web.replica import choice, pins

API, PAGE = "/v1/recipients", "/admin/tenants/recipient/"


class Watch:
    """Stands in for the watch over the lag."""

    def __init__(self) -> None:
        self.has_failed = False

    def failed(self) -> None:
        self.has_failed = True


@pytest.fixture
def watch(db: None, monkeypatch: pytest.MonkeyPatch) -> Watch:
    @contextmanager
    def using(alias: str) -> Iterator[Any]:
        yield SimpleNamespace(close=lambda: None)

    watch = Watch()
    monkeypatch.setattr(choice, "watch", watch)
    monkeypatch.setattr(choice, "using", using)
    return watch


def asked(path: str, method: str = "GET", page: str = "") -> HttpRequest:
    request = RequestFactory().generic(method, path, headers={"Authorization": "Bearer nk_live_x"})
    request.__dict__["user"] = AnonymousUser() if path == API else SimpleNamespace(is_authenticated=True)
    request.__dict__["resolver_match"] = SimpleNamespace(namespaces=["admin"], url_name=page) if page else None
    return request


def ask_replica(path: str, cause: psycopg.Error, kind: type[django.db.Error]) -> HttpResponse | None:
    def answer() -> HttpResponse:
        raise kind("from the replica") from cause

    return choice._ask_replica(asked(path), answer)


LOST = [
    pytest.param(psycopg.OperationalError("server closed the connection"), django.db.OperationalError, id="lost"),
    pytest.param(psycopg.InterfaceError("the connection is closed"), django.db.InterfaceError, id="closed"),
    pytest.param(errors.AdminShutdown(), django.db.OperationalError, id="shut down"),
    pytest.param(errors.CannotConnectNow(), django.db.OperationalError, id="starting"),
]
SOUND = [
    pytest.param(errors.SerializationFailure(), django.db.OperationalError, id="conflict with the replay"),
    pytest.param(errors.UndefinedTable(), django.db.ProgrammingError, id="a table that has not come yet"),
    pytest.param(errors.NumericValueOutOfRange(), django.db.DataError, id="a value"),
    pytest.param(errors.ReadOnlySqlTransaction(), django.db.InternalError, id="a write"),
]


@pytest.mark.parametrize(("cause", "kind"), LOST)
def test_nobody_reads_a_replica_whose_connection_is_lost(
    watch: Watch, cause: psycopg.Error, kind: type[django.db.Error]
) -> None:
    assert ask_replica(PAGE, cause, kind) is None
    assert watch.has_failed


@pytest.mark.parametrize(("cause", "kind"), SOUND)
def test_a_statement_that_fails_says_nothing_of_the_replica(
    watch: Watch, cause: psycopg.Error, kind: type[django.db.Error]
) -> None:
    assert ask_replica(PAGE, cause, kind) is None  # the primary is asked
    assert not watch.has_failed


@pytest.mark.parametrize("path", [API, PAGE])
def test_a_cancelled_statement_is_not_run_at_the_primary_again(watch: Watch, path: str) -> None:
    response = ask_replica(path, errors.QueryCanceled(), django.db.OperationalError)
    assert response is not None
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
    assert not watch.has_failed


@pytest.mark.parametrize(("code", "again"), [("database_too_slow", False), ("unavailable", True)])
def test_a_view_of_the_api_answers_its_errors_itself(watch: Watch, code: str, again: bool) -> None:
    response = choice._ask_replica(asked(API), lambda: Response({"code": code}, status=503))
    assert (response is None) is again


# ---- who has written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "told"), [(200, 1), (202, 1), (401, 0), (403, 0), (429, 0)])
def test_redis_is_told_of_keys_that_wrote_and_of_no_others(
    settings: Any, monkeypatch: pytest.MonkeyPatch, status: int, told: int
) -> None:
    settings.REPLICA_DATABASE_URL = "postgres://replica.example/notifier"
    keys: list[bytes] = []
    monkeypatch.setattr(pins, "key_wrote", keys.extend)
    choice.ReadReplica(lambda request: HttpResponse(status=status))(asked(API, "POST"))
    assert len(keys) == told


@pytest.mark.parametrize(("page", "is_pinned"), [("oidc_callback", True), ("index", False)])
def test_who_comes_back_from_the_identity_provider_reads_the_primary(settings: Any, page: str, is_pinned: bool) -> None:
    settings.REPLICA_DATABASE_URL = "postgres://replica.example/notifier"
    response = choice.ReadReplica(lambda request: HttpResponse())(asked("/admin/oidc/callback/", page=page))
    assert isinstance(response, HttpResponse)
    assert (pins.COOKIE in response.cookies) is is_pinned
