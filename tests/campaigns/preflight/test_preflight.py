"""What is known before GO: pure sentences and sums, and what they are made of."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest

from campaigns import arming
from campaigns.audit import OPERATOR
from campaigns.models import Campaign, Shard
from campaigns.preflight import preflight, spot_check, test_send, workers
from campaigns.preflight.capacity import Pace
from campaigns.preflight.preflight import Ready
from campaigns.preflight.spot_check import SpotCheck
from campaigns.preflight.warnings import Findings, warnings
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput
from notifier.models import ProviderAccount
from notifier.vocabulary.status import Mode
from tenants.models import Device, Preference, Recipient, Tenant
from tests.broker import redis_away
from tests.campaigns.conftest import CONTENT, Site, armed

__all__ = ["redis_away"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
VERSION = uuid.uuid4()
FCM = Ready("push", "main", "fcm", 4_000_000, 10_000.0, by_default=True, per_worker=35_000)


def campaign(**columns: object) -> Campaign:
    """One that nothing is to be said about."""
    tenant = Tenant(name="ACME", sandbox=False)
    calm = {"mode": Mode.LIVE, "armed_at": NOW, "tested_at": NOW, "tested_version_id": VERSION, "version_id": VERSION}
    return Campaign(tenant=tenant, **{**calm, **columns})


READY = [Ready("push", "main", "fcm", 10)]


@pytest.mark.parametrize(
    ("columns", "seen", "expected_text"),
    [
        ({}, Findings(READY), []),
        ({"mode": Mode.TEST}, Findings([]), ["test campaign"]),
        ({"audience_size": 20, "unreached": 10}, Findings(READY), ["10 of 20 people get nothing"]),
        ({"audience_size": 20, "unreached": 9, "excluded": {"no_address": 18}}, Findings(READY), []),
        ({"armed_at": NOW - timedelta(hours=25)}, Findings(READY), ["Recipients who joined since"]),
        ({"not_after": NOW + timedelta(minutes=5)}, Findings(READY, 400.0), ["will expire"]),
        ({"not_after": NOW + timedelta(minutes=7)}, Findings(READY, 400.0), []),
        ({}, Findings([dataclasses.replace(READY[0], enabled=False)]), ["account main is switched off"]),
        ({"tested_at": None}, Findings(READY), ["not tested since its last change"]),
        ({"tested_version_id": uuid.uuid4()}, Findings(READY), ["published anew"]),
        ({}, Findings(READY, workers={"push": 0}), ["No worker listens on push.bulk"]),
        ({}, Findings(READY, workers={"push": 2}), []),
        (
            {},
            Findings(READY, spot=SpotCheck(10, quiet=3)),
            ["3 of the 10 messages would wait now"],
        ),
        ({}, Findings(READY, spot=SpotCheck(2000, exact=False, quiet=240)), ["About 12 % of the messages"]),
        (
            {},
            Findings(READY, spot=SpotCheck(10, devices=10, unseen=2)),
            ["2 of the 10 devices were not seen for 60 d"],
        ),
        ({}, Findings(READY, spot=SpotCheck(10, devices=10, unseen=1)), []),
    ],
)
def test_what_should_be_known_before_go(columns: dict[str, object], seen: Findings, expected_text: list[str]) -> None:
    result = warnings(campaign(**columns), seen, NOW)
    assert len(result) == len(expected_text) and all(
        part in text for part, text in zip(expected_text, result, strict=True)
    )


def test_a_tenant_that_is_not_live_is_warned() -> None:
    ours = campaign()
    ours.tenant.sandbox = True
    assert warnings(ours, Findings(READY), NOW) == [
        "ACME has not gone live: everything goes to the sandbox and nobody is reached."
    ]


@pytest.mark.parametrize(
    ("ready", "takes", "wanted", "expected_text"),
    [
        (
            FCM,
            400.0,
            None,
            "4,000,000 on this FCM project at 600 k/min takes 6 min 40 s; ask Google for more at least 15 days ahead.",
        ),
        # in 5 s it would be 48 M/min, which Google wants to know a month before
        (FCM, 400.0, 5.0, "takes 6 min 40 s; ask Google for more at least 30 days ahead."),
        (FCM, 400.0, 600.0, "takes 6 min 40 s."),
        # the workers are slower than Google
        (FCM, 500.0, None, "takes 6 min 40 s."),
        # four messages are no reason to write to anybody
        (dataclasses.replace(FCM, messages=4), 0.0, None, "4 on this FCM project at 600 k/min takes less than 0.1 s."),
        # a rate that was set for the account can be set anew
        (dataclasses.replace(FCM, by_default=False), 400.0, None, "on the account main at 600 k/min takes 6 min 40 s."),
    ],
)
def test_the_arithmetic_of_a_rate_limit(ready: Ready, takes: float, wanted: float | None, expected_text: str) -> None:
    assert preflight.arithmetic(ready, takes, wanted).endswith(expected_text)


@pytest.mark.parametrize(
    ("messages", "expected_text"),
    [(1, "1 message on web: arming encrypted"), (80_000, "80,000 messages"), (80_000, "took about 10 s of one core.")],
)
def test_what_arming_encrypted_is_said(messages: int, expected_text: str) -> None:
    assert expected_text in preflight.encryption(Ready("push", "web", "webpush", messages, prepared=True))


@pytest.mark.parametrize(
    ("ready", "rate_per_s", "workers", "seconds", "why"),
    [
        ([FCM], None, {"push": 26}, 400.0, "the rate limit of main"),
        ([FCM], 1_000.0, {"push": 26}, 4_000.0, "its own limit of 1,000 a second"),
        ([FCM], None, {"push": 1}, 400.0, "the rate limit of main"),
        ([dataclasses.replace(FCM, rate=None)], None, {"push": 2}, 4_000_000 / 70_000, "2 workers on push at 35,000"),
        # two accounts of one channel share its workers, and each has a limit of its own
        ([FCM, dataclasses.replace(FCM, account="other")], None, {"push": 1}, 400.0, "the rate limit of"),
        ([FCM, dataclasses.replace(FCM, rate=None)], None, {"push": 0}, 400.0, "the rate limit of main"),
    ],
)
def test_the_slowest_decides_how_long_it_takes(
    ready: list[Ready], rate_per_s: float | None, workers: dict[str, int], seconds: float, why: str
) -> None:
    slowest = max(preflight.paces(ready, rate_per_s, workers), key=lambda pace: pace.seconds)
    assert slowest.seconds == pytest.approx(seconds) and why in slowest.why


@pytest.mark.parametrize(
    ("ready", "workers"),
    [
        (dataclasses.replace(FCM, rate=None), None),
        (dataclasses.replace(FCM, rate=None, per_worker=None), {"push": 2}),
    ],
)
def test_an_unknown_speed_is_not_guessed(ready: Ready, workers: dict[str, int] | None) -> None:
    assert preflight.paces([ready], None, workers) == []


def test_where_a_worker_was_seen_is_said() -> None:
    seen = dataclasses.replace(FCM, rate=None, per_worker=20_000, shown_by="Spring (silent run)")
    assert preflight.paces([seen], None, {"push": 2}) == [
        Pace(100.0, "by 2 workers on push at 20,000 a second each, as in “Spring (silent run)”")
    ]


def test_a_goal_in_seconds_says_what_it_needs() -> None:
    (need,) = preflight.needs([FCM, Ready("in_app", "inbox", "in_app", 4_000_000)], 5.0)
    assert need.plan.workers > 20
    assert "workers on push.bulk" in need.sentences[0]
    assert need.sentences[1] == "main must allow 48 M/min, not 600 k/min (the default)"


@pytest.mark.parametrize(("raw", "seconds"), [(None, None), ("", None), ("5", 5.0), ("0.5", 0.5)])
def test_a_goal_in_seconds_is_read(raw: str | None, seconds: float | None) -> None:
    assert preflight.read_seconds(raw) == seconds


@pytest.mark.parametrize("raw", ["soon", "0", "-5", "nan", "inf"])
def test_a_goal_in_seconds_that_is_out_of_range_is_refused(raw: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        preflight.read_seconds(raw)
    assert refused.value.field == "seconds"


# ---- from the database -------------------------------------------------------------------------------------------


def test_before_arming_there_is_nothing_to_say(site: Site) -> None:
    with pytest.raises(Conflict, match="this one is draft"):
        preflight.preflight(site.draft())


def test_an_armed_campaign_is_summed_up(site: Site) -> None:
    result = preflight.preflight(armed(site.draft(channels=["push", "in_app"])), 5.0)
    assert (result.audience, result.messages, result.excluded) == (4, 8, {})
    assert {r.channel: r.messages for r in result.ready} == {"push": 4, "in_app": 4}
    assert [need.channel for need in result.needs] == ["push"]
    assert {r.channel: r.platform for r in result.ready} == {"push": "fcm", "in_app": ""}
    assert preflight.as_json(result)["messages"] == 8


def test_who_is_in_quiet_hours_now_is_counted(site: Site) -> None:
    ada, bob = Recipient.objects.filter(tenant=site.acme, external_id__in=["ada", "bob"]).order_by("external_id")
    for person, until in ((ada, time(7)), (bob, time(5))):
        Preference.objects.create(tenant=site.acme, recipient=person, quiet_from=time(22), quiet_until=until)
    ours = armed(site.draft(channels=["push", "in_app"]))
    assert spot_check.spot_check(ours, datetime(2026, 3, 1, 6, tzinfo=UTC)).quiet == 2  # Ada, on both channels
    assert spot_check.spot_check(ours, datetime(2026, 3, 1, 12, tzinfo=UTC)).quiet == 0
    site.template.category = None
    site.template.save()
    ours = Campaign.objects.get(pk=ours.pk)
    assert spot_check.spot_check(ours, datetime(2026, 3, 1, 6, tzinfo=UTC)).quiet == 2  # as it was armed
    arming.request_arm(ours)
    arming.arm(ours.pk)
    ours = Campaign.objects.get(pk=ours.pk)
    assert spot_check.spot_check(ours, datetime(2026, 3, 1, 6, tzinfo=UTC)).quiet == 0  # no marketing, so nothing waits


def test_devices_that_were_not_seen_for_long_are_counted(site: Site) -> None:
    ours = armed(site.draft(channels=["push", "in_app"]))
    now = datetime.now(UTC)
    Device.objects.filter(recipient__external_id__in=["ada", "bob"]).update(last_seen_at=now - timedelta(days=61))
    spot = spot_check.spot_check(ours, now)
    assert (spot.checked, spot.exact, spot.devices, spot.unseen) == (8, True, 4, 2)


def test_a_large_campaign_is_judged_by_a_sample(site: Site) -> None:
    spot = spot_check.spot_check(armed(site.draft()), NOW, sample=3)
    assert (spot.checked, spot.exact) == (3, False)


def test_a_worker_is_as_fast_as_the_last_campaigns_showed(site: Site) -> None:
    account = ProviderAccount.objects.create(tenant=site.acme, name="main", provider="fcm", channel="push")
    for name, seconds, size in (("slow", 2, 10_000), ("fast", 1, 10_000), ("tiny", 0.001, 100)):
        ours = site.draft(name=name, finished_at=NOW)
        Shard.objects.create(
            tenant=site.acme, campaign=ours, number=1, channel="push", account=account, size=size,
            state=Shard.State.DONE, began_at=NOW, ended_at=NOW + timedelta(seconds=seconds),
        )  # fmt: skip
    assert workers.speeds(site.draft(), [account.pk]) == {account.pk: workers.Speed(10_000.0, "fast")}


def test_without_a_broker_the_listening_workers_are_unknown(redis_away: Callable[[], None]) -> None:
    workers.reset()
    redis_away()
    assert workers.listening() is None
    workers.reset()


def test_the_template_published_after_the_test_is_noticed(site: Site) -> None:
    ours = armed(site.draft())
    test_send.send(ours, "ada", OPERATOR)
    ours.refresh_from_db()
    assert not [text for text in preflight.preflight(ours).warnings if "yourself" in text]
    templates.publish(site.template, CONTENT)
    test_send.send(ours, "ada", OPERATOR)
    ours.refresh_from_db()
    assert [text for text in preflight.preflight(ours).warnings if "published anew" in text]
