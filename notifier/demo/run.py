"""The demo from an empty tenant to the report, and the comparison that decides its exit code."""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from inbox.views import demo_link
from notifier.demo.client import Client
from notifier.demo.people import external_ids, write_csv
from notifier.demo.road import Road, Say
from notifier.models import Delivery
from notifier.vocabulary.status import Mode, Status
from tenants.api_keys import create_key
from tenants.bootstrap import create_tenant
from tenants.imports import import_recipients
from tenants.models import ApiKey, Recipient, Tenant, User

LOCAL = settings.BASE_DIR / ".local"
RECIPIENTS = 50_000


@dataclass(frozen=True)
class Login:
    """What the demo prints, and what it calls the API with."""

    username: str
    password: str = field(repr=False)
    key: str = field(repr=False)


def run(say: Say) -> list[str]:
    """Walk the road, write `.local/demo-report.json`; returns what the ledger and the sandbox say differently."""
    count = int(os.environ.get("DEMO_RECIPIENTS", RECIPIENTS))
    made = create_tenant("Demo", "demo", "demo-admin", operator=True)
    login = fresh_login(made.tenant, made.user)
    _import(made.tenant, count, say)
    sandbox = Client(settings.SANDBOX_URL, ca=settings.SANDBOX_CA)
    sandbox.post("/_reset")
    road = Road(Client(settings.SITE_URL, login.key), sandbox, say)
    road.templates()
    road.campaign_armed(f"Big game {time.strftime('%Y-%m-%d %H:%M:%S')}", external_ids(count))
    road.go()
    report = _report(road, count)
    strangers = _strangers(road)
    report["transactional"] = road.transactional()
    (LOCAL / "demo-report.json").write_text(json.dumps(report, indent=2) + "\n")
    _show(report, made.tenant, login, say)
    return disagreements(report) + strangers


def fresh_login(tenant: Tenant, user: User) -> Login:
    """Secrets are shown once, so every demo makes new ones and revokes those of the demo before."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    ApiKey.objects.filter(tenant=tenant, name="demo", revoked_at=None).update(revoked_at=Now())
    return Login(user.username, password, create_key(tenant, "demo", Mode.LIVE, ["*"])[1])


def disagreements(report: dict[str, Any]) -> list[str]:
    """What the counts say differently; empty when all is exact."""
    found = []
    if report["sent"] != report["sandbox_unique"]:
        found.append(f"the ledger says {report['sent']} sent, the sandbox counted {report['sandbox_unique']}")
    if report["sandbox_duplicates"]:
        found.append(f"the sandbox counted {report['sandbox_duplicates']} duplicates")
    if report["transactional"] != {"push": 1, "in_app": 1}:
        found.append(f"the transactional notification arrived as {report['transactional']}")
    return found


def _strangers(road: Road) -> list[str]:
    """Message by message: what the sandbox has and the ledger does not call sent, and the other way round."""
    rows = Delivery.objects.filter(campaign_id=road.campaign, channel="push", status=Status.SENT)
    ledger = {(str(pk), address) for pk, address in rows.values_list("pk", "address").iterator()}
    arrived = road.arrived()
    found = []
    if arrived - ledger:
        found.append(f"{len(arrived - ledger)} messages arrived that the ledger does not call sent")
    if ledger - arrived:
        found.append(f"{len(ledger - arrived)} messages are sent in the ledger and did not arrive")
    return found


def _import(tenant: Tenant, count: int, say: Say) -> None:
    path = LOCAL / "demo.csv"
    write_csv(path, count)
    with path.open("rb") as file:
        result = import_recipients(tenant.id, file)
    say(f"imported {result.rows:,} rows of {path.name}: {result.created:,} created, {result.updated:,} updated")


def _report(road: Road, count: int) -> dict[str, Any]:
    results, seen = road.results(), road.sandbox_report()
    push = results["channels"]["push"]
    return {
        "recipients": count,
        "suppressed": results["suppressed"],
        "sent": push["sent"],
        "failed": push["failed"],
        "failed_by_reason": push["failed_by_reason"],
        "in_app_delivered": results["channels"]["in_app"]["delivered"],
        "sandbox_unique": seen["unique"],
        "sandbox_duplicates": seen["duplicates"],
        "seconds": push["seconds"],
        "rate_per_s": push["rate_per_s"],
        **{name: push[name] for name in ("p50_ms", "p95_ms", "p99_ms")},
    }


def _show(report: dict[str, Any], tenant: Tenant, login: Login, say: Say) -> None:
    say("report:")
    for name, value in report.items():
        say(f"  {name:20} {value}")
    user = Recipient.objects.get(tenant=tenant, external_id="user-0")
    say(f"inbox of user-0      {demo_link(user)}")
    say(f"admin login          {login.username} / {login.password}")
