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

from inbox.http.demo_page import demo_link
from notifier.delivery.accounts import receipts_address
from notifier.demo.client import Client
from notifier.demo.compare import differences, sent_by_platform
from notifier.demo.console import Console
from notifier.demo.content import CAMPAIGN_CHANNELS
from notifier.demo.devices import MIX, Tokens, browsers
from notifier.demo.people import external_ids, write_csv
from notifier.demo.workflow import DIGEST_ORDERS, Workflow
from notifier.models import ProviderAccount
from notifier.providers import provider_class
from notifier.vocabulary.status import Mode
from tenants.api_keys import create_key
from tenants.bootstrap import create_tenant
from tenants.imports import import_recipients
from tenants.models import ApiKey, Recipient, Tenant, User

LOCAL = settings.BASE_DIR / ".local"
RECIPIENTS = 50_000
#: the mail server has 100. An email service over HTTP costs more CPU a mail
EMAIL_SERVICE_WEIGHT = 40
#: what the demo calls the service of a platform
SERVICES = {"fcm": "FCM", "apns": "APNs", "webpush": "Web Push"}


@dataclass(frozen=True)
class Login:
    """The credentials that the demo prints; with the key it calls the API."""

    username: str
    password: str = field(repr=False)
    key: str = field(repr=False)


def run(console: Console) -> list[str]:
    """Run every step and write `.local/demo-report.json`. Returns the differences between ledger and sandbox."""
    count = int(os.environ.get("DEMO_RECIPIENTS", RECIPIENTS))
    created = create_tenant("Demo", "demo", "demo-admin", operator=True)
    login = fresh_login(created.tenant, created.user)
    sandbox = Client(settings.SANDBOX_URL, ca=settings.SANDBOX_CA)
    sandbox.post("/_reset")
    _import(created.tenant, count, sandbox, console)
    _add_email_service(created.tenant)
    workflow = Workflow(Client(settings.SITE_URL, login.key), sandbox, console, settings.SITE_URL)
    workflow.templates()
    name = f"Big game {time.strftime('%Y-%m-%d %H:%M:%S')}"
    workflow.arm(name, workflow.audience(name, external_ids(count)), count)
    workflow.go()
    taken, reported = workflow.receipts()
    report = _report(workflow, count) | {"receipts": {"mails": taken, "reported": reported}}
    lines = differences(workflow.campaign, CAMPAIGN_CHANNELS, sandbox)
    expected, report["transactional"] = workflow.transactional()
    if expected != report["transactional"]:
        lines.append(f"the single notification arrived as {report['transactional']} instead of {expected}")
    report["digest"] = {"orders": DIGEST_ORDERS, "mails": workflow.digest()}
    if report["digest"]["mails"] != expected["email"]:
        lines.append(f"the digest arrived as {report['digest']['mails']} mails instead of {expected['email']}")
    report["preferences"], opens = workflow.preferences_page()
    if not opens:
        lines.append("the preferences page of user-0 shows no categories")
    (LOCAL / "demo-report.json").write_text(json.dumps(report, indent=2) + "\n")
    _show(report, created.tenant, login, workflow, console)
    return count_differences(report) + lines


