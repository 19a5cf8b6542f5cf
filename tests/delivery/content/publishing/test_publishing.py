"""Publishing an email: layouts, senders, headers, and what the version stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from notifier.delivery.content import templates
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.publishing.layouts import check_layout
from notifier.delivery.content.publishing.senders import allowed_mailbox
from notifier.errors import InvalidInput
from notifier.models import Layout, Sender, Template
from notifier.vocabulary.mail import Mailbox, parse_mailboxes
from tenants.models import Tenant
from tests.fixtures import People

ACME = Tenant(default_locale="en")
FRAME = "<html><body>{{ content }}<p>{{ postal_address }}</p></body></html>"
PART = {"subject": "Hi", "html": "<p>{{ recipient.name }}</p>"}


def published(layout: Layout | None = None, **parts: Any) -> Mapping[str, Any]:
    email: Mapping[str, Any] = templates.prepare({"email": {"en": {**PART, **parts}}}, ACME, layout).published["email"]
    return dict(email["en"])


def refusal(**parts: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as error:
        published(**parts)
    return str(error.value.field), error.value.message


def test_a_layout_stands_around_html_and_text_with_the_postal_address() -> None:
    layout = Layout(html=FRAME, postal_address="Main <Street> 1\r\nVienna")
    parts = published(layout)
    assert parts["html"] == FRAME.replace("{{ content }}", PART["html"]).replace(
        "{{ postal_address }}", "Main &lt;Street&gt; 1<br/>Vienna"
    )
    assert parts["text"].split() == ["{{", "recipient.name", "}}", "Main", "<Street>", "1", "Vienna"]
    assert published(layout, text="Hello")["text"] == "Hello\n\nMain <Street> 1\nVienna\n"
    layout.text = "{{ content }}\n--\n{{ postal_address }}"
    assert published(layout, text="Hello")["text"] == "Hello\n--\nMain <Street> 1\nVienna"


def test_a_layout_in_mjml_takes_sections() -> None:
    layout = Layout(html="<mjml><mj-body>{{ content }}</mj-body></mjml>")
    section = "<mj-section><mj-column><mj-text>{{ recipient.name }}</mj-text></mj-column></mj-section>"
    assert "{{ recipient.name }}" in published(layout, html=section)["html"]


@pytest.mark.parametrize(
    ("fields", "named", "problem"),
    [
        ({}, "html", "A layout has html"),
        ({"html": "<p></p>"}, "html", "stands 0 times"),
        ({"text": "{{ content }}{{content}}"}, "text", "stands 2 times"),
        ({"html": "{{ content }}", "postal_address": "Vienna"}, "html", "The postal address stands nowhere"),
        ({"html": "{{ content }}{% if %}"}, "html", ""),
        ({"html": "<mjml><mj-body>{{ content }}</mjml>"}, "html", "MJML cannot be read"),
        ({"html": "{{ content }}", "key": "none"}, "key", "meaning of its own"),
    ],
)
def test_a_wrong_layout_is_refused_when_it_is_saved(fields: dict[str, str], named: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        check_layout(Layout(**{"key": "a", **fields}))
    assert error.value.field == named and problem in error.value.message


def test_a_whole_page_gets_no_layout_around_it() -> None:
    with pytest.raises(InvalidInput, match="choose no layout") as error:
        published(Layout(key="frame", html=FRAME), html="<html><body>x</body></html>")
    assert error.value.field == "content.email.en.html"


@pytest.mark.parametrize(
    ("parts", "field", "problem"),
    [
        ({"from": "{{ x }} <a@acme.example>"}, "from", "same for every recipient"),
        ({"reply_to": "acme"}, "reply_to", "is no email address"),
        ({"reply_to": "ü@acme.example"}, "reply_to", "is not ASCII"),
        ({"headers": {"Bcc": "a@b.example"}}, "headers.Bcc", "may not set the header Bcc"),
        ({"headers": {"Reply-To": "a@b.example"}}, "headers.Reply-To", "Use the part reply_to"),
        ({"headers": {"X-SMTPAPI": "{}"}}, "headers.X-SMTPAPI", "may not set"),
        ({"headers": {"X A": "b"}}, "headers.X A", "letters, digits and hyphens"),
        ({"headers": {"X-A": "b\r\nBcc: c"}}, "headers.X-A", "no line break"),
        ({"headers": ["X-A"]}, "headers", "is an object"),
        ({"html": "<mjml><mj-body></mjml>"}, "html", "MJML cannot be read"),
        ({"html": "<!-- {% assign a = b %} --><p>{{ a }}</p>"}, "text", "Write the part 'text'"),
    ],
)
def test_a_part_that_no_email_may_have_is_named(parts: dict[str, Any], field: str, problem: str) -> None:
    named, message = refusal(**parts)
    assert named == f"content.email.en.{field}" and problem in message


@pytest.mark.parametrize(
    ("mailbox", "allowed"),
    [
        ("news@acme.example", "Acme <news@acme.example>"),
        ("Acme <News@ACME.example>", "Acme <News@ACME.example>"),
        ("Other <news@acme.example>", None),
        ("ann@shop.example", "ann@shop.example"),
        ('"Ann, Shop" <ann@shop.example>', "Ann, Shop <ann@shop.example>"),
        ("ann@evil.shop.example", None),
        ("ceo@bank.example", None),
    ],
)
def test_only_the_tenants_senders_may_stand_in_from(mailbox: str, allowed: str | None) -> None:
    senders = [("news@acme.example", "Acme"), ("@shop.example", "")]
    try:
        sender = allowed_mailbox(parse_mailboxes(mailbox)[0], senders)
    except InvalidInput as error:
        assert allowed is None and "Senders" in error.message
    else:
        assert (f"{sender.name} <{sender.address}>" if sender.name else sender.address) == allowed


def test_a_mailbox_is_written_as_it_is_read() -> None:
    for name in ("", "Ü", 'Ann "A" \\ Co, Ltd <x>'):
        mailbox = Mailbox("a@ö.example", name)
        assert parse_mailboxes(str(mailbox)) == (mailbox,)


@pytest.mark.django_db
def test_the_version_keeps_the_source_and_stores_what_is_sent(people: People) -> None:
    Sender.objects.create(tenant=people.acme, address="news@acme.example", name="Acme")
    Layout.objects.create(tenant=people.acme, key="frame", html=FRAME, is_default=True)
    template = Template.objects.create(tenant=people.acme, key="welcome")
    content = {"email": {"en": {**PART, "from": "news@acme.example"}}}
    version = templates.publish(template, content)
    assert version.content == content
    compiled = templates.compiled(version.pk)
    variables = {"recipient": {"name": "<Ann>"}}
    parts = compiled.render(Locale("email", "en"), variables, people.acme.content_rules)
    assert parts["html"] == "<html><body><p>&lt;Ann&gt;</p><p></p></body></html>" and parts["text"].strip() == "<Ann>"
    assert parts["from"] == '"Acme" <news@acme.example>'


@pytest.mark.django_db
def test_the_sender_of_another_tenant_is_refused(people: People) -> None:
    Sender.objects.create(tenant=people.globex, address="news@globex.example")
    with pytest.raises(InvalidInput, match="is no sender of this tenant") as error:
        templates.prepare({"email": {"en": {**PART, "from": "news@globex.example"}}}, people.acme)
    assert error.value.field == "content.email.en.from"
