"""The outbox page: mails come by smtplib, pushes by urllib, and Chromium or urllib reads them."""

from __future__ import annotations

import json
import shutil
import smtplib
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from notifier.sandbox.outbox import KEPT, KEPT_BYTES, Attachment, Outbox, OutboxItem
from notifier.sandbox.outbox_page import reading
from notifier.sandbox.services import twilio
from tests.browser import open_page
from tests.sandbox.process import Sandbox
from tests.sandbox.receiver import Receiver
from tests.sandbox.test_fcm import a_message, ask, google_token

HTML = """<!doctype html><html><head><title>t</title></head><body><h1>Grüß dich, Łukasz &amp; Co</h1>
<img src="cid:logo" alt="logo"><img src="http://127.0.0.1:9/pixel.gif" alt="remote">
<a href="https://northwind.example/sale">Shop</a><script>document.title = "it ran"</script></body></html>"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f6"
    "45400000000049454e44ae426082"
)


def a_mail(address: str = "lukasz@example.com", subject: str = "Ein Gruß") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Northwind <news@northwind.example>", address, subject
    mail["List-Unsubscribe"] = "<https://notify.example.com/u/1>"
    mail.set_content("Grüß dich, Łukasz & Co: https://northwind.example/sale")
    mail.add_alternative(HTML, subtype="html")
    alternatives: Any = mail.get_payload()
    alternatives[1].add_related(PNG, "image", "png", cid="<logo>")
    mail.add_attachment(b"<script>1</script>", maintype="text", subtype="html", filename="Rechnung März.html")
    return mail


def deliver(sandbox: Sandbox, *mails: EmailMessage) -> None:
    context = ssl.create_default_context(cafile=sandbox.ca)
    port = urlsplit(sandbox.url).port
    assert port is not None
    with smtplib.SMTP("127.0.0.1", port + 1) as client:
        client.starttls(context=context)
        client.login("anybody", "x")
        for mail in mails:
            client.send_message(mail)


def fetch(sandbox: Sandbox, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a page without TLS."""
    request = urllib.request.Request(sandbox.report()["outbox"].rstrip("/") + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def listed(sandbox: Sandbox, query: str = "") -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = json.loads(fetch(sandbox, f"/_outbox/messages{query}")[2])["messages"]
    return messages


def test_a_mail_is_read_in_all_its_parts(sandbox: Sandbox) -> None:
    deliver(sandbox, a_mail())
    number = listed(sandbox)[0]["number"]
    message = json.loads(fetch(sandbox, f"/_outbox/messages/{number}")[2])
    assert (message["title"], message["sender"]) == ("Ein Gruß", "Northwind <news@northwind.example>")
    assert "Grüß dich, Łukasz & Co" in message["text"]
    assert ["List-Unsubscribe", "<https://notify.example.com/u/1>"] in message["headers"]
    assert message["source"].startswith("From: Northwind")
    assert message["remote_images"] == 1
    assert [(each["name"], each["inline"]) for each in message["attachments"]] == [
        ("part-1.png", True), ("Rechnung März.html", False)]  # fmt: skip


def test_a_mail_s_document_runs_no_script_and_loads_nothing_remote(sandbox: Sandbox) -> None:
    deliver(sandbox, a_mail())
    number = listed(sandbox)[0]["number"]
    _, headers, body = fetch(sandbox, f"/_outbox/messages/{number}/html")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "img-src data:;" in policy and "script-src" not in policy
    assert "sandbox allow-popups" in policy and "allow-scripts" not in policy and "allow-same-origin" not in policy
    assert b'<base target="_blank">' in body and b"data:image/png;base64," in body
    assert "img-src data: https: http:;" in fetch(sandbox, f"/_outbox/messages/{number}/html?images=1")[1][
        "content-security-policy"]  # fmt: skip


def test_an_attachment_is_saved_and_never_shown(sandbox: Sandbox) -> None:
    deliver(sandbox, a_mail())
    number = listed(sandbox)[0]["number"]
    _, headers, body = fetch(sandbox, f"/_outbox/messages/{number}/attachments/1")
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''Rechnung%20M%C3%A4rz.html"
    assert (headers["content-type"], body.strip()) == ("application/octet-stream", b"<script>1</script>")
    assert fetch(sandbox, f"/_outbox/messages/{number}/source")[1]["content-type"] == "message/rfc822"


def test_messages_are_filtered_by_channel_address_and_number(sandbox: Sandbox) -> None:
    deliver(sandbox, a_mail("ann@example.com"), a_mail("ben@example.com", "Zweite"))
    ask(sandbox, a_message("phone-1"), google_token(sandbox))
    assert [m["channel"] for m in listed(sandbox)] == ["push", "email", "email"]
    assert [m["address"] for m in listed(sandbox, "?channel=email")] == ["ben@example.com", "ann@example.com"]
    assert [m["address"] for m in listed(sandbox, "?search=ZWEITE")] == ["ben@example.com"]
    assert [m["address"] for m in listed(sandbox, "?search=phone")] == ["phone-1"]
    newest = listed(sandbox)[0]["number"]
    assert listed(sandbox, f"?after={newest}") == []
    assert [m["number"] for m in listed(sandbox, f"?before={newest}&limit=1")] == [newest - 1]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8445", "localhost.evil.example"])
def test_a_page_of_another_domain_cannot_read_the_messages(sandbox: Sandbox, host: str) -> None:
    assert fetch(sandbox, "/_outbox/messages", Host=host)[0] == 403
    assert fetch(sandbox, "/_outbox/messages", Host="localhost:1")[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/_outbox/messages/0", 404), ("/_outbox/messages/x", 404), ("/_outbox/messages?after=x", 400),
     ("/_reset", 404), ("/_report", 404), ("/_outbox/../faults.py", 404), ("/favicon.ico", 404)],
)  # fmt: skip
def test_the_page_answers_nothing_else(sandbox: Sandbox, path: str, status: int) -> None:
    assert fetch(sandbox, path)[0] == status


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_page_is_also_served_over_tls(sandbox: Sandbox, version: str) -> None:
    command = ["curl", "-sS", "--fail", "-i", version, "--cacert", sandbox.ca]
    for path in ("/", "/_outbox/outbox.js", "/_outbox/messages"):
        answer = subprocess.run([*command, sandbox.url + path], capture_output=True, text=True, check=True).stdout
        _, _, content = fetch(sandbox, path)
        assert answer.replace("\r\n", "\n").endswith("\n\n" + content.decode())
        assert "cache-control: no-store" in answer


