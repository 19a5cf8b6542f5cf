"""Content that a channel or a provider's server would refuse is refused before: when published, or when rendered."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.templates import Compiled, prepare
from notifier.errors import InvalidInput
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.sandbox.services.fcm import payload_size
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from tenants.models import Tenant

ACME = Tenant(default_locale="en", link_schemes=["acme"])

CONSTANT = [
    ("push", {"link": "javascript:alert(1)"}, "link"),
    ("push", {"link": "otherapp://x"}, "link"),
    ("push", {"image": "/a.png"}, "image"),
    ("push", {"data": {"from": "x"}}, "data.from"),
    ("push", {"data": {"google.c": "{{ x }}"}}, "data.google.c"),
    ("push", {"data": {"message_type": "x"}}, "data.message_type"),
    ("push", {"data": {"delivery_id": "x"}}, "data.delivery_id"),
    ("push", {"body": "x" * 4100}, "body"),
    ("push", {"data": {"k": "\U0001f389" * 1100}}, "data"),
    ("in_app", {"title": "x" * 501}, "title"),
    ("in_app", {"link": "data:text/html,x"}, "link"),
    ("in_app", {"link": "/" + "x" * 2000}, "link"),
]


@pytest.mark.parametrize(("name", "parts", "part"), CONSTANT)
def test_a_part_that_no_recipient_can_get_is_refused_at_publishing(name: str, parts: dict[str, Any], part: str) -> None:
    content = {name: {"en": {"title": "a", "body": "{{ b }}", **parts}}}
    with pytest.raises(InvalidInput) as caught:
        prepare(content, ACME)
    assert caught.value.field == f"content.{name}.en.{part}"


@pytest.mark.parametrize(
    "link", ["/orders/{{ id }}", "acme://orders/17", "https://x.test/{{ recipient.name }}", "{{ url }}"]
)
def test_paths_and_the_tenants_app_schemes_are_published(link: str) -> None:
    for name in ("push", "in_app"):
        prepare({name: {"en": {"title": "a", "body": "b", "link": link}}}, ACME)


@pytest.mark.parametrize(
    ("name", "part", "good", "bad"),
    [
        ("push", "link", "https://x.test/1", "javascript:alert(1)"),
        ("push", "body", "x" * 3000, "x" * 4200),
        ("push", "body", "x" * 1500, "\U0001f389" * 1100),
        ("push", "body", "x" * 1500, "\x01" * 900),  # JSON writes six bytes
        ("push", "data", "x" * 3000, "x" * 4200),
        ("in_app", "title", "x" * 500, "x" * 501),
        ("in_app", "link", "/x", "//x.test"),
    ],
)
def test_a_part_that_a_recipient_cannot_get_is_refused_at_rendering(name: str, part: str, good: str, bad: str) -> None:
    text = "{{ recipient.attributes.value }}"
    parts = {"title": "a", "body": "b", part: {"k": text} if part == "data" else text}
    compiled, content = Compiled({name: {"en": parts}}), Locale(name, "en")
    form = compiled.render_partly(content, {}, TenantRules())

    def rendered(value: str) -> tuple[str, ...]:
        variables = {"recipient": {"attributes": {"value": value}}}
        compiled.render(content, variables, TenantRules())
        return form.render(variables)

    assert rendered(good) == (good,)
    for render in (lambda variables: compiled.render(content, variables, TenantRules()), form.render):
        with pytest.raises(InvalidInput) as caught:
            render({"recipient": {"attributes": {"value": bad}}})
        assert caught.value.field == f"content.{name}.en.{part}"


@given(st.text(max_size=1500), st.text(max_size=1500), st.dictionaries(st.text(min_size=1, max_size=9), st.text()))
def test_fcm_counts_bytes_as_its_server_does(title: str, link: str, data: dict[str, str]) -> None:
    parts = {"title": title, "body": "b", "link": link, "data": {f"k{key}": text for key, text in data.items()}}
    envelope = Envelope(new_id(), new_id(), new_id(), Address("a:b", "fcm"), "c")
    provider = Fcm(FcmConfig.sandbox("https://127.0.0.1:1"), "https://127.0.0.1:1")
    message = channel("push").message(envelope, parts)
    assert isinstance(message, PushMessage)
    body = orjson.loads(provider.request(message, "").body)
    assert Fcm.size(parts) == payload_size(body["message"])