def fresh_login(tenant: Tenant, user: User) -> Login:
    """New credentials: they are shown only once, so every demo makes its own and revokes those of the demo before."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    ApiKey.objects.filter(tenant=tenant, name="demo", revoked_at=None).update(revoked_at=Now())
    return Login(user.username, password, create_key(tenant, "demo", Mode.LIVE, ["*"])[1])


def count_differences(report: dict[str, Any]) -> list[str]:
    """The differences between the counts; empty if all agree."""
    lines = []
    for channel, counts in report["channels"].items():
        arrived = counts.get("arrived", counts["sent"])
        if counts["sent"] != arrived:
            lines.append(f"{channel}: the ledger says {counts['sent']} sent, the sandbox counted {arrived}")
        if duplicates := counts.get("duplicates", 0):
            lines.append(f"{channel}: the sandbox counted {duplicates} duplicates")
    for platform, counts in report["push"].items():
        if counts["sent"] != counts["arrived"]:
            lines.append(f"{platform}: the ledger says {counts['sent']} sent, the service took {counts['arrived']}")
    receipts = report["receipts"]
    if receipts["mails"] != receipts["reported"]:
        lines.append(f"receipts came for {receipts['reported']} of {receipts['mails']} mails of email services")
    return lines


def _add_email_service(tenant: Tenant) -> None:
    """A second account of the channel email, in the sandbox: its service reports what becomes of a mail."""
    service = provider_class("sendgrid")
    ProviderAccount.objects.get_or_create(
        tenant=tenant,
        name="sandbox sendgrid",
        defaults={
            "provider": service.name,
            "channel": service.channel,
            "sandbox": True,
            "weight": EMAIL_SERVICE_WEIGHT,
            "receipts_secret": receipts_address.new_secret(tenant.id),
        },
    )


def _import(tenant: Tenant, count: int, sandbox: Client, console: Console) -> None:
    path = LOCAL / "demo.csv"
    # a few more than the share, which is random
    tokens = Tokens(browsers(sandbox, count * (MIX["webpush"] + 1) // 100 + 10, LOCAL / "demo-browsers.json"))
    devices = write_csv(path, count, tokens)
    shares = ", ".join(f"{share} % {SERVICES[platform]}" for platform, share in MIX.items())
    console.say(f"devices     {devices.total():,}: {shares}")
    with path.open("rb") as file, console.stage("import", count, f"rows of {path.name}") as stage:
        result = import_recipients(tenant.id, file, lambda so_far: stage.update(so_far.rows))
        stage.update(result.rows, f"{result.created:,} created, {result.updated:,} updated")


def _report(workflow: Workflow, count: int) -> dict[str, Any]:
    results, sandbox = workflow.results(), workflow.sandbox_report()
    arrived, services = sandbox["channels"], sandbox["services"]
    return {
        "recipients": count,
        "suppressed": results["suppressed"],
        "push": _push_report(sent_by_platform(workflow.campaign), services),
        "channels": {
            name: _channel_report(channel, arrived.get(name)) for name, channel in results["channels"].items()
        },
    }


def _push_report(sent: dict[str, int], services: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Platform -> messages that the ledger calls sent, and requests that the fake service answered with 2xx."""
    return {
        platform: {
            "sent": sent.get(platform, 0),
            "arrived": sum(n for status, n in services.get(platform, {}).items() if status.startswith("2")),
        }
        for platform in [*MIX, *sorted(sent.keys() - MIX.keys())]
    }


def _channel_report(channel: dict[str, Any], arrived: dict[str, Any] | None) -> dict[str, Any]:
    """`arrived`: what the sandbox counted; None for a channel that does not go there."""
    figures = ("sent", "reported", "failed", "failed_by_reason", "seconds", "rate_per_s", "p50_ms", "p95_ms", "p99_ms")
    counted = {} if arrived is None else {"arrived": arrived["unique"], "duplicates": arrived["duplicates"]}
    return {**{name: channel[name] for name in figures}, **counted}


def _show(report: dict[str, Any], tenant: Tenant, login: Login, workflow: Workflow, console: Console) -> None:
    console.say("report:")
    console.say(f"  recipients           {report['recipients']:,}")
    console.say(f"  suppressed           {report['suppressed']}")
    for channel, counts in report["channels"].items():
        console.say(f"  {channel:20} {_sentence(counts)}")
        for platform, pushed in report["push"].items() if channel == "push" else ():
            name = f"  {SERVICES.get(platform, platform)}"
            console.say(f"  {name:20} {pushed['sent']:,} sent; {pushed['arrived']:,} arrived")
    console.say(f"  transactional        {report['transactional']}")
    digest = report["digest"]
    console.say(f"  digest               {digest['orders']} orders, gathered; {digest['mails']} mail arrived")
    user = Recipient.objects.get(tenant=tenant, external_id="user-0")
    console.say(f"what arrived         {workflow.sandbox_report()['outbox']}")
    console.say(f"preferences          {report['preferences']}")
    console.say(f"inbox of user-0      {demo_link(user)}")
    console.say(f"admin login          {login.username} / {login.password}")


def _sentence(counts: dict[str, Any]) -> str:
    """The counts of one channel, as a person reads them."""
    parts = [f"{counts['sent']:,} sent"]
    if "arrived" in counts:
        parts.append(f"{counts['arrived']:,} arrived, {counts['duplicates']} twice")
    parts += [f"{count:,} {name}" for name, count in counts["reported"].items() if count]
    if counts["failed"]:
        parts.append(f"{counts['failed']:,} failed {counts['failed_by_reason']}")
    if counts["rate_per_s"]:
        parts.append(f"{counts['rate_per_s']:,.0f}/s, p95 {counts['p95_ms']:,} ms after GO")
    return "; ".join(parts)
