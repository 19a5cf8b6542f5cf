"""Huawei Push Kit: messages, verdicts by Huawei's codes, the access token, "test connection"."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers.hms import Hms, HmsConfig
from notifier.sandbox.push_checks.hms_schema import violation
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.http import Response, TokenRefused
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

TOKEN = "IQAAAACy0PYqAADxCq-0123456789_abcdef"
CONFIG = {"app_id": "104729133", "client_secret": "s3cret-value", "badge_class": "com.shop.Main"}


def hms(**changes: str) -> Hms:
    return Hms(HmsConfig.parse({**CONFIG, **changes}))


def a_push(*, expires_in: int | None = None, rehearsal: bool = False, **parts: Any) -> PushMessage:
    address = Address(TOKEN, "hms", new_id())
    ids = (new_id(), new_id(), new_id())
    envelope = Envelope(*ids, address, "key-1", expires_in=expires_in, rehearsal=rehearsal)
    return PushMessage(envelope, **{"title": "Hi", "body": "You", **parts})


def sent(message: PushMessage, provider: Hms | None = None) -> dict[str, Any]:
    """The message as it leaves, without what every message has."""
    body: dict[str, Any] = json.loads((provider or hms()).request(message, "T").body)
    assert violation(body) == ""
    fields: dict[str, Any] = body["message"]
    assert fields.pop("token") == [TOKEN]
    assert fields["android"].pop("bi_tag") == str(message.envelope.delivery_id)
    data = json.loads(fields.pop("data"))
    assert data.pop("delivery_id") == str(message.envelope.delivery_id)
    return fields | ({"data": data} if data else {})


SHOWN = {"tag": "key-1", "click_action": {"type": 3}}


@pytest.mark.parametrize(
    ("changes", "android", "notification"),
    [
        ({}, {}, {}),
        ({"ttl": 60}, {"ttl": "60s"}, {}),
        ({"ttl": 30 * 86_400}, {"ttl": "1296000s"}, {}),
        ({"expires_in": 0}, {"ttl": "1s"}, {}),
        ({"badge": "7"}, {}, {"badge": {"class": "com.shop.Main", "set_num": 7}}),
        ({"badge": "700"}, {}, {"badge": {"class": "com.shop.Main", "set_num": 99}}),
        (
            {"badge": "7", "android": {"notification_count": "3"}},
            {},
            {"badge": {"class": "com.shop.Main", "set_num": 3}},
        ),
        ({"sound": "default"}, {}, {}),
        ({"sound": "bell"}, {}, {"default_sound": False, "sound": "/raw/bell"}),
        ({"android": {"channel_id": "news", "color": "#ff8800", "tag": "t"}}, {},
         {"channel_id": "news", "color": "#ff8800", "tag": "t"}),
        ({"android": {"notification_priority": "low"}}, {}, {"importance": "LOW"}),
        ({"android": {"notification_priority": "max"}}, {}, {"importance": "NORMAL"}),
        ({"android": {"visibility": "secret"}}, {}, {"visibility": "SECRET"}),
        ({"android": {"collapse_key": "7"}}, {"collapse_key": 7}, {}),
        ({"android": {"collapse_key": "news"}}, {}, {}),
        ({"android": {"click_action": "OPEN"}}, {}, {"click_action": {"type": 1, "action": "OPEN"}}),
    ],
)  # fmt: skip
def test_a_message_has_the_fields_of_huawei(
    changes: dict[str, Any], android: dict[str, Any], notification: dict[str, Any]
) -> None:
    shown = {"notification": {"title": "Hi", "body": "You"}}
    assert sent(a_push(**changes)) == shown | {"android": android | {"notification": SHOWN | notification}}


@pytest.mark.parametrize(
    ("link", "action"),
    [
        ("https://shop.test/1", {"type": 2, "url": "https://shop.test/1"}),
        ("shop://order/1", {"type": 1, "intent": "shop://order/1"}),
    ],
)
def test_a_tap_opens_the_link(link: str, action: dict[str, Any]) -> None:
    fields = sent(a_push(link=link, data={"order": "1"}))
    assert fields["android"]["notification"]["click_action"] == action
    assert fields["data"] == {"order": "1", "link": link}


def test_without_the_app_s_class_there_is_no_badge() -> None:
    assert "badge" not in sent(a_push(badge="7"), hms(badge_class=""))["android"]["notification"]


def test_a_data_message_shows_nothing_and_is_urgent_only_when_the_template_says_so() -> None:
    assert sent(a_push(title="", body="", data={"a": "1"})) == {"android": {}, "data": {"a": "1"}}
    urgent = sent(a_push(title="", body="", data={"a": "1"}, priority="high"))
    assert urgent["android"] == {"urgency": "HIGH"}


@pytest.mark.parametrize("half", [a_push(title=""), a_push(body="")], ids=["title", "body"])
def test_a_message_that_shows_half_makes_no_request(half: PushMessage) -> None:
    with pytest.raises(ValueError, match="a title and a body"):
        hms().request(half, "T")


def test_a_rehearsal_is_only_checked() -> None:
    assert json.loads(hms().request(a_push(rehearsal=True), "T").body)["validate_only"] is True


def test_a_message_above_the_limit_makes_no_request() -> None:
    with pytest.raises(ValueError, match=r"has 4,\d+ bytes; Huawei takes 4,096"):
        hms().request(a_push(body="é" * 2000), "T")


@pytest.mark.parametrize(
    ("token", "good"),
    [
        (TOKEN, True),
        ("0864113036098917300002377300CN01", True),
        ("short", False),
        ("ExponentPushToken[xxxx-xxxx]", False),
        ("cYd1:APA91bxxxxxxxxxxxxxxxx", False),
        ("", False),
    ],
)
def test_a_token_is_checked(token: str, good: bool) -> None:
    if good:
        assert Hms.check_token(token) == token
        return
    with pytest.raises(InvalidInput, match="Huawei") as error:
        Hms.check_token(token)
    assert error.value.field == "token"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"app_id": "my app"}, "app_id"),
        ({"badge_class": "Main"}, "badge_class"),
        ({"client_secret": ""}, "client_secret"),
    ],
)
def test_settings_are_checked(changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        hms(**changes)
    assert error.value.field == field


def test_only_an_account_of_the_same_app_takes_over() -> None:
    assert hms().can_replace(hms(client_secret="another-secret"))
    assert not hms().can_replace(hms(app_id="104729134"))


# ---- verdicts ------------------------------------------------------------------------------------------------------


def answer(code: str, text: str = "text", status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps({"code": code, "msg": text, "requestId": "r-1"}).encode())


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("80000000", Sent("r-1")),
        ("80100001", Permanent("80100001 text")),
        ("80100003", Permanent("80100003 text")),
        ("80100016", Permanent("80100016 text")),
        ("80100017", Throttled(None, "80100017 text")),
        ("80200001", Temporary("80200001 text")),
        ("80200003", Temporary("80200003 text")),
        ("80300002", Misconfigured("80300002 text")),
        ("80300007", Permanent("80300007 text", address_is_dead=True)),
        ("80300008", Permanent("80300008 text")),
        ("80300011", Misconfigured("80300011 text")),
        ("80600003", Temporary("80600003 text")),
        ("81000001", Temporary("81000001 text")),
        ("82000001", Temporary("82000001 text")),
        ("80900001", Permanent("80900001 text")),
    ],
)
def test_huawei_s_code_decides(code: str, verdict: Verdict) -> None:
    assert hms().verdict_of(answer(code)) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (json.dumps({"success": 0, "failure": 1, "illegal_tokens": [TOKEN]}), Permanent("80100000", True)),
        (json.dumps({"success": 1, "failure": 0, "illegal_tokens": []}), Sent("r-1")),
        ("no JSON", Sent("r-1")),
    ],
)
def test_a_partial_success_names_the_token_that_is_dead(text: str, verdict: Verdict) -> None:
    assert hms().verdict_of(answer("80100000", text)) == verdict


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer("80200001", status=401), Temporary),
        (Response(401, {}, b""), Temporary),
        (Response(503, {"retry-after": "5"}, b""), Throttled),
        (answer("81000001", status=503), Throttled),
        (Response(404, {}, b"<html>"), Misconfigured),
        (Response(502, {}, b"<html>"), Temporary),
        (Response(200, {}, b'{"code":80300007,"msg":"a number is no code of Huawei"}'), Sent),
    ],
)
def test_an_answer_without_a_code_is_read_by_its_status(response: Response, kind: type[Verdict]) -> None:
    assert isinstance(hms().verdict_of(response), kind)


# ---- the access token ----------------------------------------------------------------------------------------------


def test_the_access_token_is_fetched_with_the_app_s_credentials() -> None:
    request = hms().token_request()
    assert request.url == "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
    form = {"grant_type": ["client_credentials"], "client_id": ["104729133"], "client_secret": ["s3cret-value"]}
    assert parse_qs(request.body.decode()) == form
    assert dict(hms().request(a_push(), "T").headers)["authorization"] == "Bearer T"


@pytest.mark.parametrize("refusal", [answer("80200003"), answer("80200001", status=401), Response(401, {}, b"")])
def test_a_refused_access_token_is_fetched_anew(refusal: Response) -> None:
    client = InMemoryClient(lambda _: refusal)
    [[(_, verdict)]] = hms().send([a_push()], client)
    assert isinstance(verdict, Temporary) and len(client.forgotten_tokens) == 1


# ---- test connection -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "passed"),
    [
        (answer("80000000"), [True, True]),
        (answer("80300007"), [True, True]),
        (answer("80300002"), [True, False]),
        (answer("80200001", status=401), [True, False]),
        (Response(503, {}, b""), [True, None]),
    ],
)
def test_a_test_asks_for_a_check_and_reaches_no_device(response: Response, passed: list[bool | None]) -> None:
    client = InMemoryClient(lambda _: response)
    checks = list(hms().test(client))
    assert [check.passed for check in checks] == passed
    [request] = client.requests
    assert json.loads(request.body)["validate_only"] is True


def test_a_test_with_wrong_credentials_ends_at_once() -> None:
    client = InMemoryClient()

    def refuse(_: object) -> str:
        raise TokenRefused("invalid client_secret", temporary=False)

    client.tokens = refuse
    [check] = hms().test(client)
    assert check.passed is False and not client.requests
