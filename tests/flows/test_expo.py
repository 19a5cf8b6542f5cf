"""Push through Expo from the registration of a device to the receipt, over the API, the import command and beat."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until

COUNT = 250
CONTENT = {"push": {"en": {"title": "Hello {{ recipient.name }}", "body": "A body."}}}
_ACCOUNT = """
from notifier.models import ProviderAccount
from tenants.models import Tenant
tenant = Tenant.objects.get(slug="{slug}")
ProviderAccount.objects.create(
    tenant=tenant, name="Expo", provider="expo", channel="push", platform="expo", sandbox=True)
"""


def token(tenant: Tenant, word: str) -> str:
    return f"ExponentPushToken[{tenant.tag}{word}]"


def import_people(site: Site, tenant: Tenant, folder: Path, words: list[str]) -> None:
    path = folder / "people.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("external_id", "name", "push_platform", "push_token"))
        writer.writerows((f"u{n}", "Ann", "expo", token(tenant, word)) for n, word in enumerate(words))
    command = site.manage("import_recipients", "--tenant", tenant.credentials.slug, str(path))
    assert command.returncode == 0, command.stderr


def test_messages_reach_expo_in_hundreds_and_their_receipts_come_back(
    site: Site, tenant: Tenant, sandbox: Sandbox, tmp_path: Path
) -> None:
    made = site.manage("shell", "-c", _ACCOUNT.format(slug=tenant.credentials.slug))
    assert made.returncode == 0, made.stderr
    tenant.publish("order", "order-updates", CONTENT)
    tenant.publish("offer", "promotions", CONTENT)
    for name, word in (("ada", "ada"), ("gil", "x-gone"), ("una", "x-unregistered")):
        tenant.api.request_json("PUT", f"/v1/recipients/{name}", {"name": name.title(), "locale": "en"})
        device = {"platform": "expo", "token": token(tenant, word)}
        tenant.api.request_json("POST", f"/v1/recipients/{name}/devices", device)
    sent = {name: tenant.send(name, "order") for name in ("ada", "gil", "una")}
    import_people(site, tenant, tmp_path, [*(str(n) for n in range(COUNT - 2)), "1-gone", "2-noreceipt"])
    campaign = tenant.draft("offer", tenant.list_of([f"u{n}" for n in range(COUNT)]), ["push"])
    campaign.arm()
    before = sandbox.requests()
    campaign.go()
    assert campaign.wait_until_finished()["channels"]["push"]["sent"] == COUNT
    assert sandbox.requests() - before <= 5, "a canary, and batches of a hundred"
    arrived = sandbox.addresses(f"ExponentPushToken[{tenant.tag}")
    assert len(arrived) == COUNT + 2 and set(arrived.values()) == {1}

    assert tenant.wait_until_final(sent["una"]) == {"push": "failed"}
    until(lambda: tenant.statuses(sent["ada"]) == {"push": "delivered"}, "the receipt")
    until(lambda: tenant.statuses(sent["gil"]) == {"push": "failed"}, "the receipt of a device that is gone")
    until(lambda: campaign.results()["reported"]["delivered"] == COUNT - 2, "the receipts of the campaign")
    for name in ("gil", "una"):
        [delivery] = tenant.post(name, "order").json["deliveries"]
        assert delivery["status"] == "suppressed", "a dead device is not used again"
