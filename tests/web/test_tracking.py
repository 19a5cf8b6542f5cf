"""The addresses of tracked links and pixels: where they lead, what they store, and what a stranger can do with them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from structlog.testing import capture_logs

from notifier.delivery.content.tracking.tracked_link import TrackedLink, keys_of, token_of
from notifier.delivery.engagement.hits import Hit, unpack
from notifier.models import EngagementBatch
from tests.fixtures import People, as_web_role

URL = "https://shop.example/p?a=1&b=ü#top"
DELIVERY = uuid.uuid4().hex
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def token(people: People, url: str = URL, campaign_id: uuid.UUID | None = None) -> str:
    return token_of(TrackedLink(people.acme.pk, url, campaign_id), keys_of(people.acme.pk)[0])


class Browser(Client):
    """Its requests run under the web role."""

    def request(self, **environ: Any) -> Any:
        with as_web_role():
            return super().request(**environ)


@pytest.fixture
def browser() -> Browser:
    return Browser(headers={"user-agent": BROWSER})


def stored() -> list[tuple[uuid.UUID, str, Hit]]:
    rows = EngagementBatch.objects.order_by("id")
    return [(row.tenant_id, row.channel, hit._replace(at=0)) for row in rows for hit in unpack(row.events)]


@pytest.mark.django_db
def test_a_click_leads_to_the_link_and_is_stored(people: People, browser: Browser) -> None:
    answer = browser.get(f"/c/{token(people)}/{DELIVERY}")
    assert (answer.status_code, answer["Location"]) == (302, "https://shop.example/p?a=1&b=%C3%BC#top")
    assert stored() == [(people.acme.pk, "email", Hit("clicked", 0, False, DELIVERY, "", URL))]


@pytest.mark.django_db
def test_an_opening_gets_a_pixel_and_is_stored(people: People, browser: Browser) -> None:
    answer = browser.get(f"/o/{token(people, '')}/{DELIVERY}")
    assert (answer.status_code, answer["Content-Type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
    assert stored() == [(people.acme.pk, "email", Hit("opened", 0, False, DELIVERY, "", ""))]


@pytest.mark.django_db
def test_answers_are_small_uncached_and_set_no_cookie(people: People, browser: Browser) -> None:
    for path in (f"/o/{token(people, '')}/{DELIVERY}", f"/c/{token(people)}/{DELIVERY}", "/c/nothing"):
        answer = browser.get(path)
        assert "no-store" in answer["Cache-Control"] and not answer.cookies
        assert len(answer.content) + len(answer.serialize_headers()) < 1_024


@pytest.mark.django_db
def test_only_the_campaign_is_stored_where_no_person_may_be(people: People, browser: Browser) -> None:
    campaign_id = uuid.uuid4()
    assert browser.get(f"/c/{token(people, URL, campaign_id)}").status_code == 302
    assert browser.get(f"/o/{token(people, '', campaign_id)}/{DELIVERY}").status_code == 200
    assert [hit for _, _, hit in stored()] == [
        Hit("clicked", 0, False, "", campaign_id.hex, ""),
        Hit("opened", 0, False, "", campaign_id.hex, ""),
    ]


@pytest.mark.django_db
def test_a_token_that_this_site_did_not_sign_leads_nowhere(people: People, browser: Browser) -> None:
    good = token(people)
    for broken in ("x", "ü", "%00", "A" * 80, good[:-4], f"{good}AAAA", "https:%2F%2Fevil.example"):
        for path in (f"/c/{broken}", f"/c/{broken}/{DELIVERY}", f"/o/{broken}/{DELIVERY}"):
            answer = browser.get(path)
            assert answer.status_code == 404 and "Location" not in answer
    # a link's token is no pixel, and a pixel's token leads nowhere
    assert browser.get(f"/o/{good}/{DELIVERY}").status_code == browser.get(f"/c/{token(people, '')}").status_code == 404
    assert stored() == []


@pytest.mark.django_db
@pytest.mark.parametrize("delivery", ["", "/x", "/ü", "/" + "0" * 31, "/" + "0" * 400, f"/{uuid.UUID(int=7)}"])
def test_a_mangled_delivery_id_leads_on_and_stores_nothing(people: People, browser: Browser, delivery: str) -> None:
    assert browser.get(f"/c/{token(people)}{delivery}").status_code == 302
    assert stored() == []


@pytest.mark.django_db
def test_other_methods_change_nothing(people: People, browser: Browser) -> None:
    path = f"/c/{token(people)}/{DELIVERY}"
    assert [call(path).status_code for call in (browser.post, browser.put, browser.delete)] == [405] * 3
    assert stored() == []
    assert browser.head(path).status_code == 302
    assert [hit.machine for _, _, hit in stored()] == [True]


@pytest.mark.django_db
def test_the_log_has_no_link(people: People, browser: Browser) -> None:
    with capture_logs() as lines:
        browser.get(f"/c/{token(people)}/{DELIVERY}")
    assert [line["path"] for line in lines if line.get("action") == "request"] == ["/c/…"]
