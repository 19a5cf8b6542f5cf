"""The request of a message, its authorization, and its keys."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifier.channels.base import Envelope
from notifier.channels.push import LONGEST_TTL, PushMessage
from notifier.errors import InvalidInput
from notifier.providers.base import Unbuildable
from notifier.providers.common import base64url
from notifier.providers.webpush import services, vapid
from notifier.providers.webpush.config import MOST_PREVIOUS, WebPushConfig
from notifier.providers.webpush.encryption import LARGEST_BODY
from notifier.providers.webpush.payload import payload_of, size_of
from notifier.providers.webpush.provider import WebPush
from notifier.vocabulary.http import Request, TransportError
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import Temporary
from tests.providers.webpush.browser import Browser

SANDBOX = "https://127.0.0.1:8443"
KEY, OLD_KEY, OLDER_KEY = vapid.new_key(), vapid.new_key(), vapid.new_key()


@pytest.fixture(autouse=True)
def only_the_browsers_services() -> Iterator[None]:
    before = services.allowed()
    services.allow([], SANDBOX)
    yield
    services.allow(*before)


def provider(origin: str | None = None, **settings: str) -> WebPush:
    raw = {"subject": "mailto:push@example.com", "private_key": KEY.text, "previous_keys": OLD_KEY.text, **settings}
    return WebPush(WebPushConfig.parse(raw), origin)


def a_message(token: str, **values: Any) -> PushMessage:
    envelope = Envelope(new_id(), new_id(), new_id(), Address(token, "webpush"), "0" * 32)
    own = {name: values.pop(name) for name in ("expires_in", "urgent", "collapse_key") if name in values}
    return PushMessage(dataclasses.replace(envelope, **own), **{"title": "Hello", "body": "Ann", **values})


def headers_of(request: Request) -> dict[str, str]:
    return dict(request.headers)


def claims_of(request: Request, at: float | None = None) -> tuple[str, dict[str, Any]]:
    """The public key that signed the request, and what it says; checked by PyJWT."""
    token, key = headers_of(request)["authorization"].removeprefix("vapid t=").split(", k=")
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), base64url.decode(key))
    options = {"verify_exp": at is None, "verify_aud": False}
    return key, jwt.decode(token, public, algorithms=["ES256"], options=options)  # type: ignore[arg-type]


def test_the_browser_reads_what_the_template_says() -> None:
    browser = Browser()
    message = a_message(
        browser.token, link="https://x.example/1", image="https://x.example/i.png", data={"a": "b"}, sound="ding",
        badge="3",
    )  # fmt: skip
    request = provider().request(message, "")
    assert request.url == browser.endpoint
    assert browser.read(request.body) == {
        "title": "Hello", "body": "Ann", "link": "https://x.example/1", "image": "https://x.example/i.png",
        "data": {"a": "b"}, "sound": "ding", "badge": "3", "delivery_id": str(message.envelope.delivery_id),
        "options": {"tag": "0" * 32},
    }  # fmt: skip


def test_the_block_of_the_template_becomes_options_and_headers() -> None:
    browser = Browser()
    block = {
        "icon": "/i.png", "badge": "/b.png", "image": "/own.png", "tag": "t", "require_interaction": "true",
        "silent": "false", "vibrate": "200,100", "lang": "", "actions": '[{"action":"a","title":"A"}]',
        "urgency": "low", "topic": "news",
    }  # fmt: skip
    request = provider().request(a_message(browser.token, image="https://x.example/i.png", webpush=block), "")
    content, headers = browser.read(request.body), headers_of(request)
    assert content["image"] == "/own.png"
    assert content["options"] == {
        "tag": "t", "icon": "/i.png", "badge": "/b.png", "requireInteraction": True, "silent": False,
        "vibrate": [200, 100], "actions": [{"action": "a", "title": "A"}],
    }  # fmt: skip
    assert (headers["urgency"], headers["topic"]) == ("low", "news")


def test_a_data_message_has_no_texts_to_show() -> None:
    browser = Browser()
    content = browser.read(provider().request(a_message(browser.token, title="", body="", data={"a": "b"}), "").body)
    assert "title" not in content and "body" not in content and content["data"] == {"a": "b"}


def test_the_headers_are_those_of_rfc_8030() -> None:
    token = Browser().token
    headers = headers_of(provider().request(a_message(token), ""))
    headers.pop("authorization")
    assert headers == {
        "content-encoding": "aes128gcm", "content-type": "application/octet-stream", "ttl": str(LONGEST_TTL),
        "urgency": "normal", "topic": "0" * 32,
    }  # fmt: skip
    urgent = headers_of(provider().request(a_message(token, urgent=True, expires_in=60, collapse_key="ü" * 50), ""))
    assert (urgent["urgency"], urgent["ttl"], len(urgent["topic"])) == ("high", "60", 32)


def test_a_service_gets_one_authorization_for_half_a_day_and_another_service_gets_its_own() -> None:
    account = provider()
    first, second = (account.request(a_message(Browser().token), "") for _ in range(2))
    mozilla = account.request(a_message(Browser("https://updates.push.services.mozilla.com/wpush/v2/x").token), "")
    assert headers_of(first)["authorization"] == headers_of(second)["authorization"]
    assert headers_of(provider().request(a_message(Browser().token), "")) == headers_of(first), "in every process"
    key, claims = claims_of(first)
    assert (key, claims["aud"], claims["sub"]) == (KEY.public_key, "https://fcm.googleapis.com", account.config.subject)
    assert claims_of(mozilla)[1]["aud"] == "https://updates.push.services.mozilla.com"


@pytest.mark.parametrize("second", [0, 1, 43_199, 43_200, 1_000_000_007])
def test_an_authorization_lives_eleven_hours_at_least_and_less_than_a_day(second: int) -> None:
    header = vapid.authorization(KEY, "https://fcm.googleapis.com", "mailto:a@b.example", second)
    _, claims = claims_of(Request("POST", "", (("authorization", header),), b""), at=second)
    assert 11 * 3600 <= claims["exp"] - second <= 23 * 3600


def test_a_token_names_the_key_that_signs_and_an_unknown_key_sends_nothing() -> None:
    account, browser = provider(), Browser()
    for key_id, signer in (("", KEY), (KEY.key_id, KEY), (OLD_KEY.key_id, OLD_KEY)):
        token = browser.token if not key_id else f"{browser.token}.{key_id}"
        assert claims_of(account.request(a_message(token), ""))[0] == signer.public_key
    with pytest.raises(Unbuildable, match="VAPID key"):
        account.request(a_message(f"{browser.token}.unknown_"), "")


def test_a_prepared_body_is_sent_as_it_is() -> None:
    account, browser = provider(), Browser()
    message = a_message(browser.token)
    prepared = dataclasses.replace(message, prepared=account.prepare(message))
    assert account.request(prepared, "").body == prepared.prepared
    assert browser.read(prepared.prepared)["title"] == "Hello"


def test_the_sandbox_takes_every_message_of_its_accounts() -> None:
    account = provider(SANDBOX)
    assert account.request(a_message(Browser().token), "").url == (
        f"{SANDBOX}/webpush/fcm.googleapis.com/fcm/send/dIdLvxOyAbc:APA91bF-x_y"
    )
    of_sandbox = Browser(f"{SANDBOX}/webpush/s1")
    request = account.request(a_message(of_sandbox.token), "")
    assert request.url == of_sandbox.endpoint and claims_of(request)[1]["aud"] == SANDBOX
    with pytest.raises(Unbuildable, match="sandbox"):
        provider().request(a_message(of_sandbox.token), "")


def test_a_service_that_the_operator_took_off_gets_nothing() -> None:
    services.allow(["push.example.com"])
    account, token = provider(), Browser("https://push.example.com/a").token
    account.request(a_message(token), "")
    services.allow([])
    with pytest.raises(Unbuildable, match="WEBPUSH_SERVICES"):
        provider().request(a_message(token), "")


def test_the_size_is_that_of_the_payload() -> None:
    data = {"a": "b", "ü": '"'}
    parts = {"title": "Hello", "body": "Ann", "link": "https://x.example/1", "data": data}
    message = a_message("x", **parts)
    assert size_of(parts) == len(payload_of(message))
    unfinished = {**parts, "badge": "unread", "webpush": {"actions": "?", "vibrate": "?", "timestamp": "?"}}
    assert size_of(unfinished) > size_of(parts), "a part that is not rendered yet has no value"
    with pytest.raises(InvalidInput, match="3,993"):
        WebPush.check_content({"title": "x", "body": "ü" * 2000})
    browser = Browser()
    full = {"title": "x", "body": "y" * (3994 - size_of({"title": "x", "body": "y"}))}
    assert len(provider().request(a_message(browser.token, **full), "").body) == LARGEST_BODY
    with pytest.raises(Unbuildable, match="bytes"):
        provider().request(a_message(browser.token, **{**full, "title": "xx"}), "")


def test_a_sandbox_account_has_keys_of_its_own_in_every_process() -> None:
    one, same, other = (WebPush(WebPushConfig.sandbox(SANDBOX), SANDBOX) for _ in range(3))
    one.signing_keys, same.signing_keys, other.signing_keys = (b"a", b"old"), (b"a", b"old"), (b"b",)
    assert one.current_key.public_key == same.current_key.public_key != other.current_key.public_key
    assert len(one.keys) == 2


def test_an_account_replaces_one_whose_keys_it_has() -> None:
    both, old = provider(), provider(private_key=OLD_KEY.text, previous_keys="")
    assert both.can_replace(old) and not old.can_replace(both)


# -- settings --


def stored(raw: dict[str, str], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings that are stored when an owner saves `raw`."""
    return dict(WebPushConfig.complete(raw, before or {}))


