"""Places in windows are exact, whatever takes them side by side."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.caps import loading, places
from notifier.delivery.caps.sharing import PlaceKey, PlaceRequest, share
from notifier.delivery.planning.cap_rules import Cap, CapWindow, Window, windows_at
from notifier.models import CapCount, FrequencyCap
from tests.campaigns.workers import in_parallel
from tests.delivery.build import Shop, a_shop

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = Window(NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=1))


def a_cap(most: int) -> Cap:
    return Cap(uuid.uuid4(), "", "", most, "day", NOW)


@given(
    most=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    asked=st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 2), min_size=1)), max_size=12),
)
def test_a_request_gets_all_of_its_places_or_none(most: list[int], asked: list[tuple[int, set[int]]]) -> None:
    caps, person = [a_cap(n) for n in most], uuid.uuid4()
    requests = [
        PlaceRequest(uuid.UUID(int=holder), person, tuple(CapWindow(caps[n % len(caps)], DAY) for n in sorted(which)))
        for holder, which in asked
    ]
    holders: dict[PlaceKey, list[uuid.UUID]] = {PlaceKey(cap.id, person, DAY.start): [] for cap in caps}
    shares = share(holders, requests)
    for request, full in zip(requests, shares.full, strict=True):
        held = [request.holder in holders[key] for key, _ in request.places()]
        assert all(held) if not full else not all(held)
        assert all(len(holders[key]) == w.cap.most for w in full for key in [PlaceKey(w.cap.id, person, DAY.start)])
    for cap in caps:
        ids = holders[PlaceKey(cap.id, person, DAY.start)]
        assert len(ids) == len(set(ids)) <= cap.most


@pytest.mark.django_db(transaction=True)
def test_of_many_that_ask_at_once_exactly_as_many_as_the_cap_allows_get_a_place() -> None:
    shop = a_shop("marketing")
    FrequencyCap.objects.create(tenant=shop.tenant, most=7, period="day")
    FrequencyCap.objects.create(tenant=shop.tenant, most=5, period="week", channel="push")
    caps = loading.load_caps(shop.tenant.id)
    people = [uuid.uuid4() for _ in range(3)]

    def ask() -> list[bool]:
        granted = []
        for _ in range(6):
            holder = uuid.uuid4()
            requests = [PlaceRequest(holder, person, windows_at(caps, "UTC", NOW)) for person in people]
            granted += [not full for full in places.take(shop.tenant.id, requests)]
        return granted

    answers = [granted for answer in in_parallel(*[ask] * 8) for granted in answer]
    assert sum(answers) == 5 * len(people)
    assert {len(row.holders) for row in CapCount.objects.all()} == {5}


@pytest.mark.django_db(transaction=True)
def test_campaigns_and_notifications_share_the_places_of_a_window() -> None:
    shop = a_shop("marketing")
    FrequencyCap.objects.create(tenant=shop.tenant, most=4, period="day")
    (cap,) = loading.load_caps(shop.tenant.id)
    people = [uuid.uuid4() for _ in range(20)]

    def campaign() -> int:
        windows = {DAY.start: [person.hex for person in people]}
        return len(people) - len(places.take_for_campaign(shop.tenant.id, uuid.uuid4(), cap, windows))

    def notification() -> int:
        windows, holder = windows_at([cap], "UTC", NOW), uuid.uuid4()
        requests = [PlaceRequest(holder, person, windows) for person in reversed(people)]
        return sum(not full for full in places.take(shop.tenant.id, requests))

    assert sum(in_parallel(*[campaign, notification] * 4)) == 4 * len(people)
    assert {len(row.holders) for row in CapCount.objects.all()} == {4}


@pytest.fixture
def capped(market: Shop) -> Cap:
    FrequencyCap.objects.create(tenant=market.tenant, most=1, period="day")
    (cap,) = loading.load_caps(market.tenant.id)
    return cap


@pytest.mark.django_db
def test_a_holder_takes_one_place_however_often_it_asks(market: Shop, capped: Cap) -> None:
    holder, person = uuid.uuid4(), uuid.uuid4()
    request = PlaceRequest(holder, person, windows_at([capped], "UTC", NOW))
    assert places.without_place(market.tenant.id, [request]) == [0]
    assert places.take(market.tenant.id, [request, request]) == places.take(market.tenant.id, [request]) * 2 == [(), ()]
    assert places.without_place(market.tenant.id, [request]) == []
    windows = {DAY.start: [person.hex]}
    assert places.take_for_campaign(market.tenant.id, holder, capped, windows) == set()
    assert places.take_for_campaign(market.tenant.id, uuid.uuid4(), capped, windows) == {person.hex}


@pytest.mark.django_db
def test_rows_of_old_windows_are_deleted_in_batches(market: Shop, capped: Cap) -> None:
    for days in range(20):
        request = PlaceRequest(uuid.uuid4(), uuid.uuid4(), windows_at([capped], "UTC", NOW - timedelta(days=days)))
        places.take(market.tenant.id, [request])
    assert places.forget_old(NOW, batch=3) == 11
    assert CapCount.objects.count() == 9 and places.forget_old(NOW) == 0
