"""Which subscriptions become tokens, and what a refusal says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from notifier.errors import InvalidInput
from notifier.providers.webpush import services
from notifier.providers.webpush.subscription import LONGEST, check_token, parse_stored
from tests.providers.webpush.browser import Browser

SANDBOX = "https://127.0.0.1:8443"


@pytest.fixture(autouse=True)
def only_the_browsers_services() -> Iterator[None]:
    before = services.allowed()
    services.allow([], SANDBOX)
    yield
    services.allow(*before)


def test_a_subscription_as_the_browser_made_it_becomes_a_token_and_stays_one() -> None:
    browser = Browser()
    token = check_token(browser.as_json)
    assert token == browser.token == check_token(token) == check_token(f" {token} ")
    stored = parse_stored(token)
    assert (stored.endpoint, stored.secret, stored.key_id) == (browser.endpoint, browser.secret, "")
    assert parse_stored(check_token(f"{token}.abcd-_12")).key_id == "abcd-_12"


def test_one_subscription_has_one_token_however_it_is_written() -> None:
    browser = Browser("https://FCM.googleapis.com:443/fcm/send/a:b")
    padded = {"p256dh": f"{browser.p256dh}=", "auth": f"{browser.auth}==".replace("-", "+").replace("_", "/")}
    one, two = check_token(browser.token), check_token(json.dumps({"endpoint": browser.endpoint, "keys": padded}))
    assert one == two and one.startswith("https://fcm.googleapis.com/fcm/send/a:b#")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/wp/a:b", "https://jmt17.google.com/fcm/send/a", "https://web.push.apple.com/QGb",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA", "https://wns2-par02p.notify.windows.com/w/?token=B%2f",
        f"{SANDBOX}/webpush/s1",
    ],
)  # fmt: skip
def test_an_endpoint_of_a_browsers_service_is_accepted(endpoint: str) -> None:
    assert check_token(Browser(endpoint).as_json).startswith(f"{endpoint}#")


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://fcm.googleapis.com/x", "https"),
        ("fcm.googleapis.com/x", "https"),
        ("https://user:pass@fcm.googleapis.com/x", "user name"),
        ("https://fcm.googleapis.com@evil.example/x", "user name"),
        ("https://fcm.googleapis.com:8443/x", "port"),
        ("https://fcm.googleapis.com:99999/x", "URL"),
        ("https://[::1/x", "URL"),
        ("https://127.0.0.1/x", "no push service"),
        ("https://169.254.169.254/latest", "no push service"),
        ("https://[::1]/x", "no push service"),
        ("https://2130706433/x", "no push service"),
        ("https://localhost/x", "no push service"),
        ("https://127.0.0.1:8444/webpush/s1", "port"),
        ("https://127.0.0.1:8443/v1/projects", "port"),
        ("https://notify.windows.com/x", "no push service"),
        ("https://evilnotify.windows.com/x", "no push service"),
        ("https://fcm.googleapis.com.evil.example/x", "no push service"),
        ("https://fcm.googleapis.com./x", "no push service"),
        ("https://evil.example/fcm.googleapis.com", "no push service"),
        ("https://fcm.googleapis.com\\@evil.example/x", "https"),
        ("https://fcm.googleapis.com/x y", "https"),
        ("https://fcm.googleapis.com/ü", "https"),
        ("https:///x", "https"),
        # APIs at the hosts of push services: their refusals would speak against the account
        ("https://fcm.googleapis.com/v1/projects/shop/messages:send", "path"),
        ("https://fcm.googleapis.com", "path"),
        ("https://android.googleapis.com/wp", "path"),
        ("https://fcm.googleapis.com/wp/../v1/projects/shop/messages:send", "step"),
        ("https://fcm.googleapis.com/wp/%2E./x", "step"),
        (f"{SANDBOX}/webpush/../_webpush/subscriptions", "step"),
        # texts that no host can be called
        ("https://.push.apple.com/x", "no push service"),
        ("https://a..push.apple.com/x", "no push service"),
        ("https://a%2f.push.apple.com/x", "no push service"),
        ("https://a,b;c.push.apple.com/x", "no push service"),
        (f"https://{'a' * 64}.push.apple.com/x", "no push service"),
        ("https://fcm.googleapis.com/wp/" + "x" * 10_000, "characters"),
        ("https://fcm.googleapis.com/wp/" + "x" * 900, "characters"),
    ],
)
def test_a_hostile_endpoint_is_refused_with_the_reason(endpoint: str, says: str) -> None:
    for text in (Browser(endpoint).as_json, Browser(endpoint).token):
        with pytest.raises(InvalidInput, match=says) as refused:
            check_token(text)
        assert refused.value.field == "token"


GOOD = Browser()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "keys"),
        ("{", "JSON"),
        ("{}", "keys"),
        ('{"endpoint":"https://fcm.googleapis.com/x"}', "keys"),
        ('{"endpoint":7,"keys":{"p256dh":7,"auth":[]}}', "texts"),
        (GOOD.endpoint, "keys"),
        (f"{GOOD.endpoint}#{GOOD.p256dh}", "keys"),
        (f"{GOOD.token}.abcdefgh.x", "keys"),
        (f"{GOOD.token}.short", "key id"),
        (f"{GOOD.endpoint}#{GOOD.p256dh[:-4]}.{GOOD.auth}", "p256dh"),
        (f"{GOOD.endpoint}#{'B' + 'A' * 86}.{GOOD.auth}", "p256dh"),
        (f"{GOOD.endpoint}#{GOOD.p256dh}.{GOOD.auth[:-2]}", "auth"),
        (f"{GOOD.endpoint}#{GOOD.p256dh}.{'?' * 22}", "auth"),
        ("x" * 5000, "1,024"),
    ],
    ids=range(14),
)
def test_a_text_that_is_no_subscription_is_refused_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        check_token(text)
    assert refused.value.field == "token"
    assert GOOD.auth not in refused.value.message


def test_the_operator_adds_services() -> None:
    browsers = [Browser("https://push.example.com/a"), Browser("https://eu.push.example.org/a")]
    services.allow(["push.example.com", "*.push.example.org"], SANDBOX)
    assert [check_token(browser.as_json) for browser in browsers] == [browser.token for browser in browsers]
    for host in ("eu.push.example.com", "push.example.org"):
        with pytest.raises(InvalidInput):
            check_token(Browser(f"https://{host}/a").as_json)


@pytest.mark.parametrize(
    "host", ["*", "*.com.", "https://push.example.com", "10.0.0.1", "push.example.com:8443", "a b"]
)
def test_a_name_that_is_no_host_cannot_be_added(host: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        services.allow([host])


def test_the_longest_token_is_accepted() -> None:
    keys = len(Browser("").token)
    start = "https://fcm.googleapis.com/wp/"
    browser = Browser(start + "x" * (LONGEST - keys - len(start)))
    assert len(check_token(browser.as_json)) == LONGEST
