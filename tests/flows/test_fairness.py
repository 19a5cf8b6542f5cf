"""A flood or a slow provider of one tenant does not delay another tenant. The tests compare the order, never times."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

FLOOD = 20_000
ITEMS = 1_000
RECIPIENTS = 20
#: clients of a tenant that post bulk requests at once
BULKS = 3


@pytest.fixture
def loud(new_tenant: Callable[[], Tenant], sandbox: Sandbox) -> Tenant:
    tenant = new_tenant()
    tenant.publish("order", "order-updates")
    return tenant


@pytest.fixture
def quiet(new_tenant: Callable[[], Tenant]) -> Tenant:
    """The other tenant, with some people."""
    tenant = new_tenant()
    tenant.publish("order", "order-updates")
    for n in range(RECIPIENTS):
        tenant.person(f"u{n}", f"{tenant.tag}{n}")
    return tenant


def test_a_flood_to_one_recipient_does_not_slow_another_tenant(loud: Tenant, quiet: Tenant, sandbox: Sandbox) -> None:
    target = f"{loud.tag}target"
    loud.person("target", target)
    # messages to one recipient leave one after another, so the flood lasts longer than the other tenant's messages
    sandbox.faults(latency_ms=30)
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood, loud)
        until(lambda: sandbox.addresses(target), "the flood to begin")
        sent = [quiet.send(f"u{n}", "order") for n in range(RECIPIENTS)]
        statuses = [quiet.wait_until_final(notification_id) for notification_id in sent]
        outcomes = flooding.result()

    assert statuses == [{"push": "sent", "in_app": "delivered"}] * RECIPIENTS
    assert sandbox.addresses(quiet.tag) == {f"{quiet.tag}{n}": 1 for n in range(RECIPIENTS)}
    assert set(outcomes) == {"accepted", "queue_full"}
    assert outcomes.total() == FLOOD
    until(lambda: sandbox.addresses(target)[target] == outcomes["accepted"], "the flood to end")
    arrivals = sandbox.arrivals("")
    positions = [index for index, a in enumerate(arrivals) if a.address.startswith(quiet.tag)]
    assert max(positions) < len(arrivals) - 1, "a message of the quiet tenant came after the flood"


def flood(tenant: Tenant) -> Counter[str]:
    """Post FLOOD messages. Returns the number of each outcome."""
    item = {"recipient": "target", "template": "order", "channels": ["push"]}
    outcomes: Counter[str] = Counter()
    for _ in range(FLOOD // ITEMS):
        answer = tenant.api.request_json("POST", "/v1/notifications/bulk", {"items": [item] * ITEMS})
        outcomes.update(outcome(item) for item in answer["items"])
    return outcomes


def outcome(item: dict[str, Any]) -> str:
    return "accepted" if item["status"] == 202 else str(item["problem"]["code"])


def test_a_tenant_that_posts_bulks_without_a_pause_has_no_message_of_another_refused(
    loud: Tenant, quiet: Tenant, sandbox: Sandbox
) -> None:
    loud.person("target", f"{loud.tag}target")
    ended, answers = Event(), Counter[int]()
    with ThreadPoolExecutor(BULKS) as pool:
        posting = [pool.submit(post_bulks, loud, ended) for _ in range(BULKS)]
        try:
            until(lambda: sandbox.addresses(f"{loud.tag}target"), "the bulks to begin")
            sent = [quiet.post(f"u{n % RECIPIENTS}", "order") for n in range(3 * RECIPIENTS)]
            assert not any(thread.done() for thread in posting), "a thread of bulks ended before the other tenant's"
        finally:
            ended.set()
        for thread in posting:
            answers.update(thread.result())
    assert [answer.status for answer in sent] == [202] * len(sent)
    for answer in sent:
        assert quiet.wait_until_final(answer.json["id"]) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(quiet.tag) == {f"{quiet.tag}{n}": 3 for n in range(RECIPIENTS)}
    # a full queue, or the limit of recipients, is the loud tenant's own
    assert set(answers) <= {202, 207, 429, 503}


def post_bulks(tenant: Tenant, ended: Event) -> Counter[int]:
    """Post bulk requests one after another until the other tenant is served. Returns the number of each status."""
    item = {"recipient": "target", "template": "order", "channels": ["push"]}
    statuses: Counter[int] = Counter()
    while not ended.is_set():
        statuses[tenant.api.call("POST", "/v1/notifications/bulk", {"items": [item] * ITEMS}).status] += 1
    return statuses


def test_a_slow_provider_delays_its_own_tenant_only(loud: Tenant, quiet: Tenant, sandbox: Sandbox) -> None:
    sandbox.faults(slow_ms=4_000)
    people = loud.people(300, "slow")
    loud.import_people(people)
    items = [{"recipient": p.external_id, "template": "order", "channels": ["push"]} for p in people]
    loud.api.request_json("POST", "/v1/notifications/bulk", {"items": items})
    until(lambda: sandbox.addresses(loud.tag), "the slow ones to begin")
    # few messages, so that they end long before the first slow answer on any machine
    for notification_id in [quiet.send(f"u{n}", "order", channels=["push"]) for n in range(5)]:
        assert quiet.wait_until_final(notification_id) == {"push": "sent"}
    # the slow tenant's first messages still wait for an answer
    waiting = loud.api.request_json("GET", "/v1/notifications?limit=100")["data"]
    assert {d["status"] for n in waiting for d in n["deliveries"]} & {"queued", "claimed", "sending"}
    until(lambda: len(sandbox.addresses(loud.tag)) == len(people), "the slow ones")
    assert set(sandbox.addresses(loud.tag).values()) == {1}


def test_slow_campaigns_of_one_tenant_do_not_delay_the_arming_of_another(loud: Tenant, quiet: Tenant) -> None:
    loud.import_people(loud.people(40))
    slow = "{% for i in (1..6000) %}{% if recipient.name == 'x' %}{% endif %}{% endfor %}Hi"
    loud.publish("slow", "order-updates", content(title=slow))
    audience = loud.everybody()
    campaigns = [loud.draft("slow", audience, channels=["in_app"]) for _ in range(8)]
    for campaign in campaigns:
        campaign.post("arm")
    ours = quiet.draft("order", quiet.everybody(), channels=["in_app"])
    ours.arm()
    unfinished = [campaign for campaign in campaigns if campaign.read()["state"] == "arming"]
    assert unfinished, "the eight earlier campaigns were all armed first"
    until(lambda: all(campaign.read()["state"] != "arming" for campaign in campaigns), "the slow ones to end", 300)


_MAIL_ACCOUNT = """
from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from tenants.models import Tenant
tenant = Tenant.objects.get(slug="{slug}")
account = ProviderAccount(tenant=tenant, name="hangs", provider="smtp", enabled={enabled})
registry.save_config(account, dict(host="127.0.0.1", port={port}, security="none", from_address="shop@example.com"))
ProviderAccount.objects.filter(tenant=tenant, name="hangs").delete()
account.save()
Tenant.objects.filter(pk=tenant.pk).update(sandbox=False)
"""


def test_a_mail_server_that_hangs_delays_no_push_and_no_code_by_sms(loud: Tenant, quiet: Tenant, site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hanging:  # connects, and says nothing
        account = {"slug": loud.credentials.slug, "port": hanging.getsockname()[1]}
        made = site.manage("shell", "-c", _MAIL_ACCOUNT.format(**account, enabled=True))
        assert made.returncode == 0, made.stderr
        loud.publish("mail", "order-updates", {"email": {"en": {"subject": "Hi", "text": "It left."}}})
        for n in range(RECIPIENTS):
            loud.api.request_json("PUT", f"/v1/recipients/m{n}", {"name": "Ann", "email": f"m{n}@mail.example"})
        quiet.publish("otp", "security", {"sms": {"en": {"text": "Your code: 4711"}}})
        quiet.api.request_json("PUT", "/v1/recipients/u0", {"phone": "+491701234567"})
        mails = [loud.send(f"m{n}", "mail") for n in range(RECIPIENTS)]
        hanging.settimeout(60)
        connection, _ = hanging.accept()
        for notification_id in [quiet.send(f"u{n}", "order") for n in range(RECIPIENTS)]:
            assert quiet.wait_until_final(notification_id) == {"push": "sent", "in_app": "delivered"}
        assert quiet.wait_until_final(quiet.send("u0", "otp"))["sms"] in ("sent", "delivered")
        assert {loud.statuses(mail)["email"] for mail in mails} <= {"queued", "claimed", "sending"}
        site.manage("shell", "-c", _MAIL_ACCOUNT.format(**account, enabled=False))
        connection.close()
