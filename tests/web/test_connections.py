"""How many connections one address, and all together, may hold."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from notifier.web import limits
from tests.inbox.web import Web
from tests.web.conftest import CONNECTIONS, PER_ADDRESS
from tests.web.raw import HOST, Raw, alive, ask, new_address

pytestmark = pytest.mark.django_db(transaction=True)

HEALTH = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n"


def test_an_address_has_so_many_connections_and_the_others_their_own(web: Web) -> None:
    address = new_address()
    with ExitStack() as held:
        for _ in range(PER_ADDRESS):
            held.enter_context(Raw(web, address))
        got = ask(web, HEALTH, address)
        assert (got.status, got.body["code"]) == (503, "too_many_connections")
        assert int(got.headers["retry-after"]) > 0
        assert alive(web)
    # what is closed is given back; the server hears of it when it reads
    for _ in range(1000):
        if ask(web, HEALTH, address).status == 200:
            return
    pytest.fail("the address's connections were not given back")


def test_silent_connections_are_let_go_and_newcomers_are_answered_meanwhile(web: Web) -> None:
    """More than there may be: whoever has waited longest for a request makes room."""
    with ExitStack() as held:
        silent = [held.enter_context(Raw(web)) for _ in range(CONNECTIONS + 20)]
        assert alive(web)
        assert all(client.is_closed() for client in silent)
    assert alive(web)


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
def test_what_an_address_is_counted_as(host: str | None, name: str | None) -> None:
    assert limits.counted_as(host) == name
