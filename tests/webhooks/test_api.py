"""/v1/webhooks."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from notifier.models import WebhookEndpoint
from notifier.vocabulary.status import Mode
from notifier.webhooks import sender
from tenants.models import AuditLog
from tests.api.conftest import ApiSite, site
from tests.fixtures import Api, api_key
from tests.webhooks.receiver import Receiver

__all__ = ["site"]
HOOK = {"url": "https://hooks.example.com/x", "event_types": ["delivery.*"], "headers": {"X-Token": "canary"}}


def create(site: ApiSite, **values: Any) -> str:
    answer = site.acme("POST", "/v1/webhooks", {**HOOK, **values})
    assert answer.status == 201, answer.body
    return f"/v1/webhooks/{answer.body['id']}"


def test_an_endpoint_is_created_read_changed_listed_and_deleted(site: ApiSite) -> None:
    address = create(site)
    shown = site.acme("GET", address).body
    assert (shown["url"], shown["enabled"], shown["header_names"]) == (HOOK["url"], True, ["X-Token"])
    assert "canary" not in str(shown)
    changed = site.acme("PATCH", address, {"description": "mine", "enabled": False, "headers": {}}).body
    assert (changed["description"], changed["enabled"], changed["header_names"]) == ("mine", False, [])
    assert [one["id"] for one in site.acme("GET", "/v1/webhooks").body["data"]] == [shown["id"]]
    secret = site.acme("GET", f"{address}/secret").body["secret"]
    assert secret.startswith("whsec_")
    rotated = site.acme("POST", f"{address}/rotate")
    assert rotated.status == 200
    assert rotated.body["earlier_secret_until"] is not None
    assert site.acme("GET", f"{address}/secret").body["secret"] != secret
    assert site.acme("POST", f"{address}/test").body["code"] == "endpoint_disabled"
    assert site.acme("DELETE", address).status == 204
    assert site.acme("GET", address).status == 404
    actions = AuditLog.objects.filter(action__startswith="webhook").order_by("id").values_list("action", flat=True)
    acts = ("create", "change", "read_secret", "rotate", "read_secret", "delete")
    assert list(actions) == [f"webhook_endpoint.{act}" for act in acts]


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"url": "https://127.1/"}, "url", "invalid"),
        ({"url": "https://user@example.com/"}, "url", "invalid"),
        ({"url": "https://example.com:8443/"}, "url", "invalid"),
        ({"url": "ftp://example.com/"}, "url", "invalid"),
        ({"url": 7}, "url", "invalid"),
        ({"event_types": ["delivery"]}, "event_types", "invalid"),
        ({"event_types": ["nothing.*"]}, "event_types", "invalid"),
        ({"headers": {"Host": "x"}}, "headers", "invalid"),
        ({"headers": {"webhook-id": "x"}}, "headers", "invalid"),
        ({"headers": {"X": "a\r\nb"}}, "headers", "invalid"),
        ({"headers": {"X y": "a"}}, "headers", "invalid"),
        ({"headers": {"X": 7}}, "headers", "invalid"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers", "invalid"),
        ({"headers": {f"X-{n}": "1" for n in range(11)}}, "headers", "invalid"),
        ({"secret": "whsec_mine"}, "secret", "unknown_field"),
    ],
    ids=range(15),
)
def test_a_wrong_endpoint_is_refused_with_its_field(
    site: ApiSite, values: dict[str, Any], field: str, code: str, settings: Any
) -> None:
    settings.WEBHOOK_HTTP = False
    got = site.acme("POST", "/v1/webhooks", {**HOOK, **values})
    assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)
    assert not WebhookEndpoint.objects.exists()


def test_a_tenant_has_ten_endpoints(site: ApiSite) -> None:
    for _ in range(10):
        create(site)
    got = site.acme("POST", "/v1/webhooks", HOOK)
    assert (got.status, got.body["code"]) == (409, "too_many_endpoints")
    assert site.globex("POST", "/v1/webhooks", HOOK).status == 201


def test_another_tenant_sees_nothing(site: ApiSite) -> None:
    address = create(site)
    for method, path in (("GET", ""), ("PATCH", ""), ("GET", "/secret"), ("POST", "/rotate"), ("POST", "/test")):
        assert site.globex(method, f"{address}{path}", {} if method != "GET" else None).status == 404
    for method, path in (("POST", "/replay"), ("GET", "/attempts"), ("GET", "/requests"), ("DELETE", "")):
        assert site.globex(method, f"{address}{path}", {} if method == "POST" else None).status == 404
    assert site.globex("GET", "/v1/webhooks").body["data"] == []


def test_a_key_needs_the_scope(site: ApiSite, api: Any) -> None:
    caller: Api = api(api_key(site.people.acme, "send"))
    assert caller("GET", "/v1/webhooks").status == 403
    caller = api(api_key(site.people.acme, "webhooks"))
    assert caller("GET", "/v1/webhooks").status == 200


WRITES = [
    ("PATCH", "", {"enabled": False}), ("DELETE", "", None), ("GET", "/secret", None), ("POST", "/rotate", None),
    ("POST", "/test", None), ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
]  # fmt: skip


def test_a_test_key_lists_and_reads_and_changes_nothing(site: ApiSite, api: Any) -> None:
    address = create(site)
    request = site.acme("POST", f"{address}/test").body["id"]
    test_key: Api = api(api_key(site.people.acme, mode=Mode.TEST))
    one = f"/requests/{request}"
    for path in ("", "/attempts", "/requests", one):
        assert test_key("GET", f"{address}{path}").status == 200
    assert test_key("GET", "/v1/webhooks").status == 200
    entries = AuditLog.objects.count()
    for method, path, body in [*WRITES, ("POST", f"{one}/replay", None)]:
        got = test_key(method, f"{address}{path}", body)
        assert (got.status, got.body["code"]) == (409, "live_webhook"), path
    got = test_key("POST", "/v1/webhooks", HOOK)
    assert (got.status, got.body["code"]) == (409, "live_webhook")
    assert WebhookEndpoint.objects.filter(enabled=True).count() == 1
    assert AuditLog.objects.count() == entries


def test_an_endpoint_whose_encryption_key_is_gone_stays_readable(site: ApiSite, settings: Any) -> None:
    address = create(site)
    settings.ENCRYPTION_KEYS = [base64.urlsafe_b64encode(bytes(32)).decode()]
    assert site.acme("GET", address).body["header_names"] == ["cannot be decrypted"]
    assert site.acme("GET", "/v1/webhooks").status == 200
    got = site.acme("GET", f"{address}/secret")
    assert (got.status, got.body["code"]) == (409, "conflict")
    assert "cannot be decrypted" in got.body["detail"]
    rotated = site.acme("POST", f"{address}/rotate")
    assert (rotated.status, rotated.body["earlier_secret_until"]) == (200, None)
    assert site.acme("GET", f"{address}/secret").status == 200


def test_an_example_its_request_its_attempt_and_a_replay(site: ApiSite, got: Receiver) -> None:
    address = create(site, url=got.url)
    got.answer(500, body=b"out of order")
    sent = site.acme("POST", f"{address}/test")
    assert sent.status == 202
    sender.run()
    [attempt] = site.acme("GET", f"{address}/attempts").body["data"]
    assert (attempt["status"], attempt["answer"], attempt["request"]) == (500, "out of order", sent.body["id"])
    [request] = site.acme("GET", f"{address}/requests").body["data"]
    assert (request["state"], request["attempts"]) == ("waiting", 1)
    assert site.acme("GET", address).body["last_error"] == "HTTP 500"
    one = f"{address}/requests/{request['id']}"
    assert site.acme("POST", f"{one}/replay").status == 202
    sender.run()
    shown = site.acme("GET", one).body
    assert (shown["state"], shown["payload"]["data"]["events"][0]["type"]) == ("done", "webhook.example")
    assert {call.webhook_id for call in got.calls} == {request["webhook_id"]}
    assert len(site.acme("GET", f"{address}/attempts?request={request['id']}").body["data"]) == 2
    assert site.acme("GET", f"{address}/attempts?request=x").status == 400


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "event"),
        ({"event": "evt_x", "since": "2030-01-01T00:00:00Z"}, 400, "event"),
        ({"event": "evt_x"}, 404, "event"),
        ({"event": f"evt_{'0' * 32}_0"}, 404, "event"),
        ({"since": "2030-01-01T00:00:00Z", "until": "2029-01-01T00:00:00Z"}, 400, "since"),
        ({"since": "2026-01-01T00:00:00Z", "event_types": ["x"]}, 400, "event_types"),
        ({"since": "2026-01-01T00:00:00Z"}, 202, None),
    ],
    ids=range(7),
)
def test_replays(site: ApiSite, body: dict[str, Any], status: int, field: str | None) -> None:
    got = site.acme("POST", f"{create(site)}/replay", body)
    assert (got.status, got.body.get("field")) == (status, field)


def test_the_openapi_document_has_the_payload(site: ApiSite) -> None:
    document = site.anonymous("GET", "/v1/openapi.json").body
    assert "events" in document["webhooks"]
    assert "WebhookBatch" in document["components"]["schemas"]
