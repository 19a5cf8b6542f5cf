"""The emails of a shard: read back by the standard library, each is the email that the provider builds singly."""

from __future__ import annotations

import email
import email.policy
import re
import uuid
from dataclasses import replace
from email.message import EmailMessage as Parsed
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.sending.bodies import Batch, BodyBuilder
from campaigns.shard.payload import NO_DEVICE, Payload, pack, unpack
from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.delivery.content.links.unsubscribe_link import read_token
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.templates import Compiled
from notifier.delivery.content.tracking.tracked_html import PersonalLink, with_tracking
from notifier.vocabulary.content import TenantRules, Tracking
from tenants.models import Tenant
from tests.providers.test_contract import in_sandbox

SMTP = in_sandbox("smtp")
PAGE = "<!doctype html><html><head><title>News</title></head><body>" + "<p style='margin:0'>Some = text.</p>\n" * 90
CONTENT = {
    "subject": "{{ recipient.name }}, your order",
    "text": "Hi {{ recipient.name }}\n" + "A line of text.\n" * 30 + "{{ recipient.attributes.code }}\n.\nFrom us",
    "html": PAGE + "<b>{{ recipient.name }}</b> {% if recipient.attributes.code %}.{{ recipient.attributes.code }}"
    "{% endif %} {{ shop }}</body></html>",
    "preheader": "For {{ recipient.name }}",
}
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60),
    st.sampled_from(["O'Neil & <b>Co</b>", "Zoë", "李小龍", ".", "=?utf-8?b?x?=", "x" * 200, "a = b", "<body>"]),
).filter(lambda text: text == text.strip() and text)


def payload(names: list[str], codes: list[str], content: dict[str, str] = CONTENT, addresses: Any = None) -> Payload:
    """A shard as arming stores it."""
    form = Compiled({"email": {"en": content}}).render_partly(Locale("email", "en"), {"shop": "Acme"}, TenantRules())
    rendered = [
        form.render_columns({"shop": "Acme", "recipient": {"name": name, "attributes": {"code": code}}})
        for name, code in zip(names, codes, strict=True)
    ]
    assert {used for used, _ in rendered} == {form}
    columns = dict(zip(form.columns, map(list, zip(*(texts for _, texts in rendered), strict=True)), strict=True))
    count = len(names)
    return unpack(
        pack(
            Payload(
                ids="".join(uuid.uuid4().hex for _ in names),
                recipients="".join(uuid.uuid4().hex for _ in names),
                devices=NO_DEVICE * count,
                addresses=addresses or [f"u{i}@mail.example" for i in range(count)],
                contents=[form.shared],
                content_index=[0] * count,
                personal_texts=columns,
            )
        )
    )


def envelope(shard: Payload, i: int = 0) -> Envelope:
    return Envelope(
        delivery_id=shard.id(i),
        tenant_id=uuid.UUID(int=7),
        recipient_id=shard.recipient(i),
        address=shard.address(i),
        collapse_key=shard.id(i).hex,
        category="news",
        unsubscribe_url=f"https://notifier.example/unsubscribe/{i}",
    )


