"""How long a tenant's data is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from notifier.errors import InvalidInput
from notifier.vocabulary.retention import Bounds, Keep
from tenants.models import Tenant
from tenants.retention.periods import Cutoffs, all_cutoffs, check_days, days_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "days"), [(None, 90), (1, 1), (400, 400), (9_999, 730)], ids=["usual", "least", "longer", "lowered"]
)
def test_a_choice_holds_within_the_maximum(chosen: int | None, days: int) -> None:
    assert Bounds(90, 730).days(chosen) == days


def test_counts_are_kept_as_long_as_messages() -> None:
    tenant = Tenant(keep_messages_days=700, keep_counts_days=10)
    assert days_of(tenant, Keep.COUNTS) == 700


@pytest.mark.parametrize("days", [0, -1, 731, True, 1.5, "7"], ids=repr)
def test_a_choice_out_of_bounds_is_refused(days: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_days(Keep.MESSAGES, days)
    assert refused.value.field == "keep_messages_days"
    assert "1 to 730 days" in refused.value.message


def cutoffs(days: int, longest: int, *, exact: bool) -> Cutoffs:
    ago = timedelta(days=days)
    return Cutoffs(Tenant().pk, "acme", NOW - ago, NOW - timedelta(400), NOW - timedelta(longest), exact)


def test_rows_of_the_longest_choice_wait_for_the_drop_of_their_month() -> None:
    assert cutoffs(90, 90, exact=False).rows == datetime(2026, 8, 1, tzinfo=UTC)


def test_rows_of_a_shorter_choice_go_to_the_day() -> None:
    assert cutoffs(30, 90, exact=False).rows == NOW - timedelta(days=30)


def test_a_few_days_are_kept_to_the_day_whatever_others_keep() -> None:
    assert cutoffs(1, 1, exact=True).rows == NOW - timedelta(days=1)


@pytest.mark.django_db
def test_each_tenant_has_its_own_times(settings: Settings) -> None:
    settings.RETENTION_MESSAGES_DAYS = 20
    Tenant.objects.create(name="a", slug="a")
    Tenant.objects.create(name="b", slug="b", keep_messages_days=100)
    found = {each.slug: each for each in all_cutoffs(NOW)}
    assert found["a"].messages == NOW - timedelta(days=20) and found["a"].exact
    assert found["b"].messages == NOW - timedelta(days=100) and not found["b"].exact
    assert {each.longest for each in found.values()} == {NOW - timedelta(days=100)}
    assert [each.slug for each in all_cutoffs(NOW, "b")] == ["b"]
