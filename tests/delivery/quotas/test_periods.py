"""When quotas begin and renew, by the tenant's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from notifier.errors import InvalidInput
from notifier.vocabulary.quotas import Period, Quota, begins, read_quotas, renews
from tenants.admin.pages.tenant_limits import lines_of, read_lines

LATE = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "zone", "first_day", "renewal"),
    [
        ("day", "UTC", date(2026, 11, 30), datetime(2026, 12, 1, tzinfo=UTC)),
        ("month", "UTC", date(2026, 11, 1), datetime(2026, 12, 1, tzinfo=UTC)),
        ("day", "Europe/Berlin", date(2026, 12, 1), datetime(2026, 12, 1, 23, tzinfo=UTC)),
        ("month", "Europe/Berlin", date(2026, 12, 1), datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("day", "America/New_York", date(2026, 11, 30), datetime(2026, 12, 1, 5, tzinfo=UTC)),
        ("month", "", date(2026, 11, 1), datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_periods_are_those_of_the_tenants_clock(period: str, zone: str, first_day: date, renewal: datetime) -> None:
    assert begins(Period(period), LATE, zone) == first_day
    assert renews(Period(period), LATE, zone) == renewal


def test_lines_are_stored_and_shown_again() -> None:
    text = "email day 1000\nemail month 20,000\n\n sms  month 5 "
    stored = read_lines(text)
    assert stored == {"email": {"day": 1000, "month": 20000}, "sms": {"month": 5}}
    assert lines_of(stored) == "email day 1000\nemail month 20000\nsms month 5"
    assert read_quotas(stored)[0] == Quota("email", Period.DAY, 1000)
    assert read_lines(" \n") is None and read_quotas(None) == ()


@pytest.mark.parametrize(
    "line", ["fax day 1", "email week 1", "email day", "email day -1", "email day x", "email day 1\nemail day 2"]
)
def test_a_line_that_is_no_quota_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_lines(line)
    assert refused.value.field == "quota_lines"


def test_a_warning_is_due_at_the_rounded_up_share() -> None:
    assert [Quota("email", Period.DAY, most).warns_at(80) for most in (10, 11, 1, 0)] == [8, 9, 1, 0]
