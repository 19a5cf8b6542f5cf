"""REDIS_URL, with and without sentinels."""

from __future__ import annotations

import pytest
from celery.app.utils import filter_hidden_settings

from notifier.values.redis_address import SentinelAddress, read_sentinel

URL = "redis+sentinel://:sec%40ret@a:1,b,[::1]:3/main/2?sentinel_password=other"


def test_an_address_names_sentinels_the_master_and_both_logins() -> None:
    assert read_sentinel(URL) == SentinelAddress(
        sentinels=(("a", 1), ("b", 26379), ("::1", 3)),
        master="main",
        database=2,
        login={"password": "sec@ret"},
        sentinel_login={"password": "other"},
    )


@pytest.mark.parametrize("url", ["redis://:secret@host:6379/0", "rediss://host/1", "unix:///run/redis.sock"])
def test_the_address_of_one_server_is_none_of_sentinels(url: str) -> None:
    assert read_sentinel(url) is None


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("redis+sentinel://a:1", "no master"),
        ("redis+sentinel:///main", "no sentinels"),
        ("redis+sentinel://a:1/main?password=x", "unknown options: password"),
        ("redis+sentinel://a:1,/main", "without a host"),
    ],
    ids=["no master", "no sentinels", "an unknown option", "an empty host"],
)
def test_a_wrong_address_says_what_is_wrong(url: str, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        read_sentinel(url)


def test_celery_gets_every_sentinel_and_flower_no_password() -> None:
    address = read_sentinel(URL)
    assert address is not None
    assert (
        address.broker_url
        == "sentinel://:sec%40ret@a:1/2;sentinel://:sec%40ret@b:26379/2;sentinel://:sec%40ret@[::1]:3/2"
    )
    assert address.result_url == "sentinel://:sec%40ret@a:1/2;sentinel://b:26379/2;sentinel://[::1]:3/2"
    shown = str(
        filter_hidden_settings(
            {
                "broker_url": address.broker_url,
                "result_backend": address.result_url,
                "broker_transport_options": address.celery_options,
            }
        )
    )
    assert "sec%40ret" not in shown
    assert "other" not in shown
    assert "sec" not in repr(address)
