"""One tenant's slow work leaves a process of the queue `batch` to other tenants, and turns go round between tenants."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from pytest_django import Settings

from campaigns import arming, tasks
from campaigns.arming.limits import ArmingLimits
from campaigns.arming.planning.planner import CampaignPlanner
from campaigns.arming.workers import run, scheduler
from campaigns.arming.workers.memory import limited_memory
from campaigns.models import Audience, AudienceRange, Campaign
from campaigns.states import State
from notifier.channels.queues import BATCH
from notifier.delivery.content import templates
from notifier.models import Template
from tenants.batch_slots import batch_slot, max_slots
from tenants.imports import jobs
from tenants.models import Import
from tests.campaigns.conftest import CONTENT, Site
from tests.campaigns.workers import in_parallel, take_tasks, tasks_on

pytestmark = pytest.mark.django_db(transaction=True)
ONE_A_RANGE = ArmingLimits(range_size=1)


@pytest.fixture(autouse=True)
def _two_processes_and_no_task(settings: Settings) -> None:
    settings.BATCH_PROCESSES = 2
    take_tasks()


@pytest.fixture
def acme_slot_taken(site: Site) -> Iterator[None]:
    """Another process holds the only slot of ACME."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            key = f"{site.acme.pk}/0"
            cursor.execute("SELECT pg_try_advisory_lock(hashtext('tenants.batch_slot'), hashtext(%s))", [key])
            assert cursor.fetchone() == (True,)
        yield
    finally:
        other.close()


def arming_requested(campaign: Campaign) -> Campaign:
    arming.request_arm(campaign)
    return campaign


def of_globex(site: Site) -> Campaign:
    template = Template.objects.create(tenant=site.people.globex, key="spring")
    templates.publish(template, CONTENT)
    everybody = Audience.objects.create(tenant=site.people.globex, name="All", source="everybody")
    columns: dict[str, Any] = {"channels": ["in_app"], "data": {"what": "x"}, "audience": everybody, "name": "G"}
    return Campaign.objects.create(tenant=site.people.globex, template=template, **columns)


def state(campaign: Campaign) -> State:
    campaign.refresh_from_db()
    return State(campaign.state)


def test_one_tenant_may_hold_all_processes_but_one(site: Site, settings: Settings) -> None:
    got: list[bool] = []
    with batch_slot(site.acme.pk) as has_slot:
        in_parallel(lambda: got.extend(held_by(site.acme.pk)), lambda: got.extend(held_by(site.people.globex.pk)))
    assert (has_slot, sorted(got)) == (True, [False, True])
    assert in_parallel(lambda: held_by(site.acme.pk)) == [[True]]
    settings.BATCH_PROCESSES = 1
    assert max_slots() == 1
    settings.BATCH_PROCESSES = 8
    assert max_slots() == 7


def held_by(tenant_id: uuid.UUID) -> list[bool]:
    with batch_slot(tenant_id) as has_slot:
        return [has_slot]


def test_a_killed_process_frees_its_slot(site: Site) -> None:
    def killed() -> None:
        with batch_slot(site.acme.pk):
            connection.close()

    in_parallel(killed)
    assert in_parallel(lambda: held_by(site.acme.pk)) == [[True]]


def test_a_task_arms_the_campaign_of_the_tenant_that_has_waited_longest(site: Site) -> None:
    slow_ranges = ArmingLimits(range_size=2, quick_cpu_seconds=0.0)
    of_acme = [arming_requested(site.draft(name=f"{n}")) for n in range(3)]
    globex_campaign = arming_requested(of_globex(site))
    assert len(take_tasks()) == 4
    scheduler.arm_next(slow_ranges)
    assert [AudienceRange.objects.filter(campaign=c).count() for c in of_acme] == [1, 0, 0]
    scheduler.arm_next(slow_ranges)
    assert state(globex_campaign) == State.ARMED, "its turn came second, though ACME asked three times before"
    assert tasks_on(BATCH) == [("campaigns.arm", str(of_acme[0].pk))]
    while any(state(c) == State.ARMING for c in of_acme):
        scheduler.arm_next(slow_ranges)
    assert [state(c) for c in of_acme] == [State.ARMED] * 3


