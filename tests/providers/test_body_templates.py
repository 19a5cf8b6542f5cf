"""A filled body template is the request that the provider would have built, byte for byte. Runs over the registry."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.channels import channels
from notifier.channels.base import Envelope
from notifier.providers import Provider, provider_class, providers
from notifier.providers.base import Unbuildable
from notifier.providers.body_template import (
    ADDRESS,
    ID,
    KEY,
    BodyTemplate,
    Placeholders,
    Untemplatable,
    compile_template,
)
from notifier.vocabulary.http import Request, RequestRows
from notifier.vocabulary.people import Address
from tests.providers.test_contract import in_sandbox

TEMPLATABLE = sorted(name for name in providers() if provider_class(name).templatable is not None)
#: an email breaks its lines around a text that varies: tests/providers/mime/test_compose.py reads such emails back
BYTE_FOR_BYTE = [name for name in TEMPLATABLE if provider_class(name).channel != "email"]
NASTY = [
    '"',
    "\\",
    "\n",
    "\r\n",
    "\t",
    "%",
    "%b",
    "%%",
    "%s%d",
    "😀",
    "é",
    "\u2028",
    "\x7f",
    "\x01",
    "</script>",
    "{}",
    " ",
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40),
    st.lists(st.sampled_from(NASTY), min_size=1, max_size=6).map("".join),
    st.just("long " * 2_000),
)
TOKENS = st.from_regex(r"[A-Za-z0-9_:-]{30,160}", fullmatch=True)
IDS = st.uuids(version=4)
TENANT = uuid.uuid4()
SHARED = {
    "title": '100 % off "now"',
    "body": "%b %s — 😀",
    "link": "https://shop.example/%20?a=%b",
    "image": "https://x/%.png",
}


def message(provider: Provider[Any], parts: Mapping[str, Any], address: str, own: uuid.UUID) -> Any:
    envelope = Envelope(
        delivery_id=own,
        tenant_id=TENANT,
        recipient_id=TENANT,
        address=Address(address, provider.platform),
        collapse_key=own.hex,
        category="news",
    )
    return channels()[provider.channel].message(envelope, parts)


def with_data(parts: Mapping[str, str], data: Mapping[str, str]) -> dict[str, Any]:
    return {**parts, "data": dict(data)} if data else dict(parts)


def sorted_headers(request: Request) -> Request:
    return replace(request, headers=tuple(sorted(request.headers)))


@pytest.mark.parametrize("name", BYTE_FOR_BYTE)
@given(
    st.lists(st.tuples(TOKENS, IDS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=4),
    st.sets(st.sampled_from(["title", "body", "data"])),
)
@example([("t" * 40, uuid.UUID(int=0), "%b", '"', "\n")], {"title", "body", "data"})
@settings(deadline=None, max_examples=60)
def test_a_filled_body_template_is_the_request_itself(
    name: str, rows: list[tuple[str, uuid.UUID, str, str, str]], personal: set[str]
) -> None:
    provider = in_sandbox(name)
    assert provider.templatable is not None
    personal &= provider.templatable
    shared = {part: text for part, text in SHARED.items() if part in channels()[provider.channel].parts}
    placeholders = Placeholders.for_parts(personal)
    sample = {part: placeholders.parts.get(part, text) for part, text in shared.items()}
    body_template = provider.body_template(
        message(
            provider,
            with_data(sample, {"k": placeholders.parts.get("data", "same")}),
            placeholders.address,
            placeholders.id,
        ),
        placeholders,
        "T",
    )
    columns = {
        ADDRESS: provider.encode(ADDRESS, [row[0] for row in rows]),
        ID: [str(row[1]).encode() for row in rows],
        KEY: [row[1].hex.encode() for row in rows],
        "title": provider.encode("title", [row[2] for row in rows]),
        "body": provider.encode("body", [row[3] for row in rows]),
        "data": provider.encode("data", [row[4] for row in rows]),
    }
    filled = RequestRows(body_template.bodies(columns), body_template.paths(columns), body_template.headers(columns))
    for at, (address, own, title, body, value) in enumerate(rows):
        texts = {**shared, **{p: t for p, t in (("title", title), ("body", body)) if p in personal}}
        data = {"k": value if "data" in personal else "same"}
        try:
            request = provider.checked_request(message(provider, with_data(texts, data), address, own), "T")
        except Unbuildable:  # too large: arming checks the size of messages that a body template fills
            continue
        assert sorted_headers(filled.request(body_template.head, at)) == sorted_headers(request)


@pytest.mark.parametrize("name", TEMPLATABLE)
@given(st.lists(TEXTS, max_size=5))
@example(['a","b', "c"])
@example(["Zoë", "李"])
@example([])
@settings(deadline=None, max_examples=100)
def test_each_text_is_encoded_as_it_is_encoded_alone(name: str, texts: list[str]) -> None:
    provider = in_sandbox(name)
    for column in [ADDRESS, *channels()[provider.channel].parts]:
        assert provider.encode(column, texts) == [provider.encode(column, [text])[0] for text in texts]


@pytest.mark.parametrize("name", TEMPLATABLE)
def test_the_provider_names_the_addresses_that_no_body_template_fits(name: str) -> None:
    provider = in_sandbox(name)
    assert provider.untemplatable(["cX1:APA91b-anna", "another"]) == []
    assert provider.untemplatable(["cX1:APA91b-anna", "e" * 22, "another"]) == ([1] if name == "fcm" else [])


# ---- compiling ---------------------------------------------------------------------------------------------------


def request(placeholders: Placeholders, body: bytes, url: str = "https://push.example/send", **headers: str) -> Request:
    return Request("POST", url, tuple(headers.items()), body)


def test_a_placeholder_outside_the_body_makes_no_body_template() -> None:
    placeholders = Placeholders.for_parts(["title"])
    for untemplatable in (
        request(placeholders, b"", f"https://push.example/{placeholders.address}"),
        request(placeholders, placeholders.address.encode(), f"https://push.example/?id={placeholders.id}"),
        request(placeholders, placeholders.address.encode(), key=placeholders.id.hex),
        request(placeholders, placeholders.address.encode(), title=f"x{placeholders.parts['title']}"),
        request(placeholders, b"no address"),
    ):
        with pytest.raises(Untemplatable):
            compile_template(untemplatable, placeholders)


def test_a_column_may_have_several_positions_in_any_order() -> None:
    placeholders = Placeholders.for_parts(["title"])
    title = placeholders.parts["title"]
    body = f"%b|{placeholders.id.hex}|{title}|{placeholders.address}|%%|{title}|{placeholders.id}|%".encode()
    body_template = compile_template(request(placeholders, body), placeholders)
    assert body_template.columns == {KEY, "title", ADDRESS, ID}
    filled = body_template.bodies(
        {KEY: [b"k1", b"k2"], ID: [b"i1", b"i2"], ADDRESS: [b"%b", b"a2"], "title": [b"%", b""]}
    )
    assert filled == [b"%b|k1|%|%b|%%|%|i1|%", b"%b|k2||a2|%%||i2|%"]


def test_columns_of_different_lengths_are_refused() -> None:
    placeholders = Placeholders.for_parts([])
    body_template: BodyTemplate = compile_template(
        request(placeholders, f"{placeholders.address} {placeholders.id}".encode()), placeholders
    )
    with pytest.raises(ValueError):
        body_template.bodies({ADDRESS: [b"a", b"b"], ID: [b"i"]})


# ---- paths and headers of their own ------------------------------------------------------------------------------


def test_an_own_path_and_own_headers_are_columns() -> None:
    placeholders = Placeholders.for_parts(["title"])
    sample = request(
        placeholders,
        f"{{{placeholders.parts['title']}}}".encode(),
        f"https://push.example/3/device/{placeholders.address}?a=%20b",
        own_id=str(placeholders.id), shared="s", own_key=placeholders.id.hex, constant="c",
    )  # fmt: skip
    template = compile_template(sample, placeholders, own_paths=True, own_headers=("constant", "own_key", "own_id"))
    assert template.columns == {ADDRESS, ID, KEY, "title"}
    assert template.head.headers == (("shared", "s"), ("constant", "c"))
    assert template.head.own_headers == ("own_id", "own_key")
    columns = {ADDRESS: [b"t1", b"t2"], ID: [b"i1", b"i2"], KEY: [b"k1", b"k2"], "title": [b"a", b"b"]}
    assert template.paths(columns) == [b"/3/device/t1?a=%20b", b"/3/device/t2?a=%20b"]
    assert template.headers(columns) == [[b"i1", b"i2"], [b"k1", b"k2"]]


@pytest.mark.parametrize("value", ["{id} ", "x{id}", "{id}{key}", "{title}"])
def test_a_value_of_its_own_is_exactly_one_column(value: str) -> None:
    """No text of the content: it would be encoded as a body holds it."""
    placeholders = Placeholders.for_parts(["title"])
    title = placeholders.parts["title"]
    text = value.format(id=placeholders.id, key=placeholders.id.hex, title=title)
    sample = request(placeholders, f"{placeholders.address} {title}".encode(), own=text)
    with pytest.raises(Untemplatable):
        compile_template(sample, placeholders, own_headers=("own",))


def test_the_path_of_a_mail_is_its_envelope() -> None:
    placeholders = Placeholders.for_parts([])
    mail = Request(
        "MAIL", f"smtp://mail.example:25/me@x.example%20{placeholders.address}", (), str(placeholders.id).encode()
    )
    template = compile_template(mail, placeholders, own_paths=True)
    assert template.paths({ADDRESS: [b"you@y.example"], ID: [b"i"]}) == [b"me@x.example you@y.example"]
