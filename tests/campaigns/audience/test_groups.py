"""Groups of conditions, and conditions on country, channels, lists, choices and the device that was seen last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.audience import segments
from campaigns.audience.segments.conditions import leaves
from campaigns.models import Audience, AudienceMember
from notifier.errors import InvalidInput
from notifier.values import countries
from tenants.models import Device, Preference, Recipient, Tenant
from tests.campaigns.audience.test_audience import recipients_of
from tests.fixtures import People

NOW = datetime.now(UTC)
PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"email": "ada@example.com", "phone": "+436601234567", "locale": "en-GB", "attributes": {"plan": "pro"}},
    "bob": {"phone": "+12045550100", "locale": "en-US", "attributes": {"plan": "free", "chat_id": 42}},
    "cy": {"phone": "+12125550100", "attributes": {"points": 7}},
    "dee": {"email": "dee@example.com", "locale": "zh-Hant-TW"},
    "eve": {"phone": "+80012345678", "locale": "de-AT"},
}
LAST_SEEN = {"ada": 1, "bob": 40, "dee": 400}
CHOICES: dict[str, dict[str, Any]] = {
    "ada": {"categories_on": ["news"], "categories_off": ["promo:sms"]},
    "bob": {"categories_on": ["news:email"], "categories_off": ["promo"]},
    "cy": {"categories_on": ["news"], "everything_off": True},
}


@pytest.fixture
def acme(people: People) -> Tenant:
    for tenant in (people.acme, people.globex):
        for external_id, columns in PEOPLE.items():
            recipient = Recipient.objects.create(tenant=tenant, external_id=external_id, **columns)
            if external_id in LAST_SEEN:
                device = Device.objects.create(tenant=tenant, recipient=recipient, token=f"token-{external_id}")
                seen = NOW - timedelta(days=LAST_SEEN[external_id])
                Device.objects.filter(pk=device.pk).update(last_seen_at=seen)
            if external_id in CHOICES:
                Preference.objects.create(tenant=tenant, recipient=recipient, **CHOICES[external_id])
    dead = Recipient.objects.get(tenant=people.acme, external_id="eve")
    Device.objects.create(tenant=people.acme, recipient=dead, token="dead-token", dead_since=NOW)
    return people.acme


def is_(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def found(tenant: Tenant, *entries: Any) -> set[str]:
    return recipients_of(Audience(tenant=tenant, name="x", source=Audience.Source.SEGMENT, filter=list(entries)))


ALL = set(PEOPLE)
PRO, FREE = is_("attributes.plan", "eq", "pro"), is_("attributes.plan", "eq", "free")
MANY_POINTS, HAS_MAIL = is_("attributes.points", "gt", 5), is_("email", "exists", True)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"any": [PRO, FREE]}, {"ada", "bob"}),
        ({"all": [PRO, HAS_MAIL]}, {"ada"}),
        ({"none": [PRO, FREE]}, {"cy", "dee", "eve"}),
        ({"none": [MANY_POINTS]}, ALL - {"cy"}),  # recipients without the attribute are no exception
        ({"none": [is_("attributes.points", "contains", "7")]}, ALL - {"cy"}),
        ({"any": [{"all": [PRO, HAS_MAIL]}, {"all": [MANY_POINTS, {"none": [HAS_MAIL]}]}]}, {"ada", "cy"}),
        ({"none": [{"all": [PRO, HAS_MAIL]}, {"any": [FREE, MANY_POINTS]}]}, {"dee", "eve"}),
    ],
)
def test_a_group_finds_exactly_its_recipients(acme: Tenant, entry: Any, expected: set[str]) -> None:
    assert found(acme, entry) == expected
    assert found(acme, HAS_MAIL, entry) == expected & {"ada", "dee"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (is_("country", "eq", "AT"), {"ada", "eve"}),  # the phone number counts before the locale
        (is_("country", "eq", "at"), {"ada", "eve"}),
        (is_("country", "eq", "GB"), set()),
        (is_("country", "eq", "US"), {"cy"}),
        (is_("country", "in", ["US", "CA"]), {"bob", "cy"}),
        (is_("country", "eq", "TW"), {"dee"}),
        (is_("country", "ne", "AT"), ALL - {"ada", "eve"}),
        (is_("country", "not_in", ["AT", "TW"]), {"bob", "cy"}),
        (is_("channel", "eq", "push"), {"ada", "bob", "dee"}),
        (is_("channel", "ne", "push"), {"cy", "eve"}),
        (is_("channel", "eq", "email"), {"ada", "dee"}),
        (is_("channel", "eq", "sms"), ALL - {"dee"}),
        (is_("channel", "eq", "chat"), {"bob"}),
        (is_("channel", "ne", "chat"), ALL - {"bob"}),
        (is_("channel", "eq", "in_app"), ALL),
        (is_("channel", "in", ["email", "chat"]), {"ada", "bob", "dee"}),
        (is_("channel", "not_in", ["email", "push"]), {"cy", "eve"}),
        (is_("opted_in", "eq", "news"), {"ada"}),
        (is_("opted_in", "eq", "news:email"), {"ada", "bob"}),
        (is_("opted_in", "ne", "news"), ALL - {"ada"}),
        (is_("opted_out", "eq", "promo"), {"bob", "cy"}),
        (is_("opted_out", "eq", "promo:sms"), {"ada", "bob", "cy"}),
        (is_("opted_out", "not_in", ["promo", "promo:sms"]), {"dee", "eve"}),
        (is_("device.last_seen_at", "gte", (NOW - timedelta(days=30)).isoformat()), {"ada"}),
        (is_("device.last_seen_at", "lt", (NOW - timedelta(days=30)).isoformat()), {"bob", "dee"}),
        (is_("device.last_seen_at", "lte", "2001-01-01"), set()),
        (is_("device.last_seen_at", "within_days", 50), {"ada", "bob"}),
    ],
)
def test_a_condition_on_membership_finds_exactly_its_recipients(
    acme: Tenant, condition: Any, expected: set[str]
) -> None:
    assert found(acme, condition) == expected


def test_a_list_is_a_condition_and_another_tenants_list_finds_nobody(acme: Tenant, people: People) -> None:
    own, foreign = (Audience.objects.create(tenant=t, name="L", source="list") for t in (acme, people.globex))
    for audience in (own, foreign):
        for external_id in ("ada", "bob", "nobody"):
            AudienceMember.objects.create(tenant=audience.tenant, audience=audience, external_id=external_id)
    assert found(acme, is_("list", "eq", str(own.pk))) == {"ada", "bob"}
    assert found(acme, is_("list", "not_in", [str(own.pk)])) == {"cy", "dee", "eve"}
    assert found(acme, is_("list", "eq", str(foreign.pk))) == set()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([{"any": []}], "filter.0.any"),
        ([{"none": {}}], "filter.0.none"),
        ([{"any": [PRO], "all": [PRO]}], "filter.0"),
        ([{"any": [PRO, {"all": [FREE, {"field": "email", "op": "like"}]}]}], "filter.0.any.1.all.1.op"),
        ([{"any": [{"any": [{"any": [{"any": [PRO]}]}]}]}], "filter.0.any.0.any.0.any.0"),
        ([{"any": [{"all": [PRO] * 16}, {"all": [PRO] * 15}]}], "filter"),
        ([is_("country", "eq", "Austria")], "filter.0.value"),
        ([is_("country", "prefix", "A")], "filter.0.op"),
        ([is_("channel", "eq", "fax")], "filter.0.value"),
        ([is_("channel", "in", ["push", "fax"])], "filter.0.value.1"),
        ([is_("list", "eq", "my list")], "filter.0.value"),
        ([is_("opted_in", "eq", ":push")], "filter.0.value"),
        ([is_("opted_in", "eq", "news:fax")], "filter.0.value"),
        ([is_("device.last_seen_at", "gt", "yesterday")], "filter.0.value"),
    ],
)
def test_a_wrong_group_names_the_condition_and_the_part(raw: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        segments.check_filter(raw)
    assert refused.value.field == field


def test_a_deeply_nested_document_is_refused_and_not_walked() -> None:
    raw: Any = PRO
    for _ in range(900):
        raw = {"any": [raw]}
    with pytest.raises(InvalidInput, match="levels"):
        segments.check_filter([raw])


def test_the_leaves_of_a_filter_are_its_conditions() -> None:
    checked = segments.check_filter([PRO, {"any": [FREE, {"none": [MANY_POINTS, HAS_MAIL]}]}])
    assert [leaf.field for leaf in leaves(checked)] == [
        "attributes.plan",
        "attributes.plan",
        "attributes.points",
        "email",
    ]


def test_countries_in_sql_agree_with_the_countries_of_send_windows(people: People) -> None:
    """Each country with the shortest number of each of its prefixes."""
    phones = {f"+{prefix}" for prefixes in countries.prefixes_by_country().values() for prefix in prefixes}
    Recipient.objects.bulk_create(
        Recipient(tenant=people.acme, external_id=phone, phone=phone) for phone in sorted(phones)
    )
    for country in ("US", "CA", "GB", "JE", "RU", "KZ", "FI", "AX", "AT", "YT"):
        expected = {phone for phone in phones if countries.country_of_phone(phone) == country}
        assert found(people.acme, is_("country", "eq", country)) == expected