def test_a_tenant_whose_slots_are_taken_waits_and_others_do_not(site: Site, acme_slot_taken: None) -> None:
    of_acme, globex_campaign = arming_requested(site.draft()), arming_requested(of_globex(site))
    tasks.arm(str(of_acme.pk))
    assert (state(of_acme), state(globex_campaign)) == (State.ARMING, State.ARMED)


def test_a_task_of_one_campaign_arms_another_one_whole(site: Site) -> None:
    campaign = arming_requested(site.draft())
    take_tasks()
    tasks.arm(str(uuid.uuid4()))
    assert state(campaign) == State.ARMED


def test_quick_ranges_get_every_process(site: Site, settings: Settings) -> None:
    settings.BATCH_PROCESSES = 4
    campaign = arming_requested(site.draft())
    take_tasks()
    scheduler.arm_next(ONE_A_RANGE)
    # this process leaves as soon as other tasks wait: here those that it has posted for the other three
    posted = [("campaigns.arm_ranges", str(campaign.pk))] * 3 + [("campaigns.arm", str(campaign.pk))]
    assert take_tasks() == posted
    assert AudienceRange.objects.filter(campaign=campaign).count() == 2
    scheduler.arm_beside_others(campaign.pk, ONE_A_RANGE)
    assert state(campaign) == State.ARMED
    assert tasks_on(BATCH) == []


def test_slow_ranges_get_one_turn_each(site: Site, settings: Settings) -> None:
    settings.BATCH_PROCESSES = 4
    slow_ranges = ArmingLimits(range_size=1, quick_cpu_seconds=0.0)
    campaign = arming_requested(site.draft())
    take_tasks()
    scheduler.arm_next(slow_ranges)
    assert take_tasks() == [("campaigns.arm", str(campaign.pk))]
    scheduler.arm_beside_others(campaign.pk, slow_ranges)
    assert AudienceRange.objects.filter(campaign=campaign).count() == 2, "one each turn"
    assert take_tasks() == [("campaigns.arm", str(campaign.pk))]
    tasks.arm_ranges(str(campaign.pk))
    assert state(campaign) == State.ARMED


def test_imports_go_round_between_tenants(site: Site, settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    file = ContentFile(b"external_id\n1\n", name="people.csv")
    submitted = [jobs.submit(jobs.new_import(tenant, file), file) for tenant in [site.acme] * 3 + [site.people.globex]]
    assert jobs.run_waiting() == 4
    order = Import.objects.order_by("finished_at").values_list("pk", flat=True)
    assert list(order) == [submitted[n].pk for n in (0, 3, 1, 2)]


def test_an_import_waits_while_the_tenants_slots_are_taken(
    site: Site, acme_slot_taken: None, settings: Settings, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    file = ContentFile(b"external_id\n1\n", name="people.csv")
    for tenant in (site.acme, site.people.globex):
        jobs.submit(jobs.new_import(tenant, file), file)
    assert jobs.run_waiting() == 1
    assert Import.objects.get(state=Import.State.WAITING).tenant == site.acme


# ---- arming that takes too much ---------------------------------------------------------------------------------


def test_an_arming_of_which_workers_die_fails_with_the_reason(site: Site) -> None:
    campaign = arming_requested(site.draft())
    assert arming.begin(campaign.pk)
    # each worker counts itself in before it begins, and out again unless it dies
    Campaign.objects.filter(pk=campaign.pk).update(attempts=run.MAX_DEATHS + 2)
    arming.arm_ranges(campaign.pk)
    assert state(campaign) == State.DRAFT
    assert "workers died" in campaign.failure
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert (state(campaign), campaign.attempts) == (State.ARMED, 0)


def test_an_arming_that_takes_too_much_memory_fails_with_the_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(planner: CampaignPlanner, people: Any) -> None:
        bytearray(1 << 30)

    monkeypatch.setattr(CampaignPlanner, "plan", take)
    campaign = arming_requested(site.draft())
    scheduler.arm_next(ArmingLimits(memory=64 << 20))
    assert state(campaign) == State.DRAFT
    assert "more than 64 MiB of memory" in campaign.failure


def test_the_limit_of_memory_ends_with_the_work() -> None:
    with limited_memory(64 << 20), pytest.raises(MemoryError):
        bytearray(256 << 20)
    assert len(bytearray(256 << 20)) == 256 << 20
