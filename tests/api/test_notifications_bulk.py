"""/v1/notifications/bulk."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from notifier.api import shapes
from notifier.api.framework.views import read
from notifier.errors import InvalidInput
from notifier.models import Delivery, Notification
from tests.api.conftest import ApiSite, payload


def test_a_bulk_answers_with_the_outcome_of_each_item_in_order(site: ApiSite) -> None:
    items = [
        payload(),
        payload(recipient="nobody"),
        7,
        payload(send_at="soon"),
        payload(),
    ]
    got = site.acme("POST", "/v1/notifications/bulk", {"items": items})
    assert got.status == 207
    assert (got.body["accepted"], got.body["refused"]) == (2, 3)
    assert [i["status"] for i in got.body["items"]] == [202, 400, 400, 400, 202]
    assert [i.get("problem", {}).get("field") for i in got.body["items"]] == [None, "recipient", None, "send_at", None]
    assert Notification.objects.count() == 2


def test_an_item_with_an_empty_list_of_channels_is_refused(site: ApiSite) -> None:
    """Such an item was once sent on every channel."""
    got = site.acme(
        "POST",
        "/v1/notifications/bulk",
        {"items": [payload(channels=[]), payload(channels=["push"])]},
    )
    assert [(i["status"], i.get("problem", {}).get("code")) for i in got.body["items"]] == [(400, "empty"), (202, None)]
    assert [d.channel for d in Delivery.objects.all()] == ["push"]


def test_a_bulk_without_a_bad_item_is_answered_with_202(site: ApiSite) -> None:
    assert site.acme("POST", "/v1/notifications/bulk", {"items": [payload(), payload()]}).status == 202


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": {}}, {"items": [{}] * 1001}, [], {"items": None}])
def test_a_bulk_that_is_not_a_list_of_1_to_1000_is_refused(site: ApiSite, body: Any) -> None:
    got = site.acme("POST", "/v1/notifications/bulk", body)
    assert (got.status, got.body["field"]) == (400, "items")


@pytest.mark.parametrize(
    "item",
    [
        {"recipient": "ana", "template": "t"},
        {"recipient": "ana", "template": "t", "category": "c", "data": {"a": [1, {"b": None}]}},
        {"recipient": "ana", "template": "t", "data": {}},
    ],
)
def test_an_item_with_the_usual_fields_is_read_as_its_serializer_reads_it(item: dict[str, Any]) -> None:
    assert shapes.validated_quickly(item) == read(shapes.NotificationInput, item)


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"recipient": "ana"},
        {"recipient": "", "template": "t"},
        {"recipient": 7, "template": "t"},
        {"recipient": "a" * 129, "template": "t"},
        {"recipient": "ana", "template": "t", "category": None},
        {"recipient": "ana", "template": "t", "category": ""},
        {"recipient": "ana", "template": "t", "data": None},
        {"recipient": "ana", "template": "t", "data": []},
        {"recipient": "ana", "template": "t", "data": {"a": "b" * 65_536}},
        {"recipient": "ana", "template": "t", "chanels": ["push"]},
        {"recipient": "ana", "template": "t", "not_after": "yesterday"},
    ],
)
def test_every_other_item_is_left_to_the_serializer(item: Any) -> None:
    assert shapes.validated_quickly(item) is None
    with pytest.raises((InvalidInput, ValidationError)):
        read(shapes.NotificationInput, item)
