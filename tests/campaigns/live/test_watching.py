"""The socket of the launch page against a real web process with the role `web`: who may watch, what watchers see, what
many of them cost, and when the socket closes."""

from __future__ import annotations

import threading
import uuid
from contextlib import ExitStack, nullcontext
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing
from campaigns.live import sharing
from campaigns.models import Campaign, Shard
from campaigns.sending import shards
from notifier.delivery.infra import redis
from tenants.models import Member, User
from tests.campaigns.conftest import Site, armed
from tests.inbox.web import Web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(site: Site) -> Campaign:
    """A campaign of which GO was pressed and nothing has left."""
    campaign = armed(site.draft())
    launch.go(campaign.tenant_id, campaign.pk)
    return campaign


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def watch(web: Web, campaign_id: uuid.UUID, session: str, origin: str | None = "", path: str = "") -> ClientConnection:
    uri = f"ws://127.0.0.1:{web.port}/admin/campaigns/campaign/{campaign_id}/live/{path}"
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"} if session else {}
    return connect(uri, additional_headers=headers, origin=web.origin if origin == "" else origin, open_timeout=30)  # type: ignore[arg-type]


def figures(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = orjson.loads(socket.recv(timeout=30))
    assert frame["type"] == "figures"
    return frame


def close_code(socket: ClientConnection) -> int:
    try:
        while True:
            socket.recv(timeout=30)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return closed.rcvd.code


def test_a_viewer_watches_and_sees_what_leaves_within_seconds(web: Web, site: Site, running: Campaign) -> None:
    with watch(web, running.pk, session_of(site.vic)) as socket:
        first = figures(socket)
        assert (first["state"], first["percent"]) == ("running", 0.0)
        for pk in Shard.objects.filter(campaign=running).values_list("pk", flat=True):
            shards.send_shard(pk, "bulk@one")
        frame = figures(socket)
        while frame["percent"] < 100:
            frame = figures(socket)
        assert "<b>4</b><span>sent of 4</span>" in frame["parts"]["facts"]
        # nothing of a recipient, and no word of the engine
        text = orjson.dumps(frame).decode().lower()
        for word in ("ada", "token-of", "shard", "lane", "bulk@one"):
            assert word not in text


def test_a_pause_is_shown_within_seconds(web: Web, site: Site, running: Campaign) -> None:
    with watch(web, running.pk, session_of(site.people.ben)) as socket:
        figures(socket)
        pausing.pause(running.tenant_id, running.pk)
        assert figures(socket)["state"] == "paused"


def test_strangers_get_no_socket(web: Web, site: Site, running: Campaign) -> None:
    session = session_of(site.vic)
    of_globex = User.objects.create_user("gus", "gus@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=site.people.globex, user=of_globex, role=Member.Role.OWNER)
    nobody = User.objects.create_user("nob", "nob@example.com", "a long password", is_staff=False)
    for campaign_id, cookie, origin in (
        (running.pk, "", ""),
        (running.pk, "made-up", ""),
        (running.pk, session, "https://evil.example"),
        (running.pk, session, web.origin.replace("http", "https")),
        (running.pk, session, None),
        (running.pk, session_of(of_globex), ""),
        (running.pk, session_of(nobody), ""),
        (uuid.uuid4(), session, ""),
    ):
        with pytest.raises(InvalidStatus) as refused, watch(web, campaign_id, cookie, origin):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("end", ["session", "role", "user"])
def test_the_socket_closes_when_the_right_to_watch_ends(web: Web, site: Site, running: Campaign, end: str) -> None:
    session = session_of(site.vic)
    with watch(web, running.pk, session) as socket:
        figures(socket)
        if end == "session":
            client = Client()
            client.cookies[settings.SESSION_COOKIE_NAME] = session
            client.logout()
        elif end == "role":
            Member.objects.filter(user=site.vic).delete()
        else:
            User.objects.filter(pk=site.vic.pk).update(is_active=False)
        assert close_code(socket) == 4403


@pytest.mark.parametrize(
    ("frames", "code"),
    [(["nonsense"], 4400), (['{"type":"hello"}'], 4400), (["x" * 20_000], 1009), (['{"type":"ping"}'] * 40, 4429)],
)
def test_a_client_that_sends_what_it_must_not_is_cut_off(
    web: Web, site: Site, running: Campaign, frames: list[str], code: int
) -> None:
    with watch(web, running.pk, session_of(site.vic)) as socket:
        for frame in frames:
            socket.send(frame)
        assert close_code(socket) == code


def test_a_user_has_so_many_sockets_and_no_more(web: Web, site: Site, running: Campaign) -> None:
    session = session_of(site.vic)
    with ExitStack() as opened:
        for _ in range(20):
            figures(opened.enter_context(watch(web, running.pk, session)))
        with watch(web, running.pk, session) as one_more:
            assert close_code(one_more) == 4429


def test_fifty_watchers_cost_one_computation_a_second(site: Site, running: Campaign) -> None:
    sharing.forget()
    redis.client().flushdb()
    with CaptureQueriesContext(connection) as queries:
        shared = sharing.current(running.pk, nullcontext)
    assert shared is not None
    assert len(queries) <= 6
    before = sharing.computed[running.pk]

    def look() -> None:
        assert sharing.current(running.pk, nullcontext) is shared

    with CaptureQueriesContext(connection) as queries:
        watchers = [threading.Thread(target=look) for _ in range(50)]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()
    shared.until = 0.0  # a second later
    again = sharing.current(running.pk, nullcontext)
    assert sharing.computed[running.pk] - before <= 1
    assert again is not None


def test_another_process_shows_the_same_figures(site: Site, running: Campaign) -> None:
    first = sharing.current(running.pk, nullcontext)
    before = sharing.computed[running.pk]
    sharing.forget()  # as a process that has not looked yet
    second = sharing.current(running.pk, nullcontext)
    assert first is not None
    assert second is not None
    assert (second.figures, second.at) == (first.figures, first.at)
    assert sharing.computed[running.pk] == before
