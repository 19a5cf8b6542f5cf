"""What every provider keeps. Runs over the registry: a new provider file is covered without an edit here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from notifier.channels import channels
from notifier.channels.base import Envelope
from notifier.errors import Forged, InvalidInput
from notifier.providers import Provider, provider_class, providers, token_checks
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address, DeviceAddress, Person
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled
from tenants.people.platforms import platforms as registered_platforms

ORIGIN = "https://127.0.0.1:1"
VERDICTS = (Sent, Temporary, Throttled, Permanent, Misconfigured, InDoubt)
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"<html>",
    b'{"error":7}',
    b'{"error":{"details":[1,{"errorCode":[]}]}}',
]
HEADERS: list[dict[str, str]] = [{}, {"retry-after": "soon"}, {"retry-after": "-1"}, {"retry-after": "9" * 400}]

ALL = sorted(name for name in providers() if not provider_class(name).builtin)
#: those that build requests; other providers, such as the inbox, have a send() of their own
BY_REQUEST = [name for name in ALL if provider_class(name).request is not Provider.request]

#: those that speak HTTP; the others are tested against their own protocol
OVER_HTTP = [name for name in BY_REQUEST if provider_class(name).protocol == "http"]


_POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#: tokens of platforms whose providers read them
TOKENS = {"webpush": f"https://fcm.googleapis.com/wp/a:b#{_POINT}.BTBZMqHH6r4Tts7J_aSIgg"}
#: a recipient with an address for every channel
PERSON = Person(
    new_id(), "ann", "Ann", "ann@example.com", "+436601234567", "en", "UTC", "active", {},
    devices=tuple(
        DeviceAddress(new_id(), platform, TOKENS.get(platform, f"{platform}-token"), "")
        for platform in registered_platforms()
    ),
)  # fmt: skip
REPORTING = [name for name in ALL if provider_class(name).reports]
RECEIPTS = "https://notify.example.com/v1/receipts/a-provider/1/s3cret"


def in_sandbox(name: str) -> Provider[Any]:
    kind = provider_class(name)
    return kind(kind.Config.sandbox(ORIGIN), ORIGIN)


def a_message(provider: Provider[Any]) -> Any:
    channel = channels()[provider.channel]
    texts = {"from": "Ann <ann@example.com>", "reply_to": "help@example.com", "badge": "7", "ttl": "60"}
    structured = {"data", *channel.object_parts, *channel.file_parts}
    content = {part: texts.get(part, "text") for part in channel.parts if part not in structured}
    # a channel whose addresses are no column of a recipient is reached by any text
    known = {address.platform: address for address in channel.addresses(PERSON)}
    address = known.get(provider.platform, Address("an-address@example.com", provider.platform))
    envelope = Envelope(new_id(), new_id(), new_id(), address, "collapse-1", expires_in=60, urgent=True)
    return channel.message(envelope, content)


def secrets_of(config: Any) -> list[str]:
    marked = [f.name for f in dataclasses.fields(config) if f.metadata.get("secret")]
    return [str(value) for name in marked if (value := getattr(config, name))]


@pytest.mark.parametrize("name", sorted(providers()))
def test_it_has_a_name_and_a_channel_that_exists(name: str) -> None:
    kind = provider_class(name)
    assert kind.name == name
    assert kind.channel in channels()
    assert kind.rate_per_s is None or kind.rate_per_s > 0


def test_the_token_of_every_platform_may_be_registered() -> None:
    assert {kind.platform for kind in providers().values()} - {""} <= set(registered_platforms())
    assert registered_platforms().index("fcm") < registered_platforms().index("expo")


@pytest.mark.parametrize("name", sorted(name for name, kind in providers().items() if kind.platform))
@pytest.mark.parametrize(
    "text", ["", " ", "short", "with spaces in it", "\0" * 20, "ünïcödé-token", "{}", "[]", "null", "x" * 5_000]
)
def test_what_is_no_token_is_refused_at_its_field(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        provider_class(name).check_token(text)
    assert refused.value.field == "token"


def a_provider(**values: Any) -> type[Provider[Any]]:
    """A new provider class; the registry forgets it at the end of the test."""
    return type("AProvider", (Provider,), {"channel": "push", **values})


def upper(kind: type[Provider[Any]], token: str) -> str:
    return token.upper()


def lower(kind: type[Provider[Any]], token: str) -> str:
    return token.lower()


@pytest.fixture
def registry_as_it_was() -> Iterator[None]:
    names = set(providers())
    yield
    for name in set(Provider._registry) - names:
        del Provider._registry[name]


@pytest.mark.parametrize("own_first", [True, False])
def test_the_provider_with_a_check_of_its_own_checks_the_tokens_of_a_platform(
    own_first: bool, registry_as_it_was: None
) -> None:
    checks: list[dict[str, Any]] = [{"check_token": classmethod(upper)}, {}]
    for n, check in enumerate(checks if own_first else reversed(checks)):
        a_provider(name=f"telex_{n}", platform="telex", **check)
    assert token_checks()["telex"]("token") == "TOKEN"


def test_two_checks_of_one_platforms_tokens_stop_the_process_at_its_start(registry_as_it_was: None) -> None:
    first = a_provider(name="telex", platform="telex", check_token=classmethod(upper))
    type("Second", (first,), {"name": "telex_too"})  # the same check is no second one
    with pytest.raises(TypeError, match="telex_3 and telex check the tokens of telex in two ways"):
        a_provider(name="telex_3", platform="telex", check_token=classmethod(lower))
    assert "telex_3" not in Provider._registry


def test_a_platform_whose_name_no_column_holds_stops_the_process_at_its_start(registry_as_it_was: None) -> None:
    with pytest.raises(TypeError, match="more than 16 characters"):
        a_provider(name="long", platform="p" * 17)


@pytest.mark.parametrize("name", ALL)
def test_its_secrets_are_in_no_repr(name: str) -> None:
    provider = in_sandbox(name)
    for shown in (repr(provider), str(provider), repr(provider.config), str(provider.config), f"{provider.config!r}"):
        assert not any(secret in shown for secret in secrets_of(provider.config))


@pytest.mark.parametrize("name", ALL)
def test_its_settings_are_checked_and_the_error_names_the_field_and_shows_no_value(name: str) -> None:
    kind = provider_class(name)
    required = [
        f for f in dataclasses.fields(kind.Config) if f.metadata.get("secret") and f.default is dataclasses.MISSING
    ]
    with pytest.raises(InvalidInput) as unknown:
        kind.Config.parse({"no_such_setting": "s3cret-value"})
    assert unknown.value.field == "no_such_setting"
    for f in required:
        good = dataclasses.asdict(kind.Config.sandbox(ORIGIN))
        with pytest.raises(InvalidInput) as missing:
            kind.Config.parse({**good, f.name: ""})
        assert missing.value.field == f.name
        for bad in ("s3cret-value", '{"private_key":"s3cret-value"}', '["s3cret-value"]'):
            try:
                kind.Config.parse({**good, f.name: bad})
            except InvalidInput as error:
                assert "s3cret-value" not in f"{error} {error.__cause__}"


@pytest.mark.parametrize("name", ALL)
def test_its_sandbox_settings_pass_its_own_check(name: str) -> None:
    config = provider_class(name).Config.sandbox(ORIGIN)
    assert provider_class(name).Config.parse(dataclasses.asdict(config)) == config


@pytest.mark.parametrize("name", OVER_HTTP)
def test_its_request_goes_to_its_own_origin_over_https(name: str) -> None:
    provider = in_sandbox(name)
    request = provider.request(a_message(provider), "token-1")
    assert request.url.startswith(provider.base + "/")
    assert urlsplit(request.url).scheme == "https"
    assert all(header == header.lower() for header, _ in request.headers)
    assert request.timeout > 0


@pytest.mark.parametrize("name", OVER_HTTP)
def test_its_default_origin_is_https(name: str) -> None:
    assert urlsplit(provider_class(name).origin).scheme == "https"


@pytest.mark.parametrize("name", BY_REQUEST)
def test_its_token_is_fetched_over_https_and_kept_for_one_account_with_one_credential(name: str) -> None:
    provider, same, other = in_sandbox(name), in_sandbox(name), in_sandbox(name)
    token_request = provider.required_token()
    if token_request is None:
        return
    assert token_request.request.url.startswith("https://")
    other.account = "another"
    assert len({token_request.cache_key, same.token_key, other.token_key}) == 2
    for field in (f for f in dataclasses.fields(provider.config) if f.metadata.get("secret")):
        changed = in_sandbox(name)
        changed.config = dataclasses.replace(changed.config, **{field.name: "another"})
        assert changed.token_key != token_request.cache_key
    for secret in secrets_of(provider.config):
        assert secret not in token_request.cache_key


def test_no_provider_chooses_the_key_of_its_token() -> None:
    for kind in providers().values():
        assert kind.token_key is Provider.token_key
        assert kind.required_token is Provider.required_token


#: answers of a proxy in front of a provider, or of another server
NOT_ITS_OWN = [
    *BODIES,
    b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
    b"404 page not found",
    b'{"message":"no Route matched with those values"}',
    b'{"error":"not_found","reason":"missing"}',
    b'{"code":404,"status":"NOT_FOUND","message":"Not found."}',
    b'{"error":{"code":404,"status":"NOT_FOUND","message":"Requested entity was not found."}}',
    b'{"errors":[{"status":410,"title":"Gone","detail":"this address is dead: the registration token is not valid"}]}',
]


@pytest.mark.parametrize("name", BY_REQUEST)
def test_no_status_by_itself_makes_an_address_dead(name: str) -> None:
    """Only the provider's own word for this address may: a wrong project, a proxy's page or an outage would otherwise
    make a tenant's recipients unreachable for ever."""
    provider = in_sandbox(name)
    for status in range(300, 600):
        for body in NOT_ITS_OWN:
            verdict = provider.verdict_of(Response(status, {}, body))
            assert not (isinstance(verdict, Permanent) and verdict.address_is_dead), (status, body)
        if 400 <= status < 500:
            page = provider.verdict_of(Response(status, {}, NOT_ITS_OWN[len(BODIES)]))
            assert isinstance(page, Temporary | Throttled | Misconfigured), f"{status}: the message is not at fault"


