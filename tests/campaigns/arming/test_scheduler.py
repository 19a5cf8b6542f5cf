"""One tenant's slow work leaves a process of the queue `batch` to others, and turns go round between tenants."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from pytest_django import Settings

from campaigns import arming, tasks
from campaigns.arming import memory, ranges, run, scheduler
from campaigns.arming.memory import limited_memory
from campaigns.arming.planning import CampaignPlanner
from campaigns.models import Audience, AudienceRange, Campaign
from campaigns.states import State
from notifier.delivery.content import templates
from notifier.models import Template
from tenants.batch_slots import batch_slot, max_slots
from tenants.imports import jobs
from tenants.models import Import
from tests.campaigns.arming.test_arming import elsewhere
from tests.campaigns.conftest import CONTENT, Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_processes(settings: Settings) -> None:
    settings.BATCH_PROCESSES = 2


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The doorbells that were put on the queue; nobody hears them."""
    heard: list[tuple[str, ...]] = []
    monkeypatch.setattr(scheduler, "post", lambda *args, queue: heard.append(args))
    monkeypatch.setattr(scheduler, "waiting", lambda queue: 0)
    return heard


@pytest.fixture
def held(site: Site) -> Iterator[None]:
    """Another process holds the only place of ACME."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            key = f"{site.acme.pk}/0"
            cursor.execute("SELECT pg_try_advisory_lock(hashtext('tenants.batch_slot'), hashtext(%s))", [key])
            assert cursor.fetchone() == (True,)
        yield
    finally:
        other.close()


def asked_to_arm(campaign: Campaign) -> Campaign:
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
    with batch_slot(site.acme.pk) as mine:
        elsewhere(lambda: got.extend(held_by(site.acme.pk)), lambda: got.extend(held_by(site.people.globex.pk)))
    assert (mine, sorted(got)) == (True, [False, True])
    assert elsewhere(lambda: held_by(site.acme.pk)) == [[True]]
    settings.BATCH_PROCESSES = 1
    assert max_slots() == 1
    settings.BATCH_PROCESSES = 8
    assert max_slots() == 7


def held_by(tenant_id: uuid.UUID) -> list[bool]:
    with batch_slot(tenant_id) as mine:
        return [mine]


def test_who_was_killed_leaves_its_place(site: Site) -> None:
    def killed() -> None:
        with batch_slot(site.acme.pk):
            connection.close()

    elsewhere(killed)
    assert elsewhere(lambda: held_by(site.acme.pk)) == [[True]]


def test_a_doorbell_serves_whoever_has_waited_longest(
    site: Site, posted: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "ENTRIES", 2)
    monkeypatch.setattr(scheduler, "QUICK_CPU_SECONDS", 0.0)
    mine = [asked_to_arm(site.draft(name=f"{n}")) for n in range(3)]
    theirs = asked_to_arm(of_globex(site))
    tasks.arm(str(mine[0].pk))
    assert [AudienceRange.objects.filter(campaign=c).count() for c in mine] == [1, 0, 0]
    tasks.arm(str(mine[1].pk))
    assert state(theirs) == State.ARMED, "its turn came second, though ACME rang three times before"
    assert posted == [("campaigns.arm", str(mine[0].pk))]
    while any(state(c) == State.ARMING for c in mine):
        tasks.arm(str(mine[2].pk))
    assert [state(c) for c in mine] == [State.ARMED] * 3


def test_a_tenant_whose_places_are_taken_waits_and_others_do_not(
    site: Site, held: None, posted: list[tuple[str, ...]]
) -> None:
    mine, theirs = asked_to_arm(site.draft()), asked_to_arm(of_globex(site))
    tasks.arm(str(mine.pk))
    assert (state(mine), state(theirs)) == (State.ARMING, State.ARMED)


def test_quick_slices_get_every_process_and_slow_ones_a_turn(
    site: Site, posted: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.BATCH_PROCESSES = 4
    monkeypatch.setattr(ranges, "ENTRIES", 1)
    quick = asked_to_arm(site.draft())
    tasks.arm(str(quick.pk))
    assert posted == [("campaigns.arm_ranges", str(quick.pk))] * 3
    assert state(quick) == State.ARMED
    posted.clear()
    monkeypatch.setattr(scheduler, "QUICK_CPU_SECONDS", 0.0)
    slow = asked_to_arm(site.draft())
    tasks.arm(str(slow.pk))
    assert posted == [("campaigns.arm", str(slow.pk))]
    tasks.arm_ranges(str(slow.pk))
    assert AudienceRange.objects.filter(campaign=slow).count() == 2, "one each turn"
    assert posted[1:] == [("campaigns.arm", str(slow.pk))]


def test_imports_go_round_between_tenants(
    site: Site, settings: Settings, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    file = ContentFile(b"external_id\n1\n", name="people.csv")
    made = [jobs.submit(jobs.new_import(tenant, file), file) for tenant in [site.acme] * 3 + [site.people.globex]]
    order: list[Import] = []
    real: Callable[[Import], None] = jobs.run_import

    def noted(job: Import) -> None:
        order.append(job)
        real(job)

    monkeypatch.setattr(jobs, "run_import", noted)
    assert jobs.run_waiting() == 4
    assert [job.pk for job in order] == [made[n].pk for n in (0, 3, 1, 2)]


def test_an_import_waits_while_the_tenants_places_are_taken(
    site: Site, held: None, settings: Settings, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    file = ContentFile(b"external_id\n1\n", name="people.csv")
    for tenant in (site.acme, site.people.globex):
        jobs.submit(jobs.new_import(tenant, file), file)
    assert jobs.run_waiting() == 1
    assert Import.objects.get(state=Import.State.WAITING).tenant == site.acme


# ---- what workers die of -----------------------------------------------------------------------------------------


def test_an_arming_that_workers_die_of_is_given_up_with_the_reason(site: Site) -> None:
    campaign = asked_to_arm(site.draft())
    assert arming.begin(campaign.pk)
    # each worker counts itself in before it begins, and out again unless it dies
    Campaign.objects.filter(pk=campaign.pk).update(attempts=run.MAX_DEATHS + 2)
    arming.arm_ranges(campaign.pk)
    assert state(campaign) == State.DRAFT
    assert "workers died" in campaign.failure
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert (state(campaign), campaign.attempts) == (State.ARMED, 0)


def test_an_arming_that_takes_too_much_memory_is_given_up_with_the_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(planner: CampaignPlanner, people: Any) -> None:
        bytearray(1 << 30)

    monkeypatch.setattr(memory, "LIMIT_BYTES", 64 << 20)
    monkeypatch.setattr(CampaignPlanner, "plan", take)
    campaign = asked_to_arm(site.draft())
    scheduler.arm_next()
    assert state(campaign) == State.DRAFT
    assert "more than 64 MiB of memory" in campaign.failure


def test_the_limit_of_memory_ends_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LIMIT_BYTES", 64 << 20)
    with limited_memory(), pytest.raises(MemoryError):
        bytearray(256 << 20)
    assert len(bytearray(256 << 20)) == 256 << 20
