"""`/v1/inbox/…` with Django's test client, under the web role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from inbox.tokens import mint
from notifier.vocabulary.ids import new_id
from tenants.models import Category, Recipient
from tests.fixtures import People, api_key
from tests.inbox.conftest import message, send


class Browser:
    """Call with a bearer token, each call in its own transaction, as with ATOMIC_REQUESTS."""

    def __init__(self, token: str) -> None:
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = Client()

    def get(self, path: str, **query: Any) -> Any:
        with transaction.atomic():
            return self.client.get(f"/v1/inbox/{path}", query, headers=self.headers)

    def put(self, path: str, **body: Any) -> Any:
        with transaction.atomic():
            return self.client.put(f"/v1/inbox/{path}", body, "application/json", headers=self.headers)

    def post(self, path: str, **body: Any) -> Any:
        with transaction.atomic():
            return self.client.post(f"/v1/inbox/{path}", body, "application/json", headers=self.headers)


@pytest.fixture
def doras(dora: Recipient) -> str:
    send(*[message(dora, str(n)) for n in range(1, 6)])
    return mint(dora)[0]


@pytest.fixture
def web_role(
    people: People, dora: Recipient, emil: Recipient, zoe: Recipient, doras: str, as_web: Callable[[], Any]
) -> Iterator[None]:
    opened: AbstractContextManager[None] = as_web()
    with opened:
        yield


def test_a_server_gets_a_token_that_opens_the_inbox(people: People, web_role: None) -> None:
    answer = Browser(people.acme_key).post("tokens", recipient="dora", ttl_seconds=60)
    assert answer.status_code == 201
    unread = Browser(answer.json()["token"]).get("unread")
    counts = {"last_seq": 5, "revision": 0, "seen_seq": 0, "unread": 5, "unseen": 5}
    assert unread.json() == {**counts, "categories": {"news": {"unread": 5, "unseen": 5}}}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"recipient": "nobody"}, 404, None),
        ({"recipient": "zoe"}, 404, None),  # Globex's
        ({}, 400, "recipient"),
        ({"recipient": 7.5, "ttl_seconds": "x"}, 400, None),
        ({"recipient": "dora", "ttl_seconds": 3601}, 400, "ttl_seconds"),
        ({"recipient": "dora", "ttl_seconds": 0}, 400, "ttl_seconds"),
    ],
)
def test_a_token_is_refused_clearly(
    people: People, web_role: None, body: dict[str, Any], status: int, field: str | None
) -> None:
    answer = Browser(people.acme_key).post("tokens", **body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert field is None or answer.json()["field"] == field


def test_only_a_key_with_the_scope_inbox_gets_tokens(
    people: People, dora: Recipient, as_web: Callable[[], Any]
) -> None:
    sender = api_key(people.acme, "send")
    token = mint(dora)[0]
    with as_web():
        assert Browser(sender).post("tokens", recipient="dora").status_code == 403
        assert Browser("").post("tokens", recipient="dora").status_code == 401
        assert Browser(token).post("tokens", recipient="dora").status_code == 401


def test_messages_come_newest_first_page_by_page(web_role: None, doras: str) -> None:
    first = Browser(doras).get("messages", limit=3).json()
    assert [m["seq"] for m in first["messages"]] == [5, 4, 3]
    assert (first["more"], first["last_seq"], first["unread"]) == (True, 5, 5)
    second_page = Browser(doras).get("messages", limit=3, before_seq=3).json()
    assert ([m["seq"] for m in second_page["messages"]], second_page["more"]) == ([2, 1], False)
    assert set(second_page["messages"][0]) == {
        *("id", "seq", "revision", "state", "category", "title", "body", "link", "data", "created_at", "read_at"),
        "snoozed_until",
    }


def test_messages_after_a_number_come_oldest_first(web_role: None, doras: str) -> None:
    answer = Browser(doras).get("messages", after_seq=2, limit=2).json()
    assert ([m["seq"] for m in answer["messages"]], answer["more"]) == ([3, 4], True)


def test_reading_one_and_then_all(web_role: None, doras: str) -> None:
    browser = Browser(doras)
    newest = browser.get("messages", limit=1).json()["messages"][0]
    after = browser.post(f"messages/{newest['id']}/read").json()
    assert (after["last_seq"], after["unread"], after["changes"][0]["state"]) == (5, 4, "read")
    assert [m["seq"] for m in browser.get("messages", unread="true").json()["messages"]] == [4, 3, 2, 1]
    assert browser.post("read", up_to_seq=5).json()["unread"] == 0
    assert browser.get("messages", limit=1).json()["messages"][0]["read_at"]


def test_a_token_cannot_mark_a_message_of_another_recipient(
    web_role: None, doras: str, emil: Recipient, zoe: Recipient
) -> None:
    message_id = Browser(doras).get("messages").json()["messages"][0]["id"]
    for stranger in (emil, zoe):
        with transaction.atomic():
            token = _token(stranger)
        assert Browser(token).post(f"messages/{message_id}/read").status_code == 404
        assert Browser(token).get("messages").json()["messages"] == []
    assert Browser(doras).post(f"messages/{new_id()}/read").status_code == 404


def _token(recipient: Recipient) -> str:
    from tenants.access import set_scope

    set_scope([recipient.tenant_id])
    return mint(recipient)[0]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"before_seq": -1},
        {"after_seq": 2**63},
        {"after_seq": 1, "before_seq": 5},
        {"after_seq": 1, "unread": "true"},
    ],
)
def test_a_malformed_query_is_refused(web_role: None, doras: str, query: dict[str, Any]) -> None:
    assert Browser(doras).get("messages", **query).status_code == 400


@pytest.mark.parametrize("body", [{}, {"up_to_seq": -1}, {"up_to_seq": "all"}, {"up_to_seq": 2**63}])
def test_a_malformed_read_mark_is_refused(web_role: None, doras: str, body: dict[str, Any]) -> None:
    assert Browser(doras).post("read", **body).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "nk_live_acme_everything"])
def test_without_a_recipient_token_the_answer_is_401(web_role: None, token: str) -> None:
    for path in ("messages", "unread"):
        answer = Browser(token).get(path)
        assert (answer.status_code, answer["WWW-Authenticate"][:6]) == (401, "Bearer")
        assert answer.json()["code"].startswith("token_")


def test_a_page_of_any_origin_may_call_with_a_token_only(web_role: None, doras: str) -> None:
    preflight = Client().options("/v1/inbox/messages", headers={"Origin": "https://shop.example"})
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (204, "*")
    assert "Authorization" in preflight["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight
    for answer in (Browser(doras).get("unread"), Browser("").get("unread")):
        assert answer["Access-Control-Allow-Origin"] == "*"


def test_the_endpoint_for_servers_has_no_cors_headers(people: People, web_role: None) -> None:
    assert "Access-Control-Allow-Origin" not in Browser(people.acme_key).post("tokens", recipient="dora")


def test_a_recipient_changes_only_its_own_preferences(web_role: None, doras: str, emil: Recipient) -> None:
    browser = Browser(doras)
    assert browser.get("preferences").json()["channels"]["push"] is True
    chosen = browser.put("preferences", channels={"push": False}, quiet_hours={"from": "22:00", "until": "07:00"})
    assert chosen.status_code == 200
    assert browser.get("preferences").json() == chosen.json()
    assert (chosen.json()["channels"]["push"], chosen.json()["quiet_hours"]["from"]) == (False, "22:00")
    with transaction.atomic():
        emils = _token(emil)
    assert Browser(emils).get("preferences").json()["channels"]["push"] is True


@pytest.mark.parametrize(
    "body", [{"channels": {"pigeon": False}}, {"categories": {"nope": False}}, {"language": 7}, {"chanels": {}}]
)
def test_malformed_preferences_are_refused(web_role: None, doras: str, body: dict[str, Any]) -> None:
    assert Browser(doras).put("preferences", **body).status_code == 400


# -- filters, search and changes ---------------------------------------------------------------------------------------


def listed(browser: Browser, **query: Any) -> list[int]:
    return [m["seq"] for m in browser.get("messages", **query).json()["messages"]]


def test_messages_are_filtered_by_state_and_category_and_counted(
    people: People, dora: Recipient, as_web: Callable[[], Any]
) -> None:
    for key in ("news", "orders"):
        Category.objects.create(tenant=people.acme, key=key, name=key)
    send(*[message(dora, str(n), category="orders" if n % 2 else "news") for n in range(1, 7)])
    token = mint(dora)[0]
    with as_web():
        browser = Browser(token)
        ids = {m["seq"]: m["id"] for m in browser.get("messages").json()["messages"]}
        browser.post(f"messages/{ids[6]}/read")
        browser.post(f"messages/{ids[5]}/archive")
        browser.post(f"messages/{ids[4]}/snooze", until=(timezone.now() + timedelta(hours=1)).isoformat())
        gone = browser.client.delete(f"/v1/inbox/messages/{ids[3]}", headers=browser.headers)
        assert (gone.status_code, gone.json()["changes"][0]["title"]) == (200, "")
        assert listed(browser) == [6, 2, 1]
        assert listed(browser, state="unread") == [2, 1]
        assert listed(browser, state="read") == [6]
        assert listed(browser, state="archived") == [5]
        assert listed(browser, state="snoozed") == [4]
        assert listed(browser, category="orders") == [1]
        assert listed(browser, state="unread", category="news", limit=1) == [2]
        counts = browser.get("unread").json()
        assert (counts["unread"], counts["categories"]["orders"]) == (2, {"unread": 1, "unseen": 1})
        assert browser.post("seen", up_to_seq=6).json()["unseen"] == 0
        assert browser.post("read", up_to_seq=6, category="news").json()["categories"] == {
            "orders": {"unread": 1, "unseen": 0}
        }
        assert browser.post(f"messages/{ids[5]}/unarchive").json()["unread"] == 2
        assert browser.post(f"messages/{ids[4]}/unsnooze").json()["unread"] == 3
        assert browser.post(f"messages/{ids[6]}/unread").json()["unread"] == 4
        assert listed(browser) == [6, 5, 4, 2, 1]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("parcel", [2]),
        ("PARCEL leipzig", [2]),
        ("leipzig parcel", [2]),
        ("cafe", [1]),
        ("Café", [1]),
        ("50%_\\", [3]),
        ("nothing", []),
        ("'; --", []),
        ("   ", [3, 2, 1]),
    ],
)
def test_a_search_finds_all_words_without_regard_to_case_and_accents(
    dora: Recipient, as_web: Callable[[], Any], q: str, found: list[int]
) -> None:
    send(message(dora, "CAFÉ"), message(dora, "Your parcel", body="left Leipzig"), message(dora, "50%_\\ off"))
    token = mint(dora)[0]
    with as_web():
        assert listed(Browser(token), q=q) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "open"}, "state"),
        ({"category": "nope"}, "category"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a b c d e f g h i j k"}, "q"),
        ({"q": "nul \0"}, "q"),
        ({"sort": "title"}, "sort"),
        ({"after_seq": 1, "q": "x"}, "after_seq"),
        ({"unread": "true", "state": "read"}, "unread"),
        ({"before_seq": "x"}, "before_seq"),
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_names_its_field(web_role: None, doras: str, query: dict[str, Any], field: str) -> None:
    answer = Browser(doras).get("messages", **query)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    "until", [None, "", "tomorrow", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2030-01-01T00:00:00", 5]
)
def test_a_snooze_that_cannot_be_changes_nothing(web_role: None, doras: str, until: object) -> None:
    browser = Browser(doras)
    newest = browser.get("messages", limit=1).json()["messages"][0]
    answer = browser.post(f"messages/{newest['id']}/snooze", until=until)
    assert (answer.status_code, answer.json()["field"]) == (400, "until")
    assert browser.post(f"messages/{new_id()}/snooze", until=until).status_code == 404
    assert browser.get("messages", limit=1).json()["messages"][0] == newest


def test_a_change_of_another_recipients_message_is_not_found(
    web_role: None, doras: str, emil: Recipient, zoe: Recipient
) -> None:
    message_id = Browser(doras).get("messages").json()["messages"][0]["id"]
    for stranger in (emil, zoe):
        with transaction.atomic():
            browser = Browser(_token(stranger))
        for name in ("read", "unread", "archive", "unarchive", "unsnooze", "snooze"):
            assert browser.post(f"messages/{message_id}/{name}").status_code == 404
        deletion = browser.client.delete(f"/v1/inbox/messages/{message_id}", headers=browser.headers)
        assert deletion.status_code == 404
    assert Browser(doras).get("unread").json()["unread"] == 5