def test_a_key_is_made_where_none_was_typed_and_a_key_that_was_replaced_still_signs() -> None:
    first = stored({"subject": "mailto:a@b.example"})
    assert stored(first, first)["private_key"] == first["private_key"] and not stored(first, first)["previous_keys"]
    current = WebPush(WebPushConfig.parse(first)).current_key
    for replacement in ("", OLD_KEY.text):
        account = WebPush(WebPushConfig.parse(stored({**first, "private_key": replacement}, first)))
        assert account.current_key.key_id != current.key_id and set(account.keys) > {current.key_id}
    settings = first
    for _ in range(MOST_PREVIOUS + 5):
        settings = stored({**settings, "private_key": ""}, settings)
    assert len(WebPush(WebPushConfig.parse(settings)).keys) == MOST_PREVIOUS + 1


def test_a_token_without_a_key_id_is_of_the_key_that_was_current_when_it_was_registered() -> None:
    registered = Address(Browser().token, "webpush", new_id())
    account = provider(previous_keys=f"{OLDER_KEY.text}@{time.time() + 60:.0f} {OLD_KEY.text}@1000")
    for address, signer in ((registered, OLDER_KEY), (registered._replace(device_id=None), KEY)):
        message = a_message(address.value)
        message = dataclasses.replace(message, envelope=dataclasses.replace(message.envelope, address=address))
        assert claims_of(account.request(message, ""))[0] == signer.public_key


