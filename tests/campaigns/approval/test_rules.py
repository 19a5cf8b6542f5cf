"""Which campaigns need an approval: a table."""

from __future__ import annotations

import pytest

from campaigns.approval.content import changed_parts
from campaigns.approval.rules import Rule, needs_approval


@pytest.mark.parametrize(
    ("approval", "people", "needed"),
    [
        ("never", 5_000_000, False),
        ("never", None, False),
        ("always", 0, True),
        ("always", None, True),
        ("above", 1_000, False),
        ("above", 1_001, True),
        ("above", None, True),  # a topic, or not armed yet
    ],
)
def test_a_campaign_needs_an_approval_as_the_tenant_says(approval: str, people: int | None, needed: bool) -> None:
    assert needs_approval(Rule(approval, above=1_000), people) is needed


def test_what_changed_is_named_by_part() -> None:
    before = {"data": "a", "settings": "b"}
    assert changed_parts(before, before) == []
    assert changed_parts(before, {"data": "x", "settings": "b", "variants": "c"}) == ["data", "variants"]
