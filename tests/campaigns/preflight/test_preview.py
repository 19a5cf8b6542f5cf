"""What the preview of a campaign shows of each channel's parts."""

from __future__ import annotations

import pytest

from campaigns.preflight.preview import Sample

PUSH = {"title": "Hi", "body": "It is there.", "link": "/orders/7", "image": "", "data": {"k": "v"}}

DATA = {"data": {"sync": "orders"}, "apns": {"content_available": "true"}}


@pytest.mark.parametrize(
    ("sample", "headline", "texts", "notes"),
    [
        (Sample("push", PUSH), "Hi", ["It is there."], ["link: /orders/7", "data.k: v"]),
        (Sample("push", DATA), "", [], ["data.sync: orders", "apns.content_available: true"]),
        (Sample("push", {"body": "It is there.", "badge": "unread"}), "", ["It is there."], ["badge: unread"]),
        (Sample("in_app", {"title": "Hi", "body": "It is there."}), "Hi", ["It is there."], []),
        (Sample("push", refused="quiet hours"), "", [], []),
    ],
)
def test_the_parts_that_are_shown_come_first(sample: Sample, headline: str, texts: list[str], notes: list[str]) -> None:
    assert (sample.headline, sample.texts, sample.notes) == (headline, texts, notes)


def test_a_data_message_is_called_silent() -> None:
    assert Sample("push", DATA).silent
    assert not Sample("push", PUSH).silent
    assert not Sample("sms", {"text": ""}).silent
