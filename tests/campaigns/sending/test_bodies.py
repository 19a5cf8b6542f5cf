"""The bodies of a shard: each equals the body that the provider builds for the message singly."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.sending.bodies import BodyBuilder
from campaigns.shard.payload import NO_DEVICE, Payload, SharedContent, pack, unpack
from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.delivery.content import templates
from notifier.providers import Provider, provider_class
from notifier.vocabulary.people import Address
from tests.campaigns.fake_client import Post, ledger, post, reported, send
from tests.providers.test_body_templates import BYTE_FOR_BYTE, TEXTS, TOKENS
from tests.providers.test_contract import in_sandbox

__all__ = ["post"]
FID = "cAbCdEfGhIjKlMnOpQrStU"
PARTS = ("title", "body", "link", "image", "data.k", "data.delivery_id")
CONTENTS = st.fixed_dictionaries(
    {"title": st.one_of(st.none(), TEXTS), "body": st.one_of(st.none(), TEXTS)},
    optional={part: st.one_of(st.none(), TEXTS) for part in PARTS[2:]},
)


@st.composite
def payloads(draw: st.DrawFn) -> Payload:
    contents: list[SharedContent] = list(draw(st.lists(CONTENTS, min_size=1, max_size=3)))
    count = draw(st.integers(1, 6))
    personal = {part for content in contents for part, text in content.items() if text is None}
    some = st.one_of(TEXTS, st.just(""))
    return Payload(
        platform="fcm",
        ids="".join(draw(st.uuids(version=4)).hex for _ in range(count)),
        recipients=uuid.uuid4().hex * count,
        devices=NO_DEVICE * count,
        addresses=[draw(st.one_of(TOKENS, st.just(FID), TEXTS)) for _ in range(count)],
        contents=contents,
        content_index=[draw(st.integers(0, len(contents) - 1)) for _ in range(count)],
        personal_texts={part: [draw(some) for _ in range(count)] for part in sorted(personal)},
    )


def common_envelope(payload: Payload, expires_in: int | None = None) -> Envelope:
    return Envelope(
        delivery_id=payload.id(0),
        tenant_id=uuid.UUID(int=1),
        recipient_id=payload.recipient(0),
        address=payload.address(0),
        collapse_key="",
        category="news",
        expires_in=expires_in,
    )


def single_body(provider: Provider[Any], payload: Payload, i: int, expires_in: int | None = None) -> bytes:
    envelope = replace(
        common_envelope(payload, expires_in),
        delivery_id=payload.id(i),
        address=payload.address(i),
        collapse_key=payload.id(i).hex,
    )
    return provider.request(channel(provider.channel).message(envelope, payload.content(i)), "T").body


def fits(kind: type[Provider[Any]], parts: dict[str, Any]) -> bool:
    return kind.largest is None or kind.size(parts) <= kind.largest


@pytest.mark.parametrize("name", BYTE_FOR_BYTE)
@given(payloads())
@example(
    Payload("fcm", "0" * 64, "1" * 64, NO_DEVICE * 2, ["t" * 40] * 2, [{"title": None, "body": None}], [0, 0],
            {"title": ["", "x"], "body": ["", ""]})
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_a_body_equals_that_of_the_message_s_own_request(name: str, payload: Payload) -> None:
    provider = in_sandbox(name)
    payload = unpack(pack(payload))
    builder = BodyBuilder(provider, payload, common_envelope(payload))
    # arming refuses a content that is too large for the provider
    kind = type(provider)
    rows = [i for i in range(len(payload)) if i not in builder.untemplatable and fits(kind, payload.content(i))]
    if rows:
        batches = builder.build(rows, "T", None)
        assert sorted(i for batch in batches for i in batch.rows) == rows
        for batch in batches:
            assert [b.decode() for b in batch.requests.bodies] == [
                single_body(provider, payload, i).decode() for i in batch.rows
            ]
            assert batch.head.origin == provider.base
        assert builder.build(rows, "T", None) == batches


@pytest.mark.parametrize("name", BYTE_FOR_BYTE)
def test_a_new_token_and_a_shorter_life_make_new_body_templates(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    provider = in_sandbox(name)
    payload = Payload(
        "fcm", "0" * 64, "1" * 64, NO_DEVICE * 2, ["t" * 40, "u" * 40], [{"title": "a", "body": "b"}], [0, 0]
    )
    builder = BodyBuilder(provider, payload, common_envelope(payload, 60))
    for token, expires_in in (("T", 60), ("T", 59), ("U", 59)):
        [batch] = builder.build(range(2), token, expires_in)
        if provider.required_token():
            assert ("authorization", f"Bearer {token}") in batch.head.headers
        assert batch.requests.bodies == [single_body(provider, payload, i, expires_in) for i in range(2)]


def test_a_provider_without_body_templates_has_only_untemplatable_messages() -> None:
    class Plain(provider_class("fcm")):  # type: ignore[misc]
        name = ""
        templatable = None

    payload = Payload("fcm", "0" * 64, "1" * 64, NO_DEVICE * 2, ["a", "b"], [{"title": "a", "body": "b"}], [0, 0])
    assert BodyBuilder(Plain(Plain.Config.sandbox("https://x")), payload, common_envelope(payload)).untemplatable == {
        0,
        1,
    }


NASTY = [
    '"quoted"',
    "100 %",
    "%b %s %(x)s %%",
    "two\nlines\n\ttab",
    "\\ back\\slash",
    "😀 é \u2028",
    "</script>",
    "x" * 200,
]


@pytest.mark.django_db(transaction=True)
def test_names_of_recipients_arrive_unchanged(post: Post) -> None:
    """Through arming, payload, body template and HTTP: each name in two languages, and an installation id."""
    text = {"title": "{{ recipient.name }}", "body": "For {{ recipient.name }}: {{ recipient.attributes.code }} 10 %"}
    german = {"title": "Hallo {{ recipient.name }}", "body": "%b", "data": {"code": "{{ recipient.attributes.code }}"}}
    templates.publish(post.template, {"push": {"en": text, "de": german}})
    people = {}
    for n, name in enumerate(NASTY):
        for locale in ("en", "de"):
            token = f"t{n}{locale}"
            people[token] = post.person(token, name=name, locale=locale, attributes={"code": name[::-1]})
    people[FID] = post.person(FID, name="fid", locale="en", attributes={"code": "c"})
    campaign = post.running()
    send(campaign)
    assert sorted(post.client.begun) == sorted(people)
    assert post.client.sent_singly == [FID]
    for body in post.client.bodies:
        message = body["message"]
        person = people[message.get("token") or message["fid"]]
        shown, code = message["notification"], person.attributes["code"]
        if person.locale == "de":
            assert (shown["title"], shown["body"]) == (f"Hallo {person.name}", "%b")
            assert message["data"]["code"] == code
        else:
            assert (shown["title"], shown["body"]) == (person.name, f"For {person.name}: {code} 10 %")
        assert message["android"]["notification"]["tag"] == uuid.UUID(message["data"]["delivery_id"]).hex
    assert len({body["message"]["data"]["delivery_id"] for body in post.client.bodies}) == len(people)
    assert reported(campaign) == {("sent", ""): len(people)}
    assert set(ledger(campaign)) == {("armed", "")}


@pytest.mark.django_db(transaction=True)
def test_a_message_with_a_personal_link_is_sent_singly_and_arrives(post: Post) -> None:
    text = {"title": "Hi", "body": "b", "link": "https://shop.example/{{ recipient.external_id }}"}
    templates.publish(post.template, {"push": {"en": text}})
    tokens = post.people(5)
    campaign = post.running()
    send(campaign)
    links = {body["message"]["token"]: body["message"]["data"]["link"] for body in post.client.bodies}
    assert links == {token: f"https://shop.example/{token}" for token in tokens}
    assert sorted(post.client.sent_singly) == sorted(tokens)
    assert reported(campaign) == {("sent", ""): 5}


def test_an_address_with_a_device_keeps_it() -> None:
    device = uuid.uuid4()
    payload = Payload("fcm", "0" * 32, "1" * 32, device.hex, ["a"], [{"title": "a", "body": "b"}], [0])
    assert payload.address(0) == Address("a", "fcm", device)
