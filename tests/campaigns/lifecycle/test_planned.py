"""The planned launch: an armed campaign launches itself at its time, once, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from campaigns import arming
from campaigns.audit import Actor
from campaigns.edit import campaigns
from campaigns.lifecycle.launching import launch, planned
from campaigns.models import Audience, Campaign
from campaigns.sweep import sweep
from notifier.errors import Conflict, InvalidInput, NotifierError
from tenants.models import AuditLog, User
from tests.campaigns.api.conftest import Api, AsWeb, campaign_fields
from tests.campaigns.conftest import Browser, Site, page, text
from tests.campaigns.launched import Broker, an_armed, audited_acts, broker, count_sendable, unchanged

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
NOW = datetime.now(UTC).replace(microsecond=0)
AT = NOW + timedelta(hours=2)
SECOND = timedelta(seconds=1)


def plan(campaign: Campaign, **options: Any) -> bool:
    changed = planned.plan(campaign.tenant_id, campaign.pk, **{"launch_at": AT, **options})
    campaign.refresh_from_db()
    return changed


def sweep_at(campaign: Campaign, now: datetime) -> Campaign:
    sweep(now)
    campaign.refresh_from_db()
    return campaign


# ---- launching ---------------------------------------------------------------------------------------------------


def test_a_planned_campaign_leaves_at_its_time_and_the_audit_log_names_its_planner(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)
    assert plan(campaign, by=Actor(user=site.people.ben)) is True
    assert plan(campaign, by=Actor(user=site.people.ben)) is False
    assert sweep_at(campaign, AT - SECOND).state == "armed" and broker.published == []
    assert sweep_at(campaign, AT).state == "running"
    sweep(AT)
    assert len(broker.take("campaigns.send_shard")) >= 3
    assert audited_acts(campaign) == ["plan", "go"]
    entry = AuditLog.objects.get(action="campaign.go")
    assert entry.user == site.people.ben and entry.detail["planned_for"] == f"{AT:%Y-%m-%dT%H:%M:%SZ}"


def test_many_sweeps_and_go_at_once_launch_once(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)
    plan(campaign)

    def in_a_thread(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connection.close()

    go = lambda: launch.go(campaign.tenant_id, campaign.pk)  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(in_a_thread, [lambda: planned.launch_planned(AT), go] * 6))
    campaign.refresh_from_db()
    assert (campaign.state, campaign.launch_failure) == ("running", "")
    assert audited_acts(campaign) == ["plan", "go"]


def test_a_plan_keeps_the_rollout_and_the_hold(site: Site, broker: Broker) -> None:
    campaign = an_armed(site, canaries=1, hold_seconds=30)
    plan(campaign, rollout="canary")
    sweep_at(campaign, AT)
    assert (campaign.state, campaign.rollout) == ("launching", "canary")
    # a due plan ends with the take-back; else the next sweep would launch the campaign again
    Campaign.objects.filter(pk=campaign.pk).update(launch_at=NOW - SECOND)
    launch.take_back(campaign.tenant_id, campaign.pk)
    assert sweep_at(campaign, AT).state == "armed"
    assert (campaign.launch_at, campaign.launch_rollout) == (None, "all")


def test_a_go_before_the_planned_time_is_the_only_launch(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)
    plan(campaign)
    launch.go(campaign.tenant_id, campaign.pk)
    sweep_at(campaign, AT + SECOND)
    assert (campaign.state, count_sendable(campaign), campaign.launch_failure) == ("running", 3, "")
    assert audited_acts(campaign) == ["plan", "go"]


def test_a_campaign_that_is_still_being_armed_leaves_when_it_is_armed(site: Site, broker: Broker) -> None:
    campaign = site.draft()
    arming.request_arm(campaign)
    plan(campaign)
    assert sweep_at(campaign, AT + SECOND).state == "arming" and campaign.launch_failure == ""
    arming.arm(campaign.pk)
    assert sweep_at(campaign, AT + timedelta(minutes=5)).state == "running"


# ---- refusing ----------------------------------------------------------------------------------------------------


def test_a_planned_launch_that_go_would_refuse_leaves_the_campaign_armed_with_the_reason(
    site: Site, broker: Broker
) -> None:
    campaign = an_armed(site)
    plan(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(not_after=AT + SECOND)
    sweep_at(campaign, AT + 2 * SECOND)
    sweep_at(campaign, AT + 3 * SECOND)
    assert campaign.state == "armed" and "No message could leave: not_after is" in campaign.launch_failure
    assert audited_acts(campaign) == ["plan", "launch_refused"]
    assert AuditLog.objects.get(action="campaign.launch_refused").detail["code"] == "too_late"
    Campaign.objects.filter(pk=campaign.pk).update(not_after=None)
    assert sweep_at(campaign, AT + 4 * SECOND).state == "armed"  # the plan is over
    assert plan(campaign) is True and campaign.launch_failure == ""
    assert sweep_at(campaign, AT).state == "running"


def test_a_draft_does_not_leave_at_its_planned_time_nor_when_it_is_armed_later(site: Site, broker: Broker) -> None:
    campaign = site.draft()
    plan(campaign)
    sweep_at(campaign, AT)
    assert (campaign.state, campaign.launch_failure) == ("draft", planned.NOT_ARMED)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert sweep_at(campaign, AT + SECOND).state == "armed"


def test_an_edit_of_the_messages_disarms_and_keeps_the_plan(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)
    plan(campaign, by=Actor(user=site.people.ben))
    edited = campaigns.update(campaign, {"data": {"what": "Summer"}})
    assert (edited.state, edited.launch_at, edited.launch_planned_by) == ("draft", AT, site.people.ben)
    copied = campaigns.copy(edited)
    assert (copied.launch_at, copied.not_after) == (None, None)


def test_a_cancelled_plan_launches_nothing(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)
    plan(campaign)
    assert planned.unplan(campaign.tenant_id, campaign.pk) is True
    assert planned.unplan(campaign.tenant_id, campaign.pk) is False
    assert sweep_at(campaign, AT).state == "armed"
    assert audited_acts(campaign) == ["plan", "unplan"]


@pytest.mark.parametrize(
    ("options", "columns", "code"),
    [
        ({"launch_at": NOW - timedelta(minutes=1)}, {}, "in_the_past"),
        ({"launch_at": NOW + timedelta(days=367)}, {}, "too_far_ahead"),
        ({}, {"not_after": AT}, "after_not_after"),
        ({}, {"not_after": AT + SECOND, "hold_seconds": 60}, "too_late"),
        ({"rollout": "canary"}, {}, "no_canary"),
        ({"rollout": "some"}, {}, "invalid_choice"),
        ({"ignore_opt_outs": True}, {}, "invalid"),
        ({}, {"state": "running"}, "not_plannable"),
        ({}, {"state": "launching"}, "not_plannable"),
        ({}, {"state": "cancelled"}, "not_plannable"),
    ],
)
def test_what_cannot_be_planned_is_refused_and_nothing_is_stored(
    site: Site, broker: Broker, options: dict[str, Any], columns: dict[str, Any], code: str
) -> None:
    campaign = an_armed(site)
    Campaign.objects.filter(pk=campaign.pk).update(**columns)
    with unchanged(campaign), pytest.raises(NotifierError) as refused:
        plan(campaign, **options)
    assert refused.value.code == code
    assert audited_acts(campaign) == []


def test_a_topic_is_planned_only_by_an_actor_who_knows_that_no_opt_out_holds(site: Site, broker: Broker) -> None:
    topic = Audience.objects.create(tenant=site.acme, name="News", source="topic", topic="news")
    campaign = an_armed(site, audience=topic, channels=["push"])
    with pytest.raises(Conflict) as refused:
        plan(campaign)
    assert refused.value.code == "not_acknowledged"
    with pytest.raises(InvalidInput) as invalid:
        campaigns.update(campaign, {"launch_at": AT})
    assert (invalid.value.code, invalid.value.field) == ("not_acknowledged", "launch_at")
    plan(campaign, ignore_opt_outs=True)
    assert campaigns.update(campaign, {"launch_at": AT, "name": "May"}).launch_ignores_opt_outs is True
    assert sweep_at(campaign, AT).state == "running"


# ---- the surfaces ------------------------------------------------------------------------------------------------


def test_a_launch_is_planned_over_the_api(site: Site, broker: Broker, as_web: AsWeb) -> None:
    api = Api(site.people.acme_key, as_web)
    text_of = f"{AT:%Y-%m-%dT%H:%M:%SZ}"
    status, created = api("POST", "/v1/campaigns", campaign_fields(site, launch_at=text_of, launch_rollout="canary"))
    assert (status, created["launch_at"], created["launch_rollout"]) == (201, text_of, "canary")
    at = f"/v1/campaigns/{created['id']}"
    for launch_at, code in [("2001-01-01T00:00:00Z", "in_the_past"), ("2099-01-01T00:00:00Z", "too_far_ahead")]:
        for method, path in [("PATCH", at), ("POST", f"{at}/plan")]:
            status, problem = api(method, path, {"launch_at": launch_at})
            assert (status, problem["field"], problem["code"]) == (400, "launch_at", code)
    assert api("POST", f"{at}/plan")[1]["field"] == "launch_at"
    assert api("PATCH", at, {"not_after": text_of})[1]["field"] == "not_after"
    assert api("POST", f"{at}/unplan") == (200, {"unplanned": True, "state": "draft"})
    assert api("POST", f"{at}/plan", {"launch_at": text_of}) == (200, {"planned": True, "state": "draft"})
    assert api("POST", f"{at}/plan", {"launch_at": text_of}) == (200, {"planned": False, "state": "draft"})
    assert api("PATCH", at, {"launch_at": None})[1]["launch_at"] is None
    key = AuditLog.objects.filter(action="campaign.plan").get().api_key_id
    assert key is not None
    stranger = Api(site.people.globex_key, as_web)
    assert stranger("POST", f"{at}/plan", {"launch_at": "soon"})[0] == 404


def test_a_launch_is_planned_in_the_admin_by_the_clock_of_the_tenant(
    site: Site, broker: Broker, browser: Callable[[User], Browser]
) -> None:
    site.acme.timezone = "Asia/Kathmandu"
    site.acme.save()
    campaign = an_armed(site)
    ben = browser(site.people.ben)
    typed = (AT + timedelta(hours=5, minutes=45)).replace(second=0)
    fields = {"revision": campaign.revision, "launch_at": f"{typed:%Y-%m-%dT%H:%M}", "rollout": "all"}
    answer = ben.post(page("plan", campaign), page("go", campaign), **fields)
    campaign.refresh_from_db()
    assert campaign.launch_at == AT.replace(second=0)
    assert f"Planned for {typed.day} {typed:%B %Y}, {typed:%H:%M} +0545 :" in text(answer)
    assert "By ben." in text(answer)
    assert "Change the plan" in text(ben.get(page("go", campaign)))
    assert "Choose a date and a time" in text(
        ben.post(page("plan", campaign), page("go", campaign), **{**fields, "launch_at": "x"})
    )
    assert "cancelled" in text(ben.post(page("unplan", campaign), page("change", campaign)))
    campaign.refresh_from_db()
    assert campaign.launch_at is None


def test_an_operator_plans_at_the_command_line(site: Site, broker: Broker) -> None:
    campaign = an_armed(site)

    def run(*words: str) -> str:
        output = StringIO()
        call_command("campaign", str(campaign.pk), *words, stdout=output)
        return output.getvalue()

    output = run("plan", "--at", AT.isoformat())
    assert "planned." in output and f"planned   {AT:%Y-%m-%d %H:%M:%S} UTC, all" in output
    assert "unplanned." in run("unplan")
    with pytest.raises(CommandError, match="--at"):
        run("plan")
    with pytest.raises(CommandError, match="no time with an offset"):
        run("plan", "--at", "2030-01-31T09:00")
