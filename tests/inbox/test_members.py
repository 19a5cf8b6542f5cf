"""A member of the tenant may only read a recipient's inbox, and the audit log records it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern
from playwright.sync_api import Page, expect

from inbox.http import api, preferences_api, push_api
from inbox.http.base import InboxView
from inbox.http.demo_page import VIEWED, demo_link
from inbox.models import Feed, InboxMessage
from notifier.sandbox.web_push import subscriptions
from tenants.models import AuditLog, ConsentChange, Member, Preference, Recipient, User
from tests.browser import log_in
from tests.fixtures import People, as_web_role
from tests.inbox.conftest import message, send
from tests.inbox.web import Socket, Web

ROLES = ["viewer", "author", "owner", "operator"]
#: what the inbox takes besides GET; the address of tokens takes an API key instead
SUBSCRIPTION = subscriptions.create({"host": "fcm.googleapis.com"}, "")
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/inbox/messages/{message}/read", {}),
    *(("POST", f"/v1/inbox/messages/{{message}}/{act}", {}) for act in ("unread", "archive", "unarchive", "unsnooze")),
    ("POST", "/v1/inbox/messages/{message}/snooze", {"until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}),
    ("POST", "/v1/inbox/seen", {"up_to_seq": 5}),
    ("POST", "/v1/inbox/read", {"up_to_seq": 5}),
    ("PUT", "/v1/inbox/preferences", {"channels": {"push": False}}),
    ("PUT", "/v1/inbox/devices", {"subscription": SUBSCRIPTION}),
    ("DELETE", "/v1/inbox/devices", {"subscription": SUBSCRIPTION}),
    ("POST", "/v1/inbox/events", {"events": [{"delivery": "01936f2a-7c3d-7e1f-8a2b-1234567890ab", "kind": "opened"}]}),
    ("DELETE", "/v1/inbox/messages/{message}", {}),
]


URLS = [*api.urlpatterns, *preferences_api.urlpatterns, *push_api.urlpatterns]


def member(people: People, role: str) -> User:
    if role == "operator":
        return User.objects.create_superuser("olga", "", "a long password")
    user = User.objects.create_user(f"{role}-1", "", "a long password", is_staff=True)
    Member.objects.create(tenant=people.acme, user=user, role=role)
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def token_of(client: Client, recipient: Recipient) -> str:
    with transaction.atomic(), as_web_role():
        given: str = client.get("/inbox/token", {"recipient": recipient.external_id}).json()["token"]
    return given


def looks(recipient: Recipient) -> list[int | None]:
    entries = AuditLog.objects.filter(tenant=recipient.tenant, action=VIEWED, object_id=str(recipient.pk))
    return list(entries.order_by("id").values_list("user_id", flat=True))


def state(recipient: Recipient) -> tuple[Any, ...]:
    """Every row that a token could change."""
    return (
        list(InboxMessage.objects.filter(recipient_id=recipient.pk).values()),
        list(Feed.objects.filter(recipient_id=recipient.pk).values()),
        list(Preference.objects.filter(recipient=recipient).values()),
        ConsentChange.objects.filter(recipient_id=recipient.pk).count(),
    )


def call(method: str, path: str, body: dict[str, Any], token: str) -> Any:
    with as_web_role():
        return Client().generic(
            method, path, orjson.dumps(body), "application/json", headers={"Authorization": f"Bearer {token}"}
        )


def test_the_list_of_changing_endpoints_is_complete() -> None:
    views = {f"/{p.pattern}": p.callback.cls for p in URLS if isinstance(p, URLPattern)}  # type: ignore[attr-defined]
    writes = {
        (method.upper(), address.replace("<id:message_id>", "{message}"))
        for address, view in views.items()
        if issubclass(view, InboxView)
        for method in ("post", "put", "patch", "delete")
        if hasattr(view, method)
    }
    assert writes == {(method, path) for method, path, _ in CHANGES}


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_a_members_token_reads_and_changes_nothing(role: str, people: People, dora: Recipient) -> None:
    send(message(dora, "one"), message(dora, "two"))
    first = InboxMessage.objects.get(recipient_id=dora.pk, seq=1)
    token = token_of(logged_in(member(people, role)), dora)
    before = state(dora)
    assert call("GET", "/v1/inbox/messages", {}, token).json()["unread"] == 2
    for method, path, body in CHANGES:
        answer = call(method, path.format(message=first.pk), body, token)
        assert (answer.status_code, answer.json()["code"]) == (403, "token_read_only"), path
    assert state(dora) == before


@pytest.mark.django_db
def test_the_recipients_own_token_may_change_everything(people: People, dora: Recipient) -> None:
    send(message(dora, "one"))
    token_request = {"recipient": "dora"}
    token = call("POST", "/v1/inbox/tokens", token_request, people.acme_key).json()["token"]
    first = InboxMessage.objects.get(recipient_id=dora.pk, seq=1)
    for method, path, body in CHANGES:
        answer = call(method, path.format(message=first.pk), body, token)
        assert answer.status_code in (200, 201, 204, 207), path
    messages, _, preferences, _ = state(dora)
    assert (messages[0]["title"], preferences != []) == ("", True)


@pytest.mark.django_db
@pytest.mark.parametrize("first", ["/inbox/", "/inbox/token"])
def test_the_audit_log_has_one_entry_for_a_page_and_its_tokens(
    first: str, people: People, dora: Recipient, emil: Recipient
) -> None:
    ben, ana = logged_in(people.ben), logged_in(people.ana)
    with as_web_role():
        for path in (first, "/inbox/token", "/inbox/token", "/inbox/"):
            assert ben.get(path, {"recipient": "dora"}).status_code == 200
        assert ana.get("/inbox/", {"recipient": "dora"}).status_code == 200
        assert ana.get("/inbox/", {"recipient": "nobody"}).status_code == 404
    assert looks(dora) == [people.ben.pk, people.ana.pk]
    assert looks(emil) == []


@pytest.mark.django_db
def test_a_signed_link_acts_as_the_recipient_and_only_in_the_sandbox(people: People, dora: Recipient) -> None:
    send(message(dora, "one"))
    link = demo_link(dora)
    path = link[link.index("/inbox/") :]
    token = Client().get(path.replace("/inbox/", "/inbox/token")).json()["token"]
    assert call("POST", "/v1/inbox/read", {"up_to_seq": 1}, token).json()["unread"] == 0
    assert looks(dora) == []
    people.acme.sandbox = False
    people.acme.save()
    assert Client().get(path).status_code == 404


@pytest.mark.django_db
def test_a_removed_or_disabled_member_gets_no_new_token(people: People, dora: Recipient) -> None:
    vera = member(people, "viewer")
    client = logged_in(vera)
    token_of(client, dora)
    Member.objects.filter(user=vera).delete()
    # the end of a membership ends the sessions of the user
    assert client.get("/inbox/token", {"recipient": "dora"}).status_code == 302
    assert logged_in(vera).get("/inbox/token", {"recipient": "dora"}).status_code == 404
    Member.objects.create(tenant=people.acme, user=vera, role=Member.Role.VIEWER)
    User.objects.filter(pk=vera.pk).update(is_active=False)
    assert client.get("/inbox/token", {"recipient": "dora"}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_socket_of_a_member_gets_messages_and_is_closed_when_it_marks_one(
    web: Web, people: People, dora: Recipient
) -> None:
    send(message(dora, "one"))
    token = token_of(logged_in(people.ben), dora)
    with Socket(web, token, after_seq=0) as inbox:
        assert inbox.seqs(up_to=1) == [1]
        inbox.send(type="read", up_to_seq=1)
        assert inbox.close_code() == 4403
    assert InboxMessage.objects.get(recipient_id=dora.pk, seq=1).read_at is None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_page_of_a_member_has_no_buttons_to_mark_messages(
    tab: Page, web: Web, people: People, dora: Recipient
) -> None:
    send(message(dora, "one", link="https://example.com/one"))
    log_in(tab, web, people.ben)
    tab.goto(f"{web.origin}/inbox/?recipient=dora")
    expect(tab.locator("notifier-inbox")).to_have_attribute("data-state", "live")
    expect(tab.get_by_role("listitem")).to_contain_text("one")
    expect(tab.get_by_role("link", name="Open: one")).to_be_visible()
    for name in ("Mark as read: one", "Mark all as read"):
        expect(tab.get_by_role("button", name=name)).to_have_count(0)
