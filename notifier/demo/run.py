"""The demo from an empty tenant to the report. A comparison of ledger and sandbox decides its exit code."""

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
from notifier.demo.workflow import Say, Workflow
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
    """The credentials that the demo prints; with the key it calls the API."""

    username: str
    password: str = field(repr=False)
    key: str = field(repr=False)


def run(say: Say) -> list[str]:
    """Run every step and write `.local/demo-report.json`. Returns the differences between ledger and sandbox."""
    count = int(os.environ.get("DEMO_RECIPIENTS", RECIPIENTS))
    created = create_tenant("Demo", "demo", "demo-admin", operator=True)
    login = fresh_login(created.tenant, created.user)
    _import(created.tenant, count, say)
    sandbox = Client(settings.SANDBOX_URL, ca=settings.SANDBOX_CA)
    sandbox.post("/_reset")
    workflow = Workflow(Client(settings.SITE_URL, login.key), sandbox, say)
    workflow.templates()
    workflow.campaign_armed(f"Big game {time.strftime('%Y-%m-%d %H:%M:%S')}", external_ids(count))
    workflow.go()
    report = _report(workflow, count)
    differences = _message_differences(workflow)
    report["transactional"] = workflow.transactional()
    (LOCAL / "demo-report.json").write_text(json.dumps(report, indent=2) + "\n")
    _show(report, created.tenant, login, say)
    return count_differences(report) + differences


def fresh_login(tenant: Tenant, user: User) -> Login:
    """New credentials: they are shown only once, so every demo makes its own and revokes those of the demo before."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    ApiKey.objects.filter(tenant=tenant, name="demo", revoked_at=None).update(revoked_at=Now())
    return Login(user.username, password, create_key(tenant, "demo", Mode.LIVE, ["*"])[1])


def count_differences(report: dict[str, Any]) -> list[str]:
    """The differences between the counts; empty if all agree."""
    differences = []
    if report["sent"] != report["sandbox_unique"]:
        differences.append(f"the ledger says {report['sent']} sent, the sandbox counted {report['sandbox_unique']}")
    if report["sandbox_duplicates"]:
        differences.append(f"the sandbox counted {report['sandbox_duplicates']} duplicates")
    if report["transactional"] != {"push": 1, "in_app": 1}:
        differences.append(f"the transactional notification arrived as {report['transactional']}")
    return differences


def _message_differences(workflow: Workflow) -> list[str]:
    """Messages that arrived and are not sent in the ledger, and messages that are sent and did not arrive."""
    rows = Delivery.objects.filter(campaign_id=workflow.campaign, channel="push", status=Status.SENT)
    ledger = {(str(pk), address) for pk, address in rows.values_list("pk", "address").iterator()}
    arrived = workflow.arrived()
    differences = []
    if arrived - ledger:
        differences.append(f"{len(arrived - ledger)} messages arrived that are not sent in the ledger")
    if ledger - arrived:
        differences.append(f"{len(ledger - arrived)} messages are sent in the ledger and did not arrive")
    return differences


def _import(tenant: Tenant, count: int, say: Say) -> None:
    path = LOCAL / "demo.csv"
    write_csv(path, count)
    with path.open("rb") as file:
        result = import_recipients(tenant.id, file)
    say(f"imported {result.rows:,} rows of {path.name}: {result.created:,} created, {result.updated:,} updated")


def _report(workflow: Workflow, count: int) -> dict[str, Any]:
    results, sandbox = workflow.results(), workflow.sandbox_report()
    push = results["channels"]["push"]
    return {
        "recipients": count,
        "suppressed": results["suppressed"],
        "sent": push["sent"],
        "failed": push["failed"],
        "failed_by_reason": push["failed_by_reason"],
        "in_app_delivered": results["channels"]["in_app"]["delivered"],
        "sandbox_unique": sandbox["unique"],
        "sandbox_duplicates": sandbox["duplicates"],
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
