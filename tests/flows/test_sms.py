"""SMS from the POST to the phone and back: receipts, STOP and START; a killed worker; a mail server that hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until

COUNT = 200
#: slow answers, so that a campaign lasts some seconds on any machine
LATENCY_MS = 500
WINDOW = 20  #: of the channel
TEXT = {"sms": {"en": {"text": "{{ recipient.name }}, code {{ code | default: '1' }}\u202f…"}}}


def number(tenant: Tenant, n: int) -> str:
    """A number of this tenant's own."""
    return f"+49{int(tenant.tag.strip('-').rpartition('-')[2]) + 100:04}{n:06}"


def numbers(tenant: Tenant) -> str:
    """The beginning of the tenant's numbers."""
    return number(tenant, 0)[:-6]


def phone(tenant: Tenant, external_id: str, n: int) -> str:
    recipient = {"name": external_id.title(), "locale": "en", "phone": number(tenant, n)}
    tenant.api.request_json("PUT", f"/v1/recipients/{external_id}", recipient)
    return number(tenant, n)


@pytest.fixture
def _worker_runs_again(site: Site) -> Iterator[None]:
    yield
    site.start("worker:sms.bulk")


def test_one_post_reaches_the_phone_and_its_owner_opts_out_and_in_again(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("code", "order-updates", TEXT)
    address = phone(tenant, "ann", 1)
    answer = tenant.post("ann", "code", data={"code": "4711"})
    [accepted] = answer.json["deliveries"]
    assert (accepted["status"], accepted["segments"]) == ("queued", 1)
    sent = answer.json["id"]
    until(lambda: tenant.statuses(sent) == {"sms": "delivered"}, "the receipt")
    [arrived] = sandbox.arrivals(address)
    assert (arrived.title, arrived.delivery) == ("Ann, code 4711 ...", accepted["id"])
    assert tenant.notification(sent)["deliveries"][0]["segments"] == 1

    sandbox.answer_sms(address, "Stopp!")
    until(lambda: status_of_new(tenant, "ann") == "suppressed", "STOP to be read")
    sandbox.answer_sms(address, "START")
    until(lambda: status_of_new(tenant, "ann") == "queued", "START to be read")


_VONAGE = """
from notifier.delivery.accounts.receipts_address import new_secret
from notifier.models import ProviderAccount
from tenants.models import Tenant
tenant = Tenant.objects.get(slug="{slug}")
for name, enabled in (("twilio", False), ("vonage", True)):
    ProviderAccount.objects.update_or_create(
        tenant=tenant, name=f"sandbox {{name}}",
        defaults=dict(
            provider=name, channel="sms", sandbox=True, enabled=enabled, receipts_secret=new_secret(tenant.pk)))
"""


def test_vonage_reports_what_became_of_a_message_and_a_person_s_answer(
    site: Site, tenant: Tenant, sandbox: Sandbox
) -> None:
    made = site.manage("shell", "-c", _VONAGE.format(slug=tenant.credentials.slug))
    assert made.returncode == 0, made.stderr
    tenant.publish("code", "order-updates", TEXT)
    address = phone(tenant, "ann", 1)
    sent = tenant.send("ann", "code")
    until(lambda: tenant.statuses(sent) == {"sms": "delivered"}, "the receipt")
    sandbox.answer_sms(address, "arrêt")
    until(lambda: status_of_new(tenant, "ann") == "suppressed", "STOP to be read")


def status_of_new(tenant: Tenant, recipient: str) -> str:
    [delivery] = tenant.post(recipient, "code").json["deliveries"]
    return str(delivery["status"])


def test_an_undelivered_message_is_failed_and_a_dead_number_is_remembered(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("code", "order-updates", TEXT)
    tenant.api.request_json("PUT", "/v1/recipients/bob", {"name": "Bob", "locale": "en", "phone": "+15005557735"})
    sent = tenant.send("bob", "code")
    until(lambda: tenant.statuses(sent) == {"sms": "failed"}, "the receipt of an unknown handset")
    until(lambda: status_of_new(tenant, "bob") == "suppressed", "the number to be suppressed")


@pytest.mark.usefixtures("_worker_runs_again")
def test_a_killed_worker_repeats_no_sms_and_leaves_at_most_its_window_in_doubt(
    site: Site, tenant: Tenant, sandbox: Sandbox
) -> None:
    tenant.change_settings(send_windows="built-in off")  # else nothing leaves at night
    tenant.publish("offer", "promotions", TEXT)
    for n in range(COUNT):
        phone(tenant, f"u{n}", n)
    campaign = tenant.draft("offer", tenant.everybody(), ["sms"])
    campaign.arm()
    preflight: dict[str, Any] = tenant.api.request_json("GET", f"/v1/campaigns/{campaign.id}/preflight")
    assert (preflight["messages"], preflight["segments"]) == (COUNT, COUNT)
    sandbox.faults(latency_ms=LATENCY_MS)
    campaign.go()
    until(lambda: sandbox.count() >= 2 * WINDOW, "the first messages")
    killed = len(site.pids("worker:sms.bulk"))
    site.kill("worker:sms.bulk")
    assert sandbox.count() < COUNT
    time.sleep(1)
    site.start("worker:sms.bulk")
    results = campaign.wait_until_finished()
    sms = results["channels"]["sms"]
    assert set(sandbox.addresses(numbers(tenant)).values()) == {1}, "no SMS is repeated"
    assert sms["unknown"] <= WINDOW * killed
    assert sms["sent"] + sms["unknown"] == COUNT
    assert sms["sent"] <= len(sandbox.arrivals(numbers(tenant))) <= COUNT
