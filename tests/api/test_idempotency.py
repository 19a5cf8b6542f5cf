"""Idempotency-Key: retrying a POST is safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from notifier.api.framework import idempotency
from notifier.errors import IdempotencyMismatch
from notifier.models import Notification
from notifier.vocabulary.status import Mode
from tenants.access import set_scope
from tenants.models import IdempotencyKey, Tenant
from tests.api.conftest import ApiSite, payload
from tests.fixtures import Api, api_key


def test_the_same_request_again_gets_the_first_answer_and_does_nothing(site: ApiSite) -> None:
    first = site.acme("POST", "/v1/notifications", payload(), Idempotency_Key="order-42")
    again = site.acme("POST", "/v1/notifications", payload(), Idempotency_Key="order-42")
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert Notification.objects.count() == 1


def test_spaces_and_the_order_of_names_do_not_make_a_different_request(site: ApiSite) -> None:
    one = b'{"recipient": "dora", "template": "shipped", "data": {"order": "1"}}'
    two = b'{"data":{"order":"1"},"template":"shipped","recipient":"dora"}'
    assert site.acme("POST", "/v1/notifications", one, Idempotency_Key="k").status == 202
    assert site.acme("POST", "/v1/notifications", two, Idempotency_Key="k").status == 202
    assert Notification.objects.count() == 1


def test_another_body_with_the_same_key_is_refused(site: ApiSite) -> None:
    site.acme("POST", "/v1/notifications", payload(), Idempotency_Key="k")
    got = site.acme("POST", "/v1/notifications", payload(channels=["push"]), Idempotency_Key="k")
    assert (got.status, got.body["code"], got.body["field"]) == (422, "idempotency_mismatch", "Idempotency-Key")
    assert Notification.objects.count() == 1


def test_the_same_key_on_another_recipients_address_is_refused(site: ApiSite) -> None:
    site.acme("PUT", "/v1/recipients/emil", {})
    phone = {"platform": "fcm", "token": "a-good-token"}
    assert site.acme("POST", "/v1/recipients/dora/devices", phone, Idempotency_Key="k").status == 201
    assert site.acme("POST", "/v1/recipients/emil/devices", phone, Idempotency_Key="k").status == 422


def test_a_refused_request_leaves_its_key_free(site: ApiSite) -> None:
    assert site.acme("POST", "/v1/notifications", payload(recipient="no"), Idempotency_Key="k").status == 400
    assert not IdempotencyKey.objects.exists()
    assert site.acme("POST", "/v1/notifications", payload(), Idempotency_Key="k").status == 202


def test_tenants_do_not_share_keys(site: ApiSite) -> None:
    wanted = {"key": "promotions", "name": "Promotions"}
    assert site.acme("POST", "/v1/categories", wanted, Idempotency_Key="k").status == 201
    got = site.globex("POST", "/v1/categories", wanted, Idempotency_Key="k")
    assert got.status == 201
    assert "Idempotent-Replayed" not in got.headers


def test_a_live_key_does_not_get_the_answer_of_a_test_key(site: ApiSite, api: Callable[[str], Api]) -> None:
    """Nor does a test key get the answer of a live key."""
    trying = api(api_key(site.people.acme, mode=Mode.TEST))
    test = trying("POST", "/v1/notifications", payload(), Idempotency_Key="order-42")
    live = site.acme("POST", "/v1/notifications", payload(), Idempotency_Key="order-42")
    assert (test.status, live.status) == (202, 202)
    assert "Idempotent-Replayed" not in live.headers
    assert live.body["id"] != test.body["id"]
    assert sorted(Notification.objects.values_list("mode", flat=True)) == ["live", "test"]
    for caller, first in ((trying, test), (site.acme, live)):
        again = caller("POST", "/v1/notifications", payload(), Idempotency_Key="order-42")
        assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert Notification.objects.count() == 2


def test_a_live_key_does_not_get_the_campaign_of_a_test_key(site: ApiSite, api: Callable[[str], Api]) -> None:
    wanted = {"name": "Sale", "template": "shipped"}
    trying = api(api_key(site.people.acme, mode=Mode.TEST))
    made = [c("POST", "/v1/campaigns", wanted, Idempotency_Key="k").body for c in (trying, site.acme)]
    assert [campaign["mode"] for campaign in made] == ["test", "live"]


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a\tb", "a\x00b"])
def test_a_malformed_key_is_refused(site: ApiSite, key: str) -> None:
    got = site.acme("POST", "/v1/notifications", payload(), Idempotency_Key=key)
    assert (got.status, got.body["field"]) == (400, "Idempotency-Key")


# -- two requests at once ---------------------------------------------------------------------------------------------


class _Request:
    """The parts of a request that a claim reads."""

    method, path_info = "POST", "/v1/notifications"
    META = {"HTTP_IDEMPOTENCY_KEY": "k"}

    def __init__(self, data: Any) -> None:
        self.data = data


@pytest.fixture
def tenant(transactional_db: None) -> Iterator[Tenant]:
    yield Tenant.objects.create(name="ACME", slug="acme")


def test_a_second_request_waits_for_the_first_and_then_gets_its_answer(tenant: Tenant) -> None:
    seen: list[object] = []

    def second() -> None:
        try:
            with transaction.atomic():
                _as_web_of(tenant)
                seen.append(idempotency.claim(_Request({}), tenant.pk, Mode.LIVE, "x"))  # type: ignore[arg-type]
        except idempotency.Replayed as replayed:
            seen.append(replayed.response.data)
        finally:
            connections.close_all()

    with transaction.atomic():
        _as_web_of(tenant)
        claim = idempotency.claim(_Request({}), tenant.pk, Mode.LIVE, "x")  # type: ignore[arg-type]
        assert claim is not None
        thread = threading.Thread(target=second)
        thread.start()
        _wait_until_somebody_waits_for_us()
        IdempotencyKey.objects.filter(pk=claim.id).update(status=202, response='{"id":"first"}')
    thread.join()
    assert seen == [{"id": "first"}]


def test_if_the_first_request_fails_the_second_does_the_work(tenant: Tenant) -> None:
    seen: list[object] = []

    def second() -> None:
        with transaction.atomic():
            _as_web_of(tenant)
            seen.append(idempotency.claim(_Request({"other": 1}), tenant.pk, Mode.LIVE, "x"))  # type: ignore[arg-type]
        connections.close_all()

    with transaction.atomic():
        _as_web_of(tenant)
        idempotency.claim(_Request({}), tenant.pk, Mode.LIVE, "x")  # type: ignore[arg-type]
        thread = threading.Thread(target=second)
        thread.start()
        _wait_until_somebody_waits_for_us()
        transaction.set_rollback(True)
    thread.join()
    assert isinstance(seen[0], idempotency.Claim)


def test_a_mismatch_is_refused_before_any_work(tenant: Tenant) -> None:
    with transaction.atomic():
        claim = idempotency.claim(_Request({}), tenant.pk, Mode.LIVE, "x")  # type: ignore[arg-type]
        assert claim is not None
        IdempotencyKey.objects.filter(pk=claim.id).update(status=202)
    with pytest.raises(IdempotencyMismatch):
        idempotency.claim(_Request({"other": 1}), tenant.pk, Mode.LIVE, "x")  # type: ignore[arg-type]


def _as_web_of(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {settings.WEB_DATABASE_ROLE_NAME}")
    set_scope([tenant.pk])


def _wait_until_somebody_waits_for_us() -> None:
    waiting = False
    while not waiting:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN "
                           "(SELECT pid FROM pg_stat_activity WHERE datname = current_database()))")  # fmt: skip
            waiting = cursor.fetchone()[0]
