"""What the preview of a campaign shows of each channel's parts."""

from __future__ import annotations

import pytest

from campaigns.preflight.preview import Sample

PUSH = {"title": "Hi", "body": "It is there.", "link": "/orders/7", "image": "", "data": {"k": "v"}}


@pytest.mark.parametrize(
    ("sample", "headline", "texts", "notes"),
    [
        (Sample("push", PUSH), "Hi", ["It is there."], ["/orders/7"]),
        (Sample("in_app", {"title": "Hi", "body": "It is there."}), "Hi", ["It is there."], []),
        (Sample("push", refused="quiet hours"), "", [], []),
    ],
)
def test_the_required_parts_come_first_and_data_is_not_shown(
    sample: Sample, headline: str, texts: list[str], notes: list[str]
) -> None:
    assert (sample.headline, sample.texts, sample.notes) == (headline, texts, notes)
