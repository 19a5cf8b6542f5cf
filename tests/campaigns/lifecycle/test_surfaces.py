"""A control leaves one entry of the same verb in the audit log, on every surface: API, admin, command line."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from campaigns import arming
from campaigns.audit import Act
from campaigns.lifecycle.controls import CONTROLS, Control, Surface
from campaigns.models import Audience, Campaign
from campaigns.states import State
from tenants.models import AuditLog, User
from tests.broker import Broker, broker
from tests.campaigns.admin.test_pages import ADD, form
from tests.campaigns.api.conftest import Api, AsWeb, campaign_fields
from tests.campaigns.conftest import Browser, Site, armed, page
from tests.campaigns.launched import an_armed
from tests.campaigns.lifecycle.test_retrying import failed_for_good
from tests.campaigns.variants.conftest import crowd, with_variants

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
#: the state in which each control changes the campaign
START = {
    Act.ARM: State.DRAFT,
    Act.DISARM: State.ARMED,
    Act.GO: State.ARMED,
    Act.PLAN: State.ARMED,
    Act.UNPLAN: State.ARMED,
    Act.TAKE_BACK: State.LAUNCHING,
    Act.PAUSE: State.RUNNING,
    Act.RESUME: State.PAUSED,
    Act.STOP: State.RUNNING,
    Act.RETRY: State.FINISHED,
    Act.CHOOSE_WINNER: State.RUNNING,
}
#: what a control needs, for the API; PLANNED is what the admin and the command line take
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
BODY: dict[Act, dict[str, Any]] = {
    Act.PLAN: {"launch_at": TOMORROW.isoformat()},
    Act.CHOOSE_WINNER: {"variant": "B"},
}
PLANNED = f"{TOMORROW:%Y-%m-%dT%H:%M}"
OPTIONS = {Act.PLAN: ["--at", f"{PLANNED}Z"], Act.CHOOSE_WINNER: ["--variant", "B"]}


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


@pytest.fixture
def ben(site: Site, browser: Callable[[User], Browser]) -> Browser:
    return browser(site.people.ben)


def start(site: Site, control: Control) -> Campaign:
    """A campaign that the control changes."""
    if START[control.act] == State.DRAFT:
        return site.draft()
    if control.act == Act.RETRY:
        return failed_for_good(site)
    campaign = _with_variants(site) if control.act == Act.CHOOSE_WINNER else an_armed(site)
    plan = {"launch_at": TOMORROW} if control.act == Act.UNPLAN else {}
    Campaign.objects.filter(pk=campaign.pk).update(state=START[control.act], **plan)
    campaign.refresh_from_db()
    return campaign


def _with_variants(site: Site) -> Campaign:
    crowd(site, 60)
    campaign = armed(with_variants(site))
    Campaign.objects.filter(pk=campaign.pk).update(launched_at=datetime.now(UTC))
    return campaign


def entries() -> list[tuple[str, str, bool, bool]]:
    """Action, object, whether a user did it, whether an API key did it."""
    rows = (
        AuditLog.objects.exclude(action="recipient.read")
        .order_by("id")
        .values_list("action", "object_id", "user_id", "api_key_id")
    )
    return [(action, row, user is not None, key is not None) for action, row, user, key in rows]


def offered(surface: Surface) -> list[Control]:
    return [control for control in CONTROLS if surface in control.surfaces]


def test_every_control_has_a_start() -> None:
    assert set(START) == {control.act for control in CONTROLS}


@pytest.mark.parametrize("control", offered(Surface.API), ids=lambda control: control.act)
def test_a_control_through_the_api(site: Site, broker: Broker, api: Api, control: Control) -> None:
    campaign, before = start(site, control), len(entries())
    status, answer = api("POST", f"/v1/campaigns/{campaign.pk}/{control.act}", BODY.get(control.act))
    assert status == (202 if control.background else 200)
    assert control.background or answer[control.done] is True
    assert entries()[before:] == [(f"campaign.{control.act}", str(campaign.pk), False, True)]


@pytest.mark.parametrize("control", offered(Surface.ADMIN), ids=lambda control: control.act)
def test_a_control_through_the_admin(site: Site, broker: Broker, ben: Browser, control: Control) -> None:
    campaign = start(site, control)
    fields = {"revision": campaign.revision, "launch_at": PLANNED}
    ben.post(page(control.act, campaign), page("change", campaign), **fields)
    assert entries() == [(f"campaign.{control.act}", str(campaign.pk), True, False)]


@pytest.mark.parametrize("control", offered(Surface.CLI), ids=lambda control: control.act)
def test_a_control_through_the_command_line(site: Site, broker: Broker, control: Control) -> None:
    campaign, before = start(site, control), len(entries())
    options = OPTIONS.get(control.act, [])
    call_command("campaign", str(campaign.pk), str(control.act), *options, stdout=StringIO())
    assert entries()[before:] == [(f"campaign.{control.act}", str(campaign.pk), False, False)]


def test_arming_at_the_command_line_is_audited(site: Site, broker: Broker) -> None:
    campaign = site.draft()
    broker.workers["campaigns.arm"] = lambda campaign_id: arming.arm(uuid.UUID(campaign_id))
    call_command("arm_campaign", str(campaign.pk), stdout=StringIO())
    assert entries() == [("campaign.arm", str(campaign.pk), False, False)]


def test_create_change_and_delete_a_campaign(site: Site, broker: Broker, api: Api, ben: Browser) -> None:
    at = "/v1/campaigns/" + api("POST", "/v1/campaigns", campaign_fields(site))[1]["id"]
    api("PATCH", at, {"name": "May"})
    api("DELETE", at)
    ben.post(ADD, **form(site))
    campaign = Campaign.objects.get()
    ben.post(page("change", campaign), **form(site, name="May", channels=["in_app", "push"]))
    ben.post(page("delete", campaign), post="yes")
    verbs = ["campaign.create", "campaign.change", "campaign.delete"]
    assert [action for action, *_ in entries()] == verbs * 2
    assert [user for *_, user, _ in entries()] == [False] * 3 + [True] * 3
    changes = AuditLog.objects.filter(action="campaign.change").values_list("detail", flat=True)
    assert list(changes) == [{"fields": ["name"]}] * 2


def test_create_fill_change_and_delete_an_audience(site: Site, broker: Broker, api: Api, ben: Browser) -> None:
    _, audience = api("POST", "/v1/audiences", {"name": "API", "source": "list"})
    api("PUT", f"/v1/audiences/{audience['id']}/members", {"external_ids": ["ada"]})
    csv = SimpleUploadedFile("list.csv", b"external_id\nada\n")
    fields = {"tenant": site.acme.pk, "name": "Admin", "source": "list", "filter": "", "upload": csv}
    ben.post("/admin/campaigns/audience/add/", **fields)
    admin_audience = Audience.objects.get(name="Admin")
    ben.post(reverse("admin:campaigns_audience_change", args=[admin_audience.pk]), name="New")
    ben.post(reverse("admin:campaigns_audience_delete", args=[admin_audience.pk]), post="yes")
    filled = ["audience.create", "audience.fill"]
    assert [action for action, *_ in entries()] == [*filled, *filled, "audience.change", "audience.delete"]
    assert {object_id for _, object_id, *_ in entries()} == {audience["id"], str(admin_audience.pk)}


def test_an_uploaded_list_and_its_campaign_are_two_creations(site: Site, broker: Broker, ben: Browser) -> None:
    csv = SimpleUploadedFile("list.csv", b"external_id\nada\n")
    ben.post(ADD, **form(site, audience="", upload=csv))
    assert [action for action, *_ in entries()] == ["audience.create", "audience.fill", "campaign.create"]


def test_copy_rehearse_and_test(site: Site, broker: Broker, api: Api, ben: Browser) -> None:
    campaign = site.draft(channels=["push"])
    api("POST", f"/v1/campaigns/{campaign.pk}/rehearse")
    api("POST", f"/v1/campaigns/{campaign.pk}/test", {"recipient": "ada"})
    ben.post(page("rehearse", campaign), page("change", campaign))
    ben.post(page("test", campaign), page("change", campaign), recipient="ada")
    ben.post(page("copy", campaign), page("change", campaign))
    one, other = (str(pk) for pk in Campaign.objects.filter(silent=True).order_by("id").values_list("pk", flat=True))
    copied = str(Campaign.objects.latest("id").pk)
    assert [(action, object_id) for action, object_id, *_ in entries()] == [
        ("campaign.arm", one),
        ("campaign.rehearse", str(campaign.pk)),
        ("campaign.test", str(campaign.pk)),
        ("campaign.arm", other),
        ("campaign.rehearse", str(campaign.pk)),
        ("campaign.test", str(campaign.pk)),
        ("campaign.copy", copied),
    ]
