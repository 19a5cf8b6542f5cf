"""One notification by email: from the POST to the mail server, over STARTTLS and a login; and who does not get it."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.flows.http import Answer, Caller
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

CONTENT: dict[str, Any] = {
    "subject": "Order {{ order }} for {{ recipient.name }}",
    "text": "{{ recipient.name }}, order {{ order }} has left.",
    "html": "<p>{{ recipient.name }}, order {{ order }} has left.</p>",
    "reply_to": "help@acme.example",
    "headers": {"X-Order": "{{ order }}"},
}


def email_for(tenant: Tenant, external_id: str, fate: str = "") -> str:
    """A recipient with an email address of this tenant's own; `fate` is the sandbox's word for it."""
    address = f"{tenant.tag}{external_id}{f'-{fate}' if fate else ''}@mail.example"
    recipient = {"name": "O'Neil & Co", "locale": "en", "email": address}
    tenant.api.request_json("PUT", f"/v1/recipients/{external_id}", recipient)
    return address


@pytest.fixture(autouse=True)
def template(tenant: Tenant) -> None:
    tenant.publish("order", "order-updates", {"email": {"en": CONTENT}})


def test_one_post_reaches_the_mailbox(tenant: Tenant, sandbox: Sandbox) -> None:
    address = email_for(tenant, "ann")
    invoice = {"name": "Rechnung März.pdf", "content": b64encode(b"%PDF an invoice").decode()}
    sent = tenant.send("ann", "order", data={"order": "A-7"}, attachments=[invoice])
    assert tenant.wait_until_final(sent) == {"email": "sent"}
    [arrived] = sandbox.arrivals(tenant.tag)
    [delivery] = tenant.notification(sent)["deliveries"]
    assert (arrived.address, arrived.title) == (address, "Order A-7 for O'Neil & Co")
    assert arrived.delivery == delivery["id"]
    mail = sandbox.mail(address)
    html = mail.get_body(("html",))
    assert html is not None and "<p>O&#x27;Neil &amp; Co, order A-7 has left.</p>" in html.get_content()
    [file] = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Rechnung März.pdf", b"%PDF an invoice")
    assert (mail["Reply-To"], mail["X-Order"]) == ("help@acme.example", "A-7")
    assert mail["List-Unsubscribe"] is None  # nobody opts out of their orders by one click


def assert_links(html: str) -> None:
    """The links of a marketing mail are not tracked; one shows the mail to its recipient, and one opts out."""
    page = html.replace("&amp;", "&")
    [leave], [view] = (re.findall(rf"href='(http[^']+/{path}/[^']+)'", page) for path in ("unsubscribe", "view"))
    shown = Caller(leave.split("/unsubscribe/")[0]).send("GET", urlsplit(view).path)
    assert shown.status == 200 and "O&#x27;Neil &amp; Co" in shown.text and "/o/" not in shown.text
    assert "sandbox" in shown.headers["content-security-policy"] and not shown.cookies
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("no-referrer", "no-store")
    asked = Caller(leave.split("/unsubscribe/")[0]).send("GET", urlsplit(leave).path)
    assert asked.status == 200 and "<form" in asked.text


def test_a_mailbox_that_is_not_there_is_remembered(tenant: Tenant, sandbox: Sandbox) -> None:
    email_for(tenant, "bob", "nobody")
    assert tenant.wait_until_final(tenant.send("bob", "order", data={"order": "1"})) == {"email": "failed"}
    assert tenant.wait_until_final(tenant.send("bob", "order", data={"order": "2"})) == {"email": "suppressed"}
    assert sandbox.addresses(tenant.tag) == {}


def test_a_recipient_without_an_address_and_a_template_without_a_text_are_named(tenant: Tenant) -> None:
    tenant.person("dan")
    assert tenant.statuses(tenant.send("dan", "order", data={"order": "1"})) == {"email": "suppressed"}
    broken = {"email": {"en": {"subject": "Hi"}}}
    answer = tenant.api.call("PUT", "/v1/templates/broken", {"category": "order-updates", "content": broken})
    assert (answer.status, answer.json["field"]) == (400, "content.email.en.text")


def test_a_greylisted_message_is_sent_again(tenant: Tenant, sandbox: Sandbox) -> None:
    address = email_for(tenant, "cat", "greylisted")
    assert tenant.wait_until_final(tenant.send("cat", "order", data={"order": "1"})) == {"email": "sent"}
    assert sandbox.addresses(tenant.tag) == {address: 1}


def test_a_campaign_reaches_every_mailbox_once_and_is_counted_without_persons(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.track("anonymous")
    addresses = {email_for(tenant, f"u{number}") for number in range(60)}
    email_for(tenant, "gone", "nobody")
    terms = [{"name": "terms.txt", "content": b64encode(b"terms").decode()}]
    page = (
        "<body>"
        + "<p>News of the shop.</p>\n" * 50
        + "<a href='{{ unsubscribe_url }}'>No more</a> <a href='{{ view_in_browser_url }}'>In the browser</a>"
    )
    page += "<p>{{ recipient.name }}</p></body>"
    tenant.publish("news", "promotions", {"email": {"en": {"subject": "News", "html": page, "attachments": terms}}})
    campaign = tenant.draft("news", tenant.everybody(), channels=["email"])
    campaign.arm()
    campaign.go()
    results = campaign.wait_until_finished()
    assert sandbox.addresses(tenant.tag) == dict.fromkeys(addresses, 1)
    assert (results["sent"], results["waiting"], results["in_doubt"]) == (60, 0, 0)
    mail = sandbox.mail(min(addresses))
    [file] = mail.iter_attachments()
    text = mail.get_body(("plain",))  # derived from the page
    assert file.get_content().strip() == "terms"
    assert text is not None and text.get_content().strip().endswith("O'Neil & Co")
    parts = [sandbox.mail(address).get_body(("html",)) for address in sorted(addresses)]
    assert parts[0] is not None
    assert_links(parts[0].get_content())
    images = {re.findall(r'src="(http[^"]+/o/[^"]+)"', part.get_content())[0] for part in parts if part}
    [image] = images  # all messages of the campaign have the same
    Caller(tenant.api.origin).send("GET", urlsplit(image).path, user_agent="Mozilla/5.0 (X11) Firefox/128.0")
    until(lambda: campaign.results()["counted"] == {"opened": 1}, "the opening to be counted")
    assert campaign.results()["reported"]["opened"] == 0


def test_one_click_ends_the_news_and_leaves_the_orders_alone(tenant: Tenant, sandbox: Sandbox) -> None:
    address = email_for(tenant, "eve")
    tenant.publish(
        "news", "promotions", {"email": {"en": {"subject": "News", "text": "Some news. {{ unsubscribe_url }}"}}}
    )
    assert tenant.wait_until_final(tenant.send("eve", "news")) == {"email": "sent"}
    mail = sandbox.mail(address)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    mailbox = Caller(f"{link.scheme}://{link.netloc}")

    assert mailbox.send("GET", link.path).status == 200  # a scanner
    assert tenant.wait_until_final(tenant.send("eve", "news")) == {"email": "sent"}
    form = {"content_type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        assert mailbox.send("POST", link.path, b"List-Unsubscribe=One-Click", **form).status == 200
    assert tenant.wait_until_final(tenant.send("eve", "news")) == {"email": "suppressed"}
    assert tenant.wait_until_final(tenant.send("eve", "order", data={"order": "1"})) == {"email": "sent"}
    assert mailbox.send("POST", link.path[:-4] + "AAAA", b"", **form).status == 404


def test_opens_and_clicks_of_a_message_are_seen(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.track("on")
    address = email_for(tenant, "eve")
    page = "<body><p>{{ recipient.name }}</p><a href='https://shop.example/?a=1&b=2'>shop</a></body>"
    tenant.publish("tracked", "order-updates", {"email": {"en": {"subject": "Hi", "html": page}}})
    sent = tenant.send("eve", "tracked")
    assert tenant.wait_until_final(sent) == {"email": "sent"}
    part = sandbox.mail(address).get_body(("html",))
    assert part is not None
    link, image = re.findall(r"(?:href|src)=[\"'](http[^\"']+)", part.get_content())

    def fetch_until(url: str, status: str) -> Answer:
        """Fetch as a mail client does, until the message has the status: a scanner fetches in the first seconds."""
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
        answers = []

        def fetch() -> bool:
            answers.append(Caller(tenant.api.origin).send("GET", urlsplit(url).path, user_agent=agent))
            return tenant.statuses(sent) == {"email": status}

        until(fetch, f"the message to be {status}")
        return answers[-1]

    opened = fetch_until(image, "opened")
    assert (opened.status, opened.headers["content-type"]) == (200, "image/gif")
    clicked = fetch_until(link, "clicked")
    assert (clicked.status, clicked.headers["location"]) == (302, "https://shop.example/?a=1&b=2")
    [delivery] = tenant.notification(sent)["deliveries"]
    events = {"events": [{"delivery": delivery["id"], "kind": "opened"}]}
    assert tenant.api.call("POST", "/v1/events", events).status == 202
    assert tenant.statuses(sent) == {"email": "clicked"}
