"""A scrape of the whole site: web tells what its workers and beat recorded, also after a kill."""

from __future__ import annotations

import httpx

from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until
from tests.metrics.test_scrape import Samples, samples


def scrape(site: Site) -> Samples:
    answer = httpx.get(f"{site.url}/metrics", timeout=60)
    assert answer.status_code == 200
    return samples(answer.text)


def test_a_scrape_knows_every_worker_and_beat(site: Site) -> None:
    swept = "notifier_task_last_success_timestamp_seconds{task=notifier.sweep}"
    until(lambda: swept in scrape(site), "a sweep")
    said = scrape(site)
    assert said["notifier_beat_last_tick_timestamp_seconds{}"] > 0
    slots = {name for name in said if name.startswith("notifier_worker_slots")}
    assert slots == {f"notifier_worker_slots{{queue={queue.name}}}" for queue in site.queues}


def test_counts_of_a_killed_worker_stay_and_its_slots_go(site: Site, tenant: Tenant) -> None:
    tenant.publish("hello", "order-updates", {"in_app": {"en": {"title": "Hi", "body": "Hi"}}})
    tenant.person("ada")
    tenant.wait_until_final(tenant.send("ada", "hello"))
    ended = "notifier_messages_ended_total{queue=in_app,status=delivered}"
    until(lambda: scrape(site).get(ended, 0) >= 1, "the count of the worker")
    before = scrape(site)
    site.kill("worker:in_app")
    try:
        after = scrape(site)
        assert after[ended] >= before[ended]
        assert "notifier_worker_slots{queue=in_app}" not in after
    finally:
        site.start("worker:in_app")