@pytest.mark.parametrize("name", BY_REQUEST)
@pytest.mark.parametrize(
    "status", [200, 201, 204, 301, 400, 401, 403, 404, 408, 410, 413, 429, 500, 502, 503, 504, 599]
)
def test_every_answer_gets_a_verdict(name: str, status: int) -> None:
    provider = in_sandbox(name)
    for body in BODIES:
        for headers in HEADERS:
            verdict = provider.verdict_of(Response(status, headers, body))
            assert isinstance(verdict, VERDICTS)
            assert isinstance(verdict, Sent) == (200 <= status < 300)
            if isinstance(verdict, Throttled) and verdict.after is not None:
                assert 1 <= verdict.after <= 3600


@pytest.mark.parametrize("name", ALL)
def test_a_provider_that_reports_reads_its_reports_and_another_one_accepts_none(name: str) -> None:
    kind = provider_class(name)
    if kind.reports:
        assert kind.receipts is not Provider.receipts and kind.verify is not Provider.verify
    else:
        with pytest.raises(Forged):
            in_sandbox(name).verify(ReceiptRequest("POST", RECEIPTS, {}, b"{}"))


@pytest.mark.parametrize("name", REPORTING)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD"])
def test_a_call_that_the_provider_did_not_make_is_forged_or_unreadable_and_nothing_else(name: str, method: str) -> None:
    """A body of no known shape must not end the web process or the worker that reads it."""
    provider = in_sandbox(name)
    provider.receipts_url = RECEIPTS
    for body in [*BODIES, b"a=b&MessageStatus=delivered", b"[1]", b'[{"event":1}]', b'{"Type":[]}']:
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            call = ReceiptRequest(method, f"{RECEIPTS}?delivery=7", {"content-type": kind}, body)
            try:
                provider.verify(call)
                content_type, answer = provider.receipt_answer(call)
                assert content_type and isinstance(answer, bytes)
                assert all(isinstance(event, ReceiptEvent) for event in provider.receipts(call, InMemoryClient()))
            except (Forged, ValueError) as error:
                assert "s3cret" not in str(error)