def read(raw: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and parts. The headers that differ by design are left out."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, Parsed) and not message.defects
    differ = ("Date", "List-Unsubscribe")
    headers = {name: " ".join(str(value).split()) for name, value in message.items() if name not in differ}
    parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    return headers, {kind: text.replace("\r\n", "\n").rstrip("\n") for kind, text in parts.items()}


def singly(shard: Payload, i: int) -> bytes:
    return SMTP.request(channel("email").message(envelope(shard, i), shard.content(i)), "").body


def built(shard: Payload) -> Batch:
    [batch] = BodyBuilder(SMTP, shard, envelope(shard)).build(range(len(shard)), "", None)
    return batch


@given(st.lists(st.tuples(NAMES, st.one_of(st.just(""), NAMES)), min_size=1, max_size=3))
@example([("x", "")])
@settings(deadline=None, max_examples=60)
def test_an_email_of_a_shard_is_the_email_built_singly(people: list[tuple[str, str]]) -> None:
    shard = payload([name for name, _ in people], [code for _, code in people])
    batch = built(shard)
    for i, raw in enumerate(batch.requests.bodies):
        assert read(raw) == read(singly(shard, i))
        assert max(map(len, raw.split(b"\r\n"))) <= 400 and b"\r\n." not in raw and b"\nFrom " not in raw


def test_a_shard_stores_the_page_once() -> None:
    shard = payload(["Ann", "Bob"], ["1", "2"])
    assert sorted(shard.personal_texts) == [
        "html:0", "html:1", "preheader", "subject", "text:0", "text:1",
    ]  # fmt: skip
    assert shard.personal_texts["html:1"] == [".1", ".2"]
    assert shard.content(1)["html"].endswith("<b>Bob</b> .2 Acme</body></html>")


def test_each_email_has_its_own_envelope_and_its_own_way_out() -> None:
    shard = payload(["Ann", "Bob"], ["1", "2"], addresses=["ann@mail.example", "bob@bücher.example"])
    batch = built(shard)
    assert batch.requests.paths == [
        b"notifier@sandbox.example ann@mail.example",
        b"notifier@sandbox.example bob@xn--bcher-kva.example",
    ]
    for i, raw in enumerate(batch.requests.bodies):
        message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        link = message["List-Unsubscribe"].strip("<>")
        opt_out = read_token(link.rpartition("/")[2])
        assert opt_out is not None and opt_out.recipient_id == shard.recipient(i)
        assert message["Message-ID"] == f"<{shard.key(i)}@sandbox.example>"


def test_an_address_outside_of_ascii_is_built_singly() -> None:
    shard = payload(["Ann", "Bob"], ["1", "2"], addresses=["jürgen@mail.example", "bob@mail.example"])
    builder = BodyBuilder(SMTP, shard, envelope(shard))
    assert builder.untemplatable == {0}
    message = channel("email").message(envelope(shard), shard.content(0))
    broken = channel("email").message(replace(envelope(shard), rehearsal=True), shard.content(1))
    [batch], failed = builder.build_singly({0: message, 1: broken}, "")
    assert (batch.rows, failed, batch.head.origin) == ([0], [1], SMTP.base)
    assert batch.requests.paths == ["notifier@sandbox.example jürgen@mail.example".encode()]
    assert read(batch.requests.bodies[0]) == read(singly(shard, 0))


@pytest.mark.django_db
def test_tracked_links_of_a_shard_are_those_of_emails_built_singly() -> None:
    tenant = Tenant.objects.create(name="Acme", slug="acme", tracking=Tracking.ON)
    link = '<a href="https://shop.example/?a=1&amp;b=2">Hi {{ recipient.name }}</a>'
    page = f"{PAGE}{link}{{{{ recipient.name | raw }}}}</body>"
    names = ["Ann", "Zoë =", '<a href="https://ann.example/">Ann</a>']
    shard = payload(names, ["1", "2", "3"], {"subject": "Hi", "html": page})
    common = replace(envelope(shard), tenant_id=tenant.pk)
    builder = BodyBuilder(SMTP, shard, common, tracks=True)
    assert builder.untemplatable == {2}
    [batch] = builder.build([0, 1], "", None)
    for i, raw in enumerate(batch.requests.bodies):
        own = replace(envelope(shard, i), tenant_id=tenant.pk)
        tracked = with_tracking("email", shard.content(i), own)
        assert read(raw) == read(SMTP.request(channel("email").message(own, tracked), "").body)
        assert len(re.findall(rf"/[co]/[\w-]+/{shard.key(i)}", read(raw)[1]["text/html"])) == 2
    page = f"{PAGE}<a href='https://shop.example/{{{{ recipient.name }}}}'>me</a></body>"
    personal = payload(["Ann"], ["1"], {"subject": "Hi", "html": page})
    with pytest.raises(PersonalLink):
        BodyBuilder(SMTP, personal, common, tracks=True).build([0], "", None)


@pytest.mark.parametrize("name", ["", "Zoë"])
def test_an_empty_text_leaves_its_part_out(name: str) -> None:
    content = {"subject": "Hi", "text": "{{ recipient.name }}", "html": "<p>Hi</p>"}
    shard = payload([name, "Ann"], ["1", "2"], content)
    builder = BodyBuilder(SMTP, shard, envelope(shard))
    assert builder.untemplatable == (set() if name else {0})