def test_a_pem_key_is_the_same_key() -> None:
    pem = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = provider(private_key=pem)
    assert account.current_key.key_id == KEY.key_id and len(KEY.key_id) == 8
    settings = dataclasses.asdict(account.config)
    rotated = WebPushConfig.parse(stored({**settings, "private_key": ""}, settings))
    assert [previous.key.key_id for previous in rotated.previous] == [KEY.key_id, OLD_KEY.key_id]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "push@example.com"}, "subject"),
        ({"subject": "mailto:push@localhost"}, "subject"),
        ({"subject": "https://localhost"}, "subject"),
        ({"subject": "http://example.com"}, "subject"),
        ({"private_key": "AAAA"}, "private_key"),
        ({"private_key": base64url.encode(bytes(32))}, "private_key"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----"}, "private_key"),
        ({"previous_keys": f"{OLD_KEY.text} nonsense"}, "previous_keys"),
        ({"previous_keys": f"{OLD_KEY.text}@soon"}, "previous_keys"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(settings: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        provider(**settings)
    assert refused.value.field == field


def test_a_contact_may_be_a_page() -> None:
    assert provider(subject="https://example.com/contact").config.subject.endswith("/contact")


def test_no_key_is_in_a_repr() -> None:
    account = provider()
    account.request(a_message(Browser().token), "")
    shown = f"{account!r} {account.config!r} {account.current_key!r} {vars(account.current_key)!r}"
    assert KEY.text not in shown and OLD_KEY.text not in shown


def test_a_push_service_that_cannot_be_reached_says_nothing_about_the_account() -> None:
    for answer in (TransportError(False, "no address", unreachable=True), TransportError(False, "not an https origin")):
        assert provider().verdict(answer) == Temporary(answer.detail, one_address=True)
