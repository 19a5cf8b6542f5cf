"""The number of connections that one address, and all addresses together, may hold."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from notifier.web import limits
from tests.inbox.web import Web
from tests.web.conftest import CONNECTIONS, PER_ADDRESS
from tests.web.raw import HOST, Raw, is_alive, new_address, request

pytestmark = pytest.mark.django_db(transaction=True)

HEALTH = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n"


def test_an_address_has_a_limit_of_connections_and_another_address_its_own(web: Web) -> None:
    address = new_address()
    with ExitStack() as stack:
        for _ in range(PER_ADDRESS):
            stack.enter_context(Raw(web, address))
        got = request(web, HEALTH, address)
        assert (got.status, got.body["code"]) == (503, "too_many_connections")
        assert int(got.headers["retry-after"]) > 0
        assert is_alive(web)
    # closed connections no longer count, once the server has noticed
    for _ in range(1000):
        if request(web, HEALTH, address).status == 200:
            return
    pytest.fail("the closed connections still count")


def test_idle_connections_are_closed_and_new_ones_are_answered_meanwhile(web: Web) -> None:
    """There are more connections than allowed: those that have waited longest for a request are closed first."""
    with ExitStack() as stack:
        idle = [stack.enter_context(Raw(web)) for _ in range(CONNECTIONS + 20)]
        assert is_alive(web)
        assert all(client.is_closed() for client in idle)
    assert is_alive(web)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("93.184.216.34", "93.184.216.34"),
        ("::ffff:93.184.216.34", "93.184.216.34"),
        ("2606:4700:1:2:3:4:5:6", "2606:4700:1:2::"),
        ("2606:4700:1:2::9", "2606:4700:1:2::"),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("172.18.0.1", None),
        ("192.168.1.1", None),
        ("testclient", None),
        ("", None),
        (None, None),
    ],
)
def test_the_name_under_which_an_address_is_counted(host: str | None, name: str | None) -> None:
    assert limits.counted_as(host) == name
