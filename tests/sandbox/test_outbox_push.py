"""Pushes of every service on the outbox page: urllib sends them, and a person reads them in Chromium."""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.request
from typing import Any

import jwt
import pytest
from playwright.sync_api import Browser, Page, expect

from notifier.sandbox.outbox import OutboxItem
from notifier.sandbox.outbox_page.push_parts import push_parts
from tests.browser import open_page
from tests.sandbox.process import Sandbox
from tests.sandbox.test_fcm import ask, google_token
from tests.sandbox.test_webpush import encrypted, push, subscribe

FCM = {
    "topic": "news",
    "notification": {"title": "Breaking", "body": "It is here."},
    "data": {"delivery_id": "d", "link": "https://acme.example/1", "article": "17"},
    "apns": {"payload": {"aps": {"badge": 3, "sound": "chime.caf"}}},
}
APNS = {
    "aps": {"alert": {"title": "Your order", "body": "It has left."}, "badge": 5, "sound": {"name": "default"}},
    "order": {"id": 17},
    "delivery_id": "d",
    "link": "https://acme.example/17",
}
WEB = {
    "title": "Sale",
    "body": "Today only.",
    "image": "https://acme.example/a.png",
    "data": {"code": "X1"},
    "badge": "2",
}


@pytest.mark.parametrize(
    ("service", "document", "expected"),
    [
        ("fcm", {"message": FCM}, ("chime.caf", "3", [["article", "17"]])),
        ("fcm", {"message": {"android": {"notification": {"sound": "x", "notification_count": 2}}}}, ("x", "2", [])),
        ("apns", APNS, ("default", "5", [["order", '{"id":17}']])),
        ("apns", {"aps": {"sound": "chime.caf", "content-available": 1}}, ("chime.caf", "", [])),
        ("webpush", WEB, ("", "2", [["code", "X1"]])),
        (
            "expo",
            {"sound": "default", "badge": 1, "data": {"a": "b", "delivery_id": "d"}},
            ("default", "1", [["a", "b"]]),
        ),
        ("hms", {"message": {"data": '{"a": "b"}'}}, ("", "", [["a", "b"]])),
        ("hms", {"message": {"data": "no JSON"}}, ("", "", [])),
        ("fcm", {"message": []}, ("", "", [])),
        ("unknown", {"sound": "x"}, ("", "", [])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_push_carries_besides_its_texts(service: str, document: Any, expected: tuple[str, str, Any]) -> None:
    parts = push_parts(OutboxItem("push", "a", source=json.dumps(document).encode(), service=service))
    assert (parts["sound"], parts["badge"], parts["data"]) == expected


@pytest.mark.parametrize("source", [b"", b"\xff\x00", b"[1]", b'"x"', b"{"])
def test_what_is_no_json_carries_nothing(source: bytes) -> None:
    for service in ("fcm", "apns", "webpush", "expo", "hms"):
        parts = push_parts(OutboxItem("push", "a", source=source, service=service))
        assert (parts["sound"], parts["badge"], parts["data"]) == ("", "", [])


def apns(sandbox: Sandbox, document: object) -> None:
    key = (sandbox.folder / "AuthKey_OPENKEY000.p8").read_text()
    claims = {"iss": "NOTIFIER00", "iat": int(time.time())}
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "OPENKEY000"})
    headers = {"authorization": f"bearer {token}", "apns-topic": "com.acme.app", "apns-priority": "10"}
    address = f"{sandbox.url}/3/device/{'ab' * 32}"
    request = urllib.request.Request(address, json.dumps(document).encode(), headers)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca)) as answer:
        assert answer.status == 200


def arrive(sandbox: Sandbox) -> None:
    token = google_token(sandbox)
    assert ask(sandbox, FCM, token)[0] == 200
    assert ask(sandbox, {"token": "phone-1", "data": {"delivery_id": "d2", "sync": "1"}}, token)[0] == 200
    apns(sandbox, APNS)
    browser = subscribe(sandbox)
    assert push(sandbox, browser["endpoint"], encrypted(browser, WEB))[0] == 201
    foreign = "https://fcm.googleapis.com/fcm/send/cX1:APA91b"
    mapped = f"{sandbox.url}/webpush/fcm.googleapis.com/fcm/send/cX1:APA91b"
    assert push(sandbox, foreign, os.urandom(200), mapped)[0] == 201


def shot(page: Page, name: str) -> None:
    """A picture for a person who asks for one."""
    if folder := os.environ.get("OUTBOX_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_reads_pushes_of_every_service(sandbox: Sandbox, chrome: Browser, scheme: Any) -> None:
    arrive(sandbox)
    with open_page(chrome, color_scheme=scheme) as page:
        page.goto(sandbox.report()["outbox"])
        card = page.locator(".lock .card")
        page.get_by_role("link", name="Breaking").click()
        expect(page.locator(".lock .clock")).to_contain_text("FCMtopic news")
        expect(card).to_contain_text("Badge 3 · Sound chime.caf")
        expect(card).to_contain_text("article17")
        shot(page, f"{scheme}-topic")
        page.get_by_role("link", name="Data only").click()
        expect(card).to_contain_text("sync1")
        page.get_by_role("link", name="Your order").click()
        expect(page.locator(".lock .clock")).to_contain_text("APNs")
        expect(card).to_contain_text("Badge 5 · Sound default")
        page.get_by_text("Details and source").click()
        expect(page.locator(".more")).to_contain_text("apns-priority")
        expect(page.locator(".more pre")).to_contain_text('"alert"')
        shot(page, f"{scheme}-apns")
        page.get_by_role("link", name="Sale").click()
        expect(page.locator(".lock .clock")).to_contain_text("Web Push")
        expect(card).to_contain_text("https://acme.example/a.png")
        expect(card).to_contain_text("codeX1")
        shot(page, f"{scheme}-webpush")
        page.get_by_role("link", name="Not decrypted").click()
        expect(card).to_contain_text("the sandbox did not make this subscription")
        page.get_by_text("Details and source").click()
        expect(page.locator(".more pre")).to_contain_text("200 bytes that are no text; in base64:")
        shot(page, f"{scheme}-foreign")