def test_the_newest_messages_of_each_channel_are_kept() -> None:
    outbox = Outbox()
    outbox.add(OutboxItem("email", "a@example.com"))
    for number in range(KEPT + 10):
        outbox.add(OutboxItem("push", str(number)))
    assert outbox.channels() == {"email": 1, "push": KEPT}
    assert next(outbox.messages("push")).item.address == str(KEPT + 9)
    large = Attachment("a", "b", b"x" * (KEPT_BYTES // 3))
    for number in range(5):
        outbox.add(OutboxItem("email", str(number), attachments=[large]))
    assert [kept.item.address for kept in outbox.messages("email")] == ["4", "3"]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe",
        b"no header at all",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\nx",
        b"From: <<>>\r\nTo: @\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\n",
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff",
        b"Content-Transfer-Encoding: base64\r\n\r\n!",
        b"Content-Disposition: attachment; filename*=x''%\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx",
        b": \r\n\r\n",
        b"Date: x\r\nMessage-ID: <\r\n\r\n",
    ],
)
def test_a_mail_that_breaks_the_rules_is_still_shown(source: bytes) -> None:
    outbox = Outbox()
    outbox.add(OutboxItem("email", "a@example.com", source=source, mime=True))
    kept = next(outbox.messages())
    assert reading.details(kept)["size"] == len(source)
    assert reading.document(reading.whole(kept.item))


def an_sms(sandbox: Sandbox, number: str, text: str, callback: str) -> None:
    """An SMS by Twilio's API."""
    form = {"To": number, "From": "+12025550100", "Body": text, "StatusCallback": callback}
    user = b64encode(f"{twilio.ACCOUNT}:{twilio.TOKEN}".encode()).decode()
    request = urllib.request.Request(
        f"{sandbox.url}/2010-04-01/Accounts/{twilio.ACCOUNT}/Messages.json",
        urlencode(form).encode(),
        {"authorization": f"Basic {user}"},
    )
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sandbox.ca)) as answer:
        assert answer.status == 201


@pytest.mark.browser
def test_a_person_answers_an_sms_and_the_service_reports_the_answer(
    sandbox: Sandbox, chrome: Browser, receiver: Receiver
) -> None:
    an_sms(sandbox, "+436601234567", "Your code is 402 117.", f"{receiver.url}/v1/receipts/twilio/1/s?delivery=7")
    with open_page(chrome, viewport={"width": 390, "height": 844}) as page:
        page.goto(sandbox.report()["outbox"])
        page.get_by_role("link", name="Your code is 402 117.").click()
        expect(page.locator(".bubbles")).to_contain_text("Your code is 402 117.")
        page.get_by_label("Answer as the owner of this number").fill("STOP")
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".bubbles .inbound")).to_contain_text("STOP")
    wait_for(lambda: any(b"Body=STOP" in call.body for call in receiver.received))


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("application/x-www-form-urlencoded", b"number=1", 415), ("text/plain", b'{"number": "1", "text": "x"}', 415),
     ("application/json", b"[]", 400), ("application/json", b'{"number": "1"}', 400), ("application/json", b"x", 400),
     ("application/json", b'{"number": "+15005550006", "text": "STOP"}', 404)],
)  # fmt: skip
def test_an_answer_comes_from_the_page_itself_and_names_a_number(
    sandbox: Sandbox, content_type: str, body: bytes, status: int
) -> None:
    assert fetch(sandbox, "/_outbox/reply", body, **{"content-type": content_type})[0] == status


@pytest.mark.browser
def test_a_person_reads_what_arrived(sandbox: Sandbox, chrome: Browser) -> None:
    deliver(sandbox, a_mail())
    token = google_token(sandbox)
    page = chrome.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(sandbox.report()["outbox"])
    page.get_by_role("link", name="Ein Gruß").click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_role("heading")).to_have_text("Grüß dich, Łukasz & Co")
    expect(page.get_by_text("Remote images are blocked (1)")).to_be_visible()
    page.get_by_role("tab", name="Headers").click()
    expect(page.get_by_text("<https://notify.example.com/u/1>")).to_be_visible()
    page.get_by_role("tab", name="Attachments 2").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Rechnung März.html").click()
    assert download.value.suggested_filename == "Rechnung März.html"
    ask(sandbox, a_message("phone-1"), token)  # arrives while the page is open
    page.get_by_role("link", name="phone-1").click()
    expect(page.locator(".lock .card")).to_contain_text("B")
    page.get_by_role("button", name="Email").click()
    expect(page.locator("#messages li")).to_have_count(1)
    assert errors == []
