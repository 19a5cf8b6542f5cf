"""Browsers register over the API; a subscription that may not be stored is refused with the remedy."""

from __future__ import annotations

import json

import pytest

from tenants.models import Device
from tests.api.conftest import ApiSite
from tests.providers.webpush.browser import ENDPOINT, Browser

pytestmark = pytest.mark.django_db
DEVICES = "/v1/recipients/dora/devices"


def test_a_subscription_is_one_device_however_it_is_sent(site: ApiSite) -> None:
    browser = Browser()
    for token, status in ((browser.as_json, 201), (browser.token, 200)):
        got = site.acme("POST", DEVICES, {"platform": "webpush", "token": token})
        assert (got.status, got.body["token"]) == (status, browser.token)
    with_key = json.dumps({**json.loads(browser.as_json), "key_id": "abcdefgh"})
    assert site.acme("POST", DEVICES, {"platform": "webpush", "token": with_key}).body["token"].endswith(".abcdefgh")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (Browser("http://fcm.googleapis.com/wp/x").as_json, "https"),
        (Browser("https://user:secret@fcm.googleapis.com/x").as_json, "user name or a password"),
        (Browser("https://169.254.169.254/latest/meta-data").as_json, "no push service"),
        (Browser("https://localhost/x").token, "no push service"),
        (Browser("https://fcm.googleapis.com:8443/x").token, "port"),
        (Browser(f"{ENDPOINT}{'x' * 900}").as_json, "1,024"),
        (Browser(f"{ENDPOINT}{'x' * 10_000}").as_json, "4096 characters"),
        (f"{ENDPOINT}#AAAA.AAAA", "p256dh"),
        ("token-of-a-phone", "JSON.stringify"),
    ],
    ids=["http", "credentials", "metadata", "loopback", "port", "long", "endless", "keys", "words"],
)
def test_a_hostile_subscription_is_refused_and_nothing_is_stored(site: ApiSite, token: str, says: str) -> None:
    before = Device.objects.count()
    got = site.acme("POST", DEVICES, {"platform": "webpush", "token": token})
    assert (got.status, got.body["field"]) == (400, "token")
    assert says in got.body["detail"] and "secret" not in str(got.body)
    assert Device.objects.count() == before
